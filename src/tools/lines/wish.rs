//! Which lines a caller wants: what docker is asked for, and what is chosen from that.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Pattern, Selection};
use crate::command::logs::{Logs, Stream};
use crate::command::values::{Bounded, TimePoint};
use crate::docker::Line;
use crate::error::Error;

/// Lines that are shown when the caller does not say.
const TAIL: u32 = 100;
/// Lines that are searched when the caller does not say, and the most that are read.
pub(crate) const TAIL_MAX: u32 = 10_000;
const FOLLOW_SECONDS: u32 = 10;
pub(crate) const FOLLOW_SECONDS_MAX: u32 = 60;

/// The parameters of the tools that read logs.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub(crate) tail: Option<Bounded<0, TAIL_MAX>>,
    pub(crate) grep: Option<String>,
    pub(crate) invert: bool,
    pub(crate) context_lines: Option<Bounded<0, 100>>,
    pub(crate) stream: Choice,
    pub(crate) since: Option<TimePoint>,
    pub(crate) until: Option<TimePoint>,
    pub(crate) timestamps: bool,
    pub(crate) dedupe: bool,
    pub(crate) follow: bool,
    pub(crate) follow_seconds: Option<Bounded<1, FOLLOW_SECONDS_MAX>>,
    pub(crate) until_match: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Choice {
    #[default]
    All,
    Stdout,
    Stderr,
}

impl Wish {
    /// # Errors
    /// DKR-004 for a pattern that is none, or has nothing to invert.
    pub(crate) fn selection(&self) -> Result<Selection, Error> {
        let grep = self.grep.as_deref().map(|grep| Pattern::new("grep", grep)).transpose()?;
        if self.invert && grep.is_none() {
            return Err(Error::invalid("invert", "`invert` needs a pattern in `grep`"));
        }
        let most = match self.tail {
            None if !self.follows() => Some(TAIL as usize),
            Some(lines) if self.docker_leaves_out() => Some(lines.get() as usize),
            _ => None,
        };
        Ok(Selection {
            invert: self.invert,
            // Without a pattern all lines match, and none is a neighbour.
            context_lines: match (&grep, self.context_lines) {
                (Some(_), Some(lines)) => lines.get() as usize,
                _ => 0,
            },
            grep,
            dedupe: self.dedupe,
            most,
            timestamps: self.timestamps,
            named: false,
        })
    }

    /// The pattern that ends the following.
    ///
    /// # Errors
    /// DKR-004 for a pattern that is none.
    pub(crate) fn until_match(&self) -> Result<Option<Pattern>, Error> {
        self.until_match.as_deref().map(|text| Pattern::new("until_match", text)).transpose()
    }

    pub(crate) fn logs(&self, container: &str) -> Logs {
        let chooses = self.grep.is_some() || self.dedupe || self.docker_leaves_out();
        let tail = match self.tail {
            Some(lines) if !self.docker_leaves_out() => lines.get(),
            Some(_) => TAIL_MAX,
            None if chooses && !self.follows() => TAIL_MAX,
            None => TAIL,
        };
        let follow_seconds = self.follow_seconds.map_or(FOLLOW_SECONDS, Bounded::get);
        Logs {
            tail,
            since: self.since,
            until: self.until,
            timestamps: self.timestamps,
            stream: match self.stream {
                Choice::All => Stream::All,
                Choice::Stdout => Stream::Stdout,
                Choice::Stderr => Stream::Stderr,
            },
            follow: self.follows().then(|| Duration::from_secs(follow_seconds.into())),
            ..Logs::last(container, tail)
        }
    }

    /// Docker takes the last lines first, and then leaves out those after `until` and those of the
    /// other stream: it has to read more for us to show enough.
    fn docker_leaves_out(&self) -> bool {
        self.until.is_some() || !matches!(self.stream, Choice::All)
    }

    pub(crate) fn follows(&self) -> bool {
        self.follow || self.until_match.is_some()
    }

    /// The line, when it is of the stream that was asked for.
    pub(crate) fn heard<'a>(&self, line: Line<'a>) -> Option<&'a str> {
        match (self.stream, line) {
            (Choice::All | Choice::Stdout, Line::Stdout(line))
            | (Choice::All | Choice::Stderr, Line::Stderr(line)) => Some(line),
            _ => None,
        }
    }
}

/// What comes after the first line that fits was printed before the reading ended.
pub(crate) fn up_to(text: &str, fits: impl Fn(&str) -> bool) -> &str {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        if fits(line.trim_end_matches('\n')) {
            return text.get(..end).unwrap_or(text);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_after_the_match_is_shown() {
        assert_eq!(up_to("a\nb\nc\n", |line| line == "b"), "a\nb\n");
        assert_eq!(up_to("a\nb", |line| line == "x"), "a\nb");
    }
}
