//! Another container in the place of one: all that was set is still set, and a failure changes
//! nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::image;
use super::{OBEDIENT, World, free_port};
use crate::processes::eventually;

/// A container with many settings, made by the plain client.
fn rich(world: &World) -> (String, u16) {
    let (name, port) = (world.name("main"), free_port());
    for network in ["front", "back"] {
        world.docker(["network", "create", "--label", &world.label, &world.name(network)]);
    }
    world.docker(["volume", "create", &world.name("data")]);
    let bind = world.file("conf/app.conf", "x\n");
    let bind = format!("--volume={}:/conf:ro", bind.parent().unwrap().display());
    let [label, data, network, publish] = [
        format!("--label={}", world.label),
        format!("--mount=type=volume,source={},target=/data", world.name("data")),
        format!("--network={}", world.name("front")),
        format!("--publish=127.0.0.1:{port}:8080"),
    ];
    world.docker([
        "run",
        "--detach",
        "--name",
        &name,
        &label,
        &data,
        &bind,
        "--volume=/cache",
        &network,
        "--network-alias=api",
        &publish,
        "--env=A=1",
        "--env=SECRET_TOKEN=untold",
        "--user=1000:1000",
        "--workdir=/bin",
        "--memory=64m",
        "--cpus=0.5",
        "--pids-limit=100",
        "--cap-drop=ALL",
        "--cap-add=NET_BIND_SERVICE",
        "--security-opt=no-new-privileges",
        "--tmpfs=/run:size=1m",
        "--ulimit=nofile=1024:2048",
        "--restart=on-failure:2",
        "--health-cmd=true",
        "--health-interval=5s",
        "--add-host=db:10.0.0.1",
        "--dns=10.0.0.2",
        "--sysctl=net.core.somaxconn=200",
        "--log-opt=max-size=1m",
        "--init",
        "--stop-timeout=3",
        "--hostname=special",
        "--expose=9000",
        "--group-add=5",
        "--oom-score-adj=100",
        "--entrypoint=sh",
        &image(),
        "-c",
        OBEDIENT,
    ]);
    world.docker(["network", "connect", "--alias=behind", &world.name("back"), &name]);
    (name, port)
}

fn without(mut document: Value, fields: &[&str]) -> Value {
    for field in fields {
        document.as_object_mut().unwrap().remove(*field);
    }
    document
}

#[tokio::test]
async fn whatever_is_not_named_stays() {
    let Some(world) = World::enter("recreate") else { return };
    let mut session = world.session().await;
    let (name, port) = rich(&world);
    let before = world.document("container", &name);
    world.docker([
        "exec",
        "--user=0",
        &name,
        "sh",
        "-c",
        "echo kept > /cache/file; echo kept > /data/file; echo lost > /file",
    ]);

    let call = json!({
        "container_name": name, "environment": {"B": "2", "A": "changed"}, "memory": "96m",
        "labels": {"team": "shop"}, "wait_seconds": 1,
    });
    let mut dry = call.clone();
    dry["dry_run"] = json!(true);
    let told = session.done("recreate-container", dry).await;
    assert!(!told.to_string().contains("untold"), "{told}");
    assert_eq!(world.look(&name, "{{.Id}}"), before["Id"].as_str().unwrap(), "{told}");

    let told = session.done("recreate-container", call).await;
    assert_eq!((&told["name"], &told["state"]), (&json!(name), &json!("running")), "{told}");
    assert!(told["notes"].to_string().contains("/file"), "{told}");
    let after = world.document("container", &name);
    assert_ne!(after["Id"], before["Id"], "{told}");
    let changed = ["Memory", "MemorySwap", "Binds", "Mounts", "ContainerIDFile", "ConsoleSize"];
    let host = |document: &Value| without(document["HostConfig"].clone(), &changed);
    assert_eq!(host(&after), host(&before));
    assert_eq!(after["HostConfig"]["Memory"], 96 << 20);
    let changed = ["Env", "Labels", "Image", "Volumes", "AttachStdout", "AttachStderr"];
    let config = |document: &Value| without(document["Config"].clone(), &changed);
    assert_eq!(config(&after), config(&before));
    let environment = after["Config"]["Env"].to_string();
    for pair in ["A=changed", "B=2", "SECRET_TOKEN=untold"] {
        assert!(environment.contains(&format!("\"{pair}\"")), "{environment}");
    }
    assert!(!environment.contains("A=1"), "{environment}");
    assert_eq!(after["Config"]["Labels"]["team"], "shop");
    assert_eq!(after["Config"]["Labels"]["e2e"], world.prefix);

    // The volumes are the same ones, with what was in them, and the rest is as it comes.
    let files = world.docker([
        "exec",
        &name,
        "sh",
        "-c",
        "cat /cache/file /data/file /conf/app.conf; ls /file || true",
    ]);
    assert_eq!(files, "kept\nkept\nx", "{told}");
    let networks = &after["NetworkSettings"]["Networks"];
    assert!(networks[world.name("front")]["Aliases"].to_string().contains("api"), "{networks}");
    assert!(networks[world.name("back")]["Aliases"].to_string().contains("behind"), "{networks}");
    let ports = after["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"].clone();
    assert_eq!(ports, port.to_string());
    let all =
        world.docker(["ps", "--all", "--format={{.Names}}", "--filter", &format!("name={name}")]);
    assert_eq!(all, name, "the old one is gone");
}

#[tokio::test]
async fn one_that_fails_gives_its_place_back() {
    let Some(world) = World::enter("recreate-back") else { return };
    let mut session = world.session().await;
    let (name, _) = rich(&world);
    let id = world.look(&name, "{{.Id}}");
    world.docker([
        "exec",
        "--user=0",
        &name,
        "sh",
        "-c",
        "echo kept > /cache/file; echo kept > /file",
    ]);

    let is_back = |told: &str| {
        assert_eq!(
            world.look(&name, "{{.Id}} {{.State.Status}}"),
            format!("{id} running"),
            "{told}"
        );
        let all = world.docker([
            "ps",
            "--all",
            "--format={{.Names}}",
            "--filter",
            &format!("name={name}"),
        ]);
        assert_eq!(all, name, "{told}");
        let files = world.docker(["exec", &name, "cat", "/cache/file", "/file"]);
        assert_eq!(files, "kept\nkept", "{told}");
    };
    let dies = json!({"container_name": name, "command": ["-c", "echo I give up; exit 3"]});
    let told = session.fails("DKR-023", "recreate-container", dies).await;
    assert!(
        told.contains("exit code 3") && told.contains("was stopped and started again"),
        "{told}"
    );
    is_back(&told);
    let missing = json!({"container_name": name, "entrypoint": "/no/such/program"});
    let told = session.fails("DKR-023", "recreate-container", missing).await;
    is_back(&told);
    let unknown =
        json!({"container_name": name, "image": world.name("no-such-image"), "pull": "never"});
    let told = session.fails("DKR-003", "recreate-container", unknown).await;
    is_back(&told);

    let itself = world.name("itself");
    let label = format!("--label={}", world.label);
    world.docker([
        "run",
        "--detach",
        "--rm",
        "--name",
        &itself,
        &label,
        &image(),
        "sh",
        "-c",
        OBEDIENT,
    ]);
    session.fails("DKR-010", "recreate-container", json!({"container_name": itself})).await;
    assert_eq!(world.state(&itself), "running");
}

#[tokio::test]
async fn one_that_is_cancelled_while_the_old_one_stops_starts_it_again() {
    let Some(world) = World::enter("recreate-cancel") else { return };
    let mut session = world.session().await;
    let slow =
        "trap 'touch /stopping; sleep 3; exit 0' TERM; while :; do sleep 3600 & wait $!; done";
    let name = world.run("main", slow);
    let before = world.look(&name, "{{.Id}} {{.State.StartedAt}}");
    let call = json!({"container_name": name, "environment": {"A": "1"}});
    let call = json!({"name": "recreate-container", "arguments": call});
    let id = session.wire.request("tools/call", call).await;
    let within = Duration::from_secs(20);
    let is_stopping =
        || world.try_docker(["exec", &name, "test", "-f", "/stopping"]).status.success();
    eventually("it stops", within, is_stopping).await;
    session.wire.notify("notifications/cancelled", json!({"requestId": id})).await;
    let now = || world.look(&name, "{{.Id}} {{.State.StartedAt}}");
    eventually("it was started again", within, || now() != before).await;
    assert_eq!(now().split(' ').next(), before.split(' ').next());
    assert_eq!(world.state(&name), "running");
    let filter = format!("name={name}");
    let all = world.docker(["ps", "--all", "--format={{.Names}}", "--filter", &filter]);
    assert_eq!(all, name, "the new one is gone");
}

#[tokio::test]
async fn a_newer_image_of_the_same_name_is_taken_and_a_stopped_one_stays_stopped() {
    let Some(world) = World::enter("recreate-image") else { return };
    let mut session = world.session().await;
    let (tag, name) = (world.name("image:1"), world.name("main"));
    let label = format!("--label={}", world.label);
    let build = |version: &str| {
        let from = format!(
            "FROM {}\nENV VERSION={version}\nVOLUME /state\nCMD [\"sh\", \"-c\", \"{OBEDIENT}\"]\n",
            image()
        );
        let file = world.file("Dockerfile", &from);
        let folder = file.parent().unwrap().to_str().unwrap();
        world.docker(["build", "--quiet", &label, "--tag", &tag, folder]);
    };
    build("1");
    world.docker(["run", "--detach", "--name", &name, &label, "--env=MINE=1", &tag]);
    world.docker(["exec", &name, "sh", "-c", "echo kept > /state/file"]);
    build("2");
    let told = session.done("recreate-container", json!({"container_name": name})).await;
    let environment = world.look(&name, "{{.Config.Env}}");
    assert!(environment.contains("VERSION=2") && environment.contains("MINE=1"), "{environment}");
    assert_eq!(world.docker(["exec", &name, "cat", "/state/file"]), "kept", "{told}");

    world.docker(["stop", &name]);
    let told =
        session.done("recreate-container", json!({"container_name": name, "user": "7"})).await;
    assert_eq!(told["state"], "created", "{told}");
    assert_eq!(world.look(&name, "{{.Config.User}}"), "7");
}
