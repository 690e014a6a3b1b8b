//! Listing networks, and looking at them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::json::or_default;
use super::text::short_id;
use super::{Command, Effect, Invocation, Output, json, labels};
use crate::error::Error;
use crate::sort;

/// `docker network ls`: IDs and names. Everything else is exact in [`InspectNetworks`].
#[derive(Clone, Debug, Default)]
pub struct ListNetworks {
    /// `--filter` values (`driver=bridge`).
    pub filters: Vec<String>,
}

/// One line of `docker network ls`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Row {
    /// The full ID.
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
}

impl Command for ListNetworks {
    type Reply = Vec<Row>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["network", "ls"])
            .flag("--no-trunc", true)
            .each("--filter", &self.filters)
            .option("--format", r#"{"ID":{{json .ID}},"Name":{{json .Name}}}"#)
    }

    /// Sorted by name.
    fn parse(&self, output: &Output) -> Result<Vec<Row>, Error> {
        let mut rows: Vec<Row> = json::rows(&output.stdout)?;
        sort::by(&mut rows, |a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(rows)
    }
}

/// `docker network inspect`.
#[derive(Clone, Debug)]
pub struct InspectNetworks {
    pub networks: Vec<String>,
    /// One that vanished since it was listed is left out instead of failing the call.
    pub may_vanish: bool,
}

impl InspectNetworks {
    pub fn one(network: &str) -> Self {
        Self { networks: vec![network.to_owned()], may_vanish: false }
    }

    /// By full IDs from a listing.
    pub fn listed(ids: Vec<String>) -> Self {
        Self { networks: ids, may_vanish: true }
    }
}

impl Command for InspectNetworks {
    type Reply = Vec<Network>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["network", "inspect"]).operands(&self.networks)
    }

    fn accepts(&self, output: &Output) -> bool {
        let stderr = output.stderr.to_lowercase();
        // `No such network: x` on 20.10, `network x not found` later.
        let gone = stderr.contains("no such network") || stderr.contains("not found");
        output.exit_code == 0 || (self.may_vanish && gone)
    }

    fn parse(&self, output: &Output) -> Result<Vec<Network>, Error> {
        json::document(&output.stdout)
    }
}

/// A network as the daemon describes it. Its own list of containers leaves out those that are not
/// running, so ask the containers instead.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub created: String,
    pub driver: String,
    pub scope: String,
    pub internal: bool,
    pub attachable: bool,
    #[serde(rename = "EnableIPv6")]
    pub enable_ipv6: bool,
    #[serde(rename = "IPAM", deserialize_with = "or_default")]
    pub ipam: Ipam,
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// Options of the driver.
    #[serde(deserialize_with = "or_default")]
    pub options: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ipam {
    #[serde(deserialize_with = "or_default")]
    pub config: Vec<Pool>,
}

/// One range of addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Pool {
    pub subnet: String,
    pub gateway: String,
}

impl Network {
    pub fn short_id(&self) -> &str {
        short_id(&self.id)
    }

    /// The compose project that it belongs to.
    pub fn project(&self) -> Option<&str> {
        self.labels.get(labels::PROJECT).map(String::as_str)
    }

    /// Sorted.
    pub fn subnets(&self) -> Vec<String> {
        self.of_pools(|pool| &pool.subnet)
    }

    /// Sorted.
    pub fn gateways(&self) -> Vec<String> {
        self.of_pools(|pool| &pool.gateway)
    }

    fn of_pools(&self, part: fn(&Pool) -> &String) -> Vec<String> {
        let parts = self.ipam.config.iter().map(part);
        let mut parts: Vec<String> = parts.filter(|part| !part.is_empty()).cloned().collect();
        parts.sort();
        parts
    }

    /// One of those that every daemon has and that cannot be removed.
    pub fn is_predefined(&self) -> bool {
        matches!(self.name.as_str(), "bridge" | "host" | "none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_with_and_without_addresses() {
        let stdout = r#"[
            {"Name":"n","Id":"0123456789abcdef","Driver":"bridge","Internal":true,"EnableIPv6":true,
             "IPAM":{"Options":{},"Config":[{"Subnet":"10.99.2.0/24","Gateway":"10.99.2.1"},{"Subnet":"fd00:99::/64"}]},"Labels":{}},
            {"Name":"host","Driver":"host","IPAM":{"Options":null,"Config":null},"Labels":null,"Options":null}
        ]"#;
        let output = Output { stdout: stdout.to_owned(), ..Output::default() };
        let networks = InspectNetworks::one("n").parse(&output).unwrap();
        assert_eq!(networks[0].subnets(), ["10.99.2.0/24", "fd00:99::/64"]);
        assert_eq!(networks[0].gateways(), ["10.99.2.1"]);
        assert!(networks[0].internal && networks[0].enable_ipv6 && !networks[0].is_predefined());
        assert_eq!(networks[0].short_id(), "0123456789ab");
        assert!(networks[1].subnets().is_empty() && networks[1].is_predefined());
    }

    #[test]
    fn one_that_vanished_is_left_out_of_a_listing() {
        for stderr in ["Error: No such network: b", "network b not found\nexit status 1"] {
            let gone = Output {
                exit_code: 1,
                stdout: "[]".to_owned(),
                stderr: stderr.to_owned(),
                ..Output::default()
            };
            assert!(InspectNetworks::listed(vec![]).accepts(&gone));
            assert!(!InspectNetworks::one("b").accepts(&gone));
        }
    }
}
