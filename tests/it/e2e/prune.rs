//! What nothing uses goes after a plan, and nothing else with it.

use serde_json::{Value, json};

use super::world::image;
use super::{OBEDIENT, Session, World};

struct Corner<'a> {
    world: &'a World,
    /// Everything else on the engine belongs to others.
    label: String,
}

impl Corner<'_> {
    fn container(&self, of: &str, more: &[&str], script: &str) -> String {
        let name = self.world.name(of);
        let label = format!("--label={}", self.label);
        let mut arguments = vec!["create", "--name", &name, &label];
        arguments.extend(more);
        let image = image();
        arguments.extend([image.as_str(), "sh", "-c", script]);
        let output = self.world.try_docker_with(&arguments);
        assert!(output.status.success(), "{output:?}");
        name
    }
}

async fn plan(session: &mut Session, arguments: &Value) -> (Value, Value) {
    let plan = session.done("prune", arguments.clone()).await;
    assert!(plan["confirm"].is_string(), "a plan first: {plan}");
    let mut confirmed = arguments.clone();
    confirmed["confirm"] = plan["confirm"].clone();
    (plan, confirmed)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap_or_else(|| panic!("{list}"))
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn stopped_containers_go_exactly_as_planned() {
    let Some(world) = World::enter("prune-c") else { return };
    let corner = Corner { world: &world, label: format!("{}=1", world.prefix) };
    let mut session = world.session().await;
    let done = corner.container("done", &[], "head -c 2000000 /dev/zero > /file");
    world.docker(["start", "--attach", &done]);
    let never = corner.container("never", &[], "true");
    let running = corner.container("running", &[], OBEDIENT);
    world.docker(["start", &running]);
    let kept = corner.container("kept", &["--label=docker-mcp-server.protect=true"], "true");
    let job = corner.container("job", &["--label=com.docker.compose.project=e2e-prune-p"], "true");
    let server =
        corner.container("server", &["--label=com.docker.compose.project=e2e-prune-p"], OBEDIENT);
    world.docker(["start", &server]);

    let arguments = json!({"what": "containers", "label": world.prefix});
    let mut dry = arguments.clone();
    dry["dry_run"] = true.into();
    let dry = session.done("prune", dry).await;
    assert_eq!(dry["command"], format!("docker container rm -- {done} {never}"), "{dry}");
    assert_eq!(names(&dry["removes"]), [done.as_str(), never.as_str()], "{dry}");
    let (told, confirmed) = plan(&mut session, &arguments).await;
    assert_eq!(names(&told["plan"]["removes"]), [done.as_str(), never.as_str()], "{told}");
    let id = world.look(&done, "{{.Id}}");
    let lost = &told["plan"]["removes"];
    assert_eq!((&lost[0]["id"], &lost[0]["size"]), (&json!(id), &json!("2 MB")), "{told}");
    assert_eq!((&lost[0]["loses_data"], &lost[1]["loses_data"]), (&json!(true), &json!(false)));
    let notes = told["plan"]["notes"].to_string();
    assert!(notes.contains(&kept) && notes.contains(&job), "{told}");
    assert!(notes.contains(&format!("kept {running}, {server}: not stopped")), "{told}");

    // Another one since: the plan is void, and it is not lost.
    let later = corner.container("later", &[], "true");
    session.fails("DKR-027", "prune", confirmed).await;
    assert!(world.exists("container", &later) && world.exists("container", &done));

    let (_, confirmed) = plan(&mut session, &arguments).await;
    let pruned = session.done("prune", confirmed.clone()).await;
    assert_eq!(pruned["removed"], json!([done, later, never]), "{pruned}");
    assert_eq!(pruned["reclaimed"], "2 MB", "{pruned}");
    for (name, is_there) in
        [(&done, false), (&never, false), (&running, true), (&kept, true), (&job, true)]
    {
        assert_eq!(world.exists("container", name), is_there, "{name}");
    }
    session.fails("DKR-027", "prune", confirmed).await;
    let nothing = session.done("prune", arguments.clone()).await;
    assert!(nothing["notes"].to_string().contains("nothing to remove"), "{nothing}");

    // Stopped containers of a project that runs go when it is named.
    let of_project = json!({"what": "containers", "project": "e2e-prune-p"});
    let (told, _) = plan(&mut session, &of_project).await;
    assert_eq!(names(&told["plan"]["removes"]), [job.as_str()], "{told}");
    assert_eq!(told["plan"]["removes"][0]["project"], "e2e-prune-p", "{told}");
    // All of them are younger than an hour.
    let mut old = arguments.clone();
    old["unused_for"] = "1h".into();
    let nothing = session.done("prune", old).await;
    assert!(nothing["notes"].to_string().contains("nothing to remove"), "{nothing}");
}

#[tokio::test]
async fn volumes_go_only_when_they_are_chosen_and_no_project_has_them() {
    let Some(world) = World::enter("prune-v") else { return };
    let corner = Corner { world: &world, label: format!("{}=1", world.prefix) };
    let mut session = world.session().await;
    let label = format!("--label={}=1", world.prefix);
    let project = |name: &str| format!("--label=com.docker.compose.project={name}");
    let create = |of: &str, labels: &[&str]| {
        let name = world.name(of);
        let mut arguments = vec!["volume", "create", label.as_str()];
        arguments.extend(labels);
        arguments.push(&name);
        assert!(world.try_docker_with(&arguments).status.success());
        name
    };
    let (gone_project, alive_project) = (world.name("gone"), world.name("alive"));
    let loose = create("loose", &[]);
    let of_gone = create("of-gone", &[&project(&gone_project)]);
    let of_alive = create("of-alive", &[&project(&alive_project)]);
    let kept = create("kept", &["--label=docker-mcp-server.protect=true"]);
    let used = create("used", &[]);
    let mount = format!("--volume={used}:/data");
    let user = corner.container("user", &[&mount, &project(&alive_project)], "true");

    let mount = format!("--volume={of_gone}:/data");
    let writer = corner.container("writer", &[&mount], "head -c 3000000 /dev/zero > /data/file");
    world.docker(["start", "--attach", &writer]);
    world.docker(["rm", &writer]);

    // Without a choice a name is a reason to keep it.
    let all = session.done("prune", json!({"what": "volumes", "dry_run": true})).await;
    for name in [&loose, &of_gone, &of_alive, &kept, &used] {
        assert!(!all["command"].to_string().contains(name.as_str()), "{all}");
    }
    let of_project = json!({"what": "volumes", "project": gone_project});
    let (told, confirmed) = plan(&mut session, &of_project).await;
    assert_eq!(names(&told["plan"]["removes"]), [of_gone.as_str()], "{told}");
    let removes = &told["plan"]["removes"][0];
    assert_eq!((&removes["loses_data"], &removes["size_bytes"]), (&json!(true), &json!(3_000_000)));
    assert!(removes["created"].is_string() && removes["id"].is_null(), "{told}");
    let pruned = session.done("prune", confirmed).await;
    assert_eq!(
        (&pruned["removed"], &pruned["reclaimed"]),
        (&json!([of_gone]), &json!("3 MB")),
        "{pruned}"
    );
    assert!(!world.exists("volume", &of_gone));

    let alive = session.done("prune", json!({"what": "volumes", "project": alive_project})).await;
    assert!(alive["notes"].to_string().contains(&of_alive), "{alive}");
    let by_label = json!({"what": "volumes", "label": format!("{}=1", world.prefix)});
    let (told, confirmed) = plan(&mut session, &by_label).await;
    assert_eq!(names(&told["plan"]["removes"]), [loose.as_str()], "{told}");
    let notes = told["plan"]["notes"].to_string();
    assert!(notes.contains(&format!("kept {used}: a container uses it")), "{told}");
    // A container takes it after the plan.
    let mount = format!("--volume={loose}:/data");
    let taker = corner.container("taker", &[&mount], "true");
    session.fails("DKR-027", "prune", confirmed).await;
    for name in [&loose, &of_alive, &kept, &used] {
        assert!(world.exists("volume", name), "{name}");
    }
    assert!(world.exists("container", &user) && world.exists("container", &taker));
    let days = json!({"what": "volumes", "unused_for": "24h"});
    session.fails("DKR-004", "prune", days).await;
}

#[tokio::test]
async fn images_and_networks_that_nothing_uses_go() {
    let Some(world) = World::enter("prune-i") else { return };
    let mut session = world.session().await;
    let mark = format!("{}=1", world.prefix);
    let build = |of: &str, tag: Option<&str>| {
        let dockerfile =
            format!("FROM {}\nLABEL {} {mark}\nRUN echo {of} > /x\n", image(), world.label);
        world.file(&format!("{of}/Dockerfile"), &dockerfile);
        let folder = world.workspace().join(of);
        let mut arguments = vec!["build", "--quiet"];
        let tag = tag.map(|tag| format!("--tag={tag}"));
        arguments.extend(tag.as_deref());
        arguments.push(folder.to_str().unwrap());
        let output = world.try_docker_with(&arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let nameless = build("nameless", None);
    let (two, used) = (world.name("two"), world.name("used"));
    let two_id = build("two", Some(&format!("{two}:1")));
    world.docker(["tag", &format!("{two}:1"), &format!("{two}:2")]);
    build("used", Some(&used));
    let holder = world.name("holder");
    world.docker(["create", "--name", &holder, &used, "true"]);
    // Its name goes to another image: the container still has it.
    let base = image();
    world.docker(["tag", &base, &used]);

    let all = session.done("prune", json!({"what": "images", "dry_run": true})).await;
    assert!(!all["command"].to_string().contains(two_id.trim_start_matches("sha256:")), "{all}");
    let arguments = json!({"what": "images", "label": mark});
    let mut dry = arguments.clone();
    dry["dry_run"] = true.into();
    let dry = session.done("prune", dry).await;
    let short = nameless.trim_start_matches("sha256:").get(..12).unwrap();
    let command = dry["command"].as_str().unwrap();
    assert!(command.contains(&format!("{two}:1 {two}:2")) && command.contains(short), "{dry}");
    assert!(!command.contains("sha256:"), "{dry}");
    let (told, confirmed) = plan(&mut session, &arguments).await;
    let ids: Vec<&str> = told["plan"]["removes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2, "{told}");
    assert!(ids.contains(&nameless.as_str()) && ids.contains(&two_id.as_str()), "{told}");
    for lost in told["plan"]["removes"].as_array().unwrap() {
        assert_eq!(lost["loses_data"], true, "it was built here: {told}");
        let bytes = lost["size_bytes"].as_u64().unwrap();
        assert!(bytes < 100_000, "only what no other image has: {told}");
    }
    let pruned = session.done("prune", confirmed).await;
    assert_eq!(pruned["removed"].as_array().unwrap().len(), 2, "{pruned}");
    assert!(!world.exists("image", &nameless) && !world.exists("image", &two_id));
    assert!(world.exists("image", &base));

    let label = format!("--label={mark}");
    let (free, taken) = (world.name("free"), world.name("taken"));
    world.docker(["network", "create", &label, &free]);
    world.docker(["network", "create", &label, &taken]);
    let network = format!("--network={taken}");
    world.docker(["create", "--name", &world.name("on-it"), &network, &base, "true"]);
    let (told, confirmed) = plan(&mut session, &json!({"what": "networks", "label": mark})).await;
    assert_eq!(names(&told["plan"]["removes"]), [free.as_str()], "{told}");
    assert_eq!(session.done("prune", confirmed).await["removed"], json!([free]));
    assert!(!world.exists("network", &free) && world.exists("network", &taken));
}

#[tokio::test]
async fn the_build_cache_is_asked_for_alone() {
    let Some(world) = World::enter("prune-b") else { return };
    let mut session = world.session().await;
    session.fails("DKR-004", "prune", json!({})).await;
    session.fails("DKR-004", "prune", json!({"what": "all"})).await;
    session.fails("DKR-004", "prune", json!({"what": "build_cache", "project": "x"})).await;
    // Others build on this engine: nothing there is three years old.
    let arguments = json!({"what": "build_cache", "unused_for": "26280h"});
    let answer = session.done("prune", arguments.clone()).await;
    if answer["confirm"].is_string() {
        let mut confirmed = arguments;
        confirmed["confirm"] = answer["confirm"].clone();
        let pruned = session.done("prune", confirmed).await;
        assert_eq!(pruned["reclaimed"], "0 B", "{pruned}");
    }
}
