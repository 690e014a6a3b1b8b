//! What a container was made with, as options for the one that takes its place.

use serde_json::{Map, Value};

use super::document::Document;
use crate::command::values::{DockerDuration, Environment, LogDriver};
use crate::command::{Hazard, labels};
use crate::error::{Code, Error};
use crate::redact;
use crate::tools::container::create::{Carried, Settings};

/// What an engine does without an option. Where it is set up otherwise, the comparison of the
/// containers shows it.
const DEFAULTS: &[(&str, &str)] = &[
    ("--runtime", "runc"),
    ("--runtime", "io.containerd.runc.v2"),
    ("--ipc", "private"),
    ("--ipc", "shareable"),
    ("--restart", "no"),
    ("--shm-size", "67108864"),
];

/// # Errors
/// DKR-010 that names the settings which cannot be carried over.
pub(super) fn carry(
    old: &Document,
    named: &[String],
    settings: &Settings,
) -> Result<Carried, Error> {
    let mut carry = Carry { old, named, carried: Carried::default(), cannot: vec![] };
    carry.single_options();
    carry.amounts(settings);
    carry.process()?;
    carry.health();
    carry.pairs(settings);
    carry.devices();
    carry.ports(settings);
    carry.mounts(settings);
    carry.networks();
    if carry.cannot.is_empty() {
        return Ok(carry.carried);
    }
    let message = format!("docker's options cannot make this again: {}", carry.cannot.join(", "));
    Err(Error::new(Code::WrongState, message).hint(
        "nothing was changed; create-container makes another one, with what can be said there",
    ))
}

pub(super) struct Carry<'a> {
    pub(super) old: &'a Document,
    named: &'a [String],
    pub(super) carried: Carried,
    /// Settings that there is no option for.
    pub(super) cannot: Vec<String>,
}

impl<'a> Carry<'a> {
    /// A setting that is the container's own: not empty, not named anew, not its image's.
    pub(super) fn own(&self, parameters: &[&str], pointer: &str) -> Option<&'a Value> {
        if parameters.iter().any(|parameter| self.is_named(parameter)) {
            return None;
        }
        self.old.own(pointer)
    }

    pub(super) fn is_named(&self, parameter: &str) -> bool {
        self.named.iter().any(|name| name == parameter)
    }

    pub(super) fn option(&mut self, name: &str, value: String) {
        if DEFAULTS.contains(&(name, value.as_str())) {
            return;
        }
        self.carried.options.push((name.to_owned(), value));
    }

    pub(super) fn hazard(&mut self, hazard: Hazard) {
        self.carried.hazards.push(hazard);
    }

    pub(super) fn texts(&self, parameters: &[&str], pointer: &str) -> Vec<String> {
        let list = self.own(parameters, pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(super) fn map(&self, parameters: &[&str], pointer: &str) -> Vec<(&'a String, &'a Value)> {
        let map = self.own(parameters, pointer).and_then(Value::as_object);
        map.map(|map| map.iter().collect()).unwrap_or_default()
    }

    fn amounts(&mut self, settings: &Settings) {
        let cpus = self.own(&["cpus", "resources"], "/HostConfig/NanoCpus").and_then(Value::as_u64);
        if let Some(nano) = cpus {
            let cpus = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
            self.option("--cpus", cpus.trim_end_matches('0').trim_end_matches('.').to_owned());
        }
        if let Some(swappiness) =
            self.old.at("/HostConfig/MemorySwappiness").and_then(Value::as_i64)
            && swappiness >= 0
        {
            self.option("--memory-swappiness", swappiness.to_string());
        }
        let new = settings.ulimits.arguments();
        let limits = self.own(&[], "/HostConfig/Ulimits").and_then(Value::as_array);
        for limit in limits.into_iter().flatten() {
            let text = |key: &str| limit.get(key).map(plain).unwrap_or_default();
            let name = text("Name");
            if !new.iter().any(|argument| argument.starts_with(&format!("{name}="))) {
                self.option("--ulimit", format!("{name}={}:{}", text("Soft"), text("Hard")));
            }
        }
        if let Some(policy) = self.own(&["restart"], "/HostConfig/RestartPolicy") {
            let name = policy.get("Name").and_then(Value::as_str).unwrap_or_default();
            match policy.get("MaximumRetryCount").and_then(Value::as_u64) {
                Some(count) if count > 0 => self.option("--restart", format!("{name}:{count}")),
                _ if !name.is_empty() => self.option("--restart", name.to_owned()),
                _ => {}
            }
        }
    }

    /// The program, its words and its variables.
    fn process(&mut self) -> Result<(), Error> {
        let words = |value: Option<&Value>| -> Option<Vec<String>> {
            let words = value?.as_array()?.iter().filter_map(Value::as_str);
            Some(words.map(str::to_owned).collect())
        };
        self.carried.entrypoint = words(self.own(&["entrypoint"], "/Config/Entrypoint"));
        // With an entrypoint of its own a container does not get the command of its image.
        let command = if self.carried.entrypoint.is_some() && !self.is_named("command") {
            self.old.at("/Config/Cmd")
        } else {
            self.own(&["command", "entrypoint"], "/Config/Cmd")
        };
        self.carried.command = words(command);

        let id = self.old.at("/Id").and_then(Value::as_str).unwrap_or_default();
        let host_name = self.own(&["hostname"], "/Config/Hostname").and_then(Value::as_str);
        if let Some(name) = host_name.filter(|name| !id.starts_with(name)) {
            // Docker refuses one of its own in the network of somebody else.
            let mode = self.old.at("/HostConfig/NetworkMode").and_then(Value::as_str);
            if !mode.is_some_and(|mode| mode == "host" || mode.starts_with("container:")) {
                self.option("--hostname", name.to_owned());
            }
        }

        let of_image = self.old.of_image("/Config/Env").and_then(Value::as_array);
        let is_of_image = |pair: &&Value| of_image.is_some_and(|pairs| pairs.contains(pair));
        let pairs = self.old.at("/Config/Env").and_then(Value::as_array).into_iter().flatten();
        let variables: Map<String, Value> = pairs
            .filter(|pair| !is_of_image(pair))
            .filter_map(|pair| pair.as_str()?.split_once('='))
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        self.carried.environment = Environment::try_from(Value::Object(variables))
            .map_err(|problem| Error::new(Code::WrongState, problem))?;
        Ok(())
    }

    fn health(&mut self) {
        let Some(check) = self.own(&["healthcheck"], "/Config/Healthcheck") else { return };
        let words: Vec<&str> = check
            .get("Test")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        match words.as_slice() {
            ["NONE"] => return self.carried.flags.push("--no-healthcheck"),
            ["CMD-SHELL", command] => self.option("--health-cmd", (*command).to_owned()),
            [] => {}
            // An option makes a command for the shell of it, which the image may not have.
            _ => self.cannot.push("the health check in its form without a shell".to_owned()),
        }
        for (key, option) in [
            ("Interval", "--health-interval"),
            ("Timeout", "--health-timeout"),
            ("StartPeriod", "--health-start-period"),
            ("StartInterval", "--health-start-interval"),
        ] {
            let time = check.get(key).and_then(Value::as_i64).filter(|time| *time > 0);
            if let Some(Ok(time)) = time.map(|time| format!("{time}ns").parse::<DockerDuration>()) {
                self.option(option, time.argument());
            }
        }
        if let Some(retries) = check.get("Retries").and_then(Value::as_i64).filter(|n| *n > 0) {
            self.option("--health-retries", retries.to_string());
        }
    }

    /// Maps, of which single entries are replaced.
    fn pairs(&mut self, settings: &Settings) {
        let of_image = self.old.of_image("/Config/Labels").and_then(Value::as_object);
        for (key, value) in self.map(&[], "/Config/Labels") {
            let is_of_image = of_image.and_then(|labels| labels.get(key)) == Some(value);
            let is_new = settings.labels.iter().any(|(name, _)| name.as_str() == key);
            if !is_of_image && !is_new && key != labels::REQUEST {
                self.pair("--label", key, value);
            }
        }
        for (pointer, option) in [
            ("/HostConfig/Sysctls", "--sysctl"),
            ("/HostConfig/StorageOpt", "--storage-opt"),
            ("/HostConfig/Annotations", "--annotation"),
        ] {
            for (key, value) in self.map(&[], pointer) {
                self.pair(option, key, value);
            }
        }
        let new_hosts = settings.extra_hosts.arguments();
        for host in self.texts(&[], "/HostConfig/ExtraHosts") {
            let name = host.split([':', '=']).next().unwrap_or_default();
            if !new_hosts.iter().any(|new| new.split([':', '=']).next() == Some(name)) {
                self.option("--add-host", host);
            }
        }
        let driver =
            self.own(&["log_driver"], "/HostConfig/LogConfig/Type").and_then(Value::as_str);
        if let Some(driver) = driver {
            if !driver.parse().is_ok_and(|driver: LogDriver| driver.is_local()) {
                self.hazard(Hazard::LogDriver(driver.to_owned()));
            }
            self.option("--log-driver", driver.to_owned());
            for (key, value) in self.map(&[], "/HostConfig/LogConfig/Config") {
                if !settings.log_options.iter().any(|(name, _)| name.as_str() == key) {
                    self.pair("--log-opt", key, value);
                }
            }
        }
        for (folder, options) in self.map(&["tmpfs"], "/HostConfig/Tmpfs") {
            let options = plain(options);
            let separator = if options.is_empty() { "" } else { ":" };
            self.option("--tmpfs", format!("{folder}{separator}{options}"));
        }
    }

    fn pair(&mut self, option: &str, key: &str, value: &Value) {
        let value = plain(value);
        if redact::is_secret_key(key) {
            self.carried.secrets.push((option.to_owned(), key.to_owned(), value));
        } else {
            self.option(option, format!("{key}={value}"));
        }
    }

    fn devices(&mut self) {
        let devices = self.own(&["devices"], "/HostConfig/Devices").and_then(Value::as_array);
        for device in devices.into_iter().flatten() {
            let text = |key: &str| device.get(key).map(plain).unwrap_or_default();
            let argument = format!(
                "{}:{}:{}",
                text("PathOnHost"),
                text("PathInContainer"),
                text("CgroupPermissions")
            );
            self.hazard(Hazard::Device(argument.clone()));
            self.option("--device", argument);
        }
    }
}

pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::command::{Effect, Invocation};

    fn carried(container: Value, named: &Value) -> Result<(String, Carried), Error> {
        let image =
            json!({"Config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": {"of": "image"}}});
        let settings: Settings = serde_json::from_value(named.clone()).unwrap();
        let named: Vec<String> = named.as_object().unwrap().keys().cloned().collect();
        let carried = carry(&Document { container, image }, &named, &settings)?;
        let invocation = Invocation::docker(Effect::Change, ["container", "create"]);
        Ok((carried.options(invocation).to_string(), carried))
    }

    fn container() -> Value {
        json!({
            "Id": "0123456789abcdef",
            "Config": {
                "Hostname": "0123456789ab", "User": "1000", "Env": ["PATH=/bin", "A=1", "TOKEN=x"], "Cmd": ["sh"],
                "Labels": {"of": "image", "team": "shop", "api-token": "y", "docker-mcp-server.request": "r"},
                "ExposedPorts": {"80/tcp": {}, "9000/tcp": {}},
                "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 2_000_000_000_i64, "Retries": 3}
            },
            "HostConfig": {
                "Memory": 67_108_864, "MemorySwap": 134_217_728, "NanoCpus": 1_500_000_000, "PidsLimit": -1,
                "Binds": ["data:/data:ro", "/srv:/srv"], "IpcMode": "private", "NetworkMode": "shop", "Runtime": "runc",
                "Mounts": [{"Type": "bind", "Source": "/a,b", "Target": "/m", "ReadOnly": true}, {"Type": "volume", "Target": "/cache"}],
                "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "53/udp": [{"HostIp": "::1", "HostPort": "53"}]},
                "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "CapAdd": ["NET_ADMIN"],
                "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}], "ShmSize": 67_108_864, "ReadonlyRootfs": true,
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}, "Tmpfs": {"/run": "size=1m"},
                "ExtraHosts": ["db:10.0.0.1"], "Sysctls": {"net.core.somaxconn": "1"}
            },
            "Mounts": [{"Type": "volume", "Name": "0a1b", "Destination": "/cache", "RW": true}],
            "NetworkSettings": {"Networks": {
                "shop": {"Aliases": ["web", "0123456789ab"], "IPAMConfig": {"IPv4Address": "10.1.1.9"}},
                "other": {"Aliases": ["w2"], "IPAMConfig": null}
            }}
        })
    }

    #[test]
    fn every_setting_is_carried_over() {
        let (options, carried) = carried(container(), &json!({})).unwrap();
        assert_snapshot!(options, @r#"docker container create --read-only --memory=67108864 --memory-swap=134217728 --user=1000 --cap-add=NET_ADMIN --cpus=1.5 --ulimit=nofile=1:2 --restart=on-failure:3 --health-cmd=true --health-interval=2s --health-retries=3 --label=team=shop --sysctl=net.core.somaxconn=1 --add-host=db:10.0.0.1 --log-driver=json-file --log-opt=max-size=1m --tmpfs=/run:size=1m --publish=8080:80/tcp '--publish=[::1]:53:53/udp' --expose=9000/tcp --volume=data:/data:ro --volume=/srv:/srv '--mount=type=bind,target=/m,"source=/a,b",readonly' --mount=type=volume,source=0a1b,target=/cache --network=shop --network-alias=web --ip=10.1.1.9 '--label=api-token=***'"#);
        assert_snapshot!(format!("{:?}", carried.hazards), @r#"[Capability("NET_ADMIN"), PublicPort("8080:80/tcp"), HostPath { path: "/srv", read_only: false }, HostPath { path: "/a,b", read_only: true }]"#);
        assert_snapshot!(format!("{:?} {:?}", carried.volumes, carried.networks), @r#"["data", "0a1b"] [Network { name: "other", options: [("alias", "w2")] }]"#);
        let variables: Vec<_> = carried.environment.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(variables, ["A", "TOKEN"]);
        assert_eq!((carried.entrypoint, carried.command), (None, None));
    }

    #[test]
    fn what_is_named_anew_is_not_carried_over() {
        let named = json!({
            "memory": "1g", "cpus": 1, "ports": {"80": 8081}, "volumes": ["other:/data"], "labels": {"team": "x"},
            "user": "root", "networks": ["third"], "cap_add": [], "ulimits": {"nofile": 5}, "healthcheck": {"disable": true},
            "extra_hosts": {"db": "10.0.0.2"}, "log_options": {"max-size": "2m"}, "read_only": false, "tmpfs": []
        });
        let (options, _) = carried(container(), &named).unwrap();
        assert_snapshot!(options, @r#"docker container create --restart=on-failure:3 --sysctl=net.core.somaxconn=1 --log-driver=json-file '--publish=[::1]:53:53/udp' --expose=9000/tcp --volume=/srv:/srv '--mount=type=bind,target=/m,"source=/a,b",readonly' --mount=type=volume,source=0a1b,target=/cache '--label=api-token=***'"#);
    }

    #[test]
    fn what_no_option_can_say_is_told() {
        let links = json!({"HostConfig": {"Links": ["/db:/web/db"], "SecurityOpt": ["seccomp={}"]}, "Config": {"Healthcheck": {"Test": ["CMD", "x"]}}});
        let error = carried(links, &json!({})).unwrap_err();
        assert_eq!(error.code, Code::WrongState);
        assert_snapshot!(error.message, @"docker's options cannot make this again: the seccomp profile, HostConfig.Links, the health check in its form without a shell");
    }
}
