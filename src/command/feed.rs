//! Standard input that is made while docker reads it.

use std::hash::{Hash, Hasher};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The reading end of a pipe. It is equal only to itself.
#[derive(Clone)]
pub struct Feed(Arc<OwnedFd>);

impl Feed {
    pub fn new(reader: impl Into<OwnedFd>) -> Self {
        Self(Arc::new(reader.into()))
    }

    /// For a process to read from.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn reader(&self) -> std::io::Result<OwnedFd> {
        self.0.try_clone()
    }
}

impl PartialEq for Feed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Feed {}

impl Hash for Feed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
