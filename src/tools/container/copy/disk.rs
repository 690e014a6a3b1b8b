//! The side of this machine: counting, and putting into place what came.

use std::fs;
use std::fs::Permissions;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::NAMES;
use crate::docker::Guarded;
use crate::error::{Code, Error};
use crate::policy::Policy;
use crate::sort;
use crate::tools::confirm::{Doomed, token};
use crate::workspace::move_to_free_place;

/// So many bytes of two files are compared at once.
const PART: usize = 64 << 10;
/// Setuid and setgid.
const RIGHTS_OF_THE_OWNER: u32 = 0o6000;

/// What was found or done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) overwritten: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// The files below a path, or the one that it is. Links are not followed, and told apart. Below a
/// folder pipes, sockets and devices are left out, and told.
///
/// # Errors
/// DKR-004 for what is neither a file nor a folder, and what cannot be read.
pub(super) fn count(path: &Path) -> Result<Found, Error> {
    let (mut found, others) = walk(path)?;
    found.notes.extend(left_out(path, &others));
    Ok(found)
}

/// The second are those that are neither file, folder nor link.
fn walk(path: &Path) -> Result<(Found, Vec<PathBuf>), Error> {
    let mut found = Found::default();
    let (mut links, mut others) = (0, vec![]);
    let mut left = vec![path.to_owned()];
    while let Some(inner) = left.pop() {
        let metadata = fs::symlink_metadata(&inner).map_err(|error| failed(&inner, &error))?;
        if metadata.is_dir() {
            left.extend(entries(&inner)?);
        } else if metadata.is_file() {
            found.files += 1;
            found.bytes += metadata.len();
        } else if metadata.is_symlink() {
            links += 1;
        } else if inner == path {
            let message = format!("{}: is neither a file nor a folder", inner.display());
            return Err(Error::invalid("source", message));
        } else {
            others.push(inner);
        }
    }
    match links {
        0 => {}
        1 => found.notes.push("1 symbolic link is copied as such, not what it leads to".to_owned()),
        _ => found
            .notes
            .push(format!("{links} symbolic links are copied as such, not what they lead to")),
    }
    Ok((found, others))
}

fn left_out(path: &Path, others: &[PathBuf]) -> Option<String> {
    let below = |other: &PathBuf| other.strip_prefix(path).unwrap_or(other).display().to_string();
    let mut names: Vec<String> = others.iter().map(below).collect();
    sort::by(&mut names, Ord::cmp);
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    names.extend((more > 0).then(|| format!("{more} more")));
    let names = Some(names.join(", ")).filter(|names| !names.is_empty())?;
    Some(format!("left out, because they are neither files nor folders: {names}"))
}

/// A new folder in or beside the destination, which is gone in the end, whatever happens.
pub(super) struct Staging {
    folder: PathBuf,
    _guard: Option<Guarded>,
}

impl Staging {
    /// `guard` removes it when the server is killed.
    ///
    /// # Errors
    /// DKR-004 when the folder of the destination cannot be written.
    pub(super) fn beside(
        target: &Path,
        guard: impl Fn(&Path) -> Option<Guarded>,
    ) -> Result<Self, Error> {
        let name = format!(".docker-mcp-copy-{}", token()?);
        // What goes into a folder itself is not put beside it, where nothing may be written.
        let is_folder = fs::symlink_metadata(target).is_ok_and(|there| there.is_dir());
        let folder = if is_folder { target.join(name) } else { target.with_file_name(name) };
        let guard = guard(&folder);
        fs::create_dir(&folder).map_err(|error| failed(&folder, &error))?;
        Ok(Self { folder, _guard: guard })
    }

    /// Where docker puts it.
    pub(super) fn place(&self, target: &Path) -> PathBuf {
        self.folder.join(target.file_name().unwrap_or_default())
    }

    /// Takes out what is neither file nor folder, and says so: a pipe holds up whoever reads it, and
    /// a device of a container is none of this machine.
    ///
    /// # Errors
    /// As [`count`].
    pub(super) fn leave_out_others(&self, target: &Path) -> Result<Option<String>, Error> {
        let place = self.place(target);
        let (_, others) = walk(&place)?;
        for other in &others {
            fs::remove_file(other).map_err(|error| failed(other, &error))?;
        }
        Ok(left_out(&place, &others))
    }

    /// Takes away what may not be written where it belongs, and the bits that let a program run with
    /// the rights of its owner. Gives the sentences about it.
    ///
    /// # Errors
    /// DKR-004 for what cannot be looked at.
    pub(super) fn harmless(&self, target: &Path, policy: &Policy) -> Result<Vec<String>, Error> {
        let (mut left_out, mut bits) = (vec![], 0_u64);
        let mut left = vec![(self.place(target), target.to_owned())];
        while let Some((came, to)) = left.pop() {
            let there = fs::symlink_metadata(&came).map_err(|error| failed(&came, &error))?;
            if !policy.may_be_written(&to) {
                let removed =
                    if there.is_dir() { fs::remove_dir_all(&came) } else { fs::remove_file(&came) };
                removed.map_err(|error| failed(&came, &error))?;
                left_out.push(to.display().to_string());
                continue;
            }
            if !there.is_symlink() && there.mode() & RIGHTS_OF_THE_OWNER != 0 {
                let mode = Permissions::from_mode(there.mode() & 0o7777 & !RIGHTS_OF_THE_OWNER);
                fs::set_permissions(&came, mode).map_err(|error| failed(&came, &error))?;
                bits += 1;
            }
            if there.is_dir() {
                let inner = entries(&came)?.into_iter();
                left.extend(inner.map(|came| {
                    let to = to.join(came.file_name().unwrap_or_default());
                    (came, to)
                }));
            }
        }
        let mut notes = vec![];
        if !left_out.is_empty() {
            left_out.sort();
            let more = left_out.len().saturating_sub(NAMES);
            left_out.truncate(NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            notes.push(format!(
                "left out, because programs of this machine would run or obey it by themselves: {}{more}",
                left_out.join(", ")
            ));
        }
        if bits > 0 {
            notes
                .push(format!("{bits} files or folders came without their setuid and setgid bits"));
        }
        Ok(notes)
    }

    /// How what came gets to where it belongs; folders that are there keep what else is in them.
    ///
    /// # Errors
    /// DKR-004 when a file would replace a folder or the other way round.
    pub(super) fn moves(&self, target: &Path) -> Result<Vec<Move>, Error> {
        let mut moves = vec![];
        plan(&self.place(target), target, &mut moves)?;
        Ok(moves)
    }

    /// Moves what came. What is not as it was when the moves were planned stays.
    ///
    /// # Errors
    /// DKR-010 for a file that has come or changed since: nothing more is moved then.
    pub(super) fn put_in_place(&self, target: &Path, moves: &[Move]) -> Result<Found, Error> {
        let mut found = count(&self.place(target))?;
        for Move { from, to, replaces } in moves {
            match replaces {
                Some(old) => {
                    let now = fs::symlink_metadata(to).map_err(|error| failed(to, &error))?;
                    if Replaced::of(&now, old.is_lost) != *old {
                        return Err(has_changed(to));
                    }
                    fs::rename(from, to).map_err(|error| failed(to, &error))?;
                    found.overwritten.extend(old.is_lost.then(|| to.display().to_string()));
                }
                None => move_to_free_place(from, to).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => has_changed(to),
                    _ => failed(to, &error),
                })?,
            }
        }
        Ok(found)
    }
}

/// A file or a new folder, and what it replaces.
#[derive(Debug)]
pub(super) struct Move {
    from: PathBuf,
    to: PathBuf,
    replaces: Option<Replaced>,
}

/// A file that is there. One that is written to or exchanged is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Replaced {
    bytes: u64,
    identity: String,
    /// What comes is not the same.
    is_lost: bool,
}

impl Replaced {
    fn of(file: &fs::Metadata, is_lost: bool) -> Self {
        // Unlike the time of the content, that of the last change cannot be set.
        let (seconds, nanoseconds) = (file.ctime(), file.ctime_nsec());
        let identity =
            format!("{}:{}:{}:{seconds}.{nanoseconds}", file.dev(), file.ino(), file.len());
        Self { bytes: file.len(), identity, is_lost }
    }
}

/// The files that would be lost, for a plan: the first by their names, the others as one.
pub(super) fn lost(moves: &[Move]) -> Vec<Doomed> {
    let lost = moves.iter().filter_map(|it| Some((&it.to, it.replaces.as_ref()?)));
    let lost: Vec<_> = lost.filter(|(_, old)| old.is_lost).collect();
    let doomed = |name: String, id: String, bytes: u64| {
        Doomed { kind: "file", name, id, loses_data: true, ..Doomed::default() }
            .of_size(Some(bytes))
    };
    let (shown, others) = lost.split_at(lost.len().min(NAMES));
    let named = |(path, old): &(&PathBuf, &Replaced)| {
        doomed(path.display().to_string(), old.identity.clone(), old.bytes)
    };
    let mut all: Vec<Doomed> = shown.iter().map(named).collect();
    if !others.is_empty() {
        let mut hasher = DefaultHasher::new();
        for (path, old) in others {
            (path, &old.identity).hash(&mut hasher);
        }
        let bytes = others.iter().map(|(_, old)| old.bytes).sum();
        let name = format!("… {} more", others.len());
        all.push(doomed(name, format!("{:016x}", hasher.finish()), bytes));
    }
    all
}

fn has_changed(path: &Path) -> Error {
    let message = format!("{} has come or changed just now, and stays as it is", path.display());
    Error::new(Code::WrongState, message).hint("repeat the call to see what it would replace")
}

/// Whether a file that comes is the same as the one that is there.
fn is_same(from: &Path, there: &Path) -> io::Result<bool> {
    let (new, old) = (fs::symlink_metadata(from)?, fs::symlink_metadata(there)?);
    if new.is_symlink() && old.is_symlink() {
        return Ok(fs::read_link(from)? == fs::read_link(there)?);
    }
    if !new.is_file() || !old.is_file() || new.len() != old.len() {
        return Ok(false);
    }
    let (mut new, mut old) = (fs::File::open(from)?, fs::File::open(there)?);
    let mut parts = [vec![0; PART], vec![0; PART]];
    loop {
        let [one, two] = &mut parts;
        let count = new.read(one)?;
        let (Some(one), Some(two)) = (one.get(..count), two.get_mut(..count)) else {
            return Ok(false);
        };
        old.read_exact(two)?;
        if *one != *two {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "a folder could not be removed");
        }
    }
}

/// What is to be moved where, so that nothing is lost but files of the same name.
fn plan(from: &Path, to: &Path, moves: &mut Vec<Move>) -> Result<(), Error> {
    let mut push = |replaces| {
        moves.push(Move { from: from.to_owned(), to: to.to_owned(), replaces });
    };
    let there = match fs::symlink_metadata(to) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            push(None);
            return Ok(());
        }
        Err(error) => return Err(failed(to, &error)),
    };
    let is_folder = fs::symlink_metadata(from).map_err(|error| failed(from, &error))?.is_dir();
    match (is_folder, there.is_dir()) {
        (true, true) => {
            for entry in entries(from)? {
                let name = entry.file_name().unwrap_or_default();
                plan(&entry, &to.join(name), moves)?;
            }
        }
        // One that cannot be read is not known to be the same.
        (false, false) => {
            push(Some(Replaced::of(&there, !is_same(from, to).unwrap_or(false))));
        }
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
    use crate::policy::Root;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("copy-{name}-{}", token().unwrap()));
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// As the tool does it.
    fn put_in_place(staging: &Staging, target: &Path) -> Result<Found, Error> {
        staging.put_in_place(target, &staging.moves(target)?)
    }

    #[test]
    fn what_is_there_stays_unless_it_has_the_same_name() {
        let folder = folder("merge");
        let target = folder.join("out");
        for (file, text) in [("out/same", "old"), ("out/sub/kept", "kept")] {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            fs::write(folder.join(file), text).unwrap();
        }
        let staging = Staging::beside(&target, |_| None).unwrap();
        let came = staging.place(&target);
        fs::create_dir_all(came.join("sub")).unwrap();
        fs::write(came.join("same"), "new").unwrap();
        fs::write(came.join("sub/more"), "more!").unwrap();
        let found = put_in_place(&staging, &target).unwrap();
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
        let staging = Staging::beside(&target, |_| None).unwrap();
        fs::write(staging.place(&target), "file").unwrap();
        assert!(put_in_place(&staging, &target).is_err());
        drop(staging);
        assert_eq!(fs::read_to_string(target.join("same")).unwrap(), "new");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_would_be_lost_is_named_and_what_has_changed_since_stays() {
        let folder = folder("lost");
        let target = folder.join("out");
        let staging = Staging::beside(&target, |_| None).unwrap();
        let came = staging.place(&target);
        for root in [&came, &target] {
            fs::create_dir(root).unwrap();
            fs::write(root.join("same"), "same").unwrap();
        }
        for number in 10..35 {
            fs::write(came.join(format!("f{number}")), "new").unwrap();
            fs::write(target.join(format!("f{number}")), "old!").unwrap();
        }
        fs::write(came.join("absent"), "new").unwrap();
        let plan = || lost(&staging.moves(&target).unwrap());
        let planned = plan();
        assert_eq!(planned, plan());
        let names: Vec<_> = planned.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names.len(), NAMES + 1);
        assert_eq!(names[0], target.join("f10").display().to_string());
        assert_eq!((names[NAMES], planned[NAMES].bytes()), ("… 5 more", 20));
        assert!(planned.iter().all(|file| file.kind == "file" && file.loses_data));

        // Also one that is not named.
        fs::write(target.join("f34"), "OLD!").unwrap();
        assert_ne!(planned, plan());

        let moves = staging.moves(&target).unwrap();
        for file in ["absent", "f20"] {
            fs::write(target.join(file), "somebody's").unwrap();
            let error = staging.put_in_place(&target, &moves).unwrap_err();
            assert_eq!(error.code, Code::WrongState);
            assert_eq!(fs::read_to_string(target.join(file)).unwrap(), "somebody's");
            fs::remove_file(target.join(file)).unwrap();
        }
        drop(staging);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_would_run_by_itself_does_not_come_and_no_bit_of_its_owner() {
        let folder = folder("harmless");
        let target = folder.join("app");
        let staging = Staging::beside(&target, |_| None).unwrap();
        let came = staging.place(&target);
        let files = [".git/hooks/pre-commit", "web/.vscode/tasks.json", "web/Makefile", ".ENVRC"];
        for file in files {
            fs::create_dir_all(came.join(file).parent().unwrap()).unwrap();
            fs::write(came.join(file), "x").unwrap();
        }
        fs::set_permissions(came.join("web/Makefile"), Permissions::from_mode(0o6755)).unwrap();
        let root = Root { path: folder.clone(), read_only: false, is_explicit: false };
        let policy = Policy { roots: vec![root], ..Policy::default() };
        let notes = staging.harmless(&target, &policy).unwrap();
        let path = |file: &str| target.join(file).display().to_string();
        let all = [".ENVRC", ".git", "web/.vscode"].map(path).join(", ");
        assert!(notes[0].ends_with(&all), "{notes:?}");
        assert_eq!(notes[1], "1 files or folders came without their setuid and setgid bits");
        assert_eq!(count(&came).unwrap().files, 1);
        assert_eq!(fs::metadata(came.join("web/Makefile")).unwrap().mode() & 0o7777, 0o755);
        drop(staging);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_socket_is_left_out_and_a_link_is_not_followed() {
        let folder = folder("count");
        std::os::unix::fs::symlink("/etc", folder.join("link")).unwrap();
        fs::write(folder.join("file"), "abc").unwrap();
        fs::create_dir(folder.join("sub")).unwrap();
        let socket = folder.join("sub/socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let found = count(&folder).unwrap();
        assert_eq!((found.files, found.bytes), (1, 3));
        assert_eq!(
            found.notes,
            [
                "1 symbolic link is copied as such, not what it leads to",
                "left out, because they are neither files nor folders: sub/socket"
            ]
        );
        assert!(count(&socket).is_err());

        let target = folder.join("out");
        let staging = Staging::beside(&target, |_| None).unwrap();
        let came = staging.place(&target);
        fs::create_dir(&came).unwrap();
        fs::write(came.join("file"), "abc").unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(came.join("socket")).unwrap();
        let told = staging.leave_out_others(&target).unwrap().unwrap();
        assert!(told.ends_with(": socket"), "{told}");
        assert_eq!(put_in_place(&staging, &target).unwrap().notes, Vec::<String>::new());
        assert_eq!(entries(&target).unwrap(), [target.join("file")]);
        drop(staging);
        assert!(count(Path::new("/dev/null")).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
