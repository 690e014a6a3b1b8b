//! A closer look at the cause that was found: what only one question more can tell.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use regex_lite::Regex;

use super::facts::Subject;
use super::finding::{Cause, Placed};
use crate::command::containers::{archive_of, header_of};
use crate::command::{Capture, Command, Invocation, Output};
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::Context;
use crate::tools::compose::origin::Origin;

/// The most that is read of a program.
const PROGRAM_BYTES: usize = 256 << 10;
/// Names that are said of a program.
const NAMES: usize = 3;

pub(super) async fn closer(
    context: &Context,
    subject: &Subject,
    origin: Option<&Origin>,
    cause: &Cause,
    placed: &mut Placed,
) {
    let docker = &context.docker;
    match cause.id {
        "volume-permission" | "permission" => owner(docker, subject, cause, placed).await,
        "script-line-ends" => first_line(docker, subject, placed).await,
        "unhealthy" | "store-missing" | "application-failed" | "variable-missing" => {
            if let Some(origin) = origin {
                variables(docker, subject, origin, placed).await;
            }
        }
        _ => {}
    }
}

// --- whose it is ---------------------------------------------------------------------------------

async fn owner(docker: &Docker, subject: &Subject, cause: &Cause, placed: &mut Placed) {
    let container = &subject.container;
    let said = |path: &str| cause.evidence.iter().any(|line| line.contains(path));
    let mounts = container.mounts.iter().filter(|mount| said(&mount.destination));
    let Some(mount) = mounts.max_by_key(|mount| mount.destination.len()) else { return };
    let look = Entry { place: format!("{}:{}", container.id, mount.destination) };
    let found = docker.watch(&look, |_| ControlFlow::Break(())).await;
    let Some(Owner { user, group, mode }) = found.ok().flatten() else { return };
    let wanted = match container.config.user.as_str() {
        "" => "root".to_owned(),
        user => user.to_owned(),
    };
    placed.evidence.push(format!(
        "{} belongs to {user}:{group}, mode {mode:03o}; it runs as {wanted}",
        mount.destination
    ));
    let number = wanted.chars().all(|c| c.is_ascii_digit() || c == ':');
    let change = if number { wanted } else { format!("the user {wanted}") };
    placed.fix = Some(format!(
        "give {} to {change} (chown -R, once, as root), or run it as user {user}:{group}",
        mount.destination
    ));
}

/// `docker container cp … -`, which prints an archive; its first block tells the owner.
struct Entry {
    place: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    user: u32,
    group: u32,
    mode: u32,
}

impl Command for Entry {
    type Reply = Option<Owner>;

    fn invocation(&self) -> Invocation {
        header_of(&self.place)
    }

    /// The archive as POSIX has it: mode, user and group in octal digits.
    fn parse(&self, output: &Output) -> Result<Option<Owner>, Error> {
        let number = |from: usize, to: usize| {
            let digits = output.stdout.get(from..to)?.trim_matches(['\0', ' ']);
            u32::from_str_radix(digits, 8).ok()
        };
        let owner = || {
            let (mode, user, group) = (number(100, 108)?, number(108, 116)?, number(116, 124)?);
            Some(Owner { user, group, mode: mode & 0o7777 })
        };
        Ok(owner())
    }
}

// --- what its script is run with -----------------------------------------------------------------

async fn first_line(docker: &Docker, subject: &Subject, placed: &mut Placed) {
    let container = &subject.container;
    let words = std::iter::once(&container.path).chain(&container.args);
    let Some(script) = words.into_iter().find(|word| word.starts_with('/')) else { return };
    let look = Program { place: format!("{}:{script}", container.id) };
    let Ok(archive) = docker.run(&look).await else { return };
    let Some(at) = archive.find("#!") else { return };
    let first = archive.get(at..).unwrap_or_default().split('\n').next().unwrap_or_default();
    let named = first.trim_start_matches("#!").trim();
    placed.evidence.push(format!("{script} begins with {first:?}"));
    placed.fix = Some(if first.ends_with('\r') {
        format!(
            "save {script} with LF line ends: its first line ends in CRLF (.gitattributes: *.sh text eol=lf)"
        )
    } else {
        format!(
            "the image has no {named}: install it in the image, or run the script with an interpreter that it has"
        )
    });
}

// --- which variables it reads --------------------------------------------------------------------

/// A variable that its files set and its program does not know, beside one that it knows and nobody
/// sets: a name that has changed.
async fn variables(docker: &Docker, subject: &Subject, origin: &Origin, placed: &mut Placed) {
    let container = &subject.container;
    let Some(service) = subject.service() else { return };
    let script = std::iter::once(&container.path).chain(&container.args).find(|word| {
        let ends = [".py", ".js", ".mjs", ".rb", ".php", ".pl", ".sh", ".ts"];
        word.starts_with('/') && ends.iter().any(|end| word.ends_with(end))
    });
    let Some(script) = script else { return };
    let names: Vec<&str> =
        container.config.env.iter().filter_map(|it| Some(it.split_once('=')?.0)).collect();
    let given: Vec<_> =
        names.iter().filter_map(|name| Some((*name, origin.variable(service, name)?))).collect();
    if given.is_empty() {
        return;
    }
    let program = Program { place: format!("{}:{script}", container.id) };
    let Ok(program) = docker.run(&program).await else { return };
    let read = read_by(&program);
    let known = |name: &str| program.contains(name) || COMMON.contains(&name);
    let unread = given.iter().filter(|(name, _)| !known(name));
    let unread: Vec<_> = unread.collect();
    let unset: Vec<&str> =
        read.iter().map(String::as_str).filter(|it| !names.contains(it)).collect();
    let (Some((name, spot)), false) = (unread.first(), unset.is_empty()) else { return };
    let unset = unset.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
    placed.place = Some(format!("{} ({name})", spot.place()));
    placed
        .evidence
        .insert(0, format!("{script} does not read {name}; it reads {unset}, which is not set"));
    placed.fix = Some(format!(
        "in {} the variable {name} means nothing to this version: set {unset} in its place",
        spot.place()
    ));
}

/// Variables that libraries read.
const COMMON: [&str; 8] =
    ["TZ", "LANG", "LC_ALL", "PATH", "HOME", "PYTHONUNBUFFERED", "NODE_ENV", "DEBUG"];

fn read_by(program: &str) -> BTreeSet<String> {
    static READ: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r#"(?:environ(?:\.get)?\s*[\[(]|getenv\s*\(|process\.env\s*[.\[]|ENV(?:\.fetch)?\s*[\[(]|\$\{?)\s*["']?([A-Z][A-Z0-9_]{2,})"#;
        Regex::new(pattern).expect("a valid pattern")
    });
    let names = READ.captures_iter(program).filter_map(|it| Some(it.get(1)?.as_str().to_owned()));
    names.filter(|name| !COMMON.contains(&name.as_str())).collect()
}

/// `docker container cp` of one file.
struct Program {
    place: String,
}

impl Command for Program {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        archive_of(&self.place, Capture::Whole { max: PROGRAM_BYTES })
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        Ok(output.stdout.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::containers::BLOCK;

    #[test]
    fn the_owner_is_read_of_an_archive() {
        let mut block = vec![0_u8; BLOCK];
        block.splice(0..5, *b"data/");
        block.splice(100..124, *b"0040700\x000001747\x000000000\0");
        let output = Output { stdout: String::from_utf8(block).unwrap(), ..Output::default() };
        let owner = Entry { place: String::new() }.parse(&output).unwrap();
        assert_eq!(owner, Some(Owner { user: 999, group: 0, mode: 0o700 }));
        assert_eq!(Entry { place: String::new() }.parse(&Output::default()).unwrap(), None);
    }

    #[test]
    fn the_variables_that_a_program_reads_are_known_in_many_languages() {
        let program = "a = os.environ.get(\"STORE_PATH\", 1)\nos.environ['API_KEY']\nprocess.env.PORT_HTTP\nENV['RUBY_ONE']\ngetenv('PHP_ONE')\necho ${SHELL_ONE:-x} $TZ\n";
        let read: Vec<String> = read_by(program).into_iter().collect();
        assert_eq!(
            read,
            ["API_KEY", "PHP_ONE", "PORT_HTTP", "RUBY_ONE", "SHELL_ONE", "STORE_PATH"]
        );
    }
}
