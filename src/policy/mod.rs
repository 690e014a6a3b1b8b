//! What an agent may do with docker: the operator's level, exceptions and folders, and the rules
//! that follow from them.
//!
//! Pure but for [`Disk`], which follows symbolic links: everything else gets the disk as a
//! [`Paths`] argument. The policy judges *effects* (the command line that will run, the resolved
//! model that will be deployed, the container that exists), never the name of a tool. It is a
//! guard rail and no sandbox: whoever can run docker is root on the machine.
//!
//! | what | where it is asked |
//! |---|---|
//! | [`Policy::check`] | before every run of docker |
//! | [`Policy::prescan`], [`Policy::vet`] | before and after `compose config`, on the way to `up` |
//! | [`Policy::target`] | before `exec` and `cp`, on the document of `inspect` |
//! | [`Policy::start`], [`Policy::again`] | before a container begins anew |
//! | [`Policy::volume`], [`Policy::network`] | for what exists already and is to be used |
//! | [`Policy::change`], [`Policy::removal`] | before something that exists is changed or removed |

mod allow;
mod compose;
mod disk;
mod existing;
mod fields;
mod invocation;
mod located;
mod paths;
mod pattern;
mod places;
mod prescan;
mod refusal;
mod rights;
mod roots;
mod rule;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use allow::{Allow, KNOWN as KNOWN_EXCEPTIONS};
pub use compose::CONTAINERS_MAX;
pub use disk::Disk;
pub use located::{FileKind, Located, Paths};
pub use paths::{Access, Use};
pub use pattern::Pattern;
pub use prescan::{
    Absent, Files, Inclusion, Lines, PortList, Prescanned, Reference, ReferenceKind, Scan,
    ScanError, Source, Unscanned, scan,
};
pub use refusal::{Refusal, Violation};
pub use roots::Root;
pub use rule::{ALL as RULES, Rule, Switch};

use crate::command::Effect;

use refusal::{Findings, Place};

/// How much is allowed. Chosen by the operator, never by a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// Look, and change nothing.
    ReadOnly,
    /// A developer's normal work, without control of the host.
    #[default]
    Standard,
    /// No rules.
    Unrestricted,
}

/// The operator's decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub level: Level,
    /// Exceptions at the level `standard`.
    pub allowed: BTreeSet<Allow>,
    /// Folders of this machine that containers and the docker client may get.
    pub roots: Vec<Root>,
    /// Why the project folder is not among them.
    pub no_project: Option<String>,
    /// The user's home folder, canonical; below it `.config` and `.docker` hold credentials.
    pub home: Option<PathBuf>,
    /// Names of objects that are never removed.
    pub protect: Vec<Pattern>,
    /// Change and remove only what this server has created.
    pub only_ours: bool,
}

impl Level {
    /// The word of `--policy`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Standard => "standard",
            Self::Unrestricted => "unrestricted",
        }
    }
}

impl Policy {
    /// Adds the project folder to the roots, or keeps the reason why it is none.
    pub fn with_project(mut self, folder: &Path) -> Self {
        match Root::project(folder, self.home.as_deref()) {
            // The operator's roots come later and win over it.
            Ok(root) => self.roots.insert(0, root),
            Err(reason) => self.no_project = Some(reason),
        }
        self
    }

    /// Whether the operator has named this exception, or has switched the rules off.
    pub fn allows(&self, allow: &Allow) -> bool {
        self.level == Level::Unrestricted || self.allowed.contains(allow)
    }

    /// Whether calls of this effect can work at all: a tool that cannot is not listed.
    pub fn permits(&self, effect: Effect) -> bool {
        self.level != Level::ReadOnly || effect == Effect::Read
    }

    /// Whether the docker client or this server may read (or write) a file or folder. To be asked
    /// before it is read: a message about what is wrong in a file tells what is in it.
    ///
    /// # Errors
    /// The rule that it breaks. `what` names it: `env_file`.
    pub fn file(
        &self,
        path: &Path,
        read_only: bool,
        what: &str,
        paths: &dyn Paths,
    ) -> Result<(), Refusal> {
        if self.has_no_rules() {
            return Ok(());
        }
        let mut findings = Findings::new(self, paths);
        rights::file(&mut findings, path, read_only, what, &Place::at(what));
        findings.finish()
    }

    /// Whether a file of this path may be written, by its names alone: it need not be there.
    pub fn may_be_written(&self, path: &Path) -> bool {
        let located = Located { path: path.to_owned(), kind: FileKind::Missing };
        self.has_no_rules() || self.judge(&located, path, Access::WRITE_FILE).is_ok()
    }

    pub fn has_no_rules(&self) -> bool {
        self.level == Level::Unrestricted
    }
}
