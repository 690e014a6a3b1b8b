//! Which lines of a log tell of errors, and what they say most often.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;

use super::facts::Line;
use crate::command::text::cut_line;

/// Fewer are a bad moment.
const FEWEST: usize = 3;
/// Of these last lines one at least has to be an error.
const RECENT: usize = 4;
const MESSAGE_BYTES: usize = 140;

/// How a log stands that is mostly errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) errors: usize,
    pub(super) lines: usize,
    /// The message that comes most often, with how often it does.
    pub(super) most: (String, usize),
    /// Answers with a status of 500 or more.
    pub(super) server_errors: usize,
    pub(super) answers: usize,
}

/// Nothing of a log that is not mostly errors, or of one whose program has come up since.
pub(super) fn errors(lines: &[Line], came_up: &[&str]) -> Option<Tally> {
    let counted: Vec<&Line> = lines.iter().filter(|line| !is_continued(line)).collect();
    let last_error = counted.iter().rposition(|line| is_error(line))?;
    let after = counted.get(last_error + 1..).unwrap_or_default();
    let has_recovered = after.iter().any(|line| line.has(came_up)) || after.len() >= RECENT;
    let errors: Vec<&&Line> = counted.iter().filter(|line| is_error(line)).collect();
    if errors.len() < FEWEST || errors.len() * 2 < counted.len() || has_recovered {
        return None;
    }
    let mut often: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for line in &errors {
        let entry = often.entry(shape(&line.text)).or_default();
        *entry = (entry.0 + 1, line.text.trim());
    }
    let (count, text) = often.into_values().max_by_key(|(count, _)| *count)?;
    let statuses = || counted.iter().filter_map(|line| status(line));
    Some(Tally {
        errors: errors.len(),
        lines: counted.len(),
        most: (cut_line(text, MESSAGE_BYTES).into_owned(), count),
        server_errors: statuses().filter(|status| *status >= 500).count(),
        answers: statuses().count(),
    })
}

/// A line of a stack trace.
fn is_continued(line: &Line) -> bool {
    line.text.starts_with([' ', '\t'])
}

/// Words of levels, and of messages without one.
static LEVEL: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?x)
        \b(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|EMERG|ALERT|CRIT|ERR)\b
        | ^\[?(?:E|F)\d{4}\s
        | (?i:(?:level|severity|lvl)"?\s*[=:]\s*"?(?:error|fatal|critical|panic|err|crit|emerg)\b)
        | (?i:\[(?:error|fatal|critical|crit|emerg|alert)\])
        | (?i:^(?:\S+\s+){0,3}(?:error|fatal|panic|exception|traceback)\b)
        | (?i:\b(?:failed\ to|cannot|could\ not|couldn't|unable\ to|connection\ refused|timed\ out)\b)
        | [A-Za-z](?:Error|Exception):"#;
    Regex::new(pattern).expect("a valid pattern")
});

/// Words that take it back.
const NO_ERROR: &[&str] = &[
    "no error",
    "0 error",
    "without error",
    "errors: 0",
    "errors=0",
    "error=nil",
    "\"error\":null",
];
/// Lower levels, whatever else the line says.
static LOWER: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"\b(?:INFO|DEBUG|TRACE|NOTICE)\b|(?i:(?:level|severity)"?\s*[=:]\s*"?(?:info|debug|trace|notice)\b)"#;
    Regex::new(pattern).expect("a valid pattern")
});

fn is_error(line: &Line) -> bool {
    match status(line) {
        Some(status) => status >= 500,
        None => LEVEL.is_match(&line.text) && !LOWER.is_match(&line.text) && !line.has(NO_ERROR),
    }
}

/// The status of an answer, in an access log.
fn status(line: &Line) -> Option<u16> {
    static STATUS: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r#"(?:" |HTTP/[0-9.]+"? |(?i:status(?:_code|code)?"?\s*[=:]\s*"?)|-> |=> )([1-5]\d\d)\b"#;
        Regex::new(pattern).expect("a valid pattern")
    });
    STATUS.captures(&line.text)?.get(1)?.as_str().parse().ok()
}

/// A line without its numbers: the same message at other times.
fn shape(text: &str) -> String {
    let mut shape: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    shape.truncate(crate::command::text::head(&shape, 100).len());
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Option<String> {
        let told = errors(&Line::all(text), &["listening on"])?;
        let Tally { errors, lines, most, server_errors, answers } = told;
        Some(format!("{errors}/{lines} {server_errors}/{answers} {}x {}", most.1, most.0))
    }

    #[test]
    fn a_log_that_is_mostly_errors_is_told_with_what_it_says_most() {
        let line = |text: &str, times: usize| format!("{text}\n").repeat(times);
        let json = line(r#"{"level":"error","msg":"queue 7 is gone"}"#, 4);
        assert_eq!(
            judged(&json).unwrap(),
            r#"4/4 0/0 4x {"level":"error","msg":"queue 7 is gone"}"#
        );
        let mixed = line("10:00:01 ERROR job 1: no such table", 5) + &line("10:00:02 INFO tick", 4);
        assert_eq!(judged(&mixed), None, "the last four are well");
        let mixed = line("10:00:02 INFO tick", 4) + &line("10:00:01 ERROR job 1: no such table", 5);
        assert!(judged(&mixed).unwrap().starts_with("5/9 "));
        let access = line(r#"1.2.3.4 - - [x] "GET / HTTP/1.1" 502 157 "-""#, 6)
            + &line(r#"1.2.3.4 - - [x] "GET /ok HTTP/1.1" 200 2 "-""#, 2);
        assert!(judged(&access).unwrap().starts_with("6/8 6/8 6x"));
        assert_eq!(judged(&(line("ERROR db not ready", 9) + "listening on :80\n")), None);
    }

    #[test]
    fn what_only_speaks_of_errors_is_none() {
        for text in [
            "12 rows written, 0 errors\n",
            "INFO retrying after error: connection refused\n",
            "level=info msg=\"cannot be faster\"\n",
            "GET /error-page HTTP/1.1\" 200 12\n",
            "no error: connected to db:5432\n",
            "GET /x HTTP/1.1\" 404 12\n",
        ] {
            assert_eq!(judged(&text.repeat(9)), None, "{text}");
        }
        assert!(judged(&"ERROR x\n".repeat(2)).is_none());
    }
}
