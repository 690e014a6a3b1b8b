//! A stack of five services: deployed, looked at, deployed again, and its data kept.

use std::time::Duration;

use serde_json::{Value, json};

use super::session::entry;
use super::world::image;
use super::{OBEDIENT, Session, World};
use crate::processes::eventually;

/// A database, a job that prepares it, a page that is built, workers, and a tool behind a profile.
pub(super) fn stack(world: &World) -> String {
    let (image, label) = (image(), world.label.replace('=', ": "));
    world.file(
        "web/Dockerfile",
        &format!(
            "FROM {image}\nLABEL {}\nRUN mkdir /www && echo built > /www/index.html\n",
            world.label
        ),
    );
    format!(
        r#"
services:
  db:
    image: {image}
    labels: {{ {label} }}
    command: ["sh", "-c", "date >> /data/starts; touch /ready; {OBEDIENT}"]
    volumes: ["data:/data"]
    healthcheck: {{ test: ["CMD", "test", "-f", "/ready"], interval: 1s, retries: 10 }}
  migrate:
    image: {image}
    command: ["sh", "-c", "echo migrated to ${{VERSION:-one}} | tee -a /data/migrations"]
    volumes: ["data:/data"]
    depends_on: {{ db: {{ condition: service_healthy }} }}
  web:
    build: ./web
    image: {prefix}-web
    command: ["sh", "-c", "httpd -p 80 -h /www; {OBEDIENT}"]
    ports: ["127.0.0.1::80"]
    depends_on: {{ migrate: {{ condition: service_completed_successfully }} }}
  worker:
    image: {image}
    command: ["sh", "-c", "echo working; {OBEDIENT}"]
    scale: 3
  shell:
    image: {image}
    command: ["sh", "-c", "{OBEDIENT}"]
    profiles: [tools]
volumes:
  data:
"#,
        // `$` begins a variable in a compose file.
        OBEDIENT = OBEDIENT.replace('$', "$$"),
        prefix = world.prefix,
    )
}

pub(super) fn service<'a>(answer: &'a Value, name: &str) -> &'a Value {
    entry(&answer["services"], "service", name)
}

pub(super) async fn deploy(session: &mut Session, world: &World, yaml: &str) -> Value {
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    session.done("deploy-compose", arguments).await
}

fn containers(world: &World) -> Vec<String> {
    let filter = format!("--filter=label=com.docker.compose.project={}", world.prefix);
    let mut names: Vec<String> = world
        .docker(["ps", "--all", "--no-trunc", "--format={{.Names}} {{.ID}}", &filter])
        .lines()
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_stack_of_five_services_comes_up_and_is_deployed_again() {
    let Some(world) = World::enter("stack") else { return };
    let mut session = world.session().await;
    let yaml = stack(&world);
    world.file("compose.yaml", &yaml);
    let arguments = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});

    let mut dry = arguments.clone();
    dry["dry_run"] = true.into();
    let forecast = session.done("deploy-compose", dry).await;
    assert_eq!(forecast["dry_run"], true, "{forecast}");
    assert!(containers(&world).is_empty(), "a dry run creates nothing");
    assert!(!world.exists("network", &format!("{}_default", world.prefix)));

    let up = session.done("deploy-compose", arguments.clone()).await;
    assert_eq!(up["ok"], true, "{up}");
    assert_eq!(up["services"].as_array().unwrap().len(), 4, "{up}");
    assert_eq!(service(&up, "db")["health"], "healthy", "{up}");
    let migrate = service(&up, "migrate");
    assert_eq!((&migrate["state"], &migrate["exit_code"]), (&json!("exited"), &json!(0)), "{up}");
    assert_eq!(service(&up, "worker")["replicas"], 3, "{up}");
    for name in ["db", "migrate", "web", "worker"] {
        assert_eq!(service(&up, name)["action"], "created", "{up}");
    }
    let first = containers(&world);
    assert_eq!(first.len(), 6, "{first:?}");
    let web = format!("{}-web-1", world.prefix);
    let port = world.docker(["port", &web, "80/tcp"]);
    let urls = &service(&up, "web")["urls"];
    assert_eq!(urls, &json!([format!("http://{port}")]), "{up}");

    let shown = session.done("compose-ps", json!({"project_name": world.prefix})).await;
    assert_eq!(shown["services"].as_array().unwrap().len(), 6, "{shown}");
    assert_eq!(entry(&shown["services"], "container", &web)["state"], "running", "{shown}");
    assert!(!shown.to_string().contains("drift"), "{shown}");
    let listed = session.done("list-containers", json!({"filters": {"project": world.prefix}}));
    assert_eq!(listed.await["containers"].as_array().unwrap().len(), 5);

    let again = session.done("deploy-compose", arguments.clone()).await;
    assert_eq!(again["ok"], true, "{again}");
    for name in ["db", "web", "worker"] {
        assert_eq!(service(&again, name)["action"], "unchanged", "{again}");
    }
    assert_eq!(containers(&world), first);

    // One service of the file changes.
    world.file("compose.yaml", &yaml.replace("echo working", "echo working harder"));
    let shown = session.done("compose-ps", json!({"project_name": world.prefix})).await;
    let worker = format!("{}-worker-1", world.prefix);
    assert!(entry(&shown["services"], "container", &worker)["drift"].is_array(), "{shown}");
    let changed = session.done("deploy-compose", arguments).await;
    assert_eq!(changed["ok"], true, "{changed}");
    assert_eq!(service(&changed, "worker")["action"], "recreated", "{changed}");
    for name in ["db", "web"] {
        assert_eq!(service(&changed, name)["action"], "unchanged", "{changed}");
    }
    let same = containers(&world).iter().filter(|line| first.contains(line)).count();
    assert_eq!(same, 3, "only the workers are new");

    // A service behind a profile comes when it is named.
    let arguments = json!({
        "project_name": world.prefix, "compose_file": "compose.yaml", "services": ["shell"],
    });
    let shell = session.done("deploy-compose", arguments).await;
    assert_eq!(service(&shell, "shell")["action"], "created", "{shell}");
    assert_eq!(containers(&world).len(), 7);
    assert_eq!(world.state(&format!("{}-shell-1", world.prefix)), "running");
}

#[tokio::test]
async fn the_data_of_a_volume_survives_ten_deployments() {
    let Some(world) = World::enter("ten") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  db:
    image: {}
    command: ["sh", "-c", "echo $$ROUND >> /data/rounds; exec sleep 600"]
    environment: {{ ROUND: "${{ROUND}}" }}
    volumes: ["data:/data"]
    stop_signal: SIGKILL
volumes:
  data:
"#,
        image()
    );
    let volume = format!("{}_data", world.prefix);
    let mut created = String::new();
    for round in 1..=10 {
        let arguments = json!({
            "project_name": world.prefix, "compose_yaml": yaml, "wait": round == 10,
            "environment": {"ROUND": round.to_string()},
        });
        let up = session.done("deploy-compose", arguments).await;
        assert_eq!(up["ok"], true, "{up}");
        let action = if round == 1 { "created" } else { "recreated" };
        assert_eq!(service(&up, "db")["action"], action, "round {round}: {up}");
        let format = "--format={{.CreatedAt}}";
        let now = world.docker(["volume", "inspect", format, &volume]);
        assert!(round == 1 || now == created, "it is another volume since round {round}");
        created = now;
    }
    let db = format!("{}-db-1", world.prefix);
    let rounds: Vec<String> = (1..=10).map(|round| round.to_string()).collect();
    eventually("all rounds are in the volume", Duration::from_secs(5), || {
        world.docker(["exec", &db, "cat", "/data/rounds"]).lines().eq(rounds.iter())
    })
    .await;
}

#[tokio::test]
async fn a_service_can_be_scaled_and_chosen() {
    let Some(world) = World::enter("scale") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        r#"
services:
  one: {{ image: {image}, command: ["sleep", "600"], stop_signal: SIGKILL, depends_on: [two] }}
  two: {{ image: {image}, command: ["sleep", "600"], stop_signal: SIGKILL }}
  three: {{ image: {image}, command: ["sleep", "600"], stop_signal: SIGKILL }}
"#,
        image = image()
    );
    let deploy = |more: Value| {
        let mut arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let up = session.done("deploy-compose", deploy(json!({"services": ["one"]}))).await;
    assert_eq!(up["ok"], true, "{up}");
    assert_eq!(containers(&world).len(), 2, "with what it depends on: {up}");
    let up = session.done("deploy-compose", deploy(json!({"scale": {"three": 2}}))).await;
    assert_eq!(service(&up, "three")["replicas"], 2, "{up}");
    assert_eq!(service(&up, "one")["action"], "unchanged", "{up}");
    assert_eq!(containers(&world).len(), 4, "{up}");

    // A service that is no longer in the file stays, unless it is asked for.
    let less = yaml.lines().filter(|line| !line.contains("three:")).collect::<Vec<_>>().join("\n");
    let mut arguments = json!({"project_name": world.prefix, "compose_yaml": less});
    let up = session.done("deploy-compose", arguments.clone()).await;
    assert!(up["warnings"].to_string().contains("three-1"), "{up}");
    assert_eq!(containers(&world).len(), 4);
    arguments["remove_orphans"] = true.into();
    let mut dry = arguments.clone();
    dry["dry_run"] = true.into();
    for arguments in [dry, arguments] {
        let answer = session.done("deploy-compose", arguments).await;
        let warnings = answer["warnings"].to_string();
        assert!(warnings.contains("removed, as not in the file: "), "{answer}");
        assert!(warnings.contains("-three-1"), "{answer}");
    }
    assert_eq!(containers(&world).len(), 2);
}

#[tokio::test]
async fn what_a_smaller_scale_removes_is_told_before_and_after() {
    let Some(world) = World::enter("less") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        "services: {{ a: {{ image: '{}', command: [sleep, '600'], stop_signal: SIGKILL }} }}",
        image()
    );
    let deploy = |more: Value| {
        let mut arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let name = |number| format!("{}-a-{number}", world.prefix);
    session.done("deploy-compose", deploy(json!({"scale": {"a": 3}}))).await;

    let forecast = session.done("deploy-compose", deploy(json!({"dry_run": true}))).await;
    assert_eq!(containers(&world).len(), 3, "{forecast}");
    let up = session.done("deploy-compose", deploy(json!({}))).await;
    assert_eq!(containers(&world).len(), 1, "{up}");
    for answer in [&forecast, &up] {
        let entry = service(answer, "a");
        assert_eq!(entry["action"], "unchanged", "{answer}");
        assert_eq!(entry["removed"], json!([name(2), name(3)]), "{answer}");
        let warnings = answer["warnings"].to_string();
        assert!(warnings.contains("removed") && warnings.contains(&name(3)), "{answer}");
    }

    // Of containers that are all replaced, compose keeps any.
    session.done("deploy-compose", deploy(json!({"scale": {"a": 2}}))).await;
    let anew = json!({"force_recreate": true, "dry_run": true});
    let forecast = session.done("deploy-compose", deploy(anew)).await;
    assert_eq!(service(&forecast, "a")["action"], "recreate", "{forecast}");
    let one_of = format!("1 of {}, {}", name(1), name(2));
    assert_eq!(service(&forecast, "a")["removed"], json!([one_of]), "{forecast}");
    let up = session.done("deploy-compose", deploy(json!({"force_recreate": true}))).await;
    let left = containers(&world);
    assert_eq!(left.len(), 1, "{up}");
    let gone = if left[0].starts_with(&name(1)) { name(2) } else { name(1) };
    assert_eq!(service(&up, "a")["removed"], json!([gone]), "{up}");

    let none = session.done("deploy-compose", deploy(json!({"scale": {"a": 0}}))).await;
    assert_eq!(service(&none, "a")["removed"].as_array().unwrap().len(), 1, "{none}");
    let still = session.done("deploy-compose", deploy(json!({"scale": {"a": 0}}))).await;
    assert!(!still.to_string().contains("removed"), "{still}");
}
