use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{inspect_one, users_of};
use crate::command::values::VolumeName;
use crate::command::volumes::InspectVolumes;
use crate::command::{Act, Effect, Invocation};
use crate::error::Error;
use crate::tools::losses;
use crate::tools::protect::judge_removal;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveVolume {
    /// Name of the volume.
    name: VolumeName,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    removed: Vec<String>,
    note: Option<&'static str>,
}

impl Change for RemoveVolume {
    const SPEC: Spec = Spec {
        name: "remove-volume",
        title: "Remove volume",
        description: "Remove (delete) a volume and destroy its data, after a plan (`docker volume rm`). \
                      Users: find-users.",
        toolset: Toolset::Volumes,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: false,
    };
    type Ready = VolumeName;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<VolumeName>, Error> {
        let name = self.name.as_str();
        let volume = inspect_one(context, name).await?;
        let users = users_of(context, name).await?;
        judge_removal(&context.docker, "volume", name, &volume.labels)?;
        if !users.is_empty() {
            return Err(users.in_the_way("volume", name).hint(
                "if those containers are yours, remove them first (remove-container); stopped ones hold their volumes too",
            ));
        }
        let doomed = losses::unused_volumes(&context.docker, [&volume]).await;
        Ok(Prepared::new([removal(name).0], self.name).loses(doomed))
    }

    async fn apply(name: VolumeName, context: &Context) -> Result<Reply, Error> {
        let name = name.as_str();
        let note = match context.docker.run(&removal(name)).await {
            Ok(()) => None,
            Err(error) if is_gone(context, name, &error).await => Some(GONE),
            Err(error) => return Err(error.with("volume", name)),
        };
        Ok(Reply { removed: vec![name.to_owned()], note })
    }
}

const GONE: &str = "docker's answer was lost, but the volume is gone";

/// Whether the removal was done although its answer says something else.
async fn is_gone(context: &Context, name: &str, error: &Error) -> bool {
    let look = InspectVolumes::listed(vec![name.to_owned()]);
    error.may_have_been_done()
        && context.docker.run(&look).await.is_ok_and(|found| found.is_empty())
}

/// Never with `--force`, which only hides that there was none.
fn removal(volume: &str) -> Act {
    Act(Invocation::docker(Effect::Destroy, ["volume", "rm"]).operands([volume]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argv_of_remove_volume() {
        insta::assert_snapshot!(removal("shop_pgdata").0, @"docker volume rm -- shop_pgdata");
    }
}
