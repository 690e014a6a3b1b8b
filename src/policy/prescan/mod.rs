//! The text of a compose file, before compose reads it.
//!
//! `docker compose config` reads every file that `include`, `extends`, `env_file` and `label_file`
//! name, and prints lines of what it cannot parse: `env_file: /etc/shadow` is enough. So these
//! references are collected first, from the YAML events (on raw text an escape, an anchor or a tag
//! would hide them), and each must be a literal path that the policy allows. Nothing else is
//! decided here: what the project means is for [`Policy::vet`](super::Policy::vet).
//!
//! Where YAML readers disagree about a text it is refused: compose's reader (YAML 1.1 in Go) must
//! not see a key that ours (YAML 1.2) does not.

mod lines;
mod references;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

pub use lines::Lines;
pub use references::{Reference, ReferenceKind, Scan, scan};
pub use tree::ScanError;
pub use walk::{Files, Source};

/// No compose file that a person wrote is larger.
pub(super) const MAX_BYTES: usize = 256 << 10;
/// Levels of lists and maps; a compose file has about ten.
const MAX_DEPTH: usize = 64;

use super::rule::Rule;

/// Something in the text that a rule denies.
#[derive(Debug)]
pub struct Found {
    pub rule: &'static Rule,
    pub subject: String,
    /// Counted from 1.
    pub line: usize,
}
