//! What is known of a project beside its containers, for tools that look at more than compose.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::deployment::{Deployment, everything, unset};
use super::model::{self, Resolved};
pub(in crate::tools) use super::project::{depends_on, is_one_off, no_such_project, service};
use super::remembered;
use super::source::Source;
use crate::command::containers::Container;
use crate::command::values::{Environment, ProjectName};
use crate::sort;
use crate::tools::Context;

/// What the files of a project ask for, as far as they can be read here.
#[derive(Debug, Default)]
pub(in crate::tools) struct Outlook {
    /// The compose file, or the files.
    pub(in crate::tools) files: String,
    pub(in crate::tools) services: Vec<Wanted>,
    /// Variables without a value.
    pub(in crate::tools) unset: Vec<String>,
    /// By service: the secret or config that it gets and that has no content.
    pub(in crate::tools) missing: BTreeMap<String, String>,
    /// The folder that a service's image is built from.
    pub(in crate::tools) build_contexts: BTreeMap<String, PathBuf>,
    /// In what a container's definition differs from the one in the files, by its ID.
    pub(in crate::tools) drift: BTreeMap<String, String>,
}

/// A service that a deployment would start.
#[derive(Clone, Debug, Default)]
pub(in crate::tools) struct Wanted {
    pub(in crate::tools) service: String,
    pub(in crate::tools) image: String,
    pub(in crate::tools) builds: bool,
    pub(in crate::tools) depends_on: Vec<String>,
}

/// Nothing when the project's files are not in the project folder or cannot be read.
pub(in crate::tools) async fn outlook(
    context: &Context,
    project: &ProjectName,
    containers: &[Container],
) -> Option<Outlook> {
    if containers.is_empty() {
        let source = Source::usual(context, &context.workspace.folder).await.ok()??;
        // Only the file itself tells which project it is of.
        let environment = Environment::default();
        let resolved = model::resolve(&context.docker, None, &source, &[], &environment).await;
        let resolved = resolved.ok().filter(|it| it.model().name == project.as_str())?;
        let missing = missing(context, project, &resolved, containers);
        return Some(Outlook { missing, ..of_files(&source, &resolved, project) });
    }
    let deployments = Deployment::all(context, project, containers).await;
    let mut drift = BTreeMap::new();
    for deployment in &deployments {
        drift.extend(deployment.drift(context, project).await);
    }
    let source = Source::of_project(context, project, containers).await.ok()??;
    let known = deployments.into_iter().find(|deployment| deployment.source == source);
    let resolved = match known {
        Some(deployment) => deployment.resolved,
        None => everything(&context.docker, project, &source).await?,
    };
    let services = &resolved.model().services;
    let is_of_it = |it: &Container| is_one_off(it) || services.contains_key(service(it));
    let missing = missing(context, project, &resolved, containers);
    let files = of_files(&source, &resolved, project);
    containers.iter().all(is_of_it).then_some(Outlook { missing, drift, ..files })
}

fn of_files(source: &Source, resolved: &Resolved, project: &ProjectName) -> Outlook {
    Outlook {
        files: source.name(),
        services: wanted(resolved, project),
        unset: unset(&resolved.warnings),
        build_contexts: sort::map(resolved.model().services.iter().filter_map(
            |(name, service)| Some((name.clone(), PathBuf::from(service.build_context()?))),
        )),
        ..Outlook::default()
    }
}

fn wanted(resolved: &Resolved, project: &ProjectName) -> Vec<Wanted> {
    let services = resolved.model().services.iter();
    let services =
        services.filter(|(_, service)| service.profiles.is_empty() && service.replicas() > 0);
    services
        .map(|(name, service)| Wanted {
            service: name.clone(),
            image: service.image_name(project.as_str(), name),
            builds: service.build.is_some(),
            depends_on: service.depends_on.keys().cloned().collect(),
        })
        .collect()
}

/// Without those whose variable the deployment was given.
fn missing(
    context: &Context,
    project: &ProjectName,
    resolved: &Resolved,
    containers: &[Container],
) -> BTreeMap<String, String> {
    let then = remembered::variables(&context.workspace, project, containers);
    let given = then.map(|then| then.given).unwrap_or_default();
    let missing = resolved.missing.iter().filter(|it| !given.contains(&it.variable));
    sort::map(
        missing.flat_map(|it| {
            it.services.iter().map(move |service| (service.clone(), it.to_string()))
        }),
    )
}
