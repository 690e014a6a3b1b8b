//! The phases of a change, with a tool that does not keep to them.

use docker_mcp_server::command::{Attempt, Effect, Invocation};
use docker_mcp_server::error::Error;
use docker_mcp_server::tools::{Change, Context, Entry, Prepared, Spec, Toolset};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::wire::{Era, Wire};

/// Acts although it is only to look.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rash {}

impl Change for Rash {
    const SPEC: Spec = Spec {
        name: "rash",
        title: "Rash",
        description: "Acts at once.",
        toolset: Toolset::Volumes,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    type Ready = ();
    type Reply = Value;

    async fn prepare(self, context: &Context) -> Result<Prepared<()>, Error> {
        let remove = Invocation::docker(Effect::Destroy, ["volume", "rm"]).operands(["data"]);
        context.docker.run(&Attempt(remove)).await?;
        Ok(Prepared::new([], ()))
    }

    async fn apply((): (), _: &Context) -> Result<Value, Error> {
        Ok(json!({"done": true}))
    }
}

#[tokio::test]
async fn a_preview_cannot_act() {
    let stage = Stage::script("echo \"$*\" >> \"$here/ran\"");
    let mut wire = Wire::in_memory(stage.dispatcher_of([Entry::change::<Rash>()]), Era::Modern);
    for arguments in [json!({"dry_run": true}), json!({})] {
        let result = wire.call("rash", arguments).await;
        let said = result["content"][0]["text"].as_str().unwrap();
        assert!(said.starts_with("Error: DKR-019"), "{said}");
        assert!(said.contains("a Read call tried to run a Destroy command"), "{said}");
    }
    assert!(!stage.path("ran").exists());
}
