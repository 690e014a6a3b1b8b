//! wait-container: until something has happened, can no longer happen, or the time is over.

mod port;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::lifecycle::inspect;
use crate::command::containers::{Container, InspectContainers, exit_meaning};
use crate::command::logs::Logs;
use crate::command::text;
use crate::command::values::{Bounded, ContainerRef};
use crate::command::{Command, Effect, Invocation, Output};
use crate::error::{Code, Error};
use crate::tools::lines::{Follow, Pattern, Sought};
use crate::tools::outcome::milliseconds;
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

/// What is shown of the output of a container with which it went wrong.
const LOG_LINES: u32 = 20;
const LOG_BYTES: usize = 4000;
const PROBE_CHARS: usize = 300;
/// Pauses between two looks; each look costs a process.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Each leaves three events in the daemon's short memory.
const BETWEEN_LOOKS_INSIDE: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitContainer {
    /// The container, by name or ID.
    container_name: ContainerRef,
    /// The state that is waited for.
    until: Until,
    /// With `log`: a regular expression.
    pattern: Option<String>,
    /// With `port`: port in the container.
    port: Option<Bounded<1, 65_535>>,
    /// Seconds to wait at most; default 60.
    timeout_seconds: Option<Bounded<1, 3600>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Until {
    Running,
    Healthy,
    Exited,
    Log,
    Port,
}

impl Until {
    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    container: String,
    met: bool,
    timed_out: bool,
    elapsed_ms: u64,
    state: String,
    health: Option<String>,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    /// How it was seen: the line of the log, the address of the port.
    seen: Option<String>,
    /// Why it was not met.
    reason: Option<String>,
    log_tail: String,
}

/// How far it is.
#[derive(Debug, PartialEq, Eq)]
enum Stand {
    Met(Option<String>),
    NotYet(String),
    /// It can no longer get there.
    Never(String),
}

impl Tool for WaitContainer {
    const SPEC: Spec = Spec {
        name: "wait-container",
        title: "Wait",
        description: "Wait until a container is ready (`docker wait`): runs, is healthy, exits, logs a \
                      line, or listens on an open port. Why not: diagnose.",
        toolset: Toolset::Containers,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        self.check()?;
        let limit = Duration::from_secs(self.timeout_seconds.map_or(60, Bounded::get).into());
        let watch = Watch {
            context,
            wanted: &self,
            started: Instant::now(),
            limit,
            container: inspect(context, &self.container_name).await?,
            exit_code: None,
            looked_inside: None,
        };
        watch.run().await.map(Structured)
    }
}

impl WaitContainer {
    fn check(&self) -> Result<(), Error> {
        let needs = |name, until: Until, given: bool| {
            match (self.until == until, given) {
                (true, false) => {
                    Err(format!("with `until` {:?} `{name}` is required", until.word()))
                }
                (false, true) => {
                    Err(format!("`{name}` belongs to `until` {:?} alone", until.word()))
                }
                _ => Ok(()),
            }
            .map_err(|message| Error::invalid(name, message))
        };
        needs("pattern", Until::Log, self.pattern.is_some())?;
        needs("port", Until::Port, self.port.is_some())
    }

    fn goal(&self) -> String {
        match (self.until, self.port, &self.pattern) {
            (Until::Port, Some(port), _) => format!("listening on {}", port.get()),
            (Until::Log, _, Some(pattern)) => format!("logging {pattern:?}"),
            (until, ..) => until.word(),
        }
    }
}

/// One wait.
struct Watch<'a> {
    context: &'a Context,
    wanted: &'a WaitContainer,
    started: Instant,
    limit: Duration,
    container: Container,
    /// Of a container that was removed when it had ended.
    exit_code: Option<i32>,
    /// When it was last looked for a port from inside.
    looked_inside: Option<Instant>,
}

impl Watch<'_> {
    async fn run(mut self) -> Result<Reply, Error> {
        let mut pause = FIRST_LOOK;
        loop {
            let stand = self.stand().await?;
            let left = self.left();
            let (met, timed_out, seen, reason) = match stand {
                Stand::Met(seen) => (true, false, seen, None),
                Stand::Never(reason) => (false, false, None, Some(reason)),
                Stand::NotYet(reason) if left.is_zero() => (false, true, None, Some(reason)),
                Stand::NotYet(_) => {
                    self.tell();
                    self.context.docker.sleep(pause.min(left)).await?;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.look_again().await?;
                    continue;
                }
            };
            let container = &self.container;
            let exit_code = container.exit_code().or(self.exit_code);
            let log_tail = if met || container.state.status == "removed" {
                String::new()
            } else {
                log_tail(self.context, &container.id).await
            };
            return Ok(Reply {
                container: container.name().to_owned(),
                met,
                timed_out,
                elapsed_ms: milliseconds(self.started.elapsed()),
                state: container.state.status.clone(),
                health: container.health().map(str::to_owned),
                exit_code,
                exit_meaning: exit_code
                    .and_then(|code| exit_meaning(code, container.state.oom_killed)),
                seen,
                reason,
                log_tail,
            });
        }
    }

    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    fn tell(&self) {
        let container = &self.container;
        let state = container.health().unwrap_or(&container.state.status);
        let message = format!("{} is {state}, not {} yet", container.name(), self.wanted.goal());
        self.context.docker.progress().say(message);
    }

    async fn look_again(&mut self) -> Result<(), Error> {
        let query = InspectContainers::listed([self.container.id.clone()]);
        match self.context.docker.afresh().run(&query).await?.pop() {
            Some(container) => self.container = container,
            None => "removed".clone_into(&mut self.container.state.status),
        }
        Ok(())
    }

    async fn stand(&mut self) -> Result<Stand, Error> {
        if let Some(stand) = stand(&self.container, self.wanted.until) {
            return Ok(stand);
        }
        match (self.wanted.until, &self.wanted.pattern, self.wanted.port) {
            (Until::Log, Some(pattern), _) => self.log(pattern).await,
            (Until::Port, _, Some(port)) => self.port(port.get()).await,
            _ => self.end().await,
        }
    }

    /// Until it ends: `docker container wait` also hears of one that is removed at once.
    async fn end(&mut self) -> Result<Stand, Error> {
        let wait = Wait { container: self.container.id.clone(), limit: self.left() };
        self.tell();
        match self.context.docker.run(&wait).await {
            Ok(code) => self.exit_code = code,
            // It is only the client that waits no longer.
            Err(error) if matches!(error.code, Code::ContainerNotFound | Code::ClientKilled) => {}
            Err(error) => return Err(error),
        }
        self.look_again().await?;
        Ok(match self.container.state.status.as_str() {
            "removed" => Stand::Met(Some("it was removed when it had ended".to_owned())),
            "exited" | "dead" => Stand::Met(None),
            state => Stand::NotYet(format!("it is {state}")),
        })
    }

    async fn port(&mut self, port: u32) -> Result<Stand, Error> {
        // An address of another machine is not one of this machine's.
        if self.context.docker.host().is_none()
            && let Some(address) = port::answering(&self.container, port).await
        {
            return Ok(Stand::Met(Some(format!("{address} answers"))));
        }
        let too_soon = self.looked_inside.is_some_and(|last| last.elapsed() < BETWEEN_LOOKS_INSIDE);
        // The last look tells why it was not met.
        if too_soon && !self.left().is_zero() {
            return Ok(Stand::NotYet(format!("nothing listens on port {port}")));
        }
        self.looked_inside = Some(Instant::now());
        port::stand(&self.context.docker, &self.container, port).await
    }

    /// Until a line of this run fits.
    async fn log(&mut self, pattern: &str) -> Result<Stand, Error> {
        let pattern = Pattern::new("pattern", pattern)?;
        let follow = Follow { context: self.context, pattern: &pattern };
        // What an earlier run has logged is no sign of this one.
        let since = self.container.state.started_at.parse().ok();
        let container = self.container.id.clone();
        let found = match follow.find(container, since, self.left().max(FIRST_LOOK)).await {
            Err(error) if error.code == Code::ClientKilled => Sought::Nothing { read_until: None },
            found => found?,
        };
        self.look_again().await?;
        let read_until = match found {
            Sought::Line(line) => return Ok(Stand::Met(Some(line))),
            Sought::Nothing { read_until } => read_until,
        };
        if let Some(time) = read_until {
            let reason = format!(
                "no line of its log matched up to {time}; newer lines were not read, because the \
                 log is long: allow more time"
            );
            return Ok(Stand::NotYet(reason));
        }
        Ok(match self.container.state.status.as_str() {
            state @ ("exited" | "dead" | "removed") => {
                Stand::Never(format!("it is {state}, and no line of its log matched"))
            }
            _ => Stand::NotYet("no line of its log matched".to_owned()),
        })
    }
}

/// What its state alone decides.
fn stand(container: &Container, until: Until) -> Option<Stand> {
    let not_yet = |why: &str| Some(Stand::NotYet(why.to_owned()));
    let never = |why: String| Some(Stand::Never(why));
    match (until, container.state.status.as_str()) {
        (Until::Exited, "exited" | "dead") | (Until::Running, "running") => Some(Stand::Met(None)),
        (Until::Exited, "removed") => Some(Stand::Met(Some("it was removed".to_owned()))),
        (Until::Exited, "created") => not_yet("it was never started"),
        (Until::Healthy, "running") => Some(health(container)),
        // What it has logged it has logged, also when it is over.
        (Until::Exited, _) | (Until::Log, "exited" | "dead") | (_, "running") => None,
        (_, "paused") => never("it is paused: unpause-container lets it go on".to_owned()),
        (_, "created") if !container.state.error.is_empty() => {
            never(format!("it could not start: {}", container.state.error))
        }
        (_, state @ ("exited" | "dead" | "removed")) => {
            never(format!("it is {state} and does not start again by itself"))
        }
        (_, state) => not_yet(&format!("it is {state}")),
    }
}

fn health(container: &Container) -> Stand {
    match container.health() {
        Some("healthy") => Stand::Met(None),
        Some(health) => {
            let probe = last_probe(container).unwrap_or_default();
            Stand::NotYet(format!("its health check says {health}{probe}"))
        }
        None => Stand::Never("it has no health check: wait for log or port".to_owned()),
    }
}

/// `; exit code 1: connection refused`.
fn last_probe(container: &Container) -> Option<String> {
    let probe = container.state.health.as_ref()?.log.last()?;
    let output: String = probe.output.trim().chars().take(PROBE_CHARS).collect();
    (probe.exit_code != 0).then(|| format!("; exit code {}: {output}", probe.exit_code))
}

/// Not worth failing for: some log drivers cannot be read.
async fn log_tail(context: &Context, id: &str) -> String {
    let printed = context.docker.run(&Logs::last(id, LOG_LINES)).await.unwrap_or_default();
    text::tail(printed.text.trim_end(), LOG_BYTES).to_owned()
}

/// `docker container wait`, which prints the exit code when the container has ended; nothing when
/// it has not by then.
struct Wait {
    container: String,
    limit: Duration,
}

impl Command for Wait {
    type Reply = Option<i32>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "wait"])
            .follow(self.limit)
            .operands([&self.container])
    }

    fn parse(&self, output: &Output) -> Result<Option<i32>, Error> {
        Ok(output.stdout.trim().parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    use super::*;

    fn of(until: Until, state: &Value) -> Option<Stand> {
        let container: Container = serde_json::from_value(json!({"State": state})).unwrap();
        stand(&container, until)
    }

    #[test]
    fn what_can_no_longer_happen_is_not_waited_for() {
        let never = |until, state: Value| match of(until, &state) {
            Some(Stand::Never(reason)) => reason,
            other => format!("{other:?}"),
        };
        assert_snapshot!(never(Until::Healthy, json!({"Status": "running"})), @"it has no health check: wait for log or port");
        assert_snapshot!(never(Until::Healthy, json!({"Status": "exited"})), @"it is exited and does not start again by itself");
        assert_snapshot!(never(Until::Running, json!({"Status": "paused"})), @"it is paused: unpause-container lets it go on");
        assert_snapshot!(never(Until::Port, json!({"Status": "dead"})), @"it is dead and does not start again by itself");
        assert_snapshot!(never(Until::Running, json!({"Status": "created", "Error": "no such file"})), @"it could not start: no such file");
    }

    #[test]
    fn what_may_still_happen_is_waited_for() {
        let unhealthy = json!({"Status": "running", "Health": {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": "refused\n"}]}});
        let Some(Stand::NotYet(reason)) = of(Until::Healthy, &unhealthy) else { panic!() };
        assert_eq!(reason, "its health check says unhealthy; exit code 1: refused");
        assert!(matches!(
            of(Until::Running, &json!({"Status": "restarting"})),
            Some(Stand::NotYet(_))
        ));
        assert!(matches!(of(Until::Exited, &json!({"Status": "created"})), Some(Stand::NotYet(_))));
        assert_eq!(of(Until::Log, &json!({"Status": "exited"})), None);
        assert_eq!(of(Until::Exited, &json!({"Status": "running"})), None);
        assert_eq!(of(Until::Running, &json!({"Status": "running"})), Some(Stand::Met(None)));
    }

    #[test]
    fn argv_of_wait() {
        let wait = Wait { container: "web".into(), limit: Duration::from_secs(5) };
        assert_snapshot!(wait.invocation(), @"docker container wait -- web");
        let output = |stdout: &str| Output { stdout: stdout.into(), ..Output::default() };
        assert_eq!(wait.parse(&output("137\n")).unwrap(), Some(137));
        assert_eq!(wait.parse(&output("")).unwrap(), None);
    }

    #[test]
    fn a_pattern_and_a_port_belong_to_their_until() {
        let check = |arguments: Value| {
            let tool: WaitContainer = serde_json::from_value(arguments).unwrap();
            tool.check().map_err(|error| error.message.clone())
        };
        let told = |arguments| check(arguments).unwrap_err();
        assert_snapshot!(told(json!({"container_name": "a", "until": "log"})), @r#"with `until` "log" `pattern` is required"#);
        assert_snapshot!(told(json!({"container_name": "a", "until": "running", "port": 80})), @r#"`port` belongs to `until` "port" alone"#);
        assert!(check(json!({"container_name": "a", "until": "port", "port": 80})).is_ok());
    }
}
