//! save-image and load-image: images as files.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inspect_one;
use super::tag::Tagging;
use crate::command::feed::Feed;
use crate::command::images::{Image, InspectImages, ListImages};
use crate::command::text::{human_bytes, short_id};
use crate::command::values::{Bounded, HostPath, ImageRef};
use crate::command::{Command, Effect, Hazard, Invocation, Output};
use crate::docker::{Docker, Guarded};
use crate::error::{Code, Error};
use crate::policy::Disk;
use crate::tools::batches::in_batches;
use crate::tools::confirm::token;
use crate::tools::protect::judge_name;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};
use crate::workspace::move_to_free_place;

const TIMEOUT_SECONDS: u64 = 1800;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaveImage {
    /// The image, by name[:tag], digest or ID.
    image: ImageRef,
    /// Path of the tar file, which must not exist.
    path: HostPath,
    /// Most seconds it may take; default 1800.
    timeout_seconds: Option<Bounded<1, 86_400>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadImage {
    /// Path of the tar file to read.
    path: HostPath,
    /// Most seconds it may take; default 1800.
    timeout_seconds: Option<Bounded<1, 86_400>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Saved {
    image: String,
    id: String,
    path: String,
    size: String,
    size_bytes: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Loaded {
    images: Vec<LoadedImage>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct LoadedImage {
    id: String,
    tags: Vec<String>,
}

impl Change for SaveImage {
    const SPEC: Spec = Spec {
        name: "save-image",
        title: "Save image",
        description: "Save (export) an image to a new tar file (`docker save`). Undo: load-image.",
        toolset: Toolset::Images,
        effect: Effect::Change,
        idempotent: false,
        open_world: false,
    };
    type Ready = (Save, Image);
    type Reply = Saved;

    async fn prepare(self, context: &Context) -> Result<Prepared<Self::Ready>, Error> {
        let path = context.workspace.absent("path", &self.path)?;
        let found = inspect_one(context, &self.image).await?;
        let timeout = limit(self.timeout_seconds);
        let save = Save { image: self.image.to_string(), path, timeout, into: None };
        Ok(Prepared::new([save.invocation()], (save, found)))
    }

    async fn apply((save, found): Self::Ready, context: &Context) -> Result<Saved, Error> {
        let size = human_bytes(found.size);
        context.docker.progress().say(format!("saving {} ({size})", save.image));
        let place = Place::beside(save.path, &context.docker)?;
        let into = if context.docker.leads_away() { Some(place.open()?) } else { None };
        let save = Save { path: place.unfinished(), into, ..save };
        context.docker.run(&save).await.map_err(explained)?;
        let (path, size) = place.fill()?;
        Ok(Saved {
            image: save.image,
            id: short_id(&found.id).to_owned(),
            path: path.display().to_string(),
            size: human_bytes(size),
            size_bytes: size,
        })
    }
}

impl Change for LoadImage {
    const SPEC: Spec = Spec {
        name: "load-image",
        title: "Load images",
        description: "Load images from a tar file (`docker load`, import an archive of save-image).",
        toolset: Toolset::Images,
        effect: Effect::Change,
        idempotent: true,
        open_world: false,
    };
    type Ready = Load;
    type Reply = Loaded;

    async fn prepare(self, context: &Context) -> Result<Prepared<Load>, Error> {
        let path = context.workspace.existing("path", &self.path)?;
        context.docker.policy().file(&path, true, "path", &Disk)?;
        if !path.is_file() {
            let message = format!("{} is not a regular file", path.display());
            return Err(Error::invalid("path", message));
        }
        let load = Load { path, timeout: limit(self.timeout_seconds), from: None };
        Ok(Prepared::new([load.invocation()], load))
    }

    async fn apply(mut load: Load, context: &Context) -> Result<Loaded, Error> {
        context.docker.progress().say(format!("loading {}", load.path.display()));
        let before = Names::look(&context.docker).await?;
        if context.docker.leads_away() {
            let file = File::open(&load.path);
            let file = file.map_err(|error| Error::invalid("path", error.to_string()))?;
            load.from = Some(Feed::new(file));
        }
        let loaded = context.docker.run(&load).await;
        before.give_back(&context.docker).await?;
        let (names, warnings) = loaded
            .map_err(|error| explained(error).with("path", load.path.display().to_string()))?;
        let query = InspectImages { images: names, may_vanish: true };
        let mut images: Vec<LoadedImage> = vec![];
        if !query.images.is_empty() {
            for image in context.docker.run(&query).await? {
                let id = short_id(&image.id).to_owned();
                if !images.iter().any(|known| known.id == id) {
                    images.push(LoadedImage { id, tags: image.tags() });
                }
            }
        }
        Ok(Loaded { images, warnings })
    }
}

/// Which image has which name. What names a file brings is known only afterwards: it may be packed,
/// and another one by the time docker reads it.
struct Names(BTreeMap<String, String>);

impl Names {
    async fn look(docker: &Docker) -> Result<Self, Error> {
        let images = docker.run(&ListImages::default()).await?;
        let names = images
            .iter()
            .flat_map(|image| image.tags.iter().map(|name| (name.clone(), image.id.clone())));
        Ok(Self(names.collect()))
    }

    /// Gives names that were taken and must not be back to their images, which docker has kept
    /// without a name.
    ///
    /// # Errors
    /// DKR-014 for such a name; what docker says when it cannot be given back.
    async fn give_back(self, docker: &Docker) -> Result<(), Error> {
        // Also when the call was cancelled in the midst of it.
        let docker = &docker.for_cleanup();
        let now = Self::look(docker).await?;
        let has_lost = |(name, id): &(&String, &String)| now.0.get(*name) != Some(*id);
        let lost: Vec<_> = self.0.iter().filter(has_lost).collect();
        let ids: Vec<String> = lost.iter().map(|(_, id)| (*id).clone()).collect();
        let images = in_batches(docker, &ids, InspectImages::listed).await?;
        let mut refusal = Ok(());
        for (name, id) in lost {
            let Some(image) = images.iter().find(|image| image.id == *id) else { continue };
            let Err(refused) = judge_name(docker, name, image, None) else { continue };
            docker.run(&Tagging { image: id.clone(), tag: name.clone() }).await?;
            let new = now.0.get(name).map_or("", |id| short_id(id));
            refusal = Err(refused.hint(format!(
                "the images were loaded, but {name} stands for its old image again: give the new one another name by its ID {new}"
            )));
        }
        refusal
    }
}

fn limit(seconds: Option<Bounded<1, 86_400>>) -> Duration {
    Duration::from_secs(seconds.map_or(TIMEOUT_SECONDS, |seconds| seconds.get().into()))
}

fn explained(mut error: Error) -> Error {
    let is_no_archive = ["unexpected EOF", "invalid tar header", "manifest.json: no such file"];
    if is_no_archive.iter().any(|words| error.message.contains(words)) {
        error.code = Code::InvalidConfiguration;
        return error.hint("it is no archive of images, or only a part of one");
    }
    error
}

/// The place of a file that is written, of which nothing is to be seen until it is whole, also when
/// this server is killed meanwhile.
struct Place {
    path: PathBuf,
    /// A folder beside it, because docker writes under a name of its own, which a killed client
    /// leaves behind.
    folder: PathBuf,
    _guard: Option<Guarded>,
}

impl Place {
    fn beside(path: PathBuf, docker: &Docker) -> Result<Self, Error> {
        let folder = path.with_file_name(format!(".docker-mcp-{}", token()?));
        let guard = docker.guard(&folder);
        std::fs::create_dir(&folder).map_err(|error| not_written(&folder, &error))?;
        Ok(Self { path, folder, _guard: guard })
    }

    /// The file, for docker to write into when it is another user or on another machine.
    fn open(&self) -> Result<Feed, Error> {
        let path = self.unfinished();
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        Ok(Feed::new(file.map_err(|error| not_written(&path, &error))?))
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join("image.tar")
    }

    /// Somebody else's file of that name, which has come meanwhile, is not written over.
    fn fill(self) -> Result<(PathBuf, u64), Error> {
        let moved = move_to_free_place(&self.unfinished(), &self.path);
        moved.map_err(|error| not_written(&self.path, &error))?;
        let size = self.path.metadata().map_err(|error| not_written(&self.path, &error))?.len();
        Ok((self.path.clone(), size))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

fn not_written(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull => Code::NoSpace,
        _ => Code::InvalidConfiguration,
    };
    let message = format!("{} cannot be written: {error}", path.display());
    Error::new(code, message).with("parameter", "path")
}

/// `docker image save`, which prints nothing.
pub(super) struct Save {
    image: String,
    path: PathBuf,
    timeout: Duration,
    /// The open file, in place of its path.
    into: Option<Feed>,
}

impl Command for Save {
    type Reply = ();

    fn invocation(&self) -> Invocation {
        // It changes nothing at the daemon, but writes to this machine.
        let save = Invocation::docker(Effect::Change, ["image", "save"])
            .hazard(Hazard::HostPath { path: self.path.clone(), read_only: false })
            .operands([&self.image])
            .timeout(self.timeout)
            .killed_means_undone();
        match &self.into {
            Some(file) => save.drain(file.clone()),
            None => save.option("--output", self.path.display()),
        }
    }

    fn parse(&self, _: &Output) -> Result<(), Error> {
        Ok(())
    }
}

/// `docker image load`. The reply is the names or IDs that came, and what was moved for them.
pub(super) struct Load {
    path: PathBuf,
    timeout: Duration,
    /// The open file, in place of its path.
    from: Option<Feed>,
}

impl Command for Load {
    type Reply = (Vec<String>, Vec<String>);

    fn invocation(&self) -> Invocation {
        let load = Invocation::docker(Effect::Change, ["image", "load"])
            .hazard(Hazard::HostPath { path: self.path.clone(), read_only: true })
            .timeout(self.timeout);
        match &self.from {
            Some(file) => load.feed(file.clone()),
            None => load.option("--input", self.path.display()),
        }
    }

    /// `Loaded image: shop/app:1`, `Loaded image ID: sha256:…`.
    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let mut reply = (vec![], vec![]);
        for line in output.stdout.lines() {
            match line.strip_prefix("Loaded image").and_then(|line| line.split_once(": ")) {
                Some((_, name)) => reply.0.push(name.trim().to_owned()),
                None if line.contains(" already exists, renaming ") => {
                    reply.1.push(line.trim().to_owned());
                }
                None => {}
            }
        }
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(1);

    #[test]
    fn argv_of_save_and_load() {
        let save = Save {
            image: "a:1".into(),
            path: "/shop/a b.tar".into(),
            timeout: TIMEOUT,
            into: None,
        };
        assert_snapshot!(save.invocation(), @"docker image save '--output=/shop/a b.tar' -- a:1");
        assert!(matches!(save.invocation().hazards(), [Hazard::HostPath { read_only: false, .. }]));
        let load = Load { path: "/shop/a.tar".into(), timeout: TIMEOUT, from: None };
        assert_snapshot!(load.invocation(), @"docker image load --input=/shop/a.tar");
    }

    #[test]
    fn what_was_loaded_is_read() {
        let stdout = "The image a:1 already exists, renaming the old one with ID sha256:ab to empty string\nLoaded image: a:1\nLoaded image ID: sha256:cd\n";
        let load = Load { path: "/a.tar".into(), timeout: TIMEOUT, from: None };
        let output = Output { stdout: stdout.into(), ..Output::default() };
        let (names, warnings) = load.parse(&output).unwrap();
        assert_eq!(names, ["a:1", "sha256:cd"]);
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn nothing_is_seen_of_a_file_until_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        let beside = || {
            let place = folder.path().join(".docker-mcp-x");
            std::fs::create_dir(&place).unwrap();
            Place { path: path.clone(), folder: place, _guard: None }
        };
        let count = || std::fs::read_dir(folder.path()).unwrap().count();
        let place = beside();
        std::fs::write(place.folder.join(".docker_temp_1"), "half").unwrap();
        assert!(!path.exists());
        drop(place);
        assert_eq!(count(), 0);

        let place = beside();
        std::fs::write(place.unfinished(), "whole").unwrap();
        assert_eq!(place.fill().unwrap(), (path.clone(), 5));
        assert_eq!(count(), 1);

        let place = beside();
        std::fs::write(place.unfinished(), "another").unwrap();
        assert!(place.fill().unwrap_err().message.contains("exists"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(count(), 1);
    }
}
