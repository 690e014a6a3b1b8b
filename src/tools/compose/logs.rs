//! compose-logs: the lines of several containers in the order of time, each with its service.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::project;
use super::ps::choose;
use crate::command::Effect;
use crate::command::containers::Container;
use crate::command::values::{ProjectName, ServiceName};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::parameters::{Brief, With};
use crate::sort;
use crate::tools::lines::{Account, Reader, Reading, Wish};
use crate::tools::reply::Text;
use crate::tools::{Context, Spec, Tool, Toolset};

/// Each follower keeps a docker client for its whole time, and there are only a few at once.
const FOLLOWED: usize = 6;

pub(super) type ComposeLogs = With<Target, Wish>;

/// Of which containers.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Target {
    /// Name of the compose project.
    project_name: ProjectName,
    /// Names of services; default all.
    #[serde(default)]
    services: Vec<ServiceName>,
}

impl Tool for ComposeLogs {
    const SPEC: Spec = Spec {
        name: "compose-logs",
        title: "Read project logs",
        description: "Logs of all services of a compose project merged by time (`docker compose logs`): \
                      search errors, follow, tail. For one container: get-logs.",
        toolset: Toolset::Compose,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    const BRIEF: Option<Brief> = Some(Brief {
        described: &["project_name", "services", "grep", "tail", "first", "since", "until_match"],
        others: "All of get-logs: context_lines, dedupe, follow, follow_seconds, invert, stream, \
                 timestamps, until.",
    });
    type Reply = Text;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let Target { project_name, services } = self.own;
        // Times are always read: they are what the lines are merged by.
        let reader = Reader::new(self.shared, true)?;
        let mut containers = project::all_containers(docker, &project_name).await?;
        if containers.is_empty() {
            return Err(project::no_such_project(docker, &project_name).await);
        }
        choose(&mut containers, &services)?;
        if reader.wish().follows() && containers.len() > FOLLOWED {
            let message = format!(
                "{} containers cannot be followed at once, {FOLLOWED} at most",
                containers.len()
            );
            return Err(Error::invalid("services", message).hint("choose some services"));
        }
        let (readings, broke_off) = read(docker, &reader, &containers).await?;
        let idle = containers.iter().filter(|container| container.state.status != "running");
        Ok(reader.told(readings, idle.map(Account::state).collect(), broke_off))
    }
}

/// Reads all at once, and waits for all.
async fn read(
    docker: &Docker,
    reader: &Reader,
    containers: &[Container],
) -> Result<(Vec<(Option<Arc<str>>, Reading)>, Option<String>), Error> {
    let names = names(containers);
    let mut running = JoinSet::new();
    for (at, container) in containers.iter().enumerate() {
        let name = names.get(&container.id).map_or(container.name(), String::as_str);
        let (docker, reader) = (docker.clone(), reader.clone());
        let (name, id): (Arc<str>, _) = (name.into(), container.id.clone());
        running.spawn(async move {
            let read = reader.read(&docker, &id, Some(&name)).await;
            (at, name, read)
        });
    }
    let mut readings = vec![];
    let mut unreadable = None;
    while let Some(joined) = running.join_next().await {
        let (at, name, read) = joined.map_err(|error| lost(&error))?;
        match read {
            Ok(reading) => readings.push((at, (Some(name), reading))),
            // It was removed in the meantime.
            Err(error) if error.code == Code::ContainerNotFound => {}
            // A log driver that keeps nothing must not hide the others.
            Err(error) if error.message.contains("does not support reading") => {
                unreadable = Some(format!("{name}: {}", error.message));
            }
            Err(error) => return Err(error.with("service", &*name)),
        }
    }
    sort::by(&mut readings, |(a, _), (b, _)| a.cmp(b));
    Ok((readings.into_iter().map(|(_, reading)| reading).collect(), unreadable))
}

/// What each container is called in front of its lines: its service, with its number when there
/// are several.
fn names(containers: &[Container]) -> BTreeMap<String, String> {
    let several = |container: &Container| {
        let service = project::service(container);
        containers.iter().filter(|other| project::service(other) == service).count() > 1
    };
    let name = |container: &Container| {
        let service = project::service(container);
        if project::is_one_off(container) {
            container.name().to_owned()
        } else if several(container) {
            format!("{service}-{}", project::number(container))
        } else {
            service.to_owned()
        }
    };
    sort::map(containers.iter().map(|container| (container.id.clone(), name(container))))
}

fn lost(error: &tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, format!("a reader was lost: {error}"))
}
