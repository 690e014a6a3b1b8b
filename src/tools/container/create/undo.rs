//! Nothing is left behind: what this call made is found by its label and taken away again.

use std::time::Duration;

use crate::command::Act;
use crate::command::containers::ListContainers;
use crate::command::text::short_id;
use crate::command::{Command, Effect, Invocation, Output, labels};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::tools::Context;

/// The daemon may still be making the container when its client is gone.
const LOOKS: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(300), Duration::from_millis(900)];

/// Whether a container may exist although its creation failed.
pub(super) fn may_exist(error: &Error) -> bool {
    error.answer_was_lost()
        || matches!(
            error.code,
            Code::Timeout | Code::Cancelled | Code::UnexpectedOutput | Code::DockerFailed
        )
}

/// The container that this request made, if it did.
pub(super) async fn find(docker: &Docker, request: &str) -> Result<Option<String>, Error> {
    let filters = vec![format!("label={}={request}", labels::REQUEST)];
    let query = ListContainers { all: true, filters };
    for pause in LOOKS {
        docker.sleep(pause).await?;
        if let Some(row) = docker.run(&query).await?.pop() {
            return Ok(Some(row.id));
        }
    }
    Ok(None)
}

/// Takes the container and what came with it away again, and says so in the error. It goes on when
/// the call is cancelled, which may be why it is here.
pub(in crate::tools::container) async fn undo(
    context: &Context,
    container: Option<&str>,
    request: &str,
    error: Error,
) -> Error {
    let docker = context.docker.for_cleanup();
    let Some(id) = container else {
        forget_volumes(context, request).await;
        return error.with("left_behind", "nothing, no container was made");
    };
    let removed = match docker.run(&RemoveOwn(id.to_owned())).await {
        Ok(()) => remove_volumes(&docker, request).await,
        failed => failed,
    };
    match removed {
        Ok(()) => error.with("left_behind", "nothing, the new container was removed again"),
        Err(failed) => {
            let (id, why) = (short_id(id), &failed.message);
            error.with("left_behind", format!("container {id}, which could not be removed: {why}"))
        }
    }
}

/// Volumes of a container that was not made. They are empty, so it is no harm when they stay.
pub(super) async fn forget_volumes(context: &Context, request: &str) {
    let removed = remove_volumes(&context.docker.for_cleanup(), request).await;
    if let Err(error) = removed {
        tracing::debug!(%error, "new volumes could not be removed");
    }
}

/// Docker cannot be asked what it has done.
pub(super) fn unknown(error: Error, failed: &Error, request: &str) -> Error {
    error.with("left_behind", format!("not known: {}", failed.message)).hint(format!(
        "when docker answers again, list-containers with all=true and the label {}={request} tells whether it was made",
        labels::REQUEST
    ))
}

/// Named volumes that did not exist before. Their label says that they were made for this request,
/// so they hold nothing but what the image put there.
async fn remove_volumes(docker: &Docker, request: &str) -> Result<(), Error> {
    let volumes = docker.run(&OwnVolumes(request.to_owned())).await?;
    if volumes.is_empty() {
        return Ok(());
    }
    let remove = Invocation::docker(Effect::Change, ["volume", "rm"]);
    docker.run(&Act(remove.operands(volumes))).await
}

/// Removes a container that this call made a moment ago, with its anonymous volumes. Nothing is
/// lost by it, so it is a change and no destruction, and a call that may only change may do it.
pub(in crate::tools::container) struct RemoveOwn(pub(in crate::tools::container) String);

impl Command for RemoveOwn {
    type Reply = ();

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Change, ["container", "rm"])
            .flag("--force", true)
            .flag("--volumes", true)
            .operands([&self.0])
    }

    /// Somebody else may have been faster.
    fn accepts(&self, output: &Output) -> bool {
        let said = output.stderr.to_lowercase();
        output.exit_code == 0
            || said.contains("no such container")
            || said.contains("already in progress")
    }

    fn parse(&self, _: &Output) -> Result<(), Error> {
        Ok(())
    }
}

/// `docker volume ls` of the volumes that a request made.
struct OwnVolumes(String);

impl Command for OwnVolumes {
    type Reply = Vec<String>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["volume", "ls"])
            .flag("--quiet", true)
            .option("--filter", format!("label={}={}", labels::REQUEST, self.0))
    }

    fn parse(&self, output: &Output) -> Result<Vec<String>, Error> {
        Ok(output.stdout.split_whitespace().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::error::Repeat;

    #[test]
    fn argv_of_the_undoing() {
        assert_snapshot!(RemoveOwn("abc".into()).invocation(), @"docker container rm --force --volumes -- abc");
        assert_snapshot!(OwnVolumes("r1".into()).invocation(), @"docker volume ls --quiet --filter=label=docker-mcp-server.request=r1");
    }

    #[test]
    fn a_container_may_exist_when_the_answer_was_lost() {
        let error = |code| Error::new(code, "x");
        assert!(may_exist(&error(Code::Cancelled)) && may_exist(&error(Code::Timeout)));
        assert!(!may_exist(&error(Code::NameConflict)));
        // Its own answer is that nothing was sent.
        assert!(!may_exist(&error(Code::DaemonNotAccessible)));
        let mut lost = error(Code::DaemonNotAccessible);
        lost.repeat = Repeat::Reads;
        assert!(may_exist(&lost) && lost.answer_was_lost());
    }
}
