//! Where it is reached, and what is mounted: ports, volumes, folders, networks.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::carry::{Carry, plain};
use super::document::is_empty;
use crate::command::Hazard;
use crate::tools::container::create::{Network, Settings};

impl Carry<'_> {
    pub(super) fn ports(&mut self, settings: &Settings) {
        let new: Vec<String> = settings
            .ports
            .mappings()
            .iter()
            .map(|port| format!("{}/{}", port.container_port(), port.protocol()))
            .collect();
        for (port, bindings) in self.map(&[], "/HostConfig/PortBindings") {
            if new.contains(port) {
                continue;
            }
            for binding in bindings.as_array().into_iter().flatten() {
                let text = |key: &str| binding.get(key).map(plain).unwrap_or_default();
                let (mut address, host) = (text("HostIp"), text("HostPort"));
                let is_local = address.starts_with("127.") || address == "::1";
                if address.contains(':') {
                    address = format!("[{address}]");
                }
                let argument = match (address.as_str(), host.as_str()) {
                    ("", "") => port.clone(),
                    ("", host) => format!("{host}:{port}"),
                    (address, host) => format!("{address}:{host}:{port}"),
                };
                if !is_local {
                    self.hazard(Hazard::PublicPort(argument.clone()));
                }
                self.option("--publish", argument);
            }
        }
        let of_image = self.old.of_image("/Config/ExposedPorts").and_then(Value::as_object);
        let published = self.old.at("/HostConfig/PortBindings").and_then(Value::as_object);
        for (port, _) in self.map(&[], "/Config/ExposedPorts") {
            let is_known = |ports: Option<&Map<String, Value>>| {
                ports.is_some_and(|ports| ports.contains_key(port))
            };
            if !is_known(of_image) && !is_known(published) {
                self.option("--expose", port.clone());
            }
        }
    }

    pub(super) fn mounts(&mut self, settings: &Settings) {
        let mut placed: Vec<String> =
            settings.volumes.mounts().iter().map(|mount| mount.target().to_string()).collect();
        for bind in self.texts(&[], "/HostConfig/Binds") {
            let mut parts = bind.split(':');
            let (source, target) = (parts.next().unwrap_or_default(), parts.next());
            let read_only = parts.next().is_some_and(|all| all.split(',').any(|one| one == "ro"));
            let target = target.unwrap_or_default().to_owned();
            if !placed.contains(&target) {
                self.source(source, read_only);
                self.option("--volume", bind.clone());
                placed.push(target);
            }
        }
        let mounts = self.own(&[], "/HostConfig/Mounts").and_then(Value::as_array);
        for mount in mounts.into_iter().flatten() {
            let target = mount.get("Target").map(plain).unwrap_or_default();
            let has_source = mount.get("Source").is_some_and(|source| !is_empty(source));
            let is_anonymous =
                mount.get("Type").is_some_and(|kind| kind == "volume") && !has_source;
            if placed.contains(&target) || is_anonymous {
                continue;
            }
            self.mount(mount, &target);
            placed.push(target);
        }
        // Volumes without a name of their own, also those that the image asks for: they go on.
        for mount in self.old.at("/Mounts").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| mount.get(key).map(plain).unwrap_or_default();
            let (name, target) = (text("Name"), text("Destination"));
            if text("Type") != "volume" || placed.contains(&target) {
                continue;
            }
            let read_only =
                if mount.get("RW") == Some(&Value::Bool(false)) { ",readonly" } else { "" };
            self.source(&name, false);
            let argument = format!(
                "type=volume,{},{}{read_only}",
                csv("source", &name),
                csv("target", &target)
            );
            self.option("--mount", argument);
        }
    }

    fn mount(&mut self, mount: &Value, target: &str) {
        let text = |pointer: &str| mount.pointer(pointer).map(plain).unwrap_or_default();
        let is_on = |pointer: &str| mount.pointer(pointer) == Some(&Value::Bool(true));
        let (kind, source) = (text("/Type"), text("/Source"));
        let read_only = is_on("/ReadOnly");
        let mut words = vec![csv("type", &kind), csv("target", target)];
        if !source.is_empty() {
            self.source(&source, read_only);
            words.push(csv("source", &source));
        }
        if read_only {
            words.push("readonly".to_owned());
        }
        for (pointer, key) in [
            ("/BindOptions/Propagation", "bind-propagation"),
            ("/TmpfsOptions/SizeBytes", "tmpfs-size"),
            ("/VolumeOptions/Subpath", "volume-subpath"),
        ] {
            let value = text(pointer);
            if !value.is_empty() && value != "0" {
                words.push(csv(key, &value));
            }
        }
        if let Some(mode) = mount.pointer("/TmpfsOptions/Mode").and_then(Value::as_u64) {
            words.push(format!("tmpfs-mode={mode:o}"));
        }
        if is_on("/VolumeOptions/NoCopy") {
            words.push("volume-nocopy".to_owned());
        }
        self.option("--mount", words.join(","));
    }

    fn source(&mut self, source: &str, read_only: bool) {
        if source.starts_with('/') {
            self.hazard(Hazard::HostPath { path: PathBuf::from(source), read_only });
        } else {
            self.carried.volumes.push(source.to_owned());
        }
    }

    pub(super) fn networks(&mut self) {
        if self.is_named("network") || self.is_named("networks") {
            return;
        }
        let mode = self.old.at("/HostConfig/NetworkMode").and_then(Value::as_str);
        let mode = mode.unwrap_or("default");
        if mode == "host" || mode.starts_with("container:") {
            let value = mode.to_owned();
            self.hazard(Hazard::HostNamespace { kind: "network", value });
        }
        if mode != "default" {
            self.option("--network", mode.to_owned());
        }
        let first = if mode == "default" { "bridge" } else { mode };
        let id = self.old.at("/Id").and_then(Value::as_str).unwrap_or_default();
        for (name, endpoint) in self.map(&[], "/NetworkSettings/Networks") {
            let is_first =
                name == first || endpoint.get("NetworkID").and_then(Value::as_str) == Some(first);
            if ["Links", "DriverOpts"]
                .iter()
                .any(|key| endpoint.get(key).is_some_and(|value| !is_empty(value)))
            {
                self.cannot.push(format!("links or driver options in network {name}"));
            }
            let text = |pointer: &str| endpoint.pointer(pointer).map(plain).unwrap_or_default();
            let mut options = vec![];
            let aliases = endpoint.get("Aliases").and_then(Value::as_array).into_iter().flatten();
            for alias in aliases.filter_map(Value::as_str).filter(|alias| !id.starts_with(alias)) {
                options.push(("alias", alias.to_owned()));
            }
            for (pointer, key) in
                [("/IPAMConfig/IPv4Address", "ip"), ("/IPAMConfig/IPv6Address", "ip6")]
            {
                let address = text(pointer);
                if !address.is_empty() {
                    options.push((key, address));
                }
            }
            if !is_first {
                self.carried.networks.push(Network { name: name.clone(), options });
                continue;
            }
            for (key, value) in options {
                let option = if key == "alias" { "--network-alias" } else { &format!("--{key}") };
                self.option(option, value);
            }
        }
    }
}

/// A word of a `--mount`, which docker reads as CSV.
fn csv(key: &str, value: &str) -> String {
    if value.contains([',', '"', '\n']) {
        format!("\"{key}={}\"", value.replace('"', "\"\""))
    } else {
        format!("{key}={value}")
    }
}
