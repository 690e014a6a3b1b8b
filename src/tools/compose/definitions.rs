//! What runs, compared with what the files of its project say now.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::forecast::Hashes;
use super::model::Config;
use super::outlook::unset;
use super::project;
use super::remembered::{self, Variables};
use super::source::{From, Source};
use crate::command::containers::Container;
use crate::command::labels;
use crate::command::text::short_id;
use crate::command::values::{Environment, ProjectName};
use crate::command::version::ComposeVersionQuery;
use crate::error::Error;
use crate::tools::Context;

/// A value for variables whose value is not known, to see which services use them: one that is a
/// port and a number too, and that nobody has chosen.
const ANY_VALUE: &str = "61397";

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
        drift.push(definitions.told(project::service(container)));
    }
    drift
}

/// `2.26.1` of `v2.26.1-4`: packages add to the number, the label does not have it.
fn core(version: &str) -> &str {
    version.trim_start_matches('v').split(['-', '+', '~']).next().unwrap_or_default()
}

/// What the files of a project say now.
#[derive(Default)]
pub(super) struct Definitions {
    version: String,
    hashes: BTreeMap<String, String>,
    text: String,
    /// Services that use variables whose value at the deployment is not known.
    incomparable: BTreeSet<String>,
    doubt: String,
}

impl Definitions {
    /// Nothing unless the files are in the project folder and compose can read them.
    pub(super) async fn now(
        context: &Context,
        project: &ProjectName,
        source: Option<&Source>,
        containers: &[Container],
    ) -> Option<Self> {
        let (source, docker) = (source?, &context.docker);
        let ask = |environment: &Environment| -> Result<Hashes, Error> {
            let everything = ["*".to_owned()];
            let config = Config::new(docker, Some(project), source, &everything, environment)?;
            Ok(Hashes(config.question()))
        };
        let (hashes, warnings) = docker.run(&ask(&Environment::default()).ok()?).await.ok()?;
        // The rest only matters where a hash is another.
        let is_same = |container: &Container| {
            let own = container.label(labels::HASH);
            own == hashes.get(project::service(container)).map(String::as_str)
        };
        if containers.iter().all(is_same) {
            return Some(Self { hashes, ..Self::default() });
        }
        let version = docker.run(&ComposeVersionQuery).await.ok()?;
        let then = remembered::variables(&context.workspace, project, containers);
        let unknown = unknown(&unset(&warnings), then.as_ref());
        let values = unknown.iter().map(|name| (name.clone(), Value::from(ANY_VALUE))).collect();
        let others = match Environment::try_from(Value::Object(values)).map(|it| ask(&it)) {
            Ok(Ok(question)) if !unknown.is_empty() => docker.run(&question).await.ok(),
            _ => None,
        };
        let others = others.map(|(hashes, _)| hashes).unwrap_or_default();
        let uses_them = |(name, hash): &(&String, &String)| others.get(*name) != Some(hash);
        let incomparable = if unknown.is_empty() {
            BTreeSet::new()
        } else {
            hashes.iter().filter(uses_them).map(|(name, _)| name.clone()).collect()
        };
        let has_variables = match &source.from {
            From::Text(text) | From::File(_, text) => text.contains('$'),
            From::Files(_) => true,
        };
        let name = source.name();
        let text = format!(
            "its definition in {name} {}: deploy again",
            if has_variables {
                "has changed, or it was deployed with other values for its variables"
            } else {
                "has changed"
            }
        );
        let doubt = format!(
            "not compared with {name}, because it may have been deployed with a value for {}",
            unknown.into_iter().collect::<Vec<_>>().join(", ")
        );
        Some(Self { version, hashes, text, incomparable, doubt })
    }

    /// What to say of a service whose hash is another.
    fn told(&self, service: &str) -> String {
        let is_comparable = !self.incomparable.contains(service);
        if is_comparable { self.text.clone() } else { self.doubt.clone() }
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

/// The variables that a deployment may have had another value for than we have now: those that its
/// caller gave, or, when that is not known, those that have none now.
fn unknown(unset_now: &[String], then: Option<&Variables>) -> BTreeSet<String> {
    match then {
        Some(then) => then.given.iter().cloned().collect(),
        None => unset_now.iter().cloned().collect(),
    }
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
}
