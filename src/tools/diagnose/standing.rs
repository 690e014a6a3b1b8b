//! How a container stands, before the question why.

use super::facts::{Facts, Subject, span};
use crate::command::containers::{Container, exit_meaning};

/// From well to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It runs; its health check, if it has one, is content.
    Running,
    /// It ended with 0.
    Done,
    /// Its health check has not decided yet.
    Starting,
    /// A person or a tool ended it, or it was never started and nothing was in the way.
    Stopped,
    Paused,
    Unhealthy,
    /// Docker could not start it.
    NotStarted,
    Looping,
    Failed,
    /// A service of the project's files without a container.
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) kind: Kind,
    /// In words: `exited with 1 after 3 s`.
    pub(super) text: String,
}

impl Kind {
    pub(super) const WORST_FIRST: [Self; 10] = [
        Self::Missing,
        Self::Failed,
        Self::Looping,
        Self::NotStarted,
        Self::Unhealthy,
        Self::Paused,
        Self::Stopped,
        Self::Starting,
        Self::Done,
        Self::Running,
    ];

    pub(super) fn is_bad(self) -> bool {
        self >= Self::Paused
    }

    /// Whether others can use it.
    pub(super) fn serves(self) -> bool {
        matches!(self, Self::Running)
    }
}

pub(super) fn standing(facts: &Facts, subject: &Subject) -> Standing {
    let container = &subject.container;
    let code = container.state.exit_code;
    let (kind, text) = match subject.status() {
        "paused" => (Kind::Paused, "paused".to_owned()),
        "restarting" => (Kind::Looping, looping(subject)),
        "running" => running(facts, subject),
        "created" | "exited" | "dead" if subject.start_error().is_some() => {
            (Kind::NotStarted, "could not be started".to_owned())
        }
        "created" if !subject.missing_sources.is_empty() => {
            (Kind::NotStarted, "was not started".to_owned())
        }
        "created" => (Kind::Stopped, "created and never started".to_owned()),
        "exited" => match on_purpose(subject) {
            Some(by) => (Kind::Stopped, format!("stopped, exit code {code} after {by}")),
            None if code == 0 => (Kind::Done, format!("ended with exit code 0{}", after(subject))),
            None => (Kind::Failed, format!("exited with {code}{}", after(subject))),
        },
        other => (Kind::Failed, format!("is {other}")),
    };
    Standing { kind, text }
}

fn running(facts: &Facts, subject: &Subject) -> (Kind, String) {
    let container = &subject.container;
    let uptime = subject.uptime(facts.now);
    let is_younger = |than| container.restarted_again_within(than, facts.now);
    let since = uptime.map(span).unwrap_or_default();
    let failing = container.state.health.as_ref().is_some_and(|health| health.failing_streak > 0);
    if subject.lost_network.is_some() {
        return (Kind::Unhealthy, "running, but without its network".to_owned());
    }
    match container.health() {
        Some("healthy") => (Kind::Running, format!("running for {since}, healthy")),
        Some("unhealthy") => (Kind::Unhealthy, "running, but unhealthy".to_owned()),
        _ if is_younger(Container::UP) => (Kind::Looping, looping(subject)),
        Some(_) if failing => (
            Kind::Starting,
            format!("running for {since}, not healthy yet: its first checks failed"),
        ),
        Some(_) => (Kind::Starting, format!("running for {since}, its health is not known yet")),
        None if is_younger(Container::STEADY) => (
            Kind::Starting,
            format!(
                "running for {since} since its last restart, whether it stays is not known yet"
            ),
        ),
        None if !subject.unheard().is_empty() && uptime.is_some_and(|it| it < Container::UP) => {
            (Kind::Starting, format!("running for {since}, nothing listens on its port yet"))
        }
        None => (Kind::Running, format!("running for {since}, no health check")),
    }
}

fn looping(subject: &Subject) -> String {
    let container = &subject.container;
    let last = subject.exit_code();
    let last = last.map(|code| format!(", last exit code {code}")).unwrap_or_default();
    format!("keeps restarting ({} times so far{last})", container.restart_count)
}

fn after(subject: &Subject) -> String {
    subject.last_run().map(|run| format!(" after {}", span(run))).unwrap_or_default()
}

/// What ended it, when that was no failure. Docker starts one with such a policy again unless it
/// was told to stop it.
fn on_purpose(subject: &Subject) -> Option<String> {
    let state = &subject.container.state;
    if subject.out_of_memory && state.exit_code == 137 {
        return None;
    }
    if let Some(told) = &subject.told {
        return Some(format!("docker {told}"));
    }
    if subject.runs_again_by_itself() {
        return Some("docker stop (else its restart policy had started it again)".to_owned());
    }
    let asked = matches!(state.exit_code, 130 | 143);
    asked.then(|| exit_meaning(state.exit_code, false).unwrap_or_default().to_owned())
}
