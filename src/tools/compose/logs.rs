//! compose-logs: the lines of several containers in the order of time, each with its service.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::project;
use super::ps::choose;
use crate::command::Effect;
use crate::command::containers::Container;
use crate::command::logs::{Logs, Printed};
use crate::command::text;
use crate::command::values::{Bounded, ProjectName, ServiceName, TimePoint};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::redact::Lines;
use crate::sort;
use crate::tools::lines::{Account, BAR, Choice, FOLLOW_SECONDS_MAX, Selection, TAIL_MAX, Wish};
use crate::tools::reply::Text;
use crate::tools::{Context, Spec, Tool, Toolset};

/// Each follower keeps a docker client for its whole time, and there are only a few at once.
const FOLLOWED: usize = 6;
/// Lines of all containers together when the caller does not say.
const TAIL: u32 = 100;
/// `2026-11-22T06:00:38.257180197Z ` in front of each line, always as long: it sorts as text.
const TIMESTAMP: usize = 31;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComposeLogs {
    /// Project.
    project_name: ProjectName,
    /// Default all.
    #[serde(default)]
    services: Vec<ServiceName>,
    /// Lines read (default 100).
    tail: Option<Bounded<0, TAIL_MAX>>,
    /// Regular expression.
    grep: Option<String>,
    /// Lines without a match.
    #[serde(default)]
    invert: bool,
    /// Around each match.
    context_lines: Option<Bounded<0, 100>>,
    /// Default all.
    #[serde(default)]
    stream: Choice,
    /// "10m" ago, or RFC 3339.
    since: Option<TimePoint>,
    /// The same.
    until: Option<TimePoint>,
    /// Show times.
    #[serde(default)]
    timestamps: bool,
    /// Repeated lines once.
    #[serde(default)]
    dedupe: bool,
    /// Wait for new lines.
    #[serde(default)]
    follow: bool,
    /// Default 10.
    follow_seconds: Option<Bounded<1, FOLLOW_SECONDS_MAX>>,
    /// Stop at a match.
    until_match: Option<String>,
}

impl Tool for ComposeLogs {
    const SPEC: Spec = Spec {
        name: "compose-logs",
        title: "Read project logs",
        description: "Logs of a compose project merged by time, filtered. For one container: get-logs.",
        toolset: Toolset::Compose,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Text;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let wish = self.wish();
        let selection = Selection {
            named: true,
            timestamps: self.timestamps,
            most: self.most_shown(&wish),
            ..wish.selection()?
        };
        let until_match = wish.until_match()?;
        let mut containers = project::all_containers(docker, &self.project_name).await?;
        if containers.is_empty() {
            return Err(project::no_such_project(docker, &self.project_name).await);
        }
        choose(&mut containers, &self.services)?;
        if wish.follows() && containers.len() > FOLLOWED {
            let message = format!(
                "{} containers cannot be followed at once, {FOLLOWED} at most",
                containers.len()
            );
            return Err(Error::invalid("services", message).hint("choose some services"));
        }
        let started = Instant::now();
        let reading = Reading { docker, wish: &wish, names: names(&containers) };
        let (read, found) = if wish.follows() {
            let found =
                |line: &str| until_match.as_ref().is_some_and(|pattern| pattern.is_match(line));
            reading.follow(&containers, found).await?
        } else {
            (reading.whole(&containers).await?, false)
        };
        let log = merged(read.lines, self.most_searched(), self.timestamps);
        // Hidden before it is searched, so that no pattern can tell what a secret is.
        let safe = docker.redactor().text(&log).text;
        let selected = selection.of(&safe);
        let seconds = started.elapsed().as_secs_f64();
        let followed = wish.follows().then(|| match (found, &self.until_match) {
            (true, _) => format!("until_match found after {seconds:.1} s"),
            (false, Some(_)) => format!("until_match not found in {seconds:.1} s"),
            (false, None) => format!("followed for {seconds:.1} s"),
        });
        let idle = containers.iter().filter(|container| container.state.status != "running");
        let account = Account {
            selected: &selected,
            cut: read.cut,
            broke_off: read.broke_off,
            tail: reading.logs("").tail,
            spans_time: self.since.is_some() || self.until.is_some(),
            followed,
            states: idle.map(Account::state).collect(),
        };
        let account = account.to_string();
        Ok(Text { output: selected.text, account })
    }
}

impl ComposeLogs {
    /// Timestamps are always read: they are what the lines are merged by.
    fn wish(&self) -> Wish {
        Wish {
            tail: self.tail,
            grep: self.grep.clone(),
            invert: self.invert,
            context_lines: self.context_lines,
            stream: self.stream,
            since: self.since,
            until: self.until,
            timestamps: true,
            dedupe: self.dedupe,
            follow: self.follow,
            follow_seconds: self.follow_seconds,
            until_match: self.until_match.clone(),
        }
    }

    /// `tail` counts the lines of all together: those that are searched when there is something
    /// to search for, else those that are shown.
    fn most_searched(&self) -> Option<usize> {
        self.tail.filter(|_| self.grep.is_some()).map(|lines| lines.get() as usize)
    }

    fn most_shown(&self, wish: &Wish) -> Option<usize> {
        match self.tail {
            Some(lines) if self.grep.is_none() && !wish.follows() => Some(lines.get() as usize),
            None if !wish.follows() => Some(TAIL as usize),
            _ => None,
        }
    }
}

/// What each container is called in front of its lines: its service, with its number when there
/// are several.
fn names(containers: &[Container]) -> BTreeMap<String, String> {
    let several = |container: &Container| {
        let service = project::service(container);
        containers.iter().filter(|other| project::service(other) == service).count() > 1
    };
    let name = |container: &Container| {
        let service = project::service(container);
        if project::is_one_off(container) {
            container.name().to_owned()
        } else if several(container) {
            format!("{service}-{}", project::number(container))
        } else {
            service.to_owned()
        }
    };
    sort::map(containers.iter().map(|container| (container.id.clone(), name(container))))
}

/// All lines, each after the name of who wrote it.
#[derive(Default)]
struct Read {
    lines: Vec<(Arc<str>, String)>,
    cut: u64,
    broke_off: Option<String>,
}

struct Reading<'a> {
    docker: &'a Docker,
    wish: &'a Wish,
    names: BTreeMap<String, String>,
}

impl Reading<'_> {
    fn logs(&self, container: &str) -> Logs {
        self.wish.logs(container)
    }

    fn name(&self, container: &Container) -> Arc<str> {
        self.names.get(&container.id).map_or(container.name(), String::as_str).into()
    }

    /// Reads all at once, and waits for all.
    async fn whole(&self, containers: &[Container]) -> Result<Read, Error> {
        let mut running = JoinSet::new();
        for container in containers {
            let (docker, name) = (self.docker.clone(), self.name(container));
            let logs = self.logs(&container.id);
            running.spawn(async move { (name, docker.run(&logs).await) });
        }
        let mut read = Read::default();
        while let Some(joined) = running.join_next().await {
            let (name, printed) = joined.map_err(|error| lost(&error))?;
            match printed {
                Ok(printed) => read.add(&name, &printed),
                // It was removed in the meantime.
                Err(error) if error.code == Code::ContainerNotFound => {}
                // A log driver that keeps nothing must not hide the others.
                Err(error) if error.message.contains("does not support reading") => {
                    read.broke_off = Some(format!("{name}: {}", error.message));
                }
                Err(error) => return Err(error.with("service", &*name)),
            }
        }
        Ok(read)
    }

    /// Reads all at once until a line is found or the time is over; what was heard by then stays.
    async fn follow(
        &self,
        containers: &[Container],
        is_found: impl Fn(&str) -> bool,
    ) -> Result<(Read, bool), Error> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let news = Arc::new(Notify::new());
        let mut running = JoinSet::new();
        for container in containers {
            let (docker, name) = (self.docker.clone(), self.name(container));
            let logs = self.logs(&container.id);
            let (heard, news) = (Arc::clone(&heard), Arc::clone(&news));
            let stream = self.wish.stream;
            running.spawn(async move {
                let listen = |line: crate::docker::Line<'_>| {
                    let wish = Wish { stream, ..Wish::default() };
                    if let Some(line) = wish.heard(line) {
                        let line = text::clean(line).text.into_owned();
                        heard
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((Arc::clone(&name), line));
                        news.notify_one();
                    }
                    ControlFlow::Continue(())
                };
                docker.watch(&logs, listen).await.map(|_| ())
            });
        }
        let mut seen = 0;
        let mut found = false;
        let mut hidden: BTreeMap<Arc<str>, Lines<'_>> = BTreeMap::new();
        while !found && !running.is_empty() {
            tokio::select! {
                joined = running.join_next() => {
                    if let Some(Err(error)) = joined.map(|joined| joined.unwrap_or_else(|error| Err(lost(&error))))
                        && error.code != Code::ContainerNotFound
                    {
                        return Err(error);
                    }
                }
                () = news.notified() => {}
            }
            let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, line) in heard.get(seen..).unwrap_or_default() {
                let hidden = hidden
                    .entry(Arc::clone(name))
                    .or_insert_with(|| Lines::new(self.docker.redactor()));
                // Secrets are hidden first, so that no pattern can tell what one is.
                let safe = hidden.next(line.get(TIMESTAMP..).unwrap_or_default());
                found |= is_found(&safe);
                self.docker.progress().say(format!("{name}{BAR}{safe}"));
            }
            seen = heard.len();
        }
        drop(running);
        let lines = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((Read { lines, ..Read::default() }, found))
    }
}

fn lost(error: &tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, format!("a reader was lost: {error}"))
}

impl Read {
    fn add(&mut self, name: &Arc<str>, printed: &Printed) {
        let lines = printed.text.lines();
        self.lines.extend(lines.map(|line| (Arc::clone(name), line.to_owned())));
        self.cut += printed.cut;
        if let Some(why) = &printed.broke_off {
            self.broke_off = Some(format!("{name}: {why}"));
        }
    }
}

/// One log in the order of time, the last lines of it. What has no time of its own stays with the
/// line before it.
fn merged(lines: Vec<(Arc<str>, String)>, most: Option<usize>, timestamps: bool) -> String {
    let mut last: BTreeMap<Arc<str>, String> = BTreeMap::new();
    let mut dated: Vec<(String, Arc<str>, String)> = lines
        .into_iter()
        .map(|(name, line)| match split(&line) {
            Some((time, message)) => {
                last.insert(Arc::clone(&name), time.to_owned());
                (time.to_owned(), name, message.to_owned())
            }
            None => (last.get(&name).cloned().unwrap_or_default(), name, line),
        })
        .collect();
    // Stable: equal times keep the order in which docker told them.
    dated.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let from = most.map_or(0, |most| dated.len().saturating_sub(most));
    let mut text = String::new();
    for (time, name, message) in dated.get(from..).unwrap_or_default() {
        text.push_str(name);
        text.push_str(BAR);
        if timestamps {
            text.push_str(time);
            text.push(' ');
        }
        text.push_str(message);
        text.push('\n');
    }
    text
}

/// The timestamp and the rest.
fn split(line: &str) -> Option<(&str, &str)> {
    let (time, message) = line.split_at_checked(TIMESTAMP)?;
    let time = time.strip_suffix(' ')?;
    (time.ends_with('Z') && time.get(10..11) == Some("T")).then_some((time, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(Arc<str>, String)> {
        text.lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(name, line)| (name.into(), line.to_owned()))
            .collect()
    }

    const LOG: &str = "\
web 2026-11-22T06:00:38.257180197Z GET /
web 2026-11-22T06:00:40.000000000Z panic
web   at main.rs
db 2026-11-22T06:00:39.000000001Z ready
db 2026-11-22T06:00:41.000000000Z query";

    #[test]
    fn lines_are_merged_by_time() {
        insta::assert_snapshot!(merged(lines(LOG), None, false), @r"
        web | GET /
        db | ready
        web | panic
        web |   at main.rs
        db | query
        ");
        insta::assert_snapshot!(merged(lines(LOG), Some(2), true), @r"
        web | 2026-11-22T06:00:40.000000000Z   at main.rs
        db | 2026-11-22T06:00:41.000000000Z query
        ");
    }
}
