//! The changes, in their order: pull, create, join further networks, start.

use super::Order;
use super::resolved::Resolved;
use crate::command::containers::InspectContainers;
use crate::command::pull::Pull;
use crate::command::{Act, Command, Effect, Invocation, Output, time};
use crate::error::{Code, Error};
use crate::tools::Context;

/// Lines of docker's own warnings that are passed on.
const WARNINGS: usize = 10;
const WARNING_CHARS: usize = 300;

/// All that will be run. Nothing of it is decided later.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) pull: Option<Pull>,
    pub(super) create: Create,
    pub(super) further_networks: Vec<String>,
    pub(super) start: bool,
    /// Volumes may come to be with it.
    pub(super) mounts_volumes: bool,
}

impl Steps {
    pub(super) fn new(
        order: &Order<'_>,
        resolved: &Resolved,
        pull: Option<Pull>,
        request: &str,
    ) -> Self {
        Self {
            pull,
            create: Create(order.invocation(resolved, request)),
            further_networks: resolved.further_networks.iter().map(ToString::to_string).collect(),
            start: order.start,
            mounts_volumes: order.settings.named_volumes().next().is_some(),
        }
    }

    /// The command lines, for a container of that name.
    pub(super) fn shown(&self, container: &str) -> Vec<Invocation> {
        let mut shown: Vec<_> = self.pull.iter().map(Pull::invocation).collect();
        shown.push(self.create.0.clone());
        let connect = |network: &String| connect(network, container).0;
        shown.extend(self.further_networks.iter().map(connect));
        shown.extend(self.start.then(|| start(container).0));
        shown
    }

    /// Joins the further networks and starts it. What docker may have done although its answer
    /// was lost becomes a warning.
    pub(super) async fn bring_up(
        &self,
        context: &Context,
        id: &str,
        name: &str,
    ) -> Result<Option<String>, Error> {
        for network in &self.further_networks {
            let joining = connect(network, id);
            context.docker.run(&joining).await.map_err(|error| {
                let shown = connect(network, name).0.to_string();
                error.with("container", name).with("network", network.as_str()).command(shown)
            })?;
        }
        if !self.start {
            return Ok(None);
        }
        let Err(error) = context.docker.run(&start(id)).await else { return Ok(None) };
        if error.answer_was_lost() && was_started(context, id).await {
            return Ok(Some("docker's answer to the start was lost; it has been started".into()));
        }
        Err(error.with("container", name).command(start(name).0.to_string()))
    }
}

async fn was_started(context: &Context, id: &str) -> bool {
    let query = InspectContainers::listed([id.to_owned()]);
    let found = context.docker.run(&query).await.unwrap_or_default();
    found.iter().any(|container| !time::from_docker(&container.state.started_at).is_empty())
}

/// `docker container create`, which prints the ID; what it says on standard error are warnings.
#[derive(Debug)]
pub(super) struct Create(pub(super) Invocation);

/// A container that was made.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::tools::container) struct Created {
    /// The full ID.
    pub(in crate::tools::container) id: String,
    pub(in crate::tools::container) warnings: Vec<String>,
}

impl Command for Create {
    type Reply = Created;

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    fn parse(&self, output: &Output) -> Result<Created, Error> {
        let id = output.stdout.lines().map(str::trim).rfind(|line| !line.is_empty());
        let id = id.filter(|id| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(id) = id else {
            let said: String = output.stdout.trim().chars().take(80).collect();
            return Err(Error::new(Code::UnexpectedOutput, "docker printed no ID of a container")
                .with("printed", said));
        };
        Ok(Created { id: id.to_owned(), warnings: warnings(&output.stderr) })
    }
}

fn warnings(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let text = |line: &str| {
        let text = line.trim_start_matches("WARNING: ").trim_end_matches('.');
        text.chars().take(WARNING_CHARS).collect()
    };
    lines.take(WARNINGS).map(text).collect()
}

fn connect(network: &str, container: &str) -> Act {
    let connect = Invocation::docker(Effect::Change, ["network", "connect"]);
    Act(connect.operands([network, container]))
}

fn start(container: &str) -> Act {
    Act(Invocation::docker(Effect::Change, ["container", "start"]).operands([container]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5d3f8a1be2c94d7f8a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5";

    fn parse(stdout: &str, stderr: &str) -> Result<Created, Error> {
        let output = Output { stdout: stdout.into(), stderr: stderr.into(), ..Output::default() };
        Create(Invocation::docker(Effect::Change, ["container", "create"])).parse(&output)
    }

    #[test]
    fn what_docker_says_beside_the_id_is_a_warning() {
        let stderr = "WARNING: Published ports are discarded when using host network mode\n";
        let created = parse(&format!("{ID}\n"), stderr).unwrap();
        assert_eq!(created.id, ID);
        assert_eq!(
            created.warnings,
            ["Published ports are discarded when using host network mode"]
        );
    }

    #[test]
    fn without_an_id_there_is_no_container_to_speak_of() {
        assert_eq!(parse("", "").unwrap_err().code, Code::UnexpectedOutput);
        assert_eq!(parse("hello\n", "").unwrap_err().code, Code::UnexpectedOutput);
    }
}
