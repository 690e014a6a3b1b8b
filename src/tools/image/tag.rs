use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inspect_one;
use crate::command::containers::short_id;
use crate::command::images::{InspectImages, full_name};
use crate::command::values::ImageRef;
use crate::command::{Command, Effect, Invocation, Output};
use crate::error::Error;
use crate::tools::protect::judge_protection;
use crate::tools::reply::{Change, DryRun};
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagImage {
    /// Name[:tag], digest or ID.
    image: ImageRef,
    /// Further name[:tag].
    tag: ImageRef,
    /// Preview.
    #[serde(default)]
    dry_run: bool,
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
    command: String,
}

impl Tool for TagImage {
    const SPEC: Spec = Spec {
        name: "tag-image",
        title: "Tag image",
        description: "Give a local image a further name. Undo: remove-image.",
        toolset: Toolset::Images,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let tag = new_name(&self.tag)?;
        let image = inspect_one(context, &self.image).await?;
        let shown = Tagging { image: self.image.to_string(), tag: tag.clone() };
        let shown = shown.invocation().to_string();
        if self.dry_run {
            return Ok(Change::DryRun(DryRun::new([shown])));
        }
        let holder = InspectImages { images: vec![tag.clone()], may_vanish: true };
        let holder = context.docker.run(&holder).await?.pop().map(|image| image.id);
        let changed = holder.as_deref() != Some(image.id.as_str());
        if holder.is_some() && changed {
            // The name is taken from another image.
            judge_protection(&context.docker, "image", &tag, &BTreeMap::new())?;
        }
        if changed {
            let tagging = Tagging { image: image.id.clone(), tag: tag.clone() };
            context.docker.run(&tagging).await.map_err(|error| error.command(shown.clone()))?;
        }
        let after = InspectImages { images: vec![image.id.clone()], may_vanish: true };
        let after = context.docker.run(&after).await?.pop().unwrap_or_default();
        Ok(Change::Done(Reply {
            id: short_id(&image.id).to_owned(),
            tag,
            tags: after.tags(),
            changed,
            moved_from: holder.filter(|_| changed).map(|id| short_id(&id).to_owned()),
            command: shown,
        }))
    }
}

fn new_name(tag: &ImageRef) -> Result<String, Error> {
    if tag.is_id() || tag.digest().is_some() {
        let message = format!("{tag} is not a name to give: use repository:tag without a digest");
        return Err(Error::invalid("tag", message));
    }
    Ok(full_name(tag.as_str()))
}

/// `docker image tag`, which prints nothing.
struct Tagging {
    image: String,
    tag: String,
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
