//! The real disk: the only part of the policy that touches one.

use std::fs::FileType;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Component, Path, PathBuf};

use super::located::{FileKind, Located, Paths};
use super::prescan::{Files, MAX_BYTES};

#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Paths for Disk {
    fn locate(&self, path: &Path) -> Located {
        locate(path).unwrap_or_else(|| Located { path: path.to_owned(), kind: FileKind::Unknown })
    }
}

impl Files for Disk {
    fn link_to_nothing(&self, path: &Path) -> Option<PathBuf> {
        let is_missing = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
        let leads_nowhere = path.metadata().err().is_some_and(|error| is_missing(&error));
        if leads_nowhere { path.read_link().ok() } else { None }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    /// A folder of its own, which is removed with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("policy-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder.canonicalize().unwrap())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn links_are_followed_to_their_end() {
        let folder = Folder::new("links");
        let at = |name: &str| folder.0.join(name);
        fs::create_dir(at("data")).unwrap();
        fs::write(at("data/file"), "x").unwrap();
        symlink("data", at("good")).unwrap();
        symlink("/", at("everything")).unwrap();
        symlink(at("everything"), at("twice")).unwrap();
        symlink("nowhere", at("broken")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let _socket = UnixListener::bind(at("s.sock")).unwrap();
        symlink("s.sock", at("innocent")).unwrap();

        let located = |name: &str| {
            let Located { path, kind } = Disk.locate(&at(name));
            (path, kind)
        };
        assert_eq!(located("data"), (at("data"), FileKind::Folder));
        assert_eq!(located("good/file"), (at("data/file"), FileKind::File));
        assert_eq!(located("data/../good"), (at("data"), FileKind::Folder));
        assert_eq!(located("everything"), ("/".into(), FileKind::Folder));
        assert_eq!(located("twice/dev/null"), ("/dev/null".into(), FileKind::Device));
        assert_eq!(located("innocent"), (at("s.sock"), FileKind::Socket));
        // What is not there yet is where it would be.
        assert_eq!(located("good/new/x"), (at("data/new/x"), FileKind::Missing));
        assert_eq!(located("everything/no-such-folder").0, Path::new("/no-such-folder"));
        for unknown in ["broken", "broken/x", "loop", "loop/x", "new/../x", "data/file/x"] {
            assert_eq!(located(unknown).1, FileKind::Unknown, "{unknown}");
        }
        assert_eq!(Disk.locate(Path::new("relative")).kind, FileKind::Unknown);
        assert_eq!(Disk.link_to_nothing(&at("broken")).unwrap(), Path::new("nowhere"));
        for other in ["good", "loop", "data", "absent", "broken/x"] {
            assert_eq!(Disk.link_to_nothing(&at(other)), None, "{other}");
        }
    }

    #[test]
    fn only_regular_files_of_utf_8_are_read() {
        let folder = Folder::new("read");
        let at = |name: &str| folder.0.join(name);
        fs::write(at("text"), "services: {}").unwrap();
        fs::write(at("bytes"), [0xff, 0xfe]).unwrap();
        fs::write(at("large"), "x".repeat(MAX_BYTES + 100)).unwrap();
        assert_eq!(Disk.read(&at("text")).unwrap(), "services: {}");
        assert_eq!(Disk.read(&at("large")).unwrap().len(), MAX_BYTES + 1);
        for unreadable in [at("bytes"), at("none"), folder.0.clone(), "/dev/zero".into()] {
            assert!(Disk.read(&unreadable).is_err(), "{unreadable:?}");
        }
    }
}
