//! Building: told in few lines, explained in two kilobytes, alive while it runs, gone when it is
//! cancelled.

use std::time::{Duration, Instant};

use serde_json::json;

use super::World;
use super::progress::Call;
use super::world::{image, say};
use crate::processes::eventually;

#[tokio::test]
async fn a_build_is_told_in_few_lines_and_the_second_one_comes_from_the_cache() {
    let Some(world) = World::enter("build-image") else { return };
    let mut session = world.session().await;
    let (tag, other) = (format!("{}:1", world.prefix), format!("{}:stable", world.prefix));
    let dockerfile = format!(
        "FROM {} AS base\nARG WHO\nRUN echo \"$WHO\" > /who\nFROM base AS app\nCOPY data.txt /data.txt\nFROM base AS check\nRUN exit 1\n",
        image()
    );
    world.file("app/docker/Dockerfile.prod", &dockerfile);
    world.file("app/data.txt", &world.prefix);
    let (key, value) = world.label.split_once('=').unwrap();
    let arguments = json!({
        "context": "app", "dockerfile": "docker/Dockerfile.prod", "tags": [tag, other], "target": "app",
        "build_args": {"WHO": "agent"}, "labels": {key: value, "purpose": "a test"},
    });
    let mut dry = arguments.clone();
    dry["dry_run"] = json!(true);
    let dry = session.done("build-image", dry).await;
    assert!(dry["command"].as_str().unwrap().contains("--build-arg=WHO"), "{dry}");
    assert!(!world.exists("image", &tag));

    let built = session.done("build-image", arguments.clone()).await;
    let id = world.docker(["image", "inspect", "--format={{.Id}}", &tag]);
    assert_eq!(built["id"], id.trim_start_matches("sha256:")[..12], "{built}");
    assert_eq!(built["tags"], json!([tag, other]), "{built}");
    assert!(!built["command"].as_str().unwrap().contains("agent"), "{built}");
    let lines = serde_json::to_string_pretty(&built).unwrap().lines().count();
    assert!(lines <= 15, "{lines} lines: {built}");
    let label = "--format={{index .Config.Labels \"purpose\"}}";
    assert_eq!(world.docker(["image", "inspect", label, &tag]), "a test");
    assert_eq!(world.docker(["run", "--rm", &tag, "cat", "/who"]), "agent");
    assert_eq!(world.docker(["run", "--rm", &tag, "cat", "/data.txt"]), world.prefix);

    let again = session.done("build-image", arguments.clone()).await;
    assert_eq!(again["id"], built["id"], "{again}");
    assert_eq!(again["cached_steps"], again["steps"], "{again}");

    let mut target = arguments;
    target["target"] = json!("check");
    let error = session.fails("DKR-021", "build-image", target).await;
    assert!(error.contains("exit_code=1") && error.contains("Dockerfile.prod:7"), "{error}");
}

#[tokio::test]
async fn a_pipe_that_docker_would_wait_for_is_refused() {
    let Some(world) = World::enter("build-pipe") else { return };
    let mut session = world.session().await;
    world.file("app/Dockerfile", "FROM scratch\n");
    for name in [".dockerignore", "Dockerfile.dockerignore"] {
        let file = world.workspace().join("app").join(name);
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, &file, kind, mode, 0).unwrap();
        let told = session.fails("DKR-004", "build-image", json!({"context": "app"})).await;
        assert!(told.contains(&format!("{name} is not a regular file")), "{told}");
        let compose = json!({"project_name": world.prefix, "compose_yaml": "services:\n  app:\n    build: app\n"});
        let told = session.fails("DKR-004", "compose-build", compose).await;
        assert!(told.contains(&format!("{name} is not a regular file")), "{told}");
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn a_multi_stage_build_that_fails_is_explained_in_two_kilobytes() {
    let Some(world) = World::enter("build-fails") else { return };
    let mut session = world.session().await;
    let dockerfile = format!(
        "# A comment\nFROM {} AS tools\nRUN true\n\nFROM tools AS build\nARG API_TOKEN\nCOPY data.txt /\nRUN for i in $(seq 200); do echo \"compiling module $i of a long list of modules\"; done; \\\n    echo \"the cause with $API_TOKEN\" >&2; \\\n    exit 7\n\nFROM tools\nCOPY --from=build /data.txt /\n",
        image()
    );
    world.file("app/data.txt", &world.prefix);
    world.file("app/Dockerfile", &dockerfile);
    let tag = format!("{}:1", world.prefix);
    let secret = "not-to-be-seen-1234";
    let arguments = json!({"context": "app", "tags": [tag], "build_args": {"API_TOKEN": secret}});
    let before = world.docker(["ps", "--all", "--quiet", "--no-trunc"]);
    let error = session.fails("DKR-021", "build-image", arguments).await;
    assert!(error.len() <= 2000, "{} bytes: {error}", error.len());
    for part in
        ["run=RUN for i in", "Dockerfile:8", "exit_code=7", "executed", "cached", "the cause with"]
    {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert!(!error.contains(secret), "{error}");
    assert!(!world.exists("image", &tag));
    // The builder before BuildKit leaves the container of a failed step if it is not told.
    let after = world.docker(["ps", "--all", "--format={{.ID}} {{.Command}}", "--no-trunc"]);
    let left = after.lines().find(|line| line.contains("compiling module"));
    assert_eq!(left, None, "before: {before}");

    let inline =
        json!({"context": ".", "dockerfile_inline": format!("FROM {}\nRUNN x\n", image())});
    let error = session.fails("DKR-021", "build-image", inline).await;
    assert!(error.contains("RUNN"), "{error}");
}

#[tokio::test]
async fn what_must_not_or_cannot_be_built_is_refused_before_anything_is_sent() {
    let Some(world) = World::enter("build-refused") else { return };
    let mut session = world.session().await;
    world.file("app/data.txt", "x");
    let error = session.fails("DKR-004", "build-image", json!({"context": "app"})).await;
    assert!(error.contains("Dockerfile"), "{error}");
    session.fails("DKR-008", "build-image", json!({"context": "absent"})).await;
    let both = json!({"context": "app", "dockerfile": "x", "dockerfile_inline": "FROM scratch"});
    session.fails("DKR-004", "build-image", both).await;
    for context in ["/etc", "https://127.0.0.1:1/shop.git", "git@127.0.0.1:shop.git"] {
        let arguments = json!({"context": context, "dockerfile_inline": "FROM scratch"});
        session.fails("DKR-014", "build-image", arguments).await;
    }
    let outside = json!({"context": "app", "dockerfile": "/etc/passwd"});
    session.fails("DKR-014", "build-image", outside).await;
}

#[tokio::test]
async fn a_build_of_thirty_steps_tells_how_far_it_is_and_ends_when_it_is_cancelled() {
    let Some(world) = World::enter("build-long") else { return };
    let mut session = world.session().await;
    let step = |number: usize| match number {
        // One says nothing for long.
        12 => format!("RUN : {}; sleep 60; true\n", world.prefix),
        _ => format!("RUN echo {} {number}; sleep 0.2\n", world.prefix),
    };
    let dockerfile: String = (2..=30).map(step).collect();
    world.file("app/Dockerfile", &format!("FROM {}\n{dockerfile}", image()));
    let tag = format!("{}:1", world.prefix);
    let arguments = json!({"context": "app", "tags": [tag]});
    let mut call = Call::begin(&mut session, "build-image", arguments).await;
    call.until(&mut session, |message| message.starts_with("12/30 RUN")).await;
    // The steps that are under way on this machine, as processes.
    let works = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let is_step = |folder: &std::path::Path| {
            let line = std::fs::read(folder.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&format!(": {}; sleep 60", world.prefix))
        };
        processes.filter(|process| is_step(&process.path())).count()
    };
    eventually("the step runs", Duration::from_secs(5), || works() > 0).await;
    call.during(&mut session, Duration::from_secs(4)).await;
    call.was_lively();
    let last = &call.told.last().unwrap().message;
    assert!(last.starts_with("12/30 RUN") && last.ends_with(" s)"), "{last}");

    let cancelled = Instant::now();
    call.cancel(&mut session).await;
    eventually("the step has ended", Duration::from_secs(1), || works() == 0).await;
    let took = cancelled.elapsed().as_millis();
    say(&format!("the step ended {took} ms after the cancellation"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(works(), 0, "it goes on");
    assert!(!world.exists("image", &tag));
    session.done("list-containers", json!({})).await;
    let left = world.docker(["ps", "--all", "--format={{.Command}}", "--no-trunc"]);
    assert!(!left.contains(&world.prefix), "{left}");
}
