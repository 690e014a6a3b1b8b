use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::holdings::{Holdings, VolumeSizes, volumes_by_name};
use super::leaving::{self, Images, Leaving};
use super::project;
use super::takedown::{Takedown, why_it_stays};
use crate::command::compose::Project;
use crate::command::containers::{Container, ListContainers, Row};
use crate::command::images::full_name;
use crate::command::values::{Bounded, ProjectName};
use crate::command::volumes::Volume;
use crate::command::{Act, Effect, Invocation};
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::confirm::{Asks, Doomed};
use crate::tools::joined;
use crate::tools::losses;
use crate::tools::protect::{judge_protection, judge_removal};
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeDown {
    /// Name of the compose project.
    project_name: ProjectName,
    /// Also volumes with their data, after a plan.
    #[serde(default)]
    remove_volumes: bool,
    /// Also images: all, or local (built here).
    #[serde(default)]
    remove_images: Images,
    /// Also containers that are not in the file.
    #[serde(default)]
    remove_orphans: bool,
    /// Seconds until docker kills what has not ended; default: each container's own stop time, or 10.
    timeout_seconds: Option<Bounded<0, 600>>,
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

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    project: String,
    removed: Removed,
    /// What should have gone, and who uses it.
    still_in_use: Vec<String>,
    /// Volumes that were not asked for.
    kept_volumes: Vec<String>,
    /// Those with the project's label that taking it down leaves alone, and why.
    kept_containers: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Removed {
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
    images: Vec<String>,
}

impl Change for ComposeDown {
    const SPEC: Spec = Spec {
        name: "compose-down",
        title: "Remove project",
        description: "Tear down a compose project (`docker compose down`): stops and removes its \
                      containers and networks; remove_volumes (`down -v`) destroys data, after a plan. To \
                      only stop: compose-stop.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let docker = &context.docker;
        let before = Holdings::of(docker, &self.project_name).await?;
        if before.is_empty() {
            return Err(project::no_such_project(docker, &self.project_name).await);
        }
        let rows = docker.run(&ListContainers::everything()).await?;
        let mut takedown = Takedown::of(&before, &rows, self.remove_volumes, self.remove_orphans);
        let images = self.images(docker, &takedown).await?;
        let images = takedown.without_used(images);
        Self::judge(docker, &takedown, &images)?;
        let mut commands: Vec<Invocation> =
            self.stop(&takedown, Container::name).into_iter().collect();
        commands.push(self.command(&takedown));
        if !images.is_empty() {
            commands.push(leaving::removal(images.iter().map(|image| &image.name)));
        }
        let losses = self.doomed(context, &takedown, &images).await;
        // Who asks for volumes has to see which of them go, also when it is none.
        let is_about_volumes = self.remove_volumes && !before.volumes.is_empty();
        let asks = if is_about_volumes { Asks::Always } else { Asks::ForData };
        let left_behind = joined::would_be_gone(docker, &takedown.containers).await;
        let goes = takedown.forecast(&images);
        let notes = [takedown.notes, left_behind].concat();
        let forecast = [vec![goes], notes.clone()].concat();
        let ready = Ready { tool: self, before, rows, images, forecast };
        Ok(Prepared::new(commands, ready).loses(losses).asks(asks).notes(notes))
    }

    async fn forecast(ready: &Ready, _: &Context) -> Result<Map<String, Value>, Error> {
        Ok(Map::from_iter([("notes".to_owned(), ready.forecast.clone().into())]))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        let (docker, Ready { tool, before, rows, images, .. }) = (&context.docker, &ready);
        let takedown = Takedown::of(before, rows, tool.remove_volumes, tool.remove_orphans);
        if let Some(stop) = tool.stop(&takedown, |container| &container.id) {
            docker.run(&Act(stop)).await?;
        }
        let command = Act(tool.command(&takedown));
        docker.watch(&command, |_| docker.progress().say("taking down")).await?;
        if !tool.remove_volumes && !takedown.volumes.is_empty() {
            wait_for(docker, &takedown.volumes).await?;
        }
        let after = Holdings::of(docker, &tool.project_name).await?;
        let (gone, kept) = leaving::remove(docker, images).await?;
        let mut reply = tool.compare(docker, before, &after, kept).await?;
        reply.removed.images = gone;
        reply.warnings = joined::left_behind(docker, &takedown.containers).await;
        Ok(reply)
    }
}

/// What there was of the project, and of what the takedown is made from it again.
pub(super) struct Ready {
    tool: ComposeDown,
    before: Holdings,
    rows: Vec<Row>,
    images: Vec<Leaving>,
    /// The notes of a preview.
    forecast: Vec<String>,
}

impl ComposeDown {
    /// Of what compose would not stop by itself.
    fn stop(&self, takedown: &Takedown<'_>, operand: fn(&Container) -> &str) -> Option<Invocation> {
        let to_stop = takedown.to_stop();
        let seconds = self.timeout_seconds.map(Bounded::get);
        (!to_stop.is_empty()).then(|| Takedown::stop(&to_stop, seconds, operand))
    }

    /// By the name alone: compose then finds everything by its labels, and reads no file.
    fn command(&self, takedown: &Takedown<'_>) -> Invocation {
        let seconds = self.timeout_seconds.map(Bounded::get);
        Project::named(self.project_name.clone())
            .invocation(Effect::Destroy, "down")
            // One that is not in the plan must not go because its user has just gone.
            .flag("--volumes", self.remove_volumes && !takedown.volumes.is_empty())
            .flag("--remove-orphans", self.remove_orphans)
            .maybe("--timeout", seconds)
            .timeout(takedown.limit(seconds))
    }

    async fn images(
        &self,
        docker: &Docker,
        takedown: &Takedown<'_>,
    ) -> Result<Vec<Leaving>, Error> {
        let going: Vec<Container> = takedown.containers.iter().copied().cloned().collect();
        let (project, which) = (&self.project_name, self.remove_images);
        leaving::find(docker, project, &going, which, self.remove_orphans).await
    }

    /// What the operator wants to stay. The networks and volumes of a project, and the images that
    /// were built for it, are ours when its containers are.
    fn judge(docker: &Docker, takedown: &Takedown<'_>, images: &[Leaving]) -> Result<(), Error> {
        for Leaving { name, image, is_own, .. } in images {
            let judge = if *is_own { judge_protection } else { judge_removal };
            judge(docker, "image", name, &image.config.labels)?;
        }
        for network in &takedown.networks {
            judge_protection(docker, "network", &network.name, &BTreeMap::new())?;
        }
        for container in &takedown.containers {
            judge_removal(docker, "container", container.name(), &container.config.labels)?;
        }
        for volume in &takedown.volumes {
            judge_protection(docker, "volume", &volume.name, &volume.labels)?;
        }
        Ok(())
    }

    async fn doomed(
        &self,
        context: &Context,
        takedown: &Takedown<'_>,
        images: &[Leaving],
    ) -> Vec<Doomed> {
        let project = self.project_name.to_string();
        let containers = takedown.containers.iter().copied();
        let mut doomed = losses::containers(context, containers).await;
        doomed.extend(takedown.networks.iter().map(|network| Doomed {
            kind: "network",
            name: network.name.clone(),
            id: network.id.clone(),
            project: Some(project.clone()),
            ..Doomed::default()
        }));
        doomed.extend(images.iter().map(|Leaving { name, image, is_kept, .. }| Doomed {
            project: Some(project.clone()),
            ..losses::image(image, name.clone(), *is_kept)
        }));
        if !takedown.volumes.is_empty() {
            let sizes = context.docker.run(&VolumeSizes).await.unwrap_or_default();
            doomed.extend(takedown.volumes.iter().map(|volume| {
                let uses = |container: &&&Container| {
                    container.mounts.iter().any(|mount| mount.name == volume.name)
                };
                let users = takedown.containers.iter().filter(uses);
                Doomed {
                    project: Some(project.clone()),
                    used_by: users.map(|container| container.name().to_owned()).collect(),
                    ..losses::volume(volume, sizes.get(&volume.name).copied())
                }
            }));
        }
        doomed
    }

    async fn compare(
        &self,
        docker: &Docker,
        before: &Holdings,
        after: &Holdings,
        kept_images: Vec<String>,
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
        still_in_use.extend(kept_images.into_iter().map(|name| format!("image {name}")));
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
                    .filter(|row| {
                        row.mounts.contains(&name)
                            || row.networks.contains(&name)
                            || full_name(&row.image) == name
                    })
                    .map(|row| row.name.as_str())
                    .collect();
                if !users.is_empty() {
                    entry.push_str(" by ");
                    entry.push_str(&users.join(", "));
                }
            }
        }
        let kept = after.containers.iter().map(|container| {
            let why = why_it_stays(container, self.remove_orphans);
            why.map_or_else(
                || container.name().to_owned(),
                |why| format!("{}: {why}", container.name()),
            )
        });
        let kept_containers = kept.collect();
        Ok(Reply {
            project: self.project_name.to_string(),
            removed: Removed {
                containers: names(before).difference(&names(after)).cloned().collect(),
                networks: networks(before).difference(&networks(after)).cloned().collect(),
                volumes: gone,
                images: vec![],
            },
            still_in_use,
            kept_volumes,
            kept_containers,
            warnings: vec![],
        })
    }
}

/// Docker removes the volumes of a container that removes itself a moment after it; some stay.
async fn wait_for(docker: &Docker, volumes: &[&Volume]) -> Result<(), Error> {
    let names: Vec<String> = volumes.iter().map(|volume| volume.name.clone()).collect();
    for _ in 0..10 {
        if volumes_by_name(docker, names.clone()).await?.is_empty() {
            return Ok(());
        }
        docker.sleep(Duration::from_millis(200)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::{ComposeDown, Images, Takedown};

    fn argv(arguments: serde_json::Value) -> String {
        let tool: ComposeDown = serde_json::from_value(arguments).unwrap();
        let volume = super::Volume::default();
        let mut takedown = Takedown::default();
        takedown.volumes.push(&volume);
        tool.command(&takedown).to_string()
    }

    #[test]
    fn argv_of_compose_down() {
        assert_snapshot!(argv(json!({"project_name": "shop"})), @"docker compose --ansi=never --progress=plain --project-name=shop down");
        assert_snapshot!(
            argv(json!({
                "project_name": "shop", "remove_volumes": true, "remove_images": "local",
                "remove_orphans": true, "timeout_seconds": 0,
            })),
            @"docker compose --ansi=never --progress=plain --project-name=shop down --volumes --remove-orphans --timeout=0"
        );
    }

    #[test]
    fn images_are_chosen_by_a_switch_or_a_word() {
        let images = |sent: serde_json::Value| {
            let tool = json!({"project_name": "shop", "remove_images": sent});
            serde_json::from_value::<ComposeDown>(tool).map(|tool| tool.remove_images)
        };
        assert_eq!(images(json!(false)).unwrap(), Images::None);
        assert_eq!(images(json!("false")).unwrap(), Images::None);
        assert_eq!(images(json!(true)).unwrap(), Images::All);
        assert_eq!(images(json!("Local")).unwrap(), Images::Local);
        assert!(images(json!("some")).is_err());
    }
}
