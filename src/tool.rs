//! The contract of a tool: what it tells about itself, what it may use, and the course it takes.

use std::future::ready;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::command::{Effect, Invocation};
use crate::confirm::{Asks, Confirmations, Doomed};
use crate::docker::Docker;
use crate::error::Error;
use crate::parameters::Brief;
use crate::policy::Policy;
use crate::reply::IntoAnswer;
use crate::workspace::Workspace;

/// What a tool is, in words and in kind. There are no defaults, so nothing can be forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub name: &'static str,
    pub title: &'static str,
    /// What it does, when to use it, and which sibling to use instead.
    pub description: &'static str,
    pub toolset: Toolset,
    /// The most it may do; annotations, read-only mode and retry follow from it.
    pub effect: Effect,
    /// A second call with the same arguments changes nothing more.
    pub idempotent: bool,
    /// It reaches beyond this host (registries).
    pub open_world: bool,
}

/// Groups of tools that an operator can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Toolset {
    Containers,
    Images,
    Volumes,
    Networks,
    Compose,
    System,
    /// The few of all groups with which most is done: for clients that load every definition.
    Core,
}

const CORE: [&str; 22] = [
    "compose-down",
    "compose-logs",
    "compose-ps",
    "create-container",
    "deploy-compose",
    "diagnose",
    "docker-info",
    "exec-container",
    "get-logs",
    "inspect-container",
    "kill-container",
    "list-containers",
    "list-images",
    "list-volumes",
    "pause-container",
    "pull-image",
    "remove-container",
    "restart-container",
    "start-container",
    "stop-container",
    "unpause-container",
    "wait-container",
];

impl Toolset {
    pub fn includes(self, tool: &Spec) -> bool {
        self == tool.toolset || (self == Self::Core && CORE.contains(&tool.name))
    }
}

/// A tool is its parameters: a struct whose doc comments a model reads.
pub trait Tool: DeserializeOwned + JsonSchema + Send + 'static {
    const SPEC: Spec;
    /// For a tool that shares most of its parameters with another one.
    const BRIEF: Option<Brief> = None;
    type Reply: IntoAnswer;

    /// Whether it can work at all with this policy; if not, it is not listed.
    fn can_work(policy: &Policy) -> bool {
        policy.permits(Self::SPEC.effect)
    }

    fn call(self, context: &Context) -> impl Future<Output = Result<Self::Reply, Error>> + Send;
}

/// A tool that changes something: first what it would do, then that. `dry_run`, `confirm`, the
/// permission, the plan and the echoed command are the same for all of them; the registry sees to
/// them, and adds the two parameters to the definition.
pub trait Change: DeserializeOwned + JsonSchema + Send + 'static {
    const SPEC: Spec;
    /// Whether it removes something for good, so that there may be a plan to confirm.
    const REMOVES: bool = matches!(Self::SPEC.effect, Effect::Destroy);
    /// For a tool that shares most of its parameters with another one.
    const BRIEF: Option<Brief> = None;
    /// What [`Self::prepare`] hands over.
    type Ready: Send;
    type Reply: Serialize + Send;

    /// Whether it can work at all with this policy; if not, it is not listed.
    fn can_work(policy: &Policy) -> bool {
        policy.permits(Self::SPEC.effect)
    }

    /// Finds out what would be done. It runs under a ceiling of [`Effect::Read`]: a preview cannot
    /// act.
    fn prepare(
        self,
        context: &Context,
    ) -> impl Future<Output = Result<Prepared<Self::Ready>, Error>> + Send;

    /// More of a preview than its command lines; it runs under the same ceiling.
    fn forecast(
        _: &Self::Ready,
        _: &Context,
    ) -> impl Future<Output = Result<Map<String, Value>, Error>> + Send {
        ready(Ok(Map::new()))
    }

    /// What a preview does without, and the person has to know: what takes long to measure, or is
    /// known only of what has been fetched. Whatever it makes goes again when nothing comes of it.
    fn complete(
        prepared: Prepared<Self::Ready>,
        _: &Context,
    ) -> impl Future<Output = Result<Prepared<Self::Ready>, Error>> + Send {
        ready(Ok(prepared))
    }

    /// Does it.
    fn apply(
        ready: Self::Ready,
        context: &Context,
    ) -> impl Future<Output = Result<Self::Reply, Error>> + Send;
}

/// What a change would do.
#[derive(Debug)]
pub struct Prepared<Ready> {
    /// The command lines in their order, with the names that the caller knows; none when there is
    /// nothing to do.
    pub commands: Vec<Invocation>,
    /// The objects that would be gone.
    pub losses: Vec<Doomed>,
    pub asks: Asks,
    /// What else is to be known before: what stays, and why.
    pub notes: Vec<String>,
    pub ready: Ready,
}

/// What a change would do, without what it takes to do it.
#[derive(Debug, Default)]
pub struct Foreseen {
    /// The objects that would be gone.
    pub losses: Vec<Doomed>,
    pub asks: Asks,
    /// What else is to be known before.
    pub notes: Vec<String>,
}

impl<Ready> Prepared<Ready> {
    /// A change of these command lines that loses nothing.
    pub fn new(commands: impl Into<Vec<Invocation>>, ready: Ready) -> Self {
        let (losses, asks, notes) = (vec![], Asks::default(), vec![]);
        Self { commands: commands.into(), losses, asks, notes, ready }
    }

    /// The objects that would be gone with it.
    pub fn loses(self, losses: impl Into<Vec<Doomed>>) -> Self {
        Self { losses: losses.into(), ..self }
    }

    /// When the person is asked about them.
    pub fn asks(self, asks: Asks) -> Self {
        Self { asks, ..self }
    }

    /// What else is to be known before.
    pub fn notes(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }
}

/// What a call may use.
#[derive(Clone)]
pub struct Context {
    pub docker: Docker,
    pub workspace: Arc<Workspace>,
    pub confirmations: Arc<Confirmations>,
}

impl Context {
    /// The same for a look: nothing that changes anything runs.
    pub fn looking(&self) -> Self {
        Self { docker: self.docker.looking(), ..self.clone() }
    }
}
