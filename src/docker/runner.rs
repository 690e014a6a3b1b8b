//! The only place that starts docker.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::process::{self, Grace, Group};
use super::reaper::Reaper;
use super::streams::{Kept, drain};
use crate::command::invocation::quote;
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
    /// The time limit of a command that only reads and has none of its own.
    pub read_timeout: Duration,
    /// The time limit of a command that changes something and has none of its own.
    pub change_timeout: Duration,
    /// This program, to be started as a reaper.
    pub reaper: Option<PathBuf>,
}

/// Starts docker processes, a bounded number at once.
pub struct Runner {
    settings: Settings,
    slots: Semaphore,
    /// For what may take long, so that short commands always get through.
    long_slots: Semaphore,
    reaper: OnceLock<Option<Reaper>>,
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
    TimedOut,
    Cancelled,
}

impl Runner {
    pub fn new(settings: Settings) -> Self {
        let [slots, long_slots] = [settings.slots; 2].map(Semaphore::new);
        Self { settings, slots, long_slots, reaper: OnceLock::new() }
    }

    /// The docker command as it was configured.
    pub fn program(&self) -> String {
        self.settings.docker.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }

    /// How long an invocation may take, all attempts together.
    pub(super) fn time_limit(&self, invocation: &Invocation) -> Duration {
        invocation.time_limit().unwrap_or(match invocation.effect() {
            Effect::Read => self.settings.read_timeout,
            Effect::Change | Effect::Destroy => self.settings.change_timeout,
        })
    }

    /// Runs one invocation to its end, its deadline or its cancellation, whichever comes first; also
    /// until `is_enough` says so of a line, or its time to follow is over, and both are a success.
    /// In each case the whole process group is gone afterwards.
    ///
    /// # Errors
    /// DKR-012, DKR-013, DKR-015, DKR-016 (output over its limit), DKR-024 (no more processes). A
    /// non-zero exit status is not an error here.
    pub(super) async fn run(
        &self,
        invocation: &Invocation,
        deadline: Instant,
        cancel: &CancellationToken,
        is_enough: &mut (dyn FnMut(Line<'_>) -> bool + Send),
    ) -> Result<Output, Error> {
        let asked = Instant::now();
        let slots = if invocation.is_long() { &self.long_slots } else { &self.slots };
        let _slot = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(cancelled(None)),
            () = std::future::ready(()), if invocation.is_in_background() => None,
            slot = slots.acquire() => Some(slot.expect("the semaphore is never closed")),
            () = tokio::time::sleep_until(deadline) => {
                return Err(self.no_slot(invocation, asked.elapsed()));
            }
        };
        let started = Instant::now();
        let mut command = self.command(invocation)?;
        let (out_kind, err_kind) = match invocation.captures() {
            Streams::Split { stdout, stderr } => (stdout, Some(stderr)),
            Streams::Merged(both) => (both, None),
        };
        let merged = match err_kind {
            Some(_) => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                None
            }
            None => Some(merge(&mut command).map_err(|error| exhausted(&error))?),
        };
        command.stdin(match (invocation.fed(), invocation.stdin_bytes()) {
            (Some(feed), _) => feed.reader().map_err(|error| exhausted(&error))?.into(),
            (None, Some(_)) => Stdio::piped(),
            (None, None) => Stdio::null(),
        });

        let reaper =
            self.reaper.get_or_init(|| self.settings.reaper.as_deref().and_then(Reaper::start));
        let (mut child, mut group) = process::spawn(&mut command, reaper.as_ref())
            .map_err(|error| self.not_started(&error))?;
        // Our copies of the writing ends must go, or the pipe would never end.
        drop(command);

        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut kept_out = Kept::new(out_kind);
        let mut kept_err = Kept::new(err_kind.unwrap_or(out_kind));
        let ending = {
            let enough = CancellationToken::new();
            let is_enough = std::sync::Mutex::new(is_enough);
            let tell = |line: Line<'_>| {
                let mut is_enough =
                    is_enough.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
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
                if let (Some(mut stdin), Some(bytes)) = (stdin, invocation.stdin_bytes()) {
                    // A client that does not read its input says why on standard error.
                    let _broken = stdin.write_all(bytes).await;
                }
            };
            let read = async {
                match merged {
                    Some(both) => {
                        drain(Some(both), &mut kept_out, |line| tell(Line::Stdout(line))).await;
                    }
                    None => {
                        tokio::join!(
                            drain(stdout, &mut kept_out, |line| tell(Line::Stdout(line))),
                            drain(stderr, &mut kept_err, |line| tell(Line::Stderr(line))),
                        );
                    }
                }
            };
            let transfer = async { tokio::join!(feed, read) };
            tokio::pin!(transfer, seen_enough);
            let until = Until { deadline, cancel, enough: seen_enough };
            supervise(&mut child, &mut group, &mut transfer, until).await
        };
        let ending = ending.map_err(|error| exhausted(&error))?;
        tracing::debug!(command = %invocation, milliseconds = started.elapsed().as_millis(), "docker ended");

        let (cut, overflowed, limit) = (kept_out.cut, kept_out.overflowed(), kept_out.limit());
        let stderr_cut = kept_err.cut;
        let (stdout, stderr) = (kept_out.into_text(), kept_err.into_text());
        match ending {
            Ending::Cancelled => Err(cancelled(Some(invocation))),
            Ending::TimedOut => {
                let mut error = self.timed_out(invocation, &stdout);
                error.stderr = last_words(&stderr);
                Err(error)
            }
            Ending::Exited(_) | Ending::Enough if overflowed => Err(too_much(limit, cut)),
            Ending::Enough => Ok(Output {
                exit_code: 0,
                stdout,
                stderr,
                stdout_cut: cut,
                stderr_cut,
                stopped: true,
            }),
            Ending::Exited(status) => Ok(Output {
                exit_code: exit_code(status),
                stdout,
                stderr,
                stdout_cut: cut,
                stderr_cut,
                stopped: false,
            }),
        }
    }

    /// The process to start: absolute program, words before docker's own, cleared environment.
    fn command(&self, invocation: &Invocation) -> Result<Command, Error> {
        let words = &self.settings.docker;
        let program = words.first().map_or("docker", String::as_str);
        let path = which::which_in(program, Some(&self.settings.path), "/")
            .map_err(|_| self.not_found(program))?;
        let wrapper = words.get(1..).unwrap_or_default();
        if !wrapper.is_empty() && !invocation.env().is_empty() {
            let names: Vec<_> = invocation.env().keys().map(String::as_str).collect();
            let message = format!(
                "values cannot be passed through `{}`: {}",
                self.program(),
                names.join(", ")
            );
            return Err(Error::new(Code::InvalidConfiguration, message)
                .hint("use values of one line, or an env_file"));
        }
        #[expect(clippy::disallowed_methods, reason = "this is the one place that starts docker")]
        let mut command = Command::new(&path);
        // ssh hands its words to a shell on the other side, joined by blanks.
        let remote_shell = path.file_name().is_some_and(|name| name == "ssh");
        let argv = invocation.argv();
        command.args(wrapper);
        command.args(argv.iter().map(|word| if remote_shell { quote(word) } else { word.clone() }));
        command.env_clear().envs(self.settings.environment.iter().cloned());
        command.envs(invocation.env().iter().map(|(key, value)| (key, value.expose())));
        // Compose looks for its files in the working folder unless it is told which; there are
        // none here.
        command.current_dir("/");
        Ok(command)
    }

    fn no_slot(&self, invocation: &Invocation, waited: Duration) -> Error {
        let (seconds, slots) = (waited.as_secs_f64(), self.settings.slots);
        let kind = if invocation.is_long() { "slots for long commands" } else { "slots" };
        let message = format!(
            "waited {seconds:.0} s for one of {slots} {kind}; docker {} was not started",
            invocation.verb()
        );
        Error::new(Code::Timeout, message)
            .hint("other docker calls are still running; try again when they have ended")
    }

    fn timed_out(&self, invocation: &Invocation, stdout: &str) -> Error {
        let seconds = self.time_limit(invocation).as_secs_f64();
        let mut message =
            format!("docker {} did not end within {seconds} s and was stopped", invocation.verb());
        if !invocation.is_undone_when_killed() {
            message.push_str("; it may have been done in part");
        }
        if let Some(said) = stdout.lines().rfind(|line| !line.trim().is_empty()) {
            message.push_str("; the last it said: ");
            message.extend(said.trim().chars().take(200));
        }
        Error::new(Code::Timeout, message)
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

/// What ends a run before it ends by itself.
struct Until<'a, E> {
    deadline: Instant,
    cancel: &'a CancellationToken,
    enough: E,
}

/// Waits for the child and for the end of its output, and ends the group when it has to.
async fn supervise(
    child: &mut tokio::process::Child,
    group: &mut Group,
    transfer: &mut (impl Future + Unpin),
    Until { deadline, cancel, mut enough }: Until<'_, impl Future + Unpin>,
) -> io::Result<Ending> {
    let mut transferred = false;
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                group.end(child, GRACE_AFTER_CANCEL).await;
                return Ok(Ending::Cancelled);
            }
            () = tokio::time::sleep_until(deadline) => {
                group.end(child, GRACE_AFTER_TIMEOUT).await;
                if !transferred {
                    let _drained = tokio::time::timeout(DRAIN_AFTER_STOP, transfer).await;
                }
                return Ok(Ending::TimedOut);
            }
            _ = &mut enough => {
                group.end(child, GRACE_AFTER_CANCEL).await;
                if !transferred {
                    let _drained = tokio::time::timeout(DRAIN_AFTER_STOP, transfer).await;
                }
                return Ok(Ending::Enough);
            }
            _ = &mut *transfer, if !transferred => transferred = true,
            status = child.wait() => {
                let drained = transferred
                    || tokio::time::timeout(DRAIN_AFTER_EXIT, transfer).await.is_ok();
                if drained {
                    group.disarm();
                } else {
                    group.kill();
                }
                return status.map(Ending::Exited);
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

/// The exit status as a shell would show it: 128 + the signal for a process that was killed.
fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

fn cancelled(invocation: Option<&Invocation>) -> Error {
    match invocation {
        Some(invocation) if !invocation.is_undone_when_killed() => Error::new(
            Code::Cancelled,
            "the call was cancelled while docker was at work; it may have been done in part",
        ),
        _ => Error::new(Code::Cancelled, "the call was cancelled; nothing was changed"),
    }
}

fn too_much(limit: usize, cut: u64) -> Error {
    let message = format!("docker printed {cut} bytes more than the limit of {limit}");
    Error::new(Code::UnexpectedOutput, message)
        .hint("ask for less: a filter, a limit or a smaller tail")
}

fn exhausted(error: &io::Error) -> Error {
    Error::new(Code::ResourcesExhausted, format!("the server could not start a process: {error}"))
}

fn last_words(stderr: &str) -> Option<String> {
    let tail = text::tail(stderr, 2000).trim();
    (!tail.is_empty()).then(|| tail.to_owned())
}
