//! What `docker container ls` tells of each container.

use serde::Deserialize;

use super::super::{Command, Effect, Invocation, Output, json, labels, time};
use super::ports;
use crate::error::Error;
use crate::sort;

/// `docker container ls`: one process whatever the number of containers.
#[derive(Clone, Debug, Default)]
pub struct ListContainers {
    pub all: bool,
    /// `--filter` values (`status=running`).
    pub filters: Vec<String>,
}

impl ListContainers {
    /// All containers, stopped ones too.
    pub fn everything() -> Self {
        Self { all: true, filters: vec![] }
    }

    /// All containers of a compose project, stopped ones too.
    pub fn of_project(project: &str) -> Self {
        Self { all: true, filters: vec![labels::of_project(project)] }
    }
}

/// One line of `docker container ls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The full ID.
    pub id: String,
    pub name: String,
    /// The name it was created with; may be an ID or stand for another image by now.
    pub image: String,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub state: String,
    /// Docker's sentence: `Up 3 minutes (healthy)`.
    pub status: String,
    /// `starting`, `healthy` or `unhealthy`; absent without a health check.
    pub health: Option<String>,
    /// Of a container that is not running.
    pub exit_code: Option<i32>,
    /// Published and exposed ports: `127.0.0.1:8080->80/tcp`.
    pub ports: Vec<String>,
    pub networks: Vec<String>,
    /// Names of volumes and paths of binds.
    pub mounts: Vec<String>,
    pub project: Option<String>,
    pub service: Option<String>,
    /// RFC 3339, UTC.
    pub created: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRow {
    #[serde(rename = "ID")]
    id: String,
    names: String,
    image: String,
    created_at: String,
    state: String,
    status: String,
    ports: String,
    mounts: String,
    networks: String,
    project: String,
    service: String,
}

// `{{json .}}` would ask for the size of every container (286 ms for one with 60,000 files), and
// `--format=json` prints the word `json` on 20.10: so each field is named. All are in 20.10.
const ROW: &str = r#"{"ID":{{json .ID}},"Names":{{json .Names}},"Image":{{json .Image}},"CreatedAt":{{json .CreatedAt}},"State":{{json .State}},"Status":{{json .Status}},"Ports":{{json .Ports}},"Mounts":{{json .Mounts}},"Networks":{{json .Networks}},"Project":{{json (.Label "com.docker.compose.project")}},"Service":{{json (.Label "com.docker.compose.service")}}}"#;

impl Command for ListContainers {
    type Reply = Vec<Row>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "ls"])
            .flag("--all", self.all)
            .flag("--no-trunc", true)
            .each("--filter", &self.filters)
            .option("--format", ROW)
    }

    /// Sorted by name.
    fn parse(&self, output: &Output) -> Result<Vec<Row>, Error> {
        let mut rows: Vec<Row> = json::rows(&output.stdout)?.into_iter().map(row).collect();
        sort::by(&mut rows, |a, b| a.name.cmp(&b.name));
        Ok(rows)
    }
}

fn row(raw: RawRow) -> Row {
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let some = |text: String| (!text.is_empty()).then_some(text);
    Row {
        // With legacy links a container has further names, like `other/alias`.
        name: raw
            .names
            .split(',')
            .find(|name| !name.contains('/'))
            .unwrap_or(&raw.names)
            .to_owned(),
        health: health_in(&raw.status),
        exit_code: exit_code_in(&raw.status),
        ports: ports(&list(&raw.ports)),
        networks: list(&raw.networks),
        mounts: list(&raw.mounts),
        created: time::from_docker(&raw.created_at),
        id: raw.id,
        image: raw.image,
        state: raw.state,
        status: raw.status,
        project: some(raw.project),
        service: some(raw.service),
    }
}

fn health_in(status: &str) -> Option<String> {
    let (_, inside) = status.strip_suffix(')')?.rsplit_once('(')?;
    let health = inside.strip_prefix("health: ").unwrap_or(inside);
    matches!(health, "starting" | "healthy" | "unhealthy").then(|| health.to_owned())
}

fn exit_code_in(status: &str) -> Option<i32> {
    let (state, rest) = status.split_once(" (")?;
    let (code, _) = rest.split_once(')')?;
    matches!(state, "Exited" | "Restarting").then(|| code.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_and_exit_code_are_read_from_the_status() {
        let health = |status| health_in(status);
        assert_eq!(health("Up 8 seconds (healthy)").as_deref(), Some("healthy"));
        assert_eq!(health("Up 8 seconds (health: starting)").as_deref(), Some("starting"));
        assert_eq!(health("Up 8 seconds (Paused)"), None);
        assert_eq!(exit_code_in("Exited (137) 2 hours ago"), Some(137));
        assert_eq!(exit_code_in("Restarting (7) 6 seconds ago"), Some(7));
        assert_eq!(exit_code_in("Up About a minute (healthy)"), None);
        assert_eq!(exit_code_in("Created"), None);
    }
}
