//! What the person has put out of reach of this server.

use std::collections::BTreeMap;

use crate::command::labels::{PROTECT, REQUEST};
use crate::command::values::Labels;
use crate::error::{Code, Error};

/// Refuses to remove what has the label `docker-mcp-server.protect=true`.
///
/// # Errors
/// DKR-014 with the rule `protected`.
pub(super) fn refuse_protected(
    kind: &'static str,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Error> {
    if !is_protected(labels) {
        return Ok(());
    }
    let message = format!(
        "{kind} {name} has the label {PROTECT}=true and is not removed through this server"
    );
    Err(Error::new(Code::RefusedByPolicy, message)
        .with("rule", "protected")
        .with(kind, name)
        .hint("only the person can remove it, with docker itself; ask them"))
}

/// For what removes many things: it goes on without this one.
pub(super) fn is_protected(labels: &BTreeMap<String, String>) -> bool {
    labels.get(PROTECT).map(String::as_str) == Some("true")
}

/// Refuses a label by which this server finds its own objects again.
///
/// # Errors
/// DKR-004.
pub(super) fn refuse_own_label(labels: &Labels) -> Result<(), Error> {
    if labels.iter().any(|(key, _)| key.as_str() == REQUEST) {
        let message = format!("the label {REQUEST} is this server's own");
        return Err(Error::invalid("labels", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_label_with_the_value_true_protects() {
        let check = |value: &str| {
            let labels = BTreeMap::from([(PROTECT.to_owned(), value.to_owned())]);
            refuse_protected("volume", "pg", &labels)
        };
        assert!(check("false").is_ok());
        insta::assert_snapshot!(check("true").unwrap_err(), @"
        Error: DKR-014 refused_by_policy: volume pg has the label docker-mcp-server.protect=true and is not removed through this server | Context: rule=protected; volume=pg
        hint: only the person can remove it, with docker itself; ask them
        ");
    }
}
