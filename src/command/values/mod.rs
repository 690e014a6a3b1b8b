//! Values that come from a caller, each checked once, by the only constructor of its type.
//!
//! Tolerant in shape, strict in meaning: a number may arrive as text, a list or an object as text
//! that holds JSON; what it *says* must follow the grammar, because docker joins names into URL
//! paths (`../volumes/x` as a container name removes a volume), reads a mount as CSV in which the
//! last key wins, and copies its own variable for `--env=KEY`. A refusal is one sentence that
//! shows the value and says what would be right.

mod command_line;
mod entries;
mod extra_hosts;
mod host;
mod image;
mod linux;
mod mounts;
mod names;
mod network;
mod path;
mod place;
mod ports;
#[cfg(test)]
mod properties;
mod quantities;
mod restart;
mod sent;
mod time;
mod tmpfs;
mod ulimits;
mod variable;

pub use command_line::CommandLine;
pub use entries::{DriverOptions, Entries, Environment, Key, Labels};
pub use extra_hosts::ExtraHosts;
pub use host::{DeviceSpec, GpuRequest, NetworkMode, SecurityOption};
pub use image::ImageRef;
pub use linux::{Capability, Platform, Signal, UserSpec};
pub use mounts::{Mount, MountSource, Mounts};
pub use names::{
    ContainerName, ContainerRef, FilterValue, HostName, LabelKey, LogDriver, NetworkName,
    NewNetworkName, OptionName, Profile, ProjectName, ServiceName, StageName, VolumeName,
};
pub use network::{NetworkAlias, NetworkDriver, Subnet};
pub use path::{ContainerPath, HostPath};
pub use place::Place;
pub use ports::{PortMapping, Ports, Protocol};
pub use quantities::{Bounded, ByteSize, Cpus, Memory};
pub use restart::RestartPolicy;
pub use time::{DockerDuration, TimePoint};
pub use tmpfs::{Tmpfs, TmpfsMount};
pub use ulimits::Ulimits;
pub use variable::EnvName;
