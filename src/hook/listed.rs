//! The objects that `$(docker ps -aq …)` stands for: docker is asked the same, and what the line
//! makes of its answer is done here.

use regex_lite::RegexBuilder;

use super::grammar::{self, Spoken};
use super::shell::{self, Standing};
use super::word::Word;
use crate::command::{Attempt, Effect, Invocation};
use crate::docker::Docker;
use crate::error::Error;

/// Listings that change nothing and end by themselves.
const LISTINGS: &[&str] = &[
    "container ls",
    "volume ls",
    "image ls",
    "network ls",
    "compose ps",
    "compose ls",
    "compose config",
    "compose images",
    "container inspect",
    "volume inspect",
    "image inspect",
    "network inspect",
];

/// What a substitution comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Names(Vec<String>),
    /// It prints the ID of a container that it makes itself.
    New,
    /// Nobody knows before.
    Unknown,
}

/// # Errors
/// As [`Docker::run`].
pub(super) async fn listed(
    docker: &Docker,
    commands: &str,
    standing: &Standing,
    own: &str,
) -> Result<Listed, Error> {
    let reading = shell::read(commands, standing);
    let mut calls = reading.calls.iter();
    let (Some(first), false) = (calls.next(), reading.unread) else { return Ok(Listed::Unknown) };
    let Some(program) = first.words.first() else { return Ok(Listed::Unknown) };
    let Some(client) = grammar::client(program, own) else { return Ok(Listed::Unknown) };
    let Ok(spoken) = grammar::read(client, &first.words) else { return Ok(Listed::Unknown) };
    if matches!(spoken.command, "container run" | "container create") {
        return Ok(Listed::New);
    }
    let is_known = spoken.flags.iter().all(|flag| flag.value.as_ref().is_none_or(|it| it.known))
        && spoken.operands.iter().all(|word| word.known)
        && spoken.global.is_empty();
    if !is_known || !LISTINGS.contains(&spoken.command) || spoken.command.starts_with("compose") {
        return Ok(Listed::Unknown);
    }
    let output = docker.run(&Attempt(asked(&spoken))).await?;
    let mut lines: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
    for call in calls {
        let Some(next) = filtered(&call.words, lines) else { return Ok(Listed::Unknown) };
        lines = next;
    }
    let words = lines.iter().flat_map(|line| line.split_whitespace()).map(str::to_owned);
    Ok(Listed::Names(words.collect()))
}

/// The same question.
fn asked(spoken: &Spoken) -> Invocation {
    let words: Vec<&'static str> = spoken.command.split(' ').collect();
    let mut invocation = match words[..] {
        [kind, verb] => Invocation::docker(Effect::Read, [kind, verb]),
        _ => Invocation::docker(Effect::Read, ["version"]),
    };
    for flag in &spoken.flags {
        let option = format!("--{}", flag.name);
        invocation = match &flag.value {
            Some(value) => invocation.option(&option, &value.text),
            None => invocation.flag(&option, true),
        };
    }
    invocation.operands(spoken.operands.iter().map(|word| &word.text))
}

/// What a filter leaves of lines; nothing for a program that is not known here.
fn filtered(words: &[Word], lines: Vec<String>) -> Option<Vec<String>> {
    let texts: Option<Vec<&str>> = words.iter().map(Word::value).collect();
    let texts = texts?;
    let (program, rest) = texts.split_first()?;
    let number = |text: &str| text.trim_start_matches(['-', '+', 'n']).parse::<usize>().ok();
    match (*program, rest) {
        ("cat" | "sort" | "uniq" | "tee", _)
        | ("tr", ["\n" | "\\n", " "])
        | ("xargs", [] | ["-r"]) => Some(lines),
        ("grep" | "egrep" | "fgrep" | "rg", rest) => grep(program, rest, lines),
        ("head", []) => Some(lines.into_iter().take(10).collect()),
        ("head", ["-n", count] | [count]) => Some(lines.into_iter().take(number(count)?).collect()),
        ("tail", ["-n", from] | [from]) if from.contains('+') => {
            Some(lines.into_iter().skip(number(from)?.saturating_sub(1)).collect())
        }
        ("tail", ["-n", count] | [count]) => {
            let skipped = lines.len().saturating_sub(number(count)?);
            Some(lines.into_iter().skip(skipped).collect())
        }
        ("awk" | "gawk" | "mawk", [program]) => awk(program, &lines),
        ("cut", rest) => cut(rest, &lines),
        _ => None,
    }
}

fn grep(program: &str, rest: &[&str], lines: Vec<String>) -> Option<Vec<String>> {
    let options: Vec<&str> = rest.iter().copied().filter(|it| it.starts_with('-')).collect();
    let operands: Vec<&str> = rest.iter().copied().filter(|it| !it.starts_with('-')).collect();
    let [pattern] = operands[..] else { return None };
    let letters: String = options.iter().map(|option| option.trim_start_matches('-')).collect();
    if !letters.chars().all(|letter| "viEFwe".contains(letter)) {
        return None;
    }
    let is_fixed = program == "fgrep" || letters.contains('F');
    let is_basic = program == "grep" && !letters.contains('E');
    let pattern = match (is_fixed, is_basic) {
        (true, _) => escaped(pattern),
        // `\|` is the basic form of what is `|` in the extended one.
        (false, true) => pattern.replace("\\|", "\0").replace('|', "\\|").replace('\0', "|"),
        (false, false) => pattern.to_owned(),
    };
    let pattern = if letters.contains('w') { format!(r"\b(?:{pattern})\b") } else { pattern };
    let pattern =
        RegexBuilder::new(&pattern).case_insensitive(letters.contains('i')).build().ok()?;
    let is_inverse = letters.contains('v');
    Some(lines.into_iter().filter(|line| pattern.is_match(line) != is_inverse).collect())
}

fn escaped(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// `{print $1}`, `/web/ {print $1}`, `NR>1 {print $1}`
fn awk(program: &str, lines: &[String]) -> Option<Vec<String>> {
    let (condition, action) = program.trim().split_once('{')?;
    let field = action.trim_end().strip_suffix('}')?.trim().strip_prefix("print")?.trim();
    let condition = condition.trim();
    let (skipped, pattern) = match condition {
        "" => (0, None),
        "NR>1" | "NR > 1" | "NR!=1" => (1, None),
        _ => {
            let pattern = condition.strip_prefix('/')?.strip_suffix('/')?;
            (0, Some(RegexBuilder::new(pattern).build().ok()?))
        }
    };
    let number: Option<usize> = field.strip_prefix('$').and_then(|number| number.parse().ok());
    let cut = |line: &String| -> Option<String> {
        match (number, field) {
            (Some(0), _) | (None, "") => Some(line.clone()),
            (Some(number), _) => line.split_whitespace().nth(number - 1).map(str::to_owned),
            (None, "$NF") => line.split_whitespace().next_back().map(str::to_owned),
            _ => None,
        }
    };
    if number.is_none() && !matches!(field, "" | "$NF") {
        return None;
    }
    let chosen = lines.iter().skip(skipped);
    let matches = |line: &&String| pattern.as_ref().is_none_or(|it| it.is_match(line));
    Some(chosen.filter(matches).filter_map(cut).collect())
}

/// `-d' ' -f1`, `-f 1 -d ' '`
fn cut(rest: &[&str], lines: &[String]) -> Option<Vec<String>> {
    let (mut delimiter, mut field) = ('\t', None);
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let mut value = |letter: &str| match word.strip_prefix(letter) {
            Some("") => words.next().copied(),
            other => other,
        };
        if let Some(given) = value("-d") {
            delimiter = given.chars().next()?;
        } else if let Some(given) = value("-f") {
            field = given.parse::<usize>().ok();
        } else {
            return None;
        }
    }
    let at = field?.checked_sub(1)?;
    Some(lines.iter().filter_map(|line| line.split(delimiter).nth(at)).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(line: &str) -> Option<Vec<String>> {
        let lines = ["ID   NAMES", "1a   web-1", "2b   db-1", "3c   WEB-2"].map(str::to_owned);
        let words = shell_words::split(line).unwrap().into_iter().map(Word::known);
        filtered(&words.collect::<Vec<_>>(), lines.to_vec())
    }

    #[test]
    fn filters_are_followed() {
        let lines = |lines: &[&str]| Some(lines.iter().map(ToString::to_string).collect());
        assert_eq!(after("grep web"), lines(&["1a   web-1"]));
        assert_eq!(after("grep -iE 'web|none'"), lines(&["1a   web-1", "3c   WEB-2"]));
        assert_eq!(after("grep -v 'web\\|db'"), lines(&["ID   NAMES", "3c   WEB-2"]));
        assert_eq!(after("awk '{print $1}'"), lines(&["ID", "1a", "2b", "3c"]));
        assert_eq!(after("awk 'NR>1 {print $2}'"), lines(&["web-1", "db-1", "WEB-2"]));
        assert_eq!(after("awk '/db/ {print $1}'"), lines(&["2b"]));
        assert_eq!(after("tail -n +2"), lines(&["1a   web-1", "2b   db-1", "3c   WEB-2"]));
        assert_eq!(after("tail -1"), lines(&["3c   WEB-2"]));
        assert_eq!(after("head -n 2"), lines(&["ID   NAMES", "1a   web-1"]));
        assert_eq!(after("cut -d' ' -f1"), lines(&["ID", "1a", "2b", "3c"]));
        assert_eq!(after("sed s/a/b/"), None);
        assert_eq!(after("awk '{system(\"x\")}'"), None);
    }
}
