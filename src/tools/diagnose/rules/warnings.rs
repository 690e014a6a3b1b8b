//! What is not well although it runs, or will not be.

use super::{View, log};
use crate::command::images::{full_name, image_of};
use crate::command::text::short_id;
use crate::tools::diagnose::finding::{Cause, deploy, logs, on};
use crate::tools::diagnose::standing::Kind;

/// Everything to warn of; the most telling first.
pub(in crate::tools::diagnose) fn warnings(view: &View<'_>) -> Vec<Cause> {
    let rules: [fn(&View<'_>) -> Option<Cause>; 7] =
        [memory, complaint, folder, image, definition, covered, file];
    rules.iter().filter_map(|rule| rule(view)).collect()
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
    let cause = Cause::new("drift", why, "deploy again").evidence(why);
    Some(match deploy(view.facts, view.subject) {
        Some(call) => cause.next(call),
        None => cause,
    })
}

/// A file that it mounts was written since it started.
fn file(view: &View<'_>) -> Option<Cause> {
    let why = view.subject.changed_files.first()?.trim_end_matches(": restart");
    let cause = Cause::new("file-changed", why, "restart it: many programs read a file once");
    Some(cause.evidence(why).next(on("restart-container", view.subject.name())))
}

/// A volume hides what its newer image has.
fn covered(view: &View<'_>) -> Option<Cause> {
    let (why, fix) = view.subject.covering_volumes.first()?.split_once("; ")?;
    Some(
        Cause::new("volume-covers", why, fix)
            .evidence(why)
            .next(on("inspect-container", view.subject.name())),
    )
}
