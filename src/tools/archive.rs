//! What goes into a container or a build, as the archive that docker takes from its standard input.
//!
//! Docker itself would read the files by their path, some moments after that path was judged, and a
//! container that has the project folder can put a link in the place of a folder in between. So the
//! files are opened here, name by name, and no link is followed on the way.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

const BLOCK: usize = 512;
/// Each level keeps a descriptor open.
const LEVELS: usize = 200;
/// A folder on the way need not be readable.
#[cfg(target_os = "linux")]
const PASSED: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const PASSED: OFlags = OFlags::RDONLY;

/// Writes the file or folder `from`, an absolute path without links, as `name`.
///
/// # Errors
/// For a link where none was, when it is neither file, folder nor link, for a file that shrinks
/// meanwhile, and whatever the disk or `out` says.
pub(in crate::tools) fn write(from: &Path, name: &OsStr, out: impl Write) -> io::Result<()> {
    write_some(from, name, &|_| Kept::Whole, &[], out)
}

/// What is taken of a file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) enum Kept {
    Whole,
    /// Not the folder, but perhaps something in it.
    Inside,
    Nothing,
}

/// As [`write`], with what `kept` says of the names in the archive, and with further files.
///
/// # Errors
/// As [`write`].
pub(in crate::tools) fn write_some(
    from: &Path,
    name: &OsStr,
    kept: &dyn Fn(&[u8]) -> Kept,
    further: &[(&str, &str)],
    out: impl Write,
) -> io::Result<()> {
    let mut folder = rustix::fs::open("/", PASSED | FOLDER, Mode::empty())?;
    let mut parts = from.components().peekable();
    let mut archive = Archive { out, kept };
    while let Some(part) = parts.next() {
        match part {
            Component::RootDir => {}
            Component::Normal(part) if parts.peek().is_some() => {
                folder = rustix::fs::openat(&folder, part, PASSED | FOLDER, Mode::empty())?;
            }
            Component::Normal(part) => {
                archive.entry(folder.as_fd(), part, name.as_bytes(), LEVELS)?;
                for (name, text) in further {
                    archive.text(name.as_bytes(), text.as_bytes())?;
                }
                return archive.end();
            }
            _ => break,
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is no file in a folder"))
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Not to wait for the other side of a pipe.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

struct Archive<'a, W> {
    out: W,
    kept: &'a dyn Fn(&[u8]) -> Kept,
}

impl<W: Write> Archive<'_, W> {
    fn entry(
        &mut self,
        folder: BorrowedFd<'_>,
        file: &OsStr,
        name: &[u8],
        levels: usize,
    ) -> io::Result<()> {
        let told = rustix::fs::statat(folder, file, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(told.st_mode);
        if kind != FileType::Directory && (self.kept)(name) != Kept::Whole {
            return Ok(());
        }
        match kind {
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(folder, file, Vec::<u8>::new())?;
                self.header(name, target.to_bytes(), b'2', 0, &told)
            }
            FileType::Directory if levels > 0 => {
                let opened =
                    rustix::fs::openat(folder, file, OFlags::RDONLY | FOLDER, Mode::empty())?;
                let kept = (self.kept)(name);
                let name = [name, b"/"].concat();
                if kept == Kept::Whole {
                    self.header(&name, b"", b'5', 0, &rustix::fs::fstat(&opened)?)?;
                }
                for inner in names(&opened)? {
                    let inner_name = [&name[..], inner.as_bytes()].concat();
                    if (self.kept)(&inner_name) == Kept::Nothing {
                        continue;
                    }
                    self.entry(opened.as_fd(), &inner, &inner_name, levels - 1)?;
                }
                Ok(())
            }
            FileType::RegularFile => {
                let opened = File::from(rustix::fs::openat(folder, file, FILE, Mode::empty())?);
                let told = rustix::fs::fstat(&opened)?;
                if FileType::from_raw_mode(told.st_mode) != FileType::RegularFile {
                    return Err(other(name, "is no file any more"));
                }
                let size = u64::try_from(told.st_size).unwrap_or_default();
                self.header(name, b"", b'0', size, &told)?;
                if io::copy(&mut opened.take(size), &mut self.out)? != size {
                    return Err(other(name, "became shorter while it was read"));
                }
                self.pad(size)
            }
            FileType::Directory => Err(other(name, "lies too deep")),
            // Within a folder a pipe, a socket or a device is left out.
            _ if levels < LEVELS => Ok(()),
            _ => Err(other(name, "is neither a file nor a folder")),
        }
    }

    fn text(&mut self, name: &[u8], text: &[u8]) -> io::Result<()> {
        let size = text.len() as u64;
        self.out.write_all(&block(name, b"", b'0', size, [0o644, 0, 0, 0]))?;
        self.out.write_all(text)?;
        self.pad(size)
    }

    /// As GNU tar has it, with the long names and large numbers of its own. Without the bits that
    /// let a program run with the rights of its owner, who is another one there.
    fn header(
        &mut self,
        name: &[u8],
        link: &[u8],
        kind: u8,
        size: u64,
        told: &Stat,
    ) -> io::Result<()> {
        for (text, kind) in [(name, b'L'), (link, b'K')] {
            if text.len() > 99 {
                let size = text.len() as u64 + 1;
                self.out.write_all(&block(b"././@LongLink", b"", kind, size, [0; 4]))?;
                self.out.write_all(text)?;
                self.out.write_all(&[0])?;
                self.pad(size)?;
            }
        }
        let seconds = u64::try_from(told.st_mtime).unwrap_or_default();
        let numbers =
            [u64::from(told.st_mode) & 0o1777, told.st_uid.into(), told.st_gid.into(), seconds];
        self.out.write_all(&block(name, link, kind, size, numbers))
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
        self.out.write_all([0; BLOCK].get(over..).filter(|_| over > 0).unwrap_or_default())
    }

    fn end(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()
    }
}

/// In a stable order.
fn names(folder: impl AsFd) -> io::Result<Vec<std::ffi::OsString>> {
    let mut names = vec![];
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if name != c"." && name != c".." {
            names.push(OsStr::from_bytes(name.to_bytes()).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn other(name: &[u8], problem: &str) -> io::Error {
    io::Error::other(format!("{} {problem}", String::from_utf8_lossy(name)))
}

/// The numbers are mode, user, group and time.
fn block(name: &[u8], link: &[u8], kind: u8, size: u64, numbers: [u64; 4]) -> Vec<u8> {
    let [mode, user, group, time] = numbers;
    let fields = [
        text(name, 100),
        number(mode, 8),
        number(user, 8),
        number(group, 8),
        number(size, 12),
        number(time, 12),
        // Counted as blanks.
        text(b"        ", 8),
        vec![kind],
        text(link, 100),
        text(b"ustar  ", 255),
    ];
    let mut block = fields.concat();
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    block.splice(148..156, sum.into_bytes());
    block
}

/// Cut to leave a zero behind it; the whole stands before then.
fn text(text: &[u8], width: usize) -> Vec<u8> {
    let end = if width == 8 { width } else { width - 1 };
    let mut field = text.get(..end).unwrap_or(text).to_vec();
    field.resize(width, 0);
    field
}

/// Octal, or else a binary number with a mark before it.
fn number(number: u64, width: usize) -> Vec<u8> {
    let octal = format!("{number:0digits$o}\0", digits = width - 1);
    if octal.len() == width {
        return octal.into_bytes();
    }
    let mut field = vec![0; width.saturating_sub(8)];
    field.extend(number.to_be_bytes());
    if let Some(first) = field.first_mut() {
        *first |= 0x80;
    }
    field
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// Written, and read again by the system's own `tar`.
    fn listed(from: &Path, place: &Path) -> Vec<String> {
        let archive = place.join("x.tar");
        write(from, "app".as_ref(), File::create(&archive).unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "another maker's reader, to compare with")]
        let mut tar = std::process::Command::new("tar");
        let output = tar.args(["--numeric-owner", "-tvf"]).arg(&archive).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let of_line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            [&[words[0], words[2]], &words[5..]].concat().join(" ")
        };
        text.lines().map(of_line).collect()
    }

    #[test]
    fn every_kind_of_file_is_in_the_archive() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let (from, long) = (place.join("from"), "l".repeat(120));
        fs::create_dir_all(from.join("sub").join(&long)).unwrap();
        fs::write(from.join("a"), "abc").unwrap();
        fs::write(from.join("sub").join(&long).join("b"), "x".repeat(512)).unwrap();
        symlink("/etc/passwd", from.join("link")).unwrap();
        symlink(&long, from.join("sub/long")).unwrap();
        // Left out.
        let socket = from.join("sub/socket");
        let _listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        for path in [from.clone(), from.join("sub"), from.join("sub").join(&long)] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o750)).unwrap();
        }
        fs::set_permissions(from.join("a"), fs::Permissions::from_mode(0o4640)).unwrap();
        let in_long = from.join("sub").join(&long).join("b");
        fs::set_permissions(in_long, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(
            listed(&from, &place),
            [
                "drwxr-x--- 0 app/".to_owned(),
                "-rw-r----- 3 app/a".to_owned(),
                "lrwxrwxrwx 0 app/link -> /etc/passwd".to_owned(),
                "drwxr-x--- 0 app/sub/".to_owned(),
                format!("drwxr-x--- 0 app/sub/{long}/"),
                format!("-rw------- 512 app/sub/{long}/b"),
                format!("lrwxrwxrwx 0 app/sub/long -> {long}"),
            ]
        );
        assert_eq!(listed(&from.join("a"), &place), ["-rw-r----- 3 app"]);
    }

    #[test]
    fn no_link_is_followed_on_the_way() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        fs::create_dir_all(place.join("outside/sub")).unwrap();
        fs::write(place.join("outside/sub/secret"), "secret").unwrap();
        symlink("outside", place.join("folder")).unwrap();
        symlink("outside/sub/secret", place.join("file")).unwrap();
        let written = |path: &str| {
            let mut out = vec![];
            let result = write(&place.join(path), "x".as_ref(), &mut out);
            (result.is_ok(), String::from_utf8_lossy(&out).contains("secret\0\0"))
        };
        assert_eq!(written("outside/sub/secret"), (true, true));
        for path in ["folder/sub/secret", "folder/sub", "nowhere", "outside/../outside/sub"] {
            assert_eq!(written(path), (false, false), "{path}");
        }
        let mut out = vec![];
        write(&place.join("file"), "x".as_ref(), &mut out).unwrap();
        assert_eq!(out[156], b'2', "a link goes as a link");
        assert!(write(Path::new("/dev/null"), "x".as_ref(), vec![]).is_err());
        assert!(write(Path::new("/"), "x".as_ref(), vec![]).is_err());
    }

    #[test]
    fn large_numbers_are_binary() {
        assert_eq!(number(0o644, 8), b"0000644\0");
        assert_eq!(number(u64::from(u32::MAX), 8), [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(number(8 << 30, 12), [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    }
}
