use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::lifecycle::inspect;
use crate::command::containers::{Container, InspectContainers, ListContainers, Row};
use crate::command::labels;
use crate::command::values::ContainerRef;
use crate::command::volumes::{InspectVolumes, Volume, VolumeSizes};
use crate::command::{Act, Effect, Invocation};
use crate::error::{Code, Error};
use crate::sort;
use crate::tools::confirm::Doomed;
use crate::tools::joined;
use crate::tools::losses;
use crate::tools::protect::{judge_protection, judge_removal};
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

/// A removal that another one has begun may take so long.
const REMOVAL: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveContainer {
    /// The container, by name or ID.
    container_name: ContainerRef,
    /// Remove it although it is running.
    #[serde(default)]
    force: bool,
    /// Its anonymous volumes too, with their data.
    #[serde(default)]
    volumes: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    /// The container, then the volumes that went with it.
    removed: Vec<String>,
    warnings: Vec<String>,
}

impl Change for RemoveContainer {
    const SPEC: Spec = Spec {
        name: "remove-container",
        title: "Remove container",
        description: "Remove (delete) a stopped container, with force a running one (`docker rm`, `docker \
                      rm -f`). What destroys data shows a plan first: volumes, files of its own. A \
                      project: compose-down.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let container = inspect(context, &self.container_name).await?;
        let (docker, labels) = (&context.docker, &container.config.labels);
        judge_removal(docker, "container", container.name(), labels)?;
        self.refuse_running(&container)?;
        let volumes =
            if self.volumes { going_volumes(context, &[&container]).await? } else { vec![] };
        let mut doomed = losses::containers(context, [&container]).await;
        doomed.extend(lost_volumes(&container, &volumes, &sizes(context, &volumes).await));
        let notes = joined::would_be_gone(docker, &[&container]).await;
        // By its ID: a new container may have got the name since.
        let (shown, removal) = (self.removal(container.name()).0, self.removal(&container.id));
        let ready = Ready { container, volumes, removal };
        Ok(Prepared::new([shown], ready).loses(doomed).notes(notes))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        let Ready { container, volumes, removal } = ready;
        let done = remove(context, &removal, &container.id).await;
        done.map_err(|error| error.with("container", container.name()))?;
        let mut removed = vec![container.name().to_owned()];
        removed.extend(gone(context, volumes).await?);
        let warnings = joined::left_behind(&context.docker, &[&container]).await;
        Ok(Reply { removed, warnings })
    }
}

pub(super) struct Ready {
    container: Container,
    volumes: Vec<Volume>,
    removal: Act,
}

impl RemoveContainer {
    fn removal(&self, container: &str) -> Act {
        Act(Invocation::docker(Effect::Destroy, ["container", "rm"])
            .flag("--force", self.force)
            .flag("--volumes", self.volumes)
            .operands([container]))
    }

    fn refuse_running(&self, container: &Container) -> Result<(), Error> {
        let state = container.state.status.as_str();
        if self.force || !matches!(state, "running" | "paused" | "restarting") {
            return Ok(());
        }
        let name = container.name();
        Err(Error::new(Code::WrongState, format!("{name} is {state}, so it is not removed"))
            .with("container", name)
            .hint("stop-container first (its programs can finish their work), or repeat the call with force: true"))
    }
}

/// The volumes that docker would remove with these containers. One that another container uses, it
/// keeps.
///
/// # Errors
/// DKR-014 for a protected one; whatever docker says.
pub(in crate::tools) async fn going_volumes(
    context: &Context,
    containers: &[&Container],
) -> Result<Vec<Volume>, Error> {
    let names: BTreeSet<&str> = containers.iter().flat_map(|it| it.anonymous_volumes()).collect();
    if names.is_empty() {
        return Ok(vec![]);
    }
    let query = InspectVolumes::listed(names.into_iter().map(str::to_owned).collect());
    let everything = ListContainers::everything();
    let (mut volumes, rows) =
        tokio::try_join!(context.docker.run(&query), context.docker.run(&everything))?;
    volumes.retain(|volume| {
        let stays = |row: &&Row| containers.iter().all(|going| going.id != row.id);
        !rows.iter().filter(stays).any(|other| other.mounts.contains(&volume.name))
    });
    for volume in &volumes {
        judge_protection(&context.docker, "volume", &volume.name, &volume.labels)?;
    }
    sort::by(&mut volumes, |a, b| a.name.cmp(&b.name));
    Ok(volumes)
}

/// By name, as far as they can be known in passing.
async fn sizes(context: &Context, volumes: &[Volume]) -> BTreeMap<String, u64> {
    if volumes.is_empty() {
        return BTreeMap::new();
    }
    context.docker.run(&VolumeSizes::IN_PASSING).await.unwrap_or_default()
}

fn lost_volumes(
    container: &Container,
    volumes: &[Volume],
    sizes: &BTreeMap<String, u64>,
) -> Vec<Doomed> {
    let doomed = |volume: &Volume| Doomed {
        project: container.label(labels::PROJECT).map(str::to_owned),
        used_by: vec![container.name().to_owned()],
        ..losses::volume(volume, sizes.get(&volume.name).copied())
    };
    volumes.iter().map(doomed).collect()
}

/// Removes it and sees to it that it is gone: it may be gone although docker complains, because
/// somebody else removes it too or because the daemon's answer was lost.
async fn remove(context: &Context, removal: &Act, id: &str) -> Result<(), Error> {
    let Err(error) = context.docker.run(removal).await else {
        return wait_until_gone(context, id).await;
    };
    let is_under_way = error.message.contains("already in progress");
    match error.code {
        Code::ContainerNotFound => Ok(()),
        Code::WrongState if is_under_way => wait_until_gone(context, id).await,
        _ if error.answer_was_lost() && !exists(context, id).await? => Ok(()),
        _ => Err(error),
    }
}

async fn wait_until_gone(context: &Context, id: &str) -> Result<(), Error> {
    let started = Instant::now();
    while exists(context, id).await? {
        if started.elapsed() > REMOVAL {
            let message = "docker said that it removes the container, but it is still there";
            return Err(Error::new(Code::WrongState, message)
                .hint("inspect-container shows its state; a volume or a disk may be busy"));
        }
        context.docker.sleep(Duration::from_millis(200)).await?;
    }
    Ok(())
}

async fn exists(context: &Context, id: &str) -> Result<bool, Error> {
    let query = InspectContainers::listed([id.to_owned()]);
    Ok(!context.docker.run(&query).await?.is_empty())
}

/// Those of the volumes that are not there any more.
async fn gone(context: &Context, volumes: Vec<Volume>) -> Result<Vec<String>, Error> {
    if volumes.is_empty() {
        return Ok(vec![]);
    }
    let names: Vec<String> = volumes.into_iter().map(|volume| volume.name).collect();
    let left = context.docker.run(&InspectVolumes::listed(names.clone())).await?;
    let left: BTreeSet<String> = left.into_iter().map(|volume| volume.name).collect();
    Ok(names.into_iter().filter(|name| !left.contains(name)).collect())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn argv(arguments: serde_json::Value) -> String {
        let tool: RemoveContainer = serde_json::from_value(arguments).unwrap();
        tool.removal(tool.container_name.as_str()).0.to_string()
    }

    #[test]
    fn argv_of_remove_container() {
        assert_snapshot!(argv(json!({"container_name": "web"})), @"docker container rm -- web");
        assert_snapshot!(
            argv(json!({"container_name": "web", "force": true, "volumes": true})),
            @"docker container rm --force --volumes -- web"
        );
    }

    fn container(state: &str) -> Container {
        serde_json::from_value(json!({
            "Id": "abc",
            "Name": "/web",
            "State": {"Status": state},
            "Mounts": [
                {"Type": "volume", "Name": "0a"},
                {"Type": "volume", "Name": "data"},
                {"Type": "volume", "Name": "more"},
                {"Type": "bind", "Source": "/srv"}
            ],
            "HostConfig": {
                "Binds": ["data:/data:rw"],
                "Mounts": [{"Type": "volume", "Source": "more", "Target": "/more"}]
            }
        }))
        .unwrap()
    }

    #[test]
    fn only_volumes_without_a_name_of_their_own_are_lost() {
        assert_eq!(container("exited").anonymous_volumes(), ["0a"]);
        let volume = Volume { name: "0a".into(), ..Volume::default() };
        let sizes = BTreeMap::from([(volume.name.clone(), 4096)]);
        let doomed = lost_volumes(&container("exited"), &[volume], &sizes);
        let losses: Vec<_> =
            doomed.iter().map(|one| (one.kind, one.loses_data, one.size_bytes)).collect();
        assert_eq!(losses, [("volume", true, Some(4096))]);
    }

    #[test]
    fn a_running_container_needs_force() {
        let remove = |force| RemoveContainer {
            container_name: "web".parse().unwrap(),
            force,
            volumes: false,
        };
        let error = remove(false).refuse_running(&container("paused")).unwrap_err();
        assert_eq!(error.code, Code::WrongState);
        assert!(remove(true).refuse_running(&container("running")).is_ok());
        assert!(remove(false).refuse_running(&container("exited")).is_ok());
    }
}
