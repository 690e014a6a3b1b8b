//! Docker's whole document of a container, beside that of its image.

use serde_json::{Map, Value};

/// Nothing is replaced without its whole document: a field that we do not know is a setting too.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) container: Value,
    /// Null when it is gone: then all settings are the container's own.
    pub(super) image: Value,
}

impl Document {
    pub(super) fn at(&self, pointer: &str) -> Option<&Value> {
        self.container.pointer(pointer)
    }

    /// What the image says to the same.
    pub(super) fn of_image(&self, pointer: &str) -> Option<&Value> {
        pointer.starts_with("/Config/").then(|| self.image.pointer(pointer)).flatten()
    }

    /// A setting that is not empty and not the image's: that one comes from the image again, which
    /// may be a newer one.
    pub(super) fn own(&self, pointer: &str) -> Option<&Value> {
        let value = self.at(pointer).filter(|value| !is_empty(value))?;
        (self.of_image(pointer) != Some(value)).then_some(value)
    }

    /// What of the old one's settings the new one does not have, unless it was named anew.
    pub(super) fn lost(&self, new: &Self, named: &[String]) -> Vec<String> {
        let mut lost = vec![];
        let same_image = self.at("/Image") == new.at("/Image");
        for (part, ignored) in [("HostConfig", HOST_IGNORED), ("Config", CONFIG_IGNORED)] {
            if part == "Config" && !same_image {
                continue;
            }
            let empty = Map::new();
            let members = |document: &Self| {
                document
                    .at(&format!("/{part}"))
                    .and_then(Value::as_object)
                    .unwrap_or(&empty)
                    .clone()
            };
            let (old, new) = (members(self), members(new));
            let replaced = |field: &str| {
                let by = |(parameter, fields): &&(&str, &[&str])| {
                    fields.contains(&field) && named.iter().any(|name| name == parameter)
                };
                REPLACED.iter().any(|entry| by(&entry))
            };
            for (field, value) in &old {
                let other = new.get(field).unwrap_or(&Value::Null);
                if !ignored.contains(&field.as_str())
                    && !replaced(field)
                    && normal(field, value) != normal(field, other)
                {
                    lost.push(format!("{part}.{field}"));
                }
            }
        }
        lost.extend(self.lost_mounts(new, named));
        lost
    }

    /// By what is mounted where; how it was asked for may differ.
    fn lost_mounts(&self, new: &Self, named: &[String]) -> Vec<String> {
        let mounts = |document: &Self| -> Vec<String> {
            let mounts = document.at("/Mounts").and_then(Value::as_array).cloned();
            let text = |mount: &Value, key: &str| {
                mount.get(key).map(ToString::to_string).unwrap_or_default()
            };
            mounts
                .unwrap_or_default()
                .iter()
                .map(|mount| {
                    ["Destination", "Type", "Name", "Source", "RW"]
                        .map(|key| text(mount, key))
                        .join(" ")
                })
                .collect()
        };
        if named.iter().any(|name| name == "volumes" || name == "tmpfs") {
            return vec![];
        }
        let there = mounts(new);
        mounts(self)
            .into_iter()
            .filter(|mount| !there.contains(mount))
            .map(|mount| format!("mount {mount}"))
            .collect()
    }
}

/// Fields that a parameter replaces.
const REPLACED: &[(&str, &[&str])] = &[
    ("memory", &["Memory", "MemorySwap"]),
    ("cpus", &["NanoCpus", "CpuPeriod", "CpuQuota"]),
    (
        "resources",
        &[
            "Memory",
            "MemorySwap",
            "MemoryReservation",
            "NanoCpus",
            "CpuPeriod",
            "CpuQuota",
            "CpuShares",
        ],
    ),
    ("ports", &["PortBindings", "PublishAllPorts", "ExposedPorts"]),
    ("restart", &["RestartPolicy"]),
    ("network", &["NetworkMode"]),
    ("networks", &["NetworkMode"]),
    ("command", &["Cmd"]),
    ("entrypoint", &["Entrypoint", "Cmd"]),
    ("environment", &["Env"]),
    ("env_file", &["Env"]),
    ("user", &["User"]),
    ("working_dir", &["WorkingDir"]),
    ("hostname", &["Hostname"]),
    ("labels", &["Labels"]),
    ("healthcheck", &["Healthcheck"]),
    ("extra_hosts", &["ExtraHosts"]),
    ("init", &["Init"]),
    ("read_only", &["ReadonlyRootfs"]),
    ("tmpfs", &["Tmpfs"]),
    ("shm_size", &["ShmSize"]),
    ("pids_limit", &["PidsLimit"]),
    ("ulimits", &["Ulimits"]),
    ("cap_add", &["CapAdd"]),
    ("cap_drop", &["CapDrop"]),
    ("security_opt", &["SecurityOpt", "MaskedPaths", "ReadonlyPaths"]),
    ("privileged", &["Privileged", "SecurityOpt", "MaskedPaths", "ReadonlyPaths"]),
    ("gpus", &["DeviceRequests"]),
    ("devices", &["Devices"]),
    ("dns", &["Dns"]),
    ("log_driver", &["LogConfig"]),
    ("log_options", &["LogConfig"]),
    ("stop_signal", &["StopSignal"]),
    ("stop_timeout_seconds", &["StopTimeout"]),
];

/// How it was asked for, and what is of this moment.
const HOST_IGNORED: &[&str] = &["ContainerIDFile", "ConsoleSize", "Binds", "Mounts"];
/// The default host name is the ID; who was attached at the start is no setting; anonymous volumes
/// are mounts by their names now.
const CONFIG_IGNORED: &[&str] = &[
    "Hostname",
    "Image",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "StdinOnce",
    "Volumes",
    "OnBuild",
];

/// In a form in which equal settings are equal.
fn normal(field: &str, value: &Value) -> Value {
    match (field, value) {
        (_, value) if is_empty(value) => Value::Null,
        ("NetworkMode", Value::String(mode)) if mode == "bridge" => Value::from("default"),
        ("PidsLimit", Value::Number(limit)) if limit.as_i64() < Some(0) => Value::Null,
        ("Labels", Value::Object(labels)) => {
            let mut labels = labels.clone();
            labels.shift_remove(crate::command::labels::REQUEST);
            if labels.is_empty() { Value::Null } else { Value::Object(labels) }
        }
        (_, Value::Array(items)) => {
            let mut items: Vec<String> = items.iter().map(ToString::to_string).collect();
            items.sort();
            // Docker adds one to those of a privileged container, which may be there already.
            items.dedup();
            Value::from(items)
        }
        (_, value) => value.clone(),
    }
}

/// Go writes what was not given as zero, empty or null.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(container: Value) -> Document {
        Document { container, image: json!({"Config": {"User": "app", "Cmd": ["serve"]}}) }
    }

    #[test]
    fn what_the_image_says_is_not_the_containers_own() {
        let old = document(json!({"Config": {"User": "app", "Cmd": ["other"], "Tty": false}}));
        assert_eq!(old.own("/Config/User"), None);
        assert_eq!(old.own("/Config/Cmd"), Some(&json!(["other"])));
        assert_eq!(old.own("/Config/Tty"), None);
    }

    #[test]
    fn a_setting_that_is_lost_is_found_also_one_that_nobody_knows() {
        let old = document(json!({
            "HostConfig": {"Memory": 64, "Future": {"X": 1}, "CapAdd": ["B", "A"], "NetworkMode": "bridge"},
            "Mounts": [{"Type": "volume", "Name": "0a", "Destination": "/data", "RW": true}]
        }));
        let same = document(json!({
            "HostConfig": {"Memory": 64, "Future": {"X": 1}, "CapAdd": ["A", "B"], "NetworkMode": "default"},
            "Mounts": [{"Type": "volume", "Name": "0a", "Destination": "/data", "RW": true}]
        }));
        assert_eq!(old.lost(&same, &[]), Vec::<String>::new());
        let other =
            document(json!({"HostConfig": {"Memory": 32, "CapAdd": ["A", "B"]}, "Mounts": []}));
        let lost = old.lost(&other, &["memory".to_owned()]);
        assert_eq!(lost.len(), 3, "{lost:?}");
        assert!(lost.contains(&"HostConfig.Future".to_owned()), "{lost:?}");
    }
}
