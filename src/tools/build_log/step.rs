//! One step of a build.

use std::collections::VecDeque;
use std::time::Instant;

use crate::command::text;

/// Lines of a step that are kept: the last ones.
const LINES: usize = 40;
const LINE_BYTES: usize = 300;
/// What a step has printed of a line that has not ended.
const OPEN_BYTES: usize = 64 << 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Waiting,
    Running,
    Cached,
    Done,
    Failed,
    /// Another one has failed.
    Cancelled,
}

#[derive(Debug, Default)]
pub(super) struct Step {
    /// Its number or digest, by which the builder names it.
    pub(super) key: String,
    /// `[build 2/3] RUN make`.
    pub(super) name: String,
    pub(super) state: State,
    pub(super) seconds: f64,
    /// When the classic builder, which tells no times, began it.
    pub(super) since: Option<Instant>,
    /// The layers that it downloads: each with what is here and what is to come.
    layers: Vec<(String, u64, u64)>,
    printed: VecDeque<String>,
    open: String,
}

impl Step {
    pub(super) fn new(key: &str, name: &str) -> Self {
        Self { key: key.to_owned(), name: name.to_owned(), ..Self::default() }
    }

    /// Stage, number and number of steps of `[build 2/3] RUN make`. Steps of the builder itself
    /// (`[internal] load build context`, `exporting to image`) have none.
    pub(super) fn number(&self) -> Option<(&str, u64, u64)> {
        let (head, _) = self.name.strip_prefix('[')?.split_once("] ")?;
        let (stage, count) = head.rsplit_once(' ').unwrap_or(("", head));
        let (number, of) = count.split_once('/')?;
        Some((stage, number.parse().ok()?, of.parse().ok()?))
    }

    /// `[build 2/3]`.
    pub(super) fn label(&self) -> &str {
        self.name.find("] ").and_then(|end| self.name.get(..=end)).unwrap_or_default()
    }

    /// `RUN make`, at most so long.
    pub(super) fn instruction(&self, max_bytes: usize) -> String {
        let at = self.name.find("] ").map_or(0, |end| end + 2);
        let text = self.name.get(at..).unwrap_or_default();
        text::cut_line(&text.split_whitespace().collect::<Vec<_>>().join(" "), max_bytes)
            .into_owned()
    }

    pub(super) fn is_over(&self) -> bool {
        !matches!(self.state, State::Waiting | State::Running)
    }

    pub(super) fn start(&mut self) {
        if self.state == State::Waiting {
            self.state = State::Running;
        }
    }

    /// The first end counts: what comes later was written by the step itself, to deceive.
    pub(super) fn end(&mut self, state: State) {
        if self.is_over() {
            return;
        }
        // A base image that was here already is nothing that was done; 28 does not say so.
        let is_base = self.instruction(8).starts_with("FROM ");
        self.state = match state {
            State::Done if is_base && self.layers.is_empty() => State::Cached,
            state => state,
        };
        if let Some(since) = self.since {
            self.seconds = since.elapsed().as_secs_f64();
        }
        if self.state != State::Failed {
            self.printed.clear();
        }
    }

    pub(super) fn load(&mut self, layer: &str, here: u64, total: u64) {
        match self.layers.iter_mut().find(|(id, ..)| id == layer) {
            Some(known) => (known.1, known.2) = (here.max(known.1), total),
            None => self.layers.push((layer.to_owned(), here, total)),
        }
    }

    /// Bytes that are here, and all of them.
    pub(super) fn loaded(&self) -> Option<(u64, u64)> {
        let (here, total) =
            self.layers.iter().fold((0, 0), |sum, layer| (sum.0 + layer.1, sum.1 + layer.2));
        (total > 0 && here < total).then_some((here, total))
    }

    pub(super) fn print_line(&mut self, line: &str) {
        // A carriage return takes back what stands before it.
        let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
        if self.printed.len() == LINES {
            self.printed.pop_front();
        }
        let line = text::clean(line).text;
        self.printed.push_back(text::cut_line(line.trim_end(), LINE_BYTES).into_owned());
    }

    /// A piece that may end in the middle of a line.
    pub(super) fn print(&mut self, piece: &str) {
        self.open.push_str(piece);
        let open = std::mem::take(&mut self.open);
        let mut rest = open.as_str();
        while let Some((line, after)) = rest.split_once('\n') {
            self.print_line(line);
            rest = after;
        }
        if rest.len() <= OPEN_BYTES {
            rest.clone_into(&mut self.open);
        } else {
            self.print_line(rest);
        }
    }

    /// The last line was only a part: a carriage return came after it.
    pub(super) fn print_over(&mut self, line: &str) {
        self.printed.pop_back();
        self.print_line(line);
    }

    /// The last lines that it printed.
    pub(super) fn printed(&self) -> impl DoubleEndedIterator<Item = &str> {
        let open = Some(self.open.as_str()).filter(|open| !open.trim().is_empty());
        self.printed.iter().map(String::as_str).chain(open)
    }
}
