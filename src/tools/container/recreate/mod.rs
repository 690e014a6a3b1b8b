//! recreate-container: another container in the place of one, with all its settings but those that
//! are named anew.
//!
//! The new one is made beside the old one and compared with it, and only then the old one is
//! stopped and gives it its name. Until the new one has shown that it runs, the old one can come
//! back.

mod carry;
mod document;
mod places;
mod swap;
mod tables;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::create::{Creation, Network, Order, Settings};
use crate::command::containers::{Container, Written};
use crate::command::documents::Documents;
use crate::command::labels;
use crate::command::values::{Bounded, ContainerName, ContainerRef, ImageRef, RestartPolicy};
use crate::command::{Act, Effect, Invocation, json};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::parameters::With;
use crate::tools::joined;
use crate::tools::losses;
use crate::tools::protect::judge_removal;
use crate::tools::stop_time::stop_limit;
use crate::tools::{Brief, Change, Context, Prepared, Spec, Toolset};
use document::Document;
use swap::Swap;

pub(super) type RecreateContainer = With<Own, Settings>;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Own {
    /// The container, by name or ID.
    container_name: ContainerRef,
    /// New image; default the image it has.
    image: Option<ImageRef>,
    /// Restart policy: no, always, unless-stopped, on-failure[:5].
    restart: Option<RestartPolicy>,
    /// Seconds it is watched; default 3.
    wait_seconds: Option<Bounded<0, 60>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    id: String,
    name: String,
    state: String,
    health: Option<String>,
    image: String,
    ports: Vec<String>,
    /// The one that is gone.
    replaced: String,
    notes: Vec<String>,
    warnings: Vec<String>,
}

impl Change for RecreateContainer {
    const SPEC: Spec = Spec {
        name: "recreate-container",
        title: "Replace container",
        description: "Recreate a container with other settings: change its image, port or environment \
                      variables, also of a running container (`docker rm` and `docker run` in one); \
                      volumes stay, other files are destroyed, after a plan. Limits: update-container.",
        toolset: Toolset::Containers,
        effect: Effect::Destroy,
        idempotent: false,
        open_world: true,
    };
    const BRIEF: Option<Brief> = Some(Brief {
        described: &["container_name", "image", "environment", "ports", "pull", "wait_seconds"],
        others: "As in create-container, merged into what is there.",
    });
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        let docker = &context.docker;
        let old = Old::look(context, &self.own.container_name).await?;
        let has_another_network = |it: &String| matches!(it.as_str(), "network" | "networks");
        if !self.named.iter().any(has_another_network) {
            joined::demand_network(docker, &old.container).await?;
        }
        let carried = carry::carry(&old.document, &self.named, &self.shared)?;
        let image = old.image(self.own.image.as_ref())?;
        let name = temporary(&old.container)?;
        let order = Order {
            image: &image,
            name: Some(&name),
            restart: self.own.restart,
            interactive: false,
            start: false,
            settings: &self.shared,
            carried: Some(&carried),
        };
        let creation = order.prepare(context).await?;
        let notes = joined::would_be_left_behind(docker, &old.container).await;
        let losses = losses::containers(context, [&old.container]).await;
        let wait = Duration::from_secs(self.own.wait_seconds.map_or(3, Bounded::get).into());
        let (networks, named) = (carried.networks, self.named);
        let ready = Ready { old, name, creation, networks, named, wait };
        Ok(Prepared::new(ready.shown(), ready).loses(losses).notes(notes))
    }

    async fn apply(ready: Ready, context: &Context) -> Result<Reply, Error> {
        let docker = &context.docker;
        let Ready { old, name, creation, named, .. } = &ready;
        let written = docker.run(&Written(old.container.id.clone())).await.unwrap_or_default();
        let lost_files = old.container.own_files(&written, false);
        let lost_files = lost_files
            .map(|files| format!("gone with the old container, outside of volumes: {files}"));
        let created = creation.make(context).await?;
        let made = async {
            creation.bring_up(context, &created, name.as_str()).await?;
            for join in ready.joins(&created.id) {
                docker.run(&Act(join)).await?;
            }
            let new = Document::read(docker, &created.id).await?;
            demand_nothing_lost(old, &new, named)
        };
        if let Err(error) = made.await {
            return Err(creation.take_back(context, &created, error).await);
        }
        let swap = ready.swap();
        let container = match swap.run(context, &created.id).await {
            Ok(container) => container,
            Err(error) => return Err(swap.back(context, &created.id, creation, error).await),
        };
        let notes = lost_files.into_iter().chain(swap.remove_old(context).await).collect();
        let mut warnings = creation.warnings.clone();
        warnings.extend(created.warnings);
        warnings.extend(joined::left_behind(docker, &[&old.container]).await);
        if container.label(labels::PROJECT).is_some() {
            warnings.push("it belongs to a compose project, whose file does not know of the change: deploy-compose may make it as it was".to_owned());
        }
        Ok(Reply {
            id: container.short_id().to_owned(),
            name: container.name().to_owned(),
            state: container.state.status.clone(),
            health: container.health().map(str::to_owned),
            image: container.config.image.clone(),
            ports: container.ports(),
            replaced: old.container.short_id().to_owned(),
            notes,
            warnings,
        })
    }
}

/// The old container, and all that is needed to make the new one.
pub(super) struct Ready {
    old: Old,
    /// Of the new one, until it gets the old one's.
    name: ContainerName,
    creation: Creation,
    /// Those to join after the first one.
    networks: Vec<Network>,
    /// The settings that the caller has named.
    named: Vec<String>,
    wait: Duration,
}

impl Ready {
    fn shown(&self) -> Vec<Invocation> {
        let mut shown = self.creation.shown(Some(&self.name));
        shown.extend(self.joins(self.name.as_str()));
        shown.extend(self.swap().shown());
        shown
    }

    fn joins(&self, container: &str) -> Vec<Invocation> {
        let join = |network: &Network| {
            let connect = Invocation::docker(Effect::Change, ["network", "connect"]);
            let options = network.options.iter();
            let connect = options.fold(connect, |connect, (option, value)| {
                connect.option(&format!("--{option}"), value)
            });
            connect.operands([network.name.as_str(), container])
        };
        self.networks.iter().map(join).collect()
    }

    fn swap(&self) -> Swap<'_> {
        let (old, name) = (&self.old.container, &self.name);
        Swap { old, name, wait: self.wait, stop_limit: stop_limit([old], None) }
    }
}

/// The one that is there.
struct Old {
    container: Container,
    document: Document,
}

impl Old {
    async fn look(context: &Context, container: &ContainerRef) -> Result<Self, Error> {
        let document = Document::read(&context.docker, container.as_str()).await?;
        let container: Container = json::part(&document.container)?;
        let name = container.name();
        judge_removal(&context.docker, "container", name, &container.config.labels)?;
        let refuse = |why: &str, hint: &'static str| {
            let message = format!("container {name} {why}");
            Err(Error::new(Code::WrongState, message).with("container", name).hint(hint))
        };
        match container.state.status.as_str() {
            "paused" => return refuse("is paused", "unpause-container lets it go on"),
            "removing" | "dead" => {
                return refuse("is being removed", "create-container makes a new one");
            }
            _ => {}
        }
        if container.host_config.auto_remove {
            return refuse(
                "removes itself when it stops, so it could not come back",
                "stop it, and create-container makes a new one",
            );
        }
        Ok(Self { container, document })
    }

    fn name(&self) -> &str {
        self.container.name()
    }

    /// By its name, which may mean a newer image by now; by its ID when it has none.
    fn image(&self, named: Option<&ImageRef>) -> Result<ImageRef, Error> {
        if let Some(image) = named {
            return Ok(image.clone());
        }
        let by_name = self.container.config.image.parse();
        by_name
            .or_else(|_| self.container.image.parse())
            .map_err(|problem: String| Error::new(Code::UnexpectedOutput, problem))
    }
}

impl Document {
    async fn read(docker: &Docker, container: &str) -> Result<Self, Error> {
        let query = Documents::one("container", container);
        let container = Documents::single(docker.run(&query).await?)?;
        let id = container.pointer("/Image").and_then(Value::as_str).unwrap_or_default();
        // It may be gone.
        let query = Documents::existing("image", vec![id.to_owned()]);
        let image = docker.run(&query).await?.pop().unwrap_or_default();
        Ok(Self { container, image })
    }
}

/// The new one's name until it gets the old one's. The same each time, as a plan is bound to it.
fn temporary(old: &Container) -> Result<ContainerName, Error> {
    let start: String = old.name().chars().take(100).collect();
    let name = format!("{start}-new-{}", old.short_id());
    name.parse().map_err(|problem: String| Error::new(Code::Internal, problem))
}

fn demand_nothing_lost(old: &Old, new: &Document, named: &[String]) -> Result<(), Error> {
    let lost = old.document.lost(new, named);
    if lost.is_empty() {
        return Ok(());
    }
    let message = format!("{} would lose settings: {}", old.name(), lost.join(", "));
    Err(Error::new(Code::WrongState, message)
        .with("container", old.name())
        .hint("nothing was changed; name these settings in the call, or use create-container"))
}
