//! What a container says of others: it cannot find or reach them.

use super::View;
use crate::command::containers::Row;
use crate::tools::diagnose::facts::{Facts, NAMELESS, Subject};
use crate::tools::diagnose::finding::{Cause, Site, call, deploy, logs, on, start};
use crate::tools::joined::Lost;

/// Lines before the complaint that may name the other side.
const CONTEXT: usize = 3;
const LIKE: f64 = 0.85;

/// It is in the network of another container, which it has lost.
pub(super) fn stranded(view: &View<'_>) -> Option<Cause> {
    let (subject, lost) = (view.subject, view.subject.lost_network.as_ref()?);
    let cause = Cause::new("stranded-network", lost.why(), lost.fix(&subject.container))
        .evidence(format!("NetworkMode: {}", subject.container.host_config.network_mode));
    let again = on("restart-container", subject.name());
    Some(match lost {
        Lost::Gone(_) => {
            let deploy = deploy(view.facts, subject);
            cause.next(deploy.unwrap_or_else(|| on("inspect-container", subject.name())))
        }
        Lost::Stopped(owner) => {
            cause.next(on("start-container", owner)).next(again).blames(owner.clone())
        }
        Lost::Restarted(_) => cause.next(again),
    })
}

/// The words of a line that may be names or addresses.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    text.split(separates).map(|word| word.trim_matches('.')).filter(|word| !word.is_empty())
}

/// The container that one of the words of a line means.
fn mentioned<'a>(view: &View<'a>, text: &'a str) -> Option<(&'a str, &'a Row)> {
    let own = [Some(view.subject.name()), view.subject.service()];
    words(text)
        .filter(|word| !own.contains(&Some(word)) && !is_common(word))
        .find_map(|word| Some((word, view.facts.peer(view.subject, word)?)))
        // Any word may be the name of something far away.
        .filter(|(_, row)| Facts::are_near(view.subject, row))
}

/// Words of any message, that are names of services too now and then.
fn is_common(word: &str) -> bool {
    word.len() < 2
        || [
            "error",
            "connect",
            "connection",
            "server",
            "host",
            "at",
            "to",
            "on",
            "failed",
            "port",
            "fatal",
            "sh",
            "wget",
            "nc",
        ]
        .contains(&word.to_lowercase().as_str())
}

/// A name that docker's resolver did not know.
pub(super) fn unresolved(view: &View<'_>, at: usize) -> Option<Cause> {
    let subject = view.subject;
    let line = subject.log.get(at)?;
    if let Some((name, row)) =
        asked(&line.text).and_then(|host| Some((host, view.facts.peer(subject, host)?)))
    {
        return Some(known_name(view, name, row));
    }
    if let Some(host) = asked(&line.text) {
        return Some(unknown_name(view, host));
    }
    if let Some((name, row)) = mentioned(view, &line.text) {
        return Some(known_name(view, name, row));
    }
    Some(
        Cause::new(
            "name-resolution",
            "it cannot resolve a host name",
            "see whether the name is that of a service on one of its networks, and whether docker's machine has DNS",
        )
        .vague(),
    )
}

/// What programs say before the name that they did not find.
const BEFORE_NAME: &[&str] = &[
    "enotfound ",
    "eai_again ",
    "resolve host: ",
    "resolve host '",
    "resolve host \"",
    "resolve proxy: ",
    "bad address '",
    "host name \"",
    "server host '",
    "unknownhostexception: ",
    "in upstream \"",
    "failed to resolve '",
    "failed to resolve \"",
    "failed to resolve ",
    "lookup ",
    "address for ",
    "resolving ",
    "not resolve: ",
    "resolve: ",
    "host not found: ",
];

fn asked(text: &str) -> Option<&str> {
    let lower = text.to_lowercase();
    // Lower-casing may move bytes in other scripts; then nothing is found, which is right.
    let from = BEFORE_NAME.iter().find_map(|before| Some(lower.find(before)? + before.len()))?;
    let rest = text.get(from..)?;
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .unwrap_or(rest.len());
    rest.get(..end).map(|name| name.trim_matches('.')).filter(|name| !name.is_empty())
}

/// There is a container of that name; so why was it not found?
fn known_name(view: &View<'_>, name: &str, row: &Row) -> Cause {
    let subject = view.subject;
    if row.state != "running" {
        return Cause::new(
            "dependency-down",
            format!("it cannot find {name}, because {} does not run ({})", row.name, row.status),
            format!("bring {} up; docker knows the names of running containers only", row.name),
        )
        .evidence(format!("{}: {}", row.name, row.status))
        .next(on("diagnose", &row.name))
        .next(start(&row.name, row.project.as_deref(), row.state == "created"))
        .blames(row.name.clone());
    }
    let own = subject.networks();
    let shares = |nameless: bool| {
        row.networks.iter().any(|network| {
            own.contains(&network.as_str()) && NAMELESS.contains(&network.as_str()) == nameless
        })
    };
    let lists = format!(
        "{} is on {}; {} is on {}",
        subject.name(),
        own.join(", "),
        row.name,
        row.networks.join(", ")
    );
    if shares(false) {
        let late = Cause::new(
            "dependency-late",
            format!(
                "it could not find {name} when it asked; {} runs now and is on its network",
                row.name
            ),
            "start it again; let it wait for the other (depends_on with condition service_healthy)",
        )
        .at([Site::Key("depends_on")]);
        return late.evidence(lists).next(on("restart-container", subject.name()));
    }
    let theirs = row.networks.iter().find(|network| !NAMELESS.contains(&network.as_str()));
    match theirs {
        Some(network) => Cause::new(
            "other-network",
            format!("it cannot find {name}: {} is on another network", row.name),
            format!("connect it to {network} (in compose: list that network in both services)"),
        )
        .at([Site::Key("networks"), Site::Key("network_mode")])
        .evidence(lists)
        .next(call("connect-network", &[("name", network), ("container_name", subject.name())]))
        .next(on("restart-container", subject.name())),
        None => Cause::new(
            "default-network",
            format!(
                "it cannot find {name}: the default network, on which {} is, resolves no names",
                row.name
            ),
            "put both on a network of their own",
        )
        .evidence(lists)
        .next(call("create-network", &[("name", "app")]))
        .next(call("connect-network", &[("name", "app"), ("container_name", &row.name)]))
        .next(call("connect-network", &[("name", "app"), ("container_name", subject.name())])),
    }
}

fn unknown_name(view: &View<'_>, host: &str) -> Cause {
    let subject = view.subject;
    if host.contains('.') {
        return Cause::new(
            "name-resolution",
            format!("it cannot resolve {host}: no DNS server that it reaches knows it"),
            "check the name, and whether docker's machine is on line and its DNS works (an internal network has no way out)",
        )
        .at([Site::Word(host.to_owned())]);
    }
    let nearest = nearest(view.facts, subject, host);
    let elsewhere = view.facts.rows.iter().find(|row| row.service.as_deref() == Some(host));
    let cause = match (nearest, elsewhere) {
        (None, Some(row)) => Cause::new(
            "name-unknown",
            format!("it looks for {host:?}, which its project does not have; only project {} has a service of that name", row.project.as_deref().unwrap_or_default()),
            "deploy it in this project, or connect both to one network",
        )
        .evidence(format!("{} is on {}", row.name, row.networks.join(", "))),
        (Some(like), _) => Cause::new(
            "name-unknown",
            format!(
                "it looks for {host:?}, and no container or service is called so; there is {like:?}"
            ),
            format!("use the name {like}"),
        )
        .to(like),
        (None, None) => Cause::new(
            "name-unknown",
            format!("it looks for {host:?}, and no container or service here is called so"),
            "correct the name, or deploy the service that it means",
        ),
    };
    let cause = cause.at([Site::Word(host.to_owned())]);
    match subject.project() {
        Some(project) => cause.next(call("compose-ps", &[("project_name", project)])),
        None => cause.next(logs(subject.name())),
    }
}

/// The name among its neighbours that is most like this one.
fn nearest(facts: &Facts, subject: &Subject, host: &str) -> Option<String> {
    let near =
        facts.rows.iter().filter(|row| row.name != subject.name() && Facts::are_near(subject, row));
    let names = near.map(|row| row.service.as_deref().unwrap_or(&row.name));
    let likeness = |name: &str| {
        if name.starts_with(host) || host.starts_with(name) {
            1.0
        } else {
            strsim::jaro_winkler(name, host)
        }
    };
    names
        .filter(|name| likeness(name) > LIKE)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .map(str::to_owned)
}

const LOCAL: [&str; 4] = ["127.0.0.1", "localhost", "0.0.0.0", "::1"];

/// Somebody did not accept its connection.
pub(super) fn refused(view: &View<'_>, at: usize) -> Option<Cause> {
    let subject = view.subject;
    let first = at.saturating_sub(CONTEXT);
    let around = subject.log.get(first..=at)?;
    let lines = || around.iter().rev().map(|line| line.text.as_str());
    let port = lines().find_map(port_of);
    if let Some((name, row)) = lines().find_map(|line| mentioned(view, line)) {
        return Some(refused_by(view, name, row, port));
    }
    let addressed = lines().flat_map(words).find_map(|word| {
        let name = view.facts.by_address(word)?.name();
        view.facts.rows.iter().find(|row| row.name == name && name != subject.name())
    });
    if let Some(row) = addressed {
        let name = row.service.as_deref().unwrap_or(&row.name);
        return Some(refused_by(view, name, row, port));
    }
    let is_local = |line: &str| line.contains("[::1]") || words(line).any(|it| LOCAL.contains(&it));
    if lines().any(is_local) {
        return Some(refused_by_itself(view, port));
    }
    Some(
        Cause::new(
            "connection-refused",
            "a service that it needs does not accept its connection: it is down, not ready, or listens elsewhere",
            "see whether the service that it means is well, and on which port it listens",
        )
        .vague(),
    )
}

/// The number after the last `:` or the word `port`.
fn port_of(text: &str) -> Option<u16> {
    let after_port = text.split_once("port ").map(|(_, rest)| rest);
    let candidates = after_port.into_iter().chain(text.rsplit(':').take(4));
    candidates
        .filter_map(|part| {
            let digits = part.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<u16>().ok()
        })
        .find(|port| *port > 0)
}

fn refused_by(view: &View<'_>, name: &str, row: &Row, port: Option<u16>) -> Cause {
    let to = port.map(|port| format!(" on port {port}")).unwrap_or_default();
    let at = port.map(|port| format!(":{port}")).unwrap_or_default();
    let status = format!("{}: {}", row.name, row.status);
    if row.state != "running" {
        return Cause::new(
            "dependency-down",
            format!(
                "it cannot reach {name}{to}, because {} does not run ({})",
                row.name, row.status
            ),
            format!("bring {} up", row.name),
        )
        .evidence(status)
        .next(on("diagnose", &row.name))
        .blames(row.name.clone());
    }
    if matches!(row.health.as_deref(), Some("unhealthy" | "starting")) {
        return Cause::new(
            "dependency-not-ready",
            format!("it cannot reach {name}{to}: {} runs, but is not ready ({})", row.name, row.status),
            "wait for it (depends_on with condition service_healthy), or see why it does not get healthy",
        )
        .evidence(status)
        .next(on("diagnose", &row.name))
        .blames(row.name.clone());
    }
    if let Some(cause) = refused_by_what_listens(view, name, row, port) {
        return cause.evidence(status);
    }
    Cause::new(
        "dependency-refuses",
        format!(
            "its log says the connection to {name}{at} was refused; {} runs ({})",
            row.name, row.status
        ),
        "check the port (the one inside the container, not the published one), that the service listens on 0.0.0.0 and not on 127.0.0.1, and that it had come up in time",
    )
    .evidence(status)
    .next(logs(&row.name))
    .next(on("restart-container", view.subject.name()))
    .blames(row.name.clone())
    .at(address(name, port))
}

/// Where it has the address from.
fn address(name: &str, port: Option<u16>) -> Vec<Site> {
    let with_port = port.map(|port| Site::Word(format!("{name}:{port}")));
    with_port.into_iter().chain([Site::Word(name.to_owned())]).collect()
}

/// What is seen of the ports that the other one listens on.
fn refused_by_what_listens(
    view: &View<'_>,
    name: &str,
    row: &Row,
    port: Option<u16>,
) -> Option<Cause> {
    let peer = view.facts.subjects.iter().find(|it| it.name() == row.name)?;
    let (port, listening) = (port?, peer.listening.as_ref()?);
    let open = peer.open_ports();
    if open.contains(&port) {
        return Some(
            Cause::new(
                "dependency-late",
                format!("the connection to {name}:{port} was refused when it tried; {name} listens there now"),
                "start it again; let it wait for the other (depends_on with condition service_healthy)",
            )
            .next(on("restart-container", view.subject.name()))
            .at([Site::Key("depends_on")]),
        );
    }
    if listening.iter().any(|it| it.port == port) {
        return Some(
            Cause::new(
                "listens-on-loopback",
                format!("{name} refuses it on port {port}: it listens there on 127.0.0.1 alone, which only {name} itself reaches"),
                format!("let {name} listen on 0.0.0.0:{port}"),
            )
            .in_peer(row.name.clone())
            .at([Site::Word(format!("127.0.0.1:{port}")), Site::Word("127.0.0.1".to_owned()), Site::Word("localhost".to_owned()), Site::Key("command")]),
        );
    }
    let refused = |fix: String| {
        let ports: Vec<String> = open.iter().map(ToString::to_string).collect();
        let listens = if ports.is_empty() { "nothing".to_owned() } else { ports.join(", ") };
        let why = format!("nothing listens on {name}:{port}; {name} listens on {listens}");
        Cause::new("dependency-refuses", why, fix).at(address(name, Some(port))).fails()
    };
    Some(match open.as_slice() {
        [only] => refused(format!("use {name}:{only}")).to(format!("{name}:{only}")),
        [] => refused(format!("see why {name} does not listen: its log, its command"))
            .next(logs(&row.name))
            .blames(row.name.clone()),
        _ => refused(format!("use a port that {name} listens on")),
    })
}

fn refused_by_itself(view: &View<'_>, port: Option<u16>) -> Cause {
    let own = view.subject.networks();
    let exposes = |row: &&Row| {
        let Some(port) = port else { return false };
        let near = row.networks.iter().any(|network| own.contains(&network.as_str()));
        let ends = [format!("->{port}/tcp"), format!("{port}/tcp")];
        near && row.name != view.subject.name()
            && row
                .ports
                .iter()
                .any(|entry| ends.iter().any(|end| entry == end || entry.ends_with(&ends[0])))
    };
    let meant = view.facts.rows.iter().find(exposes);
    let to = port.map(|port| format!(" port {port}")).unwrap_or_default();
    let meant = meant.map(|row| row.service.as_deref().unwrap_or(&row.name));
    let fix = match (meant, port) {
        (Some(name), Some(port)) => format!("use {name}:{port}"),
        _ => "use the name of the service that it means (or host.docker.internal for the host)"
            .to_owned(),
    };
    Cause::new(
        "refused-by-itself",
        format!(
            "it connects to localhost{to}, which inside a container is the container itself, and nothing listens there"
        ),
        fix,
    )
    .at(
        port.iter()
            .flat_map(|port| LOCAL.iter().map(move |name| Site::Word(format!("{name}:{port}"))))
            .chain(LOCAL.iter().map(|name| Site::Word((*name).to_owned()))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_not_found_is_read_from_many_programs() {
        for (line, name) in [
            ("wget: bad address 'db:5432'", "db"),
            ("nc: bad address 'db'", "db"),
            ("Error: getaddrinfo ENOTFOUND redis", "redis"),
            ("getaddrinfo EAI_AGAIN cache", "cache"),
            ("curl: (6) Could not resolve host: api", "api"),
            ("dial tcp: lookup db on 127.0.0.11:53: no such host", "db"),
            (r#"could not translate host name "db" to address: Name or service not known"#, "db"),
            ("ERROR 2005 (HY000): Unknown MySQL server host 'mysql' (-2)", "mysql"),
            ("java.net.UnknownHostException: kafka-1: Name or service not known", "kafka-1"),
            (
                r#"[emerg] host not found in upstream "app:3000" in /etc/nginx/conf.d/x.conf:3"#,
                "app",
            ),
        ] {
            assert_eq!(asked(line), Some(name), "{line}");
        }
        assert_eq!(asked("Temporary failure in name resolution"), None);
    }

    #[test]
    fn the_port_is_read_from_many_programs() {
        for (line, port) in [
            ("connect ECONNREFUSED 172.18.0.2:5432", 5432),
            ("dial tcp 172.18.0.2:6379: connect: connection refused", 6379),
            (
                r#"connection to server at "db" (172.18.0.2), port 5432 failed: Connection refused"#,
                5432,
            ),
            ("Connecting to db:80 (172.18.0.2:80)", 80),
        ] {
            assert_eq!(port_of(line), Some(port), "{line}");
        }
        assert_eq!(port_of("connection refused"), None);
    }
}
