//! Published ports. Docker's own parser takes more than it should (`published=80,target=90`,
//! `80:80/tcp/udp`, ranges of 65535 ports) and listens on every address when none is named.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::Value;

use super::sent::{Sent, from_json, kind, refused, scalar};

/// Ports to publish, sorted by the container's port, without repetitions; at most 64 after ranges
/// are written out (ours: each one is a rule in the firewall and may be a process).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ports(Vec<PortMapping>);

/// One port of a container on one port of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortMapping {
    container_port: u16,
    protocol: Protocol,
    host_address: IpAddr,
    /// None: docker takes a free one.
    host_port: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

from_json!(Ports, { "type": ["object", "array"] });

impl Ports {
    const MAX: usize = 64;

    pub fn mappings(&self) -> &[PortMapping] {
        &self.0
    }

    /// Values of `--publish`.
    pub fn arguments(&self) -> Vec<String> {
        self.0.iter().map(PortMapping::to_string).collect()
    }

    /// Whether any of them can be reached from other machines.
    pub fn is_public(&self) -> bool {
        self.0.iter().any(PortMapping::is_public)
    }
}

impl PortMapping {
    pub const fn container_port(&self) -> u16 {
        self.container_port
    }

    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// 127.0.0.1 unless the caller named another one.
    pub const fn host_address(&self) -> IpAddr {
        self.host_address
    }

    /// None: docker takes a free one.
    pub const fn host_port(&self) -> Option<u16> {
        self.host_port
    }

    /// Whether other machines can reach it: on `0.0.0.0`, `::` or any address but loopback.
    pub fn is_public(&self) -> bool {
        !self.host_address.to_canonical().is_loopback()
    }
}

/// As a value of `--publish`: `127.0.0.1:8080:80/tcp`, `[::1]::80/udp` for a free port.
impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_address {
            IpAddr::V4(address) => write!(f, "{address}:")?,
            IpAddr::V6(address) => write!(f, "[{address}]:")?,
        }
        if let Some(port) = self.host_port {
            write!(f, "{port}")?;
        }
        write!(f, ":{}/{}", self.container_port, self.protocol)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// `{"80": 8080, "53/udp": "127.0.0.1:5353", "9000": null}` (the container's port first), or a
/// list as docker writes it: `["8080:80", "127.0.0.1:5353:53/udp", 9000]`.
impl TryFrom<Value> for Ports {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut mappings = vec![];
        match Sent::of(value) {
            Sent::Object(fields) => {
                for (container, hosts) in fields {
                    let hosts = if let Value::Array(hosts) = hosts { hosts } else { vec![hosts] };
                    for host in hosts {
                        let host = if host.is_null() { String::new() } else { text(&host)? };
                        publish(&mut mappings, container.parse()?, host.parse()?)?;
                    }
                }
            }
            Sent::List(items) => {
                for item in &items {
                    publish_text(&mut mappings, &text(item)?)?;
                }
            }
            Sent::Text(one) => publish_text(&mut mappings, &one)?,
        }
        mappings.sort_unstable();
        mappings.dedup();
        Ok(Self(mappings))
    }
}

/// `80`, `53/udp`, `8000-8010`.
struct ContainerSide {
    sent: String,
    ports: RangeInclusive<u16>,
    protocol: Protocol,
}

/// `8080`, `127.0.0.1:8080`, `[::1]:`, or nothing.
struct HostSide {
    sent: String,
    address: IpAddr,
    ports: Option<RangeInclusive<u16>>,
}

impl FromStr for ContainerSide {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "sctp" => Some(Protocol::Sctp),
            _ => None,
        };
        let ports = range(ports).filter(|ports| *ports.start() > 0);
        let (Some(ports), Some(protocol)) = (ports, protocol) else {
            let rule = "use a port from 1 to 65535 or a range, for example \"80\", \"53/udp\" or \
                        \"8000-8010\"";
            return Err(refused("container port", text, rule));
        };
        Ok(Self { sent: text.to_owned(), ports, protocol })
    }
}

impl FromStr for HostSide {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || {
            let rule = "use a port from 1 to 65535 with or without an IP address, for example \
                        8080, \"127.0.0.1:8080\" or \"[::1]:8080\"; 0 is any free port";
            refused("host port", text, rule)
        };
        let (address, ports) = match text.rsplit_once(':') {
            Some((address, ports)) => (host_address(address).ok_or_else(error)?, ports),
            None => (Ipv4Addr::LOCALHOST.into(), text),
        };
        let ports = match ports {
            "" | "0" => None,
            ports => Some(range(ports).filter(|ports| *ports.start() > 0).ok_or_else(error)?),
        };
        Ok(Self { sent: text.to_owned(), address, ports })
    }
}

fn host_address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let port =
        |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = port(first)?..=port(last)?;
    (!range.is_empty()).then_some(range)
}

/// `[[address:]host:]container[/protocol]`.
fn publish_text(mappings: &mut Vec<PortMapping>, text: &str) -> Result<(), String> {
    // `:80` is no port of the host: let the whole text be refused.
    let (host, container) =
        text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).unwrap_or(("", text));
    publish(mappings, container.parse()?, host.parse()?)
}

fn publish(
    mappings: &mut Vec<PortMapping>,
    container: ContainerSide,
    host: HostSide,
) -> Result<(), String> {
    let ContainerSide { ports, protocol, .. } = container;
    if host.ports.as_ref().is_some_and(|host| host.len() != ports.len()) {
        let rule = format!("it must be as long as the container's {}", container.sent);
        return Err(refused("host port", &host.sent, &rule));
    }
    if mappings.len() + ports.len() > Ports::MAX {
        return Err(format!("at most {} ports can be published in one call", Ports::MAX));
    }
    let mut host_ports = host.ports.into_iter().flatten();
    mappings.extend(ports.map(|container_port| PortMapping {
        container_port,
        protocol,
        host_address: host.address,
        host_port: host_ports.next(),
    }));
    Ok(())
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Number(_) | Value::String(_) => scalar(value),
        other => Err(kind(other).to_owned()),
    }
    .map_err(|kind| format!("a port must be a number or text, not {kind}"))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    fn published(sent: &Value) -> String {
        accepted::<Ports>(sent).arguments().join("\n")
    }

    #[test]
    fn an_object_names_the_container_port_first() {
        assert_snapshot!(published(&json!({"80": 8080})), @"127.0.0.1:8080:80/tcp");
        assert_snapshot!(published(&json!({
            "80/tcp": "8080", "53/UDP": "127.0.0.2:5353", "443": "[::1]:8443", "22": "0.0.0.0:2222"
        })), @"
        0.0.0.0:2222:22/tcp
        127.0.0.2:5353:53/udp
        127.0.0.1:8080:80/tcp
        [::1]:8443:443/tcp
        ");
        assert_snapshot!(published(&json!({
            "80": null, "81": "", "82": 0, "83": "0", "84": "127.0.0.1:", "85": "[::1]:0"
        })), @"
        127.0.0.1::80/tcp
        127.0.0.1::81/tcp
        127.0.0.1::82/tcp
        127.0.0.1::83/tcp
        127.0.0.1::84/tcp
        [::1]::85/tcp
        ");
        assert_snapshot!(published(&json!({"80": [8080, "0.0.0.0:8081", 8080]})), @"
        0.0.0.0:8081:80/tcp
        127.0.0.1:8080:80/tcp
        ");
        assert_snapshot!(published(&json!({"8000-8002": "9000-9002", "7000-7001": null})), @"
        127.0.0.1::7000/tcp
        127.0.0.1::7001/tcp
        127.0.0.1:9000:8000/tcp
        127.0.0.1:9001:8001/tcp
        127.0.0.1:9002:8002/tcp
        ");
        assert_snapshot!(published(&json!(r#"{"80": 8080}"#)), @"127.0.0.1:8080:80/tcp");
    }

    #[test]
    fn a_list_is_written_as_docker_writes_it() {
        assert_snapshot!(published(&json!([
            "8080:80", "127.0.0.1:53:53/udp", "[::]:81:81", 90, "91", "127.0.0.1::92",
            "5000-5001:6000-6001/sctp"
        ])), @"
        127.0.0.1:53:53/udp
        127.0.0.1:8080:80/tcp
        [::]:81:81/tcp
        127.0.0.1::90/tcp
        127.0.0.1::91/tcp
        127.0.0.1::92/tcp
        127.0.0.1:5000:6000/sctp
        127.0.0.1:5001:6001/sctp
        ");
        assert_snapshot!(published(&json!("8080:80")), @"127.0.0.1:8080:80/tcp");
        assert_snapshot!(published(&json!("[::1]:8080:80")), @"[::1]:8080:80/tcp");
        assert_snapshot!(published(&json!(80)), @"127.0.0.1::80/tcp");
        assert_eq!(published(&json!([])), "");
    }

    #[test]
    fn what_is_no_port_is_refused() {
        assert_snapshot!(refusals::<Ports>(&json!([
            {"0": 80}, {"65536": 80}, {"80/tcp/udp": 80}, {"80/icmp": 80}, {"": 80}, {"http": 80},
            {"127.0.0.1:80": 80}, {"80-70": 80},
            {"80": 65536}, {"80": -1}, {"80": "+80"}, {"80": " 80"}, {"80": "localhost:80"},
            {"80": "127.0.0.1"}, {"80": "::1:80"}, {"80": "[::1]"},
            {"80": "300.0.0.1:80"}, {"80": "0-5"}, {"80": "80\n"}, {"80": true},
            {"80": {"HostPort": "80"}}, {"80": [["127.0.0.1", 80]]},
            {"80": "8080-8090"}, {"8000-8010": 9000}, {"1-65535": null}, ["80:80/tcp/udp"],
            ["published=80,target=90"], ["1:2:3:4"], [":80"], ["80:"], [""], [null], [1.5]
        ])), @r#"
        container port "0" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "65536" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "80/tcp/udp" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "80/icmp" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "http" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "127.0.0.1:80" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "80-70" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        host port "65536" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "-1" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "+80" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port " 80" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "localhost:80" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "127.0.0.1" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "::1:80" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "[::1]" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "300.0.0.1:80" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "0-5" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        host port "80\n" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        a port must be a number or text, not true or false
        a port must be a number or text, not an object
        a port must be a number or text, not a list
        host port "8080-8090" is not allowed: it must be as long as the container's 80
        host port "9000" is not allowed: it must be as long as the container's 8000-8010
        at most 64 ports can be published in one call
        container port "80/tcp/udp" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "published=80,target=90" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        host port "1:2:3" is not allowed: use a port from 1 to 65535 with or without an IP address, for example 8080, "127.0.0.1:8080" or "[::1]:8080"; 0 is any free port
        container port ":80" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        container port "" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        a port must be a number or text, not null
        container port "1.5" is not allowed: use a port from 1 to 65535 or a range, for example "80", "53/udp" or "8000-8010"
        "#);
    }

    #[test]
    fn ports_are_limited_in_number() {
        assert_eq!(accepted::<Ports>(&json!({"1000-1063": null})).mappings().len(), 64);
        assert_snapshot!(refusals::<Ports>(&json!([
            {"1000-1064": null}, (1..=65).collect::<Vec<_>>()
        ])), @"
        at most 64 ports can be published in one call
        at most 64 ports can be published in one call
        ");
    }

    #[test]
    fn only_loopback_is_private() {
        for (sent, public) in [
            (json!({"80": 8080}), false),
            (json!({"80": "[::1]:8080"}), false),
            (json!({"80": "[::ffff:127.0.0.1]:8080"}), false),
            (json!({"80": "0.0.0.0:8080"}), true),
            (json!({"80": "[::]:8080"}), true),
            (json!({"80": "192.168.1.5:8080"}), true),
            (json!({}), false),
        ] {
            assert_eq!(accepted::<Ports>(&sent).is_public(), public, "{sent}");
        }
    }
}
