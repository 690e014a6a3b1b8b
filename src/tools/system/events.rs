use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{Timestamp, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Effect;
use crate::command::events::{Event, Events};
use crate::command::values::{ContainerRef, ProjectName, TimePoint};
use crate::error::Error;
use crate::sort;
use crate::tools::filters::{LIMIT, word};
use crate::tools::reply::Listing;
use crate::tools::{Context, Spec, Tool, Toolset};

/// How far back when the caller does not say.
const SINCE: Duration = Duration::from_secs(3600);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DockerEvents {
    /// Only what happened since then; default 1h ago.
    since: Option<TimePoint>,
    /// Only what happened until then; default now.
    until: Option<TimePoint>,
    /// Kinds of objects whose events are told; default all.
    #[serde(default)]
    types: BTreeSet<Kind>,
    /// Only this container, which may be gone.
    container_name: Option<ContainerRef>,
    /// Name of the compose project.
    project_name: Option<ProjectName>,
    /// The most entries to return; default 50.
    limit: Option<u32>,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema, Serialize,
)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    /// In the order in which they happened.
    events: Vec<Told>,
    total: Option<usize>,
    note: Option<String>,
}

#[derive(Debug, Serialize)]
struct Told {
    time: String,
    r#type: String,
    action: String,
    name: String,
    id: String,
    project: Option<String>,
    exit_code: Option<i32>,
}

impl Tool for DockerEvents {
    const SPEC: Spec = Spec {
        name: "docker-events",
        title: "Events",
        description: "What happened when (`docker events`), for example last night: history of what \
                      started, died, was killed, became unhealthy, was removed. Output: get-logs.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Listing<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let now = Timestamp::now();
        let since = match self.since {
            Some(since) => since.resolve(now),
            None => now.checked_sub(SINCE).unwrap_or(now),
        };
        let until = self.until.map_or(now, |until| until.resolve(now)).min(now);
        if since > now {
            return Err(Error::invalid("since", "it is in the future"));
        }
        if until <= since {
            return Err(Error::invalid("until", "it is not after since"));
        }
        let heard = context.docker.heard();
        let complete_since = heard.complete_since;
        let mut events = heard.events;
        let is_complete = complete_since.is_some_and(|complete| complete <= since);
        if !is_complete {
            // What the daemon still knows itself.
            events.extend(context.docker.run(&Events { since, until: Some(until) }).await?);
        }
        sort::by(&mut events, |a, b| a.key().cmp(&b.key()));
        events.dedup_by(|a, b| a.key() == b.key());
        events.retain(|event| (since..=until).contains(&event.time()));
        let events = self.chosen(events);
        let limit = self.limit.unwrap_or(LIMIT) as usize;
        let total = (events.len() > limit).then_some(events.len());
        let skipped = events.len().saturating_sub(limit);
        let reply = Reply {
            events: events.iter().skip(skipped).map(told).collect(),
            total,
            note: (!is_complete).then(|| incomplete(complete_since)),
        };
        Ok(Listing { list: "events", reply })
    }
}

impl DockerEvents {
    fn chosen(&self, mut events: Vec<Event>) -> Vec<Event> {
        if self.container_name.is_some() || self.project_name.is_some() {
            let is_wanted = |event: &Event| {
                let reference = self.container_name.as_ref().map(ContainerRef::as_str);
                event.kind == "container"
                    && reference.is_none_or(|it| event.name() == it || event.id.starts_with(it))
                    && self
                        .project_name
                        .as_ref()
                        .is_none_or(|it| event.project() == Some(it.as_str()))
            };
            let ids: BTreeSet<String> = events
                .iter()
                .filter(|event| is_wanted(event))
                .map(|event| event.id.clone())
                .collect();
            // Also when it had another name, and when it joined and left its networks. A project's
            // own networks and volumes carry its name in theirs.
            let of_project = self.project_name.as_ref().map(|project| format!("{project}_"));
            let is_of_project = |event: &Event| {
                self.container_name.is_none()
                    && matches!(event.kind.as_str(), "network" | "volume")
                    && of_project.as_ref().is_some_and(|prefix| event.name().starts_with(prefix))
            };
            events.retain(|event| {
                ids.contains(&event.id) || ids.contains(&event.container) || is_of_project(event)
            });
        }
        let types: Vec<String> = self.types.iter().map(word).collect();
        events.retain(|event| types.is_empty() || types.contains(&event.kind));
        events
    }
}

fn told(event: &Event) -> Told {
    let time = event.time();
    Told {
        time: time.round(Unit::Millisecond).unwrap_or(time).to_string(),
        r#type: event.kind.clone(),
        action: event.action.clone(),
        name: event.name().to_owned(),
        id: if event.kind == "volume" {
            String::new()
        } else {
            crate::command::text::short_id(&event.id).to_owned()
        },
        project: event.project().map(str::to_owned),
        exit_code: event.exit_code(),
    }
}

/// What the daemon tells of the time before this server listened, or of a break, may have holes.
fn incomplete(complete_since: Option<Timestamp>) -> String {
    const MEMORY: &str = "docker remembers only its last 256 events, health checks included";
    match complete_since.and_then(|since| since.round(Unit::Second).ok()) {
        Some(since) => {
            format!(
                "some before {since} may be missing: only since then this server listens without a break; {MEMORY}"
            )
        }
        None => format!("some may be missing: {MEMORY}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(
        kind: &str,
        action: &str,
        id: &str,
        name: &str,
        container: &str,
        project: &str,
    ) -> Event {
        let line = json!({
            "TimeNano": 1, "Type": kind, "Action": action, "ID": id, "Name": name,
            "Container": container, "Project": project, "ExitCode": "",
        });
        Event::read(&line.to_string()).unwrap()
    }

    #[test]
    fn what_may_be_missing_is_said() {
        let since = "2026-11-24T12:00:00.4Z".parse().unwrap();
        insta::assert_snapshot!(incomplete(Some(since)), @"some before 2026-11-24T12:00:00Z may be missing: only since then this server listens without a break; docker remembers only its last 256 events, health checks included");
        insta::assert_snapshot!(incomplete(None), @"some may be missing: docker remembers only its last 256 events, health checks included");
    }

    #[test]
    fn events_are_chosen_by_what_they_are_about() {
        let events = || {
            vec![
                event("container", "create", "c1", "web-old", "", "shop"),
                event("container", "rename", "c1", "web", "", "shop"),
                event("network", "connect", "n1", "shop_default", "c1", ""),
                event("network", "create", "n1", "shop_default", "", ""),
                event("volume", "create", "shop_data", "", "", ""),
                event("container", "die", "c2", "db", "", "shop"),
                event("container", "die", "c3", "other", "", ""),
                event("image", "pull", "nginx:1", "nginx", "", ""),
            ]
        };
        let chosen = |arguments: serde_json::Value| {
            let tool: DockerEvents = serde_json::from_value(arguments).unwrap();
            let chosen = tool.chosen(events());
            chosen.iter().map(|it| format!("{} {}", it.action, it.name())).collect::<Vec<_>>()
        };
        assert_eq!(chosen(json!({})).len(), 8);
        assert_eq!(
            chosen(json!({"container_name": "web"})),
            ["create web-old", "rename web", "connect shop_default"]
        );
        assert_eq!(chosen(json!({"container_name": "c2"})), ["die db"]);
        assert_eq!(chosen(json!({"project_name": "shop"})).len(), 6);
        assert_eq!(
            chosen(json!({"types": ["volume", "image"]})),
            ["create shop_data", "pull nginx"]
        );
        assert_eq!(
            chosen(json!({"project_name": "shop", "types": ["volume"]})),
            ["create shop_data"]
        );
    }
}
