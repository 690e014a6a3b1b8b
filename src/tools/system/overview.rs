use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::containers::{Container, InspectContainers, ListContainers, Row};
use crate::command::disk::bytes;
use crate::command::text::human_bytes;
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::error::Error;
use crate::sort;
use crate::tools::batches::in_batches;
use crate::tools::reply::{Answer, IntoAnswer, Structured};
use crate::tools::{Context, Spec, Tool, Toolset};

/// Bytes of the whole answer, whatever there is.
const MOST: usize = 1_500;
/// How many projects, and how many loose containers and problems are named: the first pair with
/// which the answer is small enough.
const NAMED: [(usize, usize); 5] = [(8, 5), (6, 4), (4, 3), (2, 2), (1, 1)];
/// Characters of one entry.
const ENTRY: usize = 80;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListAllResources {}

/// What there is; how much of it is named depends on how much there is.
#[derive(Debug)]
pub(super) struct Everything {
    rows: Vec<Row>,
    /// Those of which the listing tells too little.
    looked_at: BTreeMap<String, Container>,
    now: Timestamp,
    images: Images,
    volumes: usize,
    networks: usize,
}

#[derive(Debug, Serialize)]
struct Reply {
    containers: Counts,
    projects: BTreeMap<String, Counts>,
    more_projects: Option<usize>,
    /// Containers of no project.
    loose: Vec<String>,
    more_loose: Option<usize>,
    images: Images,
    volumes: usize,
    networks: usize,
    problems: Vec<String>,
    more_problems: Option<usize>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    running: usize,
    unhealthy: Option<usize>,
    restarting: Option<usize>,
    paused: Option<usize>,
    exited: Option<usize>,
    /// Created, being removed, or dead.
    other: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
struct Images {
    count: usize,
    size: String,
}

impl Tool for ListAllResources {
    const SPEC: Spec = Spec {
        name: "list-all-resources",
        title: "Overview",
        description: "Overview of this docker host in one answer: everything that is there, projects, \
                      containers, counts, urgent problems. Call it first.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Everything;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let everything = ListContainers::everything();
        // Not `try_join`: which of them fails first is chance, and the answer should not be.
        let (rows, images, volumes, networks) = tokio::join!(
            docker.run(&everything),
            docker.run(&ImageSizes),
            docker.run(&Names("volume")),
            docker.run(&Names("network")),
        );
        let rows = rows?;
        let ids: Vec<String> =
            rows.iter().filter(|row| tells_too_little(row)).map(|row| row.id.clone()).collect();
        let looked_at = in_batches(docker, &ids, InspectContainers::listed).await?;
        Ok(Everything {
            rows,
            looked_at: sort::map(looked_at.into_iter().map(|it| (it.id.clone(), it))),
            now: Timestamp::now(),
            images: images?,
            volumes: volumes?,
            networks: networks?,
        })
    }
}

/// `Exited (137)` is a stop that ran into its time limit, or a lack of memory; what is up for seconds
/// may have been started by a person, or again and again by docker.
fn tells_too_little(row: &Row) -> bool {
    match row.state.as_str() {
        "exited" => row.exit_code == Some(137),
        "running" => row.status.contains("second"),
        _ => false,
    }
}

impl IntoAnswer for Everything {
    fn into_answer(self) -> Answer {
        let answers = NAMED.map(|named| Structured(self.reply(named)).into_answer());
        let is_small = |answer: &Answer| match answer {
            Answer::Structured(value) => value.to_string().len() <= MOST,
            _ => false,
        };
        let [.., least] = &answers;
        answers.iter().find(|answer| is_small(answer)).unwrap_or(least).clone()
    }
}

impl Everything {
    fn reply(&self, (most_projects, most): (usize, usize)) -> Reply {
        let mut projects: BTreeMap<String, Counts> = BTreeMap::new();
        let mut all = Counts::default();
        let mut loose = vec![];
        for row in &self.rows {
            all.count(row);
            match &row.project {
                Some(project) => projects.entry(project.clone()).or_default().count(row),
                None => loose.push(format!("{}: {}", row.name, row.status)),
            }
        }
        let problem = |row: &Row| problem(row, self.looked_at.get(&row.id), self.now);
        let mut problems: Vec<(u8, String)> = self.rows.iter().filter_map(problem).collect();
        sort::by(&mut problems, Ord::cmp);
        let problems = problems.into_iter().map(|(_, text)| text).collect();
        let (problems, more_problems) = first(problems, most);
        let (loose, more_loose) = first(loose, most);
        let more_projects = more(projects.len(), most_projects);
        Reply {
            containers: all,
            projects: sort::map(projects.into_iter().take(most_projects)),
            more_projects,
            loose,
            more_loose,
            images: self.images.clone(),
            volumes: self.volumes,
            networks: self.networks,
            problems,
            more_problems,
        }
    }
}

impl Counts {
    fn count(&mut self, row: &Row) {
        if row.health.as_deref() == Some("unhealthy") {
            *self.unhealthy.get_or_insert(0) += 1;
        }
        match row.state.as_str() {
            "running" => self.running += 1,
            "restarting" => *self.restarting.get_or_insert(0) += 1,
            "paused" => *self.paused.get_or_insert(0) += 1,
            "exited" => *self.exited.get_or_insert(0) += 1,
            _ => *self.other.get_or_insert(0) += 1,
        }
    }
}

/// What is wrong with a container, and how urgent that is (0 first).
fn problem(row: &Row, looked_at: Option<&Container>, now: Timestamp) -> Option<(u8, String)> {
    let name = match &row.project {
        Some(project) => format!("{} ({project})", row.name),
        None => row.name.clone(),
    };
    let code = row.exit_code.unwrap_or_default();
    match row.state.as_str() {
        "restarting" => Some((0, format!("restarts again and again, exit code {code}: {name}"))),
        "running"
            if looked_at.is_some_and(|container| {
                container.restarted_again_within(Container::STEADY, now)
            }) =>
        {
            let times = looked_at.map_or(0, |container| container.restart_count);
            Some((0, format!("restarts again and again, {times} times so far: {name}")))
        }
        "dead" => Some((0, format!("dead: {name}"))),
        "running" if row.health.as_deref() == Some("unhealthy") => {
            Some((1, format!("unhealthy: {name}")))
        }
        "exited" if looked_at.is_some_and(|container| container.state.oom_killed) => {
            Some((1, format!("out of memory, exited with {code}: {name}")))
        }
        // 143 and 137 are what a stop leaves behind.
        "exited" if !matches!(code, 0 | 143 | 137) => {
            Some((2, format!("exited with {code}: {name}")))
        }
        _ => None,
    }
}

fn first(mut entries: Vec<String>, limit: usize) -> (Vec<String>, Option<usize>) {
    let more = more(entries.len(), limit);
    entries.truncate(limit);
    (entries.iter().map(|entry| entry.chars().take(ENTRY).collect()).collect(), more)
}

fn more(count: usize, limit: usize) -> Option<usize> {
    (count > limit).then(|| count - limit)
}

/// `docker image ls`, for the count and the sum of the sizes.
struct ImageSizes;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImageRow {
    #[serde(rename = "ID")]
    id: String,
    size: String,
}

impl Command for ImageSizes {
    type Reply = Images;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["image", "ls"])
            .flag("--no-trunc", true)
            .option("--format", r#"{"ID":{{json .ID}},"Size":{{json .Size}}}"#)
    }

    /// An image with several tags has several rows.
    fn parse(&self, output: &Output) -> Result<Images, Error> {
        let rows: Vec<ImageRow> = json::rows(&output.stdout)?;
        let size = |row: ImageRow| (row.id, bytes(&row.size).unwrap_or_default());
        let images = sort::map(rows.into_iter().map(size));
        let size = images.values().sum();
        Ok(Images { count: images.len(), size: format!("at most {}", human_bytes(size)) })
    }
}

/// `docker volume ls --quiet` and `network ls --quiet`: only the number of lines counts.
struct Names(&'static str);

impl Command for Names {
    type Reply = usize;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, [self.0, "ls"]).flag("--quiet", true)
    }

    fn parse(&self, output: &Output) -> Result<usize, Error> {
        Ok(output.stdout.lines().filter(|line| !line.trim().is_empty()).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_json_snapshot;

    fn row(name: &str, project: Option<&str>, state: &str, status: &str) -> Row {
        let raw = serde_json::json!({
            "ID": name, "Names": name, "Image": "x", "CreatedAt": "", "State": state, "Status": status,
            "Ports": "", "Mounts": "", "Networks": "", "Project": project.unwrap_or_default(), "Service": "",
        });
        let output = Output { stdout: raw.to_string(), ..Output::default() };
        ListContainers::default().parse(&output).unwrap().pop().unwrap()
    }

    #[test]
    fn the_overview_names_the_most_urgent_problems_first() {
        let rows = [
            row("api", Some("shop"), "exited", "Exited (1) 2 hours ago"),
            row("db", Some("shop"), "running", "Up 2 hours (unhealthy)"),
            row("job", Some("shop"), "exited", "Exited (0) 2 hours ago"),
            row("web", None, "restarting", "Restarting (127) 6 seconds ago"),
            row("old", None, "exited", "Exited (143) 2 hours ago"),
            row("hungry", Some("shop"), "exited", "Exited (137) 2 hours ago"),
            row("stopped", Some("shop"), "exited", "Exited (137) 2 hours ago"),
            row("loop", None, "running", "Up 8 seconds"),
            row("new", None, "running", "Up 8 seconds"),
        ];
        let images = Images { count: 2, size: "12 MB".into() };
        let looked_at = [
            ("hungry", r#"{"State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true}}"#),
            ("stopped", r#"{"State": {"Status": "exited", "ExitCode": 137}}"#),
            (
                "loop",
                r#"{"State": {"Status": "running", "StartedAt": "2026-11-22T06:00:30.5Z"}, "RestartCount": 4}"#,
            ),
            ("new", r#"{"State": {"Status": "running", "StartedAt": "2026-11-22T06:00:30.5Z"}}"#),
        ];
        let looked_at =
            looked_at.map(|(id, it)| (id.to_owned(), serde_json::from_str(it).unwrap()));
        let now = "2026-11-22T06:00:38Z".parse().unwrap();
        let everything = Everything {
            rows: rows.into(),
            looked_at: looked_at.into(),
            now,
            images,
            volumes: 3,
            networks: 4,
        };
        assert_json_snapshot!(everything.reply(NAMED[0]), { ".containers" => "[counts]", ".images" => "[images]" });
    }

    #[test]
    fn a_crowded_host_still_has_a_small_overview() {
        let many: Vec<Row> = (0..300)
            .map(|n| {
                let name = format!("a-container-with-quite-a-long-name-as-compose-makes-them-{n}");
                let project = (n % 2 == 0).then(|| format!("project-with-a-long-name-{}", n / 4));
                row(&name, project.as_deref(), "exited", "Exited (127) 25 minutes ago")
            })
            .collect();
        let images = Images { count: 2, size: "12 MB".into() };
        let everything = Everything {
            rows: many,
            looked_at: BTreeMap::new(),
            now: Timestamp::now(),
            images,
            volumes: 3,
            networks: 4,
        };
        let answer = match everything.into_answer() {
            Answer::Structured(value) => value.to_string(),
            other => format!("{other:?}"),
        };
        assert!(answer.len() <= 1_500, "{} bytes: {answer}", answer.len());
    }
}
