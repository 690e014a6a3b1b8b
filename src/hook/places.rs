//! Which compose project a command line is about, and where its files are.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::grammar::Spoken;
use super::path::resolved;
use super::shell::{Call, Input};
use super::word::Word;

/// No compose file or `.env` that a person wrote is larger.
const LARGEST: u64 = 1 << 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Project {
    /// Nothing where it is not known before.
    pub(super) name: Option<String>,
    /// The folder that compose works in.
    pub(super) folder: Option<PathBuf>,
    /// Those that are named.
    pub(super) files: Vec<PathBuf>,
    /// What comes on its standard input.
    pub(super) text: Option<String>,
    pub(super) has_file: bool,
}

/// What compose finds without being told, in its order.
const USUAL: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// `own` are variables of the environment that the shell has.
pub(super) fn project(spoken: &Spoken, call: &Call, own: &BTreeMap<String, String>) -> Project {
    let variable = |name: &str| match call.variables.get(name) {
        Some(word) => Some(word.clone()),
        None => own.get(name).map(Word::known),
    };
    let mut project = Project::default();
    let from = call.folder.as_deref();
    let given = spoken.global("project-directory").chain(spoken.global("workdir")).last();
    let named: Vec<Word> = spoken.global("file").cloned().collect();
    let named = match (&named[..], variable("COMPOSE_FILE")) {
        ([], Some(files)) => {
            let separate = |text: &str| text.split(':').map(Word::known).collect();
            files.value().map_or_else(|| vec![files.clone()], separate)
        }
        _ => named,
    };
    let mut is_known = named.iter().all(|word| word.known);
    for word in &named {
        match word.value() {
            Some("-") => project.text = text_of(&call.input, from),
            Some(path) => project.files.extend(resolved(path, from)),
            None => {}
        }
    }
    if project.text.is_none() && named.iter().any(|word| word.value() == Some("-")) {
        is_known = false;
    }
    project.folder = match (given, project.files.first()) {
        (Some(word), _) => word.value().and_then(|path| resolved(path, from)),
        (None, Some(file)) => file.parent().map(Path::to_owned),
        (None, None) if named.is_empty() => from.map(|from| above(from).unwrap_or(from).to_owned()),
        (None, None) => from.map(Path::to_owned),
    };
    let folder = project.folder.clone().unwrap_or_default();
    let usual: Vec<PathBuf> = USUAL.iter().map(|name| folder.join(name)).collect();
    let usual = usual.into_iter().find(|path| path.is_file());
    project.has_file = project.text.is_some()
        || project.files.iter().any(|file| file.is_file())
        || (named.is_empty() && usual.is_some());
    let files = if named.is_empty() { usual.into_iter().collect() } else { project.files.clone() };
    project.name = match spoken.global("project-name").last().cloned() {
        Some(word) => word.value().map(str::to_owned),
        None => match variable("COMPOSE_PROJECT_NAME") {
            Some(word) => word.value().map(str::to_owned),
            None => dot_env(&folder, "COMPOSE_PROJECT_NAME").or_else(|| {
                let texts = files.iter().rev().filter_map(|file| read(file));
                let mut texts = project.text.iter().cloned().chain(texts);
                match texts.find_map(|text| top_level_name(&text)) {
                    Some(name) if name.contains('$') => None,
                    Some(name) => Some(name),
                    None if is_known => project.folder.as_deref().and_then(of_folder),
                    None => None,
                }
            }),
        },
    };
    project
}

/// A compose file that comes on the standard input, where it is known.
fn text_of(input: &Input, folder: Option<&Path>) -> Option<String> {
    match input {
        Input::Text(text) => Some(text.clone()),
        Input::File(word) => read(&resolved(word.value()?, folder)?),
        _ => None,
    }
}

/// The nearest folder, from here upwards, with a compose file in it.
fn above(from: &Path) -> Option<&Path> {
    from.ancestors().find(|folder| USUAL.iter().any(|name| folder.join(name).is_file()))
}

/// A text file; nothing for one that is not there, or too large.
fn read(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

fn dot_env(folder: &Path, name: &str) -> Option<String> {
    let text = read(&folder.join(".env"))?;
    let value = text.lines().rev().find_map(|line| {
        let line = line.trim().trim_start_matches("export ");
        line.strip_prefix(name)?.trim_start().strip_prefix('=')
    })?;
    let value = plain(value);
    (!value.is_empty()).then_some(value)
}

/// Of `name: shop` at the beginning of a line.
fn top_level_name(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("name:"))?;
    let name = plain(value);
    (!name.is_empty()).then_some(name)
}

/// Without quotes and comment.
fn plain(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|it| it.split_once(quote)) {
            return inner.to_owned();
        }
    }
    value.split(" #").next().unwrap_or_default().trim().to_owned()
}

/// As compose makes it of the name of the folder.
fn of_folder(folder: &Path) -> Option<String> {
    let canonical = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = canonical.file_name()?.to_str()?.to_lowercase();
    let kept = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let name: String = name.chars().filter(kept).collect();
    let name = name.trim_start_matches(['-', '_']).to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::grammar::{self, Client};

    fn words(line: &str) -> Vec<Word> {
        shell_words::split(line).unwrap().into_iter().map(Word::known).collect()
    }

    fn found(line: &str, folder: &Path) -> Project {
        let spoken = grammar::read(Client::Docker, &words(line)).unwrap();
        let call = Call { folder: Some(folder.to_owned()), ..Call::default() };
        project(&spoken, &call, &BTreeMap::new())
    }

    #[test]
    fn the_name_is_that_which_compose_takes() {
        let folder = tempfile::tempdir().unwrap();
        let shop = folder.path().join("My Shop.2");
        std::fs::create_dir_all(shop.join("deep/er")).unwrap();
        let name = |line: &str, from: &Path| found(line, from).name;
        std::fs::write(shop.join("compose.yaml"), "services: {}\n").unwrap();
        assert_eq!(name("docker compose down", &shop).as_deref(), Some("myshop2"));
        assert_eq!(name("docker compose down", &shop.join("deep/er")).as_deref(), Some("myshop2"));
        assert_eq!(name("docker compose -p x down", &shop).as_deref(), Some("x"));
        std::fs::write(shop.join("other.yml"), "name: 'named' # so\nservices: {}\n").unwrap();
        assert_eq!(name("docker compose -f other.yml down", &shop).as_deref(), Some("named"));
        std::fs::write(shop.join(".env"), "A=b\nCOMPOSE_PROJECT_NAME=\"env\"\n").unwrap();
        assert_eq!(name("docker compose down", &shop).as_deref(), Some("env"));
        assert!(found("docker compose down", &shop).has_file);
        assert!(!found("docker compose -f none.yml down", &shop).has_file);
    }
}
