//! What the parameters come to: all that can be checked without docker.

use std::path::PathBuf;

use super::env_file;
use super::parameters::one_of;
use super::settings::Settings;
use crate::command::labels;
use crate::command::values::{Cpus, Environment, HostPath, Memory, MountSource, NetworkName};
use crate::error::Error;
use crate::workspace::Workspace;

/// Paths followed, files read, alternatives decided.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) mounts: Vec<ResolvedMount>,
    pub(super) environment: Environment,
    pub(super) env_file: Option<PathBuf>,
    /// As docker is to get them, and the file that one of them names.
    pub(super) security_options: Vec<(String, Option<PathBuf>)>,
    pub(super) memory: Option<Memory>,
    pub(super) cpus: Option<Cpus>,
    pub(super) cpu_shares: Option<u64>,
    /// The networks to join after the first one.
    pub(super) further_networks: Vec<NetworkName>,
    pub(super) warnings: Vec<String>,
}

#[derive(Debug)]
pub(super) struct ResolvedMount {
    pub(super) argument: String,
    pub(super) is_volume: bool,
    pub(super) host_path: Option<(PathBuf, bool)>,
}

/// A share of 1024 is one processor, as for the kernel's own default.
const SHARES_OF_A_CPU: u64 = 1024;

impl Resolved {
    /// # Errors
    /// DKR-004 and DKR-008 that name the parameter.
    pub(super) fn resolve(settings: &Settings, workspace: &Workspace) -> Result<Self, Error> {
        let mut resolved = Self::default();
        resolved.resolve_environment(settings, workspace)?;
        resolved.resolve_mounts(settings, workspace)?;
        resolved.resolve_security_options(settings, workspace)?;
        resolved.resolve_resources(settings)?;
        resolved.resolve_networks(settings)?;
        if settings.labels.iter().any(|(key, _)| key.as_str() == labels::REQUEST) {
            let message = format!("the label {} is this server's own", labels::REQUEST);
            return Err(Error::invalid("labels", message));
        }
        if let Some(check) = &settings.healthcheck {
            check.check()?;
            resolved.warnings.extend(check.warning());
        }
        for port in settings.ports.mappings().iter().filter(|port| port.is_public()) {
            resolved.warnings.push(format!(
                "port {port} can be reached from other machines; without an address it would be on 127.0.0.1 only"
            ));
        }
        Ok(resolved)
    }

    fn resolve_environment(
        &mut self,
        settings: &Settings,
        workspace: &Workspace,
    ) -> Result<(), Error> {
        let given = settings.environment.clone();
        let Some(path) = &settings.env_file else {
            self.environment = given;
            return Ok(());
        };
        let (path, text) = workspace.read_env_file("env_file", path)?;
        let shown = path.display();
        let (environment, warnings) = env_file::parse(&text)
            .map_err(|problem| Error::invalid("env_file", format!("{shown}: {problem}")))?;
        self.warnings.extend(warnings.into_iter().map(|warning| format!("env_file: {warning}")));
        self.environment = given.over(environment);
        self.env_file = Some(path);
        Ok(())
    }

    fn resolve_mounts(&mut self, settings: &Settings, workspace: &Workspace) -> Result<(), Error> {
        for mount in settings.volumes.mounts() {
            let source = match mount.source() {
                MountSource::Bind(path) => {
                    let hint = format!(
                        "create it first, for docker would make an empty folder of root's; relative paths begin at {}",
                        workspace.folder.display()
                    );
                    let found = workspace.existing("volumes", path);
                    Some(found.map_err(|error| error.hint(hint))?)
                }
                _ => None,
            };
            let argument = mount
                .mount_argument(source.as_deref())
                .map_err(|problem| Error::invalid("volumes", problem))?;
            if mount.wants_relabel() {
                self.warnings.push(format!(
                    "{}: the option z was left out; on a host with SELinux label the folder for containers yourself",
                    mount.target()
                ));
            }
            let is_volume =
                matches!(mount.source(), MountSource::Volume(_) | MountSource::Anonymous);
            let host_path = source.map(|source| (source, mount.read_only()));
            self.mounts.push(ResolvedMount { argument, is_volume, host_path });
        }
        Ok(())
    }

    fn resolve_security_options(
        &mut self,
        settings: &Settings,
        workspace: &Workspace,
    ) -> Result<(), Error> {
        for option in &settings.security_opt {
            let Some(file) = option.seccomp_file() else {
                self.security_options.push((option.to_string(), None));
                continue;
            };
            let path: HostPath =
                file.parse().map_err(|problem: String| Error::invalid("security_opt", problem))?;
            let path = workspace.existing("security_opt", &path)?;
            self.security_options.push((format!("seccomp={}", path.display()), Some(path)));
        }
        Ok(())
    }

    fn resolve_resources(&mut self, settings: &Settings) -> Result<(), Error> {
        let (limits, reservations) = (&settings.resources.limits, &settings.resources.reservations);
        self.memory = one_of("memory", settings.memory, limits.memory)?;
        self.cpus = one_of("cpus", settings.cpus, limits.cpus)?;
        if let (Some(limit), Some(reserved)) = (self.memory, reservations.memory)
            && reserved > limit
        {
            let message =
                format!("{reserved} bytes of memory are reserved, but the limit is {limit}");
            return Err(Error::invalid("resources.reservations.memory", message));
        }
        if let Some(cpus) = reservations.cpus {
            let shares = cpus.billionths() * SHARES_OF_A_CPU / 1_000_000_000;
            self.cpu_shares = Some(shares.clamp(2, 262_144));
            self.warnings.push(format!(
                "docker reserves no processors for a container: {cpus} became its share when they are scarce (--cpu-shares)"
            ));
        }
        Ok(())
    }

    fn resolve_networks(&mut self, settings: &Settings) -> Result<(), Error> {
        let mut networks = settings.networks.clone();
        match &settings.network {
            Some(mode) if !mode.is_a_network() && !networks.is_empty() => {
                let message = format!("with network {mode} there can be no further networks");
                return Err(Error::invalid("networks", message));
            }
            Some(mode) => {
                networks.retain(|network| network.as_str() != mode.as_str());
                if mode.as_str() == "none" && !settings.ports.mappings().is_empty() {
                    self.warnings
                        .push("ports of a container without a network are not published".into());
                }
            }
            // The first one is the one that it is created with.
            None if !networks.is_empty() => {
                networks.remove(0);
            }
            None => {}
        }
        for network in networks {
            if !self.further_networks.contains(&network) {
                self.further_networks.push(network);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod testing {
    use serde_json::Value;

    use super::*;
    use crate::tools::container::create::CreateContainer;

    pub(in super::super) fn resolved(
        arguments: Value,
    ) -> Result<(CreateContainer, Resolved), Error> {
        let tool: CreateContainer = serde_json::from_value(arguments).unwrap();
        let resolved = Resolved::resolve(
            &tool.shared,
            &Workspace::new("/".into(), std::sync::Arc::default()),
        )?;
        Ok((tool, resolved))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    use super::testing::resolved;
    use super::*;
    use crate::error::Code;

    fn refusal(arguments: Value) -> Error {
        resolved(arguments).unwrap_err()
    }

    #[test]
    fn the_first_network_is_the_one_it_is_created_with() {
        let networks = |arguments| {
            let (tool, resolved) = resolved(arguments).unwrap();
            let further: Vec<_> =
                resolved.further_networks.iter().map(ToString::to_string).collect();
            (tool.shared.first_network().map(str::to_owned), further.join(" "))
        };
        assert_eq!(networks(json!({"image": "a"})), (None, String::new()));
        assert_eq!(
            networks(json!({"image": "a", "networks": ["x", "y", "y"]})),
            (Some("x".into()), "y".into())
        );
        assert_eq!(
            networks(json!({"image": "a", "network": "x", "networks": ["y", "x"]})),
            (Some("x".into()), "y".into())
        );
        let error = refusal(json!({"image": "a", "network": "host", "networks": ["y"]}));
        assert_eq!(error.code, Code::InvalidConfiguration);
    }

    #[test]
    fn contradictions_are_refused() {
        let message = |arguments| refusal(arguments).message.clone();
        assert_snapshot!(message(json!({"image": "a", "memory": "64m", "resources": {"limits": {"memory": "32m"}}})), @"`memory` is 67108864, but `resources.limits.memory` is 33554432");
        assert_snapshot!(message(json!({"image": "a", "memory": "8m", "resources": {"reservations": {"memory": "32m"}}})), @"33554432 bytes of memory are reserved, but the limit is 8388608");
        assert_snapshot!(message(json!({"image": "a", "labels": {"docker-mcp-server.request": "x"}})), @"the label docker-mcp-server.request is this server's own");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = refusal(json!({"image": "a", "volumes": ["./no-such-folder:/x"]}));
        assert_eq!(error.code, Code::ResourceNotFound);
        assert_snapshot!(error.message, @"/no-such-folder: no such file or directory");
    }
}
