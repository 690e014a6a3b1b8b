//! start, stop, restart, kill, pause, unpause: one shape, six verbs.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::command::containers::{Container, InspectContainers, exit_meaning};
use crate::command::values::{ContainerRef, Signal};
use crate::command::{Act, Effect, Invocation};
use crate::error::{Code, Error};
use crate::tools::joined;
use crate::tools::protect::{
    judge_again, judge_changes, judge_end, judge_files_at_end, judge_start,
};
use crate::tools::stop_time::stop_limit;
use crate::tools::{Change, Context, Prepared, Spec, Toolset, demand_contents};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Target {
    /// The container, by name or ID.
    container_name: ContainerRef,
}

/// Where programs get time to end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Graceful {
    /// The container, by name or ID.
    container_name: ContainerRef,
    /// Seconds until docker kills what has not ended; default: the container's own stop time, or 10.
    timeout_seconds: Option<u16>,
}

/// The state after the action, read back from docker.
#[derive(Debug, Serialize)]
pub struct Reply {
    id: String,
    name: String,
    state: String,
    health: Option<String>,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    /// False when it was so already.
    changed: bool,
    warnings: Vec<String>,
}

/// What is done to one container.
pub trait Action: DeserializeOwned + JsonSchema + Send + 'static {
    const SPEC: Spec;

    fn container(&self) -> &ContainerRef;

    /// Whether it is so already.
    fn is_done(_: &Container) -> bool {
        false
    }

    fn invocation(&self, container: &Container, operand: &str) -> Invocation;
}

/// A container, and what is to be done with it, by its ID: a rename in between cannot hit another
/// container.
pub struct Ready {
    before: Container,
    /// Nothing where it is so already.
    act: Option<Act>,
    /// Its network goes, and with it that of those who use it.
    ends: bool,
    runs_already: bool,
}

impl<T: Action> Change for T {
    const SPEC: Spec = <T as Action>::SPEC;
    const REMOVES: bool = false;
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let docker = &context.docker;
        let before = inspect(context, self.container()).await?;
        let (shown, act) =
            (self.invocation(&before, before.name()), self.invocation(&before, &before.id));
        judge_changes(docker, [&before])?;
        if matches!(shown.verb(), "start" | "restart") {
            judge_start(docker, std::slice::from_ref(&before)).await?;
            judge_again(docker, [&before]).await?;
        }
        let is_done = T::is_done(&before);
        if matches!(shown.verb(), "start" | "restart") && !is_done {
            joined::demand_network(docker, &before).await?;
            demand_contents(context, &[&before]).await?;
        }
        // A signal can mean to read the files again, and docker restarts what ends by one.
        let is_signal = |word: &String| word.starts_with("--signal=") && !word.ends_with("KILL");
        if shown.argv().iter().any(is_signal) {
            judge_again(docker, [&before]).await?;
        }
        if matches!(shown.verb(), "stop" | "kill") {
            judge_end(context, &before)?;
            judge_files_at_end(context, &before).await?;
        }
        let ends = matches!(shown.verb(), "stop" | "restart" | "kill") && before.state.running;
        let runs_already = is_done && shown.verb() == "start";
        let act = (!is_done).then_some(Act(act));
        Ok(Prepared::new([shown], Ready { before, act, ends, runs_already }))
    }

    async fn forecast(ready: &Ready, context: &Context) -> Result<Map<String, Value>, Error> {
        if !ready.ends {
            return Ok(Map::new());
        }
        let notes = joined::would_be_left_behind(&context.docker, &ready.before).await;
        Ok(Map::from_iter([("notes".to_owned(), notes.into())]))
    }

    /// Acts, and looks again.
    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        let Ready { before, act, ends, runs_already } = ready;
        if let Some(act) = &act {
            let done = context.docker.run(act).await;
            done.map_err(|error| error.with("container", before.name()))?;
        }
        let by_id = ContainerRef::try_from(before.id.clone())
            .map_err(|problem| Error::new(Code::UnexpectedOutput, problem))?;
        let after = match inspect(context, &by_id).await {
            Err(error) if error.code == Code::ContainerNotFound => None,
            after => Some(after?).filter(|after| !is_going(after)),
        };
        let warnings = if ends {
            joined::left_behind(&context.docker, &[&before]).await
        } else if runs_already {
            joined::without_network(&context.docker, [&before]).await
        } else {
            vec![]
        };
        let gone =
            || Reply { state: "removed".to_owned(), health: None, ..reply(&before, act.is_some()) };
        let done = after.map_or_else(gone, |after| reply(&after, act.is_some()));
        Ok(Reply { warnings, ..done })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StartContainer(Target);

impl Action for StartContainer {
    const SPEC: Spec = Spec {
        name: "start-container",
        title: "Start container",
        description: "Start a stopped container (`docker start`). A new one: create-container.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };

    fn container(&self) -> &ContainerRef {
        &self.0.container_name
    }

    fn is_done(container: &Container) -> bool {
        is_running(container)
    }

    fn invocation(&self, _: &Container, operand: &str) -> Invocation {
        Invocation::docker(Effect::Change, ["container", "start"]).operands([operand])
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StopContainer(Graceful);

impl Action for StopContainer {
    const SPEC: Spec = Spec {
        name: "stop-container",
        title: "Stop container",
        description: "Stop (shut down) a container gracefully (`docker stop`): SIGTERM, then SIGKILL after \
                      timeout_seconds. Undo: start-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };

    fn container(&self) -> &ContainerRef {
        &self.0.container_name
    }

    fn is_done(container: &Container) -> bool {
        is_stopped(container)
    }

    fn invocation(&self, container: &Container, operand: &str) -> Invocation {
        self.0.invocation("stop", container, operand)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RestartContainer(Graceful);

impl Action for RestartContainer {
    const SPEC: Spec = Spec {
        name: "restart-container",
        title: "Restart container",
        description: "Restart (reboot) a container as it is (`docker restart`). Other settings: \
                      recreate-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: false,
    };

    fn container(&self) -> &ContainerRef {
        &self.0.container_name
    }

    fn invocation(&self, container: &Container, operand: &str) -> Invocation {
        self.0.invocation("restart", container, operand)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillContainer {
    /// The container, by name or ID.
    container_name: ContainerRef,
    /// Such as SIGHUP; default SIGKILL.
    signal: Option<Signal>,
}

impl Action for KillContainer {
    const SPEC: Spec = Spec {
        name: "kill-container",
        title: "Signal container",
        description: "Kill a container or send it a signal at once (`docker kill`, SIGKILL, SIGHUP, \
                      SIGUSR1). Gently: stop-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: false,
    };

    fn container(&self) -> &ContainerRef {
        &self.container_name
    }

    fn invocation(&self, _: &Container, operand: &str) -> Invocation {
        Invocation::docker(Effect::Destroy, ["container", "kill"])
            .maybe("--signal", self.signal.as_ref())
            .operands([operand])
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PauseContainer(Target);

impl Action for PauseContainer {
    const SPEC: Spec = Spec {
        name: "pause-container",
        title: "Pause container",
        description: "Pause (freeze) a container (`docker pause`). Undo: unpause-container.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };

    fn container(&self) -> &ContainerRef {
        &self.0.container_name
    }

    fn is_done(container: &Container) -> bool {
        is_paused(container)
    }

    fn invocation(&self, _: &Container, operand: &str) -> Invocation {
        Invocation::docker(Effect::Change, ["container", "pause"]).operands([operand])
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UnpauseContainer(Target);

impl Action for UnpauseContainer {
    const SPEC: Spec = Spec {
        name: "unpause-container",
        title: "Unpause container",
        description: "Unpause (resume) a paused container: let a frozen one go on (`docker unpause`). \
                      Undo: pause-container.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };

    fn container(&self) -> &ContainerRef {
        &self.0.container_name
    }

    fn is_done(container: &Container) -> bool {
        is_running(container)
    }

    fn invocation(&self, _: &Container, operand: &str) -> Invocation {
        Invocation::docker(Effect::Change, ["container", "unpause"]).operands([operand])
    }
}

pub(super) async fn inspect(
    context: &Context,
    container: &ContainerRef,
) -> Result<Container, Error> {
    let mut found = context.docker.run(&InspectContainers::one(container.as_str())).await?;
    found.pop().ok_or_else(|| {
        Error::new(Code::ContainerNotFound, format!("no such container: {container}"))
            .with("container", container.as_str())
    })
}

fn reply(container: &Container, changed: bool) -> Reply {
    let exit_code = container.exit_code();
    Reply {
        id: container.short_id().to_owned(),
        name: container.name().to_owned(),
        state: container.state.status.clone(),
        health: container.health().map(str::to_owned),
        exit_code,
        exit_meaning: exit_code.and_then(|code| exit_meaning(code, container.state.oom_killed)),
        changed,
        warnings: vec![],
    }
}

fn is_running(container: &Container) -> bool {
    container.state.status == "running"
}

/// A `--rm` container goes when it has ended, some milliseconds sooner or later.
fn is_going(container: &Container) -> bool {
    let ended = matches!(container.state.status.as_str(), "exited" | "dead" | "removing");
    container.host_config.auto_remove && ended
}

fn is_stopped(container: &Container) -> bool {
    matches!(container.state.status.as_str(), "exited" | "created" | "dead")
}

fn is_paused(container: &Container) -> bool {
    container.state.status == "paused"
}

impl Graceful {
    /// `-t`: its long form is `--time` up to 27 and `--timeout` from 28.
    fn invocation(&self, verb: &'static str, container: &Container, operand: &str) -> Invocation {
        let seconds = self.timeout_seconds.map(u32::from);
        Invocation::docker(Effect::Destroy, ["container", verb])
            .maybe("-t", seconds)
            .timeout(stop_limit([container], seconds))
            .operands([operand])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stop_may_take_as_long_as_the_container_says() {
        let container: Container = serde_json::from_value(json!({
            "Name": "/db", "State": {"Running": true}, "Config": {"StopTimeout": 100},
        }))
        .unwrap();
        let stop = |given: serde_json::Value| {
            let tool = json!({"container_name": "db", "timeout_seconds": given});
            let tool: Graceful = serde_json::from_value(tool).unwrap();
            let stop = tool.invocation("stop", &container, "db");
            format!("{stop}: {:?}", stop.time_limit().unwrap())
        };
        assert_eq!(stop(json!(null)), "docker container stop -- db: 130s");
        assert_eq!(stop(json!(5)), "docker container stop -t=5 -- db: 35s");
    }
}
