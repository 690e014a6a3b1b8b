use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use super::holdings::{Holdings, VolumeSizes, images_by_name, volumes_by_name};
use super::project;
use crate::command::compose::Project;
use crate::command::containers::ListContainers;
use crate::command::images::{Image, InspectImages};
use crate::command::text::human_bytes;
use crate::command::values::{Bounded, ProjectName};
use crate::command::{Act, Effect, Invocation};
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::confirm::{Decision, Doomed};
use crate::tools::protect::{judge_protection, judge_removal};
use crate::tools::reply::{Change, DryRun};
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeDown {
    /// Project.
    project_name: ProjectName,
    /// With their data, after a plan.
    #[serde(default)]
    remove_volumes: bool,
    /// all or local.
    #[serde(default)]
    remove_images: Images,
    /// With leftovers.
    #[serde(default)]
    remove_orphans: bool,
    /// Default 10.
    timeout_seconds: Option<Bounded<0, 600>>,
    /// From the plan.
    confirm: Option<String>,
    /// Preview.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Images {
    #[default]
    None,
    Local,
    All,
}

impl<'de> Deserialize<'de> for Images {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = Value::deserialize(deserializer)?;
        match sent.as_str().map_or_else(|| sent.to_string(), str::to_lowercase).as_str() {
            "false" | "none" | "null" => Ok(Self::None),
            "true" | "all" => Ok(Self::All),
            "local" => Ok(Self::Local),
            other => Err(de::Error::custom(format!("{other:?} is not true, false, all or local"))),
        }
    }
}

impl JsonSchema for Images {
    fn schema_name() -> Cow<'static, str> {
        "Images".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl Images {
    /// The value of `--rmi`.
    fn argument(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Local => Some("local"),
            Self::All => Some("all"),
        }
    }
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    project: String,
    removed: Removed,
    /// What should have gone, and who uses it.
    still_in_use: Vec<String>,
    /// Volumes that were not asked for.
    kept_volumes: Vec<String>,
    command: String,
}

#[derive(Debug, Default, Serialize)]
struct Removed {
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
    images: Vec<String>,
}

impl Tool for ComposeDown {
    const SPEC: Spec = Spec {
        name: "compose-down",
        title: "Remove project",
        description: "Remove a project's containers and networks; remove_volumes destroys data, after a plan. To only stop: compose-stop.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let before = Holdings::of(docker, &self.project_name).await?;
        if before.is_empty() {
            return Err(project::no_such_project(docker, &self.project_name).await);
        }
        let images = self.images(docker, &before).await?;
        self.judge(docker, &before, &images)?;
        let command = self.command(before.containers.len());
        if self.dry_run {
            return Ok(Change::DryRun(DryRun::new([command])));
        }
        let doomed = self.doomed(docker, &before, &images).await?;
        let decision = context.confirmations.decide(
            Self::SPEC.name,
            std::slice::from_ref(&command),
            doomed,
            self.confirm.as_deref(),
        )?;
        if let Decision::Ask(plan) = decision {
            return Ok(Change::Plan(plan));
        }
        docker.watch(&Act(command.clone()), |_| docker.progress().say("taking down")).await?;
        let after = Holdings::of(docker, &self.project_name).await?;
        let mut reply = self.compare(docker, &before, &after).await?;
        reply.command = command.to_string();
        Ok(Change::Done(reply))
    }
}

impl ComposeDown {
    /// By the name alone: compose then finds everything by its labels, and reads no file.
    fn command(&self, containers: usize) -> Invocation {
        let grace = self.timeout_seconds.map_or(10, Bounded::get);
        // They stop one after the other when each depends on the next.
        let seconds = u64::from(grace) * containers.max(1) as u64 + 60;
        Project::named(self.project_name.clone())
            .invocation(Effect::Destroy, "down")
            .flag("--volumes", self.remove_volumes)
            .maybe("--rmi", self.remove_images.argument())
            .flag("--remove-orphans", self.remove_orphans)
            .maybe("--timeout", self.timeout_seconds.map(Bounded::get))
            .timeout(Duration::from_secs(seconds.min(1800)))
    }

    /// What the operator wants to stay. The networks and volumes of a project are ours when its
    /// containers are.
    fn judge(
        &self,
        docker: &Docker,
        before: &Holdings,
        images: &[(String, Image)],
    ) -> Result<(), Error> {
        for (name, image) in images {
            judge_protection(docker, "image", name, &image.config.labels)?;
        }
        for network in &before.networks {
            judge_protection(docker, "network", &network.name, &BTreeMap::new())?;
        }
        for container in &before.containers {
            judge_removal(docker, "container", container.name(), &container.config.labels)?;
        }
        for volume in before.volumes.iter().filter(|_| self.remove_volumes) {
            judge_protection(docker, "volume", &volume.name, &volume.labels)?;
        }
        Ok(())
    }

    /// The images that would go, by the names that the containers have for them.
    async fn images(
        &self,
        docker: &Docker,
        before: &Holdings,
    ) -> Result<Vec<(String, Image)>, Error> {
        let project = self.project_name.as_str();
        // Compose's own names are those of services that are built and have no `image`.
        let is_local = |name: &str| {
            name.strip_prefix(project).is_some_and(|service| service.starts_with(['-', '_']))
        };
        let goes = |name: &&String| match self.remove_images {
            Images::None => false,
            Images::Local => is_local(name),
            Images::All => true,
        };
        let (names, ids): (Vec<String>, Vec<String>) = before
            .images
            .iter()
            .filter(|(name, _)| goes(name))
            .map(|(name, id)| (name.clone(), id.clone()))
            .unzip();
        if ids.is_empty() {
            return Ok(vec![]);
        }
        let found = docker.run(&InspectImages::listed(ids.clone())).await?;
        let image = |id: &String| found.iter().find(|image| image.id == *id).cloned();
        Ok(names.into_iter().zip(&ids).filter_map(|(name, id)| Some((name, image(id)?))).collect())
    }

    async fn doomed(
        &self,
        docker: &Docker,
        before: &Holdings,
        images: &[(String, Image)],
    ) -> Result<Vec<Doomed>, Error> {
        let project = self.project_name.to_string();
        let going = before
            .containers
            .iter()
            .filter(|container| self.remove_orphans || !project::is_one_off(container));
        let mut doomed: Vec<Doomed> = going
            .map(|container| Doomed {
                kind: "container",
                name: container.name().to_owned(),
                id: container.id.clone(),
                project: Some(project.clone()),
                ..Doomed::default()
            })
            .collect();
        doomed.extend(before.networks.iter().map(|network| Doomed {
            kind: "network",
            name: network.name.clone(),
            id: network.id.clone(),
            project: Some(project.clone()),
            ..Doomed::default()
        }));
        doomed.extend(images.iter().map(|(name, image)| Doomed {
            kind: "image",
            name: name.clone(),
            id: image.id.clone(),
            project: Some(project.clone()),
            size: Some(human_bytes(image.size)),
            // Built here: no registry has it.
            loses_data: image.digests().is_empty() && image.tags().len() <= 1,
            ..Doomed::default()
        }));
        if self.remove_volumes && !before.volumes.is_empty() {
            let users = docker.run(&ListContainers::everything()).await?;
            let sizes = docker.run(&VolumeSizes).await.unwrap_or_default();
            doomed.extend(before.volumes.iter().map(|volume| {
                Doomed {
                    kind: "volume",
                    name: volume.name.clone(),
                    created: volume.created_at.clone(),
                    project: Some(project.clone()),
                    used_by: users
                        .iter()
                        .filter(|row| row.mounts.contains(&volume.name))
                        .map(|row| row.name.clone())
                        .collect(),
                    loses_data: true,
                    ..Doomed::default()
                }
                .of_size(sizes.get(&volume.name).copied())
            }));
        }
        Ok(doomed)
    }

    async fn compare(
        &self,
        docker: &Docker,
        before: &Holdings,
        after: &Holdings,
    ) -> Result<Reply, Error> {
        let names = |holdings: &Holdings| -> BTreeSet<String> {
            holdings.containers.iter().map(|container| container.name().to_owned()).collect()
        };
        let networks = |holdings: &Holdings| -> BTreeSet<String> {
            holdings.networks.iter().map(|network| network.name.clone()).collect()
        };
        let left = volumes_by_name(docker, before.volume_names()).await?;
        let left: BTreeSet<String> = left.into_iter().map(|volume| volume.name).collect();
        let (gone, kept): (Vec<String>, Vec<String>) =
            before.volume_names().into_iter().partition(|name| !left.contains(name));
        let mut still_in_use: Vec<String> =
            networks(after).into_iter().map(|name| format!("network {name}")).collect();
        let mut kept_volumes = vec![];
        if self.remove_volumes {
            still_in_use.extend(kept.into_iter().map(|name| format!("volume {name}")));
        } else {
            kept_volumes = kept;
        }
        if !still_in_use.is_empty() {
            let rows = docker.run(&ListContainers::everything()).await?;
            for entry in &mut still_in_use {
                let name = entry.split_once(' ').map_or("", |(_, name)| name).to_owned();
                let users: Vec<&str> = rows
                    .iter()
                    .filter(|row| row.mounts.contains(&name) || row.networks.contains(&name))
                    .map(|row| row.name.as_str())
                    .collect();
                if !users.is_empty() {
                    entry.push_str(" by ");
                    entry.push_str(&users.join(", "));
                }
            }
        }
        let images = if self.remove_images == Images::None {
            vec![]
        } else {
            let left = images_by_name(docker, before.images.keys().cloned().collect()).await?;
            before.images.keys().filter(|name| !left.contains_key(*name)).cloned().collect()
        };
        Ok(Reply {
            project: self.project_name.to_string(),
            removed: Removed {
                containers: names(before).difference(&names(after)).cloned().collect(),
                networks: networks(before).difference(&networks(after)).cloned().collect(),
                volumes: gone,
                images,
            },
            still_in_use,
            kept_volumes,
            command: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::ComposeDown;

    fn argv(arguments: serde_json::Value) -> String {
        let tool: ComposeDown = serde_json::from_value(arguments).unwrap();
        tool.command(3).to_string()
    }

    #[test]
    fn argv_of_compose_down() {
        assert_snapshot!(argv(json!({"project_name": "shop"})), @"docker compose --ansi=never --progress=plain --project-name=shop --env-file=/dev/null down");
        assert_snapshot!(
            argv(json!({
                "project_name": "shop", "remove_volumes": true, "remove_images": "local",
                "remove_orphans": true, "timeout_seconds": 0,
            })),
            @"docker compose --ansi=never --progress=plain --project-name=shop --env-file=/dev/null down --volumes --rmi=local --remove-orphans --timeout=0"
        );
    }

    #[test]
    fn images_are_chosen_by_a_switch_or_a_word() {
        let images = |sent: serde_json::Value| {
            let tool = json!({"project_name": "shop", "remove_images": sent});
            serde_json::from_value::<ComposeDown>(tool).map(|tool| tool.remove_images.argument())
        };
        assert_eq!(images(json!(false)).unwrap(), None);
        assert_eq!(images(json!("false")).unwrap(), None);
        assert_eq!(images(json!(true)).unwrap(), Some("all"));
        assert_eq!(images(json!("Local")).unwrap(), Some("local"));
        assert!(images(json!("some")).is_err());
    }
}
