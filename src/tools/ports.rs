//! Who holds a port of this machine: a container, or a program outside of docker.

use std::fs;
use std::net::TcpListener;

use crate::command::containers::{ListContainers, Row};
use crate::docker::Docker;
use crate::error::{Code, Error};

/// The running container that publishes this port of the host.
pub(super) fn holder<'a>(rows: &'a [Row], port: u16, protocol: &str) -> Option<&'a Row> {
    rows.iter().find(|row| publishes(row, port, protocol))
}

/// Adds to a failure for a port that is taken which other one is free, and who holds it; `project`
/// is that of the call. Other failures stay as they are.
pub(super) async fn with_holder(docker: &Docker, error: Error, project: Option<&str>) -> Error {
    let port = error.context.iter().find(|(key, _)| *key == "port");
    let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
    let Some(port) = port.filter(|_| error.code == Code::PortInUse) else { return error };
    let Ok(rows) = docker.run(&ListContainers::default()).await else { return error };
    let protocol = if error.message.contains("udp") { "udp" } else { "tcp" };
    let holder = holder(&rows, port, protocol);
    let programs = if protocol == "tcp" { programs(docker, port) } else { vec![] };
    error.hint(advice(port, free_after(docker, &rows, port), holder, &programs, project))
}

/// What to do about a port that is taken: another one first. To stop what holds it is only for
/// whoever has it: a container of the same project.
pub(super) fn advice(
    port: u16,
    free: Option<u16>,
    holder: Option<&Row>,
    programs: &[String],
    project: Option<&str>,
) -> String {
    let other = match free {
        Some(free) => format!("choose another host port, for example {free}, which is free now"),
        None => "choose another host port".to_owned(),
    };
    match (holder, programs) {
        (Some(row), _) if project.is_some() && row.project.as_deref() == project => {
            format!(
                "{other}; or stop container {} of the same project, which holds {port}",
                row.name
            )
        }
        (Some(row), _) => {
            format!(
                "{other}; {port} is held by {}, which is not this call's to stop",
                described(row)
            )
        }
        (None, []) => format!("{other}; a program outside of docker's containers holds {port}"),
        (None, programs) => {
            format!("{other}; outside of docker {} holds {port}", programs.join(", "))
        }
    }
}

/// `container web (project shop)`.
pub(super) fn described(row: &Row) -> String {
    match &row.project {
        Some(project) => format!("container {} (project {project})", row.name),
        None => format!("container {}", row.name),
    }
}

/// The next port that no running container publishes and nothing on this machine listens on. What
/// listens on another machine nobody tells.
pub(super) fn free_after(docker: &Docker, rows: &[Row], port: u16) -> Option<u16> {
    if docker.host().is_some() { None } else { free_here(rows, port) }
}

fn free_here(rows: &[Row], port: u16) -> Option<u16> {
    let is_free = |port: &u16| {
        let is_published = |protocol| holder(rows, *port, protocol).is_some();
        !is_published("tcp")
            && !is_published("udp")
            && TcpListener::bind(("0.0.0.0", *port)).is_ok()
    };
    // Only a program with the rights of the system may listen below 1024.
    let first = port.checked_add(1)?.max(1024);
    (first..=first.saturating_add(200)).find(is_free)
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
/// `nginx (process 4711)`. Only Linux tells, and nobody of another machine.
pub(super) fn programs(docker: &Docker, port: u16) -> Vec<String> {
    if docker.host().is_some() {
        return vec![];
    }
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

/// `TCP_LISTEN` of the kernel.
const LISTEN: &str = "0A";

/// The inodes of the sockets that listen on this port, in a table of `/proc/net`.
fn listening(table: &str, port: u16) -> Vec<String> {
    let lines = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let matches = u16::from_str_radix(local, 16).ok()? == port && *fields.get(3)? == LISTEN;
        matches.then(|| fields.get(9).copied().map(str::to_owned)).flatten()
    });
    lines.collect()
}

/// A TCP port that something in a container listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listening {
    pub(super) port: u16,
    /// Only on 127.0.0.1 or `::1`, where nobody outside of the container reaches it.
    pub(super) is_local: bool,
}

/// What listens in the network of a process, when that is one of this container on this machine:
/// its control group has the container's ID in its name. Nothing where that cannot be seen.
pub(super) fn listening_in(pid: i64, container: &str) -> Option<Vec<Listening>> {
    let process = std::path::PathBuf::from(format!("/proc/{pid}"));
    let groups = fs::read_to_string(process.join("cgroup")).ok()?;
    if pid <= 0 || container.is_empty() || !groups.contains(container) {
        return None;
    }
    let tables = ["net/tcp", "net/tcp6"];
    let tables = tables.map(|table| fs::read_to_string(process.join(table)));
    // Without IPv6 there is one table only.
    tables.iter().any(Result::is_ok).then_some(())?;
    Some(tables.iter().flatten().flat_map(|table| listeners(table)).collect())
}

fn listeners(table: &str) -> Vec<Listening> {
    let mut found: Vec<Listening> = vec![];
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(local), Some(&LISTEN)) = (fields.get(1), fields.get(3)) else { continue };
        let Some((address, port)) = local.rsplit_once(':') else { continue };
        let Ok(port) = u16::from_str_radix(port, 16) else { continue };
        // 127.0.0.0/8 and ::1, in the byte order of the machine, also as an IPv4 in IPv6.
        let is_local = match address.len() {
            8 => address.ends_with("7F"),
            _ => {
                address == "00000000000000000000000001000000"
                    || (address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F"))
            }
        };
        found.push(Listening { port, is_local });
    }
    found
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
    fn what_listens_is_read_with_the_addresses_that_only_it_reaches() {
        let table = "  sl  local_address rem_address   st\n\
             0: 0100007F:1F40 00000000:0000 0A 0 0 0 0 0 1\n\
             1: 00000000:0050 00000000:0000 0A 0 0 0 0 0 2\n\
             2: 00000000:0051 0100007F:0052 01 0 0 0 0 0 3\n";
        let (inner, outer) =
            (Listening { port: 8000, is_local: true }, Listening { port: 80, is_local: false });
        assert_eq!(listeners(table), [inner, outer]);
        let six = "h\n 0: 00000000000000000000000000000000:0050 0:0 0A\n 1: 00000000000000000000000001000000:0050 0:0 0A\n";
        let found: Vec<bool> = listeners(six).iter().map(|it| it.is_local).collect();
        assert_eq!(found, [false, true]);
        assert_eq!(listening_in(i64::from(std::process::id()), "0123456789abcdef0123"), None);
    }

    #[test]
    fn another_port_comes_first_and_what_is_somebody_elses_is_not_to_be_stopped() {
        let row = Row { name: "api".into(), project: Some("shop".into()), ..Row::default() };
        let advice = |holder, programs: &[String], project| {
            advice(8080, Some(8081), holder, programs, project)
        };
        let told = advice(Some(&row), &[], Some("shop"));
        assert!(told.ends_with("; or stop container api of the same project, which holds 8080"));
        for project in [None, Some("blog")] {
            let told = advice(Some(&row), &[], project);
            assert_eq!(
                told,
                "choose another host port, for example 8081, which is free now; 8080 is held by container api (project shop), which is not this call's to stop"
            );
        }
        let loose = Row { name: "api".into(), ..Row::default() };
        assert!(advice(Some(&loose), &[], None).contains("not this call's to stop"));
        assert!(
            advice(None, &["nginx (process 7)".to_owned()], None).contains("nginx (process 7)")
        );
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_free() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_ne!(free_here(&[], port - 1), Some(port));
        let published = format!("0.0.0.0:{}->80/tcp", port + 1);
        let row = Row { ports: vec![published], ..Row::default() };
        assert_ne!(free_here(&[row], port), Some(port + 1));
        assert_eq!(free_here(&[], u16::MAX), None);
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
