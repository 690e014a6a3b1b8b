//! get-logs: the lines, and one line of accounting.

use std::ops::ControlFlow;
use std::time::Instant;

use schemars::JsonSchema;
use serde::Deserialize;

use super::lifecycle::inspect;
use crate::command::containers::Container;
use crate::command::values::{Bounded, ContainerRef, TimePoint};
use crate::command::{Command as _, Effect};
use crate::error::{Code, Error};
use crate::tools::lines::{Account, Choice, FOLLOW_SECONDS_MAX, Listener, TAIL_MAX, Wish, up_to};
use crate::tools::reply::Text;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetLogs {
    /// Name or ID.
    container_name: ContainerRef,
    /// Lines read (default 100).
    tail: Option<Bounded<0, TAIL_MAX>>,
    /// Regular expression.
    grep: Option<String>,
    /// Lines without a match.
    #[serde(default)]
    invert: bool,
    /// Around each match.
    context_lines: Option<Bounded<0, 100>>,
    /// Default all.
    #[serde(default)]
    stream: Choice,
    /// "10m" ago, or RFC 3339.
    since: Option<TimePoint>,
    /// The same.
    until: Option<TimePoint>,
    /// Show times.
    #[serde(default)]
    timestamps: bool,
    /// Repeated lines once.
    #[serde(default)]
    dedupe: bool,
    /// Wait for new lines.
    #[serde(default)]
    follow: bool,
    /// Default 10.
    follow_seconds: Option<Bounded<1, FOLLOW_SECONDS_MAX>>,
    /// Stop at a match.
    until_match: Option<String>,
}

impl Tool for GetLogs {
    const SPEC: Spec = Spec {
        name: "get-logs",
        title: "Read logs",
        description: "Last lines of a container's output, filtered. For a compose project: compose-logs.",
        toolset: Toolset::Containers,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Text;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let wish = self.wish();
        let selection = wish.selection()?;
        let until_match = wish.until_match()?;
        let container = inspect(context, &self.container_name).await?;
        let logs = wish.logs(&container.id);

        let started = Instant::now();
        let mut found = None;
        let mut listener = Listener::new(&context.docker);
        let listens = context.docker.progress().is_heard() || until_match.is_some();
        let printed = context
            .docker
            .watch(&logs, |line| {
                let Some(line) = wish.heard(line).filter(|_| listens) else {
                    return ControlFlow::Continue(());
                };
                // Secrets are hidden first, so that no pattern can tell what one is.
                let safe = listener.hear(line);
                if until_match.as_ref().is_some_and(|p| p.is_match(selection.message(&safe))) {
                    found = Some(started.elapsed());
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
            .await
            .map_err(|error| {
                let shown = wish.logs(container.name()).invocation().to_string();
                explain(error, &container).command(shown)
            })?;
        let safe = context.docker.redactor().text(&printed.text).text;
        let log = match &until_match {
            Some(pattern) if found.is_some() => {
                up_to(&safe, |line| pattern.is_match(selection.message(line)))
            }
            _ => &safe,
        };
        let selected = selection.of(log);

        // It may have come to its end while it was followed.
        let by_id = ContainerRef::try_from(container.id.clone());
        let container = match by_id {
            Ok(by_id) if wish.follows() => inspect(context, &by_id).await.unwrap_or(container),
            _ => container,
        };
        let followed = wish.follows().then(|| match found {
            Some(after) => format!("until_match found after {:.1} s", after.as_secs_f64()),
            None if self.until_match.is_some() => {
                format!("until_match not found in {:.1} s", started.elapsed().as_secs_f64())
            }
            None => format!("followed for {:.1} s", started.elapsed().as_secs_f64()),
        });
        let account = Account {
            selected: &selected,
            cut: printed.cut,
            broke_off: printed.broke_off.clone(),
            tail: logs.tail,
            spans_time: self.since.is_some() || self.until.is_some(),
            followed,
            states: vec![Account::state(&container)],
        };
        let account = account.to_string();
        Ok(Text { output: selected.text, account })
    }
}

impl GetLogs {
    fn wish(&self) -> Wish {
        Wish {
            tail: self.tail,
            grep: self.grep.clone(),
            invert: self.invert,
            context_lines: self.context_lines,
            stream: self.stream,
            since: self.since,
            until: self.until,
            timestamps: self.timestamps,
            dedupe: self.dedupe,
            follow: self.follow,
            follow_seconds: self.follow_seconds,
            until_match: self.until_match.clone(),
        }
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
        tool(arguments).wish().logs("web").invocation().to_string()
    }

    #[test]
    fn argv_of_get_logs() {
        assert_snapshot!(argv(json!({})), @"docker container logs --tail=100 -- web");
        assert_snapshot!(
            argv(json!({"tail": 5, "timestamps": true, "since": "10m", "until": "5m", "follow": true})),
            @"docker container logs --timestamps --tail=10000 --since=10m --until=5m --follow -- web"
        );
        assert_snapshot!(argv(json!({"grep": "x"})), @"docker container logs --tail=10000 -- web");
        assert_snapshot!(argv(json!({"grep": "x", "tail": 7})), @"docker container logs --tail=7 -- web");
        assert_snapshot!(argv(json!({"stream": "stderr", "tail": 7})), @"docker container logs --tail=10000 -- web");
        assert_snapshot!(argv(json!({"until_match": "ready"})), @"docker container logs --tail=100 --follow -- web");
    }

    #[test]
    fn a_wrong_pattern_is_refused_with_its_mistake() {
        let error = tool(json!({"grep": "a(b"})).wish().selection().unwrap_err();
        assert_eq!(error.code, Code::InvalidConfiguration);
        assert!(error.message.starts_with(r#"`grep` is no regular expression: "a(b": "#));
        let error = tool(json!({"grep": r"\w{1000}{1000}"})).wish().selection().unwrap_err();
        assert_eq!(error.code, Code::InvalidConfiguration);
        assert!(tool(json!({"invert": true})).wish().selection().is_err());
    }
}
