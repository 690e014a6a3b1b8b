//! compose-start, compose-stop, compose-restart: one shape, three verbs, no file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::project;
use super::ps::choose;
use super::report::{self, Before, Report};
use super::settle::{self, Expected, Memory, Stand};
use super::up::Ascent;
use crate::command::compose::Project;
use crate::command::containers::Container;
use crate::command::values::{Bounded, ProjectName, ServiceName};
use crate::command::{Act, Effect, Invocation};
use crate::error::Error;
use crate::sort;
use crate::tools::joined;
use crate::tools::protect::{
    judge_again, judge_changes, judge_end, judge_files_at_end, judge_start,
};
use crate::tools::stop_time::stop_limit;
use crate::tools::{Change, Context, Prepared, Spec, Toolset, demand_contents};

/// What was started is watched for so long: one that cannot run ends at once.
const WATCH: Duration = Duration::from_secs(4);
/// Beside the stopping.
const COMPOSE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    project: String,
    ok: bool,
    /// The service that is the cause.
    root: Option<String>,
    services: Vec<Report>,
    warnings: Vec<String>,
}

/// What the three tools have in common.
struct Request {
    verb: &'static str,
    effect: Effect,
    project: ProjectName,
    services: Vec<ServiceName>,
    timeout_seconds: Option<u32>,
}

/// With the containers that it is about.
pub(super) struct Ready {
    request: Request,
    before: Vec<Container>,
    command: Act,
}

impl Request {
    /// By the name alone: compose finds the containers by their labels.
    fn command(&self, containers: &[Container]) -> Invocation {
        Project::named(self.project.clone())
            .invocation(self.effect, self.verb)
            .maybe("--timeout", self.timeout_seconds)
            .timeout(stop_limit(containers, self.timeout_seconds) + COMPOSE)
            .operands(&self.services)
    }

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let docker = &context.docker;
        let mut before = project::containers(docker, &self.project).await?;
        judge_changes(docker, &before)?;
        if self.verb != "stop" {
            judge_start(docker, &before).await?;
        }
        if before.is_empty() {
            return Err(project::no_such_project(docker, &self.project).await);
        }
        let all = before.clone();
        choose(&mut before, &self.services)?;
        if self.verb == "stop" {
            for container in &before {
                judge_end(context, container)?;
                judge_files_at_end(context, container).await?;
            }
        } else {
            let connected = connected(&all, &before);
            judge_again(docker, connected.clone()).await?;
            demand_contents(context, &connected).await?;
            // Compose leaves alone what runs already.
            let is_touched = |it: &&Container| self.verb == "restart" || !it.state.running;
            joined::demand_networks(docker, before.iter().filter(is_touched)).await?;
        }
        let command = self.command(&before);
        let ready = Ready { request: self, before, command: Act(command.clone()) };
        Ok(Prepared::new([command], ready))
    }
}

impl Ready {
    /// Acts, and waits for what comes of it.
    async fn act(self, context: &Context) -> Result<Reply, Error> {
        let Self { request: Request { verb, project, .. }, before, command } = self;
        let docker = &context.docker;
        docker.run(&command).await?;
        let mut ascent = Ascent {
            docker,
            project: &project,
            expected: expected(&before),
            memory: Memory::before(&before),
            time_limit: WATCH,
        };
        let (containers, stands) = if verb == "stop" {
            let (containers, stands) = ascent.look().await?;
            // Whatever stands still is what was asked for.
            let is_up = |container: &&Container| container.state.running;
            let up: Vec<&str> = containers.iter().filter(is_up).map(project::service).collect();
            let still_up = |name: &String| {
                if up.contains(&name.as_str()) {
                    Stand::Failed("it is still running".to_owned())
                } else {
                    Stand::Ready
                }
            };
            let stands = sort::map(stands.into_keys().map(|name| (name.clone(), still_up(&name))));
            (containers, stands)
        } else {
            let settled = ascent.settle(Instant::now()).await?;
            (settled.containers, settled.stands)
        };
        let owners: Vec<&Container> = before.iter().collect();
        let mut warnings = joined::left_behind(docker, &owners).await;
        if verb == "start" {
            warnings.extend(joined::without_network(docker, &containers).await);
            warnings.sort();
            warnings.dedup();
        }
        let before = Before { containers: &before, stops: verb == "stop" };
        let mut services = report::reports(&ascent.expected, &stands, &containers, &before, false);
        report::add_logs(docker, &mut services, &containers, &before).await;
        Ok(Reply {
            project: project.to_string(),
            ok: !stands.values().any(Stand::is_bad),
            root: settle::root(&ascent.expected, &stands)
                .filter(|_| stands.values().any(Stand::is_bad))
                .map(str::to_owned),
            services,
            warnings,
        })
    }
}

/// Those that compose may start together with the chosen ones: what they depend on, and what
/// depends on them.
fn connected<'a>(all: &'a [Container], chosen: &[Container]) -> Vec<&'a Container> {
    let mut names: BTreeSet<String> =
        chosen.iter().map(|container| project::service(container).to_owned()).collect();
    loop {
        let known = names.len();
        for container in all {
            let (name, needs) = (project::service(container), project::depends_on(container));
            if names.contains(name) {
                names.extend(needs);
            } else if needs.iter().any(|needed| names.contains(needed)) {
                names.insert(name.to_owned());
            }
        }
        if names.len() == known {
            return all.iter().filter(|it| names.contains(project::service(it))).collect();
        }
    }
}

/// As many as there are; who depends on whom is in a label.
fn expected(containers: &[Container]) -> BTreeMap<String, Expected> {
    let mut expected: BTreeMap<String, Expected> = BTreeMap::new();
    for container in containers {
        let service = expected.entry(project::service(container).to_owned()).or_default();
        service.replicas += 1;
        service.depends_on = project::depends_on(container);
    }
    expected
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeStart {
    /// Name of the compose project.
    project_name: ProjectName,
    /// Names of services; default all.
    #[serde(default)]
    services: Vec<ServiceName>,
}

impl Change for ComposeStart {
    const SPEC: Spec = Spec {
        name: "compose-start",
        title: "Start project",
        description: "Start the stopped services of a compose project as they are (`docker compose \
                      start`). Changed files: deploy-compose.",
        toolset: Toolset::Compose,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let request = Request {
            verb: "start",
            effect: Effect::Change,
            project: self.project_name,
            services: self.services,
            timeout_seconds: None,
        };
        request.prepare(context).await
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        ready.act(context).await
    }
}

/// Where programs get time to end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Graceful {
    /// Name of the compose project.
    project_name: ProjectName,
    /// Names of services; default all.
    #[serde(default)]
    services: Vec<ServiceName>,
    /// Seconds until docker kills what has not ended; default: each container's own stop time, or 10.
    timeout_seconds: Option<Bounded<0, 600>>,
}

impl Graceful {
    fn request(self, verb: &'static str) -> Request {
        Request {
            verb,
            effect: Effect::Destroy,
            project: self.project_name,
            services: self.services,
            timeout_seconds: self.timeout_seconds.map(Bounded::get),
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ComposeStop(Graceful);

impl Change for ComposeStop {
    const SPEC: Spec = Spec {
        name: "compose-stop",
        title: "Stop project",
        description: "Stop the services of a compose project and keep containers, networks and volumes \
                      (`docker compose stop`). Undo: compose-start.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    const REMOVES: bool = false;
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        self.0.request("stop").prepare(context).await
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        ready.act(context).await
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ComposeRestart(Graceful);

impl Change for ComposeRestart {
    const SPEC: Spec = Spec {
        name: "compose-restart",
        title: "Restart project",
        description: "Restart a compose project or a service of it as it is (`docker compose restart`). \
                      Changed files or variables: deploy-compose.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: false,
    };
    const REMOVES: bool = false;
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        self.0.request("restart").prepare(context).await
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        ready.act(context).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_with_the_chosen_services() {
        let container = |service: &str, needs: &str| -> Container {
            serde_json::from_value(serde_json::json!({
                "Id": service, "Name": service, "Config": {"Labels": {
                    "com.docker.compose.service": service,
                    "com.docker.compose.depends_on": needs,
                }},
            }))
            .unwrap()
        };
        let all = [
            container("proxy", "web:service_started:false"),
            container("web", "db:service_healthy:true"),
            container("db", ""),
            container("monitor", ""),
        ];
        let with = |chosen: usize| {
            let connected = connected(&all, &all[chosen..=chosen]);
            connected.into_iter().map(project::service).collect::<Vec<_>>()
        };
        assert_eq!(with(1), ["proxy", "web", "db"]);
        assert_eq!(with(3), ["monitor"]);
    }

    #[test]
    fn argv_of_the_verbs() {
        let project: ProjectName = "shop".parse().unwrap();
        let services = ["web".parse().unwrap()];
        let request = |verb, services: &[ServiceName], timeout_seconds| {
            let (effect, project, services) = (Effect::Destroy, project.clone(), services.to_vec());
            Request { verb, effect, project, services, timeout_seconds }.command(&[]).to_string()
        };
        insta::assert_snapshot!(request("stop", &[], None), @"docker compose --ansi=never --progress=plain --project-name=shop stop");
        insta::assert_snapshot!(request("restart", &services, Some(0)), @"docker compose --ansi=never --progress=plain --project-name=shop restart --timeout=0 -- web");
    }
}
