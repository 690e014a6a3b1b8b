//! The judgement of shell lines, in front of a docker whose objects are known.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use docker_mcp_server::hook::shell::{self, Standing};
use docker_mcp_server::hook::{self, Answer, Bench, Decision, Made, Question, grammar};
use docker_mcp_server::tools::confirm::{Confirmations, When};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::stage::Stage;

const COMPOSE: &str = "name: shop\nservices:\n  web:\n    image: shop-web\n  db:\n    image: postgres:16\n    volumes: [\"pgdata:/var/lib/postgresql/data\"]\nvolumes: {pgdata: {}}\n";
const EVIL: &str = "services:\n  web:\n    image: alpine:3\n    volumes: [\"/var/run/docker.sock:/var/run/docker.sock\"]\n";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hook").join(name)
}

/// A project in front of these objects.
struct Scene {
    stage: Stage,
}

impl Scene {
    fn new(world: &str) -> Self {
        let stage = Stage::world(&fixture(world));
        let folder = stage.workspace();
        std::fs::create_dir(folder.join("sub")).unwrap();
        std::fs::write(folder.join("compose.yaml"), COMPOSE).unwrap();
        std::fs::write(folder.join("evil.yaml"), EVIL).unwrap();
        std::fs::write(folder.join("Dockerfile"), "FROM alpine:3\n").unwrap();
        Self { stage }
    }

    fn standing(&self) -> Standing {
        Standing { folder: Some(self.stage.workspace()), home: Some("/home/ann".into()) }
    }

    async fn judge(&self, line: &str) -> Option<Answer> {
        self.judge_when(line, When::DataLoss).await
    }

    async fn judge_when(&self, line: &str, when: When) -> Option<Answer> {
        let (cases, alarms) = hook::sift(line, self.standing(), "docker");
        if cases.is_empty() && alarms.is_empty() {
            return None;
        }
        let mut context = self.stage.context();
        context.docker = context.docker.looking().impatient();
        context.confirmations = Confirmations::new(when).into();
        let (own, variables) = ("docker".to_owned(), BTreeMap::new());
        let bench = Bench { context, own, variables, made: Made::default() };
        hook::judge(&bench, &cases, alarms).await.unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

fn word(answer: Option<&Answer>) -> &'static str {
    match answer.map(|answer| answer.decision) {
        None => "ok",
        Some(Decision::Ask) => "ask",
        Some(Decision::Deny) => "deny",
    }
}

fn lines() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(fixture("lines.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (expected, line) = line.split_once(' ').unwrap();
            (expected.to_owned(), line.replace('␤', "\n"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_gets_its_answer() {
    let scene = Scene::new("world.json");
    let (mut wrong, mut dangerous, mut false_alarms, mut harmless) = (vec![], 0, 0, 0);
    let lines = lines();
    assert!(lines.len() >= 400, "{}", lines.len());
    for (expected, line) in &lines {
        let answer = scene.judge(line).await;
        let given = word(answer.as_ref());
        harmless += usize::from(expected == "ok");
        if given != expected {
            dangerous += usize::from(given == "ok");
            false_alarms += usize::from(expected == "ok");
            let reason = answer.map(|answer| answer.reason).unwrap_or_default();
            wrong.push(format!("{line:?}: {given}, not {expected}: {reason}"));
        }
    }
    let told = wrong.join("\n");
    assert!(
        wrong.is_empty(),
        "{} of {} wrong, {dangerous} dangerous ones without an answer, {false_alarms} false alarms of {harmless}:\n{told}",
        wrong.len(),
        lines.len(),
    );
}

#[tokio::test]
async fn what_is_not_there_cannot_be_lost() {
    let scene = Scene::new("empty.json");
    for line in [
        "docker system prune -af --volumes",
        "docker volume prune -af",
        "docker rm -f $(docker ps -aq)",
        "docker compose down -v",
        "docker volume rm old-backup",
        "docker ps -aq | xargs docker rm -fv",
    ] {
        assert_eq!(scene.judge(line).await, None, "{line}");
    }
}

#[tokio::test]
async fn an_operator_who_is_never_asked_is_not_asked_here_either() {
    let scene = Scene::new("world.json");
    for line in ["docker volume rm old-backup", "docker compose down -v", "docker rm -f $X"] {
        assert_eq!(scene.judge_when(line, When::Never).await, None, "{line}");
    }
    let denied = scene.judge_when("docker run -v /:/h alpine:3", When::Never).await;
    assert_eq!(word(denied.as_ref()), "deny");
    let asked = scene.judge_when("docker rm done", When::Always).await;
    assert_eq!(word(asked.as_ref()), "ask");
}

#[tokio::test]
async fn what_others_have_made_is_asked_about_where_the_operator_wants_that() {
    let scene = Scene::new("world.json");
    for (line, expected) in [
        ("docker stop test-1", "ask"),
        ("docker restart test-1", "ask"),
        ("docker rm -f test-1", "ask"),
        ("docker exec test-1 ls", "ask"),
        ("docker compose stop", "ask"),
        ("docker stop nobody", "ok"),
        ("docker run --rm alpine:3 true", "ok"),
        ("docker logs test-1", "ok"),
    ] {
        let answer = scene.judge_when(line, When::Others).await;
        assert_eq!(word(answer.as_ref()), expected, "{line}");
    }
    let asked = scene.judge_when("docker stop test-1 test-2", When::Others).await.unwrap();
    assert!(asked.reason.contains("container test-2"), "{}", asked.reason);
}

#[test]
fn what_the_session_has_made_itself_is_free() {
    let scene = Scene::new("world.json");
    let state = scene.stage.path("state-of-hooks");
    let others = ["--confirm", "others"];
    let ask = |line: &str| {
        let question = question(line, &scene.stage.workspace());
        let (answer, is_success) = asked_in(&scene, &question, &others, &state);
        assert!(is_success);
        !answer.is_empty()
    };
    assert!(ask("docker stop test-1"));
    assert!(!ask("docker run -d --name test-1 alpine:3"));
    // In this world it was there before.
    assert!(ask("docker stop test-1"));
    let kept = std::fs::read_to_string(state.join("docker-mcp-server/hook/x")).unwrap();
    let earlier = kept.replace("test-1\t20", "test-1\t19");
    std::fs::write(state.join("docker-mcp-server/hook/x"), earlier).unwrap();
    assert!(!ask("docker stop test-1"));
    assert!(ask("docker stop test-2"));
}

#[tokio::test]
async fn a_question_is_the_plan_in_words() {
    let scene = Scene::new("world.json");
    let plan = scene.judge("docker compose down -v").await.unwrap().reason;
    for part in ["this would remove for good", "volume shop_pgdata with its data", "shop-db-1"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let reason = scene.judge("docker run -v /:/h alpine:3").await.unwrap().reason;
    for part in ["mount.outside_roots", "why: ", "instead: ", "run-container"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

/// A character, written in one of the ways a shell has for it.
fn quoted(c: char, way: u8) -> String {
    match (way, c) {
        (0, _) => c.to_string(),
        (1, _) => format!("\\{c}"),
        (2, _) => format!("'{c}'"),
        (3, _) => format!("\"{c}\""),
        (4, _) => format!("$'\\x{:02x}'", u32::from(c)),
        (5, _) => format!("$'\\{:03o}'", u32::from(c)),
        _ => format!("{c}\"\""),
    }
}

#[test]
fn quoting_never_changes_the_judgement() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scene = Scene::new("world.json");
    let lines = [
        ("docker volume rm old-backup", "ask"),
        ("docker rm -f test-1", "ok"),
        ("docker run -v /:/h alpine:3", "deny"),
        ("docker run --privileged alpine:3", "deny"),
        ("docker compose down -v", "ask"),
        ("docker compose up -d", "ok"),
    ];
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let ways = proptest::collection::vec(0_u8..7, 1..64);
    let strategy = (0..lines.len(), ways);
    let outcome = TestRunner::new_with_rng(config, rng).run(&strategy, |(which, ways)| {
        let (line, expected) = lines[which];
        let mut ways = ways.iter().cycle();
        let written: String = line
            .chars()
            .map(|c| if c == ' ' { " ".to_owned() } else { quoted(c, *ways.next().unwrap()) })
            .collect();
        let answer = runtime.block_on(scene.judge(&written));
        prop_assert_eq!(word(answer.as_ref()), expected, "{}", written);
        Ok(())
    });
    outcome.unwrap();
}

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "docker ", "docker-compose ", "compose ", "rm ", "volume rm ", "run ", "-f ", "-v ", "--volumes ", "-v /:/h ",
    "x ", "$X ", "$(docker ps -q) ", "`docker ps` ", "| ", "&& ", "|| ", "; ", "& ", "\n", "( ", ") ", "{ ", "} ",
    "'", "\"", "\\", "$", "$'\\x", "<<E\n", "\nE\n", "<<< ", "< ", "> ", "if ", "then ", "fi ", "for x in ", "do ",
    "done ", "while ", "case x in ", "esac ", "f() ", "f ", "sh -c ", "bash <<'E'\n", "eval ", "xargs ", "sudo ",
    "env ", "X=", "export ", "cd /tmp ", "set -- ", "alias d=", "trap ", "read x ", "[[ ", "]] ", "((", "))", "${X:-",
    "~", "*", "{a,b}", "#", "!", "time ", "\u{0}", "ü", "a ", "b ",
];

/// The calls of docker in a line; nothing where a part of it could not be read.
fn calls(line: &str) -> Option<Vec<String>> {
    let reading = shell::read(line, &Standing::default());
    let told = |call: &shell::Call| {
        let client = grammar::client(call.words.first()?, "docker")?;
        let spoken = grammar::read(client, &call.words).ok()?;
        Some(format!("{} {:?} {:?}", spoken.command, spoken.flags, spoken.operands))
    };
    let calls = reading.calls.iter().filter_map(told).collect();
    (!reading.unread).then_some(calls)
}

#[test]
fn a_line_that_another_shell_is_given_says_what_it_says_itself() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let config = Config { cases: 20_000, failure_persistence: None, ..Config::default() };
    let words = proptest::collection::vec(proptest::sample::select(WORDS), 1..14);
    let outcome = TestRunner::new_with_rng(config, rng).run(&words, |words| {
        let line = words.concat();
        let quoted = format!("sh -c -- '{}'", line.replace('\'', r"'\''"));
        if let (Some(plain), Some(quoted)) = (calls(&line), calls(&quoted)) {
            prop_assert_eq!(plain, quoted, "{:?}", line);
        }
        Ok(())
    });
    outcome.unwrap();
}

/// The real program with this question.
#[expect(clippy::disallowed_methods, reason = "it is the hook that is tested, not docker")]
fn asked_in(stage: &Scene, question: &str, arguments: &[&str], state: &Path) -> (String, bool) {
    let mut hook = Command::new(env!("CARGO_BIN_EXE_docker-mcp-server"))
        .args(arguments)
        .arg("hook")
        .current_dir(stage.stage.workspace())
        .env_clear()
        .env("PATH", stage.stage.search_path())
        .env("HOME", "/home/ann")
        .env("XDG_STATE_HOME", state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    hook.stdin.take().unwrap().write_all(question.as_bytes()).unwrap();
    let output = hook.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

fn asked(scene: &Scene, question: &str, arguments: &[&str]) -> (String, bool) {
    asked_in(scene, question, arguments, &scene.stage.path("state-of-hooks"))
}

fn question(line: &str, folder: &Path) -> String {
    serde_json::json!({
        "session_id": "x", "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": line, "description": "d"}, "cwd": folder,
        "permission_mode": "default",
    })
    .to_string()
}

#[test]
fn the_program_answers_as_claude_code_reads_it() {
    let scene = Scene::new("world.json");
    let folder = scene.stage.workspace();
    let (answer, is_success) =
        asked(&scene, &question("docker volume rm old-backup", &folder), &[]);
    assert!(is_success);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let own = &answer["hookSpecificOutput"];
    assert_eq!(own["hookEventName"], "PreToolUse");
    assert_eq!(own["permissionDecision"], "ask");
    assert!(own["permissionDecisionReason"].as_str().unwrap().contains("volume old-backup"));
    for nothing in [
        question("docker ps", &folder),
        question("ls", &folder),
        question("", &folder),
        "not json".to_owned(),
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        question("docker volume rm old-backup", &folder).replace("\"Bash\"", "\"Read\""),
        question("docker volume rm old-backup", &folder).replace("PreToolUse", "PostToolUse"),
    ] {
        let (answer, is_success) = asked(&scene, &nothing, &[]);
        assert!(is_success && answer.is_empty(), "{nothing}: {answer}");
    }
    assert!(Question::read("{\"tool_name\": 1}").is_none());
}

#[test]
fn what_is_said_without_docker_is_the_operators_choice() {
    let stage = Stage::script("echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    std::fs::create_dir(stage.path("workspace/sub")).unwrap();
    let scene = Scene { stage };
    let line = question("docker volume rm old-backup", &scene.stage.workspace());
    let decision = |what: &[&str]| {
        let (answer, is_success) = asked(&scene, &line, what);
        assert!(is_success);
        if answer.is_empty() {
            return "nothing".to_owned();
        }
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["hookSpecificOutput"]["permissionDecision"].as_str().unwrap().to_owned()
    };
    assert_eq!(decision(&[]), "ask");
    assert_eq!(decision(&["--hook-on-error", "allow"]), "nothing");
    assert_eq!(decision(&["--hook-on-error", "deny"]), "deny");
}

#[test]
fn a_hostile_line_ends_in_an_answer() {
    let standing = Standing::default;
    for (open, close) in [
        ("(", ")"),
        ("$(", ")"),
        ("{ ", "; }"),
        ("if true; then ", "; fi"),
        ("`", "`"),
        ("((", "))"),
    ] {
        for count in [10, 300, 20_000] {
            let line = format!("{}docker rm x{}", open.repeat(count), close.repeat(count));
            let (_, _) = hook::sift(&line, standing(), "docker");
        }
    }
    for line in [
        "f() { f; f; }; f; docker volume rm old-backup",
        "while true; do docker rm $(docker ps -q); done",
        "docker rm {1..99999}{1..99999}{1..99999}",
        "eval eval eval eval eval eval eval eval eval eval eval eval eval eval eval docker rm x",
        "alias docker='docker docker'; docker rm x",
        "docker rm \u{0}\u{fffd}",
        "\"",
        "<<",
        "${",
    ] {
        let (_, _) = hook::sift(line, standing(), "docker");
    }
}
