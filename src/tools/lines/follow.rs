//! Reading a log until a line fits.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::Instant;

use super::Pattern;
use super::listen::{LINE_CHARS, Listener};
use super::read::dated;
use super::search::cut_line;
use crate::command::logs::{LogLines, Logs};
use crate::command::time;
use crate::command::values::TimePoint;
use crate::docker::Line;
use crate::error::Error;
use crate::tools::Context;

/// When lines came so shortly before the time was over, there may have been more.
const STILL_COMING: Duration = Duration::from_secs(1);

pub(crate) struct Follow<'a> {
    pub(crate) context: &'a Context,
    pub(crate) pattern: &'a Pattern,
}

/// What was found.
pub(crate) enum Sought {
    Line(String),
    /// No line fits; where the time was over before all that was there had been read, up to when.
    Nothing {
        read_until: Option<String>,
    },
}

impl Follow<'_> {
    /// The first line that fits, of those since then and those that come until the time is over or
    /// the container ends. Secrets are hidden first, so that no pattern can tell what one is.
    pub(crate) async fn find(
        &self,
        container: String,
        since: Option<TimePoint>,
        limit: Duration,
    ) -> Result<Sought, Error> {
        let docker = &self.context.docker;
        let logs = Logs {
            tail: None,
            since,
            timestamps: true,
            follow: Some(limit),
            ..Logs::last(container, 0)
        };
        let begun = jiff::Timestamp::now();
        let mut found = None;
        let mut last: Option<(String, Instant)> = None;
        let mut listener = Listener::new(docker);
        let fits = |line: Line<'_>| {
            let (Line::Stdout(line) | Line::Stderr(line)) = line;
            let (time, message) = dated(line);
            if let Some(time) = time {
                let (last, at) = last.get_or_insert_with(|| (String::new(), Instant::now()));
                time.clone_into(last);
                *at = Instant::now();
            }
            let safe = listener.hear(message);
            let Some(place) = self.pattern.find(&safe) else { return ControlFlow::Continue(()) };
            found = Some(cut_line(&safe, Some(&place), LINE_CHARS).0);
            ControlFlow::Break(())
        };
        let end = docker.watch(&LogLines(logs), fits).await?;
        Ok(match (found, last) {
            (Some(line), _) => Sought::Line(line),
            (None, Some((time, at))) if end.stopped && at.elapsed() < STILL_COMING => {
                // Old lines that still come: the log was longer than the time to read it.
                let is_old = time::parse(&time).is_some_and(|time| time < begun);
                Sought::Nothing { read_until: is_old.then_some(time) }
            }
            _ => Sought::Nothing { read_until: None },
        })
    }
}
