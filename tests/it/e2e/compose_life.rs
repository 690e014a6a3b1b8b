//! A stack through its whole life, by all tools; and the ways in which a project comes about.

use std::time::Duration;

use serde_json::{Value, json};

use super::compose::{service, stack};
use super::session::entry;
use super::world::image;
use super::{OBEDIENT, World};
use crate::processes::eventually;

/// `OBEDIENT` in a compose file, where `$` begins a variable.
fn obedient() -> String {
    OBEDIENT.replace('$', "$$")
}

fn of_project(world: &World) -> String {
    format!("--filter=label=com.docker.compose.project={}", world.prefix)
}

#[tokio::test]
async fn five_services_live_and_are_taken_down_with_their_data() {
    let Some(world) = World::enter("life") else { return };
    let mut session = world.session().await;
    world.file("compose.yaml", &stack(&world));
    let project = |more: Value| {
        let mut arguments = json!({"project_name": world.prefix});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let deploy = json!({"compose_file": "compose.yaml", "profiles": ["tools"]});
    let up = session.done("deploy-compose", project(deploy.clone())).await;
    assert_eq!(up["ok"], true, "{up}");
    assert_eq!(up["services"].as_array().unwrap().len(), 5, "with the profile: {up}");

    // Lines of all services in the order of time, each with its service, without escape codes.
    let logs = session.text("compose-logs", project(json!({"timestamps": true}))).await;
    let lines: Vec<&str> = logs.lines().filter(|line| line.contains('Z')).collect();
    let at = |said: &str| lines.iter().position(|line| line.contains(said));
    assert!(at("migrated to one").is_some() && at("working").is_some(), "{logs}");
    assert!(lines.iter().filter(|line| line.starts_with("worker")).count() >= 3, "{logs}");
    let stamp =
        |line: &str| line.split_whitespace().find(|word| word.ends_with('Z')).map(str::to_owned);
    let stamps: Vec<String> = lines.iter().filter_map(|line| stamp(line)).collect();
    assert!(stamps.len() >= 4 && stamps.is_sorted(), "{logs}");
    assert!(!logs.contains('\u{1b}'), "{logs:?}");
    let limited = project(json!({"grep": "work", "services": ["worker"], "tail": 1}));
    assert!(session.text("compose-logs", limited).await.contains("working"));

    session
        .done("compose-stop", project(json!({"services": ["worker", "web"], "timeout_seconds": 5})))
        .await;
    let shown = session.done("compose-ps", project(json!({"services": ["worker"]}))).await;
    let states: Vec<&Value> =
        shown["services"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, [&json!("exited"); 3], "{shown}");
    // Stopped by hand, it is deployed again as if nothing had been.
    let more =
        json!({"compose_file": "compose.yaml", "profiles": ["tools"], "scale": {"worker": 2}});
    let again = session.done("deploy-compose", project(more)).await;
    assert_eq!(again["ok"], true, "{again}");
    assert_eq!(service(&again, "worker")["replicas"], 2, "{again}");
    assert_eq!(service(&again, "web")["action"], "started", "{again}");

    let ran = json!({"service": "db", "command": ["cat", "/data/starts"], "compose_file": "compose.yaml"});
    let ran = session.wire.call("compose-run", project(ran)).await.to_string();
    assert!(ran.contains("exit_code\\\":0") || ran.contains("exit code 0"), "{ran}");

    let volume = format!("{}_data", world.prefix);
    let plan = session.done("compose-down", project(json!({"remove_volumes": true}))).await;
    let doomed = entry(&plan["plan"]["removes"], "kind", "volume");
    assert_eq!((&doomed["name"], &doomed["loses_data"]), (&json!(volume), &json!(true)), "{plan}");
    assert!(doomed["size"].is_string(), "with its size: {plan}");
    let down = json!({"remove_volumes": true, "confirm": plan["confirm"]});
    let down = session.done("compose-down", project(down)).await;
    assert_eq!(down["removed"]["volumes"], json!([volume]), "{down}");
    assert!(world.docker(["ps", "--all", "--quiet", &of_project(&world)]).is_empty());
    assert!(!world.exists("volume", &volume));
    let listed = session.done("list-compose-projects", json!({"all": true})).await;
    assert!(!listed.to_string().contains(&world.prefix), "{listed}");
}

#[tokio::test]
async fn three_failures_in_one_stack_are_all_told_in_one_call() {
    let Some(world) = World::enter("three") else { return };
    let mut session = world.session().await;
    let (port, _holder) = world.taken_port();
    let yaml = format!(
        r#"
services:
  crashes:
    image: {image}
    command: ["sh", "-c", "echo 'FATAL: no licence'; exit 4"]
  sick:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    healthcheck: {{ test: "echo not yet; exit 1", interval: 1s, retries: 2 }}
  port:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    ports: ["127.0.0.1:{port}:80"]
  victim:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    depends_on: {{ sick: {{ condition: service_healthy }} }}
"#,
        image = image()
    );
    let arguments =
        json!({"project_name": world.prefix, "compose_yaml": yaml, "timeout_seconds": 20});
    let down = session.done("deploy-compose", arguments).await;
    assert_eq!(down["ok"], false, "{down}");
    // Causes that have nothing to do with each other: one of them is the root, all are told.
    assert!(["crashes", "port", "sick"].contains(&down["root"].as_str().unwrap()), "{down}");
    assert_eq!(down["error"]["code"], "DKR-006", "{down}");
    assert!(down["error"].to_string().contains(&port.to_string()), "{down}");
    let crashes = service(&down, "crashes");
    assert_eq!(crashes["exit_code"], 4, "{down}");
    assert!(crashes["log_tail"].as_str().unwrap().contains("no licence"), "{down}");
    assert!(service(&down, "port")["problem"].as_str().unwrap().contains("allocated"), "{down}");

    // Without the port the others are judged to the end.
    let yaml = yaml.replace(&format!("ports: [\"127.0.0.1:{port}:80\"]"), "init: true");
    let arguments =
        json!({"project_name": world.prefix, "compose_yaml": yaml, "timeout_seconds": 20});
    let down = session.done("deploy-compose", arguments).await;
    assert_eq!(down["ok"], false, "{down}");
    assert!(["crashes", "sick"].contains(&down["root"].as_str().unwrap()), "{down}");
    assert!(service(&down, "sick")["problem"].as_str().unwrap().contains("not yet"), "{down}");
    assert!(service(&down, "victim")["problem"].as_str().unwrap().contains("sick"), "{down}");
    assert_eq!(service(&down, "port")["state"], "running", "{down}");
}

#[tokio::test]
async fn several_files_and_an_env_file_make_one_project() {
    let Some(world) = World::enter("files") else { return };
    let mut session = world.session().await;
    let base = format!(
        "services:\n  app:\n    image: {}\n    command: [\"sh\", \"-c\", \"echo $$WHO; {}\"]\n    environment: {{ WHO: \"${{WHO}}\" }}\n",
        image(),
        obedient()
    );
    world.file("shop/compose.yaml", &base);
    world.file(
        "shop/more.yaml",
        "services:\n  app:\n    hostname: from-more\n    env_file: app.env\n",
    );
    world.file("shop/app.env", "FROM_FILE=yes\n");
    world.file("shop/.env", "WHO=dotenv\n");
    let deploy = json!({
        "project_name": world.prefix, "compose_file": ["shop/compose.yaml", "shop/more.yaml"],
    });
    let up = session.done("deploy-compose", deploy.clone()).await;
    assert_eq!(up["ok"], true, "{up}");
    let app = format!("{}-app-1", world.prefix);
    assert_eq!(world.look(&app, "{{.Config.Hostname}}"), "from-more");
    let environment = world.look(&app, "{{.Config.Env}}");
    assert!(
        environment.contains("WHO=dotenv") && environment.contains("FROM_FILE=yes"),
        "{environment}"
    );
    let again = session.done("deploy-compose", deploy.clone()).await;
    assert_eq!(service(&again, "app")["action"], "unchanged", "{again}");
    // What the caller says goes before the file.
    let mut other = deploy;
    other["environment"] = json!({"WHO": "caller"});
    session.done("deploy-compose", other).await;
    assert!(world.look(&app, "{{.Config.Env}}").contains("WHO=caller"));
    for (file, text) in [
        ("gone-env.yaml", "services: { app: { image: x, env_file: absent.env } }"),
        ("gone-include.yaml", "include: [absent.yaml]\nservices: { app: { image: x } }"),
        (
            "gone-extends.yaml",
            "services: { app: { extends: { file: absent.yaml, service: app } } }",
        ),
    ] {
        world.file(file, text);
        let arguments = json!({"project_name": world.name("none"), "compose_file": file});
        let result = session.wire.call("deploy-compose", arguments).await;
        let told = result["content"][0]["text"].as_str().unwrap();
        assert!(told.starts_with("Error: DKR-004") || told.starts_with("Error: DKR-014"), "{told}");
        assert!(told.contains("absent"), "{told}");
    }
}

#[tokio::test]
async fn a_project_that_a_person_has_started_is_seen_and_taken_over() {
    let Some(world) = World::enter("by-hand") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        "services:\n  web: {{ image: '{}', command: [\"sh\", \"-c\", \"echo by hand; {}\"] }}\n",
        image(),
        obedient()
    );
    let file = world.file("compose.yaml", &yaml);
    let file = file.to_str().unwrap();
    world.docker(["compose", "--project-name", &world.prefix, "--file", file, "up", "--detach"]);
    let by_name = json!({"project_name": world.prefix});
    let shown = session.done("compose-ps", by_name.clone()).await;
    assert_eq!(shown["services"].as_array().unwrap().len(), 1, "{shown}");
    assert!(!shown.to_string().contains("drift"), "{shown}");
    assert!(session.text("compose-logs", by_name.clone()).await.contains("by hand"));
    let deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    let up = session.done("deploy-compose", deploy).await;
    assert_eq!(service(&up, "web")["action"], "unchanged", "nothing to do: {up}");
    // And the person's own `up` finds nothing to do after ours.
    let id = world.look(&format!("{}-web-1", world.prefix), "{{.Id}}");
    world.docker(["compose", "--project-name", &world.prefix, "--file", file, "up", "--detach"]);
    assert_eq!(world.look(&format!("{}-web-1", world.prefix), "{{.Id}}"), id);
    session.done("compose-down", by_name).await;
    assert!(world.docker(["ps", "--all", "--quiet", &of_project(&world)]).is_empty());
}

#[tokio::test]
async fn a_cancelled_run_leaves_no_container_and_a_failed_one_tells_its_failure() {
    let Some(world) = World::enter("run") else { return };
    let mut session = world.session().await;
    let yaml = format!("services: {{ tests: {{ image: '{}', stop_signal: SIGKILL }} }}", image());
    let run = |script: &str| {
        json!({
            "project_name": world.prefix, "service": "tests", "compose_yaml": yaml,
            "command": ["sh", "-c", script],
        })
    };
    let script =
        "echo collected 2; echo 'FAILED tests/cart.py::total'; echo AssertionError: 3 != 4; exit 1";
    let failed = session.wire.call("compose-run", run(script)).await.to_string();
    assert!(failed.contains("FAILED tests/cart.py::total"), "{failed}");
    assert!(failed.contains("first_failure"), "{failed}");

    let call = json!({"name": "compose-run", "arguments": run("echo begun; sleep 600")});
    let id = session.wire.request("tools/call", call).await;
    let running = || !world.docker(["ps", "--quiet", &of_project(&world)]).is_empty();
    eventually("it runs", Duration::from_secs(20), running).await;
    session.wire.notify("notifications/cancelled", json!({"requestId": id})).await;
    eventually("it is gone", Duration::from_secs(10), || {
        world.docker(["ps", "--all", "--quiet", &of_project(&world)]).is_empty()
    })
    .await;
    session.done("docker-info", json!({})).await;
}

#[tokio::test]
async fn a_deployment_tells_how_far_it_is() {
    let Some(world) = World::enter("progress") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  db:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    healthcheck: {{ test: "test $$(cut -d. -f1 /proc/uptime) -gt 0 && sleep 1", interval: 1s, start_period: 5s }}
  web:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    depends_on: {{ db: {{ condition: service_healthy }} }}
"#,
        image = image()
    );
    let call = json!({
        "name": "deploy-compose",
        "arguments": {"project_name": world.prefix, "compose_yaml": yaml},
        "_meta": {"progressToken": "far"},
    });
    let id = session.wire.request("tools/call", call).await;
    let answer = session.wire.answer(id).await;
    assert_eq!(answer["result"]["structuredContent"]["ok"], true, "{answer}");
    let told = session.wire.rest().await;
    let messages: Vec<&str> =
        told.iter().filter_map(|message| message["params"]["message"].as_str()).collect();
    assert!(messages.iter().any(|message| message.contains("db")), "{messages:?}");
    assert!(messages.len() >= 2, "{messages:?}");
}

#[tokio::test]
async fn without_the_plugin_a_compose_tool_says_so() {
    let Some(world) = World::enter("no-plugin") else { return };
    let mut server = world.server();
    // In the words of a client without it, which stumbles over compose's first option.
    let script = world.beside("docker");
    let text = "#!/bin/sh\n[ \"$1\" = compose ] || exec docker \"$@\"\nshift\necho \"unknown flag: --ansi\" >&2\nexit 125\n";
    std::fs::write(&script, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    server.arg("--docker").arg(&script);
    let mut session = super::Session::open(server).await;
    let yaml = json!({"project_name": world.prefix, "compose_yaml": "services: {a: {image: x}}"});
    let error = session.fails("DKR-015", "deploy-compose", yaml).await;
    assert!(error.contains("compose plugin"), "{error}");
}
