//! What each compose project takes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::command::disk::Usage;
use crate::command::images::{Row, image_of};
use crate::command::text::human_bytes;
use crate::sort;

const PROJECTS: usize = 20;

#[derive(Debug, Serialize)]
pub(in crate::tools::system) struct ByProject {
    /// The largest first.
    pub(super) projects: Vec<Sum>,
    total: Option<usize>,
    /// What belongs to no project.
    pub(super) others: Sum,
    build_cache: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Sum {
    pub(super) project: Option<String>,
    size: String,
    pub(super) size_bytes: u64,
    /// What its containers have written themselves.
    pub(super) containers: Option<Part>,
    pub(super) volumes: Option<Part>,
    /// The layers of images that only its containers use.
    pub(super) images: Option<Part>,
    pub(super) running: Option<usize>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Part {
    pub(super) count: usize,
    size: String,
    #[serde(skip)]
    pub(super) bytes: u64,
}

pub(super) fn by_project(usage: &Usage, named: &[Row]) -> ByProject {
    // The projects whose containers use an image; nothing for a container of none.
    let mut users: BTreeMap<&str, BTreeSet<Option<&String>>> = BTreeMap::new();
    for container in &usage.containers {
        if let Some(image) = image_of(named, &container.image) {
            users.entry(&image.id).or_default().insert(container.project.as_ref());
        }
    }
    let mut projects: BTreeMap<Option<&String>, Sum> = BTreeMap::new();
    for container in &usage.containers {
        let project = projects.entry(container.project.as_ref()).or_default();
        add(&mut project.containers, container.own_bytes);
        if container.state == "running" {
            *project.running.get_or_insert(0) += 1;
        }
    }
    for volume in &usage.volumes {
        add(&mut projects.entry(volume.project.as_ref()).or_default().volumes, volume.own_bytes);
    }
    for image in &usage.images {
        let of_one = users.get(image.id.as_str()).filter(|projects| projects.len() == 1);
        let project = of_one.and_then(|projects| projects.first().copied().flatten());
        add(&mut projects.entry(project).or_default().images, image.own_bytes);
    }
    let others = projects.remove(&None).unwrap_or_default().summed_up(None);
    let mut projects: Vec<Sum> =
        projects.into_iter().map(|(name, project)| project.summed_up(name.cloned())).collect();
    sort::by(&mut projects, |a, b| (b.size_bytes, &a.project).cmp(&(a.size_bytes, &b.project)));
    let total = (projects.len() > PROJECTS).then_some(projects.len());
    projects.truncate(PROJECTS);
    let build_cache = usage.build_cache.iter().map(|item| item.own_bytes).sum();
    ByProject { projects, total, others, build_cache: human_bytes(build_cache) }
}

fn add(part: &mut Option<Part>, bytes: u64) {
    let part = part.get_or_insert_with(Part::default);
    part.count += 1;
    part.bytes += bytes;
    part.size = human_bytes(part.bytes);
}

impl Sum {
    fn summed_up(self, project: Option<String>) -> Self {
        let parts = [&self.containers, &self.volumes, &self.images];
        let size_bytes = parts.into_iter().flatten().map(|part| part.bytes).sum();
        Self { project, size: human_bytes(size_bytes), size_bytes, ..self }
    }
}
