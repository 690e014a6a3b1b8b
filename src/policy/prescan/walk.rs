//! From a compose file to all the files that compose would read for it, each judged before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::lines::Lines;
use super::references::{Inclusion, PortList, Reference, ReferenceKind, Scan, scan};
use super::tree::ScanError;
use super::variables::Scope;
use super::{MAX_BYTES, MAX_EXPANDED};
use crate::error::Error;
use crate::policy::located::{FileKind, Paths};
use crate::policy::refusal::{Findings, Place, Refusal, plain};
use crate::policy::{Access, Policy, rights, rule};

/// Files that are read for one project; a large one has a hundred.
const MAX_FILES: usize = 500;
const MAX_LEVELS: usize = 20;
/// Services that extend each other in a row; compose refuses a circle.
const EXTENDS_MAX: usize = 64;

/// The disk, with the texts of files. [`super::super::Disk`] is the real one.
pub trait Files: Paths {
    /// The text of a regular file, of which at most [`super::MAX_BYTES`] and one more byte.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &Path) -> Result<String, String>;

    /// What a link names that leads to nothing: who opens it is told that there is no such file.
    fn link_to_nothing(&self, path: &Path) -> Option<PathBuf>;
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

/// A source of which compose may read everything that it refers to.
#[derive(Debug, Default)]
pub struct Prescanned {
    /// What was judged: all that compose can read for it, there or not.
    pub files: BTreeSet<PathBuf>,
    /// What compose passes over in silence.
    pub notes: Vec<String>,
    /// What compose would not find, if it comes to it.
    pub absent: Vec<Absent>,
}

/// A file that is not there and that some service or include wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    pub kind: ReferenceKind,
    pub path: PathBuf,
    /// What the text is called that wants it.
    pub file: String,
    /// `services.web.env_file.0`
    pub key: String,
    pub line: usize,
}

/// Why compose must not read a source.
#[derive(Debug)]
pub struct Unscanned {
    pub refusal: Option<Refusal>,
    /// DKR-004 for each text that is no YAML.
    pub unreadable: Vec<Error>,
}

impl From<Unscanned> for Error {
    fn from(unscanned: Unscanned) -> Self {
        let refusal = unscanned.refusal.map(Self::from);
        let first = refusal.or(unscanned.unreadable.into_iter().next());
        first.unwrap_or_else(|| Self::invalid("compose_file", "it cannot be read"))
    }
}

impl Policy {
    /// Whether compose may read these files, and whatever they refer to.
    ///
    /// `directory` is the `--project-directory`: there compose looks for `.env`, and there relative
    /// paths begin in every file of the call, wherever it lies (seen on 2.26 and 2.40). `env_files`
    /// are given in place of `.env`, when there are some. `variables` are those of compose's own
    /// process, which go before any other.
    ///
    /// # Errors
    /// Every violation, and every text that is no YAML.
    pub fn prescan(
        &self,
        sources: Vec<Source>,
        directory: &Path,
        env_files: &[PathBuf],
        variables: BTreeMap<String, String>,
        files: &dyn Files,
    ) -> Result<Prescanned, Unscanned> {
        if self.has_no_rules() {
            return Ok(Prescanned::default());
        }
        let mut findings = Findings::new(self, files);
        for path in sources.iter().filter_map(|source| source.path.as_ref()) {
            rights::file(&mut findings, path, true, "compose_file", &Place::at("compose_file"));
        }
        let mut walk = Walk {
            files,
            findings,
            seen: BTreeSet::new(),
            open: vec![],
            values: 0,
            services: BTreeMap::new(),
            ports: 0,
            prescanned: Prescanned::default(),
        };
        let place = Place::at(".env");
        let mut settings = vec![];
        for file in env_files {
            walk.judge(file, "env_file", &place);
            settings.push(walk.settings(file));
        }
        if env_files.is_empty() {
            settings.extend(walk.settings_beside(directory, &place));
        }
        let scope = Rc::new(Scope::new(variables).with_files(&settings));
        for source in sources {
            let path = source.path.clone().unwrap_or_else(|| directory.join(&source.name));
            // One that a service extends by its name is this one.
            if let Some(located) = walk.readable(&path) {
                walk.seen.insert((located, directory.to_owned(), Rc::clone(&scope)));
            }
            walk.open.push(Open {
                source,
                path,
                folder: directory.to_owned(),
                scope: Rc::clone(&scope),
                level: 0,
                is_extended: false,
            });
        }
        let first = walk.open.first().map_or(Place::default(), |open| open.place(1));
        let mut unreadable = vec![];
        while let Some(open) = walk.open.pop() {
            match scan(&open.source.text) {
                Ok(scan) => walk.take(&open, scan),
                Err(error) => unreadable.push(not_yaml(&open.source.name, &error)),
            }
        }
        if walk.values.saturating_add(walk.extended()) > MAX_EXPANDED.values {
            let subject = format!("more than {} values in all files", MAX_EXPANDED.values);
            walk.findings.refuse(&rule::TEXT_SIZE, subject, &first);
        }
        let refusal = walk.findings.finish().err();
        if refusal.is_some() || !unreadable.is_empty() {
            return Err(Unscanned { refusal, unreadable });
        }
        Ok(walk.prescanned)
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
    seen: BTreeSet<(PathBuf, PathBuf, Rc<Scope>)>,
    open: Vec<Open>,
    /// What all files together come to.
    values: usize,
    /// By file and name: what a service comes to by itself, and the one that it extends.
    services: BTreeMap<ServiceOf, (usize, Option<ServiceOf>)>,
    ports: u64,
    prescanned: Prescanned,
}

/// A file, and a service in it.
type ServiceOf = (PathBuf, String);

/// A file that is to be looked at.
struct Open {
    source: Source,
    path: PathBuf,
    /// Where relative paths in it begin.
    folder: PathBuf,
    /// What its variables are.
    scope: Rc<Scope>,
    /// How many files lie between it and the call's own.
    level: usize,
    /// Not all that is in it is asked for.
    is_extended: bool,
}

impl Open {
    fn place(&self, line: usize) -> Place {
        Place::at(format!("{}:{line}", self.source.name))
    }
}

impl Walk<'_> {
    fn take(&mut self, open: &Open, scan: Scan) {
        for found in scan.findings {
            self.findings.refuse(found.rule, found.subject, &open.place(found.line));
        }
        self.values = self.values.saturating_add(scan.values);
        if self.values > MAX_EXPANDED.values {
            let subject = format!("more than {} values in all files", MAX_EXPANDED.values);
            self.findings.refuse(&rule::TEXT_SIZE, subject, &open.place(1));
            self.open.clear();
            return;
        }
        for list in &scan.ports {
            self.count_ports(open, list);
        }
        let mut extended = BTreeMap::new();
        for reference in &scan.references {
            let Some(path) = self.judged(open, reference) else { continue };
            if reference.kind == ReferenceKind::Extends {
                let folder = folder_of(&path);
                self.look_into(open, reference, &path, folder, Rc::clone(&open.scope));
                extended.insert(reference.value.as_str(), path);
            }
        }
        for service in scan.services {
            let parent = service.extends.and_then(|(file, name)| match file {
                None => Some((open.path.clone(), name)),
                Some(file) => Some((extended.get(file.as_str())?.clone(), name)),
            });
            let own = (open.path.clone(), service.name);
            self.services.insert(own, (service.values, parent));
        }
        for inclusion in &scan.inclusions {
            self.include(open, inclusion);
        }
    }

    /// What services take over from others: compose copies it for each.
    fn extended(&self) -> usize {
        let parent = |service: &ServiceOf| self.services.get(service)?.1.as_ref();
        let mut sum = 0_usize;
        for service in self.services.keys() {
            let parents = std::iter::successors(parent(service), |it| parent(it));
            for (values, _) in parents.take(EXTENDS_MAX).filter_map(|it| self.services.get(it)) {
                sum = sum.saturating_add(*values);
            }
        }
        sum
    }

    /// What cannot be resolved here is left to compose.
    fn count_ports(&mut self, open: &Open, list: &PortList) {
        let has_number = |text: &&String| text.contains(|c: char| c.is_ascii_digit());
        for text in list.texts.iter().filter(has_number) {
            let text = open.scope.substitute(text).map_or_else(|_| text.clone(), |it| it.text);
            self.ports = self.ports.saturating_add(rights::width_of_ports(&text));
        }
        if self.ports > rights::PORTS_IN_ALL_MAX {
            let max = rights::PORTS_IN_ALL_MAX;
            let subject = format!("{} ports in all, more than {max}", self.ports);
            self.findings.refuse(&rule::LIMIT, subject, &open.place(list.line));
            self.ports = 0;
        }
    }

    fn include(&mut self, open: &Open, inclusion: &Inclusion) {
        let Inclusion { paths, folders: named, env_files, is_certain } = inclusion;
        if paths.is_empty() {
            let place = Place::at(open.source.name.clone());
            self.findings.refuse(&rule::SHAPE, "an include without a path", &place);
        }
        let paths: Vec<(&Reference, PathBuf)> =
            paths.iter().filter_map(|path| Some((path, self.judged(open, path)?))).collect();
        let mut folders: Vec<PathBuf> = vec![];
        for folder in named {
            let Some(path) = self.judged(open, folder) else { continue };
            // Compose takes the parent folder for what is no folder.
            if self.files.locate(&path).kind != FileKind::Folder {
                let subject = format!("project_directory {}", plain(&folder.value));
                self.findings.refuse(&rule::NESTED_PATH, subject, &open.place(folder.line));
            }
            folders.push(path);
        }
        if folders.len() < named.len() || folders.is_empty() {
            // Several files override each other; the first one says where they are.
            folders.extend(paths.first().map(|(_, path)| folder_of(path)));
        }
        if !is_certain {
            folders.extend(paths.iter().map(|(_, path)| folder_of(path)));
        }
        let mut settings = vec![];
        for env_file in env_files {
            let Some(path) = self.judged(open, env_file) else { continue };
            settings.push(self.settings(&path));
        }
        if env_files.is_empty() || !is_certain {
            for folder in &folders {
                let place = open.place(paths.first().map_or(1, |(reference, _)| reference.line));
                settings.extend(self.settings_beside(folder, &place));
            }
        }
        let mut scope = open.scope.with_files(&settings);
        if !settings.is_empty() && (folders.len() > 1 || !is_certain) {
            scope = scope.uncertain("several places that it may be in");
        }
        let scope = Rc::new(scope);
        for (reference, path) in &paths {
            for folder in &folders {
                self.look_into(open, reference, path, folder.clone(), Rc::clone(&scope));
            }
        }
    }

    /// The path that compose makes of a reference, and reads if it is allowed. None for nothing,
    /// and for what is refused whatever the roots are.
    fn judged(&mut self, open: &Open, reference: &Reference) -> Option<PathBuf> {
        let Reference { line, kind, value: written, is_required } = reference;
        let place = open.place(*line);
        let named = format!("{} {}", kind.key(), plain(written));
        let (value, unset) = match open.scope.substitute(written) {
            Ok(known) => (known.text, known.unset),
            Err(problem) => {
                self.findings.refuse(&rule::VARIABLE_PATH, format!("{named}: {problem}"), &place);
                return None;
            }
        };
        let is_of_include =
            matches!(kind, ReferenceKind::ProjectDirectory | ReferenceKind::IncludeEnvFile);
        // To compose an empty one is none; in quotes, `null` is a folder of that name.
        let is_nothing = value.is_empty()
            || (*kind == ReferenceKind::ProjectDirectory && value.eq_ignore_ascii_case("null"));
        // An env file that is not wanted.
        if is_nothing || value == "/dev/null" {
            return None;
        }
        // A line's end at the end is there for one reader, and not for the other.
        let is_literal =
            value.trim() == value && !value.starts_with('~') && !value.contains(char::is_control);
        if !is_literal {
            self.findings.refuse(&rule::VARIABLE_PATH, named, &place);
            return None;
        }
        if is_remote(&value) {
            self.findings.refuse(&rule::REMOTE_FILE, named, &place);
            return None;
        }
        // Compose resolves these from the folder of its process there (seen on 2.26 and 2.40).
        if is_of_include && open.level > 0 && Path::new(&value).is_relative() {
            self.findings.refuse(&rule::NESTED_PATH, named, &place);
            return None;
        }
        let path = clean(&open.folder.join(&value));
        let what = match unset.as_slice() {
            _ if value == *written => kind.key().to_owned(),
            [] => format!("{named}, which is"),
            unset => format!("{named}, which without {} is", unset.join(" and ")),
        };
        self.judge(&path, &what, &place);
        if *is_required && self.files.locate(&path).kind == FileKind::Missing {
            self.note_absent(open, reference, &path);
        }
        Some(path)
    }

    fn note_absent(&mut self, open: &Open, reference: &Reference, path: &Path) {
        let Reference { line, kind, value, .. } = reference;
        let is_asked_for = !open.is_extended || *kind == ReferenceKind::Extends;
        let key = Lines::of(&open.source.text).key_of(*line, value).filter(|_| is_asked_for);
        self.prescanned.absent.extend(key.map(|key| Absent {
            kind: *kind,
            path: path.to_owned(),
            file: open.source.name.clone(),
            key,
            line: *line,
        }));
    }

    fn judge(&mut self, path: &Path, what: &str, place: &Place) {
        match self.files.link_to_nothing(path) {
            Some(target) => self.prescanned.notes.push(format!(
                "{} is a link to {}, which is not there: compose takes it for a file that is missing",
                path.display(),
                plain(&target.to_string_lossy())
            )),
            None => rights::file(&mut self.findings, path, true, what, place),
        }
        self.prescanned.files.insert(path.to_owned());
    }

    /// Looks at a compose file later, when it may be read.
    fn look_into(
        &mut self,
        by: &Open,
        reference: &Reference,
        path: &Path,
        folder: PathBuf,
        scope: Rc<Scope>,
    ) {
        let (place, level) = (by.place(reference.line), by.level + 1);
        let Some(located) = self.readable(path) else { return };
        if !self.seen.insert((located.clone(), folder.clone(), Rc::clone(&scope))) {
            return;
        }
        if self.seen.len() > MAX_FILES || level > MAX_LEVELS {
            let subject = format!("more than {MAX_FILES} files or {MAX_LEVELS} levels of files");
            self.findings.refuse(&rule::FILES, subject, &Place::default());
            self.open.clear();
            return;
        }
        match self.files.read(&located) {
            Ok(text) => {
                let name = path.display().to_string();
                let source = Source { name, text, path: None };
                let is_extended = by.is_extended || reference.kind == ReferenceKind::Extends;
                let path = path.to_owned();
                self.open.push(Open { source, path, folder, scope, level, is_extended });
            }
            Err(problem) => {
                let subject = format!("{}: {problem}", path.display());
                self.findings.refuse(&rule::FILE_UNREADABLE, subject, &place);
            }
        }
    }

    /// Where a regular file lies that may be read.
    fn readable(&self, path: &Path) -> Option<PathBuf> {
        let located = self.files.locate(path);
        let may_be_read = self.findings.policy.judge(&located, path, Access::READ_FILE).is_ok();
        (may_be_read && located.kind == FileKind::File).then_some(located.path)
    }

    /// The text of an env file.
    fn settings(&self, path: &Path) -> Result<String, String> {
        let located = self.readable(path).ok_or_else(|| "no such file".to_owned());
        let text = located.and_then(|located| self.files.read(&located)).and_then(|text| {
            if text.len() > MAX_BYTES { Err("too large".to_owned()) } else { Ok(text) }
        });
        text.map_err(|problem| format!("no text ({}: {problem})", path.display()))
    }

    /// Compose reads `.env` of a project's folder unasked.
    fn settings_beside(&mut self, folder: &Path, place: &Place) -> Option<Result<String, String>> {
        let path = clean(&folder.join(".env"));
        let leads_nowhere = self.files.link_to_nothing(&path).is_some();
        let kind = self.files.locate(&path).kind;
        if !leads_nowhere && matches!(kind, FileKind::Missing | FileKind::Folder) {
            return None;
        }
        self.judge(&path, "env_file", place);
        (!leads_nowhere).then(|| self.settings(&path))
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

/// What compose would hand to git or to a registry.
fn is_remote(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    lower.contains("://")
        || ["git@", "oci:", "github.com/", "git:"].iter().any(|start| lower.starts_with(start))
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
