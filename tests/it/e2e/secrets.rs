//! What is hidden and what is not, over a whole session.

use serde_json::{Value, json};

use super::session::Session;
use super::world::image;
use super::{OBEDIENT, World};

/// The password of both services is the name of one, of a volume and of the database.
fn named_like_its_password(world: &World) -> String {
    let script = format!("echo paperless is ready on paperless-db; {OBEDIENT}").replace('$', "$$");
    format!(
        r#"
services:
  paperless:
    image: {image}
    labels: ["{label}"]
    command: ["sh", "-c", "{script}"]
    environment: {{PAPERLESS_DBHOST: db, PAPERLESS_DBPASS: paperless, EMPTY: "", NO_TOKEN: ""}}
  db:
    image: {image}
    labels: ["{label}"]
    command: ["sh", "-c", "{script}"]
    environment:
      POSTGRES_DB: paperless
      POSTGRES_PASSWORD: paperless
      ADMIN_PASSWORD: kestrel41moth
    volumes: ["paperless-data:/d"]
volumes:
  paperless-data:
    labels: ["{label}"]
"#,
        image = image(),
        label = world.label,
    )
}

async fn told(session: &mut Session, tool: &str, arguments: Value) -> String {
    let result = session.wire.call(tool, arguments.clone()).await;
    assert_ne!(result["isError"], true, "{tool} {arguments}: {result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_password_that_is_a_name_too_hides_no_name() {
    let Some(world) = World::enter("secrets") else { return };
    let mut session = world.session().await;
    world.file("compose.yaml", &named_like_its_password(&world));
    let project = world.prefix.clone();
    let db = format!("{project}-db-1");
    let volume = format!("{project}_paperless-data");
    let deploy = json!({"project_name": project, "compose_file": "compose.yaml"});
    for (tool, arguments, shown) in [
        ("deploy-compose", deploy, "\"service\":\"paperless\""),
        ("compose-ps", json!({"project_name": project}), "\"service\":\"paperless\""),
        ("list-volumes", json!({"filters": {"name": project}}), volume.as_str()),
        ("inspect-volume", json!({"name": volume}), volume.as_str()),
        ("get-logs", json!({"container_name": db}), "paperless is ready on paperless-db"),
        ("compose-logs", json!({"project_name": project}), "paperless is ready on paperless-db"),
        ("diagnose", json!({"project_name": project}), "paperless: running"),
    ] {
        let told = told(&mut session, tool, arguments).await;
        assert!(told.contains(shown) && !told.contains("REDACTED"), "{tool}: {told}");
    }
    let include = json!(["env", "labels"]);
    let arguments = json!({"container_name": db, "include": include});
    let inspected = session.done("inspect-container", arguments).await;
    let variables = &inspected["environment"];
    assert_eq!(variables["POSTGRES_DB"], "paperless", "{inspected}");
    assert_eq!(variables["POSTGRES_PASSWORD"], "[REDACTED]", "{inspected}");
    assert_eq!(variables["ADMIN_PASSWORD"], "[REDACTED]", "{inspected}");

    // Beside its key it is hidden in any text, and the other one, which is no name, everywhere.
    let script = "env; echo of kestrel41moth; printf kestrel41moth | base64";
    let arguments = json!({"container_name": db, "command": ["sh", "-c", script]});
    let ran = session.done("exec-container", arguments).await;
    let stdout = ran["stdout"].as_str().unwrap();
    for line in
        ["POSTGRES_DB=paperless", "POSTGRES_PASSWORD=[REDACTED]", "of [REDACTED]", "[REDACTED]"]
    {
        assert!(stdout.lines().any(|one| one == line), "{line}: {stdout}");
    }

    let web = json!({"container_name": format!("{project}-paperless-1"), "include": include});
    let inspected = session.done("inspect-container", web).await;
    let variables = &inspected["environment"];
    assert_eq!(variables["PAPERLESS_DBPASS"], "[REDACTED]", "{inspected}");
    // An empty one is there, and empty.
    assert_eq!((&variables["EMPTY"], &variables["NO_TOKEN"]), (&json!(""), &json!("")));
}

#[tokio::test]
async fn an_empty_variable_or_label_is_there_and_empty() {
    let Some(world) = World::enter("empty") else { return };
    let mut session = world.session().await;
    let options = ["--env=PASSWORD=", "--env=MODE=", "--label=flag", "--label=token="];
    let name = world.make("main", &options, &["true"]);
    let include = json!(["env", "labels", "raw"]);
    let arguments = json!({"container_name": name, "include": include});
    let told = session.done("inspect-container", arguments).await;
    for at in ["/environment/PASSWORD", "/environment/MODE", "/labels/flag", "/labels/token"] {
        assert_eq!(told.pointer(at), Some(&json!("")), "{at}: {told}");
    }
    assert_eq!(told["raw"]["Config"]["Labels"]["flag"], "", "{told}");

    let volume = world.name("data");
    let label = format!("--label={}", world.label);
    world.docker(["volume", "create", "--label=flag", &label, &volume]);
    let told = session.done("inspect-volume", json!({"name": volume})).await;
    assert_eq!(told["labels"]["flag"], "", "{told}");
}
