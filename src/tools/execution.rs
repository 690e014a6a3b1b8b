//! A command in a container that runs: for exec-container and compose-exec.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::confirm::token;
use super::outcome::{self, SHOWN, is_dockers_own};
use super::protect::{judge_changes, judge_protection, judge_target};
use super::{Context, Prepared};
use crate::command::containers::{Container, InspectContainers, State, exit_meaning};
use crate::command::values::{Bounded, CommandLine, ContainerPath, Environment, UserSpec};
use crate::command::{Command, Effect, Invocation, Output};
use crate::docker::Docker;
use crate::error::{Code, Error};

/// Every process of the command inherits it, which is how they are found again.
const MARK: &str = "DOCKER_MCP_EXEC";
/// How a client ends that has caught SIGHUP, SIGINT or SIGTERM: some versions with 0.
const CAUGHT: [i32; 4] = [0, 129, 130, 143];
/// Ending what runs in the container.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// What is run, and how: the parameters that both tools have.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Execution {
    /// Program and arguments; no shell.
    command: CommandLine,
    /// User[:group] it runs as.
    user: Option<UserSpec>,
    /// Folder where it runs.
    working_dir: Option<ContainerPath>,
    /// Environment variables, by name.
    #[serde(default)]
    environment: Environment,
    /// Text for its standard input.
    stdin: Option<String>,
    /// Most seconds it may take; default 60.
    timeout_seconds: Option<Bounded<1, 3600>>,
    /// Do not wait for its end.
    #[serde(default)]
    detach: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    container: String,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    timed_out: Option<bool>,
    stdout: String,
    stderr: String,
    /// What may still be going on.
    notes: Vec<String>,
    duration_ms: u64,
}

impl Execution {
    /// # Errors
    /// DKR-010 for a container that does not run, and whatever docker says of the command.
    pub(super) async fn prepare(
        self,
        context: &Context,
        container: Container,
    ) -> Result<Prepared<Ready>, Error> {
        let docker = &context.docker;
        judge_changes(docker, [&container])?;
        judge_target(docker, &container.id).await?;
        // Any command can end its main program, and then docker removes it.
        if container.host_config.auto_remove {
            let name = container.name();
            judge_protection(docker, "container", name, &container.config.labels)?;
        }
        demand_running(&container)?;
        let shown = self.invocation(container.name(), None);
        Ok(Prepared::new([shown], Ready { execution: self, container, mark: token()? }))
    }

    pub(super) fn invocation(&self, container: &str, mark: Option<&str>) -> Invocation {
        let mut exec = Invocation::docker(Effect::Destroy, ["container", "exec"])
            .flag("--detach", self.detach)
            .flag("--interactive", self.stdin.is_some())
            .maybe("--user", self.user.as_ref())
            .maybe("--workdir", self.working_dir.as_ref())
            .maybe("--env", mark.map(|mark| format!("{MARK}={mark}")));
        if let Some(stdin) = &self.stdin {
            exec = exec.stdin(stdin.as_bytes().to_vec());
        }
        let seconds = self.timeout_seconds.map_or(60, Bounded::get);
        exec.environment(&self.environment)
            .streams(outcome::both_ends(SHOWN))
            // Not a time limit: what it has said by then is part of the answer.
            .follow(Duration::from_secs(seconds.into()))
            .operands([container])
            .operands(self.command.words())
    }
}

/// What is run where, and by what it is found again.
pub(super) struct Ready {
    execution: Execution,
    container: Container,
    mark: String,
}

impl Ready {
    /// # Errors
    /// Whatever docker says of the command.
    pub(super) async fn run(&self, docker: &Docker) -> Result<Reply, Error> {
        let Self { execution, container, mark } = self;
        let started = Instant::now();
        let exec = Exec(execution.invocation(&container.id, Some(mark)));
        let output = match docker.run(&exec).await {
            Ok(output) => output,
            Err(error) if error.code == Code::Cancelled => {
                return Err(error.hint(self.end(&docker.for_cleanup()).await));
            }
            Err(error) if error.code == Code::ClientKilled => {
                let error = error.with("container", container.name());
                return Err(self.orphaned(docker, error).await);
            }
            Err(error) => return Err(error.with("container", container.name())),
        };
        let mut reply = Reply {
            container: container.name().to_owned(),
            duration_ms: outcome::milliseconds(started.elapsed()),
            ..Reply::default()
        };
        if output.stopped {
            reply.timed_out = Some(true);
            reply.notes.push(self.end(&docker.for_cleanup()).await);
        } else {
            died_with_the_daemon(docker, container, &output).await?;
            if CAUGHT.contains(&output.exit_code) && !execution.detach {
                let ended = self.demand_its_end(docker).await;
                ended.map_err(|error| error.with("container", container.name()))?;
            }
            reply.exit_code = (!execution.detach).then_some(output.exit_code);
            reply.exit_meaning = exit_meaning(output.exit_code, false);
        }
        reply.stdout = without_mark(output.stdout, mark);
        reply.stderr = output.stderr;
        Ok(reply)
    }
}

/// `env` prints the variable that is ours.
fn without_mark(stdout: String, mark: &str) -> String {
    let ours = format!("{MARK}={mark}");
    if !stdout.contains(&ours) {
        return stdout;
    }
    stdout.split_inclusive('\n').filter(|line| line.trim_end() != ours).collect()
}

fn demand_running(container: &Container) -> Result<(), Error> {
    let (name, state) = (container.name(), container.state.status.as_str());
    let hint = match state {
        "running" => return Ok(()),
        "paused" => "unpause-container lets it go on",
        "restarting" => "it ends again and again: get-logs tells why",
        _ => "start-container starts it; run-container runs a command in a new one",
    };
    let message = format!("container {name} is not running: it is {state}");
    Err(Error::new(Code::WrongState, message).with("container", name).hint(hint))
}

/// An exec ends with 255 and without a word when the daemon dies under it.
async fn died_with_the_daemon(
    docker: &Docker,
    container: &Container,
    output: &Output,
) -> Result<(), Error> {
    if output.exit_code == 255 && output.stdout.is_empty() && output.stderr.is_empty() {
        docker.run(&InspectContainers::one(&container.id)).await?;
    }
    Ok(())
}

/// The container as it is now, also when it is there no longer.
async fn now(docker: &Docker, container: &Container) -> Result<Container, Error> {
    let found = docker.run(&InspectContainers::listed([container.id.clone()])).await?.pop();
    Ok(found.unwrap_or_else(|| {
        let state = State { status: "removed".to_owned(), ..State::default() };
        Container { state, ..Container::default() }
    }))
}

/// What there is of a command in its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The process that docker has started.
    Itself,
    /// Only processes that it has left behind.
    Others,
    Nothing,
    /// It cannot be looked for, or not everything was seen.
    Unknown,
}

impl Ready {
    /// Ends what runs in the container: to end the client leaves it running (moby#9098).
    async fn end(&self, docker: &Docker) -> String {
        match self.look(docker, Some("kill -KILL ${p#/proc/}")).await {
            Found::Itself | Found::Others => "the command was killed in the container",
            Found::Nothing => "the command had ended by then",
            Found::Unknown => {
                "the command may still be running in the container: its image has no sh and tr with which to end it, or not the rights; restart-container ends it"
            }
        }
        .to_owned()
    }

    /// The end of the client says nothing of the command: what became of that is looked up.
    async fn orphaned(&self, docker: &Docker, error: Error) -> Error {
        let over = match now(docker, &self.container).await.map(|now| now.state.status).as_deref() {
            Ok(state @ ("exited" | "dead" | "removed")) => Some(state.to_owned()),
            _ => None,
        };
        if let Some(state) = over {
            return error.with("program", format!("ended with its container, which is {state}"));
        }
        let (program, hint) = match self.look(docker, None).await {
            Found::Itself | Found::Others => (
                "still running in the container",
                "what it prints from now on is lost; to end it, kill it with exec-container or use restart-container",
            ),
            Found::Nothing => (
                "ended; its exit code is not known",
                "look at what it has done before it is run again",
            ),
            Found::Unknown => (
                "not known",
                "it may still be running: its image has no sh and tr with which to look, or not the rights; restart-container ends it",
            ),
        };
        error.with("program", program).hint(hint)
    }

    /// Docker 28 that is asked to end (SIGTERM, SIGINT) ends with 0 as if the command had.
    async fn demand_its_end(&self, docker: &Docker) -> Result<(), Error> {
        let now = now(docker, &self.container).await;
        let is_over = now.is_ok_and(|now| now.exec_ids.is_empty());
        if is_over || self.look(docker, None).await != Found::Itself {
            return Ok(());
        }
        let message = "the docker client ended before the command that it was to wait for, as it does when it is asked to end (SIGTERM); this server did not ask";
        let error = Error::new(Code::ClientKilled, message);
        Err(self.orphaned(docker, error).await)
    }

    /// Looks for the processes of the command, and does that with each.
    async fn look(&self, docker: &Docker, act: Option<&str>) -> Found {
        let Self { execution, container, mark } = self;
        let user = execution.user.as_ref().map_or(container.config.user.as_str(), AsRef::as_ref);
        let mut all_were_seen = false;
        // Root without its capabilities does not see the processes of other users.
        for user in [user, "0"] {
            let look = Invocation::docker(Effect::Destroy, ["container", "exec"])
                .maybe("--user", Some(user).filter(|user| !user.is_empty()))
                .timeout(KILL_LIMIT)
                .operands([container.id.as_str(), "sh", "-c", &script(mark, act)]);
            let Ok(output) = docker.run(&Exec(look)).await else { continue };
            if output.stdout.contains("itself") {
                return Found::Itself;
            }
            if output.stdout.contains("found") {
                return Found::Others;
            }
            all_were_seen |= output.exit_code == 0 && output.stdout.is_empty();
        }
        if all_were_seen { Found::Nothing } else { Found::Unknown }
    }
}

/// Twice: a process that is found late may have started another one. The one that docker has
/// started has no parent within the container.
fn script(mark: &str, act: Option<&str>) -> String {
    let act = act.unwrap_or("true");
    format!(
        "for i in 1 2; do for p in /proc/[0-9]*; do \
         if e=$(tr '\\0' ' ' <$p/environ) 2>/dev/null; then case $e in *{MARK}={mark}*) \
         w=found; while read -r k v; do [ \"$k $v\" = 'PPid: 0' ] && w=itself; done <$p/status; \
         {act} && echo $w;; esac; elif [ -d $p ]; then echo unseen; fi; done; done 2>/dev/null"
    )
}

/// `docker container exec`, whose exit code is that of the command.
struct Exec(Invocation);

impl Command for Exec {
    type Reply = Output;

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0 || !is_dockers_own(output)
    }

    fn parse(&self, output: &Output) -> Result<Output, Error> {
        Ok(output.clone())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn argv(arguments: serde_json::Value) -> String {
        let execution: Execution = serde_json::from_value(arguments).unwrap();
        execution.invocation("shop-web-1", None).to_string()
    }

    #[test]
    fn argv_of_an_execution() {
        assert_snapshot!(argv(json!({"command": "ls -l"})), @"docker container exec -- shop-web-1 ls -l");
        assert_snapshot!(
            argv(json!({
                "command": ["sh", "-c", "echo $X"], "user": "1000:1000", "working_dir": "/app",
                "environment": {"X": "secret"}, "stdin": "hello",
            })),
            @"docker container exec --interactive --user=1000:1000 --workdir=/app --env=X -- shop-web-1 sh -c 'echo $X'"
        );
        assert_snapshot!(argv(json!({"command": ["a"], "detach": true, "environment": {"X": "y"}})), @"docker container exec --detach --env-file=/dev/stdin -- shop-web-1 a");
    }

    #[test]
    fn the_variable_that_is_ours_is_not_shown() {
        let shown = |stdout: &str| without_mark(stdout.to_owned(), "abc");
        assert_eq!(shown("A=1\nDOCKER_MCP_EXEC=abc\nB=2"), "A=1\nB=2");
        assert_eq!(shown("A=1\r\nDOCKER_MCP_EXEC=abc\r\n"), "A=1\r\n");
        let other = "DOCKER_MCP_EXEC=other\nsaid DOCKER_MCP_EXEC=abc\n";
        assert_eq!(shown(other), other);
    }

    #[test]
    fn a_container_that_does_not_run_is_told_with_what_helps() {
        let container = |state: &str| -> Container {
            serde_json::from_value(json!({"Name": "/web", "State": {"Status": state}})).unwrap()
        };
        assert!(demand_running(&container("running")).is_ok());
        assert_snapshot!(demand_running(&container("paused")).unwrap_err(), @"
        Error: DKR-010 wrong_state: container web is not running: it is paused | Context: container=web
        hint: unpause-container lets it go on
        ");
        assert_snapshot!(demand_running(&container("exited")).unwrap_err(), @"
        Error: DKR-010 wrong_state: container web is not running: it is exited | Context: container=web
        hint: start-container starts it; run-container runs a command in a new one
        ");
    }
}
