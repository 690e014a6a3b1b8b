//! One ssh connection for many calls: a master that lives as long as this server.
//!
//! It is a process of its own, so that the end of one call does not end the others. Where it cannot
//! be had, each call connects by itself and says why that failed.

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::process::{self, Group};
use super::reaper::{Reaper, Registration};

/// The first call waits so long for the connection, which it needs anyway.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The connection to one machine.
pub(super) struct Master {
    /// As the operator gave them: what is before the name of the machine, and the name.
    words: Vec<String>,
    host: String,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    socket: Socket,
    _group: Group,
}

/// A socket in a folder that nobody else can enter.
struct Socket {
    folder: PathBuf,
    _guard: Option<Registration>,
}

impl Master {
    /// Nothing where the operator has connections shared in a way of their own.
    pub(super) fn new(words: &[String], host: &str) -> Option<Self> {
        let is_own = |word: &String| {
            let word = word.to_ascii_lowercase();
            word.contains("control") || word.starts_with("-s") && !word.starts_with("-ss")
        };
        let words = words.to_vec();
        let master = Self { words, host: host.to_owned(), running: Mutex::default() };
        (!master.words.iter().any(is_own)).then_some(master)
    }

    /// The options by which ssh finds the connection, which is there then if it can be had. A master
    /// that has died is replaced.
    pub(super) async fn options(
        &self,
        ssh: &Path,
        environment: &[(OsString, OsString)],
        reaper: Option<&Reaper>,
    ) -> Vec<String> {
        let mut running = self.running.lock().await;
        let is_alive = running.as_mut().is_some_and(|it| matches!(it.child.try_wait(), Ok(None)));
        if !is_alive {
            drop(running.take());
            *running = self.start(ssh, environment, reaper).await;
        }
        running.as_ref().map_or_else(Vec::new, |it| it.socket.options("no"))
    }

    async fn start(
        &self,
        ssh: &Path,
        environment: &[(OsString, OsString)],
        reaper: Option<&Reaper>,
    ) -> Option<Running> {
        let socket = Socket::new(environment, reaper)?;
        #[expect(clippy::disallowed_methods, reason = "the connection that docker is run through")]
        let mut command = Command::new(ssh);
        command
            .args(self.words.iter().skip(1))
            .args(socket.options("yes"))
            // A connection that is dead is noticed within a minute.
            .args(["-oControlPersist=no", "-oServerAliveInterval=20", "-N", "-T"])
            .arg(&self.host)
            .env_clear()
            .envs(environment.iter().cloned())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let (mut child, group) = process::spawn(&mut command, reaper).ok()?;
        let begun = Instant::now();
        while !socket.path().exists() {
            let has_ended = !matches!(child.try_wait(), Ok(None));
            if has_ended || begun.elapsed() > CONNECTS_WITHIN {
                tracing::debug!(host = self.host, has_ended, "no ssh connection to share");
                return None;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Some(Running { child, socket, _group: group })
    }
}

impl Socket {
    fn new(environment: &[(OsString, OsString)], reaper: Option<&Reaper>) -> Option<Self> {
        let of = |wanted: &str| environment.iter().find(|(name, _)| name == wanted);
        // Paths of sockets are short: TMPDIR of macOS is longer than half of one.
        let parent = of("XDG_RUNTIME_DIR").map_or("/tmp".as_ref(), |(_, folder)| Path::new(folder));
        let mut random = [0; 8];
        getrandom::fill(&mut random).ok()?;
        let name = format!(".docker-mcp-{:016x}", u64::from_ne_bytes(random));
        let folder = parent.join(name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.inspect_err(|error| tracing::debug!(%error, "no folder for the ssh connection"))
            .ok()?;
        let guard = reaper.and_then(|reaper| reaper.register_folder(&folder));
        Some(Self { folder, _guard: guard })
    }

    fn path(&self) -> PathBuf {
        self.folder.join("s")
    }

    /// The first value that ssh reads counts: what the operator says stands before these.
    fn options(&self, is_master: &str) -> Vec<String> {
        vec![
            format!("-oControlPath={}", self.path().display()),
            format!("-oControlMaster={is_master}"),
            "-oBatchMode=yes".to_owned(),
        ]
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}
