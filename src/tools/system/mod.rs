//! The host as a whole: is docker well, what is there, what takes space, what happened.

mod contexts;
mod events;
mod info;
mod overview;
mod prune;
mod usage;
mod users;

use super::Entry;

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::of::<info::DockerInfo>(),
        Entry::of::<overview::ListAllResources>(),
        Entry::of::<usage::DiskUsage>(),
        Entry::change::<prune::Prune>(),
        Entry::of::<events::DockerEvents>(),
        Entry::of::<contexts::ListContexts>(),
        Entry::of::<users::FindUsers>(),
    ]
}
