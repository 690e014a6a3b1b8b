//! What happens on the daemon while this server lives: one `docker events` beside the calls, and a
//! ring of what it told.
//!
//! A daemon remembers 256 events, and the health checks of three containers fill that within half
//! an hour. Whoever asks after the fact what happened needs somebody who has listened.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Docker, Line};
use crate::command::Effect;
use crate::command::events::{Event, Events};
use crate::progress::Progress;

/// Events that are kept; about half a megabyte.
const KEPT: usize = 2000;
/// Before it listens for the first time: the first call of a session must not share the processor
/// with a second client.
const AFTER_THE_FIRST_CALL: Duration = Duration::from_secs(1);
/// Clocks differ, and a client needs a moment until it listens.
const BEFORE: Duration = Duration::from_secs(2);
/// The pause after a client that lived longer than [`PAUSE_MAX`]; after one that did not, twice the
/// pause before it.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The listener and what it has heard. It listens only once it is allowed to and asked to.
#[derive(Default)]
pub(super) struct Watch {
    /// Set by whoever lives long enough; a single call from the command line does not.
    until: OnceLock<CancellationToken>,
    begun: AtomicBool,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Event>,
    /// From then on everything was heard; nothing while no client listens.
    complete_since: Option<Timestamp>,
    /// Since when the client runs; nothing while it does not.
    listening_since: Option<Instant>,
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

    /// Begins to listen, where that is allowed and was not done yet.
    pub(super) fn begin(docker: &Docker) {
        let watch = &docker.shared.watch;
        let Some(until) = watch.until.get() else { return };
        if !watch.begun.swap(true, Ordering::Relaxed) {
            let docker = docker.limited(Effect::Read, until.clone(), Progress::default());
            tokio::spawn(listen(docker));
        }
    }

    pub(super) fn heard(&self) -> Heard {
        let ring = self.ring();
        let is_steady = ring.listening_since.is_some_and(|since| since.elapsed() > BEFORE);
        Heard {
            events: ring.events.iter().cloned().collect(),
            complete_since: ring.complete_since.filter(|_| is_steady),
        }
    }

    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn begin(&mut self, complete_since: Timestamp) {
        self.listening_since = Some(Instant::now());
        self.complete_since = Some(complete_since);
    }

    /// What happens until the next client is told by the daemon as far as it remembers, and nobody
    /// can tell how far that is.
    fn end(&mut self) {
        self.listening_since = None;
        self.complete_since = None;
    }
}

/// Listens until the server ends, whatever the daemon does meanwhile.
async fn listen(docker: Docker) {
    let mut since = ago(Timestamp::now(), BEFORE);
    let mut pause = AFTER_THE_FIRST_CALL;
    let mut connected_before = false;
    while docker.sleep(pause).await.is_ok() {
        let begun = Instant::now();
        let complete_since = if connected_before { Timestamp::now() } else { since };
        docker.shared.watch.ring().begin(complete_since);
        connected_before = true;
        let hear = |line: Line<'_>| {
            if let Line::Stdout(line) = line
                && let Some(event) = Event::read(line)
            {
                docker.shared.watch.ring().push(event);
            }
        };
        let ended = docker.watch(&Events { since, until: None }, hear).await;
        let mut ring = docker.shared.watch.ring();
        ring.end();
        since = ring.events.back().map_or(since, Event::time);
        drop(ring);
        pause = match begun.elapsed() {
            lived if lived > PAUSE_MAX => PAUSE,
            _ => (pause * 2).min(PAUSE_MAX),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, pause_seconds = pause.as_secs(), "docker events ended");
        }
    }
}

fn ago(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_sub(span).unwrap_or(now)
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
        let [first, again] = [10, 2500].map(|nanoseconds| event(nanoseconds).time());
        let mut ring = Ring::default();
        ring.begin(first);
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
