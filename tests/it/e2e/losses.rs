//! Ways to lose what has a copy nowhere else, or what the operator has protected, that lead through
//! something else: a name that moves, a label, a container that removes itself.

use serde_json::{Value, json};

use super::world::image;
use super::{OBEDIENT, Session, World};

/// An image that was made here; its ID.
fn make(world: &World, name: &str, changes: &[&str]) -> String {
    let maker = world.run(&format!("maker-{}", name.replace(['/', ':'], "-")), "date > /made");
    world.docker(["wait", &maker]);
    let label = format!("--change=LABEL {}", world.label);
    let changes: Vec<String> = changes.iter().map(|change| format!("--change={change}")).collect();
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let words = [&["commit", &label], &changes[..], &[&maker, name]].concat();
    let made = world.try_docker_with(&words);
    assert!(made.status.success(), "{made:?}");
    world.docker(["rm", &maker]);
    id(world, name)
}

fn id(world: &World, image: &str) -> String {
    world.docker(["image", "inspect", "--format={{.Id}}", image])
}

async fn with_flag(world: &World, flag: &str) -> Session {
    let mut server = world.server();
    server.arg(flag);
    Session::open(server).await
}

fn with(arguments: &Value, key: &str, value: impl Into<Value>) -> Value {
    let mut arguments = arguments.clone();
    arguments[key] = value.into();
    arguments
}

/// `docker run` of a container that looks like one of a project.
fn pose(world: &World, project: &str, name: &str, options: &[&str]) {
    let labels = [
        format!("--label=com.docker.compose.project={project}"),
        "--label=com.docker.compose.service=a".to_owned(),
        "--label=com.docker.compose.oneoff=False".to_owned(),
        "--label=com.docker.compose.container-number=1".to_owned(),
        "--label=com.docker.compose.config-hash=0".to_owned(),
    ];
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let image = image();
    let command = [image.as_str(), "sh", "-c", OBEDIENT];
    let words = [&["run", "--detach", "--name", name], &labels[..], options, &command].concat();
    let made = world.try_docker_with(&words);
    assert!(made.status.success(), "{made:?}");
}

#[tokio::test]
async fn an_image_that_has_lost_its_name_is_still_the_only_copy() {
    let Some(world) = World::enter("lastname") else { return };
    let (precious, other) =
        (format!("{}:precious", world.prefix), format!("{}:other", world.prefix));
    let old = make(&world, &precious, &[]);
    make(&world, &other, &[]);
    let mut session = world.session().await;
    session.done("tag-image", json!({"image": other, "tag": precious})).await;
    let plan = session.done("remove-image", json!({"image": old})).await;
    assert_eq!(plan["plan"]["removes"][0]["loses_data"], true, "{plan}");
    assert!(world.exists("image", &old));
    let confirmed = json!({"image": old, "confirm": plan["confirm"]});
    session.done("remove-image", confirmed).await;
    assert!(!world.exists("image", &old));
}

#[tokio::test]
async fn an_image_goes_with_a_plan_when_a_project_has_all_of_its_names() {
    let Some(world) = World::enter("twonames") else { return };
    let names = ["one", "two"].map(|tag| format!("{}:{tag}", world.prefix));
    let old = make(&world, &names[0], &[]);
    world.docker(["tag", &names[0], &names[1]]);
    let project = world.name("p");
    let [one, two] = &names;
    let yaml = format!(
        "services:\n  a: {{image: '{one}', command: [sleep, '300'], stop_signal: SIGKILL}}\n  b: {{image: '{two}', command: [sleep, '300'], stop_signal: SIGKILL}}\n"
    );
    let mut session = world.session().await;
    session.done("deploy-compose", json!({"project_name": project, "compose_yaml": yaml})).await;
    let down = json!({"project_name": project, "remove_images": "all"});
    let plan = session.done("compose-down", down.clone()).await;
    let lost = plan["plan"]["removes"].as_array().unwrap().iter();
    let lost: Vec<_> = lost.filter(|it| it["loses_data"] == true).map(|it| &it["name"]).collect();
    assert_eq!(lost, [one, two], "{plan}");
    assert!(world.exists("image", &old));
    let gone = session.done("compose-down", with(&down, "confirm", plan["confirm"].clone())).await;
    assert_eq!(gone["removed"]["images"], json!(names), "{gone}");
    assert!(!world.exists("image", &old));
}

#[tokio::test]
async fn images_of_a_project_that_no_container_uses_are_planned_and_protected_too() {
    let Some(world) = World::enter("labelled") else { return };
    let project = world.name("p");
    let precious = format!("{}:precious", world.prefix);
    let of_project = format!("LABEL com.docker.compose.project={project}");
    make(&world, &precious, &[&of_project, "LABEL com.docker.compose.service=gone"]);
    world.file("Dockerfile", &format!("FROM {}\nLABEL {} x=2\n", image(), world.label));
    let app = format!("{}:app", world.prefix);
    let yaml = format!(
        "services: {{app: {{build: ., image: '{app}', command: [sleep, '300'], stop_signal: SIGKILL}}}}"
    );
    let mut session = world.session().await;
    session.done("deploy-compose", json!({"project_name": project, "compose_yaml": yaml})).await;

    let down = json!({"project_name": project, "remove_images": "local"});
    let with_orphans = with(&down, "remove_orphans", true);
    let mut guarded = with_flag(&world, &format!("--protect={precious}")).await;
    let said = guarded.fails("DKR-014", "compose-down", with_orphans.clone()).await;
    assert!(said.contains(&precious), "{said}");
    let plan = session.done("compose-down", with_orphans).await.to_string();
    assert!(plan.contains(&precious) && plan.contains(&app), "{plan}");
    // Its own image has a name that the file gives, and goes too; the other one is not meant.
    let plan = session.done("compose-down", down.clone()).await;
    let told = plan["plan"].to_string();
    assert!(told.contains(&app) && !told.contains(&precious), "{plan}");
    assert!(world.exists("image", &app) && world.exists("image", &precious));
    let gone = session.done("compose-down", with(&down, "confirm", plan["confirm"].clone())).await;
    assert_eq!(gone["removed"]["images"], json!([app]), "{gone}");
    assert!(!world.exists("image", &app) && world.exists("image", &precious));
}

#[tokio::test]
async fn no_tool_takes_the_name_of_a_protected_image() {
    let Some(world) = World::enter("nametaken") else { return };
    // A registry where nobody is.
    let precious = format!("127.0.0.1:9/{}:1", world.prefix);
    make(&world, &precious, &[]);
    // A file of another image with that name.
    let other = make(&world, &format!("{}:other", world.prefix), &[]);
    let old = id(&world, &precious);
    world.docker(["tag", &other, &precious]);
    let file = world.workspace().join("other.tar");
    world.docker(["save", &format!("--output={}", file.display()), &precious]);
    world.docker(["tag", &old, &precious]);
    world.file("Dockerfile", &format!("FROM {}\nLABEL {} x=3\n", image(), world.label));
    let project = world.name("p");
    let yaml = |service: &str| {
        let yaml = format!("services: {{app: {{{service}, command: [sleep, '300']}}}}");
        json!({"project_name": project, "compose_yaml": yaml})
    };
    let tags = yaml(&format!("build: {{context: ., tags: ['{precious}']}}"));
    let pulled = yaml(&format!("image: '{precious}'"));
    let always = yaml(&format!("image: '{precious}', pull_policy: always"));
    let run =
        |arguments: &Value| with(&with(arguments, "service", "app"), "command", json!(["id"]));
    let calls = [
        ("tag-image", json!({"image": other, "tag": precious})),
        ("build-image", json!({"context": ".", "tags": [precious]})),
        ("load-image", json!({"path": "other.tar"})),
        ("pull-image", json!({"image": precious})),
        ("create-container", json!({"image": precious, "pull": "always", "name": world.name("c")})),
        ("compose-build", tags.clone()),
        ("compose-pull", pulled.clone()),
        ("deploy-compose", tags.clone()),
        ("deploy-compose", with(&pulled, "pull", "always")),
        ("deploy-compose", always.clone()),
        ("compose-run", run(&tags)),
        ("compose-run", run(&always)),
    ];
    let mut guarded = with_flag(&world, &format!("--protect={precious}")).await;
    let mut only_ours = with_flag(&world, "--only-ours").await;
    for (tool, arguments) in calls {
        let said = guarded.fails("DKR-014", tool, arguments.clone()).await;
        assert!(said.contains("object.protected"), "{tool}: {said}");
        assert_eq!(id(&world, &precious), old, "{tool}");
        let said = only_ours.fails("DKR-014", tool, arguments).await;
        assert!(said.contains("object.not_ours"), "{tool}: {said}");
        assert_eq!(id(&world, &precious), old, "{tool}");
    }
    assert!(world.exists("image", &other), "what was loaded is here, without the name");
    // The name that it has already may be given again, and others may be taken.
    guarded.done("tag-image", json!({"image": old, "tag": precious})).await;
    guarded.done("deploy-compose", pulled).await;
    let free = format!("{}:free", world.prefix);
    guarded.done("build-image", json!({"context": ".", "tags": [free]})).await;
}

#[tokio::test]
async fn with_only_ours_an_image_is_built_again_and_removed_but_no_foreign_one() {
    let Some(world) = World::enter("ownimage") else { return };
    let app = format!("{}:app", world.prefix);
    let mut session = with_flag(&world, "--only-ours").await;
    let build = json!({"context": ".", "tags": [app]});
    for version in ["1", "2"] {
        let text = format!("FROM {}\nLABEL {} v={version}\n", image(), world.label);
        world.file("Dockerfile", &text);
        session.done("build-image", build.clone()).await;
    }
    let plan = session.done("remove-image", json!({"image": app})).await;
    assert!(plan["confirm"].is_string(), "{plan}");
    let foreign = format!("{}:foreign", world.prefix);
    world.docker(["tag", &app, &foreign]);
    for image in [&foreign, &id(&world, &app)] {
        let force = json!({"image": image, "force": true});
        session.fails("DKR-014", "remove-image", force).await;
    }
}

#[tokio::test]
async fn a_protected_container_is_not_replaced_because_its_image_or_a_run_is_new() {
    let Some(world) = World::enter("newimage") else { return };
    let (project, app) = (world.name("p"), format!("{}:app", world.prefix));
    make(&world, &app, &[]);
    let yaml = |seconds: u32| {
        let command = format!("command: [sleep, '{seconds}'], stop_signal: SIGKILL");
        format!(
            "services:\n  db: {{image: '{app}', {command}}}\n  web: {{image: '{}', command: [id], depends_on: [db]}}\n",
            image()
        )
    };
    let deploy = |seconds| json!({"project_name": project, "compose_yaml": yaml(seconds), "services": ["db"]});
    let mut session = world.session().await;
    session.done("deploy-compose", deploy(300)).await;
    let db = format!("{project}-db-1");
    let old = world.look(&db, "{{.Id}}");
    let mut guarded = with_flag(&world, &format!("--protect={db}")).await;
    guarded.done("deploy-compose", deploy(300)).await;

    let run =
        |seconds| json!({"project_name": project, "compose_yaml": yaml(seconds), "service": "web"});
    guarded.done("compose-run", run(300)).await;
    guarded.fails("DKR-014", "compose-run", run(301)).await;
    guarded.done("compose-run", with(&run(301), "no_deps", true)).await;

    // Somebody builds it again, or the registry may have a newer one.
    make(&world, &format!("{}:newer", world.prefix), &[]);
    world.docker(["tag", &format!("{}:newer", world.prefix), &app]);
    let said = guarded.fails("DKR-014", "deploy-compose", deploy(300)).await;
    assert!(said.contains("object.protected"), "{said}");
    let dry = session.done("deploy-compose", with(&deploy(300), "dry_run", true)).await;
    assert_eq!(dry["services"][0]["action"], "recreate", "{dry}");
    guarded.fails("DKR-014", "deploy-compose", with(&deploy(300), "pull", "always")).await;
    assert_eq!(world.look(&db, "{{.Id}}"), old);
}

#[tokio::test]
async fn a_project_does_not_lose_what_removes_itself() {
    let Some(world) = World::enter("itself") else { return };
    let (project, name) = (world.name("p"), world.name("a"));
    pose(&world, &project, &name, &["--rm", "--volume=/data"]);
    let volume = world.look(&name, "{{range .Mounts}}{{.Name}}{{end}}");
    let mut session = world.session().await;
    let mut guarded = with_flag(&world, &format!("--protect={name}")).await;
    let call = json!({"project_name": project, "timeout_seconds": 1});
    let said = session.fails("DKR-010", "compose-stop", call.clone()).await;
    assert!(said.contains(&volume), "{said}");
    for tool in ["compose-stop", "compose-down"] {
        guarded.fails("DKR-014", tool, call.clone()).await;
    }
    let yaml = format!("services: {{b: {{image: '{}', command: [sleep, '300']}}}}", image());
    let deploy = json!({"project_name": project, "compose_yaml": yaml, "remove_orphans": true});
    session.fails("DKR-010", "deploy-compose", deploy).await;
    assert_eq!(world.state(&name), "running");

    session.done("compose-restart", call.clone()).await;
    assert_eq!(world.state(&name), "running");
    assert!(world.exists("volume", &volume));

    let plan = session.done("compose-down", call.clone()).await;
    assert!(plan["plan"].to_string().contains(&volume), "{plan}");
    assert!(world.exists("volume", &volume) && world.state(&name) == "running");
    let down = session.done("compose-down", with(&call, "confirm", plan["confirm"].clone())).await;
    assert_eq!(down["removed"]["containers"], json!([name]), "{down}");
    // Whoever removes the container first decides it: docker with its volume, or compose without.
    let is_gone = down["removed"]["volumes"] == json!([volume]);
    assert_eq!(is_gone, !world.exists("volume", &volume), "{down}");
    world.try_docker(["volume", "rm", "--force", &volume]);
}

/// Writes so many bytes into the container itself, and goes on.
const WRITER: [&str; 3] = [
    "sh",
    "-c",
    "mkdir -p /data; head -c 5000000 /dev/zero > /data/db; touch /ready; trap 'exit 0' TERM; while :; do sleep 0.1; done",
];

#[tokio::test]
async fn files_that_a_container_has_written_itself_go_after_a_plan() {
    let Some(world) = World::enter("written") else { return };
    let mut session = world.session().await;
    let db = world.make("db", &[], &WRITER);
    world.wait_for_file(&db, "/ready").await;
    let remove = json!({"container_name": db, "force": true});
    let plan = session.done("remove-container", remove.clone()).await;
    let lost = &plan["plan"]["removes"][0];
    assert_eq!((&lost["loses_data"], &lost["kind"]), (&json!(true), &json!("container")), "{plan}");
    let holds = lost["holds"].as_str().unwrap();
    assert!(holds.starts_with("5 MB of files") && holds.contains("/data/db"), "{plan}");
    assert_eq!(world.state(&db), "running");

    let again = json!({"container_name": db, "wait_seconds": 0});
    let id = world.look(&db, "{{.Id}}");
    let asked = session.done("recreate-container", again.clone()).await;
    assert_eq!(asked["plan"]["removes"][0]["loses_data"], true, "{asked}");
    assert_eq!(world.look(&db, "{{.Id}}"), id);
    let done =
        session.done("recreate-container", with(&again, "confirm", asked["confirm"].clone())).await;
    assert!(done["notes"].to_string().contains("/data/db"), "{done}");
    assert_ne!(world.look(&db, "{{.Id}}"), id);
    // It is another container now, and this session's own.
    session
        .fails("DKR-027", "remove-container", with(&remove, "confirm", plan["confirm"].clone()))
        .await;
    session.done("remove-container", remove).await;
    assert!(!world.exists("container", &db));

    // One that removes itself is not stopped.
    let itself = world.make("itself", &["--rm"], &WRITER);
    world.wait_for_file(&itself, "/ready").await;
    let stop = json!({"container_name": itself});
    for tool in ["stop-container", "kill-container"] {
        let said = session.fails("DKR-010", tool, stop.clone()).await;
        assert!(said.contains("/data/db"), "{said}");
    }
    assert_eq!(world.state(&itself), "running");

    // What is not worth a question: what this session has made, and what is left behind everywhere.
    let own = world.name("own");
    let create =
        json!({"name": own, "image": image(), "command": WRITER, "labels": {"e2e": world.prefix}});
    session.done("create-container", create).await;
    world.wait_for_file(&own, "/ready").await;
    let gone =
        session.done("remove-container", json!({"container_name": own, "force": true})).await;
    assert_eq!(gone["removed"], json!([own]), "{gone}");
    let script = "mkdir -p /run /var/log; echo 1 > /run/x.pid; head -c 90000 /dev/zero > /var/log/x; head -c 9000 /dev/zero > /tmp/x; touch /run/ready; sleep 300";
    let noisy = world.make("noisy", &[], &["sh", "-c", script]);
    world.wait_for_file(&noisy, "/run/ready").await;
    let gone =
        session.done("remove-container", json!({"container_name": noisy, "force": true})).await;
    assert_eq!(gone["removed"], json!([noisy]), "{gone}");
}

#[tokio::test]
async fn a_project_loses_files_of_its_containers_after_a_plan_and_no_volume_that_somebody_has() {
    let Some(world) = World::enter("layers") else { return };
    let (project, name, data) = (world.name("p"), world.name("a"), world.name("p_data"));
    let of_project = format!("--label=com.docker.compose.project={project}");
    world.docker(["volume", "create", &of_project, &format!("--label={}", world.label), &data]);
    pose(&world, &project, &name, &[&format!("--volume={data}:/v")]);
    let write = "mkdir -p /data; head -c 5000000 /dev/zero > /data/db";
    world.docker(["exec", &name, "sh", "-c", write]);
    let user = world.make("user", &[&format!("--volume={data}:/v")], &["sleep", "300"]);
    let mut session = world.session().await;
    let down = json!({"project_name": project, "remove_volumes": true, "timeout_seconds": 1});
    let plan = session.done("compose-down", down.clone()).await;
    let removes = plan["plan"]["removes"].as_array().unwrap();
    assert!(removes.iter().any(|it| it["name"] == name && it["loses_data"] == true), "{plan}");
    assert!(removes.iter().all(|it| it["kind"] != "volume"), "it stays: {plan}");
    let gone = session.done("compose-down", with(&down, "confirm", plan["confirm"].clone())).await;
    assert_eq!(gone["removed"]["containers"], json!([name]), "{gone}");
    assert!(gone.to_string().contains(&user), "{gone}");
    assert!(world.exists("volume", &data));
    world.docker(["rm", "--force", &user]);
    world.docker(["volume", "rm", &data]);
}

#[tokio::test]
async fn a_deployment_replaces_and_removes_files_of_containers_after_a_plan() {
    let Some(world) = World::enter("layer-deploy") else { return };
    let mut session = world.session().await;
    let project = world.name("p");
    let yaml = |value: &str, old: &str| {
        format!(
            r#"
services:
  db:
    image: {image}
    command: {WRITER:?}
    stop_signal: SIGKILL
    environment: {{ V: "{value}" }}
  web: {{ image: {image}, command: [sleep, "300"], stop_signal: SIGKILL, environment: {{ V: "{value}" }} }}
  job: {{ image: {image}, command: ["true"], depends_on: [db], profiles: [job] }}
{old}
"#,
            image = image()
        )
    };
    let old = format!("  old: {{ image: {}, command: {WRITER:?}, stop_signal: SIGKILL }}", image());
    let deploy =
        |value: &str, old: &str| json!({"project_name": project, "compose_yaml": yaml(value, old)});
    let scaled = |count: u32| with(&deploy("1", &old), "scale", json!({"db": count}));
    session.done("deploy-compose", scaled(2)).await;
    let [db, second, gone] = ["db-1", "db-2", "old-1"].map(|it| format!("{project}-{it}"));
    for container in [&db, &second, &gone] {
        world.wait_for_file(container, "/ready").await;
    }
    let (id, lost) = (world.look(&db, "{{.Id}}"), |plan: &Value| {
        let removes = plan["plan"]["removes"].as_array().unwrap_or_else(|| panic!("{plan}"));
        let lost = removes.iter().filter(|it| it["loses_data"] == true);
        lost.map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    // What stays as it is loses nothing.
    let same = session.done("deploy-compose", scaled(2)).await;
    assert_eq!(same["ok"], true, "{same}");

    let fewer = session.done("deploy-compose", scaled(1)).await;
    assert_eq!(lost(&fewer), [second.as_str()], "{fewer}");
    let orphans = with(&scaled(2), "compose_yaml", yaml("1", ""));
    let orphans = session.done("deploy-compose", with(&orphans, "remove_orphans", true)).await;
    assert_eq!(lost(&orphans), [gone.as_str()], "{orphans}");
    let forced = with(&with(&scaled(2), "force_recreate", true), "services", json!(["db"]));
    let forced = session.done("deploy-compose", forced).await;
    assert_eq!(lost(&forced), [db.as_str(), second.as_str()], "{forced}");
    let run = with(&deploy("2", &old), "service", "job");
    let said = session.fails("DKR-010", "compose-run", run.clone()).await;
    assert!(said.contains("/data/db") && said.contains("no_deps"), "{said}");

    let changed = with(&deploy("2", &old), "scale", json!({"db": 2}));
    let dry = session.done("deploy-compose", with(&changed, "dry_run", true)).await;
    let told = dry["warnings"].to_string();
    assert!(told.contains(&db) && told.contains("/data/db") && !told.contains("web"), "{dry}");
    let plan = session.done("deploy-compose", changed.clone()).await;
    assert_eq!(lost(&plan), [db.as_str(), second.as_str()], "{plan}");
    assert!(plan["plan"]["removes"][0]["holds"].to_string().contains("/data/db"), "{plan}");
    assert_eq!(world.look(&db, "{{.Id}}"), id, "nothing was done");
    let done = with(&changed, "confirm", plan["confirm"].clone());
    let done = session.done("deploy-compose", done).await;
    assert_eq!(done["ok"], true, "{done}");
    assert_ne!(world.look(&db, "{{.Id}}"), id);
    // Without anything written there is nothing to ask.
    let only_web = with(&deploy("3", &old), "services", json!(["web"]));
    let web = session.done("deploy-compose", only_web).await;
    assert_eq!(web["ok"], true, "{web}");
    let down = json!({"project_name": project, "timeout_seconds": 1});
    let plan = session.done("compose-down", down.clone()).await;
    session.done("compose-down", with(&down, "confirm", plan["confirm"].clone())).await;
}
