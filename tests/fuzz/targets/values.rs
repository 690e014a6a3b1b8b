//! Whatever is sent as a value: what is accepted is one line and no option, and names are no paths.
#![no_main]

use std::fmt::Display;
use std::path::Path;

use docker_mcp_server::command::values::*;
use docker_mcp_server_fuzz as fuzz;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde::de::DeserializeOwned;
use serde_json::Value;

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "web", "a", "Z9", "0", "1", "-", "--", "_", ".", "..", "/", ":", "@", ",", "=", "+", "[", "]", "::1",
    "127.0.0.1", "10.0.0.0/8", "80", "8080", "65536", "/tcp", "/udp", "tcp", "udp", "sha256:", "latest",
    "localhost", "docker.io/", "container:", "service:", "host", "none", "bridge", "linux", "amd64",
    "SIG", "KILL", "CAP_", "ALL", "SYS_ADMIN", "root", "1000", "no", "always", "on-failure", "unless-stopped",
    "type", "bind", "volume", "tmpfs", "source", "target", "readonly", "read_only", "ro", "rw", "z", "mode",
    "size", "nofile", "soft", "hard", "/data", "./src", "~/x", "C:\\", "\\", "\"", "'", " ", "\t", "\n",
    "\r", "\0", "\u{1b}[0m", "\u{202e}", "\u{200b}", "ü", "1h", "30s", "ms", "m", "k", "g", "GiB", "1.5",
    "2026-01-01T00:00:00Z", "seccomp=", "apparmor=", "unconfined", "no-new-privileges", "/dev/fuse", "rwm",
    "device=", "vendor.com/class=gpu", "all", "host-gateway", "com.docker.", "PATH", "LD_PRELOAD", "$", "{}",
];

fuzz_target!(|bytes: &[u8]| -> Corpus { try_all(bytes).map_or(Corpus::Reject, |()| Corpus::Keep) });

fn try_all(bytes: &[u8]) -> Result<()> {
    let mut bytes = Unstructured::new(bytes);
    let sent = fuzz::json(&mut bytes, WORDS)?;
    names(&sent);
    texts(&sent);
    collections(&sent);
    measures(&sent);
    Ok(())
}

fn read<T: DeserializeOwned>(sent: &Value) -> Option<T> {
    T::deserialize(sent).ok()
}

macro_rules! each {
    ($check:ident, $sent:expr, $($name:ty),+ $(,)?) => {
        $( if let Some(value) = read::<$name>($sent) { $check(&value.to_string()); } )+
    };
}

fn names(sent: &Value) {
    each!(
        name,
        sent,
        ContainerRef,
        ContainerName,
        VolumeName,
        NetworkName,
        ProjectName,
        ServiceName,
        StageName,
        HostName,
        EnvName,
        OptionName,
        LogDriver,
        Profile,
        NetworkAlias,
        NetworkDriver,
        NetworkMode,
        Signal,
        Capability,
        UserSpec,
    );
}

fn name(name: &str) {
    word(name);
    assert!(!name.contains('/') && name != ".." && name != ".", "{name:?} is a path");
}

fn texts(sent: &Value) {
    each!(
        word,
        sent,
        ImageRef,
        Platform,
        ContainerPath,
        LabelKey,
        SecurityOption,
        DeviceSpec,
        GpuRequest,
        Subnet,
        RestartPolicy,
    );
    each!(line, sent, HostPath, Place, FilterValue);
}

/// What may stand alone among operands.
fn word(text: &str) {
    line(text);
    assert!(!text.is_empty() && !text.starts_with('-'), "{text:?} is an option");
}

fn line(text: impl Display) {
    let text = text.to_string();
    assert!(!text.contains(['\0', '\n', '\r']), "{text:?} is not one line");
}

fn collections(sent: &Value) {
    for (key, value) in read::<Environment>(sent).iter().flat_map(Entries::iter) {
        name(key.as_str());
        assert!(!key.as_str().contains('=') && !value.contains('\0'));
    }
    for (key, value) in read::<Labels>(sent).iter().flat_map(Entries::iter) {
        word(key.as_str());
        assert!(!key.as_str().contains('=') && !value.contains('\0'));
    }
    for (key, value) in read::<DriverOptions>(sent).iter().flat_map(Entries::iter) {
        word(key.as_str());
        line(value);
        assert!(!key.as_str().contains('='));
    }
    read::<Ulimits>(sent).iter().flat_map(Ulimits::arguments).for_each(|it| word(&it));
    read::<ExtraHosts>(sent).iter().flat_map(ExtraHosts::arguments).for_each(|it| word(&it));
    read::<Tmpfs>(sent).iter().flat_map(Tmpfs::arguments).for_each(|it| {
        word(&it);
        assert!(it.starts_with('/'), "{it:?}");
    });
    for port in read::<Ports>(sent).iter().flat_map(Ports::arguments) {
        word(&port);
        let is_ours = |b: u8| b.is_ascii_hexdigit() || b"[]:./-tcpuds".contains(&b);
        assert!(port.bytes().all(is_ours), "{port:?}");
    }
    for word in read::<CommandLine>(sent).iter().flat_map(CommandLine::words) {
        assert!(!word.contains('\0'), "{word:?}");
    }
    let mounts = read::<Mounts>(sent).unwrap_or_default();
    for mount in mounts.mounts() {
        if let Ok(argument) = mount.mount_argument(Some(Path::new("/srv/shop/data"))) {
            only_our_keys(&argument);
        }
    }
}

/// The last of two keys would win.
fn only_our_keys(argument: &str) {
    const KEYS: [&str; 6] = ["type", "source", "target", "readonly", "volume-nocopy", "tmpfs-size"];
    line(argument);
    assert!(!argument.contains('"'), "{argument:?}");
    let keys = argument.split(',').map(|field| field.split('=').next().unwrap_or_default());
    let mut keys: Vec<&str> = keys.collect();
    assert!(keys.iter().all(|key| KEYS.contains(key)), "{argument:?}");
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "{argument:?}");
}

fn measures(sent: &Value) {
    read::<Memory>(sent).into_iter().for_each(line);
    read::<ByteSize>(sent).into_iter().for_each(line);
    read::<Cpus>(sent).into_iter().for_each(line);
    read::<TimePoint>(sent).into_iter().for_each(|it| word(&it.argument()));
    read::<DockerDuration>(sent).into_iter().for_each(|it| word(&it.argument()));
    let bounded = read::<Bounded<3, 9>>(sent).map(Bounded::get);
    assert!(bounded.is_none_or(|it| (3..=9).contains(&it)), "{bounded:?}");
}
