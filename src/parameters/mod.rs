//! Parameters of tools: as clients send them, as a struct takes them, as a definition tells them.

pub mod arguments;
pub mod schema;
mod synonyms;
mod with;

use serde_json::{Map, Value};

pub use schema::Brief;
pub use with::With;

/// The parameters that are the same for all tools that change something.
pub const CONSENT: [&str; 2] = ["dry_run", "confirm"];

/// The arguments of a call, by name.
pub type Arguments = Map<String, Value>;
