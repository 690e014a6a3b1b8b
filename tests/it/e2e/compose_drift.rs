//! What runs is compared with what the file, the tag and the build context would give now.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::compose::service;
use super::session::entry;
use super::world::{engine_version, image, say};
use super::{Session, World};

/// A service that is built from the folder `app`.
fn built(world: &World) -> String {
    let dockerfile = format!("FROM {}\nLABEL {}\nCOPY page /page\n", image(), world.label);
    world.file("app/Dockerfile", &dockerfile);
    world.file("app/page", "one\n");
    let yaml = format!(
        r#"
services:
  app:
    build: ./app
    image: {prefix}-app
    command: ["sleep", "600"]
    stop_signal: SIGKILL
  plain: {{ image: {image}, command: ["sleep", "600"], stop_signal: SIGKILL }}
"#,
        prefix = world.prefix,
        image = image(),
    );
    world.file("compose.yaml", &yaml);
    yaml
}

/// As if a person had changed it a minute from now: tests do not wait.
fn change(path: &Path, text: Option<&str>) {
    if let Some(text) = text {
        std::fs::write(path, text).unwrap();
    }
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
}

async fn drift(session: &mut Session, world: &World, of: &str) -> Value {
    let shown = session.done("compose-ps", json!({"project_name": world.prefix})).await;
    let container = format!("{}-{of}-1", world.prefix);
    entry(&shown["services"], "container", &container)["drift"].clone()
}

#[tokio::test]
async fn a_newer_build_context_is_told_until_it_is_built() {
    let Some(world) = World::enter("context") else { return };
    let mut session = world.session().await;
    built(&world);
    let page = world.workspace().join("app/page");
    let deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    let up = session.done("deploy-compose", deploy.clone()).await;
    assert_eq!(up["ok"], true, "{up}");
    assert!(!up.to_string().contains("newer"), "{up}");
    assert_eq!(drift(&mut session, &world, "app").await, Value::Null);
    if engine_version() < (23, 0) {
        say("in part: this engine does not tell when an image was built");
        return;
    }

    change(&page, Some("two\n"));
    let told = drift(&mut session, &world, "app").await.to_string();
    assert!(told.contains("app/page") && told.contains("build: true"), "{told}");
    assert_eq!(drift(&mut session, &world, "plain").await, Value::Null);
    let again = session.done("deploy-compose", deploy.clone()).await;
    assert_eq!(service(&again, "app")["action"], "unchanged", "{again}");
    assert!(again["warnings"].to_string().contains("app/page"), "{again}");

    // The clock of the file is in the future; a build now is later than a change now.
    std::fs::File::options()
        .append(true)
        .open(&page)
        .unwrap()
        .set_modified(SystemTime::now())
        .unwrap();
    let mut build = deploy.clone();
    build["build"] = true.into();
    let rebuilt = session.done("deploy-compose", build.clone()).await;
    assert_eq!(service(&rebuilt, "app")["action"], "recreated", "{rebuilt}");
    assert!(!rebuilt.to_string().contains("newer"), "{rebuilt}");
    assert_eq!(drift(&mut session, &world, "app").await, Value::Null);
    let app = format!("{}-app-1", world.prefix);
    assert_eq!(world.docker(["exec", &app, "cat", "/page"]), "two");

    // Touched, and nothing else: the build finds everything in its cache and gives the old image.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let touched = std::fs::File::options().append(true).open(&page).unwrap();
    touched.set_modified(SystemTime::now()).unwrap();
    assert_ne!(drift(&mut session, &world, "app").await, Value::Null);
    session.done("deploy-compose", build).await;
    assert_eq!(drift(&mut session, &world, "app").await, Value::Null);

    // The compose file lies in the context of many projects and is in no image.
    change(&world.workspace().join("compose.yaml"), None);
    assert_eq!(drift(&mut session, &world, "app").await, Value::Null);
}

#[tokio::test]
async fn a_newer_image_of_the_same_name_is_told() {
    let Some(world) = World::enter("newer-tag") else { return };
    let mut session = world.session().await;
    built(&world);
    let deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    session.done("deploy-compose", deploy.clone()).await;
    world.file("app/page", "two\n");
    let build = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    let built = session.done("compose-build", build).await;
    assert_eq!(built["ok"], true, "{built}");
    let told = drift(&mut session, &world, "app").await.to_string();
    assert!(told.contains("is now") && !told.contains("is newer than"), "{told}");
    let up = session.done("deploy-compose", deploy).await;
    assert_eq!(service(&up, "app")["action"], "recreated", "{up}");
    assert_eq!(drift(&mut session, &world, "app").await, Value::Null);
}

#[tokio::test]
async fn a_changed_file_is_told_although_a_variable_has_no_value() {
    let Some(world) = World::enter("unset") else { return };
    let mut session = world.session().await;
    let yaml = |seconds: u32| {
        format!(
            r#"
services:
  app:
    image: {image}
    command: ["sleep", "{seconds}"]
    stop_signal: SIGKILL
    environment: {{ PW: "${{DB_PASSWORD}}" }}
  plain: {{ image: {image}, command: ["sleep", "{seconds}"], stop_signal: SIGKILL }}
"#,
            image = image(),
        )
    };
    let deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    world.file("compose.yaml", &yaml(1000));
    session.done("deploy-compose", deploy.clone()).await;
    assert_eq!(drift(&mut session, &world, "app").await, Value::Null);
    world.file("compose.yaml", &yaml(2000));
    let told = drift(&mut session, &world, "app").await.to_string();
    assert!(told.contains("its definition in"), "{told}");
    let up = session.done("deploy-compose", deploy.clone()).await;
    assert_eq!(service(&up, "app")["action"], "recreated", "{up}");

    // With a value that only its caller knew nothing can be said of what uses it.
    let mut with_value = deploy.clone();
    with_value["environment"] = json!({"DB_PASSWORD": "pippo"});
    session.done("deploy-compose", with_value).await;
    let told = drift(&mut session, &world, "app").await.to_string();
    assert!(told.contains("not compared") && told.contains("DB_PASSWORD"), "{told}");
    assert_eq!(drift(&mut session, &world, "plain").await, Value::Null);
    world.file("compose.yaml", &yaml(3000));
    let told = drift(&mut session, &world, "plain").await.to_string();
    assert!(told.contains("its definition in"), "{told}");
}

#[tokio::test]
async fn what_a_deployment_should_warn_of_is_told() {
    let Some(world) = World::enter("warnings") else { return };
    let mut session = world.session().await;
    let missing = format!("127.0.0.1:9/{}:1", world.prefix);
    let yaml = format!(
        r#"
services:
  web:
    image: {}
    command: ["sleep", "${{SECONDS_TO_SLEEP}}00"]
    environment: {{ TOKEN: "${{UNSET_TOKEN}}" }}
    ports: ["80"]
  there: {{ image: {missing} }}
"#,
        image()
    );
    let arguments = json!({
        "project_name": world.prefix, "compose_yaml": yaml, "dry_run": true,
        "environment": {"SECONDS_TO_SLEEP": "6"},
    });
    let forecast = session.done("deploy-compose", arguments).await;
    let warnings = forecast["warnings"].to_string();
    assert!(
        warnings.contains("UNSET_TOKEN") && !warnings.contains("SECONDS_TO_SLEEP"),
        "{warnings}"
    );
    assert!(warnings.contains("registry") && warnings.contains(&missing), "{warnings}");
    let open = yaml.replace("ports: [\"80\"]", "ports: [\"18080:80\"]");
    let arguments = json!({"project_name": world.prefix, "compose_yaml": open, "dry_run": true});
    let forecast = session.done("deploy-compose", arguments).await;
    let warnings = forecast["warnings"].to_string();
    assert!(warnings.contains("18080") && warnings.contains("other machines"), "{warnings}");
    assert!(world.left().is_empty());
}
