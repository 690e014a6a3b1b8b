use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::project;
use super::view::no_such_service;
use crate::command::containers::{Container, InspectContainers, exit_meaning};
use crate::command::values::{
    Bounded, CommandLine, ContainerPath, Environment, ProjectName, ServiceName, UserSpec,
};
use crate::command::{Capture, Command, Effect, Invocation, Output, Streams};
use crate::docker::{Docker, Line};
use crate::error::{Code, Error};
use crate::tools::confirm::token;
use crate::tools::protect::{judge_changes, judge_target};
use crate::tools::reply::{Change, DryRun};
use crate::tools::{Context, Spec, Tool, Toolset};

/// Bytes of each stream that are shown; the end of it.
pub(super) const SHOWN: usize = 16 << 10;
/// Every process of the command inherits it, which is how they are found again.
const MARK: &str = "DOCKER_MCP_EXEC";
/// Ending what runs in the container.
const KILL_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeExec {
    /// Compose project.
    project_name: ProjectName,
    /// Service.
    service: ServiceName,
    /// Program and arguments; no shell.
    command: CommandLine,
    /// Which container (default: the first running).
    index: Option<Bounded<1, 1000>>,
    /// User[:group].
    user: Option<UserSpec>,
    /// Folder to run in.
    working_dir: Option<ContainerPath>,
    /// Further variables.
    #[serde(default)]
    environment: Environment,
    /// Standard input.
    stdin: Option<String>,
    /// Seconds until it is killed (default 60).
    timeout_seconds: Option<Bounded<1, 3600>>,
    /// Do not wait.
    #[serde(default)]
    detach: bool,
    /// Preview only.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    container: String,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    timed_out: Option<bool>,
    stdout: String,
    stderr: String,
    /// What is not shown, or may still be going on.
    notes: Vec<String>,
    duration_ms: u64,
    command: String,
}

impl Tool for ComposeExec {
    const SPEC: Spec = Spec {
        name: "compose-exec",
        title: "Run a command in a compose service",
        description: "Run a command in a running compose service: exit code, stdout, stderr. In a new container: compose-run.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: true,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let containers = project::containers(docker, &self.project_name).await?;
        if containers.is_empty() {
            return Err(project::no_such_project(docker, &self.project_name).await);
        }
        let container = self.container(&containers)?;
        judge_changes(docker, [container])?;
        judge_target(docker, &container.id).await?;
        let mark = token()?;
        let shown = self.invocation(container.name(), None);
        if self.dry_run {
            return Ok(Change::DryRun(DryRun::new([shown])));
        }
        let exec = Exec(self.invocation(&container.id, Some(&mark)));
        let started = Instant::now();
        let heard = Heard::default();
        let result = docker.watch(&exec, |line| heard.hear(line)).await;
        let mut reply = Reply {
            container: container.name().to_owned(),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            command: shown.to_string(),
            ..Reply::default()
        };
        match result {
            Ok(output) => {
                died_with_the_daemon(docker, container, &output).await?;
                reply.exit_code = (!self.detach).then_some(output.exit_code);
                reply.exit_meaning = exit_meaning(output.exit_code, false);
                (reply.stdout, reply.stderr, reply.notes) = ends_of(output);
                Ok(Change::Done(reply))
            }
            Err(error) if error.code == Code::Timeout => {
                reply.timed_out = Some(true);
                reply.notes.push(end(docker, container, &mark).await);
                (reply.stdout, reply.stderr) = heard.both();
                Ok(Change::Done(reply))
            }
            Err(error) if error.code == Code::Cancelled => {
                let note = end(&docker.for_cleanup(), container, &mark).await;
                Err(error.hint(note))
            }
            Err(error) => {
                Err(error.with("service", self.service.as_str()).command(shown.to_string()))
            }
        }
    }
}

impl ComposeExec {
    fn container<'a>(&self, containers: &'a [Container]) -> Result<&'a Container, Error> {
        let own: Vec<&Container> = containers
            .iter()
            .filter(|container| project::service(container) == self.service.as_str())
            .collect();
        if own.is_empty() {
            let known: std::collections::BTreeSet<String> =
                containers.iter().map(|other| project::service(other).to_owned()).collect();
            return Err(no_such_service("service", self.service.as_str(), &known));
        }
        let index = self.index.map(Bounded::get);
        let mut wanted: Vec<&Container> = own
            .iter()
            .filter(|container| index.is_none_or(|index| project::number(container) == index))
            .copied()
            .collect();
        wanted.sort_by_key(|container| project::number(container));
        if wanted.is_empty() {
            let numbers: Vec<String> =
                own.iter().map(|container| project::number(container).to_string()).collect();
            let message = format!("there is no container {} of it", index.unwrap_or_default());
            return Err(Error::invalid("index", message)
                .with("service", self.service.as_str())
                .hint(format!("there are {}", numbers.join(", "))));
        }
        let running = wanted.iter().find(|container| container.state.status == "running");
        running.copied().ok_or_else(|| {
            let state = wanted.first().map_or("absent", |first| first.state.status.as_str());
            let message =
                format!("service {:?} is not running: it is {state}", self.service.as_str());
            Error::new(Code::WrongState, message).with("service", self.service.as_str()).hint(
                "compose-start starts it, compose-run runs a command in a container of its own",
            )
        })
    }

    fn invocation(&self, container: &str, mark: Option<&str>) -> Invocation {
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
            .streams(Streams::Split {
                stdout: Capture::Tail { max: SHOWN },
                stderr: Capture::Tail { max: SHOWN },
            })
            .timeout(Duration::from_secs(seconds.into()))
            .operands([container])
            .operands(self.command.words())
    }
}

/// Standard output and standard error, each from the beginning of a line, and what of them is cut.
pub(super) fn ends_of(output: Output) -> (String, String, Vec<String>) {
    let mut notes = vec![];
    let mut end = |stream: &str, text: String, mut cut: u64| {
        if cut == 0 {
            return text;
        }
        let half_a_line = text.find('\n').map_or(0, |end| end + 1);
        cut += half_a_line as u64;
        notes.push(format!("{cut} bytes cut from the beginning of {stream}"));
        text.get(half_a_line..).unwrap_or_default().to_owned()
    };
    let stdout = end("stdout", output.stdout, output.stdout_cut);
    let stderr = end("stderr", output.stderr, output.stderr_cut);
    (stdout, stderr, notes)
}

/// An exec ends with 255 and without a word when the daemon dies under it.
async fn died_with_the_daemon(
    docker: &Docker,
    container: &Container,
    output: &Output,
) -> Result<(), Error> {
    if output.exit_code == 255 && output.stdout.is_empty() && output.stderr.is_empty() {
        let ids = vec![container.id.clone()];
        docker.run(&InspectContainers { containers: ids, may_vanish: false }).await?;
    }
    Ok(())
}

/// Ends what runs in the container: to end the client leaves it running (moby#9098).
async fn end(docker: &Docker, container: &Container, mark: &str) -> String {
    let script = format!(
        "for p in /proc/[0-9]*; do if tr '\\0' '\\n' <$p/environ 2>/dev/null | grep -q '^{MARK}={mark}$'; then kill -KILL ${{p#/proc/}} && echo ended; fi; done"
    );
    let kill = Invocation::docker(Effect::Destroy, ["container", "exec"])
        .option("--user", "0")
        .timeout(KILL_LIMIT)
        .operands([container.id.as_str(), "sh", "-c", &script]);
    match docker.run(&Exec(kill)).await {
        Ok(output) if output.stdout.contains("ended") => {
            "the command was killed in the container".to_owned()
        }
        Ok(output) if output.exit_code == 0 => "the command had ended by then".to_owned(),
        _ => "the command may still be running in the container".to_owned(),
    }
}

/// `docker container exec`, whose exit code is that of the command.
struct Exec(Invocation);

impl Command for Exec {
    type Reply = Output;

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    /// What docker says itself: on standard error, and the runtime's complaint on standard output.
    fn accepts(&self, output: &Output) -> bool {
        const VOICES: [&str; 6] = [
            "Error response from daemon: ",
            "Error: No such ",
            "Cannot connect to the Docker daemon",
            "failed to connect to the docker API",
            "error during connect: ",
            "permission denied while trying to connect",
        ];
        let stderr = output.stderr.trim_start();
        let by_docker = VOICES.iter().any(|voice| stderr.starts_with(voice))
            || output.stdout.trim_start().starts_with("OCI runtime exec failed: ")
            || stderr.starts_with("OCI runtime exec failed: ");
        output.exit_code == 0 || !by_docker
    }

    fn parse(&self, output: &Output) -> Result<Output, Error> {
        Ok(output.clone())
    }
}

/// What was said until the time was over.
#[derive(Default)]
struct Heard(Mutex<(String, String)>);

impl Heard {
    fn hear(&self, line: Line<'_>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, line) = match line {
            Line::Stdout(line) => (&mut heard.0, line),
            Line::Stderr(line) => (&mut heard.1, line),
        };
        if text.len() + line.len() < SHOWN {
            text.push_str(line);
            text.push('\n');
        }
    }

    fn both(self) -> (String, String) {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn argv(mut arguments: serde_json::Value) -> String {
        arguments["project_name"] = "shop".into();
        arguments["service"] = "web".into();
        let tool: ComposeExec = serde_json::from_value(arguments).unwrap();
        tool.invocation("shop-web-1", None).to_string()
    }

    #[test]
    fn argv_of_compose_exec() {
        assert_snapshot!(argv(json!({"command": "ls -l"})), @"docker container exec -- shop-web-1 ls -l");
        assert_snapshot!(
            argv(json!({
                "command": ["sh", "-c", "echo $X"], "user": "1000:1000", "working_dir": "/app",
                "environment": {"X": "secret"}, "stdin": "hello",
            })),
            @"docker container exec --interactive --user=1000:1000 --workdir=/app --env=X -- shop-web-1 sh -c 'echo $X'"
        );
    }

    #[test]
    fn the_exit_code_of_the_command_is_no_failure_of_docker() {
        let exec = Exec(Invocation::docker(Effect::Destroy, ["x"]));
        let output = |exit_code, stdout: &str, stderr: &str| Output {
            exit_code,
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..Output::default()
        };
        assert!(exec.accepts(&output(7, "", "curl: (7) failed")));
        assert!(exec.accepts(&output(127, "", "sh: x: not found")));
        assert!(!exec.accepts(&output(126, "OCI runtime exec failed: exec failed: …", "")));
        assert!(!exec.accepts(&output(
            1,
            "",
            "Error response from daemon: container x is not running"
        )));
    }
}
