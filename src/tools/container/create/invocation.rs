//! `docker container create` from what the parameters came to, with all that the policy must know.

use super::Order;
use super::resolved::Resolved;
use super::settings::Settings;
use crate::command::values::{CommandLine, ContainerPath};
use crate::command::{Effect, Hazard, Invocation, labels};
use crate::redact;

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
                invocation = invocation.needed_there(&path);
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
                invocation = invocation.needed_there(&path);
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
    use crate::tools::container::create::resolved::testing::resolved;

    fn invocation(arguments: Value) -> Invocation {
        let (tool, resolved) = resolved(arguments).unwrap();
        tool.order().invocation(&resolved, "r1")
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
}
