use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{inspect_one, with_tag};
use crate::command::pull::{Layers, Push};
use crate::command::text::short_id;
use crate::command::values::{Bounded, ImageRef};
use crate::command::{Command, Effect};
use crate::docker::Line;
use crate::error::{Code, Error};
use crate::policy::{Allow, Policy};
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

const TIMEOUT_SECONDS: u64 = 1800;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PushImage {
    /// The image, by name and tag.
    image: ImageRef,
    /// Most seconds it may take; default 1800.
    timeout_seconds: Option<Bounded<1, 86_400>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    image: String,
    id: String,
    digest: Option<String>,
    layers: u64,
    /// The registry had the others.
    layers_sent: usize,
}

impl Change for PushImage {
    const SPEC: Spec = Spec {
        name: "push-image",
        title: "Push image",
        description: "Push (upload, publish) an image to a registry (`docker push`). To name it: \
                      tag-image.",
        toolset: Toolset::Images,
        effect: Effect::Change,
        idempotent: true,
        open_world: true,
    };
    type Ready = Ready;
    type Reply = Reply;

    fn can_work(policy: &Policy) -> bool {
        policy.permits(Self::SPEC.effect) && policy.allows(&Allow::Push)
    }

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let image = with_tag(&self.image)?;
        if image.digest().is_some() {
            let message = format!("{image} has a digest, which only a push gives: name a tag");
            return Err(Error::invalid("image", message));
        }
        let seconds = self.timeout_seconds.map_or(TIMEOUT_SECONDS, |seconds| seconds.get().into());
        let push = Push { image: image.to_string(), timeout: Duration::from_secs(seconds) };
        let id = inspect_one(context, &image).await?.id;
        Ok(Prepared::new([push.invocation()], Ready { image, id, push }))
    }

    async fn apply(Ready { image, id, push }: Ready, context: &Context) -> Result<Reply, Error> {
        let progress = context.docker.progress();
        let registry = image.registry().unwrap_or("docker.io");
        progress.say(format!("asking {registry} about {image}"));
        let (mut layers, mut count) = (Layers::default(), 0);
        let pushed = context.docker.watch(&push, |line| {
            if let Line::Stdout(line) = line
                && let Some((done, total)) = layers.read(line)
            {
                count = total;
                progress.step(done, total, format!("{done} of {total} layers"));
            }
        });
        let pushed = pushed.await.map_err(|error| explained(error, &image, registry))?;
        Ok(Reply {
            image: image.to_string(),
            id: short_id(&id).to_owned(),
            digest: pushed.digest,
            layers: count,
            layers_sent: pushed.layers_sent,
        })
    }
}

pub(super) struct Ready {
    image: ImageRef,
    id: String,
    push: Push,
}

fn explained(error: Error, image: &ImageRef, registry: &str) -> Error {
    let error = error.with("image", image.as_str());
    match error.code {
        Code::RegistryDenied => {
            let login = if registry == "docker.io" { "" } else { registry };
            let hint = format!(
                "the person must run `docker login {login}` in a terminal, with an account that may write there"
            );
            error.hint(hint.replace("login `", "login`"))
        }
        Code::Timeout => error.hint("give more timeout_seconds; layers that were sent are kept"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn argv_of_push_image() {
        let push = Push { image: "reg.test/app:1".into(), timeout: Duration::from_secs(1) };
        assert_snapshot!(push.invocation(), @"docker image push -- reg.test/app:1");
    }

    #[test]
    fn a_login_is_the_persons() {
        let hint = |image: &str, registry: &str| {
            let error = Error::new(Code::RegistryDenied, "unauthorized");
            explained(error, &image.parse().unwrap(), registry).hint.clone().unwrap()
        };
        assert_snapshot!(hint("reg.test/app:1", "reg.test"), @"the person must run `docker login reg.test` in a terminal, with an account that may write there");
        assert_snapshot!(hint("app:1", "docker.io"), @"the person must run `docker login` in a terminal, with an account that may write there");
    }
}
