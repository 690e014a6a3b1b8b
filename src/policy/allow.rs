//! The exceptions that an operator can name: `--allow NAME`.

use std::fmt;
use std::str::FromStr;

use crate::command::values::Capability;

/// One exception from the rules of the level `standard`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allow {
    Privileged,
    HostNetwork,
    HostPid,
    HostIpc,
    HostUts,
    HostUserns,
    HostCgroup,
    OtherContainers,
    VolumesFrom,
    DockerSocket,
    Devices,
    Gpus,
    /// In upper case and without `CAP_`; `ALL` stands for every one.
    Capability(String),
    SecurityOpt,
    Runtime,
    Sysctls,
    LogDriver,
    Drivers,
    DriverOpts,
    Provider,
    Models,
    RemoteBuild,
    BuildHost,
    Push,
}

/// Every name but `cap:NAME`, with what it opens, for `--help` and the README.
pub static KNOWN: [(&str, Allow, &str); 23] = [
    ("build-host", Allow::BuildHost, "builds with the host's network, ssh agent or entitlements"),
    ("devices", Allow::Devices, "device nodes of the host"),
    ("docker-socket", Allow::DockerSocket, "the docker socket in a container: as good as root"),
    ("driver-opts", Allow::DriverOpts, "options of volume and network drivers (NFS, CIFS …)"),
    ("drivers", Allow::Drivers, "volume and network drivers other than docker's own"),
    ("gpus", Allow::Gpus, "GPUs of the host"),
    ("host-cgroup", Allow::HostCgroup, "the host's cgroup namespace, or a parent cgroup"),
    ("host-ipc", Allow::HostIpc, "the host's shared memory"),
    ("host-network", Allow::HostNetwork, "the host's network"),
    ("host-pid", Allow::HostPid, "the host's processes"),
    ("host-userns", Allow::HostUserns, "the host's user namespace"),
    ("host-uts", Allow::HostUts, "the host's name"),
    ("log-driver", Allow::LogDriver, "log drivers that send logs to other machines"),
    ("models", Allow::Models, "compose `models`, which start a plugin of the host"),
    ("other-containers", Allow::OtherContainers, "the namespaces of other containers"),
    ("privileged", Allow::Privileged, "privileged containers: as good as root"),
    ("provider", Allow::Provider, "compose `provider`, which runs a program of the host"),
    ("push", Allow::Push, "pushing images"),
    ("remote-build", Allow::RemoteBuild, "build contexts from git or a URL"),
    ("runtime", Allow::Runtime, "other runtimes, and annotations for them"),
    ("security-opt", Allow::SecurityOpt, "security options that take protection away"),
    ("sysctls", Allow::Sysctls, "kernel parameters that are not a container's own"),
    ("volumes-from", Allow::VolumesFrom, "all mounts of another container"),
];

impl FromStr for Allow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix("cap:") {
            let capability: Capability = name.parse()?;
            return Ok(Self::Capability(capability.to_string()));
        }
        if let Some((_, allow, _)) = KNOWN.iter().find(|(name, ..)| *name == text) {
            return Ok(allow.clone());
        }
        let names: Vec<&str> = KNOWN.iter().map(|(name, ..)| *name).collect();
        Err(format!(
            "there is no exception {text:?}; the names are {} and cap:NAME (a Linux capability)",
            names.join(", ")
        ))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Capability(name) = self {
            return write!(f, "cap:{name}");
        }
        let known = KNOWN.iter().find(|(_, allow, _)| allow == self);
        f.write_str(known.map_or("", |(name, ..)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_written() {
        for (name, allow, _) in &KNOWN {
            assert_eq!(&name.parse::<Allow>().unwrap(), allow);
            assert_eq!(&allow.to_string(), name);
        }
        assert!(KNOWN.is_sorted_by_key(|(name, ..)| *name));
        let capability: Allow = "cap:cap_net_admin".parse().unwrap();
        assert_eq!(capability, Allow::Capability("NET_ADMIN".to_owned()));
        assert_eq!(capability.to_string(), "cap:NET_ADMIN");
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        insta::assert_snapshot!("root".parse::<Allow>().unwrap_err(), @r#"there is no exception "root"; the names are build-host, devices, docker-socket, driver-opts, drivers, gpus, host-cgroup, host-ipc, host-network, host-pid, host-userns, host-uts, log-driver, models, other-containers, privileged, provider, push, remote-build, runtime, security-opt, sysctls, volumes-from and cap:NAME (a Linux capability)"#);
        assert!("cap:".parse::<Allow>().is_err());
        assert!("cap:NOTHING".parse::<Allow>().is_err());
        assert!("".parse::<Allow>().is_err());
    }
}
