//! The shell around the pure core: the one way to docker, and all its rules in their order.

mod listener;
mod master;
mod memory;
mod prefix;
mod process;
mod reaper;
mod runner;
mod streams;
mod trail;
mod watch;

pub use listener::nobody_waits_for_a_processor;
pub use reaper::{ARGUMENT as REAPER_ARGUMENT, Registration as Guarded, reap};
pub use runner::{Line, Runner, Settings};
pub use trail::Trail;
pub use watch::Heard;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command::version::{VersionQuery, Versions};
use crate::command::{Command, Effect, Invocation, Output, Program, Streams, diagnose};
use crate::error::{Code, Error, Repeat};
use crate::metrics::Metrics;
use crate::policy::{Disk, Policy};
use crate::progress::Progress;
use crate::redact::Redactor;
use crate::retry::Retry;
use memory::{Hearing, Memory, Turn};
use watch::Watch;

/// Who answered so lately may be starting again.
const A_MOMENT: Duration = Duration::from_secs(3);

/// Everything that all calls share.
pub struct Shared {
    pub runner: Runner,
    pub retry: Retry,
    pub redactor: Arc<Redactor>,
    pub policy: Arc<Policy>,
    versions: OnceCell<Versions>,
    watch: Watch,
    memory: Memory,
    pub metrics: Metrics,
    /// When the daemon last answered; nothing when it could not be reached since.
    answered: Mutex<Option<Instant>>,
}

impl Shared {
    pub fn new(runner: Runner, retry: Retry, redactor: Arc<Redactor>, policy: Arc<Policy>) -> Self {
        let (versions, watch, memory) = (OnceCell::new(), Watch::default(), Memory::default());
        let (metrics, answered) = (Metrics::default(), Mutex::default());
        Self { runner, retry, redactor, policy, versions, watch, memory, metrics, answered }
    }

    fn answered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hearing for Shared {
    fn listens(&self) -> bool {
        self.runner.caches() && self.watch.listens()
    }

    fn has_heard_all(&self) -> bool {
        self.runner.background_has_told_all()
    }

    fn is_told_of_all_images(&self) -> bool {
        self.versions.get().is_some_and(Versions::tell_all_images)
    }
}

/// What a watcher answers to a line: nothing, to go on, or [`ControlFlow::Break`] to end the run,
/// which is then a success with what was printed so far.
pub trait Verdict {
    fn ends(self) -> bool;
}

impl Verdict for () {
    fn ends(self) -> bool {
        false
    }
}

impl Verdict for ControlFlow<()> {
    fn ends(self) -> bool {
        self.is_break()
    }
}

/// A handle to docker for one call: what it may do, how it is cancelled, who is told how far it is.
#[derive(Clone)]
pub struct Docker {
    shared: Arc<Shared>,
    ceiling: Effect,
    cancel: CancellationToken,
    progress: Progress,
    trail: Trail,
    /// Whether a passing fault is waited for.
    patient: bool,
    /// Whether an answer may be one from before ([`memory`]).
    remembers: bool,
}

impl Docker {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            ceiling: Effect::Destroy,
            cancel: CancellationToken::new(),
            progress: Progress::default(),
            trail: Trail::default(),
            patient: true,
            remembers: false,
        }
    }

    /// A handle that refuses whatever goes beyond `ceiling` and ends with `cancel`. One that may
    /// change something asks docker each time.
    pub fn limited(&self, ceiling: Effect, cancel: CancellationToken, progress: Progress) -> Self {
        let (shared, trail) = (Arc::clone(&self.shared), Trail::default());
        let remembers = ceiling == Effect::Read;
        Self { shared, ceiling, cancel, progress, trail, patient: true, remembers }
    }

    /// A handle of the same call that refuses whatever changes anything.
    pub fn looking(&self) -> Self {
        Self { ceiling: Effect::Read, remembers: true, ..self.clone() }
    }

    /// A handle that the cancellation of its call does not reach: to undo what was begun.
    pub fn for_cleanup(&self) -> Self {
        Self { cancel: CancellationToken::new(), ..self.clone() }
    }

    /// A handle that asks docker each time: for what changes without an event, such as the log of a
    /// health check.
    pub fn afresh(&self) -> Self {
        Self { remembers: false, ..self.clone() }
    }

    /// A handle that tries once: that docker does not answer is an answer too.
    pub fn impatient(&self) -> Self {
        Self { patient: false, ..self.clone() }
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub fn redactor(&self) -> &Redactor {
        &self.shared.redactor
    }

    /// The docker command that is configured, as it may be shown.
    pub fn program(&self) -> String {
        self.shared.runner.program()
    }

    /// Whether docker is run as another user or on another machine, so that what it writes here is
    /// not ours, or is not here.
    pub fn leads_away(&self) -> bool {
        self.shared.runner.leads_away()
    }

    /// What a command prints that is run where docker is, as the user that docker is run as. For
    /// the report to people; nothing where it cannot be run, or when nothing stands before docker.
    pub async fn beside(&self, command: &[&str]) -> Option<String> {
        self.shared.runner.beside(command).await
    }

    /// The user that docker is run as, as far as the command says so.
    pub fn user(&self) -> Option<&str> {
        self.shared.runner.user()
    }

    /// The machine that the engine is on, when it is not this one.
    pub fn host(&self) -> Option<&str> {
        self.shared.runner.host()
    }

    /// The variables that docker itself gets, and compose files with it.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.shared.runner.variables()
    }

    /// What the operator allows.
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// Whether this command may run: asked before every run, and by tools whose first command is
    /// not the one that may be refused.
    ///
    /// # Errors
    /// DKR-014 with every rule that it breaks; DKR-004 for a path that the engine would have to have
    /// and that is on another machine; DKR-019 for a command that goes beyond what the tool
    /// has declared, which is our bug.
    pub fn permit(&self, invocation: &Invocation) -> Result<(), Error> {
        if invocation.effect() > self.ceiling {
            let message = format!(
                "a {:?} call tried to run a {:?} command",
                self.ceiling,
                invocation.effect()
            );
            return Err(Error::new(Code::Internal, message).command(invocation.told()));
        }
        self.policy()
            .check(invocation, &Disk)
            .map_err(|refusal| Error::from(refusal).command(invocation.told()))?;
        for path in invocation.paths_needed_there() {
            self.demand_same_machine(path).map_err(|error| error.command(invocation.told()))?;
        }
        Ok(())
    }

    /// Whether the engine can have this path of ours.
    ///
    /// # Errors
    /// DKR-004 when it is on another machine.
    pub fn demand_same_machine(&self, path: &Path) -> Result<(), Error> {
        let Some(host) = self.host() else { return Ok(()) };
        let message =
            format!("{} is a path of this machine, and the engine is on `{host}`", path.display());
        Err(Error::new(Code::InvalidConfiguration, message).hint(
            "put the files into an image (build-image sends its context there) or into a volume (copy-files sends them), or start this server on that machine",
        ))
    }

    /// Runs one command, or answers as docker has answered it before ([`memory`]).
    ///
    /// # Errors
    /// DKR-014 when the policy forbids it, whatever [`diagnose`] makes of a failed exit, DKR-012 after the time limit, DKR-013 when
    /// cancelled, DKR-015 without docker, DKR-016 for output that cannot be read.
    pub async fn run<C: Command + Sync>(&self, command: &C) -> Result<C::Reply, Error> {
        let invocation = command.invocation();
        let accepts = |output: &Output| command.accepts(output);
        let output = Box::pin(self.answer(&invocation, &accepts)).await?;
        command.parse(&output).map_err(|error| error.command(invocation.told()))
    }

    async fn answer(
        &self,
        invocation: &Invocation,
        accepts: &(dyn Fn(&Output) -> bool + Sync),
    ) -> Result<Arc<Output>, Error> {
        self.permit(invocation)?;
        let shared = &*self.shared;
        let recalls = self.remembers && shared.runner.caches();
        let turn = tokio::select! {
            biased;
            turn = shared.memory.turn(invocation, recalls, shared) => turn,
            () = self.cancel.cancelled() => return Err(runner::cancelled(None)),
        };
        if invocation.effect() == Effect::Read {
            shared.metrics.read(matches!(turn, Turn::Known(_)));
        }
        let mut ignore = |_: Line<'_>| false;
        let asked = match &turn {
            Turn::Known(output) => return Ok(Arc::clone(output)),
            Turn::Ask(_) | Turn::AskAlone => self.attempts(invocation, accepts, &mut ignore),
        };
        let answer = asked.await.map(Arc::new);
        match (turn, &answer) {
            (Turn::Ask(flight), Ok(output)) => flight.keep(output, shared),
            (Turn::Ask(flight), Err(_)) => flight.fail(),
            _ => {}
        }
        answer
    }

    /// Runs one command and hands every line to `on_line` as it comes.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn watch<C: Command + Sync, V: Verdict>(
        &self,
        command: &C,
        mut on_line: impl FnMut(Line<'_>) -> V + Send,
    ) -> Result<C::Reply, Error> {
        let invocation = command.invocation();
        let mut is_enough = |line: Line<'_>| on_line(line).ends();
        let accepts = |output: &Output| command.accepts(output);
        let output = self.output(&invocation, &accepts, &mut is_enough).await?;
        command.parse(&output).map_err(|error| error.command(invocation.told()))
    }

    /// What this docker and its compose plugin are; asked once.
    ///
    /// # Errors
    /// As [`Self::run`]; a failure is not kept.
    pub async fn versions(&self) -> Result<&Versions, Error> {
        self.shared.versions.get_or_try_init(|| self.run(&VersionQuery)).await
    }

    /// The same, if it was asked already.
    pub fn known_versions(&self) -> Option<&Versions> {
        self.shared.versions.get()
    }

    /// A folder that is removed when the server is killed while this is kept.
    pub fn guard(&self, folder: &Path) -> Option<Guarded> {
        self.shared.runner.reaper().and_then(|reaper| reaper.register_folder(folder))
    }

    /// Allows a client that listens to the daemon's events until then, beside all calls.
    pub fn may_listen(&self, until: CancellationToken) {
        self.shared.watch.allow(until);
    }

    /// Begins to listen where [`Self::may_listen`] has allowed it: docker is used in this session.
    pub fn begin_to_listen(&self) {
        Watch::begin(self);
    }

    /// The events that were heard so far.
    pub fn heard(&self) -> Heard {
        self.shared.watch.heard()
    }

    /// Waits, unless the call is cancelled first.
    ///
    /// # Errors
    /// DKR-013 when cancelled.
    pub async fn sleep(&self, duration: Duration) -> Result<(), Error> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.cancel.cancelled() => Err(Error::new(Code::Cancelled, "the call was cancelled")),
        }
    }

    /// The part of a run that is the same for all commands; boxed, so that it is not repeated in
    /// the code of each.
    fn output<'a>(
        &'a self,
        invocation: &'a Invocation,
        accepts: &'a (dyn Fn(&Output) -> bool + Sync),
        is_enough: &'a mut (dyn FnMut(Line<'_>) -> bool + Send),
    ) -> Pin<Box<dyn Future<Output = Result<Output, Error>> + Send + 'a>> {
        Box::pin(self.attempts(invocation, accepts, is_enough))
    }

    async fn attempts(
        &self,
        invocation: &Invocation,
        accepts: &(dyn Fn(&Output) -> bool + Sync),
        is_enough: &mut (dyn FnMut(Line<'_>) -> bool + Send),
    ) -> Result<Output, Error> {
        self.permit(invocation)?;
        self.trail.leave(invocation);
        let _forgotten = memory::changes(invocation).then(|| self.shared.memory.changing());
        let (runner, cancel) = (&self.shared.runner, &self.cancel);
        // Of all attempts together, without what they wait for a slot.
        let mut left = runner.time_limit(invocation);
        let mut attempt = 1;
        loop {
            let waits = self.metrics().waits();
            let slot = runner.slot(invocation, cancel).await;
            drop(waits);
            let slot = slot.map_err(|error| error.command(invocation.told()))?;
            let begun = Instant::now();
            let process = self.metrics().process();
            let error = match runner.run(invocation, left, cancel, is_enough).await {
                Ok(output) if accepts(&output) => {
                    if invocation.asks_the_daemon() {
                        *self.shared.answered() = Some(Instant::now());
                        self.shared.watch.confirm(begun);
                    }
                    self.learn(invocation, &output.stdout);
                    return Ok(output);
                }
                Ok(output) => {
                    let is_here = runner.leads_away() && invocation.reads_only_here();
                    failure(invocation, &output, is_here)
                }
                Err(error) => error,
            };
            drop((process, slot));
            left = left.saturating_sub(begun.elapsed());
            let error = error.command(invocation.told());
            tracing::debug!(command = %invocation, code = error.code.id(), attempt, "docker failed");
            let was_there =
                attempt > 1 || self.shared.answered().is_some_and(|last| last.elapsed() < A_MOMENT);
            match self.shared.retry.pause(invocation, attempt, &error, was_there) {
                Some(pause) if self.patient && pause < left => {
                    self.sleep(pause).await?;
                    left = left.saturating_sub(pause);
                }
                _ => {
                    if error.repeat == Repeat::NothingWasSent {
                        *self.shared.answered() = None;
                    }
                    return Err(error);
                }
            }
            attempt += 1;
        }
    }

    /// Documents have the environment of containers in them, whole; documents and lists say what
    /// is called how.
    fn learn(&self, invocation: &Invocation, stdout: &str) {
        let verb = invocation.verb();
        if matches!(verb, "inspect" | "config") {
            self.redactor().learn_from_text(stdout);
        }
        if matches!(verb, "inspect" | "config" | "ls") {
            self.redactor().learn_names(stdout);
        }
    }
}

fn failure(invocation: &Invocation, output: &Output, is_here: bool) -> Error {
    let program = invocation.program();
    let stderr = match invocation.captures() {
        Streams::Split { .. } => output.stderr.as_str(),
        // Docker's own complaint is the last thing in the common pipe.
        Streams::Merged(_) => output.stdout.lines().next_back().unwrap_or_default(),
    };
    let error = diagnose::diagnose(
        program,
        invocation.verb(),
        Some(output.exit_code),
        &output.stdout,
        stderr,
    );
    // Without the plugin `docker` reads compose's own options and stumbles over the first one.
    let plugin_missing = program == Program::Compose && error.code == Code::UnsupportedVersion;
    if plugin_missing && output.exit_code == 125 {
        let place = if is_here { " on this machine, where compose files are read" } else { "" };
        let message =
            format!("the compose plugin is missing{place}: docker says {}", error.message);
        return Error::new(Code::DockerMissing, message).hint("install the docker compose plugin (package docker-compose-plugin or docker-compose-v2)");
    }
    error
}
