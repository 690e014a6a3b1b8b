//! The keys of a service: all of compose-go 2.14's, and none beside them.

use super::Shape::{
    Check, Deny, Each, Labels, Named, Object, Pairs, Scalar, ScalarOr, With, Words,
};
use super::build::BUILD;
use super::deploy::{DEPLOY, DEVELOP};
use super::{Field, Shape, checks};
use crate::policy::rule;

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
pub(super) static SECRET: Shape = With(&Object(GIVEN), checks::secret_is_defined);

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

pub(super) const HOOK: Shape = Object(&[
    ("command", Words),
    ("environment", Pairs),
    ("privileged", Deny(&rule::PRIVILEGED)),
    ("user", Scalar),
    ("working_dir", Scalar),
]);

pub(super) const ULIMITS: Shape =
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
