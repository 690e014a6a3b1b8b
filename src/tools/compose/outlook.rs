//! What is known of a project beside its containers, for tools that look at more than compose.

use std::collections::BTreeMap;

use super::definitions::{Definitions, drift};
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
    /// Left empty when each has a container: to ask for them takes as long as all the rest.
    pub(in crate::tools) services: Vec<Wanted>,
    /// Variables without a value.
    pub(in crate::tools) unset: Vec<String>,
    /// By service: the secret or config that it gets and that has no content.
    pub(in crate::tools) missing: BTreeMap<String, String>,
    /// In what a container's definition differs from the one in the files, by its ID.
    pub(in crate::tools) drift: BTreeMap<String, Vec<String>>,
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
    let source = match containers {
        [] => Source::usual(context, &context.workspace.folder).await.ok()??,
        containers => Source::of_project(context, project, containers).await.ok()??,
    };
    let files = source.name();
    let definitions = match containers {
        [] => None,
        containers => Definitions::now(context, project, Some(&source), containers).await,
    };
    // What has never run may lack something that only the model tells.
    let have_run = containers.iter().all(|container| container.state.status != "created");
    if let Some(definitions) = &definitions
        && definitions.are_all_of(containers)
        && have_run
    {
        return Some(Outlook {
            files,
            drift: drifts(containers, definitions),
            ..Outlook::default()
        });
    }
    // Without containers only the file itself tells which project it is of.
    let asked = (!containers.is_empty()).then_some(project);
    let empty = Environment::default();
    let resolved = model::resolve(&context.docker, asked, &source, &[], &empty).await.ok()?;
    let model = resolved.model();
    let is_of_it = match containers {
        [] => model.name == project.as_str(),
        containers => containers
            .iter()
            .filter(|container| !is_one_off(container))
            .all(|container| model.services.contains_key(service(container))),
    };
    is_of_it.then(|| Outlook {
        files,
        services: wanted(&resolved, project),
        unset: unset(&resolved.warnings),
        missing: missing(context, project, &resolved, containers),
        drift: definitions.map(|it| drifts(containers, &it)).unwrap_or_default(),
    })
}

fn drifts(containers: &[Container], definitions: &Definitions) -> BTreeMap<String, Vec<String>> {
    // Which images they run is known without compose.
    let no_images = BTreeMap::new();
    let drifts = containers
        .iter()
        .map(|container| (container.id.clone(), drift(container, &no_images, Some(definitions))));
    sort::map(drifts.filter(|(_, drift)| !drift.is_empty()))
}

fn wanted(resolved: &Resolved, project: &ProjectName) -> Vec<Wanted> {
    let services = resolved.model().services.iter().filter(|(_, service)| service.replicas() > 0);
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

/// `The "DB_PASSWORD" variable is not set. Defaulting to a blank string.`
pub(super) fn unset(warnings: &[String]) -> Vec<String> {
    let names = warnings.iter().filter_map(|warning| {
        let (name, rest) = warning.strip_prefix("The \"")?.split_once('"')?;
        rest.starts_with(" variable is not set").then(|| name.to_owned())
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_without_a_value_are_found_in_the_warnings() {
        let warnings = [
            r#"The "TAG" variable is not set. Defaulting to a blank string."#.to_owned(),
            "/x/compose.yaml: something else".to_owned(),
        ];
        assert_eq!(unset(&warnings), ["TAG"]);
    }
}
