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
    /// Container to host: `{"80": 8080}`.
    #[serde(default)]
    pub(in crate::tools::container) ports: Ports,
    /// Variables.
    #[serde(default)]
    pub(super) environment: Environment,
    /// File of KEY=VALUE lines.
    pub(super) env_file: Option<HostPath>,
    /// `["./src:/app:ro", "data:/data"]`.
    #[serde(default)]
    pub(in crate::tools::container) volumes: Mounts,
    /// Or none, host, container:NAME.
    pub(super) network: Option<NetworkMode>,
    /// Further networks.
    #[serde(default)]
    pub(super) networks: Vec<NetworkName>,
    /// No shell.
    pub(super) command: Option<CommandLine>,
    /// Gets the command.
    pub(super) entrypoint: Option<CommandLine>,
    /// User[:group].
    pub(super) user: Option<UserSpec>,
    /// Folder.
    pub(super) working_dir: Option<ContainerPath>,
    /// Host name.
    pub(super) hostname: Option<HostName>,
    /// Labels.
    #[serde(default)]
    pub(in crate::tools::container) labels: Labels,
    /// "512m".
    pub(super) memory: Option<Memory>,
    /// Such as 1.5.
    pub(super) cpus: Option<Cpus>,
    /// As in compose.
    #[serde(default)]
    pub(super) resources: Resources,
    /// As in compose.
    pub(super) healthcheck: Option<Healthcheck>,
    /// `{"name": "host-gateway"}`.
    #[serde(default)]
    pub(in crate::tools::container) extra_hosts: ExtraHosts,
    /// linux/arm64 …
    pub(super) platform: Option<Platform>,
    /// Default missing.
    #[serde(default)]
    pub(super) pull: PullPolicy,
    /// Init as process 1.
    #[serde(default)]
    pub(super) init: bool,
    /// Read-only root.
    #[serde(default)]
    pub(super) read_only: bool,
    /// `["/run:size=64m"]`.
    #[serde(default)]
    pub(super) tmpfs: Tmpfs,
    /// "128m" (default 64m).
    pub(super) shm_size: Option<ByteSize>,
    /// Most processes.
    pub(super) pids_limit: Option<Bounded<1, 4_194_304>>,
    /// `{"nofile": "1024:2048"}`.
    #[serde(default)]
    pub(in crate::tools::container) ulimits: Ulimits,
    /// Capabilities.
    #[serde(default)]
    pub(super) cap_add: Vec<Capability>,
    /// Capabilities, or ALL.
    #[serde(default)]
    pub(super) cap_drop: Vec<Capability>,
    /// `["no-new-privileges"]`.
    #[serde(default)]
    pub(super) security_opt: Vec<SecurityOption>,
    /// All rights.
    #[serde(default)]
    pub(super) privileged: bool,
    /// all, a number, device=0,1.
    pub(super) gpus: Option<GpuRequest>,
    /// `["/dev/fuse"]`.
    #[serde(default)]
    pub(super) devices: Vec<DeviceSpec>,
    /// Servers.
    #[serde(default)]
    pub(super) dns: Vec<IpAddr>,
    /// Log driver.
    pub(super) log_driver: Option<LogDriver>,
    /// `{"max-size": "10m"}`.
    #[serde(default)]
    pub(in crate::tools::container) log_options: DriverOptions,
    /// Default SIGTERM.
    pub(super) stop_signal: Option<Signal>,
    /// Default 10.
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
