//! From parameters to a `docker container create`: all that can be checked without docker.

use std::path::PathBuf;

use super::parameters::one_of;
use super::settings::Settings;
use super::{Order, env_file};
use crate::command::values::{
    CommandLine, ContainerPath, Cpus, Environment, HostPath, Memory, MountSource, NetworkName,
};
use crate::command::{Effect, Hazard, Invocation, labels};
use crate::error::Error;
use crate::redact;
use crate::workspace::Workspace;

/// What the parameters come to: paths followed, files read, alternatives decided.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    mounts: Vec<ResolvedMount>,
    environment: Environment,
    env_file: Option<PathBuf>,
    /// As docker is to get them, and the file that one of them names.
    security_options: Vec<(String, Option<PathBuf>)>,
    memory: Option<Memory>,
    cpus: Option<Cpus>,
    cpu_shares: Option<u64>,
    /// The networks to join after the first one.
    pub(super) further_networks: Vec<NetworkName>,
    pub(super) warnings: Vec<String>,
}

#[derive(Debug)]
struct ResolvedMount {
    argument: String,
    is_volume: bool,
    host_path: Option<(PathBuf, bool)>,
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

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
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

impl Order<'_> {
    /// `docker container create`. `--pull=never`: the image has been pulled if it had to be, so a
    /// failure of the registry is none of this step.
    pub(super) fn invocation(&self, resolved: &Resolved, request: &str) -> Invocation {
        let settings = self.settings;
        let carried = self.carried;
        let words = |named: &Option<CommandLine>, carried: Option<&Vec<String>>| {
            named.as_ref().map(|line| line.words().to_vec()).or_else(|| carried.cloned())
        };
        let entrypoint =
            words(&settings.entrypoint, carried.and_then(|carried| carried.entrypoint.as_ref()));
        let command =
            words(&settings.command, carried.and_then(|carried| carried.command.as_ref()));
        let entrypoint = entrypoint.unwrap_or_default();
        let (first_word, rest) = entrypoint.split_first().unzip();
        let environment = match carried {
            Some(carried) => resolved.environment.clone().over(carried.environment.clone()),
            None => resolved.environment.clone(),
        };
        let invocation = Invocation::docker(Effect::Change, ["container", "create"])
            .maybe("--name", self.name)
            .flag("--interactive", self.interactive)
            .option("--pull", "never")
            .maybe("--platform", settings.platform.as_ref());
        // Where there can be only one, docker takes the last: the named one.
        let invocation = carried.iter().fold(invocation, |all, carried| carried.options(all));
        let invocation = settings.files_and_networks(invocation, resolved, request);
        let invocation = settings.limits(invocation, resolved).maybe("--restart", self.restart);
        let invocation = settings.process(invocation, first_word);
        let invocation = settings.rights(invocation, resolved);
        settings
            .marks(invocation, request)
            .environment(&environment)
            .operands([self.image.as_str()])
            .operands(rest.unwrap_or_default())
            .operands(command.unwrap_or_default())
    }
}

impl Settings {
    fn files_and_networks(
        &self,
        mut invocation: Invocation,
        resolved: &Resolved,
        request: &str,
    ) -> Invocation {
        for mount in &resolved.mounts {
            // A volume that does not exist yet is made with the label, so that it can be taken
            // away again when the container cannot start; one that exists keeps its own.
            let label = if mount.is_volume {
                format!(",volume-label={}={request}", labels::REQUEST)
            } else {
                String::new()
            };
            invocation = invocation.option("--mount", format!("{}{label}", mount.argument));
            if let Some((path, read_only)) = &mount.host_path {
                let (path, read_only) = (path.clone(), *read_only);
                invocation = invocation.hazard(Hazard::HostPath { path, read_only });
            }
        }
        if let Some(path) = &resolved.env_file {
            invocation =
                invocation.hazard(Hazard::HostPath { path: path.clone(), read_only: true });
        }
        for port in self.ports.mappings().iter().filter(|port| port.is_public()) {
            invocation = invocation.hazard(Hazard::PublicPort(port.to_string()));
        }
        if let Some(mode) =
            self.network.as_ref().filter(|mode| mode.is_host() || mode.container().is_some())
        {
            let (kind, value) = ("network", mode.to_string());
            invocation = invocation.hazard(Hazard::HostNamespace { kind, value });
        }
        invocation
            .each("--tmpfs", self.tmpfs.arguments())
            .flag("--read-only", self.read_only)
            .maybe("--network", self.first_network())
            .each("--publish", self.ports.arguments())
            .maybe("--hostname", self.hostname.as_ref())
            .each("--add-host", self.extra_hosts.arguments())
            .each("--dns", &self.dns)
    }

    fn limits(&self, invocation: Invocation, resolved: &Resolved) -> Invocation {
        let invocation = invocation
            .maybe("--memory", resolved.memory)
            .maybe("--memory-reservation", self.resources.reservations.memory)
            .maybe("--cpus", resolved.cpus)
            .maybe("--cpu-shares", resolved.cpu_shares)
            .maybe("--shm-size", self.shm_size)
            .maybe("--pids-limit", self.pids_limit)
            .each("--ulimit", self.ulimits.arguments());
        match &self.gpus {
            Some(gpus) => {
                invocation.option("--gpus", gpus.argument()).hazard(Hazard::Gpus(gpus.to_string()))
            }
            None => invocation,
        }
    }

    fn process(&self, invocation: Invocation, entrypoint: Option<&String>) -> Invocation {
        let invocation = invocation
            // Docker takes one word; the others stand before the command.
            .maybe("--entrypoint", entrypoint)
            .maybe("--user", self.user.as_ref())
            .maybe("--workdir", self.working_dir.as_ref().map(ContainerPath::as_str))
            .flag("--init", self.init)
            .maybe("--stop-signal", self.stop_signal.as_ref())
            .maybe("--stop-timeout", self.stop_timeout_seconds);
        match &self.healthcheck {
            Some(check) => check.options(invocation),
            None => invocation,
        }
    }

    fn rights(&self, mut invocation: Invocation, resolved: &Resolved) -> Invocation {
        invocation = invocation.each("--cap-drop", &self.cap_drop);
        for capability in &self.cap_add {
            invocation = invocation
                .option("--cap-add", capability)
                .hazard(Hazard::Capability(capability.to_string()));
        }
        for (option, (argument, file)) in self.security_opt.iter().zip(&resolved.security_options) {
            invocation = invocation.option("--security-opt", argument);
            if !option.is_harmless() {
                invocation = invocation.hazard(Hazard::SecurityOption(argument.clone()));
            }
            if let Some(path) = file.clone() {
                invocation = invocation.hazard(Hazard::HostPath { path, read_only: true });
            }
        }
        for device in &self.devices {
            invocation =
                invocation.option("--device", device).hazard(Hazard::Device(device.to_string()));
        }
        if self.privileged {
            invocation = invocation.flag("--privileged", true).hazard(Hazard::Privileged);
        }
        invocation
    }

    /// Where its output goes, and its labels; ours comes last and so wins.
    fn marks(&self, mut invocation: Invocation, request: &str) -> Invocation {
        if let Some(driver) = &self.log_driver {
            invocation = invocation.option("--log-driver", driver);
            if !driver.is_local() {
                invocation = invocation.hazard(Hazard::LogDriver(driver.to_string()));
            }
        }
        for (key, value) in &self.log_options {
            invocation = pair(invocation, "--log-opt", key.as_str(), value);
        }
        for (key, value) in &self.labels {
            invocation = pair(invocation, "--label", key.as_str(), value);
        }
        invocation.option("--label", format!("{}={request}", labels::REQUEST))
    }
}

/// `--name=key=value`, the value hidden when the key says that it is secret.
fn pair(invocation: Invocation, name: &str, key: &str, value: &str) -> Invocation {
    if redact::is_secret_key(key) {
        invocation.secret(name, key, value)
    } else {
        invocation.option(name, format!("{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    use super::*;
    use crate::error::Code;
    use crate::tools::container::create::CreateContainer;

    fn resolved(arguments: Value) -> Result<(CreateContainer, Resolved), Error> {
        let tool: CreateContainer = serde_json::from_value(arguments).unwrap();
        let resolved = Resolved::resolve(
            &tool.shared,
            &Workspace::new("/".into(), std::sync::Arc::default()),
        )?;
        Ok((tool, resolved))
    }

    fn invocation(arguments: Value) -> Invocation {
        let (tool, resolved) = resolved(arguments).unwrap();
        tool.order().invocation(&resolved, "r1")
    }

    fn refusal(arguments: Value) -> Error {
        resolved(arguments).unwrap_err()
    }

    #[test]
    fn argv_of_create_container() {
        assert_snapshot!(invocation(json!({"image": "nginx:1.27"})), @"docker container create --pull=never --label=docker-mcp-server.request=r1 -- nginx:1.27");
        assert_snapshot!(
            invocation(json!({
                "image": "nginx:1.27", "name": "web", "ports": {"80": 8080, "53/udp": "0.0.0.0:53"},
                "environment": {"A": "1", "TOKEN": "hunter2"}, "volumes": ["/:/host:ro", "data:/data", "/cache"],
                "network": "shop", "networks": ["shop", "other"], "restart": "on-failure:3", "command": "sh -c 'echo $HOME'",
                "entrypoint": ["tini", "-g", "--"], "user": "1000:1000", "working_dir": "/app", "hostname": "web-1",
                "labels": {"team": "shop"}, "memory": "64m", "resources": {"limits": {"cpus": 1.5}, "reservations": {"memory": "32m", "cpus": 0.5}},
                "healthcheck": {"test": "true", "interval": "2s"}, "extra_hosts": {"host.docker.internal": "host-gateway"},
                "platform": "linux/amd64", "init": true, "read_only": true, "tmpfs": ["/run:size=1m"], "shm_size": "128m",
                "pids_limit": 100, "ulimits": {"nofile": 1024}, "cap_add": ["NET_ADMIN"], "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges"], "privileged": true, "gpus": "all", "devices": ["/dev/fuse"],
                "dns": ["1.1.1.1"], "log_driver": "json-file", "log_options": {"max-size": "10m"},
                "stop_signal": "QUIT", "stop_timeout_seconds": 5
            })),
            @r"docker container create --name=web --pull=never --platform=linux/amd64 --mount=type=bind,source=/,target=/host,readonly --mount=type=volume,source=data,target=/data,volume-label=docker-mcp-server.request=r1 --mount=type=volume,target=/cache,volume-label=docker-mcp-server.request=r1 --tmpfs=/run:size=1048576 --read-only --network=shop --publish=0.0.0.0:53:53/udp --publish=127.0.0.1:8080:80/tcp --hostname=web-1 --add-host=host.docker.internal:host-gateway --dns=1.1.1.1 --memory=67108864 --memory-reservation=33554432 --cpus=1.5 --cpu-shares=512 --shm-size=134217728 --pids-limit=100 --ulimit=nofile=1024:1024 --gpus=all --restart=on-failure:3 --entrypoint=tini --user=1000:1000 --workdir=/app --init --stop-signal=SIGQUIT --stop-timeout=5 --health-cmd=true --health-interval=2s --cap-drop=ALL --cap-add=NET_ADMIN --security-opt=no-new-privileges --device=/dev/fuse --privileged --log-driver=json-file --log-opt=max-size=10m --label=team=shop --label=docker-mcp-server.request=r1 --env-file=/dev/stdin -- nginx:1.27 -g -- sh -c 'echo $HOME'"
        );
        assert_snapshot!(
            invocation(json!({"image": "a", "command": ["--rm", "it's"], "environment": {"LD_PRELOAD": "x\ny"}})),
            @r"docker container create --pull=never --label=docker-mcp-server.request=r1 '--env=LD_PRELOAD=***' -- a --rm 'it'\''s'"
        );
    }

    #[test]
    fn whatever_reaches_into_the_host_is_a_hazard() {
        let hazards = |arguments| format!("{:?}", invocation(arguments).hazards());
        assert_snapshot!(hazards(json!({"image": "a"})), @"[]");
        assert_snapshot!(
            hazards(json!({
                "image": "a", "volumes": ["/:/h"], "ports": ["0.0.0.0:80:80", "81:81"], "network": "host",
                "cap_add": ["SYS_ADMIN"], "security_opt": ["seccomp=unconfined", "no-new-privileges"],
                "privileged": true, "gpus": 1, "devices": ["/dev/fuse"], "log_driver": "syslog"
            })),
            @r#"[HostPath { path: "/", read_only: false }, PublicPort("0.0.0.0:80:80/tcp"), HostNamespace { kind: "network", value: "host" }, Gpus("1"), Capability("SYS_ADMIN"), SecurityOption("seccomp=unconfined"), Device("/dev/fuse"), Privileged, LogDriver("syslog")]"#
        );
        assert_snapshot!(hazards(json!({"image": "a", "network": "container:db"})), @r#"[HostNamespace { kind: "network", value: "container:db" }]"#);
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
