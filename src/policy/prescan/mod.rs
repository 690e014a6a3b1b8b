//! The text of a compose file, before compose reads it.
//!
//! `docker compose config` reads every file that `include`, `extends`, `env_file` and `label_file`
//! name, and prints lines of what it cannot parse: `env_file: /etc/shadow` is enough. So these
//! references are collected first, from the YAML events (on raw text an escape, an anchor or a tag
//! would hide them), their variables are put in as compose will do it, and each must be a path that
//! the policy allows. Beside them only what would make compose itself grow is counted. Nothing else
//! is decided here: what the project means is for [`Policy::vet`](super::Policy::vet).
//!
//! What is valid is for compose to say: its reader and ours are of one family (`yaml.rs`), so that it
//! sees no key that ours does not. A text that ours cannot read is refused, for its references would
//! be unknown.

mod lines;
mod references;
#[cfg(test)]
mod tests;
mod tree;
mod variables;
mod walk;
mod yaml;

pub use lines::Lines;
pub use references::{Inclusion, PortList, Reference, ReferenceKind, Scan, scan};
pub use tree::ScanError;
pub use walk::{Absent, Files, Prescanned, Source, Unscanned};

/// No compose file that a person wrote is larger.
pub(super) const MAX_BYTES: usize = 256 << 10;
/// Levels of lists and maps; a compose file has about ten.
const MAX_DEPTH: usize = 64;
/// What a text may come to with its aliases expanded, which compose does in memory. Newer ones
/// of compose have the first limit themselves; a large file of a person has a few thousand values.
const MAX_EXPANDED: tree::Size = tree::Size { values: 100_000, bytes: 4 << 20 };

use super::rule::Rule;

/// Something in the text that a rule denies.
#[derive(Debug)]
pub struct Found {
    pub rule: &'static Rule,
    pub subject: String,
    /// Counted from 1.
    pub line: usize,
}
