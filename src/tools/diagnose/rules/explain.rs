//! A closer look at what a program complained of: whose file it was, which variable, which user.

use std::path::Path;

use super::View;
use crate::tools::diagnose::facts::Subject;
use crate::tools::diagnose::finding::{Cause, Site, call, on};
use crate::tools::diagnose::place::files_in;
use crate::tools::diagnose::standing::Kind;

fn line(subject: &Subject, at: usize) -> &str {
    subject.log.get(at).map(|line| line.text.as_str()).unwrap_or_default()
}

pub(super) fn exec_format(view: &View<'_>, _: usize) -> Option<Cause> {
    let (own, host) = (&view.subject.architecture, &view.facts.architecture);
    let image = view.subject.container.config.image.as_str();
    let inspect = call("inspect-image", &[("image", image)]);
    Some(
        match (own, host) {
            (Some(own), Some(host)) if own != host => Cause::new(
                "exec-format",
                format!("its image is made for {own}, docker's machine is {host}"),
                format!("pull or build the image with platform linux/{host}"),
            )
            .evidence(format!("image: {own}, docker: {host}")),
            _ => Cause::new(
                "exec-format",
                "its program is made for another processor, or is a script without a `#!` line",
                "build the program for this platform, or give the script a first line `#!/bin/sh`",
            ),
        }
        .next(inspect),
    )
}

/// `exec /app/run.sh: no such file or directory` of a file that docker did find, so what it is to
/// be run with is missing; and `sh: /run.sh: not found`, which also says that.
pub(super) fn interpreter(view: &View<'_>, at: usize) -> Option<Cause> {
    let said = line(view.subject, at);
    let lower = said.to_lowercase();
    if lower.starts_with("exec ") && lower.ends_with("no such file or directory") {
        return Some(Cause::new(
            "script-line-ends",
            "its script is there, but the interpreter in the script's first line is not: Windows line ends (CRLF), or a shell that the image lacks",
            "save the script with LF line ends, or name an interpreter that the image has (`#!/bin/sh`)",
        ).evidence(format!("command: {}", view.subject.command())));
    }
    if lower.starts_with("env: ") && lower.contains("no such file")
        || lower.contains("env: can't execute")
    {
        return Some(Cause::new(
            "script-line-ends",
            "the interpreter in its script's first line is not in the image, or the line ends in CRLF",
            "save the script with LF line ends, or install the interpreter",
        ));
    }
    let missing = lower.strip_suffix(": command not found").or(lower.strip_suffix(": not found"))?;
    let by_shell = ["sh:", "/bin/sh:", "ash:", "bash:", "/bin/bash:", "env:"];
    let by_shell =
        by_shell.iter().any(|shell| lower.starts_with(shell)) || lower.contains(": line ");
    if view.standing.kind == Kind::Running || !(by_shell || view.subject.exit_code() == Some(127)) {
        return None;
    }
    let program = missing.rsplit(": ").next().unwrap_or_default();
    if program.contains(' ') || program.is_empty() {
        return None;
    }
    if !program.is_ascii() {
        // A shell that reads a program as if it were a script.
        return exec_format(view, at);
    }
    let cause = if program.starts_with('/') {
        Cause::new(
            "command-not-found",
            format!(
                "{program} cannot be run: it does not exist, or is a script with Windows line ends (CRLF)"
            ),
            "correct the path, or save the script with LF line ends",
        )
    } else {
        Cause::new(
            "command-not-found",
            format!("it calls {program}, which the image does not have"),
            format!("install {program} in the image, or correct its name"),
        )
    };
    Some(cause.at([Site::Word(program.to_owned())]))
}

pub(super) fn read_only(view: &View<'_>, at: usize) -> Option<Cause> {
    let container = &view.subject.container;
    let said = line(view.subject, at);
    let mount = container
        .mounts
        .iter()
        .filter(|mount| !mount.writable && said.contains(mount.destination.as_str()))
        .max_by_key(|mount| mount.destination.len());
    let (why, fix) = match mount {
        Some(mount) => (
            format!("it writes to {}, which is mounted read-only", mount.destination),
            "mount it without :ro, or let the program write elsewhere".to_owned(),
        ),
        None if container.host_config.readonly_rootfs => (
            "it writes to its own file system, which is read-only (read_only: true)".to_owned(),
            "give it a tmpfs or a volume where it writes, or leave read_only out".to_owned(),
        ),
        None => (
            "it writes where the file system is read-only".to_owned(),
            "give it a volume or tmpfs there".to_owned(),
        ),
    };
    let site = mount.map(|mount| Site::Mount(mount.destination.clone()));
    let cause = Cause::new("read-only", why, fix).at(site);
    Some(cause.next(on("inspect-container", view.subject.name())))
}

/// On docker's disk, or in a tmpfs of its own.
pub(super) fn no_space(view: &View<'_>, at: usize) -> Option<Cause> {
    let container = &view.subject.container;
    let said = line(view.subject, at);
    let own = container.host_config.tmpfs.keys().map(String::as_str);
    let mounts = container.mounts.iter().filter(|mount| mount.kind == "tmpfs");
    let all = own.chain(mounts.map(|mount| mount.destination.as_str()));
    let tmpfs = all.filter(|path| said.contains(path)).max_by_key(|path| path.len());
    Some(match tmpfs {
        Some(path) => Cause::new(
            "disk-full",
            format!("its tmpfs {path} is full"),
            "enlarge it (size=…), or let it write to a volume",
        )
        .at([Site::Mount(path.to_owned())]),
        None => Cause::new(
            "disk-full",
            "there is no space left where it writes",
            "free space on docker's disk (unused images, containers, build cache), or enlarge the tmpfs or quota it writes to",
        ),
    })
}

pub(super) fn permission(view: &View<'_>, at: usize) -> Option<Cause> {
    let container = &view.subject.container;
    let said = line(view.subject, at);
    let user = match container.config.user.as_str() {
        "" => "root".to_owned(),
        user => format!("user {user}"),
    };
    let mount = container
        .mounts
        .iter()
        .filter(|mount| said.contains(mount.destination.as_str()) && mount.destination != "/")
        .max_by_key(|mount| mount.destination.len());
    Some(match mount {
        Some(mount) => {
            let what = match mount.kind.as_str() {
                "volume" => format!("volume {}", mount.name),
                _ => format!("the host's {}", mount.source),
            };
            Cause::new(
                "volume-permission",
                format!("{user} may not use {what} at {}: it belongs to another user", mount.destination),
                "give the folder to that user (chown, once, as root), or run as the user that owns it",
            )
            .evidence(format!("user: {user}; {} is {what}", mount.destination))
            .at([Site::Key("user"), Site::Mount(mount.destination.clone())])
        }
        None => Cause::new(
            "permission",
            format!("{user} may not do what it tries"),
            "give the file in the image to that user (COPY --chown), or run as another one",
        )
        .evidence(format!("user: {user}")),
    })
}

pub(super) fn folder_for_file(view: &View<'_>, at: usize) -> Option<Cause> {
    let said = line(view.subject, at);
    let cause = match view.subject.empty_folders.first() {
        Some((source, target)) => Cause::new(
            "mount-kind",
            format!("{target} is a folder, not a file: {source} did not exist on the host, so docker made an empty folder of that name"),
            format!("remove the folder {source}, put the file there, and recreate the container"),
        )
        .evidence(format!("{source} is an empty folder"))
        .at([Site::Mount(source.clone())]),
        None if said.is_empty() => return None,
        None => Cause::new(
            "folder-for-file",
            "it reads a folder where it expects a file",
            "see whether a mount put a folder there: docker makes one where the source does not exist",
        ),
    };
    Some(cause.next(on("inspect-container", view.subject.name())))
}

pub(super) fn variable(view: &View<'_>, at: usize) -> Option<Cause> {
    let said = line(view.subject, at);
    let following = view.subject.log.iter().skip(at).take(4);
    let name = following.into_iter().find_map(|line| variable_in(&line.text));
    let lower = said.to_lowercase();
    let known = lower.contains("superuser password is not specified")
        || lower.contains("password option is not specified")
        || lower.contains("password option") && lower.contains("specif");
    let name = match name {
        Some(name) => name,
        None if lower.contains("superuser password") => "POSTGRES_PASSWORD",
        None if known => "MYSQL_ROOT_PASSWORD",
        None => return None,
    };
    let variables = &view.subject.container.config.env;
    let value = variables.iter().find_map(|entry| {
        let (key, value) = entry.split_once('=')?;
        (key == name).then_some(value)
    });
    let state = match value {
        None => "the container does not have it",
        Some("") => "it is set, but empty",
        Some(_) => "it has a value, which the program does not accept",
    };
    Some(
        Cause::new(
            "variable-missing",
            format!("it needs the environment variable {name}: {state}"),
            format!(
                "set {name} (environment of the service, or the .env file beside the compose file)"
            ),
        )
        .evidence(format!("{name}: {state}"))
        .at([
            Site::Variable(name.to_owned()),
            Site::Key("environment"),
            Site::Key("env_file"),
        ]),
    )
}

/// Words in capitals that are no variables.
const LEVELS: &[&str] = &[
    "FATAL", "ERROR", "WARN", "INFO", "WARNING", "DEBUG", "NOTE", "NOTICE", "ERR", "CRITICAL",
    "EOF", "PANIC", "LOG", "HINT", "DETAIL", "HTTP", "URL", "API", "JSON", "TLS", "SSL",
];

fn variable_in(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.find(|word| {
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        word.len() >= 3
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(is_name)
            && !LEVELS.contains(word)
    })
}

pub(super) fn module(view: &View<'_>, _: usize) -> Option<Cause> {
    let container = &view.subject.container;
    let folder = container.config.working_dir.as_str();
    let hides = container.mounts.iter().find(|mount| {
        mount.kind == "bind" && folder.len() > 1 && folder.starts_with(mount.destination.as_str())
    });
    let cause = Cause::new(
        "module-missing",
        "a module or library that it needs is not there",
        "install it in the image (and build again)",
    );
    Some(match hides {
        Some(mount) => Cause {
            fix: format!(
                "{} of the host is mounted over {} and hides what the image has there (node_modules, vendor): mount a volume over that folder, or install on the host",
                mount.source, mount.destination
            ),
            sites: vec![Site::Mount(mount.destination.clone())],
            ..cause
        },
        None => cause,
    })
}

/// A certificate whose time is over: its own, in a file that it names, or that of another service.
pub(super) fn certificate(view: &View<'_>, at: usize) -> Option<Cause> {
    let cause = Cause::new(
        "certificate-expired",
        "a certificate has expired (or is not valid yet)",
        "replace the certificate by one that is valid now, and start what uses it again",
    );
    Some(with_files(cause, view, at, &["crt", "pem", "cer", "cert", "p12", "jks"]))
}

pub(super) fn license(view: &View<'_>, at: usize) -> Option<Cause> {
    let cause = Cause::new(
        "license-expired",
        "its licence has expired, or is not accepted",
        "put a valid licence there, and start it again",
    );
    let cause = with_files(cause, view, at, &["lic", "license", "licence", "key"]);
    Some(cause.at([Site::VariableLike(&["LICENSE", "LICENCE", "LICENSE_KEY", "LICENCE_KEY"])]))
}

/// The file that the line names, or the mounted one that looks like it.
fn with_files(cause: Cause, view: &View<'_>, at: usize, extensions: &[&str]) -> Cause {
    let container = &view.subject.container;
    let lines = view.subject.log.iter().skip(at.saturating_sub(2)).take(3);
    let named: Vec<Site> = lines
        .flat_map(|line| files_in(line, container))
        .map(|(path, line)| Site::File(path, line))
        .collect();
    let is_like = |path: &str| {
        Path::new(path)
            .extension()
            .and_then(|it| it.to_str())
            .is_some_and(|it| extensions.contains(&it))
    };
    let mounts = container.mounts.iter().map(|mount| mount.destination.clone());
    let mounted = mounts.filter(|path| is_like(path)).map(|path| Site::File(path, None));
    cause.at(named).at(mounted)
}
