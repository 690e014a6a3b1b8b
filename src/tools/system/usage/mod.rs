//! disk-usage: what takes space, by type or by project, and what could go.

mod projects;
#[cfg(test)]
mod tests;
mod types;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::command::Effect;
use crate::command::disk::{DiskUsage as Query, ImagesTotal, Usage};
use crate::command::images::ListImages;
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::reply::{Answer, IntoAnswer, Structured};
use crate::tools::{Context, Spec, Tool, Toolset};
use projects::{ByProject, by_project};
use types::{ByType, Unused, by_type};

/// The daemon walks through every file of every layer and volume.
pub(super) const LIMIT: Duration = Duration::from_secs(120);
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiskUsage {
    /// How the sizes are grouped; default by type.
    #[serde(default)]
    by: By,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    #[default]
    Type,
    Project,
}

#[derive(Debug)]
pub(super) enum Reply {
    Types(ByType),
    Projects(ByProject),
}

impl IntoAnswer for Reply {
    fn into_answer(self) -> Answer {
        match self {
            Self::Types(types) => Structured(types).into_answer(),
            Self::Projects(projects) => Structured(projects).into_answer(),
        }
    }
}

impl Tool for DiskUsage {
    const SPEC: Spec = Spec {
        name: "disk-usage",
        title: "Disk usage",
        description: "How much disk space docker uses (`docker system df`) by images, containers, volumes \
                      and build cache, and what could be freed. Takes a while. Then: prune.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Reply;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let list = ListImages::default();
        let (usage, images_total) = usage(docker).await?;
        Ok(match self.by {
            By::Type => {
                let unused = Unused::of(docker, &usage).await?;
                Reply::Types(by_type(&usage, images_total, &unused))
            }
            By::Project => Reply::Projects(by_project(&usage, &docker.run(&list).await?)),
        })
    }
}

/// Both at once: from 23 on the daemon measures once for both. 20.10 refuses the second one while
/// it is busy with the first.
pub(super) async fn usage(docker: &Docker) -> Result<(Usage, Option<u64>), Error> {
    let (all, total) = (Query { timeout: LIMIT }, ImagesTotal { timeout: LIMIT });
    docker.progress().say("docker measures layers and volumes");
    let (first, second) = tokio::join!(docker.run(&all), docker.run(&total));
    let is_busy = |error: &Error| error.message.contains("already running");
    let usage = match first {
        Err(error) if is_busy(&error) => docker.run(&all).await?,
        first => first?,
    };
    let total = match second {
        Err(error) if is_busy(&error) => docker.run(&total).await?,
        second => second?,
    };
    Ok((usage, total))
}
