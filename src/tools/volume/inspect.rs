use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{inspect_one, size_in_passing, users_of};
use crate::command::Effect;
use crate::command::text::human_bytes;
use crate::command::values::VolumeName;
use crate::error::Error;
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectVolume {
    /// Name of the volume.
    name: VolumeName,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    name: String,
    driver: String,
    mountpoint: String,
    project: Option<String>,
    created: String,
    used_by: Vec<User>,
    size: Option<String>,
    size_bytes: Option<u64>,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct User {
    container: String,
    state: String,
}

impl Tool for InspectVolume {
    const SPEC: Spec = Spec {
        name: "inspect-volume",
        title: "Inspect volume",
        description: "Details of one volume (`docker volume inspect`): driver, labels, mountpoint, who \
                      uses it. All: list-volumes.",
        toolset: Toolset::Volumes,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let name = self.name.as_str();
        let volume = inspect_one(context, name).await?;
        let users = users_of(context, name).await?;
        let size_bytes = size_in_passing(context, name).await;
        let user = |row: &crate::command::containers::Row| User {
            container: row.name.clone(),
            state: row.state.clone(),
        };
        Ok(Structured(Reply {
            project: volume.project().map(str::to_owned),
            created: volume.created(),
            used_by: users.rows().iter().map(user).collect(),
            size: size_bytes.map(human_bytes),
            size_bytes,
            name: volume.name,
            driver: volume.driver,
            mountpoint: volume.mountpoint,
            labels: volume.labels,
            options: volume.options,
        }))
    }
}
