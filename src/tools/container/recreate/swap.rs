//! The change of places: the old one stops and steps aside, the new one gets its name and starts.

use std::time::Duration;

use super::super::create::{Creation, RemoveOwn, log_tail, watch};
use crate::command::containers::{Container, InspectContainers, exit_meaning};
use crate::command::values::ContainerName;
use crate::command::{Act, Effect, Invocation};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::tools::Context;

/// The change of places.
pub(super) struct Swap<'a> {
    pub(super) old: &'a Container,
    /// Of the new one, until it gets the old one's.
    pub(super) name: &'a ContainerName,
    pub(super) wait: Duration,
    pub(super) stop_limit: Duration,
}

impl Swap<'_> {
    fn was_running(&self) -> bool {
        matches!(self.old.state.status.as_str(), "running" | "restarting")
    }

    /// The old one's name while it waits.
    fn aside(&self) -> String {
        self.name.as_str().replacen("-new-", "-old-", 1)
    }

    /// In the time that it has by its own settings.
    fn stop(&self, container: &str) -> Invocation {
        Invocation::docker(Effect::Destroy, ["container", "stop"])
            .timeout(self.stop_limit)
            .operands([container])
    }

    pub(super) fn shown(&self) -> Vec<Invocation> {
        let name = self.old.name();
        let aside = self.aside();
        let mut shown: Vec<Invocation> =
            self.was_running().then(|| self.stop(name)).into_iter().collect();
        shown.push(rename(name, &aside));
        shown.push(rename(self.name.as_str(), name));
        shown.extend(self.was_running().then(|| start(name)));
        shown.push(remove(&aside));
        shown
    }

    /// The new one as it is when it has shown that it runs.
    pub(super) async fn run(&self, context: &Context, new: &str) -> Result<Container, Error> {
        let (docker, name) = (&context.docker, self.old.name());
        if self.was_running() {
            docker.progress().say(format!("stopping {name}"));
            docker.run(&Act(self.stop(&self.old.id))).await?;
        }
        docker.run(&Act(rename(&self.old.id, &self.aside()))).await?;
        docker.run(&Act(rename(new, name))).await?;
        if !self.was_running() {
            return watch(context, new, Duration::ZERO).await;
        }
        docker.progress().say(format!("starting the new {name}"));
        docker.run(&Act(start(new))).await?;
        let container = watch(context, new, self.wait).await?;
        let exit_code = container.exit_code();
        if exit_code.is_none() && container.restart_count == 0 {
            return Ok(container);
        }
        let code = exit_code.unwrap_or(container.state.exit_code);
        let meaning = exit_meaning(code, container.state.oom_killed);
        let meaning = meaning.map(|meaning| format!(" ({meaning})")).unwrap_or_default();
        let message = format!("the new {name} ended at once with exit code {code}{meaning}");
        let log = log_tail(context, new).await;
        let mut error = Error::new(Code::CommandFailed, message).with("container", name);
        error.stderr = (!log.is_empty()).then_some(log);
        Err(error)
    }

    /// The new one goes, the old one comes back as it was; also when the call was cancelled.
    pub(super) async fn back(
        &self,
        context: &Context,
        new: &str,
        creation: &Creation,
        error: Error,
    ) -> Error {
        tracing::debug!(request = creation.request, "a container is put back");
        let name = self.old.name();
        let left_behind = match self.restore(&context.docker.for_cleanup(), new).await {
            Ok(now) if now.state.started_at == self.old.state.started_at => {
                format!("nothing, {name} is as it was")
            }
            Ok(_) => format!("nothing, {name} was stopped and started again"),
            Err(failed) => format!(
                "the old container is {} ({}), and could not be put back: {}",
                self.aside(),
                self.old.short_id(),
                failed.message
            ),
        };
        error.with("left_behind", left_behind)
    }

    async fn restore(&self, docker: &Docker, new: &str) -> Result<Container, Error> {
        let (id, name) = (&self.old.id, self.old.name());
        docker.run(&RemoveOwn(new.to_owned())).await?;
        if self.was_running() {
            // The daemon goes on with a stop whose client has ended: it is over when another one
            // is. What matters is how the container is in the end.
            docker.run(&Act(self.stop(id))).await.ok();
        }
        if self.look(docker).await?.name() != name {
            docker.run(&Act(rename(id, name))).await?;
        }
        if self.was_running() {
            docker.run(&Act(start(id))).await?;
        }
        let now = self.look(docker).await?;
        let state = now.state.status.as_str();
        if self.was_running() && !matches!(state, "running" | "restarting") {
            let message = format!("it is {state} after it was started again");
            return Err(Error::new(Code::WrongState, message));
        }
        Ok(now)
    }

    /// The old one as it is now.
    async fn look(&self, docker: &Docker) -> Result<Container, Error> {
        let query = InspectContainers::one(&self.old.id);
        let found = docker.run(&query).await?.pop();
        found.ok_or_else(|| Error::new(Code::ContainerNotFound, "it is gone"))
    }

    /// Without its volumes, which are the new one's now.
    pub(super) async fn remove_old(&self, context: &Context) -> Option<String> {
        let error = context.docker.for_cleanup().run(&Act(remove(&self.old.id))).await.err()?;
        Some(format!("the old container stays as {}: {}", self.aside(), error.message))
    }
}

fn rename(container: &str, name: &str) -> Invocation {
    Invocation::docker(Effect::Change, ["container", "rename"]).operands([container, name])
}

fn start(container: &str) -> Invocation {
    Invocation::docker(Effect::Change, ["container", "start"]).operands([container])
}

fn remove(container: &str) -> Invocation {
    Invocation::docker(Effect::Destroy, ["container", "rm"]).operands([container])
}
