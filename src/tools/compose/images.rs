//! compose-build and compose-pull: the images of a project, service by service.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failure;
use super::holdings::images_by_name;
use super::model::{Vetted, resolve_for, vet};
use super::naming::judge_images;
use super::project;
use super::source::{ComposeFiles, ComposeText, Source};
use super::view::Renewal;
use crate::command::text::short_id;
use crate::command::values::{Bounded, Environment, ProjectName, ServiceName};
use crate::command::{Command, Effect, Invocation, Output};
use crate::docker::{Docker, Line};
use crate::error::Error;
use crate::sort;
use crate::tools::build_log::BuildLog;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

/// Seconds when the caller does not say.
const LIMIT: u32 = 1800;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeBuild {
    /// Name of the compose project.
    project_name: ProjectName,
    /// The compose file as text; default: what was deployed, or what `docker compose` finds.
    compose_yaml: Option<ComposeText>,
    /// Path of the file, or several paths.
    compose_file: Option<ComposeFiles>,
    /// Values of `${…}` in the file.
    #[serde(default)]
    environment: Environment,
    /// Names of services; default all.
    #[serde(default)]
    services: Vec<ServiceName>,
    /// Build every step again, without the cache.
    #[serde(default)]
    no_cache: bool,
    /// Pull newer versions of the base images first.
    #[serde(default)]
    pull: bool,
    /// Most seconds it may take; default 1800.
    timeout_seconds: Option<Bounded<1, 7200>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposePull {
    /// Name of the compose project.
    project_name: ProjectName,
    /// The compose file as text; default: what was deployed, or what `docker compose` finds.
    compose_yaml: Option<ComposeText>,
    /// Path of the file, or several paths.
    compose_file: Option<ComposeFiles>,
    /// Values of `${…}` in the file.
    #[serde(default)]
    environment: Environment,
    /// Names of services; default all.
    #[serde(default)]
    services: Vec<ServiceName>,
    /// Most seconds it may take; default 1800.
    timeout_seconds: Option<Bounded<1, 7200>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    project: String,
    ok: bool,
    services: Vec<Outcome>,
    duration_ms: u64,
    warnings: Vec<String>,
    /// The compose files that it was read from.
    files: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Outcome {
    service: String,
    image: String,
    id: Option<String>,
    /// `built` or `downloaded`, `up_to_date`, or `failed`.
    status: &'static str,
    error: Option<String>,
}

impl Change for ComposeBuild {
    const SPEC: Spec = Spec {
        name: "compose-build",
        title: "Build project",
        description: "Build the images of a compose project (`docker compose build`), all or of some \
                      services. Then: deploy-compose.",
        toolset: Toolset::Compose,
        effect: Effect::Change,
        idempotent: true,
        open_world: true,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        context.docker.demand_same_machine(&context.workspace.folder)?;
        let request = Request {
            project: &self.project_name,
            services: &self.services,
            limit: self.timeout_seconds,
        };
        let (text, files) = (self.compose_yaml.as_ref(), self.compose_file.as_ref());
        let project = request.project(context, text, files, &self.environment, true).await?;
        let build = request
            .command(&project.vetted, "build")
            .flag("--no-cache", self.no_cache)
            .flag("--pull", self.pull);
        Ok(Prepared::new([build.clone()], Ready { project, command: build }))
    }

    async fn apply(Ready { project, command }: Ready, context: &Context) -> Result<Reply, Error> {
        let (docker, started) = (&context.docker, Instant::now());
        let before = project.images_now(docker).await?;
        let mut log = BuildLog::default();
        let listen = |line: Line<'_>| {
            log.hear(line);
            if log.is_empty() {
                say(context, line);
            } else {
                log.tell(context.docker.progress());
            }
        };
        let is_service = |name: &str| project.vetted.model().services.contains_key(name);
        let result = docker.watch(&Work(command), listen).await;
        result.map_err(|error| failure::of_build(&log, error, is_service))?;
        let after = project.images_now(docker).await?;
        let services = outcomes(&project.images, &before, &after, "built", &BTreeMap::new());
        Ok(project.reply(services, started))
    }
}

impl Change for ComposePull {
    const SPEC: Spec = Spec {
        name: "compose-pull",
        title: "Pull project",
        description: "Pull newer images for the services of a compose project (`docker compose pull`). \
                      Then: deploy-compose.",
        toolset: Toolset::Compose,
        effect: Effect::Change,
        idempotent: true,
        open_world: true,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let request = Request {
            project: &self.project_name,
            services: &self.services,
            limit: self.timeout_seconds,
        };
        let (text, files) = (self.compose_yaml.as_ref(), self.compose_file.as_ref());
        let project = request.project(context, text, files, &self.environment, false).await?;
        // One image that cannot be had must not keep the others from being told.
        let pull = request
            .command(&project.vetted, "pull")
            .flag("--ignore-pull-failures", true)
            .flag("--ignore-buildable", true)
            .killed_means_undone();
        Ok(Prepared::new([pull.clone()], Ready { project, command: pull }))
    }

    async fn apply(Ready { project, command }: Ready, context: &Context) -> Result<Reply, Error> {
        let (docker, started) = (&context.docker, Instant::now());
        let before = project.images_now(docker).await?;
        let failed = docker.watch(&Work(command), |line| say(context, line)).await?;
        let after = project.images_now(docker).await?;
        let services = outcomes(&project.images, &before, &after, "downloaded", &failed);
        Ok(project.reply(services, started))
    }
}

fn say(context: &Context, line: Line<'_>) {
    let (Line::Stdout(text) | Line::Stderr(text)) = line;
    if !text.trim().is_empty() && !text.starts_with("time=") {
        let text: String = text.trim().chars().take(200).collect();
        context.docker.progress().say(text);
    }
}

/// What the two tools have in common.
struct Request<'a> {
    project: &'a ProjectName,
    services: &'a [ServiceName],
    limit: Option<Bounded<1, 7200>>,
}

pub(super) struct Ready {
    project: Project,
    command: Invocation,
}

/// A project with those of its images that are meant.
struct Project {
    name: ProjectName,
    vetted: Vetted,
    /// By service.
    images: BTreeMap<String, String>,
    /// What to tell about its files.
    files: Vec<String>,
    warnings: Vec<String>,
}

impl Project {
    /// The IDs that the names stand for.
    async fn images_now(&self, docker: &Docker) -> Result<BTreeMap<String, String>, Error> {
        images_by_name(docker, self.images.values().cloned().collect()).await
    }

    fn reply(self, services: Vec<Outcome>, started: Instant) -> Reply {
        Reply {
            project: self.name.to_string(),
            ok: services.iter().all(|outcome| outcome.status != "failed"),
            services,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            warnings: self.warnings,
            files: self.files,
        }
    }
}

impl Request<'_> {
    /// With the images that are built, or those that are pulled.
    async fn project(
        &self,
        context: &Context,
        text: Option<&ComposeText>,
        files: Option<&ComposeFiles>,
        environment: &Environment,
        built: bool,
    ) -> Result<Project, Error> {
        let docker = &context.docker;
        let running = match (text, files) {
            (None, None) => project::containers(docker, self.project).await?,
            _ => vec![],
        };
        let source = Source::read_or_find(context, text, files, self.project, &running).await?;
        let resolved =
            resolve_for(docker, self.project, &source, vec![], environment, self.services)
                .await
                .map_err(|error| error.with("file", source.name()))?;
        let warnings = [source.left_out(), resolved.warnings.clone()].concat();
        let (name, files) = (self.project.clone(), source.files(&context.workspace));
        let vetted = vet(docker, resolved).await?;
        let images = self.images(&vetted, built)?;
        let renewal = Renewal { builds: built, pulls: !built };
        judge_images(docker, vetted.model(), images.keys().map(String::as_str), renewal).await?;
        Ok(Project { name, vetted, images, files, warnings })
    }

    /// The images that are built, or those that are pulled, by service.
    fn images(&self, vetted: &Vetted, built: bool) -> Result<BTreeMap<String, String>, Error> {
        let model = vetted.model();
        let is_wanted = |name: &str| {
            self.services.is_empty() || self.services.iter().any(|wanted| wanted.as_str() == name)
        };
        let wanted = model
            .services
            .iter()
            .filter(|(name, service)| is_wanted(name) && service.build.is_some() == built);
        let images = sort::map(wanted.map(|(name, service)| {
            (name.clone(), service.image_name(self.project.as_str(), name))
        }));
        if images.is_empty() {
            let what = if built { "has a `build`" } else { "is pulled: all are built" };
            let message = format!("none of the services {what}");
            return Err(Error::invalid("services", message));
        }
        Ok(images)
    }

    fn command(&self, vetted: &Vetted, verb: &'static str) -> Invocation {
        let seconds = self.limit.map_or(LIMIT, Bounded::get);
        vetted
            .invocation(Effect::Change, verb)
            .timeout(Duration::from_secs(seconds.into()))
            .operands(self.services)
    }
}

fn outcomes(
    images: &BTreeMap<String, String>,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    changed: &'static str,
    failed: &BTreeMap<String, String>,
) -> Vec<Outcome> {
    let outcome = |(service, image): (&String, &String)| {
        let (old, new) = (before.get(image), after.get(image));
        let error = failed.get(service).cloned();
        let status = match (&error, new) {
            (Some(_), _) | (None, None) => "failed",
            (None, new) if new == old => "up_to_date",
            (None, Some(_)) => changed,
        };
        Outcome {
            service: service.clone(),
            image: image.clone(),
            id: new.map(|id| short_id(id).to_owned()),
            status,
            error,
        }
    };
    images.iter().map(outcome).collect()
}

/// `docker compose build` or `pull`. The reply is what could not be pulled, by service.
struct Work(Invocation);

impl Command for Work {
    type Reply = BTreeMap<String, String>;

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    /// ` web Error manifest for … not found`.
    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let failed = output.stderr.lines().filter_map(|line| {
            let (service, rest) = line.trim().split_once(' ')?;
            let error = rest.trim_start().strip_prefix("Error ")?;
            Some((service.to_owned(), error.trim().to_owned()))
        });
        Ok(sort::map(failed.filter(|(service, _)| service != "Error")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_not_be_pulled_is_told_by_service() {
        let stderr = " b Pulling \n a Pulling \n a Error manifest for r/x:1 not found: manifest unknown\nError response from daemon: manifest for r/x:1 not found\n b Pulled \n";
        let output = Output { stderr: stderr.into(), ..Output::default() };
        let failed = Work(Invocation::docker(Effect::Change, ["x"])).parse(&output).unwrap();
        let images = BTreeMap::from([("a".into(), "r/x:1".into()), ("b".into(), "r/y:1".into())]);
        let after = BTreeMap::from([("r/y:1".into(), "sha256:0123456789abcdef".into())]);
        let told = outcomes(&images, &BTreeMap::new(), &after, "downloaded", &failed);
        assert_eq!(
            serde_json::to_value(told).unwrap(),
            json!([
                {"service": "a", "image": "r/x:1", "id": null, "status": "failed",
                 "error": "manifest for r/x:1 not found: manifest unknown"},
                {"service": "b", "image": "r/y:1", "id": "0123456789ab", "status": "downloaded",
                 "error": null},
            ])
        );
    }
}
