use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::images::{self, Image, InspectImages, Row, image_of, merged};
use crate::command::text::{human_bytes, short_id};
use crate::command::version::Versions;
use crate::command::{Effect, time};
use crate::error::Error;
use crate::sort;
use crate::tools::batches::in_batches;
use crate::tools::filters::{Names, Texts, limited, yes_or_no};
use crate::tools::reply::Listing;
use crate::tools::users::{Users, few};
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListImages {
    /// By dangling, reference, label.
    #[serde(default)]
    filters: Filters,
    /// The most entries to return; default 50.
    limit: Option<u32>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    /// true: only nameless ones; false: only others.
    #[serde(default, deserialize_with = "yes_or_no")]
    dangling: Option<bool>,
    /// Regular expression for a part of `name:tag`, or a whole one with `*`.
    reference: Option<Texts>,
    /// `key` or `key=value`.
    label: Option<Texts>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    images: Vec<Listed>,
    total: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    tags: Vec<String>,
    digest: Option<String>,
    size: String,
    size_bytes: u64,
    created: String,
    in_use_by: Vec<String>,
}

impl Tool for ListImages {
    const SPEC: Spec = Spec {
        name: "list-images",
        title: "List images",
        description: "List local images (`docker images`, `docker image ls`), newest first, with tags, \
                      size, dangling ones and who uses them. One: inspect-image.",
        toolset: Toolset::Images,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Listing<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let names = Names::of_images("reference", self.filters.reference.as_ref())?;
        let [named, unnamed] = self.commands(context.docker.known_versions());
        let (named, unnamed, users) = tokio::try_join!(
            rows(context, named.as_ref()),
            rows(context, unnamed.as_ref()),
            Users::find(context, vec![]),
        )?;
        let mut images = merged(named.into_iter().chain(unnamed));
        images.retain(|row| {
            self.filters.reference.is_none()
                || row.tags.iter().chain(&row.digests).any(|name| names.want(name))
        });
        let (mut images, total) = limited(images, self.limit);
        let exact = exact(context, &images).await?;
        // One that vanished meanwhile is left out.
        images.retain_mut(|row| {
            let Some(image) = exact.get(&row.id) else { return false };
            (row.tags, row.digests) = (image.tags(), image.digests());
            true
        });
        // A listing knows only whole seconds.
        let created = |row: &Row| exact.get(&row.id).and_then(|image| time::parse(&image.created));
        sort::by(&mut images, |a, b| created(b).cmp(&created(a)));
        let used_by = used_by(&images, &users);
        let listed = |row: &Row| Some(listed(row, exact.get(&row.id)?, used_by.get(&row.id)));
        Ok(Listing {
            list: "images",
            reply: Reply { images: images.iter().filter_map(listed).collect(), total },
        })
    }
}

impl ListImages {
    /// The listing, and a second one for what the first one leaves out since docker 29.
    fn commands(&self, versions: Option<&Versions>) -> [Option<images::ListImages>; 2] {
        let Filters { dangling, reference: _, label } = &self.filters;
        let filters = Texts::filters(label.as_ref(), "label");
        let with = |dangling: bool| {
            let mut filters = filters.clone();
            filters.push(format!("dangling={dangling}"));
            Some(images::ListImages { filters })
        };
        match dangling {
            Some(true) => [None, with(true)],
            Some(false) => [with(false), None],
            None => {
                let is_whole = versions.is_some_and(Versions::list_all_images);
                let unnamed = if is_whole { None } else { with(true) };
                [Some(images::ListImages { filters }), unnamed]
            }
        }
    }
}

async fn rows(context: &Context, command: Option<&images::ListImages>) -> Result<Vec<Row>, Error> {
    match command {
        Some(command) => context.docker.run(command).await,
        None => Ok(vec![]),
    }
}

/// Names of containers by the ID of their image.
fn used_by(images: &[Row], users: &Users) -> BTreeMap<String, Vec<String>> {
    let mut used_by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for container in users.rows() {
        if let Some(image) = image_of(images, &container.image) {
            used_by.entry(image.id.clone()).or_default().push(container.name.clone());
        }
    }
    used_by
}

/// What only `inspect` knows: the size in bytes, and all names whatever the filter.
async fn exact(context: &Context, images: &[Row]) -> Result<BTreeMap<String, Image>, Error> {
    let ids: Vec<String> = images.iter().map(|image| image.id.clone()).collect();
    let found = in_batches(&context.docker, &ids, InspectImages::listed).await?;
    Ok(sort::map(found.into_iter().map(|image| (image.id.clone(), image))))
}

fn listed(row: &Row, image: &Image, used_by: Option<&Vec<String>>) -> Listed {
    let digest = row.digests.first().and_then(|name| name.split_once('@'));
    Listed {
        id: short_id(&row.id).to_owned(),
        tags: row.tags.clone(),
        digest: digest.map(|(_, digest)| digest.to_owned()),
        size: human_bytes(image.size),
        size_bytes: image.size,
        created: time::from_docker(&image.created),
        in_use_by: few(used_by.cloned().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::ListImages;
    use crate::command::Command as _;

    fn argv(arguments: serde_json::Value) -> String {
        let tool: ListImages = serde_json::from_value(arguments).unwrap();
        let shown = |command: crate::command::images::ListImages| {
            let shown = command.invocation().to_string();
            shown.split(" '--format=").next().unwrap().to_owned()
        };
        tool.commands(None).into_iter().flatten().map(shown).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn argv_of_list_images() {
        assert_snapshot!(argv(json!({})), @"
        docker image ls --digests --no-trunc
        docker image ls --digests --no-trunc --filter=dangling=true
        ");
        assert_snapshot!(argv(json!({"filters": {"dangling": "true", "label": {"a": "b"}}})), @"docker image ls --digests --no-trunc --filter=label=a=b --filter=dangling=true");
        assert_snapshot!(argv(json!({"filters": {"dangling": false, "reference": ["shop/*:1", "x"]}})), @"docker image ls --digests --no-trunc --filter=dangling=false");
    }
}
