//! What a resolved model leaves open: values that compose looks up when it deploys or builds, and
//! services that it does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::source::Source;
use super::variables::Variables;
use crate::command::values::{EnvName, Environment};
use crate::docker::Docker;
use crate::error::{Code, Error};

/// The values that compose looks up in its environment while it deploys this model: secrets and
/// configs with `environment: NAME`, and build arguments without a value. Only these are given to
/// it, because its environment is also that of the programs that it starts, and none of them when
/// such a program would obey it.
///
/// # Errors
/// As [`Docker::run`].
pub(super) async fn looked_up(
    docker: &Docker,
    document: &Value,
    given: &Environment,
    source: &Source,
) -> Result<BTreeMap<String, String>, Error> {
    let variables =
        Variables::of(&source.directory, source.further_dot_env(), given, names(document));
    if variables.is_empty() { Ok(BTreeMap::new()) } else { docker.run(&variables).await }
}

/// A secret or config that some services get, and whose variable has no value: compose makes their
/// containers and does not start them. Started by hand they run without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// `secrets.token.environment`.
    pub(super) key: String,
    /// `secret token`.
    what: String,
    pub(super) variable: String,
    pub(super) services: BTreeSet<String>,
}

impl Missing {
    /// DKR-004 with the key and the way out.
    pub(super) fn error(&self) -> Error {
        let Self { key, variable, .. } = self;
        Error::new(Code::InvalidConfiguration, self.to_string()).with("key", key).hint(format!(
            "give {variable} in `environment`, or write {variable}=… in .env; it may be empty"
        ))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<&str> = self.services.iter().map(String::as_str).collect();
        let (what, variable) = (&self.what, &self.variable);
        let services = services.join(", ");
        write!(f, "{what} of {services} is the variable {variable}, which has no value")
    }
}

/// Those of a model, when these variables have a value.
pub(super) fn missing(document: &Value, values: &BTreeMap<String, String>) -> Vec<Missing> {
    let contents = contents(document).into_iter();
    let missing = contents.filter_map(|(section, name, content)| {
        let variable = content.get("environment")?.as_str()?.to_owned();
        Some(Missing {
            key: format!("{section}.{name}.environment"),
            what: format!("{} {name}", kind(section)),
            variable,
            services: uses(document, section, name).into_keys().collect(),
        })
    });
    missing.filter(|it| !it.services.is_empty() && !values.contains_key(&it.variable)).collect()
}

/// A secret or config that no mount brings: compose puts it as a file into a container that it has
/// made. A start by hand does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PutIn {
    pub(super) service: String,
    /// `secret token`, or `secret token, which is the variable TOKEN`.
    pub(super) what: String,
    /// In the container.
    pub(super) path: String,
}

/// Those of a model; newer versions of compose write no file that is empty.
pub(super) fn put_in(document: &Value, values: &BTreeMap<String, String>) -> Vec<PutIn> {
    let mut all = vec![];
    for (section, name, content) in contents(document) {
        let text = |key: &str| content.get(key).and_then(Value::as_str);
        let (variable, kind) = (text("environment"), kind(section));
        let known =
            variable.map_or_else(|| text("content"), |name| values.get(name).map(String::as_str));
        if known == Some("") || (variable.is_none() && known.is_none()) {
            continue;
        }
        let what = match variable {
            Some(variable) => format!("{kind} {name}, which is the variable {variable}"),
            None => format!("{kind} {name}"),
        };
        let uses = uses(document, section, name).into_iter();
        all.extend(uses.map(|(service, path)| PutIn { service, what: what.clone(), path }));
    }
    all
}

fn kind(section: &str) -> &'static str {
    if section == "secrets" { "secret" } else { "config" }
}

fn contents(document: &Value) -> Vec<(&'static str, &str, &Value)> {
    let of = |section: &'static str| {
        let contents = document.get(section).and_then(Value::as_object).into_iter().flatten();
        contents.map(move |(name, content)| (section, name.as_str(), content))
    };
    of("secrets").chain(of("configs")).collect()
}

/// The services that get this secret or config, with its path in their containers.
fn uses(document: &Value, section: &str, name: &str) -> BTreeMap<String, String> {
    let services = document.get("services").and_then(Value::as_object).into_iter().flatten();
    let path = |service: &Value| {
        let used = service.get(section).and_then(Value::as_array).into_iter().flatten();
        let is_it = |it: &&Value| it.get("source").unwrap_or(it).as_str() == Some(name);
        let target = used.into_iter().find(is_it)?.get("target").and_then(Value::as_str);
        let target = target.filter(|target| !target.is_empty()).unwrap_or(name);
        let folder = if section == "secrets" { "/run/secrets/" } else { "/" };
        Some(if target.starts_with('/') { target.to_owned() } else { format!("{folder}{target}") })
    };
    services.filter_map(|(name, service)| Some((name.clone(), path(service)?))).collect()
}

fn names(document: &Value) -> BTreeSet<&str> {
    let members = |key: &str| document.get(key).and_then(Value::as_object).into_iter().flatten();
    let contents = members("secrets").chain(members("configs"));
    let from_contents =
        contents.filter_map(|(_, content)| content.get("environment").and_then(Value::as_str));
    let arguments = members("services")
        .filter_map(|(_, service)| service.pointer("/build/args").and_then(Value::as_object))
        .flatten()
        .filter(|(_, value)| value.is_null())
        .map(|(name, _)| name.as_str());
    let is_data = |name: &&str| name.parse::<EnvName>().is_ok_and(|name| !name.is_reserved());
    from_contents.chain(arguments).filter(is_data).collect()
}

/// The services whose volumes or namespaces a service shares.
pub(super) fn shared_services<'a>(document: &'a Value, service: &str) -> Vec<&'a str> {
    let services = document.get("services").and_then(|services| services.get(service));
    let key = |key: &str| services.and_then(|service| service.get(key));
    let modes = ["network_mode", "pid", "ipc"].into_iter().filter_map(|it| key(it)?.as_str());
    let of_modes = modes.filter_map(|mode| mode.strip_prefix("service:"));
    let volumes = key("volumes_from").and_then(Value::as_array).into_iter().flatten();
    let of_volumes = volumes.filter_map(Value::as_str).filter_map(|from| from.split(':').next());
    of_modes.chain(of_volumes).collect()
}

/// Takes out `depends_on` with `required: false` on services that are not in the model, because
/// their profile is off: compose writes it, and refuses it when it reads the model again. It is
/// part of a service's hash up to 2.29.2. True when there was one.
pub(super) fn drop_missing_dependencies(document: &mut Value) -> bool {
    let Some(services) = document.get_mut("services").and_then(Value::as_object_mut) else {
        return false;
    };
    let known: BTreeSet<String> = services.keys().cloned().collect();
    let mut dropped = false;
    for service in services.values_mut() {
        let Some(needed) = service.get_mut("depends_on").and_then(Value::as_object_mut) else {
            continue;
        };
        let before = needed.len();
        needed.retain(|name, how| {
            known.contains(name) || how.get("required") != Some(&Value::Bool(false))
        });
        dropped |= needed.len() < before;
    }
    dropped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_compose_looks_up_is_given_to_it() {
        let document = json!({
            "services": {"web": {"build": {"args": {"VERSION": null, "FIXED": "1", "LD_PRELOAD": null}}}},
            "secrets": {"a": {"environment": "API_TOKEN"}, "b": {"file": "/x"}},
            "configs": {"c": {"environment": "ABSENT"}},
        });
        let asked: Vec<&str> = names(&document).into_iter().collect();
        assert_eq!(asked, ["ABSENT", "API_TOKEN", "VERSION"]);
    }

    #[test]
    fn a_content_without_a_value_is_known_with_those_who_get_it() {
        let document = json!({
            "services": {
                "web": {"secrets": [{"source": "a"}], "configs": ["c"]},
                "job": {"secrets": [{"source": "a", "target": "x"}, {"source": "b"}]},
            },
            "secrets": {"a": {"environment": "TOKEN"}, "b": {"environment": "EMPTY"}, "unused": {"environment": "NONE"}},
            "configs": {"c": {"environment": "TEXT"}, "d": {"file": "/x"}},
        });
        let values = BTreeMap::from([("EMPTY".to_owned(), String::new())]);
        let told: Vec<String> =
            missing(&document, &values).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "secret a of job, web is the variable TOKEN, which has no value",
                "config c of web is the variable TEXT, which has no value",
            ]
        );
        let put_in = put_in(&document, &values).into_iter();
        let put_in = put_in.map(|it| format!("{}: {} at {}", it.service, it.what, it.path));
        assert_eq!(
            put_in.collect::<Vec<_>>(),
            [
                "job: secret a, which is the variable TOKEN at /run/secrets/x",
                "web: secret a, which is the variable TOKEN at /run/secrets/a",
                "web: config c, which is the variable TEXT at /c",
            ]
        );
    }

    #[test]
    fn what_a_service_shares_is_known() {
        let web = json!({"pid": "service:a", "ipc": "shareable", "volumes_from": ["b:ro"]});
        let document = json!({"services": {"web": web}});
        assert_eq!(shared_services(&document, "web"), ["a", "b"]);
    }

    #[test]
    fn a_dependency_that_is_not_required_may_be_missing() {
        let dependency =
            |required: bool| json!({"condition": "service_started", "required": required});
        let mut document = json!({"services": {
            "web": {"depends_on": {"db": dependency(true), "debug": dependency(false)}},
            "db": {"depends_on": {"gone": dependency(true)}},
        }});
        assert!(drop_missing_dependencies(&mut document));
        assert_eq!(document["services"]["web"]["depends_on"], json!({"db": dependency(true)}));
        // Compose complains about this one.
        assert!(document["services"]["db"]["depends_on"]["gone"].is_object());
        assert!(!drop_missing_dependencies(&mut document));
    }
}
