//! Broken, healthy, and failing though running: a corpus that says how often `diagnose` names the
//! cause first, and the place where it is to be changed.
//!
//! A group is a compose project, whose services have nothing to do with each other unless they name
//! each other. What a service's cause is stands in its table; where it is to be changed, in the
//! files themselves: `#@service` at the end of the line, or `#@>service` on the line before it.

mod broken;
mod running;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::{image, say};
use super::{Session, World};

/// One project.
struct Group {
    name: &'static str,
    /// Paths in the folder of the project, and texts. `IMAGE`, `<port>` and `PROJECT` are put in.
    files: &'static [(&'static str, &'static str)],
    cases: &'static [Case],
}

struct Case {
    service: &'static str,
    /// The causes that are right: `port-taken`; or the verdict `healthy`.
    expected: &'static [&'static str],
    /// The container that is the root, when it is another one.
    root: Option<&'static str>,
    /// Where it is to be changed, when no marker says so; `""` for nowhere.
    place: Option<&'static str>,
    /// What the answer has to say.
    words: &'static [&'static str],
}

const fn case(service: &'static str, expected: &'static [&'static str]) -> Case {
    Case { service, expected, root: None, place: None, words: &[] }
}

impl Case {
    const fn root(self, root: &'static str) -> Self {
        Self { root: Some(root), ..self }
    }

    const fn place(self, place: &'static str) -> Self {
        Self { place: Some(place), ..self }
    }

    const fn words(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }
}

/// What came of all cases.
#[derive(Default)]
struct Score {
    right: usize,
    wrong: Vec<String>,
    millis: Vec<u128>,
    bytes: Vec<usize>,
}

/// An answer may have so many bytes.
const BYTES: usize = 2000;
/// Of a hundred, so many have to be right.
const RIGHT: usize = 95;

impl Score {
    /// # Panics
    /// When too few are right.
    fn demand(mut self, what: &str) {
        self.millis.sort_unstable();
        self.bytes.sort_unstable();
        let all = self.right + self.wrong.len();
        let median = self.millis.get(all / 2).copied().unwrap_or_default();
        let (most, largest) = (self.millis.last(), self.bytes.last());
        say(&format!(
            "{what}: {} of {all} right; median {median} ms, at most {} ms; median {} bytes, at most {}",
            self.right,
            most.copied().unwrap_or_default(),
            self.bytes.get(all / 2).copied().unwrap_or_default(),
            largest.copied().unwrap_or_default(),
        ));
        for wrong in &self.wrong {
            say(wrong);
        }
        assert!(largest.copied().unwrap_or_default() <= BYTES, "answers are too long");
        assert!(
            self.right * 100 >= all * RIGHT,
            "{what}: too few are right:\n{}",
            self.wrong.join("\n")
        );
    }

    async fn ask(&mut self, session: &mut Session, arguments: Value) -> Value {
        let begun = Instant::now();
        let answer = session.done("diagnose", arguments).await;
        self.millis.push(begun.elapsed().as_millis());
        self.bytes.push(answer.to_string().len());
        answer
    }

    fn judge(&mut self, name: &str, answer: &Value, case: &Case, root: &str, place: Option<&str>) {
        let text = answer.to_string();
        let told = |key: &str| answer["root"][key].as_str().unwrap_or_default().to_owned();
        let cause = if case.expected == ["healthy"] {
            answer["verdict"].as_str().unwrap_or_default().to_owned()
        } else {
            told("cause")
        };
        let found = told("where");
        let is_there = match place {
            None => true,
            Some("") => found.is_empty(),
            Some(place) => {
                let rest = found.strip_prefix(place);
                rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
            }
        };
        let mut wrong = vec![];
        if !case.expected.contains(&cause.as_str()) {
            wrong.push(format!("cause {cause:?}, not {:?}", case.expected));
        }
        if case.expected != ["healthy"] && told("container") != root {
            wrong.push(format!("root {:?}, not {root:?}", told("container")));
        }
        if !is_there {
            wrong.push(format!("where {found:?}, not {place:?}"));
        }
        wrong.extend(
            case.words.iter().filter(|it| !text.contains(*it)).map(|it| format!("without {it:?}")),
        );
        let next = answer["next"].as_array().map(Vec::len).unwrap_or_default();
        if next > 3 {
            wrong.push(format!("{next} calls recommended"));
        }
        say(&format!(
            "{:<4} {name:<28} {cause:<22} {found}",
            if wrong.is_empty() { "ok" } else { "NO" }
        ));
        if wrong.is_empty() {
            self.right += 1;
        } else {
            self.wrong.push(format!("{name}: {}\n  {text}", wrong.join("; ")));
        }
    }
}

/// A group that was brought up.
struct Stage<'a> {
    world: &'a World,
    group: &'static Group,
    project: String,
    files: Vec<(String, String)>,
}

impl<'a> Stage<'a> {
    fn write(world: &'a World, group: &'static Group, port: u16) -> Self {
        let project = world.name(group.name);
        let put_in = |text: &str| {
            let text = text.replace("IMAGE", &image()).replace("<port>", &port.to_string());
            text.replace("PROJECT", &project)
        };
        let files: Vec<(String, String)> = group
            .files
            .iter()
            .map(|(name, text)| (format!("{}/{name}", group.name), put_in(text)))
            .collect();
        for (name, text) in &files {
            let path = world.file(name, text);
            if text.starts_with("#!") && !name.ends_with("plain.sh") {
                std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
            }
        }
        Self { world, group, project, files }
    }

    fn folder(&self) -> String {
        self.world.workspace().join(self.group.name).display().to_string()
    }

    /// Makes all containers, then starts them: one that docker cannot start keeps no other from it.
    fn up(&self) {
        let (folder, project) = (self.folder(), &self.project);
        let words = ["compose", "--project-directory", &folder, "--project-name", project];
        let output = self.world.try_docker_with(&[&words[..], &["create", "--build"]].concat());
        assert!(
            output.status.success(),
            "{}: {}",
            self.group.name,
            String::from_utf8_lossy(&output.stderr)
        );
        let filter = format!("label=com.docker.compose.project={project}");
        let listed = self.world.docker(["ps", "--all", "--filter", &filter, "--format={{.Names}}"]);
        let names: Vec<&str> = listed.lines().collect();
        self.world.try_docker_with(&[&["start"][..], &names].concat());
    }

    fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.project)
    }

    /// The line that a marker is at.
    fn marked(&self, service: &str) -> Option<String> {
        for (name, text) in &self.files {
            for (at, line) in text.lines().enumerate() {
                let word = |word: &&str| *word == format!("#@{service}");
                let before = |word: &&str| *word == format!("#@>{service}");
                if line.split_whitespace().any(|it| word(&it)) {
                    return Some(format!("{name}:{}", at + 1));
                }
                if line.split_whitespace().any(|it| before(&it)) {
                    return Some(format!("{name}:{}", at + 2));
                }
            }
        }
        None
    }

    async fn diagnose(&self, session: &mut Session, score: &mut Score) {
        for case in self.group.cases {
            let asked = self.container(case.service);
            let answer = score.ask(session, json!({"container_name": asked})).await;
            let root = self.container(case.root.unwrap_or(case.service));
            let marked = self.marked(case.service);
            let place = case.place.map(str::to_owned).or(marked);
            let name = format!("{}/{}", self.group.name, case.service);
            score.judge(&name, &answer, case, &root, place.as_deref());
        }
    }
}

/// Brings up the groups side by side, waits until what is to fail has failed, and asks.
async fn all(world: &World, groups: &'static [Group], port: u16, settled: Duration) -> Score {
    let stages: Vec<Stage<'_>> =
        groups.iter().map(|group| Stage::write(world, group, port)).collect();
    std::thread::scope(|scope| {
        for stage in &stages {
            scope.spawn(|| stage.up());
        }
    });
    tokio::time::sleep(settled).await;
    let mut session = world.session().await;
    let mut score = Score::default();
    for stage in &stages {
        stage.diagnose(&mut session, &mut score).await;
    }
    score
}
