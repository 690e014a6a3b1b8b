use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::project;
use super::view::no_such_service;
use crate::command::Effect;
use crate::command::containers::Container;
use crate::command::values::{Bounded, ProjectName, ServiceName};
use crate::error::{Code, Error};
use crate::parameters::With;
use crate::sort;
use crate::tools::execution::{Execution, Ready, Reply};
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

pub(super) type ComposeExec = With<Target, Execution>;

/// In which container.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Target {
    /// Name of the compose project.
    project_name: ProjectName,
    /// Name of the service in the compose file.
    service: ServiceName,
    /// Which container of the service, counted from 1.
    index: Option<Bounded<1, 1000>>,
}

impl Change for ComposeExec {
    const SPEC: Spec = Spec {
        name: "compose-exec",
        title: "Run in service",
        description: "Run a command or a shell in a running service of a compose project (`docker compose \
                      exec`). In a new container: compose-run.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: true,
    };
    const REMOVES: bool = false;
    type Ready = (Ready, ServiceName);
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Self::Ready>, Error> {
        let (docker, project, service) =
            (&context.docker, &self.own.project_name, &self.own.service);
        let containers = project::containers(docker, project).await?;
        if containers.is_empty() {
            return Err(project::no_such_project(docker, project).await);
        }
        let container = self.own.container(&containers)?.clone();
        let prepared = self.shared.prepare(context, container).await;
        let Prepared { commands, ready, .. } =
            prepared.map_err(|error| error.with("service", service.as_str()))?;
        Ok(Prepared::new(commands, (ready, self.own.service)))
    }

    async fn apply((ready, service): Self::Ready, context: &Context) -> Result<Reply, Error> {
        let done = ready.run(&context.docker).await;
        done.map_err(|error| error.with("service", service.as_str()))
    }
}

impl Target {
    fn container<'a>(&self, containers: &'a [Container]) -> Result<&'a Container, Error> {
        let own: Vec<&Container> = containers
            .iter()
            .filter(|container| project::service(container) == self.service.as_str())
            .collect();
        if own.is_empty() {
            let known: BTreeSet<String> =
                containers.iter().map(|other| project::service(other).to_owned()).collect();
            return Err(no_such_service("service", self.service.as_str(), &known));
        }
        let index = self.index.map(Bounded::get);
        let mut wanted: Vec<&Container> = own
            .iter()
            .filter(|container| index.is_none_or(|index| project::number(container) == index))
            .copied()
            .collect();
        sort::by(&mut wanted, |a, b| project::number(a).cmp(&project::number(b)));
        if wanted.is_empty() {
            let numbers: Vec<String> =
                own.iter().map(|container| project::number(container).to_string()).collect();
            let message = format!("there is no container {} of it", index.unwrap_or_default());
            return Err(Error::invalid("index", message)
                .with("service", self.service.as_str())
                .hint(format!("there are {}", numbers.join(", "))));
        }
        let running = wanted.iter().find(|container| container.state.status == "running");
        running.copied().ok_or_else(|| {
            let state = wanted.first().map_or("absent", |first| first.state.status.as_str());
            let message =
                format!("service {:?} is not running: it is {state}", self.service.as_str());
            Error::new(Code::WrongState, message).with("service", self.service.as_str()).hint(
                "compose-start starts it, compose-run runs a command in a container of its own",
            )
        })
    }
}
