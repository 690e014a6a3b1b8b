//! The operator's words about single objects: what stays, and what is not ours to change.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::command::containers::Container;
use crate::command::documents::Documents;
use crate::command::labels::REQUEST;
use crate::command::values::Labels;
use crate::docker::Docker;
use crate::error::Error;
use crate::policy::{Disk, Level};

/// So many containers that share namespaces one after the other are looked at.
const CHAIN: usize = 8;

/// Refuses to change what this server has not created, when the operator wants that.
///
/// # Errors
/// DKR-014 with the rule `object.not_ours`.
pub(super) fn judge_change(
    docker: &Docker,
    kind: &'static str,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let change = docker.policy().change(kind, name, pairs(labels));
    change.map_err(|refusal| Error::from(refusal).with(kind, name))
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
    if labels.iter().any(|(key, _)| key.as_str() == REQUEST) {
        let message = format!("the label {REQUEST} is this server's own");
        return Err(Error::invalid("labels", message));
    }
    Ok(())
}
