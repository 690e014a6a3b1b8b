//! What `docker container inspect` tells of a container.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::super::json::or_default;
use super::super::text::short_id;
use super::super::time;
use super::ports;

/// Docker waits so long for the programs of a container that asks for no time of its own.
const DOCKERS_STOP_SECONDS: u32 = 10;
/// One that asks for ever gets an hour.
const FOR_EVER: u32 = 3600;
/// A program prints before docker has noted that it runs.
const BEFORE_START: SignedDuration = SignedDuration::from_secs(2);

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
    /// Of its layers; `overlayfs` of a containerd store.
    pub driver: String,
    pub platform: String,
    pub state: State,
    pub config: Config,
    pub host_config: HostConfig,
    #[serde(deserialize_with = "or_default")]
    pub mounts: Vec<Mount>,
    pub network_settings: NetworkSettings,
    /// Commands that run in it beside its main program.
    #[serde(rename = "ExecIDs", deserialize_with = "or_default")]
    pub exec_ids: Vec<String>,
    pub size_rw: Option<u64>,
    pub size_root_fs: Option<u64>,
}

/// One that was restarted so often may be in a loop.
const RESTARTS_OF_A_LOOP: u64 = 3;

impl Container {
    /// Docker itself takes one that has run for so long for one that has come up, and begins anew
    /// with short pauses between restarts.
    pub const UP: SignedDuration = SignedDuration::from_secs(10);
    /// Whether one that was restarted again and again stays is not known before.
    pub const STEADY: SignedDuration = SignedDuration::from_secs(60);

    /// Whether it runs now, but was restarted again and again, the last time so short ago.
    pub fn restarted_again_within(&self, time: SignedDuration, now: Timestamp) -> bool {
        let started: Option<Timestamp> = self.state.started_at.parse().ok();
        self.state.status == "running"
            && self.restart_count >= RESTARTS_OF_A_LOOP
            && started.is_some_and(|started| now.duration_since(started) < time)
    }

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

    /// The seconds that docker gives its programs to end before it kills them (`--stop-timeout`,
    /// `stop_grace_period`).
    pub fn stop_seconds(&self) -> u32 {
        match self.config.stop_timeout {
            None => DOCKERS_STOP_SECONDS,
            Some(seconds) => u32::try_from(seconds).unwrap_or(FOR_EVER),
        }
    }

    /// Since when it runs, or ran the last time.
    pub fn started(&self) -> Option<Timestamp> {
        moment(&self.state.started_at)
    }

    /// When it ended the last time.
    pub fn finished(&self) -> Option<Timestamp> {
        moment(&self.state.finished_at)
    }

    /// From here on, what it printed is of its last start: a little before docker noted that, and
    /// after the end of the run before.
    pub fn last_run_begins(&self) -> Option<Timestamp> {
        let started = self.started()?;
        let before = started.checked_sub(BEFORE_START).ok()?;
        // Of one that does not run it is the end of this run, though noted before the start of a
        // short one.
        let ended = self.finished().filter(|ended| self.state.running && *ended <= started);
        let Some(ended) = ended else { return Some(before) };
        let between = ended.checked_add(started.duration_since(ended) / 2).ok()?;
        Some(between.max(before))
    }

    /// The runs of its health check since its last start: docker keeps those before, too.
    pub fn probes(&self) -> impl DoubleEndedIterator<Item = &Probe> {
        let started = self.started();
        let log = self.state.health.iter().flat_map(|health| &health.log);
        log.filter(move |probe| moment(&probe.start).is_none_or(|at| Some(at) >= started))
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

/// Go's zero time is none.
fn moment(text: &str) -> Option<Timestamp> {
    if time::from_docker(text).is_empty() { None } else { time::parse(text) }
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
    /// In seconds; below zero it is for ever.
    pub stop_timeout: Option<i64>,
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
    #[serde(deserialize_with = "or_default")]
    pub tmpfs: BTreeMap<String, String>,
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
    #[serde(rename = "NetworkID")]
    pub network_id: String,
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    #[serde(deserialize_with = "or_default")]
    pub aliases: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_container_may_have_a_stop_time_of_its_own() {
        let seconds = |config: &str| {
            let text = format!(r#"{{"Config":{config}}}"#);
            serde_json::from_str::<Container>(&text).unwrap().stop_seconds()
        };
        assert_eq!(seconds("{}"), 10);
        assert_eq!(seconds(r#"{"StopTimeout":null}"#), 10);
        assert_eq!(seconds(r#"{"StopTimeout":0}"#), 0);
        assert_eq!(seconds(r#"{"StopTimeout":100}"#), 100);
        assert_eq!(seconds(r#"{"StopTimeout":-1}"#), 3600);
    }

    #[test]
    fn what_was_before_the_last_start_is_told_apart() {
        let container = |started: &str, finished: &str| -> Container {
            let probe = |at: &str, output: &str| serde_json::json!({"Start": at, "Output": output});
            serde_json::from_value(serde_json::json!({"State": {
                "Running": finished < "2026-11-28T10:00:25Z",
                "StartedAt": started, "FinishedAt": finished,
                "Health": {"Log": [
                    probe("2026-11-28T10:00:19Z", "old"), probe("2026-11-28T10:00:21Z", "new"),
                ]},
            }}))
            .unwrap()
        };
        let begins = |started: &str, finished: &str| {
            container(started, finished).last_run_begins().map(|time| time.to_string())
        };
        let (start, never) = ("2026-11-28T10:00:20Z", "0001-01-01T00:00:00Z");
        assert_eq!(begins(never, never), None);
        assert_eq!(begins(start, never).as_deref(), Some("2026-11-28T10:00:18Z"));
        assert_eq!(
            begins(start, "2026-11-28T10:00:19Z").as_deref(),
            Some("2026-11-28T10:00:19.5Z")
        );
        assert_eq!(begins(start, "2026-11-28T09:00:00Z").as_deref(), Some("2026-11-28T10:00:18Z"));
        // It has ended since.
        assert_eq!(begins(start, "2026-11-28T10:00:25Z").as_deref(), Some("2026-11-28T10:00:18Z"));
        let mut short = container(start, "2026-11-28T10:00:19.999Z");
        short.state.running = false;
        assert_eq!(short.last_run_begins(), container(start, never).last_run_begins());
        let since_then = |started: &str| -> Vec<String> {
            container(started, never).probes().map(|probe| probe.output.clone()).collect()
        };
        assert_eq!(since_then(start), ["new"]);
        assert_eq!(since_then(never), ["old", "new"]);
    }

    #[test]
    fn go_writes_empty_lists_as_null() {
        let container: Container =
            serde_json::from_str(r#"{"Id":"a","Mounts":null,"Config":{"Cmd":null}}"#).unwrap();
        assert!(container.mounts.is_empty() && container.config.cmd.is_empty());
    }
}
