//! The options of compose itself, which stand before the verb.

use std::path::PathBuf;

use super::values::ProjectName;
use super::{Effect, Invocation};

/// Which compose project an invocation is about, and where its model comes from.
///
/// With a name alone compose finds the containers by their labels and reads no file at all (seen
/// on 2.40), so nothing that happens to lie in the working folder can change what is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// Without one compose takes it from the file, or from the name of the directory.
    pub name: Option<ProjectName>,
    /// What relative paths in the model are relative to.
    pub directory: Option<PathBuf>,
    /// Files in order; `-` is standard input.
    pub files: Vec<PathBuf>,
    pub profiles: Vec<String>,
    /// Whether compose reads the `.env` of the directory. It makes everything in it variables of its
    /// own environment, and so of the programs that it starts (buildx, git, credential helpers):
    /// with `BUILDX_CONFIG` or `LD_PRELOAD` a project would run programs on the host. So only the
    /// one command that starts none, `config`, may read it.
    pub reads_dot_env: bool,
    /// What it reads in its place, when these are not only that of the directory; later ones
    /// override earlier ones.
    pub env_files: Vec<PathBuf>,
}

impl Project {
    pub fn named(name: ProjectName) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    /// `docker compose --project-name=… VERB`. Colours and moving progress are off: 2.26 writes
    /// escape codes even into a pipe.
    pub fn invocation(&self, effect: Effect, verb: &'static str) -> Invocation {
        let mut invocation = Invocation::compose(effect, verb)
            .global("--ansi", "never")
            .global("--progress", "plain");
        if let Some(name) = &self.name {
            invocation = invocation.global("--project-name", name);
        }
        if let Some(directory) = &self.directory {
            invocation = invocation.global("--project-directory", directory.display());
        }
        if !self.reads_dot_env {
            // Beside a model that has all values in it, it would look as if `.env` were ignored.
            invocation = invocation.unshown_global("--env-file", "/dev/null");
        }
        for file in &self.env_files {
            invocation = invocation.global("--env-file", file.display());
        }
        for file in &self.files {
            invocation = invocation.global("--file", file.display());
        }
        for profile in &self.profiles {
            invocation = invocation.global("--profile", profile);
        }
        invocation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_a_folder_are_read_by_no_other_command_than_config() {
        let up = |reads_dot_env| {
            let project = Project { reads_dot_env, ..Project::named("shop".parse().unwrap()) };
            project.invocation(Effect::Change, "up")
        };
        let none = "--env-file=/dev/null".to_owned();
        assert!(up(false).argv().contains(&none));
        assert!(!up(false).to_string().contains(&none), "it says nothing about the project");
        assert!(!up(true).argv().contains(&none));
    }
}
