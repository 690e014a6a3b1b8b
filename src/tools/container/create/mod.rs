//! create-container: what `docker run -d` does, in steps that can be undone.

mod carried;
mod env_file;
mod image;
mod invocation;
mod parameters;
mod preflight;
mod resolved;
mod settings;
mod steps;
mod undo;

use std::sync::LazyLock;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

pub(super) use carried::{Carried, Network};
pub(super) use preflight::name_conflict;
pub(super) use settings::Settings;

pub(super) use undo::RemoveOwn;

use crate::command::containers::{Container, InspectContainers, exit_meaning};
use crate::command::logs::Logs;
use crate::command::text::short_id;
use crate::command::values::{Bounded, ContainerName, ImageRef, RestartPolicy};
use crate::command::{Effect, Invocation, text};
use crate::error::{Code, Error};
use crate::parameters::{Brief, With};
use crate::tools::protect::judge_names;
use crate::tools::{
    Change, Context, Prepared, Spec, Toolset, arguments, outcome, ports, provenance, schema,
};
use crate::workspace::Workspace;
use parameters::PullPolicy;
use resolved::Resolved;
use steps::{Created, Steps};
use undo::undo;

/// What is shown of the output of a container that died at once.
const LOG_LINES: u32 = 20;
const LOG_BYTES: usize = 4000;
/// Pauses between two looks at a new container; each costs a process.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub(super) type CreateContainer = With<Own, Settings>;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Own {
    /// Its image, pulled when missing.
    image: ImageRef,
    /// Its name; default a random one.
    name: Option<ContainerName>,
    /// Restart policy: no, always, unless-stopped, on-failure[:5].
    restart: Option<RestartPolicy>,
    /// Start it too; default true.
    #[serde(default = "yes")]
    start: bool,
    /// Seconds it is watched; default 1.
    wait_seconds: Option<Bounded<0, 60>>,
}

pub(super) fn yes() -> bool {
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
}

impl Change for CreateContainer {
    const SPEC: Spec = Spec {
        name: "create-container",
        title: "Create container",
        description: "Create and start a new container from an image in the background (`docker run -d`, \
                      `docker run --detach`, `docker create`): a server such as nginx, with published \
                      port, volumes, limits; tells whether it stays up. Several services: deploy-compose.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: false,
        open_world: true,
    };
    #[rustfmt::skip]
    const BRIEF: Option<Brief> = Some(Brief {
        described: &[
            "image", "name", "command", "entrypoint", "ports", "environment", "env_file",
            "volumes", "network", "networks", "labels", "restart", "memory", "cpus",
            "healthcheck", "user", "working_dir", "pull", "start", "wait_seconds",
        ],
        others: "Further settings, called and written as in a compose file: cap_add, cap_drop, \
                 devices, dns, extra_hosts, gpus, hostname, init, log_driver, log_options, \
                 pids_limit, platform, privileged, read_only, resources, security_opt, shm_size, \
                 stop_signal, stop_timeout_seconds, tmpfs, ulimits.",
    });
    type Ready = (Self, Creation);
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Self::Ready>, Error> {
        let creation = self.order().prepare(context).await?;
        Ok(Prepared::new(creation.shown(self.own.name.as_ref()), (self, creation)))
    }

    async fn apply((tool, creation): Self::Ready, context: &Context) -> Result<Reply, Error> {
        let order = tool.order();
        let created = creation.make(context).await?;
        let name = order.name.map_or(short_id(&created.id), ContainerName::as_str);
        let lost = match creation.bring_up(context, &created, name).await {
            Ok(lost) => lost,
            Err(error) => return Err(creation.take_back(context, &created, error).await),
        };
        let wait = Duration::from_secs(tool.own.wait_seconds.map_or(1, Bounded::get).into());
        let wait = if order.start { wait } else { Duration::ZERO };
        let container = match watch(context, &created.id, wait).await {
            Ok(container) => container,
            Err(error) if error.code == Code::Cancelled => {
                return Err(undo(context, Some(&created.id), &creation.request, error).await);
            }
            Err(error) => {
                return Err(error.with("container", name).hint(
                    "it was created and started; inspect-container tells what became of it",
                ));
            }
        };
        let mut warnings = creation.warnings;
        warnings.extend(created.warnings);
        warnings.extend(lost);
        Ok(reply(context, &container, warnings).await)
    }
}

impl CreateContainer {
    fn order(&self) -> Order<'_> {
        Order {
            image: &self.own.image,
            name: self.own.name.as_ref(),
            restart: self.own.restart,
            interactive: false,
            start: self.own.start,
            settings: &self.shared,
            carried: None,
        }
    }
}

/// The `docker container create` that these arguments come to; docker is not asked.
///
/// # Errors
/// DKR-004 and DKR-008 that name the parameter.
pub(in crate::tools) fn command(
    given: Map<String, Value>,
    workspace: &Workspace,
) -> Result<Invocation, Error> {
    static SCHEMA: LazyLock<Map<String, Value>> = LazyLock::new(schema::full::<CreateContainer>);
    let tool: CreateContainer = arguments::read(arguments::fit(&SCHEMA, given)?)?;
    let order = tool.order();
    Ok(order.invocation(&Resolved::resolve(order.settings, workspace)?, "0123456789abcdef"))
}

/// A container to be made.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) image: &'a ImageRef,
    pub(super) name: Option<&'a ContainerName>,
    pub(super) restart: Option<RestartPolicy>,
    /// It gets standard input.
    pub(super) interactive: bool,
    pub(super) start: bool,
    pub(super) settings: &'a Settings,
    /// What it takes over from the one that it replaces.
    pub(super) carried: Option<&'a Carried>,
}

/// Everything has been looked up and decided, nothing has been changed.
#[derive(Debug)]
pub(super) struct Creation {
    steps: Steps,
    pub(super) warnings: Vec<String>,
    /// The mark of what this call makes.
    pub(super) request: String,
}

impl Order<'_> {
    /// # Errors
    /// DKR-003, DKR-004, DKR-007 and DKR-008 for what cannot be made.
    pub(super) async fn prepare(&self, context: &Context) -> Result<Creation, Error> {
        let resolved = Resolved::resolve(self.settings, &context.workspace)?;
        outcome::learn(&context.docker, &resolved.environment);
        let world = preflight::look(context, self, &resolved).await?;
        let request = provenance::request()?;
        let (platform, local) = (self.settings.platform.as_ref(), world.image.as_ref());
        let pull = image::pull_needed(self.image, platform, self.settings.pull, local)?;
        // What is missing has no name that could be taken.
        if let Some(pull) =
            pull.as_ref().filter(|_| self.settings.pull == PullPolicy::Always || local.is_some())
        {
            judge_names(&context.docker, [pull.image.clone()], None).await?;
        }
        let mut steps = Steps::new(self, &resolved, pull, &request);
        for hazard in world.hazards() {
            steps.create.0 = steps.create.0.hazard(hazard);
        }
        Ok(Creation { steps, warnings: resolved.warnings, request })
    }
}

impl Creation {
    /// The command lines, for a container that may have no name yet.
    pub(super) fn shown(&self, name: Option<&ContainerName>) -> Vec<Invocation> {
        self.steps.shown(name.map_or("<id>", ContainerName::as_str))
    }

    /// Fetches the image when it has to be, and creates the container.
    ///
    /// # Errors
    /// What docker says; nothing is left behind.
    pub(super) async fn make(&self, context: &Context) -> Result<Created, Error> {
        if let Some(pull) = &self.steps.pull {
            image::run(pull, &context.docker).await?;
        }
        create(context, &self.steps, &self.request).await
    }

    /// Joins the further networks, and starts it when that was ordered.
    ///
    /// # Errors
    /// What docker says.
    pub(super) async fn bring_up(
        &self,
        context: &Context,
        created: &Created,
        name: &str,
    ) -> Result<Option<String>, Error> {
        self.steps.bring_up(context, &created.id, name).await
    }

    /// After a failure: nothing is left behind, and the error says who is in the way.
    pub(super) async fn take_back(
        &self,
        context: &Context,
        created: &Created,
        error: Error,
    ) -> Error {
        let error = explain(context, error).await;
        undo(context, Some(&created.id), &self.request, error).await
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
        Ok(Some(id)) if error.answer_was_lost() => {
            let warnings =
                vec!["docker's answer to the creation was lost; it has been made".into()];
            Ok(Created { id, warnings })
        }
        Ok(found) => Err(undo::undo(context, found.as_deref(), request, error).await),
        Err(failed) => Err(undo::unknown(error, &failed, request)),
    }
}

/// Looks until it has come to an end or the time is over.
pub(super) async fn watch(context: &Context, id: &str, wait: Duration) -> Result<Container, Error> {
    let until = Instant::now() + wait;
    let mut pause = FIRST_LOOK;
    loop {
        let query = InspectContainers::one(id);
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

async fn reply(context: &Context, container: &Container, warnings: Vec<String>) -> Reply {
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
    }
}

/// Not worth failing for: some log drivers cannot be read.
pub(super) async fn log_tail(context: &Context, id: &str) -> String {
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
            let conflict = holder.as_ref().map(preflight::name_conflict);
            match conflict.and_then(|mut conflict| conflict.hint.take()) {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
        (Code::PortInUse, _, Some(_)) => ports::with_holder(&context.docker, error, None).await,
        _ => error,
    }
}
