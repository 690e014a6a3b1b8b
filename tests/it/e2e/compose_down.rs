//! Stacks are taken down by their name; their data only after a confirmation.

use serde_json::json;

use super::compose::deploy;
use super::session::entry;
use super::world::image;
use super::{Session, World};

fn yaml() -> String {
    format!(
        r#"
services:
  db:
    image: {image}
    command: ["sh", "-c", "echo kept >> /data/file; exec sleep 600"]
    volumes: ["data:/data"]
    stop_signal: SIGKILL
  web: {{ image: {image}, command: ["sleep", "600"], stop_signal: SIGKILL }}
volumes:
  data:
"#,
        image = image()
    )
}

#[tokio::test]
async fn a_stack_is_taken_down_by_a_server_that_never_saw_its_file_and_keeps_its_data() {
    let Some(world) = World::enter("down") else { return };
    let mut session = world.session().await;
    let up = deploy(&mut session, &world, &yaml()).await;
    assert_eq!(up["ok"], true, "{up}");
    let (volume, network) = (format!("{}_data", world.prefix), format!("{}_default", world.prefix));
    let (db, web) = (format!("{}-db-1", world.prefix), format!("{}-web-1", world.prefix));
    drop(session);

    let mut session = world.session().await;
    let shown = session.done("compose-ps", json!({"project_name": world.prefix})).await;
    assert_eq!(shown["services"].as_array().unwrap().len(), 2, "{shown}");

    let dry = json!({"project_name": world.prefix, "dry_run": true});
    assert_eq!(session.done("compose-down", dry).await["dry_run"], true);
    assert_eq!(world.state(&db), "running");

    let down = session.done("compose-down", json!({"project_name": world.prefix})).await;
    assert_eq!(down["removed"]["containers"], json!([db, web]), "{down}");
    assert_eq!(down["removed"]["networks"], json!([network]), "{down}");
    assert_eq!(down["kept_volumes"], json!([volume]), "{down}");
    assert!(!world.exists("container", &db) && !world.exists("network", &network));
    assert!(world.exists("volume", &volume));

    // What it had written is there when it comes up again.
    let up = deploy(&mut session, &world, &yaml()).await;
    assert_eq!(up["ok"], true, "{up}");
    assert_eq!(world.docker(["exec", &db, "cat", "/data/file"]), "kept\nkept");
}

#[tokio::test]
async fn the_volumes_of_a_stack_go_only_after_a_confirmation_that_names_them() {
    let Some(world) = World::enter("down-v") else { return };
    let mut session = world.session().await;
    deploy(&mut session, &world, &yaml()).await;
    let (volume, db) = (format!("{}_data", world.prefix), format!("{}-db-1", world.prefix));
    let ask = json!({"project_name": world.prefix, "remove_volumes": true});
    let with = |token: &serde_json::Value| {
        let mut arguments = ask.clone();
        arguments["confirm"] = token.clone();
        arguments
    };

    let plan = session.done("compose-down", ask.clone()).await;
    assert!(plan["plan"].to_string().contains(&volume), "{plan}");
    assert!(plan["plan"].to_string().contains(&world.look(&db, "{{.Id}}")), "full IDs: {plan}");
    assert_eq!(world.state(&db), "running", "nothing was done");

    for token in [json!("0123456789abcdef"), json!("yes"), json!("true"), json!("")] {
        session.fails("DKR-027", "compose-down", with(&token)).await;
    }
    // Another server has never given it.
    let mut other = world.session().await;
    other.fails("DKR-027", "compose-down", with(&plan["confirm"])).await;

    // The world has changed since: a container that the plan does not name.
    let new = json!({
        "project_name": world.prefix, "compose_yaml": yaml(), "scale": {"web": 2},
    });
    session.done("deploy-compose", new).await;
    session.fails("DKR-027", "compose-down", with(&plan["confirm"])).await;
    assert!(world.exists("volume", &volume) && world.state(&db) == "running");

    let plan = session.done("compose-down", ask.clone()).await;
    let down = session.done("compose-down", with(&plan["confirm"])).await;
    assert_eq!(down["removed"]["volumes"], json!([volume]), "{down}");
    assert!(!world.exists("volume", &volume) && !world.exists("container", &db));
    session.fails("DKR-008", "compose-down", ask.clone()).await;
}

#[tokio::test]
async fn the_plan_is_what_happens_also_with_left_overs() {
    let Some(world) = World::enter("down-left") else { return };
    let mut session = world.session().await;
    deploy(&mut session, &world, &yaml()).await;
    let of = |name: &str| format!("{}{name}", world.prefix);
    let (volume, network, web) = (of("_data"), of("_default"), of("-web-1"));
    // As `docker run` makes them of an image that compose has built, and `compose run`.
    let label = format!("--label=com.docker.compose.project={}", world.prefix);
    let left =
        world.make("left", &[label.as_str(), "--label=com.docker.compose.service=web"], &["true"]);
    let file = world.file("compose.yaml", &yaml());
    let run = world.name("run");
    world.docker([
        "compose",
        "--project-name",
        &world.prefix,
        "--file",
        file.to_str().unwrap(),
        "run",
        "--detach",
        "--name",
        &run,
        "web",
        "sleep",
        "600",
    ]);
    let names = |list: &serde_json::Value| -> Vec<String> {
        let names = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };

    let dry = json!({"project_name": world.prefix, "dry_run": true});
    let forecast = session.done("compose-down", dry).await["notes"].to_string();
    let stays = |name: &str| forecast.contains(&format!("{name} stays"));
    assert!(
        stays(&left) && stays(&run) && stays(&network) && forecast.contains(&web),
        "{forecast}"
    );

    let mut down = json!({"project_name": world.prefix, "remove_volumes": true});
    let plan = session.done("compose-down", down.clone()).await;
    let planned = names(&plan["plan"]["removes"]);
    assert_eq!(planned, [of("-db-1"), web, volume.clone()], "{plan}");
    down["confirm"] = plan["confirm"].clone();
    let done = session.done("compose-down", down).await;
    assert_eq!(done["removed"]["containers"], json!(planned[..2]), "{done}");
    assert_eq!(done["removed"]["volumes"], json!([volume]), "{done}");
    assert_eq!(done["removed"]["networks"], json!(null), "{done}");
    let kept = done["kept_containers"].to_string();
    assert!(kept.contains(&left) && kept.contains(&run) && kept.contains("compose run"), "{done}");

    // Only the one-off is left, and runs: versions of compose differ in what they do then.
    let down = json!({"project_name": world.prefix, "remove_orphans": true});
    let done = session.done("compose-down", down).await;
    assert_eq!(done["removed"]["containers"], json!([run]), "{done}");
    assert_eq!(done["removed"]["networks"], json!([network]), "{done}");
    assert!(world.exists("container", &left) && !world.exists("container", &run));
}

#[tokio::test]
async fn a_volume_that_somebody_else_uses_is_named_and_stays() {
    let Some(world) = World::enter("down-used") else { return };
    let mut session = world.session().await;
    deploy(&mut session, &world, &yaml()).await;
    let volume = format!("{}_data", world.prefix);
    let stranger = world.name("stranger");
    let mount = format!("--volume={volume}:/data");
    world.docker(["create", "--name", &stranger, &mount, &image()]);
    let mut arguments = json!({"project_name": world.prefix, "remove_volumes": true});
    let plan = session.done("compose-down", arguments.clone()).await;
    assert!(plan["plan"].to_string().contains(&stranger), "who uses it is told: {plan}");
    arguments["confirm"] = plan["confirm"].clone();
    let result = session.wire.call("compose-down", arguments).await;
    assert!(result.to_string().contains(&stranger), "{result}");
    assert!(world.exists("volume", &volume));
}

#[tokio::test]
async fn a_project_is_deployed_again_by_its_name_alone_from_what_it_was_deployed_from() {
    let Some(world) = World::enter("again") else { return };
    let yaml = |who: &str| {
        format!(
            "services: {{web: {{image: '{}', environment: {{WHO: {who}}}, command: [sh, -c, 'echo I am $$WHO; sleep 300']}}}}",
            image()
        )
    };
    // Another project's file lies where one would look.
    world.file("compose.yaml", &yaml("somebody-else"));
    world.file("deploy/mine.yml", &yaml("from-the-file"));
    let (inline, by_file) = (world.name("inline"), world.name("byfile"));
    let mut session = world.session().await;
    let arguments = json!({"project_name": inline, "compose_yaml": yaml("inline")});
    session.done("deploy-compose", arguments).await;
    let arguments = json!({"project_name": by_file, "compose_file": "deploy/mine.yml"});
    session.done("deploy-compose", arguments).await;
    session.done("compose-down", json!({"project_name": inline})).await;
    let listed = session.done("list-compose-projects", json!({"all": true})).await;
    let file = world.workspace().canonicalize().unwrap().join("deploy/mine.yml");
    let files = &entry(&listed["projects"], "name", &by_file)["config_files"];
    assert_eq!(files, &json!([file]), "{listed}");

    let mut later = world.session().await;
    for (project, who) in [(&inline, "inline"), (&by_file, "from-the-file")] {
        let run = json!({"project_name": project, "service": "web", "command": ["env"]});
        if project == &by_file {
            let ran = later.done("compose-run", run).await;
            assert!(ran["stdout"].as_str().unwrap().contains(&format!("WHO={who}")), "{ran}");
            let shown = later.done("compose-ps", json!({"project_name": project})).await;
            assert!(!shown.to_string().contains("drift"), "{shown}");
        }
        let deployed = later.done("deploy-compose", json!({"project_name": project})).await;
        assert_eq!(deployed["ok"], true, "{deployed}");
        let printed = world.docker(["logs", &format!("{project}-web-1")]);
        assert!(printed.contains(&format!("I am {who}")), "{printed}");
    }
}

#[tokio::test]
async fn images_go_with_a_plan_and_protected_ones_stay() {
    let Some(world) = World::enter("downimages") else { return };
    world.file("Dockerfile", &format!("FROM {}\nLABEL {} x=1\n", image(), world.label));
    let project = world.name("p");
    let own = format!("{project}-app");
    let yaml = "services: {app: {build: ., command: [sleep, '300']}}";
    let mut server = world.server();
    server.arg(format!("--protect={own}"));
    let mut guarded = Session::open(server).await;
    let mut session = world.session().await;
    let arguments = json!({"project_name": project, "compose_yaml": yaml});
    session.done("deploy-compose", arguments).await;
    for which in [json!("all"), json!("local")] {
        let down = json!({"project_name": project, "remove_images": which});
        let said = guarded.fails("DKR-014", "compose-down", down.clone()).await;
        assert!(said.contains("object.protected"), "{said}");
        let plan = session.done("compose-down", down).await;
        assert!(plan["plan"].to_string().contains(&own), "the only copy would go: {plan}");
        assert!(world.exists("image", &own));
    }
}
