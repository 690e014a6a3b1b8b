//! What a program said before it failed, or says while it runs.

use super::View;
use super::exit::with_last_words;
use super::signatures::{By, SIGNATURES, Words};
use crate::command::text::cut_line;
use crate::tools::diagnose::errors::errors;
use crate::tools::diagnose::facts::{Line, Subject};
use crate::tools::diagnose::finding::{Cause, logs};
use crate::tools::diagnose::standing::Kind;

/// Lines at the end of a log that are searched; of one that goes on running only the last ones,
/// for what it complained of before that is past.
const SEARCHED: usize = 40;
const RECENT: usize = 10;
const LAST: usize = 5;

/// The last line with known words, of a container that failed; of one that runs without a check
/// only what it said just now.
pub(super) fn signature(view: &View<'_>) -> Option<Cause> {
    let searched = match view.standing.kind {
        Kind::Running => LAST,
        Kind::Unhealthy | Kind::Starting => RECENT,
        _ => SEARCHED,
    };
    find(view, searched)
}

/// Of one that runs and whose log is mostly errors: what these say, and how often.
pub(super) fn mostly_errors(view: &View<'_>) -> Option<Cause> {
    let lines = &view.subject.log;
    let told = errors(lines, CAME_UP)?;
    let (message, times) = &told.most;
    let count = format!(
        "{} of its last {} lines are errors; most often ({times}×): {message}",
        told.errors, told.lines
    );
    let known = find(view, SEARCHED).filter(|cause| !matches!(cause.id, "command-not-found"));
    let cause = match known {
        Some(cause) => Cause { vague: false, ..cause },
        None if told.server_errors * 2 >= told.errors => Cause::new(
            "answers-5xx",
            format!(
                "it answers with errors: {} of {} answers have a status of 500 or more",
                told.server_errors, told.answers
            ),
            "see the log of what it passes requests on to",
        )
        .vague(),
        None => Cause::new(
            "errors-in-log",
            format!("it runs, but {} of its last {} log lines are errors", told.errors, told.lines),
            "its own words tell what it lacks",
        )
        .vague(),
    };
    let evidence = std::iter::once(count).chain(cause.evidence).collect();
    Some(with_next(Cause { evidence, ..cause }.fails(), view.subject))
}

fn find(view: &View<'_>, searched: usize) -> Option<Cause> {
    let lines = &view.subject.log;
    let known = |at: usize, line: &Line| {
        SIGNATURES.iter().filter(|signature| line.has(signature.words)).find_map(|signature| {
            let cause = match signature.explain {
                Words(why, fix) => Cause::new(signature.id, why, fix),
                By(explain) => explain(view, at)?,
            };
            let cause = if cause.evidence.iter().any(|it| it.contains(line.text.trim())) {
                cause
            } else {
                cause.said(line)
            };
            Some(with_next(cause, view.subject))
        })
    };
    let runs = matches!(view.standing.kind, Kind::Running | Kind::Unhealthy | Kind::Starting);
    for (at, line) in lines.iter().enumerate().rev().take(searched) {
        if let Some(cause) = known(at, line) {
            return Some(cause);
        }
        // What it complained of before it came up is past.
        if runs && line.has(CAME_UP) {
            return None;
        }
    }
    None
}

/// How programs say that they serve.
const CAME_UP: &[&str] = &[
    "listening on",
    "listening at",
    "ready to accept connections",
    "ready for connections",
    "accepting connections",
    "server started",
    "startup complete",
];

fn with_next(cause: Cause, subject: &Subject) -> Cause {
    if cause.next.is_empty() { cause.next(logs(subject.name())) } else { cause }
}

/// How runtimes begin to tell of an exception.
const EXCEPTIONS: &[&str] = &[
    "panic:",
    "panicked at",
    "traceback (most recent call last)",
    "exception in thread",
    "unhandled",
    "uncaught",
    "fatal:",
    "fatal error",
    "segmentation fault",
    "error:",
    "exception:",
    "critical",
];

/// The head line of what broke it.
pub(super) fn exception(view: &View<'_>) -> Option<Cause> {
    let lines = &view.subject.log;
    let at = lines.iter().rposition(|line| line.has(EXCEPTIONS))?;
    let mut head = lines.get(at)?;
    if head.has(&["traceback (most recent"]) {
        // Python tells the exception last, after indented lines.
        let after = lines.iter().skip(at + 1);
        head = after.into_iter().find(|line| !line.text.starts_with(' ')).unwrap_or(head);
    }
    let said = cut_line(head.text.trim(), 160);
    let cause = Cause::new(
        "application-failed",
        format!("its own program failed: {said}"),
        "the program's own words tell more",
    )
    .vague();
    let code = view.subject.exit_code();
    let cause = match code {
        Some(code) => cause.evidence(format!("exit code {code}")),
        None => cause,
    };
    Some(with_last_words(cause, view.subject).next(logs(view.subject.name())))
}
