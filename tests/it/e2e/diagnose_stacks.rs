//! Stacks in which one service brings the others down: `diagnose` has to name that one.

use serde_json::{Value, json};

use super::diagnose::{STATUS, diagnose, until};
use super::world::image;
use super::{OBEDIENT, World, free_port};

/// Deploys a stack, which need not come up, and diagnoses it as a project.
async fn stack(world: &World, yaml: &str) -> Value {
    let mut session = world.session().await;
    let tools = session.tools().await;
    let yaml = yaml.replace("IMAGE", &image());
    let yaml = yaml.replace("RUN", &format!("[sh, -c, \"{}\"]", OBEDIENT.replace('$', "$$")));
    world.file("compose.yaml", &yaml);
    let arguments = json!({
        "project_name": world.prefix, "compose_file": "compose.yaml", "timeout_seconds": 8,
    });
    session.wire.call("deploy-compose", arguments).await;
    if yaml.contains("sleep 2") {
        until(world, &format!("{}-api-1", world.prefix), STATUS, &["exited"]).await;
    }
    diagnose(&mut session, &tools, json!({"project_name": world.prefix})).await
}

fn root(answer: &Value) -> (&str, &str) {
    let root = &answer["root"];
    (root["service"].as_str().unwrap_or("-"), root["cause"].as_str().unwrap_or("-"))
}

#[tokio::test]
async fn the_service_that_fails_is_named_and_not_those_that_wait_for_it() {
    let Some(world) = World::enter("dxs-crash") else { return };
    let answer = stack(
        &world,
        r#"
services:
  web: { image: IMAGE, command: RUN, depends_on: [api] }
  api:
    image: IMAGE
    command: RUN
    depends_on: { db: { condition: service_healthy } }
  db:
    image: IMAGE
    command: [sh, -c, "echo 'Error: Database is uninitialized and superuser password is not specified.'; exit 1"]
    healthcheck: { test: "true", interval: 1s }
"#,
    )
    .await;
    assert_eq!(root(&answer), ("db", "variable-missing"), "{answer}");
    assert!(answer["also"].to_string().contains("api"), "{answer}");

    // Asked about the victim, it names the same one.
    let mut session = world.session().await;
    let tools = session.tools().await;
    let victim = json!({"container_name": format!("{}-web-1", world.prefix)});
    let answer = diagnose(&mut session, &tools, victim).await;
    assert_eq!(root(&answer), ("db", "variable-missing"), "{answer}");
    assert_eq!(answer["verdict"], "failing", "{answer}");
}

#[tokio::test]
async fn a_service_that_others_cannot_find_because_it_died_is_the_root() {
    let Some(world) = World::enter("dxs-name") else { return };
    let answer = stack(
        &world,
        r#"
services:
  api: { image: IMAGE, command: [sh, -c, "sleep 2; nc db 5432"] }
  worker: { image: IMAGE, command: [sh, -c, "sleep 2; nc db 5432"], depends_on: [db] }
  db: { image: IMAGE, command: [sh, -c, "echo 'No space left on device'; exit 1"] }
"#,
    )
    .await;
    assert_eq!(root(&answer), ("db", "disk-full"), "{answer}");
}

#[tokio::test]
async fn a_service_that_never_gets_healthy_is_the_root() {
    let Some(world) = World::enter("dxs-health") else { return };
    let answer = stack(
        &world,
        r#"
services:
  api: { image: IMAGE, command: RUN, depends_on: { db: { condition: service_healthy } } }
  db:
    image: IMAGE
    command: RUN
    healthcheck: { test: "pg_isready", interval: 1s, retries: 2 }
"#,
    )
    .await;
    assert_eq!(root(&answer), ("db", "probe-missing"), "{answer}");
    assert!(answer.to_string().contains("pg_isready"), "{answer}");
}

#[tokio::test]
async fn a_service_on_another_network_and_a_wrong_name_are_told_apart() {
    let Some(world) = World::enter("dxs-net") else { return };
    let answer = stack(
        &world,
        r#"
services:
  api: { image: IMAGE, command: [sh, -c, "sleep 2; nc db 5432"], networks: [front] }
  db: { image: IMAGE, command: RUN, networks: [back] }
networks: { front: {}, back: {} }
"#,
    )
    .await;
    assert_eq!(root(&answer), ("api", "other-network"), "{answer}");
    assert!(
        answer["root"]["fix"].to_string().contains(&format!("{}_back", world.prefix)),
        "{answer}"
    );
    assert_eq!(answer["root"]["where"], "compose.yaml:3 (services.api.networks)");

    let Some(world) = World::enter("dxs-typo") else { return };
    let answer = stack(
        &world,
        r#"
services:
  api: { image: IMAGE, command: [sh, -c, "sleep 2; nc postgers 5432"] }
  postgres: { image: IMAGE, command: RUN }
"#,
    )
    .await;
    assert_eq!(root(&answer), ("api", "name-unknown"), "{answer}");
    assert!(answer["root"]["fix"].as_str().unwrap().contains("postgres"), "{answer}");
}

#[tokio::test]
async fn a_service_that_does_not_listen_is_told_with_its_port() {
    let Some(world) = World::enter("dxs-port") else { return };
    let answer = stack(
        &world,
        r#"
services:
  api: { image: IMAGE, command: [sh, -c, "sleep 2; wget -O- http://db:5432/"] }
  db: { image: IMAGE, command: RUN }
"#,
    )
    .await;
    assert_eq!(root(&answer), ("api", "dependency-refuses"), "{answer}");
    assert!(answer["root"]["why"].as_str().unwrap().contains("db"), "{answer}");
    assert!(answer["root"]["why"].as_str().unwrap().contains("5432"), "{answer}");
}

#[tokio::test]
async fn a_port_that_another_container_holds_is_told_with_the_holder() {
    let Some(world) = World::enter("dxs-taken") else { return };
    let (port, holder) = world.taken_port();
    let yaml = r#"
services:
  web: { image: IMAGE, command: RUN, ports: ["127.0.0.1:PORT:80"], depends_on: [db] }
  db: { image: IMAGE, command: RUN }
"#;
    let answer = stack(&world, &yaml.replace("PORT", &port.to_string())).await;
    assert_eq!(root(&answer), ("web", "port-taken"), "{answer}");
    assert!(answer["root"]["why"].as_str().unwrap().contains(&holder), "{answer}");
}

#[tokio::test]
async fn an_image_that_is_not_here_is_the_cause_that_nothing_runs() {
    let Some(world) = World::enter("dxs-image") else { return };
    let missing = format!("127.0.0.1:{}/{}:1", free_port(), world.prefix);
    let yaml = format!(
        "name: {}\nservices:\n  web: {{ image: IMAGE, command: RUN, depends_on: [api] }}\n  api: {{ image: '{missing}' }}\n",
        world.prefix
    );
    let answer = stack(&world, &yaml).await;
    assert_eq!(root(&answer), ("api", "image-missing"), "{answer}");
    assert!(answer["next"].to_string().contains("pull-image"), "{answer}");
    assert!(answer["root"]["why"].as_str().unwrap().contains(&missing), "{answer}");

    // The same beside services that are there already.
    let Some(world) = World::enter("dxs-added") else { return };
    stack(&world, "services:\n  web: { image: IMAGE, command: RUN }\n").await;
    let yaml = format!(
        "services:\n  web: {{ image: IMAGE, command: RUN }}\n  api: {{ image: '{missing}' }}\n"
    );
    let answer = stack(&world, &yaml).await;
    assert_eq!(root(&answer), ("api", "image-missing"), "{answer}");
}

#[tokio::test]
async fn a_stack_is_healthy_until_its_file_changes() {
    let Some(world) = World::enter("dxs-well") else { return };
    let yaml = r#"
services:
  web: { image: IMAGE, command: RUN, depends_on: { db: { condition: service_healthy } } }
  db: { image: IMAGE, command: RUN, healthcheck: { test: "true", interval: 1s } }
  job: { image: IMAGE, command: [sh, -c, "echo migrated"] }
"#;
    let answer = stack(&world, yaml).await;
    assert_eq!(answer["verdict"], "healthy", "{answer}");
    let told = answer["evidence"].to_string();
    assert!(told.contains("job: ended with exit code 0") && told.contains("healthy"), "{answer}");

    let file = world.workspace().join("compose.yaml");
    let changed = std::fs::read_to_string(&file).unwrap();
    let changed = changed.replace("interval: 1s }", "interval: 1s }, environment: { NEW: \"1\" }");
    std::fs::write(&file, changed).unwrap();
    let mut session = world.session().await;
    let tools = session.tools().await;
    let answer = diagnose(&mut session, &tools, json!({"project_name": world.prefix})).await;
    assert_eq!(
        (root(&answer), &answer["verdict"]),
        (("db", "drift"), &json!("warning")),
        "{answer}"
    );
    assert!(answer["next"].to_string().contains("deploy-compose"), "{answer}");

    // A service that a person stopped.
    session.done("compose-stop", json!({"project_name": world.prefix, "services": ["db"]})).await;
    let answer = diagnose(&mut session, &tools, json!({"project_name": world.prefix})).await;
    assert_eq!(
        (root(&answer), &answer["verdict"]),
        (("db", "stopped"), &json!("warning")),
        "{answer}"
    );
}
