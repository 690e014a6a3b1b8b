//! What has to be known of docker before the first change, all of it read at once.

use std::path::PathBuf;

use serde::Deserialize;

use super::Order;
use super::parameters::PullPolicy;
use super::resolved::Resolved;
use crate::command::containers::{Container, InspectContainers};
use crate::command::images::{Image, InspectImages};
use crate::command::values::NetworkMode;
use crate::command::volumes::{InspectVolumes, Volume};
use crate::command::{Command, Effect, Hazard, Invocation, Output, json};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::tools::Context;

/// The world as it is.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) image: Option<Image>,
    networks: Vec<Network>,
    volumes: Vec<Volume>,
}

/// # Errors
/// DKR-007 when the name is taken, DKR-008 for a network that does not exist.
pub(super) async fn look(
    context: &Context,
    order: &Order<'_>,
    resolved: &Resolved,
) -> Result<World, Error> {
    let holder = order.name.map(|name| InspectContainers::listed([name.to_string()]));
    let image = (order.settings.pull != PullPolicy::Always)
        .then(|| InspectImages { images: vec![order.image.to_string()], may_vanish: true });
    let is_a_network = order.settings.network.as_ref().is_none_or(NetworkMode::is_a_network);
    let first = order.settings.first_network().filter(|_| is_a_network);
    let further = resolved.further_networks.iter().map(AsRef::as_ref);
    let networks: Vec<_> = first.into_iter().chain(further).map(str::to_owned).collect();
    let networks = (!networks.is_empty()).then_some(Networks(networks));
    let carried = order.carried.iter().flat_map(|carried| carried.volumes.iter().cloned());
    let volumes = order.settings.named_volumes().map(ToString::to_string);
    let volumes: Vec<_> = volumes.chain(carried).collect();
    let volumes = (!volumes.is_empty()).then(|| InspectVolumes::listed(volumes));

    let docker = &context.docker;
    let (holder, image, networks, volumes) = tokio::try_join!(
        ask(docker, holder.as_ref()),
        ask(docker, image.as_ref()),
        ask(docker, networks.as_ref()),
        ask(docker, volumes.as_ref())
    )?;
    // The beginning of an ID is as good as a name for `inspect`, but it is not taken.
    let holder = holder
        .unwrap_or_default()
        .into_iter()
        .find(|container| order.name.is_some_and(|name| name.as_str() == container.name()));
    if let Some(holder) = holder {
        return Err(name_conflict(&holder));
    }
    Ok(World {
        image: image.unwrap_or_default().pop(),
        networks: networks.unwrap_or_default(),
        volumes: volumes.unwrap_or_default(),
    })
}

/// An agent that repeats itself learns that its container is there.
pub(in crate::tools::container) fn name_conflict(holder: &Container) -> Error {
    let name = holder.name();
    let (state, image) = (&holder.state.status, &holder.config.image);
    Error::new(Code::NameConflict, format!("there is a container {name} already"))
        .with("container", name)
        .hint(format!(
            "{name} exists already ({state}, image {image}): use it, or choose another name; remove-container only if it is yours"
        ))
}

async fn ask<C: Command + Sync>(
    docker: &Docker,
    command: Option<&C>,
) -> Result<Option<C::Reply>, Error> {
    match command {
        Some(command) => docker.run(command).await.map(Some),
        None => Ok(None),
    }
}

impl World {
    /// Power over the host that only docker knows of: a volume can be a folder of the host, and a
    /// network the host's own.
    pub(super) fn hazards(&self) -> Vec<Hazard> {
        let mut hazards = vec![];
        for network in &self.networks {
            match network.driver.as_str() {
                "bridge" | "overlay" | "null" => {}
                "host" => hazards
                    .push(Hazard::HostNamespace { kind: "network", value: network.name.clone() }),
                other => hazards.push(Hazard::Driver(other.to_owned())),
            }
        }
        for volume in &self.volumes {
            if !matches!(volume.driver.as_str(), "local" | "") {
                hazards.push(Hazard::Driver(volume.driver.clone()));
            }
            for (key, value) in &volume.options {
                let (key, value) = (key.clone(), value.clone());
                if key == "device" && value.starts_with('/') {
                    let path = PathBuf::from(&value);
                    hazards.push(Hazard::HostPath { path, read_only: false });
                }
                hazards.push(Hazard::DriverOption { key, value });
            }
        }
        hazards
    }
}

/// `docker network inspect`, which fails when one of them does not exist.
struct Networks(Vec<String>);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    name: String,
    driver: String,
}

impl Command for Networks {
    type Reply = Vec<Network>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["network", "inspect"]).operands(&self.0)
    }

    fn parse(&self, output: &Output) -> Result<Vec<Network>, Error> {
        json::document(&output.stdout)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_holder_of_a_name_is_described() {
        let holder: Container = serde_json::from_value(json!({
            "Name": "/web", "State": {"Status": "running"}, "Config": {"Image": "nginx:1.27"}
        }))
        .unwrap();
        assert_snapshot!(name_conflict(&holder), @r"
        Error: DKR-007 name_conflict: there is a container web already | Context: container=web
        hint: web exists already (running, image nginx:1.27): use it, or choose another name; remove-container only if it is yours
        ");
    }

    #[test]
    fn a_volume_or_a_network_may_be_the_host_in_disguise() {
        let networks: Vec<Network> = serde_json::from_value(
            json!([{"Name": "a", "Driver": "bridge"}, {"Name": "host", "Driver": "host"}]),
        )
        .unwrap();
        let volumes = serde_json::from_value(json!([
            {"Name": "v", "Driver": "local", "Options": {"device": "/", "o": "bind"}}
        ]))
        .unwrap();
        let hazards = World { image: None, networks, volumes }.hazards();
        assert_snapshot!(format!("{hazards:?}"), @r#"[HostNamespace { kind: "network", value: "host" }, HostPath { path: "/", read_only: false }, DriverOption { key: "device", value: "/" }, DriverOption { key: "o", value: "bind" }]"#);
    }
}
