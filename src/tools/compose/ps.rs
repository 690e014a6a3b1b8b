use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forecast::Hashes;
use super::freshness::Images;
use super::holdings::images_by_name;
use super::model::{Config, resolve};
use super::project;
use super::source::{From, Source};
use super::view::no_such_service;
use crate::command::Effect;
use crate::command::containers::{Container, exit_meaning};
use crate::command::labels;
use crate::command::text::short_id;
use crate::command::values::{Environment, ProjectName, ServiceName};
use crate::command::version::ComposeVersionQuery;
use crate::docker::Docker;
use crate::error::Error;
use crate::sort;
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposePs {
    /// Project.
    project_name: ProjectName,
    /// Default all.
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
        description: "State, health, exit code, ports, drift of a project's containers. All projects: list-compose-projects.",
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
        let source = Source::of_project(&context.workspace, &self.project_name, &containers);
        let source = source.ok().flatten();
        let (images, definitions, outdated) = tokio::join!(
            images_by_name(docker, names),
            Definitions::now(docker, &self.project_name, source.as_ref(), &containers),
            outdated(context, &self.project_name, source.as_ref(), &containers),
        );
        // Drift is an extra; without it the rest of the answer is still right.
        let images = images.unwrap_or_default();
        let services = containers
            .iter()
            .map(|container| {
                let mut drift = drift(container, &images, definitions.as_ref());
                drift.extend(outdated.get(project::service(container)).cloned());
                listed(container, drift)
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

pub(super) fn drift(
    container: &Container,
    images: &BTreeMap<String, String>,
    definitions: Option<&Definitions>,
) -> Vec<String> {
    let mut drift = vec![];
    let name = &container.config.image;
    match images.get(name) {
        Some(current) if *current != container.image => drift.push(format!(
            "{name} is now {}, it runs {}: deploy again",
            short_id(current),
            short_id(&container.image)
        )),
        None if !images.is_empty() => {
            drift.push(format!("{name} no longer stands for an image here"));
        }
        _ => {}
    }
    let Some(definitions) = definitions else { return drift };
    // Each version of compose computes another hash.
    let comparable =
        container.label(labels::VERSION).is_some_and(|own| core(own) == core(&definitions.version));
    let hash = definitions.hashes.get(project::service(container));
    if let (true, Some(hash), Some(own)) = (comparable, hash, container.label(labels::HASH))
        && hash != own
    {
        drift.push(definitions.text.clone());
    }
    drift
}

/// `2.26.1` of `v2.26.1-4`: packages add to the number, the label does not have it.
fn core(version: &str) -> &str {
    version.trim_start_matches('v').split(['-', '+', '~']).next().unwrap_or_default()
}

/// By service: which file is newer than the image that was built from it.
async fn outdated(
    context: &Context,
    project: &ProjectName,
    source: Option<&Source>,
    containers: &[Container],
) -> BTreeMap<String, String> {
    let Some(source) = source else { return BTreeMap::new() };
    let (docker, everything) = (&context.docker, ["*".to_owned()]);
    let resolved =
        resolve(docker, Some(project), source, &everything, &Environment::default()).await;
    let Ok(resolved) = resolved else { return BTreeMap::new() };
    let services = containers.iter().map(project::service).collect();
    match Images::of(context, resolved.model(), services).await {
        Ok(images) => images.outdated(context, source).await,
        Err(_) => BTreeMap::new(),
    }
}

/// What the files of a project say now.
pub(super) struct Definitions {
    version: String,
    hashes: BTreeMap<String, String>,
    /// What to say of a service whose hash is another.
    text: String,
}

impl Definitions {
    /// Nothing unless the files are in the project folder and compose can read them without
    /// values that only a deployment knew.
    pub(super) async fn now(
        docker: &Docker,
        project: &ProjectName,
        source: Option<&Source>,
        containers: &[Container],
    ) -> Option<Self> {
        let source = source?;
        let everything = ["*".to_owned()];
        let none = Environment::default();
        let config =
            Config::new(docker.policy(), Some(project), source, &everything, &none).ok()?;
        let hashes = Hashes(config.question());
        let (hashes, warnings) = docker.run(&hashes).await.ok()?;
        // The version only matters where a hash is another.
        let is_same = |container: &Container| {
            let own = container.label(labels::HASH);
            own == hashes.get(project::service(container)).map(String::as_str)
        };
        let version = if containers.iter().all(is_same) {
            String::new()
        } else {
            docker.run(&ComposeVersionQuery).await.ok()?
        };
        if warnings.iter().any(|warning| warning.contains("variable is not set")) {
            return None;
        }
        let has_variables = match &source.from {
            From::Text(text) | From::File(_, text) => text.contains('$'),
            From::Files(_) => true,
        };
        let text = format!(
            "its definition in {} {}: deploy again",
            source.name(),
            if has_variables {
                "has changed, or it was deployed with other values for its variables"
            } else {
                "has changed"
            }
        );
        Some(Self { version, hashes, text })
    }

    /// Whether these containers are those of the files, all of them and no others.
    pub(super) fn are_all_of(&self, containers: &[Container]) -> bool {
        let own: BTreeSet<&str> = containers
            .iter()
            .filter(|container| !project::is_one_off(container))
            .map(project::service)
            .collect();
        own.len() == self.hashes.len() && own.iter().all(|it| self.hashes.contains_key(*it))
    }
}
