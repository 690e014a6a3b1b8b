mod deployed;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::deployment::build_context;
use super::failure::what_stays;
use super::forecast::{Anew, Planned, Prospect, open_ports};
use super::freshness::Images;
use super::model::{self, Resolved, Vetted, vet};
use super::naming::judge_images;
use super::settle::{Expected, Memory};
use super::source::{ComposeFiles, ComposeText, Source};
use super::takeover::{self, takeover};
use super::up::{Ascent, PREPARATION, Up};
use super::view::{Model, Renewal};
use super::{project, remembered, removal};
use crate::command::containers::Container;
use crate::command::values::{Bounded, Environment, Profile, ProjectName, ServiceName, Subnet};
use crate::command::{Act, Effect, Invocation};
use crate::docker::Docker;
use crate::error::Error;
use crate::policy::CONTAINERS_MAX;
use crate::sort;
use crate::tools::confirm::{Asks, Doomed};
use crate::tools::filters::word;
use crate::tools::protect::{judge_changes, judge_end, judge_protection};
use crate::tools::stop_time::beyond_the_usual;
use crate::tools::{Change, Context, Prepared, Spec, Toolset, losses, mounts, subnets};
use deployed::Deployed;

/// Until everything is up, or has failed.
const TIME_LIMIT: Duration = Duration::from_secs(120);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeployCompose {
    /// Name of the compose project.
    project_name: ProjectName,
    /// The compose file as text.
    compose_yaml: Option<ComposeText>,
    /// Or its path(s), and nothing else, as `-f`. Default: what was deployed, or what `docker compose` takes in the project folder, with its override.
    compose_file: Option<ComposeFiles>,
    /// Values of `${…}` in the file.
    #[serde(default)]
    environment: Environment,
    /// Names of services; default all.
    #[serde(default)]
    services: Vec<ServiceName>,
    /// Profiles that are to be active.
    #[serde(default)]
    profiles: Vec<Profile>,
    /// Build the images again first.
    #[serde(default)]
    build: bool,
    /// When to pull; default: as the file says.
    pull: Option<Pull>,
    /// Recreate also unchanged containers.
    #[serde(default)]
    force_recreate: bool,
    /// Also remove what is not in the file.
    #[serde(default)]
    remove_orphans: bool,
    /// Containers by service: `{"web": 3}`.
    #[serde(default)]
    scale: BTreeMap<ServiceName, Bounded<0, 100>>,
    /// Wait until all is healthy; default true.
    #[serde(default = "yes")]
    wait: bool,
    /// Seconds from the first container on; default 120, more where containers have long stop times.
    timeout_seconds: Option<Bounded<1, 3600>>,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Pull {
    Missing,
    Always,
    Never,
}

impl Change for DeployCompose {
    const SPEC: Spec = Spec {
        name: "deploy-compose",
        title: "Deploy project",
        description: "Bring a compose project up and wait (`docker compose up -d`, `up --build`): deploy, \
                      start or redeploy the stack of docker-compose.yml or compose.yaml, detached; tells \
                      states, URLs, and why something failed. Volumes stay. Undo: compose-down.",
        toolset: Toolset::Compose,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: true,
    };
    type Ready = Box<Ready>;
    type Reply = Deployed;

    async fn prepare(self, context: &Context) -> Result<Prepared<Self::Ready>, Error> {
        let docker = &context.docker;
        if self.build {
            docker.demand_same_machine(&context.workspace.folder)?;
        }
        let before = project::containers(docker, &self.project_name).await?;
        let (text, files) = (self.compose_yaml.as_ref(), self.compose_file.as_ref());
        let source =
            Source::read_or_find(context, text, files, &self.project_name, &before).await?;
        let resolved = self.resolve(docker, &source).await?;
        let mut warnings = [source.left_out(), resolved.warnings.clone()].concat();
        let vetted = vet(docker, resolved).await?;
        let expected = self.expected(vetted.model())?;
        warnings.extend(open_ports(vetted.model(), &expected));
        warnings.extend(self.about_images(context, &source, vetted.model(), &expected).await);
        let up = self.up(&vetted, &before);
        judge_changes(docker, &before)?;
        let anew = self.anew(&expected);
        let mut prospect = Prospect::of(docker, &vetted, &expected, &before, &anew).await?;
        prospect.judge_protected(context, &anew)?;
        let services = expected.keys().map(String::as_str);
        judge_images(docker, vetted.model(), services, anew.renewal).await?;
        vetted.judge_contents(&source, expected.keys().map(String::as_str))?;
        let unfinished = removal::unfinished(&vetted, &expected, &before);
        warnings.extend(removal::note_of_unfinished(&unfinished));
        let (shown, removal) = removal::of_unfinished(docker, &unfinished)?
            .map(|[shown, removal]| (shown, Act(removal)))
            .unzip();
        let takeover = takeover(&source, &before, &prospect);
        let one_offs = if self.remove_orphans {
            project::one_offs(docker, &self.project_name).await?
        } else {
            vec![]
        };
        for one_off in &one_offs {
            judge_protection(docker, "container", one_off.name(), &one_off.config.labels)?;
            judge_end(context, one_off)?;
        }
        prospect.removed.extend(&one_offs);
        let losses = losses::containers(context, prospect.going()).await;
        let taken = takeover.as_deref().map(|folder| takeover::note(&source, folder));
        let orphans = self.orphans(docker, &source, vetted.model(), &before).await;
        if !self.remove_orphans {
            warnings.extend(removal::orphans_stay(&orphans));
        }
        let mut foreseen = warnings.clone();
        if self.remove_orphans {
            foreseen.extend(removal::forecast_of_orphans(&orphans));
            foreseen.extend(removal::forecast_of_one_offs(&one_offs));
        }
        foreseen.extend(removal::forecast(prospect.services.iter().flat_map(Planned::removed)));
        if let Some(taken) = &taken {
            foreseen.push(taken.clone());
            foreseen.extend(prospect.notes());
        }
        foreseen.extend(losses.iter().filter(|it| it.loses_data).map(would_be_lost));
        warnings.extend(
            takeover
                .map(|folder| format!("the project of this name was the one of {folder} before")),
        );
        let asks = if taken.is_some() { Asks::Always } else { Asks::ForData };
        let notes = taken.into_iter().chain(prospect.notes()).collect();
        let services = prospect.services;
        let commands: Vec<Invocation> = shown.into_iter().chain([up.clone()]).collect();
        let up = Up(up);
        let ready = Ready {
            tool: self,
            before,
            source,
            vetted,
            expected,
            removal,
            up,
            one_offs,
            orphans,
            warnings,
            services,
            foreseen,
        };
        Ok(Prepared::new(commands, Box::new(ready)).loses(losses).asks(asks).notes(notes))
    }

    async fn forecast(ready: &Self::Ready, context: &Context) -> Result<Map<String, Value>, Error> {
        let forecast = [
            ("project", json!(ready.tool.project_name.to_string())),
            ("services", json!(ready.services)),
            // The notes of a plan are among them.
            ("warnings", json!(ready.foreseen)),
            ("notes", Value::Null),
            ("files", json!(ready.source.files(&context.workspace))),
        ];
        Ok(forecast.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
    }

    async fn apply(ready: Self::Ready, context: &Context) -> Result<Deployed, Error> {
        let docker = &context.docker;
        let Ready { tool, before, source, vetted, expected, removal, up, .. } = *ready;
        let (one_offs, orphans, warnings) = (ready.one_offs, ready.orphans, ready.warnings);
        if let Some(removal) = removal {
            docker.run(&removal).await?;
        }
        let (name, given) = (&tool.project_name, &tool.environment);
        remembered::remember(&context.workspace, name, &source.record(given));
        let ascent = Ascent {
            docker,
            project: name,
            expected,
            memory: Memory::before(&before),
            time_limit: tool.time_limit(&before),
        };
        let going = if tool.remove_orphans { orphans.as_slice() } else { &[] };
        let mounts = async |now: &[Container]| about_mounts(context, vetted.model(), now).await;
        let deployed = tool.ascend(ascent, &up, &before, going, warnings, mounts).await;
        let mut deployed = match deployed {
            Ok(deployed) => deployed,
            Err(error) => {
                let wanted = subnets_of(&vetted.resolved().document()?);
                return Err(what_stays(subnets::with_holder(docker, error, &wanted).await));
            }
        };
        deployed.files = source.files(&context.workspace);
        if !one_offs.is_empty() {
            let left = project::one_offs(docker, name).await?;
            deployed.warnings.extend(removal::gone_one_offs(&one_offs, &left));
        }
        Ok(deployed)
    }
}

/// A project that may be deployed so.
pub(super) struct Ready {
    tool: DeployCompose,
    before: Vec<Container>,
    source: Source,
    vetted: Vetted,
    expected: BTreeMap<String, Expected>,
    /// Of what an earlier call has not finished.
    removal: Option<Act>,
    up: Up,
    one_offs: Vec<Container>,
    orphans: Vec<String>,
    warnings: Vec<String>,
    /// What it would do to each service.
    services: Vec<Planned>,
    /// The warnings of a preview.
    foreseen: Vec<String>,
}

impl DeployCompose {
    fn anew(&self, expected: &BTreeMap<String, Expected>) -> Anew {
        let pulls = matches!(self.pull, Some(Pull::Always));
        // What the named ones depend on is only started.
        let is_forced = |name: &&String| {
            let is_named = |it: &ServiceName| it.as_str() == name.as_str();
            self.force_recreate && (self.services.is_empty() || self.services.iter().any(is_named))
        };
        Anew {
            recreated: expected.keys().filter(is_forced).cloned().collect(),
            removes_orphans: self.remove_orphans,
            renewal: Renewal { builds: self.build, pulls },
        }
    }

    fn time_limit(&self, before: &[Container]) -> Duration {
        match self.timeout_seconds {
            Some(seconds) => Duration::from_secs(seconds.get().into()),
            // `up` may have to stop some of them.
            None => TIME_LIMIT + beyond_the_usual(before),
        }
    }

    async fn resolve(&self, docker: &Docker, source: &Source) -> Result<Resolved, Error> {
        let profiles: Vec<String> = self.profiles.iter().map(ToString::to_string).collect();
        let resolved = model::resolve_for(
            docker,
            &self.project_name,
            source,
            profiles,
            &self.environment,
            &self.services,
        )
        .await?;
        if !self.remove_orphans {
            return Ok(resolved);
        }
        // A service whose profile is off is no orphan, so compose must know of it.
        let all = self.everything(docker, source).await?;
        Ok(all.with_profiles_of(&resolved))
    }

    /// The model with all profiles on.
    async fn everything(&self, docker: &Docker, source: &Source) -> Result<Resolved, Error> {
        let everything = ["*".to_owned()];
        let name = Some(&self.project_name);
        model::resolve(docker, name, source, &everything, &self.environment).await
    }

    /// What has to come up: the chosen services and their dependencies, as many as asked for.
    fn expected(&self, model: &Model) -> Result<BTreeMap<String, Expected>, Error> {
        if model.services.is_empty() {
            return Err(Error::invalid(
                "compose_yaml",
                "the compose file has no services to start",
            )
            .hint("if all of them have profiles, name some in `profiles`"));
        }
        for name in self.scale.keys() {
            model.known("scale", name.as_str())?;
        }
        let selected = model.selected(&self.services)?;
        let expected = |name: &&str| {
            let service = model.services.get(*name)?;
            let scaled = self.scale.iter().find(|(scaled, _)| scaled.as_str() == *name);
            let replicas = scaled.map_or_else(|| service.replicas(), |(_, count)| count.get());
            let depends_on = service.depends_on.keys().cloned().collect();
            Some(((*name).to_owned(), Expected { replicas, depends_on }))
        };
        let expected = sort::map(selected.iter().filter_map(expected));
        let containers = expected.values().map(|service| u64::from(service.replicas)).sum::<u64>();
        if !self.scale.is_empty() && containers > CONTAINERS_MAX {
            let message =
                format!("{containers} containers, which is more than {CONTAINERS_MAX} in one call");
            return Err(Error::invalid("scale", message));
        }
        Ok(expected)
    }

    /// Neither `--wait`, which fails stacks whose jobs have ended well, nor `--yes`, which lets
    /// 2.40 remove a volume whose definition has changed.
    fn up(&self, vetted: &Vetted, before: &[Container]) -> Invocation {
        vetted
            .invocation(Effect::Destroy, "up")
            .flag("--detach", true)
            .flag("--build", self.build)
            .maybe("--pull", self.pull.map(|pull| word(&pull)))
            .flag("--force-recreate", self.force_recreate)
            .flag("--remove-orphans", self.remove_orphans)
            .each(
                "--scale",
                self.scale.iter().map(|(name, count)| format!("{name}={}", count.get())),
            )
            .timeout(self.time_limit(before) + PREPARATION)
            .operands(&self.services)
    }

    /// Images that are older than what they are built from, and such as nobody here builds. These
    /// are extras: a failure to look is none of the deployment.
    async fn about_images(
        &self,
        context: &Context,
        source: &Source,
        model: &Model,
        expected: &BTreeMap<String, Expected>,
    ) -> Vec<String> {
        let images =
            Images::of(context, model, expected.keys().map(String::as_str).collect()).await;
        let Ok(images) = images else { return vec![] };
        let mut notes: Vec<String> = images.not_from_here().into_iter().collect();
        if !self.build {
            let outdated = images.outdated(context, source).await;
            notes.extend(outdated.into_iter().map(|(service, text)| format!("{service}: {text}")));
        }
        notes
    }

    /// Containers of the project whose service is not in the file, not even in a profile.
    async fn orphans(
        &self,
        docker: &Docker,
        source: &Source,
        model: &Model,
        before: &[Container],
    ) -> Vec<String> {
        let mut orphans: Vec<&Container> = before
            .iter()
            .filter(|container| !model.services.contains_key(project::service(container)))
            .collect();
        if orphans.is_empty() {
            return vec![];
        }
        if let Ok(all) = self.everything(docker, source).await {
            let known = &all.model().services;
            orphans.retain(|container| !known.contains_key(project::service(container)));
        }
        orphans.iter().map(|container| container.name().to_owned()).collect()
    }
}

fn would_be_lost(doomed: &Doomed) -> String {
    format!("{} would go, and {}; deploy-compose shows a plan first", doomed.name, doomed.holds)
}

/// The ranges of addresses that the networks of a model ask for.
fn subnets_of(document: &Value) -> Vec<Subnet> {
    let networks = document.get("networks").and_then(Value::as_object).into_iter().flatten();
    let pools = networks.filter_map(|(_, network)| network.pointer("/ipam/config")?.as_array());
    let subnets = pools.flatten().filter_map(|pool| pool.get("subnet")?.as_str());
    subnets.filter_map(|subnet| subnet.parse().ok()).collect()
}

/// What a deployment leaves as it is: files that a container has read before they were written, and
/// volumes that hide what a newer image has.
async fn about_mounts(context: &Context, model: &Model, containers: &[Container]) -> Vec<String> {
    let folder = |container: &Container| build_context(model, container);
    let (changed, covered) = tokio::join!(
        mounts::changed(&context.docker, &context.workspace, containers),
        mounts::covered(context, containers, folder),
    );
    let of_one = |container: &Container| {
        let told = [&changed, &covered].into_iter().filter_map(|it| it.get(&container.id));
        let name = project::service(container).to_owned();
        told.flatten().map(|text| format!("{name}: {text}")).collect::<Vec<_>>()
    };
    containers.iter().flat_map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::tools::compose::model::testing;

    fn argv(arguments: serde_json::Value) -> String {
        let tool: DeployCompose = serde_json::from_value(arguments).unwrap();
        let model = r#"{"services":{"web":{"image":"x"}}}"#;
        tool.up(&testing::vetted("shop", model), &[]).to_string()
    }

    #[test]
    fn argv_of_deploy_compose() {
        assert_snapshot!(argv(json!({"project_name": "shop"})), @"docker compose --ansi=never --progress=plain --project-name=shop --project-directory=/srv/shop --file=- up --detach");
        assert_snapshot!(
            argv(json!({
                "project_name": "shop", "services": ["web", "db"], "build": true, "pull": "always",
                "force_recreate": true, "remove_orphans": true, "scale": {"web": 3, "db": "0"},
            })),
            @"docker compose --ansi=never --progress=plain --project-name=shop --project-directory=/srv/shop --file=- up --detach --build --pull=always --force-recreate --remove-orphans --scale=db=0 --scale=web=3 -- web db"
        );
    }

    #[test]
    fn what_is_deployed_is_what_was_checked() {
        let model = r#"{"services":{"web":{"image":"x"}}}"#;
        let tool: DeployCompose = serde_json::from_value(json!({"project_name": "shop"})).unwrap();
        let up = tool.up(&testing::vetted("shop", model), &[]);
        assert_eq!(up.stdin_bytes().unwrap().as_ref(), model.as_bytes());
    }
}
