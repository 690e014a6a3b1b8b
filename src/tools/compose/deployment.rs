//! What runs of a project, beside the files that it was deployed from as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::definitions::Definitions;
use super::model::{Resolved, resolve};
use super::project;
use super::remembered::{self, Variables};
use super::source::{From, Source};
use super::values;
use super::view::Model;
use crate::command::containers::Container;
use crate::command::labels;
use crate::command::values::{Environment, ProjectName};
use crate::command::version::ComposeVersionQuery;
use crate::docker::Docker;
use crate::sort;
use crate::tools::Context;

/// A value for variables whose value is not known, to see which services use them: one that is a
/// port and a number too, and that nobody has chosen.
const ANY_VALUE: &str = "61397";

/// Containers of a project that were deployed from the same files.
pub(super) struct Deployment {
    pub(super) source: Source,
    /// With all profiles on.
    pub(super) resolved: Resolved,
    pub(super) containers: Vec<Container>,
}

impl Deployment {
    /// A project may have been deployed in parts, from several folders; each container is only
    /// compared with what it was deployed from. Those are left out whose files cannot be read here,
    /// or of which that is not known.
    pub(super) async fn all(
        context: &Context,
        project: &ProjectName,
        containers: &[Container],
    ) -> Vec<Self> {
        let mut by_origin: BTreeMap<_, Vec<Container>> = BTreeMap::new();
        for container in containers {
            let origin = [labels::PROJECT_FOLDER, labels::PROJECT_FILES, labels::PROJECT_ENV_FILES]
                .map(|label| container.label(label));
            by_origin.entry(origin).or_default().push(container.clone());
        }
        let mut deployments = vec![];
        for containers in by_origin.into_values() {
            let source = Source::of_deployment(context, project, &containers).await;
            let Some(source) =
                source.filter(|source| reads_no_other_variables(source, &containers))
            else {
                continue;
            };
            if let Some(resolved) = everything(&context.docker, project, &source).await {
                deployments.push(Self { source, resolved, containers });
            }
        }
        deployments
    }

    pub(super) fn services(&self) -> Vec<&str> {
        self.containers.iter().map(project::service).collect()
    }

    /// The containers whose definition is another in the files now, by their IDs, with what to say
    /// of it. Nothing is said where that cannot be known.
    pub(super) async fn drift(
        &self,
        context: &Context,
        project: &ProjectName,
    ) -> BTreeMap<String, String> {
        let docker = &context.docker;
        let Some(document) = self.of_what_runs() else { return BTreeMap::new() };
        let definitions = Definitions::of(docker, &self.resolved, document, &self.containers).await;
        let Ok(definitions) = definitions else { return BTreeMap::new() };
        let differs = |container: &&Container| definitions.differs(container) == Some(true);
        let differing: Vec<&Container> = self.containers.iter().filter(differs).collect();
        if differing.is_empty() {
            return BTreeMap::new();
        }
        let Ok(version) = docker.run(&ComposeVersionQuery).await else { return BTreeMap::new() };
        let in_doubt = self.in_doubt(context, project).await;
        // Each version of compose computes another hash.
        let is_known = |container: &&Container| {
            let own = container.label(labels::VERSION);
            own.is_some_and(|own| core(own) == core(&version))
                && in_doubt.as_ref().is_some_and(|it| !it.contains(project::service(container)))
        };
        let text = self.text();
        let known = differing.into_iter().filter(is_known);
        sort::map(known.map(|container| (container.id.clone(), text.clone())))
    }

    /// The model without services that are switched off by their profile: a dependency on one of
    /// these is part of the hash up to 2.29.2.
    fn of_what_runs(&self) -> Option<Value> {
        let mut document = self.resolved.document().ok()?;
        let running = self.services();
        let services = document.get_mut("services")?.as_object_mut()?;
        services.retain(|name, service| {
            let profiles = service.get("profiles").and_then(Value::as_array);
            profiles.is_none_or(Vec::is_empty) || running.contains(&name.as_str())
        });
        values::drop_missing_dependencies(&mut document);
        Some(document)
    }

    /// The services that use variables whose value at the deployment is not known; nothing when
    /// these cannot be told.
    async fn in_doubt(&self, context: &Context, project: &ProjectName) -> Option<BTreeSet<String>> {
        let then = remembered::variables(&context.workspace, project, &self.containers);
        let unknown = unknown(&unset(&self.resolved.warnings), then.as_ref());
        if unknown.is_empty() {
            return Some(BTreeSet::new());
        }
        let values = unknown.into_iter().map(|name| (name, Value::from(ANY_VALUE))).collect();
        let values = Environment::try_from(Value::Object(values)).ok()?;
        let (docker, everything) = (&context.docker, ["*".to_owned()]);
        let other =
            resolve(docker, Some(project), &self.source, &everything, &values).await.ok()?;
        let (now, other) = (self.resolved.document().ok()?, other.document().ok()?);
        let services = now.get("services")?.as_object()?;
        let others = other.get("services")?;
        let uses_them = |(name, service): &(&String, &Value)| others.get(*name) != Some(service);
        Some(services.iter().filter(uses_them).map(|(name, _)| name.clone()).collect())
    }

    fn text(&self) -> String {
        let has_variables = match &self.source.from {
            From::Text(text) | From::File(_, text) => text.contains('$'),
            From::Files(_) => true,
        };
        let how = if has_variables {
            "has changed, or it was deployed with other values for its variables"
        } else {
            "has changed"
        };
        format!("its definition in {} {how}: deploy again", self.source.name())
    }
}

/// The folder that the image of a container is built from.
pub(super) fn build_context(model: &Model, container: &Container) -> Option<PathBuf> {
    model.services.get(project::service(container))?.build_context().map(PathBuf::from)
}

/// All services of the files, with all profiles on.
pub(super) async fn everything(
    docker: &Docker,
    project: &ProjectName,
    source: &Source,
) -> Option<Resolved> {
    let everything = ["*".to_owned()];
    resolve(docker, Some(project), source, &everything, &Environment::default()).await.ok()
}

/// Whether these containers got their variables from where we read them, and their labels from the
/// file itself: 2.40 has the name of a `label_file` in the hash, which nothing shows afterwards.
fn reads_no_other_variables(source: &Source, containers: &[Container]) -> bool {
    let files = containers.iter().find_map(|it| it.label(labels::PROJECT_ENV_FILES));
    let ours = source.dot_env();
    let is_usual = |file: &str| file == "/dev/null" || ours.iter().any(|it| it == Path::new(file));
    let texts = source.texts().unwrap_or_default();
    files.unwrap_or_default().split(',').filter(|file| !file.is_empty()).all(is_usual)
        && !texts.iter().any(|it| it.text.contains("label_file"))
}

/// `2.26.1` of `v2.26.1-4`: packages add to the number, the label does not have it.
fn core(version: &str) -> &str {
    version.trim_start_matches('v').split(['-', '+', '~']).next().unwrap_or_default()
}

/// The variables that a deployment may have had another value for than we have now: those that its
/// caller gave, or, when that is not known, those that have none now.
fn unknown(unset_now: &[String], then: Option<&Variables>) -> BTreeSet<String> {
    match then {
        Some(then) => then.given.iter().cloned().collect(),
        None => unset_now.iter().cloned().collect(),
    }
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
    fn what_had_no_value_then_either_is_no_doubt() {
        let unset_now = ["PW".to_owned(), "TAG".to_owned()];
        let then = Variables { given: vec!["TAG".to_owned()] };
        assert_eq!(unknown(&unset_now, Some(&then)), ["TAG".to_owned()].into());
        assert_eq!(unknown(&unset_now, Some(&Variables { given: vec![] })), BTreeSet::new());
        assert_eq!(unknown(&unset_now, None), unset_now.into());
    }

    #[test]
    fn variables_without_a_value_are_found_in_the_warnings() {
        let warnings = [
            r#"The "TAG" variable is not set. Defaulting to a blank string."#.to_owned(),
            "/x/compose.yaml: something else".to_owned(),
        ];
        assert_eq!(unset(&warnings), ["TAG"]);
    }
}
