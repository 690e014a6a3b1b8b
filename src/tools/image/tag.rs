use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inspect_one;
use crate::command::images::{InspectImages, full_name};
use crate::command::text::short_id;
use crate::command::values::ImageRef;
use crate::command::{Command, Effect, Invocation, Output};
use crate::error::Error;
use crate::tools::protect::judge_name;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagImage {
    /// The image, by name[:tag], digest or ID.
    image: ImageRef,
    /// The further name of the image, name[:tag].
    tag: ImageRef,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    id: String,
    tag: String,
    tags: Vec<String>,
    /// False when it was so already.
    changed: bool,
    /// The image that had the name before.
    moved_from: Option<String>,
}

impl Change for TagImage {
    const SPEC: Spec = Spec {
        name: "tag-image",
        title: "Tag image",
        description: "Tag a local image: give it a further name (`docker tag`). Undo: remove-image.",
        toolset: Toolset::Images,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let tag = new_name(&self.tag)?;
        let image = inspect_one(context, &self.image).await?;
        let shown = Tagging { image: self.image.to_string(), tag: tag.clone() };
        let holder = InspectImages { images: vec![tag.clone()], may_vanish: true };
        let holder = context.docker.run(&holder).await?.pop();
        let is_so_already = holder.as_ref().is_some_and(|holder| holder.id == image.id);
        let moved_from = holder.filter(|_| !is_so_already);
        if let Some(holder) = &moved_from {
            judge_name(&context.docker, &tag, holder, None)?;
        }
        let moved_from = moved_from.map(|holder| short_id(&holder.id).to_owned());
        let tagging = Tagging { image: image.id, tag };
        let ready = Ready { tagging, is_so_already, moved_from };
        Ok(Prepared::new([shown.invocation()], ready))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        let Ready { tagging, is_so_already, moved_from } = ready;
        if !is_so_already {
            context.docker.run(&tagging).await?;
        }
        let after = InspectImages { images: vec![tagging.image.clone()], may_vanish: true };
        let after = context.docker.run(&after).await?.pop().unwrap_or_default();
        Ok(Reply {
            id: short_id(&tagging.image).to_owned(),
            tag: tagging.tag,
            tags: after.tags(),
            changed: !is_so_already,
            moved_from,
        })
    }
}

pub(super) struct Ready {
    tagging: Tagging,
    is_so_already: bool,
    moved_from: Option<String>,
}

fn new_name(tag: &ImageRef) -> Result<String, Error> {
    if tag.is_id() || tag.digest().is_some() {
        let message = format!("{tag} is not a name to give: use repository:tag without a digest");
        return Err(Error::invalid("tag", message));
    }
    Ok(full_name(tag.as_str()))
}

/// `docker image tag`, which prints nothing.
pub(super) struct Tagging {
    pub(super) image: String,
    pub(super) tag: String,
}

impl Command for Tagging {
    type Reply = ();

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Change, ["image", "tag"]).operands([&self.image, &self.tag])
    }

    fn parse(&self, _: &Output) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn argv_of_tag_image() {
        let tagging = Tagging { image: "shop/app:1".into(), tag: "shop/app:stable".into() };
        assert_snapshot!(tagging.invocation(), @"docker image tag -- shop/app:1 shop/app:stable");
    }

    #[test]
    fn a_name_is_given_with_a_tag_and_without_a_digest() {
        let name = |text: &str| new_name(&text.parse().unwrap());
        assert_eq!(name("shop/app").unwrap(), "shop/app:latest");
        let digest = format!("sha256:{}", "a".repeat(64));
        assert!(name(&digest).is_err());
        assert!(name(&format!("app@{digest}")).is_err());
    }
}
