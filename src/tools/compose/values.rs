//! What a resolved model leaves open: values that compose looks up when it deploys or builds, and
//! services that it does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::command::values::{EnvName, Environment};
use crate::policy::{Disk, Files as _};
use crate::sort;

/// The values that compose looks up in its environment while it deploys this model: secrets and
/// configs with `environment: NAME`, and build arguments without a value. Only these are given to
/// it, because its environment is also that of the programs that it starts, and none of them when
/// such a program would obey it.
pub(super) fn looked_up(
    document: &Value,
    given: &Environment,
    dot_env: &[PathBuf],
) -> BTreeMap<String, String> {
    let names = names(document);
    if names.is_empty() {
        return BTreeMap::new();
    }
    // What cannot be read has no values, which compose complains about.
    let dot_env: Vec<String> = dot_env.iter().filter_map(|file| Disk.read(file).ok()).collect();
    let value = |name: &str| {
        let given = given.iter().find(|(key, _)| key.as_str() == name);
        let found = || dot_env.iter().rev().find_map(|text| in_dot_env(text, name));
        given.map(|(_, value)| value.to_owned()).or_else(found)
    };
    sort::map(names.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))))
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

/// The last `NAME=value`, without the quotes around it.
fn in_dot_env(text: &str, name: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })?;
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote).and_then(|value| value.strip_suffix(*quote)));
    Some(unquoted.unwrap_or(value).to_owned())
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
/// their profile is off: compose writes it, and refuses it when it reads the model again. It is no
/// part of a service's hash. True when there was one.
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
        let given =
            serde_json::from_value(json!({"API_TOKEN": "t", "TAG": "1", "LD_PRELOAD": "x"}))
                .unwrap();
        let values = looked_up(&document, &given, &[]);
        assert_eq!(values, BTreeMap::from([("API_TOKEN".to_owned(), "t".to_owned())]));
    }

    #[test]
    fn what_a_service_shares_is_known() {
        let web = json!({"pid": "service:a", "ipc": "shareable", "volumes_from": ["b:ro"]});
        let document = json!({"services": {"web": web}});
        assert_eq!(shared_services(&document, "web"), ["a", "b"]);
    }

    #[test]
    fn a_value_of_dot_env_is_found() {
        let text = "A=1\n# A=2\nexport B = \"two words\"\nA='3'\nAA=4\n";
        assert_eq!(in_dot_env(text, "A").unwrap(), "3");
        assert_eq!(in_dot_env(text, "B").unwrap(), "two words");
        assert_eq!(in_dot_env(text, "C"), None);
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
