//! A command in a container of its own, which is gone afterwards, whatever happens.

use std::time::Duration;

use serde_json::json;

use super::World;
use super::world::{Way, image};
use crate::processes::eventually;

#[tokio::test]
async fn a_command_runs_to_its_end_and_its_container_is_removed() {
    let reason = "bind mounts of this machine are refused";
    let Some(world) = World::enter_without("run", &[Way::Ssh], reason) else { return };
    let mut session = world.session().await;
    let name = world.name("main");
    world.file("in/data.txt", "from the host\n");
    world.file("vars.env", "FROM_FILE=filed\n");
    let script = "cat /in/data.txt; cat; echo $A $FROM_FILE; hostname; echo careful >&2; exit 3";
    let arguments = json!({
        "image": image(), "name": name, "command": ["sh", "-c", script], "stdin": "fed\n",
        "volumes": ["./in:/in:ro", "/cache"], "environment": {"A": "x"}, "env_file": "vars.env",
        // One of those that the definition only names.
        "hostname": "special", "labels": {"e2e": world.prefix},
    });
    let dry = {
        let mut dry = arguments.clone();
        dry["dry_run"] = json!(true);
        session.done("run-container", dry).await
    };
    assert!(!world.exists("container", &name), "{dry}");
    let told = session.done("run-container", arguments).await;
    assert_eq!(told["exit_code"], 3, "{told}");
    assert_eq!(told["stdout"], "from the host\nfed\nx filed\nspecial\n", "{told}");
    assert_eq!(told["stderr"], "careful\n", "{told}");
    assert!(!world.exists("container", &name), "{told}");
    let command = told["command"].as_str().unwrap();
    assert!(command.contains("container create") && command.contains("start --attach"), "{told}");

    let kept = json!({"image": image(), "name": name, "command": "echo kept", "remove": false});
    let told = session.done("run-container", kept).await;
    assert_eq!((&told["exit_code"], &told["container"]), (&json!(0), &json!(name)), "{told}");
    assert_eq!(world.state(&name), "exited");
}

#[tokio::test]
async fn a_run_that_takes_too_long_or_is_cancelled_leaves_nothing() {
    let Some(world) = World::enter("run-end") else { return };
    let mut session = world.session().await;
    let name = world.name("main");
    let script = "echo begun; trap '' TERM; while :; do sleep 1; done";
    let slow = json!({
        "image": image(), "name": name, "command": ["sh", "-c", script], "timeout_seconds": 2,
    });
    let told = session.done("run-container", slow).await;
    assert_eq!((&told["timed_out"], &told["stdout"]), (&json!(true), &json!("begun\n")), "{told}");
    assert!(!world.exists("container", &name), "{told}");

    let slow = json!({"image": image(), "name": name, "command": ["sh", "-c", script]});
    let call = json!({"name": "run-container", "arguments": slow});
    let id = session.wire.request("tools/call", call).await;
    eventually("it runs", Duration::from_secs(10), || {
        world.try_docker(["logs", &name]).stdout == b"begun\n"
    })
    .await;
    session.wire.notify("notifications/cancelled", json!({"requestId": id})).await;
    eventually("it is gone", Duration::from_secs(5), || !world.exists("container", &name)).await;
}

#[tokio::test]
async fn a_run_that_cannot_start_is_an_error_and_leaves_nothing() {
    let Some(world) = World::enter("run-fails") else { return };
    let mut session = world.session().await;
    let (name, volume) = (world.name("main"), world.name("data"));
    let missing = json!({
        "image": image(), "name": name, "command": "no-such-program",
        "volumes": [format!("{volume}:/data")],
    });
    let told = session.fails("DKR-023", "run-container", missing).await;
    assert!(told.contains("no-such-program") && told.contains("removed again"), "{told}");
    assert!(!world.exists("container", &name) && !world.exists("volume", &volume), "{told}");
    let unknown = json!({"image": image(), "hostnam": "x"});
    let told = session.fails("DKR-004", "run-container", unknown).await;
    assert!(told.contains("hostname"), "{told}");
    // A program may use the words of docker.
    let script = "echo 'Error response from daemon: no such thing' >&2; exit 5";
    let words = json!({"image": image(), "command": ["sh", "-c", script]});
    let told = session.done("run-container", words).await;
    assert_eq!(told["exit_code"], 5, "{told}");
}
