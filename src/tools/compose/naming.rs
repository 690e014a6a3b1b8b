//! The names that a run of compose gives to images: other images may have them now.

use std::collections::BTreeSet;

use super::holdings::images_by_name;
use super::view::{Model, Renewal, Service};
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::protect::judge_names;

/// Refuses to take names away from images, as [`judge_names`] does.
///
/// # Errors
/// As [`judge_names`].
pub(super) async fn judge_images<'a>(
    docker: &Docker,
    model: &'a Model,
    services: impl IntoIterator<Item = &'a str>,
    renewal: Renewal,
) -> Result<(), Error> {
    let mut given = Given::default();
    for name in with_contexts(model, services) {
        let Some(service) = model.services.get(name) else { continue };
        given.add(service, service.image_name(&model.name, name), renewal);
    }
    let missing: BTreeSet<String> =
        given.if_missing.iter().map(|(image, _)| image.clone()).collect();
    let here = images_by_name(docker, missing.into_iter().collect()).await?;
    let built = given.if_missing.into_iter().filter(|(image, _)| !here.contains_key(image));
    let names: Vec<String> = given.names.into_iter().chain(built.flat_map(|it| it.1)).collect();
    if names.is_empty() {
        return Ok(());
    }
    judge_names(docker, names, Some(&model.name)).await
}

/// With the services whose images these are built from: `additional_contexts: {base: service:x}`.
fn with_contexts<'a>(
    model: &'a Model,
    services: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::new();
    let mut open: Vec<&str> = services.into_iter().collect();
    while let Some(name) = open.pop() {
        if all.insert(name) {
            open.extend(model.services.get(name).into_iter().flat_map(Service::built_from));
        }
    }
    all
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    names: Vec<String>,
    /// An image that is built only if it is not here, and its further names.
    if_missing: Vec<(String, Vec<String>)>,
}

impl Given {
    fn add(&mut self, service: &Service, image: String, renewal: Renewal) {
        let further = service.build_tags();
        if service.is_renewed(renewal) {
            self.names.push(image);
            self.names.extend(further);
        } else if !further.is_empty() {
            self.if_missing.push((image, further));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(service: serde_json::Value, renewal: Renewal) -> Given {
        let mut given = Given::default();
        given.add(&serde_json::from_value(service).unwrap(), "app".into(), renewal);
        given
    }

    #[test]
    fn names_are_given_when_an_image_is_built_or_pulled() {
        let none = Renewal::default();
        let builds = Renewal { builds: true, pulls: false };
        let pulls = Renewal { builds: false, pulls: true };
        let app = || vec!["app".to_owned()];
        let built = json!({"build": {"context": ".", "tags": ["precious:1"]}});
        let both = vec!["app".to_owned(), "precious:1".to_owned()];
        assert_eq!(given(built.clone(), builds).names, both);
        let later = given(built, none);
        assert_eq!(later.if_missing, [("app".to_owned(), vec!["precious:1".to_owned()])]);
        assert!(later.names.is_empty());

        assert_eq!(given(json!({"image": "app"}), none), Given::default());
        assert_eq!(given(json!({"image": "app"}), builds), Given::default());
        assert_eq!(given(json!({"image": "app"}), pulls).names, app());
        for policy in ["always", "daily", "every_12h"] {
            assert_eq!(given(json!({"image": "app", "pull_policy": policy}), none).names, app());
        }
        for policy in ["never", "missing"] {
            let given = given(json!({"image": "app", "pull_policy": policy}), none);
            assert_eq!(given, Given::default());
        }
        let policy = json!({"build": {"context": "."}, "pull_policy": "build"});
        assert_eq!(given(policy, none).names, app());
    }

    #[test]
    fn what_an_image_is_built_from_is_built_too() {
        let model: Model = serde_json::from_value(json!({"services": {
            "a": {"build": {"context": ".", "additional_contexts": {"x": "service:b", "y": "./y"}}},
            "b": {"build": {"context": ".", "additional_contexts": ["z=service:c"]}},
            "c": {"build": {"context": "."}}, "d": {"image": "d"},
        }}))
        .unwrap();
        assert_eq!(with_contexts(&model, ["a"]), BTreeSet::from(["a", "b", "c"]));
        assert_eq!(with_contexts(&model, ["d"]), BTreeSet::from(["d"]));
    }
}
