//! The contract of the runner, line by line (HOUSE.md §5), with shell scripts in docker's place.

use std::process::Stdio;
use std::time::{Duration, Instant};

use docker_mcp_server::command::containers::ListContainers;
use docker_mcp_server::command::{Attempt, Capture, Effect, Invocation, Streams};
use docker_mcp_server::docker::Line;
use docker_mcp_server::error::Code;
use docker_mcp_server::progress::Progress;
use rustix::process::Signal;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::processes::{gone, is_alive, program, resident_kilobytes, server, signal, started};
use crate::stage::Stage;
use crate::wire::{Era, Transport, Wire};

/// Generous: these machines are busy. What is asserted is that something ends at all.
const SOON: Duration = Duration::from_secs(2);

fn read() -> Invocation {
    Invocation::docker(Effect::Read, ["container", "ls"])
}

fn change() -> Invocation {
    Invocation::docker(Effect::Change, ["container", "start"])
}

/// With a limit that is over at once.
fn brief(invocation: Invocation) -> Invocation {
    invocation.timeout(Duration::from_millis(300))
}

fn split(stdout: Capture, stderr: Capture) -> Streams {
    Streams::Split { stdout, stderr }
}

// --- time-out and cancellation --------------------------------------------------------------------

#[tokio::test]
async fn a_time_out_asks_the_whole_group_to_end() {
    let stage = Stage::script(
        r"trap 'echo asked > $here/asked; exit 0' TERM
        sleep 1000 & echo $! > $here/child
        wait",
    );
    let begun = Instant::now();
    let error = stage.run(brief(read())).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(stage.text("asked"), "asked\n");
    gone(SOON, &[started(&stage, "child").await]).await;
}

#[tokio::test]
async fn a_time_out_kills_a_group_that_does_not_obey() {
    let stage = Stage::script(
        r"trap '' TERM
        sleep 1000 & echo $! > $here/child
        echo $$ > $here/pid
        while :; do sleep 1000; done",
    );
    let begun = Instant::now();
    let error = stage.run(brief(read())).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    // The grace of two seconds.
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    gone(SOON, &[started(&stage, "pid").await, started(&stage, "child").await]).await;
}

#[tokio::test]
async fn a_plugin_that_outlives_its_client_is_killed() {
    let stage = Stage::script(
        r#"trap 'exit 0' TERM
        sh -c 'trap "" TERM; echo $$ > $0/plugin; while :; do sleep 1; done' $here &
        wait"#,
    );
    let error = stage.run(brief(read())).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    gone(SOON, &[started(&stage, "plugin").await]).await;
}

#[tokio::test]
async fn a_time_out_tells_what_docker_had_said() {
    let stage = Stage::script("echo pulling; echo 'layer 3 of 7'; echo slow disk >&2; sleep 1000");
    let error = stage.run(brief(change())).await.unwrap_err();
    assert_eq!(
        error.message,
        "docker start did not end within 0.3 s and was stopped; it may have been done in part; \
         the last it said: layer 3 of 7"
    );
    assert_eq!(error.stderr.as_deref(), Some("slow disk"));

    let error = stage.run(brief(read())).await.unwrap_err();
    assert!(!error.message.contains("in part"), "a read does nothing: {}", error.message);
}

#[tokio::test]
async fn a_cancelled_call_ends_its_processes_at_once() {
    let stage = Stage::script(
        r"trap '' TERM
        sleep 1000 & echo $! > $here/child
        echo $$ > $here/pid
        while :; do sleep 1000; done",
    );
    let cancel = CancellationToken::new();
    let (result, pids) = tokio::join!(stage.run_until(change(), cancel.clone()), async {
        let pids = [started(&stage, "child").await, started(&stage, "pid").await];
        cancel.cancel();
        gone(SOON, &pids).await;
        pids
    });
    let error = result.unwrap_err();
    assert_eq!(error.code, Code::Cancelled);
    assert!(error.message.contains("in part"), "{}", error.message);
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
}

#[tokio::test]
async fn a_dropped_call_ends_its_processes_at_once() {
    let stage = Stage::script(
        r"trap '' TERM
        sleep 1000 & echo $! > $here/child
        echo $$ > $here/pid
        while :; do sleep 1000; done",
    );
    let pids = tokio::select! {
        _ = stage.run(read()) => unreachable!("it never ends"),
        pids = async { [started(&stage, "child").await, started(&stage, "pid").await] } => pids,
    };
    gone(SOON, &pids).await;
}

// --- output -----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_stranger_that_holds_the_pipe_does_not_hold_the_answer() {
    // As an ssh master connection does, in a session of its own.
    let stage = Stage::script(
        r"setsid sleep 30 & echo $! > $here/stranger
        echo answer",
    );
    let begun = Instant::now();
    let output = stage.run(read()).await.unwrap();
    assert_eq!(output.stdout, "answer\n");
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    signal(started(&stage, "stranger").await, Signal::KILL);
}

#[tokio::test]
async fn a_child_left_behind_is_killed_after_the_answer() {
    let stage = Stage::script(
        r"sleep 1000 & echo $! > $here/child
        echo answer",
    );
    assert_eq!(stage.run(read()).await.unwrap().stdout, "answer\n");
    gone(SOON, &[started(&stage, "child").await]).await;
}

#[tokio::test]
async fn both_pipes_are_read_at_once() {
    // Either half alone fills a pipe of 64 KiB many times over.
    let stage = Stage::script(
        r"head -c 1000000 /dev/zero | tr '\0' e >&2
        head -c 1000000 /dev/zero | tr '\0' o
        head -c 1000000 /dev/zero | tr '\0' e >&2",
    );
    let whole = Capture::Whole { max: 4 << 20 };
    let output = stage.run(read().streams(split(whole, whole))).await.unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (1_000_000, 2_000_000));
}

#[tokio::test]
async fn a_flood_is_bounded_in_memory() {
    let stage = Stage::script("head -c 64000000 /dev/zero; head -c 64000000 /dev/zero >&2");
    let max = 1 << 20;
    let before = resident_kilobytes();
    let flood =
        read().streams(split(Capture::Whole { max }, Capture::Tail { max })).timeout(SOON * 20);
    let run = stage.run(flood);
    let mut most = 0;
    let watch = async {
        loop {
            most = resident_kilobytes().max(most);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let result = tokio::select! { result = run => result, () = watch => unreachable!() };
    let error = result.unwrap_err();
    assert_eq!(error.code, Code::UnexpectedOutput);
    assert!(error.message.contains("more than the limit of 1048576"), "{}", error.message);
    // The other tests of this program need memory too.
    assert!(most.saturating_sub(before) < 60_000, "{before} kB grew to {most} kB");
}

#[tokio::test]
async fn a_flood_without_end_is_ended_at_the_limit() {
    for script in ["yes", "yes >&2", "yes & yes >&2"] {
        let stage = Stage::script(&format!("echo $$ > $here/pid; {script}"));
        let whole = Capture::Whole { max: 1 << 20 };
        let error = stage.run(change().streams(split(whole, whole))).await.unwrap_err();
        assert_eq!(error.code, Code::UnexpectedOutput, "{script}: {error}");
        assert_eq!(
            error.message,
            "docker start printed more than the limit of 1048576 bytes and was stopped; it may have been done in part"
        );
        gone(SOON, &[started(&stage, "pid").await]).await;
    }
}

#[tokio::test]
async fn a_tail_is_kept_and_says_what_was_cut() {
    let stage = Stage::script("seq 100000; echo the end; seq 100000 >&2; echo why >&2");
    let (stdout, stderr) = (Capture::Tail { max: 8 }, Capture::Tail { max: 4 });
    let output = stage.run(read().streams(split(stdout, stderr))).await.unwrap();
    assert_eq!(output.stdout, "the end\n");
    assert_eq!(output.stdout_cut, 588_895);
    assert_eq!(output.stderr, "why\n");
}

#[tokio::test]
async fn both_streams_through_one_pipe_keep_their_order() {
    let stage = Stage::script("for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done");
    let streams = Streams::Merged(Capture::Tail { max: 1 << 20 });
    let output = stage.run(read().streams(streams)).await.unwrap();
    let expected: Vec<String> = (1..10).flat_map(|i| [format!("o{i}"), format!("e{i}")]).collect();
    assert_eq!(output.stdout.lines().collect::<Vec<_>>(), expected);
    assert_eq!(output.stderr, "");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_shown_as_such() {
    let stage = Stage::script(r"printf 'a\377b\0c\n'; printf '\200' >&2");
    let output = stage.run(read()).await.unwrap();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("a\u{fffd}b\0c\n", "\u{fffd}"));
}

#[tokio::test]
async fn lines_arrive_while_docker_runs() {
    let stage = Stage::script(
        "echo one; echo two >&2; while [ ! -e $here/go ]; do sleep 0.01; done; echo three",
    );
    let (mut lines, go) = (vec![], stage.path("go"));
    let watched = Attempt(read());
    let on_line = |line: Line<'_>| {
        lines.push(format!("{line:?}"));
        if lines.len() == 2 {
            std::fs::write(&go, "").unwrap();
        }
    };
    stage.docker().watch(&watched, on_line).await.unwrap();
    // The two streams are two pipes: nobody knows which of the first lines is first.
    lines.sort();
    assert_eq!(lines, [r#"Stderr("two")"#, r#"Stdout("one")"#, r#"Stdout("three")"#]);
}

// --- how it ends ------------------------------------------------------------------------------------

#[tokio::test]
async fn the_exit_status_is_docker_s_own() {
    for (script, expected) in [("exit 0", 0), ("exit 17", 17), ("exit 137", 137)] {
        let output = Stage::script(script).run(read()).await.unwrap();
        assert_eq!(output.exit_code, expected, "{script}");
    }
}

#[tokio::test]
async fn a_signal_that_ends_the_client_is_no_exit_status() {
    for (script, signal) in [("kill -SEGV $$", "11 (SIGSEGV)"), ("kill -KILL $$", "9 (SIGKILL)")] {
        let stage = Stage::script(&format!("echo begun; echo careful >&2; {script}"));
        let error = stage.run(change()).await.unwrap_err();
        assert_eq!(error.code, Code::ClientKilled, "{script}");
        let expected = format!(
            "signal {signal} ended the docker client (docker start), and this server did not send \
             it; it may have been done in part; the last it said: begun"
        );
        assert_eq!(error.message, expected);
        assert_eq!(error.stderr.as_deref(), Some("careful"));
        assert!(error.may_have_been_done());
    }
}

// --- a daemon that is not there -----------------------------------------------------------------------

const NO_DAEMON: &str = "echo 'Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?' >&2; exit 1";

#[tokio::test]
async fn a_daemon_that_was_not_there_is_asked_once() {
    let stage = Stage::script(&format!("echo call >> $here/calls; {NO_DAEMON}"));
    let docker = stage.docker();
    for _ in 0..3 {
        let list = ListContainers { all: true, filters: vec![] };
        let error = docker.run(&list).await.unwrap_err();
        assert_eq!(error.code, Code::DaemonNotAccessible, "{error}");
    }
    assert_eq!(stage.text("calls").lines().count(), 3);
}

#[tokio::test]
async fn a_daemon_that_was_there_a_moment_ago_is_waited_for() {
    let stage = Stage::script(&format!(
        "echo call >> $here/calls; case $(wc -l < $here/calls) in 1|4) exit 0 ;; esac; {NO_DAEMON}"
    ));
    let docker = stage.docker();
    let list = ListContainers { all: true, filters: vec![] };
    docker.run(&list).await.unwrap();
    docker.run(&list).await.unwrap();
    assert_eq!(stage.text("calls").lines().count(), 4, "the second call took three attempts");
    // It has gone for good.
    docker.run(&list).await.unwrap_err();
    docker.run(&list).await.unwrap_err();
    assert_eq!(stage.text("calls").lines().count(), 8);
}

#[tokio::test]
async fn a_missing_docker_is_named_with_the_places_looked_at() {
    let stage = Stage::empty();
    let error = stage.run(read()).await.unwrap_err();
    assert_eq!(error.code, Code::DockerMissing);
    let looked_in = stage.search_path().into_string().unwrap();
    let shown = error.to_string().replace(&looked_in, "PATH");
    insta::assert_snapshot!(shown, @"
    Error: DKR-015 docker_missing: there is no program docker to run | Context: looked_in=PATH
    hint: install the docker CLI and its compose plugin, or name it with --docker; docker-info tells what was found
    command: docker container ls
    ");

    // It is looked for anew in every call.
    stage.program("docker", "echo here now");
    assert_eq!(stage.run(read()).await.unwrap().stdout, "here now\n");
}

#[tokio::test]
async fn what_cannot_be_executed_is_no_docker() {
    let stage = Stage::empty();
    std::fs::write(stage.path("docker"), "#!/bin/sh\n").unwrap();
    assert_eq!(stage.run(read()).await.unwrap_err().code, Code::DockerMissing);

    // Executable by its mode alone: no interpreter.
    let stage = Stage::empty();
    let file = stage.path("docker");
    std::fs::write(&file, "#!/no/such/interpreter\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&file, mode).unwrap();
    assert_eq!(stage.run(read()).await.unwrap_err().code, Code::DockerMissing);
}

#[tokio::test]
async fn an_argument_too_long_for_the_system_is_the_callers_mistake() {
    let stage = Stage::script("echo never");
    let error = stage.run(read().operands(["x".repeat(200_000)])).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidConfiguration);
}

// --- slots --------------------------------------------------------------------------------------------

#[tokio::test]
async fn never_more_processes_than_slots() {
    let stage = Stage::script(
        r"mkdir $here/running.$$
        ls -d $here/running.* | wc -l >> $here/counts
        sleep 0.05
        rmdir $here/running.$$",
    )
    .adjusted(|settings| settings.slots = 3);
    let docker = stage.docker();
    let calls = (0..12).map(|_| {
        let docker = docker.clone();
        tokio::spawn(async move { docker.run(&Attempt(read())).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    let counts: Vec<usize> = stage.text("counts").lines().map(|n| n.parse().unwrap()).collect();
    assert_eq!((counts.len(), counts.into_iter().max()), (12, Some(3)));
}

#[tokio::test]
async fn waiting_for_a_slot_is_no_part_of_the_time_and_can_be_cancelled() {
    let stage =
        Stage::script(r#"case "$2" in ls) echo $$ > $here/pid; sleep 1 ;; *) echo quick ;; esac"#)
            .adjusted(|settings| settings.slots = 1);
    let docker = stage.docker();
    let holder = Attempt(read());
    let waiters = async {
        started(&stage, "pid").await;
        let cancel = CancellationToken::new();
        cancel.cancel();
        let cancelled = docker.limited(Effect::Change, cancel, Progress::default());
        let cancelled = cancelled.run(&Attempt(change())).await.unwrap_err();
        (cancelled, docker.run(&Attempt(brief(change()))).await)
    };
    let (held, (cancelled, late)) = tokio::join!(docker.run(&holder), waiters);
    held.unwrap();
    assert_eq!(late.unwrap().stdout, "quick\n");
    assert_eq!(cancelled.code, Code::Cancelled);
    assert!(cancelled.message.contains("nothing was changed"), "{}", cancelled.message);
}

#[tokio::test]
async fn what_takes_long_does_not_hold_up_what_is_quick() {
    let stage = Stage::script(
        r#"case "$2" in wait) echo $$ >> $here/pid; sleep 1000 ;; *) echo quick ;; esac"#,
    )
    .adjusted(|settings| settings.slots = 1);
    let docker = stage.docker();
    let wait = || Invocation::docker(Effect::Read, ["container", "wait"]);
    let (followed, long) = (
        Attempt(wait().follow(Duration::from_secs(3600))),
        Attempt(wait().timeout(Duration::from_secs(61))),
    );
    let quick = async {
        started(&stage, "pid").await;
        docker.run(&Attempt(read())).await.unwrap()
    };
    let quick = tokio::select! {
        _ = docker.run(&followed) => unreachable!("it never ends"),
        _ = docker.run(&long) => unreachable!("it never ends"),
        quick = quick => quick,
    };
    assert_eq!(quick.stdout, "quick\n");
    assert_eq!(stage.text("pid").lines().count(), 1, "those that take long wait for each other");
}

// --- what docker gets -----------------------------------------------------------------------------------

#[tokio::test]
async fn standard_input_arrives_whole_while_output_is_read() {
    let stage = Stage::script("cat");
    let given: Vec<u8> = (0..3_000_000_u32).flat_map(|n| [b'a' + (n % 26) as u8]).collect();
    let output = stage.run(read().stdin(given.clone())).await.unwrap();
    assert!(output.stdout.as_bytes() == given);
}

#[tokio::test]
async fn input_that_nobody_reads_holds_nothing_up() {
    let stage = Stage::script("exec <&-; echo 'unknown flag' >&2; exit 125");
    let output = stage.run(read().stdin(vec![b'x'; 1_000_000])).await.unwrap();
    assert_eq!((output.exit_code, output.stderr.as_str()), (125, "unknown flag\n"));
}

#[tokio::test]
async fn without_input_standard_input_is_at_its_end() {
    let output = Stage::script("cat; echo done").run(read()).await.unwrap();
    assert_eq!(output.stdout, "done\n");
}

#[tokio::test]
async fn a_value_of_the_clients_environment_arrives_byte_for_byte() {
    let stage = Stage::script(r#"printf %s "$MULTI""#);
    let value = "two\nlines and a \"quote\"";
    let output = stage.run(read().client_env("MULTI", value)).await.unwrap();
    assert_eq!(output.stdout, value);

    // `sudo` and `ssh` would lose it.
    let behind_a_wrapper =
        stage.adjusted(|settings| settings.docker = vec!["env".to_owned(), "docker".to_owned()]);
    let error = behind_a_wrapper.run(read().client_env("MULTI", value)).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidConfiguration);
    assert!(!error.to_string().contains("two"), "{error}");
}

#[tokio::test]
async fn words_before_dockers_own_are_kept() {
    let stage = Stage::script(r#"printf '<%s>' "$X" "$@""#).adjusted(|settings| {
        settings.docker = ["env", "X=1 2", "docker"].map(str::to_owned).to_vec();
    });
    let output = stage.run(read().operands(["a b"])).await.unwrap();
    assert_eq!(output.stdout, "<1 2><container><ls><--><a b>");
}

#[tokio::test]
async fn words_survive_the_shell_at_the_other_end_of_ssh() {
    let stage = Stage::script(r#"printf '%s\0' "$@""#).adjusted(|settings| {
        settings.docker = ["ssh", "host", "docker"].map(str::to_owned).to_vec();
    });
    // ssh joins its words with blanks, and a shell there splits them.
    stage.program("ssh", r#"while [ "${1#-}" != "$1" ]; do shift; done; shift; exec sh -c "$*""#);
    let operands = ["it's", "a  b", "$HOME `id`", "x\ny", "", "\"", "--flag", "*"];
    let output = stage.run(read().option("--filter", "name=a;b").operands(operands)).await.unwrap();
    let words: Vec<&str> = output.stdout.split_terminator('\0').collect();
    assert_eq!(words[..4], ["container", "ls", "--filter=name=a;b", "--"]);
    assert_eq!(words[4..], operands);
}

#[tokio::test]
async fn docker_gets_the_variables_of_the_list_and_no_other() {
    let stage = Stage::script("tr '\\0' '\\n' < /proc/$$/environ > $here/environment");
    let output = server(&stage)
        .envs([
            ("HOME", "/home/someone"),
            ("DOCKER_HOST", "unix:///run/elsewhere.sock"),
            ("https_proxy", "http://proxy:3128"),
            ("DOCKER_MCP_RETRY_ATTEMPTS", "1"),
            ("LOG_LEVEL", "error"),
            ("NPM_TOKEN", "0123456789abcdef"),
            // Builds would fail for a folder that is gone.
            ("TMPDIR", "/no/such/folder"),
            ("LD_LIBRARY_PATH", "/nowhere"),
            ("COMPOSE_FILE", "/etc/passwd"),
            ("COMPOSE_PROFILES", "debug"),
            ("DOCKER_CLI_HINTS", "true"),
            ("GODEBUG", "x=1"),
            ("SHOP_PASSED", "a=b c"),
            ("SHOP_OTHER", "no"),
        ])
        .args(["call", "list-containers", "--pass-env", "SHOP_PASSED"])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut environment: Vec<_> = stage.text("environment").lines().map(str::to_owned).collect();
    environment.sort();
    environment.retain(|variable| !variable.starts_with("PATH="));
    insta::assert_snapshot!(environment.join("\n"), @r"
    BUILDKIT_PROGRESS=plain
    BUILDX_GIT_CHECK_DIRTY=false
    BUILDX_GIT_INFO=false
    COMPOSE_EXPERIMENTAL_GIT_REMOTE=false
    COMPOSE_EXPERIMENTAL_OCI_REMOTE=false
    COMPOSE_MENU=false
    DOCKER_CLI_HINTS=false
    DOCKER_HOST=unix:///run/elsewhere.sock
    GOGC=off
    GOMAXPROCS=1
    HOME=/home/someone
    NO_COLOR=1
    SHOP_PASSED=a=b c
    https_proxy=http://proxy:3128
    ");
}

// --- SIGKILL of the server ---------------------------------------------------------------------------

#[tokio::test]
async fn nothing_survives_a_server_that_was_killed() {
    let stage = Stage::script(
        r"trap '' TERM HUP INT
        sleep 1000 & echo $! > $here/child
        echo $$ > $here/pid
        while :; do sleep 1000; done",
    );
    let mut wire = Wire::connect(&stage, Transport::Pipes, Era::Modern).await;
    wire.request("tools/call", json!({"name": "list-containers", "arguments": {}})).await;
    let pids = [started(&stage, "child").await, started(&stage, "pid").await];
    // On a busy machine the child runs before the server knows its number, and the reaper with it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    signal(wire.pid(), Signal::KILL);
    gone(SOON, &pids).await;
}

#[tokio::test]
async fn the_reaper_kills_only_what_was_not_taken_back() {
    let sleeper = || program("/bin/sleep").arg("30").process_group(0).spawn().unwrap();
    let (mut ended, mut left) = (sleeper(), sleeper());
    let (ended_pid, left_pid) = (ended.id().unwrap(), left.id().unwrap());
    let told = format!("+{ended_pid}\nnonsense\n+{left_pid}\n-{ended_pid}\n");
    let place = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let folder = place.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("half"), "").unwrap();
        folder
    };
    let [unfinished, finished, strange] = [".docker-mcp-a", ".docker-mcp-b", "strange"].map(folder);
    let [a, b, c] = [&unfinished, &finished, &strange].map(|path| path.to_str().unwrap());
    let told = format!("{told}+{a}\n+{b}\n+{c}\n-{b}\n");
    docker_mcp_server::docker::reap(told.as_bytes(), &[]);
    assert_eq!(
        [&unfinished, &finished, &strange].map(|folder| folder.exists()),
        [false, true, true]
    );
    left.wait().await.unwrap();
    assert!(is_alive(ended_pid));
    ended.kill().await.unwrap();
}
