//! A compose project as compose itself understands it: resolved, checked, and then deployed from
//! exactly the bytes that were checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use regex_lite::Regex;
use serde_json::Value;

use super::absent;
use super::defaults::Settings;
use super::elsewhere::for_another_machine;
use super::place::{Places, placed};
use super::source::{From, Source};
use super::values::{self, Missing, PutIn};
use super::view::{Model, Named};
use crate::command::compose::Project;
use crate::command::diagnose::diagnose;
use crate::command::documents::Documents;
use crate::command::invocation::FileState;
use crate::command::values::{Environment, ProjectName, ServiceName};
use crate::command::{Capture, Command, Effect, Invocation, Output, Program, Streams, json};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::policy::{Absent, Disk, Policy, Prescanned, Refusal, Unscanned};
use crate::workspace::{demand_no_pipe, file_states};

/// An alias bomb of half a kilobyte kept `config` busy for more than a minute.
const TIME_LIMIT: Duration = Duration::from_secs(20);
const MAX_BYTES: usize = 8 << 20;

/// A project as `docker compose config` gives it: everything interpolated, merged and absolute.
/// What compose reads from it is what it would read from the files, so the hash of each service
/// is the same and a person's own `docker compose up` does not recreate what we deployed.
pub(super) struct Resolved {
    project: Project,
    /// What compose has read for it.
    files: Option<Vec<FileState>>,
    /// What compose printed, byte for byte.
    model_text: Arc<[u8]>,
    model: Model,
    /// What compose looks up again while it deploys.
    looked_up: BTreeMap<String, String>,
    /// Secrets and configs for which it finds nothing then.
    pub(super) missing: Vec<Missing>,
    put_in: Vec<PutIn>,
    pub(super) warnings: Vec<String>,
}

/// A project that may be deployed. [`vet`] is the only way to get one.
pub(super) struct Vetted(Resolved);

/// Checks a resolved project against the operator's policy.
///
/// This is the one gate between a compose file and docker. Every key of every service, network,
/// volume, secret and config is judged here, on the resolved model (aliases, merges, `extends` and
/// interpolation can hide nothing there), and all findings are told at once. What the model only
/// names, docker is asked about: a volume that exists can be a folder of the host.
///
/// # Errors
/// DKR-014 that lists every violation; DKR-004 for a pipe that a build would wait for, and for paths
/// of this machine when the engine is on another one.
pub(super) async fn vet(docker: &Docker, resolved: Resolved) -> Result<Vetted, Error> {
    let policy = docker.policy();
    let in_model = judge(policy, &resolved)?;
    let (volumes, networks) = existing(docker, &resolved.model).await?;
    let findings = std::iter::once(in_model)
        .chain(volumes.iter().map(|volume| policy.volume(volume, &Disk)))
        .chain(networks.iter().map(|network| policy.network(network, &Disk)));
    if let Some(refusal) = findings.filter_map(Result::err).reduce(Refusal::and) {
        return Err(refusal.into());
    }
    for (name, service) in &resolved.model.services {
        let Some(context) = service.build_context().map(Path::new).filter(|it| it.is_absolute())
        else {
            continue;
        };
        let no_pipe = demand_no_pipe(context, service.dockerfile().map(Path::new));
        no_pipe.map_err(|error| error.with("service", name.as_str()))?;
    }
    if docker.host().is_none() {
        return Ok(Vetted(resolved));
    }
    let model = resolved.model();
    let built = model.services.iter().filter(|(_, service)| service.build.is_some());
    let built = built.map(|(name, it)| (name.clone(), it.image_name(&model.name, name))).collect();
    let document = for_another_machine(docker, resolved.document()?, built).await?;
    Ok(Vetted(resolved.with_document(&document)?))
}

/// What the policy says of the model alone.
///
/// # Errors
/// DKR-016 when it is no JSON.
pub(super) fn judge(policy: &Policy, resolved: &Resolved) -> Result<Result<(), Refusal>, Error> {
    Ok(policy.vet(&resolved.document()?, &resolved.model.name, &Disk))
}

/// The volumes and networks of the model that are there already.
async fn existing(docker: &Docker, model: &Model) -> Result<(Vec<Value>, Vec<Value>), Error> {
    let find = async |kind, named: &BTreeMap<String, Option<Named>>, modes: Vec<String>| {
        let names = named.values().flatten().map(|named| named.name.clone());
        let query = Documents::existing(kind, names.chain(modes).collect());
        if query.names.is_empty() { Ok(vec![]) } else { docker.run(&query).await }
    };
    // A mode can be the name or the ID of any network, also of the host's own.
    let is_network = |mode: &&String| !mode.is_empty() && !mode.contains(':') && *mode != "none";
    let modes = model.services.values().filter_map(|service| service.network_mode.as_ref());
    let modes = modes.filter(is_network).cloned().collect();
    tokio::try_join!(
        find("volume", &model.volumes, vec![]),
        find("network", &model.networks, modes)
    )
}

/// A source of which there is no model, with all that can be said about it.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) error: Error,
    /// What the policy says against the files, when that is the error.
    pub(super) refusal: Option<Refusal>,
    /// Further files that are wrong.
    pub(super) others: Vec<Error>,
    pub(super) warnings: Vec<String>,
}

impl core::convert::From<Unresolved> for Error {
    fn from(unresolved: Unresolved) -> Self {
        let Unresolved { mut error, others, warnings, .. } = unresolved;
        let others = others.iter().map(told_with_place);
        error.details.extend(others.chain(warnings));
        error
    }
}

impl core::convert::From<Error> for Unresolved {
    fn from(error: Error) -> Self {
        Self { error, refusal: None, others: vec![], warnings: vec![] }
    }
}

impl core::convert::From<Unscanned> for Unresolved {
    fn from(Unscanned { refusal, unreadable }: Unscanned) -> Self {
        let unreadable = unreadable.into_iter();
        let mut errors = refusal.clone().map(Error::from).into_iter().chain(unreadable);
        let error = errors.next().unwrap_or_else(|| Error::invalid("compose_file", "unreadable"));
        Self { refusal, others: errors.collect(), ..Self::from(error) }
    }
}

/// In one line, with its key and line.
fn told_with_place(error: &Error) -> String {
    let about = |key| error.context.iter().find(|(name, _)| *name == key).map(|(_, it)| it);
    match (about("key"), about("line")) {
        (Some(key), Some(line)) => format!("{key} (line {line}): {}", error.message),
        _ => error.message.clone(),
    }
}

/// Asks compose what a source means, once it is certain that it reads nothing foreign for it.
///
/// # Errors
/// DKR-004 with line and key for a file that is wrong; nothing has been created then.
pub(super) async fn resolve(
    docker: &Docker,
    project_name: Option<&ProjectName>,
    source: &Source,
    profiles: &[String],
    environment: &Environment,
) -> Result<Resolved, Error> {
    Ok(examine(docker, project_name, source, profiles, environment).await?)
}

/// As [`resolve`], with all that can be said of a source that cannot be resolved.
///
/// # Errors
/// As [`resolve`].
pub(super) async fn examine(
    docker: &Docker,
    project_name: Option<&ProjectName>,
    source: &Source,
    profiles: &[String],
    environment: &Environment,
) -> Result<Resolved, Unresolved> {
    let profiles = profiles_of(docker, source, profiles).await?;
    let question = Config::new(docker, project_name, source, &profiles, environment)?;
    let answer = docker.run(&question).await;
    let (model_text, said) = answer.unwrap_or_else(|error| (Err(error), vec![]));
    let mut warnings = question.notes.clone();
    let model_text = match model_text {
        Ok(model_text) => model_text,
        Err(error) => {
            let places = Places::of(source);
            warnings.extend(said.iter().map(|warning| places.told(warning)));
            let error = about_the_source(error, source);
            let others =
                absent::others(docker, &question.absent, question.question(), &error).await;
            return Err(Unresolved { others, warnings, ..error.into() });
        }
    };
    warnings.extend(said);
    let mut document: Value = json::document(&model_text)?;
    let model_text = if values::drop_missing_dependencies(&mut document) {
        document.to_string()
    } else {
        model_text
    };
    let looked_up = values::looked_up(docker, &document, environment, source).await?;
    let missing = values::missing(&document, &looked_up);
    let put_in = values::put_in(&document, &looked_up);
    let model = json::part(&document)?;
    let project = Project {
        files: vec![PathBuf::from("-")],
        reads_dot_env: false,
        env_files: vec![],
        ..question.project
    };
    let (files, model_text) = (question.files, Arc::from(model_text.into_bytes()));
    Ok(Resolved { project, files, model_text, model, looked_up, missing, put_in, warnings })
}

/// The profiles that are on: those that were asked for, or, as compose has it, those of `.env`. Told
/// to compose by name, because the model that it deploys says only what profiles a service is in.
async fn profiles_of(
    docker: &Docker,
    source: &Source,
    asked: &[String],
) -> Result<Vec<String>, Error> {
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    Ok(Settings::of(docker, &source.directory, &source.dot_env()).await?.profiles)
}

/// As [`resolve`], with the profiles of the named services switched on: to name a service means to
/// want it, which a resolved model no longer knows of.
///
/// # Errors
/// As [`resolve`].
pub(super) async fn resolve_for(
    docker: &Docker,
    project_name: &ProjectName,
    source: &Source,
    profiles: Vec<String>,
    environment: &Environment,
    services: &[ServiceName],
) -> Result<Resolved, Error> {
    let mut profiles = profiles_of(docker, source, &profiles).await?;
    let ask = async |profiles: &[String]| {
        resolve(docker, Some(project_name), source, profiles, environment).await
    };
    let resolved = ask(&profiles).await?;
    let known = &resolved.model().services;
    let missing: Vec<&ServiceName> =
        services.iter().filter(|name| !known.contains_key(name.as_str())).collect();
    if missing.is_empty() {
        return Ok(resolved);
    }
    let all = ask(&["*".to_owned()]).await?;
    for name in missing {
        let (_, service) = all.model().known("services", name.as_str())?;
        profiles.extend(service.profiles.iter().cloned());
    }
    ask(&profiles).await
}

impl Resolved {
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// A model of everything, to be deployed with the profiles and services of another.
    pub(super) fn with_profiles_of(mut self, other: &Self) -> Self {
        self.model.services.retain(|name, _| other.model.services.contains_key(name));
        self.project.profiles.clone_from(&other.project.profiles);
        self
    }

    /// The same project with another model.
    ///
    /// # Errors
    /// DKR-016 when it is none.
    pub(super) fn with_document(self, document: &Value) -> Result<Self, Error> {
        let model = json::part(document)?;
        Ok(Self { model, model_text: Arc::from(document.to_string().into_bytes()), ..self })
    }

    /// Files that compose puts into the containers of this service before it starts them.
    pub(super) fn put_in_of(&self, service: &str) -> Vec<&PutIn> {
        self.put_in.iter().filter(|it| it.service == service).collect()
    }

    /// The whole model, as compose printed it.
    ///
    /// # Errors
    /// DKR-016 when it is no JSON.
    pub(super) fn document(&self) -> Result<Value, Error> {
        json::document(&String::from_utf8_lossy(&self.model_text))
    }

    /// `docker compose … VERB` on this model, for commands that create nothing.
    pub(super) fn read(&self, verb: &'static str) -> Invocation {
        self.invocation(Effect::Read, verb)
    }

    /// `docker compose config` on this model or a document like it.
    pub(super) fn config(&self) -> Invocation {
        let question = self.read("config");
        match &self.files {
            Some(files) => question.reads(files.clone()),
            None => question,
        }
    }

    fn invocation(&self, effect: Effect, verb: &'static str) -> Invocation {
        let invocation = self.project.invocation(effect, verb).stdin(Arc::clone(&self.model_text));
        let values = self.looked_up.iter();
        values.fold(invocation, |invocation, (name, value)| invocation.client_env(name, value))
    }
}

impl Vetted {
    pub(super) fn model(&self) -> &Model {
        self.0.model()
    }

    pub(super) fn resolved(&self) -> &Resolved {
        &self.0
    }

    /// Whether every secret and config that these services get has a content.
    ///
    /// # Errors
    /// DKR-004 with all that have none, and the place of the first.
    pub(super) fn judge_contents<'a>(
        &self,
        source: &Source,
        services: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        let services: Vec<&str> = services.into_iter().collect();
        let gets = |it: &&Missing| services.iter().any(|name| it.services.contains(*name));
        let missing: Vec<&Missing> = self.0.missing.iter().filter(gets).collect();
        let Some((first, others)) = missing.split_first() else { return Ok(()) };
        let mut error = first.error();
        error.details.extend(others.iter().map(|it| format!("{}: {it}", it.key)));
        Err(placed(error, source))
    }

    /// `docker compose … VERB` on the bytes that were checked.
    pub(super) fn invocation(&self, effect: Effect, verb: &'static str) -> Invocation {
        self.0.invocation(effect, verb)
    }
}

/// `docker compose config`: prints the resolved model.
pub(super) struct Config {
    project: Project,
    text: Option<Arc<[u8]>>,
    environment: Environment,
    /// What compose passes over in silence.
    notes: Vec<String>,
    /// Files that it would not find.
    pub(super) absent: Vec<Absent>,
    /// All that it reads; nothing when that is not known, or was changed just now.
    files: Option<Vec<FileState>>,
}

impl Config {
    /// # Errors
    /// DKR-004 for a variable that would steer the docker client itself; DKR-014 for a source that
    /// makes compose read what the policy does not allow.
    pub(super) fn new(
        docker: &Docker,
        project_name: Option<&ProjectName>,
        source: &Source,
        profiles: &[String],
        environment: &Environment,
    ) -> Result<Self, Unresolved> {
        let (policy, variables) = (docker.policy(), docker.variables());
        Self::of(policy, variables, project_name, source, profiles, environment)
    }

    fn of(
        policy: &Policy,
        mut variables: BTreeMap<String, String>,
        project_name: Option<&ProjectName>,
        source: &Source,
        profiles: &[String],
        environment: &Environment,
    ) -> Result<Self, Unresolved> {
        if let Some((name, _)) = environment.iter().find(|(name, _)| name.steers_the_client()) {
            let message =
                format!("{name} cannot be set here: it would steer the docker client itself");
            return Err(Error::invalid("environment", message)
                .hint("give the variable another name in the compose file")
                .into());
        }
        let given = environment.iter().map(|(name, value)| (name.to_string(), value.to_owned()));
        variables.extend(given);
        variables.insert("PWD".to_owned(), source.directory.display().to_string());
        let name = project_name.map(|name| ("COMPOSE_PROJECT_NAME".to_owned(), name.to_string()));
        variables.extend(name);
        let env_files = source.further_dot_env();
        let texts = source.texts()?;
        let scanned = policy.prescan(texts, &source.directory, &env_files, variables, &Disk);
        let scanned = scanned.map_err(|unscanned| {
            let mut unresolved = Unresolved::from(unscanned);
            unresolved.error = placed(unresolved.error, source);
            unresolved
        })?;
        let (files, text) = match &source.from {
            From::Text(text) | From::File(_, text) => {
                (vec![PathBuf::from("-")], Some(Arc::from(text.as_bytes())))
            }
            From::Files(paths) => (paths.clone(), None),
        };
        let Prescanned { notes, absent, files: others } = scanned;
        let own = [source.directory.join(".env")].into_iter();
        let own = own.chain(env_files.iter().cloned()).chain(files.iter().cloned());
        let read = (!policy.has_no_rules()).then(|| file_states(own.chain(others)));
        let project = Project {
            directory: Some(source.directory.clone()),
            files,
            profiles: profiles.to_vec(),
            name: project_name.cloned(),
            reads_dot_env: true,
            env_files,
        };
        let environment = environment.clone();
        Ok(Self { project, text, environment, notes, absent, files: read.flatten() })
    }

    /// The same question with another way to answer it: `--services`, `--hash=*`.
    pub(super) fn question(&self) -> Invocation {
        let invocation = self.project.invocation(Effect::Read, "config");
        let invocation = invocation.timeout(TIME_LIMIT).only_here();
        let invocation = match &self.text {
            Some(text) => invocation.stdin(Arc::clone(text)),
            None => invocation,
        };
        // As a shell in that folder has it: `${PWD}` in a file means the project.
        let directory = self.project.directory.as_ref().and_then(|directory| directory.to_str());
        let invocation = invocation.client_env("PWD", directory.unwrap_or_default());
        self.environment.iter().fold(invocation, |invocation, (name, value)| {
            invocation.client_env(name.as_str(), value)
        })
    }
}

impl Command for Config {
    /// The model or why there is none, and the warnings, which often are the reason.
    type Reply = (Result<String, Error>, Vec<String>);

    fn invocation(&self) -> Invocation {
        let streams = Streams::Split {
            stdout: Capture::Whole { max: MAX_BYTES },
            stderr: Capture::Tail { max: 64 << 10 },
        };
        let question = self.question().option("--format", "json").streams(streams);
        match &self.files {
            Some(files) => question.reads(files.clone()),
            None => question,
        }
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0 || !warnings(&output.stderr).is_empty()
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let Output { exit_code, stdout, stderr, .. } = output;
        let model_text = if *exit_code == 0 {
            Ok(stdout.clone())
        } else {
            let error = diagnose(Program::Compose, "config", Some(*exit_code), stdout, stderr);
            Err(error.command(self.invocation().to_string()))
        };
        Ok((model_text, warnings(stderr)))
    }
}

/// The warnings in compose's log lines, each once.
pub(super) fn warnings(stderr: &str) -> Vec<String> {
    static WARNING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"level=warning msg="((?:[^"\\]|\\.)*)""#).expect("a valid pattern")
    });
    let mut warnings: Vec<String> = vec![];
    for captures in WARNING.captures_iter(stderr) {
        let text = captures.get(1).map_or("", |text| text.as_str()).replace("\\\"", "\"");
        // Compose says it of every older file; it means nothing.
        if !text.contains("`version` is obsolete") && !warnings.contains(&text) {
            warnings.push(text);
        }
    }
    warnings
}

/// Compose calls standard input `-`; the caller knows another name for it.
pub(super) fn about_the_source(mut error: Error, source: &Source) -> Error {
    let name = source.name();
    for word in ["validating", "failed to parse"] {
        error.message = error.message.replace(&format!("{word} -:"), &format!("{word} {name}:"));
    }
    // So much that it did not fit, or was not ready in time.
    if matches!(error.code, Code::UnexpectedOutput | Code::Timeout) {
        return error.with("file", name).hint(format!(
            "the resolved file may have {} MiB and take {} s; ranges of ports, aliases and extends make a small file large",
            MAX_BYTES >> 20,
            TIME_LIMIT.as_secs()
        ));
    }
    // Whatever compose says about a file is about the caller's file.
    if matches!(error.code, Code::DockerFailed | Code::ResourceNotFound) {
        error.code = Code::InvalidConfiguration;
    }
    placed(error.with("file", name), source)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A project as if compose had resolved it to this model, and the policy had passed it.
    pub(in super::super) fn vetted(name: &str, model: &str) -> Vetted {
        let project = Project {
            directory: Some("/srv/shop".into()),
            files: vec!["-".into()],
            ..Project::named(name.parse().unwrap())
        };
        Vetted(Resolved {
            files: None,
            project,
            model_text: Arc::from(model.as_bytes()),
            model: serde_json::from_str(model).unwrap(),
            looked_up: BTreeMap::new(),
            missing: vec![],
            put_in: vec![],
            warnings: vec![],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source() -> Source {
        Source {
            directory: "/srv/shop".into(),
            from: From::Text("services: {}".into()),
            found_in: None,
        }
    }

    fn config(profiles: &[String], environment: &Environment) -> Result<Config, Error> {
        let name = "shop".parse().unwrap();
        let config = Config::of(
            &Policy::default(),
            <_>::default(),
            Some(&name),
            &source(),
            profiles,
            environment,
        );
        config.map_err(|unresolved| unresolved.error)
    }

    #[test]
    fn argv_of_config() {
        let environment = serde_json::from_value(json!({"TAG": "secret"})).unwrap();
        let config = config(&["dev".into()], &environment);
        let invocation = config.unwrap().invocation();
        insta::assert_snapshot!(invocation, @"docker compose --ansi=never --progress=plain --project-name=shop --project-directory=/srv/shop --file=- --profile=dev config --format=json");
        assert_eq!(invocation.env().keys().collect::<Vec<_>>(), ["PWD", "TAG"]);
        assert_eq!(invocation.stdin_bytes().unwrap().as_ref(), b"services: {}");
    }

    #[test]
    fn a_variable_that_steers_the_client_is_refused() {
        let environment = serde_json::from_value(json!({"DOCKER_HOST": "x"})).unwrap();
        let config = config(&[], &environment);
        assert_eq!(config.map(|_| ()).unwrap_err().code, Code::InvalidConfiguration);
    }

    #[test]
    fn warnings_of_compose_are_told_once() {
        let stderr = r#"time="2026-11-24T09:20:53Z" level=warning msg="The \"A\" variable is not set. Defaulting to a blank string."
time="2026-11-24T09:20:53Z" level=warning msg="The \"A\" variable is not set. Defaulting to a blank string."
time="2026-11-24T09:20:53Z" level=warning msg="/x/compose.yaml: the attribute `version` is obsolete, it will be ignored"
"#;
        assert_eq!(
            warnings(stderr),
            [r#"The "A" variable is not set. Defaulting to a blank string."#]
        );
    }
}
