//! What a deployment would do, for `dry_run`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::definitions::Definitions;
use super::holdings::images_by_name;
use super::model::Vetted;
use super::project;
use super::removal::surplus;
use super::settle::Expected;
use super::view::{Model, Port, Renewal};
use crate::command::containers::Container;
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::Context;
use crate::tools::protect::{judge_end, judge_protection};

#[derive(Debug, Serialize)]
pub(super) struct Planned {
    service: String,
    image: Option<String>,
    builds: Option<bool>,
    replicas: Option<u32>,
    ports: Vec<String>,
    /// What `up` would do with the images that are here: one that it builds or pulls recreates too.
    /// `unknown` where only compose can tell whether it would recreate.
    action: &'static str,
    /// Its containers that are more than asked for.
    removed: Vec<String>,
}

impl Planned {
    pub(super) fn removed(&self) -> &[String] {
        &self.removed
    }

    /// Whether this container goes and no other one takes its place.
    fn removes(&self, container: &Container) -> bool {
        self.action == "remove" || self.removed.iter().any(|name| name == container.name())
    }
}

/// What a deployment is told to do with containers that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Anew {
    /// Services whose containers are made anew also when nothing has changed.
    pub(super) recreated: BTreeSet<String>,
    pub(super) removes_orphans: bool,
    pub(super) renewal: Renewal,
}

/// What a deployment would do with the containers that are there.
pub(super) struct Prospect<'a> {
    pub(super) services: Vec<Planned>,
    /// Those in whose place there would be new ones.
    replaced: Vec<&'a Container>,
    /// Those of which only compose knows: their image may be another one then.
    perhaps: Vec<&'a Container>,
    /// Those that would not come back.
    pub(super) removed: Vec<&'a Container>,
}

impl<'a> Prospect<'a> {
    /// # Errors
    /// As [`Docker::run`].
    pub(super) async fn of(
        docker: &Docker,
        vetted: &Vetted,
        expected: &BTreeMap<String, Expected>,
        before: &'a [Container],
        anew: &Anew,
    ) -> Result<Self, Error> {
        let services = planned(docker, vetted, expected, before, &anew.recreated).await?;
        let (mut replaced, mut perhaps, mut removed) = (vec![], vec![], vec![]);
        for container in going(vetted, &services, before, anew) {
            let mut plans = services.iter();
            match plans.find(|it| it.service == project::service(container)) {
                Some(plan) if plan.removes(container) => removed.push(container),
                Some(plan) if plan.action == "recreate" => replaced.push(container),
                Some(_) => perhaps.push(container),
                None => removed.push(container),
            }
        }
        Ok(Self { services, replaced, perhaps, removed })
    }

    pub(super) fn going(&self) -> impl Iterator<Item = &'a Container> {
        self.replaced.iter().chain(&self.perhaps).chain(&self.removed).copied()
    }

    /// Refuses a deployment that would remove or replace what the operator has protected, or what
    /// takes its volumes along.
    ///
    /// # Errors
    /// DKR-014 with the rule `object.protected`; as [`judge_end`].
    pub(super) fn judge_protected(&self, context: &Context, anew: &Anew) -> Result<(), Error> {
        let judge = |container: &Container| {
            let labels = &container.config.labels;
            judge_protection(&context.docker, "container", container.name(), labels)?;
            judge_end(context, container)
        };
        self.going().try_for_each(judge).map_err(|error| {
            if anew.renewal == Renewal::default() {
                return error;
            }
            error.hint("if it is about the image: compose-build or compose-pull first, and deploy without build and pull; an unchanged image leaves the container as it is")
        })
    }

    /// Which containers go, for a plan.
    pub(super) fn notes(&self) -> Vec<String> {
        let told = |what: &str, containers: &[&Container]| {
            let names: Vec<&str> = containers.iter().map(|it| it.name()).collect();
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        let replaced = told("replaced by new containers", &self.replaced);
        let perhaps = told("replaced, if compose finds that they have changed", &self.perhaps);
        let removed = told("removed, with nothing in their place", &self.removed);
        [replaced, perhaps, removed].into_iter().flatten().collect()
    }
}

/// The containers that a deployment removes or replaces, or may replace.
fn going<'a>(
    vetted: &Vetted,
    services: &[Planned],
    before: &'a [Container],
    anew: &Anew,
) -> Vec<&'a Container> {
    let goes = |container: &&Container| {
        let name = project::service(container);
        let Some(service) = vetted.model().services.get(name) else {
            return anew.removes_orphans;
        };
        // A service that was not chosen stays as it is.
        let plan = services.iter().find(|planned| planned.service == name);
        plan.is_some_and(|it| {
            // The image that comes may be another one.
            service.is_renewed(anew.renewal)
                || matches!(it.action, "recreate" | "unknown")
                || it.removes(container)
        })
    };
    before.iter().filter(goes).collect()
}

/// What `up` would do to each service.
///
/// # Errors
/// As [`Docker::run`].
async fn planned(
    docker: &Docker,
    vetted: &Vetted,
    expected: &BTreeMap<String, Expected>,
    before: &[Container],
    recreated: &BTreeSet<String>,
) -> Result<Vec<Planned>, Error> {
    let names: BTreeSet<String> = before.iter().map(|it| it.config.image.clone()).collect();
    let document = vetted.resolved().document()?;
    let (definitions, images) = tokio::try_join!(
        Definitions::of(docker, vetted.resolved(), document, before),
        images_by_name(docker, names.into_iter().collect()),
    )?;
    let made_anew = definitions.made_anew(before, &images, recreated);
    let services = expected.iter().filter_map(|(name, expected)| {
        let service = vetted.model().services.get(name)?;
        let own: Vec<&Container> =
            before.iter().filter(|container| project::service(container) == name).collect();
        let is_changed = made_anew.get(name.as_str()).copied().flatten();
        let action = if expected.replicas == 0 {
            if own.is_empty() { "unchanged" } else { "remove" }
        } else if own.is_empty() {
            "create"
        } else if is_changed == Some(true) {
            "recreate"
        } else if is_changed.is_none() {
            "unknown"
        } else if own.len() < expected.replicas as usize {
            "create"
        } else if own.iter().all(|container| container.state.running) {
            "unchanged"
        } else {
            "start"
        };
        Some(Planned {
            service: name.clone(),
            image: service.image.clone(),
            builds: service.build.is_some().then_some(true),
            replicas: (expected.replicas != 1).then_some(expected.replicas),
            ports: service.ports.iter().filter_map(Port::published).collect(),
            action,
            removed: surplus(&own, expected.replicas, is_changed != Some(false)),
        })
    });
    Ok(services.collect())
}

/// Ports that other machines reach: compose listens on all addresses unless it is told otherwise.
pub(super) fn open_ports(model: &Model, expected: &BTreeMap<String, Expected>) -> Vec<String> {
    let services = expected.keys().filter_map(|name| model.services.get_key_value(name));
    services
        .flat_map(|(name, service)| service.ports.iter().map(move |port| (name, port)))
        .filter(|(_, port)| port.is_open())
        .filter_map(|(name, port)| {
            let port = port.published()?;
            Some(format!("{name}: port {port} is open to other machines; publish it as 127.0.0.1:… to keep it here"))
        })
        .collect()
}
