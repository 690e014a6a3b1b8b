//! get-logs, on a container that has said a lot and one that goes on talking.

use std::time::{Duration, Instant};

use serde_json::json;

use super::progress::Call;
use super::{OBEDIENT, World};
use crate::processes::eventually;

#[tokio::test]
async fn lines_are_chosen_by_number_pattern_stream_and_time() {
    let Some(world) = World::enter("logs") else { return };
    let mut session = world.session().await;
    let script = format!(
        "i=1; while [ $i -le 300 ]; do echo line $i; i=$((i+1)); done; sleep 1.2; \
         echo same; echo same; echo same; sleep 0.3; echo 'error: disk is full' >&2; sleep 0.3; \
         echo after; {OBEDIENT}"
    );
    let name = world.run("main", &script);
    eventually("it has said all", Duration::from_secs(10), || {
        world.docker(["logs", "--tail=1", &name]).ends_with("after")
    })
    .await;
    let mut get = async |more: serde_json::Value| {
        let mut arguments = json!({"container_name": name});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text = session.unfenced("get-logs", arguments).await;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let account = lines.pop().unwrap();
        assert!(account.starts_with('[') && account.ends_with(']'), "{account}");
        (lines, account)
    };

    let (lines, account) = get(json!({})).await;
    assert_eq!(lines.len(), 100, "{account}");
    assert!(account.contains("is running"), "{account}");
    let (lines, _) = get(json!({"tail": 1})).await;
    assert_eq!(lines.len(), 1);
    let (lines, _) = get(json!({"tail": 400})).await;
    assert_eq!(lines.len(), 305);

    let (lines, account) = get(json!({"grep": "^line 2.0$"})).await;
    let expected: Vec<String> = (0..10).map(|i| format!("line 2{i}0")).collect();
    assert_eq!(lines, expected, "{account}");
    assert!(account.contains("10 matched"), "{account}");
    let (lines, _) = get(json!({"grep": "^line 150$", "context_lines": 1})).await;
    assert_eq!(lines, ["line 149", "line 150", "line 151"]);
    let (lines, _) = get(json!({"grep": "^line", "invert": true, "stream": "stdout"})).await;
    assert_eq!(lines, ["same", "same", "same", "after"]);
    let (lines, account) = get(json!({"grep": "no such words"})).await;
    assert!(lines.is_empty() && account.contains("no line matches"), "{account}");

    let (lines, _) = get(json!({"stream": "stderr"})).await;
    assert_eq!(lines, ["error: disk is full"]);
    let (lines, _) = get(json!({"grep": "same", "dedupe": true})).await;
    assert_eq!(lines, ["same [3 times]"]);

    // The time of the first line after the pause, as docker tells it.
    let stamped = world.docker(["logs", "--timestamps", "--tail=10", &name]);
    let same = stamped.lines().find(|line| line.ends_with(" same")).unwrap();
    let moment = same.split(' ').next().unwrap();
    let (mut lines, _) = get(json!({"since": moment})).await;
    lines.sort();
    assert_eq!(lines, ["after", "error: disk is full", "same", "same", "same"]);
    let (lines, _) = get(json!({"until": moment, "tail": 2, "timestamps": true})).await;
    assert_eq!(lines.len(), 2);
    let (first, last) = (&lines[0], &lines[1]);
    assert!(first.contains("Z line ") || first.contains("Z same"), "{first}");
    assert!(last.contains("Z line 300") || last.starts_with(moment), "{last}");
    let (lines, account) = get(json!({"since": "1h", "until": "30m"})).await;
    assert!(lines.is_empty() && account.contains("no output in that time"), "{account}");
}

#[tokio::test]
async fn following_ends_in_time_and_at_a_match() {
    let Some(world) = World::enter("follow") else { return };
    let mut session = world.session().await;
    let script = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.2; done";
    let name = world.run("main", script);

    let begun = Instant::now();
    let arguments = json!({"container_name": name, "follow": true, "follow_seconds": 2, "tail": 0});
    let text = session.unfenced("get-logs", arguments).await;
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(7), "{took:?}");
    assert!(text.lines().filter(|line| line.starts_with("tick ")).count() > 3, "{text}");
    assert!(text.contains("followed for 2."), "{text}");

    let now: u32 = {
        let last = world.docker(["logs", "--tail=1", &name]);
        last.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let begun = Instant::now();
    let wanted = format!("^tick {}$", now + 8);
    let arguments =
        json!({"container_name": name, "until_match": wanted, "follow_seconds": 30, "tail": 1});
    let text = session.unfenced("get-logs", arguments).await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(text.contains("until_match found after"), "{text}");
    let last = text.lines().rev().nth(1).unwrap();
    assert_eq!(last, format!("tick {}", now + 8), "{text}");

    let arguments =
        json!({"container_name": name, "until_match": "never said", "follow_seconds": 1});
    let text = session.unfenced("get-logs", arguments).await;
    assert!(text.contains("until_match not found"), "{text}");
}

#[tokio::test]
async fn a_secret_is_no_match_and_no_progress() {
    let Some(world) = World::enter("logs-secret") else { return };
    let mut session = world.session().await;
    // Sixty-four characters, as in the body of a key.
    let body = |first: char| format!("{first}B3{}", "kQ7".repeat(21)).split_at(64).0.to_owned();
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let lines =
        ["DB_PASSWORD=zephyr77Quartz", begin, &body('a'), &body('b'), "cB3kQ7==", end, "ready"];
    let say: Vec<String> = lines.iter().map(|line| format!("echo {line}; sleep 0.3;")).collect();
    let name = world.run("main", &format!("sleep 1; {} {OBEDIENT}", say.concat()));

    let mut call = Call::begin(
        &mut session,
        "get-logs",
        json!({"container_name": name, "until_match": "ready", "follow_seconds": 20}),
    )
    .await;
    call.until(&mut session, |message| message.starts_with("ready")).await;
    let told: Vec<&str> = call.told.iter().map(|told| told.message.as_str()).collect();
    assert!(told.iter().any(|told| told.contains("DB_PASSWORD=")), "{told:#?}");
    for secret in ["zephyr77", "B3kQ7"] {
        assert!(!told.concat().contains(secret), "{secret}: {told:#?}");
    }

    for pattern in ["zephyr77", "B3kQ7"] {
        let arguments =
            json!({"container_name": name, "until_match": pattern, "follow_seconds": 1});
        let text = session.unfenced("get-logs", arguments).await;
        assert!(text.contains("until_match not found"), "{pattern}: {text}");
    }
}

#[tokio::test]
async fn following_a_container_that_ends_is_over_with_it() {
    let Some(world) = World::enter("follow-end") else { return };
    let mut session = world.session().await;
    let name = world.run("main", "echo working; sleep 1; echo failed; exit 4");
    let begun = Instant::now();
    let arguments = json!({"container_name": name, "follow": true, "follow_seconds": 30});
    let text = session.unfenced("get-logs", arguments).await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(text.starts_with("working\nfailed\n"), "{text}");
    assert!(text.contains("exited with exit code 4"), "{text}");
}

#[tokio::test]
async fn awkward_output_is_told_readably_and_secrets_are_hidden() {
    let Some(world) = World::enter("awkward") else { return };
    let mut session = world.session().await;
    let script = r"printf '\033[31mred\033[0m \a\n'; printf 'bad \377 byte\n'; printf 'grüße 🐳\n'
        head -c 20000 /dev/zero | tr '\0' 'x'; echo; echo password=hunter2hunter2";
    let name = world.run("main", script);
    world.docker(["wait", &name]);
    let text = session.unfenced("get-logs", json!({"container_name": name})).await;
    assert!(text.contains("red") && !text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
    assert!(text.contains("bad \u{fffd} byte") && text.contains("grüße 🐳"), "{text}");
    assert!(text.contains("bytes]") && text.len() < 15_000, "long lines are cut: {}", text.len());
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_long_log_is_searched_from_its_beginning() {
    let Some(world) = World::enter("long") else { return };
    let mut session = world.session().await;
    let script = format!(
        "echo the first error >&2; echo early; sleep 1.2; \
         head -c 9000 /dev/zero | tr '\\0' x; echo -n needle; head -c 9000 /dev/zero | tr '\\0' y; echo; \
         seq 12000; {OBEDIENT}"
    );
    let project = world.name("project");
    let labels =
        ["project", "service"].map(|key| format!("--label=com.docker.compose.{key}={project}"));
    let name = world.make("main", &[&labels[0], &labels[1]], &["sh", "-c", &script]);
    eventually("it has said all", Duration::from_secs(20), || {
        world.docker(["logs", "--tail=1", &name]).ends_with("12000")
    })
    .await;
    let stamped = world.docker(["logs", "--timestamps", &name]);
    let moment = stamped.lines().find(|line| line.ends_with(" 1")).unwrap().split(' ').next();
    let until = moment.unwrap().to_owned();
    let single = json!({"container_name": name});
    let all = json!({"project_name": project});
    for (tool, whose, bar) in
        [("get-logs", single, String::new()), ("compose-logs", all, format!("{project} | "))]
    {
        let mut get = async |more: serde_json::Value| {
            let mut arguments = whose.clone();
            arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let text = session.unfenced(tool, arguments).await;
            let mut lines: Vec<String> =
                text.lines().map(|line| line.replacen(&bar, "", 1)).collect();
            let account = lines.pop().unwrap();
            (lines, account)
        };
        let (lines, account) = get(json!({"grep": "error"})).await;
        assert_eq!(lines, ["the first error"], "{account}");
        assert!(account.contains("1 line shown of 12,003 read; 1 matched"), "{account}");
        let (lines, account) = get(json!({"stream": "stderr"})).await;
        assert_eq!(lines, ["the first error"], "{account}");
        let (mut lines, account) = get(json!({"until": until, "grep": "early|error|needle"})).await;
        lines.sort();
        assert_eq!(lines.len(), 3, "{account}: {lines:?}");
        assert_eq!(lines[1..], ["early", "the first error"], "{account}");
        assert!(lines[0].starts_with("[+") && lines[0].contains("xneedley"), "{}", lines[0].len());
        let (lines, account) = get(json!({"first": 2, "grep": "^[0-9]+$"})).await;
        assert_eq!(lines, ["1", "2"], "{account}");
        assert!(account.contains("later lines were not read"), "{account}");
        let (lines, account) = get(json!({"tail": 2, "grep": "00$"})).await;
        assert_eq!(lines, ["11900", "12000"], "{account}");
        assert!(account.contains("2 lines shown of 12,003 read; 120 matched"), "{account}");
        let (lines, account) = get(json!({"since": "1h", "tail": 1})).await;
        assert_eq!(lines, ["12000"], "{account}");
        assert!(account.contains("of 12,003 read"), "{account}");
        let (lines, account) = get(json!({})).await;
        assert!(lines.len() == 100 && account.contains("for older lines raise tail"), "{account}");
    }
    let wanted = json!({
        "container_name": name, "until": "log", "pattern": "needle", "timeout_seconds": 20,
    });
    let told = session.done("wait-container", wanted).await;
    let seen = told["seen"].as_str().unwrap_or_default();
    assert!(told["met"] == true && seen.contains("needle"), "{told}");
}
