//! get-logs: the lines, and one line of accounting.

mod account;
mod select;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lifecycle::inspect;
use crate::command::containers::Container;
use crate::command::logs::{Logs, Stream};
use crate::command::values::{Bounded, ContainerRef, TimePoint};
use crate::command::{Command as _, Effect, text};
use crate::docker::Line;
use crate::error::{Code, Error};
use crate::tools::reply::Text;
use crate::tools::{Context, Spec, Tool, Toolset};
use account::Account;
use select::Selection;

/// Lines that are shown when the caller does not say.
const TAIL: u32 = 100;
/// Lines that are searched when the caller does not say, and the most that are read.
const TAIL_MAX: u32 = 10_000;
const FOLLOW_SECONDS: u32 = 10;
/// A compiled pattern; more is an attack or a mistake.
const PATTERN_BYTES: usize = 1 << 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetLogs {
    /// Name or ID.
    container_name: ContainerRef,
    /// Last lines to read (default 100; with a filter it searches the last 10000 and shows 100).
    tail: Option<Bounded<0, TAIL_MAX>>,
    /// Only lines that match this regular expression.
    grep: Option<String>,
    /// Only lines that do not match grep (default false).
    #[serde(default)]
    invert: bool,
    /// Lines to show around each match (default 0).
    context_lines: Option<Bounded<0, 100>>,
    /// all, stdout or stderr (default all).
    #[serde(default)]
    stream: Choice,
    /// From then on: "10m" back from now, or an RFC 3339 time.
    since: Option<TimePoint>,
    /// Until then, in the same forms.
    until: Option<TimePoint>,
    /// Put docker's timestamp before each line (default false).
    #[serde(default)]
    timestamps: bool,
    /// Tell equal lines in a row once (default false).
    #[serde(default)]
    dedupe: bool,
    /// Also wait for new lines (default false).
    #[serde(default)]
    follow: bool,
    /// Seconds to follow (default 10).
    follow_seconds: Option<Bounded<1, 60>>,
    /// Follow until a line matches this regular expression.
    until_match: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    #[default]
    All,
    Stdout,
    Stderr,
}

impl Tool for GetLogs {
    const SPEC: Spec = Spec {
        name: "get-logs",
        title: "Read a container's logs",
        description: "What a container printed: its last lines, filtered by grep, stream and time; the last line tells what was left out. follow waits for new lines. For a compose project use compose-logs.",
        toolset: Toolset::Containers,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Text;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let selection = self.selection()?;
        let until_match = self.until_match.as_deref().map(|p| pattern("until_match", p));
        let until_match = until_match.transpose()?;
        let container = inspect(context, &self.container_name).await?;
        let logs = self.logs(&container.id);

        let started = Instant::now();
        let mut found = None;
        let printed = context
            .docker
            .watch(&logs, |line| {
                let Some(line) = self.heard(line) else { return ControlFlow::Continue(()) };
                let line = text::clean(line).text;
                let safe = context.docker.redactor().text(&line).text;
                context.docker.progress().say(safe.as_ref());
                if until_match.as_ref().is_some_and(|p| p.is_match(selection.message(&line))) {
                    found = Some(started.elapsed());
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
            .await
            .map_err(|error| {
                let shown = self.logs(container.name()).invocation().to_string();
                explain(error, &container).command(shown)
            })?;
        let log = match &until_match {
            Some(pattern) if found.is_some() => {
                up_to(&printed.text, |line| pattern.is_match(selection.message(line)))
            }
            _ => &printed.text,
        };
        // Hidden before it is searched, so that no pattern can tell what a secret is.
        let safe = context.docker.redactor().text(log).text;
        let selected = selection.of(&safe);

        // It may have come to its end while it was followed.
        let by_id = ContainerRef::try_from(container.id.clone());
        let container = match by_id {
            Ok(by_id) if self.follows() => inspect(context, &by_id).await.unwrap_or(container),
            _ => container,
        };
        let followed = self.follows().then(|| match found {
            Some(after) => format!("until_match found after {:.1} s", after.as_secs_f64()),
            None if self.until_match.is_some() => {
                format!("until_match not found in {:.1} s", started.elapsed().as_secs_f64())
            }
            None => format!("followed for {:.1} s", started.elapsed().as_secs_f64()),
        });
        let account = Account {
            selected: &selected,
            printed: &printed,
            tail: logs.tail,
            spans_time: self.since.is_some() || self.until.is_some(),
            followed,
            container: &container,
        };
        let separator = if selected.text.is_empty() { "" } else { "\n" };
        Ok(Text(format!("{}{separator}{account}", selected.text)))
    }
}

impl GetLogs {
    fn selection(&self) -> Result<Selection, Error> {
        let grep = self.grep.as_deref().map(|grep| pattern("grep", grep)).transpose()?;
        if self.invert && grep.is_none() {
            return Err(Error::invalid("invert", "`invert` needs a pattern in `grep`"));
        }
        let most = match self.tail {
            None if !self.follows() => Some(TAIL as usize),
            Some(lines) if self.docker_leaves_out() => Some(lines.get() as usize),
            _ => None,
        };
        Ok(Selection {
            invert: self.invert,
            // Without a pattern all lines match, and none is a neighbour.
            context_lines: match (&grep, self.context_lines) {
                (Some(_), Some(lines)) => lines.get() as usize,
                _ => 0,
            },
            grep,
            dedupe: self.dedupe,
            most,
            timestamps: self.timestamps,
        })
    }

    fn logs(&self, container: &str) -> Logs {
        let chooses = self.grep.is_some() || self.dedupe || self.docker_leaves_out();
        let tail = match self.tail {
            Some(lines) if !self.docker_leaves_out() => lines.get(),
            Some(_) => TAIL_MAX,
            None if chooses && !self.follows() => TAIL_MAX,
            None => TAIL,
        };
        let follow_seconds = self.follow_seconds.map_or(FOLLOW_SECONDS, Bounded::get);
        Logs {
            tail,
            since: self.since,
            until: self.until,
            timestamps: self.timestamps,
            stream: match self.stream {
                Choice::All => Stream::All,
                Choice::Stdout => Stream::Stdout,
                Choice::Stderr => Stream::Stderr,
            },
            follow: self.follows().then(|| Duration::from_secs(follow_seconds.into())),
            ..Logs::last(container, tail)
        }
    }

    /// Docker takes the last lines first, and then leaves out those after `until` and those of the
    /// other stream: it has to read more for us to show enough.
    fn docker_leaves_out(&self) -> bool {
        self.until.is_some() || !matches!(self.stream, Choice::All)
    }

    fn follows(&self) -> bool {
        self.follow || self.until_match.is_some()
    }

    /// The line, when it is of the stream that was asked for.
    fn heard<'a>(&self, line: Line<'a>) -> Option<&'a str> {
        match (self.stream, line) {
            (Choice::All | Choice::Stdout, Line::Stdout(line))
            | (Choice::All | Choice::Stderr, Line::Stderr(line)) => Some(line),
            _ => None,
        }
    }
}

fn explain(error: Error, container: &Container) -> Error {
    let error = error.with("container", container.name());
    if !error.message.contains("does not support reading") {
        return error;
    }
    let hint = format!(
        "its log driver is {}, which keeps nothing that docker could read: look where that driver writes to, or create the container anew with log_driver json-file or local",
        container.host_config.log_config.kind
    );
    Error { code: Code::WrongState, ..error }.hint(hint)
}

/// # Errors
/// DKR-004 with the place of the mistake in the pattern.
fn pattern(parameter: &str, pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build().map_err(|error| {
        let problem = error.to_string();
        let problem = problem.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let shown: String = pattern.chars().take(80).collect();
        let message = format!("`{parameter}` is no regular expression: {shown:?}: {problem}");
        Error::invalid(parameter, message)
            .hint("put \\ before . * + ? ( ) [ ] { } | ^ $ that stand for themselves")
    })
}

/// What comes after the first line that fits was printed before the reading ended.
fn up_to(text: &str, fits: impl Fn(&str) -> bool) -> &str {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        if fits(line.trim_end_matches('\n')) {
            return text.get(..end).unwrap_or(text);
        }
    }
    text
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
        tool(arguments).logs("web").invocation().to_string()
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
        let error = tool(json!({"grep": "a(b"})).selection().unwrap_err();
        assert_eq!(error.code, Code::InvalidConfiguration);
        assert_snapshot!(error.message, @r#"`grep` is no regular expression: "a(b": unclosed group"#);
        let error = tool(json!({"grep": r"\w{1000}{1000}"})).selection().unwrap_err();
        assert_eq!(error.code, Code::InvalidConfiguration);
        assert!(tool(json!({"invert": true})).selection().is_err());
    }

    #[test]
    fn nothing_after_the_match_is_shown() {
        assert_eq!(up_to("a\nb\nc\n", |line| line == "b"), "a\nb\n");
        assert_eq!(up_to("a\nb", |line| line == "x"), "a\nb");
    }
}
