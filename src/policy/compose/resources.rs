//! The top level: the project itself, its networks, volumes, secrets and configs.

use std::path::Path;

use serde_json::Value;

use super::Shape::{Check, Deny, Each, Labels, Named, Object, Pairs, Scalar};
use super::service::SERVICE;
use super::{Shape, Vetting, checks, word};
use crate::command::values::EnvName;
use crate::policy::refusal::{Place, plain};
use crate::policy::{rights, rule};

/// What one call may start; the largest stacks that people publish have about a hundred.
pub const CONTAINERS_MAX: u64 = 200;

pub(super) static PROJECT: Shape = Object(&[
    ("configs", Named(&CONTENT)),
    ("include", Deny(&rule::UNRESOLVED)),
    ("models", Deny(&rule::MODELS)),
    ("name", Check(project_name)),
    ("networks", Named(&NETWORK)),
    ("secrets", Named(&CONTENT)),
    ("services", Check(services)),
    ("version", Scalar),
    ("volumes", Named(&VOLUME)),
]);

static NETWORK: Shape = Object(&[
    ("attachable", Scalar),
    ("driver", Check(checks::driver)),
    ("driver_opts", Check(checks::network_options)),
    ("enable_ipv4", Scalar),
    ("enable_ipv6", Scalar),
    ("external", Scalar),
    ("internal", Scalar),
    (
        "ipam",
        Object(&[("config", Each(&SUBNET)), ("driver", Check(checks::driver)), ("options", Pairs)]),
    ),
    ("labels", Labels),
    ("name", Check(network_name)),
]);

static SUBNET: Shape = Object(&[
    ("aux_addresses", Pairs),
    ("gateway", Scalar),
    ("ip_range", Scalar),
    ("subnet", Check(subnet)),
]);

static VOLUME: Shape = Object(&[
    ("driver", Check(checks::driver)),
    ("driver_opts", Check(checks::volume_options)),
    ("external", Scalar),
    ("labels", Labels),
    ("name", Check(checks::object_name)),
]);

/// A secret or a config.
static CONTENT: Shape = Object(&[
    ("content", Scalar),
    ("driver", Deny(&rule::EXTERNAL)),
    ("driver_opts", Deny(&rule::EXTERNAL)),
    ("environment", Check(client_variable)),
    ("external", Deny(&rule::EXTERNAL)),
    ("file", Check(content_file)),
    ("labels", Labels),
    ("name", Scalar),
    ("template_driver", Deny(&rule::EXTERNAL)),
]);

fn services(vetting: &mut Vetting<'_>, services: &Value, place: &Place) {
    let Some(services) = services.as_object() else {
        return vetting.unexpected(services, place);
    };
    for (name, service) in services {
        SERVICE.walk(vetting, service, &Place::service(name));
    }
    // More of one service are refused already.
    let replicas = services.values().map(replicas).filter(|count| *count <= checks::REPLICAS_MAX);
    let containers: u64 = replicas.sum();
    if containers > CONTAINERS_MAX {
        let subject =
            format!("{containers} containers, services times replicas, more than {CONTAINERS_MAX}");
        vetting.findings.refuse(&rule::LIMIT, subject, place);
    }
}

fn replicas(service: &Value) -> u64 {
    let of = |pointer| service.pointer(pointer).and_then(word)?.parse().ok();
    of("/deploy/replicas").or(of("/scale")).unwrap_or(1)
}

fn project_name(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    let name = word(value).unwrap_or_default();
    if name != vetting.project {
        let subject = format!("project {}, not {}", plain(&name), plain(vetting.project));
        vetting.findings.refuse(&rule::PROJECT_NAME, subject, place);
    }
}

fn network_name(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    let name = word(value).unwrap_or_default();
    rights::namespace(&mut vetting.findings, "network", &name, place);
    checks::object_name(vetting, value, place);
}

fn subnet(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    let subnet = word(value).unwrap_or_default();
    rights::subnet(&mut vetting.findings, &subnet, place);
}

fn content_file(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    let Some(file) = word(value) else { return vetting.unexpected(value, place) };
    // Compose mounts it into the container.
    rights::bind(&mut vetting.findings, Path::new(&*file), true, None, place);
}

/// The value is looked up in the environment of the docker client, where our own lies beside the
/// project's.
fn client_variable(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    let name = word(value).unwrap_or_default();
    if !name.parse::<EnvName>().is_ok_and(|name| !name.is_reserved()) {
        let subject = format!("variable {}", plain(&name));
        vetting.findings.refuse(&rule::CLIENT_VARIABLE, subject, place);
    }
}
