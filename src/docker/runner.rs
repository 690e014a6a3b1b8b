//! The only place that starts docker.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::listener::Listener;
use super::master::Master;
use super::prefix::{Line as CommandLine, Prefix};
use super::process::{self, Grace, Group, Kill};
use super::reaper::Reaper;
use super::streams::{Kept, TooMuch, drain};
use crate::command::feed::Feed;
use crate::command::{Effect, Invocation, Output, Streams, text};
use crate::error::{Code, Error};

/// After a time-out a client may take this long to end by itself.
const GRACE_AFTER_TIMEOUT: Grace = Grace(Duration::from_secs(2));
/// After a cancellation somebody waits, and a host kills a server 0.5 s after it asked it to end.
const GRACE_AFTER_CANCEL: Grace = Grace(Duration::from_millis(100));
/// A process that ended may leave its pipe with another one (a plugin, an ssh master connection),
/// which must not hold the answer.
const DRAIN_AFTER_EXIT: Duration = Duration::from_millis(500);
/// What a process wrote before we ended it is in its pipe.
const DRAIN_AFTER_STOP: Duration = Duration::from_millis(50);
/// A command waits so long until it can be started; a client asks no longer for its answer.
const WAIT_FOR_A_SLOT: Duration = Duration::from_secs(45);
/// The pause before it is started again where the system was short of descriptors or processes.
const START_AGAIN: Duration = Duration::from_millis(50);

/// For the runtime of Go in a client that ends at once: one thread and no collection of garbage
/// save a fifth of its processor time.
const SHORT_LIVED: [(&str, &str); 2] = [("GOMAXPROCS", "1"), ("GOGC", "off")];
/// For a question to the other side of what stands before docker.
const BESIDE_LIMIT: Duration = Duration::from_secs(10);

/// How docker is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The docker command: a program and words before docker's own (`sudo -n docker`).
    pub docker: Vec<String>,
    /// Where programs are looked for.
    pub path: OsString,
    /// The whole environment of a child.
    pub environment: Vec<(OsString, OsString)>,
    /// How many docker processes run at once; more wait. As many again may take long.
    pub slots: usize,
    /// Whether an answer may be one from before, while events prove that it is still true.
    pub cache: bool,
    /// The time limit of a command that only reads and has none of its own.
    pub read_timeout: Duration,
    /// The time limit of a command that changes something and has none of its own.
    pub change_timeout: Duration,
    /// Whether nobody waits for a processor: otherwise an event may be on its way for longer than the
    /// command that caused it takes to end, and nothing is taken from the cache.
    pub processors_suffice: fn() -> bool,
    /// This program, to be started as a reaper.
    pub reaper: Option<PathBuf>,
}

/// Starts docker processes, a bounded number at once.
pub struct Runner {
    settings: Settings,
    prefix: Prefix,
    master: Option<Master>,
    slots: Semaphore,
    /// For what may take long, so that short commands always get through.
    long_slots: Semaphore,
    reaper: OnceLock<Option<Reaper>>,
    /// The compose plugin, to be started without docker before it.
    compose: OnceLock<PathBuf>,
    /// The client that runs in the background, while it does.
    listener: Mutex<Option<Listener>>,
}

/// A line of output as it comes.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    Stdout(&'a str),
    Stderr(&'a str),
}

/// Why a run ended.
enum Ending {
    Exited(ExitStatus),
    /// Whoever watched has seen enough, or the time to follow is over.
    Enough,
    /// It printed more than may be kept.
    TooMuch,
    TimedOut,
    Cancelled,
}

impl Runner {
    /// The environment of every child, as far as it is text.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let text = |(name, value): &(OsString, OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        self.settings.environment.iter().filter_map(text).collect()
    }

    pub fn new(settings: Settings) -> Self {
        let [slots, long_slots] = [settings.slots; 2].map(Semaphore::new);
        let prefix = Prefix::new(settings.docker.clone());
        let master = prefix.ssh().zip(prefix.host());
        let master = master.and_then(|(words, host)| Master::new(words, host));
        let (reaper, compose, listener) = (OnceLock::new(), OnceLock::new(), Mutex::default());
        Self { settings, prefix, master, slots, long_slots, reaper, compose, listener }
    }

    /// The docker command as it was configured.
    pub fn program(&self) -> String {
        self.prefix.shown()
    }

    /// The machine that docker runs on, when it is not this one.
    pub fn host(&self) -> Option<&str> {
        self.prefix.host()
    }

    /// The user that docker is run as, as far as the command says so.
    pub(super) fn user(&self) -> Option<&str> {
        self.prefix.user()
    }

    /// Whether something stands before docker.
    pub fn leads_away(&self) -> bool {
        self.prefix.leads_away()
    }

    /// What cleans up when this server is killed; it is started when it is first needed.
    pub(super) fn reaper(&self) -> Option<&Reaper> {
        let start = || {
            let kill = self.kill().map(Kill::words).unwrap_or_default();
            Reaper::start(self.settings.reaper.as_deref()?, &kill)
        };
        self.reaper.get_or_init(start).as_ref()
    }

    /// Where the compose plugin is that docker would start on this machine.
    pub(super) fn compose_is(&self, plugin: PathBuf) {
        let _only_once = self.compose.set(plugin);
    }

    /// Whether answers may be kept at all.
    pub(super) fn caches(&self) -> bool {
        self.settings.cache
    }

    /// Whether the client in the background has told everything that docker has told it.
    pub(super) fn background_has_told_all(&self) -> bool {
        (self.settings.processors_suffice)()
            && self.listener().as_ref().is_some_and(Listener::has_told_all)
    }

    fn listener(&self) -> MutexGuard<'_, Option<Listener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long an invocation may take, all attempts together.
    pub(super) fn time_limit(&self, invocation: &Invocation) -> Duration {
        invocation.time_limit().unwrap_or(match invocation.effect() {
            Effect::Read => self.settings.read_timeout,
            Effect::Change | Effect::Destroy => self.settings.change_timeout,
        })
    }

    /// Waits for the right to start this one; nothing for what takes none of the slots.
    ///
    /// # Errors
    /// DKR-013, and DKR-029 when too much runs for too long.
    pub(super) async fn slot(
        &self,
        invocation: &Invocation,
        cancel: &CancellationToken,
    ) -> Result<Option<SemaphorePermit<'_>>, Error> {
        if invocation.is_in_background() {
            return Ok(None);
        }
        let slots = if invocation.is_long() { &self.long_slots } else { &self.slots };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancelled(None)),
            slot = slots.acquire() => Ok(Some(slot.expect("the semaphore is never closed"))),
            () = tokio::time::sleep(WAIT_FOR_A_SLOT) => Err(self.no_slot(invocation)),
        }
    }

    /// Runs one invocation to its end, its time limit or its cancellation, whichever comes first;
    /// also until `is_enough` says so of a line, or its time to follow is over, and both are a
    /// success. The limit counts from the start of the process. In each case the whole process group
    /// is gone afterwards.
    ///
    /// # Errors
    /// DKR-012, DKR-013, DKR-015, DKR-016 (output over its limit), DKR-024 (no more processes),
    /// DKR-030 (a signal ended the client). A non-zero exit status is not an error here.
    pub(super) async fn run(
        &self,
        invocation: &Invocation,
        limit: Duration,
        cancel: &CancellationToken,
        is_enough: &mut (dyn FnMut(Line<'_>) -> bool + Send),
    ) -> Result<Output, Error> {
        let asked = Instant::now();
        let is_here = invocation.reads_only_here();
        let options = tokio::select! {
            () = cancel.cancelled() => return Err(cancelled(None)),
            options = async { if is_here { vec![] } else { self.ssh_options().await } } => options,
        };
        let compose = self.compose.get().map(PathBuf::as_path).filter(|plugin| plugin.exists());
        let line = self.prefix.line(invocation, &options, compose)?;
        let mut command = self.command(&line, invocation)?;
        let kill = self.kill();
        let started = loop {
            match self.start(&mut command, &line, invocation) {
                Err(error) if is_passing(&error) && asked.elapsed() < WAIT_FOR_A_SLOT => {
                    tokio::select! {
                        () = cancel.cancelled() => return Err(cancelled(None)),
                        () = tokio::time::sleep(START_AGAIN) => {}
                    }
                }
                started => break started,
            }
        };
        let Started { mut child, mut group, merged } =
            started.map_err(|error| self.not_started(&error))?;
        if invocation.is_in_background() {
            *self.listener() = Listener::of(&child);
        }
        // Our copies of the writing ends must go, or the pipe would never end.
        drop(command);
        let started = Instant::now();
        let deadline = started + limit;

        let (mut stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (out_kind, err_kind) = match invocation.captures() {
            Streams::Split { stdout, stderr } => (stdout, stderr),
            Streams::Merged(both) => (both, both),
        };
        let (mut kept_out, mut kept_err) = (Kept::new(out_kind), Kept::new(err_kind));
        let ended = {
            let enough = CancellationToken::new();
            let is_enough = Mutex::new(is_enough);
            let tell = |line: Line<'_>| {
                let mut is_enough = is_enough.lock().unwrap_or_else(PoisonError::into_inner);
                if !enough.is_cancelled() && (*is_enough)(line) {
                    enough.cancel();
                }
            };
            let seen_enough = async {
                match invocation.follow_limit() {
                    Some(limit) => {
                        let _over = tokio::time::timeout(limit, enough.cancelled()).await;
                    }
                    None => enough.cancelled().await,
                }
            };
            let feed = async {
                if let Some(stdin) = &mut stdin {
                    // A client that does not read its input says why on standard error.
                    let _broken = stdin.write_all(&line.values).await;
                    if let Some(bytes) = invocation.stdin_bytes() {
                        let _broken = stdin.write_all(bytes).await;
                    }
                }
                if !line.held {
                    stdin = None;
                }
                Ok(())
            };
            let read = async {
                let to_out = |line: &str| tell(Line::Stdout(line));
                match merged {
                    Some(both) => drain(Some(both), &mut kept_out, to_out).await,
                    None => tokio::try_join!(
                        drain(stdout, &mut kept_out, to_out),
                        drain(stderr, &mut kept_err, |line| tell(Line::Stderr(line))),
                    )
                    .map(|_| ()),
                }
            };
            let transfer = async { tokio::try_join!(feed, read).map(|_| ()) };
            tokio::pin!(transfer, seen_enough);
            let until = Until { deadline, cancel, enough: seen_enough, kill: kill.as_ref() };
            supervise(&mut child, &mut group, &mut transfer, until).await
        };
        let (ending, is_over) = ended.map_err(|error| exhausted(&error))?;
        let goes_on = !is_over || self.prefix.may_outlive_us(invocation);
        tracing::debug!(command = %invocation, milliseconds = started.elapsed().as_millis(), "docker ended");

        let full = if kept_out.overflowed() { kept_out.limit() } else { kept_err.limit() };
        let (stdout_cut, stderr_cut) = (kept_out.cut, kept_err.cut);
        let (stdout, stderr) = (kept_out.into_text(), kept_err.into_text());
        let (exit_code, stopped) = match ending {
            Ending::Exited(status) => match status.signal() {
                None => (status.code().unwrap_or(-1), false),
                Some(signal) => {
                    let mut error = client_killed(invocation, signal, &stdout);
                    error.stderr = last_words(&stderr);
                    return Err(error);
                }
            },
            Ending::Enough => (0, true),
            Ending::TooMuch => return Err(too_much(invocation, full)),
            Ending::TimedOut => {
                let mut error = timed_out(invocation, limit, &stdout);
                if goes_on {
                    error.message += &self.going_on(invocation);
                }
                error.stderr = last_words(&stderr);
                return Err(error);
            }
            Ending::Cancelled if goes_on => {
                let message = "the call was cancelled".to_owned() + &self.going_on(invocation);
                return Err(Error::new(Code::Cancelled, message));
            }
            Ending::Cancelled => return Err(cancelled(Some(invocation))),
        };
        Ok(Output { exit_code, stdout, stderr, stdout_cut, stderr_cut, stopped })
    }

    /// Starts the process with its streams as the invocation wants them.
    fn start(
        &self,
        command: &mut Command,
        line: &CommandLine,
        invocation: &Invocation,
    ) -> io::Result<Started> {
        let merged = match invocation.captures() {
            Streams::Split { .. } => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                None
            }
            Streams::Merged(_) => Some(merge(command)?),
        };
        if let Some(drain) = invocation.drained() {
            command.stdout(drain.end()?);
        }
        command.stdin(match (invocation.fed(), invocation.stdin_bytes()) {
            (Some(feed), _) if !line.values.is_empty() => preceded(&line.values, feed)?.into(),
            (Some(feed), _) => feed.end()?.into(),
            (None, None) if !line.held => Stdio::null(),
            _ => Stdio::piped(),
        });
        let (child, group) = process::spawn(command, self.reaper())?;
        Ok(Started { child, group, merged })
    }

    /// The process to start: absolute program, words before docker's own, cleared environment.
    fn command(&self, line: &CommandLine, invocation: &Invocation) -> Result<Command, Error> {
        let path = self.find(&line.program).map_err(|error| {
            let is_here = self.leads_away() && invocation.reads_only_here();
            let why = "compose files are read on this machine: install the docker CLI and its compose plugin here; no daemon is needed";
            if is_here { error.hint(why) } else { error }
        })?;
        #[expect(clippy::disallowed_methods, reason = "this is the one place that starts docker")]
        let mut command = Command::new(path);
        command.args(&line.arguments);
        command.env_clear().envs(self.settings.environment.iter().cloned());
        command.envs(invocation.env().iter().map(|(key, value)| (key, value.expose())));
        if invocation.is_short() {
            command.envs(SHORT_LIVED);
        }
        // Compose looks for its files in the working folder unless it is told which; there are
        // none here.
        command.current_dir("/");
        Ok(command)
    }

    fn find(&self, program: &str) -> Result<PathBuf, Error> {
        which::which_in(program, Some(&self.settings.path), "/")
            .map_err(|_| self.not_found(program))
    }

    /// The options by which ssh takes the connection that all calls share.
    async fn ssh_options(&self) -> Vec<String> {
        let Some(master) = &self.master else { return vec![] };
        let program = self.settings.docker.first().map_or("ssh", String::as_str);
        let Ok(ssh) = self.find(program) else { return vec![] };
        master.options(&ssh, &self.settings.environment, self.reaper()).await
    }

    /// What a command prints that is run where docker is, as the user that docker is run as. Nothing
    /// where it cannot be run, or when nothing stands before docker.
    pub(super) async fn beside(&self, command: &[&str]) -> Option<String> {
        let words = self.prefix.beside(command, &self.ssh_options().await)?;
        let (program, arguments) = words.split_first()?;
        #[expect(clippy::disallowed_methods, reason = "it is what stands before docker")]
        let mut command = Command::new(self.find(program).ok()?);
        command.args(arguments).env_clear().envs(self.settings.environment.iter().cloned());
        command.stdin(Stdio::null()).kill_on_drop(true).current_dir("/");
        let output = tokio::time::timeout(BESIDE_LIMIT, command.output()).await.ok()?.ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn kill(&self) -> Option<Kill> {
        let words = self.prefix.kill()?;
        let (program, arguments) = words.split_first()?;
        let program = self.find(program).ok()?;
        let environment = self.settings.environment.clone();
        Some(Kill { program, arguments: arguments.to_vec(), environment })
    }

    fn going_on(&self, invocation: &Invocation) -> String {
        let (verb, program) = (invocation.verb(), self.program());
        format!("; docker {verb} may go on: nothing certain ends what `{program}` has started")
    }

    fn no_slot(&self, invocation: &Invocation) -> Error {
        let (seconds, slots) = (WAIT_FOR_A_SLOT.as_secs(), self.settings.slots);
        let kind = if invocation.is_long() { "slots for long commands" } else { "slots" };
        let message = format!(
            "waited {seconds} s for one of {slots} {kind}; docker {} was not started",
            invocation.verb()
        );
        Error::new(Code::Busy, message)
    }

    fn not_found(&self, program: &str) -> Error {
        Error::new(Code::DockerMissing, format!("there is no program {program} to run"))
            .with("looked_in", self.settings.path.to_string_lossy())
    }

    fn not_started(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Error::new(
                Code::DockerMissing,
                format!("`{}` cannot be started: {error}", self.program()),
            ),
            io::ErrorKind::ArgumentListTooLong => Error::new(
                Code::InvalidConfiguration,
                "an argument is too long for a command line (128 KiB)",
            ),
            _ => exhausted(error),
        }
    }
}

/// A process that was started.
struct Started {
    child: Child,
    group: Group,
    /// The common pipe of both streams, where they have one.
    merged: Option<pipe::Receiver>,
}

/// What ends a run before it ends by itself.
struct Until<'a, E> {
    deadline: Instant,
    cancel: &'a CancellationToken,
    enough: E,
    kill: Option<&'a Kill>,
}

/// Waits for the child and for the end of its output, and ends the group when it has to. False when
/// that was not possible.
async fn supervise(
    child: &mut Child,
    group: &mut Group,
    transfer: &mut (impl Future<Output = Result<(), TooMuch>> + Unpin),
    Until { deadline, cancel, mut enough, kill }: Until<'_, impl Future + Unpin>,
) -> io::Result<(Ending, bool)> {
    let mut transferred = false;
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                let is_over = group.end(child, GRACE_AFTER_CANCEL, kill).await;
                return Ok((Ending::Cancelled, is_over));
            }
            () = tokio::time::sleep_until(deadline) => {
                let is_over = group.end(child, GRACE_AFTER_TIMEOUT, kill).await;
                if !transferred {
                    let _drained = tokio::time::timeout(DRAIN_AFTER_STOP, transfer).await;
                }
                return Ok((Ending::TimedOut, is_over));
            }
            _ = &mut enough => {
                let is_over = group.end(child, GRACE_AFTER_CANCEL, kill).await;
                if !transferred {
                    let _drained = tokio::time::timeout(DRAIN_AFTER_STOP, transfer).await;
                }
                return Ok((Ending::Enough, is_over));
            }
            done = &mut *transfer, if !transferred => {
                if done == Err(TooMuch) {
                    let is_over = group.end(child, GRACE_AFTER_CANCEL, kill).await;
                    return Ok((Ending::TooMuch, is_over));
                }
                transferred = true;
            }
            status = child.wait() => {
                if !transferred {
                    match tokio::time::timeout(DRAIN_AFTER_EXIT, transfer).await {
                        Ok(Ok(())) => {}
                        Ok(Err(TooMuch)) => return Ok((Ending::TooMuch, true)),
                        Err(_) => {
                            group.kill();
                            return status.map(|status| (Ending::Exited(status), true));
                        }
                    }
                }
                group.disarm();
                return status.map(|status| (Ending::Exited(status), true));
            }
        }
    }
}

/// One pipe for both streams, so that their order is kept.
fn merge(command: &mut Command) -> io::Result<pipe::Receiver> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    pipe::Receiver::from_owned_fd(reader.into())
}

/// The feed with something before it.
fn preceded(first: &[u8], feed: &Feed) -> io::Result<io::PipeReader> {
    let (reader, mut writer) = io::pipe()?;
    let (first, mut rest) = (first.to_vec(), std::fs::File::from(feed.end()?));
    tokio::task::spawn_blocking(move || {
        // Whoever does not read it says why.
        let _broken = writer.write_all(&first).and_then(|()| io::copy(&mut rest, &mut writer));
    });
    Ok(reader)
}

/// Whether it may be started when others have ended: the system is short of descriptors or
/// processes.
fn is_passing(error: &io::Error) -> bool {
    let passing = [Errno::MFILE, Errno::NFILE, Errno::AGAIN];
    Errno::from_io_error(error).is_some_and(|error| passing.contains(&error))
}

pub(super) fn cancelled(invocation: Option<&Invocation>) -> Error {
    match invocation {
        Some(invocation) if !invocation.is_undone_when_killed() => Error::new(
            Code::Cancelled,
            "the call was cancelled while docker was at work; it may have been done in part",
        ),
        _ => Error::new(Code::Cancelled, "the call was cancelled; nothing was changed"),
    }
}

fn timed_out(invocation: &Invocation, limit: Duration, stdout: &str) -> Error {
    let (verb, seconds) = (invocation.verb(), limit.as_secs_f64());
    let message = format!("docker {verb} did not end within {seconds} s and was stopped");
    Error::new(Code::Timeout, message + in_part(invocation) + &last_line(stdout))
}

/// The client was ended from outside, which says nothing of what it was to do.
fn client_killed(invocation: &Invocation, signal: i32, stdout: &str) -> Error {
    let message = format!(
        "signal {signal}{} ended the docker client (docker {}), and this server did not send it",
        match signal {
            1 => " (SIGHUP)",
            2 => " (SIGINT)",
            6 => " (SIGABRT)",
            9 => " (SIGKILL)",
            11 => " (SIGSEGV)",
            15 => " (SIGTERM)",
            _ => "",
        },
        invocation.verb(),
    );
    Error::new(Code::ClientKilled, message + in_part(invocation) + &last_line(stdout))
}

fn too_much(invocation: &Invocation, limit: usize) -> Error {
    let message = format!(
        "docker {} printed more than the limit of {limit} bytes and was stopped",
        invocation.verb()
    );
    Error::new(Code::UnexpectedOutput, message + in_part(invocation))
        .hint("ask for less: a filter, a limit or a smaller tail")
}

fn in_part(invocation: &Invocation) -> &'static str {
    if invocation.is_undone_when_killed() { "" } else { "; it may have been done in part" }
}

fn last_line(stdout: &str) -> String {
    let said = stdout.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    if said.is_empty() {
        return String::new();
    }
    format!("; the last it said: {}", said.chars().take(200).collect::<String>())
}

fn exhausted(error: &io::Error) -> Error {
    Error::new(Code::ResourcesExhausted, format!("the server could not start a process: {error}"))
}

fn last_words(stderr: &str) -> Option<String> {
    let tail = text::tail(stderr, 2000).trim();
    (!tail.is_empty()).then(|| tail.to_owned())
}
