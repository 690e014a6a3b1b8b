//! Where in its file the thing stands that a failure is about: line and key, as far as they can
//! be known.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::source::Source;
use crate::error::Error;
use crate::policy::Lines;

/// What compose says without a place: the key that it is below, the value, or the whole key.
static CLUES: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    [
        ("ports", r"(?i)^invalid (?:host|container) ?port: (?<value>\S+)"),
        ("env_file", r"env file (?<value>.+?) not found"),
        ("label_file", r"label file (?<value>.+?) not found"),
        ("include", r"^open (?<value>.+?): "),
        ("extends", r"^open (?<value>.+?): "),
        ("depends_on", r#"depends on undefined service "?(?<value>[^":]+)"#),
        ("volumes", r"undefined volume (?<value>[^\s:]+)"),
        ("networks", r"undefined network (?<value>[^\s:]+)"),
        ("secrets", r"undefined secret (?<value>[^\s:]+)"),
        ("configs", r"undefined config (?<value>[^\s:]+)"),
        ("extends", r#"^cannot extend service .*service "(?<value>[^"]+)" not found"#),
        ("services", r#"^service "(?<value>[^"]+)" has neither"#),
    ]
    .map(|(below, clue)| (below, Regex::new(clue).expect("a pattern of this file is valid")))
    .into()
});

/// Adds line and key to a failure that is about this source.
pub(super) fn placed(error: Error, source: &Source) -> Error {
    let about = |key| error.context.iter().find(|(name, _)| *name == key).map(|(_, it)| it.clone());
    let (file, key, line) = (about("file"), about("key"), about("line"));
    let Ok(texts) = source.texts() else { return error };
    let is_one = texts.len() == 1;
    for text in texts {
        // A file that is included has other lines.
        let is_of_it = file.as_ref().is_none_or(|it| *it == source.name() || *it == text.name);
        if !is_of_it {
            continue;
        }
        let lines = Lines::of(&text.text);
        let found = match (&key, &line) {
            (Some(key), None) => lines.line_of(key).map(|line| (key.clone(), line)),
            // Of a key that is there twice compose tells the last part.
            (key, Some(line)) if is_one => line.parse().ok().and_then(|line| {
                let whole = lines.key_at(line)?;
                let last = whole.rsplit('.').next();
                key.as_deref().is_none_or(|key| last == Some(key)).then_some((whole, line))
            }),
            (None, None) => CLUES.iter().find_map(|(below, clue)| {
                let value = clue.captures(&error.message)?.name("value")?;
                lines.find(below, value.as_str())
            }),
            _ => None,
        };
        if let Some((key, line)) = found {
            return error.with("key", key).with("line", line.to_string()).with("file", text.name);
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::tools::compose::source::From;

    #[test]
    fn what_compose_says_without_a_place_gets_one() {
        let text = "services:\n  web:\n    image: x\n    env_file: no.env\n    ports: ['99999:80']\n    depends_on: [gone]\n    volumes:\n      - data:/d\ninclude:\n  - path: ./more.yml\n";
        let source =
            Source { directory: "/srv/shop".into(), from: From::Text(text.into()), found_in: None };
        for (message, place) in [
            ("Invalid hostPort: 99999", "services.web.ports.0 5"),
            ("env file /srv/shop/no.env not found: stat", "services.web.env_file 4"),
            ("open /srv/shop/more.yml: no such file or directory", "include.0.path 10"),
            (
                "service \"web\" depends on undefined service \"gone\": invalid",
                "services.web.depends_on.0 6",
            ),
            (
                "service \"web\" depends on undefined service gone: invalid",
                "services.web.depends_on.0 6",
            ),
            (
                "service \"web\" refers to undefined volume data: invalid",
                "services.web.volumes.0 8",
            ),
            ("service \"web\" has neither an image nor a build context", "services.web 2"),
            ("something else", ""),
        ] {
            let error = placed(Error::new(Code::InvalidConfiguration, message), &source);
            let of = |key| error.context.iter().find(|(name, _)| *name == key);
            let found: Vec<&str> =
                [of("key"), of("line")].into_iter().flatten().map(|(_, it)| it.as_str()).collect();
            assert_eq!(found.join(" "), place, "{message}");
        }
    }
}
