use serde_json::json;

use super::*;
use crate::command::labels;

const YOUNG: History = History { steady: false, restarts: 0, is_old: false };
const STEADY_NOW: History = History { steady: true, restarts: 0, is_old: false };

/// `status[/health][ exit code][ policy]`, as docker's inspect would show it.
fn container(service: &str, text: &str) -> Container {
    let mut words = text.split(' ');
    let (status, health) = match words.next().unwrap().split_once('/') {
        Some((status, health)) => (status, json!({"Status": health, "Log": []})),
        None => (text.split(' ').next().unwrap(), json!(null)),
    };
    let exit_code: i32 = words.next().map_or(0, |code| code.parse().unwrap());
    let policy = words.next().unwrap_or("no");
    serde_json::from_value(json!({
        "Id": format!("{service}-1"),
        "State": {"Status": status, "Running": status == "running", "ExitCode": exit_code, "Health": health},
        "Config": {"Labels": {labels::SERVICE: service}},
        "HostConfig": {"RestartPolicy": {"Name": policy}},
    }))
    .unwrap()
}

fn told(text: &str, history: History) -> String {
    match judge(&container("web", text), history) {
        Stand::Ready => "ready".to_owned(),
        Stand::Pending(what) => format!("pending: {what}"),
        Stand::Looping(why) => format!("looping: {why}"),
        Stand::Held(by) => format!("held by {by}"),
        Stand::Failed(why) => format!("failed: {why}"),
    }
}

#[test]
fn a_container_is_judged_by_state_health_exit_code_and_restart_policy() {
    let restarted = |restarts| History { restarts, ..YOUNG };
    let old = History { is_old: true, ..YOUNG };
    let table = [
        ("running", YOUNG),
        ("running", STEADY_NOW),
        ("running", restarted(4)),
        ("running", restarted(5)),
        ("running", History { restarts: 5, ..STEADY_NOW }),
        ("running/starting", STEADY_NOW),
        ("running/starting", restarted(5)),
        ("running/healthy", YOUNG),
        ("running/healthy", restarted(9)),
        ("running/unhealthy", STEADY_NOW),
        ("exited 0", YOUNG),
        ("exited 0 on-failure", YOUNG),
        ("exited 0 always", YOUNG),
        ("exited 0 unless-stopped", YOUNG),
        ("exited 7", YOUNG),
        ("exited 137", YOUNG),
        ("exited 0", old),
        ("exited 0 always", old),
        ("exited 7", old),
        ("created", old),
        ("dead", old),
        ("restarting 1 always", restarted(1)),
        ("restarting 1 always", restarted(5)),
        ("created", YOUNG),
        ("paused", STEADY_NOW),
        ("dead", YOUNG),
        ("removing", YOUNG),
    ];
    let lines: Vec<String> =
        table.iter().map(|(text, history)| format!("{text:24} {}", told(text, *history))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    running                  pending: just started
    running                  ready
    running                  pending: just started
    running                  looping: it keeps restarting (5 times so far)
    running                  ready
    running/starting         pending: starting
    running/starting         looping: it keeps restarting (5 times so far)
    running/healthy          ready
    running/healthy          ready
    running/unhealthy        failed: it is unhealthy
    exited 0                 ready
    exited 0 on-failure      ready
    exited 0 always          failed: it ended, although it is meant to keep running (exit code 0)
    exited 0 unless-stopped  failed: it ended, although it is meant to keep running (exit code 0)
    exited 7                 failed: it ended with exit code 7
    exited 137               failed: it ended with exit code 137: ended by SIGKILL (docker kill, a stop that ran into its time limit, or out of memory)
    exited 0                 ready
    exited 0 always          pending: not started yet
    exited 7                 pending: not started yet
    created                  pending: not started yet
    dead                     pending: not started yet
    restarting 1 always      pending: restarting
    restarting 1 always      looping: it keeps restarting (5 times so far), last exit code 1
    created                  pending: created
    paused                   failed: it is paused
    dead                     failed: it is dead
    removing                 failed: it is removing
    ");
}

#[test]
fn what_kept_a_container_from_starting_is_the_reason() {
    let mut refused = container("web", "created 128");
    refused.state.error = "port is already allocated".to_owned();
    assert_eq!(judge(&refused, YOUNG), Stand::Failed("port is already allocated".to_owned()));
}

#[test]
fn an_unhealthy_container_tells_its_last_failed_check() {
    let mut sick = container("db", "running/unhealthy");
    sick.state.health.as_mut().unwrap().log = vec![
        Probe { exit_code: 1, output: "old".into(), ..Probe::default() },
        Probe { exit_code: 2, output: " no route \n".into(), ..Probe::default() },
    ];
    let expected = "it is unhealthy; its last check ended with 2: no route";
    assert_eq!(judge(&sick, YOUNG), Stand::Failed(expected.to_owned()));
}

/// `service: needed, needed = status` per line, one container each; no status for none at all.
fn stack(text: &str) -> (BTreeMap<String, Expected>, BTreeMap<String, Stand>) {
    let mut expected = BTreeMap::new();
    let mut containers = vec![];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, status) = line.split_once('=').unwrap();
        let (name, needed) = head.split_once(':').unwrap();
        let depends_on = needed.split(',').map(str::trim).filter(|name| !name.is_empty());
        let depends_on = depends_on.map(str::to_owned).collect();
        expected.insert(name.to_owned(), Expected { replicas: 1, depends_on });
        if !status.trim().is_empty() {
            containers.push(container(name, status.trim()));
        }
    }
    let stands = stands(&expected, &containers, |_| STEADY_NOW);
    (expected, stands)
}

/// `over lost root | progress`.
fn outcome(text: &str) -> String {
    let (expected, stands) = stack(text);
    format!(
        "over={} lost={} root={} | {}",
        is_over(&stands),
        is_lost(&stands),
        root(&expected, &stands).unwrap_or("-"),
        progress(&stands).2
    )
}

#[test]
fn a_stack_has_settled_when_nothing_is_pending() {
    insta::assert_snapshot!(
        outcome("db: = running/healthy\njob: db = exited 0\nweb: job = running"),
        @"over=true lost=false root=- | 3 of 3 services ready"
    );
    insta::assert_snapshot!(
        outcome("db: = running/starting\njob: db = created\nweb: job = created"),
        @"over=false lost=false root=db | 0 of 3 services ready: db starting, job created, web created"
    );
}

#[test]
fn the_cause_is_told_from_its_victims() {
    insta::assert_snapshot!(
        outcome("db: = running/unhealthy\napi: db = created\nweb: api = created\nother: = running"),
        @"over=true lost=true root=db | 1 of 4 services ready: api waits for db, db failed, web waits for db"
    );
    // Also when the victims were not even created.
    insta::assert_snapshot!(outcome("db: = exited 1\napi: db =\nweb: api ="), @"over=true lost=true root=db | 0 of 3 services ready: api waits for db, db failed, web waits for db");
    // One that failed because of another one is not the cause.
    insta::assert_snapshot!(outcome("db: = exited 1\naaa: db = exited 2"), @"over=true lost=true root=db | 0 of 2 services ready: aaa failed, db failed");
    // Of two causes the one that holds up more.
    insta::assert_snapshot!(outcome("a: = exited 1\nb: = exited 1\nc: b = created"), @"over=true lost=true root=b | 0 of 3 services ready: a failed, b failed, c waits for b");
}

#[test]
fn a_crash_loop_is_not_given_up_while_something_else_comes_up() {
    let (expected, _) = stack("app: = running\ndb: = running");
    let restarts = |container: &Container| History {
        restarts: if container.id == "app-1" { 6 } else { 0 },
        ..YOUNG
    };
    let with_db = |db: &str| {
        let containers = [container("app", "restarting 1 always"), container("db", db)];
        is_over(&stands(&expected, &containers, restarts))
    };
    assert!(!with_db("running/starting"));
    assert!(with_db("running/healthy"));
}

#[test]
fn every_replica_has_to_be_there_and_the_worst_one_speaks() {
    let expected =
        BTreeMap::from([("web".to_owned(), Expected { replicas: 2, depends_on: vec![] })]);
    let stand = |containers: &[Container]| {
        stands(&expected, containers, |_| STEADY_NOW).remove("web").unwrap()
    };
    let running = container("web", "running");
    let exited = container("web", "exited 3");
    assert_eq!(stand(&[running.clone(), running.clone()]), Stand::Ready);
    assert_eq!(stand(std::slice::from_ref(&running)), Stand::Pending("not created yet".into()));
    assert_eq!(stand(&[running, exited]), Stand::Failed("it ended with exit code 3".into()));
}

#[test]
fn a_service_scaled_to_nothing_is_ready() {
    let expected = BTreeMap::from([("web".to_owned(), Expected::default())]);
    let stands = stands(&expected, &[], |_| YOUNG);
    assert!(is_over(&stands) && !is_lost(&stands));
}

#[test]
fn what_ran_before_the_call_is_steady_at_once_and_old_restarts_do_not_count() {
    let mut old = container("web", "running");
    old.restart_count = 40;
    let mut memory = Memory::before(std::slice::from_ref(&old));
    let now = Instant::now();
    assert_eq!(memory.history(&old, now), STEADY_NOW);
    old.restart_count = 42;
    old.state.started_at = "later".to_owned();
    memory.look(std::slice::from_ref(&old), now);
    assert_eq!(memory.history(&old, now), History { restarts: 2, ..YOUNG });
    assert_eq!(memory.history(&old, now + STEADY), History { restarts: 2, ..STEADY_NOW });
    // `up` starts a stopped one anew, and docker counts from zero.
    old.restart_count = 1;
    assert_eq!(memory.history(&old, now).restarts, 1);
}

#[test]
fn what_had_ended_before_the_call_is_old_until_it_is_started_or_replaced() {
    let at = |text: &str, started: &str| {
        let mut container = container("web", text);
        container.state.started_at = started.to_owned();
        container
    };
    let before = at("exited 5", "first");
    let memory = Memory::before(std::slice::from_ref(&before));
    let is_old = |container: &Container| memory.history(container, Instant::now()).is_old;
    assert!(is_old(&before));
    assert!(!is_old(&at("running", "second")) && !is_old(&at("exited 5", "second")));
    let replaced = Container { id: "web-2".to_owned(), ..before };
    assert!(!is_old(&replaced));
    // One that ran before and ended since has ended in this call.
    let memory = Memory::before(&[at("running", "first")]);
    assert!(!memory.history(&at("exited 5", "first"), Instant::now()).is_old);
}

#[test]
fn who_was_stopped_before_and_waits_is_not_the_cause() {
    let depends_on = vec!["db".to_owned()];
    let expected = BTreeMap::from([
        ("api".to_owned(), Expected { replicas: 1, depends_on }),
        ("db".to_owned(), Expected { replicas: 1, depends_on: vec![] }),
    ]);
    let containers = |db: &str| [container("api", "exited 143"), container("db", db)];
    let told = |db: &str| {
        let containers = containers(db);
        let memory = Memory::before(&containers[..1]);
        let stands = stands(&expected, &containers, |it| memory.history(it, Instant::now()));
        format!("{} {}", root(&expected, &stands).unwrap_or("-"), progress(&stands).2)
    };
    insta::assert_snapshot!(told("running/starting"), @"db 0 of 2 services ready: api not started yet, db starting");
    insta::assert_snapshot!(told("running/unhealthy"), @"db 0 of 2 services ready: api waits for db, db failed");
    insta::assert_snapshot!(told("exited 1"), @"db 0 of 2 services ready: api waits for db, db failed");
}
