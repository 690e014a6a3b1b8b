use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prune::is_past;
use crate::command::Effect;
use crate::command::containers::short_id;
use crate::command::disk::{DiskUsage as Query, ImagesTotal, Item, Usage};
use crate::command::images::{InspectImages, ListImages, Row, image_of};
use crate::command::text::human_bytes;
use crate::docker::Docker;
use crate::error::Error;
use crate::sort;
use crate::tools::batches::in_batches;
use crate::tools::reply::{Answer, IntoAnswer, Structured};
use crate::tools::{Context, Spec, Tool, Toolset};

/// The daemon walks through every file of every layer and volume.
const LIMIT: Duration = Duration::from_secs(120);
/// How many of the largest objects of a kind are named.
const LARGEST: usize = 5;
const PROJECTS: usize = 20;
/// The call by which unused images with names go, and the time that it names.
const OLD_IMAGES: &str = r#"prune {"what":"images","unused_for":"168h"}"#;
const OLD: Duration = Duration::from_secs(168 * 3600);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiskUsage {
    /// Default type.
    #[serde(default)]
    by: By,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    #[default]
    Type,
    Project,
}

#[derive(Debug)]
pub(super) enum Reply {
    Types(ByType),
    Projects(ByProject),
}

impl IntoAnswer for Reply {
    fn into_answer(self) -> Answer {
        match self {
            Self::Types(types) => Structured(types).into_answer(),
            Self::Projects(projects) => Structured(projects).into_answer(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ByType {
    total: String,
    total_bytes: u64,
    /// The largest first.
    types: Vec<Kind>,
}

#[derive(Debug, Serialize)]
struct Kind {
    r#type: &'static str,
    count: usize,
    size: String,
    size_bytes: u64,
    reclaimable: Vec<Reclaimable>,
    largest: Vec<String>,
}

/// What could go.
#[derive(Debug, Serialize)]
struct Reclaimable {
    what: &'static str,
    count: usize,
    /// At least so much: layers that only such images share with each other come on top.
    size: String,
    size_bytes: u64,
    /// `safe`: it can be had again. `risky`: nobody can bring it back.
    risk: &'static str,
    why: &'static str,
    /// The call that would plan its removal, where it would find something.
    next: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct ByProject {
    /// The largest first.
    projects: Vec<Sum>,
    total: Option<usize>,
    /// What belongs to no project.
    others: Sum,
    build_cache: String,
}

#[derive(Debug, Default, Serialize)]
struct Sum {
    project: Option<String>,
    size: String,
    size_bytes: u64,
    /// What its containers have written themselves.
    containers: Option<Part>,
    volumes: Option<Part>,
    /// The layers of images that only its containers use.
    images: Option<Part>,
    running: Option<usize>,
}

#[derive(Debug, Default, Serialize)]
struct Part {
    count: usize,
    size: String,
    #[serde(skip)]
    bytes: u64,
}

impl Tool for DiskUsage {
    const SPEC: Spec = Spec {
        name: "disk-usage",
        title: "Disk usage",
        description: "What takes disk space, and what could go. Takes a while. Then: prune.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Reply;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let list = ListImages::default();
        let (usage, named) = tokio::join!(usage(docker), docker.run(&list));
        let ((usage, images_total), named) = (usage?, named?);
        Ok(match self.by {
            By::Type => {
                let old = old_images(docker, &usage).await?;
                Reply::Types(by_type(&usage, images_total, &named, &old))
            }
            By::Project => Reply::Projects(by_project(&usage, &named)),
        })
    }
}

/// Both at once: from 23 on the daemon measures once for both. 20.10 refuses the second one while
/// it is busy with the first.
async fn usage(docker: &Docker) -> Result<(Usage, Option<u64>), Error> {
    let (all, total) = (Query { timeout: LIMIT }, ImagesTotal { timeout: LIMIT });
    docker.progress().say("docker measures layers and volumes");
    let (first, second) = tokio::join!(docker.run(&all), docker.run(&total));
    let is_busy = |error: &Error| error.message.contains("already running");
    let usage = match first {
        Err(error) if is_busy(&error) => docker.run(&all).await?,
        first => first?,
    };
    let total = match second {
        Err(error) if is_busy(&error) => docker.run(&total).await?,
        second => second?,
    };
    Ok((usage, total))
}

/// The unused images with names that [`OLD_IMAGES`] would find.
async fn old_images(docker: &Docker, usage: &Usage) -> Result<BTreeSet<String>, Error> {
    let unused = usage.images.iter().filter(|image| image.users == 0 && !image.name.is_empty());
    let ids: BTreeSet<String> = unused.map(|image| image.id.clone()).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let mut images = in_batches(docker, &ids, InspectImages::listed).await?;
    images.retain(|image| is_past(OLD, &[&image.created, &image.metadata.last_tag_time]));
    Ok(images.into_iter().map(|image| image.id).collect())
}

fn by_type(
    usage: &Usage,
    images_total: Option<u64>,
    named: &[Row],
    old: &BTreeSet<String>,
) -> ByType {
    let can_be_pulled: BTreeSet<&str> =
        named.iter().filter(|row| !row.digests.is_empty()).map(|row| row.id.as_str()).collect();
    let unused = |item: &&Item| item.users == 0;
    let mut types = vec![
        Kind::of("images", &usage.images, images_total)
            .could_lose(
                usage.images.iter().filter(unused).filter(|image| image.name.is_empty()),
                &Reclaimable::safe(
                    "nameless images",
                    "left behind by builds and pulls; nothing uses them",
                    r#"prune {"what":"images"}"#,
                ),
            )
            .could_lose(
                usage.images.iter().filter(unused).filter(|image| {
                    !image.name.is_empty() && can_be_pulled.contains(image.id.as_str())
                }),
                &Reclaimable::safe(
                    "unused images from a registry",
                    "no container uses them; they can be pulled again",
                    OLD_IMAGES,
                )
                .if_old(usage.images.iter().any(|image| {
                    old.contains(&image.id) && can_be_pulled.contains(image.id.as_str())
                })),
            )
            .could_lose(
                usage.images.iter().filter(unused).filter(|image| {
                    !image.name.is_empty() && !can_be_pulled.contains(image.id.as_str())
                }),
                &Reclaimable::risky(
                    "unused images that were built here",
                    "no registry has them; they would have to be built again",
                    OLD_IMAGES,
                )
                .if_old(usage.images.iter().any(|image| {
                    old.contains(&image.id) && !can_be_pulled.contains(image.id.as_str())
                })),
            ),
        Kind::of("containers", &usage.containers, None).could_lose(
            usage.containers.iter().filter(|container| {
                matches!(container.state.as_str(), "created" | "exited" | "dead")
            }),
            &Reclaimable::risky(
                "stopped containers",
                "what they have written outside of volumes goes with them, and their logs",
                r#"prune {"what":"containers"}"#,
            ),
        ),
        Kind::of("volumes", &usage.volumes, None)
            .could_lose(
                usage.volumes.iter().filter(unused).filter(|volume| is_nameless(&volume.name)),
                &Reclaimable::risky(
                    "nameless volumes without a container",
                    "their data is lost for good; mostly left behind by removed containers",
                    r#"prune {"what":"volumes"}"#,
                ),
            )
            .could_lose(
                usage.volumes.iter().filter(unused).filter(|volume| !is_nameless(&volume.name)),
                &Reclaimable::risky(
                    "named volumes without a container",
                    "their data is lost for good; somebody gave them a name to keep it",
                    "remove-volume, one by one",
                ),
            ),
        Kind::of("build_cache", &usage.build_cache, None).could_lose(
            usage.build_cache.iter().filter(unused),
            &Reclaimable::safe(
                "build cache",
                "the next builds take longer, nothing else",
                r#"prune {"what":"build_cache"}"#,
            ),
        ),
    ];
    sort::by(&mut types, |a, b| b.size_bytes.cmp(&a.size_bytes));
    let total_bytes = types.iter().map(|kind| kind.size_bytes).sum();
    ByType { total: human_bytes(total_bytes), total_bytes, types }
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

    fn could_lose<'a>(mut self, items: impl Iterator<Item = &'a Item>, what: &Reclaimable) -> Self {
        let (count, size_bytes) =
            items.fold((0, 0), |(count, bytes), item| (count + 1, bytes + item.own_bytes));
        if count > 0 {
            let size = human_bytes(size_bytes);
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

/// Docker names a volume that nobody named with 64 hexadecimal digits.
fn is_nameless(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn by_project(usage: &Usage, named: &[Row]) -> ByProject {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, users: u64, own_bytes: u64) -> Item {
        Item {
            id: format!("sha256:{name}"),
            name: name.into(),
            users,
            own_bytes,
            ..Item::default()
        }
    }

    fn container(
        name: &str,
        state: &str,
        image: &str,
        project: Option<&str>,
        own_bytes: u64,
    ) -> Item {
        let project = project.map(str::to_owned);
        Item { state: state.into(), image: image.into(), project, ..item(name, 0, own_bytes) }
    }

    fn row(name: &str, digests: &[&str]) -> Row {
        Row {
            id: format!("sha256:{name}"),
            tags: vec![name.to_owned()],
            digests: digests.iter().map(ToString::to_string).collect(),
            created: String::new(),
        }
    }

    fn usage() -> (Usage, Vec<Row>) {
        let usage = Usage {
            images: vec![
                item("web:1", 1, 5_000_000),
                item("db:1", 2, 7_000_000),
                item("old:1", 0, 3_000_000),
                item("built:1", 0, 1_000_000),
                Item { id: "sha256:nameless".into(), own_bytes: 2_000_000, ..Item::default() },
            ],
            containers: vec![
                container("shop-web-1", "running", "web:1", Some("shop"), 4_000),
                container("shop-db-1", "exited", "db:1", Some("shop"), 2_000),
                container("db", "running", "db:1", None, 1_000),
            ],
            volumes: vec![
                Item { project: Some("shop".into()), ..item("shop_data", 1, 9_000_000) },
                item(&"a".repeat(64), 0, 6_000_000),
                item("pgdata", 0, 8_000_000),
            ],
            build_cache: vec![item("x", 0, 500), item("y", 1, 100)],
        };
        (
            usage,
            vec![row("web:1", &[]), row("db:1", &["db@sha256:1"]), row("old:1", &["old@sha256:1"])],
        )
    }

    #[test]
    fn it_is_told_what_could_go_and_at_which_risk() {
        let (usage, named) = usage();
        let old = BTreeSet::from(["sha256:old:1".to_owned()]);
        let types = by_type(&usage, Some(20_000_000), &named, &old);
        let told: Vec<String> = types
            .types
            .iter()
            .flat_map(|kind| &kind.reclaimable)
            .map(|it| format!("{}: {} {} {}", it.what, it.count, it.size, it.risk))
            .collect();
        assert_eq!(
            told,
            [
                "nameless volumes without a container: 1 6 MB risky",
                "named volumes without a container: 1 8 MB risky",
                "nameless images: 1 2 MB safe",
                "unused images from a registry: 1 3 MB safe",
                "unused images that were built here: 1 1 MB risky",
                "stopped containers: 1 2 kB risky",
                "build cache: 1 500 B safe",
            ]
        );
        let next: Vec<_> = types
            .types
            .iter()
            .flat_map(|kind| &kind.reclaimable)
            .filter(|it| it.what.starts_with("unused images"))
            .map(|it| it.next)
            .collect();
        assert_eq!(next, [Some(OLD_IMAGES), None], "none of those built here is old");
        assert_eq!(types.total_bytes, 20_000_000 + 7_000 + 23_000_000 + 600);
    }

    #[test]
    fn what_belongs_to_a_project_is_summed_up() {
        let (usage, named) = usage();
        let told = by_project(&usage, &named);
        let [shop] = told.projects.as_slice() else { unreachable!("there is one project") };
        let sizes = |project: &Sum| {
            let parts = [&project.containers, &project.volumes, &project.images];
            parts.map(|part| part.as_ref().map(|part| (part.count, part.bytes)))
        };
        assert_eq!(shop.project.as_deref(), Some("shop"));
        // The image of the database is not only its own.
        assert_eq!(sizes(shop), [Some((2, 6_000)), Some((1, 9_000_000)), Some((1, 5_000_000))]);
        assert_eq!((shop.running, shop.size_bytes), (Some(1), 14_006_000));
        let others = [Some((1, 1_000)), Some((2, 14_000_000)), Some((4, 13_000_000))];
        assert_eq!(sizes(&told.others), others);
    }
}
