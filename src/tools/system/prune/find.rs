//! The objects of each kind that a wish is about, and for those that stay, why.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::candidates::{Candidate, Found};
use super::{Prune, What};
use crate::command::containers::{InspectContainers, ListContainers, Row};
use crate::command::disk::DiskUsage;
use crate::command::images::{InspectImages, ListImages, merged};
use crate::command::labels;
use crate::command::networks::{InspectNetworks, ListNetworks};
use crate::command::text::short_id;
use crate::command::volumes::{InspectVolumes, ListVolumes};
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::Context;
use crate::tools::batches::in_batches;
use crate::tools::confirm::Doomed;
use crate::tools::losses;
use crate::tools::protect::stays;

/// The daemon walks through every file to measure.
const MEASURING: Duration = Duration::from_secs(60);

/// # Errors
/// As [`Docker::run`].
pub(super) async fn find(context: &Context, wish: &Prune) -> Result<Found, Error> {
    let docker = &context.docker;
    match wish.what {
        What::Containers => containers(context, wish).await,
        What::Images => images(docker, wish).await,
        What::Networks => networks(docker, wish).await,
        What::Volumes => volumes(docker, wish).await,
        What::BuildCache => build_cache(docker).await,
    }
}

fn project_of(labels: &BTreeMap<String, String>) -> Option<String> {
    labels.get(labels::PROJECT).cloned()
}

async fn all_containers(docker: &Docker) -> Result<Vec<Row>, Error> {
    docker.run(&ListContainers::everything()).await
}

async fn containers(context: &Context, wish: &Prune) -> Result<Found, Error> {
    let docker = &context.docker;
    let rows = all_containers(docker).await?;
    let is_idle = |row: &&Row| matches!(row.state.as_str(), "created" | "exited" | "dead");
    let alive: BTreeSet<&String> =
        rows.iter().filter(|row| !is_idle(row)).filter_map(|row| row.project.as_ref()).collect();
    let ids: Vec<String> = rows.iter().filter(is_idle).map(|row| row.id.clone()).collect();
    let idle = in_batches(docker, &ids, InspectContainers::listed).await?;

    let (mut found, mut protected, mut of_running) = (Found::default(), vec![], vec![]);
    let mut going = vec![];
    if wish.is_chosen() {
        let busy: Vec<String> =
            rows.iter().filter(|row| !is_idle(row)).map(|row| row.id.clone()).collect();
        let busy = in_batches(docker, &busy, InspectContainers::listed).await?;
        let chosen = busy.iter().filter(|container| wish.wants(&container.config.labels));
        let mut names: Vec<String> = chosen.map(|container| container.name().to_owned()).collect();
        names.sort();
        found.keep(&names, "containers", "not stopped");
    }
    for container in idle {
        let labels = &container.config.labels;
        if !wish.wants(labels) || !wish.is_old(&[&container.created, &container.state.finished_at])
        {
            continue;
        }
        let (name, project) = (container.name().to_owned(), project_of(labels));
        if stays(docker, "container", &name, labels) {
            protected.push(name);
        } else if wish.project.is_none() && project.as_ref().is_some_and(|it| alive.contains(it)) {
            of_running.push(name);
        } else {
            going.push(container);
        }
    }
    let doomed = losses::containers(context, &going).await.into_iter();
    found.candidates =
        doomed.map(|doomed| Candidate { operands: vec![doomed.id.clone()], doomed }).collect();
    found.keep_protected(&protected);
    let why = "their compose project is running; name it in `project` to remove them";
    found.keep(&of_running, "stopped containers", why);
    Ok(found)
}

async fn images(docker: &Docker, wish: &Prune) -> Result<Found, Error> {
    // From 29 on a listing leaves out those without a name unless it is asked for them alone.
    let (all, nameless) =
        (ListImages::default(), ListImages { filters: vec!["dangling=true".to_owned()] });
    let (rows, all, nameless) =
        tokio::try_join!(all_containers(docker), docker.run(&all), docker.run(&nameless))?;
    let users: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    let ids: Vec<String> =
        merged(all.into_iter().chain(nameless)).into_iter().map(|row| row.id).collect();
    let (users, images) = tokio::try_join!(
        in_batches(docker, &users, InspectContainers::listed),
        in_batches(docker, &ids, InspectImages::listed),
    )?;
    let used: BTreeSet<String> = users.into_iter().map(|container| container.image).collect();

    let mut found = Found::default();
    let (mut protected, mut named, mut in_use) = (vec![], vec![], vec![]);
    for image in images {
        let labels = &image.config.labels;
        let is_old = wish.is_old(&[&image.created, &image.metadata.last_tag_time]);
        if !wish.wants(labels) || !is_old {
            continue;
        }
        let tags = image.tags();
        let is_nameless = tags.is_empty() && image.digests().is_empty();
        let name = match tags.first().or(image.digests().first()) {
            Some(name) => name.clone(),
            None => short_id(&image.id).to_owned(),
        };
        let is_kept = |name: &String| stays(docker, "image", name, labels);
        if used.contains(&image.id) {
            in_use.extend(wish.is_chosen().then_some(name));
        } else if is_kept(&name) || tags.iter().any(is_kept) {
            protected.push(name);
        } else if !is_nameless && !wish.is_chosen() && wish.unused_for.is_none() {
            named.push(name);
        } else {
            found.candidates.push(Candidate {
                // An ID with several tags would need force, which also removes what is used.
                operands: if tags.len() > 1 { tags } else { vec![image.id.clone()] },
                doomed: losses::image(&image, name, false).of_size(None),
            });
        }
    }
    found.keep_used(&in_use);
    found.keep_protected(&protected);
    let why = "they have names; choose some by unused_for, project or label";
    found.keep(&named, "unused images", why);
    Ok(found)
}

async fn networks(docker: &Docker, wish: &Prune) -> Result<Found, Error> {
    let list = ListNetworks { filters: vec!["type=custom".to_owned()] };
    let (rows, listed) = tokio::try_join!(all_containers(docker), docker.run(&list))?;
    let ids: Vec<String> = listed.into_iter().map(|row| row.id).collect();
    let networks = in_batches(docker, &ids, InspectNetworks::listed).await?;
    // Stopped containers too: without its network one does not start again.
    let used: BTreeSet<&String> = rows.iter().flat_map(|row| &row.networks).collect();

    let (mut found, mut protected, mut in_use) = (Found::default(), vec![], vec![]);
    for network in networks {
        let is_dockers_own = network.is_predefined()
            || network.scope == "swarm"
            || network.name == "docker_gwbridge";
        let is_wanted = wish.wants(&network.labels) && wish.is_old(&[&network.created]);
        if is_dockers_own || !is_wanted {
            continue;
        }
        if used.contains(&network.name) {
            in_use.extend(wish.is_chosen().then_some(network.name));
            continue;
        }
        if stays(docker, "network", &network.name, &network.labels) {
            protected.push(network.name);
            continue;
        }
        found.candidates.push(Candidate {
            operands: vec![network.id.clone()],
            doomed: Doomed {
                kind: "network",
                project: project_of(&network.labels),
                name: network.name,
                id: network.id,
                ..Doomed::default()
            },
        });
    }
    found.keep_used(&in_use);
    found.keep_protected(&protected);
    Ok(found)
}

async fn volumes(docker: &Docker, wish: &Prune) -> Result<Found, Error> {
    let unused = ListVolumes { filters: vec!["dangling=true".to_owned()] };
    // Used ones only where somebody has chosen them and wants to know what became of them.
    let chosen = async {
        match wish.label_filters() {
            filters if filters.is_empty() => Ok(vec![]),
            filters => docker.run(&ListVolumes { filters }).await,
        }
    };
    let (rows, mut names, chosen) =
        tokio::try_join!(all_containers(docker), docker.run(&unused), chosen)?;
    let mut in_use: BTreeSet<String> = chosen.into_iter().collect();
    in_use.retain(|name| names.binary_search(name).is_err());
    names.retain(|name| !in_use.contains(name));
    let volumes = in_batches(docker, &names, InspectVolumes::listed).await?;
    let used: BTreeSet<&String> = rows.iter().flat_map(|row| &row.mounts).collect();
    let existing: BTreeSet<&str> = rows.iter().filter_map(|row| row.project.as_deref()).collect();

    let mut found = Found::default();
    let (mut protected, mut of_existing, mut named) = (vec![], vec![], vec![]);
    let mut going = vec![];
    for volume in volumes {
        if !wish.wants(&volume.labels) {
            continue;
        }
        if used.contains(&volume.name) {
            in_use.extend(wish.is_chosen().then_some(volume.name));
        } else if stays(docker, "volume", &volume.name, &volume.labels) {
            protected.push(volume.name);
        } else if volume.project().is_some_and(|project| existing.contains(project)) {
            of_existing.push(volume.name);
        } else if !volume.is_anonymous() && !wish.is_chosen() {
            named.push(volume.name);
        } else {
            going.push(volume);
        }
    }
    let doomed = losses::unused_volumes(docker, &going).await.into_iter();
    found.candidates =
        doomed.map(|doomed| Candidate { operands: vec![doomed.name.clone()], doomed }).collect();
    let in_use: Vec<String> = in_use.into_iter().collect();
    found.keep_used(&in_use);
    found.keep_protected(&protected);
    let why = "their compose project still has containers; compose-down removes both";
    found.keep(&of_existing, "volumes", why);
    let why = "somebody gave them a name; choose some by project or label, or use remove-volume";
    found.keep(&named, "unused volumes", why);
    Ok(found)
}

/// The exception: its pieces have no names that `rm` would take, and nothing is lost with them.
async fn build_cache(docker: &Docker) -> Result<Found, Error> {
    let usage = docker.run(&DiskUsage { timeout: MEASURING }).await?;
    let unused = usage.build_cache.iter().filter(|piece| piece.users == 0);
    let (count, bytes) =
        unused.fold((0, 0), |(count, bytes), piece| (count + 1, bytes + piece.own_bytes));
    let mut found = Found::default();
    if count > 0 {
        found
            .notes
            .push(format!("at most {count} pieces; those that a later build still needs may stay"));
        found.candidates.push(Candidate {
            operands: vec![],
            doomed: Doomed {
                kind: "build_cache",
                name: "build cache".to_owned(),
                ..Doomed::default()
            }
            .of_size(Some(bytes)),
        });
    }
    Ok(found)
}
