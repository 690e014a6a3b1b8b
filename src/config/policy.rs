//! What an agent may do: the operator's flags. No call can change them, and nothing of the project
//! folder is read for them.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::policy::{Allow, Disk, Level, Pattern, Policy, Root};

#[derive(Clone, Debug, Args)]
pub struct PolicySettings {
    /// What an agent may do: only look; normal work without control of this machine; everything.
    #[arg(
        long,
        env = "DOCKER_MCP_POLICY",
        default_value = "standard",
        value_name = "LEVEL",
        global = true
    )]
    policy: Level,
    /// An exception from the rules of `standard`; may be repeated. The names are in the README.
    #[arg(
        long,
        env = "DOCKER_MCP_ALLOW",
        value_delimiter = ',',
        value_name = "NAME",
        global = true
    )]
    allow: Vec<Allow>,
    /// A further folder or file that containers may mount and tools may read; `:ro` for reading only.
    #[arg(
        long,
        env = "DOCKER_MCP_ALLOW_PATH",
        value_delimiter = ',',
        value_name = "PATH[:ro]",
        global = true
    )]
    allow_path: Vec<String>,
    /// Containers, volumes, networks and images that are never removed: names with `*` and `?`.
    #[arg(
        long,
        env = "DOCKER_MCP_PROTECT",
        value_delimiter = ',',
        value_name = "PATTERN",
        global = true
    )]
    protect: Vec<Pattern>,
    /// Change and remove only what this server has created.
    #[arg(long, env = "DOCKER_MCP_ONLY_OURS", value_parser = clap::builder::FalseyValueParser::new(), global = true)]
    only_ours: bool,
}

impl PolicySettings {
    /// The policy for work in that folder.
    ///
    /// # Errors
    /// For a path that is not absolute or leads nowhere, and for a settings file that a container
    /// could change.
    pub fn policy(&self, project: &Path, settings_file: Option<&Path>) -> Result<Policy> {
        let roots = self.allow_path.iter().map(|path| {
            Root::given(path, &Disk).map_err(|problem| anyhow!("--allow-path: {problem}"))
        });
        let policy = Policy {
            level: self.policy,
            allowed: self.allow.iter().cloned().collect(),
            roots: roots.collect::<Result<_>>()?,
            no_project: None,
            home: super::variable("HOME").and_then(|home| PathBuf::from(home).canonicalize().ok()),
            protect: self.protect.clone(),
            only_ours: self.only_ours,
        };
        let policy = policy.with_project(project);
        let writable = policy.roots.iter().filter(|root| !root.read_only);
        for (root, file) in writable.zip(settings_file.into_iter().cycle()) {
            if file.starts_with(&root.path) {
                bail!(
                    "{} decides what containers may do, but lies in {}, which they may write",
                    file.display(),
                    root.path.display()
                );
            }
        }
        Ok(policy)
    }
}
