//! Looking at processes from outside.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::stage::Stage;

/// A program to be started by a test, in an environment that holds nothing.
pub(crate) fn program(path: &str) -> tokio::process::Command {
    #[expect(clippy::disallowed_methods, reason = "it is the server that is tested, not docker")]
    let mut command = tokio::process::Command::new(path);
    command.env_clear().kill_on_drop(true);
    command
}

/// The real server, with the stage's docker first on its path.
pub(crate) fn server(stage: &Stage) -> tokio::process::Command {
    let mut command = program(env!("CARGO_BIN_EXE_docker-mcp-server"));
    command.env("PATH", stage.search_path()).current_dir(stage.workspace()).stderr(Stdio::null());
    command
}

/// Waits until it is so.
///
/// # Panics
/// When it is not so in time.
pub(crate) async fn eventually(what: &str, within: Duration, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < within, "after {within:?} still not so: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The process whose number a script has written to a file of its stage.
pub(crate) async fn started(stage: &Stage, file: &str) -> u32 {
    let mut pid = None;
    eventually(&format!("{file} names a process"), Duration::from_secs(10), || {
        pid = stage.text(file).strip_suffix('\n').and_then(|text| text.parse().ok());
        pid.is_some()
    })
    .await;
    pid.unwrap()
}

/// Waits until none of the processes is left.
pub(crate) async fn gone(within: Duration, pids: &[u32]) {
    for pid in pids {
        eventually(&format!("{pid} is gone"), within, || !is_alive(*pid)).await;
    }
}

/// A zombie, which only waits for its parent to look, is not alive.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // `PID (name) STATE …`, and a name may hold anything.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended by itself.
    let _gone = kill_process(pid, signal);
}

/// Kilobytes of memory that this process holds.
pub(crate) fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
