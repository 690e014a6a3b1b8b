//! What a rule finds, and the calls it recommends.

use serde_json::Value;

use super::facts::{Facts, Line, Subject};
use crate::command::labels;

/// Why a container stands as it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cause {
    /// The rule: `port-taken`.
    pub(super) id: &'static str,
    /// A half sentence that goes on from how the container stands.
    pub(super) why: String,
    pub(super) evidence: Vec<String>,
    pub(super) fix: String,
    pub(super) next: Vec<String>,
    /// The container that is the real cause, when it is not well itself.
    pub(super) blames: Option<String>,
    /// Said without knowing more than the exit code; a dependency that is down explains more.
    pub(super) vague: bool,
    /// It fails although it runs.
    pub(super) fails: bool,
    /// Where it may be defined what is to be changed: the first that is there.
    pub(super) sites: Vec<Site>,
    /// A port of this machine that has to be changed too.
    pub(super) further_port: Option<u16>,
    /// What should stand there.
    pub(super) to: Option<String>,
    /// The other container in whose definition that is, although it is well itself.
    pub(super) peer: Option<String>,
}

/// A part of what defines a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// A key of its service: `mem_limit`.
    Key(&'static str),
    /// An instruction of the Dockerfile.
    Instruction(&'static str),
    /// The published port with this number on the host.
    Port(u16),
    /// The published port with this number in the container.
    Target(u16),
    /// The mount with this path, here or in the container.
    Mount(String),
    Variable(String),
    /// A variable of which the name ends so.
    VariableLike(&'static [&'static str]),
    /// A word of a variable, of the command, or of a file that it mounts or is built from.
    Word(String),
    /// A setting of a server: in its command, or in a file that it mounts.
    Directive(&'static str),
    /// A file as the container sees it, with the line where that is known.
    File(String, Option<usize>),
    /// A key of the whole project: `networks.front.ipam`.
    Top(Vec<String>),
}

/// What is known of the place where a cause is to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Placed {
    /// `shop/.env:2 (API_MEMORY)`
    pub(super) place: Option<String>,
    /// What to change there, when it is known.
    pub(super) fix: Option<String>,
    pub(super) evidence: Vec<String>,
    /// What makes the change take effect.
    pub(super) next: Option<String>,
    /// The deployment of a project that never came up, whose files nothing tells.
    pub(super) deploy: Option<String>,
    /// Whether the definition comes from files, so that changing the container itself is undone by
    /// the next deployment.
    pub(super) is_deployed: bool,
}

impl Cause {
    pub(super) fn new(id: &'static str, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { id, why: why.into(), fix: fix.into(), ..Self::default() }
    }

    /// Whether it only says that a deployment or a restart would make it another one: true of much
    /// that works, and hardly ever the reason of what does not.
    pub(super) fn is_drift(&self) -> bool {
        matches!(
            self.id,
            "drift" | "stale-image" | "sources-newer" | "file-changed" | "volume-covers"
        )
    }

    pub(super) fn evidence(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    pub(super) fn said(self, line: &Line) -> Self {
        self.evidence(format!("log: {}", line.text.trim()))
    }

    pub(super) fn next(mut self, call: String) -> Self {
        self.next.push(call);
        self
    }

    pub(super) fn blames(mut self, container: impl Into<String>) -> Self {
        self.blames = Some(container.into());
        self
    }

    pub(super) fn at(mut self, sites: impl IntoIterator<Item = Site>) -> Self {
        self.sites.extend(sites);
        self
    }

    pub(super) fn to(mut self, value: impl Into<String>) -> Self {
        self.to = Some(value.into());
        self
    }

    pub(super) fn in_peer(mut self, container: impl Into<String>) -> Self {
        self.peer = Some(container.into());
        self
    }

    pub(super) fn fails(mut self) -> Self {
        self.fails = true;
        self
    }

    pub(super) fn vague(mut self) -> Self {
        self.vague = true;
        self
    }
}

/// A call of this server as it would be sent: `get-logs {"container_name":"web","tail":50}`.
pub(super) fn call(tool: &str, arguments: &[(&str, &str)]) -> String {
    let arguments: Vec<String> =
        arguments.iter().map(|(name, value)| format!("{name:?}:{}", Value::from(*value))).collect();
    format!("{tool} {{{}}}", arguments.join(","))
}

/// A call that only names a container.
pub(super) fn on(tool: &str, container: &str) -> String {
    call(tool, &[("container_name", container)])
}

/// What makes a changed file take effect.
pub(super) fn redeploy(project: &str, builds: bool) -> String {
    let builds = if builds { ",\"build\":true" } else { "" };
    format!("deploy-compose {{\"project_name\":{}{builds}}}", Value::from(project))
}

pub(super) fn logs(container: &str) -> String {
    format!("get-logs {{\"container_name\":{},\"tail\":50}}", Value::from(container))
}

/// What brings up a container that does not run. Compose puts secrets and configs into what it has
/// made just before it starts it, so the first start is its own.
pub(super) fn start(container: &str, project: Option<&str>, was_never_started: bool) -> String {
    match project {
        Some(project) if was_never_started => call("deploy-compose", &[("project_name", project)]),
        _ => on("start-container", container),
    }
}

/// What makes a changed definition take effect.
pub(super) fn deploy(facts: &Facts, subject: &Subject) -> Option<String> {
    let project = subject.project()?;
    // Its files are found again, also those that belong together.
    if facts.outlook.is_some() {
        return Some(call("deploy-compose", &[("project_name", project)]));
    }
    // What was deployed from standard input names no file.
    let file = subject.container.label(labels::PROJECT_FILES);
    let file = file.filter(|file| file.starts_with('/') && !file.contains(','));
    Some(match file {
        Some(file) => call("deploy-compose", &[("project_name", project), ("compose_file", file)]),
        None => call("compose-ps", &[("project_name", project)]),
    })
}
