//! create-container: what `docker run -d` does, in steps that can be undone.

mod env_file;
mod image;
mod parameters;
mod preflight;
mod settings;
mod steps;
mod undo;

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::command::containers::{
    Container, InspectContainers, ListContainers, exit_meaning, short_id,
};
use crate::command::logs::Logs;
use crate::command::values::{
    Bounded, ByteSize, Capability, CommandLine, ContainerName, ContainerPath, Cpus, DeviceSpec,
    DriverOptions, Environment, ExtraHosts, GpuRequest, HostName, HostPath, ImageRef, Labels,
    LogDriver, Memory, Mounts, NetworkMode, NetworkName, Platform, Ports, RestartPolicy,
    SecurityOption, Signal, Tmpfs, Ulimits, UserSpec,
};
use crate::command::{Effect, text};
use crate::error::{Code, Error};
use crate::tools::confirm;
use crate::tools::reply::{Change, DryRun};
use crate::tools::{Context, Spec, Tool, Toolset};
use parameters::{Healthcheck, PullPolicy, Resources};
use preflight::World;
use settings::Settings;
use steps::{Created, Steps};

/// What is shown of the output of a container that died at once.
const LOG_LINES: u32 = 20;
const LOG_BYTES: usize = 4000;
/// Pauses between two looks at a new container; each costs a process.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateContainer {
    /// Image; pulled when missing.
    image: ImageRef,
    /// Name (default: a random one).
    name: Option<ContainerName>,
    /// Container to host port: `{"80": 8080, "53/udp": "0.0.0.0:53"}` (default address 127.0.0.1).
    #[serde(default)]
    ports: Ports,
    /// Variables.
    #[serde(default)]
    environment: Environment,
    /// File of KEY=VALUE lines.
    env_file: Option<HostPath>,
    /// `["./src:/app:ro", "data:/data"]`: folders, named volumes.
    #[serde(default)]
    volumes: Mounts,
    /// Network, none, host or container:NAME (default bridge).
    network: Option<NetworkMode>,
    /// Further networks.
    #[serde(default)]
    networks: Vec<NetworkName>,
    /// no, always, unless-stopped, on-failure[:5] (default no).
    restart: Option<RestartPolicy>,
    /// Command and arguments; no shell.
    command: Option<CommandLine>,
    /// Program that gets the command.
    entrypoint: Option<CommandLine>,
    /// User[:group].
    user: Option<UserSpec>,
    /// Folder to run in.
    working_dir: Option<ContainerPath>,
    /// Host name.
    hostname: Option<HostName>,
    /// Labels.
    #[serde(default)]
    labels: Labels,
    /// Limit: "512m".
    memory: Option<Memory>,
    /// Limit: 1.5.
    cpus: Option<Cpus>,
    /// As in compose: limits, reservations {cpus, memory}.
    #[serde(default)]
    resources: Resources,
    /// As in compose: test, interval, timeout, retries, start_period, disable.
    healthcheck: Option<Healthcheck>,
    /// `{"host.docker.internal": "host-gateway"}`.
    #[serde(default)]
    extra_hosts: ExtraHosts,
    /// linux/arm64 …
    platform: Option<Platform>,
    /// Default missing.
    #[serde(default)]
    pull: PullPolicy,
    /// Init as process 1.
    #[serde(default)]
    init: bool,
    /// Read-only root.
    #[serde(default)]
    read_only: bool,
    /// `["/run:size=64m"]`.
    #[serde(default)]
    tmpfs: Tmpfs,
    /// "128m" (default 64m).
    shm_size: Option<ByteSize>,
    /// Most processes.
    pids_limit: Option<Bounded<1, 4_194_304>>,
    /// `{"nofile": "1024:2048"}`.
    #[serde(default)]
    ulimits: Ulimits,
    /// Capabilities.
    #[serde(default)]
    cap_add: Vec<Capability>,
    /// Capabilities, or ALL.
    #[serde(default)]
    cap_drop: Vec<Capability>,
    /// `["no-new-privileges"]`.
    #[serde(default)]
    security_opt: Vec<SecurityOption>,
    /// All rights.
    #[serde(default)]
    privileged: bool,
    /// all, a number, device=0,1.
    gpus: Option<GpuRequest>,
    /// `["/dev/fuse"]`.
    #[serde(default)]
    devices: Vec<DeviceSpec>,
    /// Servers.
    #[serde(default)]
    dns: Vec<IpAddr>,
    /// Log driver.
    log_driver: Option<LogDriver>,
    /// `{"max-size": "10m"}`.
    #[serde(default)]
    log_options: DriverOptions,
    /// Default SIGTERM.
    stop_signal: Option<Signal>,
    /// Seconds to SIGKILL (default 10).
    stop_timeout_seconds: Option<u16>,
    /// Default true.
    #[serde(default = "yes")]
    start: bool,
    /// Seconds to watch it (default 1).
    wait_seconds: Option<Bounded<0, 60>>,
    /// Preview only.
    #[serde(default)]
    dry_run: bool,
}

fn yes() -> bool {
    true
}

/// The container as it is after the time of watching.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    id: String,
    name: String,
    state: String,
    health: Option<String>,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    restart_count: Option<u64>,
    /// As they are bound: `127.0.0.1:8080->80/tcp`.
    ports: Vec<String>,
    /// The last lines of one that died at once.
    log_tail: String,
    warnings: Vec<String>,
    command: String,
}

impl Tool for CreateContainer {
    const SPEC: Spec = Spec {
        name: "create-container",
        title: "Create and start a container",
        description: "Create and start a container (docker run -d) and tell whether it stayed up, or why not. For several services: deploy-compose.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: false,
        open_world: true,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let settings = Settings::resolve(&self, &context.workspace)?;
        settings.secrets().for_each(|secret| context.docker.redactor().learn(secret));
        let world = preflight::look(context, &self, &settings).await?;
        let request = confirm::token()?;
        let steps = self.steps(&settings, &world, &request)?;
        // Before a pull: what is refused leaves nothing behind.
        context.docker.permit(&steps.create.0)?;
        if self.dry_run {
            let name = self.name.as_ref().map_or("<id>", ContainerName::as_str);
            return Ok(Change::DryRun(DryRun::new(steps.shown(name))));
        }

        if let Some(pull) = &steps.pull {
            pull.run(&context.docker).await?;
        }
        let created = create(context, &steps, &request).await?;
        let name = self.name.as_ref().map_or(short_id(&created.id), ContainerName::as_str);
        let lost = match steps.bring_up(context, &created.id, name).await {
            Ok(lost) => lost,
            Err(error) => {
                let error = explain(context, error).await;
                return Err(undo::undo(context, Some(&created.id), &request, error).await);
            }
        };
        let wait = Duration::from_secs(self.wait_seconds.map_or(1, Bounded::get).into());
        let container =
            match watch(context, &created.id, if self.start { wait } else { Duration::ZERO }).await
            {
                Ok(container) => container,
                Err(error) if error.code == Code::Cancelled => {
                    return Err(undo::undo(context, Some(&created.id), &request, error).await);
                }
                Err(error) => {
                    return Err(error.with("container", name).hint(
                        "it was created and started; inspect-container tells what became of it",
                    ));
                }
            };
        let mut warnings = settings.warnings;
        warnings.extend(created.warnings);
        warnings.extend(lost);
        Ok(Change::Done(reply(context, &container, warnings, &steps).await))
    }
}

impl CreateContainer {
    fn steps(&self, settings: &Settings, world: &World, request: &str) -> Result<Steps, Error> {
        let (platform, local) = (self.platform.as_ref(), world.image.as_ref());
        let pull = image::pull_needed(&self.image, platform, self.pull, local)?;
        let mut steps = Steps::new(self, settings, pull, request);
        for hazard in world.hazards() {
            steps.create.0 = steps.create.0.hazard(hazard);
        }
        Ok(steps)
    }
}

/// Creates it once, even when docker's answer is lost: then it is found by its label.
async fn create(context: &Context, steps: &Steps, request: &str) -> Result<Created, Error> {
    let error = match context.docker.run(&steps.create).await {
        Ok(created) => return Ok(created),
        Err(error) => error,
    };
    if !undo::may_exist(&error) {
        if steps.mounts_volumes {
            undo::forget_volumes(context, request).await;
        }
        return Err(explain(context, error).await);
    }
    match undo::find(&context.docker.for_cleanup(), request).await {
        Ok(Some(id)) if undo::was_lost(&error) => {
            let warnings =
                vec!["docker's answer to the creation was lost; it has been made".into()];
            Ok(Created { id, warnings })
        }
        Ok(found) => Err(undo::undo(context, found.as_deref(), request, error).await),
        Err(failed) => Err(undo::unknown(error, &failed, request)),
    }
}

/// Looks until it has come to an end or the time is over.
async fn watch(context: &Context, id: &str, wait: Duration) -> Result<Container, Error> {
    let until = Instant::now() + wait;
    let mut pause = FIRST_LOOK;
    loop {
        let query = InspectContainers { containers: vec![id.to_owned()], may_vanish: false };
        let container = context.docker.run(&query).await?.pop();
        let container = container.ok_or_else(|| {
            Error::new(Code::ContainerNotFound, "somebody removed the new container at once")
        })?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || container.exit_code().is_some() {
            return Ok(container);
        }
        context.docker.sleep(pause.min(left)).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn reply(
    context: &Context,
    container: &Container,
    warnings: Vec<String>,
    steps: &Steps,
) -> Reply {
    let exit_code = container.exit_code();
    let restarts = container.restart_count;
    let log_tail = match exit_code {
        Some(_) => log_tail(context, &container.id).await,
        None if restarts > 0 => log_tail(context, &container.id).await,
        None => String::new(),
    };
    Reply {
        id: container.short_id().to_owned(),
        name: container.name().to_owned(),
        state: container.state.status.clone(),
        health: container.health().map(str::to_owned),
        exit_code,
        exit_meaning: exit_code.and_then(|code| exit_meaning(code, container.state.oom_killed)),
        restart_count: (restarts > 0).then_some(restarts),
        ports: container.ports(),
        log_tail,
        warnings,
        command: DryRun::new(steps.shown(container.name())).into_command(),
    }
}

/// Not worth failing for: some log drivers cannot be read.
async fn log_tail(context: &Context, id: &str) -> String {
    let printed = context.docker.run(&Logs::last(id, LOG_LINES)).await.unwrap_or_default();
    text::tail(printed.text.trim_end(), LOG_BYTES).to_owned()
}

/// Who has what we wanted to have.
async fn explain(context: &Context, error: Error) -> Error {
    let about = |key| error.context.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
    match (error.code, about("container"), about("port")) {
        // Somebody took the name between our look and our call.
        (Code::NameConflict, Some(name), _) => {
            let query = InspectContainers::listed([name.clone()]);
            let holder = context.docker.run(&query).await.unwrap_or_default().pop();
            let hint = holder.as_ref().and_then(|holder| preflight::name_conflict(holder).hint);
            Error { hint: hint.or(error.hint.clone()), ..error }
        }
        (Code::PortInUse, _, Some(port)) => {
            let published = format!(":{port}->");
            let Ok(rows) = context.docker.run(&ListContainers::default()).await else {
                return error;
            };
            let holder = rows.iter().find(|row| row.ports.iter().any(|p| p.contains(&published)));
            let hint = match holder {
                Some(row) => format!(
                    "choose another host port, or stop container {}, which holds {port}",
                    row.name
                ),
                None => format!(
                    "choose another host port: a program outside docker's containers holds {port}"
                ),
            };
            error.hint(hint)
        }
        _ => error,
    }
}
