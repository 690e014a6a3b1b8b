//! Folders below which paths may be used.

use std::path::{Path, PathBuf};

use super::located::{FileKind, Paths};
use super::places;

/// A folder (or a single file) below which paths may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Canonical.
    pub path: PathBuf,
    pub read_only: bool,
    /// The operator named it; the project folder is found by itself.
    pub is_explicit: bool,
}

impl Root {
    /// Reads the `PATH[:ro]` of `--allow-path`.
    ///
    /// # Errors
    /// For a path that is not absolute, cannot be followed, or is `/`.
    pub fn given(text: &str, paths: &dyn Paths) -> Result<Self, String> {
        let (path, read_only) = match text.strip_suffix(":ro") {
            Some(path) => (path, true),
            None => (text.strip_suffix(":rw").unwrap_or(text), false),
        };
        if !Path::new(path).is_absolute() {
            return Err(format!("{text:?} is not an absolute path"));
        }
        let located = paths.locate(Path::new(path));
        if located.kind == FileKind::Unknown {
            return Err(format!("{path:?} cannot be followed to where it leads"));
        }
        if located.path == Path::new("/") {
            return Err("\"/\" is everything: use --policy unrestricted".to_owned());
        }
        Ok(Self { path: located.path, read_only, is_explicit: true })
    }

    /// The project folder as a root.
    ///
    /// # Errors
    /// Why a folder is too large or too dangerous to be one unasked.
    pub fn project(folder: &Path, home: Option<&Path>) -> Result<Self, String> {
        let shown = folder.display();
        if folder == Path::new("/") {
            return Err("the server was started in /".to_owned());
        }
        if home.is_some_and(|home| home.starts_with(folder)) {
            return Err(format!("the server was started in {shown}, which holds the home folder"));
        }
        if places::is_home(folder) || places::system_path(folder).is_some() {
            return Err(format!("the server was started in {shown}, which is no project folder"));
        }
        if let Some(name) = places::credential(folder, home) {
            return Err(format!("the server was started in {shown}, and {name} holds credentials"));
        }
        Ok(Self { path: folder.to_owned(), read_only: false, is_explicit: false })
    }

    pub(super) fn covers(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }
}
