//! start, stop, restart, kill, pause, unpause: one shape, six verbs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::containers::{Container, InspectContainers, exit_meaning};
use crate::command::values::{ContainerRef, Signal};
use crate::command::{Act, Effect, Invocation};
use crate::error::{Code, Error};
use crate::tools::joined;
use crate::tools::protect::{
    judge_again, judge_changes, judge_end, judge_files_at_end, judge_start,
};
use crate::tools::reply::{Change, DryRun};
use crate::tools::stop_time::stop_limit;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Target {
    /// Name or ID.
    container_name: ContainerRef,
    /// Preview.
    #[serde(default)]
    dry_run: bool,
}

/// Where programs get time to end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Graceful {
    /// Name or ID.
    container_name: ContainerRef,
    /// Seconds until docker kills what has not ended; default: the container's own stop time, or 10.
    timeout_seconds: Option<u16>,
    /// Preview.
    #[serde(default)]
    dry_run: bool,
}

/// The state after the action, read back from docker.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    id: String,
    name: String,
    state: String,
    health: Option<String>,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    /// False when it was so already.
    changed: bool,
    command: String,
    warnings: Vec<String>,
}

/// Looks, acts unless it is so already, and looks again. Acts on the ID, so that a rename in
/// between cannot hit another container.
async fn act(
    context: &Context,
    container: &ContainerRef,
    dry_run: bool,
    is_so_already: fn(&Container) -> bool,
    invocation: impl Fn(&Container, &str) -> Invocation + Send,
) -> Result<Change<Reply>, Error> {
    let before = inspect(context, container).await?;
    judge_changes(&context.docker, [&before])?;
    let shown = invocation(&before, before.name());
    if matches!(shown.verb(), "start" | "restart") {
        judge_start(&context.docker, std::slice::from_ref(&before)).await?;
        judge_again(&context.docker, [&before]).await?;
    }
    let is_so = is_so_already(&before);
    if matches!(shown.verb(), "start" | "restart") && !is_so {
        joined::demand_network(&context.docker, &before).await?;
    }
    // A signal can mean to read the files again, and docker restarts what ends by one.
    let is_signal = |word: &String| word.starts_with("--signal=") && !word.ends_with("KILL");
    if shown.argv().iter().any(is_signal) {
        judge_again(&context.docker, [&before]).await?;
    }
    if matches!(shown.verb(), "stop" | "kill") {
        judge_end(context, &before)?;
        judge_files_at_end(context, &before).await?;
    }
    // With its network goes that of those who use it.
    let ends = matches!(shown.verb(), "stop" | "restart" | "kill") && before.state.running;
    if dry_run {
        let warnings = if ends {
            joined::would_be_left_behind(&context.docker, &before).await
        } else {
            vec![]
        };
        return Ok(Change::DryRun(DryRun::new([shown]).with_notes(warnings)));
    }
    let changed = !is_so;
    if changed {
        context
            .docker
            .run(&Act(invocation(&before, &before.id)))
            .await
            .map_err(|error| error.with("container", before.name()).command(shown.to_string()))?;
    }
    let by_id = ContainerRef::try_from(before.id.clone())
        .map_err(|problem| Error::new(Code::UnexpectedOutput, problem))?;
    let after = match inspect(context, &by_id).await {
        Err(error) if error.code == Code::ContainerNotFound => None,
        after => Some(after?).filter(|after| !is_going(after)),
    };
    let warnings = if ends {
        joined::left_behind(&context.docker, &[&before]).await
    } else if is_so && shown.verb() == "start" {
        joined::without_network(&context.docker, [&before]).await
    } else {
        vec![]
    };
    let gone =
        || Reply { state: "removed".to_owned(), health: None, ..reply(&before, changed, &shown) };
    let done = after.map_or_else(gone, |after| reply(&after, changed, &shown));
    let done = Reply { warnings, ..done };
    Ok(Change::Done(done))
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

fn reply(container: &Container, changed: bool, command: &Invocation) -> Reply {
    let exit_code = container.exit_code();
    Reply {
        id: container.short_id().to_owned(),
        name: container.name().to_owned(),
        state: container.state.status.clone(),
        health: container.health().map(str::to_owned),
        exit_code,
        exit_meaning: exit_code.and_then(|code| exit_meaning(code, container.state.oom_killed)),
        changed,
        command: command.to_string(),
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

fn never(_: &Container) -> bool {
    false
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

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StartContainer(Target);

impl Tool for StartContainer {
    const SPEC: Spec = Spec {
        name: "start-container",
        title: "Start container",
        description: "Start a stopped container. A new one: create-container.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        act(context, &self.0.container_name, self.0.dry_run, is_running, |_, id| {
            Invocation::docker(Effect::Change, ["container", "start"]).operands([id])
        })
        .await
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StopContainer(Graceful);

impl Tool for StopContainer {
    const SPEC: Spec = Spec {
        name: "stop-container",
        title: "Stop container",
        description: "Stop a container: SIGTERM, then SIGKILL after timeout_seconds. Undo: start-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        act(context, &self.0.container_name, self.0.dry_run, is_stopped, |container, id| {
            self.0.invocation("stop", container, id)
        })
        .await
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RestartContainer(Graceful);

impl Tool for RestartContainer {
    const SPEC: Spec = Spec {
        name: "restart-container",
        title: "Restart container",
        description: "Restart a container as it is. Other settings: recreate-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: false,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        act(context, &self.0.container_name, self.0.dry_run, never, |container, id| {
            self.0.invocation("restart", container, id)
        })
        .await
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillContainer {
    /// Name or ID.
    container_name: ContainerRef,
    /// Default SIGKILL.
    signal: Option<Signal>,
    /// Preview.
    #[serde(default)]
    dry_run: bool,
}

impl Tool for KillContainer {
    const SPEC: Spec = Spec {
        name: "kill-container",
        title: "Signal container",
        description: "Signal a container at once. Gently: stop-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: false,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        act(context, &self.container_name, self.dry_run, never, |_, id| {
            Invocation::docker(Effect::Destroy, ["container", "kill"])
                .maybe("--signal", self.signal.as_ref())
                .operands([id])
        })
        .await
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PauseContainer(Target);

impl Tool for PauseContainer {
    const SPEC: Spec = Spec {
        name: "pause-container",
        title: "Pause container",
        description: "Freeze a container. Undo: unpause-container.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        act(context, &self.0.container_name, self.0.dry_run, is_paused, |_, id| {
            Invocation::docker(Effect::Change, ["container", "pause"]).operands([id])
        })
        .await
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UnpauseContainer(Target);

impl Tool for UnpauseContainer {
    const SPEC: Spec = Spec {
        name: "unpause-container",
        title: "Unpause container",
        description: "Let a paused container go on. Undo: pause-container.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        act(context, &self.0.container_name, self.0.dry_run, is_running, |_, id| {
            Invocation::docker(Effect::Change, ["container", "unpause"]).operands([id])
        })
        .await
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
