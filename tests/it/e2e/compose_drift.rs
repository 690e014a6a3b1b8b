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

/// What compose-ps, a dry run and diagnose say of services.
async fn judged(session: &mut Session, world: &World, of: &[&str]) -> (String, Value, Value) {
    let shown = session.done("compose-ps", json!({"project_name": world.prefix})).await;
    let dry =
        json!({"project_name": world.prefix, "compose_file": "compose.yaml", "dry_run": true});
    let forecast = session.done("deploy-compose", dry).await;
    let actions = of.iter().map(|of| format!("{of} {}", service(&forecast, of)["action"]));
    let diagnosis = session.done("diagnose", json!({"project_name": world.prefix})).await;
    (actions.collect::<Vec<_>>().join(", "), shown, diagnosis)
}

#[tokio::test]
async fn what_compose_would_leave_alone_is_no_drift() {
    let Some(world) = World::enter("judge") else { return };
    let mut session = world.session().await;
    let run = format!("image: {}, command: [sleep, \"600\"], stop_signal: SIGKILL", image());
    let yaml = format!(
        r#"
services:
  web: {{ {run}, env_file: x.env, depends_on: {{ debug: {{ condition: service_started, required: false }} }} }}
  side: {{ {run}, network_mode: "service:web" }}
  tail: {{ {run}, pid: "service:side" }}
  debug: {{ {run}, profiles: [debug] }}
  plain: {{ {run} }}
"#
    );
    let file = world.file("compose.yaml", &yaml);
    world.file("x.env", "A=1\n");
    let services = ["plain", "side", "tail", "web"];
    let file = file.to_str().unwrap();
    world.docker(["compose", "--project-name", &world.prefix, "--file", file, "up", "--detach"]);
    let (actions, shown, diagnosis) = judged(&mut session, &world, &services).await;
    assert!(!shown.to_string().contains("drift"), "{shown}");
    assert!(!actions.contains("recreate") && actions.contains("web \"unchanged\""), "{actions}");
    assert_eq!(diagnosis["verdict"], "healthy", "{diagnosis}");

    world.file("x.env", "A=2\n");
    let (actions, shown, diagnosis) = judged(&mut session, &world, &services).await;
    let web = format!("{}-web-1", world.prefix);
    let told = entry(&shown["services"], "container", &web)["drift"].to_string();
    assert!(told.contains("its definition in"), "{shown}");
    assert_eq!(shown.to_string().matches("drift").count(), 1, "{shown}");
    assert_eq!(diagnosis["root"]["cause"], "drift", "{diagnosis}");
    let new = r#"plain "unchanged", side "recreate", tail "recreate", web "recreate""#;
    assert_eq!(actions, new);
    let deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    let up = session.done("deploy-compose", deploy).await;
    let done = services.map(|of| service(&up, of)["action"].as_str().unwrap().to_owned());
    assert_eq!(done, ["unchanged", "recreated", "recreated", "recreated"], "{up}");
    let (actions, shown, diagnosis) = judged(&mut session, &world, &services).await;
    assert!(!shown.to_string().contains("drift") && !actions.contains("recreate"), "{shown}");
    assert_eq!(diagnosis["verdict"], "healthy", "{diagnosis}");

    // What the one depends on that is to be made anew is left alone.
    let forced = json!({
        "project_name": world.prefix, "compose_file": "compose.yaml", "services": ["side"],
        "force_recreate": true, "dry_run": true,
    });
    let forecast = session.done("deploy-compose", forced).await;
    assert_eq!(service(&forecast, "side")["action"], "recreate", "{forecast}");
    assert_eq!(service(&forecast, "web")["action"], "unchanged", "{forecast}");
}

/// What compose makes of a network or a name of a volume that is another one, the versions decide
/// in different ways: those of the old test engine leave the containers as they are.
#[tokio::test]
async fn a_network_or_volume_that_is_another_one_is_not_called_unchanged() {
    let Some(world) = World::enter("judge-networks") else { return };
    let mut session = world.session().await;
    let yaml = |network: &str, volume: &str| {
        format!(
            r#"
services:
  web: {{ image: {image}, command: [sleep, "600"], stop_signal: SIGKILL, networks: [net] }}
  db: {{ image: {image}, command: [sleep, "600"], stop_signal: SIGKILL, volumes: ["data:/d"] }}
networks:
  net: {{ labels: {{ x: "a<b&c" }}{network} }}
volumes:
  data: {{ labels: {{ a: b }}{volume} }}
"#,
            image = image()
        )
    };
    let of = ["db", "web"];
    let usual = yaml("", "");
    let file = world.file("compose.yaml", &usual);
    let person = ["compose", "--project-name", &world.prefix, "--file", file.to_str().unwrap()];
    let up = [&person[..], &["up", "--detach"]].concat();
    assert!(world.try_docker_with(&up).status.success());
    let (actions, ..) = judged(&mut session, &world, &of).await;
    assert_eq!(actions, r#"db "unchanged", web "unchanged""#);

    let new = if engine_version() < (28, 0) { "unchanged" } else { "unknown" };
    for (network, volume, actions) in [
        (", internal: true", "", format!(r#"db "unchanged", web "{new}""#)),
        (", attachable: true", "", format!(r#"db "unchanged", web "{new}""#)),
        (&format!(", name: {}_other", world.prefix), "", format!(r#"db "unchanged", web "{new}""#)),
        ("", &format!(", name: {}_other", world.prefix), format!(r#"db "{new}", web "unchanged""#)),
    ] {
        world.file("compose.yaml", &yaml(network, volume));
        let (judged, shown, _) = judged(&mut session, &world, &of).await;
        assert_eq!(judged, actions, "{network}{volume}");
        assert!(!shown.to_string().contains("drift"), "{shown}");
    }
    world.file("compose.yaml", &usual);
    let web = format!("{}-web-1", world.prefix);
    world.docker(["network", "disconnect", &format!("{}_net", world.prefix), &web]);
    let (actions, ..) = judged(&mut session, &world, &of).await;
    assert_eq!(actions, format!(r#"db "unchanged", web "{new}""#));
    let deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    assert_eq!(session.done("deploy-compose", deploy).await["ok"], true);
}

#[tokio::test]
async fn each_container_is_compared_with_the_file_that_it_is_from() {
    let Some(world) = World::enter("folders") else { return };
    let mut session = world.session().await;
    let yaml = |seconds: u32| {
        let image = image();
        format!(
            r#"
services:
  api: {{ image: {image}, command: [sleep, "{seconds}"], stop_signal: SIGKILL }}
  web: {{ image: {image}, command: [sleep, "{seconds}"], stop_signal: SIGKILL }}
"#
        )
    };
    for (folder, service, seconds) in [("one", "api", 1000), ("two", "web", 2000)] {
        let file = world.file(&format!("{folder}/compose.yaml"), &yaml(seconds));
        let file = format!("--file={}", file.to_str().unwrap());
        let name = format!("--project-name={}", world.prefix);
        world.docker(["compose", &name, &file, "up", "--detach", service]);
    }
    for of in ["api", "web"] {
        assert_eq!(drift(&mut session, &world, of).await, Value::Null, "{of}");
    }
    world.file("two/compose.yaml", &yaml(3000));
    let told = drift(&mut session, &world, "web").await.to_string();
    assert!(told.contains("two/compose.yaml"), "{told}");
    assert_eq!(drift(&mut session, &world, "api").await, Value::Null);
}

#[tokio::test]
async fn a_mounted_file_that_was_written_since_is_told_until_the_restart() {
    let Some(world) = World::enter("written") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  web:
    image: {}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    volumes: ["./web.conf:/etc/web.conf:ro", "./app.log:/app.log"]
"#,
        image()
    );
    world.file("compose.yaml", &yaml);
    let [conf, log] = ["web.conf", "app.log"].map(|name| world.file(name, "one\n"));
    let deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    session.done("deploy-compose", deploy.clone()).await;
    assert_eq!(drift(&mut session, &world, "web").await, Value::Null);

    change(&conf, Some("two\n"));
    change(&log, Some("a line\n"));
    let told = drift(&mut session, &world, "web").await.to_string();
    assert!(told.contains("web.conf has changed since it started: restart"), "{told}");
    assert!(!told.contains("app.log"), "{told}");
    let again = session.done("deploy-compose", deploy).await;
    assert!(again["warnings"].to_string().contains("web.conf has changed"), "{again}");
    let web = format!("{}-web-1", world.prefix);
    let answer = session.done("diagnose", json!({"container_name": web})).await;
    assert_eq!(answer["root"]["cause"], "file-changed", "{answer}");
    assert!(answer["next"].to_string().contains("restart-container"), "{answer}");

    // Of now, and not of a minute from now.
    let file = std::fs::File::options().append(true).open(&conf).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
    session.done("restart-container", json!({"container_name": web, "timeout_seconds": 0})).await;
    assert_eq!(drift(&mut session, &world, "web").await, Value::Null);
}

#[tokio::test]
async fn a_volume_that_hides_files_of_the_newer_image_is_told() {
    let Some(world) = World::enter("covers") else { return };
    if engine_version() < (23, 0) {
        say("skipped: the builder of this engine does not tell what it copied");
        return;
    }
    let mut session = world.session().await;
    let dockerfile = format!("FROM {}\nLABEL {}\nWORKDIR /app\nCOPY . .\n", image(), world.label);
    world.file("app/Dockerfile", &dockerfile);
    let page = world.file("app/templates/page", "one\n");
    world.file("app/data/seed", "one\n");
    let yaml = format!(
        r#"
services:
  app:
    build: ./app
    image: {prefix}-app
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    volumes: ["templates:/app/templates", "data:/app/data"]
volumes: {{ templates: {{}}, data: {{}} }}
"#,
        prefix = world.prefix,
    );
    world.file("compose.yaml", &yaml);
    let mut deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    let up = session.done("deploy-compose", deploy.clone()).await;
    assert!(!up["warnings"].to_string().contains("covers"), "{up}");
    assert_eq!(drift(&mut session, &world, "app").await, Value::Null);

    // Docker tells the age of volumes and of layers in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    change(&page, Some("two\n"));
    deploy["build"] = true.into();
    let up = session.done("deploy-compose", deploy).await;
    let volume = format!("volume {}_templates covers /app/templates", world.prefix);
    assert!(up["warnings"].to_string().contains(&volume), "{up}");
    assert!(!up.to_string().contains("/app/data"), "{up}");
    let container = format!("{}-app-1", world.prefix);
    assert_eq!(world.docker(["exec", &container, "cat", "/app/templates/page"]), "one");
    let told = drift(&mut session, &world, "app").await.to_string();
    assert!(told.contains(&volume), "{told}");
    // A context that is newer than the image is told first, with the volume.
    let answer = session.done("diagnose", json!({"project_name": world.prefix})).await;
    assert_eq!(answer["root"]["cause"], "sources-newer", "{answer}");
    assert!(answer.to_string().contains(&volume), "{answer}");
    assert_eq!(answer["root"]["where"], "compose.yaml:8 (services.app.volumes.0)", "{answer}");
    let file = std::fs::File::options().append(true).open(&page).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
    session.done("compose-build", json!({"project_name": world.prefix})).await;
    let answer = session.done("diagnose", json!({"project_name": world.prefix})).await;
    assert_eq!(answer["root"]["cause"], "volume-covers", "{answer}");
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

    // With a value that only its caller knew nothing is said of what uses it.
    let mut with_value = deploy.clone();
    with_value["environment"] = json!({"DB_PASSWORD": "pippo"});
    session.done("deploy-compose", with_value).await;
    assert_eq!(drift(&mut session, &world, "app").await, Value::Null);
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
