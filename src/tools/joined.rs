//! Containers in the network of another one. Docker puts them there once, when they start: when the
//! other one is started again or replaced, they stay behind with `lo` alone.

use std::collections::BTreeSet;

use crate::command::containers::{Container, InspectContainers, ListContainers};
use crate::command::labels;
use crate::command::text::short_id;
use crate::command::time;
use crate::docker::Docker;
use crate::error::{Code, Error};

/// What has become of the container whose network another one uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It is no more; this is its ID.
    Gone(String),
    /// It does not run.
    Stopped(String),
    /// It was started again, after the other one had joined it.
    Restarted(String),
}

impl Lost {
    /// A half sentence.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Gone(id) => {
                format!("it uses the network of a container that is gone ({})", short_id(id))
            }
            Self::Stopped(name) => format!("it uses the network of {name}, which does not run"),
            Self::Restarted(name) => format!(
                "it uses the network of {name}, which was started again since, and was left with `lo` alone"
            ),
        }
    }

    /// What brings the network back to a container that lost it.
    pub(super) fn fix(&self, container: &Container) -> String {
        let name = container.name();
        match self {
            Self::Gone(_) if container.label(labels::PROJECT).is_some() => {
                "deploy-compose makes it anew in the network of the container that there is now"
                    .to_owned()
            }
            Self::Gone(_) => format!(
                "recreate-container {name} with `network`: one that both are on, or container:NAME of the container that is there instead (only where the operator has allowed other-containers)"
            ),
            Self::Stopped(owner) => format!("start-container {owner}, and then restart {name}"),
            Self::Restarted(_) => format!("restart-container {name}"),
        }
    }

    /// Whether a start of the container would fail.
    fn keeps_from_starting(&self) -> bool {
        !matches!(self, Self::Restarted(_))
    }
}

/// The container whose network another one uses, as docker has written it down: by its ID.
pub(super) fn owner_of(container: &Container) -> Option<&str> {
    container.host_config.network_mode.strip_prefix("container:")
}

/// Nothing for a container that has a network; `owners` are those of [`owners`].
pub(super) fn lost(container: &Container, owners: &[Container]) -> Option<Lost> {
    let id = owner_of(container)?;
    let Some(owner) = owners.iter().find(|owner| owner.id == id || owner.name() == id) else {
        return Some(Lost::Gone(id.to_owned()));
    };
    let name = owner.name().to_owned();
    if !owner.state.running {
        return Some(Lost::Stopped(name));
    }
    let started = |container: &Container| time::parse(&container.state.started_at);
    let is_left = container.state.running && started(owner)? > started(container)?;
    is_left.then_some(Lost::Restarted(name))
}

/// The containers, as far as there are any, whose networks these use.
///
/// # Errors
/// As [`Docker::run`].
pub(super) async fn owners<'a>(
    docker: &Docker,
    containers: impl IntoIterator<Item = &'a Container>,
) -> Result<Vec<Container>, Error> {
    let names = containers.into_iter().filter_map(owner_of).map(str::to_owned);
    let names: BTreeSet<String> = names.collect();
    if names.is_empty() {
        return Ok(vec![]);
    }
    docker.run(&InspectContainers::listed(names)).await
}

/// Refuses to start or to restart a container that docker would stop and then not start: its own
/// words would be about a container that nobody has named.
///
/// # Errors
/// DKR-010 that names the way out.
pub(super) async fn demand_network(docker: &Docker, container: &Container) -> Result<(), Error> {
    let owners = owners(docker, [container]).await?;
    match lost(container, &owners).filter(Lost::keeps_from_starting) {
        None => Ok(()),
        Some(lost) => Err(refusal(container, &lost)),
    }
}

/// Of a project, whose own containers are started in their order.
///
/// # Errors
/// As [`demand_network`].
pub(super) async fn demand_networks<'a>(
    docker: &Docker,
    containers: impl IntoIterator<Item = &'a Container> + Clone,
) -> Result<(), Error> {
    let owners = owners(docker, containers.clone()).await?;
    let gone = containers.into_iter().find_map(|container| match lost(container, &owners) {
        Some(lost @ Lost::Gone(_)) => Some(refusal(container, &lost)),
        _ => None,
    });
    gone.map_or(Ok(()), Err)
}

fn refusal(container: &Container, lost: &Lost) -> Error {
    let message = format!("{} cannot be started: {}", container.name(), lost.why());
    Error::new(Code::WrongState, message)
        .with("container", container.name())
        .hint(lost.fix(container))
}

/// A sentence for each container that has lost the network of one of these: one that runs, or one
/// that cannot be started again.
pub(super) async fn left_behind(docker: &Docker, owners: &[&Container]) -> Vec<String> {
    without_network(docker, &guests(docker, owners).await).await
}

/// A sentence for each of these that has lost the network of another one.
pub(super) async fn without_network<'a>(
    docker: &Docker,
    containers: impl IntoIterator<Item = &'a Container> + Clone,
) -> Vec<String> {
    // What cannot be looked at is no reason to fail what was done.
    let Ok(owners) = owners(docker, containers.clone()).await else { return vec![] };
    let told = containers.into_iter().filter_map(|guest| {
        let is_told = |lost: &Lost| guest.state.running || matches!(lost, Lost::Gone(_));
        let lost = lost(guest, &owners).filter(is_told)?;
        Some(format!("{}: {}; {}", guest.name(), lost.why(), lost.fix(guest)))
    });
    told.collect()
}

/// [`left_behind`] before these are stopped or started again.
pub(super) async fn would_be_left_behind(docker: &Docker, owner: &Container) -> Vec<String> {
    let mut guests = guests(docker, &[owner]).await;
    guests.retain(|guest| guest.state.running);
    let told = guests.iter().map(|guest| would_lose(guest, owner));
    told.collect()
}

/// [`left_behind`] before these are removed.
pub(super) async fn would_be_gone(docker: &Docker, owners: &[&Container]) -> Vec<String> {
    let guests = guests(docker, owners).await;
    let owner = |guest| owners.iter().find(|owner| owner_of(guest) == Some(owner.id.as_str()));
    guests.iter().filter_map(|guest| Some(would_lose(guest, owner(guest)?))).collect()
}

fn would_lose(guest: &Container, owner: &Container) -> String {
    let what = if guest.state.running { "would lose it" } else { "could not be started again" };
    format!("{} uses the network of {} and {what}", guest.name(), owner.name())
}

/// Those that use the network of one of these, and are none of these.
async fn guests(docker: &Docker, owners: &[&Container]) -> Vec<Container> {
    if owners.is_empty() {
        return vec![];
    }
    let rows = docker.run(&ListContainers::everything()).await.unwrap_or_default();
    // Who uses the network of another one has none of its own.
    let ids = rows.into_iter().filter(|row| row.networks.is_empty()).map(|row| row.id);
    let ids: Vec<String> = ids.collect();
    if ids.is_empty() {
        return vec![];
    }
    let mut guests = docker.run(&InspectContainers::listed(ids)).await.unwrap_or_default();
    let is_one = |guest: &Container| owners.iter().any(|owner| owner.id == guest.id);
    let uses_one =
        |guest: &Container| owners.iter().any(|owner| owner_of(guest) == Some(owner.id.as_str()));
    guests.retain(|guest| uses_one(guest) && !is_one(guest));
    guests
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(name: &str, mode: &str, running: bool, second: u8) -> Container {
        serde_json::from_value(json!({
            "Id": format!("id-of-{name}"), "Name": format!("/{name}"),
            "State": {"Running": running, "StartedAt": format!("2026-11-24T12:00:0{second}.5Z")},
            "HostConfig": {"NetworkMode": mode},
        }))
        .unwrap()
    }

    #[test]
    fn a_network_is_lost_with_the_start_that_it_came_with() {
        let guest = |second| container("torrent", "container:id-of-vpn", true, second);
        let vpn = |running, second| [container("vpn", "bridge", running, second)];
        assert_eq!(lost(&guest(2), &vpn(true, 1)), None);
        assert_eq!(lost(&guest(2), &vpn(true, 3)), Some(Lost::Restarted("vpn".to_owned())));
        assert_eq!(lost(&guest(2), &vpn(false, 1)), Some(Lost::Stopped("vpn".to_owned())));
        assert_eq!(lost(&guest(2), &[]), Some(Lost::Gone("id-of-vpn".to_owned())));
        assert_eq!(lost(&container("web", "bridge", true, 1), &[]), None);
        // It is not running; its next start joins what runs now.
        let stopped = container("torrent", "container:id-of-vpn", false, 2);
        assert_eq!(lost(&stopped, &vpn(true, 3)), None);
    }
}
