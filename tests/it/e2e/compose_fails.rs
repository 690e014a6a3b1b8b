//! Stacks that do not come up, each told with its cause; and files that are wrong, which create
//! nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use super::compose::service;
use super::world::image;
use super::{World, free_port};

#[tokio::test]
async fn a_service_that_crashes_is_the_root_and_its_last_words_are_told() {
    let Some(world) = World::enter("crashing") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  api:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    depends_on: {{ db: {{ condition: service_healthy }} }}
  db:
    image: {image}
    command: ["sh", "-c", "echo loading; echo 'FATAL: no password given' >&2; exit 3"]
    healthcheck: {{ test: "true", interval: 1s }}
"#,
        image = image()
    );
    let begun = Instant::now();
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let down = session.done("deploy-compose", arguments).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!((&down["ok"], &down["root"]), (&json!(false), &json!("db")), "{down}");
    let db = service(&down, "db");
    assert_eq!(db["exit_code"], 3, "{down}");
    assert!(db["log_tail"].as_str().unwrap().contains("FATAL: no password given"), "{down}");
    assert!(service(&down, "api")["problem"].as_str().unwrap().contains("db"), "{down}");
}

#[tokio::test]
async fn what_had_failed_before_is_no_result_and_up_is_not_broken_off() {
    let Some(world) = World::enter("half-done") else { return };
    let mut session = world.session().await;
    let data = format!("{}_data", world.prefix);
    // As long as `sleep`, which does not end when it is asked to, needs to be killed.
    let yaml = |services: &str| {
        format!(
            r#"
services:
  app: {{ image: {image}, command: ["sleep", "600"], stop_grace_period: 8s }}
  job:
    image: {image}
    command: ["sh", "-c", "echo asked; test -f /data/ready || exit 5; echo found; sleep 600"]
    stop_signal: SIGKILL
    volumes: ["data:/data"]
{services}
volumes: {{ data: }}
"#,
            image = image()
        )
    };
    let old = format!("  old: {{ image: {}, command: [\"sleep\", \"600\"] }}", image());
    let first = json!({
        "project_name": world.prefix, "compose_yaml": yaml(&old), "scale": {"app": 2},
    });
    let down = session.done("deploy-compose", first).await;
    assert_eq!((&down["ok"], &down["root"]), (&json!(false), &json!("job")), "{down}");
    // A run of the service's image by hand is none of its containers.
    let label = format!("--label=com.docker.compose.project={}", world.prefix);
    let by_hand = [label.as_str(), "--label=com.docker.compose.service=app"];
    let by_hand = world.make("by-hand", &by_hand, &["false"]);

    let mount = format!("--volume={data}:/data");
    world.docker(["run", "--rm", &mount, &image(), "touch", "/data/ready"]);
    let again = json!({
        "project_name": world.prefix, "compose_yaml": yaml(""), "scale": {"app": 1},
        "remove_orphans": true,
    });
    let up = session.done("deploy-compose", again).await;
    assert_eq!((&up["ok"], &up["root"]), (&json!(true), &json!(null)), "{up}");
    let job = service(&up, "job");
    assert_eq!((&job["state"], &job["action"]), (&json!("running"), &json!("started")), "{up}");
    let surplus = format!("{}-app-2", world.prefix);
    let app = service(&up, "app");
    assert_eq!((&app["state"], &app["removed"]), (&json!("running"), &json!([surplus])), "{up}");
    let orphan = format!("{}-old-1", world.prefix);
    assert!(up["warnings"].to_string().contains(&orphan), "{up}");
    assert!(!world.exists("container", &surplus) && !world.exists("container", &orphan));
    assert!(world.exists("container", &by_hand) && !up.to_string().contains(&by_hand), "{up}");
}

#[tokio::test]
async fn a_service_that_keeps_restarting_is_told() {
    let Some(world) = World::enter("looping") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  api: {{ image: {image}, command: ["sh", "-c", "echo no config; exit 1"], restart: always }}
"#,
        image = image()
    );
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let down = session.done("deploy-compose", arguments).await;
    assert_eq!((&down["ok"], &down["root"]), (&json!(false), &json!("api")), "{down}");
    assert!(service(&down, "api")["log_tail"].as_str().unwrap().contains("no config"), "{down}");
}

#[tokio::test]
async fn an_up_that_fails_tells_what_it_has_not_removed() {
    let Some(world) = World::enter("left-over") else { return };
    let mut session = world.session().await;
    let run = format!("image: {}, command: [sleep, \"600\"], stop_signal: SIGKILL", image());
    let first = format!("services:\n  app: {{ {run} }}\n  old: {{ {run} }}\n");
    let first = json!({"project_name": world.prefix, "compose_yaml": first, "scale": {"app": 2}});
    session.done("deploy-compose", first).await;
    // Compose asks for the image before it touches a container.
    let missing = format!("127.0.0.1:{}/{}:1", free_port(), world.prefix);
    let second = format!("services:\n  app: {{ {run} }}\n  web: {{ image: '{missing}' }}\n");
    let second = json!({
        "project_name": world.prefix, "compose_yaml": second, "remove_orphans": true,
    });
    let failed = session.done("deploy-compose", second).await;
    assert_eq!((&failed["ok"], &failed["root"]), (&json!(false), &json!("web")), "{failed}");
    let told = failed["warnings"].to_string();
    let still = ["app-1", "app-2", "old-1"].map(|it| format!("{}-{it}", world.prefix));
    for name in still {
        let is_there = world.exists("container", &name);
        assert!(is_there && told.contains(&name), "{name} is there: {is_there}; {failed}");
    }
}

#[tokio::test]
async fn what_is_waited_for_and_keeps_restarting_is_the_root_when_the_time_is_over() {
    let Some(world) = World::enter("waits") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  api:
    image: {image}
    command: ["sleep", "600"]
    depends_on: {{ db: {{ condition: service_completed_successfully }} }}
  db:
    image: {image}
    command: ["sh", "-c", "echo no config; exit 1"]
    restart: always
"#,
        image = image()
    );
    let call = json!({"project_name": world.prefix, "compose_yaml": yaml, "timeout_seconds": 8});
    let down = session.done("deploy-compose", call).await;
    let end = (&down["error"], &down["timed_out"]);
    assert!(end.0.is_object() || end.1 == true, "compose ends, or the time is over: {down}");
    assert_eq!((&down["ok"], &down["root"]), (&json!(false), &json!("db")), "{down}");
    assert!(service(&down, "db")["problem"].to_string().contains("keeps restarting"), "{down}");
    assert!(service(&down, "api")["problem"].to_string().contains("not started"), "{down}");
    assert!(service(&down, "db")["log_tail"].to_string().contains("no config"), "{down}");
}

#[tokio::test]
async fn a_run_waits_no_longer_for_what_it_depends_on_than_it_was_told() {
    let Some(world) = World::enter("run-waits") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  job: {{ image: {image}, command: ["true"], depends_on: {{ db: {{ condition: service_healthy }} }} }}
  db:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    healthcheck: {{ test: "exit 1", interval: 1s, retries: 1000 }}
"#,
        image = image()
    );
    let run = json!({
        "project_name": world.prefix, "compose_yaml": yaml, "service": "job", "timeout_seconds": 3,
    });
    let begun = Instant::now();
    let late = session.fails("DKR-012", "compose-run", run).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(late.contains("no_deps") && late.contains("3 s"), "{late}");
    assert_eq!(world.state(&format!("{}-db-1", world.prefix)), "running", "it stays, to be seen");
}

#[tokio::test]
async fn a_taken_port_is_told_with_the_service_that_wanted_it() {
    let Some(world) = World::enter("compose-port") else { return };
    let mut session = world.session().await;
    let (port, holder) = world.taken_port();
    let yaml = format!(
        r#"
services:
  web:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    ports: ["127.0.0.1:{port}:80"]
"#,
        image = image()
    );
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let down = session.done("deploy-compose", arguments).await;
    assert_eq!((&down["ok"], &down["root"]), (&json!(false), &json!("web")), "{down}");
    assert_eq!(down["error"]["code"], "DKR-006", "{down}");
    let hint = down["error"]["hint"].to_string();
    assert!(hint.contains(&port.to_string()) && hint.contains(&holder), "{down}");
}

#[tokio::test]
async fn a_service_that_never_gets_healthy_ends_the_waiting() {
    let Some(world) = World::enter("never") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  db:
    image: {image}
    command: ["sleep", "600"]
    stop_signal: SIGKILL
    healthcheck: {{ test: "echo not yet; exit 1", interval: 1s, retries: 100 }}
"#,
        image = image()
    );
    let arguments =
        json!({"project_name": world.prefix, "compose_yaml": yaml, "timeout_seconds": 4});
    let begun = Instant::now();
    let down = session.done("deploy-compose", arguments).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!((&down["ok"], &down["timed_out"]), (&json!(false), &json!(true)), "{down}");
    assert_eq!(down["root"], "db", "{down}");
    assert!(service(&down, "db")["problem"].as_str().unwrap().contains("not yet"), "{down}");
    assert_eq!(world.state(&format!("{}-db-1", world.prefix)), "running", "it stays, to be seen");
}

#[tokio::test]
async fn an_image_that_cannot_be_had_creates_nothing() {
    let Some(world) = World::enter("compose-image") else { return };
    let mut session = world.session().await;
    let missing = format!("127.0.0.1:{}/{}:1", free_port(), world.prefix);
    let yaml = format!("services: {{ web: {{ image: '{missing}', command: ['true'] }} }}");
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let result = session.wire.call("deploy-compose", arguments).await;
    let told = result.to_string();
    assert!(result["isError"] == true || result["structuredContent"]["ok"] == false, "{told}");
    assert!(told.contains("DKR-011") && told.contains("service=web"), "{told}");
    assert!(
        world
            .docker(["ps", "--all", "--quiet", "--filter", &format!("name={}", world.prefix)])
            .is_empty()
    );
}

#[tokio::test]
async fn a_file_that_is_wrong_is_refused_with_its_place_and_creates_nothing() {
    let Some(world) = World::enter("wrong-file") else { return };
    let mut session = world.session().await;
    for (yaml, place) in [
        ("services:\n  web:\n    image: x\n   command: y\n", "key=services.web line=4"),
        ("services:\n  web:\n    image: [x\n", "key=services.web.image"),
        ("services:\n\tweb: {}\n", "key=services line=2"),
        ("services:\n  web:\n    image: x\n    image: y\n", "key=services.web.image line=4"),
        ("services:\n  web:\n    imgae: x\n", "key=services.web.imgae line=3"),
        ("services:\n  web:\n    image: x\n    ports: 80\n", "key=services.web.ports line=4"),
        ("services:\n  web:\n    image: x\n    ports: ['eighty']\n", "ports.0 line=4 eighty"),
        ("services:\n  web:\n    image: x\n    ports: ['99999:80']\n", "ports.0 line=4 99999"),
        ("services:\n  web:\n    image: x\n    mem_limit: lots\n", "mem_limit line=4"),
        ("services:\n  web:\n    image: x\n    env_file: no.env\n", "env_file line=4 no.env"),
        ("include: [no.yml]\nservices: {}\n", "key=include.0 line=1 no.yml"),
        ("services:\n  web:\n    extends: {file: no.yml, service: x}\n", "extends.file line=3"),
        ("services:\n  web:\n    image: x\n    depends_on: [absent]\n", "depends_on line=4 absent"),
        (
            "services:\n  web:\n    image: x\n    volumes: ['absent:/data']\n",
            "volumes line=4 absent",
        ),
        ("services:\n  web:\n    image: x\n    networks: [absent]\n", "networks line=4 absent"),
        ("services:\n  web: {}\n", "key=services.web line=2"),
        ("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n", "a"),
        ("just words", "mapping"),
        ("[]", ""),
        ("services: {}\n", ""),
    ] {
        let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
        let error = session.fails("DKR-004", "deploy-compose", arguments).await;
        for word in place.split(' ') {
            assert!(error.contains(word), "{yaml:?} does not tell {word:?}: {error}");
        }
    }
    let yaml = format!("services: {{ web: {{ image: '{}' }} }}", image());
    let base = json!({"project_name": world.prefix, "compose_yaml": yaml});
    for (parameter, value, told) in [
        ("services", json!(["absent"]), "absent"),
        ("scale", json!({"absent": 2}), "absent"),
        ("scale", json!({"web": -1}), "scale"),
        ("scale", json!({"web": 1000}), "scale"),
        ("timeout_seconds", json!(0), "timeout_seconds"),
        ("pull", json!("sometimes"), "pull"),
        ("compose_file", json!("compose.yaml"), "compose_file"),
        ("profiles", json!(["-x"]), "profiles"),
        ("environment", json!({"A=B": "x"}), "environment"),
    ] {
        let mut arguments = base.clone();
        arguments[parameter] = value;
        let error = session.fails("DKR-004", "deploy-compose", arguments).await;
        assert!(error.contains(told), "{parameter}: {error}");
    }
    for name in ["UPPER", "-x", "a b", "../x", ""] {
        let mut arguments = base.clone();
        arguments["project_name"] = name.into();
        let error = session.fails("DKR-004", "deploy-compose", arguments).await;
        assert!(error.contains("project_name"), "{error}");
    }
    let nothing = json!({"project_name": world.prefix, "compose_file": "absent.yaml"});
    let error = session.fails("DKR-004", "deploy-compose", nothing).await;
    assert!(error.contains("absent.yaml") && error.contains("parameter=compose_file"), "{error}");
    assert!(world.left().is_empty(), "{:?}", world.left());
}

#[tokio::test]
async fn a_build_that_fails_is_told_with_its_step_and_creates_nothing() {
    let Some(world) = World::enter("build") else { return };
    let mut session = world.session().await;
    let dockerfile = format!(
        "FROM {}\nLABEL {}\nRUN echo preparing && echo 'the cause' >&2 && exit 9\n",
        image(),
        world.label
    );
    world.file("app/Dockerfile", &dockerfile);
    let yaml = format!("services: {{ app: {{ build: ./app, image: {}-app }} }}", world.prefix);
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let result = session.wire.call("deploy-compose", arguments).await;
    let told = result.to_string();
    assert!(result["isError"] == true || result["structuredContent"]["ok"] == false, "{told}");
    assert!(told.contains("DKR-021") && told.contains("the cause"), "{told}");
    assert!(told.contains("exit 9") || told.contains("code: 9"), "{told}");
    assert!(!world.exists("container", &format!("{}-app-1", world.prefix)));
}
