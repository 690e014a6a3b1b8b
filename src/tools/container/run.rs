use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;

use super::create::{Creation, Order, RemoveOwn, Settings, yes};
use crate::command::containers::{Container, InspectContainers};
use crate::command::text::short_id;
use crate::command::values::{Bounded, ContainerName, ImageRef};
use crate::command::{Act, Attempt, Effect, Invocation, Output, Program, diagnose, time};
use crate::docker::{Docker, Line};
use crate::error::{Code, Error};
use crate::parameters::With;
use crate::tools::lines::Listener;
use crate::tools::outcome::{Ended, SHOWN, both_ends};
use crate::tools::{Brief, Change, Context, Prepared, Spec, Toolset};

pub(super) type RunContainer = With<Own, Settings>;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Own {
    /// Its image, pulled when missing.
    image: ImageRef,
    /// Its name; default a random one.
    name: Option<ContainerName>,
    /// Remove the container afterwards, as `--rm` does; default true.
    #[serde(default = "yes")]
    remove: bool,
    /// Text for its standard input.
    stdin: Option<String>,
    /// Most seconds it may take; default 60.
    timeout_seconds: Option<Bounded<1, 3600>>,
}

impl Change for RunContainer {
    const SPEC: Spec = Spec {
        name: "run-container",
        title: "Run container",
        description: "Run a one-off command in a new, throwaway container to its end, and give its output \
                      (`docker run --rm`), for tests and scripts. To leave it running: create-container.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: false,
        open_world: true,
    };
    const BRIEF: Option<Brief> = Some(Brief {
        described: &[
            "image",
            "command",
            "environment",
            "volumes",
            "network",
            "working_dir",
            "user",
            "remove",
            "stdin",
            "timeout_seconds",
        ],
        others: "All of create-container.",
    });
    type Ready = (Self, Creation);
    type Reply = Ended;

    async fn prepare(self, context: &Context) -> Result<Prepared<Self::Ready>, Error> {
        let creation = self.order().prepare(context).await?;
        let name = self.own.name.as_ref();
        let mut commands = creation.shown(name);
        commands.push(self.attach(name.map_or("<id>", ContainerName::as_str)));
        Ok(Prepared::new(commands, (self, creation)))
    }

    async fn apply((tool, creation): Self::Ready, context: &Context) -> Result<Ended, Error> {
        let created = creation.make(context).await?;
        let name = tool.own.name.as_ref().map_or(short_id(&created.id), ContainerName::as_str);
        if let Err(error) = creation.bring_up(context, &created, name).await {
            return Err(creation.take_back(context, &created, error).await);
        }
        let mut reply = match tool.to_its_end(context, &created.id).await {
            Ok(reply) => reply,
            Err(Ending::NotStarted(error)) => {
                let error = error.with("container", name).command(tool.attach(name).to_string());
                return Err(creation.take_back(context, &created, error).await);
            }
            Err(Ending::Broken(error)) => {
                let left = tool.clean_up(context, &created.id).await;
                let left = left.unwrap_or_else(|| "nothing, the container was removed".to_owned());
                return Err(error.with("left_behind", left));
            }
        };
        reply.notes.extend(tool.clean_up(context, &created.id).await);
        reply.container = (!tool.own.remove).then(|| name.to_owned());
        reply.warnings = creation.warnings;
        reply.warnings.extend(created.warnings);
        Ok(reply)
    }
}

/// Why there is no answer.
enum Ending {
    NotStarted(Error),
    /// It was cancelled, or docker went away.
    Broken(Error),
}

impl RunContainer {
    fn order(&self) -> Order<'_> {
        Order {
            image: &self.own.image,
            name: self.own.name.as_ref(),
            restart: None,
            interactive: self.own.stdin.is_some(),
            start: false,
            settings: &self.shared,
            carried: None,
        }
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.own.timeout_seconds.map_or(60, Bounded::get).into())
    }

    /// Attached: the two streams stay apart, and it does not matter where they are logged.
    fn attach(&self, container: &str) -> Invocation {
        let start = Invocation::docker(Effect::Change, ["container", "start"])
            .flag("--attach", true)
            .flag("--interactive", self.own.stdin.is_some())
            .streams(both_ends(SHOWN))
            // Not a time limit: what it has said by then is part of the answer.
            .follow(self.limit())
            .operands([container]);
        match &self.own.stdin {
            Some(stdin) => start.stdin(stdin.as_bytes().to_vec()),
            None => start,
        }
    }

    async fn to_its_end(&self, context: &Context, id: &str) -> Result<Ended, Ending> {
        let docker = &context.docker;
        let started = Instant::now();
        // Its exit code is that of the container.
        let attach = Attempt(self.attach(id));
        let mut listener = Listener::new(docker);
        let listens = docker.progress().is_heard();
        let listen = |line: Line<'_>| {
            let (Line::Stdout(line) | Line::Stderr(line)) = line;
            if listens {
                listener.hear(line);
            }
        };
        let output = docker.watch(&attach, listen).await;
        let elapsed = started.elapsed();
        let output = match output {
            Err(error) if error.code == Code::ClientKilled => {
                let container = state(docker, id).await.map_err(Ending::Broken)?;
                return Err(Ending::Broken(orphaned(error, &container)));
            }
            output => output.map_err(Ending::Broken)?,
        };
        let container = state(docker, id).await.map_err(Ending::Broken)?;
        if time::from_docker(&container.state.started_at).is_empty() {
            return Err(Ending::NotStarted(failure(&attach, &output)));
        }
        let ended = if output.stopped {
            Ended::by_force(self.limit(), output)
        } else if let Some(code) = container.exit_code() {
            Ended::by_itself(&container, Some(code), output)
        } else {
            let error = failure(&attach, &output);
            return Err(Ending::Broken(orphaned(error, &container)));
        };
        Ok(ended.after(elapsed))
    }

    /// Whatever happened, it does not run on, and is not left behind unless it is to be kept; says
    /// what could not be done. A cancelled call still has its time for this.
    async fn clean_up(&self, context: &Context, id: &str) -> Option<String> {
        let docker = context.docker.for_cleanup();
        let done = if self.own.remove {
            docker.run(&RemoveOwn(id.to_owned())).await
        } else {
            end(&docker, id).await
        };
        let error = done.err()?;
        Some(format!("container {}, which could not be removed: {}", short_id(id), error.message))
    }
}

/// Ends what this call has started, if it still runs. It is a change and no destruction, as
/// [`RemoveOwn`] is.
async fn end(docker: &Docker, id: &str) -> Result<(), Error> {
    let kill = Invocation::docker(Effect::Change, ["container", "kill"]).operands([id]);
    match docker.run(&Act(kill)).await {
        Err(error) if error.code == Code::WrongState => Ok(()),
        ended => ended,
    }
}

/// The end of the client says nothing of the program.
fn orphaned(error: Error, container: &Container) -> Error {
    error.with(
        "program",
        match container.exit_code() {
            Some(code) => format!("ended with exit code {code}"),
            None => "was still running, and was ended with its container".to_owned(),
        },
    )
}

async fn state(docker: &Docker, id: &str) -> Result<Container, Error> {
    let query = InspectContainers::one(id);
    let container = docker.run(&query).await?.pop();
    container.ok_or_else(|| {
        Error::new(Code::ContainerNotFound, "somebody removed the new container at once")
    })
}

/// Whether docker could start it at all is asked after its end: a program may use docker's words.
fn failure(attach: &Attempt, output: &Output) -> Error {
    let (code, verb) = (Some(output.exit_code), attach.0.verb());
    diagnose::diagnose(Program::Docker, verb, code, &output.stdout, &output.stderr)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::tools::{arguments, schema};

    #[test]
    fn argv_of_run_container() {
        let argv = |arguments| {
            let tool: RunContainer = serde_json::from_value(arguments).unwrap();
            tool.attach("web").to_string()
        };
        assert_snapshot!(argv(json!({"image": "a"})), @"docker container start --attach -- web");
        assert_snapshot!(argv(json!({"image": "a", "stdin": "x"})), @"docker container start --attach --interactive -- web");
    }

    #[test]
    fn what_is_only_named_is_repaired_and_refused_all_the_same() {
        let full = schema::full::<RunContainer>();
        let given = json!({"image": "a", "hostname": "h", "cap_drop": "[\"ALL\"]", "init": "true"});
        let fitted = arguments::fit(&full, given.as_object().unwrap().clone()).unwrap();
        assert_eq!((&fitted["cap_drop"], &fitted["init"]), (&json!(["ALL"]), &json!(true)));
        for wrong in ["hostnam", "restart", "start"] {
            let given = json!({"image": "a", wrong: "x"});
            let error = arguments::fit(&full, given.as_object().unwrap().clone()).unwrap_err();
            assert_eq!(error.code, Code::InvalidConfiguration, "{wrong}");
        }

        let short = schema::advertised(&full, RunContainer::BRIEF);
        let described = short["properties"].as_object().unwrap();
        assert!(described.len() == RunContainer::BRIEF.unwrap().described.len());
        assert!(short["patternProperties"].as_object().unwrap().contains_key("^[a-z_]+$"));
        assert_eq!(short["additionalProperties"], false);
    }
}
