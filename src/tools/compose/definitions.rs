//! Whether compose would make containers anew: the one judge of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::attachments::unsettled;
use super::model::Resolved;
use super::project;
use super::values;
use crate::command::containers::Container;
use crate::command::labels;
use crate::command::{Command, Invocation, Output};
use crate::docker::Docker;
use crate::error::Error;
use crate::sort;

/// What a deployment compares with the containers that are there.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// The fingerprint of each service's definition. There is none of a service of which only
    /// compose itself can tell it.
    hashes: BTreeMap<String, String>,
    /// The services whose containers are part of a service's definition: it shares their network,
    /// their processes or their volumes.
    shares: BTreeMap<String, Vec<String>>,
    /// As [`unsettled`] has them.
    unsettled: BTreeSet<String>,
}

impl Definitions {
    /// `config --hash` of the files themselves leaves out what stands in an `env_file`
    /// (docker/compose#14001), and takes a service where a deployment takes its container. What
    /// compose has resolved, with the containers put in, has the hash of a deployment (seen on 2.26
    /// and 2.40).
    ///
    /// # Errors
    /// As [`Docker::run`].
    pub(super) async fn of(
        docker: &Docker,
        resolved: &Resolved,
        mut document: Value,
        containers: &[Container],
    ) -> Result<Self, Error> {
        let services = document.get("services").and_then(Value::as_object).into_iter().flatten();
        let shares = services.map(|(name, _)| {
            let shared = values::shared_services(&document, name).into_iter();
            (name.clone(), shared.map(str::to_owned).collect())
        });
        let shares = sort::map(shares);
        if containers.is_empty() {
            return Ok(Self { shares, ..Self::default() });
        }
        let unknown = put_containers_in(&mut document, containers);
        let question = resolved.config().stdin(document.to_string().into_bytes());
        let hashes = Hashes(question);
        let (mut hashes, unsettled) =
            tokio::try_join!(docker.run(&hashes), unsettled(docker, &document, containers))?;
        hashes.retain(|name, _| !unknown.contains(name));
        Ok(Self { hashes, shares, unsettled })
    }

    /// Whether the definition of a container is another now; nothing where that cannot be known.
    pub(super) fn differs(&self, container: &Container) -> Option<bool> {
        // `compose run` makes it from a definition of its own.
        let hash = self.hashes.get(project::service(container))?;
        let own = container.label(labels::HASH).filter(|_| !project::is_one_off(container))?;
        if own == hash {
            return (!self.unsettled.contains(&container.id)).then_some(false);
        }
        Some(true)
    }

    /// By service whether `up` would make its containers anew, with the images that are here.
    pub(super) fn made_anew(
        &self,
        containers: &[Container],
        images: &BTreeMap<String, String>,
        forced: &BTreeSet<String>,
    ) -> BTreeMap<&str, Option<bool>> {
        let of_one = |container: &Container| {
            let has_its_image = images.get(&container.config.image) == Some(&container.image);
            if has_its_image { self.differs(container) } else { Some(true) }
        };
        let of_service = |name: &String| {
            let own = containers.iter().filter(|it| project::service(it) == name);
            let own: Vec<Option<bool>> = own.map(of_one).collect();
            // One that is not there is made, and others share something with the new one then.
            if own.is_empty() || forced.contains(name) || own.contains(&Some(true)) {
                Some(true)
            } else if own.contains(&None) {
                None
            } else {
                Some(false)
            }
        };
        let services = self.shares.keys().map(|name| (name.as_str(), of_service(name)));
        let mut anew = sort::map(services);
        // No chain is longer than the list.
        for _ in 0..self.shares.len() {
            for (name, shared) in &self.shares {
                if shared.iter().any(|it| anew.get(it.as_str()) == Some(&Some(true))) {
                    anew.insert(name, Some(true));
                }
            }
        }
        anew
    }
}

/// Puts containers in the place of services whose namespaces a service shares, as compose does
/// before it computes the hash. The answer are the services for which that is not possible.
fn put_containers_in(document: &mut Value, containers: &[Container]) -> BTreeSet<String> {
    let mut unknown = BTreeSet::new();
    let services = document.get_mut("services").and_then(Value::as_object_mut);
    for (name, service) in services.into_iter().flatten() {
        // What compose makes of these is no valid file.
        if service.get("volumes_from").is_some() {
            unknown.insert(name.clone());
        }
        for key in ["network_mode", "ipc", "pid"] {
            let Some(mode) = service.get_mut(key) else { continue };
            let Some(shared) = mode.as_str().and_then(|mode| mode.strip_prefix("service:")) else {
                continue;
            };
            let of_it = containers
                .iter()
                .filter(|it| project::service(it) == shared && !project::is_one_off(it));
            // Compose takes the first by name.
            match of_it.min_by(|a, b| a.name().cmp(b.name())) {
                Some(container) => *mode = format!("container:{}", container.id).into(),
                None => drop(unknown.insert(name.clone())),
            }
        }
    }
    unknown
}

/// `docker compose config --hash=*`.
struct Hashes(Invocation);

impl Command for Hashes {
    type Reply = BTreeMap<String, String>;

    fn invocation(&self) -> Invocation {
        self.0.clone().option("--hash", "*")
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let pairs = output.stdout.lines().filter_map(|line| line.trim().split_once(' '));
        Ok(sort::map(pairs.map(|(service, hash)| (service.to_owned(), hash.trim().to_owned()))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(service: &str, hash: &str) -> Container {
        serde_json::from_value(json!({
            "Id": format!("id-of-{service}"), "Name": format!("/p-{service}-1"), "Image": "sha256:a",
            "Config": {"Image": "x:1", "Labels": {
                "com.docker.compose.service": service, "com.docker.compose.config-hash": hash,
            }},
        }))
        .unwrap()
    }

    fn definitions(shares: &[(&str, &[&str])]) -> Definitions {
        let hashes = shares.iter().map(|(name, _)| ((*name).to_owned(), "same".to_owned()));
        let shares = shares.iter().map(|(name, shared)| {
            ((*name).to_owned(), shared.iter().map(|it| (*it).to_owned()).collect())
        });
        Definitions { hashes: hashes.collect(), shares: shares.collect(), ..<_>::default() }
    }

    #[test]
    fn what_shares_something_with_a_new_container_is_made_anew_too() {
        let definitions =
            definitions(&[("a", &["b"]), ("b", &["vpn"]), ("vpn", &[]), ("web", &[])]);
        let containers = |vpn: &str| {
            ["a", "b", "web"]
                .map(|it| container(it, "same"))
                .into_iter()
                .chain([container("vpn", vpn)])
        };
        let images = BTreeMap::from([("x:1".to_owned(), "sha256:a".to_owned())]);
        let anew = |vpn, forced: &[&str]| -> Vec<Option<bool>> {
            let forced = forced.iter().map(|it| (*it).to_owned()).collect();
            let containers: Vec<Container> = containers(vpn).collect();
            definitions.made_anew(&containers, &images, &forced).into_values().collect()
        };
        assert_eq!(anew("same", &[]), [Some(false); 4]);
        let all_but_web = [Some(true), Some(true), Some(true), Some(false)];
        assert_eq!(anew("other", &[]), all_but_web);
        assert_eq!(anew("same", &["vpn"]), all_but_web);
        assert_eq!(anew("same", &["b"]), [Some(true), Some(true), Some(false), Some(false)]);
    }

    #[test]
    fn what_cannot_be_known_is_not_said() {
        let mut definitions = definitions(&[("web", &[])]);
        assert_eq!(definitions.differs(&container("web", "same")), Some(false));
        assert_eq!(definitions.differs(&container("web", "other")), Some(true));
        assert_eq!(definitions.differs(&container("gone", "other")), None);
        let mut one_off = container("web", "other");
        one_off.config.labels.insert(labels::ONE_OFF.to_owned(), "True".to_owned());
        assert_eq!(definitions.differs(&one_off), None);
        definitions.unsettled.insert("id-of-web".to_owned());
        assert_eq!(definitions.differs(&container("web", "same")), None);
        assert_eq!(definitions.differs(&container("web", "other")), Some(true));
    }

    #[test]
    fn containers_stand_where_compose_puts_them() {
        let mut document = json!({"services": {
            "web": {"network_mode": "service:vpn", "pid": "host"},
            "db": {"volumes_from": ["web"]},
            "job": {"ipc": "service:gone"},
        }});
        let unknown = put_containers_in(&mut document, &[container("vpn", "x")]);
        assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["db", "job"]);
        let web = &document["services"]["web"];
        assert_eq!(web, &json!({"network_mode": "container:id-of-vpn", "pid": "host"}));
    }
}
