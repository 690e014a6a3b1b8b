//! copy-files: between this machine and a container.

mod disk;
mod extract;
mod inside;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lifecycle::inspect;
use crate::command::containers::Container;
use crate::command::feed::Feed;
use crate::command::values::{ContainerPath, HostPath, Place};
use crate::command::{Act, Effect, Hazard, Invocation};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::policy::Disk;
use crate::tools::archive;
use crate::tools::protect::{judge_changes, judge_target};
use crate::tools::{Change, Context, Prepared, Spec, Toolset};
use crate::workspace::Workspace;
use disk::{Found, Move, Staging};

/// A folder of some gigabytes.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// More names would drown what matters.
const NAMES: usize = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CopyFiles {
    /// What is copied: a path here, or `container:/path`.
    source: Place,
    /// Where it goes: a path here, or `container:/path`.
    destination: Place,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    /// Where it is now.
    destination: String,
    files: u64,
    bytes: u64,
    /// What was there before and is not any more.
    overwritten: Vec<String>,
    notes: Vec<String>,
}

impl Change for CopyFiles {
    const SPEC: Spec = Spec {
        name: "copy-files",
        title: "Copy files",
        description: "Copy a file or folder into or out of a container (`docker cp`), between host and \
                      container. To run something: exec-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        match (self.source, &self.destination) {
            (Place::Container(container, path), Place::Host(to)) => {
                let container = inspect(context, &container).await?;
                judge_target(&context.docker, &container.id).await?;
                let target = target(&context.workspace, &path, to)?;
                let shown = outward(container.name(), &path, &target, &target);
                let out = Out { container, path, target, fetched: None };
                Ok(Prepared::new([shown], Ready::Out(out)))
            }
            (Place::Host(from), Place::Container(container, path)) => {
                let container = inspect(context, container).await?;
                judge_changes(&context.docker, [&container])?;
                judge_target(&context.docker, &container.id).await?;
                Inward { context, from: &from, container: &container, path }.prepare().await
            }
            (Place::Host(_), Place::Host(_)) => {
                let message = "neither place is in a container: write it as container:/path";
                Err(Error::invalid("source", message))
            }
            (Place::Container(..), Place::Container(..)) => {
                let message = "both places are in containers";
                Err(Error::invalid("destination", message)
                    .hint("copy it to the project folder first, and from there"))
            }
        }
    }

    async fn forecast(ready: &Ready, context: &Context) -> Result<Map<String, Value>, Error> {
        let destination = match ready {
            Ready::In(inward) => inward.shown_destination(),
            Ready::Out(out) => {
                out.demand_source(context).await?;
                out.target.display().to_string()
            }
        };
        Ok(Map::from_iter([("destination".to_owned(), destination.into())]))
    }

    /// What comes out of a container is fetched first: only then it is known which files of the
    /// project it would replace, and whether they are the same.
    async fn complete(
        prepared: Prepared<Ready>,
        context: &Context,
    ) -> Result<Prepared<Ready>, Error> {
        let Prepared { commands, ready: Ready::Out(out), .. } = prepared else {
            return Ok(prepared);
        };
        let fetched = out.fetch(context).await?;
        let (losses, notes) = (disk::lost(&fetched.moves), fetched.notes.clone());
        let out = Out { fetched: Some(fetched), ..out };
        Ok(Prepared::new(commands, Ready::Out(out)).loses(losses).notes(notes))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        match ready {
            Ready::In(inward) => inward.copy(context).await,
            Ready::Out(out) => out.put_in_place().await,
        }
    }
}

pub(super) enum Ready {
    In(In),
    Out(Out),
}

/// From a container to this machine, through a folder beside the destination: so it is known what
/// came and what it replaces, and a copy that breaks off leaves nothing.
pub(super) struct Out {
    container: Container,
    path: ContainerPath,
    target: PathBuf,
    fetched: Option<Fetched>,
}

/// What came out of the container.
struct Fetched {
    staging: Staging,
    moves: Vec<Move>,
    notes: Vec<String>,
}

impl Out {
    async fn demand_source(&self, context: &Context) -> Result<(), Error> {
        let Self { container, path, .. } = self;
        inside::find(context, container, path).await?.map(|_| ()).ok_or_else(|| {
            let message = format!("there is no {path} in container {}", container.name());
            Error::new(Code::ResourceNotFound, message).with("container", container.name())
        })
    }

    async fn fetch(&self, context: &Context) -> Result<Fetched, Error> {
        let Self { container, path, target, .. } = self;
        let staging = Staging::beside(target, |folder| context.docker.guard(folder))?;
        context.docker.progress().say(format!("copying {path}"));
        let copied = self.bring(&context.docker, &staging.place(target)).await;
        copied.map_err(|error| error.with("container", container.name()))?;
        let (to, policy) = (target.clone(), Arc::clone(&context.workspace.policy));
        in_background(move || {
            let mut notes: Vec<String> = staging.leave_out_others(&to)?.into_iter().collect();
            notes.extend(staging.harmless(&to, &policy)?);
            Ok(Fetched { moves: staging.moves(&to)?, notes, staging })
        })
        .await
    }

    /// Puts it there: docker by itself; or, when docker is another user or on another machine, we
    /// from the archive that it prints.
    async fn bring(&self, docker: &Docker, place: &Path) -> Result<(), Error> {
        let Self { container: Container { id, .. }, path, target, .. } = self;
        if !docker.leads_away() {
            return docker.run(&Act(outward(id, path, place, target))).await.map(drop);
        }
        let (reader, writer) = std::io::pipe().map_err(|error| disk::failed(place, &error))?;
        let copy = Act(printed(id, path, target).drain(Feed::new(writer)));
        let (to, is_content) = (place.to_owned(), path.is_content());
        let unpacked =
            tokio::task::spawn_blocking(move || extract::unpack(reader, &to, is_content));
        let copied = docker.run(&copy).await;
        // With it goes the other end of the pipe, and nobody waits for a writer.
        drop(copy);
        let unpacked =
            unpacked.await.map_err(|error| Error::new(Code::Internal, error.to_string()));
        copied?;
        unpacked?.map_err(|error| disk::failed(place, &error))
    }

    async fn put_in_place(self) -> Result<Reply, Error> {
        let Some(Fetched { staging, moves, notes }) = self.fetched else {
            return Err(Error::new(Code::Internal, "nothing was fetched"));
        };
        let to = self.target.clone();
        let mut found = in_background(move || staging.put_in_place(&to, &moves)).await?;
        found.notes.extend(notes);
        Ok(reply(found, self.target.display().to_string()))
    }
}

/// The path that it will have on this machine.
fn target(workspace: &Workspace, path: &ContainerPath, to: &HostPath) -> Result<PathBuf, Error> {
    let name = path.file_name().ok_or_else(|| {
        Error::invalid("source", "the root of a container is not copied as a whole")
    })?;
    let whole = workspace.folder.join(to.as_path());
    if whole.is_dir() && path.is_content() {
        return workspace.existing("destination", to);
    }
    if whole.is_dir() {
        return Ok(workspace.existing("destination", to)?.join(name));
    }
    let wants_folder = to.as_str().ends_with('/');
    let (Some(parent), Some(file), false) = (whole.parent(), whole.file_name(), wants_folder)
    else {
        let message = format!("there is no folder {}", whole.display());
        return Err(Error::new(Code::ResourceNotFound, message)
            .with("parameter", "destination")
            .hint("create the folder first"));
    };
    let parent = HostPath::try_from(parent.display().to_string())
        .map_err(|problem| Error::invalid("destination", problem))?;
    Ok(workspace.existing("destination", &parent)?.join(file))
}

/// From this machine into a container.
pub(super) struct In {
    from: PathBuf,
    container: Container,
    /// The path that it will have there.
    destination: String,
    found: Found,
}

impl In {
    fn shown_destination(&self) -> String {
        format!("{}:{}", self.container.name(), self.destination)
    }

    async fn copy(self, context: &Context) -> Result<Reply, Error> {
        let shown_destination = self.shown_destination();
        let Self { from, container, destination, found } = self;
        context.docker.progress().say(format!("copying {} bytes", found.bytes));
        let (folder, file) = destination.rsplit_once('/').unwrap_or(("", &destination));
        let (reader, writer) = std::io::pipe().map_err(|error| disk::failed(&from, &error))?;
        let copy = fed(&container.id, &from, &format!("{folder}/")).feed(Feed::new(reader));
        let copy = Act(copy);
        let (file, walked) = (std::ffi::OsString::from(file), from.clone());
        let written = tokio::task::spawn_blocking(move || {
            archive::write(&walked, &file, std::io::BufWriter::with_capacity(1 << 16, writer))
        });
        let copied = context.docker.run(&copy).await;
        // With it goes the other end of the pipe, and nobody waits for a reader.
        drop(copy);
        match written.await {
            // Docker has stopped to read, and says why.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            Ok(written) => written.map_err(|error| disk::failed(&from, &error))?,
            Err(error) => return Err(Error::new(Code::Internal, error.to_string())),
        }
        copied.map_err(|error| error.with("container", container.name()))?;
        Ok(reply(found, shown_destination))
    }
}

/// A path of this machine that is to be copied to one in a container.
struct Inward<'a> {
    context: &'a Context,
    from: &'a HostPath,
    container: &'a Container,
    path: &'a ContainerPath,
}

impl Inward<'_> {
    async fn prepare(&self) -> Result<Prepared<Ready>, Error> {
        let from = self.context.workspace.existing("source", self.from)?;
        let shown = inward(self.container.name(), &from, self.path);
        self.context.docker.policy().check(&shown, &Disk)?;
        let walked = from.clone();
        let mut found = in_background(move || disk::count(&walked)).await?;
        let destination = self.replaces(&from, &mut found).await?;
        let inward = In { from, container: self.container.clone(), destination, found };
        Ok(Prepared::new([shown], Ready::In(inward)))
    }

    /// Where it will be, and what is there.
    async fn replaces(&self, from: &Path, found: &mut Found) -> Result<String, Error> {
        let look = |path: ContainerPath| async move {
            inside::find(self.context, self.container, &path).await
        };
        // As a destination `/data/.` is the folder `/data/`.
        let folder = self.path.as_str().strip_suffix('.').filter(|_| self.path.is_content());
        let mut path = match folder {
            Some(folder) => {
                folder.parse().map_err(|problem: String| Error::invalid("destination", problem))?
            }
            None => self.path.clone(),
        };
        let mut there = look(path.clone()).await?;
        if there == Some(inside::Kind::Folder) && (!self.from.is_content() || path.is_root()) {
            let name = from.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            let below = format!("{}/{name}", path.as_str().trim_end_matches('/'));
            path = below.parse().map_err(|problem: String| Error::invalid("source", problem))?;
            there = look(path.clone()).await?;
        }
        match there {
            Some(inside::Kind::Folder) => found.notes.push(format!(
                "the folder {path} was there: files of the same name in it were replaced, the others stay"
            )),
            Some(inside::Kind::File | inside::Kind::Link) => {
                found.overwritten.push(path.to_string());
            }
            None => self.demand_folder_of(&path, from).await?,
        }
        Ok(path.as_str().trim_end_matches('/').to_owned())
    }

    async fn demand_folder_of(&self, path: &ContainerPath, from: &Path) -> Result<(), Error> {
        let whole = path.as_str().trim_end_matches('/');
        let folder = whole.rsplit_once('/').map_or("", |(folder, _)| folder);
        // `/app/` wants a folder of that name, which a folder becomes and a file does not.
        let folder = if whole == path.as_str() || from.is_dir() { folder } else { whole };
        let is_there = match folder.parse::<ContainerPath>() {
            Ok(folder) => {
                let found = inside::find(self.context, self.container, &folder).await?;
                found == Some(inside::Kind::Folder)
            }
            // The root.
            Err(_) => folder.is_empty(),
        };
        if is_there {
            return Ok(());
        }
        let name = self.container.name();
        let message = format!("there is no folder {folder} in container {name}");
        Err(Error::new(Code::ResourceNotFound, message).with("container", name))
    }
}

fn inward(container: &str, from: &Path, path: &ContainerPath) -> Invocation {
    copying(Hazard::HostPath { path: from.to_owned(), read_only: true })
        .operands([from.display().to_string(), format!("{container}:{path}")])
}

/// The same with an archive from standard input.
fn fed(container: &str, from: &Path, folder: &str) -> Invocation {
    copying(Hazard::HostPath { path: from.to_owned(), read_only: true })
        .operands(["-".to_owned(), format!("{container}:{folder}")])
}

/// To a place that stands for the one that is judged.
fn outward(container: &str, path: &ContainerPath, to: &Path, judged: &Path) -> Invocation {
    copying(Hazard::HostPath { path: judged.to_owned(), read_only: false })
        .operands([format!("{container}:{path}"), to.display().to_string()])
}

/// The same as an archive on standard output.
fn printed(container: &str, path: &ContainerPath, judged: &Path) -> Invocation {
    copying(Hazard::HostPath { path: judged.to_owned(), read_only: false })
        .operands([format!("{container}:{path}"), "-".to_owned()])
}

fn copying(hazard: Hazard) -> Invocation {
    Invocation::docker(Effect::Destroy, ["container", "cp"]).timeout(LIMIT).hazard(hazard)
}

fn reply(mut found: Found, destination: String) -> Reply {
    let more = found.overwritten.len().saturating_sub(NAMES);
    found.overwritten.truncate(NAMES);
    if more > 0 {
        found.overwritten.push(format!("… {more} more"));
    }
    Reply {
        destination,
        files: found.files,
        bytes: found.bytes,
        overwritten: found.overwritten,
        notes: found.notes,
    }
}

/// Disks may be slow, and other calls go on meanwhile.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::new(Code::Internal, error.to_string())))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn argv_of_copy_files() {
        let path: ContainerPath = "/var/log/it's".parse().unwrap();
        let workspace = Workspace::new("/".into(), std::sync::Arc::default());
        let target = |to: &str| target(&workspace, &path, &to.parse().unwrap());
        let to = target("etc").unwrap();
        assert_eq!(to, Path::new("/etc/it's"));
        assert_eq!(target("etc/new").unwrap(), Path::new("/etc/new"));
        assert_eq!(target("etc/new/").unwrap_err().code, Code::ResourceNotFound);
        assert_eq!(target("no-such/new").unwrap_err().code, Code::ResourceNotFound);
        let content: ContainerPath = "/var/log/.".parse().unwrap();
        let into = |to: &str| super::target(&workspace, &content, &to.parse().unwrap()).unwrap();
        assert_eq!((into("etc"), into("etc/new")), ("/etc".into(), "/etc/new".into()));

        let out = outward("web", &path, &to, &to);
        assert_snapshot!(out, @r"docker container cp -- 'web:/var/log/it'\''s' '/etc/it'\''s'");
        assert_snapshot!(format!("{:?}", out.hazards()), @r#"[HostPath { path: "/etc/it's", read_only: false }]"#);
        let copy = fed("web", Path::new("/etc/hosts"), "/var/log/");
        assert_snapshot!(copy, @"docker container cp -- - web:/var/log/");
        let copy = inward("web", Path::new("/etc/hosts"), &path);
        assert_snapshot!(copy, @r"docker container cp -- /etc/hosts 'web:/var/log/it'\''s'");
        assert_snapshot!(format!("{:?}", copy.hazards()), @r#"[HostPath { path: "/etc/hosts", read_only: true }]"#);
    }
}
