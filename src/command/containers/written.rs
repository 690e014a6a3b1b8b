//! What a container has written itself, outside of its volumes: it goes with the container.

use std::time::Duration;

use super::document::Container;
use super::{Command, Effect, InspectContainers, Invocation, Output, json};
use crate::command::text::human_bytes;
use crate::error::Error;

/// The daemon walks through every file to measure.
const MEASURING: Duration = Duration::from_secs(60);
/// A layer below this has what programs write when they start: settings made from variables.
const LITTLE: u64 = 4 << 10;
/// So much is no noise, wherever it lies.
const MUCH: u64 = 10 << 20;
/// What a containerd store counts for each folder, and the least for a file.
const BLOCK: u64 = 4 << 10;
/// Paths that are named.
const NAMED: usize = 3;

/// `docker container inspect --size`: containers with the size of what they have written.
pub struct Measured(pub Vec<String>);

impl Command for Measured {
    type Reply = Vec<Container>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "inspect"])
            .flag("--size", true)
            .operands(&self.0)
            .timeout(MEASURING)
            .of_this_moment()
    }

    fn accepts(&self, output: &Output) -> bool {
        InspectContainers::listed([]).accepts(output)
    }

    fn parse(&self, output: &Output) -> Result<Vec<Container>, Error> {
        json::document(&output.stdout)
    }
}

/// `docker container diff`: the paths that were added or changed. What was deleted of the image is
/// there again in the next container.
pub struct Written(pub String);

impl Command for Written {
    type Reply = Vec<String>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "diff"])
            .operands([&self.0])
            .timeout(MEASURING)
    }

    fn parse(&self, output: &Output) -> Result<Vec<String>, Error> {
        let lines = output.stdout.lines();
        let path = |line: &str| {
            line.strip_prefix("A ").or_else(|| line.strip_prefix("C ")).map(str::to_owned)
        };
        let mut paths: Vec<String> = lines.filter_map(path).collect();
        // A folder stands right before what is in it.
        paths.sort_by_cached_key(|path| path.replace('/', "\0"));
        Ok(paths)
    }
}

impl Container {
    /// By its size alone, which is cheaper to have than the paths. One that cannot be measured may.
    pub fn may_hold_files(&self) -> bool {
        self.size_rw.is_none_or(|bytes| bytes >= LITTLE && bytes > self.bytes_of_folders(0))
    }

    /// What would be missed of the files that it has written, in half a sentence; nothing for what
    /// programs leave behind wherever they run. `written` are the sorted paths of [`Written`], or
    /// nothing where they could not be had.
    pub fn held(&self, written: Option<&[String]>) -> Option<String> {
        let all = written.unwrap_or_default();
        let bytes =
            self.size_rw.map(|bytes| bytes.saturating_sub(self.bytes_of_folders(all.len())));
        if bytes.is_some_and(|bytes| bytes < LITTLE) {
            return None;
        }
        let size =
            self.size_rw.map(|bytes| format!("{} of ", human_bytes(bytes))).unwrap_or_default();
        let of_its_own = format!("{size}files that it has written outside of volumes");
        if written.is_none() {
            return Some(format!("{of_its_own}, which docker did not list"));
        }
        let is_much = bytes.is_some_and(|bytes| bytes >= MUCH);
        Some(format!("{of_its_own}: {}", self.own_files(all, is_much)?))
    }

    /// The first of the files that it has written and that are no noise, and how many they are.
    pub fn own_files(&self, written: &[String], is_much: bool) -> Option<String> {
        let is_folder_of = |path: &str, next: Option<&String>| {
            next.and_then(|next| next.strip_prefix(path)).is_some_and(|rest| rest.starts_with('/'))
        };
        let held: Vec<&str> = written
            .iter()
            .enumerate()
            .filter(|(at, path)| !is_folder_of(path, written.get(at + 1)))
            .map(|(_, path)| path.as_str())
            .filter(|path| !self.is_dockers(path) && (is_much || !is_throwaway(path)))
            .collect();
        let named = held.get(..NAMED.min(held.len())).unwrap_or_default().join(", ");
        match held.len() {
            0 => None,
            count if count <= NAMED => Some(named),
            count => Some(format!("{count}, such as {named}")),
        }
    }

    /// A containerd store counts blocks on the disk and not the bytes in files.
    fn bytes_of_folders(&self, entries: usize) -> u64 {
        if self.driver == "overlayfs" { BLOCK * (entries as u64 + 1) } else { 0 }
    }

    /// What docker itself puts there, and the folders on the way to it.
    fn is_dockers(&self, path: &str) -> bool {
        const FILES: [&str; 6] = [
            "/.dockerenv",
            "/sbin/docker-init",
            "/etc/hosts",
            "/etc/hostname",
            "/etc/resolv.conf",
            "/etc/mtab",
        ];
        let mounts = self.mounts.iter().map(|mount| mount.destination.as_str());
        let tmpfs = self.host_config.tmpfs.keys().map(String::as_str);
        mounts.chain(tmpfs).chain(FILES).any(|placed| {
            let placed = placed.trim_end_matches('/');
            placed == path || placed.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

/// Where programs leave what they do without the next time: by the rules of the file system
/// hierarchy, and by the names that caches, logs and histories have everywhere.
fn is_throwaway(path: &str) -> bool {
    const FOLDERS: [&str; 10] = [
        "/tmp/",
        "/run/",
        "/dev/",
        "/proc/",
        "/sys/",
        "/var/tmp/",
        "/var/run/",
        "/var/log/",
        "/var/cache/",
        "/var/lib/apt/lists/",
    ];
    const NAMES: [&str; 13] = [
        ".cache",
        ".gradle",
        ".mypy_cache",
        ".next",
        ".npm",
        ".pytest_cache",
        ".ruff_cache",
        ".turbo",
        ".viminfo",
        ".vite",
        ".wget-hsts",
        "__pycache__",
        "tmp",
    ];
    const ENDS: [&str; 8] = [".pid", ".lock", ".sock", ".log", ".pyc", ".tmp", "_history", ".swp"];
    FOLDERS.iter().any(|folder| path.starts_with(folder) || path == folder.trim_end_matches('/'))
        || path.split('/').any(|part| NAMES.contains(&part))
        || ENDS.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(driver: &str, bytes: Option<u64>) -> Container {
        serde_json::from_value(json!({
            "Driver": driver,
            "SizeRw": bytes,
            "Mounts": [{"Type": "volume", "Destination": "/var/lib/shop/data"}],
            "HostConfig": {"Tmpfs": {"/scratch": ""}},
        }))
        .unwrap()
    }

    fn held(bytes: u64, paths: &[&str]) -> Option<String> {
        let mut paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        paths.sort();
        container("overlay2", Some(bytes)).held(Some(&paths))
    }

    #[test]
    fn what_programs_leave_behind_everywhere_is_noise() {
        let noise = [
            "/run",
            "/run/nginx.pid",
            "/tmp",
            "/tmp/x/y",
            "/var/log/app/error.log",
            "/var/cache/nginx/client_temp",
            "/root/.ash_history",
            "/app/__pycache__/main.cpython-312.pyc",
            "/app/server.pid",
            "/home/node/.npm/_logs/1",
            // Docker's own, and the way to it.
            "/var/lib/shop",
            "/var/lib/shop/data",
            "/scratch",
            "/etc/hosts",
        ];
        assert_eq!(held(1 << 20, &noise), None);
        // Settings that a start script has made from variables.
        assert_eq!(held(1_100, &["/etc", "/etc/nginx/conf.d/default.conf"]), None);
        assert_eq!(
            held(20 << 20, &["/tmp/dump.sql"]).as_deref(),
            Some("21 MB of files that it has written outside of volumes: /tmp/dump.sql")
        );
    }

    #[test]
    fn files_of_its_own_are_told_with_their_size() {
        let paths = ["/data", "/data/db", "/data/wal", "/srv", "/srv/a", "/srv/b", "/tmp/x"];
        assert_eq!(
            held(5_200_000, &paths).as_deref(),
            Some(
                "5.2 MB of files that it has written outside of volumes: 4, such as /data/db, /data/wal, /srv/a"
            )
        );
        assert_eq!(
            held(4_096, &["/data", "/data/db"]).as_deref(),
            Some("4.1 kB of files that it has written outside of volumes: /data/db")
        );
        let unlisted = container("overlay2", Some(1 << 20)).held(None).unwrap();
        assert!(unlisted.ends_with("which docker did not list"), "{unlisted}");
        assert!(container("overlay2", None).held(Some(&["/data/db".to_owned()])).is_some());
    }

    #[test]
    fn a_store_that_counts_blocks_holds_nothing_for_a_few_small_files() {
        let judged = |bytes: u64, paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
            let container = container("overlayfs", Some(bytes));
            (container.may_hold_files(), container.held(Some(&paths)).is_some())
        };
        // As measured on 28.5 with its containerd store.
        assert_eq!(judged(4_096, &[]), (false, false));
        let settings = ["/etc", "/etc/nginx", "/etc/nginx/conf.d", "/etc/nginx/conf.d/a.conf"];
        assert_eq!(judged(20_480, &settings), (true, false));
        assert_eq!(judged(20_480, &["/data", "/data/db"]), (true, true));
    }

    #[test]
    fn what_was_deleted_is_left_out() {
        let output = Output {
            stdout: "C /data\nA /data/b\nD /bin/sh\nA /data/a\n".into(),
            ..Output::default()
        };
        let written = Written("abc".into());
        assert_eq!(written.parse(&output).unwrap(), ["/data", "/data/a", "/data/b"]);
        insta::assert_snapshot!(written.invocation(), @"docker container diff -- abc");
        insta::assert_snapshot!(Measured(vec!["abc".into()]).invocation(), @"docker container inspect --size -- abc");
    }
}
