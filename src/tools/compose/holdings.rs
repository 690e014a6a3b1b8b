//! Everything that a project has: containers, networks, volumes and the images of its containers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::project::{self, Labelled, Object};
use crate::command::containers::{Container, or_default};
use crate::command::disk::bytes;
use crate::command::values::ProjectName;
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::docker::Docker;
use crate::error::Error;

/// Sizes of volumes are worth this long: the daemon walks through every file.
const SIZES_LIMIT: Duration = Duration::from_secs(3);

pub(super) struct Holdings {
    /// One-off ones of `compose run` included.
    pub(super) containers: Vec<Container>,
    pub(super) networks: Vec<Object>,
    /// Those of the file, and the nameless ones of its containers.
    pub(super) volumes: Vec<Volume>,
    /// Names of the images of its containers, with their IDs.
    pub(super) images: BTreeMap<String, String>,
}

impl Holdings {
    /// # Errors
    /// As [`Docker::run`].
    pub(super) async fn of(docker: &Docker, name: &ProjectName) -> Result<Self, Error> {
        let labelled = |kind| Labelled { kind, project: name.clone() };
        let (network_list, volume_list) = (labelled("network"), labelled("volume"));
        let (containers, networks, volumes) = tokio::try_join!(
            project::all_containers(docker, name),
            docker.run(&network_list),
            docker.run(&volume_list),
        )?;
        let named = volumes.into_iter().map(|volume| volume.name);
        let nameless = containers
            .iter()
            .flat_map(|container| &container.mounts)
            .filter(|mount| mount.kind == "volume" && is_id(&mount.name))
            .map(|mount| mount.name.clone());
        let names: BTreeSet<String> = named.chain(nameless).collect();
        let volumes = volumes_by_name(docker, names.into_iter().collect()).await?;
        let images = containers
            .iter()
            .map(|container| (container.config.image.clone(), container.image.clone()))
            .collect();
        Ok(Self { containers, networks, volumes, images })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty() && self.volumes.is_empty()
    }

    pub(super) fn volume_names(&self) -> Vec<String> {
        self.volumes.iter().map(|volume| volume.name.clone()).collect()
    }
}

/// Docker's IDs have 64 hexadecimal digits; so has the name of a volume that nobody named.
pub(super) fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) created_at: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
}

/// Those of the volumes that exist.
///
/// # Errors
/// As [`Docker::run`].
pub(super) async fn volumes_by_name(
    docker: &Docker,
    names: Vec<String>,
) -> Result<Vec<Volume>, Error> {
    if names.is_empty() {
        return Ok(vec![]);
    }
    docker.run(&InspectVolumes(names)).await
}

struct InspectVolumes(Vec<String>);

impl Command for InspectVolumes {
    type Reply = Vec<Volume>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["volume", "inspect"]).operands(&self.0)
    }

    /// It prints those that it found all the same.
    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0 || output.stderr.to_lowercase().contains("no such volume")
    }

    fn parse(&self, output: &Output) -> Result<Vec<Volume>, Error> {
        let mut volumes: Vec<Volume> = json::document(&output.stdout)?;
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(volumes)
    }
}

/// `docker system df`: the bytes of all volumes, as far as they are known.
pub(super) struct VolumeSizes;

impl Command for VolumeSizes {
    type Reply = BTreeMap<String, u64>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["system", "df"])
            .flag("--verbose", true)
            .option("--format", "{{json .Volumes}}")
            .timeout(SIZES_LIMIT)
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Row {
            name: String,
            size: String,
        }
        let rows: Option<Vec<Row>> = json::document(&output.stdout)?;
        let rows = rows.unwrap_or_default().into_iter();
        Ok(rows.filter_map(|row| Some((row.name, bytes(&row.size)?))).collect())
    }
}

/// The IDs of the images that these names stand for now; names that stand for none are left out.
///
/// # Errors
/// As [`Docker::run`].
pub(super) async fn images_by_name(
    docker: &Docker,
    names: Vec<String>,
) -> Result<BTreeMap<String, String>, Error> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    docker.run(&InspectImages(names)).await
}

struct InspectImages(Vec<String>);

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Image {
    id: String,
    #[serde(deserialize_with = "or_default")]
    repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    repo_digests: Vec<String>,
}

impl Command for InspectImages {
    type Reply = BTreeMap<String, String>;

    fn invocation(&self) -> Invocation {
        // The history and the whole configuration of an image are of no use here.
        let row = r#"{"Id":{{json .Id}},"RepoTags":{{json .RepoTags}},"RepoDigests":{{json .RepoDigests}}}"#;
        Invocation::docker(Effect::Read, ["image", "inspect"])
            .option("--format", row)
            .operands(&self.0)
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0 || output.stderr.to_lowercase().contains("no such image")
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let images: Vec<Image> = json::rows(&output.stdout)?;
        let found = |name: &String| {
            let image = images.iter().find(|image| image.is_called(name))?;
            Some((name.clone(), image.id.clone()))
        };
        Ok(self.0.iter().filter_map(found).collect())
    }
}

impl Image {
    fn is_called(&self, name: &str) -> bool {
        let full = full_name(name);
        let mut tags = self.repo_tags.iter().chain(&self.repo_digests);
        self.id == name
            || self.id.strip_prefix("sha256:").is_some_and(|id| id.starts_with(name))
            || tags.any(|tag| full_name(tag) == full)
    }
}

/// The short form that docker shows: without its own registry, with a tag.
fn full_name(name: &str) -> String {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_any_of_its_names() {
        let stdout = concat!(
            r#"{"Id":"sha256:aa11","RepoTags":["nginx:latest","shop/web:2"],"RepoDigests":null}"#,
            "\n",
            r#"{"Id":"sha256:bb22","RepoTags":[],"RepoDigests":["r:5000/x@sha256:cc"]}"#,
        );
        let output = Output { stdout: stdout.to_owned(), exit_code: 1, ..Output::default() };
        let names = ["nginx", "docker.io/library/nginx:latest", "shop/web:2", "shop/web", "bb22"];
        let images = InspectImages(names.map(str::to_owned).to_vec()).parse(&output).unwrap();
        let found: Vec<_> = images.iter().map(|(name, id)| format!("{name} {id}")).collect();
        assert_eq!(
            found,
            [
                "bb22 sha256:bb22",
                "docker.io/library/nginx:latest sha256:aa11",
                "nginx sha256:aa11",
                "shop/web:2 sha256:aa11"
            ]
        );
    }
}
