//! What must hold whatever stands between us and docker: nothing, `sudo`, `ssh` or a context.
//! `tests/remote` runs these, and many others, through each.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::world::{Way, image};
use super::{OBEDIENT, World};
use crate::processes::{eventually, is_alive, signal};

/// The command lines of all processes, whoever runs them.
fn command_lines() -> BTreeMap<u32, String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_alive(*pid))
        .map(|pid: u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            (pid, String::from_utf8_lossy(&line).replace('\0', " "))
        })
        .collect()
}

#[tokio::test]
async fn awkward_words_and_values_arrive_as_they_were_sent() {
    let Some(world) = World::enter("awkward") else { return };
    let mut session = world.session().await;
    let words = ["it's", "a  b", "$HOME `id` $(id)", "x\ny", "\"", "*", ";exit 1", "-n", "\\"];
    let values = [("LINES", "two\nlines 'q' \"d\" $X\n"), ("BLANKS", " a  b "), ("EMPTY", "")];
    let name = world.name("main");
    let command = [&["printf", "%s|"][..], &words].concat();
    let created = json!({
        "image": image(), "name": name, "command": command, "restart": "no",
        "environment": BTreeMap::from(values), "labels": {"e2e": world.prefix},
    });
    let result = session.wire.call("create-container", created).await;
    assert_ne!(result["isError"], true, "{result}");
    let document = world.document("container", &name);
    assert_eq!(document["Config"]["Cmd"], json!(command));
    let environment = document["Config"]["Env"].as_array().unwrap();
    for (name, value) in values {
        assert!(environment.contains(&json!(format!("{name}={value}"))), "{environment:?}");
    }
}

#[tokio::test]
async fn what_is_cancelled_ends_on_the_other_side_too() {
    let Some(world) = World::enter("other-side") else { return };
    let name = world.run("main", &format!("echo up; {OBEDIENT}"));
    let mut session = world.session().await;
    let id = world.look(&name, "{{.Id}}");
    let clients = || {
        let lines = command_lines().into_iter();
        let is_client = |line: &str| line.contains("--follow") && line.contains(&id);
        lines.filter(|(_, line)| is_client(line)).map(|(_, line)| line).collect::<Vec<_>>()
    };
    let arguments = json!({"container_name": name, "follow": true, "follow_seconds": 60});
    let call = json!({"name": "get-logs", "arguments": arguments});
    let request = session.wire.request("tools/call", call.clone()).await;
    eventually("docker runs", Duration::from_secs(15), || !clients().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    session.wire.notify("notifications/cancelled", json!({"requestId": request})).await;
    eventually("nothing of it is left", Duration::from_secs(5), || clients().is_empty()).await;

    // What is only watched for a while has an end of its own.
    let arguments = json!({"container_name": name, "follow": true, "follow_seconds": 1});
    session.text("get-logs", arguments).await;
    eventually("nothing of it is left", Duration::from_secs(5), || clients().is_empty()).await;

    // Nobody is left to cancel it.
    session.wire.request("tools/call", call).await;
    eventually("docker runs", Duration::from_secs(15), || !clients().is_empty()).await;
    signal(session.wire.pid(), rustix::process::Signal::KILL);
    eventually("nothing of it is left", Duration::from_secs(5), || clients().is_empty()).await;
}

#[tokio::test]
async fn a_build_gets_its_files_without_those_that_are_ignored_and_its_values() {
    let Some(world) = World::enter("sent-build") else { return };
    let mut session = world.session().await;
    world.file("app/kept.txt", "kept");
    world.file("app/sub/secret.pem", "secret");
    world.file("app/sub/kept.txt", "kept");
    world.file("app/.dockerignore", "**/*.pem\n");
    let dockerfile = format!(
        "FROM {}\nARG TOKEN\nLABEL {}\nCOPY . /app\nRUN echo \"$TOKEN\" > /token\n",
        image(),
        world.label
    );
    world.file("app/build/Dockerfile", &dockerfile);
    let tag = format!("{}:1", world.prefix);
    let value = "it's \"a\" $value";
    let arguments = json!({
        "context": "app", "dockerfile": "build/Dockerfile", "tags": [tag],
        "build_args": {"TOKEN": value},
    });
    session.done("build-image", arguments).await;
    let script = "cat /token; find /app -type f | sort";
    let printed = world.docker(["run", "--rm", &tag, "sh", "-c", script]);
    let expected = format!(
        "{value}\n/app/.dockerignore\n/app/build/Dockerfile\n/app/kept.txt\n/app/sub/kept.txt"
    );
    assert_eq!(printed, expected);

    let inline = format!("FROM {}\nLABEL {}\nCOPY kept.txt /\n", image(), world.label);
    let arguments = json!({"context": "app", "dockerfile_inline": inline, "tags": [tag]});
    session.done("build-image", arguments).await;
    assert_eq!(world.docker(["run", "--rm", &tag, "cat", "/kept.txt"]), "kept");
}

#[tokio::test]
async fn a_project_is_read_here_with_its_values_and_deployed_there() {
    let Some(world) = World::enter("read-here") else { return };
    let mut session = world.session().await;
    world.file(".env", "FROM_DOT_ENV=dotted\n");
    world.file("web.env", "FROM_FILE=filed\n");
    let yaml = format!(
        "services:\n  web:\n    image: {}\n    command: [sh, -c, {OBEDIENT:?}]\n    env_file: web.env\n    \
         environment:\n      A: ${{FROM_DOT_ENV}}\n      B: ${{GIVEN}}\n    secrets: [token]\n\
         secrets:\n  token:\n    environment: TOKEN\n",
        image()
    );
    world.file("compose.yaml", &yaml.replace("$!", "$$!"));
    let secret = "it's\ntwo lines";
    let arguments = json!({
        "project_name": world.prefix, "environment": {"GIVEN": "g$iven", "TOKEN": secret},
    });
    let deployed = session.done("deploy-compose", arguments.clone()).await;
    assert_eq!(deployed["ok"], true, "{deployed}");
    let web = format!("{}-web-1", world.prefix);
    let shown =
        world.docker(["exec", &web, "sh", "-c", "echo $A $B $FROM_FILE; cat /run/secrets/token"]);
    assert_eq!(shown, format!("dotted g$iven filed\n{secret}"));
    // Whoever deploys the same again changes nothing.
    let id = world.look(&web, "{{.Id}}");
    session.done("deploy-compose", arguments).await;
    assert_eq!(world.look(&web, "{{.Id}}"), id);
    let down = session.done("compose-down", json!({"project_name": world.prefix})).await;
    assert!(!world.exists("container", &web), "{down}");
}

#[tokio::test]
async fn a_path_of_this_machine_is_refused_where_the_engine_does_not_have_it() {
    let reason = "the engine is told nothing of where our files are";
    let ways = [Way::Direct, Way::Sudo, Way::Context];
    let Some(world) = World::enter_without("no-path", &ways, reason) else { return };
    let mut session = world.session().await;
    let path = world.file("html/index.html", "x");
    let mount = format!("{}:/html", path.parent().unwrap().display());
    let arguments = json!({"image": image(), "name": world.name("a"), "volumes": [mount]});
    let text = session.fails("DKR-004", "create-container", arguments).await;
    assert!(text.contains("is a path of this machine, and the engine is on `engine`"), "{text}");
    let yaml = format!(
        "services:\n  web:\n    image: {}\n    volumes: ['./html:/html']\n  app:\n    build: ./html\n",
        image()
    );
    world.file("compose.yaml", &yaml);
    let arguments = json!({"project_name": world.prefix});
    let text = session.fails("DKR-004", "deploy-compose", arguments).await;
    assert!(text.contains("services.web.volumes") && text.contains("the engine is on"), "{text}");
    assert!(world.left().is_empty(), "{:?}", world.left());
}

#[tokio::test]
async fn one_connection_serves_all_calls_and_ends_with_the_server() {
    let reason = "there is no ssh of ours";
    let ways = [Way::Direct, Way::Sudo, Way::Context];
    let Some(world) = World::enter_without("one-connection", &ways, reason) else { return };
    let masters = |server: u32| -> Vec<(u32, PathBuf)> {
        let lines = command_lines().into_iter();
        let of_it = lines.filter(|(pid, line)| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = stat.rsplit(')').next().unwrap().split_whitespace().nth(1);
            line.contains("-oControlMaster=yes") && parent == Some(server.to_string().as_str())
        });
        let socket = |line: &str| {
            let mut words = line.split(' ');
            words.find_map(|word| word.strip_prefix("-oControlPath=")).map(PathBuf::from)
        };
        of_it.filter_map(|(pid, line)| Some((pid, socket(&line)?))).collect()
    };
    for by_signal in [false, true] {
        let mut session = world.session().await;
        for _ in 0..3 {
            session.done("list-containers", json!({})).await;
        }
        let server = session.wire.pid();
        let [(master, socket)] = &masters(server)[..] else { panic!("{:?}", masters(server)) };
        let folder: &Path = socket.parent().unwrap();
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        if by_signal {
            signal(server, rustix::process::Signal::KILL);
        } else {
            session.wire.close();
            session.wire.ended(Duration::from_secs(3)).await;
        }
        eventually("the connection has ended", Duration::from_secs(3), || {
            !is_alive(*master) && !folder.exists()
        })
        .await;
    }
}
