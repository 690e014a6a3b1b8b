//! What we need to know of a resolved model; the rest is between compose and the policy.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::command::json::or_default;
use crate::command::values::ServiceName;
use crate::error::Error;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Model {
    #[serde(deserialize_with = "or_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) services: BTreeMap<String, Service>,
    #[serde(deserialize_with = "or_default")]
    pub(super) volumes: BTreeMap<String, Option<Named>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) networks: BTreeMap<String, Option<Named>>,
}

/// A volume or network, with the name that docker knows it by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    pub(super) image: Option<String>,
    pub(super) build: Option<serde_json::Value>,
    pub(super) network_mode: Option<String>,
    pub(super) pull_policy: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) ports: Vec<Port>,
    #[serde(deserialize_with = "or_default")]
    pub(super) depends_on: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "or_default")]
    pub(super) profiles: Vec<String>,
    scale: Option<u32>,
    deploy: Option<Deploy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Deploy {
    replicas: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Port {
    host_ip: String,
    published: serde_json::Value,
    target: u32,
    protocol: String,
}

/// What a run of compose does to the images of its services, whatever their file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Renewal {
    pub(super) builds: bool,
    pub(super) pulls: bool,
}

impl Service {
    /// Whether its image is built or asked for at its registry although it is here.
    pub(super) fn is_renewed(&self, renewal: Renewal) -> bool {
        let policy = self.pull_policy.as_deref().unwrap_or_default();
        // `always`, `daily`, `every_12h` and what may come: whether it is due, compose knows.
        let may_pull = !matches!(policy, "" | "missing" | "if_not_present" | "never" | "build");
        let may_build = self.build.is_some() && (renewal.builds || policy == "build");
        renewal.pulls || may_pull || may_build
    }

    /// The name of its image; compose makes one up for what it builds.
    pub(super) fn image_name(&self, project: &str, service: &str) -> String {
        self.image.clone().unwrap_or_else(|| format!("{project}-{service}"))
    }

    /// The folder that its image is built from, or a URL.
    pub(super) fn build_context(&self) -> Option<&str> {
        self.build.as_ref()?.get("context")?.as_str()
    }

    /// Of the build, relative to its context.
    pub(super) fn dockerfile(&self) -> Option<&str> {
        self.build.as_ref()?.get("dockerfile")?.as_str()
    }

    /// The further names that its image gets when it is built.
    pub(super) fn build_tags(&self) -> Vec<String> {
        let tags = self.build.as_ref().and_then(|build| build.get("tags")?.as_array());
        tags.into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
    }

    /// The services whose images its image is built from, written as a map or as a list.
    pub(super) fn built_from(&self) -> Vec<&str> {
        let contexts = self.build.as_ref().and_then(|build| build.get("additional_contexts"));
        let values: Vec<&serde_json::Value> = match contexts {
            Some(serde_json::Value::Object(map)) => map.values().collect(),
            Some(serde_json::Value::Array(list)) => list.iter().collect(),
            _ => vec![],
        };
        let texts = values.into_iter().filter_map(|value| value.as_str());
        let places = texts.map(|text| text.rsplit_once('=').map_or(text, |(_, place)| place));
        places.filter_map(|place| place.strip_prefix("service:")).collect()
    }

    pub(super) fn replicas(&self) -> u32 {
        let deployed = self.deploy.as_ref().and_then(|deploy| deploy.replicas);
        self.scale.or(deployed).unwrap_or(1)
    }
}

impl Port {
    /// `127.0.0.1:8080->80/tcp`, as docker writes it; nothing for a port that is not published.
    pub(super) fn published(&self) -> Option<String> {
        let published = match &self.published {
            serde_json::Value::String(text) if !text.is_empty() => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let protocol = if self.protocol.is_empty() { "tcp" } else { &self.protocol };
        let address = match self.host_ip.as_str() {
            "" => "0.0.0.0".to_owned(),
            v6 if v6.contains(':') => format!("[{v6}]"),
            v4 => v4.to_owned(),
        };
        Some(format!("{address}:{published}->{}/{protocol}", self.target))
    }

    /// The one port of this machine that it asks for; nothing for a range, or for any.
    pub(super) fn on_host(&self) -> Option<u16> {
        let published = match &self.published {
            serde_json::Value::String(text) => text.parse().ok(),
            serde_json::Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
            _ => None,
        };
        published.filter(|port| *port > 0 && self.protocol != "udp")
    }

    /// Whether other machines can reach it.
    pub(super) fn is_open(&self) -> bool {
        self.published().is_some() && matches!(self.host_ip.as_str(), "" | "0.0.0.0" | "::")
    }
}

impl Model {
    /// The chosen services with all that they depend on, or all services.
    ///
    /// # Errors
    /// DKR-004 for a service that the model does not have.
    pub(super) fn selected(&self, chosen: &[ServiceName]) -> Result<BTreeSet<&str>, Error> {
        if chosen.is_empty() {
            return Ok(self.services.keys().map(String::as_str).collect());
        }
        let mut selected = BTreeSet::new();
        let mut open = chosen
            .iter()
            .map(|name| self.known("services", name.as_str()))
            .collect::<Result<Vec<_>, _>>()?;
        while let Some((name, service)) = open.pop() {
            if selected.insert(name) {
                let needed = service.depends_on.keys();
                open.extend(needed.filter_map(|name| self.entry(name)));
            }
        }
        Ok(selected)
    }

    /// # Errors
    /// DKR-004 that names the parameter and the nearest service.
    pub(super) fn known(&self, parameter: &str, name: &str) -> Result<(&str, &Service), Error> {
        self.entry(name).ok_or_else(|| no_such_service(parameter, name, self.services.keys()))
    }

    fn entry(&self, name: &str) -> Option<(&str, &Service)> {
        self.services.get_key_value(name).map(|(name, service)| (name.as_str(), service))
    }
}

/// DKR-004 that names the services that there are.
pub(super) fn no_such_service<'a>(
    parameter: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a String>,
) -> Error {
    let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
    Error::invalid(parameter, format!("there is no service {name:?}"))
        .with("service", name)
        .hint(format!("the services are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_model_is_read_with_its_nulls() {
        let model: Model = serde_json::from_value(json!({
            "services": {
                "web": {"image": "x", "ports": [
                    {"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"},
                    {"target": 81, "published": "8081", "host_ip": "127.0.0.1"},
                    {"target": 82},
                ], "depends_on": {"db": {"condition": "service_healthy"}}, "command": null},
                "db": {"build": {"context": "."}, "ports": null, "deploy": {"replicas": 2}},
                "job": {"scale": 0},
            },
            "networks": {"default": null}, "volumes": null,
        }))
        .unwrap();
        let web = model.services.get("web").unwrap();
        let published: Vec<_> = web.ports.iter().filter_map(Port::published).collect();
        assert_eq!(published, ["0.0.0.0:8080->80/tcp", "127.0.0.1:8081->81/tcp"]);
        let open: Vec<bool> = web.ports.iter().map(Port::is_open).collect();
        assert_eq!(open, [true, false, false]);
        let replicas: Vec<u32> = model.services.values().map(Service::replicas).collect();
        assert_eq!(replicas, [2, 0, 1]);
        let chosen = model.selected(&["web".parse().unwrap()]).unwrap();
        assert_eq!(chosen.into_iter().collect::<Vec<_>>(), ["db", "web"]);
        assert!(model.selected(&["wbe".parse().unwrap()]).is_err());
    }
}
