//! What happens on the daemon while this server lives: one `docker events` beside the calls, and a
//! ring of what it told.
//!
//! A daemon remembers 256 events, and the health checks of three containers fill that within half
//! an hour. Whoever asks after the fact what happened needs somebody who has listened.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::memory::Kind;
use super::{Docker, Line};
use crate::command::Effect;
use crate::command::events::{Event, Events};
use crate::command::version::ComposePluginQuery;
use crate::progress::Progress;

/// Events that are kept; about half a megabyte.
const KEPT: usize = 2000;
/// Before it listens for the first time: the first call of a session must not share the processor
/// with a second client.
const AFTER_THE_FIRST_CALL: Duration = Duration::from_secs(1);
/// Clocks differ, and a client needs a moment until it listens.
const BEFORE: Duration = Duration::from_secs(2);
/// When docker has not been used for so long, it stops to listen: a client takes 27 MB.
const IDLE: Duration = Duration::from_secs(5 * 60);
/// The pause after a client that lived longer than [`PAUSE_MAX`]; after one that did not, twice the
/// pause before it.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The listener and what it has heard. It listens only once it is allowed to and asked to.
#[derive(Default)]
pub(super) struct Watch {
    /// Set by whoever lives long enough; a single call from the command line does not.
    until: OnceLock<CancellationToken>,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Event>,
    /// From then on everything was heard; nothing while no client listens.
    complete_since: Option<Timestamp>,
    /// Since when the client runs; nothing while it does not.
    listening_since: Option<Instant>,
    /// Whether another client, started after this one, was answered by the daemon: then this one
    /// listens too.
    is_confirmed: bool,
    /// When docker was last used, if somebody sees to it that there is a client.
    last_used: Option<Instant>,
    /// From when on the first client was to tell.
    first_since: Option<Timestamp>,
}

/// What was heard, as far as it goes.
#[derive(Debug, Default)]
pub struct Heard {
    pub events: Vec<Event>,
    /// From then on nothing is missing; nothing when that cannot be said now.
    pub complete_since: Option<Timestamp>,
}

impl Watch {
    /// Allows it to listen until then.
    pub(super) fn allow(&self, until: CancellationToken) {
        let _only_once = self.until.set(until);
    }

    /// Docker is used: begins to listen, where that is allowed and is not done yet.
    pub(super) fn begin(docker: &Docker) {
        let watch = &docker.shared.watch;
        let Some(until) = watch.until.get() else { return };
        if watch.ring().last_used.replace(Instant::now()).is_none() {
            let docker = docker.limited(Effect::Read, until.clone(), Progress::default());
            tokio::spawn(listen(docker));
        }
    }

    /// A client that was started then was answered by the daemon.
    pub(super) fn confirm(&self, started: Instant) {
        let mut ring = self.ring();
        if ring.listening_since.is_some_and(|since| since < started) {
            ring.is_confirmed = true;
        }
    }

    /// Whether every event arrives, sooner or later.
    pub(super) fn listens(&self) -> bool {
        let ring = self.ring();
        ring.is_confirmed && ring.is_steady()
    }

    pub(super) fn heard(&self) -> Heard {
        let ring = self.ring();
        Heard {
            events: ring.events.iter().cloned().collect(),
            complete_since: ring.complete_since.filter(|_| ring.is_steady()),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when docker was not used for a while, and lets go of listening.
    async fn idle(&self) {
        loop {
            let used = self.ring().last_used.unwrap_or_else(Instant::now);
            tokio::time::sleep_until(used + IDLE).await;
            let mut ring = self.ring();
            if ring.last_used == Some(used) {
                ring.last_used = None;
                return;
            }
        }
    }
}

impl Ring {
    fn push(&mut self, event: Event) {
        // After a break the last events are told again.
        if self.events.iter().rev().take(256).any(|known| known.key() == event.key()) {
            return;
        }
        if self.events.len() >= KEPT {
            self.events.pop_front();
            let oldest = self.events.front().map(Event::time);
            self.complete_since =
                self.complete_since.map(|since| oldest.map_or(since, |it| it.max(since)));
        }
        self.events.push_back(event);
    }

    /// A client has been started, and for so long that it must be heard by now.
    fn is_steady(&self) -> bool {
        self.listening_since.is_some_and(|since| since.elapsed() > BEFORE)
    }

    /// A client begins. Returns from when on it is to tell: what happened since the last one ended
    /// is told as far as the daemon remembers.
    fn begin(&mut self, now: Timestamp) -> Timestamp {
        self.listening_since = Some(Instant::now());
        self.is_confirmed = false;
        let start = now.checked_sub(BEFORE).unwrap_or(now);
        let is_first = self.first_since.is_none();
        let first_since = *self.first_since.get_or_insert(start);
        self.complete_since = Some(if is_first { start } else { now });
        self.events.back().map_or(first_since, Event::time)
    }

    /// What happens until the next client is told by the daemon as far as it remembers, and nobody
    /// can tell how far that is.
    fn end(&mut self) {
        self.listening_since = None;
        self.complete_since = None;
    }
}

/// What is done beside the calls once docker is used: finds out what docker is and where compose, then listens until
/// the server ends or docker is no longer used, whatever the daemon does meanwhile.
async fn listen(docker: Docker) {
    let (watch, memory) = (&docker.shared.watch, &docker.shared.memory);
    let idle = watch.idle();
    tokio::pin!(idle);
    if docker.sleep(AFTER_THE_FIRST_CALL).await.is_err() {
        return;
    }
    // Some tools need fewer processes when they know it.
    let _known = docker.versions().await;
    if let Ok(Some(plugin)) = docker.run(&ComposePluginQuery).await {
        docker.shared.runner.compose_is(plugin);
    }
    let mut pause = Duration::ZERO;
    while docker.sleep(pause).await.is_ok() {
        let begun = Instant::now();
        let since = watch.ring().begin(Timestamp::now());
        let hear = |line: Line<'_>| {
            if let Line::Stdout(line) = line
                && let Some(event) = Event::read(line)
            {
                // What was kept is forgotten first: nobody is to read it after the event.
                match Kind::named(&event.kind) {
                    Some(kind) => memory.happened(kind),
                    None => memory.forget(),
                }
                watch.ring().push(event);
            }
        };
        let events = Events { since, until: None };
        let ended = tokio::select! {
            ended = docker.watch(&events, hear) => Some(ended),
            () = &mut idle => None,
        };
        watch.ring().end();
        memory.forget();
        let Some(ended) = ended else { return };
        pause = match begun.elapsed() {
            lived if lived > PAUSE_MAX => PAUSE,
            _ => (pause * 2).clamp(PAUSE, PAUSE_MAX),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, pause_seconds = pause.as_secs(), "docker events ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(nanoseconds: i64) -> Event {
        Event::read(&format!(
            r#"{{"TimeNano":{nanoseconds},"Type":"container","Action":"die","ID":"a","Name":"web","Container":"","Project":"","ExitCode":"1"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_ring_is_bounded_and_knows_from_when_on_it_is_complete() {
        let mut ring = Ring { complete_since: Some(Timestamp::UNIX_EPOCH), ..Ring::default() };
        for second in 0..3000 {
            ring.push(event(second));
            ring.push(event(second));
        }
        assert_eq!(ring.events.len(), KEPT);
        assert_eq!(ring.events.front().map(|event| event.nanoseconds), Some(1000));
        assert_eq!(ring.complete_since, Some(event(1000).time()));
    }

    #[test]
    fn after_a_break_it_is_complete_from_the_new_connection_on_and_not_before() {
        let again = event(2500).time();
        let mut ring = Ring::default();
        ring.begin(event(10).time());
        for at in 0..1500 {
            ring.push(event(at));
        }
        ring.end();
        assert_eq!(ring.complete_since, None);
        // What an event pushes out of the ring makes nothing complete that was not.
        for at in 1500..2400 {
            ring.push(event(at));
        }
        assert_eq!(ring.complete_since, None);
        ring.begin(again);
        ring.push(event(2600));
        assert_eq!(ring.complete_since, Some(again));
    }
}
