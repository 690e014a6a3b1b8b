//! Hosts that a container knows by name without asking anybody.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::Value;

use super::sent::{ascii, from_json, pairs, plain, refused};

/// `--add-host`: names for addresses in the container's `/etc/hosts`. `host-gateway` is the
/// address of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExtraHosts(BTreeMap<String, String>);

from_json!(ExtraHosts, { "type": ["object", "array"] });

impl ExtraHosts {
    /// Values of `--add-host`: `db:10.0.0.5`. Docker splits at the first colon, so an IPv6 address
    /// needs no brackets (which clients before 25.0 refuse).
    pub fn arguments(&self) -> Vec<String> {
        self.0.iter().map(|(host, address)| format!("{host}:{address}")).collect()
    }
}

impl TryFrom<Value> for ExtraHosts {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        // Less than RFC 1123: names of services may have `_`.
        static NAME: LazyLock<Regex> = LazyLock::new(|| ascii(r"^\w([\w.-]{0,251}\w)?$"));
        let mut hosts = BTreeMap::new();
        for (host, address) in pairs(value, "extra host", &['=', ':'])? {
            if !NAME.is_match(&host) {
                return Err(refused("extra host", &host, "use letters, digits, \"-\" and \".\""));
            }
            let sent = plain(&address);
            let bare = sent.strip_prefix('[').and_then(|s| s.strip_suffix(']')).unwrap_or(&sent);
            let address = match bare.parse::<IpAddr>() {
                Ok(address) => address.to_string(),
                Err(_) if sent == "host-gateway" => sent,
                Err(_) => {
                    let rule = "use an IP address or \"host-gateway\"";
                    return Err(refused(&format!("address of {host}"), &sent, rule));
                }
            };
            if hosts.insert(host.clone(), address).is_some() {
                return Err(format!("extra host {host} is given twice"));
            }
        }
        Ok(Self(hosts))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn extra_hosts_are_addresses_or_the_gateway() {
        let hosts = json!({"db": "10.0.0.5", "host.docker.internal": "host-gateway", "six": "[::1]", "my_api": "::2"});
        assert_eq!(
            accepted::<ExtraHosts>(&hosts).arguments(),
            ["db:10.0.0.5", "host.docker.internal:host-gateway", "my_api:::2", "six:::1"]
        );
        assert_eq!(
            accepted::<ExtraHosts>(&json!(["a:::1", "b=1.2.3.4"])).arguments(),
            ["a:::1", "b:1.2.3.4"]
        );
        assert_snapshot!(refusals::<ExtraHosts>(&json!([
            {"db": "db.internal"}, {"db": null}, {"a b": "1.2.3.4"}, {"": "1.2.3.4"},
            {"a:b": "1.2.3.4"}, ["db"], ["a:1.2.3.4", "a:1.2.3.5"], {"db": "1.2.3.4\n5.6.7.8 x"}
        ])), @r#"
        address of db "db.internal" is not allowed: use an IP address or "host-gateway"
        address of db "null" is not allowed: use an IP address or "host-gateway"
        extra host "a b" is not allowed: use letters, digits, "-" and "."
        extra host "" is not allowed: use letters, digits, "-" and "."
        extra host "a:b" is not allowed: use letters, digits, "-" and "."
        extra host 1 of the list has no value: write "NAME=VALUE"
        extra host a is given twice
        address of db "1.2.3.4\n5.6.7.8 x" is not allowed: use an IP address or "host-gateway"
        "#);
    }
}
