//! Ways past the rules that were open once: a path that compose reads from another folder than its
//! file's, a label that is believed, a list that is read in two ways, power that docker does not call
//! by its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::world::image;
use super::{OBEDIENT, Session, World};

const SECRET: &str = "seen-outside-of-the-project";

/// A folder beside the project, with a file of variables.
fn outside(world: &World) -> PathBuf {
    let folder = world.workspace().with_file_name("outside");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("marker.env"), format!("MARKER={SECRET}\n")).unwrap();
    folder
}

/// The call is refused, and its answer does not have the secret in it.
async fn is_refused(session: &mut Session, tool: &str, arguments: Value, rule: &str) {
    let said = session.fails("DKR-014", tool, arguments).await;
    assert!(said.contains(rule) && !said.contains(SECRET), "{said}");
}

/// compose-config tells a refusal as a problem of the file.
async fn is_denied(session: &mut Session, arguments: Value, rule: &str) {
    let said = session.done("compose-config", arguments).await;
    assert_eq!(said["valid"], false, "{said}");
    let said = said.to_string();
    assert!(said.contains(rule) && !said.contains(SECRET), "{said}");
}

#[tokio::test]
async fn relative_paths_of_compose_files_are_judged_where_compose_begins() {
    let Some(world) = World::enter("begins") else { return };
    let outside = outside(&world);
    let web = format!("services:\n  web:\n    image: {}\n", image());
    world.file("a.yaml", &web);
    // What the folder of the file would make a file of the project.
    let up = "../outside/marker.env";
    world.file("d1/b.yaml", &format!("services: {{web: {{env_file: {up}}}}}"));
    let mut session = world.session().await;
    let several = json!({"compose_file": ["a.yaml", "d1/b.yaml"], "include": ["model"]});
    is_denied(&mut session, several, "file.outside_roots").await;

    let included = world.file("d1/inc.yaml", &format!("{web}    env_file: {up}\n"));
    world.file("d1/nothing.yaml", "include: [{path: ../top.yaml, project_directory: null}]");
    world.file("top.yaml", &format!("{web}    env_file: {up}\n"));
    world.file("nowhere.yaml", "include: [{path: d1/inc.yaml, project_directory: nowhere}]");
    for (file, rule) in
        [("d1/nothing.yaml", "file.outside_roots"), ("nowhere.yaml", "compose.nested_path")]
    {
        let arguments = json!({"compose_file": file, "include": ["model"]});
        is_denied(&mut session, arguments, rule).await;
    }
    // An included file resolves it in the folder of the process, which is `/`.
    let from_root = outside.join("marker.env");
    let from_root = from_root.strip_prefix("/").unwrap().display().to_string();
    fs::write(&included, &web).unwrap();
    let nested = format!("include: [{{path: inc.yaml, env_file: '../{from_root}'}}]");
    world.file("d1/nested.yaml", &nested);
    world.file("nested.yaml", "include: [d1/nested.yaml]");
    fs::write(&included, format!("{web}    environment: {{A: '${{MARKER}}'}}\n")).unwrap();
    let arguments = json!({"compose_file": "nested.yaml", "include": ["model"]});
    is_denied(&mut session, arguments.clone(), "compose.nested_path").await;

    // The way is real: without rules the same call shows it.
    let mut server = world.server();
    server.args(["--policy", "unrestricted"]);
    let mut session = Session::open(server).await;
    let config = session.done("compose-config", arguments).await;
    assert!(config.to_string().contains(SECRET), "{config}");
}

#[tokio::test]
async fn files_of_the_project_are_read_from_where_compose_begins() {
    let Some(world) = World::enter("everyfile") else { return };
    let web = format!("services:\n  web:\n    image: {}\n", image());
    world.file("d1/a.yaml", &format!("{web}    env_file: ../app.env\n"));
    world.file("d1/d2/b.yaml", "services: {web: {env_file: ./own.env}}");
    world.file("d1/d2/own.env", "WRONG=1\n");
    world.file("d1/own.env", "OWN=1\n");
    world.file("app.env", "APP=1\n");
    world.file("d1/d2/inc.yaml", "services: {inc: {image: x, env_file: ../own.env}}");
    world
        .file("all.yaml", "include: [{path: d1/d2/inc.yaml, project_directory: d1/d2}, d1/a.yaml]");
    let mut session = world.session().await;
    let arguments = json!({"compose_file": ["d1/a.yaml", "d1/d2/b.yaml"], "include": ["model"]});
    let config = session.done("compose-config", arguments).await.to_string();
    assert!(["APP", "OWN"].iter().all(|name| config.contains(name)), "{config}");
    assert!(!config.contains("WRONG"), "{config}");
    let arguments = json!({"compose_file": "all.yaml", "include": ["model"]});
    let config = session.done("compose-config", arguments).await.to_string();
    assert!(["APP", "OWN"].iter().all(|name| config.contains(name)), "{config}");
}

/// The labels of an image are labels of its containers.
#[tokio::test]
async fn a_label_does_not_choose_the_project_folder() {
    let Some(world) = World::enter("label") else { return };
    let outside = outside(&world);
    let file = world.file(
        "d1/l.yaml",
        &format!("services: {{web: {{image: '{}', env_file: marker.env}}}}", image()),
    );
    world.file("d1/marker.env", "A=b\n");
    let (project, evil) = (world.name("p"), world.name("evil:1"));
    let holder = world.run("holder", "true");
    let label = |key: &str, value: &str| format!("--change=LABEL com.docker.compose.{key}={value}");
    world.docker([
        "commit",
        &label("project", &project),
        &label("service", "web"),
        &label("oneoff", "False"),
        &label("container-number", "1"),
        &label("config-hash", "1"),
        &label("project.working_dir", outside.to_str().unwrap()),
        &label("project.config_files", file.to_str().unwrap()),
        &holder,
        &evil,
    ]);
    let mut session = world.session().await;
    let name = world.name("main");
    let arguments = json!({"image": evil, "name": name, "command": ["sh", "-c", OBEDIENT]});
    session.done("create-container", arguments).await;
    let arguments = json!({"project_name": project});
    is_refused(&mut session, "deploy-compose", arguments.clone(), "file.outside_roots").await;
    // What only looks says the rest.
    session.done("compose-ps", arguments).await;
}

#[tokio::test]
async fn a_build_cache_that_can_be_read_in_two_ways_is_refused() {
    let Some(world) = World::enter("cache") else { return };
    let outside = outside(&world);
    fs::write(outside.join("index.json"), "{}").unwrap();
    world.file("Dockerfile", &format!("FROM {}\n", image()));
    let (here, there) = (world.workspace(), outside.display().to_string());
    let here = here.display();
    let mut session = world.session().await;
    for (key, cache) in [
        ("cache_from", format!("type=local,src={there}, src={here}")),
        ("cache_from", format!("type=local,src={there},src={here}")),
        ("cache_to", format!("type=local,dest={there}, type=inline")),
    ] {
        let build = json!({"context": ".", key: [cache]});
        let yaml = json!({"services": {"a": {"image": world.name("i"), "build": build}}});
        let arguments = json!({"project_name": world.name("p"), "compose_yaml": yaml});
        is_refused(&mut session, "compose-build", arguments, "build.output").await;
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 2, "something was made outside");
}

#[tokio::test]
async fn open_system_paths_are_power_over_the_host() {
    let Some(world) = World::enter("paths") else { return };
    let command = ["sh", "-c", OBEDIENT];
    let plain = world.make("plain", &[], &command);
    let open = world.make("open", &["--security-opt=systempaths=unconfined"], &command);
    let mut session = world.session().await;
    let arguments = |name: &str| json!({"container_name": name, "command": ["true"]});
    session.done("exec-container", arguments(&plain)).await;
    let said = session.fails("DKR-014", "exec-container", arguments(&open)).await;
    assert!(said.contains("systempaths=unconfined"), "{said}");
}

#[tokio::test]
async fn a_powerful_container_does_not_begin_anew_with_what_an_agent_wrote() {
    let Some(world) = World::enter("again") else { return };
    let script = world.file("run.sh", &format!("echo first; {OBEDIENT}"));
    let (project, folder) = (world.name("p"), world.workspace());
    let mount = |path: &Path| format!("--volume={}:/p:ro", path.display());
    let labels = [
        format!("--label=com.docker.compose.project={project}"),
        "--label=com.docker.compose.service=web".to_owned(),
        "--label=com.docker.compose.oneoff=False".to_owned(),
        "--label=com.docker.compose.container-number=1".to_owned(),
        "--label=com.docker.compose.config-hash=1".to_owned(),
    ];
    let run = ["sh", "/p/run.sh"];
    let inside = mount(&folder);
    let labels = labels.iter().map(String::as_str);
    let options: Vec<&str> = ["--pid=host", inside.as_str()].into_iter().chain(labels).collect();
    let powerful = world.make("powerful", &options, &run);
    let above = mount(folder.parent().unwrap());
    let holds = world.make("above", &["--pid=host", &above], &["sh", "/p/workspace/run.sh"]);
    let volume = format!("--volume={}:/p", world.name("data"));
    let with_volume = world.make("volume", &["--pid=host", &volume], &["sh", "-c", OBEDIENT]);
    let alone = world.make("alone", &["--pid=host"], &["sh", "-c", OBEDIENT]);
    let harmless = world.make("harmless", &[&inside], &run);
    fs::write(&script, format!("echo second; {OBEDIENT}")).unwrap();

    let mut session = world.session().await;
    for name in [&powerful, &holds, &with_volume] {
        for (tool, more) in [
            ("restart-container", json!({})),
            ("start-container", json!({})),
            ("kill-container", json!({"signal": "SIGHUP"})),
            ("update-container", json!({"memory": "6m"})),
        ] {
            let mut arguments = more;
            arguments["container_name"] = json!(name);
            let said = session.fails("DKR-014", tool, arguments).await;
            assert!(said.contains("target.host_powerful"), "{tool}: {said}");
            assert!(said.contains("where an agent can write"), "{tool}: {said}");
        }
    }
    for tool in ["compose-restart", "compose-start"] {
        let said = session.fails("DKR-014", tool, json!({"project_name": project})).await;
        assert!(said.contains("target.host_powerful"), "{tool}: {said}");
    }
    assert!(!world.docker(["logs", &powerful]).contains("second"));
    for name in [&alone, &harmless] {
        session.done("restart-container", json!({"container_name": name})).await;
    }
    // Without rules it may, and what was written runs.
    session.done("stop-container", json!({"container_name": powerful})).await;
    let mut server = world.server();
    server.args(["--policy", "unrestricted"]);
    let mut session = Session::open(server).await;
    session.done("start-container", json!({"container_name": powerful})).await;
    assert!(world.docker(["logs", &powerful]).contains("second"));
}

/// As a container that may write the project folder can do it, over and over.
#[tokio::test]
async fn a_folder_that_is_swapped_for_a_link_meanwhile_gives_nothing_away() {
    let Some(world) = World::enter("race") else { return };
    let outside = outside(&world);
    world.file("race/sub/marker.env", "of the project\n");
    let race = world.workspace().join("race");
    std::os::unix::fs::symlink(&outside, race.join("link")).unwrap();
    let name = world.run("main", OBEDIENT);
    let mut session = world.session().await;
    let over = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (over, race) = (Arc::clone(&over), race.clone());
        move || {
            let (sub, link, kept) = (race.join("sub"), race.join("link"), race.join("kept"));
            while !over.load(Ordering::Relaxed) {
                fs::rename(&sub, &kept).unwrap();
                fs::rename(&link, &sub).unwrap();
                std::thread::sleep(Duration::from_millis(2));
                fs::rename(&sub, &link).unwrap();
                fs::rename(&kept, &sub).unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    for i in 0..30 {
        for source in ["race/sub/marker.env", "race/sub"] {
            let to = format!("{name}:/in-{i}-{}", source.len());
            let arguments = json!({"source": source, "destination": to});
            let _refused_or_done = session.wire.call("copy-files", arguments).await;
        }
    }
    over.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    // When nobody swaps it, it goes in.
    let arguments = json!({"source": "race/sub", "destination": format!("{name}:/in-last")});
    session.done("copy-files", arguments).await;
    let came = world.docker(["exec", &name, "sh", "-c", "cat /in-* /in-*/* 2>&1; true"]);
    assert!(came.contains("of the project") && !came.contains(SECRET), "{came}");
}

/// Names, kinds and links are as docker itself would have them.
#[tokio::test]
async fn files_go_where_docker_would_put_them() {
    let Some(world) = World::enter("where") else { return };
    world.file("app/one.txt", "one\n");
    std::os::unix::fs::symlink("/etc/hostname", world.workspace().join("app/link")).unwrap();
    let long = format!("app/{}/{}", "d".repeat(90), "f".repeat(90));
    world.file(&long, "long\n");
    let large = world.workspace().join("large");
    fs::write(&large, vec![b'x'; 3_000_001]).unwrap();
    let name = world.run("main", &format!("mkdir -p /real; ln -s real /linked; {OBEDIENT}"));
    let mut session = world.session().await;
    let mut copy = async |source: &str, to: &str| {
        let arguments = json!({"source": source, "destination": format!("{name}:{to}")});
        session.wire.call("copy-files", arguments).await
    };
    for (source, to, place) in [
        ("app", "/new", "/new"),
        ("app", "/linked", "/linked/app"),
        ("app/one.txt", "/linked/", "/linked/one.txt"),
        ("large", "/", "/large"),
        ("app/one.txt", "/real/two.txt", "/real/two.txt"),
    ] {
        let answer = copy(source, to).await;
        let told = &answer["structuredContent"]["destination"];
        assert_eq!(*told, format!("{name}:{place}"), "{source} {to}: {answer}");
    }
    for (source, to) in [("app/one.txt", "/nowhere/x"), ("app/one.txt", "/nowhere/")] {
        let answer = copy(source, to).await;
        assert!(answer.to_string().contains("DKR-008"), "{source} {to}: {answer}");
    }
    let look = "cat /new/one.txt /real/app/d*/f* /real/one.txt /real/two.txt; readlink /new/link; wc -c < /large";
    let printed = world.docker(["exec", &name, "sh", "-c", look]);
    assert_eq!(printed, "one\nlong\none\none\n/etc/hostname\n3000001");
}

#[tokio::test]
async fn the_network_of_the_host_is_known_by_its_id() {
    let Some(world) = World::enter("hostid") else { return };
    let id = world.docker(["network", "inspect", "--format={{.Id}}", "host"]);
    let mut session = world.session().await;
    for mode in [&id, &id[..12]] {
        let yaml = format!("services: {{web: {{image: '{}', network_mode: '{mode}'}}}}", image());
        let arguments = json!({"project_name": world.name("p"), "compose_yaml": yaml});
        is_refused(&mut session, "deploy-compose", arguments, "container.host_network").await;
    }
}
