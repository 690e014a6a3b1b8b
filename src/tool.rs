//! The contract of a tool: what it tells about itself, what it may use, and the course it takes.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::command::Effect;
use crate::confirm::Confirmations;
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

/// What a call may use.
#[derive(Clone)]
pub struct Context {
    pub docker: Docker,
    pub workspace: Arc<Workspace>,
    pub confirmations: Arc<Confirmations>,
}
