//! What is known of a project beside its containers, for tools that look at more than compose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::defaults::usual_files;
use super::deployment::{Deployment, everything, unset};
use super::freshness::Images;
use super::model::{self, Resolved};
pub(in crate::tools) use super::project::{depends_on, is_one_off, no_such_project, service};
use super::remembered;
use super::source::Source;
use super::view::{Port, Service};
use crate::command::containers::Container;
use crate::command::values::{Environment, ProjectName};
use crate::policy::{Disk, Files as _, Lines};
use crate::sort;
use crate::tools::Context;
use crate::workspace::Workspace;

/// What the files of a project ask for, as far as they can be read here.
#[derive(Debug, Default)]
pub(in crate::tools) struct Outlook {
    /// The compose file, or the files.
    pub(in crate::tools) files: String,
    pub(in crate::tools) services: Vec<Wanted>,
    /// Variables without a value.
    pub(in crate::tools) unset: Vec<String>,
    /// By service: the secret or config that it gets and that has no content.
    pub(in crate::tools) missing: BTreeMap<String, String>,
    /// The folder that a service's image is built from.
    pub(in crate::tools) build_contexts: BTreeMap<String, PathBuf>,
    /// By service: which file of its build context is newer than its image.
    pub(in crate::tools) outdated: BTreeMap<String, String>,
    /// The ports of this machine that services ask for.
    pub(in crate::tools) ports: Vec<(String, u16)>,
    /// The subnets that the networks of the project ask for.
    pub(in crate::tools) subnets: Vec<Subnet>,
    /// In what a container's definition differs from the one in the files, by its ID.
    pub(in crate::tools) drift: BTreeMap<String, String>,
}

/// A service that a deployment would start.
#[derive(Clone, Debug, Default)]
pub(in crate::tools) struct Wanted {
    pub(in crate::tools) service: String,
    pub(in crate::tools) image: String,
    pub(in crate::tools) builds: bool,
    pub(in crate::tools) depends_on: Vec<String>,
}

/// What a network asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tools) struct Subnet {
    /// In the file.
    pub(in crate::tools) key: String,
    /// As docker knows it.
    pub(in crate::tools) network: String,
    pub(in crate::tools) range: String,
}

/// The folders below the project folder, that itself included, whose compose file is of this
/// project: by its `name`, or by that of the folder.
pub(in crate::tools) fn folders_of(workspace: &Workspace, project: &ProjectName) -> Vec<PathBuf> {
    let mut open = vec![(workspace.folder.clone(), 0)];
    let (mut found, mut left) = (vec![], FOLDERS);
    while let Some((folder, level)) = open.pop() {
        left -= 1;
        let file = usual_files(&folder).into_iter().next();
        let may_be_read =
            |file: &PathBuf| workspace.policy.file(file, true, "compose_file", &Disk).is_ok();
        if let Some(text) = file.filter(may_be_read).and_then(|file| Disk.read(&file).ok()) {
            let lines = Lines::of(&text);
            let own = lines.at(&["name"]).map(|it| it.text.to_owned());
            if own.unwrap_or_else(|| name_of(&folder)) == project.as_str() {
                found.push(folder.clone());
            }
        }
        if level == LEVELS || left == 0 {
            continue;
        }
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten().take(FOLDERS) {
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if entry.file_type().is_ok_and(|it| it.is_dir()) && !is_hidden && open.len() < left {
                open.push((entry.path(), level + 1));
            }
        }
    }
    found
}

/// As compose makes one of the name of a folder.
fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let stays = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = name.chars().filter(stays).collect();
    name.trim_start_matches(['_', '-']).to_owned()
}

/// Folders that are looked into, and how deep they may lie.
const FOLDERS: usize = 200;
const LEVELS: usize = 3;

/// Nothing when the project's files are not in the project folder or cannot be read.
pub(in crate::tools) async fn outlook(
    context: &Context,
    project: &ProjectName,
    containers: &[Container],
) -> Option<Outlook> {
    if containers.is_empty() {
        let mut folders = folders_of(&context.workspace, project);
        folders.push(context.workspace.folder.clone());
        for folder in folders {
            let Some(source) = Source::usual(context, &folder).await.ok().flatten() else {
                continue;
            };
            // Only the file itself tells which project it is of.
            let environment = Environment::default();
            let resolved = model::resolve(&context.docker, None, &source, &[], &environment).await;
            let resolved = resolved.ok().filter(|it| it.model().name == project.as_str());
            if let Some(resolved) = resolved {
                let missing = missing(context, project, &resolved, containers);
                return Some(Outlook { missing, ..of_files(&source, &resolved, project) });
            }
        }
        return None;
    }
    let deployments = Deployment::all(context, project, containers).await;
    let mut drift = BTreeMap::new();
    for deployment in &deployments {
        drift.extend(deployment.drift(context, project).await);
    }
    let source = Source::of_project(context, project, containers).await.ok()??;
    let known = deployments.into_iter().find(|deployment| deployment.source == source);
    let resolved = match known {
        Some(deployment) => deployment.resolved,
        None => everything(&context.docker, project, &source).await?,
    };
    let services = &resolved.model().services;
    let is_of_it = |it: &Container| is_one_off(it) || services.contains_key(service(it));
    let missing = missing(context, project, &resolved, containers);
    let outdated = outdated(context, &source, &resolved).await;
    let files = Outlook { outdated, ..of_files(&source, &resolved, project) };
    containers.iter().all(is_of_it).then_some(Outlook { missing, drift, ..files })
}

fn of_files(source: &Source, resolved: &Resolved, project: &ProjectName) -> Outlook {
    Outlook {
        files: source.name(),
        services: wanted(resolved, project),
        unset: unset(&resolved.warnings),
        ports: ports(resolved),
        subnets: subnets(resolved),
        build_contexts: sort::map(resolved.model().services.iter().filter_map(
            |(name, service)| Some((name.clone(), PathBuf::from(service.build_context()?))),
        )),
        ..Outlook::default()
    }
}

async fn outdated(
    context: &Context,
    source: &Source,
    resolved: &Resolved,
) -> BTreeMap<String, String> {
    let services = resolved.model().services.iter();
    let built = services.filter(|(_, service)| service.build.is_some());
    let built: Vec<&str> = built.map(|(name, _)| name.as_str()).collect();
    if built.is_empty() {
        return BTreeMap::new();
    }
    match Images::of(context, resolved.model(), built).await {
        Ok(images) => images.outdated(context, source).await,
        Err(_) => BTreeMap::new(),
    }
}

fn ports(resolved: &Resolved) -> Vec<(String, u16)> {
    let services = resolved.model().services.iter();
    let of = |(name, service): (&String, &Service)| {
        let ports = service.ports.iter().filter_map(Port::on_host);
        ports.map(|port| (name.clone(), port)).collect::<Vec<_>>()
    };
    services.flat_map(of).collect()
}

fn subnets(resolved: &Resolved) -> Vec<Subnet> {
    let Ok(document) = resolved.document() else { return vec![] };
    let networks = document.get("networks").and_then(Value::as_object).into_iter().flatten();
    let of = |(key, network): (&String, &Value)| {
        let pools = network.pointer("/ipam/config").and_then(Value::as_array);
        let name = network.get("name").and_then(Value::as_str).unwrap_or(key);
        let ranges = pools.into_iter().flatten().filter_map(|pool| pool.get("subnet")?.as_str());
        let wish = |range: &str| Subnet {
            key: key.clone(),
            network: name.to_owned(),
            range: range.to_owned(),
        };
        ranges.map(wish).collect::<Vec<_>>()
    };
    networks.flat_map(of).collect()
}

fn wanted(resolved: &Resolved, project: &ProjectName) -> Vec<Wanted> {
    let services = resolved.model().services.iter();
    let services =
        services.filter(|(_, service)| service.profiles.is_empty() && service.replicas() > 0);
    services
        .map(|(name, service)| Wanted {
            service: name.clone(),
            image: service.image_name(project.as_str(), name),
            builds: service.build.is_some(),
            depends_on: service.depends_on.keys().cloned().collect(),
        })
        .collect()
}

/// Without those whose variable the deployment was given.
fn missing(
    context: &Context,
    project: &ProjectName,
    resolved: &Resolved,
    containers: &[Container],
) -> BTreeMap<String, String> {
    let then = remembered::variables(&context.workspace, project, containers);
    let given = then.map(|then| then.given).unwrap_or_default();
    let missing = resolved.missing.iter().filter(|it| !given.contains(&it.variable));
    sort::map(
        missing.flat_map(|it| {
            it.services.iter().map(move |service| (service.clone(), it.to_string()))
        }),
    )
}
