use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inspect_one;
use crate::command::labels::REQUEST;
use crate::command::networks::{ListNetworks, Network};
use crate::command::values::{Labels, NetworkDriver, NewNetworkName, Subnet};
use crate::command::{Command, Effect, Hazard, Invocation, Output};
use crate::error::{Code, Error};
use crate::tools::confirm::token;
use crate::tools::protect::refuse_own_label;
use crate::tools::{Change, Context, Prepared, Spec, Toolset, subnets};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateNetwork {
    /// Name of the new network.
    name: NewNetworkName,
    /// Driver of the network; default bridge.
    driver: Option<NetworkDriver>,
    /// Containers on it cannot reach the outside.
    #[serde(default)]
    internal: bool,
    /// Address range such as `10.5.0.0/24`.
    subnet: Option<Subnet>,
    /// Labels to set, by key.
    #[serde(default)]
    labels: Labels,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    id: String,
    name: String,
    driver: String,
    internal: bool,
    subnets: Vec<String>,
    labels: BTreeMap<String, String>,
    note: Option<&'static str>,
}

impl Change for CreateNetwork {
    const SPEC: Spec = Spec {
        name: "create-network",
        title: "Create network",
        description: "Create (make) a new network (`docker network create`): bridge or overlay, subnet, \
                      internal. Then: connect-network.",
        toolset: Toolset::Networks,
        effect: Effect::Change,
        idempotent: false,
        open_world: false,
    };
    /// With the label by which the network is found again.
    type Ready = (Self, String);
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Self::Ready>, Error> {
        refuse_own_label(&self.labels)?;
        self.check_the_driver()?;
        self.check_that_it_is_new(context).await?;
        let request = token()?;
        let creation = Creation { tool: &self, request: &request }.invocation();
        Ok(Prepared::new([creation], (self, request)))
    }

    async fn apply((tool, request): Self::Ready, context: &Context) -> Result<Reply, Error> {
        let creation = Creation { tool: &tool, request: &request };
        let (network, note) = match context.docker.run(&creation).await {
            Ok(id) => (inspect_one(context, &id).await?, None),
            Err(error) => {
                let Some(network) = found_by_request(context, &request, &error).await else {
                    let wanted: Vec<Subnet> = tool.subnet.into_iter().collect();
                    let error = subnets::with_holder(&context.docker, error, &wanted).await;
                    return Err(error.with("network", tool.name.as_str()));
                };
                (network, Some("docker's answer was lost, but it created the network"))
            }
        };
        let mut labels = network.labels.clone();
        labels.remove(REQUEST);
        Ok(Reply {
            id: network.short_id().to_owned(),
            subnets: network.subnets(),
            name: network.name,
            driver: network.driver,
            internal: network.internal,
            labels,
            note,
        })
    }
}

impl CreateNetwork {
    fn check_the_driver(&self) -> Result<(), Error> {
        match self.driver.as_ref().map(NetworkDriver::as_str) {
            Some(driver @ ("host" | "none" | "null")) => {
                let message =
                    format!("there is only one network of the driver {driver}, docker's own");
                Err(Error::invalid("driver", message).hint("leave it out for a bridge network"))
            }
            _ => Ok(()),
        }
    }

    /// Two networks can have one name when they are created at the same time, and no command that
    /// names it works any more; the daemon's own check came with 25.
    async fn check_that_it_is_new(&self, context: &Context) -> Result<(), Error> {
        let name = self.name.as_str();
        let same = ListNetworks { filters: vec![format!("name=^{}$", regex_lite::escape(name))] };
        match context.docker.run(&same).await?.into_iter().find(|row| row.name == name) {
            None => Ok(()),
            Some(_) => {
                Err(Error::new(Code::NameConflict, format!("network {name} exists already"))
                    .with("network", name)
                    .hint("use it as it is (inspect-network shows it), or choose another name"))
            }
        }
    }
}

/// After an answer that was lost on its way: the network that this very call created.
async fn found_by_request(context: &Context, request: &str, error: &Error) -> Option<Network> {
    if !error.may_have_been_done() {
        return None;
    }
    let ours = ListNetworks { filters: vec![format!("label={REQUEST}={request}")] };
    let row = context.docker.run(&ours).await.ok()?.pop()?;
    inspect_one(context, &row.id).await.ok()
}

/// `docker network create`, which prints the ID.
struct Creation<'a> {
    tool: &'a CreateNetwork,
    request: &'a str,
}

impl Command for Creation<'_> {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        let CreateNetwork { name, driver, internal, subnet, labels } = self.tool;
        let mut invocation = Invocation::docker(Effect::Change, ["network", "create"])
            .maybe("--driver", driver.as_ref())
            .flag("--internal", *internal)
            // Without it the daemon takes such a subnet and does not use it.
            .flag("--ipv6", subnet.is_some_and(Subnet::is_ipv6))
            .maybe("--subnet", *subnet)
            .option("--label", format!("{REQUEST}={}", self.request));
        for (key, value) in labels {
            invocation = invocation.option("--label", format!("{key}={value}"));
        }
        if let Some(driver) = driver.as_ref().filter(|driver| driver.as_str() != "bridge") {
            invocation = invocation.hazard(Hazard::Driver(driver.to_string()));
        }
        invocation.operands([name])
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        // Warnings of the daemon stand on the other stream.
        match output.stdout.trim() {
            "" => Err(Error::new(Code::UnexpectedOutput, "docker did not say the network's ID")),
            id => Ok(id.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn invocation(arguments: serde_json::Value) -> Invocation {
        let tool: CreateNetwork = serde_json::from_value(arguments).unwrap();
        Creation { tool: &tool, request: "01ab" }.invocation()
    }

    #[test]
    fn argv_of_create_network() {
        let plain = invocation(json!({"name": "back"}));
        assert_snapshot!(plain, @"docker network create --label=docker-mcp-server.request=01ab -- back");
        assert!(plain.hazards().is_empty());
        let all = json!({"name": "back", "driver": "bridge", "internal": true, "subnet": "10.5.0.0/24", "labels": {"a": "b"}});
        let all = invocation(all);
        assert_snapshot!(all, @"docker network create --driver=bridge --internal --subnet=10.5.0.0/24 --label=docker-mcp-server.request=01ab --label=a=b -- back");
        assert!(all.hazards().is_empty());
        assert_snapshot!(invocation(json!({"name": "six", "subnet": "fd00:5::/64"})), @"docker network create --ipv6 --subnet=fd00:5::/64 --label=docker-mcp-server.request=01ab -- six");
    }

    #[test]
    fn a_driver_that_reaches_the_host_is_told_to_the_policy() {
        let macvlan = invocation(json!({"name": "lan", "driver": "macvlan"}));
        assert_eq!(macvlan.hazards(), [Hazard::Driver("macvlan".into())]);
    }
}
