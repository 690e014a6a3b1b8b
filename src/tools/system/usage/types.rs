//! The kinds of objects, and what of each could go at which risk.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::command::disk::{Item, Usage};
use crate::command::images::{Image, InspectImages};
use crate::command::text::{human_bytes, short_id};
use crate::command::volumes::is_random;
use crate::docker::Docker;
use crate::error::Error;
use crate::sort;
use crate::tools::batches::in_batches;
use crate::tools::system::prune::is_past;

/// How many of the largest objects of a kind are named.
const LARGEST: usize = 5;
/// The call by which unused images with names go, and the time that it names.
pub(super) const OLD_IMAGES: &str = r#"prune {"what":"images","unused_for":"168h"}"#;
const NAMELESS_IMAGES: &str = r#"prune {"what":"images"}"#;
const OLD: Duration = Duration::from_secs(168 * 3600);

#[derive(Debug, Serialize)]
pub(in crate::tools::system) struct ByType {
    total: String,
    pub(super) total_bytes: u64,
    /// The largest first.
    pub(super) types: Vec<Kind>,
}

#[derive(Debug, Serialize)]
pub(super) struct Kind {
    r#type: &'static str,
    count: usize,
    size: String,
    size_bytes: u64,
    pub(super) reclaimable: Vec<Reclaimable>,
    largest: Vec<String>,
}

/// What could go.
#[derive(Debug, Serialize)]
pub(super) struct Reclaimable {
    pub(super) what: &'static str,
    pub(super) count: usize,
    /// At least so much: layers that only such images share with each other come on top.
    pub(super) size: String,
    size_bytes: u64,
    /// `safe`: it can be had again. `risky`: nobody can bring it back.
    pub(super) risk: &'static str,
    why: &'static str,
    /// The call that would plan its removal, where it would find something.
    pub(super) next: Option<&'static str>,
}

/// What is known of the unused images, by their IDs.
#[derive(Debug, Default)]
pub(super) struct Unused {
    /// Those that [`OLD_IMAGES`] would find when they have names.
    pub(super) old: BTreeSet<String>,
    /// Those that can be had again.
    pub(super) elsewhere: BTreeSet<String>,
}

impl Unused {
    /// # Errors
    /// As [`Docker::run`].
    pub(super) async fn of(docker: &Docker, usage: &Usage) -> Result<Self, Error> {
        let ids: BTreeSet<String> =
            unused(&usage.images).into_iter().map(|image| image.id.clone()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let images = in_batches(docker, &ids, InspectImages::listed).await?;
        let all = |which: fn(&Image) -> bool| {
            images.iter().filter(|image| which(image)).map(|image| image.id.clone()).collect()
        };
        Ok(Self {
            old: all(|image| is_past(OLD, &[&image.created, &image.metadata.last_tag_time])),
            elsewhere: all(|image| !image.is_only_here()),
        })
    }
}

pub(super) fn by_type(usage: &Usage, images_total: Option<u64>, unused: &Unused) -> ByType {
    let mut types = vec![
        images(&usage.images, images_total, unused),
        containers(&usage.containers),
        volumes(&usage.volumes),
        build_cache(&usage.build_cache),
    ];
    sort::by(&mut types, |a, b| b.size_bytes.cmp(&a.size_bytes));
    let total_bytes = types.iter().map(|kind| kind.size_bytes).sum();
    ByType { total: human_bytes(total_bytes), total_bytes, types }
}

fn images(images: &[Item], total: Option<u64>, known: &Unused) -> Kind {
    let is_elsewhere = |image: &&Item| known.elsewhere.contains(&image.id);
    let (nameless, named): (Vec<&Item>, Vec<&Item>) =
        unused(images).into_iter().partition(|image| image.name.is_empty());
    let (old_pulls, old_builds): (Vec<&Item>, Vec<&Item>) =
        nameless.into_iter().partition(is_elsewhere);
    let (pulled, built): (Vec<&Item>, Vec<&Item>) = named.into_iter().partition(is_elsewhere);
    let any_old = |images: &[&Item]| images.iter().any(|image| known.old.contains(&image.id));
    Kind::of("images", images, total)
        .could_lose(
            &old_pulls,
            &Reclaimable::safe(
                "nameless images from a registry",
                "left behind by pulls; nothing uses them, and they can be pulled again",
                NAMELESS_IMAGES,
            ),
        )
        .could_lose(
            &old_builds,
            &Reclaimable::risky(
                "nameless images that no registry is known to have",
                "mostly left behind by builds; nothing uses them, and nobody can bring them back",
                NAMELESS_IMAGES,
            ),
        )
        .could_lose(
            &pulled,
            &Reclaimable::safe(
                "unused images from a registry",
                "no container uses them; they can be pulled again",
                OLD_IMAGES,
            )
            .if_old(any_old(&pulled)),
        )
        .could_lose(
            &built,
            &Reclaimable::risky(
                "unused images that no registry is known to have",
                "no container uses them; they would have to be built again",
                OLD_IMAGES,
            )
            .if_old(any_old(&built)),
        )
}

fn containers(containers: &[Item]) -> Kind {
    let is_stopped = |it: &&Item| matches!(it.state.as_str(), "created" | "exited" | "dead");
    let stopped: Vec<&Item> = containers.iter().filter(is_stopped).collect();
    Kind::of("containers", containers, None).could_lose(
        &stopped,
        &Reclaimable::risky(
            "stopped containers",
            "what they have written outside of volumes goes with them, and their logs",
            r#"prune {"what":"containers"}"#,
        ),
    )
}

fn volumes(volumes: &[Item]) -> Kind {
    let (nameless, named): (Vec<&Item>, Vec<&Item>) =
        unused(volumes).into_iter().partition(|volume| is_random(&volume.name));
    Kind::of("volumes", volumes, None)
        .could_lose(
            &nameless,
            &Reclaimable::risky(
                "nameless volumes without a container",
                "their data is lost for good; mostly left behind by removed containers",
                r#"prune {"what":"volumes"}"#,
            ),
        )
        .could_lose(
            &named,
            &Reclaimable::risky(
                "named volumes without a container",
                "their data is lost for good; somebody gave them a name to keep it",
                "remove-volume, one by one",
            ),
        )
}

fn build_cache(pieces: &[Item]) -> Kind {
    Kind::of("build_cache", pieces, None).could_lose(
        &unused(pieces),
        &Reclaimable::safe(
            "build cache",
            "the next builds take longer, nothing else",
            r#"prune {"what":"build_cache"}"#,
        ),
    )
}

fn unused(items: &[Item]) -> Vec<&Item> {
    items.iter().filter(|item| item.users == 0).collect()
}

impl Kind {
    fn of(name: &'static str, items: &[Item], total: Option<u64>) -> Self {
        let size_bytes = total.unwrap_or_else(|| items.iter().map(|item| item.own_bytes).sum());
        let mut largest: Vec<&Item> = items.iter().filter(|item| item.own_bytes > 0).collect();
        sort::by(&mut largest, |a, b| (b.own_bytes, &a.name).cmp(&(a.own_bytes, &b.name)));
        // A piece of the build cache has nothing by which a person knows it.
        let named = largest.iter().filter(|_| name != "build_cache").take(LARGEST);
        let largest = named.map(|item| {
            let used = match (name, item.users) {
                ("images" | "volumes", 0) => ", unused",
                _ => "",
            };
            format!("{}: {}{used}", name_of(item), human_bytes(item.own_bytes))
        });
        Self {
            r#type: name,
            count: items.len(),
            size: human_bytes(size_bytes),
            size_bytes,
            largest: largest.collect(),
            reclaimable: vec![],
        }
    }

    fn could_lose(mut self, items: &[&Item], what: &Reclaimable) -> Self {
        if !items.is_empty() {
            let size_bytes = items.iter().map(|item| item.own_bytes).sum();
            let (count, size) = (items.len(), human_bytes(size_bytes));
            self.reclaimable.push(Reclaimable { count, size, size_bytes, ..*what });
        }
        self
    }
}

impl Reclaimable {
    fn safe(what: &'static str, why: &'static str, next: &'static str) -> Self {
        let (size, next) = (String::new(), Some(next));
        Self { what, count: 0, size, size_bytes: 0, risk: "safe", why, next }
    }

    fn risky(what: &'static str, why: &'static str, next: &'static str) -> Self {
        Self { risk: "risky", ..Self::safe(what, why, next) }
    }

    /// Only what is there for long goes by that call.
    fn if_old(mut self, any_old: bool) -> Self {
        self.next = self.next.filter(|_| any_old);
        self
    }
}

fn name_of(item: &Item) -> &str {
    if item.name.is_empty() { short_id(&item.id) } else { &item.name }
}
