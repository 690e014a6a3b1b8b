//! What went wrong, from what docker printed.
//!
//! Exit codes alone say almost nothing: a flag error is 125 for docker, 16 or 1 for compose by
//! version, and whatever the program in the container returns passes through. So the text decides.
//! `clean` finds the lines in which docker speaks, `rules` gives them a code, and `context`
//! takes names and numbers out of them.

mod clean;
mod context;
mod rules;
#[cfg(test)]
mod tests;

use crate::error::{Code, Error, Repeat};
use clean::{Said, clean};
use context::Facts;
use regex_lite::Regex;
use std::sync::LazyLock;

const MAX_MESSAGE_CHARS: usize = 600;

/// Which program spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    Docker,
    Compose,
}

/// Turns a failed exit into an [`Error`]: code, docker's own words as a one-line message, context,
/// hint, and the end of standard error if it says more. `verb` is the subcommand (`exec`,
/// `container exec`, `up`); no `exit_code` means that a signal ended docker.
pub fn diagnose(
    program: Program,
    verb: &str,
    exit_code: Option<i32>,
    stdout: &str,
    stderr: &str,
) -> Error {
    let failure = Failure { program, verb, exit_code, stderr };
    let mut said = clean(stderr);
    if said.lines.is_empty() && RUNTIME_ON_STDOUT.is_match(stdout) {
        said = clean(stdout.trim_start().lines().next().unwrap_or_default());
    }

    if said.lines.is_empty() {
        return silent(&failure, &said);
    }
    if failure.is_of_the_program(&said) {
        return program_failed(&failure, &said);
    }
    let Some((rule, at)) = rules::find(&failure, &said.lines) else {
        let cause = Cause::at(&said.lines, most_telling(&said.lines));
        return cause.error(Code::DockerFailed, &said);
    };

    let cause = Cause::at(&said.lines, at);
    let facts = Facts::of(rule.code, &cause.text);
    let mut error = cause.error(rule.code, &said);
    for (key, value) in facts.context() {
        error = error.with(key, value);
    }
    error.hint = facts.hint(rule.code).or_else(|| rule.hint.map(str::to_owned));
    error.repeat = match rule.repeat {
        // Some of a call that takes several requests was done before the daemon went away.
        Repeat::NothingWasSent if said.progress || !stdout.trim().is_empty() => Repeat::Reads,
        repeat => repeat,
    };
    error
}

/// All that is known of a failed command; what rules may ask about.
struct Failure<'a> {
    program: Program,
    verb: &'a str,
    exit_code: Option<i32>,
    stderr: &'a str,
}

/// These commands return the exit code of a program in a container.
const PASSING_EXIT_CODES: [&str; 5] = ["attach", "exec", "run", "start", "up"];

/// And these print what that program prints on the same streams.
const PASSING_OUTPUT: [&str; 3] = ["attach", "exec", "run"];

impl Failure<'_> {
    /// The last word of the verb: `exec` of `container exec`.
    fn command(&self) -> &str {
        self.verb.rsplit(' ').next().unwrap_or_default()
    }

    /// Whether the program in the container wrote the text: `curl: (6) Could not resolve host` is
    /// no failure of docker. 125 is docker's own code; else docker is known by how it begins.
    fn is_of_the_program(&self, said: &Said) -> bool {
        let is_dockers = |line: &String| match self.program {
            Program::Docker => DOCKERS_VOICE.is_match(line),
            Program::Compose => DOCKERS_VOICE.is_match(line) || COMPOSES_VOICE.is_match(line),
        };
        PASSING_OUTPUT.contains(&self.command())
            && self.exit_code != Some(125)
            && !said.lines.iter().any(is_dockers)
            && !self.stderr.lines().any(|line| line.starts_with("docker: "))
    }
}

/// `docker exec` prints the runtime's complaint on standard output, and nothing on standard error.
static RUNTIME_ON_STDOUT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(OCI runtime exec failed: |unable to find (user|group) )")
        .expect("a valid pattern")
});

/// How docker begins when it is docker that refuses to run a program.
static DOCKERS_VOICE: LazyLock<Regex> = LazyLock::new(|| {
    any_beginning(&[
        r"error response from daemon: ",
        r"error: no such ", // 20.10
        r"error during connect: ",
        r"error waiting for container: ",
        r"cannot connect to the docker daemon",
        r"failed to connect to the docker api",
        r"permission denied while trying to connect to the docker ",
        r"(failed to initialize: )?unable to resolve docker endpoint",
        r"oci runtime ",
        r"unable to find (user|group) ",
        r"unexpected eof$",
        r"the input device is not a tty",
        r"(you )?cannot attach ",
        r"unknown (shorthand )?flag: ",
        r"unknown (docker )?command: ",
        r"invalid reference format",
        r#"["']?docker( compose)? [a-z]+["']? requires "#,
    ])
});

/// How compose begins, apart from docker's own words.
static COMPOSES_VOICE: LazyLock<Regex> = LazyLock::new(|| {
    any_beginning(&[
        r"requires at least \d+ arg",
        r"no configuration file provided",
        r"no such service: ",
        r"no container found for ",
        r#"service "[^"]+" (is not running|refers to|depends on|has neither|didn't complete)"#,
        r"dependency failed to start: ",
        r"dependency cycle detected",
        r"yaml: ",
        r"validating .+: ",
        r"failed to (solve|build): ",
        r"failed to (parse .+\.ya?ml|read .+\.env): ",
        r"error while interpolating ",
        r"invalid interpolation format",
        r"env file .+ not found",
        r"couldn't find env file",
        r"unable to get image ",
        r"unable to prepare context",
    ])
});

fn any_beginning(patterns: &[&str]) -> Regex {
    Regex::new(&format!("^(?i)({})", patterns.join("|"))).expect("the beginnings are valid")
}

/// The line that tells the cause, with those that continue it.
struct Cause {
    text: String,
    lines_used: usize,
}

impl Cause {
    fn at(lines: &[String], at: usize) -> Self {
        let lines = lines.get(at..).unwrap_or_default();
        let first = lines.first().map(String::as_str).unwrap_or_default();
        // `yaml: unmarshal errors:` and the like say nothing without what follows; a web page that
        // came instead of an answer says nothing on its first line either.
        let continues = first.ends_with(':') || first.contains(": <");
        let used = if continues { lines } else { lines.get(..1).unwrap_or_default() };
        let mut parts = used.iter().map(|line| without_prefixes(line));
        let mut text = parts.next().unwrap_or_default();
        let rest = parts.collect::<Vec<_>>().join(if first.ends_with(':') { "; " } else { " " });
        if !rest.is_empty() {
            text = format!("{text} {rest}");
        }
        Self { text, lines_used: used.len() }
    }

    fn error(&self, code: Code, said: &Said) -> Error {
        let mut error = Error::new(code, cut(&self.text));
        error.stderr = said.tail_beyond(self.lines_used);
        error
    }
}

/// Takes off what stands before every cause and means nothing to the reader.
fn without_prefixes(line: &str) -> String {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?i)(docker: |error: |warning: |failed to initialize: |\* )+")
            .expect("a valid pattern")
    });
    // 20.10 and 26 pass the daemon's JSON on for some old routes; some errors come as a log line.
    static WRAPPED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^(?:\{"message":"(.*)"\}|time="[^"]*" level=\w+ msg="(.*)")$"#)
            .expect("a valid pattern")
    });
    // Where docker keeps its contexts is nobody's business.
    static CONTEXT_FILE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(context not found): open .*$").expect("a valid pattern"));
    let line = CONTEXT_FILE.replace(line, "$1");
    // Compose has it in the middle: `failed to create network x: Error response from daemon: …`.
    let line = line.replace("Error response from daemon: ", "");
    let line = PREFIX.replace(line.trim(), "");
    let bare = WRAPPED.replace(&line, "$1$2");
    // A line that is nothing but such words is better than none.
    if bare.is_empty() { line.into_owned() } else { bare.into_owned() }
}

/// The line to show when no rule fits: the daemon's answer, else the last thing said.
fn most_telling(lines: &[String]) -> usize {
    lines
        .iter()
        .position(|line| line.contains("Error response from daemon"))
        .unwrap_or(lines.len().saturating_sub(1))
}

/// A failure of the program in the container, in its own last words.
fn program_failed(failure: &Failure, said: &Said) -> Error {
    let last = said.lines.last().map(String::as_str).unwrap_or_default();
    let mut error = Error::new(Code::CommandFailed, cut(last));
    error.stderr = said.tail_beyond(1);
    with_exit_code(error, failure)
}

/// A failure without a word.
fn silent(failure: &Failure, said: &Said) -> Error {
    let passed_on = PASSING_EXIT_CODES.contains(&failure.command());
    let (code, message) = match failure.exit_code {
        Some(exit_code) if passed_on => (
            Code::CommandFailed,
            format!("the command ended with exit code {exit_code} and printed no error"),
        ),
        // As the client tells of a signal that it has caught.
        Some(exit_code @ 129..=192) => (
            Code::ClientKilled,
            format!("signal {} ended docker, and it printed no error", exit_code - 128),
        ),
        Some(exit_code) => (
            Code::DockerFailed,
            format!("docker ended with exit code {exit_code} and printed no error"),
        ),
        None => (Code::ClientKilled, "a signal ended docker, and it printed no error".to_owned()),
    };
    let mut error = Error::new(code, message);
    error.stderr = said.tail();
    with_exit_code(error, failure)
}

fn with_exit_code(error: Error, failure: &Failure) -> Error {
    let Some(exit_code) = failure.exit_code else { return error };
    let error = error.with("exit_code", exit_code.to_string());
    match (failure.command(), exit_code) {
        (_, 137) if error.code == Code::CommandFailed => error.hint(
            "137 means killed, often for lack of memory: see oom_killed of inspect-container",
        ),
        // Measured by killing the daemon under it.
        ("exec", 255) => error
            .hint("docker ends like this, too, when the daemon dies: docker-info shows if it runs"),
        _ => error,
    }
}

/// One line of at most [`MAX_MESSAGE_CHARS`] characters.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE_CHARS) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MAX_MESSAGE_CHARS - 1).chain(['…']).collect(),
    }
}
