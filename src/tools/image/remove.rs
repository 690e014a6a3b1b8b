use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inspect_one;
use crate::command::containers::InspectContainers;
use crate::command::images::{Image, InspectImages};
use crate::command::text::short_id;
use crate::command::values::ImageRef;
use crate::command::{Command, Effect, Invocation, Output};
use crate::error::{Code, Error};
use crate::tools::confirm::Doomed;
use crate::tools::losses;
use crate::tools::protect::{judge_change, judge_protection};
use crate::tools::users::Users;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveImage {
    /// The image, by name[:tag], digest or ID.
    image: ImageRef,
    /// Remove it although stopped containers use it.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    removed: Removed,
    /// What is left of the image, where something is.
    left: Option<Left>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Removed {
    untagged: Vec<String>,
    deleted: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Left {
    id: String,
    tags: Vec<String>,
    used_by: Vec<String>,
}

impl Change for RemoveImage {
    const SPEC: Spec = Spec {
        name: "remove-image",
        title: "Remove image",
        description: "Remove (delete) an image or one of its tags (`docker rmi`, `docker image rm`, \
                      untag); a plan first if that destroys the only copy. Users: find-users.",
        toolset: Toolset::Images,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let image = inspect_one(context, &self.image).await?;
        let target = Target::of(&self.image, &image);
        let going = match &target {
            Target::OneOfItsNames(name) | Target::LastName(name) => vec![name.clone()],
            Target::Id => image.tags(),
        };
        for name in
            going.iter().chain(&image.digests()).map(String::as_str).chain([self.image.as_str()])
        {
            judge_protection(&context.docker, "image", name, &image.config.labels)?;
        }
        for name in if going.is_empty() { vec![self.image.to_string()] } else { going } {
            judge_change(&context.docker, "image", &name, &image.config.labels)?;
        }
        let users = match target {
            // Another tag keeps the image, so nobody loses anything.
            Target::OneOfItsNames(_) => Users::default(),
            Target::LastName(_) | Target::Id => users(context, &image).await?,
        };
        target.check(&self.image, &image, &users, self.force)?;
        let lost = target.lost(&self.image, &image);
        let loses_data = !users.is_empty() || lost.loses_data;
        let doomed = Doomed { used_by: users.names(), loses_data, ..lost };
        let removal = Removal { target: target.operand(&image), force: self.force };
        let command = removal.invocation();
        let ready = Ready { reference: self.image, image, users, removal };
        Ok(Prepared::new([command], ready).loses([doomed]))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        let Ready { reference, image, users, removal } = ready;
        let removed = context.docker.run(&removal).await;
        let removed =
            removed.map_err(|error| explained(error).with("image", reference.as_str()))?;
        Ok(Reply { removed, left: left(context, &image, &users).await? })
    }
}

pub(super) struct Ready {
    reference: ImageRef,
    image: Image,
    users: Users,
    removal: Removal,
}

/// What a reference stands for, which decides what docker does.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// Only this name goes; the image keeps others.
    OneOfItsNames(String),
    /// The image goes with it, unless a running container uses it.
    LastName(String),
    /// The image goes with all its names.
    Id,
}

impl Target {
    fn of(reference: &ImageRef, image: &Image) -> Self {
        let Some(name) = image.name_in(reference) else { return Self::Id };
        let others = image.tags().iter().any(|tag| *tag != name);
        if others { Self::OneOfItsNames(name) } else { Self::LastName(name) }
    }

    /// Acts on the ID where it can: a name may stand for another image by then.
    fn operand(&self, image: &Image) -> String {
        match self {
            Self::OneOfItsNames(name) | Self::LastName(name) => name.clone(),
            Self::Id => image.id.clone(),
        }
    }

    /// Whether the image has a name says nothing of what would be lost: a newer build, or
    /// `tag-image`, may have taken the last one.
    fn lost(&self, reference: &ImageRef, image: &Image) -> Doomed {
        losses::image(image, reference.to_string(), matches!(self, Self::OneOfItsNames(_)))
    }

    /// Says before docker does, and with names, what is in the way.
    fn check(
        &self,
        reference: &ImageRef,
        image: &Image,
        users: &Users,
        force: bool,
    ) -> Result<(), Error> {
        let tags = image.tags();
        if *self == Self::Id && tags.len() > 1 && !force {
            let message = format!("{reference} is an ID with several tags: {}", tags.join(", "));
            return Err(Error::new(Code::ResourceInUse, message)
                .with("image", reference.as_str())
                .hint("name one tag to remove only that one, or give force to remove the image with all of them"));
        }
        if users.is_empty() {
            return Ok(());
        }
        let in_the_way = || users.in_the_way("image", reference.as_str());
        let runs = |state: &str| matches!(state, "running" | "paused" | "restarting");
        if *self == Self::Id && users.rows().iter().any(|row| runs(&row.state)) {
            return Err(in_the_way().hint(
                "an image whose containers run cannot be removed by its ID, not even with force: stop and remove them first, if they are yours, or remove its tag with force",
            ));
        }
        if !force {
            return Err(in_the_way().hint(
                "if those containers are yours, remove them first; force removes it all the same, and asks for a confirmation",
            ));
        }
        Ok(())
    }
}

/// The containers that were made from exactly this image.
async fn users(context: &Context, image: &Image) -> Result<Users, Error> {
    // The filter also finds containers of images that were built on this one.
    let users = Users::find(context, vec![format!("ancestor={}", image.id)]).await?;
    if users.is_empty() {
        return Ok(users);
    }
    let ids = users.rows().iter().map(|row| row.id.clone());
    let containers = context.docker.run(&InspectContainers::listed(ids)).await?;
    let of_it = |id: &str| containers.iter().any(|one| one.id == id && one.image == image.id);
    Ok(users.only(|row| of_it(&row.id)))
}

async fn left(context: &Context, image: &Image, users: &Users) -> Result<Option<Left>, Error> {
    let after = InspectImages::listed(vec![image.id.clone()]);
    let after = context.docker.run(&after).await?.pop();
    Ok(after.map(|after| Left {
        id: short_id(&after.id).to_owned(),
        tags: after.tags(),
        used_by: users.names(),
    }))
}

fn explained(error: Error) -> Error {
    if error.message.contains("dependent child images") {
        return error
            .hint("other images were built on it: remove those first, or only its tag by name");
    }
    error
}

/// `docker image rm`.
struct Removal {
    target: String,
    force: bool,
}

impl Command for Removal {
    type Reply = Removed;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Destroy, ["image", "rm"])
            .flag("--force", self.force)
            .operands([&self.target])
    }

    /// With force and no such image docker 20.10 to 28 exits with 0 and prints nothing here.
    fn parse(&self, output: &Output) -> Result<Removed, Error> {
        let all = |prefix: &str| {
            output
                .stdout
                .lines()
                .filter_map(|line| line.strip_prefix(prefix))
                .map(str::trim)
                .map(str::to_owned)
                .collect::<Vec<String>>()
        };
        let deleted = all("Deleted: ").iter().map(|id| short_id(id).to_owned()).collect();
        Ok(Removed { untagged: all("Untagged: "), deleted })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn image(tags: &[&str]) -> Image {
        Image {
            id: format!("sha256:{}", "ab".repeat(32)),
            repo_tags: tags.iter().map(ToString::to_string).collect(),
            repo_digests: vec!["reg.test/app@sha256:cafe".to_owned()],
            ..Image::default()
        }
    }

    fn target(reference: &str, tags: &[&str]) -> Target {
        Target::of(&reference.parse().unwrap(), &image(tags))
    }

    #[test]
    fn argv_of_remove_image() {
        let shown = |target: &str, force| Removal { target: target.into(), force }.invocation();
        assert_snapshot!(shown("shop/app:1", false), @"docker image rm -- shop/app:1");
        assert_snapshot!(shown("sha256:ab", true), @"docker image rm --force -- sha256:ab");
    }

    #[test]
    fn what_a_reference_stands_for_decides() {
        let name = |name: &str| name.to_owned();
        assert_eq!(target("app", &["app:latest"]), Target::LastName(name("app:latest")));
        assert_eq!(target("app:1", &["app:1", "app:latest"]), Target::OneOfItsNames(name("app:1")));
        assert_eq!(target(&"ab".repeat(32), &["app:1"]), Target::Id);
        assert_eq!(target("abab", &["app:1"]), Target::Id);
    }

    #[test]
    fn what_was_built_here_and_goes_cannot_come_back() {
        let loses = |reference: &str, tags: &[&str], digests: &[&str]| {
            let mut image = image(tags);
            image.repo_digests = digests.iter().map(ToString::to_string).collect();
            let reference = reference.parse().unwrap();
            Target::of(&reference, &image).lost(&reference, &image).loses_data
        };
        assert!(loses("app", &["app:latest"], &[]));
        assert!(loses("abab", &["app:latest"], &[]));
        assert!(!loses("app", &["app:latest", "app:1"], &[]), "another tag keeps it");
        assert!(!loses("app", &["app:latest"], &["reg.test/app@sha256:cafe"]));
        assert!(loses("abab", &[], &[]), "what a newer build has left");
    }

    #[test]
    fn an_id_with_several_tags_is_explained() {
        let tags = ["app:1", "app:2"];
        let reference: ImageRef = "abab".parse().unwrap();
        let check = |force| Target::Id.check(&reference, &image(&tags), &Users::default(), force);
        assert!(check(true).is_ok());
        assert_snapshot!(check(false).unwrap_err(), @"
        Error: DKR-009 resource_in_use: abab is an ID with several tags: app:1, app:2 | Context: image=abab
        hint: name one tag to remove only that one, or give force to remove the image with all of them
        ");
    }

    #[test]
    fn what_was_removed_is_read() {
        let stdout = "Untagged: reg.test/layers:1\nUntagged: reg.test/layers@sha256:2e30\nDeleted: sha256:740c1f2b89f43b75963049927fb69a3bcb271bf46f7be452cd55c6b6d03b9281\n";
        let output = Output { stdout: stdout.to_owned(), ..Output::default() };
        let removed = Removal { target: String::new(), force: false }.parse(&output).unwrap();
        assert_eq!(removed.untagged, ["reg.test/layers:1", "reg.test/layers@sha256:2e30"]);
        assert_eq!(removed.deleted, ["740c1f2b89f4"]);
    }
}
