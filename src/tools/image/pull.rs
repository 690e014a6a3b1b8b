use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{inspect_one, with_tag};
use crate::command::images::Image;
use crate::command::pull::{Layers, Pull, Status};
use crate::command::text::{human_bytes, short_id};
use crate::command::values::{Bounded, ImageRef, Platform};
use crate::command::{Command, Effect};
use crate::docker::Line;
use crate::error::{Code, Error};
use crate::tools::protect::judge_names;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

/// Half an hour, for large images on slow lines.
const TIMEOUT_SECONDS: u64 = 1800;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PullImage {
    /// The image, by name[:tag] or digest.
    image: ImageRef,
    /// Platform such as linux/arm64.
    platform: Option<Platform>,
    /// Most seconds it may take; default 1800.
    timeout_seconds: Option<Bounded<1, 86_400>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    image: String,
    id: String,
    digest: Option<String>,
    status: Status,
    size: String,
    size_bytes: u64,
    platform: String,
}

impl Change for PullImage {
    const SPEC: Spec = Spec {
        name: "pull-image",
        title: "Pull image",
        description: "Pull (download, update) an image from a registry (`docker pull`). Logins are the \
                      person's. Local: list-images.",
        toolset: Toolset::Images,
        effect: Effect::Change,
        idempotent: true,
        open_world: true,
    };
    type Ready = (ImageRef, Pull);
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Self::Ready>, Error> {
        let image = with_tag(&self.image)?;
        let seconds = self.timeout_seconds.map_or(TIMEOUT_SECONDS, |seconds| seconds.get().into());
        let pull = Pull {
            image: image.to_string(),
            platform: self.platform,
            timeout: Duration::from_secs(seconds),
        };
        judge_names(&context.docker, [pull.image.clone()], None).await?;
        Ok(Prepared::new([pull.invocation()], (image, pull)))
    }

    async fn apply((image, pull): Self::Ready, context: &Context) -> Result<Reply, Error> {
        let progress = context.docker.progress();
        progress.say(format!("asking the registry for {image}"));
        let mut layers = Layers::default();
        let pulled = context.docker.watch(&pull, |line| {
            if let Line::Stdout(line) = line
                && let Some((done, total)) = layers.read(line)
            {
                progress.step(done, total, format!("{done} of {total} layers"));
            }
        });
        let pulled = pulled.await.map_err(|error| explained(error, &image))?;
        let found = inspect_one(context, &image).await?;
        if let Some(platform) = &pull.platform
            && (pulled.other_platform || is_other(&found, platform, pulled.digest.as_deref()))
        {
            return Err(wrong_platform(&image, platform, &found));
        }
        Ok(Reply {
            image: image.to_string(),
            id: short_id(&found.id).to_owned(),
            digest: pulled.digest,
            status: pulled.status,
            size: human_bytes(found.size),
            size_bytes: found.size,
            platform: found.platform(),
        })
    }
}

fn explained(error: Error, image: &ImageRef) -> Error {
    let error = error.with("image", image.as_str());
    if error.code == Code::Timeout {
        return error
            .hint("give more timeout_seconds; the daemon drops what it has downloaded so far");
    }
    error
}

/// An image of one platform is pulled whatever was asked for: 20.10 says nothing, 26 exits with 1
/// afterwards, 28 prints a warning. In a containerd store, where ID and digest are the same, a
/// name can stand for several platforms, and `inspect` shows the host's.
fn is_other(found: &Image, wanted: &Platform, digest: Option<&str>) -> bool {
    let found_parts = [found.os.as_str(), found.architecture.as_str()];
    let one_platform = digest != Some(found.id.as_str());
    let wanted = wanted.as_str().split('/').map(|part| match part {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        part => part,
    });
    // One word alone may be either, so only the full form is compared.
    let wanted: Vec<_> = wanted.take(2).collect();
    one_platform && wanted.len() == 2 && wanted != found_parts
}

fn wrong_platform(image: &ImageRef, wanted: &Platform, found: &Image) -> Error {
    let there = found.platform();
    Error::new(
        Code::ImageNotFound,
        format!("the registry has {image} only for {there}, not for {wanted}"),
    )
    .with("image", image.as_str())
    .hint(format!("docker downloaded the one for {there} all the same; remove-image takes it away"))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn pull(arguments: serde_json::Value) -> Result<String, Error> {
        let tool: PullImage = serde_json::from_value(arguments).unwrap();
        let image = with_tag(&tool.image)?.to_string();
        let pull = Pull { image, platform: tool.platform, timeout: Duration::from_secs(1) };
        Ok(pull.invocation().to_string())
    }

    #[test]
    fn argv_of_pull_image() {
        assert_snapshot!(pull(json!({"image": "nginx"})).unwrap(), @"docker image pull -- nginx:latest");
        assert_snapshot!(pull(json!({"image": "localhost:5000/a/b:1", "platform": "linux/arm64"})).unwrap(), @"docker image pull --platform=linux/arm64 -- localhost:5000/a/b:1");
        let id = format!("sha256:{}", "a".repeat(64));
        assert_snapshot!(pull(json!({"image": format!("a@{id}")})).unwrap(), @"docker image pull -- a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(pull(json!({"image": id})).unwrap_err().code, Code::InvalidConfiguration);
    }

    #[test]
    fn another_platform_than_asked_for_is_noticed() {
        let found = Image {
            id: "sha256:aa".into(),
            os: "linux".into(),
            architecture: "amd64".into(),
            ..Image::default()
        };
        let other = |wanted: &str, digest| is_other(&found, &wanted.parse().unwrap(), digest);
        assert!(other("linux/arm64", Some("sha256:bb")));
        assert!(!other("linux/amd64", Some("sha256:bb")));
        assert!(!other("linux/x86_64", Some("sha256:bb")));
        assert!(!other("linux", Some("sha256:bb")));
        assert!(!other("linux/arm64", Some("sha256:aa")));
    }
}
