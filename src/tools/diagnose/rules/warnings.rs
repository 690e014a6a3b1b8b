//! What is not well although it runs, or will not be.

use super::{View, log, sited};
use crate::command::images::{full_name, image_of};
use crate::command::text::short_id;
use crate::tools::diagnose::finding::{Cause, Site, deploy, logs, on, redeploy};
use crate::tools::diagnose::standing::Kind;

/// Everything to warn of; the most telling first.
pub(in crate::tools::diagnose) fn warnings(view: &View<'_>) -> Vec<Cause> {
    let rules: [fn(&View<'_>) -> Option<Cause>; 10] =
        [memory, complaints, unheard, complaint, folder, sources, image, definition, covered, file];
    let found: Vec<Cause> = rules.iter().filter_map(|rule| rule(view)).map(sited).collect();
    // What makes it fail comes first.
    let (first, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|cause| cause.fails);
    first.into_iter().chain(rest).collect()
}

fn runs(view: &View<'_>) -> bool {
    view.standing.kind == Kind::Running
}

/// One of its processes was killed, and it goes on.
fn memory(view: &View<'_>) -> Option<Cause> {
    let killed = runs(view) && view.subject.out_of_memory;
    killed.then(|| {
        let limit = view.subject.memory_limit();
        let limit = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        Cause::new(
            "out-of-memory",
            format!("the kernel has killed a process in it at its memory limit{limit}"),
            "raise the limit, or make it need less",
        )
        .evidence("OOMKilled: true")
        .at([Site::Key("mem_limit"), Site::Key("deploy.resources.limits.memory")])
        .next(logs(view.subject.name()))
    })
}

/// Complaints that a program goes on running with.
const LASTING: &[&str] = &[
    "dependency-down",
    "dependency-not-ready",
    "dependency-refuses",
    "other-network",
    "default-network",
    "name-unknown",
    "name-resolution",
    "refused-by-itself",
    "authentication",
    "disk-full",
    "limits",
    "volume-permission",
];

/// Its last words are a known complaint, and no health check says that all is well.
fn complaint(view: &View<'_>) -> Option<Cause> {
    let unchecked = runs(view) && view.subject.container.health().is_none();
    let cause = if unchecked { log::signature(view) } else { None };
    cause.filter(|cause| LASTING.contains(&cause.id))
}

/// Its log is mostly errors.
fn complaints(view: &View<'_>) -> Option<Cause> {
    if runs(view) { log::mostly_errors(view) } else { None }
}

/// A published port that leads to nobody.
fn unheard(view: &View<'_>) -> Option<Cause> {
    let (inner, host) = view.subject.unheard().first().copied().filter(|_| runs(view))?;
    let listening = view.subject.listening.iter().flatten();
    let is_local = listening.into_iter().any(|it| it.port == inner && it.is_local);
    let open = view.subject.open_ports();
    let name = view.subject.name();
    let cause = if is_local {
        Cause::new(
            "listens-on-loopback",
            format!("port {host} of the host leads to its port {inner}, on which it listens on 127.0.0.1 alone: nobody outside of the container reaches it"),
            format!("let it listen on 0.0.0.0:{inner}"),
        )
        .at([
            Site::Word(format!("127.0.0.1:{inner}")),
            Site::Word("127.0.0.1".to_owned()),
            Site::Word("localhost".to_owned()),
            Site::Key("command"),
            Site::Key("entrypoint"),
            Site::Instruction("CMD"),
        ])
    } else {
        let all: Vec<String> = open.iter().map(ToString::to_string).collect();
        let listens = if all.is_empty() { "no port".to_owned() } else { all.join(", ") };
        let fix = match open.as_slice() {
            [only] => format!(
                "publish port {only} of it (\"{host}:{only}\"), or let it listen on {inner}"
            ),
            _ => {
                format!("let its program listen on {inner}, or publish the port that it listens on")
            }
        };
        Cause::new(
            "port-not-listened",
            format!("port {host} of the host leads to its port {inner}, where nobody listens; it listens on {listens}"),
            fix,
        )
        .at([Site::Target(inner)])
    };
    Some(cause.fails().evidence(format!("published {host}->{inner}/tcp")).next(logs(name)))
}

fn folder(view: &View<'_>) -> Option<Cause> {
    let (source, target) = view.subject.empty_folders.first().filter(|_| runs(view))?;
    Some(
        Cause::new(
            "mount-kind",
            format!("{target} is an empty folder: docker makes one when the mounted {source} does not exist"),
            format!("if {target} should be a file: remove the folder {source}, put the file there, recreate"),
        )
        .evidence(format!("{source} is an empty folder"))
        .next(on("inspect-container", view.subject.name())),
    )
}

/// Its image is older than what it is built from.
fn sources(view: &View<'_>) -> Option<Cause> {
    let (subject, outlook) = (view.subject, view.facts.outlook.as_ref().filter(|_| runs(view))?);
    let told = outlook.outdated.get(subject.service()?)?;
    let why = told.split_once(": deploy").map_or(told.as_str(), |(why, _)| why);
    let cause = Cause::new(
        "sources-newer",
        format!("its image was not built since its sources changed: {why}"),
        "build it again and deploy (build: true)",
    );
    let cause = match subject.covering_volumes.first() {
        // Then a build alone shows nothing of it.
        Some(covers) => {
            let name = covers.split(' ').nth(1).map(|name| Site::Mount(name.to_owned()));
            let (why, fix) = covers.split_once("; ").unwrap_or((covers, ""));
            let fix = format!("{fix}; and build it again and deploy (build: true)");
            Cause { fix, ..cause }.evidence(why).at(name)
        }
        None => cause,
    };
    Some(cause.next(redeploy(subject.project()?, true)))
}

/// It runs another image than its tag means now.
fn image(view: &View<'_>) -> Option<Cause> {
    let container = &view.subject.container;
    let name = container.config.image.as_str();
    let is_id = name.starts_with("sha256:") || name.contains("@sha256:");
    if !runs(view) || is_id || view.facts.images.is_empty() {
        return None;
    }
    let tag = full_name(name);
    let named = view.facts.images.iter().find(|image| image.tags.contains(&tag));
    let own = short_id(&container.image);
    let cause = match named {
        Some(current) if current.id == container.image => return None,
        Some(current) => Cause::new(
            "stale-image",
            format!("it runs an older image than {name} is now"),
            "recreate it to run the new image",
        )
        .evidence(format!("it runs {own}; {name} is {} now", short_id(&current.id))),
        // The name can be the beginning of an ID.
        None if image_of(&view.facts.images, name).is_some() => return None,
        None => Cause::new(
            "stale-image",
            format!("{name} no longer stands for an image here; it goes on with the old one"),
            "build or pull the image, and recreate it",
        )
        .evidence(format!("it runs {own}")),
    };
    let next = deploy(view.facts, view.subject)
        .unwrap_or_else(|| on("inspect-container", view.subject.name()));
    Some(cause.next(next))
}

/// Its definition has changed since it was deployed.
fn definition(view: &View<'_>) -> Option<Cause> {
    let drift = view.facts.outlook.as_ref()?.drift.get(&view.subject.container.id)?;
    let why = drift.trim_end_matches(": deploy again");
    let cause = Cause::new("drift", why, "deploy again");
    Some(match deploy(view.facts, view.subject) {
        Some(call) => cause.next(call),
        None => cause,
    })
}

/// A file that it mounts was written since it started.
fn file(view: &View<'_>) -> Option<Cause> {
    let why = view.subject.changed_files.first()?.trim_end_matches(": restart");
    let cause = Cause::new("file-changed", why, "restart it: many programs read a file once");
    Some(cause.next(on("restart-container", view.subject.name())))
}

/// A volume hides what its newer image has.
fn covered(view: &View<'_>) -> Option<Cause> {
    let (why, fix) = view.subject.covering_volumes.first()?.split_once("; ")?;
    Some(
        Cause::new("volume-covers", why, fix)
            .at(why.split(' ').nth(1).map(|name| Site::Mount(name.to_owned())))
            .next(on("inspect-container", view.subject.name())),
    )
}
