//! Ends docker processes when this server is killed without a chance to do so itself.
//!
//! SIGKILL cannot be handled, and nothing portable tells a child that its parent is gone. So the
//! server starts itself once more as a reaper that holds the other end of a pipe: it is told which
//! process groups live, and when the pipe closes it kills those that were not taken back.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The hidden argument that makes this program a reaper.
pub const ARGUMENT: &str = "reap";

/// The server's end of the pipe.
pub(super) struct Reaper {
    pipe: Arc<Mutex<ChildStdin>>,
}

/// A process group that is killed if the server goes while this lives.
pub(super) struct Registration {
    pipe: Arc<Mutex<ChildStdin>>,
    pid: Pid,
}

impl Reaper {
    /// Starts `program reap`. Without it everything works but the clean-up after a SIGKILL, so a
    /// failure is only logged.
    pub(super) fn start(program: &Path) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "it is this program, not docker")]
        let mut command = std::process::Command::new(program);
        // Its own group: a terminal's ^C must not end it before the server.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let spawned = command
            .arg(ARGUMENT)
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
        tell(&self.pipe, '+', pid);
        Registration { pipe: Arc::clone(&self.pipe), pid }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        tell(&self.pipe, '-', self.pid);
    }
}

fn tell(pipe: &Mutex<ChildStdin>, sign: char, pid: Pid) {
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    // A dead reaper is no reason to fail a call.
    let _broken = writeln!(pipe, "{sign}{}", pid.as_raw_nonzero());
}

/// The reaper itself: reads `+PID` and `-PID` until the pipe closes, then kills what is left.
pub fn reap(input: impl BufRead) {
    let mut groups = BTreeSet::new();
    for line in input.lines().map_while(Result::ok) {
        let Some((sign, pid)) = line.split_at_checked(1) else { continue };
        let Ok(pid) = pid.parse::<i32>() else { continue };
        match sign {
            "+" => groups.insert(pid),
            _ => groups.remove(&pid),
        };
    }
    for pid in groups.into_iter().filter_map(Pid::from_raw) {
        let _gone = kill_process_group(pid, Signal::KILL);
    }
}
