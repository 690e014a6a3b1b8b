use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::create::name_conflict;
use super::lifecycle::inspect;
use crate::command::containers::{Container, InspectContainers};
use crate::command::values::{Bounded, ContainerName, ContainerRef, Cpus, Memory, RestartPolicy};
use crate::command::{Act, Effect, Invocation};
use crate::error::{Code, Error};
use crate::sort;
use crate::tools::protect::{judge_again, judge_changes, judge_protection};
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateContainer {
    /// The container, by name or ID.
    container_name: ContainerRef,
    /// Rename the container to this name.
    new_name: Option<ContainerName>,
    /// Memory limit such as "512m".
    memory: Option<Memory>,
    /// CPU limit in cores, such as 1.5.
    cpus: Option<Cpus>,
    /// The most processes in it.
    pids_limit: Option<Bounded<1, 4_194_304>>,
    /// Restart policy: no, always, unless-stopped, on-failure[:5].
    restart: Option<RestartPolicy>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    id: String,
    name: String,
    /// What is different now, as docker tells it: `[before, after]`.
    changed: BTreeMap<&'static str, [Value; 2]>,
}

impl Change for UpdateContainer {
    const SPEC: Spec = Spec {
        name: "update-container",
        title: "Change container",
        description: "Change a container in place (`docker update`, `docker rename`): memory limit and CPU \
                      limit, restart policy, new name. Other settings: recreate-container.",
        toolset: Toolset::Containers,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let before = inspect(context, &self.container_name).await?;
        judge_changes(&context.docker, [&before])?;
        if self.new_name.is_some() {
            // Under another name it would be protected no more.
            let labels = &before.config.labels;
            judge_protection(&context.docker, "container", before.name(), labels)?;
        }
        if self.is_update() {
            // A limit can end it, and then docker starts it again.
            judge_again(&context.docker, [&before]).await?;
        }
        let steps = self.steps(&before, &before.id);
        if steps.is_empty() && self.new_name.is_none() {
            let message = "nothing to change is given";
            return Err(Error::invalid("memory", message)
                .hint("give new_name, memory, cpus, pids_limit or restart"));
        }
        self.demand_free_name(context, &before).await?;
        let shown = self.steps(&before, before.name());
        Ok(Prepared::new(shown, Ready { before, steps }))
    }

    async fn apply(Ready { before, steps }: Ready, context: &Context) -> Result<Reply, Error> {
        for (at, step) in steps.into_iter().enumerate() {
            context.docker.run(&Act(step)).await.map_err(|error| {
                let error = error.with("container", before.name());
                if at == 0 {
                    error
                } else {
                    error.hint("its limits were changed, its name was not")
                }
            })?;
        }
        let by_id = ContainerRef::try_from(before.id.clone())
            .map_err(|problem| Error::new(Code::UnexpectedOutput, problem))?;
        let after = inspect(context, &by_id).await?;
        Ok(Reply {
            id: after.short_id().to_owned(),
            name: after.name().to_owned(),
            changed: changed(&before, &after),
        })
    }
}

pub(super) struct Ready {
    before: Container,
    steps: Vec<Invocation>,
}

impl UpdateContainer {
    /// `update`, then `rename`, each when it is needed.
    fn steps(&self, before: &Container, container: &str) -> Vec<Invocation> {
        let update = Invocation::docker(Effect::Change, ["container", "update"])
            .maybe("--memory", self.memory)
            .maybe("--memory-swap", self.memory.and_then(|memory| swap(before, memory.bytes())))
            .maybe("--cpus", self.cpus)
            .maybe("--pids-limit", self.pids_limit)
            .maybe("--restart", self.restart)
            .operands([container]);
        let new_name = self.new_name.as_ref().filter(|name| name.as_str() != before.name());
        let rename = new_name.map(|name| {
            Invocation::docker(Effect::Change, ["container", "rename"])
                .operands([container, name.as_str()])
        });
        self.is_update().then_some(update).into_iter().chain(rename).collect()
    }

    fn is_update(&self) -> bool {
        self.memory.is_some()
            || self.cpus.is_some()
            || self.pids_limit.is_some()
            || self.restart.is_some()
    }

    /// Before anything is changed.
    async fn demand_free_name(&self, context: &Context, before: &Container) -> Result<(), Error> {
        let Some(name) = &self.new_name else { return Ok(()) };
        let query = InspectContainers::listed([name.to_string()]);
        let holders = context.docker.run(&query).await?;
        let is_taken =
            |holder: &&Container| holder.name() == name.as_str() && holder.id != before.id;
        match holders.iter().find(is_taken) {
            Some(holder) => Err(name_conflict(holder)),
            None => Ok(()),
        }
    }
}

/// The limit of memory and swap together, which the daemon wants to stay above that of memory.
/// Without a wish it is twice as much, and stays so; a share of swap that was chosen stays as it is.
fn swap(before: &Container, memory: u64) -> Option<u64> {
    let host = &before.host_config;
    let (old, together) = (u64::try_from(host.memory).ok()?, u64::try_from(host.memory_swap).ok()?);
    if together == 0 || together == old * 2 {
        return memory.checked_mul(2);
    }
    memory.checked_add(together.checked_sub(old)?)
}

fn changed(before: &Container, after: &Container) -> BTreeMap<&'static str, [Value; 2]> {
    let (before, after) = (facts(before), facts(after));
    let pairs = before.into_iter().zip(after);
    let changed = pairs.filter(|((_, before), (_, after))| before != after);
    sort::map(changed.map(|((name, before), (_, after))| (name, [before, after])))
}

/// No limit is `none`, as an empty answer would be left out.
fn facts(container: &Container) -> [(&'static str, Value); 5] {
    let host = &container.host_config;
    let limit = |value: i64| if value > 0 { json!(value) } else { json!("none") };
    let policy = &host.restart_policy;
    let restart = match (policy.name.as_str(), policy.maximum_retry_count) {
        ("", _) => "no".to_owned(),
        (name, 0) => name.to_owned(),
        (name, count) => format!("{name}:{count}"),
    };
    #[expect(clippy::cast_precision_loss, reason = "a number of processors is small")]
    let cpus = host.nano_cpus as f64 / 1e9;
    [
        ("name", json!(container.name())),
        ("memory_bytes", limit(host.memory)),
        ("cpus", if cpus > 0.0 { json!(cpus) } else { json!("none") }),
        ("pids_limit", limit(host.pids_limit.unwrap_or_default())),
        ("restart", json!(restart)),
    ]
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn container(host: &Value) -> Container {
        serde_json::from_value(json!({"Name": "/web", "HostConfig": host})).unwrap()
    }

    fn argv(mut arguments: Value, host: &Value) -> String {
        arguments["container_name"] = "web".into();
        let tool: UpdateContainer = serde_json::from_value(arguments).unwrap();
        let steps = tool.steps(&container(host), "web");
        steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" && ")
    }

    #[test]
    fn argv_of_update_container() {
        assert_snapshot!(argv(json!({"restart": "always"}), &json!({})), @"docker container update --restart=always -- web");
        assert_snapshot!(argv(json!({"new_name": "api"}), &json!({})), @"docker container rename -- web api");
        assert_snapshot!(argv(json!({"new_name": "web", "cpus": 1.5, "pids_limit": 50}), &json!({})), @"docker container update --cpus=1.5 --pids-limit=50 -- web");
        assert_snapshot!(
            argv(json!({"memory": "64m", "new_name": "api"}), &json!({"Memory": 16_777_216, "MemorySwap": 33_554_432})),
            @"docker container update --memory=67108864 --memory-swap=134217728 -- web && docker container rename -- web api"
        );
        // A share of swap that somebody chose; no limit of it.
        assert_snapshot!(argv(json!({"memory": "64m"}), &json!({"Memory": 16_777_216, "MemorySwap": 16_777_216})), @"docker container update --memory=67108864 --memory-swap=67108864 -- web");
        assert_snapshot!(argv(json!({"memory": "64m"}), &json!({"Memory": 16_777_216, "MemorySwap": -1})), @"docker container update --memory=67108864 -- web");
    }

    #[test]
    fn what_changed_is_told_before_and_after() {
        let before = container(&json!({"RestartPolicy": {"Name": "no"}}));
        let after = container(
            &json!({"Memory": 64, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}),
        );
        assert_eq!(
            json!(changed(&before, &after)),
            json!({"memory_bytes": ["none", 64], "restart": ["no", "on-failure:3"]})
        );
    }
}
