//! get-logs: the lines, and one line of accounting.

use schemars::JsonSchema;
use serde::Deserialize;

use super::lifecycle::inspect;
use crate::command::containers::Container;
use crate::command::values::ContainerRef;
use crate::command::{Command as _, Effect};
use crate::error::{Code, Error};
use crate::parameters::With;
use crate::tools::lines::{Account, Reader, Wish};
use crate::tools::reply::Text;
use crate::tools::{Context, Spec, Tool, Toolset};

pub(super) type GetLogs = With<Target, Wish>;

/// Of which container.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Target {
    /// The container, by name or ID.
    container_name: ContainerRef,
}

impl Tool for GetLogs {
    const SPEC: Spec = Spec {
        name: "get-logs",
        title: "Read logs",
        description: "Logs of one container (`docker logs`, `docker logs -f`): its stdout and stderr, tail \
                      or first lines of its output, search for an error, since, follow. For a compose \
                      project: compose-logs.",
        toolset: Toolset::Containers,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Text;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let reader = Reader::new(self.shared, false)?;
        let container = inspect(context, &self.own.container_name).await?;
        let reading = reader.read(&context.docker, &container.id, None).await.map_err(|error| {
            let shown = reader.wish().logs(container.name()).invocation().to_string();
            explain(error, &container).command(shown)
        })?;
        // It may have come to its end while it was followed.
        let by_id = ContainerRef::try_from(container.id.clone());
        let container = match by_id {
            Ok(by_id) if reader.wish().follows() => {
                inspect(context, &by_id).await.unwrap_or(container)
            }
            _ => container,
        };
        Ok(reader.told(vec![(None, reading)], vec![Account::state(&container)], None))
    }
}

fn explain(error: Error, container: &Container) -> Error {
    let mut error = error.with("container", container.name());
    if !error.message.contains("does not support reading") {
        return error;
    }
    let hint = format!(
        "its log driver is {}, which keeps nothing that docker could read: look where that driver writes to, or create the container anew with log_driver json-file or local",
        container.host_config.log_config.kind
    );
    error.code = Code::WrongState;
    error.hint(hint)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn tool(mut arguments: serde_json::Value) -> GetLogs {
        arguments["container_name"] = "web".into();
        serde_json::from_value(arguments).unwrap()
    }

    fn argv(arguments: serde_json::Value) -> String {
        tool(arguments).shared.logs("web").invocation().to_string()
    }

    #[test]
    fn argv_of_get_logs() {
        assert_snapshot!(argv(json!({})), @"docker container logs --tail=100 -- web");
        assert_snapshot!(
            argv(json!({"tail": 5, "timestamps": true, "since": "10m", "until": "5m", "follow": true})),
            @"docker container logs --timestamps --since=10m --until=5m --follow -- web"
        );
        assert_snapshot!(argv(json!({"tail": 7})), @"docker container logs --tail=7 -- web");
        for whole in [
            json!({"grep": "x"}),
            json!({"grep": "x", "tail": 7}),
            json!({"stream": "stderr", "tail": 7}),
            json!({"dedupe": true}),
            json!({"first": 7}),
        ] {
            assert_eq!(argv(whole), "docker container logs -- web");
        }
        assert_snapshot!(argv(json!({"grep": "x", "tail": 0, "follow": true})), @"docker container logs --tail=0 --follow -- web");
        assert_snapshot!(argv(json!({"until_match": "ready"})), @"docker container logs --tail=100 --follow -- web");
    }

    #[test]
    fn a_wrong_pattern_is_refused_with_its_mistake() {
        let error = tool(json!({"grep": "a(b"})).shared.selection().unwrap_err();
        assert_eq!(error.code, Code::InvalidConfiguration);
        assert!(error.message.starts_with(r#"`grep` is no regular expression: "a(b": "#));
        let error = tool(json!({"grep": r"\w{1000}{1000}"})).shared.selection().unwrap_err();
        assert_eq!(error.code, Code::InvalidConfiguration);
        assert!(tool(json!({"invert": true})).shared.selection().is_err());
        assert!(tool(json!({"first": 1, "tail": 1})).shared.selection().is_err());
    }
}
