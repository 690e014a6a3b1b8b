//! What docker has answered, for as long as its events prove that nothing has changed since.
//!
//! - An answer is kept, and given again, only while a client hears the daemon's events; without one
//!   nobody knows what changes, and nothing is kept.
//! - It is kept only when nothing has happened to what it tells of between the start of its process
//!   and its end.
//! - An event forgets the answers that tell of its kind. So does each command of ours that changes
//!   anything, of every kind, before it is started and after it has ended, whatever came of it.
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

/// What has to stay as it is for the answer to stay true; nothing for what is not kept: what docker
/// tells no event of (logs, processes, sizes, statistics), and what asks for the present moment.
///
/// `image ls` before 28 is such a thing too: a build without a name makes an image without an event.
fn tells_of(invocation: &Invocation, tells_all_images: bool) -> &'static [Kind] {
    if invocation.effect() > Effect::Read || invocation.is_of_this_moment() {
        return &[];
    }
    match invocation.subcommand() {
        // Its networks, the names of its volumes, and what its image is called now.
        ["container", "ls"] => &Kind::ALL,
        // A start that fails tells only of networks.
        ["container", "inspect"] | ["network", "ls" | "inspect"] => {
            &[Kind::Container, Kind::Network]
        }
        ["image", "ls"] if !tells_all_images => &[],
        ["image", "ls" | "inspect" | "history"] => &[Kind::Image],
        ["volume", "ls" | "inspect"] => &[Kind::Volume, Kind::Container],
        _ => &[],
    }
}

fn holds(invocation: &Invocation, output: &Output) -> Duration {
    let tells_seconds = || output.stdout.contains(" second");
    match invocation.subcommand() {
        ["container", "ls"] if tells_seconds() => HOLDS_SECONDS,
        _ => HOLDS,
    }
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

/// How a question ended that others wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Landed {
    Kept,
    /// It failed, or what it says may be old: everyone asks for themselves.
    NotKept,
}

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
    /// The answer, or the right to ask for it. `is_proven` says whether events are heard, and
    /// `tells_all_images` whether of every image that is made.
    pub(super) async fn turn(
        &self,
        invocation: &Invocation,
        is_proven: impl Fn() -> bool,
        tells_all_images: bool,
    ) -> Turn<'_> {
        let tells_of = tells_of(invocation, tells_all_images);
        loop {
            if tells_of.is_empty() || !is_proven() {
                return Turn::AskAlone;
            }
            let mut other = {
                let mut state = self.state();
                if let Some(answer) = state.answers.get(invocation)
                    && Instant::now() < answer.holds_until
                {
                    return Turn::Known(Arc::clone(&answer.output));
                }
                match state.flights.get(invocation) {
                    Some(other) => other.clone(),
                    None => {
                        return Turn::Ask(Box::new(self.flight(&mut state, invocation, tells_of)));
                    }
                }
            };
            // An error: whoever asked has given up.
            let landed = other.wait_for(Option::is_some).await.map(|landed| *landed);
            if landed.ok().flatten() == Some(Landed::NotKept) {
                return Turn::AskAlone;
            }
        }
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
        let mut state = self.state();
        for count in &mut state.happened {
            *count += 1;
        }
        state.answers.clear();
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
    pub(super) fn keep(self, output: &Arc<Output>, is_proven: bool) {
        let mut state = self.memory.state();
        let is_unchanged = is_proven && state.count(self.tells_of) == self.happened;
        let is_kept = is_unchanged && output.exit_code == 0 && output.stdout.len() <= MAX_BYTES;
        if is_kept {
            let holds_until = Instant::now() + holds(&self.invocation, output);
            let (output, tells_of) = (Arc::clone(output), self.tells_of);
            state.answers.put(self.invocation.clone(), Answer { output, holds_until, tells_of });
        }
        drop(state);
        self.landed.send_replace(Some(if is_kept { Landed::Kept } else { Landed::NotKept }));
    }

    /// There is none.
    pub(super) fn fail(self) {
        self.landed.send_replace(Some(Landed::NotKept));
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
