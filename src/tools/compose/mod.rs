//! Compose projects: deploy, look, take down.

mod deploy;
mod down;
mod failure;
mod forecast;
mod holdings;
mod model;
mod project;
mod ps;
mod report;
mod settle;
mod source;
mod up;

use super::Entry;

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::of::<deploy::DeployCompose>(),
        Entry::of::<down::ComposeDown>(),
        Entry::of::<ps::ComposePs>(),
    ]
}
