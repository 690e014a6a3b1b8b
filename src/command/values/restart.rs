//! Restart policies.

use std::fmt;
use std::str::FromStr;

use super::quantities::whole;
use super::sent::{from_text, refused};

/// What docker does when the container's process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestartPolicy {
    No,
    Always,
    UnlessStopped,
    /// Restarted after a failure, at most so many times.
    OnFailure(Option<u32>),
}

from_text!(RestartPolicy, "restart policy", {
    "type": "string", "pattern": r"^(no|always|unless-stopped|on-failure(:\d+)?)$"
});

impl RestartPolicy {
    /// As the value of `--restart`.
    pub fn argument(self) -> String {
        match self {
            Self::No => "no".to_owned(),
            Self::Always => "always".to_owned(),
            Self::UnlessStopped => "unless-stopped".to_owned(),
            Self::OnFailure(None) => "on-failure".to_owned(),
            Self::OnFailure(Some(times)) => format!("on-failure:{times}"),
        }
    }
}

impl FromStr for RestartPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let policy = match text {
            // `no` is a boolean in YAML, and arrives as one.
            "no" | "false" => Some(Self::No),
            "always" => Some(Self::Always),
            "unless-stopped" => Some(Self::UnlessStopped),
            "on-failure" => Some(Self::OnFailure(None)),
            other => other
                .strip_prefix("on-failure:")
                .and_then(whole)
                .map(|times| Self::OnFailure(Some(times))),
        };
        policy.ok_or_else(|| {
            let rule = "use \"no\", \"always\", \"unless-stopped\", \"on-failure\" or \
                        \"on-failure:5\"";
            refused("restart policy", text, rule)
        })
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.argument())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn a_restart_policy_is_one_of_four() {
        for (sent, argument) in [
            (json!("no"), "no"),
            (json!(false), "no"),
            (json!("always"), "always"),
            (json!("unless-stopped"), "unless-stopped"),
            (json!("on-failure"), "on-failure"),
            (json!("on-failure:5"), "on-failure:5"),
        ] {
            assert_eq!(accepted::<RestartPolicy>(&sent).argument(), argument);
        }
        assert_snapshot!(refusals::<RestartPolicy>(&json!([
            "", "never", "Always", true, "on-failure:", "on-failure:-1", "on-failure:+1", "always:3"
        ])), @r#"
        restart policy "" is not allowed: use "no", "always", "unless-stopped", "on-failure" or "on-failure:5"
        restart policy "never" is not allowed: use "no", "always", "unless-stopped", "on-failure" or "on-failure:5"
        restart policy "Always" is not allowed: use "no", "always", "unless-stopped", "on-failure" or "on-failure:5"
        restart policy "true" is not allowed: use "no", "always", "unless-stopped", "on-failure" or "on-failure:5"
        restart policy "on-failure:" is not allowed: use "no", "always", "unless-stopped", "on-failure" or "on-failure:5"
        restart policy "on-failure:-1" is not allowed: use "no", "always", "unless-stopped", "on-failure" or "on-failure:5"
        restart policy "on-failure:+1" is not allowed: use "no", "always", "unless-stopped", "on-failure" or "on-failure:5"
        restart policy "always:3" is not allowed: use "no", "always", "unless-stopped", "on-failure" or "on-failure:5"
        "#);
    }
}
