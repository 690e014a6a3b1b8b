//! Listing images, and looking at them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::json::or_default;
use super::values::ImageRef;
use super::{Command, Effect, Invocation, Output, json, time};
use crate::error::Error;
use crate::sort;

/// `docker image ls`.
///
/// Up to 28 it shows images without a name too, from 29 only when it is asked for nothing else or
/// for them alone: [`merged`] of a run as it is and a run for `dangling=true` is the same everywhere.
#[derive(Clone, Debug, Default)]
pub struct ListImages {
    /// `--filter` values (`label=a=b`).
    pub filters: Vec<String>,
}

/// One image with all its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The full ID.
    pub id: String,
    /// `repository:tag`, sorted.
    pub tags: Vec<String>,
    /// `repository@digest`, sorted.
    pub digests: Vec<String>,
    /// RFC 3339, UTC.
    pub created: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRow {
    #[serde(rename = "ID")]
    id: String,
    repository: String,
    tag: String,
    digest: String,
    created_at: String,
}

// `--format=json` prints the word `json` on 20.10. All these fields are in 20.10.
const ROW: &str = r#"{"ID":{{json .ID}},"Repository":{{json .Repository}},"Tag":{{json .Tag}},"Digest":{{json .Digest}},"CreatedAt":{{json .CreatedAt}}}"#;

impl Command for ListImages {
    type Reply = Vec<Row>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["image", "ls"])
            .flag("--digests", true)
            .flag("--no-trunc", true)
            .each("--filter", &self.filters)
            .option("--format", ROW)
    }

    /// The newest first.
    fn parse(&self, output: &Output) -> Result<Vec<Row>, Error> {
        let rows: Vec<RawRow> = json::rows(&output.stdout)?;
        Ok(merged(rows.into_iter().map(Row::from)))
    }
}

impl From<RawRow> for Row {
    fn from(raw: RawRow) -> Self {
        let name = |part: &str, separator: char| {
            let named =
                ![raw.repository.as_str(), part].iter().any(|p| matches!(*p, "" | "<none>"));
            named.then(|| format!("{}{separator}{part}", raw.repository)).into_iter().collect()
        };
        Self {
            tags: name(&raw.tag, ':'),
            digests: name(&raw.digest, '@'),
            created: time::from_docker(&raw.created_at),
            id: raw.id,
        }
    }
}

/// One row for each image, the newest first. Docker prints a line for each name.
pub fn merged(rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    let mut images: BTreeMap<String, Row> = BTreeMap::new();
    for row in rows {
        match images.get_mut(&row.id) {
            None => {
                images.insert(row.id.clone(), row);
            }
            Some(image) => {
                image.tags.extend(row.tags);
                image.digests.extend(row.digests);
            }
        }
    }
    let mut images: Vec<Row> = images.into_values().collect();
    for image in &mut images {
        for names in [&mut image.tags, &mut image.digests] {
            names.sort();
            names.dedup();
        }
    }
    sort::by(&mut images, |a, b| (&b.created, &a.id).cmp(&(&a.created, &b.id)));
    images
}

/// The image of a container, from what `container ls --no-trunc` calls it. The daemon replaces a
/// name by the ID as soon as the name stands for another image or for none, so what it shows is
/// always true now; measured on 20.10 to 28.
pub fn image_of<'a>(images: &'a [Row], shown: &str) -> Option<&'a Row> {
    let by_name = || {
        let name = full_name(shown);
        images.iter().find(|image| image.tags.contains(&name) || image.digests.contains(&name))
    };
    let by_id = || {
        let digits = shown.strip_prefix("sha256:").unwrap_or(shown);
        let is_id = digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        images.iter().find(|image| is_id && digits_of(&image.id).starts_with(digits))
    };
    by_name().or_else(by_id)
}

/// The form in which docker lists a name: no `docker.io/library/`, always a tag or a digest, never
/// both.
pub fn full_name(name: &str) -> String {
    let name = ["docker.io/", "index.docker.io/"]
        .iter()
        .find_map(|host| name.strip_prefix(host))
        .unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let (before_digest, digest) = match name.split_once('@') {
        Some((before, digest)) => (before, Some(digest)),
        None => (name, None),
    };
    let path_at = before_digest.rfind('/').map_or(0, |slash| slash + 1);
    let tag_at =
        before_digest.get(path_at..).and_then(|path| path.find(':')).map(|at| path_at + at);
    match (digest, tag_at) {
        (Some(digest), Some(at)) => {
            format!("{}@{digest}", before_digest.get(..at).unwrap_or_default())
        }
        (Some(_), None) | (None, Some(_)) => name.to_owned(),
        (None, None) => format!("{name}:latest"),
    }
}

fn digits_of(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

/// `docker image inspect`.
#[derive(Clone, Debug)]
pub struct InspectImages {
    pub images: Vec<String>,
    /// One that vanished since it was listed is left out instead of failing the call.
    pub may_vanish: bool,
}

impl InspectImages {
    pub fn one(image: &ImageRef) -> Self {
        Self { images: vec![image.to_string()], may_vanish: false }
    }

    /// By full IDs from a listing.
    pub fn listed(ids: Vec<String>) -> Self {
        Self { images: ids, may_vanish: true }
    }
}

impl Command for InspectImages {
    type Reply = Vec<Image>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["image", "inspect"]).operands(&self.images)
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0
            || (self.may_vanish && output.stderr.to_lowercase().contains("no such image"))
    }

    fn parse(&self, output: &Output) -> Result<Vec<Image>, Error> {
        json::document(&output.stdout)
    }
}

/// An image as the daemon describes it; only what we read, and tolerant of absent fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Image {
    pub id: String,
    #[serde(deserialize_with = "or_default")]
    pub repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub repo_digests: Vec<String>,
    pub created: String,
    pub size: u64,
    pub os: String,
    pub architecture: String,
    pub variant: String,
    #[serde(deserialize_with = "or_default")]
    pub config: Config,
    #[serde(deserialize_with = "or_default")]
    pub metadata: Metadata,
    /// From 29 on, of a containerd store.
    #[serde(deserialize_with = "or_default")]
    pub identity: Identity,
}

/// Where the daemon has an image from, by its own knowledge.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Identity {
    #[serde(deserialize_with = "or_default")]
    pub pull: Vec<serde_json::Value>,
}

/// What the daemon knows of an image that is not in it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Metadata {
    /// When it last got a name here, also the one that it had already.
    pub last_tag_time: String,
}

/// What containers of the image get unless they say otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    pub user: String,
    pub working_dir: String,
    pub stop_signal: String,
    #[serde(deserialize_with = "or_default")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "or_default")]
    pub volumes: BTreeMap<String, serde_json::Value>,
    pub healthcheck: Option<Healthcheck>,
}

/// Times are nanoseconds; 0 means docker's default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    #[serde(deserialize_with = "or_default")]
    pub test: Vec<String>,
    pub interval: u64,
    pub timeout: u64,
    pub start_period: u64,
    pub retries: u64,
}

impl Image {
    /// Tags, sorted. Daemons of 20.10 list one that is only a digest as `<none>:<none>`.
    pub fn tags(&self) -> Vec<String> {
        named(&self.repo_tags)
    }

    /// `repository@digest`, sorted.
    pub fn digests(&self) -> Vec<String> {
        named(&self.repo_digests)
    }

    /// Whether no registry is known to have it, so that it cannot be had again: the one judgement
    /// of that. A store of layers knows a digest of what was pulled or pushed. In a containerd
    /// store everything has one, also what was built here: its ID, which proves nothing; there
    /// only daemons from 29 on know what they have pulled.
    pub fn is_only_here(&self) -> bool {
        let is_id = |known: &String| known.split_once('@').is_some_and(|it| it.1 == self.id);
        self.identity.pull.is_empty() && self.digests().iter().all(is_id)
    }

    /// The name by which `reference` means this image; none when it is an ID.
    pub fn name_in(&self, reference: &ImageRef) -> Option<String> {
        let name = full_name(reference.as_str());
        self.repo_tags.iter().chain(&self.repo_digests).any(|known| *known == name).then_some(name)
    }

    /// `linux/arm64/v8`.
    pub fn platform(&self) -> String {
        let parts = [&self.os, &self.architecture, &self.variant].map(String::as_str);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }
}

fn named(names: &[String]) -> Vec<String> {
    let mut names: Vec<_> = names.iter().filter(|name| !name.contains("<none>")).cloned().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:aaaa1111";
    const B: &str = "sha256:bbbb2222";

    fn listed() -> Vec<Row> {
        let line = |id: &str, repository: &str, tag: &str, digest: &str, second: u8| {
            format!(
                r#"{{"ID":"{id}","Repository":"{repository}","Tag":"{tag}","Digest":"{digest}","CreatedAt":"2026-11-22 06:00:{second} +0000 UTC"}}"#
            )
        };
        let stdout = [
            line(B, "\\u003cnone\\u003e", "\\u003cnone\\u003e", "\\u003cnone\\u003e", 30),
            line(A, "shop/app", "latest", "\\u003cnone\\u003e", 41),
            line(A, "shop/app", "1.0", "\\u003cnone\\u003e", 41),
            line(A, "reg.test:5000/app", "1.0", "sha256:cafe", 41),
        ];
        let output = Output { stdout: stdout.join("\n"), ..Output::default() };
        ListImages::default().parse(&output).unwrap()
    }

    #[test]
    fn an_image_is_one_row_whatever_the_number_of_its_names() {
        let rows = listed();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].tags, ["reg.test:5000/app:1.0", "shop/app:1.0", "shop/app:latest"]);
        assert_eq!(rows[0].digests, ["reg.test:5000/app@sha256:cafe"]);
        assert_eq!(rows[0].created, "2026-11-22T06:00:41Z");
        assert_eq!((rows[1].id.as_str(), rows[1].tags.len()), (B, 0));
        // The same image from a second listing changes nothing.
        assert_eq!(merged(rows.iter().cloned().chain(rows.clone())), rows);
    }

    #[test]
    fn a_container_is_found_by_every_form_of_its_image() {
        let rows = listed();
        let id = |shown: &str| image_of(&rows, shown).map(|row| row.id.as_str());
        for shown in [
            "shop/app",
            "shop/app:1.0",
            "docker.io/shop/app:latest",
            "reg.test:5000/app@sha256:cafe",
            "reg.test:5000/app:1.0@sha256:cafe",
            "sha256:aaaa1111",
            "aaaa1111",
            "aaaa",
        ] {
            assert_eq!(id(shown), Some(A), "{shown}");
        }
        assert_eq!(id("bbbb22"), Some(B));
        for shown in ["shop/app:2", "reg.test:5000/app", "cccc", "sha256:cccc", "aa"] {
            assert_eq!(id(shown), None, "{shown}");
        }
    }

    #[test]
    fn names_are_written_the_way_docker_lists_them() {
        for (name, full) in [
            ("nginx", "nginx:latest"),
            ("docker.io/library/nginx:1.27", "nginx:1.27"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            ("localhost:5000/app:1", "localhost:5000/app:1"),
            ("app:1@sha256:ab", "app@sha256:ab"),
        ] {
            assert_eq!(full_name(name), full);
        }
    }

    #[test]
    fn a_digest_that_is_the_id_says_nothing_of_a_registry() {
        let image = |digest: &str| Image {
            id: A.into(),
            repo_digests: vec![format!("app@{digest}")],
            ..Image::default()
        };
        assert!(image(A).is_only_here());
        assert!(!image(B).is_only_here());
        let pulled = r#"{"Pull":[{"Repository":"docker.io/library/app"}],"Build":null}"#;
        let pulled = Image { identity: serde_json::from_str(pulled).unwrap(), ..image(A) };
        assert!(!pulled.is_only_here());
    }

    #[test]
    fn an_image_without_names_and_settings_is_read() {
        let text = r#"{"Id":"sha256:a","RepoTags":["<none>:<none>"],"RepoDigests":null,"Os":"linux","Architecture":"arm","Variant":"v7","Config":null}"#;
        let image: Image = serde_json::from_str(text).unwrap();
        assert!(image.tags().is_empty() && image.digests().is_empty() && image.is_only_here());
        assert_eq!(image.platform(), "linux/arm/v7");
    }
}
