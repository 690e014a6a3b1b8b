//! Parameters that have parameters of their own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Invocation;
use crate::command::invocation::quote;
use crate::command::values::{Bounded, Cpus, DockerDuration, Memory};
use crate::error::Error;

/// When the image is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PullPolicy {
    #[default]
    Missing,
    Always,
    Never,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resources {
    /// The most it may use.
    #[serde(default)]
    pub(super) limits: Amounts,
    /// What it keeps when memory is short.
    #[serde(default)]
    pub(super) reservations: Amounts,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Amounts {
    /// Processors: 0.5.
    pub(super) cpus: Option<Cpus>,
    /// Bytes, or "512m".
    pub(super) memory: Option<Memory>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Healthcheck {
    /// Shell command, or `["CMD", "program"]`; 0 is healthy.
    test: Option<Test>,
    /// Time between checks: "10s" (default 30s).
    interval: Option<DockerDuration>,
    /// Time one check may take (default 30s).
    timeout: Option<DockerDuration>,
    /// Failures in a row until it is unhealthy (default 3).
    retries: Option<Bounded<1, 1000>>,
    /// Time in which failures do not count (default 0s).
    start_period: Option<DockerDuration>,
    /// Switch the image's check off.
    #[serde(default)]
    disable: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "it must be a shell command, or a list of words")]
enum Test {
    Shell(String),
    Words(Vec<String>),
}

impl Healthcheck {
    /// # Errors
    /// DKR-004 for a check that is both switched off and described, and for one that is empty.
    pub(super) fn check(&self) -> Result<(), Error> {
        let is_described = self.command().is_some()
            || self.interval.is_some()
            || self.timeout.is_some()
            || self.retries.is_some()
            || self.start_period.is_some();
        if self.is_off() && is_described {
            let message = "a health check cannot be switched off and have settings";
            return Err(Error::invalid("healthcheck", message));
        }
        if self.command().is_some_and(|command| command.trim().is_empty() || command.contains('\0'))
        {
            let message = "`healthcheck.test` is empty: give a shell command, for example \"curl -f http://localhost/ || exit 1\"";
            return Err(Error::invalid("healthcheck", message));
        }
        Ok(())
    }

    pub(super) fn options(&self, invocation: Invocation) -> Invocation {
        invocation
            .maybe("--health-cmd", self.command())
            .maybe("--health-interval", self.interval)
            .maybe("--health-timeout", self.timeout)
            .maybe("--health-retries", self.retries)
            .maybe("--health-start-period", self.start_period)
            .flag("--no-healthcheck", self.is_off())
    }

    pub(super) fn warning(&self) -> Option<String> {
        let needs_no_shell = matches!(&self.test, Some(Test::Words(words)) if words.first().is_some_and(|w| w == "CMD"));
        needs_no_shell.then(|| {
            "docker runs the health check in the image's shell (/bin/sh -c), also in the form CMD"
                .to_owned()
        })
    }

    fn is_off(&self) -> bool {
        let is_none = |words: &[String]| matches!(words, [one] if one == "NONE");
        self.disable || matches!(&self.test, Some(Test::Words(words)) if is_none(words))
    }

    /// As a shell command, the only form that docker's option has.
    fn command(&self) -> Option<String> {
        let words = match self.test.as_ref()? {
            Test::Shell(command) => return Some(command.clone()),
            Test::Words(words) => words,
        };
        let quoted = |words: &[String]| {
            Some(words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "))
        };
        match words.split_first() {
            Some((kind, _)) if kind == "NONE" => None,
            Some((kind, rest)) if kind == "CMD-SHELL" => Some(rest.join(" ")),
            Some((kind, rest)) if kind == "CMD" => quoted(rest),
            _ => quoted(words),
        }
    }
}

/// The one value of two places that mean the same.
///
/// # Errors
/// DKR-004 when they differ.
pub(super) fn one_of<T: Copy + PartialEq + std::fmt::Display>(
    name: &str,
    short: Option<T>,
    long: Option<T>,
) -> Result<Option<T>, Error> {
    match (short, long) {
        (Some(a), Some(b)) if a != b => {
            let message = format!("`{name}` is {a}, but `resources.limits.{name}` is {b}");
            Err(Error::invalid(name, message).hint("give one of them"))
        }
        _ => Ok(short.or(long)),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    use super::*;
    use crate::command::Effect;

    fn options(check: Value) -> String {
        let check: Healthcheck = serde_json::from_value(check).unwrap();
        check.check().unwrap();
        check.options(Invocation::docker(Effect::Change, ["x"])).to_string()
    }

    #[test]
    fn a_health_check_is_a_shell_command_however_it_is_written() {
        assert_snapshot!(options(json!({"test": "wget -q x || exit 1"})), @"docker x '--health-cmd=wget -q x || exit 1'");
        assert_snapshot!(options(json!({"test": ["CMD-SHELL", "a && b"]})), @"docker x '--health-cmd=a && b'");
        assert_snapshot!(options(json!({"test": ["CMD", "test", "a b", "$X"]})), @r"docker x '--health-cmd=test '\''a b'\'' '\''$X'\'''");
        assert_snapshot!(options(json!({"test": ["pg_isready"], "interval": "5s", "timeout": 2, "retries": 4, "start_period": "1m"})), @"docker x --health-cmd=pg_isready --health-interval=5s --health-timeout=2s --health-retries=4 --health-start-period=1m");
        assert_snapshot!(options(json!({"test": ["NONE"]})), @"docker x --no-healthcheck");
        assert_snapshot!(options(json!({"disable": true})), @"docker x --no-healthcheck");
    }

    #[test]
    fn a_check_that_is_off_has_no_settings() {
        let check: Healthcheck =
            serde_json::from_value(json!({"disable": true, "retries": 2})).unwrap();
        assert!(check.check().is_err());
        let empty: Healthcheck = serde_json::from_value(json!({"test": ["CMD"]})).unwrap();
        assert!(empty.check().is_err());
    }

    #[test]
    fn a_limit_that_is_given_twice_must_be_the_same() {
        assert_eq!(one_of("cpus", Some(1), Some(1)).unwrap(), Some(1));
        assert_eq!(one_of("cpus", None, Some(2)).unwrap(), Some(2));
        assert_snapshot!(one_of("cpus", Some(1), Some(2)).unwrap_err().message, @"`cpus` is 1, but `resources.limits.cpus` is 2");
    }
}
