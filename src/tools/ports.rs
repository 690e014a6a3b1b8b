//! Who holds a port of this machine: a container, or a program outside of docker.

use std::fs;

use crate::command::containers::{ListContainers, Row};
use crate::docker::Docker;
use crate::error::{Code, Error};

/// The running container that publishes this port of the host.
pub(super) fn holder<'a>(rows: &'a [Row], port: u16, protocol: &str) -> Option<&'a Row> {
    rows.iter().find(|row| publishes(row, port, protocol))
}

/// Adds to a failure for a port that is taken who holds it. Other failures stay as they are.
pub(super) async fn with_holder(docker: &Docker, error: Error) -> Error {
    let port = error.context.iter().find(|(key, _)| *key == "port");
    let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
    let Some(port) = port.filter(|_| error.code == Code::PortInUse) else { return error };
    let Ok(rows) = docker.run(&ListContainers::default()).await else { return error };
    let protocol = if error.message.contains("udp") { "udp" } else { "tcp" };
    let who = match (holder(&rows, port, protocol), protocol) {
        (Some(row), _) => format!("stop container {}, which holds {port}", row.name),
        (None, "tcp") => match programs(port).as_slice() {
            [] => format!("end the program outside of docker that holds {port}"),
            programs => format!("end {}, which holds {port}", programs.join(", ")),
        },
        (None, _) => format!("end the program outside of docker that holds {port}"),
    };
    error.hint(format!("choose another host port, or {who}"))
}

/// Whether a running container publishes this port of the host.
pub(super) fn publishes(row: &Row, port: u16, protocol: &str) -> bool {
    row.ports.iter().any(|entry| is_published(entry, port, protocol))
}

/// `127.0.0.1:8080->80/tcp`, `[::]:8000-8002->8000-8002/tcp`.
fn is_published(entry: &str, port: u16, protocol: &str) -> bool {
    let published = || {
        let (host, container) = entry.split_once("->")?;
        let (_, kind) = container.rsplit_once('/')?;
        let (_, ports) = host.rsplit_once(':')?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let range = first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?;
        Some(kind == protocol && range.contains(&port))
    };
    published().unwrap_or(false)
}

/// The programs of this machine that listen on this TCP port, as far as this user may see them:
/// `nginx (process 4711)`. Only Linux tells.
pub(super) fn programs(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let sockets: Vec<String> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return vec![];
    }
    let Ok(processes) = fs::read_dir("/proc") else { return vec![] };
    let mut found = vec![];
    for process in processes.flatten() {
        let Some(number) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = files.flatten().any(|file| {
            fs::read_link(file.path()).is_ok_and(|target| {
                target.to_str().is_some_and(|target| sockets.iter().any(|it| it == target))
            })
        });
        if holds {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(format!("{} (process {number})", name.trim()));
        }
    }
    found
}

/// The inodes of the sockets that listen on this port, in a table of `/proc/net`.
fn listening(table: &str, port: u16) -> Vec<String> {
    /// `TCP_LISTEN` of the kernel.
    const LISTEN: &str = "0A";
    let lines = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let matches = u16::from_str_radix(local, 16).ok()? == port && *fields.get(3)? == LISTEN;
        matches.then(|| fields.get(9).copied().map(str::to_owned)).flatten()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_in_what_docker_lists() {
        for (entry, port, protocol, expected) in [
            ("127.0.0.1:8080->80/tcp", 8080, "tcp", true),
            ("127.0.0.1:8080->80/tcp", 80, "tcp", false),
            ("127.0.0.1:8080->80/tcp", 8080, "udp", false),
            ("[::]:8000-8002->8000-8002/tcp", 8001, "tcp", true),
            ("0.0.0.0:53->53/udp", 53, "udp", true),
            ("80/tcp", 80, "tcp", false),
        ] {
            assert_eq!(is_published(entry, port, protocol), expected, "{entry} {port}/{protocol}");
        }
    }

    #[test]
    fn listening_sockets_are_found_in_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 34567 1 x\n\
             1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 34568 1 x\n";
        assert_eq!(listening(table, 8080), ["34567"]);
        assert!(listening(table, 8081).is_empty());
    }
}
