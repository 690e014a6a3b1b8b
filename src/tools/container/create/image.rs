//! The image: whether it is here, and fetching it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::parameters::PullPolicy;
use crate::command::values::{ImageRef, Platform};
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::docker::{Docker, Line};
use crate::error::{Code, Error};

const PULL_LIMIT: Duration = Duration::from_secs(30 * 60);

/// `docker image inspect`; none when it is not here.
pub(super) struct LocalImage<'a>(pub(super) &'a ImageRef);

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Image {
    os: String,
    architecture: String,
    variant: String,
}

impl Command for LocalImage<'_> {
    type Reply = Option<Image>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["image", "inspect"]).operands([self.0])
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0 || output.stderr.to_lowercase().contains("no such image")
    }

    /// A failed `inspect` prints `[]`.
    fn parse(&self, output: &Output) -> Result<Option<Image>, Error> {
        let mut images: Vec<Image> = json::document(&output.stdout)?;
        Ok(images.pop())
    }
}

impl Image {
    /// Whether it is for this platform, as far as both say something.
    fn fits(&self, platform: &Platform) -> bool {
        let same = |wanted: Option<&str>, own: &str| {
            wanted.is_none_or(|wanted| own.is_empty() || wanted == own)
        };
        let mut wanted = platform.as_str().split('/');
        same(wanted.next(), &self.os)
            && same(wanted.next(), &self.architecture)
            && same(wanted.next(), &self.variant)
    }
}

/// The pull that is needed before a container can be made.
///
/// # Errors
/// DKR-003 for an image that is missing and cannot or must not be pulled.
pub(super) fn pull_needed(
    image: &ImageRef,
    platform: Option<&Platform>,
    policy: PullPolicy,
    local: Option<&Image>,
) -> Result<Option<Pull>, Error> {
    let is_here = local.is_some_and(|local| platform.is_none_or(|platform| local.fits(platform)));
    let is_wanted = match policy {
        PullPolicy::Always => true,
        PullPolicy::Missing => !is_here,
        // Docker says what does not fit.
        PullPolicy::Never => local.is_none(),
    };
    if !is_wanted {
        return Ok(None);
    }
    let missing = |why| {
        let message = format!("image {image} {why}");
        Err(Error::new(Code::ImageNotFound, message).with("image", image.as_str()))
    };
    match policy {
        PullPolicy::Never => missing("is not here, and pull is never"),
        _ if image.is_id() => missing("is an ID, which cannot be pulled"),
        _ => Ok(Some(Pull { image: image.clone(), platform: platform.cloned() })),
    }
}

/// `docker image pull`. When its client ends, the daemon drops it, so it leaves nothing behind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pull {
    image: ImageRef,
    platform: Option<Platform>,
}

impl Command for Pull {
    type Reply = ();

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Change, ["image", "pull"])
            .maybe("--platform", self.platform.as_ref())
            .operands([&self.image])
            .timeout(PULL_LIMIT)
            .killed_means_undone()
    }

    fn parse(&self, _: &Output) -> Result<(), Error> {
        Ok(())
    }
}

impl Pull {
    pub(super) async fn run(&self, docker: &Docker) -> Result<(), Error> {
        let mut layers = Layers::default();
        docker.progress().say(format!("pulling {}", self.image));
        docker
            .watch(self, |line| {
                let (Line::Stdout(line) | Line::Stderr(line)) = line;
                if let Some((done, total)) = layers.hear(line) {
                    let message = format!("pulling {}: {done} of {total} layers", self.image);
                    docker.progress().step(done, total, message);
                }
            })
            .await
            .map_err(|error| error.with("image", self.image.as_str()))
    }
}

/// The layers of a pull, and whether each is here.
#[derive(Default)]
struct Layers(BTreeMap<String, bool>);

impl Layers {
    /// How many there are and how many are done, when the line says something about one of them.
    fn hear(&mut self, line: &str) -> Option<(u64, u64)> {
        let (layer, status) = line.trim().split_once(": ")?;
        if layer.len() != 12 || !layer.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let is_done = matches!(status.trim(), "Pull complete" | "Already exists");
        *self.0.entry(layer.to_owned()).or_default() |= is_done;
        let done = self.0.values().filter(|done| **done).count();
        Some((done as u64, self.0.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn image(text: &str) -> ImageRef {
        text.parse().unwrap()
    }

    fn needed(policy: PullPolicy, platform: Option<&str>, local: bool) -> Result<bool, Code> {
        let platform = platform.map(|platform| platform.parse().unwrap());
        let local = local.then(|| Image {
            os: "linux".into(),
            architecture: "arm64".into(),
            variant: "v8".into(),
        });
        pull_needed(&image("a"), platform.as_ref(), policy, local.as_ref())
            .map(|pull| pull.is_some())
            .map_err(|error| error.code)
    }

    #[test]
    fn an_image_is_pulled_when_it_has_to_be() {
        use PullPolicy::{Always, Missing, Never};
        assert_eq!(needed(Missing, None, true), Ok(false));
        assert_eq!(needed(Missing, None, false), Ok(true));
        assert_eq!(needed(Missing, Some("linux/arm64"), true), Ok(false));
        assert_eq!(needed(Missing, Some("linux/amd64"), true), Ok(true));
        assert_eq!(needed(Always, None, true), Ok(true));
        assert_eq!(needed(Never, Some("linux/amd64"), true), Ok(false));
        assert_eq!(needed(Never, None, false), Err(Code::ImageNotFound));
        let id = image("sha256:0123456789ab");
        let error = pull_needed(&id, None, Missing, None).unwrap_err();
        assert_snapshot!(error.message, @"image sha256:0123456789ab is an ID, which cannot be pulled");
    }

    #[test]
    fn argv_of_a_pull() {
        let pull =
            Pull { image: image("nginx:1.27"), platform: Some("linux/arm64".parse().unwrap()) };
        assert_snapshot!(pull.invocation(), @"docker image pull --platform=linux/arm64 -- nginx:1.27");
        assert!(pull.invocation().is_undone_when_killed());
    }

    #[test]
    fn layers_are_counted() {
        let mut layers = Layers::default();
        let heard: Vec<_> = [
            "1.27: Pulling from library/nginx",
            "a2abf6c4d29d: Pulling fs layer",
            "a9edb18cadd1: Already exists",
            "a2abf6c4d29d: Download complete",
            "a2abf6c4d29d: Pull complete",
            "Digest: sha256:0d17b565c37bcbd895e9d92315a05c1c3c9a29f762b011a10c54a66cd53c9b31",
        ]
        .iter()
        .map(|line| layers.hear(line))
        .collect();
        assert_eq!(heard, [None, Some((0, 1)), Some((1, 2)), Some((1, 2)), Some((2, 2)), None]);
    }
}
