//! The values of variables as compose sees them: `.env` has references, quotes and escapes, and what
//! the docker client is given counts too. So compose is asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::command::compose::Project;
use crate::command::values::Environment;
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::error::Error;
use crate::sort;

const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Of these variables those that are set, with their values.
pub(super) struct Variables<'a> {
    project: Project,
    environment: &'a Environment,
    names: Vec<&'a str>,
}

impl<'a> Variables<'a> {
    /// Names that compose could not read as such are left out.
    pub(super) fn of(
        directory: &Path,
        dot_env: Vec<PathBuf>,
        environment: &'a Environment,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let is_plain = |name: &&str| {
            !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let project = Project {
            directory: Some(directory.to_owned()),
            files: vec!["-".into()],
            reads_dot_env: true,
            env_files: dot_env,
            ..Project::default()
        };
        Self { project, environment, names: names.into_iter().filter(is_plain).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "x-values")]
    values: BTreeMap<String, String>,
    /// `set`, or nothing: a value may be empty.
    #[serde(rename = "x-set")]
    set: BTreeMap<String, String>,
}

impl Command for Variables<'_> {
    type Reply = BTreeMap<String, String>;

    fn invocation(&self) -> Invocation {
        let ask = |how: &str| {
            let names = self.names.iter();
            sort::map(names.map(|name| ((*name).to_owned(), format!("${{{name}{how}}}"))))
        };
        let question = json!({
            "name": "variables", "services": {}, "x-values": ask("-"), "x-set": ask("+set"),
        });
        let directory = self.project.directory.as_ref().and_then(|directory| directory.to_str());
        let invocation = self
            .project
            .invocation(Effect::Read, "config")
            .option("--format", "json")
            .timeout(TIME_LIMIT)
            .only_here()
            .client_env("PWD", directory.unwrap_or_default())
            .stdin(question.to_string().into_bytes());
        self.environment.iter().fold(invocation, |invocation, (name, value)| {
            invocation.client_env(name.as_str(), value)
        })
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let Document { values, set } = json::document(&output.stdout)?;
        let is_set = |(name, _): &(String, String)| set.get(name).is_some_and(|it| it == "set");
        let values = values.into_iter().filter(is_set);
        // Compose prints what it would read as this value.
        Ok(sort::map(values.map(|(name, value)| (name, value.replace("$$", "$")))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_be_empty_and_is_not_missing_then() {
        let environment = Environment::default();
        let names = ["A", "B", "C", "odd-name", "1"];
        let variables = Variables::of(Path::new("/srv"), vec![], &environment, names);
        assert_eq!(variables.names, ["A", "B", "C"]);
        let question = variables.invocation();
        let question = String::from_utf8_lossy(question.stdin_bytes().unwrap()).into_owned();
        assert!(question.contains(r#""A":"${A+set}""#), "{question}");
        let stdout = json!({
            "x-values": {"A": "x$$y", "B": "", "C": ""}, "x-set": {"A": "set", "B": "set", "C": ""},
        });
        let output = Output { stdout: stdout.to_string(), ..Output::default() };
        let known = variables.parse(&output).unwrap();
        let known: Vec<(&str, &str)> =
            known.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(known, [("A", "x$y"), ("B", "")]);
    }
}
