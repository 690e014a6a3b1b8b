//! Lines of a container while they come.

use std::borrow::Cow;

use crate::command::text;
use crate::docker::Docker;
use crate::redact::Lines;

/// More of a line would not help to recognise it.
pub(super) const LINE_CHARS: usize = 300;

/// Cleans the lines of one stream, and hides the secrets in them.
pub(crate) struct Listener<'a> {
    docker: &'a Docker,
    lines: Lines<'a>,
}

impl<'a> Listener<'a> {
    pub(crate) fn new(docker: &'a Docker) -> Self {
        Self { docker, lines: Lines::new(docker.redactor()) }
    }

    /// The line as it may be shown, which whoever follows the progress of the call is told.
    pub(crate) fn hear<'t>(&mut self, line: &'t str) -> Cow<'t, str> {
        let safe = self.safe(line);
        if self.docker.progress().is_heard() {
            self.docker.progress().say(safe.trim().chars().take(LINE_CHARS).collect::<String>());
        }
        safe
    }

    /// The same, told to nobody.
    pub(super) fn safe<'t>(&mut self, line: &'t str) -> Cow<'t, str> {
        match text::clean(line).text {
            Cow::Borrowed(line) => self.lines.next(line),
            Cow::Owned(line) => Cow::Owned(self.lines.next(&line).into_owned()),
        }
    }
}
