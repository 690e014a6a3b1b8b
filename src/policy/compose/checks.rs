//! Values of a model whose key alone does not decide.

use std::path::Path;

use serde_json::Value;

use super::Shape::{Pairs, Scalar, Words};
use super::{Vetting, word, words};
use crate::command::values::{ContainerName, VolumeName};
use crate::policy::refusal::{Findings, Place, plain, shown};
use crate::policy::{rights, rule};

pub(super) const REPLICAS_MAX: u64 = 20;
const STOP_GRACE_MAX_SECONDS: f64 = 600.0;

/// Runs `judge` on each word, with its place.
fn each(
    vetting: &mut Vetting<'_>,
    value: &Value,
    place: &Place,
    judge: impl Fn(&mut Vetting<'_>, &str, &Place),
) {
    Words.walk(vetting, value, place);
    for (i, text) in words(value).iter().enumerate() {
        let at = if value.is_array() { place.index(i) } else { place.clone() };
        judge(vetting, text, &at);
    }
}

pub(super) fn capabilities(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, name, at| {
        rights::capability(&mut vetting.findings, name, at);
    });
}

pub(super) fn security_options(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, option, at| {
        rights::security_option(&mut vetting.findings, option, at);
    });
}

pub(super) fn devices(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    let Some(devices) = value.as_array() else { return vetting.unexpected(value, place) };
    for (i, device) in devices.iter().enumerate() {
        let source = word(device).or_else(|| device.get("source").and_then(word));
        rights::device(&mut vetting.findings, &source.unwrap_or_default(), &place.index(i));
    }
}

pub(super) fn cgroup(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    namespace(vetting, "cgroup", value, place);
}

pub(super) fn ipc(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    namespace(vetting, "ipc", value, place);
}

pub(super) fn pid(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    namespace(vetting, "pid", value, place);
}

pub(super) fn userns(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    namespace(vetting, "userns", value, place);
}

pub(super) fn uts(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    namespace(vetting, "uts", value, place);
}

pub(super) fn network_mode(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    namespace(vetting, "network", value, place);
    each(vetting, value, place, |vetting, mode, at| {
        let name = mode.strip_prefix("service:").or(mode.strip_prefix("container:"));
        name_like(vetting, "network", name.unwrap_or(mode), at);
    });
}

fn namespace(vetting: &mut Vetting<'_>, kind: &str, value: &Value, place: &Place) {
    Scalar.walk(vetting, value, place);
    for mode in words(value) {
        match mode.strip_prefix("service:") {
            Some(service) if ["network", "pid", "ipc"].contains(&kind) => {
                vetting.service_is_defined(service, place);
            }
            _ => rights::namespace(&mut vetting.findings, kind, &mode, place),
        }
    }
}

pub(super) fn volumes_from(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, from, at| {
        if from.starts_with("container:") {
            let subject = format!("volumes from {}", plain(from));
            vetting.findings.refuse(&rule::VOLUMES_FROM, subject, at);
        } else {
            let service = from.split(':').next().unwrap_or_default();
            vetting.service_is_defined(service, at);
        }
    });
}

pub(super) fn container_name(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, name, at| {
        if name.parse::<ContainerName>().is_err() {
            let subject = format!("container name {}", shown(name));
            vetting.findings.refuse(&rule::NAME, subject, at);
        }
    });
}

/// The name of a volume or network.
pub(super) fn object_name(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, name, at| {
        if name.parse::<VolumeName>().is_err() {
            vetting.findings.refuse(&rule::NAME, format!("name {}", shown(name)), at);
        }
    });
}

pub(super) fn hostname(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, name, at| name_like(vetting, "hostname", name, at));
}

pub(super) fn external_links(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, link, at| {
        for name in link.split(':') {
            name_like(vetting, "external link", name, at);
        }
    });
}

/// Docker joins names into URL paths, so none may hold a slash.
fn name_like(vetting: &mut Vetting<'_>, what: &str, name: &str, place: &Place) {
    let is_of_names = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if !is_name || name.len() > 253 || !name.chars().all(is_of_names) {
        vetting.findings.refuse(&rule::NAME, format!("{what} {}", shown(name)), place);
    }
}

/// What is no reference at all is docker's to explain (`busybox:` when a variable is unset); what
/// would be another object's URL path is refused.
pub(super) fn image(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, image, at| {
        let is_odd = |part: &str| part == ".." || part == "." || part.starts_with('-');
        let is_text = |c: char| !c.is_control() && !c.is_whitespace();
        if image.split('/').any(is_odd) || !image.chars().all(is_text) {
            vetting.findings.refuse(&rule::NAME, format!("image {}", shown(image)), at);
        }
    });
}

pub(super) fn isolation(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, isolation, at| {
        if !["", "default"].contains(&isolation) {
            let subject = format!("isolation {}", plain(isolation));
            vetting.findings.refuse(&rule::RUNTIME, subject, at);
        }
    });
}

pub(super) fn runtime(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, runtime, at| {
        if !["", "runc"].contains(&runtime) {
            let subject = format!("runtime {}", plain(runtime));
            vetting.findings.refuse(&rule::RUNTIME, subject, at);
        }
    });
}

pub(super) fn log_driver(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, driver, at| {
        rights::log_driver(&mut vetting.findings, driver, at);
    });
}

pub(super) fn log_options(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Pairs.walk(vetting, value, place);
    let Some(options) = value.as_object() else { return };
    for key in options.keys() {
        rights::log_option(&mut vetting.findings, key, &place.key(key));
    }
}

pub(super) fn sysctls(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Pairs.walk(vetting, value, place);
    for (key, _) in value.as_object().into_iter().flatten() {
        rights::sysctl(&mut vetting.findings, key, &place.key(key));
    }
    for text in words(value) {
        let key = text.split('=').next().unwrap_or_default();
        rights::sysctl(&mut vetting.findings, key, place);
    }
}

pub(super) fn driver(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, driver, at| {
        // `network host` under a name of the project.
        if driver == "host" {
            vetting.findings.refuse(&rule::HOST_NETWORK, "driver host", at);
        } else {
            rights::driver(&mut vetting.findings, driver, at);
        }
    });
}

pub(super) fn volume_options(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    driver_options(vetting, value, place, rights::driver_option);
}

pub(super) fn network_options(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    driver_options(vetting, value, place, rights::network_option);
}

fn driver_options(
    vetting: &mut Vetting<'_>,
    value: &Value,
    place: &Place,
    judge: fn(&mut Findings<'_>, &str, &str, &Place),
) {
    let Some(options) = value.as_object() else { return vetting.unexpected(value, place) };
    for (key, value) in options {
        let at = place.key(key);
        Scalar.walk(vetting, value, &at);
        let value = word(value).unwrap_or_default();
        judge(&mut vetting.findings, key, &value, &at);
    }
}

pub(super) fn oom_score(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, score, at| {
        if score.parse::<u32>().is_err() {
            let subject = format!("oom_score_adj {}", plain(score));
            vetting.findings.refuse(&rule::PRIORITY, subject, at);
        }
    });
}

pub(super) fn pids_limit(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, limit, at| {
        if !limit.parse::<u64>().is_ok_and(|limit| limit > 0) {
            let subject = format!("pids_limit {}, which is no limit", plain(limit));
            vetting.findings.refuse(&rule::LIMIT, subject, at);
        }
    });
}

/// `scale` and `deploy.replicas`.
pub(super) fn replicas(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, count, at| {
        if !count.parse::<u64>().is_ok_and(|count| count <= REPLICAS_MAX) {
            let subject = format!("{} replicas, more than {REPLICAS_MAX}", plain(count));
            vetting.findings.refuse(&rule::LIMIT, subject, at);
        }
    });
}

pub(super) fn stop_grace_period(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, period, at| {
        if !seconds(period).is_some_and(|seconds| seconds <= STOP_GRACE_MAX_SECONDS) {
            let subject = format!("stop_grace_period {}, more than 10m", plain(period));
            vetting.findings.refuse(&rule::LIMIT, subject, at);
        }
    });
}

/// A duration as Go prints it: `1m30s`, `500ms`.
fn seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(end)?;
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit)?;
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "us" | "µs" => 0.000_001,
            "ns" => 0.000_000_001,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    (!text.is_empty()).then_some(sum)
}

/// `/run:size=64m,mode=755`.
pub(super) fn tmpfs(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, mount, at| {
        rights::tmpfs(&mut vetting.findings, mount, at);
    });
}

pub(super) fn tmpfs_size(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, size, at| {
        rights::tmpfs_size(&mut vetting.findings, size, at);
    });
}

pub(super) fn number_of_ports(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    let ports = value.as_array().map_or(&[][..], Vec::as_slice);
    let count: u64 = ports.iter().map(width).fold(0, u64::saturating_add);
    rights::ports(&mut vetting.findings, count, place);
}

/// How many ports an entry is: `8080-8090` are eleven.
fn width(port: &Value) -> u64 {
    let published = port.get("published").and_then(word).unwrap_or_default();
    let Some((first, last)) = published.split_once('-') else { return 1 };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => last.saturating_sub(first).saturating_add(1),
        _ => u64::MAX,
    }
}

pub(super) fn propagation(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    each(vetting, value, place, |vetting, propagation, at| {
        if !["", "private", "rprivate"].contains(&propagation) {
            let subject = format!("propagation {}", plain(propagation));
            vetting.findings.refuse(&rule::PROPAGATION, subject, at);
        }
    });
}

/// An entry of `volumes` as a whole.
pub(super) fn mount(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    if !value.is_object() {
        return;
    }
    let field = |name| value.get(name).and_then(word).unwrap_or_default();
    let (source, target) = (field("source"), field("target"));
    match &*field("type") {
        "bind" => {
            let read_only = field("read_only") == "true";
            let source = Path::new(&*source);
            rights::bind(&mut vetting.findings, source, read_only, Some(&target), place);
        }
        // An anonymous one.
        "volume" if source.is_empty() => {}
        "volume" if vetting.defines("volumes", &source) => {}
        "volume" => {
            let subject = format!("volume {}", plain(&source));
            vetting.findings.refuse(&rule::UNDEFINED, subject, place);
        }
        "tmpfs" | "image" => {}
        other => {
            let subject = format!("mount of type {}", plain(other));
            vetting.findings.refuse(&rule::MOUNT_TYPE, subject, place);
        }
    }
}

pub(super) fn watched_path(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    let Some(path) = word(value) else { return vetting.unexpected(value, place) };
    rights::file(&mut vetting.findings, Path::new(&*path), true, "watched path", place);
}

pub(super) fn networks_are_defined(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    for name in value.as_object().into_iter().flat_map(|networks| networks.keys()) {
        if !vetting.defines("networks", name) {
            let subject = format!("network {}", plain(name));
            vetting.findings.refuse(&rule::UNDEFINED, subject, &place.key(name));
        }
    }
}

pub(super) fn secret_is_defined(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    source_is_defined(vetting, "secrets", value, place);
}

pub(super) fn config_is_defined(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    source_is_defined(vetting, "configs", value, place);
}

fn source_is_defined(vetting: &mut Vetting<'_>, section: &str, value: &Value, place: &Place) {
    let source = value.get("source").and_then(word).unwrap_or_default();
    if !vetting.defines(section, &source) {
        let subject = format!("{} {}", section.trim_end_matches('s'), plain(&source));
        vetting.findings.refuse(&rule::UNDEFINED, subject, place);
    }
}

impl Vetting<'_> {
    fn service_is_defined(&mut self, name: &str, place: &Place) {
        if !self.defines("services", name) {
            let subject = format!("service {}", plain(name));
            self.findings.refuse(&rule::UNDEFINED, subject, place);
        }
    }
}
