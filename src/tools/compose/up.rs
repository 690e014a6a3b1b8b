//! `docker compose up --detach` under observation, and the wait that follows it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::failure;
use super::model::warnings;
use super::project;
use super::settle::{self, Expected, Memory, STEADY, Stand};
use crate::command::containers::Container;
use crate::command::values::ProjectName;
use crate::command::{Command, Invocation, Output};
use crate::docker::{Docker, Line};
use crate::error::{Code, Error};
use crate::tools::build_log::BuildLog;
use crate::tools::lines::Listener;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(400);
/// Building and pulling before the first container is created.
pub(super) const PREPARATION: Duration = Duration::from_secs(600);

/// Images that could not be had and are told apart.
const ERRORS: usize = 100;

/// `docker compose up`, which says on standard error what it does.
pub(super) struct Up(pub(super) Invocation);

impl Command for Up {
    type Reply = Vec<String>;

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    fn parse(&self, output: &Output) -> Result<Vec<String>, Error> {
        let mut warnings = warnings(&output.stderr);
        // 2.40 asks whether to recreate it, and takes the end of its input for a no.
        let asked = output.stdout.lines().filter(|line| line.contains("(data will be lost)?"));
        warnings.extend(asked.filter_map(|line| {
            let (what, _) = line.split_once(" Recreate (data will be lost)?")?;
            Some(format!("{what} It was left as it is, with its data."))
        }));
        Ok(warnings)
    }
}

/// A stack on its way up.
pub(super) struct Ascent<'a> {
    pub(super) docker: &'a Docker,
    pub(super) project: &'a ProjectName,
    pub(super) expected: BTreeMap<String, Expected>,
    pub(super) memory: Memory,
    /// Counted from the creation of the first container.
    pub(super) time_limit: Duration,
}

/// How `up` itself ended.
pub(super) enum Ended {
    Well(Vec<String>),
    Failed(Error),
    /// We stopped it, because its time was over. Never before: it may be in the middle of something,
    /// and what it waits for may still come.
    TimedOut,
}

/// The last look at the stack.
pub(super) struct Settled {
    pub(super) containers: Vec<Container>,
    pub(super) stands: BTreeMap<String, Stand>,
    pub(super) timed_out: bool,
}

/// What compose has told so far.
#[derive(Default)]
struct Told {
    /// `web Error …` of images that could not be had.
    errors: Vec<String>,
    first_container: Option<Instant>,
    build: BuildLog,
}

impl Ascent<'_> {
    /// Runs `up` and watches it. Dropping the run ends the whole process group of compose; what
    /// it has created stays.
    pub(super) async fn run_up(&mut self, up: &Up) -> (Ended, Option<Instant>) {
        let told = Mutex::new(Told::default());
        let docker = self.docker;
        let mut listener = Listener::new(docker);
        let run = docker.watch(up, |line| {
            listen(&mut told.lock().unwrap_or_else(PoisonError::into_inner), line, &mut listener);
        });
        let containers_since =
            || told.lock().unwrap_or_else(PoisonError::into_inner).first_container;
        let ended = tokio::select! {
            result = run => match result {
                Ok(warnings) => Ended::Well(warnings),
                // The limit of the run itself: it never came to a container.
                Err(error) if error.code == Code::Timeout => Ended::TimedOut,
                Err(error) => Ended::Failed(error),
            },
            () = self.until_late(containers_since) => Ended::TimedOut,
        };
        let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended = match ended {
            Ended::Failed(error) => {
                let error =
                    failure::of_build(&told.build, error, |name| self.expected.contains_key(name));
                Ended::Failed(failure::with_service_of_pull(error, &told.errors))
            }
            other => other,
        };
        (ended, told.first_container)
    }

    /// Tells how the containers are while compose is at work; comes back when its time is over.
    async fn until_late(&mut self, since: impl Fn() -> Option<Instant>) {
        loop {
            tokio::time::sleep(PAUSE).await;
            // Pulling and building have a limit of their own.
            let Some(started) = since() else { continue };
            if started.elapsed() >= self.time_limit {
                return;
            }
            // A look that fails says nothing about the stack; compose goes on.
            if let Ok((_, stands)) = self.look().await {
                self.tell(&stands);
            }
        }
    }

    /// Waits until the stack has settled, can no longer settle well, or the time is over.
    ///
    /// # Errors
    /// As [`Docker::run`], DKR-013 when cancelled.
    pub(super) async fn settle(&mut self, since: Instant) -> Result<Settled, Error> {
        let mut lost_since: Option<Instant> = None;
        loop {
            let (containers, stands) = self.look().await?;
            self.tell(&stands);
            // Others get a moment, so that one answer tells all that failed.
            let lost = settle::is_lost(&stands)
                && lost_since.get_or_insert_with(Instant::now).elapsed() >= STEADY;
            let timed_out = since.elapsed() >= self.time_limit;
            let over = settle::is_over(&stands);
            if over || lost || timed_out {
                let timed_out = timed_out && !over && !lost;
                return Ok(Settled { containers, stands, timed_out });
            }
            self.docker.sleep(PAUSE).await?;
        }
    }

    /// One look, without waiting for anything.
    ///
    /// # Errors
    /// As [`Docker::run`].
    pub(super) async fn look(
        &mut self,
    ) -> Result<(Vec<Container>, BTreeMap<String, Stand>), Error> {
        let containers = project::containers(self.docker, self.project).await?;
        let now = Instant::now();
        self.memory.look(&containers, now);
        let memory = &self.memory;
        let stands =
            settle::stands(&self.expected, &containers, |container| memory.history(container, now));
        Ok((containers, stands))
    }

    fn tell(&self, stands: &BTreeMap<String, Stand>) {
        let (ready, total, text) = settle::progress(stands);
        self.docker.progress().step(ready, total, text);
    }
}

/// Follows what compose says: for the person who waits, and to know when containers are made.
fn listen(told: &mut Told, line: Line<'_>, listener: &mut Listener<'_>) {
    let (Line::Stdout(text) | Line::Stderr(text)) = line;
    let text = text.trim();
    if text.is_empty() || text.starts_with("time=") {
        return;
    }
    if text.starts_with("Container ") {
        told.first_container.get_or_insert_with(Instant::now);
    }
    if text.contains(" Error ") && told.errors.len() < ERRORS {
        told.errors.push(text.to_owned());
    }
    told.build.hear(line);
    listener.hear(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Effect;

    #[test]
    fn a_question_of_compose_becomes_a_warning() {
        let output = Output {
            stdout: "Volume \"x_data\" exists but doesn't match configuration in compose file. Recreate (data will be lost)?".into(),
            stderr: "time=\"2026-11-24T09:20:53Z\" level=warning msg=\"Found orphan containers ([x-a-1]) for this project.\"\n Container x-b-1  Creating\n".into(),
            ..Output::default()
        };
        let up = Up(Invocation::docker(Effect::Change, ["x"]));
        insta::assert_snapshot!(up.parse(&output).unwrap().join("\n"), @r#"
        Found orphan containers ([x-a-1]) for this project.
        Volume "x_data" exists but doesn't match configuration in compose file. It was left as it is, with its data.
        "#);
    }
}
