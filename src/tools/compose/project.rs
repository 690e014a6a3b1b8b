//! What belongs to a compose project, found by its labels: no file is read, and five times faster
//! than asking compose.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::command::containers::{Container, InspectContainers, ListContainers};
use crate::command::labels;
use crate::command::values::ProjectName;
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::sort;
use crate::tools::batches::in_batches;

/// Every container of the project, one-off ones of `compose run` included; sorted by name.
///
/// # Errors
/// As [`Docker::run`].
pub(super) async fn all_containers(
    docker: &Docker,
    project: &ProjectName,
) -> Result<Vec<Container>, Error> {
    let rows = docker.run(&ListContainers::of_project(project.as_str())).await?;
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    in_batches(docker, &ids, InspectContainers::listed).await
}

/// The containers of the project's services.
///
/// # Errors
/// As [`Docker::run`].
pub(in crate::tools) async fn containers(
    docker: &Docker,
    project: &ProjectName,
) -> Result<Vec<Container>, Error> {
    let mut containers = all_containers(docker, project).await?;
    containers.retain(|container| is_composes(container) && !is_one_off(container));
    Ok(containers)
}

/// Those that `compose run` has made.
///
/// # Errors
/// As [`Docker::run`].
pub(super) async fn one_offs(
    docker: &Docker,
    project: &ProjectName,
) -> Result<Vec<Container>, Error> {
    let mut containers = all_containers(docker, project).await?;
    containers.retain(|container| is_composes(container) && is_one_off(container));
    Ok(containers)
}

/// Whether compose made it. What was run from an image that compose has built has the labels of
/// the project too, by its image, and compose leaves it alone.
pub(super) fn is_composes(container: &Container) -> bool {
    container.label(labels::HASH).is_some()
}

pub(in crate::tools) fn is_one_off(container: &Container) -> bool {
    container.label(labels::ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

pub(in crate::tools) fn service(container: &Container) -> &str {
    container.label(labels::SERVICE).unwrap_or_default()
}

/// The services that it depends on: `db:service_healthy:false,cache:service_started:true`.
pub(in crate::tools) fn depends_on(container: &Container) -> Vec<String> {
    let label = container.label(labels::DEPENDS_ON).unwrap_or_default();
    let names = label.split(',').filter_map(|entry| entry.split(':').next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Which of its service's containers it is, from 1.
pub(super) fn number(container: &Container) -> u32 {
    container.label(labels::NUMBER).and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// `docker network ls` or `docker volume ls` of one project, by name.
pub(super) struct Labelled {
    pub(super) kind: &'static str,
    pub(super) project: ProjectName,
}

/// A network or a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Object {
    pub(super) name: String,
    /// Volumes have none.
    #[serde(rename = "ID")]
    pub(super) id: String,
}

impl Command for Labelled {
    type Reply = Vec<Object>;

    fn invocation(&self) -> Invocation {
        let row = match self.kind {
            "network" => r#"{"Name":{{json .Name}},"ID":{{json .ID}}}"#,
            _ => r#"{"Name":{{json .Name}}}"#,
        };
        let list = Invocation::docker(Effect::Read, [self.kind, "ls"])
            .option("--filter", labels::of_project(self.project.as_str()));
        let list = match self.kind {
            // Compose only knows networks that it has made itself, volumes also without that label.
            "network" => {
                list.option("--filter", "label=com.docker.compose.network").flag("--no-trunc", true)
            }
            _ => list,
        };
        list.option("--format", row)
    }

    fn parse(&self, output: &Output) -> Result<Vec<Object>, Error> {
        let mut objects: Vec<Object> = json::rows(&output.stdout)?;
        sort::by(&mut objects, Ord::cmp);
        Ok(objects)
    }
}

/// DKR-008 for a project of which nothing is left, with the names that are like it. Compose itself
/// says nothing and ends with 0.
pub(in crate::tools) async fn no_such_project(docker: &Docker, project: &ProjectName) -> Error {
    let everything =
        ListContainers { all: true, filters: vec![format!("label={}", labels::PROJECT)] };
    let rows = docker.run(&everything).await.unwrap_or_default();
    let names: BTreeSet<String> = rows.into_iter().filter_map(|row| row.project).collect();
    let error = Error::new(
        Code::ResourceNotFound,
        format!("there is no compose project {:?}", project.as_str()),
    )
    .with("project", project.as_str());
    let likeness = |name: &String| strsim::jaro_winkler(name, project.as_str());
    let like = names
        .iter()
        .filter(|name| likeness(name) > 0.75 || name.contains(project.as_str()))
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let known: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
    match like {
        Some(like) => error.hint(format!("did you mean {like:?}? projects: {}", known.join(", "))),
        None if known.is_empty() => error.hint("there are no compose projects here"),
        None => error.hint(format!("projects: {}", known.join(", "))),
    }
}
