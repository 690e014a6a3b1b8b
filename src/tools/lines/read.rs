//! Reading logs line by line: what is wanted is kept, and the rest goes by.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::listen::Listener;
use super::{Account, BAR, Pattern, Search, Selection, TAIL_MAX, Wish};
use crate::command::logs::{LogLines, Logs, PART, READ_LIMIT};
use crate::docker::{Docker, Line};
use crate::error::Error;
use crate::tools::reply::Text;

/// After so many lines a reading gives a sign of life.
const TELL_AFTER: usize = 100_000;

/// What is wanted of one log or of several.
#[derive(Clone)]
pub(crate) struct Reader {
    wish: Arc<Wish>,
    selection: Arc<Selection>,
    until_match: Option<Arc<Pattern>>,
    /// Docker tells the times too, whether they are shown or not.
    timed: bool,
    /// Ends the readings of all logs.
    found: CancellationToken,
    started: Instant,
}

/// What was read of one log.
pub(crate) struct Reading {
    search: Search,
    /// Docker's words when it broke off.
    broke_off: Option<String>,
    /// The time was over before the end of the log.
    unread: bool,
    /// How many lines docker was asked for, when not for all.
    tail: Option<u32>,
    /// The longest line and the lines of both streams.
    longest: usize,
    lines: usize,
}

impl Reading {
    /// Docker gave as many lines as it was asked for; there may be older ones.
    fn is_full(&self) -> bool {
        self.tail.is_some_and(|tail| self.search.read() >= tail as usize)
    }
}

impl Reader {
    /// # Errors
    /// DKR-004 for parameters that do not go together, or a pattern that is none.
    pub(crate) fn new(wish: Wish, timed: bool) -> Result<Self, Error> {
        Ok(Self {
            selection: Arc::new(wish.selection()?),
            until_match: wish.until_match()?.map(Arc::new),
            timed: timed || wish.timestamps,
            wish: Arc::new(wish),
            found: CancellationToken::new(),
            started: Instant::now(),
        })
    }

    pub(crate) fn wish(&self) -> &Wish {
        &self.wish
    }

    /// What was read of one container or of several, in order of time, and the line about it.
    pub(crate) fn told(
        &self,
        readings: Vec<(Option<Arc<str>>, Reading)>,
        states: Vec<String>,
        broke_off: Option<String>,
    ) -> Text {
        let tail = readings.iter().find_map(|(_, reading)| reading.tail);
        let is_full = readings.iter().any(|(_, reading)| reading.is_full());
        let unread = readings.iter().any(|(_, reading)| reading.unread);
        let broke_off = broke_off.or_else(|| {
            let of =
                |(name, reading): &(Option<Arc<str>>, Reading)| match (name, &reading.broke_off) {
                    (Some(name), Some(words)) => Some(format!("{name}: {words}")),
                    (None, words) => words.clone(),
                    (_, None) => None,
                };
            readings.iter().find_map(of)
        });
        let searches = readings.into_iter().map(|(name, reading)| (name, reading.search));
        let selected = self.selection.of(searches.collect());
        let account = Account {
            selected: &selected,
            broke_off,
            tail,
            is_full,
            unread,
            spans_time: self.wish.spans_time(),
            followed: self.followed(tail),
            states,
        };
        let account = account.to_string();
        Text { output: selected.text, account }
    }

    /// What became of the following, in words.
    fn followed(&self, tail: Option<u32>) -> Option<String> {
        let seconds = self.started.elapsed().as_secs_f64();
        self.wish.follows().then(|| match (self.found.is_cancelled(), &self.until_match) {
            (true, _) => format!("until_match found after {seconds:.1} s"),
            (false, Some(_)) => match tail {
                Some(0) | None => format!("until_match not found in {seconds:.1} s"),
                Some(tail) => format!(
                    "until_match not found in {seconds:.1} s, nor in the last {tail} lines before; \
                     for older ones raise tail"
                ),
            },
            (false, None) => format!("followed for {seconds:.1} s"),
        })
    }

    /// Reads the log of one container.
    ///
    /// # Errors
    /// What docker says.
    pub(crate) async fn read(
        &self,
        docker: &Docker,
        container: &str,
        name: Option<&str>,
    ) -> Result<Reading, Error> {
        let logs = Logs { timestamps: self.timed, ..self.wish.logs(container) };
        // Without `--tail` docker reads a long log from its very beginning, whatever `since` says.
        if logs.since.is_some() && self.wish.wants_the_end() {
            let end = Logs { tail: Some(TAIL_MAX), ..logs.clone() };
            let reading = self.once(docker, end, name).await?;
            // Docker counts the parts of a long line as lines.
            if reading.lines < TAIL_MAX as usize && reading.longest < PART {
                return Ok(Reading { tail: None, ..reading });
            }
        }
        self.once(docker, logs, name).await
    }

    async fn once(
        &self,
        docker: &Docker,
        logs: Logs,
        name: Option<&str>,
    ) -> Result<Reading, Error> {
        // A second attempt would tell what the first one has told again.
        let docker = &docker.impatient();
        let mut listener = Listener::new(docker);
        let (wish, tail) = (&self.wish, logs.tail);
        let mut reading = Reading {
            search: Search::new(&self.selection),
            broke_off: None,
            unread: false,
            tail,
            longest: 0,
            lines: 0,
        };
        let command = LogLines(logs);
        let hear = |line: Line<'_>| {
            let (Line::Stdout(raw) | Line::Stderr(raw)) = line;
            reading.lines += 1;
            reading.longest = reading.longest.max(raw.len());
            let Some(line) = wish.stream.heard(line) else { return ControlFlow::Continue(()) };
            let (time, message) = if self.timed { dated(line) } else { (None, line) };
            // Secrets are hidden first, so that no pattern can tell what one is.
            let safe = listener.safe(message);
            if docker.progress().is_heard() {
                self.tell(docker, name, &reading, &safe);
            }
            // A progress bar writes over its line again and again.
            for line in safe.split('\n') {
                reading.search.push(time, line)?;
                if self.until_match.as_ref().is_some_and(|pattern| pattern.is_match(line)) {
                    self.found.cancel();
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        };
        let end = tokio::select! {
            biased;
            end = docker.watch(&command, hear) => Some(end?),
            () = self.found.cancelled() => None,
        };
        if let Some(end) = end {
            if let (Some(words), true) = (&end.broke_off, command.mixes()) {
                reading.search.take_back(words);
            }
            reading.broke_off = end.broke_off;
            reading.unread = end.stopped
                && !wish.follows()
                && !reading.search.ended
                && !self.found.is_cancelled();
        }
        Ok(reading)
    }

    fn tell(&self, docker: &Docker, name: Option<&str>, reading: &Reading, line: &str) {
        let name = name.map(|name| format!("{name}{BAR}")).unwrap_or_default();
        if self.wish.follows() {
            let line: String = line.trim().chars().take(super::listen::LINE_CHARS).collect();
            docker.progress().say(format!("{name}{line}"));
        } else if reading.lines.is_multiple_of(TELL_AFTER) {
            docker.progress().say(format!("{name}{} lines read", reading.lines));
        }
    }
}

/// The time that docker puts before a line, and the line.
pub(super) fn dated(line: &str) -> (Option<&str>, &str) {
    /// `2026-11-22T06:00:38.257180197Z ` in front of each line, always as long: it sorts as text.
    const TIMESTAMP: usize = 31;
    let split = || {
        let (time, message) = line.split_at_checked(TIMESTAMP)?;
        let time = time.strip_suffix(' ')?;
        (time.ends_with('Z') && time.get(10..11) == Some("T")).then_some((Some(time), message))
    };
    split().unwrap_or((None, line))
}

/// What is said when the time was over before the end.
pub(super) fn unread() -> String {
    let seconds = READ_LIMIT.as_secs();
    format!(
        "after {seconds} s the reading was ended before the end of the log: newer lines were not \
         read; use since and until"
    )
}
