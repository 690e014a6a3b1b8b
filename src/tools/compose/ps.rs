use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::deployment::{Deployment, build_context};
use super::freshness::Images;
use super::holdings::images_by_name;
use super::project;
use super::view::no_such_service;
use crate::command::Effect;
use crate::command::containers::{Container, exit_meaning};
use crate::command::text::short_id;
use crate::command::values::{ProjectName, ServiceName};
use crate::error::Error;
use crate::sort;
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset, mounts};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposePs {
    /// Name of the compose project.
    project_name: ProjectName,
    /// Names of services; default all.
    #[serde(default)]
    services: Vec<ServiceName>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    project: String,
    services: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Listed {
    service: String,
    container: String,
    id: String,
    image: String,
    state: String,
    health: Option<String>,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    restart_count: Option<u64>,
    /// Why it could not be started.
    error: String,
    ports: Vec<String>,
    /// In what it differs from what a new deployment would run.
    drift: Vec<String>,
}

impl Tool for ComposePs {
    const SPEC: Spec = Spec {
        name: "compose-ps",
        title: "Show project",
        description: "Status of the services of a compose project (`docker compose ps`): which are \
                      running, healthy or exited, restarts, ports, drift from the file. All projects: \
                      list-compose-projects.",
        toolset: Toolset::Compose,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let mut containers = project::all_containers(docker, &self.project_name).await?;
        if containers.is_empty() {
            return Err(project::no_such_project(docker, &self.project_name).await);
        }
        choose(&mut containers, &self.services)?;
        sort::by(&mut containers, |a, b| {
            let numbers = || project::number(a).cmp(&project::number(b));
            project::service(a).cmp(project::service(b)).then_with(numbers)
        });
        let names = containers.iter().map(|container| container.config.image.clone()).collect();
        let (images, deployments) = tokio::join!(
            images_by_name(docker, names),
            Deployment::all(context, &self.project_name, &containers),
        );
        let mut drifts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for deployment in &deployments {
            let (definitions, outdated) = tokio::join!(
                deployment.drift(context, &self.project_name),
                outdated(context, deployment),
            );
            for (id, text) in definitions.into_iter().chain(outdated) {
                drifts.entry(id).or_default().push(text);
            }
        }
        // The images of containers whose files are not here may still tell.
        let folder = |container: &Container| {
            let of_it = |it: &&Deployment| it.containers.iter().any(|it| it.id == container.id);
            let deployment = deployments.iter().find(of_it)?;
            build_context(deployment.resolved.model(), container)
        };
        let (changed, covered) = tokio::join!(
            mounts::changed(docker, &context.workspace, &containers),
            mounts::covered(context, &containers, folder),
        );
        for (id, texts) in changed.into_iter().chain(covered) {
            drifts.entry(id).or_default().extend(texts);
        }
        // Drift is an extra; without it the rest of the answer is still right.
        let images = images.unwrap_or_default();
        let services = containers
            .iter()
            .map(|container| {
                let of_files = drifts.remove(&container.id).unwrap_or_default();
                let drift = other_image(container, &images).into_iter().chain(of_files);
                listed(container, drift.collect())
            })
            .collect();
        Ok(Structured(Reply { project: self.project_name.to_string(), services }))
    }
}

/// Leaves the containers of the chosen services.
///
/// # Errors
/// DKR-004 for a service that has none.
pub(super) fn choose(
    containers: &mut Vec<Container>,
    services: &[ServiceName],
) -> Result<(), Error> {
    let known: BTreeSet<String> =
        containers.iter().map(|container| project::service(container).to_owned()).collect();
    if let Some(name) = services.iter().find(|name| !known.contains(name.as_str())) {
        return Err(no_such_service("services", name.as_str(), &known));
    }
    containers.retain(|container| {
        services.is_empty()
            || services.iter().any(|name| name.as_str() == project::service(container))
    });
    Ok(())
}

fn listed(container: &Container, drift: Vec<String>) -> Listed {
    let exit_code = container.exit_code();
    Listed {
        service: project::service(container).to_owned(),
        container: container.name().to_owned(),
        id: container.short_id().to_owned(),
        image: container.config.image.clone(),
        state: container.state.status.clone(),
        health: container.health().map(str::to_owned),
        exit_code,
        exit_meaning: exit_code.and_then(|code| exit_meaning(code, container.state.oom_killed)),
        restart_count: (container.restart_count > 0).then_some(container.restart_count),
        error: container.state.error.clone(),
        ports: container.ports(),
        drift,
    }
}

/// The name of its image means another one now.
fn other_image(container: &Container, images: &BTreeMap<String, String>) -> Option<String> {
    let name = &container.config.image;
    match images.get(name) {
        Some(current) if *current != container.image => Some(format!(
            "{name} is now {}, it runs {}: deploy again",
            short_id(current),
            short_id(&container.image)
        )),
        None if !images.is_empty() => Some(format!("{name} no longer stands for an image here")),
        _ => None,
    }
}

/// By container: which file is newer than the image that was built from it.
async fn outdated(context: &Context, deployment: &Deployment) -> BTreeMap<String, String> {
    let images = Images::of(context, deployment.resolved.model(), deployment.services()).await;
    let Ok(images) = images else { return BTreeMap::new() };
    let outdated = images.outdated(context, &deployment.source).await;
    let told = deployment.containers.iter().filter_map(|container| {
        Some((container.id.clone(), outdated.get(project::service(container))?.clone()))
    });
    sort::map(told)
}
