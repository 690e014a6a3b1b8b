//! Commands in containers: what they say, how they end, and that none is left behind.

use std::time::Duration;

use serde_json::json;

use super::world::image;
use super::{OBEDIENT, World};
use crate::processes::eventually;

#[tokio::test]
async fn a_command_says_what_it_has_to_say_on_both_streams() {
    let Some(world) = World::enter("exec") else { return };
    let mut session = world.session().await;
    let name = world.run("main", OBEDIENT);
    let script = "echo $A-$TOKEN; id -u; pwd; echo careful >&2; cat; exit 4";
    let arguments = json!({
        "container_name": name, "command": ["sh", "-c", script], "user": "1000:1000",
        "working_dir": "/bin", "environment": {"A": "a b", "TOKEN": "hunter2-hunter2"},
        "stdin": "fed\n",
    });
    let told = session.done("exec-container", arguments).await;
    assert_eq!(told["exit_code"], 4, "{told}");
    // The value that the name calls secret is hidden where the program prints it.
    assert_eq!(told["stdout"], "a b-[REDACTED]\n1000\n/bin\nfed\n", "{told}");
    assert_eq!(told["stderr"], "careful\n", "{told}");
    assert!(!told.to_string().contains("hunter2"), "{told}");

    let split = json!({"container_name": name, "command": "echo 'one word' $HOME a|b"});
    let told = session.done("exec-container", split).await;
    assert_eq!(told["stdout"], "one word $HOME a|b\n", "no shell reads it: {told}");
    let piped = json!({"container_name": name, "command": "echo a | cat"});
    let told = session.fails("DKR-004", "exec-container", piped).await;
    assert!(told.contains(r#"["sh", "-c", "…"]"#), "{told}");

    let variables = json!({"container_name": name, "command": "env", "environment": {"A": "1"}});
    let told = session.done("exec-container", variables).await;
    let stdout = told["stdout"].as_str().unwrap();
    assert!(stdout.contains("A=1\n") && !stdout.contains("DOCKER_MCP"), "{told}");

    let much = json!({"container_name": name, "command": ["seq", "100000"]});
    let told = session.done("exec-container", much).await;
    let stdout = told["stdout"].as_str().unwrap();
    assert!(stdout.starts_with("1\n2\n") && stdout.ends_with("\n99999\n100000\n"), "{told}");
    let (before, after) = stdout.split_once("\n[").unwrap();
    let (note, after) = after.split_once(" bytes cut]\n").unwrap();
    let whole: usize = (1..=100_000).map(|number: u32| number.to_string().len() + 1).sum();
    let told_in_all = before.len() + 1 + note.parse::<usize>().unwrap() + after.len();
    assert_eq!(told_in_all, whole, "every byte is accounted for");

    let detached = json!({"container_name": name, "command": ["sh", "-c", "sleep 0.2; touch /done"], "detach": true});
    let told = session.done("exec-container", detached).await;
    assert!(told.get("exit_code").is_none(), "{told}");
    eventually("it went on by itself", Duration::from_secs(5), || {
        world.try_docker(["exec", &name, "test", "-f", "/done"]).status.success()
    })
    .await;

    let dry = json!({"container_name": name, "command": "touch /dry", "dry_run": true});
    let told = session.done("exec-container", dry).await;
    assert!(told["command"].as_str().unwrap().ends_with("touch /dry"), "{told}");
    assert!(!world.try_docker(["exec", &name, "test", "-f", "/dry"]).status.success());
}

#[tokio::test]
async fn a_command_that_docker_cannot_start_is_an_error_and_what_a_program_says_is_not() {
    let Some(world) = World::enter("exec-start") else { return };
    let mut session = world.session().await;
    let name = world.run("main", OBEDIENT);
    for (arguments, hint) in [
        (json!({"command": "true", "user": "nouser"}), "no such user"),
        (json!({"command": "true", "user": "0:nogroup9"}), "no such group"),
        (json!({"command": "true", "user": "nouser", "detach": true}), "no such user"),
        (json!({"command": "true", "working_dir": "/no-such-folder"}), "no such working directory"),
        (json!({"command": "no-such-program"}), "no such program"),
        (json!({"command": "no-such-program", "detach": true}), "no such program"),
        (json!({"command": "no-such-program", "stdin": "fed"}), "no such program"),
        (json!({"command": "/etc"}), "not executable"),
        (json!({"command": "/no/such/file"}), "no such file"),
    ] {
        let mut call = arguments.clone();
        call["container_name"] = name.as_str().into();
        let told = session.fails("DKR-023", "exec-container", call).await;
        assert!(told.contains(&format!("container={name}")), "{arguments}: {told}");
        let told_hint = told.lines().find(|line| line.starts_with("hint: "));
        assert!(told_hint.is_some_and(|told| told.contains(hint)), "{arguments}: {told}");
    }
    for (script, code) in [
        ("no-such-program", 127),
        ("/etc", 126),
        ("echo 'unable to find user x: no matching entries in passwd file'; exit 126", 126),
        ("echo 'OCI runtime exec failed: exec failed'; exit 127", 127),
        ("echo 'Error response from daemon: no such thing' >&2; exit 5", 5),
    ] {
        let call = json!({"container_name": name, "command": ["sh", "-c", script]});
        let told = session.done("exec-container", call).await;
        assert_eq!(told["exit_code"], code, "{script}: {told}");
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended_inside_the_container() {
    let Some(world) = World::enter("exec-end") else { return };
    let mut session = world.session().await;
    let name = world.run("main", OBEDIENT);
    let processes = || world.docker(["top", &name, "-o", "pid,args"]);
    let is_running = |what: &str| processes().contains(what);

    for (user, seconds) in [("0", "7001"), ("1000", "7002")] {
        let script = format!("echo begun; sleep {seconds} & sleep {seconds}; wait");
        let slow = json!({
            "container_name": name, "command": ["sh", "-c", script], "user": user,
            "timeout_seconds": 1,
        });
        let told = session.done("exec-container", slow).await;
        assert_eq!(told["timed_out"], true, "{told}");
        assert_eq!(told["stdout"], "begun\n", "{told}");
        assert!(told["notes"].to_string().contains("was killed in the container"), "{told}");
        assert!(!is_running(&format!("sleep {seconds}")), "{}", processes());
    }

    // Cancelled.
    let call = json!({"container_name": name, "command": ["sh", "-c", "sleep 7003; true"]});
    let call = json!({"name": "exec-container", "arguments": call});
    let id = session.wire.request("tools/call", call).await;
    eventually("it runs", Duration::from_secs(10), || is_running("sleep 7003")).await;
    session.wire.notify("notifications/cancelled", json!({"requestId": id})).await;
    eventually("it is gone", Duration::from_secs(5), || !is_running("sleep 7003")).await;
    assert_eq!(world.state(&name), "running");
}

#[tokio::test]
async fn without_a_shell_in_the_image_it_is_said_that_the_command_goes_on() {
    let Some(world) = World::enter("exec-bare") else { return };
    let mut session = world.session().await;
    let tag = world.name("image:1");
    let label = format!("--label={}", world.label);
    let from = format!(
        "FROM {} AS tools\nFROM scratch\nCOPY --from=tools /bin/busybox /sleep\nCMD [\"/sleep\", \"1000\"]\n",
        image()
    );
    let file = world.file("Dockerfile", &from);
    let folder = file.parent().unwrap().to_str().unwrap();
    world.docker(["build", "--quiet", &label, "--tag", &tag, folder]);
    let name = world.name("main");
    world.docker(["run", "--detach", "--name", &name, &label, &tag]);
    let slow = json!({"container_name": name, "command": "/sleep 1000", "timeout_seconds": 1});
    let told = session.done("exec-container", slow).await;
    assert_eq!(told["timed_out"], true, "{told}");
    assert!(told["notes"].to_string().contains("may still be running"), "{told}");
}

#[tokio::test]
async fn a_container_that_does_not_run_is_refused_with_what_helps() {
    let Some(world) = World::enter("exec-state") else { return };
    let mut session = world.session().await;
    let name = world.run("main", OBEDIENT);
    let call = json!({"container_name": name, "command": "true"});
    world.docker(["pause", &name]);
    let told = session.fails("DKR-010", "exec-container", call.clone()).await;
    assert!(told.contains("it is paused") && told.contains("unpause-container"), "{told}");
    world.docker(["unpause", &name]);
    world.docker(["stop", &name]);
    let told = session.fails("DKR-010", "exec-container", call).await;
    assert!(told.contains("it is exited") && told.contains("start-container"), "{told}");
    let nobody = json!({"container_name": world.name("nobody"), "command": "true"});
    session.fails("DKR-002", "exec-container", nobody).await;
}

#[tokio::test]
async fn a_protected_container_that_would_be_gone_is_not_entered() {
    let Some(world) = World::enter("exec-guarded") else { return };
    let mut session = world.session().await;
    let protect = "--label=docker-mcp-server.protect=true";
    let script = ["sh", "-c", OBEDIENT];
    let guarded = world.make("guarded", &["--rm", protect], &script);
    let kill = |name: &str| json!({"container_name": name, "command": "kill 1"});
    let told = session.fails("DKR-014", "exec-container", kill(&guarded)).await;
    assert!(told.contains("object.protected"), "{told}");
    assert_eq!(world.state(&guarded), "running");
    // This one stays when it has ended.
    let kept = world.make("kept", &[protect], &script);
    session.done("exec-container", kill(&kept)).await;
    world.docker(["rm", "--force", &guarded, &kept]);
}
