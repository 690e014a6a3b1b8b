//! What would be lost with an object: the one judgement that all plans have. Of an image its only
//! copy, of a container the files that it has written itself, of a volume what is in it; the files
//! of the project that a copy replaces are found where they are compared.

use jiff::Timestamp;

use super::Context;
use super::batches::in_batches;
use super::confirm::Doomed;
use super::provenance::is_of_this_session;
use crate::command::containers::{Container, Measured, Written};
use crate::command::events::VolumeUses;
use crate::command::images::Image;
use crate::command::labels;
use crate::command::volumes::{Volume, VolumeSizes};
use crate::docker::Docker;

/// Containers with what they hold, in their order. What one holds that this session has made is
/// told, and would not be missed: nobody else has files in it.
pub(super) async fn containers<'a>(
    context: &Context,
    containers: impl IntoIterator<Item = &'a Container>,
) -> Vec<Doomed> {
    let containers: Vec<&Container> = containers.into_iter().collect();
    let ids: Vec<String> = containers.iter().map(|container| container.id.clone()).collect();
    // What cannot be measured is judged by its paths.
    let measured = in_batches(&context.docker, &ids, Measured).await.unwrap_or_default();
    let mut doomed = vec![];
    for container in containers {
        let measured = measured.iter().find(|it| it.id == container.id).unwrap_or(container);
        let holds = held(&context.docker, measured).await;
        let itself = Doomed {
            kind: "container",
            name: container.name().to_owned(),
            id: container.id.clone(),
            project: container.label(labels::PROJECT).map(str::to_owned),
            loses_data: holds.is_some() && !is_of_this_session(container),
            holds: holds.unwrap_or_default(),
            ..Doomed::default()
        };
        doomed.push(itself.of_size(measured.size_rw.filter(|bytes| *bytes > 0)));
    }
    doomed
}

async fn held(docker: &Docker, container: &Container) -> Option<String> {
    if !container.may_hold_files() {
        return None;
    }
    let written = docker.run(&Written(container.id.clone())).await.ok();
    container.held(written.as_deref())
}

/// An image that goes by this name; another name that stays keeps it.
pub(super) fn image(image: &Image, name: String, stays: bool) -> Doomed {
    Doomed {
        kind: "image",
        name,
        id: image.id.clone(),
        project: image.config.labels.get(labels::PROJECT).cloned(),
        loses_data: image.is_only_here() && !stays,
        ..Doomed::default()
    }
    .of_size(Some(image.size))
}

/// A volume with all that is in it.
pub(super) fn volume(volume: &Volume, bytes: Option<u64>) -> Doomed {
    Doomed {
        kind: "volume",
        name: volume.name.clone(),
        created: volume.created(),
        project: volume.project().map(str::to_owned),
        loses_data: true,
        ..Doomed::default()
    }
    .of_size(bytes)
}

/// Volumes that nothing uses, so that their size and the time of their last use tell whether what
/// is in them is still what it was.
pub(super) async fn unused_volumes<'a>(
    docker: &Docker,
    volumes: impl IntoIterator<Item = &'a Volume>,
) -> Vec<Doomed> {
    let uses = VolumeUses { until: Timestamp::now() };
    let (sizes, uses) = tokio::join!(docker.run(&VolumeSizes::IN_PASSING), docker.run(&uses));
    let (sizes, mut uses) = (sizes.unwrap_or_default(), uses.unwrap_or_default());
    let doomed = |it: &Volume| Doomed {
        last_used: uses.remove(&it.name).unwrap_or_default(),
        ..volume(it, sizes.get(&it.name).copied())
    };
    volumes.into_iter().map(doomed).collect()
}
