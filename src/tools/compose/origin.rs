//! Where in the files of a project the thing stands that its containers have: file and line, so
//! that it is changed where the next deployment takes it from.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::outlook::folders_of;
use super::source::Source;
use crate::command::containers::Container;
use crate::command::values::ProjectName;
use crate::policy::{Disk, Files as _, Lines};
use crate::tools::Context;
use crate::workspace::Workspace;

/// Files that include or extend each other.
const MAX_FILES: usize = 40;
/// Services that extend each other in a row.
const EXTENDS_MAX: usize = 5;

/// The files that a project was deployed from, as far as they are in the project folder and may be
/// read.
pub(in crate::tools) struct Origin {
    /// The later ones override the earlier ones; those that are included come first.
    texts: Vec<Document>,
    /// Files that only `extends` names.
    extended: Vec<Document>,
    /// The files themselves.
    own: Vec<PathBuf>,
    /// The later ones override the earlier ones.
    dot_env: Vec<Document>,
    directory: PathBuf,
    workspace: Arc<Workspace>,
}

struct Document {
    path: PathBuf,
    /// By its name in the project folder.
    name: String,
    text: String,
    lines: Lines,
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tools) struct Spot {
    pub(in crate::tools) file: String,
    /// Counted from 1.
    pub(in crate::tools) line: usize,
    /// `services.api.mem_limit`, or the name of the variable that stands there.
    pub(in crate::tools) key: String,
    /// What stands there; perhaps a secret.
    pub(in crate::tools) text: String,
    /// Where the variable is used that stands there.
    pub(in crate::tools) used_at: Option<String>,
    /// What the variable would be without that line.
    pub(in crate::tools) default: Option<String>,
    pub(in crate::tools) is_variable: bool,
}

impl Spot {
    /// `shop/.env:2`
    pub(in crate::tools) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl Origin {
    /// Nothing when the files are not known, are outside of the project folder, or may not be read.
    pub(in crate::tools) async fn of(
        context: &Context,
        project: &ProjectName,
        containers: &[Container],
    ) -> Option<Self> {
        let source = match Source::of_deployment(context, project, containers).await {
            Some(source) => source,
            None if containers.is_empty() => {
                let folder = folders_of(&context.workspace, project).into_iter().next()?;
                Source::usual(context, &folder).await.ok()??
            }
            None => Source::of_project(context, project, containers).await.ok()??,
        };
        Self::of_source(&context.workspace, &source)
    }

    pub(super) fn of_source(workspace: &Arc<Workspace>, source: &Source) -> Option<Self> {
        let mut origin = Self {
            texts: vec![],
            extended: vec![],
            own: vec![],
            dot_env: vec![],
            directory: source.directory.clone(),
            workspace: Arc::clone(workspace),
        };
        for path in source.paths() {
            origin.texts.push(origin.read(path)?);
        }
        origin.own = origin.texts.iter().map(|text| text.path.clone()).collect();
        // The further one, of the folder that compose was started in, stands above the first.
        origin.dot_env = source.dot_env().iter().filter_map(|path| origin.read(path)).collect();
        origin.add_included();
        origin.add_extended();
        (!origin.texts.is_empty()).then_some(origin)
    }

    fn read(&self, path: &Path) -> Option<Document> {
        let workspace = &self.workspace;
        let located = path.canonicalize().ok()?;
        let inside = located.strip_prefix(&workspace.folder).ok()?;
        workspace.policy.file(&located, true, "compose_file", &Disk).ok()?;
        let text = Disk.read(&located).ok()?;
        let (name, lines) = (inside.display().to_string(), Lines::of(&text));
        Some(Document { path: located, name, text, lines })
    }

    fn add_included(&mut self) {
        let mut at = 0;
        while let Some(text) = self.texts.get(at).filter(|_| self.texts.len() < MAX_FILES) {
            let folder = text.path.parent().unwrap_or(&self.directory).to_owned();
            let entries = text.lines.below(&["include"]).into_iter();
            let named = entries.flat_map(|entry| {
                let path = text.lines.at(&["include", entry.name, "path"]);
                [entry.text.to_owned(), path.map_or(String::new(), |it| it.text.to_owned())]
            });
            let named: Vec<String> = named.filter(|name| !name.is_empty()).collect();
            let new: Vec<Document> = named
                .iter()
                .filter_map(|name| self.read(&folder.join(name)))
                .filter(|new| self.texts.iter().all(|known| known.path != new.path))
                .collect();
            at += 1 + new.len();
            self.texts.splice(0..0, new);
        }
    }

    fn add_extended(&mut self) {
        let mut files: Vec<PathBuf> = vec![];
        for text in &self.texts {
            let folder = text.path.parent().unwrap_or(&self.directory);
            for service in text.lines.below(&["services"]) {
                let file = text.lines.at(&["services", service.name, "extends", "file"]);
                files.extend(file.map(|file| folder.join(file.text)));
            }
        }
        let is_new = |new: &Document| self.texts.iter().all(|known| known.path != new.path);
        let files = files.iter().take(MAX_FILES).filter_map(|file| self.read(file));
        self.extended = files.filter(is_new).collect();
    }

    /// The texts that define a service, with its name there; the most telling first.
    fn layers<'a>(&'a self, service: &str) -> Vec<(&'a Document, String)> {
        let mut layers = vec![];
        let mut open = vec![service.to_owned()];
        let mut seen = 0;
        while let Some(name) = open.pop() {
            seen += 1;
            for text in self.texts.iter().rev().chain(&self.extended) {
                let path = ["services", name.as_str()];
                if text.lines.at(&path).is_none() {
                    continue;
                }
                layers.push((text, name.clone()));
                let extends = ["services", name.as_str(), "extends"];
                let whole = text.lines.at(&extends).map(|it| it.text);
                let named = text.lines.at(&[&extends[..], &["service"]].concat());
                let base = named.map(|it| it.text).or(whole).filter(|base| !base.is_empty());
                open.extend(base.filter(|_| seen < EXTENDS_MAX).map(str::to_owned));
            }
        }
        layers
    }

    /// Where the service itself stands.
    pub(in crate::tools) fn service(&self, service: &str) -> Option<Spot> {
        let (text, name) = self.layers(service).into_iter().next()?;
        let stands = text.lines.at(&["services", &name])?;
        Some(self.spot(text, &["services", &name], "", stands.line))
    }

    /// Where a key of a service stands: `mem_limit`, `deploy.resources.limits.memory`.
    pub(in crate::tools) fn key(&self, service: &str, key: &str) -> Option<Spot> {
        self.layers(service).into_iter().find_map(|(text, name)| {
            let mut path = vec!["services", name.as_str()];
            path.extend(key.split('.'));
            let stands = text.lines.at(&path)?;
            Some(self.spot(text, &path, stands.text, stands.line))
        })
    }

    /// Where a key of the project stands: `["networks", "front", "ipam"]`.
    pub(in crate::tools) fn top(&self, path: &[&str]) -> Option<Spot> {
        self.texts.iter().rev().find_map(|text| {
            let stands = text.lines.at(path)?;
            Some(self.spot(text, path, stands.text, stands.line))
        })
    }

    /// Where the file of a secret or config is named.
    pub(in crate::tools) fn file_of_secret(&self, path: &str) -> Option<Spot> {
        let name = Path::new(path).file_name()?;
        self.texts.iter().rev().find_map(|text| {
            ["secrets", "configs"].iter().find_map(|section| {
                text.lines.below(&[section]).into_iter().find_map(|entry| {
                    let path = [*section, entry.name, "file"];
                    let file = text.lines.at(&path)?;
                    let is_it = Path::new(&self.put_in(file.text)).file_name() == Some(name);
                    is_it.then(|| self.spot(text, &path, file.text, file.line))
                })
            })
        })
    }

    /// The item of a list of a service, or of a map, that has a value in it which is meant.
    pub(in crate::tools) fn item(
        &self,
        service: &str,
        key: &str,
        is_meant: &dyn Fn(&str) -> bool,
    ) -> Option<Spot> {
        self.layers(service).into_iter().find_map(|(text, name)| {
            let mut path = vec!["services", name.as_str()];
            path.extend(key.split('.'));
            self.meant(text, &path, is_meant)
        })
    }

    /// The item below this key that is meant, with its variables put in or as it stands.
    fn meant(
        &self,
        text: &Document,
        path: &[&str],
        is_meant: &dyn Fn(&str) -> bool,
    ) -> Option<Spot> {
        let itself = text.lines.at(path)?;
        let whole = [itself].into_iter().filter(|it| !it.text.is_empty());
        let whole = whole.map(|it| (path.to_vec(), it));
        let items = text.lines.below(path).into_iter();
        let items = items.map(|item| ([path, &[item.name]].concat(), item));
        for (path, item) in whole.chain(items) {
            if !item.text.is_empty() && is_meant(&self.put_in(item.text)) {
                return Some(self.spot(text, &path, item.text, item.line));
            }
            let inner = text.lines.below(&path).into_iter();
            let mut inner = inner.filter(|it| is_meant(&self.put_in(it.text)));
            if let Some(inner) = inner.next() {
                let path = [&path[..], &[inner.name]].concat();
                return Some(self.spot(text, &path, inner.text, inner.line));
            }
        }
        None
    }

    /// A text with the variables of `.env` and their defaults, as far as they are simple.
    fn put_in(&self, text: &str) -> String {
        let mut whole = String::new();
        let mut rest = text;
        while let Some(variable) = Variable::first(rest) {
            whole.push_str(variable.before);
            let known = self.in_dot_env(variable.name).map(|spot| spot.text);
            whole.push_str(&known.or(variable.default).unwrap_or_default());
            rest = variable.after;
        }
        whole + rest
    }

    /// Where a variable that a container has comes from.
    pub(in crate::tools) fn variable(&self, service: &str, variable: &str) -> Option<Spot> {
        for (text, name) in self.layers(service) {
            let path = ["services", name.as_str(), "environment"];
            for entry in text.lines.below(&path) {
                let (key, value) = match entry.text.split_once('=') {
                    Some((key, value)) if entry.name.parse::<usize>().is_ok() => (key, value),
                    None if entry.name.parse::<usize>().is_ok() => (entry.text, ""),
                    _ => (entry.name, entry.text),
                };
                if key != variable {
                    continue;
                }
                // Without a value it is that of compose's own environment.
                let passed_on = value.is_empty().then(|| self.in_dot_env(variable)).flatten();
                let here = self.spot(text, &[&path[..], &[entry.name]].concat(), value, entry.line);
                let used_at = Some(here.place());
                return Some(passed_on.map_or(here, |spot| Spot { used_at, ..spot }));
            }
        }
        self.env_files(service).iter().find_map(|file| assigned(file, variable))
    }

    /// The variable of a service, in its definition or in an `env_file`, whose value has this word
    /// in it.
    pub(in crate::tools) fn variable_with(&self, service: &str, word: &str) -> Option<Spot> {
        let has = |text: &str| has_word(text, word);
        self.item(service, "environment", &has).or_else(|| {
            self.env_files(service).iter().find_map(|file| {
                let mut lines = file.text.lines().filter_map(|line| line.split_once('='));
                let (name, _) = lines.find(|(_, value)| has(value))?;
                assigned(file, name.trim_start_matches("export ").trim())
            })
        })
    }

    /// The `env_file`s of a service, the most telling first.
    fn env_files(&self, service: &str) -> Vec<Document> {
        let mut files = vec![];
        for (text, name) in self.layers(service) {
            let path = ["services", name.as_str(), "env_file"];
            let Some(whole) = text.lines.at(&path) else { continue };
            let one = text.lines.at(&[&path[..], &["path"]].concat());
            let mut named = vec![whole.text, one.map_or("", |it| it.text)];
            for entry in text.lines.below(&path) {
                let long = text.lines.at(&[&path[..], &[entry.name, "path"]].concat());
                named.push(long.map_or(entry.text, |it| it.text));
            }
            let named = named.into_iter().rev().filter(|name| !name.is_empty());
            let paths = named.map(|name| self.directory.join(self.put_in(name)));
            files.extend(paths.filter_map(|path| self.read(&path)));
        }
        files
    }

    /// The folder that the image of a service is built from.
    pub(in crate::tools) fn build_context(&self, service: &str) -> Option<PathBuf> {
        let short = self.key(service, "build").filter(|spot| !spot.text.is_empty());
        let named = short.or_else(|| self.key(service, "build.context"))?.text;
        Some(self.directory.join(self.put_in(&named)))
    }

    /// The last line of the Dockerfile of a service that begins with one of these instructions.
    pub(in crate::tools) fn instruction(
        &self,
        service: &str,
        is_it: &dyn Fn(&str) -> bool,
    ) -> Option<Spot> {
        let context = self.build_context(service)?;
        let named = self.key(service, "build.dockerfile").map(|spot| self.put_in(&spot.text));
        let file = self.read(&context.join(named.as_deref().unwrap_or("Dockerfile")))?;
        let at = file.text.lines().collect::<Vec<_>>().iter().rposition(|line| is_it(line))?;
        let text = file.text.lines().nth(at)?.to_owned();
        let key = text.split_whitespace().next().unwrap_or_default().to_owned();
        Some(Spot { file: file.name, line: at + 1, key, text, ..Spot::default() })
    }

    /// Whether any of the files was written since then, those that `env_file` names included.
    pub(in crate::tools) fn has_changed_since(&self, time: SystemTime) -> bool {
        let named = self.texts.iter().chain(&self.extended).flat_map(|text| {
            let services = text.lines.below(&["services"]).into_iter();
            services.flat_map(|service| self.env_files(service.name)).collect::<Vec<_>>()
        });
        let all = self.texts.iter().chain(&self.extended).chain(&self.dot_env);
        let paths = all.map(|file| file.path.clone()).chain(named.map(|file| file.path));
        let is_newer = |path: PathBuf| {
            let written = path.metadata().and_then(|metadata| metadata.modified());
            written.is_ok_and(|written| written > time)
        };
        paths.into_iter().any(is_newer)
    }

    /// Its compose files, without those that are included.
    pub(in crate::tools) fn files(&self) -> Vec<&str> {
        let own = self.texts.iter().filter(|text| self.own.contains(&text.path));
        own.map(|text| text.name.as_str()).collect()
    }

    /// The folder in which the project is.
    pub(in crate::tools) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The place, or that of the variable which stands there alone decides.
    fn spot(&self, text: &Document, path: &[&str], value: &str, line: usize) -> Spot {
        let here = Spot {
            file: text.name.clone(),
            line,
            key: path.join("."),
            text: value.to_owned(),
            ..Spot::default()
        };
        let Some(variable) = Variable::first(value) else { return here };
        let Some(spot) = self.in_dot_env(variable.name) else {
            return Spot { default: variable.default, ..here };
        };
        Spot { used_at: Some(here.place()), default: variable.default, ..spot }
    }

    /// Where a variable stands in `.env`.
    pub(in crate::tools) fn in_dot_env(&self, name: &str) -> Option<Spot> {
        self.dot_env.iter().rev().find_map(|file| assigned(file, name))
    }
}

/// The last line of a file that sets a variable.
fn assigned(file: &Document, name: &str) -> Option<Spot> {
    let value = |line: &str| {
        let line = line.trim_start();
        let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim();
        let value = match value.strip_prefix(['"', '\'']) {
            Some(quoted) => quoted.split(['"', '\'']).next(),
            None => value.split(" #").next().filter(|value| !value.starts_with('#')),
        };
        (key.trim() == name).then(|| value.unwrap_or_default().trim().to_owned())
    };
    let lines = file.text.lines().enumerate();
    let (at, text) = lines.filter_map(|(at, line)| Some((at, value(line)?))).last()?;
    Some(Spot {
        file: file.name.clone(),
        line: at + 1,
        key: name.to_owned(),
        text,
        is_variable: true,
        ..Spot::default()
    })
}

/// Whether a text has this word, and not only as a part of a longer one.
pub(in crate::tools) fn has_word(text: &str, word: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let before = text.get(..at).unwrap_or_default();
            let after = text.get(at + word.len()..).unwrap_or_default();
            !before.ends_with(goes_on) && !after.starts_with(goes_on)
        })
}

/// `${NAME}`, `${NAME:-default}`, `$NAME` in a text.
struct Variable<'a> {
    before: &'a str,
    name: &'a str,
    default: Option<String>,
    after: &'a str,
}

impl<'a> Variable<'a> {
    fn first(text: &'a str) -> Option<Self> {
        let at = text.match_indices('$').map(|(at, _)| at).find(|at| {
            let after = text.get(at + 1..).unwrap_or_default();
            let is_escaped = text.get(..*at).is_some_and(|before| before.ends_with('$'));
            !is_escaped
                && after.starts_with(|c: char| c == '{' || c == '_' || c.is_ascii_alphabetic())
        })?;
        let (before, rest) = (text.get(..at)?, text.get(at + 1..)?);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let Some(inside) = rest.strip_prefix('{') else {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            return Some(Self {
                before,
                name: rest.get(..end)?,
                default: None,
                after: rest.get(end..)?,
            });
        };
        let (inside, after) = inside.split_once('}')?;
        let end = inside.find(|c| !is_name(c)).unwrap_or(inside.len());
        let default = inside.get(end..)?.trim_start_matches(':').strip_prefix('-');
        Some(Self { before, name: inside.get(..end)?, default: default.map(str::to_owned), after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::compose::source::From;

    fn origin(files: &[(&str, &str)]) -> (tempfile::TempDir, Origin) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for (name, text) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let composes = files.iter().map(|(name, _)| *name).filter(|name| name.contains("compose"));
        let from = From::Files(composes.map(|name| root.join(name)).collect());
        let source = Source { directory: root.join("shop"), from, found_in: None };
        let policy = crate::policy::Policy::default().with_project(&root);
        let workspace = Arc::new(Workspace::new(root, Arc::new(policy)));
        let origin = Origin::of_source(&workspace, &source).unwrap();
        (folder, origin)
    }

    #[test]
    fn what_a_service_has_is_found_where_it_comes_from() {
        let (_folder, origin) = origin(&[
            (
                "shop/compose.yaml",
                "services:\n  api:\n    extends: {file: base.yml, service: app}\n    mem_limit: ${MEM:-192m}\n    ports:\n      - 127.0.0.1:${PORT}:80\n      - target: 81\n        published: \"9000\"\n    env_file: [a.env, b.env]\n    environment:\n      HOST: db\n      PASSED:\n    build: ./api\n",
            ),
            (
                "shop/compose.override.yaml",
                "services:\n  api:\n    command: [run, --db=postgers]\n",
            ),
            ("shop/base.yml", "services:\n  app:\n    user: '1000'\n"),
            ("shop/.env", "# sizes\nMEM=64m  # small\nexport PORT='8080'\nPASSED=x\n"),
            ("shop/a.env", "A=1\nB=1\n"),
            ("shop/b.env", "B=2\nURL=http://cache:1/\n"),
            ("shop/api/Dockerfile", "FROM x\nCMD a\nUSER 7\nCMD b\n"),
        ]);
        let told = |spot: Option<Spot>| {
            spot.map(|it| format!("{} {} {}", it.place(), it.key, it.text)).unwrap_or_default()
        };
        let memory = origin.key("api", "mem_limit").unwrap();
        assert_eq!(memory.used_at.as_deref(), Some("shop/compose.yaml:4"));
        assert_eq!(memory.default.as_deref(), Some("192m"));
        assert_eq!(told(Some(memory)), "shop/.env:2 MEM 64m");
        let port = |port: &str| origin.item("api", "ports", &|text| has_word(text, port));
        assert_eq!(told(port("8080")), "shop/.env:3 PORT 8080");
        assert_eq!(told(port("9000")), "shop/compose.yaml:8 services.api.ports.1.published 9000");
        assert_eq!(told(origin.key("api", "user")), "shop/base.yml:3 services.app.user 1000");
        assert_eq!(told(origin.key("api", "restart")), "");
        let variable = |name: &str| told(origin.variable("api", name));
        assert_eq!(variable("HOST"), "shop/compose.yaml:11 services.api.environment.HOST db");
        assert_eq!(variable("PASSED"), "shop/.env:4 PASSED x");
        assert_eq!(variable("B"), "shop/b.env:1 B 2");
        assert_eq!(variable("A"), "shop/a.env:1 A 1");
        assert_eq!(told(origin.variable_with("api", "cache")), "shop/b.env:2 URL http://cache:1/");
        let command = origin.item("api", "command", &|text| has_word(text, "postgers"));
        assert_eq!(
            told(command),
            "shop/compose.override.yaml:3 services.api.command.1 --db=postgers"
        );
        assert!(origin.has_changed_since(SystemTime::UNIX_EPOCH));
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert!(!origin.has_changed_since(later));
        let instruction = origin.instruction("api", &|line| line.starts_with("CMD"));
        assert_eq!(told(instruction), "shop/api/Dockerfile:4 CMD CMD b");
    }
}
