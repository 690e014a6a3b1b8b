//! What became of each service, in the words of the answer.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::project;
use super::removal::gone;
use super::settle::{self, Expected, Stand, has_ended};
use crate::command::containers::{Container, exit_meaning};
use crate::command::values::TimePoint;
use crate::command::{Capture, Command, Effect, Invocation, Output, Streams, text};
use crate::docker::Docker;
use crate::error::Error;

/// Lines of a failed container that are shown.
const LOG_LINES: u32 = 15;
const LOG_BYTES: usize = 4 << 10;
/// Services whose output is shown; more would only push the cause out of sight.
const LOGS: usize = 5;

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    service: String,
    /// Of its worst container.
    state: String,
    health: Option<String>,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    action: Option<Action>,
    /// What is wrong with it.
    problem: Option<String>,
    /// Containers that the call took away without a successor.
    removed: Vec<String>,
    /// When there are several.
    replicas: Option<usize>,
    ports: Vec<String>,
    urls: Vec<String>,
    log_tail: Option<String>,
}

/// What the call did to a service; the strongest of its containers'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Unchanged,
    Stopped,
    Started,
    Restarted,
    Recreated,
    Created,
}

/// What existed before the call.
pub(super) struct Before<'a> {
    pub(super) containers: &'a [Container],
    /// Whether the call was meant to stop them.
    pub(super) stops: bool,
}

impl Before<'_> {
    /// How often docker has started it again since.
    fn restarts(&self, container: &Container) -> u64 {
        let before = self.containers.iter().find(|before| before.id == container.id);
        let before = before.map_or(0, |before| before.restart_count);
        container.restart_count.checked_sub(before).unwrap_or(container.restart_count)
    }

    /// Whether its end was before the call, and nobody has started it since.
    fn had_ended(&self, container: &Container) -> bool {
        let is_it = |before: &&Container| before.id == container.id;
        self.containers.iter().find(is_it).is_some_and(|before| {
            has_ended(before) && before.state.started_at == container.state.started_at
        })
    }

    fn action(&self, container: &Container) -> Action {
        let same = self.containers.iter().find(|before| before.id == container.id);
        let replaced = |before: &&Container| {
            project::service(before) == project::service(container)
                && project::number(before) == project::number(container)
        };
        match same {
            Some(before) if before.state.started_at == container.state.started_at => {
                let stopped = self.stops && before.state.running && !container.state.running;
                if stopped { Action::Stopped } else { Action::Unchanged }
            }
            // It restarts by itself; a restart that was asked for is not counted.
            Some(before) if before.restart_count < container.restart_count => Action::Unchanged,
            Some(before) if before.state.running => Action::Restarted,
            Some(_) => Action::Started,
            None if self.containers.iter().any(|before| replaced(&before)) => Action::Recreated,
            None => Action::Created,
        }
    }
}

/// One entry for each service, in the order of their names.
pub(super) fn reports(
    expected: &BTreeMap<String, Expected>,
    stands: &BTreeMap<String, Stand>,
    containers: &[Container],
    before: &Before<'_>,
    timed_out: bool,
) -> Vec<Report> {
    let gone = gone(before.containers, containers);
    let report = |name: &String| {
        let removed = gone.iter().filter(|container| project::service(container) == name);
        let removed = removed.map(|container| container.name().to_owned()).collect();
        let own: Vec<&Container> =
            containers.iter().filter(|container| project::service(container) == name).collect();
        let problem = match stands.get(name) {
            Some(Stand::Failed(why) | Stand::Looping(why)) => Some(why.clone()),
            Some(Stand::Held(culprit)) => Some(format!("not started, because {culprit} failed")),
            _ => None,
        };
        let Some(shown) = worst(&own) else {
            let state = if expected.get(name).is_some_and(|expected| expected.replicas == 0) {
                "scaled to 0"
            } else {
                "absent"
            };
            return Report {
                service: name.clone(),
                state: state.to_owned(),
                problem,
                removed,
                ..Report::default()
            };
        };
        // What kept it from starting is the problem; the code says less, and the code of a run
        // before the call nothing.
        let exit_code = shown.exit_code().filter(|_| shown.state.status != "created");
        let exit_code = exit_code.filter(|_| before.stops || !before.had_ended(shown));
        let late = timed_out && matches!(stands.get(name), Some(Stand::Pending(_)));
        let problem =
            problem.or_else(|| late.then(|| settle::not_ready(shown, before.restarts(shown))));
        let ports: BTreeSet<String> = own.iter().flat_map(|container| container.ports()).collect();
        Report {
            service: name.clone(),
            state: shown.state.status.clone(),
            health: shown.health().map(str::to_owned),
            exit_code,
            exit_meaning: exit_code.and_then(|code| exit_meaning(code, shown.state.oom_killed)),
            action: own.iter().map(|container| before.action(container)).max(),
            problem,
            removed,
            replicas: (own.len() > 1).then_some(own.len()),
            urls: ports.iter().filter_map(|port| url(port)).collect(),
            ports: ports.into_iter().collect(),
            log_tail: None,
        }
    };
    expected.keys().map(report).collect()
}

/// The container that tells most about what is wrong.
fn worst<'a>(containers: &[&'a Container]) -> Option<&'a Container> {
    let weight = |container: &&&Container| match container.state.status.as_str() {
        "running" if container.health() == Some("unhealthy") => 3,
        "running" => 0,
        "exited" if container.state.exit_code == 0 => 1,
        "paused" => 2,
        "created" if container.state.error.is_empty() => 2,
        _ => 4,
    };
    // The first of the worst.
    containers.iter().rev().max_by_key(weight).copied()
}

/// `http://127.0.0.1:8080` for `127.0.0.1:8080->80/tcp`. Whether it speaks HTTP is not known.
fn url(port: &str) -> Option<String> {
    let (address, _) = port.strip_suffix("/tcp")?.split_once("->")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = match host {
        "0.0.0.0" | "[::]" | "::" => "127.0.0.1",
        host => host,
    };
    Some(format!("http://{host}:{port}"))
}

/// Adds the last lines of what failed.
pub(super) async fn add_logs(
    docker: &Docker,
    reports: &mut [Report],
    containers: &[Container],
    before: &Before<'_>,
) {
    let failed = reports.iter_mut().filter(|report| report.problem.is_some()).take(LOGS);
    for report in failed {
        let own: Vec<&Container> = containers
            .iter()
            .filter(|container| project::service(container) == report.service)
            .collect();
        // One that was never started has said nothing, and what was said before the call is told
        // of no result of it.
        let has_run = |it: &&Container| it.state.status != "created" && !before.had_ended(it);
        let Some(container) = worst(&own).filter(has_run) else { continue };
        // One that keeps restarting may have said nothing in its last run.
        let of_one_run = container.restart_count == 0;
        let since = container.last_run_begins().filter(|_| of_one_run).map(TimePoint::At);
        // Without them the answer is still right.
        let tail = LogTail { container: container.id.clone(), since };
        report.log_tail = docker.run(&tail).await.ok();
    }
}

/// `docker container logs --tail`, both streams in their order.
struct LogTail {
    container: String,
    since: Option<TimePoint>,
}

impl Command for LogTail {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "logs"])
            .option("--tail", LOG_LINES)
            .maybe("--since", self.since)
            .streams(Streams::Merged(Capture::Tail { max: LOG_BYTES }))
            .operands([&self.container])
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        Ok(text::clean(output.stdout.trim_end()).text.into_owned())
    }
}
