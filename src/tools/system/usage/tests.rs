use std::collections::BTreeSet;

use super::projects::{Sum, by_project};
use super::types::{OLD_IMAGES, Unused, by_type};
use crate::command::disk::{Item, Usage};
use crate::command::images::Row;

fn item(name: &str, users: u64, own_bytes: u64) -> Item {
    Item { id: format!("sha256:{name}"), name: name.into(), users, own_bytes, ..Item::default() }
}

fn container(name: &str, state: &str, image: &str, project: Option<&str>, own_bytes: u64) -> Item {
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
    (usage, vec![row("web:1", &[]), row("db:1", &["db@sha256:1"]), row("old:1", &["old@sha256:1"])])
}

#[test]
fn it_is_told_what_could_go_and_at_which_risk() {
    let (usage, _) = usage();
    let old = BTreeSet::from(["sha256:old:1".to_owned()]);
    let known = Unused { elsewhere: old.clone(), old };
    let types = by_type(&usage, Some(20_000_000), &known);
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
            "nameless images that no registry is known to have: 1 2 MB risky",
            "unused images from a registry: 1 3 MB safe",
            "unused images that no registry is known to have: 1 1 MB risky",
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
