//! Putting a container on a network and taking it off.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inspect::{Member, aliases, member};
use super::inspect_one;
use crate::command::containers::{Container, InspectContainers};
use crate::command::networks::Network;
use crate::command::values::{ContainerRef, NetworkAlias, NetworkName};
use crate::command::{Act, Effect, Invocation};
use crate::error::{Code, Error};
use crate::tools::protect::judge_changes;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

/// Where the container is now, read back from docker.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    network: String,
    container: String,
    state: String,
    connected: bool,
    /// On this network; a container that does not run has no address.
    ip: String,
    ipv6: String,
    aliases: Vec<String>,
    /// All networks of the container.
    networks: Vec<String>,
    /// False when it was so already.
    changed: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectNetwork {
    /// The network, by name or ID.
    name: NetworkName,
    /// The container, by name or ID.
    container_name: ContainerRef,
    /// Further names of the container on that network.
    #[serde(default)]
    aliases: Vec<NetworkAlias>,
}

impl Change for ConnectNetwork {
    const SPEC: Spec = Spec {
        name: "connect-network",
        title: "Join network",
        description: "Connect a container to a further network (`docker network connect`), with aliases. \
                      Undo: disconnect-network.",
        toolset: Toolset::Networks,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let pair = Pair::find(context, &self.name, &self.container_name).await?;
        let is_so_already = match pair.missing_aliases(&self.aliases) {
            None => false,
            Some(missing) if missing.is_empty() => true,
            Some(missing) => {
                let message = format!(
                    "container {} is on network {} already, without the alias {}",
                    pair.container.name(),
                    pair.network.name,
                    missing.join(", ")
                );
                return Err(Error::new(Code::WrongState, message)
                    .with("container", pair.container.name())
                    .with("network", pair.network.name)
                    .hint("docker cannot change aliases: disconnect-network first, then connect it with all of them"));
            }
        };
        let attach = |network: &str, container: &str| connect(network, container, &self.aliases);
        Ok(pair.ready(is_so_already, attach))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        ready.act(context).await
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DisconnectNetwork {
    /// The network, by name or ID.
    name: NetworkName,
    /// The container, by name or ID.
    container_name: ContainerRef,
}

impl Change for DisconnectNetwork {
    const SPEC: Spec = Spec {
        name: "disconnect-network",
        title: "Leave network",
        description: "Disconnect a container from a network (`docker network disconnect`). Undo: \
                      connect-network.",
        toolset: Toolset::Networks,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    const REMOVES: bool = false;
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let pair = Pair::find(context, &self.name, &self.container_name).await?;
        let is_so_already = member(&pair.container, &pair.network).is_none();
        Ok(pair.ready(is_so_already, disconnect))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        ready.act(context).await
    }
}

/// A network and a container that both exist.
struct Pair {
    network: Network,
    container: Container,
}

impl Pair {
    async fn find(
        context: &Context,
        network: &NetworkName,
        container: &ContainerRef,
    ) -> Result<Self, Error> {
        let network = inspect_one(context, network.as_str()).await?;
        let mut found = context.docker.run(&InspectContainers::one(container.as_str())).await?;
        let container = found.pop().ok_or_else(|| {
            Error::new(Code::ContainerNotFound, format!("no such container: {container}"))
                .with("container", container.as_str())
        })?;
        judge_changes(&context.docker, [&container])?;
        Ok(Self { network, container })
    }

    /// Those that it does not have on this network; none when it is not on it at all.
    fn missing_aliases(&self, wanted: &[NetworkAlias]) -> Option<Vec<String>> {
        let networks = &self.container.network_settings.networks;
        let endpoint = networks.get(&self.network.name)?;
        let has = aliases(endpoint, &self.container);
        let missing = wanted.iter().map(ToString::to_string).filter(|alias| !has.contains(alias));
        Some(missing.collect())
    }

    fn ready(self, is_so_already: bool, command: impl Fn(&str, &str) -> Act) -> Prepared<Ready> {
        let shown = command(&self.network.name, self.container.name()).0;
        let act = (!is_so_already).then(|| command(&self.network.id, &self.container.id));
        Prepared::new([shown], Ready { pair: self, act })
    }
}

/// What is to be done with a pair, on the IDs.
pub(super) struct Ready {
    pair: Pair,
    /// Nothing where it is so already.
    act: Option<Act>,
}

impl Ready {
    /// Acts, and looks again.
    async fn act(self, context: &Context) -> Result<Reply, Error> {
        let Pair { network, container } = self.pair;
        if let Some(act) = &self.act {
            context.docker.run(act).await.map_err(|error| {
                error.with("network", network.name.as_str()).with("container", container.name())
            })?;
        }
        let after = InspectContainers::listed([container.id.clone()]);
        let after = context.docker.run(&after).await?.pop().unwrap_or(container);
        let place = member(&after, &network);
        let connected = place.is_some();
        let Member { ip, ipv6, aliases, .. } = place.unwrap_or_default();
        Ok(Reply {
            container: after.name().to_owned(),
            state: after.state.status.clone(),
            connected,
            ip,
            ipv6,
            aliases,
            networks: after.network_settings.networks.keys().cloned().collect(),
            network: network.name,
            changed: self.act.is_some(),
        })
    }
}

fn connect(network: &str, container: &str, aliases: &[NetworkAlias]) -> Act {
    let connect = Invocation::docker(Effect::Change, ["network", "connect"]);
    Act(connect.each("--alias", aliases).operands([network, container]))
}

fn disconnect(network: &str, container: &str) -> Act {
    let disconnect = Invocation::docker(Effect::Destroy, ["network", "disconnect"]);
    Act(disconnect.operands([network, container]))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn pair() -> Pair {
        let container = json!({
            "Id": "ac98f7ecac01b55c", "Name": "/web",
            "NetworkSettings": {"Networks": {"back": {"Aliases": ["db", "ac98f7ecac01"]}}}
        });
        let network = Network { name: "back".into(), ..Network::default() };
        Pair { network, container: serde_json::from_value(container).unwrap() }
    }

    fn aliases(names: &[&str]) -> Vec<NetworkAlias> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn argv_of_connect_and_disconnect() {
        assert_snapshot!(connect("back", "web", &[]).0, @"docker network connect -- back web");
        assert_snapshot!(connect("back", "web", &aliases(&["db", "pg_1"])).0, @"docker network connect --alias=db --alias=pg_1 -- back web");
        assert_snapshot!(disconnect("back", "web").0, @"docker network disconnect -- back web");
    }

    #[test]
    fn aliases_that_are_missing_are_known_only_of_a_container_on_the_network() {
        let wanted = aliases(&["db", "pg"]);
        assert_eq!(pair().missing_aliases(&wanted), Some(vec!["pg".to_owned()]));
        assert_eq!(pair().missing_aliases(&[]), Some(vec![]));
        let elsewhere = Network { name: "front".into(), ..Network::default() };
        assert_eq!(Pair { network: elsewhere, ..pair() }.missing_aliases(&wanted), None);
    }
}
