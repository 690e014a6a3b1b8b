//! What docker has answered, for as long as its events prove that nothing has changed since.
//!
//! - An answer is kept, and given again, only while a client hears the daemon's events; without one
//!   nobody knows what changes, and nothing is kept.
//! - It is kept only when nothing was heard of what it tells of between the start of its process and
//!   its end, and given again only when everything until then was heard ([`Hearing`]).
//! - An event forgets the answers that tell of its kind. So does each command of ours that changes
//!   objects, of every kind, before it is started and after it has ended, whatever came of it.
//! - What docker only reads from files is kept as long as the files are the same ones, which are a
//!   part of the question ([`Invocation::reads`]).
//! - Failures are not kept. What changes without an event is not kept ([`tells_of`]), or for as
//!   long only as it is told exactly ([`holds`]).
//! - Equal questions at once share one process, unless something happened meanwhile.
//!
//! That an event is heard before the command that caused it has ended was measured on 20.10 to 28:
//! 0.7 ms after the change, while a docker client needs 5 ms to end.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::command::{Effect, Invocation, Output};

/// Answers that are kept; the one that was not asked for longest is forgotten first.
const KEPT: NonZeroUsize = NonZeroUsize::new(128).expect("it is not zero");
/// One that is larger is not kept: a thousand documents, for instance.
const MAX_BYTES: usize = 1 << 20;
/// Whatever is heard, nothing is given for longer: plugins change volumes without telling.
const HOLDS: Duration = Duration::from_secs(60);
/// `Up 3 seconds`: an age is told in a unit, and may be off by less than one.
const HOLDS_SECONDS: Duration = Duration::from_secs(1);

/// What happens on a daemon, and what an answer tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Container, Self::Image, Self::Network, Self::Volume];

    /// By the name that events have for it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "container" => Self::Container,
            "image" => Self::Image,
            "network" => Self::Network,
            "volume" => Self::Volume,
            _ => return None,
        })
    }
}

/// What has to stay as it is for the answer to stay true. Nothing where it is not kept: what docker
/// tells no event of (logs, processes, sizes, statistics), and what asks for the present moment.
///
/// `image ls` before 28 is such a thing too: a build without a name makes an image without an event.
fn tells_of(invocation: &Invocation, tells_all_images: bool) -> Option<&'static [Kind]> {
    if invocation.effect() > Effect::Read || invocation.is_of_this_moment() {
        return None;
    }
    if invocation.reads_nothing_but_files() {
        return Some(&[]);
    }
    Some(match invocation.subcommand() {
        // Its networks, the names of its volumes, and what its image is called now.
        ["container", "ls"] => &Kind::ALL,
        // A start that fails tells only of networks.
        ["container", "inspect"] | ["network", "ls" | "inspect"] => {
            &[Kind::Container, Kind::Network]
        }
        ["image", "ls"] if !tells_all_images => return None,
        ["image", "ls" | "inspect" | "history"] => &[Kind::Image],
        ["volume", "ls" | "inspect"] => &[Kind::Volume, Kind::Container],
        _ => return None,
    })
}

/// Whether docker's objects may be others afterwards. What is done within a container changes none,
/// and if it ends one there is an event of that.
pub(super) fn changes(invocation: &Invocation) -> bool {
    invocation.effect() > Effect::Read && !matches!(invocation.verb(), "exec" | "cp")
}

fn holds(invocation: &Invocation, output: &Output) -> Duration {
    let tells_seconds = || output.stdout.contains(" second");
    match invocation.subcommand() {
        ["container", "ls"] if tells_seconds() => HOLDS_SECONDS,
        _ => HOLDS,
    }
}

/// What is heard of the daemon.
pub(super) trait Hearing {
    /// Whether a client listens, so that every event arrives sooner or later.
    fn listens(&self) -> bool;
    /// Whether every event until now has arrived.
    fn has_heard_all(&self) -> bool;
    /// Whether there is an event for each image that comes to be.
    fn is_told_of_all_images(&self) -> bool;
}

#[derive(Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

struct State {
    /// How often something happened to each kind.
    happened: [u64; Kind::ALL.len()],
    answers: LruCache<Invocation, Answer>,
    /// What is being asked.
    flights: HashMap<Invocation, watch::Receiver<Option<Landed>>>,
}

struct Answer {
    output: Arc<Output>,
    holds_until: Instant,
    tells_of: &'static [Kind],
}

/// A question that others wait for was answered, whatever came of it.
struct Landed;

/// How an answer is come by.
pub(super) enum Turn<'m> {
    Known(Arc<Output>),
    Ask(Box<Flight<'m>>),
    /// For one's own use: it is neither kept nor shared.
    AskAlone,
}

impl Default for State {
    fn default() -> Self {
        Self { happened: [0; 4], answers: LruCache::new(KEPT), flights: HashMap::new() }
    }
}

impl State {
    fn count(&self, kinds: &[Kind]) -> u64 {
        kinds.iter().filter_map(|&kind| self.happened.get(kind as usize)).sum()
    }
}

impl Memory {
    /// The answer, or the right to ask for it. Whoever does not recall asks in any case, but what is
    /// answered is kept for others.
    pub(super) async fn turn(
        &self,
        invocation: &Invocation,
        recalls: bool,
        hearing: &impl Hearing,
    ) -> Turn<'_> {
        let Some(tells_of) = tells_of(invocation, hearing.is_told_of_all_images()) else {
            return Turn::AskAlone;
        };
        let is_of_files = tells_of.is_empty();
        if !is_of_files && !hearing.listens() {
            return Turn::AskAlone;
        }
        // What was asked before we came is true now when everything since was heard.
        let known = || {
            let is_true =
                is_of_files || (self.known(invocation).is_some() && hearing.has_heard_all());
            self.known(invocation).filter(|_| is_true && recalls)
        };
        loop {
            if let Some(output) = known() {
                return Turn::Known(output);
            }
            let mut other = {
                let mut state = self.state();
                match state.flights.get(invocation) {
                    None => {
                        return Turn::Ask(Box::new(self.flight(&mut state, invocation, tells_of)));
                    }
                    Some(_) if !recalls => return Turn::AskAlone,
                    Some(other) => other.clone(),
                }
            };
            // An error: whoever asked has given up, and somebody else does.
            let landed = other.wait_for(Option::is_some).await.is_ok();
            if landed {
                return known().map_or(Turn::AskAlone, Turn::Known);
            }
        }
    }

    fn known(&self, invocation: &Invocation) -> Option<Arc<Output>> {
        let mut state = self.state();
        let answer = state.answers.get(invocation)?;
        (Instant::now() < answer.holds_until).then(|| Arc::clone(&answer.output))
    }

    fn flight(
        &self,
        state: &mut State,
        invocation: &Invocation,
        tells_of: &'static [Kind],
    ) -> Flight<'_> {
        let (landed, others) = watch::channel(None);
        state.flights.insert(invocation.clone(), others);
        let (invocation, happened) = (invocation.clone(), state.count(tells_of));
        Flight { memory: self, invocation, tells_of, happened, landed }
    }

    /// Something happened to this kind.
    pub(super) fn happened(&self, kind: Kind) {
        let mut state = self.state();
        if let Some(count) = state.happened.get_mut(kind as usize) {
            *count += 1;
        }
        let touched = |answer: &Answer| answer.tells_of.contains(&kind);
        let of_it = state.answers.iter().filter(|(_, answer)| touched(answer));
        let of_it: Vec<Invocation> = of_it.map(|(invocation, _)| invocation.clone()).collect();
        for invocation in &of_it {
            state.answers.pop(invocation);
        }
    }

    /// A command of ours changes something while this is kept.
    pub(super) fn changing(&self) -> Changing<'_> {
        self.forget();
        Changing(self)
    }

    /// Anything may have happened.
    pub(super) fn forget(&self) {
        for kind in Kind::ALL {
            self.happened(kind);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question of which the answer may be kept. When it is dropped without one, the next one asks.
pub(super) struct Flight<'m> {
    memory: &'m Memory,
    invocation: Invocation,
    tells_of: &'static [Kind],
    /// How much had happened when it was asked.
    happened: u64,
    landed: watch::Sender<Option<Landed>>,
}

impl Flight<'_> {
    /// Keeps this answer, unless something happened meanwhile.
    pub(super) fn keep(self, output: &Arc<Output>, hearing: &impl Hearing) {
        let mut state = self.memory.state();
        let listens = self.tells_of.is_empty() || hearing.listens();
        let is_unchanged = listens && state.count(self.tells_of) == self.happened;
        let is_kept = is_unchanged && output.exit_code == 0 && output.stdout.len() <= MAX_BYTES;
        if is_kept {
            let holds_until = Instant::now() + holds(&self.invocation, output);
            let (output, tells_of) = (Arc::clone(output), self.tells_of);
            state.answers.put(self.invocation.clone(), Answer { output, holds_until, tells_of });
        }
        drop(state);
        self.landed.send_replace(Some(Landed));
    }

    /// There is none.
    pub(super) fn fail(self) {
        self.landed.send_replace(Some(Landed));
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.memory.state().flights.remove(&self.invocation);
    }
}

/// Forgets everything once more when it is dropped.
pub(super) struct Changing<'m>(&'m Memory);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.forget();
    }
}
