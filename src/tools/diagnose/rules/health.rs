//! Health checks that fail.

use super::View;
use crate::command::containers::Probe;
use crate::command::text::cut_line;
use crate::tools::diagnose::facts::{Line, Subject};
use crate::tools::diagnose::finding::{Cause, Site, logs, on};

const OUTPUT_BYTES: usize = 200;
const CHECK_BYTES: usize = 120;

/// The last check that failed.
fn failed(subject: &Subject) -> Option<&Probe> {
    subject.container.probes().rfind(|probe| probe.exit_code != 0)
}

fn with_check(cause: Cause, subject: &Subject, probe: &Probe) -> Cause {
    let check = subject.check();
    let output = cut_line(probe.output.trim(), OUTPUT_BYTES).replace('\n', " ");
    let streak = subject.container.state.health.as_ref().map_or(0, |health| health.failing_streak);
    cause.evidence(format!("health check: {}", cut_line(&check, CHECK_BYTES))).evidence(format!(
        "its last failure: exit code {}, {}; {streak} in a row",
        probe.exit_code,
        if output.is_empty() { "no output" } else { &output },
    ))
}

/// The check itself cannot run.
pub(super) fn program_missing(view: &View<'_>) -> Option<Cause> {
    let probe = failed(view.subject)?;
    let output = Line::new(&probe.output);
    let missing = output.has(&["not found", "no such file or directory", "permission denied"]);
    let by_docker = output.has(&["oci runtime exec failed", "executable file not found"]);
    if !(by_docker || (missing && matches!(probe.exit_code, 126 | 127))) {
        return None;
    }
    let program = missing_program(&output.text)
        .or_else(|| view.subject.check().split_whitespace().next().map(str::to_owned))
        .unwrap_or_default();
    let cause = Cause::new(
        "probe-missing",
        format!("its health check cannot run: the image has no {program}"),
        "check with a program that the image has (wget, nc, the application itself), or install this one; the service itself may be well",
    );
    let name = view.subject.name();
    Some(
        with_check(cause, view.subject, probe).next(logs(name)).next(on("inspect-container", name)),
    )
}

/// `curl` of `/bin/sh: curl: not found`, `sh: 1: curl: not found`, `exec: "curl": executable …`.
fn missing_program(output: &str) -> Option<String> {
    if let Some((_, rest)) = output.split_once("exec: \"") {
        return rest.split('"').next().map(str::to_owned);
    }
    let line = output.lines().find(|line| line.contains("not found"))?;
    let words = line.split(": ").take_while(|part| !part.contains("not found"));
    words.last().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty())
}

/// It takes longer than it may.
pub(super) fn too_slow(view: &View<'_>) -> Option<Cause> {
    let probe = failed(view.subject)?;
    let slow = probe.output.to_lowercase().contains("exceeded timeout");
    let cause = Cause::new(
        "probe-timeout",
        "its health check takes longer than it may: the service answers too slowly, or not at all",
        "see whether it hangs; else raise the check's timeout",
    );
    slow.then(|| with_check(cause, view.subject, probe).next(logs(view.subject.name())))
}

pub(super) fn failing(view: &View<'_>) -> Option<Cause> {
    let probe = failed(view.subject)?;
    let said = Line::new(&probe.output);
    let (why, fix) = if said.has(&["connection refused", "can't connect", "failed to connect"]) {
        (
            "its health check reaches nobody: nothing listens there, not yet or on another port or address",
            "compare the port of the check with the one the service listens on",
        )
    } else if said.has(&["404", "500", "502", "503", "401", "403", "http error", "server error"]) {
        (
            "the service answers its health check with an error",
            "see the service's log; or correct the checked path",
        )
    } else {
        ("its health check fails", "see what the check printed, and the service's log")
    };
    let cause = Cause::new("unhealthy", why, fix).vague();
    let open: Vec<String> = view.subject.open_ports().iter().map(ToString::to_string).collect();
    let cause = match (why.contains("reaches nobody"), view.subject.listening.is_some()) {
        (true, true) if open.is_empty() => cause.evidence("nothing listens in it"),
        (true, true) => cause.evidence(format!("it listens on {}", open.join(", "))),
        _ => cause,
    };
    let cause = if why.contains("reaches nobody") {
        cause.at([
            Site::Key("healthcheck.test"),
            Site::Key("healthcheck"),
            Site::Instruction("HEALTHCHECK"),
        ])
    } else {
        cause
    };
    let cause = with_check(cause, view.subject, probe);
    let last = view.subject.log.last();
    let cause = match last {
        Some(line) => cause.said(line),
        None => cause,
    };
    Some(cause.next(logs(view.subject.name())))
}
