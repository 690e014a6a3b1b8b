use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::containers::{Container, exit_meaning};
use crate::command::documents::Documents;
use crate::command::labels;
use crate::command::text::{human_bytes, short_id};
use crate::command::values::ContainerRef;
use crate::command::{Command, Effect, Invocation, Output, json, time};
use crate::error::Error;
use crate::sort;
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

/// Lines of `top` and `diff` that are shown.
const LINES: usize = 100;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectContainer {
    /// The container, by name or ID.
    container_name: ContainerRef,
    /// Further parts of the answer.
    #[serde(default)]
    include: BTreeSet<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Part {
    Env,
    Labels,
    Top,
    Diff,
    Size,
    HealthLog,
    Raw,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    id: String,
    name: String,
    image: String,
    image_id: String,
    created: String,
    project: Option<String>,
    service: Option<String>,
    state: State,
    health: Option<String>,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    oom_killed: Option<bool>,
    restart_count: Option<u64>,
    command: Vec<String>,
    entrypoint: Vec<String>,
    user: String,
    working_dir: String,
    ports: Vec<String>,
    mounts: Vec<String>,
    networks: BTreeMap<String, String>,
    limits: Limits,
    restart_policy: Option<String>,
    privileged: Option<bool>,
    /// Names, or names and values.
    environment: Value,
    labels: BTreeMap<String, String>,
    health_log: Vec<Probe>,
    size_bytes: Option<u64>,
    size: Option<String>,
    top: Vec<String>,
    diff: Vec<String>,
    raw: Value,
}

#[derive(Debug, Default, Serialize)]
struct State {
    status: String,
    error: String,
    started_at: String,
    finished_at: String,
    pid: Option<i64>,
}

#[derive(Debug, Default, Serialize)]
struct Limits {
    memory_bytes: Option<i64>,
    cpus: Option<f64>,
    pids: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Probe {
    at: String,
    exit_code: i32,
    output: String,
}

impl Tool for InspectContainer {
    const SPEC: Spec = Spec {
        name: "inspect-container",
        title: "Inspect container",
        description: "Details of one container (`docker inspect`, `docker container inspect`, `docker \
                      port`, `docker top`): IP address, mounts, port mappings, environment, limits, health \
                      check, processes. Its output: get-logs.",
        toolset: Toolset::Containers,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let wants = |part| self.include.contains(&part);
        let document = Documents::one("container", self.container_name.as_str());
        let document = Documents { size: wants(Part::Size), ..document };
        let docker = if wants(Part::HealthLog) || wants(Part::Raw) {
            &context.docker.afresh()
        } else {
            &context.docker
        };
        let raw = Documents::single(docker.run(&document).await?)?;
        let container: Container = json::part(&raw)?;
        let mut reply = summary(&container);
        reply.environment = environment(&container, wants(Part::Env));
        if wants(Part::Labels) {
            reply.labels.clone_from(&container.config.labels);
        }
        if wants(Part::HealthLog) {
            reply.health_log = health_log(&container);
        }
        if wants(Part::Top) && container.state.running {
            reply.top = context.docker.run(&Top { container: container.id.clone() }).await?;
        }
        if wants(Part::Diff) {
            reply.diff = context.docker.run(&Diff { container: container.id.clone() }).await?;
        }
        if wants(Part::Raw) {
            reply.raw = raw;
        }
        Ok(Structured(reply))
    }
}

fn summary(container: &Container) -> Reply {
    let Container { state, config, host_config, .. } = container;
    let exit_code = container.exit_code();
    Reply {
        id: container.short_id().to_owned(),
        name: container.name().to_owned(),
        image: config.image.clone(),
        image_id: short_id(&container.image).to_owned(),
        created: time::from_docker(&container.created),
        project: container.label(labels::PROJECT).map(str::to_owned),
        service: container.label(labels::SERVICE).map(str::to_owned),
        state: State {
            status: state.status.clone(),
            error: state.error.clone(),
            started_at: time::from_docker(&state.started_at),
            finished_at: time::from_docker(&state.finished_at),
            pid: (state.pid > 0).then_some(state.pid),
        },
        health: container.health().map(str::to_owned),
        exit_code,
        exit_meaning: exit_code.and_then(|code| exit_meaning(code, state.oom_killed)),
        oom_killed: state.oom_killed.then_some(true),
        restart_count: (container.restart_count > 0).then_some(container.restart_count),
        command: config.cmd.clone(),
        entrypoint: config.entrypoint.clone(),
        user: config.user.clone(),
        working_dir: config.working_dir.clone(),
        ports: container.ports(),
        mounts: mounts(container),
        networks: networks(container),
        limits: Limits {
            memory_bytes: (host_config.memory > 0).then_some(host_config.memory),
            cpus: cpus(host_config.nano_cpus),
            pids: host_config.pids_limit.filter(|limit| *limit > 0),
        },
        restart_policy: restart_policy(container),
        privileged: host_config.privileged.then_some(true),
        size_bytes: container.size_rw,
        size: container.size_rw.map(human_bytes),
        ..Reply::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of processors is small")]
fn cpus(nano: i64) -> Option<f64> {
    (nano > 0).then_some(nano as f64 / 1e9)
}

/// `pgdata:/var/lib/data`, `/srv/shop:/app:ro`, `tmpfs:/tmp`.
fn mounts(container: &Container) -> Vec<String> {
    let mut mounts: Vec<String> = container
        .mounts
        .iter()
        .map(|mount| {
            let source = match mount.kind.as_str() {
                "volume" => &mount.name,
                "bind" => &mount.source,
                other => other,
            };
            format!("{source}:{}{}", mount.destination, if mount.writable { "" } else { ":ro" })
        })
        .collect();
    mounts.sort();
    mounts
}

fn networks(container: &Container) -> BTreeMap<String, String> {
    let networks = &container.network_settings.networks;
    sort::map(networks.iter().map(|(name, endpoint)| (name.clone(), or_none(&endpoint.ip_address))))
}

/// The modes `host` and `none`, and stopped containers, have no address.
fn or_none(address: &str) -> String {
    if address.is_empty() { "no address".to_owned() } else { address.to_owned() }
}

fn restart_policy(container: &Container) -> Option<String> {
    let policy = &container.host_config.restart_policy;
    match (policy.name.as_str(), policy.maximum_retry_count) {
        ("" | "no", _) => None,
        (name, 0) => Some(name.to_owned()),
        (name, count) => Some(format!("{name}:{count}")),
    }
}

fn environment(container: &Container, values: bool) -> Value {
    let pairs = container.config.env.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    if values {
        pairs
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    } else {
        pairs.map(|(name, _)| Value::from(name)).collect::<Vec<_>>().into()
    }
}

fn health_log(container: &Container) -> Vec<Probe> {
    let probes = container.state.health.iter().flat_map(|health| &health.log);
    probes
        .map(|probe| Probe {
            at: time::from_docker(&probe.end),
            exit_code: probe.exit_code,
            output: probe.output.trim().chars().take(500).collect(),
        })
        .collect()
}

/// `docker container top`: a line for each process.
struct Top {
    container: String,
}

impl Command for Top {
    type Reply = Vec<String>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "top"]).operands([&self.container])
    }

    /// Docker fills each column up to at least 20 characters; here one blank stands between them.
    fn parse(&self, output: &Output) -> Result<Vec<String>, Error> {
        let titles: Vec<char> = output.stdout.lines().next().unwrap_or_default().chars().collect();
        let begins = titles.iter().enumerate().scan(' ', |before, (at, title)| {
            let begins = *before == ' ' && *title != ' ';
            *before = *title;
            Some((at, begins))
        });
        let columns: Vec<usize> = begins.filter_map(|(at, begins)| begins.then_some(at)).collect();
        let narrow = |line: &str| {
            let ends = columns.iter().skip(1).copied().chain([usize::MAX]);
            let cells = columns.iter().zip(ends).map(|(begin, end)| {
                let cell: String = line.chars().skip(*begin).take(end - begin).collect();
                cell.trim().to_owned()
            });
            cells.collect::<Vec<_>>().join(" ")
        };
        Ok(first(output.stdout.lines().map(narrow).collect()))
    }
}

/// `docker container diff`: a line for each path.
pub(super) struct Diff {
    pub(super) container: String,
}

impl Command for Diff {
    type Reply = Vec<String>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "diff"]).operands([&self.container])
    }

    fn parse(&self, output: &Output) -> Result<Vec<String>, Error> {
        let mut lines: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
        // `A /srv` by its path: the daemon tells them in no order.
        sort::by(&mut lines, |a, b| a.get(2..).cmp(&b.get(2..)));
        Ok(first(lines))
    }
}

fn first(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("… {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_told_without_the_width_of_dockers_columns() {
        let row = |cells: [&str; 8]| {
            let (command, others) = cells.split_last().unwrap();
            let others: String = others.iter().map(|cell| format!("{cell:<20}")).collect();
            format!("{others}{command}\n")
        };
        let stdout = row(["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"])
            + &row(["root", "71", "50", "0", "Nov 28", "?", "00:00:00", "sh -c  echo 'a  b'"]);
        let top = Top { container: "a".to_owned() };
        let lines = top.parse(&Output { stdout, ..Output::default() }).unwrap();
        assert_eq!(
            lines,
            [
                "UID PID PPID C STIME TTY TIME CMD",
                "root 71 50 0 Nov 28 ? 00:00:00 sh -c  echo 'a  b'",
            ]
        );
        assert_eq!(top.parse(&Output::default()).unwrap(), [""; 0]);
    }
}
