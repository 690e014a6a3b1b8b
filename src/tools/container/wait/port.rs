//! Whether something listens on a port of a container.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::Stand;
use crate::command::containers::Container;
use crate::command::{Command, Effect, Invocation, Output};
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::outcome::is_dockers_own;

const CONNECT: Duration = Duration::from_secs(1);
/// Docker's proxy takes every connection, and ends it at once when nobody listens behind it.
const REFUSAL: Duration = Duration::from_millis(200);

/// Where it is reached from here.
pub(super) async fn answering(container: &Container, port: u32) -> Option<SocketAddr> {
    let address = published(container, port)?;
    answers(address).await.then_some(address)
}

/// As it is seen from inside: it is not published, or on a machine or in a network that is not ours.
///
/// # Errors
/// As [`Docker::run`].
pub(super) async fn stand(
    docker: &Docker,
    container: &Container,
    port: u32,
) -> Result<Stand, Error> {
    let published = published(container, port);
    let output = docker.run(&Sockets { container: container.id.clone() }).await?;
    let unpublished = format!("port {port} is not published");
    Ok(match (listener(&output.stdout, port), published) {
        (Listener::Unknown, None) => Stand::Never(format!(
            "{unpublished}, and its image has no cat with which to look inside: wait for log"
        )),
        (Listener::Unknown, Some(address)) => Stand::NotYet(format!("{address} does not answer")),
        (Listener::Nobody, _) => Stand::NotYet(format!("nothing listens on port {port}")),
        (Listener::Loopback, _) => Stand::NotYet(format!(
            "port {port} is listened on, but only on 127.0.0.1 in the container, where nobody outside can reach it"
        )),
        (Listener::Everywhere, None) => {
            Stand::Met(Some(format!("listening in the container; {unpublished}")))
        }
        (Listener::Everywhere, Some(address)) => Stand::Met(Some(format!(
            "listening in the container; {address} was not reached from here"
        ))),
    })
}

/// Where the host reaches it.
fn published(container: &Container, port: u32) -> Option<SocketAddr> {
    let bindings = container.network_settings.ports.get(&format!("{port}/tcp"))?;
    bindings.iter().flatten().find_map(|binding| {
        let address = match binding.host_ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        Some(SocketAddr::new(address, binding.host_port.parse().ok()?))
    })
}

async fn answers(address: SocketAddr) -> bool {
    let Ok(Ok(mut stream)) = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await
    else {
        return false;
    };
    let mut first = [0];
    match tokio::time::timeout(REFUSAL, stream.read(&mut first)).await {
        Ok(Ok(count)) => count > 0,
        Ok(Err(_)) => false,
        // It waits for us to speak first.
        Err(_) => true,
    }
}

/// Who listens on a port in a container.
#[derive(Debug, PartialEq, Eq)]
enum Listener {
    Unknown,
    Nobody,
    Loopback,
    Everywhere,
}

/// `/proc/net/tcp`: `   0: 0100007F:1F90 00000000:0000 0A …`, where 0A is a socket that listens.
fn listener(table: &str, port: u32) -> Listener {
    if !table.contains("local_address") {
        return Listener::Unknown;
    }
    let mut listener = Listener::Nobody;
    for line in table.lines() {
        let mut words = line.split_whitespace();
        let (Some(_), Some(local), Some(_), Some(state)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let Some((address, number)) = local.split_once(':') else { continue };
        if state != "0A" || u32::from_str_radix(number, 16) != Ok(port) {
            continue;
        }
        // 127.0.0.0/8 and ::1, in the byte order of the machine, also as an IPv4 in IPv6.
        let is_loopback = match address.len() {
            8 => address.ends_with("7F"),
            _ => {
                address == "00000000000000000000000001000000"
                    || (address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F"))
            }
        };
        if !is_loopback {
            return Listener::Everywhere;
        }
        listener = Listener::Loopback;
    }
    listener
}

/// The sockets of a container. It changes nothing, so it may be done by a call that only reads.
struct Sockets {
    container: String,
}

impl Command for Sockets {
    type Reply = Output;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "exec"]).operands([
            self.container.as_str(),
            "cat",
            "/proc/net/tcp",
            "/proc/net/tcp6",
        ])
    }

    /// Without IPv6 there is one table only; without `cat`, or when it has just ended, none.
    fn accepts(&self, output: &Output) -> bool {
        let it_is_over = ["is not running", "is restarting", "is paused"]
            .iter()
            .any(|state| output.stderr.contains(state));
        let no_cat = output.exit_code == 126 || output.exit_code == 127;
        output.exit_code == 0 || it_is_over || no_cat || !is_dockers_own(output)
    }

    fn parse(&self, output: &Output) -> Result<Output, Error> {
        Ok(output.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0 0 1
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0 0 2
   2: 0200A8C0:01BB 0300A8C0:9C40 01 00000000:00000000 00:00000000 00000000     0 0 3
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 0 0
   1: 00000000000000000000000000000000:1F92 00000000000000000000000000000000:0000 0A 0 0
";

    #[test]
    fn a_table_of_sockets_tells_who_listens_and_for_whom() {
        assert_eq!(listener(TABLE, 80), Listener::Everywhere);
        assert_eq!(listener(TABLE, 8080), Listener::Loopback);
        assert_eq!(listener(TABLE, 8081), Listener::Loopback);
        assert_eq!(listener(TABLE, 8082), Listener::Everywhere);
        assert_eq!(listener(TABLE, 443), Listener::Nobody, "a connection does not listen");
        assert_eq!(listener("OCI runtime exec failed", 80), Listener::Unknown);
        assert_eq!(listener("", 80), Listener::Unknown);
    }

    #[test]
    fn the_address_is_one_that_can_be_connected_to() {
        let container: Container = serde_json::from_value(json!({"NetworkSettings": {"Ports": {
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
            "81/tcp": [{"HostIp": "192.0.2.1", "HostPort": "81"}],
            "82/tcp": null
        }}}))
        .unwrap();
        let address = |port| published(&container, port).map(|address| address.to_string());
        assert_eq!(address(80).as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(address(81).as_deref(), Some("192.0.2.1:81"));
        assert_eq!(address(82), None);
        assert_eq!(address(83), None);
    }
}
