//! A container from its creation to its removal, and the tools that list and show it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::session::entry;
use super::world::image;
use super::{OBEDIENT, World, free_port};
use crate::processes::eventually;

/// Answers with its environment and a file of its volume, and counts its starts there.
const WEB: &str = r#"
    trap 'echo ended; exit 0' TERM
    mkdir -p /www && echo start >> /data/starts
    echo "$GREETING" > /www/index.html
    httpd -p 80 -h /www && echo "ready with $GREETING" && echo careful >&2
    while :; do sleep 3600 & wait $!; done"#;

fn page(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned())
}

#[tokio::test]
async fn a_container_lives_from_its_creation_to_its_removal() {
    let Some(world) = World::enter("life") else { return };
    let mut session = world.session().await;
    let (name, data, port) = (world.name("web"), world.name("data"), free_port());
    let by_name = json!({"container_name": name});
    let shared = world.shares_our_network().await;

    let created = session
        .done(
            "create-container",
            json!({
                "image": image(), "name": name, "ports": {"80": port},
                "environment": {"GREETING": "hello from e2e"}, "volumes": [format!("{data}:/data")],
                "restart": "unless-stopped", "command": ["sh", "-c", WEB],
            }),
        )
        .await;
    assert_eq!(created["state"], "running", "{created}");
    assert_eq!(created["name"], name, "{created}");
    assert_eq!(created["ports"], json!([format!("127.0.0.1:{port}->80/tcp")]), "{created}");
    assert_eq!(world.state(&name), "running");
    let id = world.look(&name, "{{.Id}}");
    assert_eq!(created["id"], id[..12], "{created}");
    assert_eq!(world.look(&name, "{{.HostConfig.RestartPolicy.Name}}"), "unless-stopped");
    assert!(world.exists("volume", &data));
    if shared {
        eventually("the page is served", Duration::from_secs(10), || {
            page(port).is_some_and(|page| page == "hello from e2e")
        })
        .await;
    }

    let listed = session.done("list-containers", json!({"filters": {"name": world.prefix}})).await;
    let row = entry(&listed["containers"], "name", &name);
    assert_eq!((&row["state"], &row["id"]), (&json!("running"), &json!(id[..12])), "{listed}");
    assert_eq!(listed["containers"].as_array().unwrap().len(), 1, "{listed}");

    let shown = session.done("inspect-container", by_name.clone()).await;
    assert_eq!(shown["restart_policy"], "unless-stopped", "{shown}");
    assert_eq!(shown["mounts"].as_array().unwrap().len(), 1, "{shown}");
    assert!(shown["environment"].to_string().contains("GREETING"), "{shown}");
    assert!(!shown.to_string().contains("hello from e2e\","), "names, not values: {shown}");

    let logs = session.text("get-logs", by_name.clone()).await;
    assert!(logs.contains("ready with hello from e2e\n"), "{logs}");
    assert!(logs.contains("careful\n"), "both streams: {logs}");

    let stop = json!({"container_name": name, "timeout_seconds": 10});
    let stopped = session.done("stop-container", stop.clone()).await;
    assert_eq!((&stopped["state"], &stopped["changed"]), (&json!("exited"), &json!(true)));
    assert_eq!(stopped["exit_code"], 0, "{stopped}");
    assert_eq!(world.state(&name), "exited");
    let again = session.done("stop-container", stop).await;
    assert_eq!(again["changed"], false, "{again}");
    let listed = session.done("list-containers", json!({"filters": {"name": world.prefix}})).await;
    assert_eq!(listed["containers"], json!([]), "only running ones: {listed}");
    let all = json!({"all": true, "filters": {"name": world.prefix}});
    let listed = session.done("list-containers", all).await;
    assert_eq!(entry(&listed["containers"], "name", &name)["state"], "exited", "{listed}");

    let started = session.done("start-container", by_name.clone()).await;
    assert_eq!((&started["state"], &started["changed"]), (&json!("running"), &json!(true)));
    assert_eq!(world.state(&name), "running");
    let again = session.done("start-container", by_name.clone()).await;
    assert_eq!(again["changed"], false, "{again}");

    let before = world.look(&name, "{{.State.StartedAt}}");
    let restarted = session
        .done("restart-container", json!({"container_name": name, "timeout_seconds": 5}))
        .await;
    assert_eq!(restarted["state"], "running", "{restarted}");
    assert_ne!(world.look(&name, "{{.State.StartedAt}}"), before);
    eventually("all three starts are in the volume", Duration::from_secs(5), || {
        let starts = world.docker(["exec", &name, "cat", "/data/starts"]);
        starts == "start\nstart\nstart"
    })
    .await;

    let paused = session.done("pause-container", by_name.clone()).await;
    assert_eq!(paused["state"], "paused", "{paused}");
    assert_eq!(world.state(&name), "paused");
    let resumed = session.done("unpause-container", by_name.clone()).await;
    assert_eq!(resumed["state"], "running", "{resumed}");
    assert_eq!(world.state(&name), "running");
    let again = session.done("unpause-container", by_name.clone()).await;
    assert_eq!(again["changed"], false, "{again}");

    let refused = session.fails("DKR-010", "remove-container", by_name.clone()).await;
    assert!(refused.contains("force"), "{refused}");
    assert_eq!(world.state(&name), "running");

    let killed = session.done("kill-container", by_name.clone()).await;
    assert_eq!((&killed["state"], &killed["exit_code"]), (&json!("exited"), &json!(137)));
    assert!(killed["exit_meaning"].as_str().unwrap().contains("SIGKILL"), "{killed}");
    assert_eq!(world.state(&name), "exited");
    session.fails("DKR-010", "kill-container", by_name.clone()).await;

    let removed = session.done("remove-container", by_name.clone()).await;
    assert_eq!(removed["removed"], json!([name]), "{removed}");
    assert!(!world.exists("container", &name));
    assert!(world.exists("volume", &data), "a named volume stays");
    session.fails("DKR-002", "inspect-container", by_name).await;
}

#[tokio::test]
async fn a_signal_can_be_sent_and_is_not_always_the_end() {
    let Some(world) = World::enter("signal") else { return };
    let mut session = world.session().await;
    let script = format!("trap 'echo got a hangup' HUP; echo up; {OBEDIENT}");
    let name = world.run("main", &script);
    eventually("it is up", Duration::from_secs(5), || world.docker(["logs", &name]) == "up").await;

    let sent = session.done("kill-container", json!({"container_name": name, "signal": "HUP"}));
    assert_eq!(sent.await["state"], "running");
    eventually("the signal arrived", Duration::from_secs(5), || {
        world.docker(["logs", &name]).contains("got a hangup")
    })
    .await;
    let sent = session.done("kill-container", json!({"container_name": name, "signal": "SIGTERM"}));
    assert_eq!(sent.await["name"], name);
    eventually("it obeyed", Duration::from_secs(5), || world.state(&name) == "exited").await;
    assert_eq!(world.look(&name, "{{.State.ExitCode}}"), "0");
}

#[tokio::test]
async fn a_container_with_an_anonymous_volume_is_removed_in_two_steps() {
    let Some(world) = World::enter("anonymous") else { return };
    let mut session = world.session().await;
    let name = world.name("main");
    let created = json!({"image": image(), "name": name, "volumes": ["/cache"], "start": false});
    let created = session.done("create-container", created).await;
    assert_eq!(created["state"], "created", "{created}");
    let volume = world.look(&name, "{{(index .Mounts 0).Name}}");

    let mut remove = json!({"container_name": name, "volumes": true});
    let plan = session.done("remove-container", remove.clone()).await;
    assert!(plan["plan"].to_string().contains(&volume), "the volume is named: {plan}");
    assert!(world.exists("container", &name) && world.exists("volume", &volume));

    remove["confirm"] = plan["confirm"].clone();
    let removed = session.done("remove-container", remove.clone()).await;
    assert_eq!(removed["removed"], json!([name, volume]), "{removed}");
    assert!(!world.exists("container", &name) && !world.exists("volume", &volume));
}

#[tokio::test]
async fn a_stubborn_container_is_stopped_within_the_time_that_was_given() {
    let Some(world) = World::enter("stubborn") else { return };
    let mut session = world.session().await;
    let name = world.run("main", "trap 'echo no' TERM; while :; do sleep 1; done");
    let begun = std::time::Instant::now();
    let stopped =
        session.done("stop-container", json!({"container_name": name, "timeout_seconds": 1})).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!((&stopped["state"], &stopped["exit_code"]), (&json!("exited"), &json!(137)));
    assert_eq!(world.state(&name), "exited");
}
