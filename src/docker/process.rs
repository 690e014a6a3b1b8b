//! A child in a process group of its own, of which nothing outlives its handle.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::reaper::{Reaper, Registration};

/// How long a group may take to obey SIGTERM.
#[derive(Clone, Copy)]
pub(super) struct Grace(pub(super) Duration);

/// The program between us and one of another user takes a moment to end and to be started.
const GRACE_OF_ANOTHER: Duration = Duration::from_millis(500);
/// For one of the calls below.
const KILL_LIMIT: Duration = Duration::from_secs(2);

/// Ends process groups of the user that docker runs as: `sudo -n kill`. Of what sudo has started,
/// whoever has started sudo may signal nothing but sudo.
pub(super) struct Kill {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(OsString, OsString)>,
}

impl Kill {
    /// As one line, for the reaper.
    pub(super) fn words(self) -> Vec<String> {
        let program = self.program.to_string_lossy().into_owned();
        [program].into_iter().chain(self.arguments).collect()
    }

    /// Whether it could be sent.
    async fn send(&self, signal: &str, group: Pid) -> bool {
        #[expect(clippy::disallowed_methods, reason = "it ends what the runner has started")]
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .args(["-s", signal, "--", &format!("-{}", group.as_raw_nonzero())])
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let sent = tokio::time::timeout(KILL_LIMIT, command.status()).await;
        matches!(sent, Ok(Ok(status)) if status.success())
    }
}

/// The process group of a child. `docker compose` is a client and a plugin: signalling the client
/// alone leaves the plugin running on clients before 25.0, so signals always go to the group.
pub(super) struct Group {
    pid: Option<Pid>,
    _registration: Option<Registration>,
}

/// Starts `command` in a group of its own.
///
/// # Errors
/// Those of the system: no such program, not executable, out of processes or descriptors.
pub(super) fn spawn(command: &mut Command, reaper: Option<&Reaper>) -> io::Result<(Child, Group)> {
    let child = command.process_group(0).spawn()?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let registration = reaper.zip(pid).map(|(reaper, pid)| reaper.register(pid));
    Ok((child, Group { pid, _registration: registration }))
}

impl Group {
    /// SIGTERM, then SIGKILL for whoever is still there after the grace. False when something goes
    /// on, because it belongs to another user and has not obeyed.
    pub(super) async fn end(
        &mut self,
        child: &mut Child,
        grace: Grace,
        as_other_user: Option<&Kill>,
    ) -> bool {
        let Some(kill) = as_other_user else {
            self.signal(Signal::TERM);
            // The plugin may live on in the group after the client has obeyed, so the kill is sent
            // in any case; without members it does nothing.
            let _reaped = tokio::time::timeout(grace.0, child.wait()).await;
            self.kill();
            let _reaped = child.wait().await;
            return true;
        };
        let grace = grace.0.max(GRACE_OF_ANOTHER);
        if let Some(pid) = self.pid
            && kill.send("TERM", pid).await
        {
            let _reaped = tokio::time::timeout(grace, child.wait()).await;
            kill.send("KILL", pid).await;
            self.kill();
            return tokio::time::timeout(GRACE_OF_ANOTHER, child.wait()).await.is_ok();
        }
        // Sudo itself may be told: it hands the signal on, and ends when its command has ended. To
        // be killed is all that it cannot hand on.
        self.signal(Signal::TERM);
        let has_obeyed = tokio::time::timeout(grace, child.wait()).await.is_ok();
        self.kill();
        let _reaped = tokio::time::timeout(GRACE_OF_ANOTHER, child.wait()).await;
        has_obeyed
    }

    /// SIGKILL to whatever is left. A group id is not given away while a member lives.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.pid = None;
    }

    /// The child has ended and its pipes are closed: there is nothing left to kill.
    pub(super) fn disarm(&mut self) {
        self.pid = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // ESRCH: the group is gone already.
            let _gone = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
