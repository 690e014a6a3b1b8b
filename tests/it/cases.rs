//! Recorded cases: calls of tools and what real docker clients said to them. The whole server runs
//! in memory behind an ordinary client; only docker is replaced, by a program that replays.
//! `fixtures/cases/README.md` describes the files and how to record.

use std::ffi::OsString;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser as _;
use docker_mcp_server::config::Cli;
use docker_mcp_server::server::{Server, serve_streams};
use regex_lite::{Captures, Regex};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::processes::program;
use crate::stage::Stage;

/// `fixtures/cases/<case>/call.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// One after the other, on one server.
    calls: Vec<Call>,
    /// Where docker is told to look for its daemon, for cases without one.
    #[serde(default)]
    docker_host: Option<String>,
    /// Its tools ask again and again until something has happened. How often depends on time, so
    /// of equal questions between two changes only the last answer is recorded.
    #[serde(default)]
    polls: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases")
}

/// The folders in a folder, sorted.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// What one client said to a case: `fixtures/cases/<case>/docker-<version>`.
fn recordings(case: &Path) -> Vec<PathBuf> {
    folders(case).into_iter().filter(|folder| name(folder).starts_with("docker-")).collect()
}

fn read_case(folder: &Path) -> Case {
    let file = folder.join("call.json");
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

// --- replay -------------------------------------------------------------------------------------

#[test]
fn recorded_cases_are_answered_as_before() {
    if let Some(wanted) = to_record() {
        return record_all(&wanted);
    }
    let all: Vec<(PathBuf, PathBuf)> = folders(&fixtures())
        .into_iter()
        .flat_map(|case| recordings(&case).into_iter().map(move |it| (case.clone(), it)))
        .collect();
    assert!(!all.is_empty(), "there are no recordings");
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(vec![]));
    // Most of the time is waiting, as create-container does for what dies at once.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((case, recording)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if catch_unwind(AssertUnwindSafe(|| replay(case, recording))).is_err() {
                        let failed = format!("{}/{}", name(case), name(recording));
                        failures.lock().unwrap().push(failed);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "of {} these failed:\n{}", all.len(), failures.join("\n"));
}

fn replay(case: &Path, recording: &Path) {
    let stage = Stage::replay(recording);
    bring_workspace(&stage, case);
    let answers = answers(&stage, &read_case(case));
    let mut unused = vec![];
    let mut unknown = String::new();
    for file in files(&stage.path("state")) {
        if name(&file).starts_with("unknown.") {
            unknown.push_str(&fs::read_to_string(&file).unwrap());
        }
    }
    for argv in files(recording).iter().filter(|file| has_extension(file, "argv")) {
        let number = argv.file_stem().unwrap().to_str().unwrap();
        if !stage.path("state").join(number).with_extension("used").exists() {
            unused.push(format!("{number}.argv"));
        }
    }
    assert!(unknown.is_empty(), "{}/{}: {unknown}", name(case), name(recording));
    assert_answers(recording, &answers);
    assert!(unused.is_empty(), "{}/{}: never asked: {unused:?}", name(case), name(recording));
}

fn assert_answers(recording: &Path, answers: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(recording);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("answer", answers));
}

/// The folder of the project is a copy, because tools may write into it.
fn bring_workspace(stage: &Stage, case: &Path) {
    let workspace = stage.workspace();
    fs::write(stage.path("state/workspace"), workspace.to_str().unwrap()).unwrap();
    let original = case.join("workspace");
    if original.exists() {
        copy(&original, &workspace);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn answers(stage: &Stage, case: &Case) -> String {
    let (client, server) = tokio::io::duplex(1 << 16);
    let (input, output) = tokio::io::split(server);
    let server = Server::new(stage.dispatcher());
    let serving = tokio::spawn(serve_streams(server, input, output, CancellationToken::new()));
    let client = ().serve(client).await.unwrap();
    let mut shown = vec![];
    let mut confirm = String::new();
    let request = Regex::new("(docker-mcp-server\\.request=)[0-9a-f]{16,32}").unwrap();
    for Call { tool, arguments } in &case.calls {
        let mut arguments = Value::Object(arguments.clone());
        replace_in(&mut arguments, "{confirm}", &confirm);
        replace_in(&mut arguments, "{workspace}", stage.workspace().to_str().unwrap());
        let Value::Object(arguments) = arguments else { unreachable!("it was an object") };
        let call = CallToolRequestParams::new(tool.clone()).with_arguments(arguments.clone());
        let result = client.call_tool(call).await.unwrap();
        if let Some(token) =
            result.structured_content.as_ref().and_then(|it| it["confirm"].as_str())
        {
            token.clone_into(&mut confirm);
        }
        let text = show(&result);
        let call = format!("{tool} {}\n{text}", Value::Object(arguments));
        let call = call.replace(stage.workspace().to_str().unwrap(), "{workspace}");
        let call = request.replace_all(&call, "${1}{request}").into_owned();
        shown.push(if confirm.is_empty() { call } else { call.replace(&confirm, "{confirm}") });
    }
    client.cancel().await.unwrap();
    serving.await.unwrap().unwrap();
    let shown = shown.join("\n\n");
    let boundary = Regex::new("(--- (?:end of )?output )[0-9a-f]{8}\n").unwrap();
    let shown = boundary.replace_all(&shown, "${1}{boundary}\n");
    Regex::new(REQUEST).unwrap().replace_all(&shown, "${1}{request}").into_owned()
}

fn replace_in(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => *text = text.replace(from, to),
        Value::Array(items) => items.iter_mut().for_each(|item| replace_in(item, from, to)),
        Value::Object(members) => members.values_mut().for_each(|it| replace_in(it, from, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text of a result, or its value, which has to be the same.
fn show(result: &CallToolResult) -> String {
    let text = &result.content.first().unwrap().as_text().unwrap().text;
    assert_eq!(result.content.len(), 1);
    match &result.structured_content {
        None => text.clone(),
        Some(value) => {
            assert_ne!(result.is_error, Some(true), "errors have no structured value");
            assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), value);
            serde_json::to_string_pretty(value).unwrap()
        }
    }
}

// --- what lies in the folder ----------------------------------------------------------------------

#[test]
fn no_file_of_a_case_is_forgotten() {
    let known = docker_mcp_server::tools::all();
    let mut problems = vec![];
    for file in files(&fixtures()).iter().filter(|file| name(file) != "README.md") {
        problems.push(format!("{}: belongs to no case", name(file)));
    }
    for case in folders(&fixtures()) {
        let calls = read_case(&case).calls;
        let tool = &calls.first().expect("a case has calls").tool;
        let called = format!("{tool}-");
        if !name(&case).starts_with(&called) {
            problems.push(format!("{}: its name has to begin with {called}", name(&case)));
        }
        if !known.iter().any(|entry| entry.spec.name == tool) {
            problems.push(format!("{}: there is no tool {tool}", name(&case)));
        }
        for file in files(&case) {
            if !["call.json", "prepare.sh", "cleanup.sh"].contains(&name(&file)) {
                problems.push(format!("{}/{}: is not used", name(&case), name(&file)));
            }
        }
        let recordings = recordings(&case);
        if recordings.is_empty() {
            problems.push(format!("{}: was never recorded", name(&case)));
        }
        for folder in folders(&case) {
            if name(&folder) != "workspace" && !recordings.contains(&folder) {
                problems.push(format!("{}/{}: is not used", name(&case), name(&folder)));
            }
        }
        for recording in recordings {
            let unknown = strange_files(&recording);
            problems.extend(unknown.map(|it| format!("{}/{}/{it}", name(&case), name(&recording))));
        }
    }
    assert!(problems.is_empty(), "in fixtures/cases:\n{}", problems.join("\n"));
}

/// Files of a recording that no replay reads: their number has a gap before it, or no argv.
fn strange_files(recording: &Path) -> impl Iterator<Item = String> {
    let is_missing = |n: &u32| !recording.join(format!("{n}.argv")).exists();
    let exchanges = (1..=9999).find(is_missing).unwrap_or(1) - 1;
    let all = files(recording);
    let complete = all.iter().any(|file| name(file) == "answer.snap");
    let strange = all.into_iter().filter_map(move |file| {
        let number = file.file_stem()?.to_str()?.parse::<u32>().ok();
        let used =
            ["argv", "stdin", "stdout", "stderr", "exit"].iter().any(|it| has_extension(&file, it));
        // A pending `answer.snap.new` fails its own test.
        let known = name(&file).starts_with("answer.snap")
            || (used && number.is_some_and(|number| (1..=exchanges).contains(&number)));
        (!known).then(|| format!("{}: is not used", name(&file)))
    });
    strange.chain((!complete).then(|| "answer.snap: is missing".to_owned()))
}

#[test]
fn recordings_hold_no_path_of_a_machine_and_no_secret() {
    let suspicious = Regex::new(
        r"/home/[a-z]|/Users/|/root/|/tmp/|/var/lib/docker|-----BEGIN|AKIA[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{30}",
    )
    .unwrap();
    let mut problems = vec![];
    for case in folders(&fixtures()) {
        for file in recordings(&case).iter().flat_map(|recording| files(recording)) {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            if let Some(found) = suspicious.find(&text) {
                problems.push(format!("{}: {}", file.display(), found.as_str()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|it| it == extension)
}

// --- record -------------------------------------------------------------------------------------

/// What the environment asks to record: a part of the names of cases, or `all`.
fn to_record() -> Option<String> {
    variable("RECORD_CASES")
}

#[expect(clippy::disallowed_methods, reason = "recording is for people, who say it this way")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The docker that is recorded is the one that a shell would run here.
fn record_all(wanted: &str) {
    let docker = which::which("docker").expect("there is a docker to record");
    let client = client_folder(&docker);
    let mut count = 0;
    for case in folders(&fixtures()) {
        if wanted == "all" || name(&case).contains(wanted) {
            count += 1;
            record(&case, &client, &docker);
        }
    }
    assert!(count > 0, "no case has {wanted:?} in its name");
}

fn record(case: &Path, client: &str, docker: &Path) {
    let folder = case.join(client);
    if folder.exists() {
        for file in files(&folder).iter().filter(|file| name(file) != "answer.snap") {
            fs::remove_file(file).unwrap();
        }
    }
    fs::create_dir_all(&folder).unwrap();
    let stage = Stage::record(&folder, docker).with_environment(client_environment(case));
    bring_workspace(&stage, case);
    clean_up(case);
    run_script(case, "prepare.sh");
    let done = catch_unwind(AssertUnwindSafe(|| answers(&stage, &read_case(case))));
    run_script(case, "cleanup.sh");
    clean_up(case);
    done.unwrap_or_else(|_| panic!("{} cannot be recorded", name(case)));
    if read_case(case).polls {
        keep_last_answers(&folder);
    }
    tidy(&folder, &stage);
    // The answer is the one that the tidy recording gives.
    replay(case, &folder);
}

/// What the real server would give its docker here.
fn client_environment(case: &Path) -> Vec<(OsString, OsString)> {
    let settings = Cli::parse_from(["docker-mcp-server"]).settings.docker().unwrap();
    let host = read_case(case).docker_host.map(|host| ("DOCKER_HOST".into(), host.into()));
    settings.environment.into_iter().chain(host).collect()
}

/// `docker-26.1`.
#[tokio::main(flavor = "current_thread")]
async fn client_folder(docker: &Path) -> String {
    let version = ["version", "--format", "{{.Client.Version}}"];
    let output = program(docker.to_str().unwrap()).args(version).output().await.unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let parts: Vec<&str> = version.trim().split('.').take(2).collect();
    format!("docker-{}", parts.join("."))
}

fn run_script(case: &Path, script: &str) {
    let script = case.join(script);
    if script.exists() {
        shell(&["-eu", script.to_str().unwrap()], case);
    }
}

/// Removes what is labelled as made for the case, and its compose project.
fn clean_up(case: &Path) {
    let remove = r#"
        for label in docker-mcp-case="$1" com.docker.compose.project="$1"; do
            docker container ls -aq --filter "label=$label" | xargs -r docker container rm -fv
            docker volume ls -q --filter "label=$label" | xargs -r docker volume rm -f
            docker network ls -q --filter "label=$label" | xargs -r docker network rm
            docker image ls -q --filter "label=$label" | sort -u | xargs -r docker image rm -f
        done >/dev/null"#;
    shell(&["-euc", remove, "clean-up", name(case)], case);
}

/// With the environment of the person who records: it is their docker.
#[expect(clippy::disallowed_methods, reason = "it prepares what is recorded")]
fn shell(words: &[&str], case: &Path) {
    let status = std::process::Command::new("/bin/sh").args(words).current_dir(case).status();
    assert!(status.unwrap().success(), "{words:?} failed");
}

/// Of equal exchanges that follow one another without another one's change in between, the last
/// that came to its end stays.
fn keep_last_answers(folder: &Path) {
    let read = |number: u32, extension: &str| {
        fs::read_to_string(folder.join(format!("{number}.{extension}"))).unwrap_or_default()
    };
    let argvs: Vec<(u32, String)> = (1..=9999)
        .map_while(|number| {
            Some((number, fs::read_to_string(folder.join(format!("{number}.argv"))).ok()?))
        })
        .collect();
    let is_change = |argv: &str| {
        let words = argv.lines().take_while(|word| *word != "--");
        let verb = words.filter(|word| !word.starts_with('-')).last().unwrap_or_default();
        !["config", "df", "inspect", "logs", "ls", "ps", "stats", "top", "version"].contains(&verb)
    };
    let mut kept = vec![];
    let mut later: Vec<&str> = vec![];
    for (number, argv) in argvs.iter().rev() {
        if is_change(argv) {
            later.clear();
        } else if later.contains(&argv.as_str()) || read(*number, "exit").trim() == "hang" {
            continue;
        } else {
            later.push(argv);
        }
        kept.push(*number);
    }
    kept.reverse();
    for (number, _) in &argvs {
        let place = kept.iter().position(|kept| kept == number);
        for extension in ["argv", "stdin", "stdout", "stderr", "exit"] {
            let file = folder.join(format!("{number}.{extension}"));
            match place {
                _ if !file.exists() => {}
                Some(place) => {
                    fs::rename(&file, folder.join(format!("{}.{extension}", place + 1))).unwrap();
                }
                None => fs::remove_file(&file).unwrap(),
            }
        }
    }
}

/// The label whose value is another one in each call.
const REQUEST: &str = r#"(docker-mcp-server\.request(?:=|": ?"))[0-9A-Za-z-]{8,}"#;

/// Takes out what is of this machine and this moment, the same everywhere, so that a second
/// recording differs only where docker does.
fn tidy(folder: &Path, stage: &Stage) {
    let rules = [
        // Whole IDs, in the order in which they appear, and their beginnings.
        (r"\b[0-9a-f]{64}\b", "id"),
        (REQUEST, "${1}{request}"),
        (r"(?m)^(--until=)[0-9T:.Z-]+$", "${1}{now}"),
        (r"(/[A-Za-z0-9._-]+)*/[A-Za-z0-9_-]*docker-mcp-engine/(main|old|new)\b", "/srv/engine"),
        // What `docker info` tells of the host.
        (r#"("ID":)"[^"]*"(.*"DockerRootDir")"#, r#"${1}"engine"${2}"#),
        (r#"("KernelVersion":")[^"]*"#, "${1}6.1.0"),
        (r"https://index\.docker\.io/", "https://index.example/"),
        (r#"("Name":)"[^"]*"(,"Labels")"#, r#"${1}"host"${2}"#),
    ];
    let rules = rules.map(|(pattern, to)| (Regex::new(pattern).unwrap(), to));
    let workspace = stage.workspace().to_str().unwrap().to_owned();
    let mut ids = Ids::default();
    for file in by_exchange(folder) {
        let Ok(text) = String::from_utf8(fs::read(&file).unwrap()) else { continue };
        let mut text = text.replace(&workspace, "{workspace}");
        for (pattern, to) in &rules {
            text = match *to {
                "id" => {
                    let whole = |id: &Captures<'_>| ids.stand_in(&id[0]);
                    pattern.replace_all(&text, whole).into_owned()
                }
                to => pattern.replace_all(&text, to).into_owned(),
            };
        }
        fs::write(&file, ids.shorten(text)).unwrap();
    }
}

/// `1.argv`, what came of it, `2.argv` …
fn by_exchange(folder: &Path) -> Vec<PathBuf> {
    let number =
        |file: &PathBuf| file.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
    let mut files: Vec<PathBuf> =
        files(folder).into_iter().filter(|file| number(file).is_some()).collect();
    files.sort_by_key(|file| (number(file), file.clone()));
    files
}

/// Real IDs and what stands for them: `a001a001a001…`, `a002a002a002…`.
#[derive(Default)]
struct Ids(Vec<String>);

impl Ids {
    fn stand_in(&mut self, id: &str) -> String {
        let known = self.0.iter().position(|known| known == id);
        let number = known.unwrap_or_else(|| {
            self.0.push(id.to_owned());
            self.0.len() - 1
        });
        format!("{:04x}", 0xa001 + number).repeat(16)
    }

    /// The first 12 digits stand for an ID too.
    fn shorten(&mut self, text: String) -> String {
        (0..self.0.len()).fold(text, |text, number| {
            let id = self.0[number].clone();
            text.replace(&id[..12], &self.stand_in(&id)[..12])
        })
    }
}
