//! The tools: what a client sees, each with its parameters, its words and its reply.

pub mod arguments;
mod batches;
mod build_log;
mod compose;
pub mod confirm;
mod container;
mod diagnose;
mod execution;
pub mod filters;
mod image;
mod lines;
mod losses;
mod network;
mod owners;
mod outcome;
mod ports;
mod protect;
mod provenance;
pub mod reply;
mod schema;
mod stop_time;
mod synonyms;
mod system;
mod users;
mod volume;
mod with;

use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::command::{Effect, Invocation};
use crate::docker::Docker;
use crate::error::Error;
use crate::policy::Policy;
use crate::sort;
use crate::workspace::Workspace;
use confirm::Confirmations;
use reply::{Answer, IntoAnswer};

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

/// The definition describes some of the parameters and only names the others, which another tool
/// describes: every client pays for every word of every definition.
#[derive(Clone, Copy, Debug)]
pub struct Brief {
    pub described: &'static [&'static str],
    /// What is said of the others.
    pub others: &'static str,
}

/// What a call may use.
#[derive(Clone)]
pub struct Context {
    pub docker: Docker,
    pub workspace: Arc<Workspace>,
    pub confirmations: Arc<Confirmations>,
}

type Arguments = Map<String, Value>;
type Running = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

/// A tool without its type, as the server keeps it.
pub struct Entry {
    pub spec: Spec,
    /// As clients see it: shorter.
    pub input_schema: Arc<Map<String, Value>>,
    /// All that is accepted, by which arguments are repaired.
    pub full_schema: Map<String, Value>,
    pub can_work: fn(&Policy) -> bool,
    run: fn(Arguments, Context) -> Running,
}

impl Entry {
    pub fn of<T: Tool>() -> Self {
        Self::new(T::SPEC, schema::full::<T>(), T::BRIEF, T::can_work, run::<T>)
    }

    /// What is the same for all, so that it is not repeated in the code of each.
    fn new(
        spec: Spec,
        full_schema: Map<String, Value>,
        brief: Option<Brief>,
        can_work: fn(&Policy) -> bool,
        run: fn(Arguments, Context) -> Running,
    ) -> Self {
        let input_schema = Arc::new(schema::advertised(&full_schema, brief));
        Self { spec, input_schema, full_schema, can_work, run }
    }

    /// Reads the arguments and runs the tool.
    ///
    /// # Errors
    /// DKR-004 for arguments that do not fit, and whatever the tool says.
    pub async fn call(&self, arguments: Arguments, context: Context) -> Result<Answer, Error> {
        let arguments = arguments::fit(&self.full_schema, arguments)?;
        let mut answer = (self.run)(arguments, context.clone()).await?;
        if let Answer::Plan { value, asked } = &mut answer {
            owners::name_foreign_projects(&context, value, asked).await;
        }
        Ok(answer)
    }
}

fn run<T: Tool>(arguments: Arguments, context: Context) -> Running {
    Box::pin(async move {
        let tool: T = arguments::read(arguments)?;
        Ok(tool.call(&context).await?.into_answer())
    })
}

/// The command line that these arguments of create-container come to, before docker is asked about
/// anything. For tests.
///
/// # Errors
/// DKR-004 and DKR-008 that name the parameter.
#[doc(hidden)]
pub fn create_command(arguments: Arguments, workspace: &Workspace) -> Result<Invocation, Error> {
    container::create_command(arguments, workspace)
}

/// Every tool, sorted by name.
pub fn all() -> Vec<Entry> {
    let families = [
        compose::tools(),
        container::tools(),
        diagnose::tools(),
        image::tools(),
        network::tools(),
        system::tools(),
        volume::tools(),
    ];
    let mut entries: Vec<Entry> = families.into_iter().flatten().collect();
    sort::by(&mut entries, |a, b| a.spec.name.cmp(b.spec.name));
    entries
}
