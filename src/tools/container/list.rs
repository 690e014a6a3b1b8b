use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::command::Effect;
use crate::command::containers::{self, InspectContainers, Row};
use crate::command::labels;
use crate::command::text::short_id;
use crate::error::Error;
use crate::tools::batches::in_batches;
use crate::tools::filters::{Choices, Names, Texts, limited};
use crate::tools::provenance::is_of_this_session;
use crate::tools::reply::{Answer, IntoAnswer, Listing};
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListContainers {
    /// Also those that are stopped.
    #[serde(default)]
    all: bool,
    /// By status, label, name, network, health, project, image, mine.
    #[serde(default)]
    filters: Filters,
    /// The most entries to return; default 50.
    limit: Option<u32>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    /// States; finds stopped ones without `all`.
    #[serde(default)]
    status: Choices<Status>,
    /// `key` or `key=value`.
    label: Option<Texts>,
    /// Regular expression for a part of the name.
    name: Option<Texts>,
    /// Name of a network.
    network: Option<Texts>,
    /// starting, healthy, unhealthy or none.
    #[serde(default)]
    health: Choices<Health>,
    /// Project.
    project: Option<String>,
    /// Image, or one that its own is built on.
    image: Option<Texts>,
    /// Only those that this session has made.
    #[serde(default)]
    mine: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Starting,
    Healthy,
    Unhealthy,
    None,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    containers: Vec<Listed>,
    total: Option<usize>,
}

type LeaveOut = fn(&mut Map<String, Value>);

/// From here on rows say less.
const LARGE: usize = 4_000;

/// What a row leaves out when the list is large, one after the other until it is small enough.
/// `status` tells state, health and exit code; a compose name holds project and service.
const LEFT_OUT: [(&str, LeaveOut); 5] = [
    ("created", |row| drop(row.remove("created"))),
    ("health and exit_code (see status)", |row| {
        row.remove("health");
        row.remove("exit_code");
    }),
    ("project and service (see name)", |row| {
        let text = |key| row.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("name").starts_with(&format!("{}-{}-", text("project"), text("service"))) {
            row.remove("project");
            row.remove("service");
        }
    }),
    ("id (use name)", |row| drop(row.remove("id"))),
    ("state (see status)", |row| drop(row.remove("state"))),
];

impl IntoAnswer for Reply {
    fn into_answer(self) -> Answer {
        match (Listing { list: "containers", reply: self }).into_answer() {
            Answer::Structured(value) => Answer::Structured(small(value)),
            other => other,
        }
    }
}

fn small(mut answer: Value) -> Value {
    let mut left_out = vec![];
    for (what, leave_out) in LEFT_OUT {
        if answer.to_string().len() <= LARGE {
            break;
        }
        let rows = answer.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten();
        rows.filter_map(Value::as_object_mut).for_each(leave_out);
        left_out.push(what);
    }
    if let (false, Value::Object(members)) = (left_out.is_empty(), &mut answer) {
        let note = format!("{}: filters give fewer and whole rows", left_out.join(", "));
        members.insert("left_out".to_owned(), note.into());
    }
    answer
}

#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    name: String,
    image: String,
    state: String,
    status: String,
    health: Option<String>,
    exit_code: Option<i32>,
    ports: Vec<String>,
    project: Option<String>,
    service: Option<String>,
    created: String,
}

impl Tool for ListContainers {
    const SPEC: Spec = Spec {
        name: "list-containers",
        title: "List containers",
        description: "List containers (`docker ps`, `docker ps -a`, `docker container ls`): show which are \
                      running, or all including stopped ones, with state, health, ports. One: \
                      inspect-container; a project: compose-ps.",
        toolset: Toolset::Containers,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Reply;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let names = Names::new("name", self.filters.name.as_ref())?;
        let mut rows = context.docker.run(&self.command()).await?;
        // Docker's API calls it `/web`, and its own filter knows both.
        rows.retain(|row| names.want(&row.name) || names.want(&format!("/{}", row.name)));
        if self.filters.mine {
            let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
            let made = in_batches(&context.docker, &ids, InspectContainers::listed).await?;
            let is_own = |row: &Row| {
                made.iter().any(|container| container.id == row.id && is_of_this_session(container))
            };
            rows.retain(is_own);
        }
        let (rows, total) = limited(rows, self.limit);
        Ok(Reply { containers: rows.into_iter().map(Listed::from).collect(), total })
    }
}

impl ListContainers {
    fn command(&self) -> containers::ListContainers {
        let Filters { status, label, name: _, network, health, project, image, mine } =
            &self.filters;
        let mut filters = vec![];
        filters.extend(status.filters("status"));
        filters.extend(health.filters("health"));
        filters.extend(project.as_ref().map(|project| labels::of_project(project.as_str())));
        filters.extend(Texts::filters(label.as_ref(), "label"));
        filters.extend(Texts::filters(network.as_ref(), "network"));
        filters.extend(Texts::filters(image.as_ref(), "ancestor"));
        filters.extend(mine.then(|| format!("label={}", labels::REQUEST)));
        containers::ListContainers { all: self.all, filters }
    }
}

impl From<Row> for Listed {
    fn from(row: Row) -> Self {
        Self {
            id: short_id(&row.id).to_owned(),
            name: row.name,
            // A bare ID is as good in 12 digits.
            image: if row.image.starts_with("sha256:") {
                short_id(&row.image).to_owned()
            } else {
                row.image
            },
            state: row.state,
            status: row.status,
            health: row.health,
            exit_code: row.exit_code,
            ports: row.ports,
            project: row.project,
            service: row.service,
            created: row.created,
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::{ListContainers, small};
    use crate::command::Command as _;

    fn argv(arguments: serde_json::Value) -> String {
        let tool: ListContainers = serde_json::from_value(arguments).unwrap();
        let shown = tool.command().invocation().to_string();
        shown.split(" '--format=").next().unwrap().to_owned()
    }

    #[test]
    fn argv_of_list_containers() {
        assert_snapshot!(argv(json!({})), @"docker container ls --no-trunc");
        assert_snapshot!(argv(json!({"filters": {"mine": true}})), @"docker container ls --no-trunc --filter=label=docker-mcp-server.request");
        assert_snapshot!(argv(json!({"filters": {"status": ["exited", "dead"]}})), @"docker container ls --no-trunc --filter=status=exited --filter=status=dead");
        assert_snapshot!(
            argv(json!({"all": true, "filters": {"status": "exited", "label": ["a=b", "c"], "name": "we.b", "health": "unhealthy", "project": "shop"}})),
            @"docker container ls --all --no-trunc --filter=status=exited --filter=health=unhealthy --filter=label=com.docker.compose.project=shop --filter=label=a=b --filter=label=c"
        );
    }

    #[test]
    fn a_state_that_there_is_not_is_refused() {
        for status in [json!("stopped"), json!(["exited", "stopped"])] {
            let refused =
                serde_json::from_value::<ListContainers>(json!({"filters": {"status": status}}));
            let sentence = refused.unwrap_err().to_string();
            assert!(sentence.contains("stopped") && sentence.contains("exited"), "{sentence}");
        }
    }

    #[test]
    fn a_large_list_leaves_out_what_it_tells_twice() {
        let row = |n: usize| {
            json!({
                "id": "0123456789ab", "name": format!("shop-web-{n}"), "image": "nginx:1.27",
                "state": "running", "status": "Up 2 hours (healthy)", "health": "healthy",
                "project": "shop", "service": "web", "created": "2026-11-22T06:00:30Z",
            })
        };
        let list = |count| json!({"containers": (0..count).map(row).collect::<Vec<_>>()});
        assert_eq!(small(list(10)), list(10));
        let answer = small(list(30));
        let expected = json!({
            "id": "0123456789ab", "name": "shop-web-0", "image": "nginx:1.27", "state": "running",
            "status": "Up 2 hours (healthy)",
        });
        assert_eq!(answer["containers"][0], expected);
        assert_snapshot!(answer["left_out"].as_str().unwrap(), @"created, health and exit_code (see status), project and service (see name): filters give fewer and whole rows");
    }
}
