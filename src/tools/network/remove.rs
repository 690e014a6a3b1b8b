use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{inspect_one, users_of};
use crate::command::networks::{InspectNetworks, Network};
use crate::command::values::NetworkName;
use crate::command::{Act, Effect, Invocation};
use crate::error::Error;
use crate::tools::confirm::Doomed;
use crate::tools::protect::judge_removal;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveNetwork {
    /// The network, by name or ID.
    name: NetworkName,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    removed: Vec<Removed>,
    note: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Removed {
    id: String,
    name: String,
}

impl Change for RemoveNetwork {
    const SPEC: Spec = Spec {
        name: "remove-network",
        title: "Remove network",
        description: "Remove (delete) an unused network (`docker network rm`). To take containers off it: \
                      disconnect-network.",
        toolset: Toolset::Networks,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: false,
    };
    type Ready = Network;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Network>, Error> {
        let network = inspect_one(context, self.name.as_str()).await?;
        let name = network.name.as_str();
        if network.is_predefined() {
            let message = format!("{name} is one of docker's own networks and stays");
            return Err(Error::invalid("name", message).with("network", name));
        }
        judge_removal(&context.docker, "network", name, &network.labels)?;
        // Docker minds only running ones, and a stopped one whose network is gone does not start.
        let users = users_of(context, &network).await?;
        if !users.is_empty() {
            return Err(users
                .in_the_way("network", name)
                .hint("if those containers are yours, remove them, or take them off it with disconnect-network"));
        }
        let doomed = Doomed {
            kind: "network",
            name: name.to_owned(),
            id: network.id.clone(),
            project: network.project().map(str::to_owned),
            ..Doomed::default()
        };
        Ok(Prepared::new([removal(name).0], network).loses([doomed]))
    }

    async fn apply(network: Network, context: &Context) -> Result<Reply, Error> {
        let note = match context.docker.run(&removal(&network.id)).await {
            Ok(()) => None,
            Err(error) if is_gone(context, &network.id, &error).await => Some(GONE),
            Err(error) => return Err(error.with("network", &network.name)),
        };
        let removed = Removed { id: network.short_id().to_owned(), name: network.name };
        Ok(Reply { removed: vec![removed], note })
    }
}

const GONE: &str = "docker's answer was lost, but the network is gone";

/// Whether the removal was done although its answer says something else.
async fn is_gone(context: &Context, id: &str, error: &Error) -> bool {
    let look = InspectNetworks::listed(vec![id.to_owned()]);
    error.may_have_been_done()
        && context.docker.run(&look).await.is_ok_and(|found| found.is_empty())
}

fn removal(network: &str) -> Act {
    Act(Invocation::docker(Effect::Destroy, ["network", "rm"]).operands([network]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argv_of_remove_network() {
        insta::assert_snapshot!(removal("back").0, @"docker network rm -- back");
    }
}
