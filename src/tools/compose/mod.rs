//! Compose projects: deploy, look, take down.

mod absent;
mod attachments;
mod config;
pub(super) mod contents;
mod defaults;
mod definitions;
mod deploy;
mod deployment;
mod down;
mod elsewhere;
mod exec;
mod failure;
mod forecast;
mod freshness;
mod holdings;
mod images;
mod leaving;
mod lifecycle;
mod list;
mod logs;
mod model;
mod naming;
pub(super) mod origin;
pub(super) mod outlook;
mod place;
pub(super) mod project;
mod ps;
mod remembered;
mod removal;
mod report;
mod run;
mod settle;
mod source;
mod takedown;
mod takeover;
mod up;
mod values;
mod variables;
mod view;

use super::Entry;

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::change::<deploy::DeployCompose>(),
        Entry::change::<down::ComposeDown>(),
        Entry::of::<list::ListComposeProjects>(),
        Entry::of::<ps::ComposePs>(),
        Entry::of::<logs::ComposeLogs>(),
        Entry::of::<config::ComposeConfig>(),
        Entry::change::<images::ComposeBuild>(),
        Entry::change::<images::ComposePull>(),
        Entry::change::<exec::ComposeExec>(),
        Entry::change::<run::ComposeRun>(),
        Entry::change::<lifecycle::ComposeStart>(),
        Entry::change::<lifecycle::ComposeStop>(),
        Entry::change::<lifecycle::ComposeRestart>(),
    ]
}
