//! What the container is made with beside its settings: what another one had that it replaces.

use crate::command::values::Environment;
use crate::command::{Hazard, Invocation};

#[derive(Debug, Default)]
pub(in crate::tools::container) struct Carried {
    pub(in crate::tools::container) flags: Vec<&'static str>,
    /// Names and values.
    pub(in crate::tools::container) options: Vec<(String, String)>,
    /// Names, keys and values that are not shown.
    pub(in crate::tools::container) secrets: Vec<(String, String, String)>,
    pub(in crate::tools::container) hazards: Vec<Hazard>,
    pub(in crate::tools::container) environment: Environment,
    pub(in crate::tools::container) entrypoint: Option<Vec<String>>,
    pub(in crate::tools::container) command: Option<Vec<String>>,
    /// Volumes that are mounted by name.
    pub(in crate::tools::container) volumes: Vec<String>,
    /// Networks to join after the first one.
    pub(in crate::tools::container) networks: Vec<Network>,
}

#[derive(Debug)]
pub(in crate::tools::container) struct Network {
    pub(in crate::tools::container) name: String,
    /// `alias`, `ip` and `ip6`.
    pub(in crate::tools::container) options: Vec<(&'static str, String)>,
}

impl Carried {
    /// Before the named options, which win where there can be only one.
    pub(in crate::tools::container) fn options(&self, mut invocation: Invocation) -> Invocation {
        for flag in &self.flags {
            invocation = invocation.flag(flag, true);
        }
        for (name, value) in &self.options {
            invocation = invocation.option(name, value);
        }
        for (name, key, value) in &self.secrets {
            invocation = invocation.secret(name, key, value);
        }
        self.hazards.iter().cloned().fold(invocation, Invocation::hazard)
    }
}
