use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failure;
use super::model::{Vetted, resolve_for, vet};
use super::project;
use super::source::{ComposeFiles, ComposeText, Source};
use super::up::PREPARATION;
use super::values;
use crate::command::containers::{Container, InspectContainers, exit_meaning};
use crate::command::values::{Bounded, CommandLine, Environment, ProjectName, ServiceName};
use crate::command::{Command, Effect, Invocation, Output, labels};
use crate::docker::{Docker, Line};
use crate::error::{Code, Error};
use crate::tools::build_log::BuildLog;
use crate::tools::confirm::token;
use crate::tools::outcome::{SHOWN, both_ends, first_failure, milliseconds};
use crate::tools::protect::{judge_changes, judge_target};
use crate::tools::reply::{Change, DryRun};
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeRun {
    /// Project.
    project_name: ProjectName,
    /// Service.
    service: ServiceName,
    /// No shell (default: its own).
    command: Option<CommandLine>,
    /// Default: the deployed file.
    compose_yaml: Option<ComposeText>,
    /// Or its path(s).
    compose_file: Option<ComposeFiles>,
    /// Also for `${…}`.
    #[serde(default)]
    environment: Environment,
    /// Without dependencies.
    #[serde(default)]
    no_deps: bool,
    /// Default 300.
    timeout_seconds: Option<Bounded<1, 3600>>,
    /// Preview.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    project: String,
    service: String,
    exit_code: Option<i32>,
    exit_meaning: Option<&'static str>,
    timed_out: Option<bool>,
    /// The first place in the output that looks like a failure, when it failed.
    first_failure: Option<String>,
    stdout: String,
    stderr: String,
    notes: Vec<String>,
    warnings: Vec<String>,
    duration_ms: u64,
    command: String,
}

impl Tool for ComposeRun {
    const SPEC: Spec = Spec {
        name: "compose-run",
        title: "Run one-off",
        description: "Run tests or a one-off command of a service. In a running one: compose-exec.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: true,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let (text, files) = (self.compose_yaml.as_ref(), self.compose_file.as_ref());
        let running = project::containers(docker, &self.project_name).await?;
        let project = &self.project_name;
        let source = Source::read_or_find(&context.workspace, text, files, project, &running)?;
        let services = std::slice::from_ref(&self.service);
        let resolved =
            resolve_for(docker, &self.project_name, &source, vec![], &self.environment, services)
                .await
                .map_err(|error| error.with("file", source.name()))?;
        let warnings = resolved.warnings.clone();
        let vetted = vet(docker, resolved).await?;
        judge_changes(docker, &running)?;
        if self.no_deps {
            self.judge_what_it_shares(docker, &vetted).await?;
        }
        let token = token()?;
        let one_off = OneOff {
            docker,
            name: format!("{}-{}-run-{}", self.project_name, self.service, token),
            limit: Duration::from_secs(self.timeout_seconds.map_or(300, Bounded::get).into()),
        };
        let run = self.invocation(&vetted, &one_off.name, &token);
        if self.dry_run {
            return Ok(Change::DryRun(DryRun::new([run])));
        }
        let result = one_off.to_its_end(&Run(run.clone())).await;
        // Whatever happened, it is not left behind; a cancelled call still has its time for this.
        let removed = one_off.remove().await;
        let mut reply = result.map_err(|error| error.with("service", self.service.as_str()))?;
        if let Err(error) = removed {
            reply.notes.push(format!("the container {} stays: {}", one_off.name, error.message));
        }
        reply.project = self.project_name.to_string();
        reply.service = self.service.to_string();
        reply.warnings = warnings;
        reply.command = run.to_string();
        Ok(Change::Done(reply))
    }
}

impl ComposeRun {
    /// Without its dependencies being made anew, the containers whose volumes or namespaces it
    /// shares are those that run, and not what the model says.
    async fn judge_what_it_shares(&self, docker: &Docker, vetted: &Vetted) -> Result<(), Error> {
        let document = vetted.resolved().document()?;
        let shared = values::shared_services(&document, self.service.as_str());
        if shared.is_empty() {
            return Ok(());
        }
        for container in project::containers(docker, &self.project_name).await? {
            if shared.contains(&project::service(&container)) {
                judge_target(docker, &container.id).await?;
            }
        }
        Ok(())
    }

    /// Detached: to end an attached client would leave the container running.
    fn invocation(&self, vetted: &Vetted, name: &str, token: &str) -> Invocation {
        let mut run = vetted
            .invocation(Effect::Destroy, "run")
            .flag("--detach", true)
            .flag("-T", true)
            .option("--name", name)
            .option("--label", format!("{}={token}", labels::REQUEST))
            .flag("--no-deps", self.no_deps)
            .timeout(PREPARATION)
            .operands([&self.service]);
        for (key, value) in &self.environment {
            // Compose takes the value from its own environment, where no process list shows it.
            run = run.option("--env", key).client_env(key.as_str(), value);
        }
        match &self.command {
            Some(command) => run.operands(command.words()),
            None => run,
        }
    }
}

/// A container that is made for one command.
struct OneOff<'a> {
    docker: &'a Docker,
    name: String,
    limit: Duration,
}

impl OneOff<'_> {
    async fn to_its_end(&self, run: &Run) -> Result<Reply, Error> {
        let docker = self.docker;
        let mut log = BuildLog::default();
        let listen = |line: Line<'_>| {
            let (Line::Stdout(text) | Line::Stderr(text)) = line;
            docker.progress().say(text.trim().chars().take(200).collect::<String>());
            log.hear(line);
        };
        let made = docker.watch(run, listen).await;
        made.map_err(|error| failure::of_build(&log, error, |_| false))?;
        let started = Instant::now();
        let wait = Wait { container: self.name.clone(), limit: self.limit };
        let timed_out = match docker.run(&wait).await {
            Ok(()) => false,
            Err(error) if error.code == Code::Timeout => true,
            Err(error) => return Err(error),
        };
        let elapsed = started.elapsed();
        let output = docker.run(&Printed { container: self.name.clone() }).await?;
        let container = self.inspect().await?;
        let exit_code = container.exit_code().filter(|_| !timed_out);
        let failed = exit_code != Some(0);
        let mut notes = vec![];
        if timed_out {
            notes.push(format!("it was killed after {} s", self.limit.as_secs()));
        }
        Ok(Reply {
            exit_code,
            exit_meaning: exit_code.and_then(|code| exit_meaning(code, container.state.oom_killed)),
            timed_out: timed_out.then_some(true),
            first_failure: failed.then(|| first_failure(&output)).flatten(),
            stdout: output.stdout,
            stderr: output.stderr,
            notes,
            duration_ms: milliseconds(elapsed),
            ..Reply::default()
        })
    }

    async fn inspect(&self) -> Result<Container, Error> {
        let inspect = InspectContainers { containers: vec![self.name.clone()], may_vanish: false };
        let found = self.docker.run(&inspect).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Error::new(Code::ContainerNotFound, format!("{} is gone", self.name)))
    }

    /// With its nameless volumes. That it was never made is as good.
    async fn remove(&self) -> Result<(), Error> {
        let remove = Run(Invocation::docker(Effect::Destroy, ["container", "rm"])
            .flag("--force", true)
            .flag("--volumes", true)
            .operands([&self.name]));
        match self.docker.for_cleanup().run(&remove).await {
            Err(error) if error.code != Code::ContainerNotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A command whose output is not looked at.
struct Run(Invocation);

impl Command for Run {
    type Reply = ();

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    fn parse(&self, _: &Output) -> Result<(), Error> {
        Ok(())
    }
}

/// `docker container wait`, which ends when the container does.
struct Wait {
    container: String,
    limit: Duration,
}

impl Command for Wait {
    type Reply = ();

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "wait"])
            .timeout(self.limit)
            .operands([&self.container])
    }

    fn parse(&self, _: &Output) -> Result<(), Error> {
        Ok(())
    }
}

/// `docker container logs`, the two streams apart.
struct Printed {
    container: String,
}

impl Command for Printed {
    type Reply = Output;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "logs"])
            .option("--tail", 10_000)
            .streams(both_ends(SHOWN))
            .operands([&self.container])
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
    use crate::tools::compose::model::testing;

    fn invocation(mut arguments: serde_json::Value) -> Invocation {
        arguments["project_name"] = "shop".into();
        arguments["service"] = "web".into();
        let tool: ComposeRun = serde_json::from_value(arguments).unwrap();
        let model = r#"{"services":{"web":{"image":"x"}}}"#;
        tool.invocation(&testing::vetted("shop", model), "shop-web-run-1", "1")
    }

    #[test]
    fn argv_of_compose_run() {
        assert_snapshot!(invocation(json!({})), @"docker compose --ansi=never --progress=plain --project-name=shop --project-directory=/srv/shop --env-file=/dev/null --file=- run --detach -T --name=shop-web-run-1 --label=docker-mcp-server.request=1 -- web");
        let all = invocation(json!({
            "command": ["sh", "-c", "exit 3"], "environment": {"KEY": "secret"}, "no_deps": true
        }));
        assert_snapshot!(all, @"docker compose --ansi=never --progress=plain --project-name=shop --project-directory=/srv/shop --env-file=/dev/null --file=- run --detach -T --name=shop-web-run-1 --label=docker-mcp-server.request=1 --no-deps --env=KEY -- web sh -c 'exit 3'");
        assert_eq!(all.env().keys().collect::<Vec<_>>(), ["KEY"]);
    }
}
