//! Ends docker processes when this server is killed without a chance to do so itself.
//!
//! SIGKILL cannot be handled, and nothing portable tells a child that its parent is gone. So the
//! server starts itself once more as a reaper that holds the other end of a pipe: it is told which
//! process groups live and which folders hold what is not finished, and when the pipe closes it
//! kills and removes those that were not taken back.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// The hidden argument that makes this program a reaper.
pub const ARGUMENT: &str = "reap";

/// The server's end of the pipe.
pub(super) struct Reaper {
    pipe: Arc<Mutex<ChildStdin>>,
}

/// Before a program of another user is killed, so that what it has started ends with it.
const GRACE_OF_ANOTHER: Duration = Duration::from_millis(300);
/// The folders that may be registered have names that begin so.
const FOLDERS: &str = ".docker-mcp-";

/// A process group that is killed, or a folder that is removed, if the server goes while this lives.
#[derive(Debug)]
pub struct Registration {
    pipe: Arc<Mutex<ChildStdin>>,
    /// The number of the group, or the path.
    what: String,
}

impl Reaper {
    /// Starts `program reap`. Without it everything works but the clean-up after a SIGKILL, so a
    /// failure is only logged.
    ///
    /// `kill` ends processes of another user, whom docker runs as.
    pub(super) fn start(program: &Path, kill: &[String]) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "it is this program, not docker")]
        let mut command = std::process::Command::new(program);
        // Its own group: a terminal's ^C must not end it before the server.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let spawned = command
            .arg(ARGUMENT)
            .arg("--")
            .args(kill)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match spawned {
            Ok(mut child) => {
                let pipe = child.stdin.take()?;
                Some(Self { pipe: Arc::new(Mutex::new(pipe)) })
            }
            Err(error) => {
                tracing::warn!(%error, "no reaper: docker processes would survive a SIGKILL of this server");
                None
            }
        }
    }

    pub(super) fn register(&self, pid: Pid) -> Registration {
        self.tell(pid.as_raw_nonzero().to_string())
    }

    /// Nothing for a path that is no line of text.
    pub(super) fn register_folder(&self, folder: &Path) -> Option<Registration> {
        let path = folder.to_str().filter(|path| !path.contains('\n'))?;
        Some(self.tell(path.to_owned()))
    }

    fn tell(&self, what: String) -> Registration {
        tell(&self.pipe, '+', &what);
        Registration { pipe: Arc::clone(&self.pipe), what }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        tell(&self.pipe, '-', &self.what);
    }
}

fn tell(pipe: &Mutex<ChildStdin>, sign: char, what: &str) {
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    // A dead reaper is no reason to fail a call.
    let _broken = writeln!(pipe, "{sign}{what}");
}

/// The reaper itself: reads `+PID` or `+PATH`, and the same with `-`, until the pipe closes; then it
/// ends what is left, with `kill` where it may not itself.
pub fn reap(input: impl BufRead, kill: &[String]) {
    let mut left = BTreeSet::new();
    for line in input.lines().map_while(Result::ok) {
        match line.split_at_checked(1) {
            Some(("+", what)) => left.insert(what.to_owned()),
            Some((_, what)) => left.remove(what),
            None => false,
        };
    }
    let groups = left.iter().filter_map(|what| Pid::from_raw(what.parse().ok()?));
    let groups: Vec<Pid> = groups.collect();
    if !kill.is_empty() && !groups.is_empty() {
        end_as_other_user(kill, &groups);
    }
    for group in groups {
        let _gone = kill_process_group(group, Signal::KILL);
    }
    for folder in left.iter().map(Path::new).filter(|folder| is_ours(folder)) {
        // Who writes into it may need a moment to be gone.
        for _ in 0..5 {
            if std::fs::remove_dir_all(folder).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What sudo has started does not end with sudo when that is killed.
fn end_as_other_user(kill: &[String], groups: &[Pid]) {
    send(kill, "TERM", groups);
    for group in groups {
        let _gone = kill_process_group(*group, Signal::TERM);
    }
    std::thread::sleep(GRACE_OF_ANOTHER);
    send(kill, "KILL", groups);
}

fn send(kill: &[String], signal: &str, groups: &[Pid]) {
    let Some((program, arguments)) = kill.split_first() else { return };
    #[expect(clippy::disallowed_methods, reason = "it ends docker, and starts none")]
    let mut command = std::process::Command::new(program);
    command.args(arguments).args(["-s", signal, "--"]);
    command.args(groups.iter().map(|group| format!("-{}", group.as_raw_nonzero())));
    // Whoever may not do it cannot do more.
    let _status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn is_ours(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    folder.is_absolute() && name.is_some_and(|name| name.starts_with(FOLDERS))
}
