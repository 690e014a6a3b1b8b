//! Networks: list, look, create, connect, disconnect, remove.

mod attach;
mod create;
mod inspect;
mod list;
mod remove;

use super::users::Users;
use super::{Context, Entry};
use crate::command::containers::Row;
use crate::command::networks::{InspectNetworks, Network};
use crate::error::{Code, Error};

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::of::<list::ListNetworks>(),
        Entry::of::<inspect::InspectNetwork>(),
        Entry::change::<create::CreateNetwork>(),
        Entry::change::<attach::ConnectNetwork>(),
        Entry::change::<attach::DisconnectNetwork>(),
        Entry::change::<remove::RemoveNetwork>(),
    ]
}

async fn inspect_one(context: &Context, name: &str) -> Result<Network, Error> {
    let found = context.docker.run(&InspectNetworks::one(name)).await;
    let mut found = found.map_err(|error| match error.code {
        Code::ResourceNotFound => {
            error.with("network", name).hint("list-networks shows what exists")
        }
        _ => error,
    })?;
    found.pop().ok_or_else(|| {
        Error::new(Code::ResourceNotFound, format!("no such network: {name}")).with("network", name)
    })
}

/// The containers that are on it, or will be when they start. Those that were never started know
/// it only by name.
async fn users_of(context: &Context, network: &Network) -> Result<Users, Error> {
    // Two values of one filter: either will do.
    let filters = [&network.name, &network.id].map(|name| format!("network={name}"));
    let users = Users::find(context, filters.to_vec()).await?;
    Ok(users.only(|row| is_on(row, &network.name, &network.id)))
}

fn is_on(row: &Row, name: &str, id: &str) -> bool {
    row.networks.iter().any(|network| network == name || network == id)
}
