use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inspect_one;
use crate::command::labels::REQUEST;
use crate::command::values::{DriverOptions, Labels, VolumeName};
use crate::command::volumes::{InspectVolumes, ListVolumes, Volume};
use crate::command::{Command, Effect, Hazard, Invocation, Output};
use crate::error::{Code, Error};
use crate::tools::confirm::token;
use crate::tools::protect::refuse_own_label;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateVolume {
    /// Its name; default a random one.
    name: Option<VolumeName>,
    /// Labels to set, by key.
    #[serde(default)]
    labels: Labels,
    /// Options of the volume driver, as `{"key": "value"}`.
    #[serde(default)]
    driver_opts: DriverOptions,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    name: String,
    driver: String,
    mountpoint: String,
    /// False when it existed already.
    created: bool,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
    note: Option<&'static str>,
}

impl Change for CreateVolume {
    const SPEC: Spec = Spec {
        name: "create-volume",
        title: "Create volume",
        description: "Create (make) a new named volume (`docker volume create`); an equal one is kept. To \
                      see it: inspect-volume.",
        toolset: Toolset::Volumes,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        refuse_own_label(&self.labels)?;
        // `volume create` says of an existing one what it says of a new one, whatever the options.
        if let Some(existing) = self.existing(context).await? {
            self.demand_equal(&existing)?;
            let shown = Creation { tool: &self, request: "" }.invocation();
            return Ok(Prepared::new([shown], Ready::Exists(existing)));
        }
        let request = token()?;
        let shown = Creation { tool: &self, request: &request }.invocation();
        Ok(Prepared::new([shown], Ready::New { tool: self, request }))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        let (tool, request) = match ready {
            Ready::Exists(volume) => return Ok(as_it_was(volume)),
            Ready::New { tool, request } => (tool, request),
        };
        let creation = Creation { tool: &tool, request: &request };
        let (volume, note) = match context.docker.run(&creation).await {
            Ok(name) => (inspect_one(context, &name).await?, None),
            Err(error) => match found_by_request(context, &request, &error).await {
                Some(volume) => {
                    (volume, Some("docker's answer was lost, but it created the volume"))
                }
                None => return Err(error),
            },
        };
        // Somebody else was quicker: docker gave us theirs.
        if volume.labels.get(REQUEST) != Some(&request) {
            tool.demand_equal(&volume)?;
            return Ok(as_it_was(volume));
        }
        Ok(reply(volume, true, note))
    }
}

pub(super) enum Ready {
    Exists(Volume),
    New { tool: CreateVolume, request: String },
}

impl CreateVolume {
    async fn existing(&self, context: &Context) -> Result<Option<Volume>, Error> {
        let Some(name) = &self.name else { return Ok(None) };
        let look = InspectVolumes::listed(vec![name.to_string()]);
        Ok(context.docker.run(&look).await?.pop())
    }

    /// Refuses to take another volume for the one that was asked for.
    fn demand_equal(&self, existing: &Volume) -> Result<(), Error> {
        let mut others = differing("label", &self.labels, &existing.labels);
        others.extend(differing("option", &self.driver_opts, &existing.options));
        if others.is_empty() {
            return Ok(());
        }
        let message = format!(
            "volume {} exists already, with another {}",
            existing.name,
            others.join(", another ")
        );
        Err(Error::new(Code::NameConflict, message)
            .with("volume", &existing.name)
            .hint("choose another name; a volume's labels and options cannot be changed, and inspect-volume shows them"))
    }
}

fn as_it_was(existing: Volume) -> Reply {
    reply(existing, false, Some("it existed already and is as it was"))
}

/// What was asked for and is not so.
fn differing<'a, K: AsRef<str> + 'a>(
    kind: &str,
    asked: impl IntoIterator<Item = (&'a K, &'a String)>,
    are: &BTreeMap<String, String>,
) -> Vec<String> {
    let asked = asked.into_iter();
    asked
        .filter(|(key, value)| are.get(key.as_ref()) != Some(value))
        .map(|(key, _)| format!("{kind} {}", key.as_ref()))
        .collect()
}

fn reply(volume: Volume, created: bool, note: Option<&'static str>) -> Reply {
    let mut labels = volume.labels;
    labels.remove(REQUEST);
    Reply {
        name: volume.name,
        driver: volume.driver,
        mountpoint: volume.mountpoint,
        created,
        labels,
        options: volume.options,
        note,
    }
}

/// After an answer that was lost on its way: the volume that this very call created.
async fn found_by_request(context: &Context, request: &str, error: &Error) -> Option<Volume> {
    if !error.may_have_been_done() {
        return None;
    }
    let ours = ListVolumes { filters: vec![format!("label={REQUEST}={request}")] };
    let name = context.docker.run(&ours).await.ok()?.pop()?;
    inspect_one(context, &name).await.ok()
}

/// `docker volume create`, which prints the name.
struct Creation<'a> {
    tool: &'a CreateVolume,
    /// Empty for a command that will not be run.
    request: &'a str,
}

impl Command for Creation<'_> {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        let CreateVolume { name, labels, driver_opts, .. } = self.tool;
        let mut invocation = Invocation::docker(Effect::Change, ["volume", "create"]);
        if !self.request.is_empty() {
            invocation = invocation.option("--label", format!("{REQUEST}={}", self.request));
        }
        for (key, value) in labels {
            invocation = invocation.option("--label", format!("{key}={value}"));
        }
        for (key, value) in driver_opts {
            let hazard = Hazard::DriverOption { key: key.to_string(), value: value.clone() };
            invocation = invocation.hazard(hazard);
            // Shares of a network are mounted with `o=username=…,password=…`.
            invocation = if value.to_ascii_lowercase().contains("pass") {
                invocation.secret("--opt", key.as_str(), value)
            } else {
                invocation.option("--opt", format!("{key}={value}"))
            };
        }
        invocation.operands(name)
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        let name = output.stdout.trim();
        if name.is_empty() {
            return Err(Error::new(Code::UnexpectedOutput, "docker did not say the volume's name"));
        }
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn tool(arguments: serde_json::Value) -> CreateVolume {
        serde_json::from_value(arguments).unwrap()
    }

    fn invocation(arguments: serde_json::Value) -> Invocation {
        Creation { tool: &tool(arguments), request: "01ab" }.invocation()
    }

    #[test]
    fn argv_of_create_volume() {
        assert_snapshot!(invocation(json!({})), @"docker volume create --label=docker-mcp-server.request=01ab");
        let all = invocation(json!({
            "name": "pg",
            "labels": {"a": "x y", "b": ""},
            "driver_opts": {"type": "cifs", "device": "//nas/share", "o": "username=u,password=hunter2"}
        }));
        assert_snapshot!(all, @"docker volume create --label=docker-mcp-server.request=01ab '--label=a=x y' --label=b= --opt=device=//nas/share '--opt=o=***' --opt=type=cifs -- pg");
        let keys: Vec<_> = all
            .hazards()
            .iter()
            .map(|hazard| match hazard {
                Hazard::DriverOption { key, .. } => key.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(keys, ["device", "o", "type"]);
    }

    #[test]
    fn an_existing_volume_is_taken_when_it_is_what_was_asked_for() {
        let existing = || Volume {
            name: "pg".into(),
            labels: BTreeMap::from([("a".into(), "b".into())]),
            options: BTreeMap::from([("type".into(), "tmpfs".into())]),
            ..Volume::default()
        };
        let ask = |arguments| tool(arguments).demand_equal(&existing());
        assert!(ask(json!({"name": "pg"})).is_ok());
        assert!(ask(json!({"name": "pg", "labels": {"a": "b"}})).is_ok());
        let other = json!({"name": "pg", "labels": {"a": "c"}, "driver_opts": {"type": "nfs"}});
        assert_snapshot!(ask(other).unwrap_err(), @"
        Error: DKR-007 name_conflict: volume pg exists already, with another label a, another option type | Context: volume=pg
        hint: choose another name; a volume's labels and options cannot be changed, and inspect-volume shows them
        ");
    }
}
