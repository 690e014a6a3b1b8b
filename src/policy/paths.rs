//! Which paths of this machine a container or the docker client may get.
//!
//! Paths are compared by components and only in their canonical form: a prefix of text would let
//! `/srv/shop-secrets` pass for `/srv/shop`, and a symbolic link could lead anywhere.

use std::path::{Component, Path};

use super::Policy;
use super::allow::Allow;
use super::located::{FileKind, Located};
use super::places::{self, SystemPath};
use super::refusal::{Violation, allow_path, plain};
use super::roots::Root;
use super::rule::{self, Rule};

/// Who gets the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A container, through a mount.
    Mount,
    /// The docker client, which reads or writes it.
    File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub by: Use,
    pub read_only: bool,
}

impl Access {
    pub const READ_FILE: Self = Self { by: Use::File, read_only: true };
    pub const WRITE_FILE: Self = Self { by: Use::File, read_only: false };

    pub const fn mount(read_only: bool) -> Self {
        Self { by: Use::Mount, read_only }
    }
}

impl Policy {
    /// Decides on a path by where it leads.
    ///
    /// # Errors
    /// The first rule that it breaks. `named` is how the caller wrote it.
    pub fn judge(&self, located: &Located, named: &Path, access: Access) -> Result<(), Violation> {
        let breaks = |rule: [&'static Rule; 2]| {
            let [mount, file] = rule;
            let rule = if access.by == Use::Mount { mount } else { file };
            Err(self.violation(rule, located, named, access))
        };
        let path = &located.path;
        let is_clean = path.is_absolute() && !path.components().any(|c| c == Component::ParentDir);
        if located.kind == FileKind::Unknown || !is_clean {
            return breaks([&rule::MOUNT_UNREADABLE, &rule::FILE_UNREADABLE]);
        }
        // One root at most says what it wants of a path: the deepest.
        let covering = self.roots.iter().filter(|root| root.covers(path));
        let root = covering.max_by_key(|root| root.path.components().count());
        let named_by_operator = |depth: usize| {
            let names_it =
                |root: &Root| root.is_explicit && root.path.components().count() >= depth;
            self.roots.iter().any(|root| root.covers(path) && names_it(root))
        };
        if places::is_docker_socket(path) || places::is_docker_socket(named) {
            if self.allows(&Allow::DockerSocket) {
                return Ok(());
            }
            return breaks([&rule::DOCKER_SOCKET, &rule::DOCKER_SOCKET]);
        }
        if access.by == Use::Mount && access.read_only && places::is_harmless(path) {
            return Ok(());
        }
        if let Some(depth) = places::credential_depth(path, self.home.as_deref())
            && !named_by_operator(depth)
        {
            return breaks([&rule::MOUNT_CREDENTIALS, &rule::FILE_CREDENTIALS]);
        }
        let is_special =
            matches!(located.kind, FileKind::Socket | FileKind::Device | FileKind::Pipe);
        if is_special && !named_by_operator(path.components().count()) {
            return breaks([&rule::MOUNT_SPECIAL, &rule::FILE_SPECIAL]);
        }
        let Some(root) = root else {
            return breaks([&rule::MOUNT_OUTSIDE, &rule::FILE_OUTSIDE]);
        };
        if let Some(SystemPath { depth, .. }) = places::system_path(path)
            && !named_by_operator(depth)
        {
            return breaks([&rule::MOUNT_SYSTEM, &rule::FILE_SYSTEM]);
        }
        if root.read_only && !access.read_only {
            return breaks([&rule::MOUNT_READ_ONLY, &rule::FILE_READ_ONLY]);
        }
        // A root that the operator named may be such a place itself.
        let in_root = path.strip_prefix(&root.path).unwrap_or(path);
        if access == Access::WRITE_FILE && places::runs_by_itself(in_root) {
            return breaks([&rule::FILE_RUNS, &rule::FILE_RUNS]);
        }
        Ok(())
    }

    fn violation(
        &self,
        rule: &'static Rule,
        located: &Located,
        named: &Path,
        access: Access,
    ) -> Violation {
        let path = plain(&located.path.to_string_lossy());
        let named = plain(&named.to_string_lossy());
        let led = if path == named { String::new() } else { format!("{named} leads to {path}; ") };
        let why = match rule.name {
            "mount.outside_roots" => format!("{path} is outside {}.", self.folders("mount")),
            "file.outside_roots" => {
                let verb = if access.read_only { "read" } else { "write" };
                format!("{path} is outside {}.", self.folders(verb))
            }
            "mount.system_path" | "file.system_path" => {
                let owner = places::system_path(&located.path);
                format!("{path} {}", owner.map_or(rule.why, |owner| owner.why()))
            }
            _ => rule.why.to_owned(),
        };
        let is_outside = matches!(rule.name, "mount.outside_roots" | "file.outside_roots");
        let opens = (is_outside && located.path != Path::new("/"))
            .then(|| (located.path.clone(), access.read_only));
        let operator_switch = match &rule.switch {
            rule::Switch::Allow(allow) => format!("starting the server with --allow {allow}"),
            rule::Switch::By(words) => (*words).to_owned(),
            rule::Switch::Path if located.path == Path::new("/") => {
                "starting the server with --policy unrestricted".to_owned()
            }
            rule::Switch::Path => allow_path(&located.path, access.read_only),
        };
        Violation {
            rule: rule.name,
            subject: named,
            location: String::new(),
            service: None,
            why: format!("{led}{why}"),
            instead: rule.instead.to_owned(),
            operator_switch,
            opens,
        }
    }

    /// `the folders this server may mount (/home/ann/shop)`.
    fn folders(&self, verb: &str) -> String {
        let folders = format!("the folders this server may {verb}");
        if !self.roots.is_empty() {
            let roots = self.roots.iter().map(|root| {
                let suffix = if root.read_only { " read-only" } else { "" };
                format!("{}{suffix}", plain(&root.path.to_string_lossy()))
            });
            return format!("{folders} ({})", roots.collect::<Vec<_>>().join(", "));
        }
        match &self.no_project {
            Some(reason) => format!("{folders} (none: {reason})"),
            None => format!("{folders} (none)"),
        }
    }
}
