//! The further tools for a compose project: looked at, checked, built, stopped, entered.

use serde_json::{Value, json};

use super::compose::service;
use super::session::entry;
use super::world::image;
use super::{OBEDIENT, Session, World, free_port};

/// Two services that run, with a file in the project folder.
async fn two_services(world: &World, session: &mut Session) {
    let yaml = format!(
        r#"
services:
  web:
    image: {image}
    command: ["sh", "-c", "echo web is up; echo web complains >&2; {obedient}"]
    environment: {{ GREETING: "hello" }}
    depends_on: [db]
  db:
    image: {image}
    command: ["sh", "-c", "echo db is up; {obedient}"]
"#,
        image = image(),
        obedient = OBEDIENT.replace('$', "$$"),
    );
    world.file("compose.yaml", &yaml);
    let arguments = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    let up = session.done("deploy-compose", arguments).await;
    assert_eq!(up["ok"], true, "{up}");
}

#[tokio::test]
async fn a_project_is_listed_and_its_logs_are_read_together() {
    let Some(world) = World::enter("compose-logs") else { return };
    let mut session = world.session().await;
    two_services(&world, &mut session).await;

    let listed = session.done("list-compose-projects", json!({"all": true})).await;
    let project = entry(&listed["projects"], "name", &world.prefix);
    assert!(project["status"].to_string().contains("running"), "{listed}");

    let by_name = json!({"project_name": world.prefix});
    let logs = session.text("compose-logs", by_name.clone()).await;
    for said in ["web is up", "web complains", "db is up"] {
        let line = logs.lines().find(|line| line.contains(said)).unwrap();
        assert!(line.starts_with(&said[..2]), "each line tells its service: {logs}");
    }
    let mut only = by_name.clone();
    only["services"] = json!(["db"]);
    let logs = session.text("compose-logs", only.clone()).await;
    assert!(logs.contains("db is up") && !logs.contains("web"), "{logs}");
    only["services"] = json!(["absent"]);
    session.fails("DKR-004", "compose-logs", only).await;
    let mut matching = by_name;
    matching["grep"] = json!("complains");
    let logs = session.text("compose-logs", matching).await;
    assert!(logs.contains("web complains") && !logs.contains("is up"), "{logs}");
    session.fails("DKR-008", "compose-logs", json!({"project_name": world.name("absent")})).await;
}

#[tokio::test]
async fn a_project_is_stopped_started_and_restarted() {
    let Some(world) = World::enter("compose-stop") else { return };
    let mut session = world.session().await;
    two_services(&world, &mut session).await;
    let [db, web] = ["db", "web"].map(|of| format!("{}-{of}-1", world.prefix));
    let arguments = |more: Value| {
        let mut arguments = json!({"project_name": world.prefix});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };

    session.done("compose-stop", arguments(json!({"dry_run": true}))).await;
    assert_eq!(world.state(&web), "running");
    let stopped = session.done("compose-stop", arguments(json!({"services": ["web"]}))).await;
    assert_eq!(service(&stopped, "web")["state"], "exited", "{stopped}");
    assert_eq!((world.state(&web), world.state(&db)), ("exited".into(), "running".into()));
    let started = session.done("compose-start", arguments(json!({}))).await;
    assert_eq!(service(&started, "web")["state"], "running", "{started}");
    assert_eq!(world.state(&web), "running");

    let before = [&db, &web].map(|name| world.look(name, "{{.Id}} {{.State.StartedAt}}"));
    let restarted = session.done("compose-restart", arguments(json!({"timeout_seconds": 5}))).await;
    assert_eq!(restarted["ok"], true, "{restarted}");
    let after = [&db, &web].map(|name| world.look(name, "{{.Id}} {{.State.StartedAt}}"));
    for (before, after) in before.iter().zip(&after) {
        assert_ne!(before, after);
        assert_eq!(before.split(' ').next(), after.split(' ').next(), "the same container");
    }
    for tool in ["compose-stop", "compose-start", "compose-restart"] {
        session.fails("DKR-004", tool, arguments(json!({"services": ["absent"]}))).await;
        session.fails("DKR-008", tool, json!({"project_name": world.name("absent")})).await;
    }
}

#[tokio::test]
async fn a_command_runs_in_a_service_and_beside_it() {
    let Some(world) = World::enter("compose-exec") else { return };
    let mut session = world.session().await;
    two_services(&world, &mut session).await;
    let script = "echo $GREETING $MORE; echo careful >&2; cat; exit 4";
    let arguments = json!({
        "project_name": world.prefix, "service": "web", "command": ["sh", "-c", script],
        "environment": {"MORE": "from exec"}, "stdin": "fed\n",
    });
    let told = session.wire.call("compose-exec", arguments).await.to_string();
    for part in ["hello from exec", "careful", "fed"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.contains("exit_code\\\":4") || told.contains("exit code 4"), "{told}");

    let nobody = json!({
        "project_name": world.prefix, "service": "web", "command": "true", "user": "nouser",
    });
    let told = session.fails("DKR-023", "compose-exec", nobody).await;
    assert!(told.contains("hint: the image has no such user"), "{told}");

    let containers =
        || world.docker(["ps", "--all", "--quiet", "--filter", &format!("name={}", world.prefix)]);
    let before = containers();
    let arguments = json!({
        "project_name": world.prefix, "service": "web", "compose_file": "compose.yaml",
        "command": ["sh", "-c", "echo beside $GREETING; hostname; exit 5"],
    });
    let told = session.wire.call("compose-run", arguments).await.to_string();
    assert!(told.contains("beside hello"), "{told}");
    assert!(told.contains("exit_code\\\":5") || told.contains("exit code 5"), "{told}");
    assert_eq!(containers(), before, "it is removed afterwards");
}

#[tokio::test]
async fn a_file_is_checked_with_all_its_problems_and_nothing_is_created() {
    let Some(world) = World::enter("compose-config") else { return };
    let mut session = world.session().await;
    let yaml = "services:\n  web:\n    image: x:${TAG}\n    ports: ['8080:80']\n    \
                environment: {API_KEY: not-to-be-seen-12345}\n";
    let arguments =
        json!({"project_name": world.prefix, "compose_yaml": yaml, "include": ["model"]});
    let checked = session.done("compose-config", arguments).await;
    assert_eq!(checked["valid"], true, "{checked}");
    assert!(checked["problems"].to_string().contains("TAG"), "unset: {checked}");
    assert!(!checked.to_string().contains("not-to-be-seen"), "{checked}");
    let wrong = "services:\n  web:\n    imgae: x\n";
    let arguments = json!({"project_name": world.prefix, "compose_yaml": wrong});
    let checked = session.done("compose-config", arguments).await;
    assert_eq!(checked["valid"], false, "{checked}");
    assert!(checked["problems"].to_string().contains("imgae"), "{checked}");
    assert!(world.left().is_empty(), "{:?}", world.left());
}

#[tokio::test]
async fn images_of_a_project_are_built_and_pulled_and_failures_told() {
    let Some(world) = World::enter("compose-build") else { return };
    let mut session = world.session().await;
    let dockerfile = |step: &str| format!("FROM {}\nLABEL {}\n{step}\n", image(), world.label);
    world.file("app/Dockerfile", &dockerfile("RUN echo well > /built"));
    let app = format!("{}-app", world.prefix);
    let missing = format!("127.0.0.1:{}/{}:1", free_port(), world.prefix);
    let yaml = format!(
        "services:\n  app: {{ build: ./app, image: '{app}' }}\n  web: {{ image: '{missing}' }}\n"
    );
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let built = session.done("compose-build", arguments.clone()).await;
    assert_eq!(built["ok"], true, "{built}");
    assert!(world.exists("image", &app));
    let pulled = session.wire.call("compose-pull", arguments.clone()).await.to_string();
    assert!(pulled.contains("web") && pulled.contains("refused"), "{pulled}");

    world.file("app/Dockerfile", &dockerfile("RUN echo the cause >&2 && exit 9"));
    let failed = session.wire.call("compose-build", arguments).await.to_string();
    assert!(failed.contains("the cause"), "{failed}");
    assert!(
        world
            .docker(["ps", "--all", "--quiet", "--filter", &format!("name={}", world.prefix)])
            .is_empty()
    );
}
