//! What a docker command that somebody types would do to what is there: the judgement of the tools,
//! for command lines that are not made by them.
//!
//! An error with the code [`Code::RefusedByPolicy`] is a rule of the operator that the command
//! breaks. What docker itself would refuse does nothing, and is no loss.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::compose::project;
use super::confirm::{Asks, Doomed};
use super::container::going_volumes;
use super::protect::{
    judge_again, judge_changes, judge_protection, judge_removal, judge_start, judge_target,
};
use super::{Context, Foreseen, losses};
use crate::command::containers::{Container, InspectContainers, ListContainers};
use crate::command::documents::Documents;
use crate::command::images::{InspectImages, ListImages, merged};
use crate::command::labels;
use crate::command::text::short_id;
use crate::command::values::ProjectName;
use crate::command::volumes::{InspectVolumes, ListVolumes};
use crate::error::{Code, Error};
use crate::policy::Disk;
use crate::tools::batches::in_batches;

/// What a command does to objects of docker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// `rm`: without force only of those that do not run.
    RemoveContainers {
        names: Vec<String>,
        force: bool,
        volumes: bool,
    },
    /// `stop`, and `kill` with a signal that ends it.
    EndContainers {
        names: Vec<String>,
    },
    /// `start`, `restart`.
    StartContainers {
        names: Vec<String>,
    },
    /// `pause`, `rename`, `update` and what else leaves all as it is.
    ChangeContainers {
        names: Vec<String>,
    },
    /// Docker refuses as long as a container uses it, which something else may remove first.
    RemoveVolumes {
        names: Vec<String>,
        users_may_go: bool,
    },
    RemoveImages {
        names: Vec<String>,
        force: bool,
    },
    RemoveNetworks {
        names: Vec<String>,
    },
    Prune(Pruned),
    /// `exec`, `cp`: a program is started in a container, or files copied into or out of it.
    Enter {
        container: String,
        erases: Vec<String>,
    },
    /// A new container with what is there already: volumes with their places in it, networks.
    Use {
        volumes: Vec<(String, String)>,
        networks: Vec<String>,
        erases: Vec<String>,
    },
    /// What a tool does with these arguments.
    Tool {
        name: &'static str,
        arguments: Map<String, Value>,
    },
    /// Containers of a compose project, of these services or of all.
    OfProject {
        project: String,
        services: Vec<String>,
        deed: OfProject,
    },
}

/// What is done to containers of a compose project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfProject {
    Remove { force: bool, volumes: bool },
    End,
    Start,
    Change,
    Enter { erases: Vec<String> },
}

/// The kinds of objects that `prune` removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub containers: bool,
    pub networks: bool,
    pub images: Option<Extent>,
    pub volumes: Option<Extent>,
    /// `label=…` filters; those of time are not looked at, so that it is at most what is told.
    pub labels: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those without a name.
    Nameless,
    All,
}

/// Finds out what it would do.
///
/// # Errors
/// DKR-014 for what the operator does not allow; whatever docker says of a look at it.
pub async fn foresee(context: &Context, deed: &Deed) -> Result<Foreseen, Error> {
    match deed {
        Deed::RemoveContainers { names, force, volumes } => {
            let found = found(context, names).await?;
            remove_containers(context, &found, *force, *volumes).await
        }
        Deed::EndContainers { names } => end(context, &found(context, names).await?).await,
        Deed::StartContainers { names } => start(context, &found(context, names).await?).await,
        Deed::ChangeContainers { names } => {
            if is_about_owners(context) {
                judge_changes(&context.docker, &found(context, names).await?)?;
            }
            Ok(Foreseen::default())
        }
        Deed::RemoveVolumes { names, users_may_go } => {
            remove_volumes(context, names, *users_may_go).await
        }
        Deed::RemoveImages { names, force } => {
            let arguments = |name: &String| json!({"image": name, "force": force});
            each(context, "remove-image", names.iter().map(arguments)).await
        }
        Deed::RemoveNetworks { names } => {
            each(context, "remove-network", names.iter().map(|name| json!({"name": name}))).await
        }
        Deed::Prune(pruned) => prune(context, pruned).await,
        Deed::Enter { container, erases } => enter(context, container, erases).await,
        Deed::Use { volumes, networks, erases } => use_of(context, volumes, networks, erases).await,
        Deed::Tool { name, arguments } => by_tool(context, name, arguments.clone()).await,
        Deed::OfProject { project, services, deed } => {
            of_project(context, project, services, deed).await
        }
    }
}

/// Whether it matters who has made what is changed.
fn is_about_owners(context: &Context) -> bool {
    context.docker.policy().only_ours || context.confirmations.asks_about_others()
}

/// Those of the containers that exist.
async fn found(context: &Context, names: &[String]) -> Result<Vec<Container>, Error> {
    match names {
        [] => Ok(vec![]),
        names => in_batches(&context.docker, names, InspectContainers::listed).await,
    }
}

fn is_alive(container: &Container) -> bool {
    matches!(container.state.status.as_str(), "running" | "paused" | "restarting")
}

async fn remove_containers(
    context: &Context,
    found: &[Container],
    force: bool,
    volumes: bool,
) -> Result<Foreseen, Error> {
    let going: Vec<&Container> = found.iter().filter(|it| force || !is_alive(it)).collect();
    for container in &going {
        let labels = &container.config.labels;
        judge_removal(&context.docker, "container", container.name(), labels)?;
    }
    lost_with(context, &going, volumes).await
}

/// Containers that go, and their nameless volumes. Those of one that removes itself always go.
async fn lost_with(
    context: &Context,
    going: &[&Container],
    volumes: bool,
) -> Result<Foreseen, Error> {
    if going.is_empty() {
        return Ok(Foreseen::default());
    }
    let with_volumes: Vec<&Container> =
        going.iter().filter(|it| volumes || it.host_config.auto_remove).copied().collect();
    let (mut doomed, volumes) = tokio::join!(
        losses::containers(context, going.iter().copied()),
        going_volumes(context, &with_volumes)
    );
    for volume in &volumes? {
        let uses = |it: &&&Container| it.mounts.iter().any(|mount| mount.name == volume.name);
        let users = with_volumes.iter().filter(uses);
        doomed.push(Doomed {
            used_by: users.map(|container| container.name().to_owned()).collect(),
            ..losses::volume(volume, None)
        });
    }
    Ok(Foreseen { losses: doomed, ..Foreseen::default() })
}

/// One that removes itself goes with all that it has.
async fn end(context: &Context, found: &[Container]) -> Result<Foreseen, Error> {
    judge_changes(&context.docker, found)?;
    let goes = |it: &&Container| it.host_config.auto_remove && is_alive(it);
    let going: Vec<&Container> = found.iter().filter(goes).collect();
    for container in &going {
        let labels = &container.config.labels;
        judge_protection(&context.docker, "container", container.name(), labels)?;
    }
    lost_with(context, &going, true).await
}

async fn start(context: &Context, found: &[Container]) -> Result<Foreseen, Error> {
    judge_changes(&context.docker, found)?;
    judge_start(&context.docker, found).await?;
    judge_again(&context.docker, found).await?;
    Ok(Foreseen::default())
}

async fn remove_volumes(
    context: &Context,
    names: &[String],
    users_may_go: bool,
) -> Result<Foreseen, Error> {
    let docker = &context.docker;
    let volumes = in_batches(docker, names, InspectVolumes::listed).await?;
    if volumes.is_empty() {
        return Ok(Foreseen::default());
    }
    for volume in &volumes {
        judge_removal(docker, "volume", &volume.name, &volume.labels)?;
    }
    let rows = docker.run(&ListContainers::everything()).await?;
    let mut doomed = losses::unused_volumes(docker, &volumes).await;
    for volume in &mut doomed {
        let users = rows.iter().filter(|row| row.mounts.contains(&volume.name));
        volume.used_by = users.map(|row| row.name.clone()).collect();
    }
    doomed.retain(|volume| users_may_go || volume.used_by.is_empty());
    Ok(Foreseen { losses: doomed, ..Foreseen::default() })
}

/// What one tool does with each of these arguments, side by side.
async fn each(
    context: &Context,
    tool: &'static str,
    arguments: impl Iterator<Item = Value>,
) -> Result<Foreseen, Error> {
    let one = async |arguments: Value| {
        let Value::Object(arguments) = arguments else { return Ok(Foreseen::default()) };
        match by_tool(context, tool, arguments).await {
            // Docker will say the same.
            Err(error) if !is_of_the_operator(&error) => Ok(Foreseen::default()),
            foreseen => foreseen,
        }
    };
    let mut all = Foreseen::default();
    for arguments in arguments {
        all.extend(one(arguments).await?);
    }
    Ok(all)
}

fn is_of_the_operator(error: &Error) -> bool {
    matches!(
        error.code,
        Code::RefusedByPolicy
            | Code::DaemonNotAccessible
            | Code::DockerMissing
            | Code::PermissionDenied
            | Code::Timeout
    )
}

async fn by_tool(
    context: &Context,
    tool: &str,
    arguments: Map<String, Value>,
) -> Result<Foreseen, Error> {
    let entry = super::all().into_iter().find(|entry| entry.spec.name == tool);
    let Some(entry) = entry else { return Ok(Foreseen::default()) };
    entry.foresee(arguments, context.clone()).await
}

async fn prune(context: &Context, pruned: &Pruned) -> Result<Foreseen, Error> {
    let docker = &context.docker;
    let rows = docker.run(&ListContainers::everything()).await?;
    let is_idle = |state: &str| matches!(state, "created" | "exited" | "dead");
    let mut all = Foreseen::default();
    let mut stay: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    if pruned.containers {
        let filters = pruned.labels.clone();
        let chosen = match filters[..] {
            [] => rows.clone(),
            _ => docker.run(&ListContainers { all: true, filters }).await?,
        };
        let ids: Vec<String> =
            chosen.into_iter().filter(|row| is_idle(&row.state)).map(|row| row.id).collect();
        stay.retain(|id| !ids.contains(id));
        let found = found(context, &ids).await?;
        all.extend(remove_containers(context, &found, true, false).await?);
        if !found.is_empty() {
            all.asks = Asks::Always;
        }
    }
    if let Some(extent) = pruned.images {
        all.extend(prune_images(context, extent, &pruned.labels, &stay).await?);
    }
    if let Some(extent) = pruned.volumes {
        let used: BTreeSet<&String> =
            rows.iter().filter(|row| stay.contains(&row.id)).flat_map(|row| &row.mounts).collect();
        all.extend(prune_volumes(context, extent, &pruned.labels, &used).await?);
    }
    Ok(all)
}

async fn prune_images(
    context: &Context,
    extent: Extent,
    labels: &[String],
    stay: &[String],
) -> Result<Foreseen, Error> {
    let docker = &context.docker;
    let listing = |nameless: bool| {
        let mut filters = labels.to_vec();
        filters.extend(nameless.then(|| "dangling=true".to_owned()));
        ListImages { filters }
    };
    let nameless = docker.run(&listing(true)).await?;
    let all = match extent {
        Extent::Nameless => vec![],
        Extent::All => docker.run(&listing(false)).await?,
    };
    let ids: Vec<String> =
        merged(all.into_iter().chain(nameless)).into_iter().map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(Foreseen::default());
    }
    let (users, images) = tokio::try_join!(
        in_batches(docker, stay, InspectContainers::listed),
        in_batches(docker, &ids, InspectImages::listed),
    )?;
    let used: BTreeSet<String> = users.into_iter().map(|container| container.image).collect();
    let mut doomed = vec![];
    for image in images.iter().filter(|image| !used.contains(&image.id)) {
        let names = [image.tags(), image.digests()].concat();
        let name = names.first().cloned().unwrap_or_else(|| short_id(&image.id).to_owned());
        for name in names.iter().chain([&name]) {
            judge_removal(docker, "image", name, &image.config.labels)?;
        }
        doomed.push(losses::image(image, name, false).of_size(None));
    }
    let asks = if doomed.is_empty() { Asks::ForData } else { Asks::Always };
    Ok(Foreseen { losses: doomed, asks, notes: vec![] })
}

async fn prune_volumes(
    context: &Context,
    extent: Extent,
    labels: &[String],
    used: &BTreeSet<&String>,
) -> Result<Foreseen, Error> {
    let docker = &context.docker;
    let mut names = docker.run(&ListVolumes { filters: labels.to_vec() }).await?;
    names.retain(|name| !used.contains(name));
    if names.is_empty() {
        return Ok(Foreseen::default());
    }
    // Before 23.0 docker took all that nothing used.
    let server = docker.versions().await?.server.as_ref();
    let is_old = server.is_some_and(|it| major(&it.version).is_some_and(|major| major < 23));
    let extent = if is_old { Extent::All } else { extent };
    let mut volumes = in_batches(docker, &names, InspectVolumes::listed).await?;
    volumes.retain(|volume| extent == Extent::All || volume.is_anonymous());
    for volume in &volumes {
        judge_removal(docker, "volume", &volume.name, &volume.labels)?;
    }
    if volumes.is_empty() {
        return Ok(Foreseen::default());
    }
    let doomed = losses::unused_volumes(docker, &volumes).await;
    Ok(Foreseen { losses: doomed, asks: Asks::Always, notes: vec![] })
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

async fn enter(context: &Context, container: &str, erases: &[String]) -> Result<Foreseen, Error> {
    let docker = &context.docker;
    if is_about_owners(context) || !erases.is_empty() {
        let found = found(context, &[container.to_owned()]).await?;
        judge_changes(docker, &found)?;
        if let Some(container) = found.first() {
            judge_target(docker, &container.id).await?;
            return Ok(erased(container, erases));
        }
        return Ok(Foreseen::default());
    }
    match judge_target(docker, container).await {
        Err(error) if error.code == Code::ContainerNotFound => Ok(Foreseen::default()),
        judged => judged.map(|()| Foreseen::default()),
    }
}

/// What of these paths in a container is not its own: it lies in a volume or in a folder of the
/// machine.
fn erased(container: &Container, erases: &[String]) -> Foreseen {
    let mut losses = vec![];
    for mount in &container.mounts {
        let is_hit = |path: &&String| reaches(path, &mount.destination);
        let Some(path) = erases.iter().find(is_hit) else { continue };
        let (kind, name) = match mount.kind.as_str() {
            "volume" => ("volume", mount.name.clone()),
            "bind" => ("folder", mount.source.clone()),
            _ => continue,
        };
        losses.push(Doomed {
            kind,
            name,
            loses_data: true,
            holds: format!("of which {path} is erased in {}", container.name()),
            ..Doomed::default()
        });
    }
    Foreseen { losses, ..Foreseen::default() }
}

/// Whether what is erased at this path is something that is mounted there: the place itself, all
/// that is in it, something in it, or what it lies in.
fn reaches(path: &str, place: &str) -> bool {
    let (path, place) = (path.trim_end_matches(['/', '*']), place.trim_end_matches('/'));
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(path, place) || within(place, path)
}

async fn use_of(
    context: &Context,
    volumes: &[(String, String)],
    networks: &[String],
    erases: &[String],
) -> Result<Foreseen, Error> {
    let docker = &context.docker;
    let policy = docker.policy();
    let names: Vec<String> = volumes.iter().map(|(name, _)| name.clone()).collect();
    let (volume_query, network_query) =
        (Documents::existing("volume", names), Documents::existing("network", networks.to_vec()));
    let mut losses = vec![];
    if !volumes.is_empty() {
        for volume in docker.run(&volume_query).await? {
            policy.volume(&volume, &Disk)?;
            let name = volume.get("Name").and_then(Value::as_str).unwrap_or_default();
            let places = volumes.iter().filter(|(it, _)| it == name).map(|(_, place)| place);
            let hit = places
                .into_iter()
                .find_map(|place| erases.iter().find(|path| reaches(path, place)));
            if let Some(path) = hit {
                losses.push(Doomed {
                    kind: "volume",
                    name: name.to_owned(),
                    loses_data: true,
                    holds: format!("of which {path} is erased in a new container"),
                    ..Doomed::default()
                });
            }
        }
    }
    if !networks.is_empty() {
        for network in docker.run(&network_query).await? {
            policy.network(&network, &Disk)?;
        }
    }
    Ok(Foreseen { losses, ..Foreseen::default() })
}

async fn of_project(
    context: &Context,
    project: &str,
    services: &[String],
    deed: &OfProject,
) -> Result<Foreseen, Error> {
    let docker = &context.docker;
    let Ok(project) = project.parse::<ProjectName>() else { return Ok(Foreseen::default()) };
    let mut containers = project::containers(docker, &project).await?;
    containers.retain(|container| {
        let service = container.label(labels::SERVICE).unwrap_or_default();
        services.is_empty() || services.iter().any(|it| it == service)
    });
    match deed {
        OfProject::Remove { force, volumes } => {
            remove_containers(context, &containers, *force, *volumes).await
        }
        OfProject::End => end(context, &containers).await,
        OfProject::Start => start(context, &containers).await,
        OfProject::Change => {
            judge_changes(docker, &containers)?;
            Ok(Foreseen::default())
        }
        OfProject::Enter { erases } => {
            judge_changes(docker, &containers)?;
            let mut all = Foreseen::default();
            for container in &containers {
                judge_target(docker, &container.id).await?;
                all.extend(erased(container, erases));
            }
            Ok(all)
        }
    }
}

impl Foreseen {
    fn extend(&mut self, other: Self) {
        for doomed in other.losses {
            if !self.losses.contains(&doomed) {
                self.losses.push(doomed);
            }
        }
        self.notes.extend(other.notes);
        if other.asks == Asks::Always {
            self.asks = Asks::Always;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_erased_reaches_what_is_mounted() {
        for (path, place, expected) in [
            ("/data", "/data", true),
            ("/data/*", "/data", true),
            ("/data/x/y", "/data", true),
            ("/", "/data", true),
            ("/var", "/var/lib/db", true),
            ("/database", "/data", false),
            ("/tmp", "/data", false),
        ] {
            assert_eq!(reaches(path, place), expected, "{path} {place}");
        }
    }
}
