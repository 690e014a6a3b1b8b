//! The images of a project that go with it. Compose would choose them by the labels that it gives
//! when it builds, differently from version to version, and tells nobody before: so they are chosen
//! here, and removed by exactly the names that the plan has.

use std::collections::{BTreeMap, BTreeSet};

use super::holdings::images_by_name;
use super::project::service;
use crate::command::containers::Container;
use crate::command::images::{Image, InspectImages, ListImages, full_name};
use crate::command::values::ProjectName;
use crate::command::{Act, Effect, Invocation, labels};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::tools::batches::in_batches;

/// What `remove_images` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Images {
    #[default]
    None,
    /// Those that were built for the project.
    Local,
    /// Also the others of its containers.
    All,
}

/// A name that goes, or the ID of an image without one.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) name: String,
    pub(super) image: Image,
    /// Built for the project.
    pub(super) is_own: bool,
    /// Another name keeps the image.
    pub(super) is_kept: bool,
}

/// # Errors
/// As [`Docker::run`].
pub(super) async fn find(
    docker: &Docker,
    project: &ProjectName,
    containers: &[Container],
    which: Images,
    with_orphans: bool,
) -> Result<Vec<Leaving>, Error> {
    if which == Images::None {
        return Ok(vec![]);
    }
    let labelled = ListImages { filters: vec![labels::of_project(project.as_str())] };
    let labelled = docker.run(&labelled).await?.into_iter().map(|row| row.id);
    let used = containers.iter().map(|container| container.image.clone());
    let ids: BTreeSet<String> = labelled.chain(used).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let images = in_batches(docker, &ids, InspectImages::listed).await?;
    Ok(choose(project.as_str(), containers, &images, which, with_orphans))
}

fn choose(
    project: &str,
    containers: &[Container],
    images: &[Image],
    which: Images,
    with_orphans: bool,
) -> Vec<Leaving> {
    let services: BTreeSet<&str> = containers.iter().map(service).collect();
    let mut going: BTreeMap<(&str, String), bool> = BTreeMap::new();
    for container in containers {
        let Some(image) = images.iter().find(|image| image.id == container.image) else { continue };
        let name = full_name(&container.config.image);
        // Compose's own names are those of services that are built and have no `image`.
        let is_own = is_built_for(project, image)
            || name.strip_prefix(project).is_some_and(|rest| rest.starts_with(['-', '_']));
        if which == Images::Local && !is_own {
            continue;
        }
        if image.tags().contains(&name) || image.digests().contains(&name) {
            going.insert((&image.id, name), is_own);
        } else if image.tags().is_empty() {
            going.insert((&image.id, image.id.clone()), is_own);
        }
    }
    for image in images.iter().filter(|image| is_built_for(project, image)) {
        let service = image.config.labels.get(labels::SERVICE).map_or("", String::as_str);
        if with_orphans || services.contains(service) {
            going.extend(image.tags().into_iter().map(|name| ((image.id.as_str(), name), true)));
        }
    }
    let stays = |image: &Image| {
        image.tags().into_iter().any(|tag| !going.contains_key(&(image.id.as_str(), tag)))
    };
    let leaving = going.iter().filter_map(|((id, name), is_own)| {
        let image = images.iter().find(|image| image.id == *id)?;
        Some(Leaving {
            name: name.clone(),
            is_own: *is_own,
            is_kept: stays(image),
            image: image.clone(),
        })
    });
    leaving.collect()
}

/// A commit of one of its containers carries the labels of the project too, and is somebody's copy.
fn is_built_for(project: &str, image: &Image) -> bool {
    let labels = &image.config.labels;
    labels.get(labels::PROJECT).is_some_and(|it| it == project)
        && !labels.contains_key(labels::NUMBER)
}

/// Without force: what somebody else uses by then stays.
pub(super) fn removal<'a>(names: impl IntoIterator<Item = &'a String>) -> Invocation {
    Invocation::docker(Effect::Destroy, ["image", "rm"]).operands(names)
}

/// Removes them, as far as their names still stand for them. Gives the names that are gone, and
/// those that are not.
///
/// # Errors
/// As [`Docker::run`], but for what docker keeps.
pub(super) async fn remove(
    docker: &Docker,
    leaving: &[Leaving],
) -> Result<(Vec<String>, Vec<String>), Error> {
    let here = async || {
        let names = leaving.iter().map(|it| it.name.clone()).collect();
        let here = images_by_name(docker, names).await?;
        let is_it = |it: &&Leaving| here.get(&it.name) == Some(&it.image.id);
        Ok::<BTreeSet<String>, Error>(
            leaving.iter().filter(is_it).map(|it| it.name.clone()).collect(),
        )
    };
    let before = here().await?;
    if before.is_empty() {
        return Ok((vec![], vec![]));
    }
    if let Err(error) = docker.run(&Act(removal(&before))).await
        && matches!(error.code, Code::Cancelled | Code::Timeout | Code::DaemonNotAccessible)
    {
        return Err(error);
    }
    let after = here().await?;
    Ok((before.difference(&after).cloned().collect(), after.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::losses;

    fn container(service: &str, image: &str, id: &str) -> Container {
        serde_json::from_value(json!({
            "Image": id,
            "Config": {"Image": image, "Labels": {"com.docker.compose.service": service}},
        }))
        .unwrap()
    }

    fn image(id: &str, tags: &[&str], digests: &[&str], labels: &[(&str, &str)]) -> Image {
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        serde_json::from_value(json!({
            "Id": id, "RepoTags": tags, "RepoDigests": digests, "Config": {"Labels": labels},
        }))
        .unwrap()
    }

    const BUILT: [(&str, &str); 2] =
        [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];

    fn chosen(
        containers: &[Container],
        images: &[Image],
        which: Images,
        with_orphans: bool,
    ) -> Vec<String> {
        let leaving = choose("shop", containers, images, which, with_orphans);
        let told = leaving.iter().map(|it| {
            let lost = losses::image(&it.image, it.name.clone(), it.is_kept).loses_data;
            let loss = if lost { " lost" } else { "" };
            format!("{}{loss}", it.name)
        });
        told.collect()
    }

    #[test]
    fn an_image_is_lost_with_the_last_of_its_names() {
        let images = [image("sha256:a", &["one:1", "two:1"], &[], &[])];
        let both = [container("a", "one:1", "sha256:a"), container("b", "two:1", "sha256:a")];
        assert_eq!(chosen(&both, &images, Images::All, false), ["one:1 lost", "two:1 lost"]);
        assert_eq!(chosen(&both[..1], &images, Images::All, false), ["one:1"]);
        assert!(chosen(&both, &images, Images::Local, true).is_empty());
    }

    #[test]
    fn what_was_built_goes_whatever_it_is_called() {
        let web = [container("web", "app:1", "sha256:a")];
        let images = [
            image("sha256:a", &["app:1", "app:2"], &[], &BUILT),
            image("sha256:b", &["app:old"], &["r/app@sha256:b1"], &BUILT),
            image("sha256:c", &[], &[], &BUILT),
        ];
        let all = ["app:1 lost", "app:2 lost", "app:old"];
        assert_eq!(chosen(&web, &images, Images::Local, false), all);
        assert_eq!(chosen(&web, &images, Images::All, false), all);
        let other = [container("db", "redis", "sha256:d")];
        assert!(chosen(&other, &images, Images::Local, false).is_empty(), "it has no container");
        assert_eq!(chosen(&other, &images, Images::Local, true), all);
    }

    #[test]
    fn a_container_may_have_an_image_whose_name_is_anothers_by_now() {
        let web = [container("web", "shop-web", "sha256:a")];
        let nameless = image("sha256:a", &[], &[], &[]);
        assert_eq!(chosen(&web, &[nameless], Images::Local, false), ["sha256:a lost"]);
        let renamed = image("sha256:a", &["kept:1"], &[], &[]);
        assert!(chosen(&web, &[renamed], Images::All, false).is_empty());
        let by_digest = [container("web", "r/x:1@sha256:b1", "sha256:a")];
        let pulled = image("sha256:a", &[], &["r/x@sha256:b1"], &[]);
        assert_eq!(chosen(&by_digest, &[pulled], Images::All, false), ["r/x@sha256:b1"]);
    }

    #[test]
    fn a_commit_of_a_container_is_no_image_of_the_project() {
        let mut labels = BUILT.to_vec();
        labels.push(("com.docker.compose.container-number", "1"));
        let images = [image("sha256:a", &["backup:1"], &[], &labels)];
        assert!(chosen(&[], &images, Images::All, true).is_empty());
    }
}
