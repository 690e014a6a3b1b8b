//! What compose does when it is told nothing: which files it takes and which profiles are on. Both
//! can stand in the `.env` of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::variables::Variables;
use crate::command::values::Environment;
use crate::docker::Docker;
use crate::error::Error;
use crate::policy::{Disk, Files as _};

const FILE: &str = "COMPOSE_FILE";
const SEPARATOR: &str = "COMPOSE_PATH_SEPARATOR";
const PROFILES: &str = "COMPOSE_PROFILES";

/// The names that compose looks for, in its order.
const NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// Of these it takes the first that lies beside.
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// The file that compose takes in this folder and the one that overrides it, as far as they exist.
pub(super) fn usual_files(folder: &Path) -> Vec<PathBuf> {
    let first = |names: &[&str]| names.iter().map(|name| folder.join(name)).find(|it| it.is_file());
    let Some(file) = first(&NAMES) else { return vec![] };
    std::iter::once(file).chain(first(&OVERRIDES)).collect()
}

/// Usual names of which compose takes another one.
pub(super) fn passed_over(folder: &Path) -> Vec<PathBuf> {
    let further = |names: &[&str]| {
        let there = names.iter().map(|name| folder.join(name)).filter(|it| it.is_file());
        there.skip(1).collect::<Vec<_>>()
    };
    [further(&NAMES), further(&OVERRIDES)].concat()
}

/// What the `.env` files of a folder say about files and profiles.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Relative to the folder that compose is started in.
    pub(super) files: Vec<String>,
    pub(super) profiles: Vec<String>,
}

impl Settings {
    /// # Errors
    /// As [`Docker::run`], for instance for a `.env` that compose cannot read.
    pub(super) async fn of(
        docker: &Docker,
        directory: &Path,
        dot_env: &[PathBuf],
    ) -> Result<Self, Error> {
        // What may not be read is refused with the files of the project.
        let may_be_read =
            |file: &PathBuf| docker.policy().file(file, true, "env_file", &Disk).is_ok();
        // Most have none, and the question takes as long as all the rest.
        let has_settings =
            |file: &PathBuf| Disk.read(file).is_ok_and(|text| text.contains("COMPOSE_"));
        if !dot_env.iter().all(may_be_read) || !dot_env.iter().any(has_settings) {
            return Ok(Self::default());
        }
        let names = [FILE, SEPARATOR, PROFILES];
        let environment = Environment::default();
        let variables = Variables::of(directory, dot_env.to_vec(), &environment, names);
        Ok(Self::from(&docker.run(&variables).await?))
    }

    fn from(variables: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
        let parts = |text: &str, separator: &str| -> Vec<String> {
            let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        let separator = if value(SEPARATOR).is_empty() { ":" } else { value(SEPARATOR) };
        Self { files: parts(value(FILE), separator), profiles: parts(value(PROFILES), ",") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &str, separator: &str, profiles: &str) -> Settings {
        let values = [(FILE, files), (SEPARATOR, separator), (PROFILES, profiles)];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Settings::from(&values.into())
    }

    #[test]
    fn files_and_profiles_are_lists_in_one_text() {
        let settings = told("a.yml:sub/b.yml", "", "dev, debug");
        assert_eq!(settings.files, ["a.yml", "sub/b.yml"]);
        assert_eq!(settings.profiles, ["dev", "debug"]);
        assert_eq!(told("a.yml;b.yml", ";", "").files, ["a.yml", "b.yml"]);
        assert_eq!(told("", "", ""), Settings::default());
    }

    #[test]
    fn the_usual_file_comes_with_the_one_that_overrides_it() {
        let folder = tempfile::tempdir().unwrap();
        let of = |names: Vec<PathBuf>| -> Vec<String> {
            let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            names.iter().map(name).collect()
        };
        let put = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        put("docker-compose.override.yml");
        assert!(usual_files(folder.path()).is_empty(), "an override alone is no project");
        put("docker-compose.yml");
        let both = ["docker-compose.yml", "docker-compose.override.yml"];
        assert_eq!(of(usual_files(folder.path())), both);
        put("compose.yaml");
        put("compose.override.yaml");
        assert_eq!(of(usual_files(folder.path())), ["compose.yaml", "compose.override.yaml"]);
        assert_eq!(of(passed_over(folder.path())), both);
    }
}
