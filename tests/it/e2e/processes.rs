//! Nothing of ours goes on when the server, its client or docker itself is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::registry::Registry;
use super::world::image;
use super::{OBEDIENT, Session, World};
use crate::processes::{eventually, is_alive, signal};

const AT_ONCE: Duration = Duration::from_secs(3);

/// A server whose processes are known by their environment.
async fn marked(world: &World) -> Session {
    let mut server = world.server();
    // Of all that a client reads, what it does not mind.
    server.env("XDG_CONFIG_HOME", world.beside("marked"));
    Session::open(server).await
}

/// The docker processes of such a server, and their plugins, that are alive; without the one that
/// listens to events, which lives as long as the server.
fn docker_processes(world: &World) -> BTreeSet<u32> {
    let mark = world.beside("marked").display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let read = |file| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let command = String::from_utf8_lossy(&read("cmdline")).into_owned();
            let program = command.split('\0').next().unwrap_or_default().to_owned();
            program.contains("docker")
                && !command.contains("\0events\0")
                && !program.ends_with("docker-mcp-server")
                && String::from_utf8_lossy(&read("environ")).contains(&mark)
                && is_alive(*pid)
        })
        .collect()
}

async fn started(world: &World) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    eventually("docker runs", Duration::from_secs(15), || {
        found = docker_processes(world);
        !found.is_empty()
    })
    .await;
    found
}

/// Asks for a pull of 20 MB that takes half a minute, and waits until data comes.
async fn slow_pull(world: &World, session: &mut Session, registry: &Registry) -> u64 {
    let image = registry.image(&world.prefix, "1");
    let call = json!({"name": "pull-image", "arguments": {"image": image}});
    let id = session.wire.request("tools/call", call).await;
    eventually("data comes", Duration::from_secs(15), || registry.taken() > 0).await;
    assert!(!docker_processes(world).is_empty());
    id
}

/// The engine takes no more of the layer, and has no image.
async fn stopped(world: &World, registry: &Registry) {
    eventually("no docker process is left", AT_ONCE, || docker_processes(world).is_empty()).await;
    // What is on the way still arrives.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let taken = registry.taken();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(registry.taken(), taken, "the pull goes on");
    assert!(!world.exists("image", &registry.image(&world.prefix, "1")));
}

fn slow_registry() -> Registry {
    Registry::with_image(20 << 20, Duration::from_millis(100))
}

#[tokio::test]
async fn a_killed_server_leaves_no_docker_process_and_its_pull_stops() {
    let Some(world) = World::enter("sigkill") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let (mut session, registry) = (marked(&world).await, slow_registry());
    slow_pull(&world, &mut session, &registry).await;
    signal(session.wire.pid(), Signal::KILL);
    stopped(&world, &registry).await;
}

#[tokio::test]
async fn the_end_of_input_ends_a_pull() {
    let Some(world) = World::enter("eof") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let (mut session, registry) = (marked(&world).await, slow_registry());
    slow_pull(&world, &mut session, &registry).await;
    session.wire.close();
    session.wire.ended(AT_ONCE).await;
    stopped(&world, &registry).await;
}

#[tokio::test]
async fn a_cancelled_call_ends_its_pull_and_the_session_goes_on() {
    let Some(world) = World::enter("cancel") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let (mut session, registry) = (marked(&world).await, slow_registry());
    let id = slow_pull(&world, &mut session, &registry).await;
    let why = json!({"requestId": id, "reason": "the person changed their mind"});
    session.wire.notify("notifications/cancelled", why).await;
    stopped(&world, &registry).await;
    session.done("list-containers", json!({})).await;
}

#[tokio::test]
async fn a_docker_that_is_killed_is_told_and_the_session_goes_on() {
    let Some(world) = World::enter("docker-killed") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let (mut session, registry) = (marked(&world).await, slow_registry());
    let id = slow_pull(&world, &mut session, &registry).await;
    for pid in docker_processes(&world) {
        signal(pid, Signal::KILL);
    }
    let answer = session.wire.answer(id).await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Error: DKR-") && !text.contains("DKR-019"), "{text}");
    assert!(text.contains("signal"), "{text}");
    stopped(&world, &registry).await;
    session.done("list-containers", json!({})).await;
}

/// Ends the docker client that has all these words on its command line.
async fn end_client(world: &World, words: &[&str], how: Signal) {
    let mut found = None;
    eventually(&format!("docker {words:?} runs"), Duration::from_secs(15), || {
        let has_all = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            words.iter().all(|word| line.split('\0').any(|it| it == *word))
        };
        found = docker_processes(world).into_iter().find(has_all);
        found.is_some()
    })
    .await;
    // It has begun what it is to do.
    tokio::time::sleep(Duration::from_millis(700)).await;
    signal(found.unwrap(), how);
}

#[tokio::test]
async fn the_end_of_the_client_is_not_that_of_the_command() {
    let Some(world) = World::enter("client") else { return };
    let name = world.run("main", OBEDIENT);
    let mut session = marked(&world).await;
    // Asked to end, docker 28 ends with 0 as if the command had.
    for (how, seconds) in [(Signal::KILL, "7011"), (Signal::TERM, "7012"), (Signal::HUP, "7013")] {
        let call = json!({"container_name": name, "command": ["sleep", seconds]});
        let call = json!({"name": "exec-container", "arguments": call});
        let id = session.wire.request("tools/call", call).await;
        end_client(&world, &["exec", "sleep", seconds], how).await;
        let answer = session.wire.answer(id).await;
        assert_eq!(answer["result"]["isError"], true, "{how:?}: {answer}");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("Error: DKR-030 client_killed: "), "{how:?}: {text}");
        assert!(text.contains("program=still running in the container"), "{how:?}: {text}");
        let processes = world.docker(["top", &name, "-o", "pid,args"]);
        assert!(processes.contains(&format!("sleep {seconds}")), "{how:?}: {processes}");
    }
    let told = session.done("exec-container", json!({"container_name": name, "command": "true"}));
    assert_eq!(told.await["exit_code"], 0, "other commands still run in it");

    let new = world.name("run");
    let run = json!({"image": image(), "name": new, "command": "sleep 7014"});
    let id = session.wire.request("tools/call", json!({"name": "run-container", "arguments": run}));
    let id = id.await;
    end_client(&world, &["start", "--attach"], Signal::KILL).await;
    let answer = session.wire.answer(id).await.to_string();
    assert!(answer.contains("DKR-030") && answer.contains("was still running"), "{answer}");
    assert!(!world.exists("container", &new), "{answer}");
}

#[tokio::test]
async fn what_waits_for_a_container_goes_on_without_its_client() {
    let Some(world) = World::enter("waiting") else { return };
    let name = world.run("main", OBEDIENT);
    let mut session = marked(&world).await;
    for how in [Signal::KILL, Signal::TERM] {
        let call = json!({"container_name": name, "until": "exited"});
        let call = json!({"name": "wait-container", "arguments": call});
        let id = session.wire.request("tools/call", call).await;
        end_client(&world, &["wait"], how).await;
        end_client(&world, &["wait"], how).await;
        world.docker(["kill", "--signal=TERM", &name]);
        let answer = session.wire.answer(id).await;
        let told = &answer["result"]["structuredContent"];
        assert_eq!((&told["met"], &told["exit_code"]), (&json!(true), &json!(0)), "{answer}");
        world.docker(["start", &name]);
    }
    let yaml = format!("services:\n  job:\n    image: {}\n", image());
    let run = json!({
        "project_name": world.prefix, "service": "job", "compose_yaml": yaml,
        "command": ["sh", "-c", "sleep 4; exit 3"],
    });
    let id = session.wire.request("tools/call", json!({"name": "compose-run", "arguments": run}));
    let id = id.await;
    end_client(&world, &["wait"], Signal::KILL).await;
    let answer = session.wire.answer(id).await;
    assert_eq!(answer["result"]["structuredContent"]["exit_code"], 3, "{answer}");
}

/// On any engine, also one in another network.
#[tokio::test]
async fn what_follows_a_log_ends_with_the_server() {
    let Some(world) = World::enter("follower") else { return };
    let name = world.run("main", &format!("echo up; {OBEDIENT}"));
    for by_signal in [true, false] {
        let mut session = marked(&world).await;
        let arguments = json!({"container_name": name, "follow": true, "follow_seconds": 60});
        let call = json!({"name": "get-logs", "arguments": arguments});
        session.wire.request("tools/call", call).await;
        // The look at the container comes first.
        tokio::time::sleep(Duration::from_millis(500)).await;
        started(&world).await;
        if by_signal {
            signal(session.wire.pid(), Signal::KILL);
        } else {
            session.wire.close();
            session.wire.ended(AT_ONCE).await;
        }
        eventually("no docker process is left", AT_ONCE, || docker_processes(&world).is_empty())
            .await;
    }
}

/// Compose is a plugin: a process of its own, below docker.
#[tokio::test]
async fn a_deployment_ends_with_the_server_and_its_plugin_too() {
    let Some(world) = World::enter("deploying") else { return };
    for by_signal in [true, false] {
        let mut session = marked(&world).await;
        let yaml = format!(
            "services:\n  db:\n    image: {image}\n    command: ['sleep', '600']\n    \
             stop_signal: SIGKILL\n    healthcheck: {{ test: 'exit 1', interval: 1s, retries: 90 }}\n  \
             api:\n    image: {image}\n    depends_on: {{ db: {{ condition: service_healthy }} }}\n",
            image = image()
        );
        let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
        let call = json!({"name": "deploy-compose", "arguments": arguments});
        session.wire.request("tools/call", call).await;
        eventually("compose waits for the database", Duration::from_secs(20), || {
            world.exists("container", &format!("{}-db-1", world.prefix))
                && docker_processes(&world).len() >= 2
        })
        .await;
        if by_signal {
            signal(session.wire.pid(), Signal::KILL);
        } else {
            session.wire.close();
            session.wire.ended(AT_ONCE).await;
        }
        eventually("no docker process is left", AT_ONCE, || docker_processes(&world).is_empty())
            .await;
    }
}
