//! What a build says, to explain its failure.

use crate::docker::Line;
use crate::error::{Code, Error};

/// Lines that are kept.
const LINES: usize = 400;
/// Lines of the failed step that are shown.
const STEP_LINES: usize = 40;

#[derive(Debug, Default)]
pub(super) struct BuildLog(Vec<String>);

impl BuildLog {
    /// Keeps the lines of build steps: `#7 [2/2] RUN make`, `#7 0.274 no such file`.
    pub(super) fn hear(&mut self, line: Line<'_>) {
        let (Line::Stdout(text) | Line::Stderr(text)) = line;
        let text = text.trim();
        if !text.starts_with('#') {
            return;
        }
        if self.0.len() == LINES {
            self.0.remove(0);
        }
        self.0.push(text.to_owned());
    }

    /// Adds to a failed build what the failed step printed, and whose step it was.
    pub(super) fn explain(&self, mut error: Error, is_service: impl Fn(&str) -> bool) -> Error {
        let (Code::BuildFailed, Some(step)) = (error.code, failed_step(&self.0)) else {
            return error;
        };
        error.stderr = Some(match &error.stderr {
            Some(stderr) => format!("{step}\n{stderr}"),
            None => step.clone(),
        });
        // `[web 2/3] RUN make`: compose puts the service before the number of the step.
        let first = step.strip_prefix('[').and_then(|step| step.split([' ', ']']).next());
        match first.filter(|name| is_service(name)) {
            Some(service) => error.with("service", service),
            None => error,
        }
    }
}

/// What the failed step printed. Its lines begin with its number: `#7 0.274 no such file`.
fn failed_step(build: &[String]) -> Option<String> {
    let failed = build.iter().rev().find(|line| line.contains(" ERROR: "))?;
    let prefix = format!("{} ", failed.split_once(' ')?.0);
    let lines: Vec<&str> =
        build.iter().filter_map(|line| line.strip_prefix(prefix.as_str())).collect();
    let from = lines.len().saturating_sub(STEP_LINES);
    Some(lines.get(from..)?.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failed_step_is_found_among_the_others() {
        let build = [
            "#5 [a 1/3] FROM x",
            "#6 [a 2/3] RUN make",
            "#7 [b 2/2] RUN true",
            "#6 0.27 make: no rule",
            "#7 DONE 0.1s",
            "#6 ERROR: process \"/bin/sh -c make\" did not complete successfully: exit code: 2",
        ];
        insta::assert_snapshot!(failed_step(&build.map(str::to_owned)).unwrap(), @r#"
        [a 2/3] RUN make
        0.27 make: no rule
        ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
        "#);
        assert_eq!(failed_step(&["#1 DONE 0.1s".to_owned()]), None);
    }
}
