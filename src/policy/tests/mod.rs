//! The policy as a whole; what a single file decides is tested there.

mod existing;
mod invocations;
mod paths;
mod properties;
mod table;
mod texts;
