//! Volumes: list, look, create, remove.

mod create;
mod inspect;
mod list;
mod remove;

use super::users::Users;
use super::{Context, Entry};
use crate::command::volumes::{InspectVolumes, Volume, VolumeSizes};
use crate::error::{Code, Error};

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::of::<list::ListVolumes>(),
        Entry::of::<inspect::InspectVolume>(),
        Entry::change::<create::CreateVolume>(),
        Entry::change::<remove::RemoveVolume>(),
    ]
}

async fn inspect_one(context: &Context, name: &str) -> Result<Volume, Error> {
    let found = context.docker.run(&InspectVolumes::one(name)).await;
    let mut found = found.map_err(|error| match error.code {
        Code::ResourceNotFound => error.with("volume", name).hint("list-volumes shows what exists"),
        _ => error,
    })?;
    found.pop().ok_or_else(|| {
        Error::new(Code::ResourceNotFound, format!("no such volume: {name}")).with("volume", name)
    })
}

/// The containers that have the volume mounted, or will when they start.
async fn users_of(context: &Context, name: &str) -> Result<Users, Error> {
    let users = Users::find(context, vec![format!("volume={name}")]).await?;
    Ok(users.only(|row| row.mounts.iter().any(|mount| mount == name)))
}

/// A size is worth telling, and not worth failing for.
async fn size_in_passing(context: &Context, name: &str) -> Option<u64> {
    context.docker.run(&VolumeSizes::IN_PASSING).await.ok()?.remove(name)
}
