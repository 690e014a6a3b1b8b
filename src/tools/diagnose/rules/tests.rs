//! The rules on documents and logs that docker 26.1.5 gave of containers that were broken on
//! purpose; each is named after its fault.

use insta::assert_snapshot;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::command::containers::{Container, ListContainers};
use crate::command::{Command as _, Output};
use crate::tools::diagnose::facts::Line;
use crate::tools::diagnose::standing::standing;

#[derive(Deserialize)]
struct Recorded {
    log: String,
    document: Container,
}

fn recorded() -> Vec<Subject> {
    let recorded: Vec<Recorded> = serde_json::from_str(include_str!("recorded.json")).unwrap();
    let subject = |Recorded { log, document }: Recorded| Subject {
        log: Line::all(&log),
        out_of_memory: document.state.oom_killed,
        container: document,
        ..Subject::default()
    };
    recorded.into_iter().map(subject).collect()
}

fn now() -> jiff::Timestamp {
    "2026-11-24T12:03:20Z".parse().unwrap()
}

fn rows(rows: &[Value]) -> Vec<crate::command::containers::Row> {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let mut whole = json!({
                "ID": row["Names"], "Image": "x", "CreatedAt": "", "State": "running", "Status": "Up 5 minutes",
                "Ports": "", "Mounts": "", "Networks": "", "Project": "", "Service": "",
            });
            for (key, value) in row.as_object().unwrap() {
                whole[key] = value.clone();
            }
            whole.to_string()
        })
        .collect();
    let output = Output { stdout: lines.join("\n"), ..Output::default() };
    ListContainers::default().parse(&output).unwrap()
}

fn in_a_line(facts: &Facts, subject: &Subject) -> String {
    let standing = standing(facts, subject);
    let view = View { facts, subject, standing: &standing };
    let name = subject.name();
    match cause(&view) {
        Some(cause) => {
            format!("{name} ({:?}) {}: {}: {}", standing.kind, cause.id, standing.text, cause.why)
        }
        None => format!("{name} ({:?}): {}", standing.kind, standing.text),
    }
}

#[test]
fn recorded_faults_are_explained() {
    let mut subjects = recorded();
    for subject in &mut subjects {
        match subject.container.name() {
            "mnt2" => subject.missing_sources.push("/srv/app/goner".to_owned()),
            "dirfile" => subject
                .empty_folders
                .push(("/srv/app/conf-missing.yml".to_owned(), "/etc/hostname.conf".to_owned())),
            "stop" | "stop137" => subject.told = Some("stop".to_owned()),
            _ => {}
        }
    }
    let rows =
        rows(&[json!({"Names": "port1", "Ports": "127.0.0.1:18431->80/tcp", "Project": "shop"})]);
    let facts = Facts { now: now(), rows, ..Facts::default() };
    let lines: Vec<String> = subjects.iter().map(|subject| in_a_line(&facts, subject)).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    abrt (Done): ended with exit code 0 after less than a second
    arm (Failed) exec-format: exited with 1 after less than a second: its program is made for another processor, or is a script without a `#!` line
    armsh (Failed) exec-format: exited with 127 after less than a second: its program is made for another processor, or is a script without a `#!` line
    crlf (Failed) script-line-ends: exited with 1: its script is there, but the interpreter in the script's first line is not: Windows line ends (CRLF), or a shell that the image lacks
    crlfsh (Failed) command-not-found: exited with 127 after less than a second: /crlf.sh cannot be run: it does not exist, or is a script with Windows line ends (CRLF)
    dirfile (Failed) mount-kind: exited with 1 after less than a second: /etc/hostname.conf is a folder, not a file: /srv/app/conf-missing.yml did not exist on the host, so docker made an empty folder of that name
    dirfile2 (NotStarted) mount-kind: could not be started: a mount puts a folder over a file, or a file over a folder: one side is a file, the other a folder
    eaddr (Failed) port-in-use-inside: exited with 1 after less than a second: two of its own programs want the same port: inside the container it is taken already
    exit125 (Failed) application-failed: exited with 125 after less than a second: its own program ended with 125 (docker's own failures look different: they leave it unstarted)
    filedir (NotStarted) mount-kind: could not be started: a mount puts a folder over a file, or a file over a folder: /srv/app/afile and /etc are not of the same kind
    full (Failed) disk-full: exited with 1 after less than a second: there is no space left where it writes
    kill9 (Failed) killed: exited with 137 after less than a second: it was killed with SIGKILL; docker remembers no stop or kill for it, and no lack of memory within its limit
    loop (Looping) application-failed: keeps restarting (7 times so far, last exit code 1): its own program ended with exit code 1
    mnt2 (NotStarted) mount-source-missing: was not started: what it mounts does not exist on the host: /srv/app/goner
    nc (Failed) name-unknown: exited with 1 after less than a second: it looks for "db", and no container or service here is called so
    nocmd (NotStarted) command-not-found: could not be started: its command does not exist in the image
    noexec (NotStarted) not-executable: could not be started: its command may not be executed
    nofile (NotStarted) command-not-found: could not be started: its command does not exist in the image
    nofileno (NotStarted) limits: could not be started: a limit of its processes or files is too low to start it
    nointerp (Failed) script-line-ends: exited with 1 after less than a second: its script is there, but the interpreter in the script's first line is not: Windows line ends (CRLF), or a shell that the image lacks
    noshebang (Failed) exec-format: exited with 1 after less than a second: its program is made for another processor, or is a script without a `#!` line
    notexec (NotStarted) not-executable: could not be started: its command may not be executed
    ns (Failed) name-unknown: exited with 1 after less than a second: it looks for "db", and no container or service here is called so
    oom (Failed) out-of-memory: exited with 137 after less than a second: the kernel killed it because it used up its memory limit of 16 MiB
    pause (Paused) paused: paused: it was paused: its processes stand still and answer nothing
    perm (Failed) permission: exited with 1 after less than a second: user 1000 may not do what it tries
    port2 (NotStarted) port-taken: could not be started: port 18431 of the host is held by container port1 (project shop)
    porthost (NotStarted) port-taken: could not be started: port 18432 of the host is held by a program outside of docker
    probemissing (Unhealthy) probe-missing: running, but unhealthy: its health check cannot run: the image has no curl
    probemissing2 (Stopped) not-started: created and never started: nobody has started it
    probetimeout (Unhealthy) probe-timeout: running, but unhealthy: its health check takes longer than it may: the service answers too slowly, or not at all
    refused (Failed) refused-by-itself: exited with 1 after less than a second: it connects to localhost port 5432, which inside a container is the container itself, and nothing listens there
    ro (Failed) read-only: exited with 1 after less than a second: it writes to its own file system, which is read-only (read_only: true)
    seg (Done): ended with exit code 0 after less than a second
    stop (Stopped) stopped: stopped, exit code 143 after docker stop: it was ended from outside, which is no failure
    stop137 (Stopped) stopped: stopped, exit code 137 after docker stop: it was ended from outside, which is no failure
    unhealthy (Unhealthy) unhealthy: running, but unhealthy: its health check reaches nobody: nothing listens there, not yet or on another port or address
    user (NotStarted) user-unknown: could not be started: the user that it shall run as does not exist in the image
    volperm (Failed) volume-permission: exited with 1: user 1000 may not use volume vol at /d: it belongs to another user
    "#);
}

/// A container that exited with 1 after it said this, on the network `back`.
fn said(log: &str) -> Subject {
    let container = serde_json::from_value(json!({
        "Id": "a1", "Name": "/api",
        "State": {"Status": "exited", "ExitCode": 1, "StartedAt": "2026-11-24T12:00:00Z", "FinishedAt": "2026-11-24T12:00:03Z"},
        "Config": {"Image": "api:1", "WorkingDir": "/app", "Env": ["PATH=/bin", "EMPTY="],
            "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "api"}},
        "Mounts": [{"Type": "bind", "Source": "/home/me/shop", "Destination": "/app", "RW": true}],
        "NetworkSettings": {"Networks": {"back": {}}},
    }));
    Subject { container: container.unwrap(), log: Line::all(log), ..Subject::default() }
}

#[test]
fn what_programs_say_is_understood() {
    let facts = Facts { now: now(), ..Facts::default() };
    let logs = [
        "Error: listen EADDRINUSE: address already in use :::3000",
        "write /data/x: no space left on device",
        "accept4: too many open files",
        "listen tcp :80: bind: permission denied",
        "KeyError: 'DATABASE_URL'",
        "sh: EMPTY: parameter not set",
        "You need to specify one of the following as an environment variable:\n- MYSQL_ROOT_PASSWORD",
        "FATAL:  password authentication failed for user \"app\"",
        "Error: Cannot find module 'express'",
        "FATAL:  database files are incompatible with server",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "x509: certificate signed by unknown authority",
        "context deadline exceeded: dial tcp 10.1.2.3:443: i/o timeout",
        "nginx: [emerg] unknown directive \"prox_pass\"",
        "standard_init_linux.go:228: exec user process caused: exec format error",
        "/bin/sh^M: bad interpreter: No such file or directory",
        "dial tcp: lookup api.example.com: no such host",
        "panic: runtime error: index out of range [3]\n\ngoroutine 1 [running]:",
        "all is fine",
    ];
    let lines = logs.map(|log| {
        let subject = said(log);
        let standing = standing(&facts, &subject);
        let cause = cause(&View { facts: &facts, subject: &subject, standing: &standing }).unwrap();
        format!("{}: {} [{}]", cause.id, cause.why, cause.fix)
    });
    assert_snapshot!(lines.join("\n"), @r"
    port-in-use-inside: two of its own programs want the same port: inside the container it is taken already [start the program only once, or give one of them another port (with host networking, look at the host's programs too)]
    disk-full: there is no space left where it writes [free space on docker's disk (unused images, containers, build cache), or enlarge the tmpfs or quota it writes to]
    limits: it may open no more files [raise ulimits: nofile; if it grows for ever, the program does not close them]
    privileged-port: its user may not listen on a port below 1024 [listen on a higher port (and publish it as the low one), or run as another user]
    variable-missing: it needs the environment variable DATABASE_URL: the container does not have it [set DATABASE_URL (environment of the service, or the .env file beside the compose file)]
    variable-missing: it needs the environment variable EMPTY: it is set, but empty [set EMPTY (environment of the service, or the .env file beside the compose file)]
    variable-missing: it needs the environment variable MYSQL_ROOT_PASSWORD: the container does not have it [set MYSQL_ROOT_PASSWORD (environment of the service, or the .env file beside the compose file)]
    authentication: the service that it logs in to refuses its name or password [compare the two sides' credentials; a database keeps the password of its first start in its volume, whatever the environment says later]
    module-missing: a module or library that it needs is not there [/home/me/shop of the host is mounted over /app and hides what the image has there (node_modules, vendor): mount a volume over that folder, or install on the host]
    data-version: its data was written by another version of the program [use the image version that wrote the volume, or dump there and load here; keep the volume until then]
    memory-inside: it ran out of the memory that it may use [raise its memory limit or the program's own (heap size), or make it need less]
    certificate: it does not trust a certificate [add the CA certificates to the image (ca-certificates), or correct the name or date of the certificate]
    timeout: a service that it needs does not answer in time [see whether that service is well and on a network with this one]
    configuration: it does not accept its configuration [correct the place that the line names]
    exec-format: its program is made for another processor, or is a script without a `#!` line [build the program for this platform, or give the script a first line `#!/bin/sh`]
    script-line-ends: its script has Windows line ends (CRLF), so the interpreter in its first line is not found [save the script with LF line ends (.gitattributes: *.sh text eol=lf) and build again]
    name-resolution: it cannot resolve api.example.com: no DNS server that it reaches knows it [check the name, and whether docker's machine is on line and its DNS works (an internal network has no way out)]
    application-failed: its own program failed: panic: runtime error: index out of range [3] [the program's own words tell more]
    application-failed: its own program ended with exit code 1 [see its last lines]
    ");
}

#[test]
fn others_are_found_by_name_and_network() {
    let of = |name: &str, more: Value| {
        let mut row = json!({
            "Names": format!("shop-{name}-1"), "Project": "shop", "Service": name, "Networks": "back",
        });
        for (key, value) in more.as_object().unwrap() {
            row[key] = value.clone();
        }
        row
    };
    let rows = rows(&[
        of("db", json!({"State": "exited", "Status": "Exited (1) 2 minutes ago"})),
        of("cache", json!({"Networks": "front"})),
        of("queue", json!({"Status": "Up 3 seconds (health: starting)"})),
        of("search", json!({"Ports": "9200/tcp"})),
        json!({"Names": "alone", "Networks": "bridge"}),
    ]);
    let facts = Facts { now: now(), rows, ..Facts::default() };
    let logs = [
        "Error: getaddrinfo ENOTFOUND db",
        "Error: getaddrinfo ENOTFOUND cache",
        "redis: bad address 'alone:6379'",
        "could not resolve host: search",
        "could not resolve host: serach",
        "dial tcp: connect to queue:5672: connection refused",
        "Connecting to search:9300 (172.18.0.4:9300)\nwget: can't connect to remote host (172.18.0.4): Connection refused",
        "connect ECONNREFUSED 127.0.0.1:9200",
    ];
    let lines = logs.map(|log| {
        let subject = said(log);
        let standing = standing(&facts, &subject);
        let cause = cause(&View { facts: &facts, subject: &subject, standing: &standing }).unwrap();
        format!("{}: {} [{}] {}", cause.id, cause.why, cause.fix, cause.next.join(" | "))
    });
    assert_snapshot!(lines.join("\n"), @r#"
    dependency-down: it cannot find db, because shop-db-1 does not run (Exited (1) 2 minutes ago) [bring shop-db-1 up; docker knows the names of running containers only] diagnose {"container_name":"shop-db-1"} | start-container {"container_name":"shop-db-1"}
    other-network: it cannot find cache: shop-cache-1 is on another network [connect it to front (in compose: list that network in both services)] connect-network {"name":"front","container_name":"api"} | restart-container {"container_name":"api"}
    default-network: it cannot find alone: the default network, on which alone is, resolves no names [put both on a network of their own] create-network {"name":"app"} | connect-network {"name":"app","container_name":"alone"} | connect-network {"name":"app","container_name":"api"}
    dependency-late: it could not find search when it asked; shop-search-1 runs now and is on its network [start it again; let it wait for the other (depends_on with condition service_healthy)] restart-container {"container_name":"api"}
    name-unknown: it looks for "serach", and no container or service is called so; there is "search" [use the name search] compose-ps {"project_name":"shop"}
    dependency-not-ready: it cannot reach queue on port 5672: shop-queue-1 runs, but is not ready (Up 3 seconds (health: starting)) [wait for it (depends_on with condition service_healthy), or see why it does not get healthy] diagnose {"container_name":"shop-queue-1"}
    dependency-refuses: its log says the connection to search:9300 was refused; shop-search-1 runs (Up 5 minutes) [check the port (the one inside the container, not the published one), that the service listens on 0.0.0.0 and not on 127.0.0.1, and that it had come up in time] get-logs {"container_name":"shop-search-1","tail":50} | restart-container {"container_name":"api"}
    refused-by-itself: it connects to localhost port 9200, which inside a container is the container itself, and nothing listens there [use search:9200] get-logs {"container_name":"api","tail":50}
    "#);
}

#[test]
fn what_a_program_complained_of_before_it_came_up_is_past() {
    let facts = Facts { now: now(), ..Facts::default() };
    let running = |log: &str, restarts: u64, started: &str| {
        let mut subject = said(log);
        let container = &mut subject.container;
        container.restart_count = restarts;
        container.state.status = "running".to_owned();
        container.state.running = true;
        container.state.started_at = started.to_owned();
        let standing = standing(&facts, &subject);
        let view = View { facts: &facts, subject: &subject, standing: &standing };
        let found = cause(&view).or(warnings(&view).into_iter().next());
        format!("{:?} {}", standing.kind, found.map_or("-", |cause| cause.id))
    };
    let refused = "FATAL: password authentication failed for user \"app\"";
    let came_up = format!("{refused}\nlistening on :8000");
    let long_ago = "2026-11-24T11:00:00Z";
    assert_eq!(running(refused, 0, long_ago), "Running authentication");
    assert_eq!(running(&came_up, 0, long_ago), "Running -");
    let ago = |seconds: i64| {
        now().checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap().to_string()
    };
    // Between two restarts; up for longer than docker itself waits; up.
    assert_eq!(running(refused, 4, &ago(1)), "Looping authentication");
    assert_eq!(running(&came_up, 4, &ago(20)), "Starting -");
    assert_eq!(running(&came_up, 4, &ago(70)), "Running -");
}

#[test]
fn a_loop_whose_exit_code_is_forgotten_is_still_a_failure_of_its_program() {
    let container = serde_json::from_value(json!({
        "Id": "web", "Name": "/web", "RestartCount": 9,
        "State": {"Status": "running", "Running": true, "StartedAt": "2026-11-24T12:03:18Z"},
        "HostConfig": {"RestartPolicy": {"Name": "always"}},
    }));
    for log in ["", "no config found\n"] {
        let subject = Subject {
            container: container.as_ref().map(Container::clone).unwrap(),
            log: Line::all(log),
            ..Subject::default()
        };
        let facts = Facts { now: now(), ..Facts::default() };
        assert!(
            in_a_line(&facts, &subject).starts_with("web (Looping) application-failed: "),
            "{log}"
        );
    }
}

#[test]
fn a_suggested_limit_fits_what_the_log_speaks_of() {
    let suggested = |log: &str| {
        let container = serde_json::from_value(json!({
            "Id": "web", "Name": "/web", "HostConfig": {"Memory": 64 << 20},
            "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true},
        }));
        let subject = Subject {
            container: container.unwrap(),
            log: Line::all(log),
            out_of_memory: true,
            ..Subject::default()
        };
        let facts = Facts { now: now(), ..Facts::default() };
        let standing = standing(&facts, &subject);
        cause(&View { facts: &facts, subject: &subject, standing: &standing }).unwrap().to.unwrap()
    };
    assert_eq!(suggested("loading\n"), "128m");
    assert_eq!(suggested("loading a corpus of 180 MB\n"), "240m");
    assert_eq!(suggested("using 48 MiB of 512 GB\n"), "128m");
    assert_eq!(suggested("java -Xmx1g\n"), "1280m");
}

#[test]
fn a_taken_port_is_no_reason_to_stop_what_is_somebody_elses() {
    let subject = |project: &str| {
        let mut document = json!({
            "Id": "a", "Name": "/web",
            "State": {"Status": "created", "ExitCode": 128, "Error": "Bind for 127.0.0.1:18431 failed: port is already allocated"},
            "Config": {"Labels": {"com.docker.compose.project": project}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18431"}]}},
        });
        if project.is_empty() {
            document["Config"] = json!({});
        }
        Subject { container: serde_json::from_value(document).unwrap(), ..Subject::default() }
    };
    let rows =
        rows(&[json!({"Names": "api", "Ports": "127.0.0.1:18431->80/tcp", "Project": "shop"})]);
    let facts =
        Facts { now: now(), rows, free_ports: vec![(18431, Some(18432))], ..Facts::default() };
    let told = |project: &str| {
        let subject = subject(project);
        let standing = standing(&facts, &subject);
        let cause = cause(&View { facts: &facts, subject: &subject, standing: &standing }).unwrap();
        format!("{} | {}", cause.fix, cause.next.join(" | "))
    };
    assert_snapshot!(told(""), @r#"choose another host port, for example 18432, which is free now; 18431 is held by container api (project shop), which is not this call's to stop | recreate-container {"container_name":"web","ports":{"80/tcp":"127.0.0.1:18432"}} | start-container {"container_name":"web"}"#);
    assert_snapshot!(told("blog"), @r#"choose another host port, for example 18432, which is free now; 18431 is held by container api (project shop), which is not this call's to stop | compose-ps {"project_name":"blog"} | start-container {"container_name":"web"}"#);
    assert_snapshot!(told("shop"), @r#"choose another host port, for example 18432, which is free now; or stop container api of the same project, which holds 18431 | compose-ps {"project_name":"shop"} | stop-container {"container_name":"api"} | start-container {"container_name":"web"}"#);
}
