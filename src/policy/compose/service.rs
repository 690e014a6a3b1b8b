//! The keys of a service: all of compose-go 2.14's, and none beside them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::Shape::{
    Check, Deny, Each, Labels, Named, Object, Pairs, Scalar, ScalarOr, With, Words,
};
use super::{Field, Shape, Vetting, checks, word, words};
use crate::policy::invocation::{is_remote, without_password};
use crate::policy::refusal::{Place, plain};
use crate::policy::{fields, rights, rule};

pub(super) static SERVICE: Shape = Object(&[
    ("annotations", Deny(&rule::RUNTIME)),
    ("attach", Scalar),
    ("blkio_config", BLOCK_IO),
    ("build", BUILD),
    ("cap_add", Check(checks::capabilities)),
    ("cap_drop", Words),
    ("cgroup", Check(checks::cgroup)),
    ("cgroup_parent", Deny(&rule::HOST_CGROUP)),
    ("command", Words),
    ("configs", Each(&CONFIG)),
    ("container_name", Check(checks::container_name)),
    ("cpu_count", Scalar),
    ("cpu_percent", Scalar),
    ("cpu_period", Scalar),
    ("cpu_quota", Scalar),
    ("cpu_rt_period", Deny(&rule::PRIORITY)),
    ("cpu_rt_runtime", Deny(&rule::PRIORITY)),
    ("cpu_shares", Scalar),
    ("cpus", Scalar),
    ("cpuset", Scalar),
    ("credential_spec", Deny(&rule::CREDENTIAL_SPEC)),
    ("depends_on", Named(&DEPENDENCY)),
    ("deploy", DEPLOY),
    ("develop", DEVELOP),
    ("device_cgroup_rules", Deny(&rule::DEVICE)),
    ("devices", Check(checks::devices)),
    ("dns", Words),
    ("dns_opt", Words),
    ("dns_search", Words),
    ("domainname", Scalar),
    ("entrypoint", Words),
    ("env_file", Deny(&rule::UNRESOLVED)),
    ("environment", Pairs),
    ("expose", Words),
    ("extends", Deny(&rule::UNRESOLVED)),
    ("external_links", Check(checks::external_links)),
    // `host-gateway` included: it is how projects reach the laptop.
    ("extra_hosts", Pairs),
    ("gpus", Deny(&rule::GPUS)),
    ("group_add", Words),
    ("healthcheck", HEALTHCHECK),
    ("hostname", Check(checks::hostname)),
    ("image", Check(checks::image)),
    ("init", Scalar),
    ("ipc", Check(checks::ipc)),
    ("isolation", Check(checks::isolation)),
    ("label_file", Deny(&rule::UNRESOLVED)),
    ("labels", Labels),
    ("links", Words),
    ("logging", LOGGING),
    ("mac_address", Scalar),
    ("mem_limit", Scalar),
    ("mem_reservation", Scalar),
    ("mem_swappiness", Scalar),
    ("memswap_limit", Scalar),
    ("models", Deny(&rule::MODELS)),
    ("network_mode", Check(checks::network_mode)),
    ("networks", With(&Named(&SERVICE_NETWORK), checks::networks_are_defined)),
    ("oom_kill_disable", Deny(&rule::PRIORITY)),
    ("oom_score_adj", Check(checks::oom_score)),
    ("pid", Check(checks::pid)),
    ("pids_limit", Check(checks::pids_limit)),
    ("platform", Scalar),
    ("ports", With(&Each(&PORT), checks::number_of_ports)),
    ("post_start", Each(&HOOK)),
    ("pre_start", Each(&HOOK)),
    ("pre_stop", Each(&HOOK)),
    ("privileged", Deny(&rule::PRIVILEGED)),
    ("profiles", Words),
    ("provider", Deny(&rule::PROVIDER)),
    ("pull_policy", Scalar),
    ("pull_refresh_after", Scalar),
    ("read_only", Scalar),
    ("restart", Scalar),
    ("runtime", Check(checks::runtime)),
    ("scale", Check(checks::replicas)),
    ("secrets", Each(&SECRET)),
    ("security_opt", Check(checks::security_options)),
    ("shm_size", Scalar),
    ("stdin_open", Scalar),
    ("stop_grace_period", Check(checks::stop_grace_period)),
    ("stop_signal", Scalar),
    ("storage_opt", Deny(&rule::STORAGE)),
    ("sysctls", Check(checks::sysctls)),
    ("tmpfs", Check(checks::tmpfs)),
    ("tty", Scalar),
    ("ulimits", ULIMITS),
    ("use_api_socket", Deny(&rule::API_SOCKET)),
    ("user", Scalar),
    ("userns_mode", Check(checks::userns)),
    ("uts", Check(checks::uts)),
    ("volumes", Each(&VOLUME)),
    ("volumes_from", Check(checks::volumes_from)),
    ("working_dir", Scalar),
]);

const BLOCK_IO: Shape = Object(&[
    ("weight", Scalar),
    ("weight_device", Deny(&rule::DEVICE)),
    ("device_read_bps", Deny(&rule::DEVICE)),
    ("device_read_iops", Deny(&rule::DEVICE)),
    ("device_write_bps", Deny(&rule::DEVICE)),
    ("device_write_iops", Deny(&rule::DEVICE)),
]);

static DEPENDENCY: Shape =
    Object(&[("condition", Scalar), ("required", Scalar), ("restart", Scalar)]);

/// How a service gets a secret or a config of the top level.
const GIVEN: &[Field] =
    &[("source", Scalar), ("target", Scalar), ("uid", Scalar), ("gid", Scalar), ("mode", Scalar)];
static CONFIG: Shape = With(&Object(GIVEN), checks::config_is_defined);
static SECRET: Shape = With(&Object(GIVEN), checks::secret_is_defined);

const HEALTHCHECK: Shape = Object(&[
    ("test", Words),
    ("interval", Scalar),
    ("timeout", Scalar),
    ("retries", Scalar),
    ("start_period", Scalar),
    ("start_interval", Scalar),
    ("disable", Scalar),
]);

const LOGGING: Shape =
    Object(&[("driver", Check(checks::log_driver)), ("options", Check(checks::log_options))]);

static SERVICE_NETWORK: Shape = Object(&[
    ("aliases", Words),
    ("driver_opts", Check(checks::network_options)),
    ("gw_priority", Scalar),
    ("interface_name", Scalar),
    ("ipv4_address", Scalar),
    ("ipv6_address", Scalar),
    ("link_local_ips", Words),
    ("mac_address", Scalar),
    ("priority", Scalar),
]);

static PORT: Shape = Object(&[
    ("app_protocol", Scalar),
    ("host_ip", Scalar),
    ("mode", Scalar),
    ("name", Scalar),
    ("protocol", Scalar),
    ("published", Scalar),
    ("target", Scalar),
]);

const HOOK: Shape = Object(&[
    ("command", Words),
    ("environment", Pairs),
    ("privileged", Deny(&rule::PRIVILEGED)),
    ("user", Scalar),
    ("working_dir", Scalar),
]);

const ULIMITS: Shape =
    Named(&ScalarOr(&Object(&[("hard", Scalar), ("single", Scalar), ("soft", Scalar)])));

static VOLUME: Shape = With(
    &Object(&[
        ("type", Scalar),
        ("source", Scalar),
        ("target", Scalar),
        ("read_only", Scalar),
        ("consistency", Scalar),
        (
            "bind",
            Object(&[
                ("create_host_path", Scalar),
                ("propagation", Check(checks::propagation)),
                ("recursive", Scalar),
                ("selinux", Scalar),
            ]),
        ),
        ("volume", Object(&[("labels", Labels), ("nocopy", Scalar), ("subpath", Scalar)])),
        ("tmpfs", Object(&[("mode", Scalar), ("size", Check(checks::tmpfs_size))])),
        ("image", Object(&[("subpath", Scalar)])),
    ]),
    checks::mount,
);

const DEPLOY: Shape = Object(&[
    ("endpoint_mode", Scalar),
    ("labels", Labels),
    ("mode", Scalar),
    (
        "placement",
        Object(&[
            ("constraints", Words),
            ("max_replicas_per_node", Scalar),
            ("preferences", Each(&Object(&[("spread", Scalar)]))),
        ]),
    ),
    ("replicas", Check(checks::replicas)),
    ("resources", RESOURCES),
    (
        "restart_policy",
        Object(&[
            ("condition", Scalar),
            ("delay", Scalar),
            ("max_attempts", Scalar),
            ("window", Scalar),
        ]),
    ),
    ("rollback_config", UPDATE),
    ("update_config", UPDATE),
]);

const RESOURCES: Shape = Object(&[
    ("limits", Object(&[("cpus", Scalar), ("memory", Scalar), ("pids", Scalar)])),
    (
        "reservations",
        Object(&[
            ("cpus", Scalar),
            ("devices", Deny(&rule::GPUS)),
            ("generic_resources", Each(&GENERIC_RESOURCE)),
            ("memory", Scalar),
            ("pids", Scalar),
        ]),
    ),
]);

static GENERIC_RESOURCE: Shape =
    Object(&[("discrete_resource_spec", Object(&[("kind", Scalar), ("value", Scalar)]))]);

const UPDATE: Shape = Object(&[
    ("delay", Scalar),
    ("failure_action", Scalar),
    ("max_failure_ratio", Scalar),
    ("monitor", Scalar),
    ("order", Scalar),
    ("parallelism", Scalar),
]);

/// Only `compose watch` acts on it, which is not offered; it copies paths of the host.
const DEVELOP: Shape = Object(&[("watch", Each(&WATCH))]);

static WATCH: Shape = Object(&[
    ("action", Scalar),
    ("exec", HOOK),
    ("ignore", Words),
    ("include", Words),
    ("initial_sync", Scalar),
    ("path", Check(checks::watched_path)),
    ("target", Scalar),
]);

/// A local context, a local Dockerfile, and nothing of the host beside them.
const BUILD: Shape = With(
    &Object(&[
        ("additional_contexts", Check(additional_contexts)),
        ("args", Pairs),
        ("cache_from", Check(cache_from)),
        ("cache_to", Check(cache_to)),
        ("context", Scalar),
        ("dockerfile", Scalar),
        ("dockerfile_inline", Scalar),
        ("entitlements", Deny(&rule::BUILD_HOST)),
        ("extra_hosts", Pairs),
        ("isolation", Check(checks::isolation)),
        ("labels", Labels),
        ("network", Check(network)),
        ("no_cache", Scalar),
        ("no_cache_filter", Words),
        ("platforms", Words),
        ("privileged", Deny(&rule::BUILD_HOST)),
        ("provenance", Check(attestation)),
        ("pull", Scalar),
        ("sbom", Check(attestation)),
        ("secrets", Each(&SECRET)),
        ("shm_size", Scalar),
        ("ssh", Deny(&rule::BUILD_HOST)),
        ("tags", Words),
        ("target", Scalar),
        ("ulimits", ULIMITS),
    ]),
    context_and_dockerfile,
);

fn context_and_dockerfile(vetting: &mut Vetting<'_>, build: &Value, place: &Place) {
    if !build.is_object() {
        return;
    }
    let Some(context) = build.get("context").and_then(word) else {
        // Without one there would be no folder that the Dockerfile is relative to.
        vetting.unexpected(&Value::Null, &place.key("context"));
        return;
    };
    let at = place.key("context");
    if is_remote(&context) {
        let subject = format!("build context {}", without_password(&context));
        vetting.findings.refuse(&rule::REMOTE_BUILD, subject, &at);
        return;
    }
    rights::file(&mut vetting.findings, Path::new(&*context), true, "build context", &at);
    if let Some(dockerfile) = build.get("dockerfile").and_then(word) {
        let path = Path::new(&*context).join(&*dockerfile);
        let at = place.key("dockerfile");
        rights::file(&mut vetting.findings, &path, true, "Dockerfile", &at);
    }
}

fn additional_contexts(vetting: &mut Vetting<'_>, contexts: &Value, place: &Place) {
    let Some(contexts) = contexts.as_object() else {
        return vetting.unexpected(contexts, place);
    };
    for (name, value) in contexts {
        let at = place.key(name);
        let Some(context) = word(value) else {
            vetting.unexpected(value, &at);
            continue;
        };
        if context.starts_with('/') {
            rights::file(&mut vetting.findings, Path::new(&*context), true, "build context", &at);
        } else if !context.starts_with("service:") && !context.starts_with("docker-image:") {
            let subject = format!("build context {}", without_password(&context));
            vetting.findings.refuse(&rule::REMOTE_BUILD, subject, &at);
        }
    }
}

fn cache_from(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Words.walk(vetting, value, place);
    for source in words(value) {
        let Some(fields) = cache_fields(vetting, &source, place) else { continue };
        match fields.get("type").copied() {
            None | Some("registry" | "inline") => {}
            Some("local") => {
                let folder = fields.get("src").copied().unwrap_or_default();
                rights::file(&mut vetting.findings, Path::new(folder), true, "cache", place);
            }
            Some(other) => {
                let subject = format!("cache of type {}", plain(other));
                vetting.findings.refuse(&rule::BUILD_OUTPUT, subject, place);
            }
        }
    }
}

fn cache_to(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Words.walk(vetting, value, place);
    for target in words(value) {
        let Some(fields) = cache_fields(vetting, &target, place) else { continue };
        match fields.get("type").copied() {
            Some("inline") => {}
            None | Some("registry") => {
                vetting.findings.refuse(&rule::PUSH, "push of a build cache", place);
            }
            Some(other) => {
                let subject = format!("cache of type {}", plain(other));
                vetting.findings.refuse(&rule::BUILD_OUTPUT, subject, place);
            }
        }
    }
}

/// The fields of `type=local,src=/x`; none for the name of an image alone.
fn cache_fields<'a>(
    vetting: &mut Vetting<'_>,
    text: &'a str,
    place: &Place,
) -> Option<BTreeMap<String, &'a str>> {
    let fields =
        if text.contains(['=', ',', '"']) { fields::read(text) } else { Some(<_>::default()) };
    if fields.is_none() {
        vetting.findings.refuse(
            &rule::BUILD_OUTPUT,
            "a cache that can be read in several ways",
            place,
        );
    }
    fields
}

fn network(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Scalar.walk(vetting, value, place);
    for network in words(value) {
        if !["", "default", "none"].contains(&&*network) {
            let subject = format!("network {}", plain(&network));
            vetting.findings.refuse(&rule::BUILD_HOST, subject, place);
        }
    }
}

/// With attributes it names an image that is run on what was built.
fn attestation(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Scalar.walk(vetting, value, place);
    for text in words(value) {
        if !["", "true", "false", "mode=min", "mode=max"].contains(&&*text) {
            vetting.findings.refuse(&rule::BUILD_HOST, place.last().to_owned(), place);
        }
    }
}
