//! `docker events`: what happened to containers, images, networks and volumes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::text::short_id;
use super::{Capture, Command, Effect, Invocation, Output, Streams, json};
use crate::error::Error;
use crate::sort;

/// What a daemon reports. Left out at the source is what would drown the rest: each run of a health
/// check (`exec_create`, `exec_start`, `exec_die`), and mounts, which follow every start and end.
const ACTIONS: [&str; 24] = [
    "commit",
    "connect",
    "create",
    "delete",
    "destroy",
    "die",
    "disconnect",
    "health_status",
    "import",
    "kill",
    "load",
    "oom",
    "pause",
    "prune",
    "pull",
    "push",
    "rename",
    "restart",
    "start",
    "stop",
    "tag",
    "unpause",
    "untag",
    "update",
];
const KINDS: [&str; 5] = ["container", "image", "network", "volume", "builder"];

// The attributes are also all labels of a container, of which only these are of use. The word
// `json` alone came with 24.
const ROW: &str = r#"{"TimeNano":{{json .TimeNano}},"Type":{{json .Type}},"Action":{{json .Action}},"ID":{{json .Actor.ID}},"Name":{{json (index .Actor.Attributes "name")}},"Container":{{json (index .Actor.Attributes "container")}},"Project":{{json (index .Actor.Attributes "com.docker.compose.project")}},"ExitCode":{{json (index .Actor.Attributes "exitCode")}}}"#;

/// The events of a span of time, or from a time on for as long as it runs.
///
/// A daemon remembers the last 256 events, health checks included; what is older is not told.
#[derive(Clone, Debug)]
pub struct Events {
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// Nanoseconds since 1970, by the daemon's clock.
    #[serde(rename = "TimeNano")]
    pub nanoseconds: i64,
    /// `container`, `image`, `network`, `volume`, `builder`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// `die`, `health_status: unhealthy`.
    pub action: String,
    /// The full ID; the name of a volume.
    #[serde(rename = "ID")]
    pub id: String,
    name: String,
    /// The ID of the container that joined or left a network.
    pub container: String,
    project: String,
    exit_code: String,
}

impl Event {
    /// One line of the stream; nothing for a line that is something else.
    pub fn read(line: &str) -> Option<Self> {
        json::document(line).ok()
    }

    pub fn name(&self) -> &str {
        if self.name.is_empty() { short_id(&self.id) } else { &self.name }
    }

    pub fn project(&self) -> Option<&str> {
        (!self.project.is_empty()).then_some(self.project.as_str())
    }

    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code.parse().ok()
    }

    pub fn time(&self) -> Timestamp {
        Timestamp::from_nanosecond(self.nanoseconds.into()).unwrap_or_default()
    }

    /// What makes two reports of it the same one.
    pub fn key(&self) -> (i64, &str, &str) {
        (self.nanoseconds, &self.action, &self.id)
    }
}

impl Command for Events {
    type Reply = Vec<Event>;

    fn invocation(&self) -> Invocation {
        let events = Invocation::docker(Effect::Read, ["events"])
            .option("--since", self.since)
            .maybe("--until", self.until)
            .each("--filter", KINDS.map(|kind| format!("type={kind}")))
            .each("--filter", ACTIONS.map(|action| format!("event={action}")))
            .option("--format", ROW);
        match self.until {
            Some(_) => events,
            // Whoever watches takes the lines as they come.
            None => events.in_background().streams(Streams::Split {
                stdout: Capture::Tail { max: 1 << 10 },
                stderr: Capture::Tail { max: 4 << 10 },
            }),
        }
    }

    fn parse(&self, output: &Output) -> Result<Vec<Event>, Error> {
        Ok(output.stdout.lines().filter_map(Event::read).collect())
    }
}

/// When volumes were last mounted or let go, as far as the daemon remembers.
#[derive(Clone, Copy, Debug)]
pub struct VolumeUses {
    /// Now: without an end the client would go on listening, and docker cuts an end that is given
    /// as a duration (`0s`) to the second, so that it would not tell of the last one.
    pub until: Timestamp,
}

impl Command for VolumeUses {
    /// Times by the names of volumes.
    type Reply = BTreeMap<String, String>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["events"])
            .option("--since", Timestamp::UNIX_EPOCH)
            .option("--until", self.until)
            .option("--filter", "type=volume")
            .each("--filter", ["mount", "unmount"].map(|action| format!("event={action}")))
            .option("--format", ROW)
    }

    /// The oldest come first.
    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let events = output.stdout.lines().filter_map(Event::read);
        Ok(sort::map(events.map(|event| (event.id.clone(), event.time().to_string()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argv_of_events() {
        let since = "2026-11-24T12:00:00Z".parse().unwrap();
        let shown = |until| {
            let shown = Events { since, until }.invocation().to_string();
            shown.split(" --filter=").next().unwrap().to_owned()
        };
        insta::assert_snapshot!(shown(None), @"docker events --since=2026-11-24T12:00:00Z");
        insta::assert_snapshot!(
            shown(Some("2026-11-24T12:10:00.5Z".parse().unwrap())),
            @"docker events --since=2026-11-24T12:00:00Z --until=2026-11-24T12:10:00.5Z"
        );
    }

    #[test]
    fn the_last_use_of_a_volume_is_what_counts() {
        let uses = VolumeUses { until: "2026-11-24T12:00:00Z".parse().unwrap() };
        let shown = uses.invocation().to_string();
        insta::assert_snapshot!(shown.split(" '--format=").next().unwrap(), @"docker events --since=1970-01-01T00:00:00Z --until=2026-11-24T12:00:00Z --filter=type=volume --filter=event=mount --filter=event=unmount");
        let line = |second: u8, action: &str| {
            format!(
                r#"{{"TimeNano":179552201{second}000000001,"Type":"volume","Action":"{action}","ID":"data","Name":"","Container":"a","Project":"","ExitCode":""}}"#
            )
        };
        let stdout = [line(1, "mount"), line(2, "unmount")].join("\n");
        let read = uses.parse(&Output { stdout, ..Output::default() }).unwrap();
        assert_eq!(read["data"], "2026-11-24T12:06:52.000000001Z");
    }

    #[test]
    fn an_event_is_read_and_other_lines_are_not() {
        let line = r#"{"TimeNano":1795522012828615119,"Type":"container","Action":"die","ID":"a216e4f39c196fe0","Name":"web","Container":"","Project":"shop","ExitCode":"137"}"#;
        let event = Event::read(line).unwrap();
        assert_eq!(
            (event.name(), event.project(), event.exit_code()),
            ("web", Some("shop"), Some(137))
        );
        assert_eq!(event.time().to_string(), "2026-11-24T12:06:52.828615119Z");
        let volume = line.replace("\"web\"", "\"\"").replace("a216e4f39c196fe0", "data");
        assert_eq!(Event::read(&volume).unwrap().name(), "data");
        assert_eq!(Event::read("WARNING: something"), None);
    }
}
