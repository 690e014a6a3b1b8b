//! The folder that the client started us for, and the files in it that tools may name.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::command::values::HostPath;
use crate::error::{Code, Error};
use crate::policy::{Disk, Policy};

/// No compose file or environment file that a person wrote is larger.
const TEXT_FILE_MAX: u64 = 256 << 10;

/// Where relative paths begin.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub folder: PathBuf,
    pub policy: Arc<Policy>,
}

impl Workspace {
    pub fn new(folder: PathBuf, policy: Arc<Policy>) -> Self {
        Self { folder, policy }
    }

    /// The absolute, canonical form of a path that must exist.
    ///
    /// # Errors
    /// DKR-008 when there is nothing, DKR-004 when it cannot be looked at.
    pub fn existing(&self, parameter: &str, path: &HostPath) -> Result<PathBuf, Error> {
        // Without the `./` in the middle, which reads badly in a complaint.
        let absolute: PathBuf = self.folder.join(path.as_str()).components().collect();
        absolute.canonicalize().map_err(|error| {
            let code = match error.kind() {
                std::io::ErrorKind::NotFound => Code::ResourceNotFound,
                _ => Code::InvalidConfiguration,
            };
            Error::new(code, format!("{}: {}", absolute.display(), plain(&error)))
                .with("parameter", parameter)
                .hint(format!("relative paths begin at {}", self.folder.display()))
        })
    }

    /// The absolute form of a file that is to be made, in a folder that must exist.
    ///
    /// # Errors
    /// As [`Self::existing`]; DKR-014 outside of the operator's folders; DKR-004 for what exists:
    /// nothing is written over.
    pub fn absent(&self, parameter: &str, path: &HostPath) -> Result<PathBuf, Error> {
        let absolute = self.folder.join(path.as_str());
        let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(Error::invalid(parameter, format!("{path} does not name a file")));
        };
        let folder = folder.to_string_lossy().parse().map_err(|problem: String| {
            Error::invalid(parameter, format!("the folder of {path}: {problem}"))
        })?;
        let absolute = self.existing(parameter, &folder)?.join(name);
        self.policy.file(&absolute, false, parameter, &Disk)?;
        if absolute.symlink_metadata().is_ok() {
            let message = format!("{} exists already", absolute.display());
            return Err(Error::invalid(parameter, message)
                .hint("choose another path: nothing is written over"));
        }
        Ok(absolute)
    }

    /// Reads a text file once, so that what is checked is what is used.
    ///
    /// # Errors
    /// As [`Self::existing`]; DKR-014 outside of the operator's folders; DKR-004 for what is not a regular file, too large or not UTF-8.
    pub fn read_compose_file(
        &self,
        parameter: &str,
        path: &HostPath,
    ) -> Result<(PathBuf, String), Error> {
        self.read_text_file(parameter, path)
    }

    /// Reads an environment file once.
    ///
    /// # Errors
    /// As [`Self::read_compose_file`].
    pub fn read_env_file(
        &self,
        parameter: &str,
        path: &HostPath,
    ) -> Result<(PathBuf, String), Error> {
        self.read_text_file(parameter, path)
    }

    fn read_text_file(&self, parameter: &str, path: &HostPath) -> Result<(PathBuf, String), Error> {
        let path = self.existing(parameter, path)?;
        // Before it is read: a complaint about what is wrong in a file tells what is in it.
        self.policy.file(&path, true, parameter, &Disk)?;
        let text = read_text(&path, TEXT_FILE_MAX).map_err(|problem| {
            Error::invalid(parameter, format!("{}: {problem}", path.display()))
        })?;
        Ok((path, text))
    }
}

fn read_text(path: &Path, max: u64) -> Result<String, String> {
    // A pipe or a device would never end.
    let metadata = path.metadata().map_err(|error| plain(&error))?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(|error| plain(&error))?;
    let mut bytes = vec![];
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| plain(&error))?;
    if bytes.len() as u64 > max {
        return Err(format!("is larger than {max} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

/// The system's words without its error number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
