//! Files that compose does not find: it stops at the first, and all are told.

use std::collections::BTreeSet;

use crate::command::{Command, Invocation, Output};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::policy::{Absent, ReferenceKind};

/// The further ones, each with its place, when a file that is not there is what compose complains
/// about. `question` is what compose was asked.
pub(super) async fn others(
    docker: &Docker,
    absent: &[Absent],
    question: Invocation,
    error: &Error,
) -> Vec<Error> {
    let said = error.message.as_str();
    let is_of_a_service = said.contains(" file ") && said.contains(" not found");
    let kinds = if is_of_a_service {
        [ReferenceKind::EnvFile, ReferenceKind::LabelFile]
    } else if said.contains("no such file") {
        [ReferenceKind::Include, ReferenceKind::Extends]
    } else {
        return vec![];
    };
    let is_other = |it: &&Absent| {
        kinds.contains(&it.kind) && !said.contains(it.path.to_string_lossy().as_ref())
    };
    let mut absent: Vec<&Absent> = absent.iter().filter(is_other).collect();
    if absent.is_empty() {
        return vec![];
    }
    if is_of_a_service {
        // Of a service whose profile is off compose reads none.
        let Ok(services) = docker.run(&Services(question)).await else { return vec![] };
        absent.retain(|it| service(&it.key).is_some_and(|name| services.contains(name)));
    }
    let mut told = BTreeSet::new();
    absent.retain(|it| told.insert(&it.path));
    absent.into_iter().map(error_of).collect()
}

/// The service of `services.web.env_file.0`.
fn service(key: &str) -> Option<&str> {
    let rest = key.strip_prefix("services.")?;
    let ends = [".env_file", ".label_file"].map(|end| rest.find(end));
    rest.get(..ends.into_iter().flatten().min()?)
}

fn error_of(absent: &Absent) -> Error {
    let Absent { kind, path, file, key, line } = absent;
    let message = format!("{}: {} is not there", kind.key(), path.display());
    Error::new(Code::InvalidConfiguration, message)
        .with("key", key)
        .with("line", line.to_string())
        .with("file", file)
}

/// `docker compose config --services`, which reads no env file.
struct Services(Invocation);

impl Command for Services {
    type Reply = BTreeSet<String>;

    fn invocation(&self) -> Invocation {
        self.0.clone().flag("--services", true)
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        Ok(output.stdout.lines().map(|line| line.trim().to_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_of_a_key_may_have_dots() {
        assert_eq!(service("services.web.1.env_file.0.path"), Some("web.1"));
        assert_eq!(service("services.web.label_file"), Some("web"));
        assert_eq!(service("x-more.env_file"), None);
    }
}
