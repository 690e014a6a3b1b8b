//! Looking: all that the rules need, in as few and as parallel questions as possible.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;

use super::facts::{Facts, Line, NAMELESS, Subject};
use super::judge::missing;
use super::rules::wanted_port;
use super::{Scope, ends, standing};
use crate::command::containers::{Container, InspectContainers, ListContainers, Mount, Row};
use crate::command::images::{InspectImages, ListImages};
use crate::command::labels;
use crate::command::logs::Logs;
use crate::command::networks::{InspectNetworks, ListNetworks, Network};
use crate::command::text::tail;
use crate::command::time;
use crate::command::values::{ProjectName, TimePoint};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::tools::batches::in_batches;
use crate::tools::compose::origin::Origin;
use crate::tools::compose::outlook::{Outlook, no_such_project, outlook, service};
use crate::tools::{Context, joined, mounts, ports};

/// Lines of a log that are read.
const LOG_LINES: u32 = 60;
const LOG_BYTES: usize = 16 << 10;
/// Logs that are read, all at once; each is a process.
const LOGS: usize = 10;
/// Containers around the one that was asked for, and troubled ones of a host.
const NEIGHBOURS: usize = 30;
const TROUBLED: usize = 60;
/// # Errors
/// DKR-002 and DKR-008 for what does not exist, and whatever kept docker from answering.
pub(super) async fn gather(context: &Context, scope: &Scope) -> Result<Facts, Error> {
    let docker = &context.docker;
    let now = Timestamp::now();
    let everything = ListContainers::everything();
    let images = ListImages::default();
    let (rows, images, asked) =
        tokio::join!(docker.run(&everything), docker.run(&images), asked(docker, scope));
    let rows = rows?;
    let asked = match asked {
        Err(error) if error.code == Code::ContainerNotFound => {
            by_service(docker, scope, &rows, error).await?
        }
        asked => asked?,
    };
    let ids = chosen(scope, &rows, asked.as_ref());
    let mut containers: Vec<Container> = asked.into_iter().collect();
    containers.extend(in_batches(docker, &ids, InspectContainers::listed).await?);

    let owners = joined::owners(docker, &containers).await;

    let mut facts = Facts { now, rows, images: images.unwrap_or_default(), ..Facts::default() };
    facts.subjects = containers
        .into_iter()
        .map(|container| Subject {
            out_of_memory: container.state.oom_killed,
            lost_network: owners.as_ref().ok().and_then(|owners| joined::lost(&container, owners)),
            listening: ports::listening_in(container.state.pid, &container.id),
            container,
            ..Subject::default()
        })
        .collect();
    look_at_the_host(docker, &mut facts).await;

    let of_asked = || facts.subjects.first()?.project()?.parse::<ProjectName>().ok();
    let around = match scope {
        Scope::Project(project) => Some(project.clone()),
        // Why one fails is told by itself; whether one that runs is the one that it should be, by
        // its files.
        Scope::Container(_) if asked_is_bad(&facts) => None,
        Scope::Container(_) => match of_asked() {
            Some(project) if may_differ(context, &project, &facts).await => Some(project),
            _ => None,
        },
        Scope::Host => None,
    };
    let project = match scope {
        Scope::Project(project) => Some(project),
        Scope::Container(_) | Scope::Host => None,
    };
    let read = to_read(&facts, scope);
    let (printed, events, outlook) = tokio::join!(
        logs(docker, &facts, &read),
        ends::ends(docker, &facts),
        files(context, around.as_ref(), &facts),
    );
    for (at, lines) in printed {
        if let Some(subject) = facts.subjects.get_mut(at) {
            subject.log = lines;
        }
    }
    ends::tell(&mut facts, &events);
    facts.outlook = outlook;
    look_at_mounts(context, &mut facts, scope).await;
    look_at_wishes(docker, &mut facts, scope).await;
    if let (Some(project), true, None) = (project, facts.subjects.is_empty(), &facts.outlook) {
        return Err(no_such_project(docker, project).await);
    }
    processors(docker, &mut facts).await;
    Ok(facts)
}

/// What is not as it was when the containers of the one that was asked for, or of the project, were
/// made or started.
async fn look_at_mounts(context: &Context, facts: &mut Facts, scope: &Scope) {
    let most = match scope {
        Scope::Container(_) if asked_is_bad(facts) => 0,
        Scope::Container(_) => 1,
        Scope::Project(_) => usize::MAX,
        Scope::Host => 0,
    };
    let asked = facts.subjects.iter().take(most).map(|subject| subject.container.clone());
    let asked: Vec<Container> = asked.collect();
    let contexts = facts.outlook.as_ref().map(|outlook| &outlook.build_contexts);
    let folder = |container: &Container| contexts?.get(service(container)).cloned();
    let (mut changed, mut covered) = tokio::join!(
        mounts::changed(&context.docker, &context.workspace, &asked),
        mounts::covered(context, &asked, folder),
    );
    for subject in &mut facts.subjects {
        subject.changed_files = changed.remove(&subject.container.id).unwrap_or_default();
        subject.covering_volumes = covered.remove(&subject.container.id).unwrap_or_default();
    }
}

/// What a service that has no container would find taken.
async fn look_at_wishes(docker: &Docker, facts: &mut Facts, scope: &Scope) {
    let (Scope::Project(_), Some(outlook)) = (scope, &facts.outlook) else { return };
    if missing(facts, scope).is_empty() {
        return;
    }
    let is_taken = |port: &u16| {
        ports::holder(&facts.rows, *port, "tcp").is_some()
            || !ports::programs(docker, *port).is_empty()
    };
    let taken: Vec<u16> = outlook.ports.iter().map(|(_, port)| *port).filter(is_taken).collect();
    let free = |port: &u16| (*port, ports::free_after(docker, &facts.rows, *port));
    let programs = |port: &u16| (*port, ports::programs(docker, *port));
    let (free_ports, programs): (Vec<_>, Vec<_>) =
        (taken.iter().map(free).collect(), taken.iter().map(programs).collect());
    let has_subnets = !outlook.subnets.is_empty();
    facts.free_ports.extend(free_ports);
    facts.programs.extend(programs);
    if !has_subnets {
        return;
    }
    let Ok(rows) = docker.run(&ListNetworks::default()).await else { return };
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    let networks = in_batches(docker, &ids, InspectNetworks::listed).await.unwrap_or_default();
    let of = |network: &Network| {
        let pools = network.ipam.config.iter();
        pools.map(|pool| (network.name.clone(), pool.subnet.clone())).collect::<Vec<_>>()
    };
    facts.subnets = networks.iter().flat_map(of).collect();
}

/// Whether the container that was asked for can be another one than its files describe: when none of
/// them was written since it was made, compose need not be asked.
async fn may_differ(context: &Context, project: &ProjectName, facts: &Facts) -> bool {
    let Some(asked) = facts.subjects.first().filter(|it| it.container.state.running) else {
        return true;
    };
    let is_of_it = |it: &&Subject| it.project() == Some(project.as_str());
    let containers: Vec<Container> =
        facts.subjects.iter().filter(is_of_it).map(|it| it.container.clone()).collect();
    let Some(origin) = Origin::of(context, project, &containers).await else { return true };
    let made = time::parse(&asked.container.created).map(SystemTime::from);
    let is_built = asked.service().is_some_and(|it| origin.build_context(it).is_some());
    is_built || made.is_none_or(|made| origin.has_changed_since(made))
}

/// Whether the container that was asked for, the first, fails.
fn asked_is_bad(facts: &Facts) -> bool {
    facts.subjects.first().is_some_and(|it| standing::standing(facts, it).kind.is_bad())
}

async fn asked(docker: &Docker, scope: &Scope) -> Result<Option<Container>, Error> {
    match scope {
        Scope::Container(name) => {
            Ok(docker.run(&InspectContainers::one(name.as_str())).await?.pop())
        }
        Scope::Project(_) | Scope::Host => Ok(None),
    }
}

/// People name the service when they mean its only container.
async fn by_service(
    docker: &Docker,
    scope: &Scope,
    rows: &[Row],
    error: Error,
) -> Result<Option<Container>, Error> {
    let Scope::Container(name) = scope else { return Err(error) };
    let name = name.as_str();
    let matching: Vec<&Row> =
        rows.iter().filter(|row| row.service.as_deref() == Some(name)).collect();
    match matching.as_slice() {
        [row] => Ok(docker.run(&InspectContainers::listed([row.id.clone()])).await?.pop()),
        [] if rows.iter().any(|row| row.project.as_deref() == Some(name)) => {
            Err(error.hint(format!("{name} is a compose project: diagnose it as project_name")))
        }
        [] => Err(error),
        several => {
            let names: Vec<&str> = several.iter().map(|row| row.name.as_str()).collect();
            Err(error.hint(format!("service {name} has the containers {}", names.join(", "))))
        }
    }
}

/// The IDs of the containers that are looked at beside the one that was asked for.
fn chosen(scope: &Scope, rows: &[Row], asked: Option<&Container>) -> Vec<String> {
    let ids = |rows: Vec<&Row>, most: usize| {
        rows.into_iter().take(most).map(|row| row.id.clone()).collect()
    };
    match scope {
        Scope::Project(project) => {
            let own = |row: &&Row| row.project.as_deref() == Some(project.as_str());
            ids(rows.iter().filter(own).collect(), usize::MAX)
        }
        Scope::Container(_) => {
            let Some(asked) = asked else { return vec![] };
            let project = asked.label(labels::PROJECT);
            let networks = &asked.network_settings.networks;
            let shares = |row: &Row| {
                row.networks.iter().any(|network| {
                    !NAMELESS.contains(&network.as_str()) && networks.contains_key(network)
                })
            };
            let near = |row: &&Row| {
                row.id != asked.id
                    && (project.is_some() && row.project.as_deref() == project
                        || joined::owner_of(asked) == Some(row.id.as_str())
                        || shares(row))
            };
            ids(rows.iter().filter(near).collect(), NEIGHBOURS)
        }
        Scope::Host => {
            let of = |weight: u8| rows.iter().filter(move |row| trouble(row) == Some(weight));
            ids((0..=4).flat_map(of).collect(), TROUBLED)
        }
    }
}

/// Whether a container of the host may be troubled, and how urgent that is (0 first).
fn trouble(row: &Row) -> Option<u8> {
    let young = row.status.contains("second") || row.status.contains("Less than");
    match (row.state.as_str(), row.health.as_deref(), row.exit_code) {
        ("restarting" | "dead", ..) | ("running", Some("unhealthy"), _) => Some(0),
        // Perhaps between two restarts.
        ("running", ..) if young => Some(1),
        ("running", Some("starting"), _) | ("paused", ..) => Some(1),
        ("exited", _, code) if code != Some(0) => Some(2),
        ("created", ..) => Some(3),
        // It may fail all the same.
        ("running", ..) => Some(4),
        _ => None,
    }
}

/// What containers mount of this machine. Only of an engine of this machine.
async fn look_at_the_host(docker: &Docker, facts: &mut Facts) {
    let mut suspicious = false;
    for subject in &mut facts.subjects {
        let binds = subject.container.mounts.iter().filter(|mount| mount.kind == "bind");
        for mount in binds {
            let source = Path::new(&mount.source);
            if !source.exists() {
                subject.missing_sources.push(mount.source.clone());
            } else if is_empty_folder_named_like_a_file(source, mount) {
                subject.empty_folders.push((mount.source.clone(), mount.destination.clone()));
            }
        }
        suspicious |= !(subject.missing_sources.is_empty() && subject.empty_folders.is_empty());
    }
    if suspicious && !mounts::is_local(docker).await {
        for subject in &mut facts.subjects {
            subject.missing_sources.clear();
            subject.empty_folders.clear();
        }
    }
    let wanted = || facts.subjects.iter().filter_map(Subject::start_error).filter_map(wanted_port);
    let free = |port: &u16| {
        let held = |protocol| ports::holder(&facts.rows, *port, protocol).is_some();
        !held("tcp") && !held("udp")
    };
    // Seldom, and a few milliseconds: not worth a thread.
    let programs =
        wanted().filter(free).map(|port| (port, ports::programs(docker, port))).collect();
    let free_ports =
        wanted().map(|port| (port, ports::free_after(docker, &facts.rows, port))).collect();
    (facts.programs, facts.free_ports) = (programs, free_ports);
}

fn is_empty_folder_named_like_a_file(source: &Path, mount: &Mount) -> bool {
    let like_a_file = |path: &Path| path.extension().is_some();
    (like_a_file(source) || like_a_file(Path::new(&mount.destination)))
        && std::fs::read_dir(source).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whose logs are worth a process: the one that was asked for, then the troubled, then those that
/// run without a health check.
fn to_read(facts: &Facts, scope: &Scope) -> Vec<usize> {
    let asked = matches!(scope, Scope::Container(_));
    let weight = |at: usize, subject: &Subject| {
        let kind = standing::standing(facts, subject).kind;
        let never = subject.started().is_none();
        match kind {
            _ if never => None,
            _ if asked && at == 0 => Some(0),
            kind if kind.is_bad() => Some(1),
            standing::Kind::Starting => Some(2),
            standing::Kind::Running if !asked => Some(3),
            _ => None,
        }
    };
    let subjects = || facts.subjects.iter().enumerate();
    let of = |wanted: u8| subjects().filter(move |(at, it)| weight(*at, it) == Some(wanted));
    let most = if asked { LOGS / 2 } else { LOGS };
    (0..=3).flat_map(of).map(|(at, _)| at).take(most).collect()
}

async fn logs(docker: &Docker, facts: &Facts, read: &[usize]) -> Vec<(usize, Vec<Line>)> {
    let one = |at: usize| log(docker, facts, read.get(at).copied());
    let (first, second) =
        tokio::join!(async { tokio::join!(one(0), one(1), one(2), one(3), one(4)) }, async {
            tokio::join!(one(5), one(6), one(7), one(8), one(9))
        },);
    let logs = [<[_; LOGS / 2]>::from(first), <[_; LOGS / 2]>::from(second)].concat();
    logs.into_iter().flatten().collect()
}

async fn log(docker: &Docker, facts: &Facts, at: Option<usize>) -> Option<(usize, Vec<Line>)> {
    let subject = facts.subjects.get(at?)?;
    // What was said before the last start is past, unless it starts again and again.
    let loops = standing::standing(facts, subject).kind == standing::Kind::Looping;
    let since = subject.container.last_run_begins().filter(|_| !loops);
    let wish = Logs {
        since: since.map(TimePoint::At),
        ..Logs::last(subject.container.id.clone(), LOG_LINES)
    };
    let printed = docker.run(&wish).await.ok()?;
    Some((at?, Line::all(tail(&printed.text, LOG_BYTES))))
}

async fn files(context: &Context, project: Option<&ProjectName>, facts: &Facts) -> Option<Outlook> {
    let project = project?;
    let is_of_it = |it: &&Subject| it.project() == Some(project.as_str());
    let containers: Vec<Container> =
        facts.subjects.iter().filter(is_of_it).map(|it| it.container.clone()).collect();
    outlook(context, project, &containers).await
}

/// Only asked for when somebody complains of a wrong processor.
async fn processors(docker: &Docker, facts: &mut Facts) {
    let complains = |subject: &Subject| {
        let words = ["exec format error"];
        subject.start_error().is_some_and(|error| error.contains(words[0]))
            || subject.log.iter().any(|line| line.has(&words))
    };
    let images: Vec<String> = facts
        .subjects
        .iter()
        .filter(|subject| complains(subject))
        .map(|subject| subject.container.image.clone())
        .collect();
    if images.is_empty() {
        return;
    }
    let query = InspectImages::listed(images);
    let (images, versions) = tokio::join!(docker.run(&query), docker.versions());
    let images = images.unwrap_or_default();
    for subject in &mut facts.subjects {
        let image = images.iter().find(|image| image.id == subject.container.image);
        subject.architecture = image.map(|image| image.architecture.clone());
    }
    facts.architecture =
        versions.ok().and_then(|versions| Some(versions.server.as_ref()?.arch.clone()));
}
