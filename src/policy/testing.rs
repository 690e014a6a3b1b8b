//! A disk and policies for tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::located::{FileKind, Located, Paths};
use super::prescan::Files;
use super::{Level, Policy, Refusal, Root};

/// Ann's machine: her project is `/home/ann/shop`, the server was started in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    files: BTreeMap<PathBuf, (FileKind, String)>,
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Machine {
    pub(super) fn ann() -> Self {
        let mut machine = Self::default();
        for folder in [
            "/",
            "/etc",
            "/home/ann",
            "/home/ann/.docker",
            "/home/ann/.ssh",
            "/home/ann/other",
            "/home/ann/shop",
            "/home/ann/shop/data",
            "/home/ann/shop/sub",
            "/home/ann/shop-secrets",
            "/home/bob",
            "/root",
            "/run",
            "/srv/ro",
            "/usr/share/zoneinfo",
            "/var/lib/docker",
        ] {
            machine.add(folder, FileKind::Folder);
        }
        for file in [
            "/etc/passwd",
            "/etc/timezone",
            "/home/ann/.ssh/id_ed25519",
            "/home/ann/.docker/config.json",
            "/home/ann/shop/.env",
            "/home/ann/shop/Dockerfile",
            "/home/ann/shop/app.env",
            "/home/ann/shop/.npmrc",
            "/usr/share/zoneinfo/UTC",
        ] {
            machine.add(file, FileKind::File);
        }
        machine.add("/run/docker.sock", FileKind::Socket);
        machine.add("/dev/vda", FileKind::Device);
        machine.add("/home/ann/shop/app.sock", FileKind::Socket);
        machine.add("/home/ann/shop/pipe", FileKind::Pipe);
        machine.add("/home/ann/shop/tty", FileKind::Device);
        for (link, target) in [
            ("/etc/localtime", "/usr/share/zoneinfo/UTC"),
            ("/var/run", "/run"),
            ("/home/ann/shop/everything", "/"),
            ("/home/ann/shop/daemon", "/run/docker.sock"),
            ("/home/ann/shop/good", "/home/ann/shop/data"),
        ] {
            machine.links.insert(link.into(), target.into());
        }
        machine
    }

    pub(super) fn add(&mut self, path: &str, kind: FileKind) {
        self.files.insert(path.into(), (kind, String::new()));
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.links.insert(path.into(), target.into());
    }

    pub(super) fn write(&mut self, path: &str, text: &str) {
        self.files.insert(path.into(), (FileKind::File, text.to_owned()));
    }
}

impl Paths for Machine {
    fn locate(&self, path: &Path) -> Located {
        if !path.is_absolute() {
            return Located { path: path.to_owned(), kind: FileKind::Unknown };
        }
        let mut located = PathBuf::new();
        for component in path.components() {
            match component {
                std::path::Component::ParentDir => drop(located.pop()),
                other => located.push(other),
            }
            for _ in 0..8 {
                let Some(target) = self.links.get(&located) else { break };
                located.clone_from(target);
            }
        }
        let kind = self.files.get(&located).map_or(FileKind::Missing, |(kind, _)| *kind);
        Located { path: located, kind }
    }
}

impl Files for Machine {
    fn link_to_nothing(&self, path: &Path) -> Option<PathBuf> {
        let target = self.links.get(path)?;
        (!self.files.contains_key(target)).then(|| target.clone())
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let text = self.files.get(path).map(|(_, text)| text.clone());
        text.ok_or_else(|| "no such file".to_owned())
    }
}

/// `standard`, with the project folder.
pub(super) fn standard() -> Policy {
    let policy = Policy { home: Some("/home/ann".into()), ..Policy::default() };
    policy.with_project(Path::new("/home/ann/shop"))
}

/// `standard` with these exceptions.
pub(super) fn with(allowed: &[&str]) -> Policy {
    let allowed = allowed.iter().map(|name| name.parse().unwrap()).collect();
    Policy { allowed, ..standard() }
}

/// `standard` with these `--allow-path`.
pub(super) fn with_paths(paths: &[&str]) -> Policy {
    let mut policy = standard();
    policy.roots.extend(paths.iter().map(|path| Root::given(path, &Machine::ann()).unwrap()));
    policy
}

pub(super) fn unrestricted() -> Policy {
    Policy { level: Level::Unrestricted, ..standard() }
}

pub(super) fn read_only() -> Policy {
    Policy { level: Level::ReadOnly, ..standard() }
}

/// The names of the rules that were broken.
pub(super) fn rules(result: Result<(), Refusal>) -> Vec<&'static str> {
    result.err().map(|refusal| refusal.rules()).unwrap_or_default()
}
