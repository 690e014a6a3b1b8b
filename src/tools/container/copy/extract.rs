//! What comes out of a container, from the archive that docker prints.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path};

use tar::{Archive, EntryType};

/// Puts what is in the archive at `place`, which is not there yet. Of content alone the folder is
/// not in the archive. Nothing gets out of that folder, whatever names and links say; what is
/// neither file, folder nor link is left out.
///
/// # Errors
/// What the disk says, and for an archive that is cut off.
pub(super) fn unpack(mut from: impl Read, place: &Path, is_content: bool) -> io::Result<()> {
    let (Some(parent), Some(file)) = (place.parent(), place.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file"));
    };
    let inside = parent.join(if is_content { file } else { ".unpacked".as_ref() });
    fs::create_dir(&inside)?;
    let mut archive = Archive::new(&mut from);
    let mut first = None;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let is_wanted = matches!(
            entry.header().entry_type(),
            EntryType::Regular | EntryType::Directory | EntryType::Symlink | EntryType::Link
        );
        if !is_wanted {
            continue;
        }
        if first.is_none() {
            let path = entry.path()?;
            first = path.components().find_map(|part| match part {
                Component::Normal(part) => Some(part.to_owned()),
                _ => None,
            });
        }
        entry.unpack_in(&inside)?;
    }
    // So that docker does not break off in the padding behind the end.
    io::copy(&mut from, &mut io::sink())?;
    if !is_content {
        let Some(first) = first else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "docker has printed no files",
            ));
        };
        fs::rename(inside.join(first), place)?;
        fs::remove_dir(&inside)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(vec![]);
        for (path, kind, text) in entries {
            let mut header = Header::new_gnu();
            // As they stand, also those that the crate would not write.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            let is_link = *kind == EntryType::Symlink;
            if is_link {
                header.set_link_name(text).unwrap();
            }
            let content = if is_link { "" } else { text };
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_file_gets_its_new_name_and_content_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("new");
        let one = archive(&[("old", EntryType::Regular, "abc")]);
        unpack(&one[..], &place, false).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "abc");
        let content = folder.path().join("content");
        let some = archive(&[("./", EntryType::Directory, ""), ("./a", EntryType::Regular, "x")]);
        unpack(&some[..], &content, true).unwrap();
        assert_eq!(fs::read_to_string(content.join("a")).unwrap(), "x");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn nothing_gets_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("inner/new");
        fs::create_dir(folder.path().join("inner")).unwrap();
        let hostile = archive(&[
            ("old/", EntryType::Directory, ""),
            ("old/link", EntryType::Symlink, "../../.."),
            ("old/../../../up", EntryType::Regular, "x"),
            ("old/pipe", EntryType::Fifo, ""),
        ]);
        unpack(&hostile[..], &place, false).unwrap();
        assert!(!folder.path().join("up").exists());
        assert!(place.join("link").is_symlink());
        assert!(!place.join("pipe").exists());
        let through = archive(&[
            ("old/", EntryType::Directory, ""),
            ("old/link", EntryType::Symlink, "/tmp"),
            ("old/link/docker-mcp-through", EntryType::Regular, "x"),
        ]);
        let place = folder.path().join("inner/other");
        assert!(unpack(&through[..], &place, false).is_err());
        assert!(!Path::new("/tmp/docker-mcp-through").exists());
        let cut = archive(&[("old", EntryType::Regular, &"x".repeat(2000))]);
        assert!(unpack(&cut[..1500], &folder.path().join("cut"), false).is_err());
    }
}
