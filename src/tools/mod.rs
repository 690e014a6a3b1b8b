//! The tools: what a client sees, each with its parameters, its words and its reply.

mod archive;
mod batches;
mod build_log;
mod compose;
mod container;
mod diagnose;
mod execution;
pub mod filters;
pub mod foresight;
mod image;
mod joined;
mod lines;
mod losses;
mod mounts;
mod network;
mod outcome;
mod ports;
mod protect;
mod provenance;
mod stop_time;
mod subnets;
mod system;
mod users;
mod volume;

// Whoever starts a container of a project asks this.
use compose::contents::demand_contents;

use crate::command::Invocation;
use crate::error::Error;
use crate::parameters::Arguments;
pub use crate::parameters::{Brief, arguments, schema};
pub use crate::registry::Entry;
use crate::sort;
pub use crate::tool::{Change, Context, Foreseen, Prepared, Spec, Tool, Toolset};
use crate::workspace::Workspace;
pub use crate::{confirm, reply};

/// The command line that these arguments of create-container come to, before docker is asked about
/// anything. For tests.
///
/// # Errors
/// DKR-004 and DKR-008 that name the parameter.
#[doc(hidden)]
pub fn create_command(arguments: Arguments, workspace: &Workspace) -> Result<Invocation, Error> {
    container::create_command(arguments, workspace)
}

/// Every tool, sorted by name.
pub fn all() -> Vec<Entry> {
    let families = [
        compose::tools(),
        container::tools(),
        diagnose::tools(),
        image::tools(),
        network::tools(),
        system::tools(),
        volume::tools(),
    ];
    let mut entries: Vec<Entry> = families.into_iter().flatten().collect();
    sort::by(&mut entries, |a, b| a.spec.name.cmp(b.spec.name));
    entries
}
