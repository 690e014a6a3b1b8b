//! What a program in a container said, and how it ended.

use std::sync::LazyLock;
use std::time::Duration;

use regex_lite::Regex;
use serde::Serialize;

use crate::command::containers::{Container, exit_meaning};
use crate::command::values::Environment;
use crate::command::{Capture, Output, Streams};
use crate::docker::Docker;
use crate::redact;

/// Bytes of each stream that are shown.
pub(super) const SHOWN: usize = 16 << 10;

/// The reply of the tools that make a container for one command.
#[derive(Debug, Default, Serialize)]
pub(super) struct Ended {
    pub(super) project: Option<String>,
    pub(super) service: Option<String>,
    /// When it is kept.
    pub(super) container: Option<String>,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    timed_out: Option<bool>,
    /// The first place in the output that looks like a failure, when it failed.
    first_failure: Option<String>,
    stdout: String,
    stderr: String,
    pub(super) notes: Vec<String>,
    pub(super) warnings: Vec<String>,
    duration_ms: u64,
    pub(super) command: String,
    /// The compose files that the service was read from.
    pub(super) files: Vec<String>,
}

impl Ended {
    /// By its own doing, with the exit code; without one, it was still running.
    pub(super) fn by_itself(container: &Container, exit_code: Option<i32>, output: Output) -> Self {
        Self {
            exit_code,
            exit_meaning: exit_code.and_then(|code| exit_meaning(code, container.state.oom_killed)),
            first_failure: (exit_code != Some(0)).then(|| first_failure(&output)).flatten(),
            stdout: output.stdout,
            stderr: output.stderr,
            ..Self::default()
        }
    }

    /// Killed, because its time was over.
    pub(super) fn by_force(limit: Duration, output: Output) -> Self {
        Self {
            timed_out: Some(true),
            notes: vec![format!("it was killed after {} s", limit.as_secs())],
            ..Self::by_itself(&Container::default(), None, output)
        }
    }

    pub(super) fn after(self, elapsed: Duration) -> Self {
        Self { duration_ms: milliseconds(elapsed), ..self }
    }
}

/// Both streams apart, of each the beginning and the end.
pub(super) fn both_ends(max: usize) -> Streams {
    Streams::Split { stdout: Capture::Ends { max }, stderr: Capture::Ends { max } }
}

pub(super) fn milliseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Values that the names of their variables call secret are hidden from now on, also where the
/// program prints them.
pub(super) fn learn(docker: &Docker, environment: &Environment) {
    let secret = |name: &str| redact::is_secret_key(name);
    let secrets = environment.iter().filter(|(name, _)| secret(name.as_str()));
    secrets.for_each(|(_, value)| docker.redactor().learn(value));
}

/// Whether docker itself speaks, and not the program: as exactly as docker lets it be told apart.
///
/// The client has refused it: on standard error, with 1, and nothing else was printed. Or the
/// daemon could not start the program: one line on the program's standard output, which ends with
/// `\r\n`, and 126 or 127 (20.10 to 28.5; see `state.exec-*` in `fixtures/errors/docker.json`).
pub(super) fn is_dockers_own(output: &Output) -> bool {
    const CLIENT: [&str; 7] = [
        "Error response from daemon: ",
        "Error: No such ",
        "Cannot connect to the Docker daemon",
        "failed to connect to the docker API",
        "error during connect: ",
        "permission denied while trying to connect",
        "Got permission denied while trying to connect", // 20.10
    ];
    const DAEMON: [&str; 3] =
        ["OCI runtime exec failed: ", "unable to find user ", "unable to find group "];
    let (stdout, stderr) = (output.stdout.as_str(), output.stderr.as_str());
    match output.exit_code {
        1 => stdout.is_empty() && CLIENT.iter().any(|voice| stderr.starts_with(voice)),
        126 | 127 => {
            let line = stdout.strip_suffix("\r\n").filter(|line| !line.contains('\n'));
            let is_voice = |line: &str| DAEMON.iter().any(|voice| line.starts_with(voice));
            stderr.is_empty() && line.is_some_and(is_voice)
        }
        _ => false,
    }
}

/// Lines around the first one that looks like a failure: it is seldom the last one.
fn first_failure(output: &Output) -> Option<String> {
    const BEFORE: usize = 2;
    const AFTER: usize = 10;
    static FAILURE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)(\w*(error|exception)\b|\b(fatal|panic(ked)?|traceback|segfault)\b|\bFAIL(ED|URE)?\b|✗|✕|not ok \d|\bdenied\b|no such file|cannot |undefined )",
        )
        .expect("a valid pattern")
    });
    // `0 failed` and `no errors` are good news.
    static GOOD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(0|no) (errors?|fail(ed|ures?)|exceptions?)\b").expect("a valid pattern")
    });
    [&output.stdout, &output.stderr].into_iter().find_map(|text| {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| FAILURE.is_match(line) && !GOOD.is_match(line))?;
        let (from, to) = (at.saturating_sub(BEFORE), (at + AFTER).min(lines.len()));
        Some(lines.get(from..to)?.join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn the_exit_code_of_the_command_is_no_failure_of_docker() {
        let output = |exit_code, stdout: &str, stderr: &str| Output {
            exit_code,
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..Output::default()
        };
        let is_own = |code, stdout, stderr| is_dockers_own(&output(code, stdout, stderr));
        assert!(is_own(126, "OCI runtime exec failed: exec failed: …\r\n", ""));
        assert!(is_own(127, "OCI runtime exec failed: exec failed: …\r\n", ""));
        assert!(is_own(
            126,
            "unable to find user nouser: no matching entries in passwd file\r\n",
            ""
        ));
        assert!(is_own(126, "unable to find group x: no matching entries in group file\r\n", ""));
        assert!(is_own(1, "", "Error response from daemon: unable to find user nouser: …\n"));
        assert!(is_own(1, "", "Error response from daemon: container x is not running\n"));

        assert!(!is_own(7, "", "curl: (7) failed\n"));
        assert!(!is_own(127, "", "sh: x: not found\n"));
        // A program may use docker's words.
        assert!(!is_own(126, "unable to find user nouser: no matching entries\n", ""));
        assert!(!is_own(126, "x\r\nunable to find user nouser\r\n", ""));
        assert!(!is_own(0, "OCI runtime exec failed: exec failed: …\r\n", ""));
        assert!(!is_own(127, "OCI runtime exec failed: …\r\n", "and more\n"));
        assert!(!is_own(5, "", "Error response from daemon: no such thing\n"));
        assert!(!is_own(1, "begun\n", "Error response from daemon: no such thing\n"));
    }

    #[test]
    fn the_first_failure_is_found_and_good_news_is_not() {
        let stdout = "test a ok\n0 failed, no errors so far\ntest b\nAssertionError: 1 != 2\n at b.py:3\ntest c FAILED\n";
        let output = |stdout: &str, stderr: &str| Output {
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..Output::default()
        };
        assert_snapshot!(first_failure(&output(stdout, "error: later")).unwrap(), @r"
        0 failed, no errors so far
        test b
        AssertionError: 1 != 2
         at b.py:3
        test c FAILED
        ");
        assert_eq!(first_failure(&output("all good\n", "")), None);
        assert_eq!(first_failure(&output("all good\n", "error: x")).as_deref(), Some("error: x"));
    }
}
