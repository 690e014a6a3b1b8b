//! Listing containers, and looking at them: what nearly every tool needs to know.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::values::ContainerRef;
use super::{Command, Effect, Invocation, Output, json, time};
use crate::error::Error;
use crate::sort;

/// The label that names a container's compose project.
pub const PROJECT_LABEL: &str = "com.docker.compose.project";
/// The label that names a container's compose service.
pub const SERVICE_LABEL: &str = "com.docker.compose.service";

/// `docker container ls`: one process whatever the number of containers.
#[derive(Clone, Debug, Default)]
pub struct ListContainers {
    pub all: bool,
    /// `--filter` values (`status=running`).
    pub filters: Vec<String>,
}

impl ListContainers {
    /// All containers of a compose project, stopped ones too.
    pub fn of_project(project: &str) -> Self {
        Self { all: true, filters: vec![format!("label={PROJECT_LABEL}={project}")] }
    }
}

/// One line of `docker container ls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The full ID.
    pub id: String,
    pub name: String,
    /// The name it was created with; may be an ID or stand for another image by now.
    pub image: String,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub state: String,
    /// Docker's sentence: `Up 3 minutes (healthy)`.
    pub status: String,
    /// `starting`, `healthy` or `unhealthy`; absent without a health check.
    pub health: Option<String>,
    /// Of a container that is not running.
    pub exit_code: Option<i32>,
    /// Published and exposed ports: `127.0.0.1:8080->80/tcp`.
    pub ports: Vec<String>,
    pub networks: Vec<String>,
    /// Names of volumes and paths of binds.
    pub mounts: Vec<String>,
    pub project: Option<String>,
    pub service: Option<String>,
    /// RFC 3339, UTC.
    pub created: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRow {
    #[serde(rename = "ID")]
    id: String,
    names: String,
    image: String,
    created_at: String,
    state: String,
    status: String,
    ports: String,
    mounts: String,
    networks: String,
    project: String,
    service: String,
}

// `{{json .}}` would ask for the size of every container (286 ms for one with 60,000 files), and
// `--format=json` prints the word `json` on 20.10: so each field is named. All are in 20.10.
const ROW: &str = r#"{"ID":{{json .ID}},"Names":{{json .Names}},"Image":{{json .Image}},"CreatedAt":{{json .CreatedAt}},"State":{{json .State}},"Status":{{json .Status}},"Ports":{{json .Ports}},"Mounts":{{json .Mounts}},"Networks":{{json .Networks}},"Project":{{json (.Label "com.docker.compose.project")}},"Service":{{json (.Label "com.docker.compose.service")}}}"#;

impl Command for ListContainers {
    type Reply = Vec<Row>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "ls"])
            .flag("--all", self.all)
            .flag("--no-trunc", true)
            .each("--filter", &self.filters)
            .option("--format", ROW)
    }

    /// Sorted by name.
    fn parse(&self, output: &Output) -> Result<Vec<Row>, Error> {
        let mut rows: Vec<Row> = json::rows(&output.stdout)?.into_iter().map(row).collect();
        sort::by(&mut rows, |a, b| a.name.cmp(&b.name));
        Ok(rows)
    }
}

fn row(raw: RawRow) -> Row {
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let some = |text: String| (!text.is_empty()).then_some(text);
    Row {
        // With legacy links a container has further names, like `other/alias`.
        name: raw
            .names
            .split(',')
            .find(|name| !name.contains('/'))
            .unwrap_or(&raw.names)
            .to_owned(),
        health: health_in(&raw.status),
        exit_code: exit_code_in(&raw.status),
        ports: ports(&list(&raw.ports)),
        networks: list(&raw.networks),
        mounts: list(&raw.mounts),
        created: time::from_docker(&raw.created_at),
        id: raw.id,
        image: raw.image,
        state: raw.state,
        status: raw.status,
        project: some(raw.project),
        service: some(raw.service),
    }
}

fn health_in(status: &str) -> Option<String> {
    let (_, inside) = status.strip_suffix(')')?.rsplit_once('(')?;
    let health = inside.strip_prefix("health: ").unwrap_or(inside);
    matches!(health, "starting" | "healthy" | "unhealthy").then(|| health.to_owned())
}

fn exit_code_in(status: &str) -> Option<i32> {
    let (state, rest) = status.split_once(" (")?;
    let (code, _) = rest.split_once(')')?;
    matches!(state, "Exited" | "Restarting").then(|| code.parse().ok()).flatten()
}

/// One entry for a port that is published on all addresses of both families.
fn ports(entries: &[String]) -> Vec<String> {
    let on_all_of_v4 =
        |port: &str| entries.iter().any(|entry| entry.strip_prefix("0.0.0.0:") == Some(port));
    let twin = |entry: &str| {
        // `:::80->80/tcp` up to 26, `[::]:80->80/tcp` from 27.
        entry.strip_prefix("[::]:").or(entry.strip_prefix(":::")).is_some_and(on_all_of_v4)
    };
    entries.iter().filter(|entry| !twin(entry)).cloned().collect()
}

/// `docker container inspect`: the exact state of containers that exist.
#[derive(Clone, Debug)]
pub struct InspectContainers {
    pub containers: Vec<String>,
    /// One that vanished since it was listed is left out instead of failing the call.
    pub may_vanish: bool,
}

impl InspectContainers {
    pub fn one(container: &ContainerRef) -> Self {
        Self { containers: vec![container.to_string()], may_vanish: false }
    }

    /// By full IDs from a listing.
    pub fn listed(ids: impl IntoIterator<Item = String>) -> Self {
        Self { containers: ids.into_iter().collect(), may_vanish: true }
    }
}

impl Command for InspectContainers {
    type Reply = Vec<Container>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "inspect"]).operands(&self.containers)
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0
            || (self.may_vanish && output.stderr.to_lowercase().contains("no such container"))
    }

    fn parse(&self, output: &Output) -> Result<Vec<Container>, Error> {
        json::document(&output.stdout)
    }
}

/// A container as the daemon describes it; only what we read, and tolerant of absent fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub created: String,
    pub path: String,
    #[serde(deserialize_with = "or_default")]
    pub args: Vec<String>,
    /// The image's ID.
    pub image: String,
    pub restart_count: u64,
    pub platform: String,
    pub state: State,
    pub config: Config,
    pub host_config: HostConfig,
    #[serde(deserialize_with = "or_default")]
    pub mounts: Vec<Mount>,
    pub network_settings: NetworkSettings,
    pub size_rw: Option<u64>,
    pub size_root_fs: Option<u64>,
}

impl Container {
    /// Without the `/` that the daemon puts before it.
    pub fn name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    pub fn short_id(&self) -> &str {
        short_id(&self.id)
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.config.labels.get(key).map(String::as_str)
    }

    /// Of a running container: docker keeps that of one which has ended or is paused.
    pub fn health(&self) -> Option<&str> {
        if self.state.status != "running" {
            return None;
        }
        let health = self.state.health.as_ref()?;
        (!health.status.is_empty() && health.status != "none").then_some(health.status.as_str())
    }

    /// Of a container that has run and does not run now, or that failed to start.
    pub fn exit_code(&self) -> Option<i32> {
        let over = matches!(self.state.status.as_str(), "exited" | "dead" | "restarting");
        let failed = self.state.status == "created" && self.state.exit_code != 0;
        (over || failed).then_some(self.state.exit_code)
    }

    /// Volumes without a name of their own, which `rm --volumes` removes. The daemon keeps one that
    /// was asked for by its name, however that looks.
    pub fn anonymous_volumes(&self) -> Vec<&str> {
        let asked_for = |name: &str| {
            let binds = &self.host_config.binds;
            binds.iter().any(|bind| bind.split(':').next() == Some(name))
                || self.host_config.mounts.iter().any(|mount| mount.source == name)
        };
        let volumes = self.mounts.iter().filter(|mount| mount.kind == "volume");
        volumes.map(|volume| volume.name.as_str()).filter(|name| !asked_for(name)).collect()
    }

    /// Published ports of a running container: `127.0.0.1:8080->80/tcp`.
    pub fn ports(&self) -> Vec<String> {
        let mut entries = vec![];
        for (container_port, bindings) in &self.network_settings.ports {
            for binding in bindings.iter().flatten() {
                let host = if binding.host_ip.contains(':') {
                    format!("[{}]", binding.host_ip)
                } else {
                    binding.host_ip.clone()
                };
                entries.push(format!("{host}:{}->{container_port}", binding.host_port));
            }
        }
        ports(&entries)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    pub status: String,
    pub running: bool,
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    pub exit_code: i32,
    /// Why it could not be started.
    pub error: String,
    pub started_at: String,
    pub finished_at: String,
    pub pid: i64,
    pub health: Option<Health>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    pub status: String,
    pub failing_streak: u64,
    #[serde(deserialize_with = "or_default")]
    pub log: Vec<Probe>,
}

/// One run of a health check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Probe {
    pub start: String,
    pub end: String,
    pub exit_code: i32,
    pub output: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    pub hostname: String,
    pub user: String,
    pub tty: bool,
    pub image: String,
    pub working_dir: String,
    #[serde(deserialize_with = "or_default")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    pub healthcheck: Option<serde_json::Value>,
    pub stop_signal: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    pub memory: i64,
    /// Together with memory; -1 for no limit.
    pub memory_swap: i64,
    pub nano_cpus: i64,
    pub pids_limit: Option<i64>,
    pub restart_policy: RestartPolicy,
    pub network_mode: String,
    pub privileged: bool,
    pub readonly_rootfs: bool,
    pub auto_remove: bool,
    #[serde(deserialize_with = "or_default")]
    pub port_bindings: BTreeMap<String, Option<Vec<Binding>>>,
    /// `source:target` as they were asked for.
    #[serde(deserialize_with = "or_default")]
    pub binds: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub mounts: Vec<RequestedMount>,
    pub log_config: LogConfig,
}

/// A mount as it was asked for; a volume without a source is an anonymous one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RequestedMount {
    pub source: String,
    pub target: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LogConfig {
    /// The log driver.
    #[serde(rename = "Type")]
    pub kind: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    pub name: String,
    pub maximum_retry_count: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Of a volume.
    pub name: String,
    pub source: String,
    pub destination: String,
    #[serde(rename = "RW")]
    pub writable: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    #[serde(deserialize_with = "or_default")]
    pub ports: BTreeMap<String, Option<Vec<Binding>>>,
    #[serde(deserialize_with = "or_default")]
    pub networks: BTreeMap<String, Endpoint>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Binding {
    pub host_ip: String,
    pub host_port: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Endpoint {
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    #[serde(deserialize_with = "or_default")]
    pub aliases: Vec<String>,
}

/// Go writes an empty list or map as `null`.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The first 12 digits, without `sha256:`.
pub fn short_id(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}

/// What an exit status says, where it says more than success or failure.
pub fn exit_meaning(code: i32, oom_killed: bool) -> Option<&'static str> {
    Some(match code {
        137 if oom_killed => "killed by the kernel: out of memory (OOM)",
        125 => "docker itself could not run the command",
        126 => "the command was found but cannot be executed",
        127 => "the command was not found in the image",
        128 => "invalid exit argument, or the command could not be started",
        129 => "ended by SIGHUP",
        130 => "ended by SIGINT (interrupted)",
        131 => "ended by SIGQUIT",
        132 => "ended by SIGILL (illegal instruction: wrong processor?)",
        134 => "ended by SIGABRT (it aborted itself)",
        135 => "ended by SIGBUS",
        136 => "ended by SIGFPE",
        137 => {
            "ended by SIGKILL (docker kill, a stop that ran into its time limit, or out of memory)"
        }
        139 => "ended by SIGSEGV (it crashed)",
        141 => "ended by SIGPIPE",
        143 => "ended by SIGTERM (it was asked to stop)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_and_exit_code_are_read_from_the_status() {
        let health = |status| health_in(status);
        assert_eq!(health("Up 8 seconds (healthy)").as_deref(), Some("healthy"));
        assert_eq!(health("Up 8 seconds (health: starting)").as_deref(), Some("starting"));
        assert_eq!(health("Up 8 seconds (Paused)"), None);
        assert_eq!(exit_code_in("Exited (137) 2 hours ago"), Some(137));
        assert_eq!(exit_code_in("Restarting (7) 6 seconds ago"), Some(7));
        assert_eq!(exit_code_in("Up About a minute (healthy)"), None);
        assert_eq!(exit_code_in("Created"), None);
    }

    #[test]
    fn only_a_running_container_has_a_health() {
        let health = |status: &str, health: &str| {
            let state =
                serde_json::json!({"State": {"Status": status, "Health": {"Status": health}}});
            let container: Container = serde_json::from_value(state).unwrap();
            container.health().map(str::to_owned)
        };
        assert_eq!(health("running", "unhealthy").as_deref(), Some("unhealthy"));
        assert_eq!(health("running", "none"), None);
        for status in ["exited", "paused", "restarting", "created"] {
            assert_eq!(health(status, "healthy"), None, "{status}");
        }
    }

    #[test]
    fn a_port_on_all_addresses_is_told_once() {
        let entries = ["0.0.0.0:80->80/tcp", ":::80->80/tcp", "[::]:81->81/tcp", "90/tcp"];
        assert_eq!(
            ports(&entries.map(str::to_owned)),
            ["0.0.0.0:80->80/tcp", "[::]:81->81/tcp", "90/tcp"]
        );
    }

    #[test]
    fn go_writes_empty_lists_as_null() {
        let container: Container =
            serde_json::from_str(r#"{"Id":"a","Mounts":null,"Config":{"Cmd":null}}"#).unwrap();
        assert!(container.mounts.is_empty() && container.config.cmd.is_empty());
    }
}
