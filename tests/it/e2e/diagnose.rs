//! Containers that are broken on purpose, each for one reason: `diagnose` has to find it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::session::entry;
use super::world::{image, say};
use super::{OBEDIENT, Session, World, free_port};

/// An answer may have so many bytes.
const BYTES: usize = 2000;
/// It should take less than half a second; a machine that runs all other tests at once is slower.
const SECONDS: Duration = Duration::from_secs(4);
/// Tools of the contract that are recommended before they are there.
const PLANNED: &[&str] = &["update-container"];

/// Asks `diagnose`, checks what holds for every answer, and tells what it took.
pub(super) async fn diagnose(session: &mut Session, tools: &[Value], arguments: Value) -> Value {
    let begun = Instant::now();
    let answer = session.done("diagnose", arguments.clone()).await;
    let took = begun.elapsed();
    let bytes = answer.to_string().len();
    let cause = answer["root"]["cause"].as_str().unwrap_or("-");
    let verdict = answer["verdict"].as_str().unwrap();
    say(&format!(
        "{:>5} ms {bytes:>5} bytes  {verdict:<8} {cause:<20} {arguments}",
        took.as_millis()
    ));
    assert!(bytes <= BYTES, "{bytes} bytes: {answer}");
    assert!(took <= SECONDS, "{took:?}: {answer}");
    for call in answer["next"].as_array().into_iter().flatten() {
        let (tool, arguments) = call.as_str().unwrap().split_once(' ').unwrap();
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        let definition = tools.iter().find(|definition| definition["name"] == tool);
        let Some(definition) = definition else {
            assert!(PLANNED.contains(&tool), "there is no {tool}: {answer}");
            continue;
        };
        let known = definition["inputSchema"]["properties"].as_object().unwrap();
        for parameter in arguments.as_object().unwrap().keys() {
            assert!(known.contains_key(parameter), "{tool} has no {parameter}");
        }
    }
    answer
}

/// The cause that has to be found first, and words that have to be in the answer.
struct Case {
    container: String,
    cause: &'static str,
    words: Vec<String>,
}

async fn all_are_explained(world: &World, cases: Vec<Case>) {
    let mut session = world.session().await;
    let tools = session.tools().await;
    let mut problems = vec![];
    for Case { container, cause, words } in cases {
        let arguments = json!({"container_name": container});
        let answer = diagnose(&mut session, &tools, arguments).await;
        let told = answer.to_string();
        let missing: Vec<_> = words.iter().filter(|words| !told.contains(words.as_str())).collect();
        if answer["root"]["cause"] != cause
            || answer["root"]["container"] != container
            || !missing.is_empty()
        {
            problems.push(format!("{container}: not {cause} {missing:?}: {answer}"));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn case<const N: usize>(container: String, cause: &'static str, words: [&str; N]) -> Case {
    Case { container, cause, words: words.map(str::to_owned).to_vec() }
}

/// Waits until a container is in this state or a second one.
pub(super) async fn until(world: &World, container: &str, template: &str, wanted: &[&str]) {
    for _ in 0..200 {
        if wanted.contains(&world.look(container, template).as_str()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{container} never becomes {wanted:?}");
}

async fn until_ended(world: &World, containers: &[&str]) {
    for container in containers {
        until(world, container, "{{.State.Status}}", &["exited", "created"]).await;
    }
}

/// A container that the kernel has killed. On a busy machine docker overlooks that now and then, and
/// then nobody can tell.
async fn out_of_memory(world: &World, script: &str) -> String {
    for attempt in 0..5 {
        let name = format!("oom{attempt}");
        let container = world.make(&name, &["--memory=16m"], &["sh", "-c", script]);
        until_ended(world, &[&container]).await;
        if world.docker(["inspect", "--format={{.State.OOMKilled}}", &container]).trim() == "true" {
            return container;
        }
    }
    panic!("docker has not noticed once that the kernel killed a container");
}

pub(super) const STATUS: &str = "{{.State.Status}}";
const HEALTH: &str = "{{.State.Health.Status}}";

#[tokio::test]
async fn containers_that_docker_cannot_start_are_explained() {
    let Some(world) = World::enter("dx-start") else { return };
    let dockerfile = format!(
        r"FROM {}
RUN printf '#!/bin/sh\r\necho hi\r\n' > /crlf.sh && chmod +x /crlf.sh && printf '#!/bin/sh\necho hi\n' > /plain.sh
RUN printf '\177ELF\002\001\001\0\0\0\0\0\0\0\0\0\002\0\267\0\001\0\0\0' > /arm && chmod +x /arm
LABEL {}
",
        image(),
        world.label
    );
    let folder = world.file("image/Dockerfile", &dockerfile);
    let tag = format!("{}:1", world.prefix);
    world.docker(["build", "--tag", &tag, folder.parent().unwrap().to_str().unwrap()]);

    let (port, holder) = world.taken_port();
    let publish = format!("--publish=127.0.0.1:{port}:80");
    let gone = world.beside("gone.conf");
    std::fs::create_dir(&gone).unwrap();
    let source = format!("--mount=type=bind,source={},target=/x", gone.display());
    let mount = world.name("mount");
    let label = format!("--label={}", world.label);
    world.docker(["create", "--name", &mount, &label, &source, &image(), "sleep", "60"]);
    std::fs::remove_dir(&gone).unwrap();
    world.try_docker(["start", &mount]);
    let file = world.file("a-file", "");
    let over = format!("--volume={}:/etc", file.display());
    let network = world.name("net");
    world.docker(["network", "create", &label, &network]);
    let lost = world.make("lost", &[&format!("--network={network}")], &["sleep", "600"]);
    world.docker(["stop", "--time=0", &lost]);
    world.docker(["network", "rm", &network]);
    world.try_docker(["start", &lost]);

    let cases = vec![
        case(
            world.make("no-command", &[], &["no-such-program"]),
            "command-not-found",
            ["no-such-program"],
        ),
        case(
            world.make("no-file", &[], &["/app/start.sh"]),
            "command-not-found",
            ["/app/start.sh"],
        ),
        case(world.make("no-right", &[&tag], &["/plain.sh"]), "not-executable", ["/plain.sh"]),
        case(world.make("crlf", &[&tag], &["/crlf.sh"]), "script-line-ends", ["CRLF", "/crlf.sh"]),
        case(world.make("arm", &[&tag], &["/arm"]), "exec-format", ["another processor"]),
        case(
            world.make("port", &[&publish], &["sleep", "60"]),
            "port-taken",
            [&holder, &port.to_string()],
        ),
        case(mount, "mount-source-missing", ["gone.conf"]),
        case(world.make("over", &[&over], &["sleep", "60"]), "mount-kind", ["a-file"]),
        case(
            world.make("user", &["--user=nobody-here"], &["sleep", "60"]),
            "user-unknown",
            ["nobody-here"],
        ),
        case(lost, "network-gone", ["not found"]),
    ];
    until_ended(&world, &[&world.name("crlf"), &world.name("arm")]).await;
    all_are_explained(&world, cases).await;
}

#[tokio::test]
async fn a_port_of_a_program_outside_of_docker_is_explained() {
    let Some(world) = World::enter("dx-port") else { return };
    if !world.shares_our_network().await {
        return;
    }
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let publish = format!("--publish=127.0.0.1:{port}:80");
    let late = world.make("late", &[&publish], &["sleep", "60"]);
    let process = std::process::id().to_string();
    let words = ["outside of docker", &port.to_string(), &process];
    all_are_explained(&world, vec![case(late, "port-taken", words)]).await;
}

#[tokio::test]
async fn containers_that_ended_are_explained() {
    let Some(world) = World::enter("dx-end") else { return };
    let shell =
        |of: &str, options: &[&str], script: &str| world.make(of, options, &["sh", "-c", script]);
    let data = world.name("data");
    let volume = format!("--volume={data}:/data");
    let label = format!("--label={}", world.label);
    world.docker(["volume", "create", &label, &data]);
    world.docker([
        "run",
        "--rm",
        &volume,
        &image(),
        "sh",
        "-c",
        "chown 999 /data; chmod 700 /data",
    ]);
    let config = world.workspace().join("config.yml");
    let bind = format!("--volume={}:/etc/app/config.yml", config.display());
    let double = "x=a; while :; do x=$x$x; done";
    let cases = vec![
        case(out_of_memory(&world, double).await, "out-of-memory", ["16 MiB", "update-container"]),
        case(shell("segv", &[], "sh -c 'kill -SEGV $$'; exit $?"), "crashed", ["SIGSEGV"]),
        case(
            shell("abort", &[], "echo 'assertion failed: x'; sh -c 'kill -ABRT $$'; exit $?"),
            "crashed",
            ["SIGABRT", "assertion failed"],
        ),
        case(shell("killed", &[], "sh -c 'kill -KILL $$'; exit $?"), "killed", ["137", "SIGKILL"]),
        case(
            shell("no-program", &[], "echo go; migrate-database"),
            "command-not-found",
            ["migrate-database"],
        ),
        case(
            shell("plain", &[], "echo loading; echo 'cannot parse line 7'; exit 3"),
            "application-failed",
            ["exit code 3", "cannot parse line 7"],
        ),
        case(shell("code-125", &[], "exit 125"), "application-failed", ["125"]),
        case(
            shell(
                "trace",
                &[],
                "echo 'Traceback (most recent call last):'; echo '  File \"app.py\", line 3'; echo 'ValueError: bad port'; exit 1",
            ),
            "application-failed",
            ["ValueError: bad port"],
        ),
        case(
            shell("variable", &[], "echo 'fatal: DATABASE_URL must be set' >&2; exit 1"),
            "variable-missing",
            ["DATABASE_URL", "does not have it"],
        ),
        case(
            shell("empty", &["--env=API_TOKEN="], ": ${API_TOKEN:?API_TOKEN is required}"),
            "variable-missing",
            ["API_TOKEN", "empty"],
        ),
        case(
            shell(
                "postgres",
                &[],
                "echo 'Error: Database is uninitialized and superuser password is not specified.'; exit 1",
            ),
            "variable-missing",
            ["POSTGRES_PASSWORD"],
        ),
        case(shell("read-only", &["--read-only"], "echo x > /state"), "read-only", ["read_only"]),
        case(
            shell("read-only-mount", &[&format!("{volume}:ro")], "echo x > /data/x"),
            "read-only",
            ["/data"],
        ),
        case(
            shell("owner", &["--user=1000", &volume], "echo x > /data/x"),
            "volume-permission",
            [&data, "1000"],
        ),
        case(shell("right", &["--user=1000"], "echo x > /state"), "permission", ["1000"]),
        case(
            shell("folder", &[&bind], "cat /etc/app/config.yml"),
            "mount-kind",
            ["config.yml", "empty folder"],
        ),
        case(
            shell("full", &["--tmpfs=/t:size=64k"], "dd if=/dev/zero of=/t/x bs=1M count=1"),
            "disk-full",
            ["No space left"],
        ),
        case(
            shell("twice", &[], "httpd -f -p 80 & sleep 1; exec httpd -f -p 80"),
            "port-in-use-inside",
            ["bind"],
        ),
        case(
            shell("local", &[], "wget -O- http://127.0.0.1:5432/"),
            "refused-by-itself",
            ["5432", "localhost"],
        ),
        case(
            shell(
                "auth",
                &[],
                "echo 'FATAL:  password authentication failed for user \"app\"'; exit 2",
            ),
            "authentication",
            ["\\\"app\\\""],
        ),
        case(
            shell("module", &[], "echo \"Error: Cannot find module 'express'\"; exit 1"),
            "module-missing",
            ["express"],
        ),
        case(shell("nameless", &[], "nc db-of-nobody 5432"), "name-unknown", ["db-of-nobody"]),
    ];
    let names: Vec<&str> = cases.iter().map(|case| case.container.as_str()).collect();
    until_ended(&world, &names).await;
    all_are_explained(&world, cases).await;
}

#[tokio::test]
async fn what_was_before_the_last_start_decides_nothing() {
    let Some(world) = World::enter("dx-past") else { return };
    let script = format!(
        "test -f /second && {{ echo second; {OBEDIENT}; }}; touch /second; \
         echo 'FATAL: password authentication failed for user \"app\"'; exit 2"
    );
    let check = "--health-cmd=test -f /third || { echo 'sh: curl: not found'; exit 127; }";
    let options = [check, "--health-interval=1s", "--health-retries=2"];
    let sick = world.make("sick", &options, &["sh", "-c", OBEDIENT]);
    let again = world.run("again", &script);
    until(&world, &again, STATUS, &["exited"]).await;
    until(&world, &sick, HEALTH, &["unhealthy"]).await;
    let arguments = json!({"container_name": again});
    let mut session = world.session().await;
    let tools = session.tools().await;
    let answer = diagnose(&mut session, &tools, arguments.clone()).await;
    assert_eq!(answer["root"]["cause"], "authentication", "{answer}");
    world.docker(["start", &again]);
    let answer = diagnose(&mut session, &tools, arguments).await;
    assert_eq!(
        (&answer["verdict"], &answer["root"]),
        (&json!("healthy"), &Value::Null),
        "{answer}"
    );
    // Docker keeps the checks of the run before.
    world.docker(["exec", &sick, "touch", "/third"]);
    world.docker(["restart", "--time=0", &sick]);
    let answer = diagnose(&mut session, &tools, json!({"container_name": sick})).await;
    assert_eq!(answer["root"], Value::Null, "{answer}");
    assert!(!answer.to_string().contains("curl"), "{answer}");
}

#[tokio::test]
async fn containers_that_run_and_do_not_work_are_explained() {
    let Some(world) = World::enter("dx-run") else { return };
    let checked = |of: &str, check: &str| {
        let check = format!("--health-cmd={check}");
        let options = [&check, "--health-interval=1s", "--health-timeout=1s", "--health-retries=2"];
        world.make(of, &options, &["sh", "-c", OBEDIENT])
    };
    let loops =
        |of: &str, script: &str| world.make(of, &["--restart=always"], &["sh", "-c", script]);
    let hungry = world.make(
        "hungry",
        &["--restart=always", "--memory=16m"],
        &["sh", "-c", "x=a; while :; do x=$x$x; done"],
    );
    let paused = world.run("paused", OBEDIENT);
    world.docker(["pause", &paused]);
    let old = format!("{}-tag:1", world.prefix);
    world.docker(["tag", &image(), &old]);
    let stale = world.make("stale", &[&old], &["sh", "-c", OBEDIENT]);
    let dockerfile = format!("FROM {}\nLABEL {} new=1\n", image(), world.label);
    let folder = world.file("newer/Dockerfile", &dockerfile);
    world.docker(["build", "--tag", &old, folder.parent().unwrap().to_str().unwrap()]);
    let silent = checked("silent", "wget -q -O- http://127.0.0.1:80/");
    let missing = checked("missing", "curl -f http://localhost/");
    let slow = checked("slow", "sleep 30");
    let looping = loops("looping", "echo no config found; exit 1");
    let endless = loops("endless", "echo all done");
    for container in [&silent, &missing, &slow] {
        until(&world, container, HEALTH, &["unhealthy"]).await;
    }
    for container in [&looping, &endless, &hungry] {
        until(&world, container, "{{ge .RestartCount 5}}", &["true"]).await;
    }
    let cases = vec![
        case(paused, "paused", ["unpause-container"]),
        case(hungry, "out-of-memory", ["keeps restarting", "32m"]),
        case(stale, "stale-image", ["older image"]),
        case(silent, "unhealthy", ["wget", "refused"]),
        case(missing, "probe-missing", ["curl"]),
        case(slow, "probe-timeout", ["sleep 30"]),
        case(looping, "application-failed", ["keeps restarting", "no config found"]),
        case(endless, "ends-at-once", ["exit code 0", "always"]),
    ];
    all_are_explained(&world, cases).await;
}

#[tokio::test]
async fn containers_that_cannot_find_each_other_are_explained() {
    let Some(world) = World::enter("dx-net") else { return };
    let label = format!("--label={}", world.label);
    let (front, back) = (world.name("front"), world.name("back"));
    for network in [&front, &back] {
        world.docker(["network", "create", &label, network]);
    }
    let (front, back) = (format!("--network={front}"), format!("--network={back}"));
    let db = world.make("db", &[&back], &["sh", "-c", OBEDIENT]);
    let plain = world.run("plain", OBEDIENT);
    let down = world.make("down", &[&back], &["sh", "-c", "echo 'DB_NAME is not set'; exit 1"]);
    until(&world, &down, STATUS, &["exited"]).await;
    let asks = |of: &str, network: &str, host: &str| {
        world.make(of, &[network], &["sh", "-c", &format!("sleep 1; nc {host} 5432")])
    };
    let other = asks("other", &front, &db);
    let nameless = world.run("nameless", &format!("sleep 1; nc {plain} 5432"));
    let victim = asks("victim", &back, &down);
    let refused = asks("refused", &back, &db);
    let like = asks("like", &back, &format!("{db}x"));
    until_ended(&world, &[&other, &nameless, &victim, &refused, &like]).await;

    let cases = vec![
        case(other, "other-network", [&db, "connect-network", &world.name("back")]),
        case(nameless, "default-network", [&plain, "create-network"]),
        case(like, "name-unknown", ["there is", &db]),
    ];
    all_are_explained(&world, cases).await;

    // The cause is another container: it comes first, with its own cause.
    let mut session = world.session().await;
    let tools = session.tools().await;
    let arguments = json!({"container_name": victim});
    let answer = diagnose(&mut session, &tools, arguments).await;
    assert_eq!(answer["root"]["container"], json!(down), "{answer}");
    assert_eq!(answer["root"]["cause"], "variable-missing", "{answer}");
    assert!(answer["also"].to_string().contains(&victim), "{answer}");
    let answer = diagnose(&mut session, &tools, json!({"container_name": refused})).await;
    assert!(answer["root"]["cause"].as_str().unwrap().contains("refuse"), "{answer}");
}

#[tokio::test]
async fn what_a_person_stopped_is_no_failure() {
    let Some(world) = World::enter("dx-stop") else { return };
    let gentle = world.make("gentle", &["--init"], &["sleep", "600"]);
    let hard = world.run("hard", "sleep 600");
    let angry = world.run("angry", "trap 'exit 7' TERM; while :; do sleep 600 & wait $!; done");
    let kept = world.make("kept", &["--restart=always"], &["sleep", "600"]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.docker(["stop", "--time=5", &gentle, &angry]);
    world.docker(["stop", "--time=0", &hard, &kept]);
    let never = world.name("never");
    let label = format!("--label={}", world.label);
    world.docker(["create", "--name", &never, &label, &image(), "sleep", "60"]);
    let mut session = world.session().await;
    let tools = session.tools().await;
    for container in [gentle, hard, angry, kept, never] {
        let answer = diagnose(&mut session, &tools, json!({"container_name": container})).await;
        assert_eq!(answer["verdict"], "stopped", "{answer}");
        assert!(answer["next"].to_string().contains("start-container"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_well_is_called_healthy() {
    let Some(world) = World::enter("dx-well") else { return };
    let options = ["--health-cmd=true", "--health-interval=1s"];
    let checked = world.make("checked", &options, &["sh", "-c", OBEDIENT]);
    let unchecked = world.run("unchecked", OBEDIENT);
    let job = world.run("job", "echo 12 rows written, 0 errors");
    let chatty = world.run(
        "chatty",
        &format!("echo 'no error: connected to db:5432, permission granted'; {OBEDIENT}"),
    );
    let limited = world.make(
        "limited",
        &["--memory=32m", "--read-only", "--restart=on-failure:3", "--user=1000"],
        &["sleep", "600"],
    );
    until(&world, &checked, HEALTH, &["healthy"]).await;
    until(&world, &job, STATUS, &["exited"]).await;
    let mut session = world.session().await;
    let tools = session.tools().await;
    for (container, words) in [
        (checked, "healthy"),
        (unchecked, "no health check (only that it runs is known)"),
        (job, "ended with exit code 0"),
        (chatty, "running for"),
        (limited, "running for"),
    ] {
        let answer = diagnose(&mut session, &tools, json!({"container_name": container})).await;
        assert_eq!(answer["verdict"], "healthy", "{answer}");
        assert!(answer.get("root").is_none(), "{answer}");
        assert!(answer["evidence"][0].as_str().unwrap().contains(words), "{answer}");
    }
}

#[tokio::test]
async fn a_docker_that_does_not_answer_is_the_diagnosis() {
    let Some(world) = World::enter("dx-dead") else { return };
    let mut server = world.server();
    server.env("DOCKER_HOST", format!("unix://{}", world.beside("nobody.sock").display()));
    let mut session = Session::open(server).await;
    let tools = session.tools().await;
    for arguments in [json!({}), json!({"container_name": "web"}), json!({"project_name": "shop"})]
    {
        let answer = diagnose(&mut session, &tools, arguments).await;
        assert_eq!(answer["verdict"], "failing", "{answer}");
        assert_eq!(answer["root"]["cause"], "daemon_not_accessible", "{answer}");
        assert!(answer["root"]["why"].as_str().unwrap().contains("DKR-001"), "{answer}");
        assert_eq!(answer["next"][0], "docker-info {}", "{answer}");
    }
}

#[tokio::test]
async fn who_holds_a_thing_is_found() {
    let Some(world) = World::enter("users") else { return };
    let mut session = world.session().await;
    let (port, data, network) = (free_port(), world.name("data"), world.name("net"));
    let label = format!("--label={}", world.label);
    world.docker(["network", "create", &label, &network]);
    let options = [
        format!("--publish=127.0.0.1:{port}:80"),
        format!("--volume={data}:/data"),
        format!("--network={network}"),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let web = world.make("web", &options, &["sh", "-c", OBEDIENT]);
    for (kind, name) in [
        ("port", port.to_string()),
        ("port", format!("{port}/tcp")),
        ("image", image()),
        ("volume", data.clone()),
        ("network", network.clone()),
    ] {
        let answer = session.done("find-users", json!({"kind": kind, "name": name})).await;
        let user = entry(&answer["users"], "container", &web);
        assert_eq!(user["state"], "running", "{answer}");
    }
    let udp = json!({"kind": "port", "name": format!("{port}/udp")});
    assert_eq!(session.done("find-users", udp).await["free"], true);
    if world.shares_our_network().await {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let answer = session.done("find-users", json!({"kind": "port", "name": port})).await;
        let process = std::process::id().to_string();
        assert!(answer["programs"][0].as_str().unwrap().contains(&process), "{answer}");
    }
    let absent = world.name("absent");
    for (code, kind, name) in [
        ("DKR-003", "image", absent.as_str()),
        ("DKR-008", "volume", &absent),
        ("DKR-008", "network", &absent),
        ("DKR-004", "port", "eighty"),
        ("DKR-004", "volume", "../x"),
        ("DKR-004", "container", &absent),
    ] {
        session.fails(code, "find-users", json!({"kind": kind, "name": name})).await;
    }
}

#[tokio::test]
async fn a_host_is_diagnosed_as_a_whole_and_nonsense_is_refused() {
    let Some(world) = World::enter("dx-host") else { return };
    let broken = world.run("broken", "echo 'SECRET_KEY must be set'; exit 1");
    until(&world, &broken, STATUS, &["exited"]).await;
    let mut session = world.session().await;
    let tools = session.tools().await;
    // Other tests break things on the same host at the same time.
    let answer = diagnose(&mut session, &tools, json!({})).await;
    assert_eq!((&answer["verdict"], &answer["about"]), (&json!("failing"), &json!("host")));
    assert!(answer["root"]["why"].is_string(), "{answer}");

    let absent = json!({"container_name": world.name("absent")});
    session.fails("DKR-002", "diagnose", absent).await;
    session.fails("DKR-008", "diagnose", json!({"project_name": world.name("absent")})).await;
    let both = json!({"container_name": broken, "project_name": "x"});
    session.fails("DKR-004", "diagnose", both).await;
}
