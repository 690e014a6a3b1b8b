//! What a container is made with: the parameters that all tools have that make one.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::parameters::{Healthcheck, PullPolicy, Resources};
use crate::command::values::{
    Bounded, ByteSize, Capability, CommandLine, ContainerPath, Cpus, DeviceSpec, DriverOptions,
    Environment, ExtraHosts, GpuRequest, HostName, HostPath, Labels, LogDriver, Memory,
    MountSource, Mounts, NetworkMode, NetworkName, Platform, Ports, SecurityOption, Signal, Tmpfs,
    Ulimits, UserSpec, VolumeName,
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::tools::container) struct Settings {
    /// Container port to host port: `{"80": 8080, "53/udp": "0.0.0.0:53"}`; on 127.0.0.1 unless it says otherwise.
    #[serde(default)]
    pub(in crate::tools::container) ports: Ports,
    /// Variables: `{"KEY": "value"}`.
    #[serde(default)]
    pub(super) environment: Environment,
    /// File of KEY=VALUE lines; environment wins over it.
    pub(super) env_file: Option<HostPath>,
    /// `["./src:/app:ro", "data:/data"]`: a path that exists, a named volume.
    #[serde(default)]
    pub(in crate::tools::container) volumes: Mounts,
    /// Network to join, or none, host, container:NAME (default bridge).
    pub(super) network: Option<NetworkMode>,
    /// Further networks to join.
    #[serde(default)]
    pub(super) networks: Vec<NetworkName>,
    /// Command with its arguments; no shell reads it (default: the image's).
    pub(super) command: Option<CommandLine>,
    /// Program that gets the command (default: the image's).
    pub(super) entrypoint: Option<CommandLine>,
    /// User or user:group (default: the image's).
    pub(super) user: Option<UserSpec>,
    /// Folder in the container (default: the image's).
    pub(super) working_dir: Option<ContainerPath>,
    /// Host name in the container (default: its ID).
    pub(super) hostname: Option<HostName>,
    /// Labels: `{"key": "value"}`.
    #[serde(default)]
    pub(in crate::tools::container) labels: Labels,
    /// Memory limit: "512m" (default none).
    pub(super) memory: Option<Memory>,
    /// Processors: 1.5 (default all).
    pub(super) cpus: Option<Cpus>,
    /// As compose writes it.
    #[serde(default)]
    pub(super) resources: Resources,
    /// Replaces the image's health check.
    pub(super) healthcheck: Option<Healthcheck>,
    /// Names for addresses: `{"host.docker.internal": "host-gateway"}`.
    #[serde(default)]
    pub(in crate::tools::container) extra_hosts: ExtraHosts,
    /// os/architecture (default: this machine's).
    pub(super) platform: Option<Platform>,
    /// When to pull it (default missing).
    #[serde(default)]
    pub(super) pull: PullPolicy,
    /// Run an init that reaps zombies.
    #[serde(default)]
    pub(super) init: bool,
    /// Read-only root file system.
    #[serde(default)]
    pub(super) read_only: bool,
    /// Folders in memory: `["/run:size=64m"]`.
    #[serde(default)]
    pub(super) tmpfs: Tmpfs,
    /// Size of /dev/shm: "128m" (default 64m).
    pub(super) shm_size: Option<ByteSize>,
    /// Most processes and threads (default none).
    pub(super) pids_limit: Option<Bounded<1, 4_194_304>>,
    /// Limits: `{"nofile": "1024:2048"}`.
    #[serde(default)]
    pub(in crate::tools::container) ulimits: Ulimits,
    /// Linux capabilities to add.
    #[serde(default)]
    pub(super) cap_add: Vec<Capability>,
    /// Linux capabilities to drop, or ALL.
    #[serde(default)]
    pub(super) cap_drop: Vec<Capability>,
    /// Security options: `["no-new-privileges"]`.
    #[serde(default)]
    pub(super) security_opt: Vec<SecurityOption>,
    /// All rights on the host.
    #[serde(default)]
    pub(super) privileged: bool,
    /// `all`, a number, or `device=0,1` (default none).
    pub(super) gpus: Option<GpuRequest>,
    /// Devices: `["/dev/fuse"]`.
    #[serde(default)]
    pub(super) devices: Vec<DeviceSpec>,
    /// Addresses of DNS servers.
    #[serde(default)]
    pub(super) dns: Vec<IpAddr>,
    /// Where its output goes (default: docker's setting).
    pub(super) log_driver: Option<LogDriver>,
    /// Options of the log driver: `{"max-size": "10m"}`.
    #[serde(default)]
    pub(in crate::tools::container) log_options: DriverOptions,
    /// Signal that asks it to stop (default SIGTERM).
    pub(super) stop_signal: Option<Signal>,
    /// Seconds from that signal to SIGKILL (default 10).
    pub(super) stop_timeout_seconds: Option<u16>,
}

impl Settings {
    /// The network that the container is created with, when it is not the default one.
    pub(super) fn first_network(&self) -> Option<&str> {
        let network = self.network.as_ref().map(AsRef::as_ref);
        network.or_else(|| self.networks.first().map(AsRef::as_ref))
    }

    /// Volumes that are mounted by their name.
    pub(super) fn named_volumes(&self) -> impl Iterator<Item = &VolumeName> {
        self.volumes.mounts().iter().filter_map(|mount| match mount.source() {
            MountSource::Volume(name) => Some(name),
            _ => None,
        })
    }
}
