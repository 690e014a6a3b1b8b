use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{self, Resolved, Unresolved};
use super::place::{Places, placed};
use super::source::{ComposeFiles, ComposeText, Source};
use super::view::{Model, Named, Port};
use crate::command::Effect;
use crate::command::values::{Environment, Profile, ProjectName};
use crate::error::{Code, Error};
use crate::policy::Violation;
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

/// More findings of the policy are more of the same.
const PROBLEMS: usize = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeConfig {
    /// The compose file as text.
    compose_yaml: Option<ComposeText>,
    /// Or its path(s), and nothing else, as `-f`. Default: what `docker compose` takes in the project folder, with its override.
    compose_file: Option<ComposeFiles>,
    /// Name of the compose project.
    project_name: Option<ProjectName>,
    /// Values of `${…}` in the file.
    #[serde(default)]
    environment: Environment,
    /// Profiles that are to be active.
    #[serde(default)]
    profiles: Vec<Profile>,
    /// What else the answer has: the whole resolved file.
    #[serde(default)]
    include: BTreeSet<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Part {
    Model,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    valid: bool,
    project: String,
    problems: Vec<Problem>,
    services: Vec<Described>,
    images: BTreeSet<String>,
    volumes: Vec<String>,
    networks: Vec<String>,
    ports: Vec<String>,
    model: Value,
    /// The compose files that it was read from.
    files: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Problem {
    /// `invalid`, `policy`, `unset_variable`, `open_port` or `warning`. Only the first two keep it
    /// from being deployed.
    kind: &'static str,
    message: String,
    key: Option<String>,
    line: Option<String>,
    hint: Option<String>,
}

#[derive(Debug, Serialize)]
struct Described {
    service: String,
    image: Option<String>,
    builds: Option<bool>,
    replicas: Option<u32>,
    depends_on: Vec<String>,
    profiles: Vec<String>,
}

impl Tool for ComposeConfig {
    const SPEC: Spec = Spec {
        name: "compose-config",
        title: "Check compose file",
        description: "Check a compose file (`docker compose config`): validates docker-compose.yml or \
                      compose.yaml, resolves variables, tells whether it is correct and all mistakes at \
                      once, each with its line; starts nothing. To run it: deploy-compose.",
        toolset: Toolset::Compose,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let (text, files) = (self.compose_yaml.as_ref(), self.compose_file.as_ref());
        let source = Source::read(context, text, files).await?;
        let files = source.files(&context.workspace);
        let profiles: Vec<String> = self.profiles.iter().map(ToString::to_string).collect();
        let resolved = model::examine(
            &context.docker,
            self.project_name.as_ref(),
            &source,
            &profiles,
            &self.environment,
        )
        .await;
        let places = Places::of(&source);
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(unresolved) if is_about_the_file(&unresolved.error) => {
                return Ok(Structured(Reply { files, ..invalid(&unresolved, &places) }));
            }
            Err(unresolved) => return Err(unresolved.into()),
        };
        let mut reply = described(&resolved, &places, self.include.contains(&Part::Model))?;
        reply.files = files;
        let left_out = source.left_out();
        reply.problems.extend(left_out.iter().map(|text| Problem::new("warning", text)));
        for missing in &resolved.missing {
            reply.valid = false;
            reply.problems.insert(0, Problem::of("invalid", &placed(missing.error(), &source)));
        }
        if let Err(refusal) = model::judge(context.docker.policy(), &resolved)? {
            reply.valid = false;
            let violations = refusal.violations.iter().take(PROBLEMS);
            let problems = violations.map(|violation| Problem::of_policy(violation, &places));
            reply.problems.splice(0..0, problems);
        }
        each_hint_once(&mut reply.problems);
        Ok(Structured(reply))
    }
}

/// Compose has read the file and did not like it; anything else is a failure of the call.
fn is_about_the_file(error: &Error) -> bool {
    let about_the_file = matches!(error.code, Code::InvalidConfiguration | Code::ResourceNotFound);
    error.code == Code::RefusedByPolicy
        || (about_the_file && error.context.iter().any(|(key, _)| *key == "file"))
}

/// All that is known of a file that cannot be resolved: what it must not, what is wrong in it, and
/// the variables whose absence is often the reason.
fn invalid(unresolved: &Unresolved, places: &Places) -> Reply {
    let Unresolved { error, refusal, others, warnings } = unresolved;
    let mut problems: Vec<Problem> = match refusal {
        Some(refusal) => {
            let violations = refusal.violations.iter().take(PROBLEMS);
            violations.map(|violation| Problem::of_policy(violation, places)).collect()
        }
        None => vec![Problem::of("invalid", error)],
    };
    problems.extend(others.iter().map(|other| Problem::of("invalid", other)));
    problems.extend(warnings.iter().map(|warning| Problem::of_warning(warning, places)));
    each_hint_once(&mut problems);
    Reply { valid: false, problems, ..Reply::default() }
}

/// What is said of one problem holds for the others too.
fn each_hint_once(problems: &mut [Problem]) {
    let mut said = BTreeSet::new();
    for problem in problems {
        problem.hint = problem.hint.take().filter(|hint| said.insert(hint.clone()));
    }
}

impl Problem {
    fn of(kind: &'static str, error: &Error) -> Self {
        let about = |key| error.context.iter().find(|(name, _)| *name == key);
        let about = |key| about(key).map(|(_, value)| value.clone());
        Self {
            kind,
            key: about("key"),
            line: about("line"),
            message: [std::slice::from_ref(&error.message), &error.details].concat().join("; "),
            hint: error.hint.clone(),
        }
    }

    fn of_policy(violation: &Violation, places: &Places) -> Self {
        let Violation { rule, subject, why, instead, operator_switch, location, .. } = violation;
        let (key, line) = match places.of_location(location) {
            Some((key, line)) => (key, Some(line.to_string())),
            None => (location.clone(), None),
        };
        Self {
            key: Some(key).filter(|key| !key.is_empty()),
            line,
            hint: Some(format!("{instead} The user can allow it by {operator_switch}.")),
            ..Self::new("policy", format!("{rule}: {subject}: {why}"))
        }
    }

    fn of_warning(warning: &str, places: &Places) -> Self {
        let is_unset = warning.contains("variable is not set");
        let (key, line) = places.of_warning(warning).into_iter().next().unzip();
        Self {
            key,
            line: line.map(|line: usize| line.to_string()),
            hint: is_unset.then(|| "set it in `environment` or in .env".to_owned()),
            ..Self::new(if is_unset { "unset_variable" } else { "warning" }, warning)
        }
    }

    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), ..Self::default() }
    }
}

fn described(resolved: &Resolved, places: &Places, whole: bool) -> Result<Reply, Error> {
    let model = resolved.model();
    let warnings = resolved.warnings.iter();
    let mut problems: Vec<Problem> =
        warnings.map(|warning| Problem::of_warning(warning, places)).collect();
    problems.extend(open_ports(model));
    if model.services.is_empty() {
        problems.push(Problem::new(
            "warning",
            "no service would be started: all are in profiles that are off, or there is none",
        ));
    }
    let docker_names = |objects: &BTreeMap<String, Option<Named>>| -> Vec<String> {
        let name = |(key, named): (&String, &Option<Named>)| match named {
            Some(named) if !named.name.is_empty() => named.name.clone(),
            _ => key.clone(),
        };
        objects.iter().map(name).collect()
    };
    Ok(Reply {
        valid: true,
        project: model.name.clone(),
        problems,
        services: model
            .services
            .iter()
            .map(|(name, service)| Described {
                service: name.clone(),
                image: service.image.clone(),
                builds: service.build.is_some().then_some(true),
                replicas: Some(service.replicas()).filter(|replicas| *replicas != 1),
                depends_on: service.depends_on.keys().cloned().collect(),
                profiles: service.profiles.clone(),
            })
            .collect(),
        images: model
            .services
            .iter()
            .map(|(name, service)| service.image_name(&model.name, name))
            .collect(),
        volumes: docker_names(&model.volumes),
        networks: docker_names(&model.networks),
        ports: ports(model).map(|(name, port)| format!("{name} {port}")).collect(),
        model: if whole { resolved.document()? } else { Value::Null },
        files: vec![],
    })
}

fn ports(model: &Model) -> impl Iterator<Item = (&String, String)> {
    let services = model.services.iter();
    services.flat_map(|(name, service)| {
        service.ports.iter().filter_map(Port::published).map(move |port| (name, port))
    })
}

fn open_ports(model: &Model) -> impl Iterator<Item = Problem> {
    let services = model.services.iter();
    services.flat_map(|(name, service)| {
        service.ports.iter().filter(|port| port.is_open()).filter_map(move |port| {
            let port = port.published()?;
            let message = format!("{name}: port {port} is open to other machines");
            let hint = "publish it as 127.0.0.1:… to keep it on this machine".to_owned();
            Some(Problem { hint: Some(hint), ..Problem::new("open_port", message) })
        })
    })
}
