//! What has to be known of volumes to create and to remove a container.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::command::containers::or_default;
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::error::Error;

/// `docker volume inspect` of those that exist; the others are left out.
pub(super) struct ExistingVolumes(pub(super) Vec<String>);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) driver: String,
    pub(super) created_at: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) options: BTreeMap<String, String>,
}

impl Command for ExistingVolumes {
    type Reply = Vec<Volume>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["volume", "inspect"]).operands(&self.0)
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0 || output.stderr.to_lowercase().contains("no such volume")
    }

    /// A failed `inspect` prints what it did find, if only `[]`.
    fn parse(&self, output: &Output) -> Result<Vec<Volume>, Error> {
        json::document(&output.stdout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_that_do_not_exist_are_left_out() {
        let query = ExistingVolumes(vec!["a".into(), "b".into()]);
        assert_eq!(query.invocation().to_string(), "docker volume inspect -- a b");
        let output = Output {
            exit_code: 1,
            stdout: r#"[{"Name":"a","Driver":"local","Labels":null,"Options":{"device":"/x"}}]"#
                .into(),
            stderr: "Error response from daemon: get b: no such volume".into(),
            ..Output::default()
        };
        assert!(query.accepts(&output));
        let volumes = query.parse(&output).unwrap();
        assert_eq!(volumes.len(), 1);
        assert_eq!(volumes[0].options["device"], "/x");
    }
}
