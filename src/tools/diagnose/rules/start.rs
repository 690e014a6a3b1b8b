//! Docker could not start it, and said why.

use serde_json::json;

use super::View;
use crate::command::Program;
use crate::command::diagnose::diagnose;
use crate::error::Code;
use crate::tools::diagnose::finding::{Cause, Site, call, deploy, on};
use crate::tools::ports;

/// The host port that a start failed for.
pub(in crate::tools::diagnose) fn wanted_port(error: &str) -> Option<u16> {
    let error = diagnose(Program::Docker, "container start", Some(1), "", error);
    let port = error.context.iter().find(|(key, _)| *key == "port");
    port.and_then(|(_, port)| port.parse().ok()).filter(|_| error.code == Code::PortInUse)
}

pub(super) fn port(view: &View<'_>) -> Option<Cause> {
    let error = view.subject.start_error()?;
    let port = wanted_port(error)?;
    let name = view.subject.name();
    let protocol = if error.contains("udp") { "udp" } else { "tcp" };
    let holder = ports::holder(&view.facts.rows, port, protocol).filter(|row| row.name != name);
    let programs = view.facts.programs.iter().find(|(held, _)| *held == port);
    let programs = programs.map(|(_, programs)| programs.as_slice()).unwrap_or_default();
    let free = view.facts.free_ports.iter().find(|(taken, _)| *taken == port);
    let free = free.and_then(|(_, free)| *free);
    let project = view.subject.project();
    let fix = ports::advice(port, free, holder, programs, project);
    let cause = |who: String| {
        let cause =
            Cause::new("port-taken", format!("port {port} of the host is held by {who}"), fix)
                .evidence(format!("docker: {}", plain(error)));
        let cause = match deploy(view.facts, view.subject).or_else(|| elsewhere(view, port, free?))
        {
            Some(call) => cause.next(call),
            None => cause,
        };
        cause.at([Site::Port(port)])
    };
    Some(
        match (holder, programs) {
            (Some(row), _) => {
                let cause = cause(ports::described(row)).evidence(format!(
                    "{} publishes {}",
                    row.name,
                    row.ports.join(", ")
                ));
                let is_of_the_same = project.is_some() && row.project.as_deref() == project;
                if is_of_the_same { cause.next(on("stop-container", &row.name)) } else { cause }
            }
            (None, []) => cause("a program outside of docker".to_owned())
                .evidence(format!("no running container publishes {port}")),
            (None, programs) => {
                cause(format!("a program outside of docker: {}", programs.join(", ")))
                    .evidence(format!("on this machine {} listens on {port}", programs.join(", ")))
            }
        }
        .next(on("start-container", name)),
    )
}

/// The same container with another port: `recreate-container {"container_name":"web","ports":…}`.
fn elsewhere(view: &View<'_>, taken: u16, free: u16) -> Option<String> {
    let bindings = &view.subject.container.host_config.port_bindings;
    let (port, binding) =
        bindings.iter().find_map(|(port, bindings)| match bindings.as_deref() {
            Some([binding]) if binding.host_port == taken.to_string() => Some((port, binding)),
            _ => None,
        })?;
    let host = match binding.host_ip.as_str() {
        "" => free.to_string(),
        address if address.contains(':') => format!("[{address}]:{free}"),
        address => format!("{address}:{free}"),
    };
    let arguments = json!({"container_name": view.subject.name(), "ports": {port: host}});
    Some(format!("recreate-container {arguments}"))
}

pub(super) fn mount(view: &View<'_>) -> Option<Cause> {
    let error = view.subject.start_error().unwrap_or_default();
    let lower = error.to_lowercase();
    let name = view.subject.name();
    if let Some(source) = view.subject.missing_sources.first()
        && (error.is_empty() || lower.contains("source path") || lower.contains("no such file"))
    {
        return Some(
            Cause::new(
                "mount-source-missing",
                format!("what it mounts does not exist on the host: {source}"),
                "make the file or folder, or correct the path of the mount",
            )
            .evidence(format!("there is no {source} on this machine"))
            .at([Site::Mount(source.clone())])
            .next(on("start-container", name)),
        );
    }
    if lower.contains("source path does not exist") || lower.contains("mount source path") {
        return Some(
            Cause::new(
                "mount-source-missing",
                "what it mounts does not exist on the host",
                "make the file or folder, or correct the path of the mount",
            )
            .evidence(format!("docker: {}", plain(error)))
            .next(on("inspect-container", name)),
        );
    }
    let mismatch = lower.contains("not a directory") && lower.contains("mount")
        || lower.contains("trying to mount a directory onto a file");
    let pair = mismatch.then(|| between(error, "error mounting \"", "\" to rootfs at \""));
    let known = view.subject.empty_folders.first();
    let mounted = || view.subject.container.mounts.iter().any(|it| error.contains(&it.destination));
    let folder_read = lower.contains("is a directory") && (known.is_some() || mounted());
    (mismatch || folder_read).then(|| {
        let pair = pair.flatten();
        let mount = known.map(|(source, _)| source.as_str()).or(pair.map(|(source, _)| source));
        let mounts = view.subject.container.mounts.iter();
        let said = mounts.filter(|it| error.contains(&it.destination)).map(|it| it.source.as_str());
        let mount = mount.or(said.max_by_key(|it| it.len())).map(str::to_owned);
        let what = match (pair, known) {
            (_, Some((source, target))) => format!("{source} is a folder, {target} a file"),
            (Some((source, target)), None) => {
                format!("{source} and {target} are not of the same kind")
            }
            (None, None) => "one side is a file, the other a folder".to_owned(),
        };
        Cause::new(
            "mount-kind",
            format!("a mount puts a folder over a file, or a file over a folder: {what}"),
            "docker makes an empty folder where the source does not exist: remove it, put the file there, and mount file on file",
        )
        .evidence(format!("docker: {}", plain(error)))
        .at(mount.map(Site::Mount))
        .next(on("inspect-container", name))
    })
}

/// The two paths of `error mounting "/a" to rootfs at "/b": …`.
fn between<'a>(text: &'a str, before: &str, between: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = text.split_once(before)?;
    let (first, rest) = rest.split_once(between)?;
    let (second, _) = rest.split_once('"')?;
    Some((first, second))
}

/// What to look for in docker's words, and what it means.
struct Known {
    id: &'static str,
    all: &'static [&'static str],
    why: &'static str,
    fix: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        id: "exec-format",
        all: &["exec format error"],
        why: "its program is made for another processor, or is a script without `#!` line",
        fix: "pull or build the image for this platform (platform: linux/amd64 or linux/arm64), or give the script a first line `#!/bin/sh`",
    },
    Known {
        id: "command-not-found",
        all: &["executable file not found"],
        why: "its command does not exist in the image",
        fix: "correct the command or the entrypoint (words in a list, one each), or use an image that has the program",
    },
    Known {
        id: "command-not-found",
        all: &["exec:", "no such file or directory"],
        why: "its command does not exist in the image",
        fix: "correct the path of the command; a mount over its folder hides it, and a script with Windows line ends (CRLF) is not found either",
    },
    Known {
        id: "not-executable",
        all: &["exec:", "permission denied"],
        why: "its command may not be executed",
        fix: "chmod +x the file in the image (or on the host, when it is mounted), or run it through `sh`",
    },
    Known {
        id: "not-executable",
        all: &["exec:", "is a directory"],
        why: "its command is a folder",
        fix: "correct the command or the entrypoint",
    },
    Known {
        id: "user-unknown",
        all: &["unable to find user"],
        why: "the user that it shall run as does not exist in the image",
        fix: "use a user of the image, or a number (1000:1000)",
    },
    Known {
        id: "user-unknown",
        all: &["unable to find group"],
        why: "the group that it shall run as does not exist in the image",
        fix: "use a group of the image, or a number",
    },
    Known {
        id: "working-folder",
        all: &["chdir to cwd"],
        why: "its working folder cannot be entered",
        fix: "correct working_dir, or the rights of that folder",
    },
];

/// Its command cannot be run.
pub(super) fn program(view: &View<'_>) -> Option<Cause> {
    let error = view.subject.start_error()?;
    let lower = error.to_lowercase();
    let known = KNOWN.iter().find(|known| known.all.iter().all(|words| lower.contains(words)))?;
    let mut cause = Cause::new(known.id, known.why, known.fix)
        .evidence(format!("docker: {}", plain(error)))
        .evidence(format!("command: {}", view.subject.command()));
    let program = &view.subject.container.path;
    if program.starts_with('/') && matches!(known.id, "not-executable" | "exec-format") {
        cause = cause.at([
            Site::File(program.clone(), None),
            Site::Key("command"),
            Site::Key("entrypoint"),
        ]);
    }
    if let (Some(own), Some(host)) = (&view.subject.architecture, &view.facts.architecture)
        && known.id == "exec-format"
    {
        cause = cause.evidence(format!("image: {own}, docker: {host}"));
    }
    let image = view.subject.container.config.image.as_str();
    Some(cause.next(call("inspect-image", &[("image", image)])))
}

/// Anything else that docker said, with the reason that its words have elsewhere.
pub(super) fn other(view: &View<'_>) -> Option<Cause> {
    let error = view.subject.start_error()?;
    let lower = error.to_lowercase();
    let name = view.subject.name();
    let told = diagnose(Program::Docker, "container start", Some(1), "", error);
    let network = lower.contains("network") && lower.contains("not found");
    let (id, why, fix) = match told.code {
        _ if network => (
            "network-gone",
            "one of its networks was removed".to_owned(),
            "create it again: compose makes a new one with its containers, others are recreated by hand",
        ),
        Code::NoSpace => (
            "disk-full",
            "the disk of docker's machine is full".to_owned(),
            "free space: unused images and containers first",
        ),
        _ if lower.contains("too many open files") || lower.contains("resource temporarily") => (
            "limits",
            "a limit of its processes or files is too low to start it".to_owned(),
            "raise ulimits or pids_limit",
        ),
        _ if lower.contains("could not select device driver") => (
            "device-missing",
            "it asks for a device (GPU) for which docker has no driver here".to_owned(),
            "install the device's container toolkit, or leave the device out",
        ),
        _ if lower.contains("cannot assign requested address") => (
            "address-unknown",
            "it publishes a port on an address that this host does not have".to_owned(),
            "publish on 127.0.0.1 or without an address",
        ),
        Code::ImageNotFound => {
            ("image-gone", "its image is not here any more".to_owned(), "pull the image again")
        }
        _ => ("start-failed", "docker could not start it".to_owned(), "see docker's words"),
    };
    let cause = Cause::new(id, why, fix).evidence(format!("docker: {}", plain(error)));
    let next = if id == "network-gone" { deploy(view.facts, view.subject) } else { None };
    Some(cause.next(next.unwrap_or_else(|| on("inspect-container", name))))
}

/// Without the names of the layers that passed the message on.
pub(super) fn plain(error: &str) -> String {
    let layers = [
        "failed to create task for container: ",
        "failed to create shim task: ",
        "OCI runtime create failed: ",
        "runc create failed: ",
        "unable to start container process: ",
        "driver failed programming external connectivity on endpoint ",
        "failed to set up container networking: ",
    ];
    let mut rest = error;
    for layer in layers {
        rest = rest.strip_prefix(layer).unwrap_or(rest);
    }
    rest.trim_end_matches(": unknown").to_owned()
}
