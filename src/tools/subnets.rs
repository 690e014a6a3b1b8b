//! Which network holds a range of addresses.

use crate::command::networks::{InspectNetworks, ListNetworks};
use crate::command::values::Subnet;
use crate::docker::Docker;
use crate::error::{Code, Error};

/// Adds to a failure for a subnet that is taken which network has it: docker only says that there is
/// one. Other failures stay as they are.
pub(super) async fn with_holder(docker: &Docker, error: Error, wanted: &[Subnet]) -> Error {
    let is_about_it = error.code == Code::ResourceInUse && error.message.contains("ool overlaps");
    if !is_about_it || wanted.is_empty() {
        return error;
    }
    let everything = ListNetworks::default();
    let Ok(rows) = docker.run(&everything).await else { return error };
    let networks = InspectNetworks::listed(rows.into_iter().map(|row| row.id).collect());
    let Ok(networks) = docker.run(&networks).await else { return error };
    let holds = |subnet: &String| {
        let subnet: Option<Subnet> = subnet.parse().ok();
        subnet.is_some_and(|held| wanted.iter().any(|wanted| wanted.overlaps(held)))
    };
    let holder = networks.iter().find_map(|network| {
        Some((network.name.as_str(), network.subnets().into_iter().find(holds)?))
    });
    let Some((name, subnet)) = holder else { return error };
    error
        .hint(format!("network {name} has {subnet}: choose a subnet that does not overlap with it"))
}
