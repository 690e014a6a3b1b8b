//! Why a container stands as it does. Each rule looks at what was seen and either knows the cause
//! or passes; the first that knows decides, so the most certain ones come first.

#[expect(clippy::unnecessary_wraps, reason = "rules have one form, also those that always know")]
mod exit;
#[expect(clippy::unnecessary_wraps, reason = "explanations have one form, also certain ones")]
mod explain;
mod health;
mod log;
mod limits;
mod peers;
mod signatures;
mod start;
mod warnings;

pub(super) use exit::secret;
pub(super) use start::wanted_port;
pub(super) use warnings::warnings;

use super::facts::{Facts, Subject};
use super::finding::Cause;
use super::finding::Site::{self, Instruction, Key, VariableLike};
use super::standing::{Kind, Standing};

pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    pub(super) subject: &'a Subject,
    pub(super) standing: &'a Standing,
}

/// A rule, and for which containers it is asked.
struct Rule {
    concerns: fn(Kind) -> bool,
    cause: fn(&View<'_>) -> Option<Cause>,
}

const RULES: &[Rule] = &[
    // What docker itself says is certain.
    Rule { concerns: |kind| kind == Kind::Paused, cause: exit::paused },
    Rule { concerns: needs_its_network, cause: peers::stranded },
    Rule { concerns: |kind| kind == Kind::NotStarted, cause: start::port },
    Rule { concerns: |kind| kind == Kind::NotStarted, cause: start::mount },
    Rule { concerns: |kind| kind == Kind::NotStarted, cause: start::program },
    Rule { concerns: |kind| kind == Kind::NotStarted, cause: start::other },
    Rule { concerns: has_ended, cause: exit::out_of_memory },
    Rule { concerns: |kind| kind == Kind::Stopped, cause: exit::stopped },
    Rule { concerns: is_checked, cause: health::program_missing },
    // What it said itself explains more than its exit code.
    Rule { concerns: speaks, cause: log::signature },
    Rule { concerns: is_checked, cause: health::too_slow },
    Rule { concerns: is_checked, cause: health::failing },
    Rule { concerns: has_ended, cause: exit::crashed },
    Rule { concerns: has_ended, cause: exit::killed },
    Rule { concerns: has_ended, cause: exit::not_runnable },
    Rule { concerns: has_ended, cause: exit::ends_well },
    Rule { concerns: has_ended, cause: log::exception },
    Rule { concerns: has_ended, cause: exit::failed },
];

fn needs_its_network(kind: Kind) -> bool {
    matches!(kind, Kind::NotStarted | Kind::Unhealthy | Kind::Stopped)
}

fn has_ended(kind: Kind) -> bool {
    matches!(kind, Kind::Failed | Kind::Looping)
}

fn is_checked(kind: Kind) -> bool {
    matches!(kind, Kind::Unhealthy | Kind::Starting)
}

fn speaks(kind: Kind) -> bool {
    has_ended(kind) || is_checked(kind)
}

/// The cause, unless nothing is wrong.
pub(super) fn cause(view: &View<'_>) -> Option<Cause> {
    let kind = view.standing.kind;
    let found =
        RULES.iter().filter(|rule| (rule.concerns)(kind)).find_map(|rule| (rule.cause)(view));
    found.map(sited)
}

/// With the usual places of such a cause, where the rule itself knows none.
pub(super) fn sited(cause: Cause) -> Cause {
    const MEMORY: &[Site] = &[Key("mem_limit"), Key("deploy.resources.limits.memory")];
    const COMMAND: &[Site] =
        &[Key("command"), Key("entrypoint"), Instruction("CMD"), Instruction("ENTRYPOINT")];
    const CHECK: &[Site] =
        &[Key("healthcheck.test"), Key("healthcheck"), Instruction("HEALTHCHECK")];
    const IMAGE: &[Site] = &[Key("image"), Key("build")];
    const SECRETS: &[Site] = &[VariableLike(&["PASSWORD", "PASS", "PWD", "SECRET", "TOKEN"])];
    if !cause.sites.is_empty() {
        return cause;
    }
    let usual = match cause.id {
        "command-not-found" | "not-executable" | "ends-at-once" | "port-in-use-inside" => COMMAND,
        "exec-format" => {
            &[Key("platform"), Key("command"), Key("entrypoint"), Key("image"), Key("build")]
        }
        "user-unknown" | "privileged-port" | "permission" => &[Key("user"), Instruction("USER")],
        "working-folder" => &[Key("working_dir"), Instruction("WORKDIR")],
        "network-gone" | "other-network" => &[Key("networks")],
        "stranded-network" => &[Key("network_mode")],
        "memory-inside" => MEMORY,
        "probe-missing" => CHECK,
        "probe-timeout" => {
            &[Key("healthcheck.timeout"), Key("healthcheck"), Instruction("HEALTHCHECK")]
        }
        "limits" => &[Key("ulimits.nofile"), Key("ulimits"), Key("pids_limit")],
        "read-only" => &[Key("read_only")],
        "stale-image" | "sources-newer" => &[Key("build"), Key("image")],
        "image-missing" | "image-gone" | "data-version" => IMAGE,
        "authentication" => SECRETS,
        _ => &[],
    };
    cause.at(usual.iter().cloned())
}

#[cfg(test)]
mod tests;
