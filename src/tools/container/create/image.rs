//! The image: whether it is here, and fetching it.

use std::time::Duration;

use super::parameters::PullPolicy;
use crate::command::images::Image;
use crate::command::pull::{Layers, Pull};
use crate::command::values::{ImageRef, Platform};
use crate::docker::{Docker, Line};
use crate::error::{Code, Error};

const PULL_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Whether it is for this platform, as far as both say something.
fn fits(image: &Image, platform: &Platform) -> bool {
    let same = |wanted: Option<&str>, own: &str| {
        wanted.is_none_or(|wanted| own.is_empty() || wanted == own)
    };
    let mut wanted = platform.as_str().split('/');
    same(wanted.next(), &image.os)
        && same(wanted.next(), &image.architecture)
        && same(wanted.next(), &image.variant)
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
    let is_here = local.is_some_and(|local| platform.is_none_or(|platform| fits(local, platform)));
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
        _ => Ok(Some(Pull {
            image: image.to_string(),
            platform: platform.cloned(),
            timeout: PULL_LIMIT,
        })),
    }
}

/// Pulls it, and tells how far that is.
///
/// # Errors
/// DKR-003 when the registry has it only for another platform.
pub(super) async fn run(pull: &Pull, docker: &Docker) -> Result<(), Error> {
    let image = &pull.image;
    let mut layers = Layers::default();
    docker.progress().say(format!("pulling {image}"));
    let pulled = docker.watch(pull, |line| {
        let (Line::Stdout(line) | Line::Stderr(line)) = line;
        if let Some((done, total)) = layers.read(line) {
            let message = format!("pulling {image}: {done} of {total} layers");
            docker.progress().step(done, total, message);
        }
    });
    let pulled = pulled.await.map_err(|error| error.with("image", image))?;
    match &pull.platform {
        Some(platform) if pulled.other_platform => {
            let message =
                format!("the registry has {image} only for another platform than {platform}");
            Err(Error::new(Code::ImageNotFound, message).with("image", image))
        }
        _ => Ok(()),
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
            ..Image::default()
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
}
