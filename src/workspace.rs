//! The folder that the client started us for, and the files in it that tools may name.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::command::invocation::FileState;
use crate::command::values::HostPath;
use crate::error::{Code, Error};
use crate::policy::{Disk, Policy};

/// No compose file or environment file that a person wrote is larger.
const TEXT_FILE_MAX: u64 = 256 << 10;
/// Looking at so many entries of a folder takes some 30 ms; what comes after them is not seen.
const ENTRIES_MAX: usize = 10_000;
/// Folders that tools fill: what is new in them says nothing about what a person has changed.
const FILLED_BY_TOOLS: [&str; 5] = [".git", "node_modules", "target", "__pycache__", ".venv"];

/// Where relative paths begin.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub folder: PathBuf,
    pub policy: Arc<Policy>,
    /// Where this server keeps what it has to know later; nothing is kept without it.
    pub state: Option<PathBuf>,
}

impl Workspace {
    pub fn new(folder: PathBuf, policy: Arc<Policy>) -> Self {
        Self { folder, policy, state: None }
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
    /// DKR-014 outside of the operator's folders; DKR-004 for what does not exist, is not a regular
    /// file, too large or not UTF-8.
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

    /// The file below a folder that changed last, apart from these. Nothing for what is no folder
    /// of the project. Links are not followed.
    pub fn newest_file(
        &self,
        folder: &Path,
        apart_from: &[PathBuf],
    ) -> Option<(PathBuf, SystemTime)> {
        let folder = folder.canonicalize().ok().filter(|it| it.starts_with(&self.folder))?;
        let (mut newest, mut left) = (None, ENTRIES_MAX);
        let mut open = vec![folder];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if left == 0 {
                    return newest;
                }
                left -= 1;
                let Ok(metadata) = entry.metadata() else { continue };
                let is_filled = FILLED_BY_TOOLS.iter().any(|name| entry.file_name() == *name);
                if metadata.is_dir() {
                    open.extend((!is_filled).then(|| entry.path()));
                } else if let Ok(changed) = metadata.modified()
                    && newest.as_ref().is_none_or(|(_, known)| changed > *known)
                    && !apart_from.contains(&entry.path())
                {
                    newest = Some((entry.path(), changed));
                }
            }
        }
        newest
    }

    fn read_text_file(&self, parameter: &str, path: &HostPath) -> Result<(PathBuf, String), Error> {
        // A file that is missing is a wrong argument here.
        let path = self.existing(parameter, path).map_err(|mut error| {
            error.code = Code::InvalidConfiguration;
            error
        })?;
        // Before it is read: a complaint about what is wrong in a file tells what is in it.
        self.policy.file(&path, true, parameter, &Disk)?;
        let text = read_text(&path, TEXT_FILE_MAX).map_err(|problem| {
            Error::invalid(parameter, format!("{}: {problem}", path.display()))
        })?;
        Ok((path, text))
    }
}

/// The files that docker reads before a build; it would wait for the other end of a pipe until its
/// time limit. A Dockerfile without a folder lies in the context.
///
/// # Errors
/// DKR-004.
pub fn demand_no_pipe(context: &Path, dockerfile: Option<&Path>) -> Result<(), Error> {
    let dockerfile = context.join(dockerfile.unwrap_or(Path::new("Dockerfile")));
    let mut of_dockerfile = dockerfile.clone().into_os_string();
    of_dockerfile.push(".dockerignore");
    for file in [context.join(".dockerignore"), of_dockerfile.into(), dockerfile] {
        if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            let message = format!("{} is not a regular file", file.display());
            return Err(Error::invalid("context", message));
        }
    }
    Ok(())
}

/// Moves a file and never replaces one, where the file system can do that in one step; some cannot.
///
/// # Errors
/// `AlreadyExists`, and whatever the disk says.
pub fn move_to_free_place(from: &Path, to: &Path) -> std::io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            if to.symlink_metadata().is_ok() {
                return Err(std::io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        moved => Ok(moved?),
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

/// How files are now; nothing when one of them was changed so lately that another change could look
/// the same, because file systems count time in ticks of up to 10 ms.
pub fn file_states(files: impl IntoIterator<Item = PathBuf>) -> Option<Vec<FileState>> {
    const TICKS: Duration = Duration::from_millis(100);
    let now = SystemTime::now();
    let state = |path: PathBuf| {
        let Ok(metadata) = path.metadata() else { return Some(FileState { path, identity: None }) };
        let changed = Duration::new(
            metadata.ctime().try_into().ok()?,
            metadata.ctime_nsec().try_into().ok()?,
        );
        let age = now.duration_since(SystemTime::UNIX_EPOCH + changed).ok()?;
        let [device, number, size] =
            [metadata.dev(), metadata.ino(), metadata.size()].map(u64::cast_signed);
        let changed = i64::try_from(changed.as_nanos()).ok()?;
        let identity = Some([device, number, size, changed]);
        (age > TICKS).then_some(FileState { path, identity })
    };
    files.into_iter().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file_is_found_apart_from_what_tools_fill() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let put = |name: &str, seconds: u64| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = std::fs::File::create(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
                .unwrap();
            path
        };
        let app = put("web/src/app.py", 20);
        put("web/Dockerfile", 10);
        put("web/node_modules/x/index.js", 40);
        let compose = put("web/compose.yaml", 30);
        put("other.txt", 50);
        let workspace = Workspace::new(root.clone(), Arc::default());
        let newest = |folder: &Path| {
            workspace.newest_file(folder, std::slice::from_ref(&compose)).map(|it| it.0)
        };
        assert_eq!(newest(&root.join("web")), Some(app));
        assert_eq!(newest(&root.join("absent")), None);
        assert_eq!(newest(Path::new("/")), None, "it is outside of the project folder");
        assert_eq!(newest(&root.join("web/..")), Some(root.join("other.txt")));
    }
}
