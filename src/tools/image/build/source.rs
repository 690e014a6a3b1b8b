//! Where a build reads from.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::BuildImage;
use super::sent::{DOCKERFILE, Sending};
use crate::error::Error;
use crate::policy::Disk;
use crate::tools::Context;
use crate::tools::build_log::Dockerfile;
use crate::workspace::demand_no_pipe;

/// What is read of a Dockerfile, to find a line of it.
const DOCKERFILE_MAX: u64 = 256 << 10;

/// The context, and the Dockerfile in it.
#[derive(Debug)]
pub(super) struct Source {
    context: String,
    /// None for a context that is fetched, and for the Dockerfile that docker takes by itself.
    file: Option<PathBuf>,
    is_local: bool,
    /// Its name and its text, as far as they are known.
    dockerfile: Option<(String, String)>,
    from_stdin: bool,
}

impl Source {
    /// # Errors
    /// DKR-004 and DKR-008 for a folder or a Dockerfile that is not there.
    pub(super) fn find(tool: &BuildImage, context: &Context) -> Result<Self, Error> {
        let inline = tool.dockerfile_inline.as_ref();
        let mut source = Self {
            context: tool.context.as_str().to_owned(),
            file: None,
            is_local: false,
            dockerfile: inline.map(|text| ("Dockerfile".to_owned(), text.clone())),
            from_stdin: inline.is_some(),
        };
        if is_remote(&source.context) {
            // The path of a Dockerfile begins in what is fetched. The policy decides.
            if tool.dockerfile.as_ref().is_some_and(|path| path.as_path().is_absolute()) {
                let message = "of a context that is fetched, name a file in it";
                return Err(Error::invalid("dockerfile", message));
            }
            source.file = tool.dockerfile.as_ref().map(|path| path.as_path().to_owned());
            return Ok(source);
        }
        let folder = context.workspace.existing("context", &tool.context)?;
        let policy = context.docker.policy();
        policy.file(&folder, true, "context", &Disk)?;
        if !folder.is_dir() {
            let message = format!("{} is not a folder", folder.display());
            return Err(Error::invalid("context", message));
        }
        source.is_local = true;
        if inline.is_none() {
            let name = tool.dockerfile.as_ref().map_or("Dockerfile", |path| path.as_str());
            let file = within(&folder, name)?;
            policy.file(&file, true, "dockerfile", &Disk)?;
            let text = read(&file).unwrap_or_default();
            source.dockerfile = Some((name.to_owned(), text));
            source.file = tool.dockerfile.is_some().then_some(file);
        }
        demand_no_pipe(&folder, source.file.as_deref())?;
        source.context = folder.display().to_string();
        Ok(source)
    }

    pub(super) fn context(&self) -> &str {
        &self.context
    }

    /// The value of `--file`.
    pub(super) fn file(&self) -> Option<String> {
        if self.from_stdin {
            return Some("-".to_owned());
        }
        self.file.as_ref().map(|path| path.display().to_string())
    }

    pub(super) fn is_local(&self) -> bool {
        self.is_local
    }

    /// The value of `--file` when the context is sent.
    pub(super) fn file_in_archive(&self) -> Option<String> {
        match self.in_context() {
            Some(name) => Some(name.to_owned()),
            None if self.file.is_some() || self.from_stdin => Some(DOCKERFILE.to_owned()),
            None => None,
        }
    }

    /// Begins to send the context, for docker to read from its standard input.
    ///
    /// # Errors
    /// As [`Sending::begin`]; DKR-004 for a Dockerfile that cannot be read.
    pub(super) fn send(&self) -> Result<Sending, Error> {
        let beside = match (&self.file, &self.dockerfile) {
            (None, Some((_, text))) if self.from_stdin => Some(text.clone()),
            (Some(file), _) if self.in_context().is_none() => {
                Some(std::fs::read_to_string(file).map_err(|error| {
                    Error::invalid("dockerfile", format!("{}: {error}", file.display()))
                })?)
            }
            _ => None,
        };
        Sending::begin(PathBuf::from(&self.context), self.in_context(), beside)
    }

    /// The Dockerfile that was asked for, by its name in the context.
    fn in_context(&self) -> Option<&str> {
        self.file.as_ref()?.strip_prefix(&self.context).ok()?.to_str()
    }

    /// The paths of this machine that docker reads.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        if !self.is_local {
            return vec![];
        }
        let outside = self.file.iter().filter(|file| !file.starts_with(&self.context));
        std::iter::once(PathBuf::from(&self.context)).chain(outside.cloned()).collect()
    }

    pub(super) fn dockerfile(&self) -> Option<Dockerfile<'_>> {
        self.dockerfile.as_ref().map(|(name, text)| Dockerfile { name, text })
    }

    /// Without a look at the disk.
    #[cfg(test)]
    pub(super) fn for_tests(tool: &BuildImage) -> Self {
        let context = tool.context.as_str().to_owned();
        let file = tool.dockerfile.as_ref().map(|path| Path::new(&context).join(path.as_path()));
        let from_stdin = tool.dockerfile_inline.is_some();
        Self { context, file, is_local: true, dockerfile: None, from_stdin }
    }
}

/// What docker fetches itself instead of reading it from this machine.
fn is_remote(context: &str) -> bool {
    context.contains("://") || context.starts_with("git@") || context.starts_with("github.com/")
}

/// Where links lead is what the policy is asked about.
fn within(folder: &Path, name: &str) -> Result<PathBuf, Error> {
    let path: PathBuf = folder.join(name).components().collect();
    match path.canonicalize() {
        Ok(path) if path.is_file() => Ok(path),
        Ok(path) => {
            let message = format!("{} is not a regular file", path.display());
            Err(Error::invalid("dockerfile", message))
        }
        Err(_) => {
            let message = format!("there is no {}", path.display());
            Err(Error::invalid("dockerfile", message)
                .hint("the path begins at the context; dockerfile_inline takes a text instead"))
        }
    }
}

fn read(file: &Path) -> Option<String> {
    let mut text = String::new();
    let file = std::fs::File::open(file).ok()?;
    file.take(DOCKERFILE_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}
