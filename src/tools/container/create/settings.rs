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
    /// Published ports, container to host: `{"80": 8080}`.
    #[serde(default)]
    pub(in crate::tools::container) ports: Ports,
    /// Environment variables, by name.
    #[serde(default)]
    pub(super) environment: Environment,
    /// File of KEY=VALUE lines.
    pub(super) env_file: Option<HostPath>,
    /// Mounts such as `["./src:/app:ro", "data:/data"]`.
    #[serde(default)]
    pub(in crate::tools::container) volumes: Mounts,
    /// Network, or none, host, container:NAME.
    pub(super) network: Option<NetworkMode>,
    /// Further networks, by name.
    #[serde(default)]
    pub(super) networks: Vec<NetworkName>,
    /// Program and arguments; no shell.
    pub(super) command: Option<CommandLine>,
    /// Program that gets the command.
    pub(super) entrypoint: Option<CommandLine>,
    /// User[:group] it runs as.
    pub(super) user: Option<UserSpec>,
    /// Folder where it runs.
    pub(super) working_dir: Option<ContainerPath>,
    /// Host name inside the container.
    pub(super) hostname: Option<HostName>,
    /// Labels to set, by key.
    #[serde(default)]
    pub(in crate::tools::container) labels: Labels,
    /// Memory limit such as "512m".
    pub(super) memory: Option<Memory>,
    /// CPU limit in cores, such as 1.5.
    pub(super) cpus: Option<Cpus>,
    /// As `deploy.resources` of compose.
    #[serde(default)]
    pub(super) resources: Resources,
    /// Health check, as in compose.
    pub(super) healthcheck: Option<Healthcheck>,
    /// Further hosts: `{"name": "host-gateway"}`.
    #[serde(default)]
    pub(in crate::tools::container) extra_hosts: ExtraHosts,
    /// Platform such as linux/arm64.
    pub(super) platform: Option<Platform>,
    /// When to pull; default missing.
    #[serde(default)]
    pub(super) pull: PullPolicy,
    /// Init as process number 1.
    #[serde(default)]
    pub(super) init: bool,
    /// Root file system read-only.
    #[serde(default)]
    pub(super) read_only: bool,
    /// Folders in memory: `["/run:size=64m"]`.
    #[serde(default)]
    pub(super) tmpfs: Tmpfs,
    /// Size of /dev/shm; default "64m".
    pub(super) shm_size: Option<ByteSize>,
    /// The most processes in it.
    pub(super) pids_limit: Option<Bounded<1, 4_194_304>>,
    /// Limits such as `{"nofile": "1024:2048"}`.
    #[serde(default)]
    pub(in crate::tools::container) ulimits: Ulimits,
    /// Capabilities such as `NET_ADMIN`.
    #[serde(default)]
    pub(super) cap_add: Vec<Capability>,
    /// Capabilities to drop, or ALL.
    #[serde(default)]
    pub(super) cap_drop: Vec<Capability>,
    /// Options such as `["no-new-privileges"]`.
    #[serde(default)]
    pub(super) security_opt: Vec<SecurityOption>,
    /// All rights on the host.
    #[serde(default)]
    pub(super) privileged: bool,
    /// GPUs: all, a number, or device=0,1.
    pub(super) gpus: Option<GpuRequest>,
    /// Host devices such as `["/dev/fuse"]`.
    #[serde(default)]
    pub(super) devices: Vec<DeviceSpec>,
    /// Addresses of DNS servers.
    #[serde(default)]
    pub(super) dns: Vec<IpAddr>,
    /// Log driver such as json-file.
    pub(super) log_driver: Option<LogDriver>,
    /// Its options: `{"max-size": "10m"}`.
    #[serde(default)]
    pub(in crate::tools::container) log_options: DriverOptions,
    /// Stopped by this; default SIGTERM.
    pub(super) stop_signal: Option<Signal>,
    /// Seconds until SIGKILL; default 10.
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
