//! The last gate before docker runs: the effect, the options of the final command line, and the
//! hazards that its builder has recorded.
//!
//! Options are judged where they stand, so that a forgotten hazard opens nothing; hazards say what
//! a command line does not show (where a link leads, what an existing volume is).

use std::path::{Path, PathBuf};

use super::located::Paths;
use super::refusal::{Findings, Place, Refusal, plain};
use super::{Disk, Policy, fields, rights, rule};
use crate::command::{Effect, Hazard, Invocation, Program};

impl Policy {
    /// Whether calls of this effect can work at all. `what` names the tool or the command.
    ///
    /// # Errors
    /// `level.read_only`.
    pub fn effect(&self, what: &str, effect: Effect) -> Result<(), Refusal> {
        let mut findings = Findings::new(self, &Disk);
        if !self.permits(effect) {
            let why = match effect {
                Effect::Destroy => "it may end programs or lose data",
                _ => "it changes something",
            };
            findings.refuse(&rule::READ_ONLY, format!("{what}: {why}"), &Place::default());
        }
        findings.finish()
    }

    /// Decides on one command line.
    ///
    /// # Errors
    /// Every rule that it breaks.
    pub fn check(&self, invocation: &Invocation, paths: &dyn Paths) -> Result<(), Refusal> {
        self.effect(invocation.verb(), invocation.effect())?;
        if self.has_no_rules() {
            return Ok(());
        }
        let mut findings = Findings::new(self, paths);
        let words = invocation.argv();
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        let (options, operands) = words.split_at(end);
        let mut mounted = vec![];
        for option in options {
            judge_option(&mut findings, invocation, option, &mut mounted);
        }
        let is_published = |word: &&String| word.starts_with("--publish=");
        let published = options.iter().filter(is_published).count();
        rights::ports(&mut findings, published as u64, &Place::at("--publish"));
        judge_operands(&mut findings, invocation, operands.get(1..).unwrap_or_default());
        for hazard in invocation.hazards() {
            // A folder of the host that is an existing volume: judged as that volume's device.
            if let Hazard::DriverOption { key, value } = hazard
                && key == "device"
            {
                mounted.push(PathBuf::from(value));
            }
        }
        for hazard in invocation.hazards() {
            judge_hazard(&mut findings, hazard, &mounted);
        }
        findings.finish()
    }
}

/// `--name=value` or `--name`. What is mounted is noted in `mounted`.
fn judge_option(
    findings: &mut Findings<'_>,
    invocation: &Invocation,
    option: &str,
    mounted: &mut Vec<PathBuf>,
) {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let place = Place::at(name);
    let is_build = invocation.verb() == "build";
    match name {
        "--privileged" if value != "false" => rights::privileged(findings, &place),
        "--cap-add" => rights::capability(findings, value, &place),
        "--device" | "--device-cgroup-rule" => rights::device(findings, value, &place),
        "--gpus" => rights::gpus(findings, &place),
        "--security-opt" => rights::security_option(findings, value, &place),
        "--log-driver" => rights::log_driver(findings, value, &place),
        "--network" | "--net" if is_build && value == "host" => {
            findings.refuse(&rule::BUILD_HOST, "network host", &place);
        }
        "--network" | "--net" => rights::namespace(findings, "network", value, &place),
        "--pid" => rights::namespace(findings, "pid", value, &place),
        "--ipc" => rights::namespace(findings, "ipc", value, &place),
        "--uts" => rights::namespace(findings, "uts", value, &place),
        "--userns" => rights::namespace(findings, "userns", value, &place),
        "--cgroupns" => rights::namespace(findings, "cgroup", value, &place),
        "--cgroup-parent" => {
            findings.refuse(&rule::HOST_CGROUP, format!("cgroup parent {}", plain(value)), &place);
        }
        "--volumes-from" => {
            findings.refuse(&rule::VOLUMES_FROM, format!("volumes from {}", plain(value)), &place);
        }
        "--runtime" if value != "runc" => {
            findings.refuse(&rule::RUNTIME, format!("runtime {}", plain(value)), &place);
        }
        "--annotation" => findings.refuse(&rule::RUNTIME, "an annotation", &place),
        "--sysctl" => {
            let (key, _) = value.split_once('=').unwrap_or((value, ""));
            rights::sysctl(findings, key, &place);
        }
        "--use-api-socket" => findings.refuse(&rule::API_SOCKET, "use-api-socket", &place),
        "--storage-opt" => findings.refuse(&rule::STORAGE, "a storage option", &place),
        "--oom-kill-disable" | "--cpu-rt-period" | "--cpu-rt-runtime" => {
            findings.refuse(&rule::PRIORITY, name, &place);
        }
        "--oom-score-adj" if value.starts_with('-') => {
            findings.refuse(&rule::PRIORITY, name, &place);
        }
        "--log-opt" => {
            let (key, _) = value.split_once('=').unwrap_or((value, ""));
            rights::log_option(findings, key, &place);
        }
        "--subnet" => rights::subnet(findings, value, &place),
        "--driver" | "--volume-driver" => rights::driver(findings, value, &place),
        "--opt" => {
            let (key, value) = value.split_once('=').unwrap_or((value, ""));
            rights::driver_option(findings, key, value, &place);
        }
        "--tmpfs" => rights::tmpfs(findings, value, &place),
        "--mount" => judge_mount(findings, value, mounted, &place),
        "--volume" | "-v" => judge_volume(findings, value, mounted, &place),
        "--ssh" | "--allow" if is_build => {
            findings.refuse(&rule::BUILD_HOST, name.trim_start_matches('-'), &place);
        }
        // No tool has them, and they can name any folder.
        "--output" | "--cache-to" | "--cache-from" if is_build => {
            findings.refuse(&rule::BUILD_OUTPUT, name.trim_start_matches('-'), &place);
        }
        _ => {}
    }
}

/// The fields of `--mount`, which our builder writes without quotes.
fn judge_mount(
    findings: &mut Findings<'_>,
    value: &str,
    mounted: &mut Vec<PathBuf>,
    place: &Place,
) {
    let Some(fields) = fields::read(value) else {
        findings.refuse(&rule::UNRECORDED, "a mount that can be read in several ways", place);
        return;
    };
    let (mut kind, mut source, mut target, mut read_only) = ("volume", None, None, false);
    for (key, value) in fields {
        match key.as_str() {
            "type" => kind = value,
            "source" | "src" if source.is_none() => source = Some(value),
            "target" | "destination" | "dst" if target.is_none() => target = Some(value),
            "source" | "src" | "target" | "destination" | "dst" => {
                return findings.refuse(&rule::UNRECORDED, "a mount with two places", place);
            }
            "readonly" | "ro" => read_only = ["", "true", "1"].contains(&value),
            "bind-propagation" if !["private", "rprivate"].contains(&value) => {
                findings.refuse(&rule::PROPAGATION, format!("propagation {}", plain(value)), place);
            }
            "tmpfs-size" => rights::tmpfs_size(findings, value, place),
            "volume-driver" => rights::driver(findings, value, place),
            "volume-opt" => {
                let (key, value) = value.split_once('=').unwrap_or((value, ""));
                rights::driver_option(findings, key, value, place);
            }
            _ => {}
        }
    }
    match (kind.to_ascii_lowercase().as_str(), source) {
        ("bind", Some(source)) => {
            mounted.push(PathBuf::from(source));
            rights::bind(findings, Path::new(source), read_only, target, place);
        }
        ("volume" | "tmpfs" | "image", _) => {}
        (other, _) => {
            findings.refuse(&rule::MOUNT_TYPE, format!("mount type {}", plain(other)), place);
        }
    }
}

/// `SOURCE:TARGET:OPTIONS`, as a container that is made anew has it from the daemon. Its fields
/// shift with every colon, so only what can be read in one way passes.
fn judge_volume(
    findings: &mut Findings<'_>,
    value: &str,
    mounted: &mut Vec<PathBuf>,
    place: &Place,
) {
    const HARMLESS: [&str; 10] =
        ["", "ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "private", "rprivate"];
    let fields: Vec<&str> = value.split(':').collect();
    let (source, target, options) = match fields[..] {
        [target] if target.starts_with('/') => return,
        [source, target] if target.starts_with('/') => (source, target, ""),
        [source, target, options] if target.starts_with('/') => (source, target, options),
        _ => return findings.refuse(&rule::UNRECORDED, "volume", place),
    };
    if let Some(other) = options.split(',').find(|option| !HARMLESS.contains(option)) {
        findings.refuse(&rule::PROPAGATION, format!("option {}", plain(other)), place);
    }
    if source.starts_with('/') {
        mounted.push(PathBuf::from(source));
        let read_only = options.split(',').any(|option| option == "ro");
        rights::bind(findings, Path::new(source), read_only, Some(target), place);
    } else if source.contains('/') {
        findings.refuse(&rule::UNRECORDED, "volume", place);
    }
}

fn judge_operands(findings: &mut Findings<'_>, invocation: &Invocation, operands: &[String]) {
    let place = Place::default();
    match invocation.verb() {
        "push" => {
            let what = operands.first().map_or("the images of the project", String::as_str);
            findings.refuse(&rule::PUSH, format!("push of {}", plain(what)), &place);
        }
        "build" if invocation.program() != Program::Compose => {
            for context in operands.iter().filter(|context| is_remote(context)) {
                let subject = format!("build context {}", without_password(context));
                findings.refuse(&rule::REMOTE_BUILD, subject, &place);
            }
        }
        _ => {}
    }
}

/// Whatever is not a path from `/` and not standard input may be fetched.
pub(super) fn is_remote(context: &str) -> bool {
    !context.starts_with('/') && context != "-"
}

/// A URL without what stands before its `@`.
pub(super) fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.split_once('@')) {
        (Some((scheme, rest)), _) => match rest.split_once('@') {
            Some((_, host)) => plain(&format!("{scheme}://{host}")),
            None => plain(url),
        },
        (None, Some((_, host))) => plain(host),
        _ => plain(url),
    }
}

fn judge_hazard(findings: &mut Findings<'_>, hazard: &Hazard, mounted: &[PathBuf]) {
    match hazard {
        // Judged with its target already.
        Hazard::HostPath { path, .. } if mounted.contains(path) => {}
        Hazard::HostPath { path, read_only } => {
            rights::file(findings, path, *read_only, "path", &Place::default());
        }
        Hazard::Privileged => rights::privileged(findings, &Place::at("--privileged")),
        Hazard::HostNamespace { kind: "network", value } if value != "host" => {
            // A network that exists under another name, but is the host's own.
            if value.starts_with("container:") {
                rights::namespace(findings, "network", value, &Place::at("--network"));
            } else {
                let subject = format!("network {}", plain(value));
                findings.refuse(&rule::HOST_NETWORK, subject, &Place::at("--network"));
            }
        }
        Hazard::HostNamespace { kind, value } => {
            let option = if *kind == "cgroup" { "cgroupns" } else { kind };
            rights::namespace(findings, kind, value, &Place::at(format!("--{option}")));
        }
        Hazard::Device(device) => rights::device(findings, device, &Place::at("--device")),
        Hazard::Gpus(_) => rights::gpus(findings, &Place::at("--gpus")),
        Hazard::Capability(name) => rights::capability(findings, name, &Place::at("--cap-add")),
        Hazard::SecurityOption(option) => {
            rights::security_option(findings, option, &Place::at("--security-opt"));
        }
        Hazard::LogDriver(driver) => {
            rights::log_driver(findings, driver, &Place::at("--log-driver"));
        }
        // Warned about, not denied: docker's own default is every address.
        Hazard::PublicPort(_) => {}
        Hazard::DriverOption { key, value } => {
            rights::driver_option(findings, key, value, &Place::at("--opt"));
        }
        Hazard::Driver(driver) => rights::driver(findings, driver, &Place::at("--driver")),
    }
}
