//! A child in a process group of its own, of which nothing outlives its handle.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::reaper::{Reaper, Registration};

/// How long a group may take to obey SIGTERM.
#[derive(Clone, Copy)]
pub(super) struct Grace(pub(super) Duration);

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
    /// SIGTERM, then SIGKILL for whoever is still there after the grace.
    pub(super) async fn end(&mut self, child: &mut Child, grace: Grace) {
        self.signal(Signal::TERM);
        // The plugin may live on in the group after the client has obeyed, so the kill is sent
        // in any case; without members it does nothing.
        let _reaped = tokio::time::timeout(grace.0, child.wait()).await;
        self.kill();
        let _reaped = child.wait().await;
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
