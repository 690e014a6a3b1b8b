//! Images: pulled from a registry, listed, named, shown, removed.

use std::time::Duration;

use serde_json::json;

use super::registry::Registry;
use super::session::entry;
use super::world::{engine_version, image};
use super::{OBEDIENT, World};

#[tokio::test]
async fn an_image_is_pulled_once_and_then_up_to_date() {
    let Some(world) = World::enter("pull") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let mut session = world.session().await;
    let registry = Registry::with_image(100_000, Duration::ZERO);
    let image = registry.image(&world.prefix, "1");

    let dry = session.done("pull-image", json!({"image": image, "dry_run": true})).await;
    assert!(dry["command"].as_str().unwrap().contains(&image), "{dry}");
    assert!(!world.exists("image", &image));

    let pulled = session.done("pull-image", json!({"image": image})).await;
    assert_eq!(pulled["status"], "downloaded", "{pulled}");
    assert_eq!(pulled["digest"], registry.digest(), "{pulled}");
    let id = world.docker(["image", "inspect", "--format={{.Id}}", &image]);
    assert_eq!(pulled["id"], id.trim_start_matches("sha256:")[..12], "{pulled}");
    let again = session.done("pull-image", json!({"image": image})).await;
    assert_eq!(again["status"], "up_to_date", "{again}");

    let by_digest = format!("{}/{}@{}", registry.address, world.prefix, registry.digest());
    let pulled = session.done("pull-image", json!({"image": by_digest})).await;
    assert_eq!(pulled["id"], again["id"], "{pulled}");
    world.docker(["image", "rm", "--force", &id]);
}

#[tokio::test]
async fn a_registry_that_refuses_is_told_in_its_words() {
    let Some(world) = World::enter("pull-refused") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let mut session = world.session().await;
    let registry = Registry::with_image(1000, Duration::ZERO);
    for (tag, code) in [
        ("absent", "DKR-003"),
        ("denied", "DKR-025"),
        ("limited", "DKR-026"),
        ("broken", "DKR-011"),
    ] {
        let image = registry.image(&world.prefix, tag);
        let error = session.fails(code, "pull-image", json!({"image": image})).await;
        assert!(error.contains(&image), "{error}");
        assert!(!world.exists("image", &image));
    }
}

#[tokio::test]
async fn a_creation_pulls_what_is_missing() {
    let Some(world) = World::enter("pull-create") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let mut session = world.session().await;
    let registry = Registry::with_image(1000, Duration::ZERO);
    let (image, name) = (registry.image(&world.prefix, "1"), world.name("main"));
    let arguments = json!({"image": image, "name": name, "start": false});
    let created = session.done("create-container", arguments).await;
    assert_eq!(created["state"], "created", "{created}");
    assert_eq!(world.look(&name, "{{.Config.Image}}"), image);
}

#[tokio::test]
async fn a_pull_that_takes_too_long_is_stopped() {
    let Some(world) = World::enter("pull-slow") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let mut session = world.session().await;
    let registry = Registry::with_image(4 << 20, Duration::from_millis(500));
    let image = registry.image(&world.prefix, "1");
    let arguments = json!({"image": image, "timeout_seconds": 2});
    let error = session.fails("DKR-012", "pull-image", arguments).await;
    assert!(error.contains("2 s"), "{error}");
    assert!(!world.exists("image", &image));
}

#[tokio::test]
async fn an_image_is_named_listed_shown_and_its_names_removed() {
    let Some(world) = World::enter("image") else { return };
    let mut session = world.session().await;
    // An image of its own, whose removal hurts nobody.
    let maker = world.run("maker", "date > /made");
    world.docker(["wait", &maker]);
    let (one, two) = (format!("{}:one", world.prefix), format!("{}:two", world.prefix));
    let change = format!("--change=LABEL {}", world.label);
    let change_env = "--change=ENV API_TOKEN=not-to-be-seen-1234";
    world.docker(["commit", &change, change_env, &maker, &one]);
    let id = world.docker(["image", "inspect", "--format={{.Id}}", &one]);
    let short = &id.trim_start_matches("sha256:")[..12];

    let tagged = session.done("tag-image", json!({"image": one, "tag": two})).await;
    assert_eq!((&tagged["changed"], &tagged["id"]), (&json!(true), &json!(short)), "{tagged}");
    assert_eq!(world.docker(["image", "inspect", "--format={{.Id}}", &two]), id);
    let again = session.done("tag-image", json!({"image": one, "tag": two})).await;
    assert_eq!(again["changed"], false, "{again}");
    session.fails("DKR-003", "tag-image", json!({"image": world.prefix, "tag": two})).await;

    let listed = session
        .done("list-images", json!({"filters": {"reference": format!("{}:*", world.prefix)}}))
        .await;
    let images = listed["images"].as_array().unwrap();
    assert_eq!(images.len(), 1, "one entry for both names: {listed}");
    assert_eq!(images[0]["tags"], json!([one, two]), "{listed}");

    let shown = session.done("inspect-image", json!({"image": two})).await;
    assert_eq!(shown["id"], short, "{shown}");
    assert!(shown["environment"].to_string().contains("API_TOKEN"), "{shown}");
    assert!(!shown.to_string().contains("not-to-be-seen"), "{shown}");
    let shown = session
        .done(
            "inspect-image",
            json!({"image": one, "include": ["env", "labels", "history", "raw"]}),
        )
        .await;
    assert!(!shown.to_string().contains("not-to-be-seen"), "{shown}");
    assert!(shown["history"].is_array(), "{shown}");

    let dry = session.done("remove-image", json!({"image": two, "dry_run": true})).await;
    assert_eq!(dry["dry_run"], true, "{dry}");
    let removed = session.done("remove-image", json!({"image": two})).await;
    assert!(removed["removed"]["untagged"].to_string().contains(&two), "{removed}");
    assert!(removed["removed"].get("deleted").is_none(), "it keeps its other name: {removed}");
    assert!(world.exists("image", &one) && !world.exists("image", &two));
    // It was made here, so it cannot come back.
    let plan = session.done("remove-image", json!({"image": one})).await;
    assert!(plan["plan"].to_string().contains(&id), "{plan}");
    assert!(world.exists("image", &one));
    let confirmed = json!({"image": one, "confirm": plan["confirm"]});
    let removed = session.done("remove-image", confirmed).await;
    assert!(removed["removed"]["deleted"].to_string().contains(short), "{removed}");
    assert!(!world.exists("image", &id));
    session.fails("DKR-003", "remove-image", json!({"image": one})).await;
}

#[tokio::test]
async fn an_image_in_use_is_not_removed_in_one_call() {
    let Some(world) = World::enter("image-used") else { return };
    let mut session = world.session().await;
    let maker = world.run("maker", "date > /made");
    world.docker(["wait", &maker]);
    let image_name = format!("{}:1", world.prefix);
    world.docker(["commit", &maker, &image_name]);
    let user = world.name("user");
    world.docker(["run", "-d", "--name", &user, &image_name, "sh", "-c", OBEDIENT]);

    let listed = session.done("list-images", json!({"filters": {"reference": image_name}})).await;
    assert_eq!(listed["images"][0]["in_use_by"], json!([user]), "{listed}");
    let error = session.fails("DKR-009", "remove-image", json!({"image": image_name})).await;
    assert!(error.contains(&user), "{error}");
    let result =
        session.wire.call("remove-image", json!({"image": image_name, "force": true})).await;
    assert!(world.exists("image", &image_name), "a plan, or a refusal: {result}");
    assert_eq!(world.state(&user), "running");
}

#[tokio::test]
async fn the_image_of_these_tests_is_listed_with_its_size() {
    let Some(world) = World::enter("image-list") else { return };
    let mut session = world.session().await;
    let listed =
        session.done("list-images", json!({"filters": {"reference": image()}, "limit": 1})).await;
    let shown = world.docker(["image", "inspect", "--format={{.Size}}", &image()]);
    let size = listed["images"][0]["size_bytes"].to_string();
    assert_eq!(size, shown, "{listed}");
    // From 29 on, images without a name are listed only when they are asked for; all of them are
    // told here.
    let all = session.done("list-images", json!({"limit": 1000})).await;
    let id = world.docker(["image", "inspect", "--format={{.Id}}", &image()]);
    entry(&all["images"], "id", &id.trim_start_matches("sha256:")[..12]);
    assert!(engine_version() >= (20, 10), "older ones are not supported");
}
