use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{inspect_one, users_of};
use crate::command::containers::{Container, Endpoint, InspectContainers};
use crate::command::networks::Network;
use crate::command::values::NetworkName;
use crate::command::{Effect, time};
use crate::error::Error;
use crate::sort;
use crate::tools::batches::in_batches;
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectNetwork {
    /// The network, by name or ID.
    name: NetworkName,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    id: String,
    name: String,
    driver: String,
    scope: String,
    internal: bool,
    attachable: Option<bool>,
    ipv6: Option<bool>,
    project: Option<String>,
    created: String,
    subnets: Vec<String>,
    gateways: Vec<String>,
    containers: Vec<Member>,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
}

/// A container on the network.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Member {
    name: String,
    state: String,
    pub(super) ip: String,
    pub(super) ipv6: String,
    pub(super) aliases: Vec<String>,
}

impl Tool for InspectNetwork {
    const SPEC: Spec = Spec {
        name: "inspect-network",
        title: "Inspect network",
        description: "Details of one network (`docker network inspect`): which containers are on it, their \
                      IP addresses, subnet, gateway. All: list-networks.",
        toolset: Toolset::Networks,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let network = inspect_one(context, self.name.as_str()).await?;
        let users = users_of(context, &network).await?;
        let ids: Vec<String> = users.rows().iter().map(|row| row.id.clone()).collect();
        let containers = in_batches(&context.docker, &ids, InspectContainers::listed).await?;
        let mut members: Vec<Member> =
            containers.iter().filter_map(|container| member(container, &network)).collect();
        sort::by(&mut members, |a, b| a.name.cmp(&b.name));
        Ok(Structured(Reply {
            id: network.short_id().to_owned(),
            attachable: network.attachable.then_some(true),
            ipv6: network.enable_ipv6.then_some(true),
            project: network.project().map(str::to_owned),
            created: time::from_docker(&network.created),
            subnets: network.subnets(),
            gateways: network.gateways(),
            containers: members,
            name: network.name,
            driver: network.driver,
            scope: network.scope,
            internal: network.internal,
            labels: network.labels,
            options: network.options,
        }))
    }
}

/// How a container is on the network; none when it is not.
pub(super) fn member(container: &Container, network: &Network) -> Option<Member> {
    let networks = &container.network_settings.networks;
    let endpoint = networks.get(&network.name).or_else(|| networks.get(&network.id))?;
    Some(Member {
        name: container.name().to_owned(),
        state: container.state.status.clone(),
        ip: endpoint.ip_address.clone(),
        ipv6: endpoint.global_ipv6_address.clone(),
        aliases: aliases(endpoint, container),
    })
}

/// Without the short ID, which daemons before 25 list among them.
pub(super) fn aliases(endpoint: &Endpoint, container: &Container) -> Vec<String> {
    let mut aliases: Vec<_> =
        endpoint.aliases.iter().filter(|alias| *alias != container.short_id()).cloned().collect();
    aliases.sort();
    aliases.dedup();
    aliases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_its_addresses_and_its_aliases() {
        let container = r#"{
            "Id": "ac98f7ecac01b55c40099599617ed6c9e78cb4ae98d1088718f02454e091cebb",
            "Name": "/web", "State": {"Status": "running"},
            "NetworkSettings": {"Networks": {
                "n1": {"IPAddress": "172.21.0.2", "GlobalIPv6Address": "fd00::2", "Aliases": ["web", "ac98f7ecac01", "app"]},
                "n2": {"IPAddress": "", "Aliases": null}
            }}
        }"#;
        let container: Container = serde_json::from_str(container).unwrap();
        let on = |name: &str| {
            member(&container, &Network { name: name.to_owned(), ..Network::default() })
        };
        let member = on("n1").unwrap();
        assert_eq!(member.aliases, ["app", "web"]);
        assert_eq!((member.ip.as_str(), member.ipv6.as_str()), ("172.21.0.2", "fd00::2"));
        assert!(on("n2").unwrap().aliases.is_empty());
        assert_eq!(on("n3"), None);
    }
}
