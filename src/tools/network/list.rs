use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_on;
use crate::command::Effect;
use crate::command::labels;
use crate::command::networks::{self, InspectNetworks, Network};
use crate::command::values::{NetworkDriver, ProjectName};
use crate::error::Error;
use crate::sort;
use crate::tools::batches::in_batches;
use crate::tools::filters::{Names, Texts, limited};
use crate::tools::reply::Listing;
use crate::tools::users::Users;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListNetworks {
    /// By name, label, driver, project.
    #[serde(default)]
    filters: Filters,
    /// The most entries to return; default 50.
    limit: Option<u32>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    /// Regular expression for a part of the name.
    name: Option<Texts>,
    /// `key` or `key=value`.
    label: Option<Texts>,
    /// Driver, such as bridge.
    driver: Option<NetworkDriver>,
    /// Project.
    project: Option<ProjectName>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    networks: Vec<Listed>,
    total: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    name: String,
    driver: String,
    scope: String,
    internal: bool,
    project: Option<String>,
    subnets: Vec<String>,
    containers: Vec<String>,
}

impl Tool for ListNetworks {
    const SPEC: Spec = Spec {
        name: "list-networks",
        title: "List networks",
        description: "List networks (`docker network ls`) with subnets, project and containers. One: \
                      inspect-network.",
        toolset: Toolset::Networks,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Listing<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let names = Names::new("name", self.filters.name.as_ref())?;
        let rows = self.command();
        let (mut rows, users) =
            tokio::try_join!(context.docker.run(&rows), Users::find(context, vec![]))?;
        rows.retain(|row| names.want(&row.name));
        let (rows, total) = limited(rows, self.limit);
        let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
        let mut found = in_batches(&context.docker, &ids, InspectNetworks::listed).await?;
        sort::by(&mut found, |a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let listed = |network: Network| listed(&network, &users);
        Ok(Listing {
            list: "networks",
            reply: Reply { networks: found.into_iter().map(listed).collect(), total },
        })
    }
}

impl ListNetworks {
    fn command(&self) -> networks::ListNetworks {
        let Filters { name: _, label, driver, project } = &self.filters;
        let mut filters = vec![];
        filters.extend(driver.as_ref().map(|driver| format!("driver={driver}")));
        filters.extend(project.as_ref().map(|project| labels::of_project(project.as_str())));
        filters.extend(Texts::filters(label.as_ref(), "label"));
        networks::ListNetworks { filters }
    }
}

fn listed(network: &Network, users: &Users) -> Listed {
    let on_it = users.rows().iter().filter(|row| is_on(row, &network.name, &network.id));
    Listed {
        id: network.short_id().to_owned(),
        name: network.name.clone(),
        driver: network.driver.clone(),
        scope: network.scope.clone(),
        internal: network.internal,
        project: network.project().map(str::to_owned),
        subnets: network.subnets(),
        containers: on_it.map(|row| row.name.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::ListNetworks;
    use crate::command::Command as _;

    fn argv(arguments: serde_json::Value) -> String {
        let tool: ListNetworks = serde_json::from_value(arguments).unwrap();
        let shown = tool.command().invocation().to_string();
        shown.split(" '--format=").next().unwrap().to_owned()
    }

    #[test]
    fn argv_of_list_networks() {
        assert_snapshot!(argv(json!({})), @"docker network ls --no-trunc");
        assert_snapshot!(
            argv(json!({"filters": {"name": ["a.b", "c"], "label": "x", "driver": "bridge", "project": "shop"}})),
            @"docker network ls --no-trunc --filter=driver=bridge --filter=label=com.docker.compose.project=shop --filter=label=x"
        );
    }
}
