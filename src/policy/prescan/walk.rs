//! From a compose file to all the files that compose would read for it, each judged before.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::references::{Reference, ReferenceKind, Scan, scan};
use super::tree::ScanError;
use crate::error::Error;
use crate::policy::paths::{FileKind, Paths};
use crate::policy::refusal::{Findings, Place, plain};
use crate::policy::{Policy, rights, rule};

/// Files that include each other.
const MAX_FILES: usize = 64;
const MAX_LEVELS: usize = 10;

/// The disk, with the texts of files. [`super::super::Disk`] is the real one.
pub trait Files: Paths {
    /// The text of a regular file, of which at most [`super::MAX_BYTES`] and one more byte.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &Path) -> Result<String, String>;
}

/// One compose file of a call.
#[derive(Clone, Debug)]
pub struct Source {
    /// What to call it: a path, or `compose_yaml`.
    pub name: String,
    pub text: String,
    /// The file that it is, to be judged like any other.
    pub path: Option<PathBuf>,
}

impl Policy {
    /// Whether compose may read these files, and whatever they refer to.
    ///
    /// `directory` is the `--project-directory`: there compose looks for `.env`, and there relative
    /// paths begin in every file of the call, wherever it lies (seen on 2.26 and 2.40).
    ///
    /// # Errors
    /// DKR-014 with every violation; DKR-004 for text that is no YAML.
    pub fn prescan(
        &self,
        sources: Vec<Source>,
        directory: &Path,
        files: &dyn Files,
    ) -> Result<(), Error> {
        if self.has_no_rules() {
            return Ok(());
        }
        let mut findings = Findings::new(self, files);
        for path in sources.iter().filter_map(|source| source.path.as_ref()) {
            rights::file(&mut findings, path, true, "compose_file", &Place::at("compose_file"));
        }
        let mut walk = Walk {
            files,
            findings,
            seen: BTreeSet::new(),
            open: sources
                .into_iter()
                .map(|source| Open { source, folder: directory.to_owned(), level: 0 })
                .collect(),
        };
        walk.settings_beside(directory, &Place::at(".env"));
        let mut unreadable = None;
        while let Some(open) = walk.open.pop() {
            match scan(&open.source.text) {
                Ok(scan) => walk.take(&open, scan),
                Err(error) => unreadable = unreadable.or(Some((open.source.name, error))),
            }
        }
        walk.findings.finish()?;
        match unreadable {
            Some((name, error)) => Err(not_yaml(&name, &error)),
            None => Ok(()),
        }
    }
}

fn not_yaml(name: &str, error: &ScanError) -> Error {
    let ScanError { line, column, problem } = error;
    Error::invalid("compose_file", format!("{name}: line {line}, column {column}: {problem}"))
        .with("file", name)
        .with("line", line.to_string())
}

struct Walk<'a> {
    files: &'a dyn Files,
    findings: Findings<'a>,
    seen: BTreeSet<(PathBuf, PathBuf)>,
    open: Vec<Open>,
}

/// A file that is to be looked at.
struct Open {
    source: Source,
    /// Where relative paths in it begin.
    folder: PathBuf,
    /// How many files lie between it and the call's own.
    level: usize,
}

impl Walk<'_> {
    fn take(&mut self, open: &Open, scan: Scan) {
        let place = |line: usize| Place::at(format!("{}:{line}", open.source.name));
        for found in scan.findings {
            self.findings.refuse(found.rule, found.subject, &place(found.line));
        }
        for reference in scan.references {
            self.follow(open, &reference, &place(reference.line));
        }
    }

    fn follow(&mut self, open: &Open, reference: &Reference, place: &Place) {
        let level = open.level;
        let path = clean(&open.folder.join(&reference.value));
        // Compose resolves these from the folder of its process there (seen on 2.26 and 2.40).
        let is_of_include = matches!(
            reference.kind,
            ReferenceKind::ProjectDirectory | ReferenceKind::IncludeEnvFile
        );
        if is_of_include && level > 0 && Path::new(&reference.value).is_relative() {
            let subject = format!("{} {}", reference.kind.key(), plain(&reference.value));
            self.findings.refuse(&rule::NESTED_PATH, subject, place);
            return;
        }
        rights::file(&mut self.findings, &path, true, reference.kind.key(), place);
        let own_folder = || path.parent().unwrap_or(Path::new("/")).to_owned();
        let folder = match reference.kind {
            ReferenceKind::EnvFile | ReferenceKind::IncludeEnvFile | ReferenceKind::LabelFile => {
                return;
            }
            ReferenceKind::ProjectDirectory => {
                // Compose takes the parent folder for what is no folder.
                if self.files.locate(&path).kind != FileKind::Folder {
                    let subject = format!("project_directory {}", plain(&reference.value));
                    self.findings.refuse(&rule::NESTED_PATH, subject, place);
                }
                return self.settings_beside(&path, place);
            }
            ReferenceKind::Extends => own_folder(),
            ReferenceKind::Include => match &reference.folder {
                Some(folder) => clean(&open.folder.join(folder)),
                None => own_folder(),
            },
        };
        if reference.kind == ReferenceKind::Include {
            self.settings_beside(&folder, place);
        }
        // The file is only read when it may be.
        let located = self.files.locate(&path);
        let may_be_read =
            self.findings.policy.judge(&located, &path, crate::policy::Access::READ_FILE).is_ok();
        if !may_be_read || located.kind != FileKind::File {
            return;
        }
        if !self.seen.insert((located.path.clone(), folder.clone())) {
            return;
        }
        if self.seen.len() > MAX_FILES || level >= MAX_LEVELS {
            let subject = format!("more than {MAX_FILES} files or {MAX_LEVELS} levels");
            self.findings.refuse(&rule::FILES, subject, &Place::default());
            self.open.clear();
            return;
        }
        match self.files.read(&located.path) {
            Ok(text) => {
                let name = path.display().to_string();
                let source = Source { name, text, path: None };
                self.open.push(Open { source, folder, level: level + 1 });
            }
            Err(problem) => {
                let subject = format!("{}: {problem}", path.display());
                self.findings.refuse(&rule::FILE_UNREADABLE, subject, place);
            }
        }
    }

    /// Compose reads `.env` of a project's folder unasked.
    fn settings_beside(&mut self, folder: &Path, place: &Place) {
        let path = clean(&folder.join(".env"));
        let is_there = self.files.locate(&path).kind != FileKind::Missing;
        if is_there {
            rights::file(&mut self.findings, &path, true, "env_file", place);
        }
    }
}

/// Without `.` and `..`, by the text alone, as compose does it (`filepath.Join`).
fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}
