//! What an exit code says, and who ended a container.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::View;
use crate::command::containers::exit_meaning;
use crate::command::text::human_memory;
use crate::tools::diagnose::facts::Subject;
use crate::tools::diagnose::finding::{Cause, Site, call, logs, on, start};

/// Lines of a failed program that are shown when nothing in them is known.
const LAST_WORDS: usize = 4;

pub(super) fn paused(view: &View<'_>) -> Option<Cause> {
    let name = view.subject.name();
    let cause = Cause::new(
        "paused",
        "it was paused: its processes stand still and answer nothing",
        "unpause it",
    );
    Some(cause.evidence("State.Status: paused").next(on("unpause-container", name)))
}

pub(super) fn stopped(view: &View<'_>) -> Option<Cause> {
    let state = &view.subject.container.state;
    let never = view.subject.status() == "created";
    let (name, project) = (view.subject.name(), view.subject.project());
    let outlook = view.facts.outlook.as_ref().filter(|_| never);
    if let (Some(outlook), Some(service)) = (outlook, view.subject.service())
        && let Some(missing) = outlook.missing.get(service)
    {
        return Some(
            Cause::new(
                "variable-unset",
                format!("compose has nothing to put into it: {missing}"),
                "give the variable in `environment` of deploy-compose, or in .env: started by hand it would run without it",
            )
            .evidence(format!("{}: {missing}", outlook.files))
            .at(secret(missing))
            .next(start(name, project, never))
            .vague(),
        );
    }
    let (id, why) = if never {
        ("not-started", "nobody has started it")
    } else {
        ("stopped", "it was ended from outside, which is no failure")
    };
    let cause = Cause::new(id, why, "start it if it is needed");
    let cause = match exit_meaning(state.exit_code, false) {
        Some(meaning) if !never => {
            cause.evidence(format!("exit code {}: {meaning}", state.exit_code))
        }
        _ => cause,
    };
    let cause = match &view.subject.told {
        Some(told) => cause.evidence(format!("docker events: {told} just before it ended")),
        None => cause,
    };
    Some(cause.next(start(name, project, never)))
}

/// Where a secret or config is defined that has no content: `secret token of web is the variable …`.
pub(in crate::tools::diagnose) fn secret(missing: &str) -> Option<Site> {
    let mut words = missing.split(' ');
    let (kind, name) = (words.next()?, words.next()?);
    let path = [&format!("{kind}s"), name, "environment"];
    Some(Site::Top(path.map(str::to_owned).to_vec()))
}

/// The kernel killed it, or a process inside of it.
pub(super) fn out_of_memory(view: &View<'_>) -> Option<Cause> {
    let limit = view.subject.memory_limit();
    let last_words_of_the_kernel = view.subject.exit_code() == Some(137)
        && view
            .subject
            .log
            .iter()
            .rev()
            .take(3)
            .any(|line| line.has(&["out of memory", "cannot allocate memory"]));
    if !view.subject.out_of_memory && !last_words_of_the_kernel {
        return None;
    }
    let name = view.subject.name();
    let victim = if view.subject.exit_code() == Some(137) { "it" } else { "a process in it" };
    let reached = match &limit {
        Some(limit) => format!("its memory limit of {limit}"),
        None => "all memory of the host (it has no limit of its own)".to_owned(),
    };
    let fix = match &limit {
        Some(_) => "raise its memory limit, or make it need less",
        None => "give it and its neighbours memory limits, or the host more memory",
    };
    let more = more_memory(view);
    let cause = Cause::new(
        "out-of-memory",
        format!("the kernel killed {victim} because it used up {reached}"),
        fix,
    )
    .evidence(format!(
        "OOMKilled: {}, exit code {}, limit {}",
        view.subject.out_of_memory,
        view.subject.exit_code().unwrap_or_default(),
        limit.as_deref().unwrap_or("none")
    ));
    let cause = match (memory_wanted(view), sum_of_limits(view)) {
        (Some(wanted), _) if limit.is_some() => cause.evidence(wanted),
        _ => cause,
    };
    let cause = match sum_of_limits(view) {
        Some(sum) => cause.evidence(sum),
        None => cause,
    };
    let sites = [Site::Key("mem_limit"), Site::Key("deploy.resources.limits.memory")];
    let cause = if limit.is_some() { cause.to(more.clone()) } else { cause };
    let cause = cause.at(sites);
    Some(cause.next(match limit {
        Some(_) => call("update-container", &[("container_name", name), ("memory", &more)]),
        None => on("inspect-container", name),
    }))
}

/// A size in what it said, or in its command and variables: `-Xmx512m`, `allocating 110 MB`.
fn sizes(text: &str) -> Vec<(u64, String)> {
    static SIZE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(?:^|[^\w.])(?:-Xmx|-Xms)?(\d+(?:\.\d+)?)\s?([kmg])(?:i?b)?\b")
            .expect("a valid pattern")
    });
    let found = SIZE.captures_iter(text).filter_map(|captures| {
        let (number, unit) = (captures.get(1)?.as_str(), captures.get(2)?.as_str().to_lowercase());
        let number: f64 = number.parse().ok()?;
        let kib = match unit.as_str() {
            "k" => 1.0,
            "m" => 1024.0,
            _ => 1024.0 * 1024.0,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is rounded"
        )]
        Some(((number * kib) as u64, captures.get(0)?.as_str().trim().to_owned()))
    });
    found.collect()
}

/// The largest size beyond its limit that it speaks of, and where.
fn wanted(view: &View<'_>) -> Option<(u64, String)> {
    let container = &view.subject.container;
    let limit = u64::try_from(container.host_config.memory).ok()? >> 10;
    let said = view.subject.log.iter().map(|line| ("log", line.text.as_str()));
    let words = std::iter::once(&container.path).chain(&container.args);
    let options = words.map(|word| ("command", word.as_str()));
    let heaps = container.config.env.iter().filter_map(|entry| {
        let (name, _) = entry.split_once('=')?;
        let is_heap =
            ["OPTS", "OPTIONS", "HEAP", "MEMORY", "ARGS"].iter().any(|it| name.contains(it));
        is_heap.then_some(("variable", entry.as_str()))
    });
    let all = said.chain(options).chain(heaps);
    let found = all.flat_map(|(place, text)| {
        sizes(text).into_iter().map(move |(kib, size)| (kib, format!("{place}: {size}")))
    });
    // A machine's whole memory, or a file's size, is not what it needs.
    found
        .filter(|(kib, _)| *kib > limit && *kib < limit.saturating_mul(64))
        .max_by_key(|(kib, _)| *kib)
}

fn memory_wanted(view: &View<'_>) -> Option<String> {
    let (_, told) = wanted(view)?;
    Some(format!("it speaks of more than its limit ({told})"))
}

/// Twice as much, or what it speaks of and a quarter more; in MiB, a multiple of 16.
fn more_memory(view: &View<'_>) -> String {
    let twice = u64::try_from(view.subject.container.host_config.memory >> 19).unwrap_or_default();
    let wanted = wanted(view).map_or(0, |(kib, _)| (kib + kib / 4) >> 10);
    let more = twice.max(wanted);
    let more = if more > twice { more.div_ceil(16) * 16 } else { more };
    format!("{more}m")
}

/// What the limits of its project come to.
fn sum_of_limits(view: &View<'_>) -> Option<String> {
    let project = view.subject.project()?;
    let own = view.facts.subjects.iter().filter(|it| it.project() == Some(project));
    let limits: Vec<(&str, u64)> = own
        .filter_map(|it| Some((it.called(), u64::try_from(it.container.host_config.memory).ok()?)))
        .filter(|(_, limit)| *limit > 0)
        .collect();
    let sum = limits.iter().map(|(_, limit)| limit).sum();
    let each = limits.iter().map(|(name, limit)| format!("{name} {}", human_memory(*limit)));
    let each = each.take(8).collect::<Vec<_>>().join(", ");
    (limits.len() > 1)
        .then(|| format!("limits of the project: {each}; together {}", human_memory(sum)))
}

/// A signal of its own making.
pub(super) fn crashed(view: &View<'_>) -> Option<Cause> {
    let code = view.subject.exit_code()?;
    let is_crash = matches!(code, 131..=136 | 139);
    let meaning = exit_meaning(code, false).filter(|_| is_crash)?;
    let fix = match code {
        132 => "use an image or build for this processor",
        134 => "its last lines tell which check failed; a bug or a broken file",
        _ => "a bug in the program or one of its libraries, or a build for another processor",
    };
    let cause = Cause::new("crashed", format!("it crashed: {meaning}"), fix)
        .evidence(format!("exit code {code}: {meaning}"));
    Some(with_last_words(cause, view.subject).next(logs(view.subject.name())))
}

/// 137 without the kernel's mark and without a stop that is known.
pub(super) fn killed(view: &View<'_>) -> Option<Cause> {
    let code = view.subject.exit_code()?;
    let meaning = exit_meaning(code, false).filter(|_| code == 137)?;
    let cause = Cause::new(
        "killed",
        "it was killed with SIGKILL; docker remembers no stop or kill for it, and no lack of memory within its limit",
        "a program in it that killed itself or its parent, the host's own lack of memory, or a stop longer ago than docker remembers",
    )
    .evidence(format!("exit code {code}: {meaning}"))
    .evidence("OOMKilled: false")
    .vague();
    Some(with_last_words(cause, view.subject).next(logs(view.subject.name())))
}

/// 125, 126, 127 from a shell in the container.
pub(super) fn not_runnable(view: &View<'_>) -> Option<Cause> {
    let code = view.subject.exit_code()?;
    let (id, why, fix) = match code {
        127 => (
            "command-not-found",
            "a program that it calls does not exist in the image",
            "its last line names the program: install it in the image or correct its name; a script with Windows line ends (CRLF) is not found either",
        ),
        126 => (
            "not-executable",
            "a program that it calls may not be executed",
            "chmod +x the file its last line names",
        ),
        _ => return None,
    };
    let cause = Cause::new(id, why, fix)
        .evidence(format!("exit code {code}: {}", exit_meaning(code, false).unwrap_or_default()));
    Some(with_last_words(cause, view.subject).next(logs(view.subject.name())))
}

/// It does its work, ends with 0, and docker starts it again.
pub(super) fn ends_well(view: &View<'_>) -> Option<Cause> {
    let container = &view.subject.container;
    if view.subject.exit_code() != Some(0) {
        return None;
    }
    let policy = &container.host_config.restart_policy.name;
    let cause = Cause::new(
        "ends-at-once",
        format!("its program ends by itself with exit code 0, and the restart policy {policy} starts it again"),
        "let the program stay in the foreground; a job that is done needs restart: no or on-failure",
    )
    .evidence(format!("command: {}", view.subject.command()));
    Some(with_last_words(cause, view.subject).next(logs(view.subject.name())))
}

/// Its own program failed, and nothing that we know is in what it said.
pub(super) fn failed(view: &View<'_>) -> Option<Cause> {
    let subject = view.subject;
    let Some(code) = subject.exit_code() else {
        // Docker has forgotten how it ended: other events came in between.
        let cause = Cause::new(
            "application-failed",
            "its own program ends soon after each start; its exit code is not known",
            "see its last lines",
        );
        return Some(with_last_words(cause.vague(), subject).next(logs(subject.name())));
    };
    let (id, why, fix) = match code {
        255 if subject.log.is_empty() => (
            "ended-with-docker",
            "it ended with 255 and without a word, as containers do whose docker or host was restarted".to_owned(),
            "start it again; a restart policy would have done that",
        ),
        125 => (
            "application-failed",
            "its own program ended with 125 (docker's own failures look different: they leave it unstarted)".to_owned(),
            "see its last lines",
        ),
        code => (
            "application-failed",
            format!("its own program ended with exit code {code}"),
            "see its last lines",
        ),
    };
    let cause = Cause::new(id, why, fix).vague();
    let cause = match exit_meaning(code, false) {
        Some(meaning) if code != 125 => cause.evidence(format!("exit code {code}: {meaning}")),
        _ => cause,
    };
    let cause = if subject.log.is_empty() {
        cause.evidence("it has printed nothing").evidence(format!("command: {}", subject.command()))
    } else {
        with_last_words(cause, subject)
    };
    Some(cause.next(logs(subject.name())))
}

pub(super) fn with_last_words(cause: Cause, subject: &Subject) -> Cause {
    let first = subject.log.len().saturating_sub(LAST_WORDS);
    let mut last: Vec<_> = subject.log.iter().skip(first).collect();
    // One that restarts says the same again and again.
    last.dedup();
    last.into_iter().fold(cause, Cause::said)
}
