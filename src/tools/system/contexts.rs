use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::{Command, Effect, Invocation, Output, json};
use crate::error::Error;
use crate::sort;
use crate::tools::reply::Listing;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListContexts {}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    contexts: Vec<Listed>,
    note: Option<&'static str>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Listed {
    name: String,
    endpoint: String,
    current: bool,
    /// Every call goes to the current one, and to no other.
    allowed: bool,
    read_only: bool,
}

impl Tool for ListContexts {
    const SPEC: Spec = Spec {
        name: "list-contexts",
        title: "List contexts",
        description: "List docker contexts (`docker context ls`): hosts and endpoints, and which one is \
                      used. Its state: docker-info.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Listing<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let (contexts, note) = context.docker.run(&ContextList).await?;
        Ok(Listing { list: "contexts", reply: Reply { contexts, note } })
    }
}

/// `docker context ls`.
struct ContextList;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    name: String,
    docker_endpoint: String,
    current: bool,
}

impl Command for ContextList {
    type Reply = (Vec<Listed>, Option<&'static str>);

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["context", "ls"]).option(
            "--format",
            r#"{"Name":{{json .Name}},"DockerEndpoint":{{json .DockerEndpoint}},"Current":{{json .Current}}}"#,
        )
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let rows: Vec<Row> = json::rows(&output.stdout)?;
        let listed = |row: Row| Listed {
            name: row.name,
            endpoint: row.docker_endpoint,
            current: row.current,
            allowed: row.current,
            read_only: false,
        };
        let mut contexts: Vec<Listed> = rows.into_iter().map(listed).collect();
        sort::by(&mut contexts, |a, b| a.name.cmp(&b.name));
        let overrides = output.stderr.contains("DOCKER_HOST environment variable overrides");
        let note = overrides.then_some(
            "DOCKER_HOST is set where this server was started, and decides instead of a context",
        );
        Ok((contexts, note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_listed_with_the_one_that_is_used() {
        insta::assert_snapshot!(ContextList.invocation(), @r#"docker context ls '--format={"Name":{{json .Name}},"DockerEndpoint":{{json .DockerEndpoint}},"Current":{{json .Current}}}'"#);
        let output = Output {
            stdout: concat!(
                r#"{"Name":"remote","DockerEndpoint":"ssh://me@build","Current":false}"#,
                "\n",
                r#"{"Name":"default","DockerEndpoint":"unix:///var/run/docker.sock","Current":true}"#,
            )
            .to_owned(),
            stderr: "Warning: DOCKER_HOST environment variable overrides the active context.".into(),
            ..Output::default()
        };
        let (contexts, note) = ContextList.parse(&output).unwrap();
        let shown: Vec<_> = contexts.iter().map(|it| (it.name.as_str(), it.allowed)).collect();
        assert_eq!(shown, [("default", true), ("remote", false)]);
        assert!(note.unwrap().contains("DOCKER_HOST"));
    }
}
