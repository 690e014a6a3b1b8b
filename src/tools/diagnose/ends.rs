//! How containers came to their end, by what docker remembers of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::facts::{Facts, Subject};
use super::standing;
use crate::command::{Command, Effect, Invocation, Output};
use crate::docker::Docker;
use crate::error::Error;

/// A stop is remembered this long before the end that it caused, beside the time that it may take.
const STOP_TAKES: SignedDuration = SignedDuration::from_secs(20);
/// Events are an extra.
const EVENTS_LIMIT: Duration = Duration::from_millis(400);

/// The end of a container, or what brought it about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    container: String,
    /// `stop`, `kill`, `oom`, `die`.
    action: String,
    second: i64,
    exit_code: Option<i32>,
}

/// What ended the containers that do not run, and with what those ended that run again.
/// Docker remembers the last 256 events only.
pub(super) async fn ends(docker: &Docker, facts: &Facts) -> Vec<Event> {
    let ended: Vec<&Subject> = facts
        .subjects
        .iter()
        .filter(|subject| match subject.status() {
            "exited" => true,
            "running" => standing::standing(facts, subject).kind == standing::Kind::Looping,
            _ => false,
        })
        .collect();
    let first = ended.iter().filter_map(|subject| stop_begins(subject)).min();
    let last = ended.iter().filter_map(|subject| subject.finished()).max();
    let (Some(since), Some(last)) = (first, last) else { return vec![] };
    let Ok(until) = last.checked_add(SignedDuration::from_secs(1)) else { return vec![] };
    // Docker would wait for a moment that is still to come.
    let until = until.min(facts.now);
    let containers = ended.iter().map(|subject| subject.container.id.clone()).collect();
    docker.run(&Ends { since, until, containers }).await.unwrap_or_default()
}

/// The first moment at which it may have been told to stop.
fn stop_begins(subject: &Subject) -> Option<Timestamp> {
    let own = SignedDuration::from_secs(subject.container.stop_seconds().into());
    subject.finished()?.checked_sub(own + STOP_TAKES).ok()
}

/// What the events say of the containers they are about.
pub(super) fn tell(facts: &mut Facts, events: &[Event]) {
    for subject in &mut facts.subjects {
        let (Some(begins), Some(finished)) = (stop_begins(subject), subject.finished()) else {
            continue;
        };
        let at_its_end = begins.as_second()..=finished.as_second() + 1;
        let of_it: Vec<&Event> = events
            .iter()
            .filter(|event| event.container == subject.container.id)
            .filter(|event| at_its_end.contains(&event.second))
            .collect();
        // A stop kills too; the stop is what the person said.
        let told = |action: &&&str| of_it.iter().any(|event| event.action == **action);
        subject.told = ["stop", "kill"].iter().find(told).map(|word| (*word).to_owned());
        subject.last_exit = of_it.iter().rev().find_map(|event| event.exit_code);
        let killed = of_it.iter().any(|event| event.action == "oom");
        subject.out_of_memory |= killed;
    }
}

/// `docker events` of the past: who was stopped or killed, and who died of what.
struct Ends {
    since: Timestamp,
    until: Timestamp,
    containers: Vec<String>,
}

impl Command for Ends {
    type Reply = Vec<Event>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["events"])
            .option("--since", exactly(self.since))
            .option("--until", exactly(self.until))
            .option("--filter", "event=stop")
            .option("--filter", "event=kill")
            .option("--filter", "event=die")
            .option("--filter", "event=oom")
            .each("--filter", self.containers.iter().map(|id| format!("container={id}")))
            .option(
                "--format",
                r#"{{.Actor.ID}} {{.Action}} {{.Time}} {{index .Actor.Attributes "signal"}} {{index .Actor.Attributes "exitCode"}}"#,
            )
            .timeout(EVENTS_LIMIT)
    }

    fn parse(&self, output: &Output) -> Result<Vec<Event>, Error> {
        let event = |line: &str| {
            let mut words = line.split(' ');
            let (id, action, second) = (words.next()?, words.next()?, words.next()?);
            let (signal, exit_code) = (words.next()?, words.next()?);
            // Other signals are not meant to end it.
            let ends = matches!(signal, "" | "2" | "3" | "6" | "9" | "15");
            let event = Event {
                container: id.to_owned(),
                action: action.to_owned(),
                second: second.parse().ok()?,
                exit_code: exit_code.parse().ok(),
            };
            ends.then_some(event)
        };
        Ok(output.stdout.lines().filter_map(event).collect())
    }
}

/// `1795521783.492835269`: whole seconds would be too early or still to come.
fn exactly(time: Timestamp) -> String {
    format!("{}.{:09}", time.as_second(), time.subsec_nanosecond())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn argv_of_the_events() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let ends =
            Ends { since: second(100), until: second(130), containers: vec!["abc".to_owned()] };
        assert_snapshot!(ends.invocation(), @r#"docker events --since=100.000000000 --until=130.000000000 --filter=event=stop --filter=event=kill --filter=event=die --filter=event=oom --filter=container=abc '--format={{.Actor.ID}} {{.Action}} {{.Time}} {{index .Actor.Attributes "signal"}} {{index .Actor.Attributes "exitCode"}}'"#);
    }

    #[test]
    fn a_stop_is_remembered_and_a_reload_is_none() {
        let stdout = "abc kill 120 15 \nabc stop 121  \nabc die 121  143\ndef kill 122 1 \n";
        let output = Output { stdout: stdout.to_owned(), ..Output::default() };
        let epoch = Timestamp::UNIX_EPOCH;
        let ends = Ends { since: epoch, until: epoch, containers: vec![] };
        let events = ends.parse(&output).unwrap();
        let told: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(told, ["kill", "stop", "die"]);
        assert_eq!(events.last().unwrap().exit_code, Some(143));
    }
}
