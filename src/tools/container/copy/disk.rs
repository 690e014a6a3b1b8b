//! The side of this machine: counting, and putting into place what came.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};
use crate::sort;
use crate::tools::confirm::token;

/// What was found or done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) overwritten: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// The files below a path, or the one that it is. Links count as files and are not followed.
///
/// # Errors
/// DKR-004 for what is neither a file nor a folder, and what cannot be read.
pub(super) fn count(path: &Path) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).map_err(|error| failed(&path, &error))?;
        if metadata.is_dir() {
            left.extend(entries(&path)?);
        } else if metadata.is_file() || metadata.is_symlink() {
            found.files += 1;
            found.bytes += if metadata.is_file() { metadata.len() } else { 0 };
        } else {
            let message = format!("{}: is neither a file nor a folder", path.display());
            return Err(Error::invalid("source", message));
        }
    }
    Ok(found)
}

/// A new folder beside the destination, which is gone in the end, whatever happens.
pub(super) struct Staging(PathBuf);

impl Staging {
    /// # Errors
    /// DKR-004 when the folder of the destination cannot be written.
    pub(super) fn beside(target: &Path) -> Result<Self, Error> {
        let folder = target.with_file_name(format!(".docker-mcp-copy-{}", token()?));
        fs::create_dir(&folder).map_err(|error| failed(&folder, &error))?;
        Ok(Self(folder))
    }

    /// Where docker puts it.
    pub(super) fn place(&self, target: &Path) -> PathBuf {
        self.0.join(target.file_name().unwrap_or_default())
    }

    /// Moves what came to where it belongs; folders that are there keep what else is in them.
    ///
    /// # Errors
    /// DKR-004 when a file would replace a folder or the other way round: nothing is moved then.
    pub(super) fn put_in_place(&self, target: &Path) -> Result<Found, Error> {
        let came = self.place(target);
        let mut found = count(&came)?;
        let mut moves = vec![];
        plan(&came, target, &mut moves)?;
        for (from, to) in moves {
            if fs::symlink_metadata(&to).is_ok() {
                found.overwritten.push(to.display().to_string());
            }
            fs::rename(&from, &to).map_err(|error| failed(&to, &error))?;
        }
        Ok(found)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a folder could not be removed");
        }
    }
}

/// What is to be moved where, so that nothing is lost but files of the same name.
fn plan(from: &Path, to: &Path, moves: &mut Vec<(PathBuf, PathBuf)>) -> Result<(), Error> {
    let Ok(there) = fs::symlink_metadata(to) else {
        moves.push((from.to_owned(), to.to_owned()));
        return Ok(());
    };
    let is_folder = fs::symlink_metadata(from).map_err(|error| failed(from, &error))?.is_dir();
    match (is_folder, there.is_dir()) {
        (true, true) => {
            for entry in entries(from)? {
                let name = entry.file_name().unwrap_or_default();
                plan(&entry, &to.join(name), moves)?;
            }
        }
        (false, false) => moves.push((from.to_owned(), to.to_owned())),
        (true, false) => return Err(in_the_way(to, "a folder", "a file")),
        (false, true) => return Err(in_the_way(to, "a file", "a folder")),
    }
    Ok(())
}

fn in_the_way(to: &Path, comes: &str, is: &str) -> Error {
    let message = format!("{} is {is}, and {comes} of that name came", to.display());
    Error::invalid("destination", message).hint("choose another destination, or move it away first")
}

/// In a stable order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut entries = read().map_err(|error| failed(folder, &error))?;
    sort::by(&mut entries, Ord::cmp);
    Ok(entries)
}

pub(super) fn failed(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::NotFound => Code::ResourceNotFound,
        io::ErrorKind::StorageFull => Code::NoSpace,
        _ => Code::InvalidConfiguration,
    };
    Error::new(code, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("copy-{name}-{}", token().unwrap()));
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_there_stays_unless_it_has_the_same_name() {
        let folder = folder("merge");
        let target = folder.join("out");
        for (file, text) in [("out/same", "old"), ("out/sub/kept", "kept")] {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            fs::write(folder.join(file), text).unwrap();
        }
        let staging = Staging::beside(&target).unwrap();
        let came = staging.place(&target);
        fs::create_dir_all(came.join("sub")).unwrap();
        fs::write(came.join("same"), "new").unwrap();
        fs::write(came.join("sub/more"), "more!").unwrap();
        let found = staging.put_in_place(&target).unwrap();
        drop(staging);
        assert_eq!((found.files, found.bytes), (2, 8));
        assert_eq!(found.overwritten, [target.join("same").display().to_string()]);
        assert_eq!(fs::read_to_string(target.join("same")).unwrap(), "new");
        assert_eq!(fs::read_to_string(target.join("sub/kept")).unwrap(), "kept");
        assert_eq!(
            entries(&folder).unwrap(),
            std::slice::from_ref(&target),
            "the staging folder is gone"
        );

        // A file where a folder is: nothing is moved.
        let staging = Staging::beside(&target).unwrap();
        fs::write(staging.place(&target), "file").unwrap();
        assert!(staging.put_in_place(&target).is_err());
        drop(staging);
        assert_eq!(fs::read_to_string(target.join("same")).unwrap(), "new");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_pipe_is_not_copied_and_a_link_is_not_followed() {
        let folder = folder("count");
        std::os::unix::fs::symlink("/etc", folder.join("link")).unwrap();
        fs::write(folder.join("file"), "abc").unwrap();
        assert_eq!(count(&folder).unwrap(), Found { files: 2, bytes: 3, ..Found::default() });
        assert!(count(Path::new("/dev/null")).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
