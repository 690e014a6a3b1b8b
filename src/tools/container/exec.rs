use schemars::JsonSchema;
use serde::Deserialize;

use super::lifecycle::inspect;
use crate::command::Effect;
use crate::command::values::ContainerRef;
use crate::error::Error;
use crate::parameters::With;
use crate::tools::execution::{Execution, Ready, Reply};
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

pub(super) type ExecContainer = With<Target, Execution>;

/// In which container.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Target {
    /// The container, by name or ID.
    container_name: ContainerRef,
}

impl Change for ExecContainer {
    const SPEC: Spec = Spec {
        name: "exec-container",
        title: "Run in container",
        description: "Run a command or a shell inside a running container (`docker exec`). In a new one: \
                      run-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: true,
    };
    const REMOVES: bool = false;
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let container = inspect(context, &self.own.container_name).await?;
        self.shared.prepare(context, container).await
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        ready.run(&context.docker).await
    }
}
