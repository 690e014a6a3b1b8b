//! What has become of what containers mount: files of the host that were written since, and volumes
//! that hide what a newer image has there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;

use super::Context;
use crate::command::containers::{Container, Mount};
use crate::command::images::InspectImages;
use crate::command::version::EndpointQuery;
use crate::command::volumes::{InspectVolumes, is_random};
use crate::command::{Command, Effect, Invocation, Output, json, time};
use crate::docker::Docker;
use crate::error::Error;
use crate::sort;
use crate::workspace::Workspace;

/// The daemon has a clock of its own.
const CLOCKS_DIFFER: Duration = Duration::from_secs(1);
/// Files that programs write themselves.
const WRITTEN_BY_PROGRAMS: [&str; 7] = ["db", "sqlite", "sqlite3", "log", "pid", "lock", "sock"];

/// By the ID of a container what to say of its mounts.
pub(super) type Told = BTreeMap<String, Vec<String>>;

/// Files of this machine that were written after the start of the containers that mount them. Many
/// programs read their configuration once; and of a file that an editor has replaced, a container
/// goes on seeing the old one.
pub(super) async fn changed(
    docker: &Docker,
    workspace: &Workspace,
    containers: &[Container],
) -> Told {
    let told = |container: &Container| {
        let started = time::parse(&container.state.started_at).map(SystemTime::from);
        let started = started.filter(|_| container.state.running)? + CLOCKS_DIFFER;
        let files = container.mounts.iter().filter(|mount| was_written(mount, started));
        let name = |mount: &Mount| {
            let path = Path::new(&mount.source);
            path.strip_prefix(&workspace.folder).unwrap_or(path).display().to_string()
        };
        let told: Vec<String> = files
            .map(|mount| format!("{} has changed since it started: restart", name(mount)))
            .collect();
        (!told.is_empty()).then(|| (container.id.clone(), told))
    };
    let told: Told = sort::map(containers.iter().filter_map(told));
    // The paths of another machine may exist here too.
    if told.is_empty() || is_local(docker).await { told } else { Told::new() }
}

fn was_written(mount: &Mount, after: SystemTime) -> bool {
    let path = Path::new(&mount.source);
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_data = extension.is_some_and(|it| WRITTEN_BY_PROGRAMS.contains(&it));
    let written = |metadata: std::fs::Metadata| {
        metadata.is_file() && metadata.modified().is_ok_and(|written| written > after)
    };
    mount.kind == "bind" && !(mount.writable && is_data) && path.metadata().is_ok_and(written)
}

/// Whether docker's machine is this one.
pub(super) async fn is_local(docker: &Docker) -> bool {
    if docker.host().is_some() {
        return false;
    }
    let endpoint = docker.run(&EndpointQuery).await;
    endpoint.is_ok_and(|endpoint| endpoint.starts_with("unix:") || endpoint.starts_with("npipe:"))
}

/// Named volumes that are older than what the image of their container has at the same place. Docker
/// copies what the image has there into a volume that is new, and never again.
///
/// `build_context` is the folder that a container's image is built from, where that is known.
pub(super) async fn covered(
    context: &Context,
    containers: &[Container],
    build_context: impl Fn(&Container) -> Option<PathBuf>,
) -> Told {
    let mounts = containers.iter().flat_map(|container| {
        container.mounts.iter().filter(|it| is_named_volume(it)).map(move |it| (container, it))
    });
    let mounts: Vec<(&Container, &Mount)> = mounts.collect();
    if mounts.is_empty() {
        return Told::new();
    }
    let unique = |names: &mut dyn Iterator<Item = &String>| -> Vec<String> {
        names.cloned().collect::<BTreeSet<String>>().into_iter().collect()
    };
    let volumes = unique(&mut mounts.iter().map(|(_, mount)| &mount.name));
    let images = unique(&mut mounts.iter().map(|(container, _)| &container.image));
    let (volumes, images) = (InspectVolumes::listed(volumes), InspectImages::listed(images));
    let docker = &context.docker;
    // What cannot be looked at is not spoken of.
    let Ok((volumes, images)) = tokio::try_join!(docker.run(&volumes), docker.run(&images)) else {
        return Told::new();
    };
    let made = |mount: &Mount| {
        let volume = volumes.iter().find(|volume| volume.name == mount.name)?;
        time::parse(&volume.created_at)
    };
    let mut steps: BTreeMap<&str, Vec<Step>> = BTreeMap::new();
    let mut told = Told::new();
    for (container, mount) in mounts {
        let image = images.iter().find(|image| image.id == container.image);
        let built = image.and_then(|image| time::parse(&image.created));
        let (Some(made), Some(built)) = (made(mount), built) else { continue };
        let folder = build_context(container);
        if built <= made && folder.is_none() {
            continue;
        }
        if !steps.contains_key(container.image.as_str()) {
            let history = History { image: container.image.clone() };
            steps.insert(&container.image, docker.run(&history).await.unwrap_or_default());
        }
        let all = || steps.get(container.image.as_str()).into_iter().flatten();
        let workspace = &context.workspace;
        let mut newer = all().filter(|step| built > made && step.created > made);
        let is_newer_on_disk = |step: &Step| {
            folder.is_some() && step.fills(mount, built.max(made), folder.as_deref(), workspace)
        };
        if newer.any(|step| step.fills(mount, made, folder.as_deref(), &context.workspace)) {
            let text = format!(
                "volume {} covers {}, where the newer image has newer files: they are not seen; copy them into the volume, or remove it if it holds no data",
                mount.name, mount.destination
            );
            told.entry(container.id.clone()).or_default().push(text);
        } else if all().any(is_newer_on_disk) {
            let text = format!(
                "volume {} covers {}, where files of the build context have changed: they would not be seen after a build either; take the mount of {} out of the service, or remove the volume if it holds no data",
                mount.name, mount.destination, mount.destination
            );
            told.entry(container.id.clone()).or_default().push(text);
        }
    }
    told
}

fn is_named_volume(mount: &Mount) -> bool {
    mount.kind == "volume" && !is_random(&mount.name)
}

/// A step of a build that puts files somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    created: Timestamp,
    what: Puts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Puts {
    /// `COPY` or `ADD`, with its sources as far as they are told.
    Files { from: Vec<String>, to: PathBuf },
    /// A command of the shell.
    Output(String),
}

impl Step {
    /// Whether it puts files where the volume is mounted that are newer than the volume.
    fn fills(
        &self,
        mount: &Mount,
        made: Timestamp,
        folder: Option<&Path>,
        workspace: &Workspace,
    ) -> bool {
        let at = Path::new(&mount.destination);
        let (from, to) = match &self.what {
            Puts::Files { from, to } => (from, to),
            Puts::Output(command) => {
                let inside = format!("{}/", mount.destination.trim_end_matches('/'));
                let mut targets = command.split('>').skip(1).map(str::trim_start);
                return targets.any(|target| target.starts_with(&inside));
            }
        };
        // What stands above the mount point may have nothing there.
        let below = match (at.strip_prefix(to), to.starts_with(at)) {
            (_, true) => Path::new(""),
            (Ok(below), false) => below,
            (Err(_), false) => return false,
        };
        let made = SystemTime::from(made) + CLOCKS_DIFFER;
        let newest = from.iter().filter_map(|source| {
            let place = folder?.join(source.trim_start_matches('/')).join(below);
            let of_file = || place.metadata().ok()?.modified().ok();
            if place.is_file() { of_file() } else { Some(workspace.newest_file(&place, &[])?.1) }
        });
        newest.max().map_or_else(|| to.starts_with(at), |newest| newest > made)
    }
}

/// `docker image history`: the steps that put files into an image.
struct History {
    image: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    created_at: String,
    created_by: String,
}

impl Command for History {
    type Reply = Vec<Step>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["image", "history"])
            .flag("--no-trunc", true)
            .option("--human", "false")
            .option(
                "--format",
                r#"{"CreatedAt":{{json .CreatedAt}},"CreatedBy":{{json .CreatedBy}}}"#,
            )
            .operands([&self.image])
    }

    /// The newest comes first; a relative target is below the last `WORKDIR` before it.
    fn parse(&self, output: &Output) -> Result<Vec<Step>, Error> {
        let rows: Vec<Row> = json::rows(&output.stdout)?;
        let mut folder = PathBuf::from("/");
        let mut steps = vec![];
        for row in rows.iter().rev() {
            let text = row.created_by.trim_end_matches("# buildkit").trim();
            // The old builder: `/bin/sh -c #(nop) COPY dir:0123 in /app `.
            let text = text.split_once("#(nop)").map_or(text, |(_, text)| text.trim());
            let mut words = text.split_whitespace();
            let what = match words.next() {
                Some("WORKDIR") => {
                    folder.push(words.collect::<Vec<_>>().join(" "));
                    continue;
                }
                Some("COPY" | "ADD") => {
                    let words: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
                    let Some((to, from)) = words.split_last() else { continue };
                    let told = |word: &&&str| **word != "in" && !word.contains(':');
                    let from = from.iter().filter(told).map(|word| (*word).to_owned()).collect();
                    let to = folder.join(to).components().filter(|part| *part != DOT).collect();
                    Puts::Files { from, to }
                }
                _ => Puts::Output(text.to_owned()),
            };
            if let Some(created) = time::parse(&row.created_at) {
                steps.push(Step { created, what });
            }
        }
        Ok(steps)
    }
}

const DOT: std::path::Component<'_> = std::path::Component::CurDir;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn steps(lines: &[&str]) -> Vec<Step> {
        let row = |line: &&str| {
            json!({"CreatedAt": "2026-11-24T12:00:00Z", "CreatedBy": line}).to_string()
        };
        let stdout = lines.iter().rev().map(row).collect::<Vec<_>>().join("\n");
        let output = Output { stdout, ..Output::default() };
        History { image: "x".to_owned() }.parse(&output).unwrap()
    }

    #[test]
    fn the_steps_that_put_files_somewhere_are_read_of_both_builders() {
        let steps = steps(&[
            "WORKDIR /app",
            "COPY --chown=1:1 templates templates/ # buildkit",
            "COPY . . # buildkit",
            "/bin/sh -c #(nop) COPY dir:77d072cc in . ",
            "/bin/sh -c #(nop) ADD file:1234 in /etc/x.conf ",
            "RUN /bin/sh -c echo v1 > /app/page # buildkit",
        ]);
        let told: Vec<String> = steps
            .iter()
            .map(|step| match &step.what {
                Puts::Files { from, to } => format!("{} -> {}", from.join(","), to.display()),
                Puts::Output(command) => command.clone(),
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        templates -> /app/templates
        . -> /app
         -> /app
         -> /etc/x.conf
        RUN /bin/sh -c echo v1 > /app/page
        ");
    }

    #[test]
    fn a_volume_covers_what_a_newer_step_put_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("templates")).unwrap();
        std::fs::create_dir(root.join("data")).unwrap();
        std::fs::write(root.join("templates/page"), "two").unwrap();
        let workspace = Workspace::new(root.clone(), Arc::default());
        let long_ago = Timestamp::UNIX_EPOCH;
        let fills = |line: &str, at: &str, made: Timestamp, folder: Option<&Path>| {
            let mount = Mount { destination: at.to_owned(), ..Mount::default() };
            steps(&[line]).iter().any(|step| step.fills(&mount, made, folder, &workspace))
        };
        let (here, unknown) = (Some(root.as_path()), None);
        for (line, at, folder, expected) in [
            ("COPY templates /app/templates", "/app/templates", unknown, true),
            ("COPY templates /app/templates", "/app/templates", here, true),
            ("COPY templates /app/templates/x", "/app/templates", unknown, true),
            ("COPY templates /app/templates", "/app/data", here, false),
            ("COPY templates /app/templates", "/app/temp", unknown, false),
            ("COPY . /app", "/app/templates", here, true),
            ("COPY . /app", "/app/data", here, false),
            ("COPY . /app", "/app/templates", unknown, false),
            ("RUN echo v1 > /app/templates/page", "/app/templates", unknown, true),
            (
                "RUN mkdir -p /app/templates && chown x /app/templates",
                "/app/templates",
                here,
                false,
            ),
        ] {
            assert_eq!(fills(line, at, long_ago, folder), expected, "{line} at {at}");
        }
        // Another part of the context made the step run again.
        let now = Timestamp::now();
        assert!(!fills("COPY . /app", "/app/templates", now, here));
    }

    #[test]
    fn a_program_s_own_data_is_no_configuration_that_changed() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, kind: &str, writable: bool| {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            let source = path.display().to_string();
            let mount = Mount { kind: kind.to_owned(), source, writable, ..Mount::default() };
            was_written(&mount, SystemTime::UNIX_EPOCH)
        };
        assert!(written("nginx.conf", "bind", true) && written("nginx.conf", "bind", false));
        assert!(!written("app.db", "bind", true) && written("app.db", "bind", false));
        assert!(!written("nginx.conf", "volume", true));
        let path = folder.path().display().to_string();
        let mount = Mount { kind: "bind".to_owned(), source: path, ..Mount::default() };
        assert!(!was_written(&mount, SystemTime::UNIX_EPOCH), "it is a folder");
    }
}
