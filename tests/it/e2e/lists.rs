//! What lists find, and what the overview does not miss.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::image;
use super::{OBEDIENT, World};
use crate::processes::eventually;

#[tokio::test]
async fn a_name_is_a_regular_expression_in_every_list() {
    let Some(world) = World::enter("names") else { return };
    let mut session = world.session().await;
    let name = world.run("web", OBEDIENT);
    let other = world.run("web-2", OBEDIENT);
    let label = format!("--label={}", world.label);
    for kind in ["network", "volume"] {
        for name in [&name, &other] {
            world.docker([kind, "create", &label, name]);
        }
    }
    let tags = [format!("{name}:1"), format!("{other}:1")];
    for tag in &tags {
        world.docker(["tag", &image(), tag]);
    }
    for (kind, filter) in
        [("containers", "name"), ("networks", "name"), ("volumes", "name"), ("images", "reference")]
    {
        let tool = format!("list-{kind}");
        let mut found = async |wanted: String| {
            let listed = session.done(&tool, json!({"filters": {filter: wanted}})).await;
            listed[kind].as_array().unwrap().iter().map(Value::to_string).collect::<Vec<_>>()
        };
        let both = found(name.clone()).await;
        let expected = if kind == "images" { 1 } else { 2 };
        assert_eq!(both.len(), expected, "{kind}: {both:?}");
        let end = if kind == "images" { ":1$" } else { "$" };
        let one = found(format!("^{name}{end}")).await;
        assert!(one.len() == 1 && one[0].contains(&format!("{name}{}", &end[..end.len() - 1])));
        assert_eq!(found(format!("^{name}-[0-9]")).await.len(), 1, "{kind}");
        assert_eq!(found(format!("^x{name}")).await.len(), 0, "{kind}");
        let broken = json!({"filters": {filter: "web[1"}});
        let error = session.fails("DKR-004", &tool, broken).await;
        assert!(error.contains("web[1") && error.contains(filter), "{error}");
    }
    // Docker's own filter of containers knows the name of its API too.
    let listed =
        session.done("list-containers", json!({"filters": {"name": format!("^/{name}$")}}));
    assert_eq!(listed.await["containers"].as_array().unwrap().len(), 1);
    let pattern = json!({"filters": {"reference": format!("{}*:?", world.prefix)}});
    let listed = session.done("list-images", pattern).await;
    assert_eq!(listed["images"].as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn the_overview_misses_neither_a_lack_of_memory_nor_a_loop_that_runs_just_now() {
    let Some(world) = World::enter("misses") else { return };
    let mut session = world.session().await;
    let double = "x=0123456789; while :; do x=$x$x; done";
    let hungry = world.make("hungry", &["--memory=16m"], &["sh", "-c", double]);
    // It fails four times at once, and runs when it is looked at.
    let fails = "echo >>/runs; [ $(wc -l </runs) -gt 4 ] || exit 1; sleep 60";
    let looping = world.make("loop", &["--restart=always"], &["sh", "-c", fails]);
    let killed = world.run("killed", OBEDIENT);
    world.docker(["kill", &killed]);
    world.docker(["wait", &hungry]);
    eventually("it runs again", Duration::from_secs(20), || {
        world.look(&looping, "{{.RestartCount}} {{.State.Status}}") == "4 running"
    })
    .await;
    let overview = session.done("list-all-resources", json!({})).await;
    // On a host with many problems these may be among those that are only counted.
    if overview.get("more_problems").is_none() {
        let problems = overview["problems"].to_string();
        assert!(
            problems.contains(&format!("out of memory, exited with 137: {hungry}")),
            "{problems}"
        );
        assert!(problems.contains(&format!("4 times so far: {looping}")), "{problems}");
        assert!(!problems.contains(&killed), "{problems}");
    }
}
