//! Reading a log until a line fits.

use std::ops::ControlFlow;
use std::time::Duration;

use super::listen::{LINE_CHARS, Listener};
use super::{Pattern, TAIL_MAX};
use crate::command::logs::Logs;
use crate::command::values::TimePoint;
use crate::docker::Line;
use crate::error::Error;
use crate::tools::Context;

pub(crate) struct Follow<'a> {
    pub(crate) context: &'a Context,
    pub(crate) pattern: &'a Pattern,
}

impl Follow<'_> {
    /// The first line that fits, of those that are there and those that come until the time is over
    /// or the container ends. Secrets are hidden first, so that no pattern can tell what one is.
    pub(crate) async fn find(
        &self,
        container: String,
        since: Option<TimePoint>,
        limit: Duration,
    ) -> Result<Option<String>, Error> {
        let docker = &self.context.docker;
        let logs = Logs { since, follow: Some(limit), ..Logs::last(container, TAIL_MAX) };
        let mut found = None;
        let mut listener = Listener::new(docker);
        let fits = |line: Line<'_>| {
            let (Line::Stdout(line) | Line::Stderr(line)) = line;
            let safe = listener.hear(line);
            if !self.pattern.is_match(&safe) {
                return ControlFlow::Continue(());
            }
            found = Some(safe.chars().take(LINE_CHARS).collect());
            ControlFlow::Break(())
        };
        docker.watch(&logs, fits).await?;
        Ok(found)
    }
}
