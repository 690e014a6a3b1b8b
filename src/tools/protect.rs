//! The operator's words about single objects: what stays, and what is not ours to change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Context;
use super::batches::in_batches;
use super::losses;
use super::provenance::is_of_others;
use crate::command::containers::Container;
use crate::command::documents::Documents;
use crate::command::images::{Image, InspectImages, full_name};
use crate::command::labels::{self, BUILT, REQUEST};
use crate::command::values::Labels;
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::policy::{Disk, Level};

/// So many containers that share namespaces one after the other are looked at.
const CHAIN: usize = 8;

/// Refuses to change what this server has not created, when the operator wants that; leaves a trace
/// of what others have made.
///
/// # Errors
/// DKR-014 with the rule `object.not_ours`.
pub(super) fn judge_change(
    docker: &Docker,
    kind: &'static str,
    name: &str,
    object_labels: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let change = docker.policy().change(kind, name, pairs(object_labels));
    change.map_err(|refusal| Error::from(refusal).with(kind, name))?;
    // Whoever has made an image: it is not used up.
    if kind != "image" && is_of_others(object_labels, docker.policy()) {
        let project =
            object_labels.get(labels::PROJECT).map(|project| format!(", of project {project}"));
        docker.trail().touch(format!("{kind} {name}{}", project.unwrap_or_default()));
    }
    Ok(())
}

/// [`judge_change`] of containers.
///
/// # Errors
/// As [`judge_change`].
pub(super) fn judge_changes<'a>(
    docker: &Docker,
    containers: impl IntoIterator<Item = &'a Container>,
) -> Result<(), Error> {
    containers.into_iter().try_for_each(|container| {
        judge_change(docker, "container", container.name(), &container.config.labels)
    })
}

/// Refuses to remove what is protected by `--protect` or the label `docker-mcp-server.protect=true`.
///
/// # Errors
/// DKR-014 with the rule `object.protected`.
pub(super) fn judge_protection(
    docker: &Docker,
    kind: &'static str,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let removal = docker.policy().removal(kind, name, pairs(labels));
    removal.map_err(|refusal| Error::from(refusal).with(kind, name))
}

/// Both: for the removal of an object by its own tool.
///
/// # Errors
/// As [`judge_change`] and [`judge_protection`].
pub(super) fn judge_removal(
    docker: &Docker,
    kind: &'static str,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Error> {
    judge_protection(docker, kind, name, labels)?;
    judge_change(docker, kind, name, labels)
}

/// Refuses to take names from the images that have them: a protected one would be so no more, and
/// one that has lost its last name goes with the next `prune`. `project` is that of a compose
/// project, whose images may be followed by newer ones.
///
/// # Errors
/// As [`judge_change`] and [`judge_protection`].
pub(super) async fn judge_names(
    docker: &Docker,
    names: impl IntoIterator<Item = String>,
    project: Option<&str>,
) -> Result<(), Error> {
    let names: BTreeSet<String> = names.into_iter().map(|name| full_name(&name)).collect();
    let asked: Vec<String> = names.iter().cloned().collect();
    for image in in_batches(docker, &asked, InspectImages::listed).await? {
        for name in image.tags().iter().filter(|tag| names.contains(*tag)) {
            judge_name(docker, name, &image, project)?;
        }
    }
    Ok(())
}

/// [`judge_names`] of one name and the image that has it.
///
/// # Errors
/// As [`judge_names`].
pub(super) fn judge_name(
    docker: &Docker,
    name: &str,
    holder: &Image,
    project: Option<&str>,
) -> Result<(), Error> {
    let labels = &holder.config.labels;
    judge_protection(docker, "image", name, labels)?;
    if project.is_some() && labels.get(labels::PROJECT).map(String::as_str) == project {
        return Ok(());
    }
    judge_change(docker, "image", name, labels)
}

fn pairs(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    labels.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Refuses to start programs in a container that controls the machine, or to copy files into or out
/// of it. To be asked about the full ID that is then acted on.
///
/// # Errors
/// DKR-014 with the rule `target.host_powerful` or that of a volume; whatever docker says of the
/// container.
pub(super) async fn judge_target(docker: &Docker, id: &str) -> Result<(), Error> {
    let policy = docker.policy();
    if policy.level == Level::Unrestricted {
        return Ok(());
    }
    let chain = Chain::of(docker, id).await?;
    chain.containers.iter().try_for_each(|container| policy.target(container, &Disk))?;
    Ok(chain.volumes.iter().try_for_each(|volume| policy.volume(volume, &Disk))?)
}

/// Refuses to let a container that controls the machine begin anew when something is in it that an
/// agent can write.
///
/// # Errors
/// DKR-014 with the rule `target.host_powerful`; whatever docker says of the container.
pub(super) async fn judge_again<'a>(
    docker: &Docker,
    containers: impl IntoIterator<Item = &'a Container>,
) -> Result<(), Error> {
    let policy = docker.policy();
    for container in containers {
        let is_of_files = |kind: &str| kind == "bind" || kind == "volume";
        let has_files = container.mounts.iter().any(|mount| is_of_files(&mount.kind));
        if has_files && policy.level != Level::Unrestricted {
            let chain = Chain::of(docker, &container.id).await?;
            policy.again(&chain.containers, &chain.volumes, &Disk)?;
        }
    }
    Ok(())
}

/// A container with those whose namespaces it shares: their power over the host is its own.
struct Chain {
    containers: Vec<Value>,
    /// Of all of them.
    volumes: Vec<Value>,
}

impl Chain {
    /// # Errors
    /// DKR-014 when it is too long; whatever docker says of the containers.
    async fn of(docker: &Docker, id: &str) -> Result<Self, Error> {
        let text = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let mut chain = vec![id.to_owned()];
        let (mut containers, mut volumes) = (vec![], vec![]);
        while let Some(id) = chain.get(containers.len()) {
            if containers.len() >= CHAIN {
                let first = chain.first().map_or("", String::as_str);
                return Err(docker.policy().unchecked_chain(first, CHAIN).into());
            }
            let document = Documents::single(docker.run(&Documents::one("container", id)).await?)?;
            let mounts = document.get("Mounts").and_then(Value::as_array).into_iter().flatten();
            volumes.extend(
                mounts
                    .filter(|mount| text(mount, "/Type") == "volume")
                    .map(|mount| text(mount, "/Name")),
            );
            let modes = ["/HostConfig/NetworkMode", "/HostConfig/PidMode", "/HostConfig/IpcMode"];
            for mode in modes {
                let mode = text(&document, mode);
                let other = mode.strip_prefix("container:").map(str::to_owned);
                chain.extend(other.filter(|other| !chain.contains(other)));
            }
            containers.push(document);
        }
        let volumes = match volumes[..] {
            [] => vec![],
            _ => docker.run(&Documents::existing("volume", volumes)).await?,
        };
        Ok(Self { containers, volumes })
    }
}

/// Refuses to start containers again whose folders of the project lead out of it by now, also where
/// a volume stands for the folder.
///
/// # Errors
/// DKR-014 as for a bind of the place where it leads.
pub(super) async fn judge_start(docker: &Docker, containers: &[Container]) -> Result<(), Error> {
    let mounts = || containers.iter().flat_map(|container| &container.mounts);
    let binds = mounts()
        .filter(|mount| mount.kind == "bind")
        .map(|mount| (mount.source.as_str(), !mount.writable, mount.destination.as_str()));
    docker.policy().start(binds, &Disk)?;
    let volumes = mounts().filter(|mount| mount.kind == "volume");
    let volumes: Vec<String> = volumes.map(|mount| mount.name.clone()).collect();
    if volumes.is_empty() {
        return Ok(());
    }
    let volumes = docker.run(&Documents::existing("volume", volumes)).await?;
    let folders = volumes.iter().filter_map(|volume| volume.pointer("/Options/device")?.as_str());
    let binds = folders.filter(|device| device.starts_with('/')).map(|device| (device, false, ""));
    Ok(docker.policy().start(binds, &Disk)?)
}

/// Refuses to end a `--rm` container that would be missed: it goes when it ends, and docker removes
/// its nameless volumes with it. A restart keeps both.
///
/// # Errors
/// As [`judge_protection`]; DKR-010 for volumes.
pub(super) fn judge_end(context: &Context, container: &Container) -> Result<(), Error> {
    if !container.host_config.auto_remove {
        return Ok(());
    }
    let name = container.name();
    judge_protection(&context.docker, "container", name, &container.config.labels)?;
    let volumes = container.anonymous_volumes();
    if volumes.is_empty() || !context.confirmations.asks_about_data() {
        return Ok(());
    }
    let message = format!(
        "{name} removes itself when it ends, and its volumes with it: {}",
        volumes.join(", ")
    );
    Err(Error::new(Code::WrongState, message).with("container", name).hint(
        "remove-container with force ends it and keeps the volumes; with volumes: true it shows a plan for them",
    ))
}

/// [`judge_end`] for the files that it has written itself.
///
/// # Errors
/// DKR-010.
pub(super) async fn judge_files_at_end(
    context: &Context,
    container: &Container,
) -> Result<(), Error> {
    if !container.host_config.auto_remove || !context.confirmations.asks_about_data() {
        return Ok(());
    }
    let mut doomed = losses::containers(context, [container]).await.into_iter();
    let Some(held) = doomed.find(|held| held.loses_data) else { return Ok(()) };
    let message = format!("{} removes itself when it ends, and {}", held.name, held.holds);
    Err(Error::new(Code::WrongState, message)
        .with("container", held.name)
        .hint("remove-container with force shows a plan for it"))
}

/// [`judge_removal`] for what removes many things: it goes on without this one.
pub(super) fn stays(
    docker: &Docker,
    kind: &'static str,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> bool {
    judge_removal(docker, kind, name, labels).is_err()
}

/// Refuses a label by which this server finds its own objects again.
///
/// # Errors
/// DKR-004.
pub(super) fn refuse_own_label(labels: &Labels) -> Result<(), Error> {
    match labels.iter().find(|(key, _)| [REQUEST, BUILT].contains(&key.as_str())) {
        Some((key, _)) => {
            let message = format!("the label {key} is this server's own");
            Err(Error::invalid("labels", message))
        }
        None => Ok(()),
    }
}
