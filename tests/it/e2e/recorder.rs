//! A way to the engine on which everything that would change something is seen.
//!
//! Lists taken before and after a call do not tell who changed what on an engine that others use
//! too; what one client has sent does.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::World;
use super::world::{say, socket};

#[derive(Default)]
struct Sent(Mutex<Vec<u8>>);

pub(super) struct Recorder {
    path: PathBuf,
    sent: Arc<Sent>,
}

impl Recorder {
    /// Nothing when the engine is not reached through a socket in the file system.
    pub(super) fn before(world: &World) -> Option<Self> {
        let Some(engine) = socket() else {
            say("in part: the engine has no socket here, so what is sent cannot be seen");
            return None;
        };
        let path = world.beside("recorder.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let sent = Arc::new(Sent::default());
        let recorder = Self { path, sent: Arc::clone(&sent) };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(engine)) = (client, UnixStream::connect(&engine)) else {
                    continue;
                };
                let ends = (client.try_clone().unwrap(), engine.try_clone().unwrap());
                let sent = Arc::clone(&sent);
                std::thread::spawn(move || copy(client, engine, Some(&sent)));
                std::thread::spawn(move || copy(ends.1, ends.0, None));
            }
        });
        Some(recorder)
    }

    /// The value of `DOCKER_HOST` for whom it shall see.
    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// The requests since the last time that do more than read.
    pub(super) fn changes(&self) -> Vec<String> {
        let sent = std::mem::take(&mut *self.sent.0.lock().unwrap());
        let text = String::from_utf8_lossy(&sent);
        let is_change = |line: &&str| {
            ["POST /", "PUT /", "DELETE /", "PATCH /"].iter().any(|method| line.contains(method))
        };
        text.lines().filter(is_change).map(str::to_owned).collect()
    }
}

fn copy(mut from: UnixStream, mut to: UnixStream, seen: Option<&Sent>) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if let Some(Sent(seen)) = seen {
            seen.lock().unwrap().extend_from_slice(&buffer[..length]);
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ended = to.shutdown(Shutdown::Write);
}
