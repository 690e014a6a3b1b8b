//! The references to other files in a compose file.

use std::collections::BTreeSet;
use std::path::Path;

use super::Found;
use super::tree::{Id, Node, ScanError, Tree};
use crate::policy::refusal::plain;
use crate::policy::rule;

/// A file that compose would read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Counted from 1.
    pub line: usize,
    pub kind: ReferenceKind,
    /// As it is written: literal, but relative or not.
    pub value: String,
    /// For an `include`: where relative paths in that file begin, when that is not its own folder.
    pub folder: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// A compose file of its own.
    Include,
    /// The folder of an included project, where compose looks for `.env`.
    ProjectDirectory,
    /// A compose file.
    Extends,
    EnvFile,
    /// The variables of an included project.
    IncludeEnvFile,
    LabelFile,
}

impl ReferenceKind {
    /// The key that names it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::ProjectDirectory => "project_directory",
            Self::Extends => "extends.file",
            Self::EnvFile => "env_file",
            Self::IncludeEnvFile => "include.env_file",
            Self::LabelFile => "label_file",
        }
    }
}

/// What a text refers to, and what in it is denied whatever the roots are.
#[derive(Debug, Default)]
pub struct Scan {
    pub references: Vec<Reference>,
    pub findings: Vec<Found>,
}

/// Reads a text once. Takes time and memory in proportion to it.
///
/// # Errors
/// For text that is no YAML.
pub fn scan(text: &str) -> Result<Scan, ScanError> {
    let mut collector = Collector {
        tree: Tree::read(text)?,
        references: BTreeSet::new(),
        budget: std::cell::Cell::new(VISITS),
    };
    let watched = collector.watched();
    for id in collector.tree.ids() {
        let Some(Node::Map(entries)) = collector.tree.node(id) else { continue };
        if watched.contains(&id) {
            continue;
        }
        let is_one = |(key, _): &&(String, Id)| {
            ["include", "extends", "env_file", "label_file"].contains(&key.as_str())
        };
        for (key, value) in entries.iter().filter(is_one).cloned().collect::<Vec<_>>() {
            match key.as_str() {
                "include" => collector.include(value),
                "extends" => collector.extends(value),
                "env_file" => collector.files(ReferenceKind::EnvFile, value),
                _ => collector.files(ReferenceKind::LabelFile, value),
            }
        }
    }
    let Collector { mut tree, references, budget } = collector;
    if budget.get() == 0 {
        tree.find(&rule::FILES, "aliases upon aliases", 1);
    }
    let mut literal = vec![];
    for reference in references {
        let Reference { kind, value, line, folder } = &reference;
        let texts = || [Some(value), folder.as_ref()].into_iter().flatten();
        let subject = format!("{} {}", kind.key(), plain(value));
        // A line's end at the end is there for one reader, and not for the other.
        let is_literal = |text: &str| {
            text.trim() == text
                && !text.contains('$')
                && !text.starts_with('~')
                && !text.contains(char::is_control)
        };
        if texts().any(|text| !is_literal(text)) {
            tree.find(&rule::VARIABLE_PATH, subject, *line);
        } else if texts().any(|text| is_remote(text)) {
            tree.find(&rule::REMOTE_FILE, subject, *line);
        } else if !value.is_empty() {
            literal.push(reference);
        }
    }
    Ok(Scan { references: literal, findings: tree.findings })
}

/// What compose would hand to git or to a registry.
fn is_remote(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    lower.contains("://")
        || ["git@", "oci:", "github.com/", "git:"].iter().any(|start| lower.starts_with(start))
}

struct Collector {
    tree: Tree,
    references: BTreeSet<Reference>,
    /// Visits that are left: aliases can make a short text a long walk.
    budget: std::cell::Cell<usize>,
}

/// The text of a person needs a few hundred.
const VISITS: usize = 500_000;

impl Collector {
    /// `develop.watch` has `include` and `path` of its own. Its entries are left out where no
    /// anchor can carry them to another place.
    fn watched(&self) -> BTreeSet<Id> {
        let mut watched = BTreeSet::new();
        for id in self.tree.ids() {
            let Some(develop) = self.entry(id, "develop") else { continue };
            let Some(watch) = self.entry(develop, "watch") else { continue };
            let Some(Node::List(items)) = self.tree.node(watch) else { continue };
            if !self.tree.has_anchor(watch) {
                let own = items.iter().filter(|item| !self.tree.has_anchor(**item));
                watched.extend(own.copied());
            }
        }
        watched
    }

    fn entry(&self, id: Id, key: &str) -> Option<Id> {
        match self.tree.node(id)? {
            Node::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, id)| *id),
            _ => None,
        }
    }

    /// A path, an object with paths, or a list of both.
    fn include(&mut self, value: Id) {
        let mut entries = vec![];
        self.reach(value, &mut |tree, id| match tree.node(id) {
            Some(Node::Map(_) | Node::Scalar(_)) => {
                entries.push(id);
                false
            }
            _ => true,
        });
        for entry in entries {
            if let Some(Node::Scalar(path)) = self.tree.node(entry) {
                let path = path.clone();
                self.add(ReferenceKind::Include, path, entry, None);
                continue;
            }
            let mut fields: Vec<(String, Id)> = vec![];
            self.fields(entry, &mut fields);
            let of = |name: &str| -> Vec<Id> {
                fields.iter().filter(|(key, _)| key == name).map(|(_, id)| *id).collect()
            };
            let mut paths = vec![];
            for id in of("path") {
                self.scalars(id, &mut paths);
            }
            let mut folders = vec![];
            for id in of("project_directory") {
                self.scalars(id, &mut folders);
            }
            for id in of("env_file") {
                self.files(ReferenceKind::IncludeEnvFile, id);
            }
            for (folder, id) in &folders {
                self.add(ReferenceKind::ProjectDirectory, folder.clone(), *id, None);
            }
            let mut folders: Vec<Option<String>> =
                folders.into_iter().map(|(folder, _)| Some(folder)).collect();
            // To compose an empty one is none; in quotes, `null` is a folder of that name.
            let is_nothing = |folder: &Option<String>| {
                let folder = folder.as_deref().unwrap_or_default();
                folder.is_empty() || folder.eq_ignore_ascii_case("null")
            };
            if folders.iter().all(is_nothing) {
                // Several files override each other; the first one says where they are.
                folders.push(match &paths[..] {
                    [(first, _), _, ..] => {
                        let parent = Path::new(first).parent().unwrap_or(Path::new(""));
                        Some(parent.to_string_lossy().into_owned())
                    }
                    _ => None,
                });
            }
            for (path, id) in paths {
                for folder in &folders {
                    self.add(ReferenceKind::Include, path.clone(), id, folder.clone());
                }
            }
        }
    }

    /// `extends: {file: …, service: …}`; a name alone is a service of the same file.
    fn extends(&mut self, value: Id) {
        let mut maps = vec![];
        self.reach(value, &mut |tree, id| {
            if matches!(tree.node(id), Some(Node::Map(_))) {
                maps.push(id);
            }
            true
        });
        for map in maps {
            if let Some(file) = self.entry(map, "file") {
                self.files(ReferenceKind::Extends, file);
            }
        }
    }

    /// A path, a list of paths, or of objects with a `path`.
    fn files(&mut self, kind: ReferenceKind, value: Id) {
        let mut found = vec![];
        self.scalars(value, &mut found);
        for (path, id) in found {
            self.add(kind, path, id, None);
        }
    }

    fn add(&mut self, kind: ReferenceKind, value: String, id: Id, folder: Option<String>) {
        let line = self.tree.line(id);
        self.references.insert(Reference { line, kind, value, folder });
    }

    fn pays(&self) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        left > 0
    }

    /// The keys of a map, those of merged maps (`<<`) included.
    fn fields(&self, map: Id, fields: &mut Vec<(String, Id)>) {
        let mut maps = vec![map];
        let mut seen = BTreeSet::new();
        while let Some(id) = maps.pop() {
            if !seen.insert(id) || !self.pays() {
                continue;
            }
            match self.tree.node(id) {
                Some(Node::Alias(Some(target))) => maps.push(*target),
                Some(Node::List(items)) => maps.extend(items),
                Some(Node::Map(entries)) => {
                    for (key, value) in entries {
                        if key == "<<" {
                            maps.push(*value);
                        }
                        fields.push((key.clone(), *value));
                    }
                }
                _ => {}
            }
        }
    }

    /// Every scalar that a value can come to, but for the options beside a path.
    fn scalars(&self, value: Id, found: &mut Vec<(String, Id)>) {
        self.reach(value, &mut |tree, id| {
            if let Some(Node::Scalar(text)) = tree.node(id) {
                found.push((text.clone(), id));
            }
            true
        });
    }

    /// Visits what can be reached from a node, through aliases too; each node once, however often
    /// it is used. `visit` says whether to go on below.
    fn reach(&self, from: Id, visit: &mut dyn FnMut(&Tree, Id) -> bool) {
        let mut open = vec![from];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) || !self.pays() || !visit(&self.tree, id) {
                continue;
            }
            match self.tree.node(id) {
                Some(Node::Alias(Some(target))) => open.push(*target),
                Some(Node::List(items)) => open.extend(items.iter().rev()),
                Some(Node::Map(entries)) => {
                    let is_option = |key: &str| key == "required" || key == "format";
                    let values = entries.iter().filter(|(key, _)| !is_option(key));
                    open.extend(values.rev().map(|(_, id)| *id));
                }
                _ => {}
            }
        }
    }
}
