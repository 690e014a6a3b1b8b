//! When a stack has settled: a pure decision over what was seen of its containers.
//!
//! Compose's own `--wait` fails a stack whose one-shot job ended well, and does not say which
//! service is the cause; so we look ourselves.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::project;
use crate::command::containers::{Container, Probe, exit_meaning};
use crate::sort;

/// A container without a health check is taken for running when it ran so long without a restart.
pub(super) const STEADY: Duration = Duration::from_millis(1500);
/// Docker pauses 0.1, 0.2, 0.4 … s before each restart: the fifth comes after three seconds.
const RESTARTS_OF_A_LOOP: u64 = 5;

/// What waits for its first start, or for another one.
const NOT_CREATED: &str = "not created yet";
const CREATED: &str = "created";
const NOT_STARTED: &str = "not started yet";

/// How a service, or one container of it, stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Ready,
    /// May become ready; the text says what it is waiting for.
    Pending(String),
    /// Keeps restarting. It recovers when what it needs comes up, so it is only given up when
    /// nothing else is pending.
    Looping(String),
    /// Was never started, because the named service failed.
    Held(String),
    Failed(String),
}

impl Stand {
    pub(super) fn is_bad(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Looping(_))
    }

    /// The order in which one container speaks for its service: the worst one does.
    fn weight(&self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::Pending(_) => 1,
            Self::Held(_) => 2,
            Self::Looping(_) => 3,
            Self::Failed(_) => 4,
        }
    }
}

/// What is known of a container from earlier looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// It has run for [`STEADY`] since its last start, or since before the call.
    pub(super) steady: bool,
    /// Restarts since the call began.
    pub(super) restarts: u64,
    /// It had come to its end before the call, or could not be started, and nobody has started it
    /// since: what it ended with is no result of the call.
    pub(super) is_old: bool,
}

/// How one container stands.
pub(super) fn judge(container: &Container, history: History) -> Stand {
    let state = &container.state;
    match state.status.as_str() {
        "running" => match container.health() {
            Some("healthy") => Stand::Ready,
            Some("unhealthy") => Stand::Failed(unhealthy(container)),
            _ if history.restarts >= RESTARTS_OF_A_LOOP && !history.steady => {
                looping(container, history)
            }
            Some(_) => Stand::Pending("starting".to_owned()),
            None if history.steady => Stand::Ready,
            None => Stand::Pending("just started".to_owned()),
        },
        "exited" if state.exit_code == 0 && !restarts_after_success(container) => Stand::Ready,
        "exited" | "dead" | "created" if history.is_old => Stand::Pending(NOT_STARTED.to_owned()),
        "exited" => Stand::Failed(ended(container)),
        "restarting" if history.restarts < RESTARTS_OF_A_LOOP => {
            Stand::Pending("restarting".to_owned())
        }
        "restarting" => looping(container, history),
        "created" if !state.error.is_empty() => Stand::Failed(state.error.clone()),
        "created" => Stand::Pending(CREATED.to_owned()),
        other => Stand::Failed(format!("it is {other}")),
    }
}

fn looping(container: &Container, history: History) -> Stand {
    Stand::Looping(keeps_restarting(container, history.restarts))
}

fn keeps_restarting(container: &Container, restarts: u64) -> String {
    let so_far = format!("it keeps restarting ({restarts} times so far)");
    // Of one that runs, docker has forgotten how it ended before.
    if container.state.status == "running" {
        return so_far;
    }
    format!("{so_far}, last {}", exit(container))
}

fn ended(container: &Container) -> String {
    if container.state.exit_code == 0 {
        return "it ended, although it is meant to keep running (exit code 0)".to_owned();
    }
    format!("it ended with {}", exit(container))
}

fn exit(container: &Container) -> String {
    let code = container.state.exit_code;
    match exit_meaning(code, container.state.oom_killed) {
        Some(meaning) => format!("exit code {code}: {meaning}"),
        None => format!("exit code {code}"),
    }
}

fn unhealthy(container: &Container) -> String {
    match container.probes().rfind(|probe| probe.exit_code != 0) {
        Some(probe) => format!("it is unhealthy; {}", last_check(probe)),
        None => "it is unhealthy".to_owned(),
    }
}

fn last_check(probe: &Probe) -> String {
    let output: String = probe.output.trim().chars().take(200).collect();
    let said = if output.is_empty() { "no output".to_owned() } else { output };
    format!("its last check ended with {}: {said}", probe.exit_code)
}

/// What keeps a container from being ready when the time is over; `restarts` are those of the call.
pub(super) fn not_ready(container: &Container, restarts: u64) -> String {
    match (container.state.status.as_str(), container.probes().next_back()) {
        ("running" | "restarting", _) if restarts > 0 => keeps_restarting(container, restarts),
        ("running", Some(probe)) if probe.exit_code != 0 => {
            format!("it is not healthy yet; {}", last_check(probe))
        }
        ("running", _) if container.health().is_some() => "it is not healthy yet".to_owned(),
        ("running", _) => "it has just started".to_owned(),
        ("created" | "exited" | "dead", _) => "it was not started yet".to_owned(),
        (status, _) => format!("it is {status}"),
    }
}

/// A job ends with 0 and stays so; under `always` docker would start it again.
fn restarts_after_success(container: &Container) -> bool {
    matches!(container.host_config.restart_policy.name.as_str(), "always" | "unless-stopped")
}

/// What is expected of one service.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) replicas: u32,
    pub(super) depends_on: Vec<String>,
}

/// How every service stands, by its worst container; who was never started because of another one
/// is [`Stand::Held`].
pub(super) fn stands(
    expected: &BTreeMap<String, Expected>,
    containers: &[Container],
    history: impl Fn(&Container) -> History,
) -> BTreeMap<String, Stand> {
    let mut stands = sort::map(expected.iter().map(|(name, expected)| {
        let mut seen: Vec<Stand> = containers
            .iter()
            .filter(|container| project::service(container) == name)
            .map(|container| judge(container, history(container)))
            .collect();
        // Those that are more than asked for are on their way out, and how they end is no matter.
        sort::by(&mut seen, |a, b| a.weight().cmp(&b.weight()));
        seen.truncate(usize::try_from(expected.replicas).unwrap_or(usize::MAX));
        let missing = u32::try_from(seen.len()).is_ok_and(|seen| seen < expected.replicas);
        let missing = missing.then(|| Stand::Pending(NOT_CREATED.to_owned()));
        let worst = seen.into_iter().chain(missing).max_by_key(Stand::weight);
        (name.clone(), worst.unwrap_or(Stand::Ready))
    }));
    hold_victims(expected, &mut stands);
    stands
}

/// Those that were never started because of another one are told apart from the cause.
pub(super) fn hold_victims(
    expected: &BTreeMap<String, Expected>,
    stands: &mut BTreeMap<String, Stand>,
) {
    // A chain of dependencies is no longer than the list of services.
    for _ in 0..expected.len() {
        let held: Vec<(String, String)> = expected
            .iter()
            .filter(|(name, _)| match stands.get(*name) {
                Some(Stand::Pending(what)) => {
                    [NOT_CREATED, CREATED, NOT_STARTED].contains(&what.as_str())
                }
                _ => false,
            })
            .filter_map(|(name, expected)| {
                let culprit =
                    expected.depends_on.iter().find_map(|needed| match stands.get(needed)? {
                        Stand::Held(culprit) => Some(culprit.clone()),
                        stand if stand.is_bad() => Some(needed.clone()),
                        _ => None,
                    })?;
                Some((name.clone(), culprit))
            })
            .collect();
        if held.is_empty() {
            return;
        }
        stands.extend(held.into_iter().map(|(name, culprit)| (name, Stand::Held(culprit))));
    }
}

/// Whether every service has come to its end, good or bad.
pub(super) fn is_over(stands: &BTreeMap<String, Stand>) -> bool {
    !stands.values().any(|stand| matches!(stand, Stand::Pending(_)))
}

/// Whether the outcome can no longer be good.
pub(super) fn is_lost(stands: &BTreeMap<String, Stand>) -> bool {
    stands.values().any(|stand| matches!(stand, Stand::Failed(_)))
}

/// The service that is the cause: it failed, and nothing that it depends on did.
///
/// When the time ran out before anything failed, it is the one that the others wait for.
pub(super) fn root<'a>(
    expected: &BTreeMap<String, Expected>,
    stands: &'a BTreeMap<String, Stand>,
) -> Option<&'a str> {
    let any_is_bad = stands.values().any(Stand::is_bad);
    let is_bad = |stand: &Stand| match stand {
        Stand::Pending(_) => !any_is_bad,
        stand => stand.is_bad(),
    };
    let bad = |name: &str| stands.get(name).is_some_and(is_bad);
    let blamed = |name: &str| {
        stands.values().filter(|stand| matches!(stand, Stand::Held(by) if by == name)).count()
    };
    stands
        .iter()
        .filter(|(name, stand)| {
            let needed = expected.get(*name).map(|expected| expected.depends_on.as_slice());
            is_bad(stand) && !needed.unwrap_or_default().iter().any(|needed| bad(needed))
        })
        // The first by name of those that hold up the most.
        .rev()
        .max_by_key(|(name, stand)| (blamed(name), stand.weight()))
        .map(|(name, _)| name.as_str())
}

/// `2 of 5 services ready: db healthy, api starting`.
pub(super) fn progress(stands: &BTreeMap<String, Stand>) -> (u64, u64, String) {
    let ready = stands.values().filter(|stand| **stand == Stand::Ready).count();
    let others: Vec<String> = stands
        .iter()
        .filter_map(|(name, stand)| match stand {
            Stand::Ready => None,
            Stand::Pending(what) => Some(format!("{name} {what}")),
            Stand::Looping(_) => Some(format!("{name} restarting")),
            Stand::Held(culprit) => Some(format!("{name} waits for {culprit}")),
            Stand::Failed(_) => Some(format!("{name} failed")),
        })
        .collect();
    let mut text = format!("{ready} of {} services ready", stands.len());
    if !others.is_empty() {
        text.push_str(": ");
        text.push_str(&others.join(", "));
    }
    (ready as u64, stands.len() as u64, text)
}

/// Remembers since when each container runs, by our own clock: the daemon's may be another.
#[derive(Default)]
pub(super) struct Memory {
    /// Those that ran before the call, with the time of their start.
    old: BTreeMap<String, String>,
    /// Those that did not, with the time of their last start.
    ended: BTreeMap<String, String>,
    restarts: BTreeMap<String, u64>,
    since: HashMap<(String, String), Instant>,
}

impl Memory {
    pub(super) fn before(containers: &[Container]) -> Self {
        let running = containers.iter().filter(|container| container.state.status == "running");
        let ended = containers.iter().filter(|container| has_ended(container));
        let restarts = |container: &Container| (container.id.clone(), container.restart_count);
        Self {
            old: sort::map(running.map(start)),
            ended: sort::map(ended.map(start)),
            restarts: sort::map(containers.iter().map(restarts)),
            since: HashMap::new(),
        }
    }

    /// Notes who is running now.
    pub(super) fn look(&mut self, containers: &[Container], now: Instant) {
        for container in containers {
            if container.state.status == "running" {
                self.since.entry(start(container)).or_insert(now);
            }
        }
    }

    pub(super) fn history(&self, container: &Container, now: Instant) -> History {
        let start = start(container);
        let steady = self.old.get(&start.0) == Some(&start.1)
            || self.since.get(&start).is_some_and(|since| now.duration_since(*since) >= STEADY);
        // A start by compose sets docker's count back to zero.
        let before = self.restarts.get(&container.id).copied().unwrap_or_default();
        let restarts = container.restart_count.checked_sub(before);
        History {
            steady,
            restarts: restarts.unwrap_or(container.restart_count),
            is_old: has_ended(container) && self.ended.get(&start.0) == Some(&start.1),
        }
    }
}

/// Or was never started.
pub(super) fn has_ended(container: &Container) -> bool {
    matches!(container.state.status.as_str(), "exited" | "dead" | "created")
}

fn start(container: &Container) -> (String, String) {
    (container.id.clone(), container.state.started_at.clone())
}

#[cfg(test)]
mod tests;
