//! Whether the images of a project are what its file and its folders would give now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::source::Source;
use super::view::Model;
use crate::command::images::{Image, InspectImages, full_name};
use crate::command::time;
use crate::error::Error;
use crate::sort;
use crate::tools::Context;
use crate::tools::batches::in_batches;

/// The daemon has a clock of its own.
const CLOCKS_DIFFER: Duration = Duration::from_secs(1);

/// The images of the chosen services, as they are here now.
pub(super) struct Images<'a> {
    model: &'a Model,
    services: BTreeMap<&'a str, Option<Image>>,
}

impl<'a> Images<'a> {
    /// # Errors
    /// As [`crate::docker::Docker::run`].
    pub(super) async fn of(
        context: &Context,
        model: &'a Model,
        services: Vec<&'a str>,
    ) -> Result<Self, Error> {
        let known = |name: &'a str| Some((name, model.services.get(name)?));
        let named = services.into_iter().filter_map(known);
        let names =
            sort::map(named.map(|(name, service)| (name, service.image_name(&model.name, name))));
        let unique: BTreeSet<String> = names.values().cloned().collect();
        let unique: Vec<String> = unique.into_iter().collect();
        let found = in_batches(&context.docker, &unique, InspectImages::listed).await?;
        let image = |name: &String| {
            let (full, digits) = (full_name(name), name.trim_start_matches("sha256:"));
            let is_it = |image: &&Image| {
                image.repo_tags.iter().chain(&image.repo_digests).any(|tag| *tag == full)
                    || image.id.trim_start_matches("sha256:").starts_with(digits)
            };
            found.iter().find(is_it).cloned()
        };
        let services = sort::map(names.into_iter().map(|(service, name)| (service, image(&name))));
        Ok(Self { model, services })
    }

    /// By service: which file of its build context is newer than its image. An image that is not
    /// here is built anyway.
    pub(super) async fn outdated(
        &self,
        context: &Context,
        source: &Source,
    ) -> BTreeMap<String, String> {
        let mut built = vec![];
        for (name, image) in &self.services {
            let service = self.model.services.get(*name);
            let folder = service.and_then(|service| service.build_context());
            if let (Some(folder), Some(image)) = (folder, image)
                && let Some(time) = built_at(image)
            {
                let image = service.map(|service| service.image_name(&self.model.name, name));
                built.push((
                    (*name).to_owned(),
                    image.unwrap_or_default(),
                    PathBuf::from(folder),
                    time,
                ));
            }
        }
        let (workspace, not_built_in) = (context.workspace.clone(), source.files_and_dot_env());
        let look = move || {
            let mut newest: BTreeMap<PathBuf, Option<(PathBuf, SystemTime)>> = BTreeMap::new();
            let mut outdated = BTreeMap::new();
            for (service, image, folder, built) in built {
                let newest = newest
                    .entry(folder.clone())
                    .or_insert_with(|| workspace.newest_file(&folder, &not_built_in));
                if let Some((file, changed)) = newest
                    && *changed > built + CLOCKS_DIFFER
                {
                    let file = file.strip_prefix(&workspace.folder).unwrap_or(file);
                    outdated.insert(service, told(file, &image));
                }
            }
            outdated
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }

    /// The images that are neither here nor built by the file, in one sentence.
    pub(super) fn not_from_here(&self) -> Option<String> {
        let is_missing = |(name, image): (&&str, &Option<Image>)| {
            let service = self.model.services.get(*name)?;
            (image.is_none() && service.build.is_none()).then(|| service.image.clone())?
        };
        let missing: BTreeSet<String> = self.services.iter().filter_map(is_missing).collect();
        let names: Vec<String> = missing.into_iter().collect();
        (!names.is_empty()).then(|| {
            format!(
                "not here, and without a build in the file, so they come from a registry: {}",
                names.join(", ")
            )
        })
    }
}

fn told(file: &Path, image: &str) -> String {
    format!("{} is newer than the image {image}: deploy with build: true", file.display())
}

/// A build that finds its last step in the cache gives the time of that step, which may be long
/// ago; when the name was given is the time of this build. `BuildKit` of 20.10 does not tell it,
/// and then nothing can be said.
fn built_at(image: &Image) -> Option<SystemTime> {
    let tagged = Some(&image.metadata.last_tag_time).filter(|time| !time.starts_with("0001-"))?;
    let times = [tagged, &image.created];
    times.into_iter().filter_map(|text| time::parse(text)).max().map(SystemTime::from)
}

impl Source {
    /// The files themselves and the `.env` beside them: what they say is not in an image, and a
    /// context often is the folder that they are in.
    fn files_and_dot_env(&self) -> Vec<PathBuf> {
        [self.paths(), &self.dot_env()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_as_new_as_its_last_build_or_tag() {
        let image = |created: &str, tagged: &str| {
            let metadata =
                serde_json::json!({"Created": created, "Metadata": {"LastTagTime": tagged}});
            built_at(&serde_json::from_value(metadata).unwrap()).map(|time| {
                time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
            })
        };
        assert_eq!(image("1970-01-01T00:01:00Z", "0001-01-01T00:00:00Z"), None);
        assert_eq!(image("1970-01-01T00:01:00Z", "1970-01-01T00:02:00.5Z"), Some(120));
        assert_eq!(image("", ""), None);
    }

    #[tokio::test]
    async fn images_not_from_here_are_named_once() {
        let model: Model = serde_json::from_value(serde_json::json!({
            "name": "shop",
            "services": {"web": {"image": "nginx:1"}, "www": {"image": "nginx:1"}, "app": {"build": {"context": "/x"}}},
        }))
        .unwrap();
        let services = [("web", None), ("www", None), ("app", None)].into();
        let told = Images { model: &model, services }.not_from_here().unwrap();
        assert!(told.ends_with(": nginx:1"), "{told}");
    }
}
