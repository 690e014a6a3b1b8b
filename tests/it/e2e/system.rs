//! What is there, and what is wrong when docker does not work.

use std::time::{Duration, Instant};

use serde_json::json;

use super::world::Way;
use super::{OBEDIENT, Session, World};

#[tokio::test]
async fn docker_info_tells_what_docker_is_here() {
    let Some(world) = World::enter("info") else { return };
    let mut session = world.session().await;
    let info = session.done("docker-info", json!({})).await;
    assert_eq!(info["healthy"], true, "{info}");
    let told = info.to_string();
    for template in ["{{.Client.Version}}", "{{.Server.Version}}", "{{.Server.Os}}"] {
        let format = format!("--format={template}");
        let truth = world.docker(["version", &format]);
        assert!(told.contains(&truth), "{truth} is not in {info}");
    }
    let compose = world.docker(["compose", "version", "--short"]);
    assert!(told.contains(compose.trim_start_matches('v')), "{compose} is not in {info}");
}

#[tokio::test]
async fn the_overview_counts_what_is_there_and_names_what_is_wrong() {
    let Some(world) = World::enter("overview") else { return };
    let mut session = world.session().await;
    world.run("up", OBEDIENT);
    let failed = world.run("failed", "exit 3");
    world.docker(["wait", &failed]);
    let overview = session.done("list-all-resources", json!({})).await;
    let told = overview.to_string();
    assert!(told.len() <= 1500, "{} bytes: {told}", told.len());
    assert!(overview["containers"]["running"].as_u64().unwrap() >= 1, "{overview}");
    assert!(overview["containers"]["exited"].as_u64().unwrap() >= 1, "{overview}");
    assert!(overview["images"]["count"].as_u64().unwrap() >= 1, "{overview}");
    assert!(overview["networks"].as_u64().unwrap() >= 3, "{overview}");
}

#[tokio::test]
async fn without_a_daemon_every_call_says_so_in_a_few_seconds() {
    let reason = "what is away there is not the daemon";
    let Some(world) = World::enter_without("nowhere", &[Way::Sudo, Way::Ssh, Way::Context], reason)
    else {
        return;
    };
    let mut server = world.server();
    server.env("DOCKER_HOST", "unix:///nonexistent").env_remove("DOCKER_CONTEXT");
    let mut session = Session::open(server).await;
    for (tool, arguments) in [
        ("list-containers", json!({})),
        ("list-all-resources", json!({})),
        ("inspect-container", json!({"container_name": "web"})),
        ("start-container", json!({"container_name": "web"})),
        ("create-container", json!({"image": "web"})),
        (
            "deploy-compose",
            json!({"project_name": "web", "compose_yaml": "services: {a: {image: x}}"}),
        ),
        ("compose-down", json!({"project_name": "web"})),
    ] {
        let begun = Instant::now();
        let error = session.fails("DKR-001", tool, arguments).await;
        assert!(error.contains("unix:///nonexistent"), "{tool}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(8), "{tool} took {:?}", begun.elapsed());
    }
    let begun = Instant::now();
    let info = session.done("docker-info", json!({})).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(info["healthy"], false, "{info}");
    let told = info.to_string();
    assert!(told.contains("DKR-001") && told.contains("unix:///nonexistent"), "{info}");
}

#[tokio::test]
async fn without_a_docker_client_every_call_says_so() {
    let Some(world) = World::enter("no-client") else { return };
    let mut server = world.server();
    server.args(["--docker", "/nonexistent/docker"]);
    let mut session = Session::open(server).await;
    let error = session.fails("DKR-015", "list-containers", json!({})).await;
    assert!(error.contains("/nonexistent/docker"), "{error}");
    let info = session.done("docker-info", json!({})).await;
    assert!(info["healthy"] == false && info.to_string().contains("DKR-015"), "{info}");
}
