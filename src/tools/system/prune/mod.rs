//! prune: exactly the objects of a plan, of one kind, by their IDs. Not `docker … prune`, which
//! removes whatever is there by the time it runs; only the build cache goes that way, because its
//! pieces have no names that docker would take.

mod candidates;
mod find;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::containers::InspectContainers;
use crate::command::disk::ImagesTotal;
use crate::command::images::InspectImages;
use crate::command::networks::InspectNetworks;
use crate::command::text::human_bytes;
use crate::command::values::{DockerDuration, ProjectName};
use crate::command::volumes::InspectVolumes;
use crate::command::{Command, Effect, Invocation, Output, disk};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::sort;
use crate::tools::batches::in_batches;
use crate::tools::confirm::Asks;
use crate::tools::filters::Texts;
use crate::tools::system::usage;
use crate::tools::{Change, Context, Prepared, Spec, Toolset};
pub(super) use candidates::is_past;
use candidates::{Candidate, Found};

/// Objects of one call: a person has to read the plan.
const MOST: usize = 50;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Prune {
    /// Kind of objects; of images and volumes only those without a name.
    what: What,
    /// Only objects of this compose project, named ones too.
    project: Option<ProjectName>,
    /// Only objects with this label key[=value], named ones too.
    label: Option<Texts>,
    /// Only what is unused for so long, such as 168h; named images too.
    unused_for: Option<DockerDuration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    Containers,
    Images,
    Networks,
    BuildCache,
    Volumes,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    removed: Vec<String>,
    /// What was measured of it; layers that other images need stay, and are not counted.
    reclaimed: Option<String>,
    /// What docker did not remove, and why.
    failed: Vec<Failed>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Failed {
    name: String,
    why: String,
}

impl Change for Prune {
    const SPEC: Spec = Spec {
        name: "prune",
        title: "Prune",
        description: "Free disk space, clean up: delete unused objects of one kind after a plan: dangling \
                      or old images, stopped containers, volumes, networks, build cache (`docker system \
                      prune`, `docker image prune`, `docker volume prune`, `docker builder prune`). What \
                      is worth it: disk-usage.",
        toolset: Toolset::System,
        effect: Effect::Destroy,
        idempotent: true,
        open_world: false,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        self.refuse_what_makes_no_sense()?;
        let Found { mut candidates, mut notes } = find::find(context, &self).await?;
        sort::by(&mut candidates, |a, b| a.doomed.name.cmp(&b.doomed.name));
        let more = candidates.len().saturating_sub(MOST);
        if more > 0 {
            candidates.truncate(MOST);
            notes.push(format!("{more} more after these: repeat the call for them"));
        }
        let commands = if candidates.is_empty() {
            notes.insert(0, "there is nothing to remove".to_owned());
            vec![]
        } else {
            vec![self.removal(candidates.iter().flat_map(Candidate::shown))]
        };
        let ready = Ready { wish: self, candidates, notes, images_total: None };
        Ok(ready.prepared(commands))
    }

    /// A preview names the images that would go; to measure them takes a while.
    async fn complete(
        prepared: Prepared<Ready>,
        context: &Context,
    ) -> Result<Prepared<Ready>, Error> {
        let Prepared { commands, mut ready, .. } = prepared;
        if ready.wish.what == What::Images && !ready.candidates.is_empty() {
            ready.measure_images(&context.docker).await;
        }
        Ok(ready.prepared(commands))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        if ready.candidates.is_empty() {
            return Ok(Reply { notes: ready.notes, ..Reply::default() });
        }
        let reply = ready.wish.remove(context, &ready.candidates, ready.images_total).await?;
        Ok(Reply { notes: ready.notes, ..reply })
    }
}

pub(super) struct Ready {
    wish: Prune,
    candidates: Vec<Candidate>,
    notes: Vec<String>,
    /// All images, each layer counted once, before any of them goes.
    images_total: Option<u64>,
}

impl Ready {
    /// It chooses its objects itself, so they are seen first whatever they are.
    fn prepared(self, commands: Vec<Invocation>) -> Prepared<Self> {
        let doomed = self.candidates.iter().map(|candidate| candidate.doomed.clone());
        let (doomed, notes) = (doomed.collect::<Vec<_>>(), self.notes.clone());
        Prepared::new(commands, self).loses(doomed).asks(Asks::Always).notes(notes)
    }

    async fn measure_images(&mut self, docker: &Docker) {
        let (measured, total) = usage::usage(docker).await.unwrap_or_default();
        let own: BTreeMap<String, u64> =
            sort::map(measured.images.into_iter().map(|image| (image.id, image.own_bytes)));
        for Candidate { doomed, .. } in &mut self.candidates {
            *doomed = doomed.clone().of_size(own.get(&doomed.id).copied());
        }
        if self.candidates.len() > 1 && total.is_some() {
            let note = "the sizes are those of the layers that no other image has; what only these share with each other comes on top";
            self.notes.push(note.to_owned());
        }
        self.images_total = total;
    }
}

impl Prune {
    /// Whether named images and volumes are meant too.
    fn is_chosen(&self) -> bool {
        // An empty list chooses nothing.
        self.project.is_some() || self.label.as_ref().is_some_and(|labels| !labels.0.is_empty())
    }

    fn refuse_what_makes_no_sense(&self) -> Result<(), Error> {
        if self.what == What::BuildCache && self.is_chosen() {
            let message = "the build cache belongs to no project and has no labels";
            return Err(Error::invalid("what", message).hint("leave out project and label"));
        }
        if self.what == What::Volumes && self.unused_for.is_some() {
            let message = "docker does not know since when a volume is unused";
            return Err(Error::invalid("unused_for", message)
                .hint("choose volumes by project or label, or name one to remove-volume"));
        }
        Ok(())
    }

    /// Without force: what is used by then stays.
    fn removal(&self, operands: impl IntoIterator<Item = String>) -> Invocation {
        let remove = |kind| Invocation::docker(Effect::Destroy, [kind, "rm"]).operands(operands);
        match self.what {
            What::Containers => remove("container"),
            What::Images => remove("image"),
            What::Networks => remove("network"),
            What::Volumes => remove("volume"),
            What::BuildCache => Invocation::docker(Effect::Destroy, ["builder", "prune"])
                .flag("--force", true)
                .maybe("--filter", self.unused_for.map(|span| format!("until={span}"))),
        }
    }

    async fn remove(
        &self,
        context: &Context,
        candidates: &[Candidate],
        images_total: Option<u64>,
    ) -> Result<Reply, Error> {
        // By their IDs: a name may be another one's by now.
        let command = self.removal(candidates.iter().flat_map(|it| it.operands.clone()));
        let name = |candidate: &Candidate| candidate.doomed.name.clone();
        context.docker.progress().say("removing");
        let result = context.docker.run(&Removal(command)).await;
        if self.what == What::BuildCache {
            return Ok(Reply {
                removed: candidates.iter().map(name).collect(),
                reclaimed: reclaimed(&result?),
                ..Reply::default()
            });
        }
        // One that could not be removed does not keep docker from removing the others.
        let problem = match result {
            Ok(_) => None,
            Err(error) if is_about_the_call(error.code) => return Err(error),
            Err(error) => Some(error),
        };
        let left = self.left(context, candidates).await?;
        let (left, gone): (Vec<&Candidate>, Vec<&Candidate>) =
            candidates.iter().partition(|candidate| left.contains(candidate.key()));
        if let (Some(error), true) = (&problem, gone.is_empty()) {
            return Err(error.clone());
        }
        let mut bytes: u64 = gone.iter().map(|candidate| candidate.doomed.bytes()).sum();
        if let Some(before) = images_total {
            // Docker prints four digits of it, so the layers that were theirs alone are the least.
            let after = context.docker.run(&ImagesTotal { timeout: usage::LIMIT }).await;
            bytes =
                after.ok().flatten().map_or(bytes, |after| before.saturating_sub(after).max(bytes));
        }
        let failed = left.into_iter().map(|candidate| Failed {
            name: name(candidate),
            why: candidate.complaint(problem.as_ref()),
        });
        Ok(Reply {
            reclaimed: (bytes > 0).then(|| human_bytes(bytes)),
            failed: failed.collect(),
            removed: gone.into_iter().map(name).collect(),
            ..Reply::default()
        })
    }

    /// Those that are still there.
    async fn left(
        &self,
        context: &Context,
        candidates: &[Candidate],
    ) -> Result<BTreeSet<String>, Error> {
        let keys: Vec<String> =
            candidates.iter().map(|candidate| candidate.key().to_owned()).collect();
        let docker = &context.docker;
        Ok(match self.what {
            What::BuildCache => BTreeSet::new(),
            What::Containers => {
                let left = docker.run(&InspectContainers::listed(keys)).await?;
                left.into_iter().map(|container| container.id).collect()
            }
            What::Images => {
                let left = in_batches(docker, &keys, InspectImages::listed).await?;
                left.into_iter().map(|image| image.id).collect()
            }
            What::Networks => {
                let left = in_batches(docker, &keys, InspectNetworks::listed).await?;
                left.into_iter().map(|network| network.id).collect()
            }
            What::Volumes => {
                let left = in_batches(docker, &keys, InspectVolumes::listed).await?;
                left.into_iter().map(|volume| volume.name).collect()
            }
        })
    }
}

/// Not about one of the objects.
fn is_about_the_call(code: Code) -> bool {
    use Code::{
        Cancelled, DaemonNotAccessible, DockerMissing, Internal, PermissionDenied, RefusedByPolicy,
        ResourcesExhausted, Timeout,
    };
    matches!(
        code,
        Cancelled
            | DaemonNotAccessible
            | DockerMissing
            | Internal
            | PermissionDenied
            | RefusedByPolicy
            | ResourcesExhausted
            | Timeout
    )
}

/// `Total reclaimed space: 12MB`, or only `Total:` and the size from buildx.
fn reclaimed(output: &str) -> Option<String> {
    let line = output.lines().rev().find(|line| line.starts_with("Total"))?;
    let (_, size) = line.rsplit_once(':')?;
    disk::bytes(size.trim()).map(human_bytes)
}

/// `docker … rm`, or `docker builder prune`.
struct Removal(Invocation);

impl Command for Removal {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        Ok(output.stdout.clone())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::tools::confirm::Doomed;

    fn argv(arguments: serde_json::Value) -> String {
        let tool: Prune = serde_json::from_value(arguments).unwrap();
        let doomed = Doomed { name: "web".into(), id: "0a1b".into(), ..Doomed::default() };
        let candidate = Candidate { operands: vec!["0a1b".into()], doomed };
        let two = Candidate {
            operands: vec!["a:1".into(), "a:2".into()],
            doomed: candidate.doomed.clone(),
        };
        assert_eq!(two.shown(), ["a:1", "a:2"]);
        tool.removal(candidate.shown()).to_string()
    }

    #[test]
    fn argv_of_prune() {
        let shown = |what: &str| argv(json!({"what": what}));
        assert_snapshot!(shown("containers"), @"docker container rm -- web");
        assert_snapshot!(shown("images"), @"docker image rm -- web");
        assert_snapshot!(shown("networks"), @"docker network rm -- web");
        assert_snapshot!(shown("volumes"), @"docker volume rm -- web");
        assert_snapshot!(shown("build_cache"), @"docker builder prune --force");
        assert_snapshot!(
            argv(json!({"what": "build_cache", "unused_for": "168h"})),
            @"docker builder prune --force --filter=until=168h"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |arguments: serde_json::Value| {
            let tool: Prune = serde_json::from_value(arguments).unwrap();
            tool.refuse_what_makes_no_sense().unwrap_err().code
        };
        let code = Code::InvalidConfiguration;
        assert_eq!(refused(json!({"what": "build_cache", "project": "shop"})), code);
        assert_eq!(refused(json!({"what": "volumes", "unused_for": "1h"})), code);
        assert!(serde_json::from_value::<Prune>(json!({"what": "everything"})).is_err());
        assert!(serde_json::from_value::<Prune>(json!({})).is_err());
    }

    #[test]
    fn what_was_reclaimed_is_read() {
        assert_eq!(reclaimed("ID\tx\nTotal reclaimed space: 12MB\n").as_deref(), Some("12 MB"));
        assert_eq!(reclaimed("Total:\t0B\n").as_deref(), Some("0 B"));
        assert_eq!(reclaimed(""), None);
    }
}
