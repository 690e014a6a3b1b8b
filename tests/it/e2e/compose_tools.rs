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

/// The reason is the variable, and what compose says is only its consequence.
#[tokio::test]
async fn a_file_that_fails_is_told_with_the_variables_that_it_lacks() {
    let Some(world) = World::enter("compose-unset") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        "services:\n  app:\n    image: {image}\n    volumes: [\"${{UPLOAD_LOCATION}}:/data\"]\n    \
         environment: {{DB_PASSWORD: \"${{DB_PASSWORD}}\"}}\n",
        image = image()
    );
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let checked = session.done("compose-config", arguments.clone()).await;
    assert_eq!(checked["valid"], false, "{checked}");
    let problem = |variable: &str| {
        let mut problems = checked["problems"].as_array().unwrap().iter();
        let is_it = |problem: &&Value| problem["message"].to_string().contains(variable);
        let found = problems.find(is_it).unwrap_or_else(|| panic!("{variable}: {checked}"));
        ["kind", "key", "line"].map(|field| found[field].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(problem("UPLOAD_LOCATION"), ["unset_variable", "services.app.volumes.0", "4"]);
    let password = ["unset_variable", "services.app.environment.DB_PASSWORD", "5"];
    assert_eq!(problem("DB_PASSWORD"), password);
    let hints =
        checked["problems"].as_array().unwrap().iter().filter(|it| it.get("hint").is_some());
    assert_eq!(hints.count(), 1, "the same is said once: {checked}");
    let failed = session.fails("DKR-004", "deploy-compose", arguments).await;
    assert!(failed.contains("UPLOAD_LOCATION") && failed.contains("line 4"), "{failed}");
    // Two mounts of one rule are two problems.
    let yaml = format!(
        "services:\n  app:\n    image: {image}\n    volumes:\n      - /etc:/a\n      - /usr:/b\n    env_file: /etc/shadow\n",
        image = image()
    );
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let checked = session.done("compose-config", arguments).await;
    let only = &checked["problems"].as_array().unwrap()[..];
    assert!(only.len() == 1 && only[0]["key"] == "services.app.env_file", "{checked}");
    assert_eq!(only[0]["line"], "7", "{checked}");
    let yaml = yaml.replace("    env_file: /etc/shadow\n", "");
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let checked = session.done("compose-config", arguments).await;
    let lines: Vec<_> =
        checked["problems"].as_array().unwrap().iter().map(|it| &it["line"]).collect();
    assert_eq!(lines, ["5", "6"], "{checked}");
    assert!(world.left().is_empty(), "{:?}", world.left());
}

#[tokio::test]
async fn all_files_that_are_not_there_are_told_at_once() {
    let Some(world) = World::enter("compose-absent") else { return };
    let mut session = world.session().await;
    world.file("there.env", "A=1\n");
    let yaml = format!(
        r"
services:
  a: {{ image: {image}, env_file: a.env }}
  b:
    image: {image}
    env_file: [there.env, b.env, {{ path: may.env, required: false }}]
  c: {{ image: {image}, env_file: sub/c.env, hostname: c }}
  off: {{ image: {image}, env_file: off.env, profiles: [off] }}
",
        image = image()
    );
    let call = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let checked = session.done("compose-config", call.clone()).await;
    let problems = checked["problems"].as_array().unwrap().iter();
    let mut told: Vec<String> =
        problems.map(|it| format!("{} {}", it["line"], it["key"])).collect();
    told.sort();
    let all = [
        r#""3" "services.a.env_file""#,
        r#""6" "services.b.env_file.1""#,
        r#""7" "services.c.env_file""#,
    ];
    assert_eq!(told, all, "{checked}");
    let failed = session.fails("DKR-004", "deploy-compose", call).await;
    for file in ["a.env", "b.env", "sub/c.env"] {
        assert!(failed.contains(file), "{failed}");
    }
    assert!(!failed.contains("off.env") && !failed.contains("may.env"), "{failed}");

    let yaml = "include: [one.yaml, {path: two.yaml}]\nservices:\n  a: {extends: {file: three.yaml, service: a}}\n";
    let call = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let failed = session.fails("DKR-004", "deploy-compose", call).await;
    for file in ["one.yaml", "two.yaml", "three.yaml"] {
        assert!(failed.contains(file), "{failed}");
    }
}

/// What compose takes is taken, and what it would read is judged as compose finds it.
#[tokio::test]
async fn files_are_read_as_compose_reads_them() {
    let Some(world) = World::enter("compose-reads") else { return };
    let mut session = world.session().await;
    let head = format!("services:\n  web:\n    image: {}\n", image());
    for (name, more) in [
        (
            "bracket",
            "    healthcheck:\n      test: [\n        \"CMD\",\n        \"true\"\n      ]\n      interval: 5s\n",
        ),
        ("column 0", "    command: [\"sleep\",\n      \"600\"\n]\n"),
        ("left", "    labels:\n      a: \"one\n  two\"\n"),
        ("tabs", "    hostname:\tx\n    command: [\tsleep,\t\"600\"\t]\n"),
        ("end", "    hostname: x\n...\n"),
        ("documents", "---\nservices:\n  web:\n    hostname: x\n"),
        ("escape", "    command: [sh, -c, \"echo \\'x\\'\"]\n"),
        ("colon", "    command: [a:, b]\n"),
        ("tag", "    labels: !custom {a: b}\n"),
    ] {
        let yaml = format!("{head}{more}");
        let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
        let checked = session.done("compose-config", arguments).await;
        assert_eq!(checked["valid"], true, "{name}: {checked}");
    }
    world.file("app.env", "A=from the file\n");
    world.file("sub/inc.yaml", &format!("{}    env_file: $FILE.env\n", head.replace("web", "inc")));
    world.file("sub/own.env", "FILE=../app\n");
    world.file(".env", "DIR=.\nINC=sub\n");
    world.file(
        "compose.yaml",
        &format!("include: [{{path: $INC/inc.yaml, env_file: '${{INC}}/own.env'}}]\n{head}    env_file: ['${{DIR}}/app.env', '${{GIVEN}}/app.env', '${{X:-.}}/app.env']\n"),
    );
    let arguments = json!({
        "project_name": world.prefix, "compose_file": "compose.yaml",
        "environment": {"GIVEN": "sub/.."}, "include": ["model"],
    });
    let checked = session.done("compose-config", arguments).await;
    for service in ["web", "inc"] {
        let read = &checked["model"]["services"][service]["environment"]["A"];
        assert_eq!(read, "from the file", "{checked}");
    }
    world.file(".env", "DIR=/etc\nINC=sub\n");
    let arguments = json!({"compose_file": "compose.yaml", "environment": {"GIVEN": "."}});
    let checked = session.done("compose-config", arguments).await;
    assert!(checked["problems"].to_string().contains("/etc/app.env"), "{checked}");
    // A `.env` that is not written yet is missing, and compose goes on without it.
    std::fs::remove_file(world.workspace().join(".env")).unwrap();
    std::os::unix::fs::symlink("later.env", world.workspace().join(".env")).unwrap();
    let arguments = json!({
        "compose_file": "a.yaml:b.yaml", "environment": {"GIVEN": "."}, "project_name": world.prefix,
    });
    world.file("a.yaml", &head);
    world.file("b.yaml", "services: {web: {hostname: b}}\n");
    let checked = session.done("compose-config", arguments).await;
    assert_eq!(checked["valid"], true, "{checked}");
    assert!(checked["problems"].to_string().contains("later.env"), "{checked}");
}

/// A small file that would be large in compose's memory, or on this machine.
#[tokio::test]
async fn what_a_file_asks_for_has_limits() {
    let Some(world) = World::enter("compose-large") else { return };
    let mut session = world.session().await;
    let head = format!("services:\n  web:\n    image: {}\n", image());
    let uses = |count: usize| vec!["*a"; count].join(",");
    let aliases = format!("x-a: &a [{}]\nx-b: [{}]\n{head}", "x,".repeat(1000), uses(1000));
    let ports = format!("{head}    ports: ['1-65535:1-65535', '1-65535:1-65535/udp']\n");
    let replicas: String =
        (0..40).map(|i| format!("  s{i}: {{image: x, deploy: {{replicas: 20}}}}\n")).collect();
    for (yaml, rule, limit) in [
        (aliases, "compose.too_large", "100000"),
        (ports, "container.limit", "2000"),
        (format!("services:\n{replicas}"), "container.limit", "200"),
    ] {
        let begun = std::time::Instant::now();
        let arguments =
            json!({"project_name": world.prefix, "compose_yaml": yaml, "dry_run": true});
        let refused = session.fails("DKR-014", "deploy-compose", arguments).await;
        assert!(refused.contains(rule) && refused.contains(limit), "{refused}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    let scale: serde_json::Map<String, Value> =
        (0..3).map(|i| (format!("s{i}"), json!(100))).collect();
    let services: String = (0..3).map(|i| format!("  s{i}: {{image: x}}\n")).collect();
    let arguments = json!({
        "project_name": world.prefix, "compose_yaml": format!("services:\n{services}"), "scale": scale,
    });
    let refused = session.fails("DKR-004", "deploy-compose", arguments).await;
    assert!(refused.contains("scale") && refused.contains("200"), "{refused}");
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
