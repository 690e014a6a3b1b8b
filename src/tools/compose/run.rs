use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;

use super::failure;
use super::forecast::{Anew, Prospect};
use super::model::{Vetted, resolve_for, vet};
use super::naming::judge_images;
use super::project;
use super::removal;
use super::settle::Expected;
use super::source::{ComposeFiles, ComposeText, Source};
use super::takeover::{self, takeover};
use super::up::PREPARATION;
use super::values;
use super::view::Renewal;
use crate::command::containers::{Container, InspectContainers};
use crate::command::values::{Bounded, CommandLine, Environment, ProjectName, ServiceName};
use crate::command::volumes::is_random;
use crate::command::{Act, Command, Effect, Invocation, Output, labels};
use crate::docker::{Docker, Line};
use crate::error::{Code, Error};
use crate::tools::build_log::BuildLog;
use crate::tools::confirm::token;
use crate::tools::outcome::{Ended, SHOWN, both_ends};
use crate::tools::protect::{judge_changes, judge_target};
use crate::tools::provenance::request;
use crate::tools::{Change, Context, Prepared, Spec, Toolset, losses};

/// Between two looks at the clock.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeRun {
    /// Name of the compose project.
    project_name: ProjectName,
    /// Name of the service in the compose file.
    service: ServiceName,
    /// Program and arguments, no shell; default: its own command.
    command: Option<CommandLine>,
    /// The compose file as text; default: what was deployed, or what `docker compose` finds.
    compose_yaml: Option<ComposeText>,
    /// Path of the file, or several paths.
    compose_file: Option<ComposeFiles>,
    /// Its variables, also values of `${…}`.
    #[serde(default)]
    environment: Environment,
    /// Do not start the services it depends on.
    #[serde(default)]
    no_deps: bool,
    /// Seconds for the command, and before it for what it depends on; default 300.
    timeout_seconds: Option<Bounded<1, 3600>>,
}

impl Change for ComposeRun {
    const SPEC: Spec = Spec {
        name: "compose-run",
        title: "Run one-off",
        description: "Run tests, a migration or another one-off command of a compose service in a new \
                      container (`docker compose run --rm`). In a running one: compose-exec.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: true,
    };
    const REMOVES: bool = false;
    type Ready = Ready;
    type Reply = Ended;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let docker = &context.docker;
        let (text, files) = (self.compose_yaml.as_ref(), self.compose_file.as_ref());
        let running = project::containers(docker, &self.project_name).await?;
        let project = &self.project_name;
        let source = Source::read_or_find(context, text, files, project, &running).await?;
        let services = std::slice::from_ref(&self.service);
        let resolved =
            resolve_for(docker, &self.project_name, &source, vec![], &self.environment, services)
                .await
                .map_err(|error| match error.context.as_slice() {
                    // The call has one service, where others have several.
                    [("parameter", parameter), ..] if parameter == "services" => {
                        error.with("parameter", "service").with("file", source.name())
                    }
                    _ => error,
                })?;
        let warnings = [source.left_out(), resolved.warnings.clone()].concat();
        let vetted = vet(docker, resolved).await?;
        judge_changes(docker, &running)?;
        let expected = self.needed(&vetted)?;
        let services = expected.keys().map(String::as_str).chain([self.service.as_str()]);
        vetted.judge_contents(&source, services)?;
        let anew = Anew::default();
        let prospect = Prospect::of(docker, &vetted, &expected, &running, &anew).await?;
        prospect.judge_protected(context, &anew)?;
        if let Some(folder) = takeover(&source, &running, &prospect) {
            return Err(takeover::refusal(&source, &folder, &prospect));
        }
        judge_losses(context, &prospect).await?;
        let images = expected.keys().map(String::as_str).chain([self.service.as_str()]);
        judge_images(docker, vetted.model(), images, Renewal::default()).await?;
        if self.no_deps {
            self.judge_what_it_shares(docker, &vetted).await?;
        }
        let name = format!("{}-{}-run-{}", self.project_name, self.service, token()?);
        let run = self.invocation(&vetted, &name, &request()?);
        let unfinished = removal::unfinished(&vetted, &expected, &running);
        let (shown, removal) = removal::of_unfinished(docker, &unfinished)?
            .map(|[shown, removal]| (shown, Act(removal)))
            .unzip();
        let commands: Vec<Invocation> = shown.into_iter().chain([run.clone()]).collect();
        let files = source.files(&context.workspace);
        let ready = Ready { tool: self, name, run: Act(run), removal, warnings, files };
        Ok(Prepared::new(commands, ready))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Ended, Error> {
        let Ready { tool, name, run, removal, warnings, files } = ready;
        if let Some(removal) = removal {
            context.docker.run(&removal).await?;
        }
        let one_off = OneOff { docker: &context.docker, name, limit: tool.limit() };
        let result = one_off.to_its_end(&run).await;
        // Whatever happened, it is not left behind; a cancelled call still has its time for this.
        let removed = one_off.remove().await;
        let mut reply = result.map_err(|error| error.with("service", tool.service.as_str()))?;
        if let Err(error) = removed {
            reply.notes.push(format!("the container {} stays: {}", one_off.name, error.message));
        }
        reply.project = Some(tool.project_name.to_string());
        reply.service = Some(tool.service.to_string());
        reply.warnings = warnings;
        reply.files = files;
        Ok(reply)
    }
}

pub(super) struct Ready {
    tool: ComposeRun,
    /// Of the container.
    name: String,
    run: Act,
    /// Of what an earlier call has not finished.
    removal: Option<Act>,
    warnings: Vec<String>,
    files: Vec<String>,
}

impl ComposeRun {
    fn limit(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.map_or(300, Bounded::get).into())
    }

    /// The services that compose brings up before, as `up` does it.
    fn needed(&self, vetted: &Vetted) -> Result<BTreeMap<String, Expected>, Error> {
        let model = vetted.model();
        let mut needed = model.selected(std::slice::from_ref(&self.service))?;
        needed.retain(|name| !self.no_deps && *name != self.service.as_str());
        let expected = |name: &str| {
            let replicas = model.services.get(name)?.replicas();
            Some((name.to_owned(), Expected { replicas, depends_on: vec![] }))
        };
        Ok(needed.into_iter().filter_map(expected).collect())
    }

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
    fn invocation(&self, vetted: &Vetted, name: &str, request: &str) -> Invocation {
        let mut run = vetted
            .invocation(Effect::Destroy, "run")
            .flag("--detach", true)
            .flag("-T", true)
            .option("--name", name)
            .option("--label", format!("{}={request}", labels::REQUEST))
            .flag("--no-deps", self.no_deps)
            .timeout(PREPARATION + self.limit())
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

/// Refuses to make dependencies anew that hold files of their own: there is no plan here.
///
/// # Errors
/// DKR-010.
async fn judge_losses(context: &Context, prospect: &Prospect<'_>) -> Result<(), Error> {
    if !context.confirmations.asks_about_data() {
        return Ok(());
    }
    let mut doomed = losses::containers(context, prospect.going()).await.into_iter();
    let Some(held) = doomed.find(|held| held.loses_data) else { return Ok(()) };
    let message = format!("{} would be made anew first, and {}", held.name, held.holds);
    Err(Error::new(Code::WrongState, message)
        .with("container", held.name)
        .hint("deploy-compose shows a plan for it; no_deps: true leaves it as it is"))
}

/// A container that is made for one command.
struct OneOff<'a> {
    docker: &'a Docker,
    name: String,
    limit: Duration,
}

impl OneOff<'_> {
    async fn to_its_end(&self, run: &Act) -> Result<Ended, Error> {
        let docker = self.docker;
        let mut log = BuildLog::default();
        // Building and pulling have a limit of their own.
        let first_container = OnceLock::new();
        let listen = |line: Line<'_>| {
            let (Line::Stdout(text) | Line::Stderr(text)) = line;
            if text.trim().starts_with("Container ") {
                first_container.get_or_init(Instant::now);
            }
            // At its end compose prints the ID of what it has made.
            let text = if is_random(text.trim()) { &self.name } else { text.trim() };
            docker.progress().say(text.chars().take(200).collect::<String>());
            log.hear(line);
        };
        let made = tokio::select! {
            made = docker.watch(run, listen) => made,
            () = self.until_late(&first_container) => Err(self.late()),
        };
        made.map_err(|error| failure::of_build(&log, error, |_| false))?;
        let started = Instant::now();
        // It ends when the container does.
        let timed_out = loop {
            let wait = Invocation::docker(Effect::Read, ["container", "wait"])
                .timeout(self.limit.saturating_sub(started.elapsed()))
                .operands([&self.name]);
            match docker.run(&Act(wait)).await {
                Ok(()) => break false,
                Err(error) if error.code == Code::Timeout => break true,
                // It is only the client that waits no longer.
                Err(error) if error.code == Code::ClientKilled => {}
                Err(error) => return Err(error),
            }
        };
        let elapsed = started.elapsed();
        let output = docker.run(&Printed { container: self.name.clone() }).await?;
        let container = self.inspect().await?;
        let ended = if timed_out {
            Ended::by_force(self.limit, output)
        } else {
            Ended::by_itself(&container, container.exit_code(), output)
        };
        Ok(ended.after(elapsed))
    }

    async fn until_late(&self, since: &OnceLock<Instant>) {
        while since.get().is_none_or(|since| since.elapsed() < self.limit) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn late(&self) -> Error {
        let seconds = self.limit.as_secs();
        let message =
            format!("what it depends on was not ready within {seconds} s, so nothing was run");
        Error::new(Code::Timeout, message).hint(
            "compose-ps and diagnose show what keeps it; more time: timeout_seconds; without it: no_deps",
        )
    }

    async fn inspect(&self) -> Result<Container, Error> {
        let inspect = InspectContainers::one(&self.name);
        let found = self.docker.run(&inspect).await?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Error::new(Code::ContainerNotFound, format!("{} is gone", self.name)))
    }

    /// With its nameless volumes. That it was never made is as good.
    async fn remove(&self) -> Result<(), Error> {
        let remove = Invocation::docker(Effect::Destroy, ["container", "rm"])
            .flag("--force", true)
            .flag("--volumes", true)
            .operands([&self.name]);
        match self.docker.for_cleanup().run(&Act(remove)).await {
            Err(error) if error.code != Code::ContainerNotFound => Err(error),
            _ => Ok(()),
        }
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
        assert_snapshot!(invocation(json!({})), @"docker compose --ansi=never --progress=plain --project-name=shop --project-directory=/srv/shop --file=- run --detach -T --name=shop-web-run-1 --label=docker-mcp-server.request=1 -- web");
        let all = invocation(json!({
            "command": ["sh", "-c", "exit 3"], "environment": {"KEY": "secret"}, "no_deps": true
        }));
        assert_snapshot!(all, @"docker compose --ansi=never --progress=plain --project-name=shop --project-directory=/srv/shop --file=- run --detach -T --name=shop-web-run-1 --label=docker-mcp-server.request=1 --no-deps --env=KEY -- web sh -c 'exit 3'");
        assert_eq!(all.env().keys().collect::<Vec<_>>(), ["KEY"]);
    }
}
