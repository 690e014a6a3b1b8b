//! Containers that compose has made and not started, because a secret or config of theirs had no
//! content: somebody else's start would run them without it.

use super::deployment::Deployment;
use super::project;
use super::values::PutIn;
use crate::command::containers::{Container, Written};
use crate::command::labels;
use crate::error::{Code, Error};
use crate::tools::Context;

/// Refuses to start those whose files compose has not put in. Whether it has, the container itself
/// shows; which ones they are, only the compose files tell, as far as they can be read here.
///
/// # Errors
/// DKR-010 that names the variable.
pub(in crate::tools) async fn demand_contents(
    context: &Context,
    containers: &[&Container],
) -> Result<(), Error> {
    let was_never_started =
        |it: &&Container| it.state.status == "created" && project::is_composes(it);
    let new = containers.iter().copied().filter(was_never_started);
    let new: Vec<Container> = new.cloned().collect();
    let project = new.iter().find_map(|it| it.label(labels::PROJECT)?.parse().ok());
    let Some(project) = project else { return Ok(()) };
    for Deployment { resolved, containers, .. } in Deployment::all(context, &project, &new).await {
        for container in &containers {
            let own = resolved.put_in_of(project::service(container));
            if own.is_empty() {
                continue;
            }
            let written = context.docker.run(&Written(container.id.clone())).await?;
            if let Some(absent) = own.iter().find(|it| !written.contains(&it.path)) {
                return Err(refusal(container, absent));
            }
        }
    }
    Ok(())
}

fn refusal(container: &Container, absent: &PutIn) -> Error {
    let PutIn { what, path, .. } = absent;
    let name = container.name();
    let message =
        format!("{name} was made without {path} and would run without it: it is the {what}");
    Error::new(Code::WrongState, message).with("container", name).hint(
        "deploy-compose makes it anew with it; a variable without a value goes into its `environment`, or into .env",
    )
}
