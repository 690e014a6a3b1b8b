//! What cannot be created leaves nothing, and what dies at once is told.

use std::time::{Duration, Instant};

use serde_json::json;

use super::world::image;
use super::{OBEDIENT, World, free_port};

#[tokio::test]
async fn a_taken_port_leaves_no_container_and_names_its_holder() {
    let Some(world) = World::enter("port") else { return };
    let mut session = world.session().await;
    let (port, holder) = world.taken_port();

    let (name, data) = (world.name("late"), world.name("data"));
    let arguments = json!({
        "image": image(), "name": name, "ports": {"80": port}, "command": ["sleep", "60"],
        "volumes": [format!("{data}:/data")],
    });
    let error = session.fails("DKR-006", "create-container", arguments.clone()).await;
    assert!(error.contains(&port.to_string()) && error.contains(&holder), "{error}");
    assert!(!world.exists("container", &name), "it is gone again");
    assert!(!world.exists("volume", &data), "and so is the volume that came with it");

    // One that was there before stays.
    world.docker(["volume", "create", &data]);
    session.fails("DKR-006", "create-container", arguments).await;
    assert!(world.exists("volume", &data) && !world.exists("container", &name));
}

#[tokio::test]
async fn a_port_that_a_program_of_the_host_holds_is_told_too() {
    let Some(world) = World::enter("host-port") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let mut session = world.session().await;
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let name = world.name("late");
    let arguments = json!({"image": image(), "name": name, "ports": {"80": port}});
    let error = session.fails("DKR-006", "create-container", arguments).await;
    assert!(error.contains(&port.to_string()), "{error}");
    assert!(!world.exists("container", &name));
}

#[tokio::test]
async fn an_image_that_nobody_knows_leaves_nothing() {
    let Some(world) = World::enter("no-image") else { return };
    let mut session = world.session().await;
    let (name, data) = (world.name("main"), world.name("data"));
    for pull in ["never", "missing"] {
        // A port of this machine on which nothing listens stands for a registry.
        let image = format!("127.0.0.1:{}/{}:1", free_port(), world.prefix);
        let arguments = json!({
            "image": image, "name": name, "volumes": [format!("{data}:/data")], "pull": pull,
        });
        let code = if pull == "never" { "DKR-003" } else { "DKR-011" };
        let error = session.fails(code, "create-container", arguments).await;
        assert!(error.contains(&world.prefix), "{error}");
        assert!(!world.exists("container", &name) && !world.exists("volume", &data));
    }
}

#[tokio::test]
async fn a_container_that_dies_at_once_is_told_with_its_exit_code_and_last_words() {
    let Some(world) = World::enter("crash") else { return };
    let mut session = world.session().await;
    let name = world.name("main");
    let script = "echo starting; echo 'config.yml: no such file' >&2; exit 78";
    let arguments = json!({"image": image(), "name": name, "command": ["sh", "-c", script]});
    let begun = Instant::now();
    let died = session.done("create-container", arguments).await;
    assert_eq!((&died["state"], &died["exit_code"]), (&json!("exited"), &json!(78)), "{died}");
    let tail = died["log_tail"].as_str().unwrap();
    assert!(tail.contains("starting") && tail.contains("config.yml: no such file"), "{died}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(world.state(&name), "exited");

    // One that docker starts again and again is told as well.
    let name = world.name("loop");
    let arguments = json!({
        "image": image(), "name": name, "command": ["sh", "-c", "echo again; exit 3"],
        "restart": "always", "wait_seconds": 2,
    });
    let looping = session.done("create-container", arguments).await;
    assert!(looping["restart_count"].as_u64().unwrap() > 0, "{looping}");
    assert!(looping["log_tail"].as_str().unwrap().contains("again"), "{looping}");
}

#[tokio::test]
async fn a_program_that_the_image_has_not_leaves_nothing() {
    let Some(world) = World::enter("no-program") else { return };
    let mut session = world.session().await;
    let name = world.name("main");
    let arguments = json!({"image": image(), "name": name, "command": ["no-such-program"]});
    let error = session.fails("DKR-023", "create-container", arguments).await;
    assert!(error.contains("no-such-program"), "{error}");
    assert!(!world.exists("container", &name));
}

#[tokio::test]
async fn a_taken_name_is_a_conflict_and_the_holder_is_untouched() {
    let Some(world) = World::enter("name") else { return };
    let mut session = world.session().await;
    let name = world.run("main", OBEDIENT);
    let before = world.look(&name, "{{.Id}} {{.State.StartedAt}}");
    let arguments = json!({"image": image(), "name": name, "command": ["sleep", "60"]});
    let error = session.fails("DKR-007", "create-container", arguments.clone()).await;
    assert!(error.contains("running") && error.contains(&name), "{error}");
    assert_eq!(world.look(&name, "{{.Id}} {{.State.StartedAt}}"), before);

    // Two at once: exactly one of them gets the name.
    let name = world.name("race");
    let arguments = json!({"image": image(), "name": name, "command": ["sh", "-c", OBEDIENT]});
    let (mut one, mut other) = (world.session().await, world.session().await);
    let (first, second) = tokio::join!(
        one.wire.call("create-container", arguments.clone()),
        other.wire.call("create-container", arguments)
    );
    let failed = [&first, &second].map(|answer| answer["isError"] == true);
    assert!(failed[0] != failed[1], "{first} {second}");
    assert_eq!(world.state(&name), "running");
    let listed = format!("--filter=name={name}");
    assert_eq!(world.docker(["ps", "--all", "--quiet", &listed]).lines().count(), 1);
}

#[tokio::test]
async fn a_dry_run_of_a_creation_changes_nothing() {
    let Some(world) = World::enter("dry-create") else { return };
    let mut session = world.session().await;
    let (name, data) = (world.name("main"), world.name("data"));
    let arguments = json!({
        "image": image(), "name": name, "volumes": [format!("{data}:/data")],
        "environment": {"API_KEY": "not-to-be-seen"}, "ports": {"80": 8080}, "dry_run": true,
    });
    let told = session.done("create-container", arguments).await;
    assert_eq!(told["dry_run"], true, "{told}");
    let command = told["command"].to_string();
    assert!(command.contains("create") && command.contains(&name), "{told}");
    assert!(!told.to_string().contains("not-to-be-seen"), "{told}");
    assert!(world.left().is_empty(), "{:?}", world.left());
}
