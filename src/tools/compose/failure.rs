//! When `docker compose up` fails: whose fault it was, in docker's words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde::Serialize;

use super::project;
use super::settle::{self, Expected, Stand};
use crate::command::containers::Container;
use crate::error::{Code, Error};
use crate::tools::build_log::BuildLog;

/// A failure of `up` after which there are containers to tell about.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    code: &'static str,
    name: &'static str,
    message: String,
    hint: Option<String>,
    output: Option<String>,
}

/// Docker as a whole is the matter, not this stack.
pub(super) fn is_ours_to_pass_on(error: &Error) -> bool {
    matches!(
        error.code,
        Code::DaemonNotAccessible
            | Code::PermissionDenied
            | Code::DockerMissing
            | Code::Cancelled
            | Code::Internal
    )
}

/// Gives the failure of `up` to the service that it is about, when its containers show nothing.
pub(super) fn blame(
    error: &Error,
    expected: &BTreeMap<String, Expected>,
    containers: &[Container],
    stands: &mut BTreeMap<String, Stand>,
) {
    // What docker says of a container that it could not start is the same text each time.
    let is_its = |container: &&Container| {
        let said = container.state.error.as_str();
        container.state.status == "created" && !said.is_empty() && error.message.contains(said)
    };
    for container in containers.iter().filter(is_its) {
        if let Some(stand) = stands.get_mut(project::service(container)) {
            *stand = Stand::Failed(container.state.error.clone());
        }
    }
    settle::hold_victims(expected, stands);
    if stands.values().any(Stand::is_bad) {
        return;
    }
    let about = |key: &str| {
        error.context.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    };
    let by_container = about("container").and_then(|name| {
        containers
            .iter()
            .find(|container| container.name() == name || container.id.starts_with(name))
            .map(project::service)
    });
    let Some(service) = about("service").or(by_container) else { return };
    if expected.contains_key(service) {
        stands.insert(service.to_owned(), Stand::Failed(error.message.clone()));
        settle::hold_victims(expected, stands);
    }
}

/// ` web Error manifest for … not found`: compose names the service whose image it could not get,
/// and after that it stops the others, which then fail with other words.
pub(super) fn with_service_of_pull(error: Error, said: &[String]) -> Error {
    if error.context.iter().any(|(key, _)| *key == "service") {
        return error;
    }
    let service = said.iter().find_map(|line| {
        let (service, words) = line.split_once(" Error ")?;
        let is_it = !service.contains(' ') && words.contains(error.message.as_str());
        is_it.then(|| service.to_owned())
    });
    match service {
        Some(service) => error.with("service", service),
        None => error,
    }
}

/// Adds to a failed build what its step printed, and whose step it was.
pub(super) fn of_build(log: &BuildLog, error: Error, is_service: impl Fn(&str) -> bool) -> Error {
    let error = log.explain(error, None);
    // `[web 2/3] RUN make`: compose puts the service before the number of the step.
    let first = log.failed().and_then(|step| step.strip_prefix('[')?.split([' ', ']']).next());
    match first.filter(|name| is_service(name)) {
        Some(service) => error.with("service", service),
        None => error,
    }
}

/// A cancelled `up` leaves what it has created.
pub(super) fn what_stays(error: Error) -> Error {
    if error.code == Code::Cancelled {
        return error.hint("containers that were created so far stay: compose-ps shows them, compose-down removes them, the same call goes on");
    }
    error
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code.id(),
            name: error.code.name(),
            hint: error.hint.as_deref().or(error.code.hint()).map(str::to_owned),
            output: error.stderr.as_deref().and_then(|output| beyond(output, &error.message)),
            message: error.message.clone(),
        }
    }
}

/// What docker said, without the steps that went well and without the message itself.
fn beyond(output: &str, message: &str) -> Option<String> {
    static STEP: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^(Network|Volume|Container) \S+  ?[A-Z][a-z]+$|^\S+ (Pulling|Pulled|Built)$|^time=",
        )
        .expect("a valid pattern")
    });
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !STEP.is_match(line) && !line.ends_with(message))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_that_fails_names_its_service() {
        let message = "dial tcp 127.0.0.1:1: connect: connection refused";
        let error = || Error::new(Code::RegistryUnreachable, message);
        let said = ["api Error context canceled".to_owned(), format!("web Error Get: {message}")];
        assert_eq!(with_service_of_pull(error(), &said).context, [("service", "web".to_owned())]);
        assert!(with_service_of_pull(error(), &[]).context.is_empty());
    }
}
