//! Waiting: for what comes, for what can no longer come, and until the time is over.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::image;
use super::{OBEDIENT, Session, World, free_port};

async fn wait(session: &mut Session, name: &str, more: Value) -> Value {
    let mut arguments = json!({"container_name": name});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    session.done("wait-container", arguments).await
}

#[tokio::test]
async fn a_wait_for_a_port_looks_inside_only_now_and_then() {
    let Some(world) = World::enter("wait-inside") else { return };
    let mut session = world.session().await;
    let name = world.run("main", OBEDIENT);
    let wanted = json!({"until": "port", "port": 81, "timeout_seconds": 5});
    let told = wait(&mut session, &name, wanted).await;
    assert_eq!(told["timed_out"], true, "{told}");
    let filter = format!("--filter=container={name}");
    let events = world.docker([
        "events",
        "--since=10m",
        "--until=0s",
        "--filter=event=exec_create",
        &filter,
    ]);
    let looks = events.lines().count();
    assert!((2..=4).contains(&looks), "{looks}: {events}");
}

#[tokio::test]
async fn what_happens_is_waited_for() {
    let Some(world) = World::enter("wait") else { return };
    let mut session = world.session().await;
    let label = format!("--label={}", world.label);
    let image = image();

    let name = world.run(
        "main",
        &format!("sleep 1; echo token=hunter2hunter2; echo server is ready; {OBEDIENT}"),
    );
    let told = wait(&mut session, &name, json!({"until": "running"})).await;
    assert_eq!((&told["met"], &told["timed_out"]), (&json!(true), &json!(false)), "{told}");
    let told = wait(&mut session, &name, json!({"until": "log", "pattern": "is (ready|up)"})).await;
    assert_eq!((&told["met"], &told["seen"]), (&json!(true), &json!("server is ready")), "{told}");
    // What an earlier run has logged does not count.
    world.docker(["restart", &name]);
    let begun = Instant::now();
    let told = wait(&mut session, &name, json!({"until": "log", "pattern": "ready"})).await;
    assert_eq!(told["met"], true, "{told}");
    assert!(begun.elapsed() > Duration::from_millis(700), "{told}");
    // Nor can a secret be guessed by it.
    let guess = json!({"until": "log", "pattern": "hunter2", "timeout_seconds": 1});
    let told = wait(&mut session, &name, guess).await;
    assert_eq!(told["met"], false, "{told}");

    let healthy = world.name("healthy");
    let check = "--health-cmd=test -f /ok";
    world.docker([
        "run",
        "--detach",
        "--name",
        &healthy,
        &label,
        check,
        "--health-interval=500ms",
        &image,
        "sh",
        "-c",
        &format!("sleep 1; touch /ok; {OBEDIENT}"),
    ]);
    let told = wait(&mut session, &healthy, json!({"until": "healthy"})).await;
    assert_eq!((&told["met"], &told["health"]), (&json!(true), &json!("healthy")), "{told}");
    assert!(told.get("log_tail").is_none(), "{told}");

    let ends = world.run("ends", "sleep 1; exit 7");
    let told = wait(&mut session, &ends, json!({"until": "exited"})).await;
    assert_eq!((&told["met"], &told["exit_code"]), (&json!(true), &json!(7)), "{told}");

    // One that removes itself.
    let gone = world.name("gone");
    world.docker([
        "run",
        "--detach",
        "--rm",
        "--name",
        &gone,
        &label,
        &image,
        "sh",
        "-c",
        "sleep 1; exit 8",
    ]);
    let told = wait(&mut session, &gone, json!({"until": "exited"})).await;
    assert_eq!((&told["met"], &told["exit_code"]), (&json!(true), &json!(8)), "{told}");
}

#[tokio::test]
async fn a_port_is_met_when_somebody_listens_and_not_before() {
    let Some(world) = World::enter("wait-port") else { return };
    let mut session = world.session().await;
    let label = format!("--label={}", world.label);
    let script = "sleep 2; exec httpd -f -p 8080";
    let (inside, outside) = (world.run("inside", script), world.name("outside"));
    let port = json!({"until": "port", "port": 8080, "timeout_seconds": 20});
    let told = wait(&mut session, &inside, port.clone()).await;
    assert_eq!(told["met"], true, "{told}");
    assert!(told["elapsed_ms"].as_u64().unwrap() > 500, "{told}");
    assert!(told["seen"].as_str().unwrap().contains("not published"), "{told}");

    let publish = format!("--publish=127.0.0.1:{}:8080", free_port());
    world.docker([
        "run",
        "--detach",
        "--name",
        &outside,
        &label,
        &publish,
        &image(),
        "sh",
        "-c",
        script,
    ]);
    // Docker's proxy listens from the first moment on.
    let told = wait(&mut session, &outside, port.clone()).await;
    assert_eq!(told["met"], true, "{told}");
    assert!(told["elapsed_ms"].as_u64().unwrap() > 500, "{told}");
    if world.shares_our_network().await {
        assert!(told["seen"].as_str().unwrap().contains("answers"), "{told}");
    }

    let loopback = world.run("loopback", "exec httpd -f -p 127.0.0.1:8080");
    let short = json!({"until": "port", "port": 8080, "timeout_seconds": 1});
    let told = wait(&mut session, &loopback, short).await;
    assert_eq!((&told["met"], &told["timed_out"]), (&json!(false), &json!(true)), "{told}");
    assert!(told["reason"].as_str().unwrap().contains("only on 127.0.0.1"), "{told}");
}

#[tokio::test]
async fn what_can_no_longer_happen_is_told_at_once_and_a_time_out_is_no_error() {
    let Some(world) = World::enter("wait-never") else { return };
    let mut session = world.session().await;
    let begun = Instant::now();

    let plain = world.run("plain", OBEDIENT);
    let told = wait(&mut session, &plain, json!({"until": "healthy"})).await;
    assert_eq!((&told["met"], &told["timed_out"]), (&json!(false), &json!(false)), "{told}");
    assert!(told["reason"].as_str().unwrap().contains("no health check"), "{told}");

    let dies = world.run("dies", "sleep 1; echo giving up; exit 3");
    let told = wait(&mut session, &dies, json!({"until": "log", "pattern": "ready"})).await;
    assert_eq!((&told["met"], &told["exit_code"]), (&json!(false), &json!(3)), "{told}");
    assert_eq!(told["log_tail"], "giving up", "{told}");
    for until in ["running", "healthy"] {
        let told = wait(&mut session, &dies, json!({"until": until})).await;
        assert_eq!((&told["met"], &told["state"]), (&json!(false), &json!("exited")), "{told}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());

    let short = json!({"until": "exited", "timeout_seconds": 1});
    let told = wait(&mut session, &plain, short).await;
    assert_eq!((&told["met"], &told["timed_out"]), (&json!(false), &json!(true)), "{told}");
    assert_eq!(told["state"], "running", "{told}");
}
