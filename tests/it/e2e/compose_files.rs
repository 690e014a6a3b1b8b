//! Which files make a project when nobody says it: those that `docker compose` takes.

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
