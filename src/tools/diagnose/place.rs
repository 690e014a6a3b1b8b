//! Where a cause is to be changed: the file and line that the next deployment reads, or the option
//! of a container that no file defines.

use std::path::{Path, PathBuf};

use super::facts::{Facts, Line, Subject};
use super::finding::{Cause, Placed, Site, call, on, redeploy};
use super::look;
use crate::command::containers::Container;
use crate::command::labels;
use crate::command::text::cut_line;
use crate::command::values::ByteSize;
use crate::policy::{Disk, Files as _};
use crate::tools::Context;
use crate::tools::compose::origin::{Origin, Spot, has_word};

/// Files of a mounted folder that are searched for a word.
const FILES: usize = 60;
const LEVELS: usize = 3;
/// Larger files are data.
const FILE_BYTES: u64 = 64 << 10;
/// Lines of a log that may name a file of the project.
const NAMING_LINES: usize = 12;
const VALUE_BYTES: usize = 60;
/// Further places of the same.
const ALSO: usize = 5;

/// A place, and what makes a change there take effect.
struct Found {
    spot: Spot,
    effect: Effect,
    /// What was looked for, when it is only a part of what stands there.
    word: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Deploy,
    Build,
    Restart,
}

pub(super) async fn place(
    context: &Context,
    facts: &Facts,
    subject: &Subject,
    cause: &Cause,
) -> Placed {
    let peer = cause.peer.as_deref();
    let peer = peer.and_then(|name| facts.subjects.iter().find(|it| it.name() == name));
    let defined = peer.unwrap_or(subject);
    let project = defined.project();
    let mut containers: Vec<Container> = vec![];
    for other in facts.subjects.iter().filter(|it| it.project() == project) {
        containers.push(other.container.clone());
    }
    let origin = match project.and_then(|name| name.parse().ok()) {
        Some(name) => Origin::of(context, &name, &containers).await,
        None => None,
    };
    let search = Search { context, subject: defined, origin: origin.as_ref() };
    let deploy = origin.as_ref().zip(project).filter(|_| containers.is_empty());
    let deploy = deploy.map(|(origin, project)| {
        let files = origin.files().join(":");
        call("deploy-compose", &[("project_name", project), ("compose_file", &files)])
    });
    let mut placed = Placed { is_deployed: project.is_some(), deploy, ..Placed::default() };
    let found = cause.sites.iter().find_map(|site| search.site(site));
    let found = match found {
        None if speaks_of_files(cause) => search.named_in_log().or_else(|| search.usual(cause)),
        found => found,
    };
    if let Some(found) = found {
        search.tell(cause, &found, &mut placed);
    } else if let Some(place) = search.elsewhere(cause) {
        placed.place = Some(place);
    }
    look::closer(context, defined, origin.as_ref(), cause, &mut placed).await;
    placed
}

/// Whether files of the project can be to blame.
fn speaks_of_files(cause: &Cause) -> bool {
    let not_of_files = matches!(
        cause.id,
        "paused" | "stopped" | "not-started" | "ended-with-docker" | "file-changed"
    );
    !not_of_files
}

struct Search<'a> {
    context: &'a Context,
    subject: &'a Subject,
    origin: Option<&'a Origin>,
}

impl Search<'_> {
    fn site(&self, site: &Site) -> Option<Found> {
        let deploy = |spot: Spot| Found { spot, effect: Effect::Deploy, word: None };
        let service = self.subject.service().unwrap_or_default();
        let key = |key: &str| self.origin?.key(service, key);
        match site {
            Site::Key(name) => key(name).map(deploy),
            Site::Instruction(name) => self.instruction(&|line| {
                line.split_whitespace().next().is_some_and(|it| it.eq_ignore_ascii_case(name))
            }),
            Site::Port(port) => self.port(*port, true).map(deploy),
            Site::Target(port) => self.port(*port, false).map(deploy),
            Site::Mount(path) => self.mount(path).map(deploy),
            Site::Variable(name) => {
                let spot = self.origin.and_then(|origin| origin.variable(service, name));
                spot.map(deploy).or_else(|| {
                    let prefixes = [format!("ENV {name}="), format!("ENV {name} ")];
                    self.instruction(&|line| prefixes.iter().any(|it| line.starts_with(it)))
                })
            }
            Site::VariableLike(ends) => {
                let names = self.subject.container.config.env.iter();
                let names = names.filter_map(|entry| Some(entry.split_once('=')?.0));
                let mut like = names.filter(|name| ends.iter().any(|end| name.ends_with(end)));
                like.find_map(|name| self.origin?.variable(service, name)).map(deploy)
            }
            Site::Word(word) => self.word(word),
            Site::Directive(name) => self.directive(name),
            Site::File(path, line) => self.file(path, *line),
            Site::Top(path) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                self.origin?.top(&path).map(deploy)
            }
        }
    }

    fn instruction(&self, is_it: &dyn Fn(&str) -> bool) -> Option<Found> {
        let spot = self.origin?.instruction(self.subject.service()?, is_it)?;
        Some(Found { spot, effect: Effect::Build, word: None })
    }

    fn port(&self, port: u16, of_host: bool) -> Option<Spot> {
        let number = port.to_string();
        let is_meant = |text: &str| {
            let text = text.split('/').next().unwrap_or_default();
            let mut parts = text.rsplit(':');
            let (target, host) = (parts.next(), parts.next());
            let part = if of_host { host.or(target) } else { target };
            let part = part.unwrap_or_default();
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.parse::<u16>(), last.parse::<u16>()) {
                (Ok(first), Ok(last)) => (first..=last).contains(&port),
                _ => part == number,
            }
        };
        self.origin?.item(self.subject.service()?, "ports", &is_meant)
    }

    fn mount(&self, path: &str) -> Option<Spot> {
        let (origin, service) = (self.origin?, self.subject.service()?);
        let mounts = self.subject.container.mounts.iter();
        let known =
            mounts.filter(|it| it.source == path || it.destination == path || it.name == path);
        let targets: Vec<&str> = known.map(|mount| mount.destination.as_str()).collect();
        let is_meant = |text: &str| {
            let mut parts = text.split(':');
            parts.any(|part| part == path || targets.contains(&part))
        };
        let keys = ["volumes", "tmpfs", "secrets", "configs"];
        let exactly = keys.iter().find_map(|key| origin.item(service, key, &is_meant));
        let exactly = exactly.or_else(|| origin.file_of_secret(path));
        // A container that was never made has no mounts; its source is absolute, in the file it is not.
        exactly.or_else(|| {
            let name = Path::new(path).file_name()?.to_str()?.to_owned();
            origin.item(service, "volumes", &|text| {
                let source = text.split(':').next().unwrap_or_default();
                Path::new(source).file_name().is_some_and(|it| it == name.as_str())
            })
        })
    }

    fn word(&self, word: &str) -> Option<Found> {
        let found = |spot, effect| Found { spot, effect, word: Some(word.to_owned()) };
        // The program tells where it has read it.
        if let Some(said) = self.named_in_log().filter(|said| has_word(&said.spot.text, word)) {
            return Some(found(said.spot, said.effect));
        }
        if let (Some(origin), Some(service)) = (self.origin, self.subject.service()) {
            let has = |text: &str| has_word(text, word);
            let defined = origin
                .variable_with(service, word)
                .or_else(|| origin.item(service, "command", &has))
                .or_else(|| origin.item(service, "entrypoint", &has))
                .or_else(|| origin.item(service, "healthcheck.test", &has));
            if let Some(spot) = defined {
                return Some(found(spot, Effect::Deploy));
            }
        }
        let has = |line: &str| has_word(line, word);
        let mounted = self.in_mounted_files(&has).map(|spot| found(spot, Effect::Restart));
        mounted
            .or_else(|| self.instruction(&has))
            .or_else(|| self.in_build_context(&has).map(|spot| found(spot, Effect::Build)))
    }

    fn directive(&self, name: &str) -> Option<Found> {
        if let (Some(origin), Some(service)) = (self.origin, self.subject.service()) {
            let has = |text: &str| has_word(text.trim_start_matches('-'), name);
            let keys = ["command", "entrypoint"];
            let found = keys.iter().find_map(|key| origin.item(service, key, &has));
            if let Some(spot) = found.or_else(|| origin.variable_with(service, name)) {
                return Some(Found { spot, effect: Effect::Deploy, word: None });
            }
        }
        let sets = |line: &str| {
            let rest = line.trim_start().strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with([' ', '\t', '=', ':']))
        };
        let spot = self.in_mounted_files(&sets)?;
        Some(Found { spot, effect: Effect::Restart, word: None })
    }

    /// A file as the container sees it: mounted, or copied into its image.
    fn file(&self, path: &str, line: Option<usize>) -> Option<Found> {
        let mounts = self.subject.container.mounts.iter().filter(|mount| mount.kind == "bind");
        let below = |at: &str| Some(Path::new(path).strip_prefix(at).ok()?.to_owned());
        let mounted = mounts.filter_map(|it| Some((below(&it.destination)?, it)));
        let mounted = mounted.min_by_key(|(rest, _)| rest.components().count());
        let (file, effect) = match mounted {
            Some((rest, mount)) if rest.as_os_str().is_empty() => {
                (PathBuf::from(&mount.source), Effect::Restart)
            }
            Some((rest, mount)) => (Path::new(&mount.source).join(rest), Effect::Restart),
            None => (self.copied(path)?, Effect::Build),
        };
        let located = file.canonicalize().ok()?;
        let name = self.name_of(&located)?;
        if !located.is_file() {
            return None;
        }
        let text = line.and_then(|line| {
            Some(self.read(&located)?.lines().nth(line.checked_sub(1)?)?.trim().to_owned())
        });
        // The line may be one that another file of that name has.
        let line = line.filter(|_| text.is_some()).unwrap_or_default();
        let spot = Spot { file: name, line, text: text.unwrap_or_default(), ..Spot::default() };
        Some(Found { spot, effect, word: None })
    }

    /// The file of the build context that was copied to this place, by the end of its path.
    fn copied(&self, path: &str) -> Option<PathBuf> {
        let context = self.origin?.build_context(self.subject.service()?)?;
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut ends = (0..parts.len()).filter_map(|from| Some(parts.get(from..)?.join("/")));
        ends.find_map(|end| Some(context.join(end)).filter(|file| file.is_file()))
    }

    /// A file that a line of its log names, with the line in it.
    fn named_in_log(&self) -> Option<Found> {
        let lines = self.subject.log.iter().rev().take(NAMING_LINES);
        let mut named = lines.flat_map(|line| files_in(line, &self.subject.container));
        named.find_map(|(path, line)| self.file(&path, line))
    }

    /// What any failure of a program may lie in: its command, or what its image is built from.
    fn usual(&self, cause: &Cause) -> Option<Found> {
        let runs = matches!(
            cause.id,
            "application-failed"
                | "ends-at-once"
                | "crashed"
                | "killed"
                | "command-not-found"
                | "not-executable"
                | "exec-format"
                | "script-line-ends"
                | "errors-in-log"
                | "port-not-listened"
                | "configuration"
        );
        let script = || {
            let words =
                self.words().into_iter().find(|word| word.starts_with('/') && word.contains('.'));
            self.file(&words?, None)
        };
        let command =
            || ["command", "entrypoint"].iter().find_map(|key| self.site(&Site::Key(key)));
        let image =
            || ["CMD", "ENTRYPOINT"].iter().find_map(|it| self.site(&Site::Instruction(it)));
        let first = if runs { script().or_else(command).or_else(image) } else { None };
        let service = self.subject.service()?;
        first.or_else(|| {
            let spot = self.origin?.service(service)?;
            Some(Found { spot, effect: Effect::Deploy, word: None })
        })
    }

    /// The program and its arguments.
    fn words(&self) -> Vec<String> {
        let container = &self.subject.container;
        std::iter::once(&container.path).chain(&container.args).cloned().collect()
    }

    // --- files -----------------------------------------------------------------------------------

    /// Its name in the project folder, when it is in there and may be read.
    fn name_of(&self, located: &Path) -> Option<String> {
        let workspace = &self.context.workspace;
        let name = located.strip_prefix(&workspace.folder).ok()?.display().to_string();
        workspace.policy.file(located, true, "mount", &Disk).ok()?;
        Some(name)
    }

    fn read(&self, located: &Path) -> Option<String> {
        let is_small = located.metadata().is_ok_and(|it| it.is_file() && it.len() <= FILE_BYTES);
        self.name_of(located)?;
        is_small.then(|| Disk.read(located).ok())?
    }

    fn in_mounted_files(&self, is_it: &dyn Fn(&str) -> bool) -> Option<Spot> {
        let mounts = self.subject.container.mounts.iter().filter(|mount| mount.kind == "bind");
        let mut sources = mounts.map(|mount| PathBuf::from(&mount.source));
        sources.find_map(|source| self.in_files(&source, is_it))
    }

    fn in_build_context(&self, is_it: &dyn Fn(&str) -> bool) -> Option<Spot> {
        self.in_files(&self.origin?.build_context(self.subject.service()?)?, is_it)
    }

    /// The first line in a file, or in the files of a folder.
    fn in_files(&self, at: &Path, is_it: &dyn Fn(&str) -> bool) -> Option<Spot> {
        self.lines_in_files(at, is_it, 1).pop()
    }

    /// So many lines in a file, or in the files of a folder.
    fn lines_in_files(&self, at: &Path, is_it: &dyn Fn(&str) -> bool, most: usize) -> Vec<Spot> {
        let mut found = vec![];
        let located = at.canonicalize().ok().filter(|located| self.name_of(located).is_some());
        let mut open: Vec<(PathBuf, usize)> = located.into_iter().map(|it| (it, 0)).collect();
        let mut left = FILES;
        while let Some((path, level)) = open.pop() {
            left -= 1;
            if left == 0 {
                break;
            }
            if path.is_dir() {
                let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
                let mut inner: Vec<PathBuf> = entries
                    .filter(|entry| !entry.file_type().is_ok_and(|it| it.is_symlink()))
                    .map(|entry| entry.path())
                    .collect();
                crate::sort::by(&mut inner, |a, b| b.cmp(a));
                if level < LEVELS {
                    open.extend(inner.into_iter().map(|path| (path, level + 1)));
                }
                continue;
            }
            let Some(text) = self.read(&path) else { continue };
            let is_comment = |line: &str| line.trim_start().starts_with(['#', ';']);
            let Some(file) = self.name_of(&path) else { continue };
            for (at, line) in text.lines().enumerate() {
                if is_comment(line) || !is_it(line) {
                    continue;
                }
                let (file, text) = (file.clone(), line.trim().to_owned());
                found.push(Spot { file, line: at + 1, text, ..Spot::default() });
                if found.len() == most {
                    return found;
                }
            }
        }
        found
    }

    /// Other lines of the project's files that name what is to be changed: addresses of a subnet,
    /// a port.
    fn also_named(&self, cause: &Cause, site: &Site, place: &str) -> Option<String> {
        let (what, is_whole) = match site {
            Site::Port(port) => (port.to_string(), true),
            Site::Top(_) => {
                let subnet = cause.why.split(" asks for ").nth(1)?.split('/').next()?;
                (format!("{}.", subnet.rsplit_once('.')?.0), false)
            }
            _ => return None,
        };
        let is_it =
            |line: &str| if is_whole { has_word(line, &what) } else { line.contains(&what) };
        let spots = self.lines_in_files(self.origin?.directory(), &is_it, ALSO + 1);
        let places = spots.iter().map(Spot::place).filter(|it| it != place).take(ALSO);
        let places = places.collect::<Vec<_>>().join(", ");
        (!places.is_empty()).then(|| format!("{what} stands at {places} too"))
    }

    // --- words -----------------------------------------------------------------------------------

    fn tell(&self, cause: &Cause, found: &Found, placed: &mut Placed) {
        let Found { spot, effect, word } = found;
        let place = if spot.line == 0 { spot.file.clone() } else { spot.place() };
        let value = cut_line(&spot.text, VALUE_BYTES);
        placed.place = Some(match spot.key.as_str() {
            "" => place.clone(),
            key => format!("{place} ({key})"),
        });
        if let Some(used_at) = &spot.used_at {
            placed.evidence.push(format!("{}: used at {used_at}", spot.key));
        }
        let last = spot.key.rsplit('.').next().unwrap_or_default();
        placed.fix = match (&cause.to, word) {
            (Some(to), Some(word)) => Some(format!("write {to} in place of {word} at {place}")),
            (Some(to), None) if cause.id == "out-of-memory" => {
                let to = wider(to, spot.default.as_deref());
                let set =
                    if spot.is_variable { format!("{last}={to}") } else { format!("{last}: {to}") };
                Some(format!("set {set} in {place} (now {value})"))
            }
            (Some(to), None) if spot.is_variable => {
                Some(format!("set {last}={to} in {place} (now {value})"))
            }
            (Some(to), None) => Some(format!("write {to} in {place} (now {value})")),
            (None, _) => missing_variable(cause).map(|name| {
                if last == name {
                    format!("give {name} a value that the program accepts in {place}")
                } else {
                    format!("add {name} at {place} ({})", spot.key)
                }
            }),
        };
        let sites = cause.sites.iter().take(1).cloned().chain(cause.further_port.map(Site::Port));
        for site in sites {
            placed.evidence.extend(self.also_named(cause, &site, &spot.place()));
        }
        if cause.sites.iter().any(|site| matches!(site, Site::Directive(_))) {
            placed.evidence.push(format!("{place}: {value}"));
        }
        let (project, name) = (self.subject.project(), self.subject.name());
        placed.next = match (effect, project) {
            (Effect::Restart, _) if !name.is_empty() => Some(on("restart-container", name)),
            (_, Some(_)) if placed.deploy.is_some() => placed.deploy.clone(),
            (effect, Some(project)) => {
                let builds = *effect == Effect::Build || cause.id == "sources-newer";
                Some(redeploy(project, builds))
            }
            (_, None) => None,
        };
    }

    /// What defines it when no file of the project folder does.
    fn elsewhere(&self, cause: &Cause) -> Option<String> {
        let container = &self.subject.container;
        let option = cause.sites.iter().find_map(option_of)?;
        if self.subject.project().is_none() {
            return Some(format!("{option} of container {}", container.name()));
        }
        let files = container.label(labels::PROJECT_FILES).filter(|it| it.starts_with('/'))?;
        let is_inside = Path::new(files).starts_with(&self.context.workspace.folder);
        let why = if is_inside { "may not be read" } else { "outside of the project folder" };
        let key = cause.sites.iter().find_map(key_of)?;
        Some(format!("{files} ({why}): {key} of service {}", self.subject.service()?))
    }
}

/// The variable that a program asks for.
fn missing_variable(cause: &Cause) -> Option<&str> {
    cause.sites.iter().filter(|_| cause.id == "variable-missing").find_map(|site| match site {
        Site::Variable(name) => Some(name.as_str()),
        _ => None,
    })
}

/// The default of a variable, when that is more.
fn wider(to: &str, default: Option<&str>) -> String {
    let size = |text: &str| text.parse::<ByteSize>().ok();
    match default {
        Some(default) if size(default) > size(to) => default.to_owned(),
        _ => to.to_owned(),
    }
}

/// The option of `docker run` that is the same as a key of a service.
fn option_of(site: &Site) -> Option<String> {
    Some(match site {
        Site::Key(key) => match *key {
            "mem_limit" => "--memory",
            "user" => "--user",
            "command" => "the command",
            "entrypoint" => "--entrypoint",
            "networks" | "network_mode" => "--network",
            "read_only" => "--read-only",
            "working_dir" => "--workdir",
            "image" | "platform" => "the image",
            "tmpfs" => "--tmpfs",
            "restart" => "--restart",
            "ulimits" | "ulimits.nofile" => "--ulimit",
            "healthcheck.test" | "healthcheck" => "--health-cmd",
            "healthcheck.timeout" => "--health-timeout",
            _ => return None,
        }
        .to_owned(),
        Site::Port(_) | Site::Target(_) => "--publish".to_owned(),
        Site::Mount(path) => format!("the mount of {path}"),
        Site::Variable(name) => format!("--env={name}"),
        _ => return None,
    })
}

fn key_of(site: &Site) -> Option<String> {
    Some(match site {
        Site::Key(key) => (*key).to_owned(),
        Site::Port(_) | Site::Target(_) => "ports".to_owned(),
        Site::Mount(_) => "volumes".to_owned(),
        Site::Variable(name) => format!("environment {name}"),
        _ => return None,
    })
}

/// The files that a line of a log names, with the lines in them: `/app/x.py", line 3`,
/// `/app/x.js:10:5`, `run.sh: line 3:`.
pub(super) fn files_in(line: &Line, container: &Container) -> Vec<(String, Option<usize>)> {
    let separates = |c: char| c.is_whitespace() || "\"'()[]<>,;=".contains(c);
    let words: Vec<&str> = line.text.split(separates).filter(|word| !word.is_empty()).collect();
    let mut files = vec![];
    for (at, word) in words.iter().enumerate() {
        let mut parts = word.split(':');
        let path = parts.next().unwrap_or_default();
        let is_path = path.starts_with('/') && path.len() > 2;
        let is_name = path.contains('.')
            && path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        if !(is_path || is_name) || path.starts_with("//") {
            continue;
        }
        let number = parts.next().and_then(|part| part.parse().ok());
        let number = number.or_else(|| {
            let is_line = words.get(at + 1).is_some_and(|it| it.eq_ignore_ascii_case("line"));
            let number = words.get(at + 2).filter(|_| is_line)?;
            number.trim_end_matches(':').parse().ok()
        });
        if is_path {
            files.push((path.to_owned(), number));
            continue;
        }
        // As it was called, or below its working folder.
        let called = std::iter::once(&container.path).chain(&container.args);
        let mut whole = called.filter(|word| Path::new(word.as_str()).ends_with(path));
        let folder = Path::new(&container.config.working_dir);
        let whole = whole.next().cloned();
        files.push((whole.unwrap_or_else(|| folder.join(path).display().to_string()), number));
    }
    files
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_files_that_a_log_names_are_found_with_their_lines() {
        let container: Container = serde_json::from_value(json!({
            "Path": "sh", "Args": ["/srv/run.sh"], "Config": {"WorkingDir": "/app"},
        }))
        .unwrap();
        for (line, expected) in [
            (r#"  File "/app/x.py", line 3, in <module>"#, Some(("/app/x.py", Some(3)))),
            ("    at run (/app/index.js:10:5)", Some(("/app/index.js", Some(10)))),
            ("/srv/run.sh: line 7: JOB: no job", Some(("/srv/run.sh", Some(7)))),
            ("run.sh: line 7: JOB: no job", Some(("/srv/run.sh", Some(7)))),
            ("main.go:12 +0x1d", Some(("/app/main.go", Some(12)))),
            (
                r#"unknown directive "x" in /etc/nginx/x.conf:3"#,
                Some(("/etc/nginx/x.conf", Some(3))),
            ),
            ("cannot open /data/store", Some(("/data/store", None))),
            ("nothing to see", None),
        ] {
            let found = files_in(&Line::new(line), &container);
            let found = found.first().map(|(path, line)| (path.as_str(), *line));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn a_default_that_is_wider_is_what_the_author_meant() {
        assert_eq!(wider("128m", Some("192m")), "192m");
        assert_eq!(wider("128m", Some("96m")), "128m");
        assert_eq!(wider("128m", Some("x")), "128m");
        assert_eq!(wider("128m", None), "128m");
    }
}
