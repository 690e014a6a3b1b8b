//! Standard input that is made while docker reads it, or output that is read while docker writes.

use std::hash::{Hash, Hasher};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// One end of a pipe, or a file. It is equal only to itself.
#[derive(Clone)]
pub struct Feed(Arc<OwnedFd>);

impl Feed {
    pub fn new(end: impl Into<OwnedFd>) -> Self {
        Self(Arc::new(end.into()))
    }

    /// For a process to read from, or to write to.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn end(&self) -> std::io::Result<OwnedFd> {
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
