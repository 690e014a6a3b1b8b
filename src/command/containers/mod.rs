//! Listing containers, and looking at them: what nearly every tool needs to know.

mod document;
mod listing;
mod written;

pub use document::*;
pub use listing::{ListContainers, Row};
pub use written::{Measured, Written};

use super::{Capture, Command, Effect, Invocation, Output, Streams, json};
use crate::error::Error;

/// `docker container inspect`: the exact state of containers that exist.
#[derive(Clone, Debug)]
pub struct InspectContainers {
    pub containers: Vec<String>,
    /// One that vanished since it was listed is left out instead of failing the call.
    pub may_vanish: bool,
}

impl InspectContainers {
    pub fn one(container: &str) -> Self {
        Self { containers: vec![container.to_string()], may_vanish: false }
    }

    /// By full IDs from a listing.
    pub fn listed(ids: impl IntoIterator<Item = String>) -> Self {
        Self { containers: ids.into_iter().collect(), may_vanish: true }
    }
}

impl Command for InspectContainers {
    type Reply = Vec<Container>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "inspect"]).operands(&self.containers)
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0
            || (self.may_vanish && output.stderr.to_lowercase().contains("no such container"))
    }

    fn parse(&self, output: &Output) -> Result<Vec<Container>, Error> {
        json::document(&output.stdout)
    }
}

/// A block of the archive that `docker container cp … -` prints: the first one is the header of what
/// was asked for, as the `tar` of POSIX has it.
pub const BLOCK: usize = 512;

/// `docker container cp PLACE -`, where a place is `CONTAINER:PATH`: an archive of what stands there.
pub fn archive_of(place: &str, kept: Capture) -> Invocation {
    let stderr = Capture::Tail { max: 4 << 10 };
    Invocation::docker(Effect::Read, ["container", "cp"])
        .streams(Streams::Split { stdout: kept, stderr })
        .operands([place, "-"])
}

/// The same for whoever needs the first block alone, and ends it then.
pub fn header_of(place: &str) -> Invocation {
    archive_of(place, Capture::Ends { max: 4 * BLOCK })
}

/// What an exit status says, where it says more than success or failure.
pub fn exit_meaning(code: i32, oom_killed: bool) -> Option<&'static str> {
    Some(match code {
        137 if oom_killed => "killed by the kernel: out of memory (OOM)",
        125 => "docker itself could not run the command",
        126 => "the command was found but cannot be executed",
        127 => "the command was not found in the image",
        128 => "invalid exit argument, or the command could not be started",
        129 => "ended by SIGHUP",
        130 => "ended by SIGINT (interrupted)",
        131 => "ended by SIGQUIT",
        132 => "ended by SIGILL (illegal instruction: wrong processor?)",
        134 => "ended by SIGABRT (it aborted itself)",
        135 => "ended by SIGBUS",
        136 => "ended by SIGFPE",
        137 => {
            "ended by SIGKILL (docker kill, a stop that ran into its time limit, or out of memory)"
        }
        139 => "ended by SIGSEGV (it crashed)",
        141 => "ended by SIGPIPE",
        143 => "ended by SIGTERM (it was asked to stop)",
        _ => return None,
    })
}

/// One entry for a port that is published on all addresses of both families.
fn ports(entries: &[String]) -> Vec<String> {
    let on_all_of_v4 =
        |port: &str| entries.iter().any(|entry| entry.strip_prefix("0.0.0.0:") == Some(port));
    let twin = |entry: &str| {
        // `:::80->80/tcp` up to 26, `[::]:80->80/tcp` from 27.
        entry.strip_prefix("[::]:").or(entry.strip_prefix(":::")).is_some_and(on_all_of_v4)
    };
    entries.iter().filter(|entry| !twin(entry)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_on_all_addresses_is_told_once() {
        let entries = ["0.0.0.0:80->80/tcp", ":::80->80/tcp", "[::]:81->81/tcp", "90/tcp"];
        assert_eq!(
            ports(&entries.map(str::to_owned)),
            ["0.0.0.0:80->80/tcp", "[::]:81->81/tcp", "90/tcp"]
        );
    }
}
