//! Compose projects: deploy, look, take down.

mod deploy;
mod model;
mod project;
mod report;
mod settle;
mod source;
mod up;

use super::Entry;

pub(super) fn tools() -> Vec<Entry> {
    vec![Entry::of::<deploy::DeployCompose>()]
}
