//! `docker container logs`: what a container has printed.

use std::time::Duration;

use super::invocation::Capture;
use super::values::TimePoint;
use super::{Command, Effect, Invocation, Output, Streams, text};
use crate::error::Error;

/// How long a log may be read that is read from its beginning: docker needs 14 s for 1 GB.
pub const READ_LIMIT: Duration = Duration::from_secs(45);
/// Docker takes longer lines apart, and counts the parts where it counts lines.
pub const PART: usize = 16 << 10;
/// The most that is kept of a log; its beginning is dropped.
const KEPT: Capture = Capture::Tail { max: 8 << 20 };
const DOCKERS_WORDS: Capture = Capture::Tail { max: 16 << 10 };
const LINES: Capture = Capture::Lines { max: 16 << 10 };

/// One reading of a container's log.
#[derive(Clone, Debug)]
pub struct Logs {
    pub container: String,
    /// The last lines; without it docker reads the log from its beginning.
    pub tail: Option<u32>,
    pub since: Option<TimePoint>,
    pub until: Option<TimePoint>,
    pub timestamps: bool,
    pub stream: Stream,
    /// Waits for new lines for so long.
    pub follow: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// Both, in the order in which docker got them.
    #[default]
    All,
    Stdout,
    Stderr,
}

/// What was read, without escape codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    pub text: String,
    /// Bytes that were dropped from the beginning.
    pub cut: u64,
    /// Docker's words when it broke off.
    pub broke_off: Option<String>,
    /// It was still being followed when we ended it.
    pub stopped: bool,
}

/// The same, of which each line goes to whoever watches; next to nothing is kept.
#[derive(Clone, Debug)]
pub struct LogLines(pub Logs);

/// How the reading of a log ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// Docker's words when it broke off.
    pub broke_off: Option<String>,
    /// We ended it: the watcher had enough, or the time was over.
    pub stopped: bool,
}

impl LogLines {
    /// Whether docker's own words come through the same pipe as the lines that are wanted.
    pub fn mixes(&self) -> bool {
        self.0.stream != Stream::Stdout
    }
}

impl Command for LogLines {
    type Reply = LogEnd;

    fn invocation(&self) -> Invocation {
        let Self(logs) = self;
        let streams = match logs.stream {
            Stream::All => Streams::Merged(LINES),
            // Of both the lines are told: who listens has to know how many there were.
            Stream::Stdout | Stream::Stderr => Streams::Split { stdout: LINES, stderr: LINES },
        };
        let invocation = logs.invocation().streams(streams);
        match (logs.tail, logs.follow) {
            (None, None) => invocation.follow(READ_LIMIT),
            _ => invocation,
        }
    }

    fn accepts(&self, output: &Output) -> bool {
        self.0.accepts(output)
    }

    fn parse(&self, output: &Output) -> Result<LogEnd, Error> {
        let (_, _, complaint) = self.0.read(output);
        let broke_off = complaint.map(|words| text::clean(words).text.into_owned());
        Ok(LogEnd { broke_off, stopped: output.stopped })
    }
}

impl Logs {
    /// The last lines of both streams.
    pub fn last(container: impl Into<String>, lines: u32) -> Self {
        Self {
            container: container.into(),
            tail: Some(lines),
            since: None,
            until: None,
            timestamps: false,
            stream: Stream::All,
            follow: None,
        }
    }

    /// What the container printed, what was dropped of it, and what docker said about it.
    fn read<'a>(&self, output: &'a Output) -> (&'a str, u64, Option<&'a str>) {
        let (text, cut) = match self.stream {
            Stream::All | Stream::Stdout => (output.stdout.as_str(), output.stdout_cut),
            Stream::Stderr => (output.stderr.as_str(), output.stderr_cut),
        };
        if output.exit_code == 0 {
            return (text, cut, None);
        }
        if self.stream == Stream::Stdout {
            return (text, cut, Some(output.stderr.trim()));
        }
        // Docker complains on the pipe that carries the log, and that is the last thing it does.
        let text = text.trim_end();
        let (log, complaint) = match text.rfind('\n') {
            Some(end) => text.split_at(end + 1),
            None => ("", text),
        };
        (log, cut, Some(complaint))
    }
}

impl Command for Logs {
    type Reply = Printed;

    fn invocation(&self) -> Invocation {
        let streams = match self.stream {
            Stream::All => Streams::Merged(KEPT),
            Stream::Stdout => Streams::Split { stdout: KEPT, stderr: DOCKERS_WORDS },
            Stream::Stderr => Streams::Split { stdout: Capture::Tail { max: 0 }, stderr: KEPT },
        };
        let invocation = Invocation::docker(Effect::Read, ["container", "logs"])
            .flag("--timestamps", self.timestamps)
            .maybe("--tail", self.tail)
            .maybe("--since", self.since)
            .maybe("--until", self.until)
            .flag("--follow", self.follow.is_some())
            .operands([&self.container])
            .streams(streams);
        match self.follow {
            Some(duration) => invocation.follow(duration),
            None => invocation,
        }
    }

    /// A daemon that dies in the middle of a log does not take back what it gave.
    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0 || !self.read(output).0.is_empty()
    }

    fn parse(&self, output: &Output) -> Result<Printed, Error> {
        let (log, cut, complaint) = self.read(output);
        Ok(Printed {
            text: text::clean(log).text.into_owned(),
            cut,
            broke_off: complaint.map(str::to_owned),
            stopped: output.stopped,
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn output(exit_code: i32, stdout: &str, stderr: &str) -> Output {
        let (stdout, stderr) = (stdout.to_owned(), stderr.to_owned());
        Output { exit_code, stdout, stderr, ..Output::default() }
    }

    #[test]
    fn argv_of_logs() {
        let logs = Logs::last("web", 20);
        assert_snapshot!(logs.invocation(), @"docker container logs --tail=20 -- web");
        let all = Logs {
            since: Some("10m".parse().unwrap()),
            until: Some("2026-01-31T09:00:00Z".parse().unwrap()),
            timestamps: true,
            follow: Some(Duration::from_secs(10)),
            ..logs
        };
        assert_snapshot!(all.invocation(), @"docker container logs --timestamps --tail=20 --since=10m --until=2026-01-31T09:00:00Z --follow -- web");
        assert_eq!(all.invocation().follow_limit(), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_log_that_breaks_off_is_kept_and_a_refusal_is_an_error() {
        let logs = Logs::last("web", 20);
        let broken = output(1, "one\ntwo\nunexpected EOF\n", "");
        assert!(logs.accepts(&broken));
        let printed = logs.parse(&broken).unwrap();
        assert_eq!(printed.text, "one\ntwo\n");
        assert_eq!(printed.broke_off.as_deref(), Some("unexpected EOF"));

        let refused = output(1, "Error response from daemon: No such container: web\n", "");
        assert!(!logs.accepts(&refused));
        let stdout_only = Logs { stream: Stream::Stdout, ..logs };
        assert!(!stdout_only.accepts(&output(1, "", "unexpected EOF")));
    }
}
