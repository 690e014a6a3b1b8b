//! What a command may do: to what is there, and to the host.

use std::path::PathBuf;

/// What a call may do at most. Ordered: a handle for `Read` refuses the other two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Creates or changes things, loses nothing.
    Change,
    /// May end programs or lose data.
    Destroy,
}

/// A property of an invocation that gives power over the host. The policy decides on these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hazard {
    /// A path of the host that a container gets, or that docker reads or writes.
    HostPath {
        path: PathBuf,
        read_only: bool,
    },
    Privileged,
    /// `network`, `pid`, `ipc`, `uts`, `userns` or `cgroup` of the host or of another container.
    HostNamespace {
        kind: &'static str,
        value: String,
    },
    Device(String),
    Gpus(String),
    Capability(String),
    SecurityOption(String),
    LogDriver(String),
    /// A port published on every address of the host.
    PublicPort(String),
    /// Options of a volume or network driver.
    DriverOption {
        key: String,
        value: String,
    },
    Driver(String),
}
