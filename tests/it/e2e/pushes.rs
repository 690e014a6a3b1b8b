//! Images on their way: to a registry and back, into a file and out of it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::progress::Call;
use super::registry::{self, Registry};
use super::session::Session;
use super::world::say;
use super::{World, free_port};
use crate::processes::eventually;

/// A session whose operator allows to push.
async fn pusher(world: &World) -> Session {
    let mut server = world.server();
    server.env("DOCKER_MCP_ALLOW", "push");
    Session::open(server).await
}

/// An image of its own, with a second layer.
fn make(world: &World, name: &str) {
    let maker = world.run(&format!("maker-{}", name.len()), "date > /made; echo $RANDOM >> /made");
    world.docker(["wait", &maker]);
    world.docker(["commit", &format!("--change=LABEL {}", world.label), &maker, name]);
}

#[tokio::test]
async fn an_image_goes_to_a_registry_and_comes_back_the_same() {
    let Some(world) = World::enter("push") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let Some(address) = registry::real() else { return };
    let image = format!("{address}/{}:1", world.prefix);
    make(&world, &image);
    let id = world.docker(["image", "inspect", "--format={{.Id}}", &image]);

    let mut stranger = world.session().await;
    let error = stranger.fails("DKR-014", "push-image", json!({"image": image})).await;
    assert!(error.contains("--allow push") || error.contains("push"), "{error}");

    let mut session = pusher(&world).await;
    let dry = session.done("push-image", json!({"image": image, "dry_run": true})).await;
    assert_eq!(dry["command"], format!("docker image push -- {image}"), "{dry}");
    let pushed = session.done("push-image", json!({"image": image})).await;
    assert!(pushed["layers_sent"].as_u64().unwrap() >= 1, "{pushed}");
    let pushed = session.done("push-image", json!({"image": image})).await;
    let digest = pushed["digest"].as_str().unwrap().to_owned();
    assert_eq!(pushed["layers_sent"], 0, "the registry has them: {pushed}");

    // Somebody else's copy, so that it is no loss.
    session.done("remove-image", json!({"image": image})).await;
    let pulled = session.done("pull-image", json!({"image": image})).await;
    assert_eq!(pulled["digest"], digest, "{pulled}");
    assert_eq!(world.docker(["image", "inspect", "--format={{.Id}}", &image]), id);
    let by_digest = format!("{address}/{}@{digest}", world.prefix);
    assert_eq!(session.done("pull-image", json!({"image": by_digest})).await["id"], pulled["id"]);

    let fits = json!({"image": image, "platform": "linux/amd64"});
    let others = json!({"image": image, "platform": "linux/s390x"});
    let architecture = world.docker(["image", "inspect", "--format={{.Architecture}}", &image]);
    if architecture == "amd64" {
        session.done("pull-image", fits).await;
    }
    let error = session.fails("DKR-003", "pull-image", others).await;
    assert!(error.contains("s390x"), "{error}");
    let missing = json!({"image": format!("{address}/{}:absent", world.prefix)});
    let error = session.fails("DKR-003", "pull-image", missing).await;
    assert!(error.contains("manifest unknown"), "{error}");
    // It knows no search.
    let query = json!({"query": format!("{address}/{}", world.prefix)});
    let error = session.fails("DKR-011", "search-images", query).await;
    assert!(error.contains("cannot search"), "{error}");
}

#[tokio::test]
async fn a_registry_that_is_down_or_asks_for_a_login_is_told() {
    let Some(world) = World::enter("push-refused") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let mut session = pusher(&world).await;
    let down = format!("127.0.0.1:{}/{}:1", free_port(), world.prefix);
    make(&world, &down);
    let error = session.fails("DKR-011", "push-image", json!({"image": down})).await;
    assert!(error.contains("connection refused"), "{error}");
    session.fails("DKR-011", "pull-image", json!({"image": down})).await;

    let registry = Registry::with_image(1000, Duration::ZERO);
    let private = registry.image(&format!("private/{}", world.prefix), "1");
    world.docker(["image", "tag", &down, &private]);
    for tool in ["push-image", "pull-image"] {
        let error = session.fails("DKR-025", tool, json!({"image": private})).await;
        assert!(error.contains("docker login"), "{error}");
    }
    session.fails("DKR-003", "push-image", json!({"image": world.name("absent")})).await;
    let error = session.fails("DKR-004", "push-image", json!({"image": "sha256:0123456789"})).await;
    assert!(error.contains("is an ID"), "{error}");
}

#[tokio::test]
async fn a_slow_pull_tells_that_it_goes_on_and_ends_when_it_is_cancelled() {
    let Some(world) = World::enter("pull-long") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let mut session = world.session().await;
    let registry = Registry::with_image(40 << 20, Duration::from_millis(100));
    let image = registry.image(&world.prefix, "1");
    let mut call = Call::begin(&mut session, "pull-image", json!({"image": image})).await;
    call.during(&mut session, Duration::from_secs(5)).await;
    call.was_lively();
    assert!(registry.taken() > 0);

    let cancelled = Instant::now();
    call.cancel(&mut session).await;
    // What is on the way still arrives; nothing is asked for any more within a second.
    let mut last = (Instant::now(), registry.taken());
    eventually("the engine takes no more", Duration::from_secs(2), || {
        if registry.taken() != last.1 {
            last = (Instant::now(), registry.taken());
        }
        last.0.elapsed() > Duration::from_millis(900)
    })
    .await;
    let took = last.0 - cancelled;
    say(&format!("the last piece was taken {} ms after the cancellation", took.as_millis()));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(!world.exists("image", &image));
    session.done("list-images", json!({"limit": 1})).await;
}

#[tokio::test]
async fn an_image_is_saved_to_a_new_file_and_loaded_again() {
    let Some(world) = World::enter("save") else { return };
    let mut session = world.session().await;
    let image = format!("{}:1", world.prefix);
    make(&world, &image);
    let id = world.docker(["image", "inspect", "--format={{.Id}}", &image]);
    let arguments = json!({"image": image, "path": "app.tar"});
    let file = world.workspace().join("app.tar");

    let dry = json!({"image": image, "path": "app.tar", "dry_run": true});
    let dry = session.done("save-image", dry).await;
    let shown = format!("docker image save --output={} -- {image}", file.display());
    assert_eq!(dry["command"], shown, "{dry}");
    assert!(!file.exists());
    let saved = session.done("save-image", arguments.clone()).await;
    assert_eq!(saved["size_bytes"], file.metadata().unwrap().len(), "{saved}");
    assert_eq!(saved["command"], shown, "{saved}");
    let error = session.fails("DKR-004", "save-image", arguments).await;
    assert!(error.contains("exists already"), "{error}");
    session.fails("DKR-003", "save-image", json!({"image": world.name("no"), "path": "b"})).await;
    let outside = json!({"image": image, "path": "/usr/local/share/x.tar"});
    session.fails("DKR-014", "save-image", outside).await;
    let names: Vec<_> =
        std::fs::read_dir(world.workspace()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["app.tar"], "nothing else is left");

    world.docker(["image", "rm", "--force", &image]);
    let loaded = session.done("load-image", json!({"path": "app.tar"})).await;
    assert_eq!(loaded["images"][0]["tags"], json!([image]), "{loaded}");
    assert_eq!(world.docker(["image", "inspect", "--format={{.Id}}", &image]), id);
    world.file("broken.tar", "no archive");
    let error = session.fails("DKR-004", "load-image", json!({"path": "broken.tar"})).await;
    assert!(error.contains("no archive of images"), "{error}");
    session.fails("DKR-008", "load-image", json!({"path": "absent.tar"})).await;
    session.fails("DKR-014", "load-image", json!({"path": "/etc/passwd"})).await;
}
