use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::remembered;
use crate::command::labels;
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::error::Error;
use crate::sort;
use crate::tools::reply::Listing;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListComposeProjects {
    /// Also those that are stopped.
    #[serde(default)]
    all: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    projects: Vec<Project>,
}

#[derive(Debug, Default, Serialize)]
struct Project {
    name: String,
    /// `running(3), exited(1)`, as compose itself says it.
    status: String,
    services: BTreeSet<String>,
    unhealthy: BTreeSet<String>,
    /// Those that compose was given, or that we read for it.
    config_files: Vec<String>,
    working_dir: String,
}

impl Tool for ListComposeProjects {
    const SPEC: Spec = Spec {
        name: "list-compose-projects",
        title: "List projects",
        description: "List compose projects or stacks (`docker compose ls`) with folder and whether they \
                      run. One: compose-ps.",
        toolset: Toolset::Compose,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Listing<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let rows = context.docker.run(&Labels).await?;
        let mut projects = grouped(&rows, self.all);
        for project in projects.iter_mut().filter(|project| project.config_files.is_empty()) {
            let directory = Path::new(&project.working_dir);
            if let Ok(name) = project.name.parse() {
                project.config_files = remembered::files(&context.workspace, &name, directory);
            }
        }
        Ok(Listing { list: "projects", reply: Reply { projects } })
    }
}

fn grouped(rows: &[Row], all: bool) -> Vec<Project> {
    let mut groups: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.one_off.eq_ignore_ascii_case("true")) {
        groups.entry(&row.project).or_default().push(row);
    }
    groups
        .into_iter()
        .filter(|(_, rows)| all || rows.iter().any(|row| row.state == "running"))
        .map(|(name, rows)| project(name, &rows))
        .collect()
}

fn project(name: &str, rows: &[&Row]) -> Project {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *states.entry(&row.state).or_default() += 1;
    }
    // What runs comes first.
    let mut states: Vec<_> = states.into_iter().collect();
    sort::by(&mut states, |(a, _), (b, _)| (*a != "running", a).cmp(&(*b != "running", b)));
    let status: Vec<_> = states.iter().map(|(state, count)| format!("{state}({count})")).collect();
    let files: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.config_files.split(','))
        .filter(|file| is_file(file))
        .collect();
    let unhealthy = rows.iter().filter(|row| row.status.contains("(unhealthy)"));
    Project {
        name: name.to_owned(),
        status: status.join(", "),
        services: rows.iter().map(|row| row.service.clone()).collect(),
        unhealthy: unhealthy.map(|row| row.service.clone()).collect(),
        config_files: files.into_iter().map(str::to_owned).collect(),
        working_dir: rows.first().map(|row| row.working_dir.clone()).unwrap_or_default(),
    }
}

/// `-` stands for a file that came through standard input.
fn is_file(file: &str) -> bool {
    !file.is_empty() && file != "-"
}

/// `docker container ls` of everything that compose has made.
struct Labels;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Row {
    project: String,
    service: String,
    state: String,
    status: String,
    config_files: String,
    working_dir: String,
    one_off: String,
}

impl Command for Labels {
    type Reply = Vec<Row>;

    fn invocation(&self) -> Invocation {
        let row = r#"{"Project":{{json (.Label "com.docker.compose.project")}},"Service":{{json (.Label "com.docker.compose.service")}},"State":{{json .State}},"Status":{{json .Status}},"ConfigFiles":{{json (.Label "com.docker.compose.project.config_files")}},"WorkingDir":{{json (.Label "com.docker.compose.project.working_dir")}},"OneOff":{{json (.Label "com.docker.compose.oneoff")}}}"#;
        Invocation::docker(Effect::Read, ["container", "ls"])
            .flag("--all", true)
            .option("--filter", format!("label={}", labels::PROJECT))
            .option("--format", row)
    }

    fn parse(&self, output: &Output) -> Result<Vec<Row>, Error> {
        json::rows(&output.stdout)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn containers_are_grouped_by_project() {
        let row = |project: &str, service: &str, state: &str, status: &str, file: &str| Row {
            project: project.into(),
            service: service.into(),
            state: state.into(),
            status: status.into(),
            config_files: file.into(),
            working_dir: format!("/srv/{project}"),
            one_off: "False".into(),
        };
        let rows = [
            row("shop", "web", "running", "Up 3 minutes (unhealthy)", "/srv/shop/compose.yaml"),
            row("shop", "web", "running", "Up 3 minutes", "/srv/shop/compose.yaml"),
            row("shop", "job", "exited", "Exited (0) 3 minutes ago", "/srv/shop/compose.yaml"),
            row("old", "db", "exited", "Exited (1) 3 days ago", "-"),
            Row { one_off: "True".into(), ..row("shop", "run", "running", "Up", "-") },
        ];
        let projects = |all| serde_json::to_value(grouped(&rows, all)).unwrap();
        assert_eq!(
            projects(false),
            json!([{
                "name": "shop", "status": "running(2), exited(1)", "services": ["job", "web"],
                "unhealthy": ["web"], "config_files": ["/srv/shop/compose.yaml"],
                "working_dir": "/srv/shop",
            }])
        );
        assert_eq!(projects(true)[0]["name"], "old");
        assert_eq!(projects(true)[0]["config_files"], json!([]));
    }
}
