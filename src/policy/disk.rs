//! The real disk: the only part of the policy that touches one.

use std::fs::FileType;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Component, Path};

use super::paths::{FileKind, Located, Paths};
use super::prescan::{Files, MAX_BYTES};

#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Paths for Disk {
    fn locate(&self, path: &Path) -> Located {
        locate(path).unwrap_or_else(|| Located { path: path.to_owned(), kind: FileKind::Unknown })
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<String, String> {
        let metadata = path.metadata().map_err(|error| error.to_string())?;
        // A pipe or a device would never end.
        if !metadata.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
        let mut bytes = vec![];
        let read = file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
    }
}

fn locate(path: &Path) -> Option<Located> {
    if !path.is_absolute() {
        return None;
    }
    match path.canonicalize() {
        Ok(path) => {
            let kind = kind(path.symlink_metadata().ok()?.file_type());
            Some(Located { path, kind })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => missing(path),
        Err(_) => None,
    }
}

/// The nearest parent that exists, with the rest of the path.
fn missing(path: &Path) -> Option<Located> {
    for parent in path.ancestors() {
        match parent.canonicalize() {
            Ok(canonical) => {
                let rest = path.strip_prefix(parent).ok()?;
                if rest.components().any(|component| component == Component::ParentDir) {
                    return None;
                }
                return Some(Located { path: canonical.join(rest), kind: FileKind::Missing });
            }
            // A link that leads nowhere yet may lead anywhere once it is used.
            Err(_) if parent.is_symlink() => return None,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    None
}

fn kind(file_type: FileType) -> FileKind {
    if file_type.is_file() {
        FileKind::File
    } else if file_type.is_dir() {
        FileKind::Folder
    } else if file_type.is_socket() {
        FileKind::Socket
    } else if file_type.is_fifo() {
        FileKind::Pipe
    } else if file_type.is_block_device() || file_type.is_char_device() {
        FileKind::Device
    } else {
        FileKind::Unknown
    }
}
