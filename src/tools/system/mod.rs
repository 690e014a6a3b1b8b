//! The host as a whole: is docker well, and what is there.

mod info;
mod overview;
mod users;

use super::Entry;

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::of::<info::DockerInfo>(),
        Entry::of::<overview::ListAllResources>(),
        Entry::of::<users::FindUsers>(),
    ]
}
