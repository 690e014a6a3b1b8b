//! Where a path leads, as far as the policy must know it.

use std::path::{Path, PathBuf};

/// The disk, as far as the policy must know it. [`super::Disk`] is the real one.
pub trait Paths {
    /// Where a path leads once every symbolic link is followed. For what does not exist (yet) that
    /// is the place where it would be created.
    fn locate(&self, path: &Path) -> Located;
}

/// Where a path leads, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    pub path: PathBuf,
    pub kind: FileKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    File,
    Folder,
    Socket,
    Device,
    Pipe,
    /// Nothing is there, but its parent folder is known.
    Missing,
    /// It cannot be followed (no permission, a loop, not absolute).
    Unknown,
}
