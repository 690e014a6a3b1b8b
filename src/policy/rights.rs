//! What a container may get of this machine. The same functions judge a `docker create`, a service
//! of a compose file and a container that exists.

use std::net::IpAddr;
use std::path::Path;

use super::allow::Allow;
use super::paths::{Access, Use};
use super::refusal::{Findings, Place, plain, shown};
use super::rule::{self, Rule};
use crate::command::values::ByteSize;

/// A port each costs a process of docker and a place in the firewall.
pub(super) const PORTS_MAX: u64 = 64;

/// Compose makes an object of each before anything can be counted: 131,070 took it 15 s.
pub(super) const PORTS_IN_ALL_MAX: u64 = 2000;

/// It is memory of the host that a container can fill whatever its own limit is.
const TMPFS_MAX: u64 = 1 << 30;

/// What docker gives to every container (`oci/caps/defaults.go` of moby), and three that reach
/// nothing outside of it.
const CAPABILITIES: [&str; 17] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
    "IPC_LOCK",
    "SYS_NICE",
    "SYS_PTRACE",
];

/// `/run:size=64m,mode=755`.
pub(super) fn tmpfs(findings: &mut Findings<'_>, mount: &str, place: &Place) {
    let options = mount.split_once(':').map_or("", |(_, options)| options);
    for size in options.split(',').filter_map(|option| option.strip_prefix("size=")) {
        tmpfs_size(findings, size, place);
    }
}

pub(super) fn tmpfs_size(findings: &mut Findings<'_>, size: &str, place: &Place) {
    if !size.parse::<ByteSize>().is_ok_and(|size| size.bytes() <= TMPFS_MAX) {
        let subject = format!("tmpfs of {}, more than 1 GiB", plain(size));
        findings.refuse(&rule::LIMIT, subject, place);
    }
}

pub(super) fn privileged(findings: &mut Findings<'_>, place: &Place) {
    findings.refuse(&rule::PRIVILEGED, "privileged", place);
}

pub(super) fn capability(findings: &mut Findings<'_>, name: &str, place: &Place) {
    let upper = name.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let any = Allow::Capability("ALL".to_owned());
    if CAPABILITIES.contains(&name) || findings.policy.allows(&any) {
        return;
    }
    let allow = Allow::Capability(plain(name));
    let subject = format!("capability {}", plain(name));
    findings.refuse_unless(&allow, &rule::CAPABILITY, subject, place);
}

/// `network`, `pid`, `ipc`, `uts`, `userns` or `cgroup`, with the value that docker gets.
pub(super) fn namespace(findings: &mut Findings<'_>, kind: &str, value: &str, place: &Place) {
    let subject = format!("{kind} {}", plain(value));
    if value.starts_with("container:") {
        findings.refuse(&rule::OTHER_CONTAINER, subject, place);
        return;
    }
    let (rule, harmless): (_, &[&str]) = match kind {
        // A network of its own has any name; the host's is one of them.
        "network" if value != "host" => return,
        "network" => (&rule::HOST_NETWORK, &[]),
        "pid" => (&rule::HOST_PID, &["", "private"]),
        "ipc" => (&rule::HOST_IPC, &["", "private", "shareable", "none"]),
        "uts" => (&rule::HOST_UTS, &[""]),
        "userns" => (&rule::HOST_USERNS, &["", "private"]),
        _ => (&rule::HOST_CGROUP, &["", "private"]),
    };
    if !harmless.contains(&value) {
        findings.refuse(rule, subject, place);
    }
}

pub(super) fn device(findings: &mut Findings<'_>, device: &str, place: &Place) {
    findings.refuse(&rule::DEVICE, format!("device {}", plain(device)), place);
}

pub(super) fn gpus(findings: &mut Findings<'_>, place: &Place) {
    findings.refuse(&rule::GPUS, "gpus", place);
}

pub(super) fn security_option(findings: &mut Findings<'_>, option: &str, place: &Place) {
    let harmless = [
        "no-new-privileges",
        "no-new-privileges:true",
        "no-new-privileges=true",
        "seccomp=builtin",
        "seccomp:builtin",
    ];
    if !harmless.contains(&option) {
        // The daemon shows a whole profile here, which is too long for a message.
        let subject = format!("security option {}", plain(option));
        findings.refuse(&rule::SECURITY_OPTION, subject, place);
    }
}

pub(super) fn log_driver(findings: &mut Findings<'_>, driver: &str, place: &Place) {
    if !["", "json-file", "local", "journald", "none"].contains(&driver) {
        findings.refuse(&rule::LOG_DRIVER, format!("log driver {}", plain(driver)), place);
    }
}

pub(super) fn log_option(findings: &mut Findings<'_>, option: &str, place: &Place) {
    const LOCAL: [&str; 12] = [
        "max-size",
        "max-file",
        "max-buffer-size",
        "compress",
        "mode",
        "tag",
        "labels",
        "labels-regex",
        "env",
        "env-regex",
        "cache-disabled",
        "cache-max-size",
    ];
    if !LOCAL.contains(&option) {
        // Values may hold tokens.
        findings.refuse(&rule::LOG_OPTION, format!("log option {}", plain(option)), place);
    }
}

/// The parameters that the daemon itself counts to a container.
pub(super) fn sysctl(findings: &mut Findings<'_>, name: &str, place: &Place) {
    let prefixes = ["net.", "kernel.shm", "kernel.msg", "fs.mqueue."];
    // `net/ipv4/…` is the same to the kernel.
    let dotted = name.replace('/', ".");
    if dotted != "kernel.sem" && !prefixes.iter().any(|prefix| dotted.starts_with(prefix)) {
        findings.refuse(&rule::SYSCTL, format!("sysctl {}", plain(name)), place);
    }
}

pub(super) fn driver(findings: &mut Findings<'_>, driver: &str, place: &Place) {
    if !["", "local", "bridge", "null", "none", "default"].contains(&driver) {
        findings.refuse(&rule::DRIVER, format!("driver {}", plain(driver)), place);
    }
}

/// An option of a volume driver, or of a network driver whose name says so. Each is judged alone, for
/// all of them come in one list: a bind of a folder is `type=none`, `o=bind` and `device=FOLDER`, of
/// which only the last one decides.
pub(super) fn driver_option(findings: &mut Findings<'_>, key: &str, value: &str, place: &Place) {
    let is_of_network = key.starts_with("com.docker.network.");
    let rule = if is_of_network { &rule::NETWORK_OPTION } else { &rule::DRIVER_OPTION };
    option_of_driver(findings, rule, key, value, place);
}

/// An option of a network driver.
pub(super) fn network_option(findings: &mut Findings<'_>, key: &str, value: &str, place: &Place) {
    option_of_driver(findings, &rule::NETWORK_OPTION, key, value, place);
}

fn option_of_driver(
    findings: &mut Findings<'_>,
    rule: &'static Rule,
    key: &str,
    value: &str,
    place: &Place,
) {
    let is_harmless = match key {
        "o" => value.split(',').all(is_harmless_mount_option),
        "device" if value.starts_with('/') && !value.starts_with("//") => {
            bind(findings, Path::new(value), false, None, place);
            return;
        }
        "type" | "device" => ["", "none", "tmpfs"].contains(&value),
        "com.docker.network.driver.mtu"
        | "com.docker.network.bridge.enable_icc"
        | "com.docker.network.bridge.enable_ip_masquerade"
        | "com.docker.network.bridge.host_binding_ipv4" => true,
        // Not `bridge.name`: a bridge that exists is taken over, and loses its addresses.
        _ => key.starts_with("com.docker.network.endpoint."),
    };
    if !is_harmless {
        // Values may hold passwords.
        findings.refuse(rule, format!("driver option {}", plain(key)), place);
    }
}

/// The addresses of a network: this machine sends into it whatever goes to one of them.
pub(super) fn subnet(findings: &mut Findings<'_>, subnet: &str, place: &Place) {
    let (address, prefix) = subnet.split_once('/').unwrap_or((subnet, ""));
    let prefix = prefix.parse().unwrap_or(0);
    // Wide enough for the whole range, and no wider.
    let is_private = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => match v4.octets() {
            [10, ..] => prefix >= 8,
            [172, 16..=31, ..] => prefix >= 12,
            [192, 168, ..] => prefix >= 16,
            // For carriers, and free on most machines.
            [100, 64..=127, ..] => prefix >= 10,
            _ => false,
        },
        Ok(IpAddr::V6(v6)) => {
            (v6.is_unique_local() && prefix >= 8) || (v6.is_unicast_link_local() && prefix >= 10)
        }
        Err(_) => false,
    };
    if !is_private {
        findings.refuse(&rule::SUBNET, format!("subnet {}", plain(subnet)), place);
    }
}

fn is_harmless_mount_option(option: &str) -> bool {
    let words = ["", "bind", "rbind", "ro", "rw", "noexec", "nosuid", "nodev", "noatime"];
    let sizes = ["size=", "mode=", "uid=", "gid=", "nr_inodes="];
    words.contains(&option) || sizes.iter().any(|size| option.starts_with(size))
}

/// A folder or file of this machine in a container.
pub(super) fn bind(
    findings: &mut Findings<'_>,
    source: &Path,
    read_only: bool,
    target: Option<&str>,
    place: &Place,
) {
    let located = findings.paths.locate(source);
    let access = Access::mount(read_only);
    if let Err(mut violation) = findings.policy.judge(&located, source, access) {
        let target = target.map(|target| format!(" -> {}", plain(target))).unwrap_or_default();
        violation.subject = format!("bind mount {}{target}", violation.subject);
        findings.push(violation.at(place));
    }
}

/// A file or folder of this machine that the docker client reads or writes.
pub(super) fn file(
    findings: &mut Findings<'_>,
    path: &Path,
    read_only: bool,
    what: &str,
    place: &Place,
) {
    let located = findings.paths.locate(path);
    let access = Access { by: Use::File, read_only };
    if let Err(mut violation) = findings.policy.judge(&located, path, access) {
        violation.subject = format!("{what} {}", violation.subject);
        findings.push(violation.at(place));
    }
}

pub(super) fn ports(findings: &mut Findings<'_>, count: u64, place: &Place) {
    if count > PORTS_MAX {
        let subject = format!("{count} published ports, more than {PORTS_MAX}");
        findings.refuse(&rule::LIMIT, subject, place);
    }
}

/// How many ports a text of compose is: `127.0.0.1:8080-8090:80-90/udp` are eleven.
pub(super) fn width_of_ports(text: &str) -> u64 {
    let range = |part: &str| {
        let (first, last) = part.split('/').next()?.split_once('-')?;
        let (first, last) = (first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?);
        Some(last.saturating_sub(first).saturating_add(1))
    };
    text.split(':').filter_map(range).max().unwrap_or(1)
}

/// A label of docker's or compose's own would join a project, or hide in one.
pub(super) fn label(findings: &mut Findings<'_>, key: &str, place: &Place) {
    let reserved = ["com.docker.", "io.docker.", "org.dockerproject."];
    if reserved.iter().any(|prefix| key.to_ascii_lowercase().starts_with(prefix)) {
        findings.refuse(&rule::LABEL, format!("label {}", shown(key)), place);
    }
}
