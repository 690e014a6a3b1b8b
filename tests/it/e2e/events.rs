//! What happened, heard by the server itself; and what is told of the host as a whole.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::world::image;
use super::{OBEDIENT, Session, World};
use crate::processes::{eventually, signal};

/// `die web`, in their order.
fn told(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let told = events.iter().map(|event| {
        format!("{} {}", event["action"].as_str().unwrap(), event["name"].as_str().unwrap())
    });
    told.collect()
}

async fn events_of(session: &mut Session, container: &str) -> Value {
    session.done("docker-events", json!({"container_name": container, "since": "5m"})).await
}

#[tokio::test]
async fn what_happened_to_a_container_is_told_also_when_docker_has_forgotten_it() {
    let Some(world) = World::enter("events") else { return };
    let mut session = world.session().await;
    // The first call begins to listen.
    session.done("docker-info", json!({})).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let failed = world.run("failed", "exit 3");
    world.docker(["wait", &failed]);
    let up = world.run("up", OBEDIENT);
    world.docker(["rename", &up, &format!("{up}-too")]);
    world.docker(["rm", "--force", &failed]);

    let answer = events_of(&mut session, &failed).await;
    let story = told(&answer);
    for action in ["create", "start", "die", "destroy"] {
        assert!(story.contains(&format!("{action} {failed}")), "{action}: {answer}");
    }
    let die = answer["events"].as_array().unwrap().iter().find(|it| it["action"] == "die").unwrap();
    assert_eq!((&die["exit_code"], &die["type"]), (&json!(3), &json!("container")), "{answer}");
    assert!(die["time"].as_str().unwrap().ends_with('Z'), "{answer}");
    let renamed = told(&events_of(&mut session, &format!("{up}-too")).await);
    assert!(renamed.contains(&format!("create {up}")), "under its first name too: {renamed:?}");

    // 256 events later docker itself knows nothing of it any more.
    let name = format!("{up}-too");
    for _ in 0..45 {
        world.docker(["exec", &name, "sh", "-c", "true"]);
        world.docker(["exec", &name, "sh", "-c", "true"]);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let since = json!({"container_name": failed, "since": "2m"});
    let answer = session.done("docker-events", since).await;
    assert!(told(&answer).contains(&format!("die {failed}")), "{answer}");
    let noise = session.done("docker-events", json!({"container_name": name})).await;
    assert!(!noise.to_string().contains("exec_"), "{noise}");

    let images = json!({"container_name": name, "types": ["image"]});
    let answer = session.done("docker-events", images).await;
    assert_eq!(answer["events"], json!([]), "{answer}");
    let last = session.done("docker-events", json!({"container_name": name, "limit": 1})).await;
    assert_eq!(last["events"].as_array().unwrap().len(), 1, "{last}");
    assert!(last["total"].as_u64().unwrap() > 1, "{last}");
    session.fails("DKR-004", "docker-events", json!({"since": "1m", "until": "2m"})).await;
    let error = session.fails("DKR-004", "docker-events", json!({"since": "2999-01-01"})).await;
    assert!(error.contains("future") && error.contains("parameter=since"), "{error}");
}

#[tokio::test]
async fn a_first_call_asks_docker_itself_what_happened_before() {
    let Some(world) = World::enter("events-first") else { return };
    let up = world.run("up", OBEDIENT);
    let mut session = world.session().await;
    let answer = events_of(&mut session, &up).await;
    assert!(told(&answer).contains(&format!("start {up}")), "{answer}");
    assert!(answer["note"].as_str().unwrap().contains("256"), "{answer}");
}

#[tokio::test]
async fn the_listener_takes_no_slot_and_ends_with_the_server() {
    let Some(world) = World::enter("events-end") else { return };
    let mark = world.beside("marked").display().to_string();
    let listeners = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let is_listener = |process: &std::fs::DirEntry| {
            let read = |file: &str| {
                let bytes = std::fs::read(process.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            read("cmdline").contains("\0events\0") && read("environ").contains(&mark)
        };
        processes.filter(is_listener).count()
    };
    for by_signal in [true, false] {
        let mut server = world.server();
        server.args(["--slots", "1"]).env("XDG_CONFIG_HOME", &mark);
        let mut session = Session::open(server).await;
        session.done("docker-info", json!({})).await;
        eventually("it listens", Duration::from_secs(10), || listeners() == 1).await;
        session.done("list-containers", json!({})).await;
        assert_eq!(listeners(), 1);
        if by_signal {
            signal(session.wire.pid(), Signal::KILL);
        } else {
            session.wire.close();
        }
        eventually("nobody listens any more", Duration::from_secs(3), || listeners() == 0).await;
    }
}

#[tokio::test]
async fn the_contexts_and_the_one_in_use_are_listed() {
    let Some(world) = World::enter("contexts") else { return };
    let mut session = world.session().await;
    let listed = session.done("list-contexts", json!({})).await;
    let contexts = listed["contexts"].as_array().unwrap();
    let current: Vec<_> = contexts.iter().filter(|context| context["current"] == true).collect();
    assert_eq!(current.len(), 1, "{listed}");
    assert_eq!(current[0]["allowed"], true, "{listed}");
    let endpoint = world.docker(["context", "inspect", "--format={{.Endpoints.docker.Host}}"]);
    assert_eq!(current[0]["endpoint"], json!(endpoint), "{listed}");
}

#[tokio::test]
async fn what_takes_space_is_told_by_type_and_by_project() {
    let Some(world) = World::enter("usage") else { return };
    let mut session = world.session().await;
    let label = format!("--label=com.docker.compose.project={}", world.prefix);
    let writer = world.name("writer");
    let volume = world.name("data");
    world.docker(["volume", "create", &label, &volume]);
    let mount = format!("--volume={volume}:/data");
    let script = "head -c 3000000 /dev/zero > /file; head -c 5000000 /dev/zero > /data/file";
    world.docker(["run", "--name", &writer, &label, &mount, &image(), "sh", "-c", script]);

    let by_project = session.done("disk-usage", json!({"by": "project"})).await;
    let project = super::session::entry(&by_project["projects"], "project", &world.prefix);
    assert_eq!(project["containers"], json!({"count": 1, "size": "3 MB"}), "{by_project}");
    assert_eq!(project["volumes"], json!({"count": 1, "size": "5 MB"}), "{by_project}");

    let by_type = session.done("disk-usage", json!({})).await;
    let containers = super::session::entry(&by_type["types"], "type", "containers");
    assert!(containers["size_bytes"].as_u64().unwrap() >= 3_000_000, "{by_type}");
    assert!(containers["largest"].to_string().contains(&writer), "{by_type}");
    assert_eq!(containers["reclaimable"][0]["risk"], "risky", "{by_type}");
    let volumes = super::session::entry(&by_type["types"], "type", "volumes");
    assert!(volumes["largest"].to_string().contains(&volume), "{by_type}");
    assert!(by_type.to_string().len() < 6000, "{by_type}");
}
