use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Effect;
use crate::command::containers::Row;
use crate::command::images::{self, InspectImages, image_of};
use crate::command::networks::InspectNetworks;
use crate::command::values::{ImageRef, NetworkName, VolumeName};
use crate::command::volumes::InspectVolumes;
use crate::error::Error;
use crate::tools::ports;
use crate::tools::reply::Listing;
use crate::tools::users::Users;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindUsers {
    /// Kind of what is used: port, image, volume or network.
    kind: Kind,
    /// Its name or ID, or the port: 8080, 53/udp.
    name: String,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Port,
    Image,
    Volume,
    Network,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    kind: Kind,
    name: String,
    users: Vec<User>,
    /// Programs outside of docker that listen on the port.
    programs: Vec<String>,
    /// Nobody holds it.
    free: Option<bool>,
}

#[derive(Debug, Serialize)]
struct User {
    container: String,
    state: String,
    project: Option<String>,
    service: Option<String>,
    /// Of the container, when a port was asked for.
    ports: Vec<String>,
}

fn listing(reply: Reply) -> Listing<Reply> {
    Listing { list: "users", reply }
}

impl Tool for FindUsers {
    const SPEC: Spec = Spec {
        name: "find-users",
        title: "Who uses it",
        description: "Who uses this port, image, volume or network: which container or process listens on \
                      or occupies port 5432 or 8080 (port is already allocated), which containers mount a \
                      volume. One: inspect-container.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Listing<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let Self { kind, name } = self;
        let users = match kind {
            Kind::Port => return port(context, &name).await.map(listing),
            Kind::Image => image(context, &checked(&name)?).await?,
            Kind::Volume => volume(context, &checked(&name)?).await?,
            Kind::Network => network(context, &checked(&name)?).await?,
        };
        let free = users.is_empty().then_some(true);
        let users = users.rows().iter().map(|row| user(row, vec![])).collect();
        Ok(listing(Reply { kind, name, users, programs: vec![], free }))
    }
}

/// # Errors
/// DKR-004 for what is no name of this kind.
fn checked<T: std::str::FromStr<Err = String>>(name: &str) -> Result<T, Error> {
    name.parse().map_err(|problem| Error::invalid("name", format!("`name`: {problem}")))
}

fn user(row: &Row, ports: Vec<String>) -> User {
    User {
        container: row.name.clone(),
        state: row.state.clone(),
        project: row.project.clone(),
        service: row.service.clone(),
        ports,
    }
}

async fn image(context: &Context, name: &ImageRef) -> Result<Users, Error> {
    let query = InspectImages::one(name);
    let (found, users) =
        tokio::try_join!(context.docker.run(&query), Users::find(context, vec![]))?;
    let images: Vec<images::Row> = found
        .iter()
        .map(|image| images::Row {
            id: image.id.clone(),
            tags: image.tags(),
            digests: image.digests(),
            ..images::Row::default()
        })
        .collect();
    Ok(users.only(|row| image_of(&images, &row.image).is_some()))
}

async fn volume(context: &Context, name: &VolumeName) -> Result<Users, Error> {
    let query = InspectVolumes::one(name.as_str());
    let users = Users::find(context, vec![format!("volume={name}")]);
    let (_, users) = tokio::try_join!(context.docker.run(&query), users)?;
    Ok(users.only(|row| row.mounts.iter().any(|mount| mount == name.as_str())))
}

async fn network(context: &Context, name: &NetworkName) -> Result<Users, Error> {
    let query = InspectNetworks::one(name.as_str());
    let (found, users) =
        tokio::try_join!(context.docker.run(&query), Users::find(context, vec![]))?;
    // Containers that were never started know it only by name.
    let is_it = |network: &String| found.iter().any(|it| [&it.name, &it.id].contains(&network));
    Ok(users.only(|row| row.networks.iter().any(is_it)))
}

async fn port(context: &Context, name: &str) -> Result<Reply, Error> {
    let (number, protocol) = name.split_once('/').unwrap_or((name, "tcp"));
    let number = number.trim().parse::<u16>().ok().filter(|number| *number > 0);
    let number =
        number.filter(|_| matches!(protocol, "tcp" | "udp" | "sctp")).ok_or_else(|| {
            let message = format!("`name`: {name:?} is no port; use a number, or 53/udp");
            Error::invalid("name", message)
        })?;
    let users = Users::find(context, vec![]).await?;
    let users = users.only(|row| ports::publishes(row, number, protocol));
    let programs = match (users.is_empty(), protocol) {
        (true, "tcp") => ports::programs(&context.docker, number),
        _ => vec![],
    };
    Ok(Reply {
        kind: Kind::Port,
        name: format!("{number}/{protocol}"),
        free: (users.is_empty() && programs.is_empty()).then_some(true),
        users: users.rows().iter().map(|row| user(row, row.ports.clone())).collect(),
        programs,
    })
}
