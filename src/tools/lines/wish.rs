//! Which lines a caller wants: what docker is asked for, and what is chosen from that.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Most, Pattern, Selection};
use crate::command::logs::{Logs, Stream};
use crate::command::values::{Bounded, TimePoint};
use crate::docker::Line;
use crate::error::Error;

/// Lines that are shown when the caller does not say.
const TAIL: u32 = 100;
/// The most lines that can be asked for.
pub(super) const TAIL_MAX: u32 = 10_000;
const FOLLOW_SECONDS: u32 = 10;
const FOLLOW_SECONDS_MAX: u32 = 60;

/// The parameters of the tools that read logs.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Wish {
    /// Show the last so many that fit; default 100.
    pub(crate) tail: Option<Bounded<0, TAIL_MAX>>,
    /// Show the first so many that fit, instead of the last ones.
    pub(crate) first: Option<Bounded<1, TAIL_MAX>>,
    /// Regular expression that is searched in the whole log.
    pub(crate) grep: Option<String>,
    /// Show what does not match.
    #[serde(default)]
    pub(crate) invert: bool,
    /// Lines around each match.
    pub(crate) context_lines: Option<Bounded<0, 100>>,
    /// Which stream; default all.
    #[serde(default)]
    pub(crate) stream: Choice,
    /// From then on: "10m" ago, or RFC 3339.
    pub(crate) since: Option<TimePoint>,
    /// Until then, as in `since`.
    pub(crate) until: Option<TimePoint>,
    /// Show the time of each line.
    #[serde(default)]
    pub(crate) timestamps: bool,
    /// Show repeated lines once, counted.
    #[serde(default)]
    pub(crate) dedupe: bool,
    /// Wait for new lines too.
    #[serde(default)]
    pub(crate) follow: bool,
    /// For so long; default 10.
    pub(crate) follow_seconds: Option<Bounded<1, FOLLOW_SECONDS_MAX>>,
    /// Follow until a line matches this.
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
        if self.first.is_some() && self.tail.is_some() {
            return Err(Error::invalid("first", "use either `first` or `tail`"));
        }
        let most = match (self.first, self.tail) {
            (Some(first), _) => Most::First(first.get() as usize),
            // What docker was asked for, and what comes.
            (None, _) if self.tail_of_docker().is_some() && self.follows() => Most::default(),
            (None, tail) => Most::Last(tail.map_or(TAIL, Bounded::get) as usize),
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
        let follow_seconds = self.follow_seconds.map_or(FOLLOW_SECONDS, Bounded::get);
        Logs {
            container: container.to_owned(),
            tail: self.tail_of_docker(),
            since: self.since,
            until: self.until,
            timestamps: self.timestamps,
            stream: match self.stream {
                Choice::All => Stream::All,
                Choice::Stdout => Stream::Stdout,
                Choice::Stderr => Stream::Stderr,
            },
            follow: self.follows().then(|| Duration::from_secs(follow_seconds.into())),
        }
    }

    /// What docker may leave out itself, which is quick. It takes the last lines first, and then
    /// leaves out those of another time or stream: so everything is read where anything is chosen.
    fn tail_of_docker(&self) -> Option<u32> {
        let chooses = self.grep.is_some()
            || self.dedupe
            || self.first.is_some()
            || self.spans_time()
            || !matches!(self.stream, Choice::All);
        match self.tail.map_or(TAIL, Bounded::get) {
            // Nothing but what comes from now on.
            0 if self.follows() => Some(0),
            tail => (!chooses).then_some(tail),
        }
    }

    /// Whether all that is wanted stands at the end of the log when that reaches back to `since`.
    pub(crate) fn wants_the_end(&self) -> bool {
        self.until.is_none() && self.first.is_none() && !self.follows()
    }

    pub(crate) fn spans_time(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    pub(crate) fn follows(&self) -> bool {
        self.follow || self.until_match.is_some()
    }
}

impl Choice {
    /// The line, when it is of the stream that was asked for.
    pub(crate) fn heard(self, line: Line<'_>) -> Option<&str> {
        match (self, line) {
            (Self::All | Self::Stdout, Line::Stdout(line))
            | (Self::All | Self::Stderr, Line::Stderr(line)) => Some(line),
            _ => None,
        }
    }
}
