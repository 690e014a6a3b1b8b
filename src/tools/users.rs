//! Who uses an image, a volume or a network: containers, running or not.

use super::Context;
use crate::command::containers::{ListContainers, Row};
use crate::error::{Code, Error};

/// How many names a row of a list tells.
const NAMES: usize = 5;

/// The first names, and how many there are besides.
pub(super) fn few(mut names: Vec<String>) -> Vec<String> {
    let more = names.len().saturating_sub(NAMES);
    if more > 0 {
        names.truncate(NAMES);
        names.push(format!("… {more} more"));
    }
    names
}

/// The containers that use one object, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Users(Vec<Row>);

impl Users {
    /// All containers that pass the filters.
    pub(super) async fn find(context: &Context, filters: Vec<String>) -> Result<Self, Error> {
        context.docker.run(&ListContainers { all: true, filters }).await.map(Self)
    }

    /// Without those that the filter of docker let through by mistake.
    pub(super) fn only(mut self, uses: impl Fn(&Row) -> bool) -> Self {
        self.0.retain(uses);
        self
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|row| row.name.clone()).collect()
    }

    /// DKR-009 that names them: `volume pg is used by db (running), job (exited)`.
    pub(super) fn in_the_way(&self, kind: &'static str, name: &str) -> Error {
        let told: Vec<_> =
            self.0.iter().map(|row| format!("{} ({})", row.name, row.state)).collect();
        let message = format!("{kind} {name} is used by {}", told.join(", "));
        Error::new(Code::ResourceInUse, message)
            .with(kind, name)
            .with("used_by", self.names().join(","))
    }
}
