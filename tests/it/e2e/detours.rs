//! Ways to the host that lead through something else: git, `.env`, a container that has the power
//! already, a link that was a folder before.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::world::image;
use super::{OBEDIENT, Session, World};

/// Runs git in a folder, as whoever can write it could have.
fn git(folder: &Path, arguments: &[&str]) -> String {
    #[expect(clippy::disallowed_methods, reason = "it prepares the folder, no tool does")]
    let mut git = std::process::Command::new("git");
    git.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
    let output = git.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Buildx asks git about a context, and git fetches what a partial clone lacks with the program
/// that its configuration names.
#[tokio::test]
async fn a_build_runs_nothing_that_the_project_names() {
    let Some(world) = World::enter("gitbuild") else { return };
    let folder = world.workspace();
    let (marker, program_of_it) = (world.beside("ran"), folder.join("evil.sh"));
    program(&program_of_it, &format!("#!/bin/sh\ntouch {}\n", marker.display()));
    world.file("f", "a");
    git(&folder, &["init", "-q", "."]);
    git(&folder, &["add", "f"]);
    git(&folder, &["commit", "-qm", "x"]);
    let head = git(&folder, &["rev-parse", "HEAD"]);
    let own = folder.join(".git");
    for (key, value) in [
        ("core.repositoryformatversion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.url", own.to_str().unwrap()),
        ("remote.origin.promisor", "true"),
        ("remote.origin.uploadpack", program_of_it.to_str().unwrap()),
        ("core.fsmonitor", program_of_it.to_str().unwrap()),
    ] {
        git(&folder, &["config", key, value]);
    }
    fs::remove_file(own.join("objects").join(&head[..2]).join(&head[2..])).unwrap();
    world.file(
        ".env",
        &format!(
            "BUILDX_GIT_INFO=true\nBUILDX_GIT_CHECK_DIRTY=1\nLD_PRELOAD={}\n",
            program_of_it.display()
        ),
    );
    world.file("Dockerfile", &format!("FROM {}\nLABEL {}\n", image(), world.label));
    let yaml = format!("services: {{a: {{image: {}, build: .}}}}", world.name("image"));
    let mut session = world.session().await;
    let arguments = json!({"project_name": world.name("p"), "compose_yaml": yaml});
    let built = session.done("compose-build", arguments).await;
    assert_eq!(built["ok"], true, "{built}");
    let tag = world.name("image:2");
    session.done("build-image", json!({"context": ".", "tags": [tag]})).await;
    assert!(!marker.exists(), "a program of the project ran on the host");
}

#[tokio::test]
async fn what_compose_looks_up_still_reaches_it_without_dot_env() {
    let Some(world) = World::enter("lookedup") else { return };
    world.file(".env", "GREETING=hello\nAPP_TOKEN='of the dot env'\nCOMPOSE_REMOVE_ORPHANS=true\n");
    world.file(
        "compose.yaml",
        &format!(
            "services:\n  web:\n    image: {}\n    command: [sh, -c, \"echo $GREETING ${{PWD}}; cat /run/secrets/*; echo; {}\"]\n    secrets: [one, two]\n    depends_on: {{debug: {{condition: service_started, required: false}}}}\n  debug: {{image: {}, profiles: [debug]}}\nsecrets:\n  one: {{environment: APP_TOKEN}}\n  two: {{environment: GIT_TOKEN}}\n",
            image(), OBEDIENT.replace('$', "$$"), image()
        ),
    );
    let project = world.name("p");
    let mut session = world.session().await;
    let arguments = json!({
        "project_name": project, "compose_file": "compose.yaml",
        "environment": {"GIT_TOKEN": "of the call", "NODE_ENV": "production"},
    });
    let deployed = session.done("deploy-compose", arguments.clone()).await;
    assert_eq!(deployed["ok"], true, "{deployed}");
    let printed = world.docker(["logs", &format!("{project}-web-1")]);
    let folder = world.workspace();
    for expected in ["hello", folder.to_str().unwrap(), "of the dot env", "of the call"] {
        assert!(printed.contains(expected), "{expected}: {printed}");
    }
    let mut wrong = arguments;
    wrong["environment"] = json!({"LD_PRELOAD": "/x.so"});
    session.fails("DKR-004", "deploy-compose", wrong).await;
}

#[tokio::test]
async fn power_cannot_be_borrowed_from_a_container_that_has_it() {
    let Some(world) = World::enter("borrow") else { return };
    let project = world.name("p");
    let image = image();
    let labels = |service: &str| {
        [
            format!("--label=com.docker.compose.project={project}"),
            format!("--label=com.docker.compose.service={service}"),
            "--label=com.docker.compose.oneoff=False".to_owned(),
            "--label=com.docker.compose.container-number=1".to_owned(),
            "--label=com.docker.compose.config-hash=1".to_owned(),
        ]
    };
    let volume = world.name("etc");
    let options = ["--opt=type=none", "--opt=o=bind", "--opt=device=/etc"];
    world.docker(["volume", "create", options[0], options[1], options[2], &volume]);
    let mount = format!("--volume={volume}:/h");
    let host = world.name("a");
    let shared = format!("--network=container:{host}");
    for (service, option) in [("a", "--network=host"), ("v", &mount), ("n", &shared)] {
        let name = world.name(service);
        let labels = labels(service);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let command = [image.as_str(), "sh", "-c", OBEDIENT];
        let words = [&["run", "--detach", "--name", &name, option], &labels[..], &command];
        assert!(world.try_docker_with(&words.concat()).status.success());
    }
    let mut session = world.session().await;
    for service in ["a", "v", "n"] {
        let arguments = json!({"project_name": project, "service": service, "command": ["id"]});
        session.fails("DKR-014", "compose-exec", arguments).await;
        let arguments = json!({"container_name": world.name(service), "command": ["id"]});
        session.fails("DKR-014", "exec-container", arguments).await;
        let arguments =
            json!({"source": format!("{}:/h/hostname", world.name(service)), "destination": "x"});
        session.fails("DKR-014", "copy-files", arguments).await;
    }
    for shares in ["network_mode: 'service:a'", "volumes_from: [v]"] {
        let yaml = format!(
            "services:\n  b: {{image: '{image}', {shares}}}\n  a: {{image: '{image}'}}\n  v: {{image: '{image}'}}\n"
        );
        let arguments = json!({
            "project_name": project, "service": "b", "no_deps": true, "command": ["id"],
            "compose_yaml": yaml,
        });
        session.fails("DKR-014", "compose-run", arguments).await;
    }
}

#[tokio::test]
async fn a_folder_that_became_a_link_is_not_mounted_again() {
    let Some(world) = World::enter("swapped") else { return };
    let outside = world.beside("outside");
    fs::create_dir(&outside).unwrap();
    let folder = world.workspace().join("data");
    fs::create_dir(&folder).unwrap();
    let mut session = world.session().await;
    let name = world.name("main");
    let arguments = json!({
        "image": image(), "name": name, "volumes": ["./data:/v"],
        "command": ["touch", "/v/marker"],
    });
    session.done("create-container", arguments).await;
    // As a container that has the project folder could do it.
    fs::remove_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(&outside, &folder).unwrap();
    for tool in ["start-container", "restart-container"] {
        let said = session.fails("DKR-014", tool, json!({"container_name": name})).await;
        assert!(said.contains("leads to"), "{tool}: {said}");
    }
    assert!(!outside.join("marker").exists());
}

/// A volume that stands for a folder of the project is that folder.
#[tokio::test]
async fn a_volume_whose_folder_became_a_link_is_not_mounted_again() {
    let Some(world) = World::enter("swapvol") else { return };
    let outside = world.beside("outside");
    fs::create_dir(&outside).unwrap();
    let folder = world.workspace().join("data");
    fs::create_dir(&folder).unwrap();
    let mut session = world.session().await;
    let (name, volume) = (world.name("main"), world.name("vol"));
    let device = json!({"type": "none", "o": "bind", "device": folder});
    session.done("create-volume", json!({"name": volume, "driver_opts": device})).await;
    let arguments = json!({
        "image": image(), "name": name, "volumes": [format!("{volume}:/v")],
        "command": ["touch", "/v/marker"],
    });
    session.done("create-container", arguments).await;
    fs::remove_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(&outside, &folder).unwrap();
    for tool in ["start-container", "restart-container"] {
        session.fails("DKR-014", tool, json!({"container_name": name})).await;
    }
    assert!(!outside.join("marker").exists());
}

#[tokio::test]
async fn what_is_protected_cannot_be_talked_around() {
    let Some(world) = World::enter("around") else { return };
    let project = world.name("p");
    let web = format!("{project}-web-1");
    let yaml = |seconds: u32| {
        format!("services: {{web: {{image: '{}', command: [sleep, '{seconds}']}}}}", image())
    };
    let deploy = |seconds: u32| json!({"project_name": project, "compose_yaml": yaml(seconds), "timeout_seconds": 10});
    let mut session = world.session().await;
    session.done("deploy-compose", deploy(300)).await;
    let id = world.look(&web, "{{.Id}}");
    let mut server = world.server();
    server.arg(format!("--protect={web}"));
    let mut guarded = Session::open(server).await;
    let with = |key: &str, value: serde_json::Value| {
        let mut arguments = deploy(300);
        arguments[key] = value;
        arguments
    };
    guarded.done("deploy-compose", deploy(300)).await;
    for arguments in
        [deploy(301), with("force_recreate", json!(true)), with("scale", json!({"web": 0}))]
    {
        let said = guarded.fails("DKR-014", "deploy-compose", arguments).await;
        assert!(said.contains("object.protected"), "{said}");
    }
    let rename = json!({"container_name": web, "new_name": world.name("other")});
    guarded.fails("DKR-014", "update-container", rename).await;
    assert_eq!(world.look(&web, "{{.Id}}"), id);
}

#[tokio::test]
async fn a_container_that_takes_its_volume_along_is_not_stopped() {
    let Some(world) = World::enter("takesalong") else { return };
    let name = world.make("main", &["--rm", "--volume=/data"], &["sh", "-c", OBEDIENT]);
    let mut session = world.session().await;
    for tool in ["stop-container", "kill-container"] {
        session.fails("DKR-010", tool, json!({"container_name": name})).await;
    }
    assert_eq!(world.state(&name), "running");
    world.docker(["rm", "--force", "--volumes", &name]);
}

#[tokio::test]
async fn networks_leave_the_routes_of_this_machine_alone() {
    let Some(world) = World::enter("routes") else { return };
    let mut session = world.session().await;
    let name = world.name("n");
    for public in ["203.0.113.0/24", "10.0.0.0/7", "192.168.0.0/13"] {
        let arguments = json!({"name": name, "subnet": public});
        session.fails("DKR-014", "create-network", arguments).await;
    }
    let yaml = |network: &str| {
        let yaml = format!(
            "services: {{web: {{image: '{}', networks: [net]}}}}\nnetworks: {{net: {network}}}",
            image()
        );
        json!({"project_name": world.name("p"), "compose_yaml": yaml, "dry_run": true})
    };
    for network in [
        "{ipam: {config: [{subnet: 203.0.113.0/24}]}}",
        "{driver_opts: {com.docker.network.bridge.name: docker0}}",
    ] {
        session.fails("DKR-014", "deploy-compose", yaml(network)).await;
    }
    session.done("deploy-compose", yaml("{ipam: {config: [{subnet: 10.213.0.0/24}]}}")).await;
    assert!(!world.exists("network", &name));
}
