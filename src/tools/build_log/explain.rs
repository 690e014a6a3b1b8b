//! Why a build failed.

use super::step::Step;
use super::{BuildLog, Counts, INSTRUCTION_BYTES};
use crate::command::text::cut_line;
use crate::error::{Code, Error};

/// A whole explanation is not longer.
pub(super) const EXPLANATION_BYTES: usize = 2000;
/// Unless the command line alone takes all of it.
const PRINTED_BYTES: usize = 300;
const MESSAGE_BYTES: usize = 240;

/// A Dockerfile, to find a line of it where the builder does not tell it.
pub(in crate::tools) struct Dockerfile<'a> {
    pub(in crate::tools) name: &'a str,
    pub(in crate::tools) text: &'a str,
}

impl BuildLog {
    /// Adds to a failed build which step it was, where it stands, and what it printed: in 2 kB.
    pub(in crate::tools) fn explain(
        &self,
        mut error: Error,
        dockerfile: Option<&Dockerfile<'_>>,
    ) -> Error {
        if matches!(error.code, Code::Cancelled | Code::Internal) || self.is_empty() {
            return error;
        }
        let about = match self.failed_step() {
            Some(step) => {
                error.message = without_command(&error.message);
                Some(step)
            }
            None if error.code == Code::Timeout => self.running(),
            None => None,
        };
        let Some(step) = about else {
            return match &self.place {
                Some(place) => error.with("dockerfile", place.as_str()),
                None => error,
            };
        };
        let exit_code = exit_code(&error.message).or_else(|| exit_code(&self.words()));
        if !step.label().is_empty() {
            error = error.with("step", step.label());
        }
        error = error.with("run", step.instruction(INSTRUCTION_BYTES));
        if let Some(place) = self.place_of(step, dockerfile) {
            error = error.with("dockerfile", place);
        }
        if let Some(exit_code) = exit_code {
            error = error.with("exit_code", exit_code.to_string());
        }
        let Counts { steps, cached, executed } = self.counts();
        error = error.with("steps", format!("{executed} executed, {cached} cached of {steps}"));
        if let Some(slowest) = self.slowest() {
            error = error.with("slowest", slowest);
        }
        error.stderr = None;
        let room = EXPLANATION_BYTES.saturating_sub(error.to_string().len() + 10);
        error.stderr = last_lines(step, room.max(PRINTED_BYTES));
        error
    }

    fn place_of(&self, step: &Step, dockerfile: Option<&Dockerfile<'_>>) -> Option<String> {
        if let Some(place) = &self.place {
            return Some(place.clone());
        }
        let Dockerfile { name, text } = dockerfile.filter(|_| self.classic)?;
        let (_, number, _) = step.number()?;
        let line = line_of_instruction(text, number)?;
        Some(format!("{name}:{line}"))
    }
}

/// Of `exit code: 7` and `returned a non-zero code: 7`.
fn exit_code(text: &str) -> Option<u8> {
    let (_, after) =
        text.rsplit_once("exit code: ").or_else(|| text.rsplit_once("-zero code: "))?;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after.get(..end)?.parse().ok()
}

/// `process "/bin/sh -c make" did not complete successfully: exit code: 2` without the command,
/// which is told anyway.
fn without_command(message: &str) -> String {
    const FORMS: [(&str, &str); 2] =
        [("process \"", "\" did not complete"), ("The command '", "' returned a non-zero")];
    let short = FORMS.iter().find_map(|(begin, end)| {
        let at = message.find(begin)?;
        let to = message.rfind(end).filter(|to| *to >= at + begin.len())?;
        let word = begin.trim_end_matches([' ', '"', '\'']);
        Some(format!("{}{word}{}", message.get(..at)?, message.get(to + 1..)?))
    });
    cut_line(short.as_deref().unwrap_or(message), MESSAGE_BYTES).into_owned()
}

/// As many of its last lines as fit.
fn last_lines(step: &Step, room: usize) -> Option<String> {
    let (mut kept, mut bytes, mut left_out) = (vec![], 40, 0);
    for line in step.printed().rev() {
        // Each line is indented.
        bytes += line.len() + 3;
        if bytes > room || left_out > 0 {
            left_out += 1;
        } else {
            kept.push(line);
        }
    }
    kept.reverse();
    let note = (left_out > 0).then(|| format!("… {left_out} more of its last lines\n"));
    (!kept.is_empty()).then(|| note.unwrap_or_default() + &kept.join("\n"))
}

/// The line of an instruction, counted as the old builder counts its steps.
pub(super) fn line_of_instruction(text: &str, number: u64) -> Option<usize> {
    let (mut count, mut goes_on) = (0, false);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !goes_on {
            count += 1;
            if count == number {
                return Some(at + 1);
            }
        }
        goes_on = line.ends_with('\\');
    }
    None
}
