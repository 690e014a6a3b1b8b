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

/// The files of a source, with the lines of their keys.
pub(super) struct Places(Vec<(String, Lines)>);

impl Places {
    pub(super) fn of(source: &Source) -> Self {
        let texts = source.texts().unwrap_or_default().into_iter();
        Self(texts.map(|text| (text.name, Lines::of(&text.text))).collect())
    }

    /// The key and line of what a check calls by its place: `services.web.ports[0]`, or `FILE:7`.
    pub(super) fn of_location(&self, location: &str) -> Option<(String, usize)> {
        let in_text = |(name, lines): &(String, Lines)| {
            let line = location.strip_prefix(name.as_str())?.strip_prefix(':')?.parse().ok()?;
            Some((lines.key_at(line)?, line))
        };
        let found = self.0.iter().find_map(in_text);
        let in_model =
            |(_, lines): &(String, Lines)| Some((location.to_owned(), lines.line_of(location)?));
        found.or_else(|| self.0.iter().find_map(in_model))
    }

    /// Where the variable stands that a warning of compose is about.
    pub(super) fn of_warning(&self, warning: &str) -> Vec<(String, usize)> {
        static UNSET: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"^The "?([A-Za-z_]\w*)"? variable is not set"#).expect("a valid pattern")
        });
        let name = UNSET.captures(warning).and_then(|captures| captures.get(1));
        let name = name.map_or("", |name| name.as_str());
        self.0.iter().flat_map(|(_, lines)| lines.uses_of(name)).collect()
    }

    /// The warning with its places.
    pub(super) fn told(&self, warning: &str) -> String {
        let places = self.of_warning(warning).into_iter().take(PLACES);
        let places: Vec<String> =
            places.map(|(key, line)| format!("{key} (line {line})")).collect();
        if places.is_empty() {
            return warning.to_owned();
        }
        format!("{warning} At {}", places.join(", "))
    }
}

/// More places of one variable are more of the same.
const PLACES: usize = 5;

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
