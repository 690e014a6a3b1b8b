//! `deploy` and `develop` of a service.

use super::Shape::{Check, Deny, Each, Labels, Object, Scalar, Words};
use super::service::HOOK;
use super::{Shape, checks};
use crate::policy::rule;

pub(super) const DEPLOY: Shape = Object(&[
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
pub(super) const DEVELOP: Shape = Object(&[("watch", Each(&WATCH))]);

static WATCH: Shape = Object(&[
    ("action", Scalar),
    ("exec", HOOK),
    ("ignore", Words),
    ("include", Words),
    ("initial_sync", Scalar),
    ("path", Check(checks::watched_path)),
    ("target", Scalar),
]);
