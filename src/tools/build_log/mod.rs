//! What a build says: how far it is, and why it failed.
//!
//! Three dialects: `--progress=rawjson` of buildx, the plain text of every BuildKit (also what
//! compose prints), and the builder before BuildKit. They become one list of steps.

mod explain;
mod raw;
mod step;

use std::collections::VecDeque;
use std::time::Instant;

use crate::command::text::{cut_line, human_bytes};
use crate::docker::Line;
use crate::progress::Progress;
use crate::sort;
pub(super) use explain::Dockerfile;
use raw::{Documents, Piece, Report};
use step::{State, Step};

/// Lines of docker's own words that are kept.
const WORDS: usize = 100;
const INSTRUCTION_BYTES: usize = 160;
const SLOWEST: usize = 3;

#[derive(Debug, Default)]
pub(super) struct BuildLog {
    steps: Vec<Step>,
    documents: Documents,
    /// The step that was begun last.
    newest: usize,
    /// The step that has printed the last line, in plain text.
    talking: Option<usize>,
    /// BuildKit speaks plain text.
    plain: bool,
    /// The builder before BuildKit is at work.
    classic: bool,
    words: VecDeque<String>,
    /// Line and file, as BuildKit tells them: `Dockerfile:8`.
    place: Option<String>,
    /// The images that it has made, the likeliest to be listed by the engine first.
    images: Vec<(u8, String)>,
}

/// How much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) steps: u64,
    pub(super) cached: u64,
    pub(super) executed: u64,
}

impl BuildLog {
    pub(super) fn hear(&mut self, line: Line<'_>) {
        let (Line::Stdout(text) | Line::Stderr(text)) = line;
        let is_stderr = matches!(line, Line::Stderr(_));
        // A step of a plain build may print a `{` after a carriage return.
        if is_stderr && !self.plain {
            match self.documents.read(text) {
                Piece::Complete(report) => return self.hear_report(report),
                Piece::Part => return,
                Piece::Other => {}
            }
        }
        if !is_stderr && !self.plain && self.hear_classic(text) {
            return;
        }
        if !self.classic && self.hear_plain(text) {
            return;
        }
        self.note_place(text);
        if is_stderr {
            if self.words.len() == WORDS {
                self.words.pop_front();
            }
            self.words.push_back(cut_line(text, 2000).into_owned());
        }
    }

    /// Docker's own words, without what steps have printed.
    pub(super) fn words(&self) -> String {
        self.words.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// What the builder calls the image: the ID where the engine has it, else a digest.
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(|(_, id)| id.as_str())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Tells whoever waits: `3/9 RUN cargo build`.
    pub(super) fn tell(&self, progress: &Progress) {
        let (done, total) = self.done_and_total();
        let Some(step) = self.running() else { return };
        let what = step.instruction(INSTRUCTION_BYTES);
        let loaded = step.loaded().map_or_else(String::new, |(here, total)| {
            format!(" ({} of {})", human_bytes(here), human_bytes(total))
        });
        match step.number() {
            Some(_) => {
                let current = (done + 1).min(total);
                progress.step(done, total, format!("{current}/{total} {what}{loaded}"));
            }
            None if total > 0 => progress.step(done, total, format!("{what}{loaded}")),
            None => progress.say(format!("{what}{loaded}")),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts { steps: self.done_and_total().1, ..Counts::default() };
        for step in self.steps.iter().filter(|step| step.number().is_some()) {
            match step.state {
                State::Cached => counts.cached += 1,
                State::Done | State::Failed => counts.executed += 1,
                State::Waiting | State::Running | State::Cancelled => {}
            }
        }
        counts
    }

    /// `12.3 s RUN cargo build`, the slowest first.
    pub(super) fn slowest(&self) -> Option<String> {
        let is_slow = |step: &&Step| step.number().is_some() && step.seconds >= 0.1;
        let mut slow: Vec<&Step> = self.steps.iter().filter(is_slow).collect();
        sort::by(&mut slow, |a, b| b.seconds.total_cmp(&a.seconds));
        let told = slow.iter().take(SLOWEST);
        let told: Vec<_> =
            told.map(|step| format!("{:.1} s {}", step.seconds, step.instruction(40))).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// The name of the step that failed: `[web 2/3] RUN make`.
    pub(super) fn failed(&self) -> Option<&str> {
        self.failed_step().map(|step| step.name.as_str())
    }

    // --- how far it is ---------------------------------------------------------------------------

    /// Steps of the Dockerfile. buildx tells all of them at the beginning; a step that another
    /// build has too, at the same time, may have the number that it has there. In plain text a step
    /// is known when it begins, so the numbers are all there is.
    fn done_and_total(&self) -> (u64, u64) {
        let mut stages: Vec<(&str, u64)> = vec![];
        let (mut done, mut known) = (0, 0);
        for step in &self.steps {
            let Some((stage, _, of)) = step.number() else { continue };
            known += 1;
            done += u64::from(step.is_over());
            if !stages.iter().any(|(known, _)| *known == stage) {
                stages.push((stage, of));
            }
        }
        let by_numbers = stages.iter().map(|(_, of)| of).sum();
        (done, if self.plain || self.classic { by_numbers } else { known })
    }

    fn running(&self) -> Option<&Step> {
        let is_running = |step: &&Step| step.state == State::Running;
        let newest = self.steps.get(self.newest).filter(is_running);
        newest.or_else(|| self.steps.iter().rev().find(is_running))
    }

    fn failed_step(&self) -> Option<&Step> {
        let failed = self.steps.iter().find(|step| step.state == State::Failed);
        // The old builder says nothing more about it than that it has begun.
        failed.or_else(|| self.running().filter(|_| self.classic))
    }

    // --- buildx, as JSON -------------------------------------------------------------------------

    fn hear_report(&mut self, report: Report) {
        for vertex in report.vertexes {
            let at = self.step(&vertex.digest, &vertex.name);
            let Some(step) = self.steps.get_mut(at) else { continue };
            step.seconds = vertex.seconds().unwrap_or_default().max(step.seconds);
            let state = match vertex.error.as_str() {
                "" if vertex.cached => Some(State::Cached),
                "" if !vertex.completed.is_empty() => Some(State::Done),
                "" => None,
                error if error.contains("context canceled") => Some(State::Cancelled),
                _ => Some(State::Failed),
            };
            match state {
                Some(state) => step.end(state),
                None if !vertex.started.is_empty() && step.state == State::Waiting => {
                    step.start();
                    self.newest = at;
                }
                None => {}
            }
        }
        for status in report.statuses {
            self.note_image(&status.id);
            let step = self.steps.iter_mut().find(|step| step.key == status.vertex);
            if let (Some(step), true) = (step, status.id.starts_with("sha256:")) {
                step.load(&status.id, status.current, status.total);
            }
        }
        for log in report.logs {
            if let Some(step) = self.steps.iter_mut().find(|step| step.key == log.vertex) {
                step.print(&log.text());
            }
        }
    }

    /// Where the step of that key is; a new one waits.
    fn step(&mut self, key: &str, name: &str) -> usize {
        let known = self.steps.iter().position(|step| step.key == key);
        known.unwrap_or_else(|| {
            self.steps.push(Step::new(key, name));
            self.steps.len() - 1
        })
    }

    // --- BuildKit, as text -----------------------------------------------------------------------

    /// `#7 [2/2] RUN make`, `#7 0.274 no such file`, `#7 DONE 0.3s`.
    fn hear_plain(&mut self, text: &str) -> bool {
        let Some((key, said)) = numbered(text) else { return self.hear_over(text) };
        let at = self.step(key, said);
        let Some(step) = self.steps.get_mut(at) else { return true };
        if step.is_over() {
            return self.hear_over(text);
        }
        (self.plain, self.talking) = (true, None);
        let done = |said: &str| said.strip_prefix("DONE ")?.strip_suffix('s')?.parse::<f64>().ok();
        if let Some(line) = timed(said) {
            step.print_line(line);
            self.talking = Some(at);
        } else if said == "CACHED" {
            step.end(State::Cached);
        } else if said == "CANCELED" {
            step.end(State::Cancelled);
        } else if let Some(error) = said.strip_prefix("ERROR: ") {
            let is_other = error.contains("context canceled");
            step.end(if is_other { State::Cancelled } else { State::Failed });
        } else if let Some(seconds) = done(said) {
            step.seconds = seconds;
            step.end(State::Done);
        } else if said.starts_with("sha256:") && said.contains(" / ") {
            let layer = said.split(' ').next().unwrap_or_default();
            step.load(layer, 0, 0);
        } else {
            if step.state == State::Waiting && key != "0" {
                step.start();
                self.newest = at;
            }
            self.note_image(said);
        }
        true
    }

    /// What follows a carriage return in the output of a step has no number, or a wrong one.
    fn hear_over(&mut self, text: &str) -> bool {
        let is_dockers = ["------", "ERROR: ", "failed to "].iter().any(|it| text.starts_with(it));
        if is_dockers {
            self.talking = None;
        }
        match self.talking.and_then(|at| self.steps.get_mut(at)) {
            Some(step) => step.print_over(text),
            None => return false,
        }
        true
    }

    // --- the builder before BuildKit -------------------------------------------------------------

    /// `Step 2/3 : RUN make`, ` ---> Using cache`, and between them what the step prints.
    fn hear_classic(&mut self, text: &str) -> bool {
        let begun = text.strip_prefix("Step ").and_then(|step| step.split_once(" : "));
        if let Some((count, instruction)) = begun
            && count.split_once('/').is_some()
        {
            self.end_classic(State::Done);
            let mut step = Step::new(count, &format!("[{count}] {instruction}"));
            step.start();
            step.since = Some(Instant::now());
            (self.classic, self.newest) = (true, self.steps.len());
            self.steps.push(step);
        } else if let Some(id) = text.strip_prefix("Successfully built ") {
            self.end_classic(State::Done);
            self.images.push((0, id.trim().to_owned()));
        } else if text == " ---> Using cache" {
            self.end_classic(State::Cached);
        } else if let (true, Some(step)) = (self.classic, self.steps.get_mut(self.newest)) {
            let is_builders =
                text.starts_with(" ---> ") || text.starts_with("Removing intermediate container ");
            let is_layer = text.contains(": Pulling fs layer");
            if is_layer {
                step.load(text, 0, 0);
            }
            if !is_builders && !step.is_over() {
                step.print_line(text);
            }
        } else {
            return false;
        }
        true
    }

    fn end_classic(&mut self, state: State) {
        if let (true, Some(step)) = (self.classic, self.steps.get_mut(self.newest)) {
            step.end(state);
        }
    }

    // --- what else it says -----------------------------------------------------------------------

    /// `writing image sha256:…`; with the containerd store the manifest is what the engine lists.
    fn note_image(&mut self, said: &str) {
        const SAYINGS: [&str; 4] = [
            "writing image ",
            "exporting manifest list ",
            "exporting manifest ",
            "exporting config ",
        ];
        let found = (0..).zip(SAYINGS).find_map(|(rank, saying)| {
            let id = said.strip_prefix(saying)?.split(' ').next()?;
            id.starts_with("sha256:").then(|| (rank, id.to_owned()))
        });
        if let Some(found) = found.filter(|found| !self.images.contains(found)) {
            self.images.push(found);
            sort::by(&mut self.images, Ord::cmp);
        }
    }

    /// A line of dashes follows it.
    fn note_place(&mut self, text: &str) {
        let is_line = text.len() > 8 && text.bytes().all(|byte| byte == b'-');
        if let (true, None, Some(before)) = (is_line, &self.place, self.words.back())
            && let Some((_, line)) = before.rsplit_once(':')
            && line.parse::<u32>().is_ok()
        {
            self.place = Some(before.clone());
        }
    }
}

/// Number and rest of `#7 DONE 0.3s`.
fn numbered(text: &str) -> Option<(&str, &str)> {
    let (key, said) = text.strip_prefix('#')?.split_once(' ')?;
    key.bytes().all(|byte| byte.is_ascii_digit()).then(|| (key, said.trim_end()))
}

/// What a step has printed: `0.274 no such file`.
fn timed(said: &str) -> Option<&str> {
    let (time, line) = said.split_once(' ').unwrap_or((said, ""));
    let (seconds, fraction) = time.split_once('.')?;
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(seconds) && is_number(fraction) && !seconds.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests;
