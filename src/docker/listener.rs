//! The process of a client that tells what happens, seen from outside: has it told everything?
//!
//! An event is on its way for a moment: the daemon has to write it and the client to read it. Both do
//! so at once when they need not wait for a processor, and before the command that caused it has
//! ended; where others wait nobody can say.

use std::num::NonZeroUsize;
use std::os::fd::{AsFd as _, OwnedFd};
use std::{fs, thread};

use rustix::io::ioctl_fionread;
use tokio::process::Child;

/// A client that runs beside the calls.
pub(super) struct Listener {
    pid: u32,
    /// The reading end of its pipe.
    stdout: OwnedFd,
}

impl Listener {
    pub(super) fn of(child: &Child) -> Option<Self> {
        let stdout = child.stdout.as_ref()?.as_fd().try_clone_to_owned().ok()?;
        Some(Self { pid: child.id()?, stdout })
    }

    /// Whether it waits for its daemon, and everything that it has written was read.
    pub(super) fn has_told_all(&self) -> bool {
        self.sleeps() && ioctl_fionread(&self.stdout).is_ok_and(|bytes| bytes == 0)
    }

    /// A thread with something to do is running or about to, and one that was stopped does nothing.
    /// Where the system has no such files it is taken to sleep.
    fn sleeps(&self) -> bool {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.pid)) else {
            return !cfg!(target_os = "linux");
        };
        threads.filter_map(Result::ok).all(|thread| {
            // `12345 (name) S 1 …`; proc_pid_stat(5)
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
        })
    }
}

/// Whether nobody waits for a processor. Where the system does not say it (macOS, whose engines have
/// processors of their own) it is taken to be so.
pub fn nobody_waits_for_a_processor() -> bool {
    // `0.20 0.18 0.12 1/80 11206`: who runs or waits to run, this thread among them; proc_loadavg(5)
    let Ok(load) = fs::read_to_string("/proc/loadavg") else { return !cfg!(target_os = "linux") };
    let running = load.split(' ').nth(3).and_then(|field| field.split('/').next()?.parse().ok());
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    running.is_some_and(|running: usize| running <= processors)
}
