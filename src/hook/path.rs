//! Paths by their words alone: what does not exist yet has one too.

use std::path::{Component, Path, PathBuf};

/// A path as this folder has it, without `.` and `..`; nothing when the folder is not known.
pub(super) fn resolved(path: &str, folder: Option<&Path>) -> Option<PathBuf> {
    let joined = match Path::new(path) {
        path if path.is_absolute() => path.to_owned(),
        path => folder?.join(path),
    };
    let mut normal = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    Some(normal)
}
