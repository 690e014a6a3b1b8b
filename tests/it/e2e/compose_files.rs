//! What a project is made of when nobody says it: the files that `docker compose` takes, its settings,
//! its variables; and whose it is.

use serde_json::json;

use super::World;
use super::compose::service;
use super::world::image;

fn service_that_runs() -> String {
    format!("{{image: {:?}, command: [sleep, '600'], stop_grace_period: 0s}}", image())
}

#[tokio::test]
async fn the_file_that_overrides_is_deployed_too_unless_one_is_named() {
    let Some(world) = World::enter("override") else { return };
    let mut session = world.session().await;
    let app = service_that_runs();
    world.file("compose.yaml", &format!("services:\n  app: {app}\n"));
    world.file("compose.override.yaml", "services: {app: {environment: {FROM_OVERRIDE: '1'}}}\n");

    let checked = session.done("compose-config", json!({"include": ["model"]})).await;
    assert_eq!(checked["files"], json!(["compose.yaml", "compose.override.yaml"]), "{checked}");
    let variable = "/model/services/app/environment/FROM_OVERRIDE";
    assert_eq!(checked.pointer(variable), Some(&json!("1")), "{checked}");

    let by_name = json!({"project_name": world.prefix});
    let up = session.done("deploy-compose", by_name.clone()).await;
    assert_eq!((&up["ok"], &up["files"]), (&json!(true), &checked["files"]), "{up}");
    let variables = world.look(&format!("{}-app-1", world.prefix), "{{.Config.Env}}");
    assert!(variables.contains("FROM_OVERRIDE=1"), "{variables}");

    // A file that is named is that file alone, and the other one is told of.
    let alone = json!({
        "project_name": world.prefix, "compose_file": "compose.yaml", "dry_run": true,
    });
    let alone = session.done("deploy-compose", alone).await;
    assert_eq!(alone["files"], json!(["compose.yaml"]), "{alone}");
    assert_eq!(alone["services"][0]["action"], "recreate", "{alone}");
    assert!(alone["warnings"].to_string().contains("compose.override.yaml is not part"), "{alone}");

    // The choice is made again: another file may lie there by now.
    std::fs::remove_file(world.workspace().join("compose.override.yaml")).unwrap();
    let mut again = by_name;
    again["dry_run"] = true.into();
    let again = session.done("deploy-compose", again).await;
    assert_eq!(again["files"], json!(["compose.yaml"]), "{again}");
}

#[tokio::test]
async fn the_settings_in_dot_env_choose_files_and_profiles() {
    let Some(world) = World::enter("dot-env") else { return };
    let mut session = world.session().await;
    let app = service_that_runs();
    world.file("compose.yaml", &format!("services:\n  wrong: {app}\n"));
    let settings = "SECOND=more\nCOMPOSE_FILE=deploy/base.yaml:deploy/${SECOND}.yaml\nCOMPOSE_PROFILES=dev\nTHIRD=root\n";
    world.file(".env", &format!("{settings}COMPOSE_PROJECT_NAME={}\n", world.prefix));
    world.file("deploy/.env", "THIRD=deploy\nFOURTH=deploy\n");
    world.file("deploy/base.yaml", &format!("services:\n  app: {app}\n"));
    let labels = "labels: {third: '${THIRD}', fourth: '${FOURTH}'}";
    let debug = app.replace('}', ", profiles: [dev]}");
    world.file(
        "deploy/more.yaml",
        &format!("services:\n  debug: {debug}\n  app: {{{labels}}}\n  other: {}\n", {
            app.replace('}', ", profiles: [never]}")
        }),
    );

    let checked = session.done("compose-config", json!({})).await;
    assert_eq!(checked["project"], world.prefix.as_str(), "{checked}");
    assert_eq!(checked["files"], json!(["deploy/base.yaml", "deploy/more.yaml"]), "{checked}");
    let up = session.done("deploy-compose", json!({"project_name": world.prefix})).await;
    assert_eq!(up["ok"], true, "{up}");
    for name in ["app", "debug"] {
        assert_eq!(service(&up, name)["state"], "running", "{up}");
    }
    assert_eq!(up["services"].as_array().unwrap().len(), 2, "{up}");
    let of = |label: &str| {
        let template = format!("{{{{index .Config.Labels \"{label}\"}}}}");
        world.look(&format!("{}-app-1", world.prefix), &template)
    };
    let folder = world.workspace().join("deploy").display().to_string();
    assert_eq!(of("com.docker.compose.project.working_dir"), folder);
    assert_eq!((of("third"), of("fourth")), ("root".into(), "deploy".into()));
}

#[tokio::test]
async fn a_secret_of_a_variable_without_a_value_is_told_before_anything_runs() {
    let Some(world) = World::enter("unset-secret") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        "services:\n  app:\n    image: {:?}\n    command: [sh, -c, 'echo got $$(cat /run/secrets/token); exec sleep 600']\n    stop_grace_period: 0s\n    secrets: [token]\nsecrets:\n  token:\n    environment: E2E_UNSET\n",
        image()
    );
    let file = world.file("compose.yaml", &yaml);

    let checked = session.done("compose-config", json!({})).await;
    let problem = &checked["problems"][0];
    assert_eq!((&checked["valid"], &problem["kind"]), (&json!(false), &json!("invalid")));
    assert_eq!(problem["key"], "secrets.token.environment", "{checked}");
    assert_eq!(problem["line"], "9", "{checked}");
    assert!(problem["message"].to_string().contains("E2E_UNSET"), "{checked}");
    let by_name = json!({"project_name": world.prefix});
    let told = session.fails("DKR-004", "deploy-compose", by_name.clone()).await;
    assert!(told.contains("hint: give E2E_UNSET in `environment`"), "{told}");
    let container = format!("{}-app-1", world.prefix);
    assert!(!world.exists("container", &container), "nothing was made: {told}");

    // Compose itself makes the container and does not start it. Started by hand it has no secret.
    let file = file.to_str().unwrap();
    let person = ["compose", "--project-name", &world.prefix, "--file", file, "up", "--detach"];
    assert!(!world.try_docker(person).status.success());
    assert_eq!(world.state(&container), "created");
    for asked in [by_name.clone(), json!({"container_name": container})] {
        let found = session.done("diagnose", asked).await;
        assert_eq!(found["root"]["cause"], "variable-unset", "{found}");
        let next = found["next"].to_string();
        assert!(next.contains("deploy-compose") && !next.contains("start-container"), "{found}");
    }
    let by_container = json!({"container_name": container});
    for (tool, asked) in [
        ("start-container", &by_container),
        ("restart-container", &by_container),
        ("compose-start", &by_name),
        ("compose-restart", &by_name),
    ] {
        let told = session.fails("DKR-010", tool, asked.clone()).await;
        assert!(told.contains("E2E_UNSET") && told.contains("/run/secrets/token"), "{told}");
        assert_eq!(world.state(&container), "created", "{tool}");
    }

    // The value is the one that compose finds, references and all.
    world.file(".env", "BASE=first\nE2E_UNSET=\"${BASE} second\"\n");
    let up = session.done("deploy-compose", by_name).await;
    assert_eq!(up["ok"], true, "{up}");
    assert_eq!(world.docker(["logs", &container]), "got first second");
    session.done("restart-container", json!({"container_name": container})).await;
    // One that was only made has its secret, where compose puts it in at once, or may not start.
    world.docker(["rm", "--force", &container]);
    world.docker(["compose", "--project-name", &world.prefix, "--file", file, "create"]);
    let started = session.wire.call("start-container", by_container).await;
    let has_it = world.try_docker(["exec", &container, "cat", "/run/secrets/token"]);
    assert_eq!(started["isError"] == true, !has_it.status.success(), "{started}");
}

#[tokio::test]
async fn a_project_of_another_folder_is_taken_over_after_a_plan() {
    let Some(world) = World::enter("takeover") else { return };
    let mut session = world.session().await;
    let app = service_that_runs();
    let other = world.beside("other");
    std::fs::create_dir(&other).unwrap();
    let file = other.join("compose.yaml");
    std::fs::write(&file, format!("services:\n  app: {app}\n  extra: {app}\n")).unwrap();
    let file = file.to_str().unwrap();
    world.docker(["compose", "--project-name", &world.prefix, "--file", file, "up", "--detach"]);
    let [own, extra] = ["app", "extra"].map(|of| format!("{}-{of}-1", world.prefix));
    let before = world.look(&own, "{{.Id}}");

    let yaml = format!("services:\n  app: {}\n", app.replace("600", "700"));
    let mut call =
        json!({"project_name": world.prefix, "compose_yaml": yaml, "remove_orphans": true});
    let folder = other.canonicalize().unwrap().display().to_string();
    let mut preview = call.clone();
    preview["dry_run"] = true.into();
    let preview = session.done("deploy-compose", preview).await;
    assert!(preview["warnings"].to_string().contains(&folder), "{preview}");

    let plan = session.done("deploy-compose", call.clone()).await;
    let removes = plan["plan"]["removes"].to_string();
    assert!(removes.contains(&own) && removes.contains(&extra), "{plan}");
    assert!(plan["plan"]["notes"].to_string().contains(&folder), "{plan}");
    assert_eq!(world.look(&own, "{{.Id}}"), before, "nothing was done yet");
    assert_eq!(world.state(&extra), "running");
    let run = json!({
        "project_name": world.prefix, "service": "job", "command": ["true"],
        "compose_yaml": format!("{yaml}  job: {}\n", app.replace('}', ", depends_on: [app]}")),
    });
    let told = session.wire.call("compose-run", run).await;
    assert_eq!(told["isError"], true, "{told}");
    assert!(told.to_string().contains(&folder), "{told}");
    assert_eq!(world.look(&own, "{{.Id}}"), before, "nothing was done yet");

    call["confirm"] = plan["confirm"].clone();
    let up = session.done("deploy-compose", call).await;
    assert_eq!(up["ok"], true, "{up}");
    assert_ne!(world.look(&own, "{{.Id}}"), before);
    assert!(!world.exists("container", &extra), "{up}");

    // It is ours now, and goes on without a plan.
    let again = json!({
        "project_name": world.prefix, "compose_yaml": yaml.replace("700", "800"),
    });
    let up = session.done("deploy-compose", again).await;
    assert_eq!(up["ok"], true, "{up}");
}
