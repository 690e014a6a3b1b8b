use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Effect;
use crate::command::labels;
use crate::command::text::human_bytes;
use crate::command::values::ProjectName;
use crate::command::volumes::{self, InspectVolumes, Volume, VolumeSizes};
use crate::error::Error;
use crate::sort;
use crate::tools::batches::in_batches;
use crate::tools::filters::{Names, Texts, limited, yes_or_no};
use crate::tools::reply::Listing;
use crate::tools::users::{Users, few};
use crate::tools::{Context, Spec, Tool, Toolset};

/// Docker walks every file of every volume.
const SIZES: Duration = Duration::from_secs(120);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListVolumes {
    /// By dangling, label, name, project.
    #[serde(default)]
    filters: Filters,
    /// The most entries to return; default 50.
    limit: Option<u32>,
    /// Tell how large each one is, which is slow.
    #[serde(default)]
    size: bool,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    /// true: only unused ones; false: only used ones.
    #[serde(default, deserialize_with = "yes_or_no")]
    dangling: Option<bool>,
    /// `key` or `key=value`.
    label: Option<Texts>,
    /// Regular expression for a part of the name.
    name: Option<Texts>,
    /// Project.
    project: Option<ProjectName>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    volumes: Vec<Listed>,
    total: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    driver: String,
    project: Option<String>,
    /// Told only when it is so.
    anonymous: Option<bool>,
    created: String,
    used_by: Vec<String>,
    size: Option<String>,
    size_bytes: Option<u64>,
}

impl Tool for ListVolumes {
    const SPEC: Spec = Spec {
        name: "list-volumes",
        title: "List volumes",
        description: "List volumes (`docker volume ls`) with project and who uses them, unused or dangling \
                      ones. One: inspect-volume.",
        toolset: Toolset::Volumes,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Listing<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let wanted = Names::new("name", self.filters.name.as_ref())?;
        let names = self.command();
        let sizes = async {
            if self.size {
                context.docker.run(&VolumeSizes { timeout: SIZES }).await
            } else {
                Ok(BTreeMap::new())
            }
        };
        let (mut names, users, mut sizes) =
            tokio::try_join!(context.docker.run(&names), Users::find(context, vec![]), sizes)?;
        names.retain(|name| wanted.want(name));
        let (names, total) = limited(names, self.limit);
        let mut found = in_batches(&context.docker, &names, InspectVolumes::listed).await?;
        sort::by(&mut found, |a, b| a.name.cmp(&b.name));
        let listed = |volume: Volume| listed(&volume, &users, sizes.remove(&volume.name));
        Ok(Listing {
            list: "volumes",
            reply: Reply { volumes: found.into_iter().map(listed).collect(), total },
        })
    }
}

impl ListVolumes {
    fn command(&self) -> volumes::ListVolumes {
        let Filters { dangling, label, name: _, project } = &self.filters;
        let mut filters = vec![];
        filters.extend(dangling.map(|dangling| format!("dangling={dangling}")));
        filters.extend(project.as_ref().map(|project| labels::of_project(project.as_str())));
        filters.extend(Texts::filters(label.as_ref(), "label"));
        volumes::ListVolumes { filters }
    }
}

fn listed(volume: &Volume, users: &Users, size_bytes: Option<u64>) -> Listed {
    let uses = users.rows().iter().filter(|row| row.mounts.contains(&volume.name));
    Listed {
        name: volume.name.clone(),
        driver: volume.driver.clone(),
        project: volume.project().map(str::to_owned),
        anonymous: volume.is_anonymous().then_some(true),
        created: volume.created(),
        used_by: few(uses.map(|row| row.name.clone()).collect()),
        size: size_bytes.map(human_bytes),
        size_bytes,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::ListVolumes;
    use crate::command::Command as _;

    fn argv(arguments: serde_json::Value) -> String {
        let tool: ListVolumes = serde_json::from_value(arguments).unwrap();
        tool.command().invocation().to_string()
    }

    #[test]
    fn argv_of_list_volumes() {
        assert_snapshot!(argv(json!({})), @r#"docker volume ls '--format={"Name":{{json .Name}}}'"#);
        assert_snapshot!(
            argv(json!({"filters": {"dangling": "True", "label": {"a": "b c"}, "name": "d.b[", "project": "shop"}})),
            @r#"docker volume ls --filter=dangling=true --filter=label=com.docker.compose.project=shop '--filter=label=a=b c' '--format={"Name":{{json .Name}}}'"#
        );
    }
}
