use schemars::JsonSchema;
use serde::Deserialize;

use super::lifecycle::inspect;
use crate::command::Effect;
use crate::command::values::ContainerRef;
use crate::error::Error;
use crate::parameters::With;
use crate::tools::execution::{Execution, Reply};
use crate::tools::reply::Change;
use crate::tools::{Context, Spec, Tool, Toolset};

pub(super) type ExecContainer = With<Target, Execution>;

/// In which container.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Target {
    /// Name or ID.
    container_name: ContainerRef,
}

impl Tool for ExecContainer {
    const SPEC: Spec = Spec {
        name: "exec-container",
        title: "Run in container",
        description: "Run a command in a running container. In a new one: run-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: true,
    };
    type Reply = Change<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let container = inspect(context, &self.own.container_name).await?;
        self.shared.run(context, &container).await
    }
}
