//! The references to other files in a compose file.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::tree::{Id, Node, ScanError, Tree};
use crate::policy::rule;

/// A file that compose would read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Counted from 1.
    pub line: usize,
    pub kind: ReferenceKind,
    /// As it is written, variables included.
    pub value: String,
    /// False where it says `required: false`.
    pub is_required: bool,
}

/// An entry of `include`. Through aliases and merges it can have several of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inclusion {
    /// Several files override each other.
    pub paths: Vec<Reference>,
    /// Where relative paths in these files begin, when that is not their own folder.
    pub folders: Vec<Reference>,
    pub env_files: Vec<Reference>,
    /// Whether it says each thing once.
    pub is_certain: bool,
}

/// A service, and from which other one it takes over what that one has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub name: String,
    /// How many it comes to by itself.
    pub values: usize,
    /// The file as it is written, where it is another one, and the service.
    pub extends: Option<(Option<String>, String)>,
}

/// A list of `ports` or `expose`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortList {
    /// Counted from 1.
    pub line: usize,
    pub texts: Vec<String>,
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
    pub inclusions: Vec<Inclusion>,
    pub ports: Vec<PortList>,
    /// How many values it comes to, each alias counted as what it stands for.
    pub values: usize,
    pub services: Vec<Service>,
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
        inclusions: BTreeSet::new(),
        ports: vec![],
        optional: BTreeSet::new(),
        budget: std::cell::Cell::new(VISITS),
    };
    collector.optional = collector.optional();
    let watched = collector.watched();
    for id in collector.tree.ids() {
        let Some(Node::Map(entries)) = collector.tree.node(id) else { continue };
        if watched.contains(&id) {
            continue;
        }
        for (key, value) in entries.clone() {
            match key.as_str() {
                "include" => collector.include(value),
                "extends" => collector.extends(value),
                "env_file" => collector.files(ReferenceKind::EnvFile, value),
                "label_file" => collector.files(ReferenceKind::LabelFile, value),
                "ports" | "expose" => collector.ports(value),
                _ => {}
            }
        }
    }
    let services = collector.services();
    let Collector { mut tree, references, inclusions, ports, budget, .. } = collector;
    if budget.get() == 0 {
        tree.find(&rule::FILES, "references upon references", 1);
    }
    Ok(Scan {
        references: references.into_iter().collect(),
        inclusions: inclusions.into_iter().collect(),
        ports,
        values: tree.values(),
        services,
        findings: tree.findings,
    })
}

struct Collector {
    tree: Tree,
    references: BTreeSet<Reference>,
    inclusions: BTreeSet<Inclusion>,
    ports: Vec<PortList>,
    /// The paths beside a `required: false`.
    optional: BTreeSet<Id>,
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
            let mut inclusion = Inclusion { is_certain: true, ..Inclusion::default() };
            if matches!(self.tree.node(entry), Some(Node::Scalar(_))) {
                inclusion.paths = self.references(ReferenceKind::Include, entry);
                self.inclusions.insert(inclusion);
                continue;
            }
            let mut fields: Vec<(String, Id)> = vec![];
            self.fields(entry, &mut fields);
            let mut of = |name: &str, kind| -> Vec<Reference> {
                let values = fields.iter().filter(|(key, _)| key == name).map(|(_, id)| *id);
                let values: Vec<Id> = values.collect();
                inclusion.is_certain &= values.len() < 2;
                values.into_iter().flat_map(|id| self.references(kind, id)).collect()
            };
            let paths = of("path", ReferenceKind::Include);
            let folders = of("project_directory", ReferenceKind::ProjectDirectory);
            let env_files = of("env_file", ReferenceKind::IncludeEnvFile);
            inclusion = Inclusion { paths, folders, env_files, ..inclusion };
            self.inclusions.insert(inclusion);
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

    fn optional(&self) -> BTreeSet<Id> {
        let is_false =
            |id| matches!(self.tree.node(id), Some(Node::Scalar(text)) if text == "false");
        let is_optional = |id: &Id| self.entry(*id, "required").is_some_and(is_false);
        let entries = self.tree.ids().filter(is_optional);
        entries.filter_map(|id| self.entry(id, "path")).collect()
    }

    /// The services, each with the one that compose copies for it.
    fn services(&self) -> Vec<Service> {
        let mut services = vec![];
        for id in self.tree.ids().filter_map(|id| self.entry(id, "services")) {
            self.fields(id, &mut services);
        }
        let services: BTreeMap<String, Id> = services.into_iter().collect();
        let text = |id: Id| match self.tree.node(id)? {
            Node::Scalar(text) => Some(text.as_str()),
            Node::Alias(Some(target)) => match self.tree.node(*target)? {
                Node::Scalar(text) => Some(text.as_str()),
                _ => None,
            },
            _ => None,
        };
        let field = |map: Id, key: &str| {
            let mut fields = vec![];
            self.fields(map, &mut fields);
            fields.into_iter().find(|(name, _)| name == key).map(|(_, id)| id)
        };
        let extends = |service: Id| {
            let extends = field(service, "extends")?;
            let file = field(extends, "file").and_then(text).map(str::to_owned);
            let name = text(extends).or_else(|| text(field(extends, "service")?))?;
            Some((file, name.to_owned()))
        };
        let services = services.into_iter().map(|(name, id)| Service {
            name,
            values: self.tree.values_of(id),
            extends: extends(id),
        });
        services.collect()
    }

    /// A path, a list of paths, or of objects with a `path`.
    fn files(&mut self, kind: ReferenceKind, value: Id) {
        let references = self.references(kind, value);
        self.references.extend(references);
    }

    fn references(&self, kind: ReferenceKind, value: Id) -> Vec<Reference> {
        let found = self.scalars(value).into_iter();
        let reference = |(value, id)| Reference {
            line: self.tree.line(id),
            kind,
            value,
            is_required: !self.optional.contains(&id),
        };
        found.map(reference).collect()
    }

    fn ports(&mut self, value: Id) {
        let texts = self.scalars(value).into_iter().map(|(text, _)| text).collect();
        self.ports.push(PortList { line: self.tree.line(value), texts });
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
    fn scalars(&self, value: Id) -> Vec<(String, Id)> {
        let mut found = vec![];
        self.reach(value, &mut |tree, id| {
            if let Some(Node::Scalar(text)) = tree.node(id) {
                found.push((text.clone(), id));
            }
            true
        });
        found
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
