//! Names are no secrets: those of containers, volumes, images, and whatever stands in a variable
//! without a secret name. A password that is a name too would hide them all.

use serde_json::Value;

use super::keys::is_secret_key;

/// A text that everybody may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// What an object of docker's is called.
    Name,
    /// The value of a variable or a label, a path.
    Value,
}

/// What a document of docker's, or the arguments of a call, name openly.
pub(super) fn names_in(document: &Value, found: &mut dyn FnMut(Open, &str)) {
    match document {
        Value::Array(items) => items.iter().for_each(|item| names_in(item, found)),
        Value::Object(members) => {
            for (key, member) in members {
                let key: String = key.chars().filter(|c| !matches!(c, '_' | '-')).collect();
                let key = key.to_ascii_lowercase();
                if VARIABLES.contains(&key.as_str()) {
                    variables_in(member, found);
                    continue;
                }
                if let (Value::Object(named), true) = (member, NAMED.contains(&key.as_str())) {
                    named.keys().for_each(|name| found(Open::Name, name));
                }
                if NAMES.contains(&key.as_str()) {
                    texts(member).for_each(|name| found(Open::Name, name));
                } else if PATHS.contains(&key.as_str()) {
                    texts(member).for_each(|path| found(Open::Value, path));
                }
                names_in(member, found);
            }
        }
        _ => {}
    }
}

fn variables_in(variables: &Value, found: &mut dyn FnMut(Open, &str)) {
    let pairs = texts(variables).filter_map(|pair| pair.split_once('='));
    let members = variables.as_object().into_iter().flatten();
    let members = members.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    for (name, value) in pairs.chain(members).filter(|(name, _)| !is_secret_key(name)) {
        // `com.docker.compose.project` and its like.
        let open = if name.starts_with("com.docker.compose.") { Open::Name } else { Open::Value };
        found(open, value);
    }
}

/// One text or several.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    value.as_str().into_iter().chain(items.iter().filter_map(Value::as_str))
}

// Keys are compared in small letters and without `_` and `-`.

/// Their values are names, alone or in a list.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "aliases", "binds", "container", "containername", "dependson", "domainname", "hostname",
    "image", "images", "links", "mounts", "name", "names", "network", "networkmode", "networks",
    "newname", "project", "projectname", "repository", "repotags", "service", "services", "tag",
    "tags", "user", "volume", "volumes",
];

/// The members of these have names for keys.
const NAMED: &[&str] = &["configs", "dependson", "networks", "secrets", "services", "volumes"];

const PATHS: &[&str] = &["context", "composefile", "destination", "source", "target", "workingdir"];

/// Their members are variables with values.
const VARIABLES: &[&str] = &["args", "buildargs", "env", "environment", "labels"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(document: &Value) -> Vec<(Open, String)> {
        let mut found = vec![];
        names_in(document, &mut |open, text| found.push((open, text.to_owned())));
        found
    }

    #[test]
    fn a_container_names_itself_its_image_and_what_it_uses() {
        let found = found(&json!([{
            "Name": "/papers-db-1",
            "Config": {
                "Image": "papers/db:1", "User": "papers", "Cmd": ["serve", "hidden1"],
                "Env": ["DB_USER=clerk", "DB_PASSWORD=hidden2"],
                "Labels": {"com.docker.compose.project": "papers", "tier": "data", "token": "hidden3"},
            },
            "Mounts": [{"Name": "papers-data", "Source": "/srv/papers", "Destination": "/d"}],
            "NetworkSettings": {"Networks": {"papers_default": {"Aliases": ["db"]}}},
        }]));
        let names: Vec<_> = found.iter().filter(|(open, _)| *open == Open::Name).collect();
        let names: Vec<_> = names.iter().map(|(_, text)| text.as_str()).collect();
        let expected = [
            "/papers-db-1",
            "papers/db:1",
            "papers",
            "papers",
            "papers-data",
            "papers_default",
            "db",
        ];
        assert_eq!(names, expected);
        let values = found.iter().filter(|(open, _)| *open == Open::Value);
        let values: Vec<_> = values.map(|(_, text)| text.as_str()).collect();
        assert_eq!(values, ["clerk", "data", "/srv/papers", "/d"]);
    }

    #[test]
    fn a_project_names_its_services_volumes_and_networks() {
        let found = found(&json!({
            "name": "papers",
            "services": {"web": {
                "environment": {"DB": "clerk", "DB_PASSWORD": "hidden"},
                "networks": {"inner": null},
                "volumes": [{"type": "volume", "source": "data", "target": "/d"}],
            }},
            "volumes": {"data": {"name": "papers_data"}},
        }));
        let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
        let expected = ["papers", "web", "clerk", "inner", "data", "/d", "data", "papers_data"];
        assert_eq!(texts, expected);
    }
}
