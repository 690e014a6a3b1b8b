//! The hook in front of a shell, and what others have made, on a real engine.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::world::{Way, image};
use super::{Session, World};

/// What the hook says to a line: `ok`, `ask` or `deny`, and why.
async fn asked(world: &World, line: &str, flags: &[&str]) -> (String, String) {
    let question = json!({
        "session_id": "e2e", "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": line}, "cwd": world.workspace(),
    });
    let mut server = world.server();
    server.args(flags).arg("hook").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut hook = server.spawn().unwrap();
    let mut input = hook.stdin.take().unwrap();
    input.write_all(question.to_string().as_bytes()).await.unwrap();
    drop(input);
    let output = hook.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    if output.stdout.is_empty() {
        return ("ok".to_owned(), String::new());
    }
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let answer = &answer["hookSpecificOutput"];
    let text = |key: &str| answer[key].as_str().unwrap().to_owned();
    (text("permissionDecision"), text("permissionDecisionReason"))
}

#[tokio::test]
async fn a_line_is_judged_by_what_is_there() {
    let ways = [Way::Sudo, Way::Ssh, Way::Context];
    let Some(world) = World::enter_without("hook", &ways, "a shell has docker itself") else {
        return;
    };
    let [data, names] = ["data", "names"].map(|it| world.name(it));
    world.docker(["volume", "create", &format!("--label={}", world.label), &data]);
    let empty = world.run("empty", "sleep 300");
    let rich = world.run(
        "rich", "mkdir -p /srv/own; echo thesis > /srv/own/thesis.md; dd if=/dev/zero of=/srv/own/x bs=1k count=64; sleep 300");
    let mounted = format!("--volume={data}:/data");
    let image = image();
    let words = ["run", "--detach", "--rm", "--name", &names, "-v", "/srv/anon", &mounted];
    let label = format!("--label={}", world.label);
    let made = world.try_docker_with(&[&words[..], &[&label, &image, "sleep", "300"]].concat());
    assert!(made.status.success(), "{made:?}");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let project = world.name("p");
    world.file("compose.yaml", &format!("name: {project}\nservices:\n  a: {{image: '{image}', command: [sleep, '300'], stop_signal: SIGKILL, volumes: ['vol:/v']}}\nvolumes: {{vol: {{}}}}\n"));
    for (line, expected, part) in [
        (format!("docker rm -f {empty}"), "ok", ""),
        (format!("docker stop {empty}"), "ok", ""),
        (format!("docker rm -f {rich}"), "ask", "/srv/own/thesis.md"),
        (format!("docker rm -f $(docker ps -aq --filter name={rich})"), "ask", "thesis"),
        (
            format!("docker ps -a | grep {rich} | awk '{{print $1}}' | xargs docker rm -f"),
            "ask",
            "thesis",
        ),
        (format!("docker rm -f $(docker ps -aq --filter name={empty})"), "ok", ""),
        (format!("docker stop {names}"), "ask", "volume "),
        (format!("docker volume rm {data}"), "ok", ""),
        (format!("docker rm -f {names} && docker volume rm {data}"), "ask", &data),
        (format!("docker exec {names} rm -rf /data/x"), "ask", &data),
        (format!("docker exec {names} rm -rf /tmp/x"), "ok", ""),
        (format!("docker run --rm -v {data}:/d {image} sh -c 'rm -rf /d/*'"), "ask", &data),
        (format!("docker run --rm -v $PWD:/w {image} ls /w"), "ok", ""),
        (format!("docker run --rm -v /:/h {image} ls /h"), "deny", "mount.outside_roots"),
        (format!("docker run --rm --privileged {image} true"), "deny", "container.privileged"),
        ("docker compose up -d".to_owned(), "ok", ""),
        ("docker compose down -v".to_owned(), "ok", ""),
    ] {
        let (answer, reason) = asked(&world, &line, &[]).await;
        assert_eq!(answer, expected, "{line}: {reason}");
        assert!(reason.contains(part), "{line}: {reason}");
    }
    let mut session = world.session().await;
    session.done("deploy-compose", json!({"project_name": project})).await;
    let (answer, reason) = asked(&world, "docker compose down -v", &[]).await;
    assert_eq!(answer, "ask", "{reason}");
    assert!(reason.contains(&format!("volume {project}_vol with its data")), "{reason}");
    world.file(
        "evil.yaml",
        &format!("services:\n  a: {{image: '{image}', volumes: ['/var/run/docker.sock:/s']}}\n"),
    );
    let (answer, reason) = asked(&world, "docker compose -f evil.yaml up -d", &[]).await;
    assert_eq!(answer, "deny", "{reason}");
    let protected = ["--protect", &empty];
    let (answer, reason) = asked(&world, &format!("docker rm -f {empty}"), &protected).await;
    assert_eq!(answer, "deny", "{reason}");
    assert!(reason.contains("object.protected"), "{reason}");
    session.done("compose-down", json!({"project_name": project})).await;
}

async fn session_that_asks(world: &World) -> Session {
    let mut server = world.server();
    server.args(["--confirm", "others"]);
    Session::open(server).await
}

#[tokio::test]
async fn what_others_have_made_has_a_plan_and_what_is_our_own_has_none() {
    let Some(world) = World::enter("others") else { return };
    let own = world.name("own");
    let foreign = world.run("foreign", super::OBEDIENT);
    let (mut one, mut two) = (session_that_asks(&world).await, session_that_asks(&world).await);
    let labels = json!({"e2e": world.prefix});
    let command = ["sh", "-c", super::OBEDIENT];
    let create = json!({"name": own, "image": image(), "command": command, "labels": labels});
    one.done("create-container", create).await;
    let stop = |name: &str| json!({"container_name": name, "timeout_seconds": 1});

    // Everybody's but ours: first a plan, then the act.
    let plan = one.done("stop-container", stop(&foreign)).await;
    assert_eq!(plan["plan"]["touches"], json!([format!("container {foreign}")]), "{plan}");
    assert_eq!(world.state(&foreign), "running");
    let mut confirmed = stop(&foreign);
    confirmed["confirm"] = plan["confirm"].clone();
    let done = one.done("stop-container", confirmed).await;
    assert_eq!(done["state"], "exited", "{done}");

    // Parallel agents are others to each other.
    let plan = two.done("restart-container", stop(&own)).await;
    assert!(plan["plan"].is_object(), "{plan}");
    let exec = json!({"container_name": own, "command": ["true"]});
    let plan = two.done("exec-container", exec.clone()).await;
    assert!(plan["plan"].is_object(), "{plan}");
    assert_eq!(one.done("exec-container", exec).await["exit_code"], 0);
    let mine = json!({"filters": {"mine": true}});
    let names = |list: &Value| -> Vec<String> {
        let rows = list["containers"].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&one.done("list-containers", mine.clone()).await), [own.as_str()]);
    assert!(names(&two.done("list-containers", mine).await).is_empty());
    assert_eq!(one.done("stop-container", stop(&own)).await["state"], "exited");

    // Without the flag nothing of this is asked.
    let mut usual = world.session().await;
    let started = usual.done("start-container", json!({"container_name": own})).await;
    assert_eq!(started["state"], "running");
}
