//! Whether containers have the networks and volumes that their services have in the model. From
//! 2.31 on compose looks at that too, beside the hash of the service: it takes a network whose
//! definition is another one for a new one, and what becomes of the containers (made anew, or moved
//! and started again) each version decides in another way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::project;
use crate::command::containers::Container;
use crate::command::documents::Documents;
use crate::command::labels;
use crate::command::version::ComposeVersionQuery;
use crate::docker::Docker;
use crate::error::Error;
use crate::sort;

/// The first version that looks at them.
const FIRST: (u32, u32) = (2, 31);

/// The containers, by their IDs, of which only compose knows what it would do with them, although
/// the definition of their service has not changed.
///
/// # Errors
/// As [`Docker::run`].
pub(super) async fn unsettled(
    docker: &Docker,
    document: &Value,
    containers: &[Container],
) -> Result<BTreeSet<String>, Error> {
    let networks = members(document, "networks").into_values();
    let names: Vec<String> =
        networks.filter_map(|it| text(it, "/name")).map(str::to_owned).collect();
    let networks = match names[..] {
        [] => vec![],
        _ => docker.run(&Documents::existing("network", names)).await?,
    };
    let is_one = |container: &&Container| !is_settled(document, &networks, container);
    let unsettled: Vec<&Container> = containers.iter().filter(is_one).collect();
    if unsettled.is_empty() || !looks_at_them(&docker.run(&ComposeVersionQuery).await?) {
        return Ok(BTreeSet::new());
    }
    Ok(unsettled.into_iter().map(|container| container.id.clone()).collect())
}

fn looks_at_them(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|it| it.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= FIRST,
        _ => true,
    }
}

fn is_settled(document: &Value, networks: &[Value], container: &Container) -> bool {
    let Some(service) = members(document, "services").get(project::service(container)).copied()
    else {
        return true;
    };
    let own = members(service, "networks").into_keys();
    let definitions = members(document, "networks");
    let has_network = |key: &str| {
        let Some(definition) = definitions.get(key) else { return true };
        let name = text(definition, "/name").unwrap_or_default();
        let is_external = definition.get("external") == Some(&Value::Bool(true));
        let is_it = |it: &&Value| [text(it, "/Name"), text(it, "/Id")].contains(&Some(name));
        // One of a swarm is only there once it is used.
        let Some(there) = networks.iter().find(is_it) else {
            return is_external || !container.state.running;
        };
        let mut endpoints = container.network_settings.networks.values();
        let is_in = endpoints.any(|it| Some(it.network_id.as_str()) == text(there, "/Id"));
        let hash = there.get("Labels").and_then(|it| it.get(labels::HASH)?.as_str());
        (is_in || !container.state.running)
            && (is_external || hash.is_none_or(|hash| hash == self::hash(definition)))
    };
    let volumes = members(document, "volumes");
    let has_volume = |volume: &Value| {
        let named = text(volume, "/source").and_then(|source| volumes.get(source));
        let Some(name) = named.and_then(|it| text(it, "/name")) else { return true };
        container.mounts.iter().any(|mount| mount.kind == "volume" && mount.name == name)
    };
    let mounts = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let mut mounts = mounts.filter(|it| text(it, "/type") == Some("volume"));
    own.into_iter().all(has_network) && mounts.all(has_volume)
}

fn members<'a>(value: &'a Value, key: &str) -> BTreeMap<&'a str, &'a Value> {
    let members = value.get(key).and_then(Value::as_object).into_iter().flatten();
    sort::map(members.map(|(name, member)| (name.as_str(), member)))
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// As compose computes it of a network (seen on 2.40): of its JSON, which Go writes with escapes of
/// its own.
fn hash(definition: &Value) -> String {
    let mut json = definition.to_string();
    for c in ['<', '>', '&', '\u{2028}', '\u{2029}'] {
        json = json.replace(c, &format!("\\u{:04x}", u32::from(c)));
    }
    Sha256::digest(json).iter().fold(String::new(), |mut hash, byte| {
        let _infallible = write!(hash, "{byte:02x}");
        hash
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_of_a_network_is_the_one_of_compose() {
        let text = r#"{"name":"p-net_n","driver_opts":{"x.y":"a<b"},"ipam":{"config":[{"subnet":"172.31.77.0/24"}]},"labels":{"k":"v"}}"#;
        assert_eq!(
            hash(&serde_json::from_str(text).unwrap()),
            "e75e577fcabf7c3e0145633bd5ca107078fa9eda92821486a4380afcda3da159"
        );
    }

    #[test]
    fn what_a_container_is_attached_to_is_compared() {
        let container: Container = serde_json::from_value(json!({
            "State": {"Running": true}, "Config": {"Labels": {labels::SERVICE: "web"}},
            "Mounts": [{"Type": "volume", "Name": "p_data"}],
            "NetworkSettings": {"Networks": {"p_net": {"NetworkID": "1"}}},
        }))
        .unwrap();
        let document = |network: Value, volume: &str| {
            json!({
                "services": {"web": {"networks": {"net": null}, "volumes": [
                    {"type": "volume", "source": "data", "target": "/d"},
                    {"type": "volume", "target": "/nameless"},
                ]}},
                "networks": {"net": network}, "volumes": {"data": {"name": volume}},
            })
        };
        let net = json!({"name": "p_net"});
        let there =
            |id: &str, hash: Value| vec![json!({"Name": "p_net", "Id": id, "Labels": hash})];
        let same = json!({labels::HASH: hash(&net)});
        let settled = |document: &Value, there: &[Value]| is_settled(document, there, &container);
        let usual = document(net, "p_data");
        assert!(settled(&usual, &there("1", same.clone())));
        // An older compose has written no hash.
        assert!(settled(&usual, &there("1", Value::Null)));
        assert!(!settled(&usual, &there("2", same.clone())), "another one of the same name");
        assert!(!settled(&usual, &[]), "it would be made");
        let other = document(json!({"name": "p_net", "internal": true}), "p_data");
        assert!(!settled(&other, &there("1", same.clone())));
        let external = document(json!({"name": "p_net", "external": true}), "p_data");
        assert!(settled(&external, &there("1", same.clone())) && settled(&external, &[]));
        assert!(!settled(&document(json!({"name": "p_net"}), "p_other"), &there("1", same)));
        assert!(looks_at_them("2.40.3-3") && !looks_at_them("v2.26.1") && looks_at_them("5.0.1"));
    }
}
