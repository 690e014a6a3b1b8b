//! What is kept of a log while its lines come by: bounded, however long the log is.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::{LINE_MAX, Most, Selection, TEXT_MAX};
use crate::command::text;

/// The lines of one log that are chosen so far.
#[derive(Debug)]
pub(crate) struct Search {
    selection: Arc<Selection>,
    pub(super) kept: VecDeque<Chosen>,
    /// The lines before the next one that are only shown if that one matches.
    before: VecDeque<Chosen>,
    /// How many lines are still shown as what stands after a match.
    after: usize,
    /// Of the line that was chosen last, for those that repeat it.
    last: String,
    pub(super) read: usize,
    /// Lines that fit.
    pub(super) matched: usize,
    /// The same, those that repeat another one not counted.
    pub(super) found: usize,
    /// Those of what is kept that match, and its bytes.
    kept_matches: usize,
    bytes: usize,
    /// It was ended before the end of the log, because all that is wanted was found.
    pub(super) ended: bool,
}

/// A chosen line, which stands for itself and for those after it that are the same.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) time: Option<String>,
    /// As much of it as is shown.
    pub(super) text: String,
    /// Bytes of the line that are not shown.
    pub(super) lost: usize,
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) times: usize,
    pub(super) is_match: bool,
}

impl Search {
    pub(crate) fn new(selection: &Arc<Selection>) -> Self {
        Self {
            selection: Arc::clone(selection),
            kept: VecDeque::new(),
            before: VecDeque::new(),
            after: 0,
            last: String::new(),
            read: 0,
            matched: 0,
            found: 0,
            kept_matches: 0,
            bytes: 0,
            ended: false,
        }
    }

    /// Lines that were read.
    pub(crate) fn read(&self) -> usize {
        self.read
    }

    /// The next line, in which secrets are hidden already.
    pub(crate) fn push(&mut self, time: Option<&str>, line: &str) -> ControlFlow<()> {
        let selection = Arc::clone(&self.selection);
        let place = selection.grep.as_ref().and_then(|grep| grep.find(line));
        let fits = selection.grep.is_none() || place.is_some() != selection.invert;
        let has_all = matches!(selection.most, Most::First(most) if self.found >= most);
        let is_match = fits && !has_all;
        let is_near = is_match || self.after > 0;
        if is_near || selection.context_lines > 0 {
            let (text, lost) = cut_line(line, place.as_ref(), LINE_MAX);
            let (time, at) = (time.map(str::to_owned), self.read);
            let chosen = Chosen { time, text, lost, first: at, last: at, times: 1, is_match };
            if is_match {
                self.matched += 1;
                for line in std::mem::take(&mut self.before) {
                    let text = line.text.clone();
                    self.keep(line, &text);
                }
                self.after = selection.context_lines;
            } else {
                self.after = self.after.saturating_sub(1);
            }
            if is_near {
                self.keep(chosen, line);
            } else {
                self.before.push_back(chosen);
                if self.before.len() > selection.context_lines {
                    self.before.pop_front();
                }
            }
        }
        self.read += 1;
        let Most::First(most) = selection.most else {
            self.forget_the_first();
            return ControlFlow::Continue(());
        };
        self.ended = (self.found >= most && self.after == 0) || self.bytes > TEXT_MAX;
        if self.ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Docker's own last words came through the pipe of the log, and are no line of it.
    pub(crate) fn take_back(&mut self, words: &str) {
        self.read = self.read.saturating_sub(1);
        if self.kept.back().is_some_and(|line| line.last == self.read && line.text == words) {
            let is_match = self.kept.pop_back().is_some_and(|line| line.is_match);
            for count in [&mut self.found, &mut self.kept_matches, &mut self.matched] {
                *count = count.saturating_sub(usize::from(is_match));
            }
        }
    }

    fn keep(&mut self, chosen: Chosen, line: &str) {
        if matches!(self.selection.most, Most::Last(0)) {
            return;
        }
        let mut is_new_match = chosen.is_match;
        match self.kept.back_mut() {
            Some(same) if self.selection.dedupe && self.last == line => {
                same.times += 1;
                same.last = chosen.last;
                is_new_match &= !same.is_match;
                same.is_match |= chosen.is_match;
            }
            _ => {
                self.bytes += chosen.text.len() + 1;
                self.kept.push_back(chosen);
                if self.selection.dedupe {
                    line.clone_into(&mut self.last);
                }
            }
        }
        self.found += usize::from(is_new_match);
        self.kept_matches += usize::from(is_new_match);
    }

    /// Those that cannot be among what is shown in the end.
    fn forget_the_first(&mut self) {
        let Most::Last(most) = self.selection.most else { return };
        while let Some(first) = self.kept.front() {
            let has_room = self.bytes - first.text.len() <= TEXT_MAX;
            if self.kept_matches <= most && has_room {
                return;
            }
            if self.forget_one() {
                // What stood after it goes with it, unless it also stands before the next one.
                let next = self.kept.iter().find(|line| line.is_match).map(|line| line.first);
                let around = self.selection.context_lines;
                let is_far = |line: &Chosen| next.is_some_and(|next| line.last + around < next);
                while self.kept.front().is_some_and(is_far) {
                    self.forget_one();
                }
            }
        }
    }

    /// Whether that was a match.
    fn forget_one(&mut self) -> bool {
        let Some(gone) = self.kept.pop_front() else { return false };
        self.bytes -= gone.text.len() + 1;
        self.kept_matches -= usize::from(gone.is_match);
        gone.is_match
    }
}

/// At most `max` bytes of a line, those around the place if there is one, and how many are left out.
pub(super) fn cut_line(line: &str, place: Option<&Range<usize>>, max: usize) -> (String, usize) {
    if line.len() <= max {
        return (line.to_owned(), 0);
    }
    let start = place.filter(|place| place.end > max).map_or(0, |place| {
        // A quarter of what is shown stands before the place.
        let start = place.start.saturating_sub(max / 4).min(line.len() - max);
        text::head(line, start).len()
    });
    let (before, rest) = line.split_at(start);
    let part = text::head(rest, max);
    let after = rest.len() - part.len();
    let mut cut = part.to_owned();
    if !before.is_empty() {
        cut.insert_str(0, &format!("[+{} bytes]…", before.len()));
    }
    if after > 0 {
        cut.push_str(&format!("…[+{after} bytes]"));
    }
    (cut, before.len() + after)
}
