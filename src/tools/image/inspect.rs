use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::documents::Documents;
use crate::command::images::{Healthcheck, Image};
use crate::command::text::{human_bytes, short_id};
use crate::command::values::ImageRef;
use crate::command::{Command, Effect, Invocation, Output, json, time};
use crate::error::Error;
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

/// Layers that are shown.
const LAYERS: usize = 50;
/// A `RUN` can be a page long.
const CREATED_BY_MAX: usize = 300;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectImage {
    /// The image, by name[:tag], digest or ID.
    image: ImageRef,
    /// Further parts of the answer.
    #[serde(default)]
    include: BTreeSet<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Part {
    History,
    Labels,
    Env,
    Raw,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    id: String,
    tags: Vec<String>,
    digests: Vec<String>,
    size: String,
    size_bytes: u64,
    created: String,
    platform: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
    user: String,
    working_dir: String,
    exposed_ports: Vec<String>,
    volumes: Vec<String>,
    stop_signal: String,
    healthcheck: Option<Check>,
    /// Names, or names and values.
    environment: Value,
    labels: BTreeMap<String, String>,
    /// The layers that take space, in the order of the Dockerfile.
    history: Vec<Layer>,
    layers_total: Option<usize>,
    raw: Value,
}

#[derive(Debug, Serialize)]
struct Check {
    test: Vec<String>,
    interval: Option<String>,
    timeout: Option<String>,
    start_period: Option<String>,
    retries: Option<u64>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Layer {
    size: String,
    size_bytes: u64,
    created_by: String,
}

impl Tool for InspectImage {
    const SPEC: Spec = Spec {
        name: "inspect-image",
        title: "Inspect image",
        description: "Details of one local image (`docker image inspect`, `docker history`): size, \
                      entrypoint, exposed ports, variables; layers if asked. All: list-images.",
        toolset: Toolset::Images,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let wants = |part| self.include.contains(&part);
        let document = Documents::one("image", self.image.to_string());
        let raw = Documents::single(context.docker.run(&document).await?)?;
        let image: Image = json::part(&raw)?;
        let mut reply = summary(&image);
        reply.environment = environment(&image, wants(Part::Env));
        if wants(Part::Labels) {
            reply.labels.clone_from(&image.config.labels);
        }
        if wants(Part::History) {
            let layers = context.docker.run(&History { image: image.id.clone() }).await?;
            reply.layers_total = (layers.len() > LAYERS).then_some(layers.len());
            // The last ones are the image's own, the first ones those of the images below.
            let below = layers.len().saturating_sub(LAYERS);
            reply.history = layers.into_iter().skip(below).collect();
        }
        if wants(Part::Raw) {
            reply.raw = raw;
        }
        Ok(Structured(reply))
    }
}

fn summary(image: &Image) -> Reply {
    let config = &image.config;
    Reply {
        id: short_id(&image.id).to_owned(),
        tags: image.tags(),
        digests: image.digests(),
        size: human_bytes(image.size),
        size_bytes: image.size,
        created: time::from_docker(&image.created),
        platform: image.platform(),
        entrypoint: config.entrypoint.clone(),
        command: config.cmd.clone(),
        user: config.user.clone(),
        working_dir: config.working_dir.clone(),
        exposed_ports: config.exposed_ports.keys().cloned().collect(),
        volumes: config.volumes.keys().cloned().collect(),
        stop_signal: config.stop_signal.clone(),
        healthcheck: config.healthcheck.as_ref().and_then(check),
        ..Reply::default()
    }
}

/// None for the check `NONE`, which switches off the one of the image below.
fn check(healthcheck: &Healthcheck) -> Option<Check> {
    let off = healthcheck.test.first().is_none_or(|kind| kind == "NONE");
    (!off).then(|| Check {
        test: healthcheck.test.clone(),
        interval: span(healthcheck.interval),
        timeout: span(healthcheck.timeout),
        start_period: span(healthcheck.start_period),
        retries: (healthcheck.retries > 0).then_some(healthcheck.retries),
    })
}

fn span(nanoseconds: u64) -> Option<String> {
    (nanoseconds > 0).then(|| format!("{}s", Duration::from_nanos(nanoseconds).as_secs_f64()))
}

fn environment(image: &Image, values: bool) -> Value {
    let pairs = image.config.env.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    if values {
        pairs
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    } else {
        pairs.map(|(name, _)| Value::from(name)).collect::<Vec<_>>().into()
    }
}

/// `docker image history`: the layers that take space, the oldest first.
struct History {
    image: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawLayer {
    size: String,
    created_by: String,
}

impl Command for History {
    type Reply = Vec<Layer>;

    // With `--human=false` sizes are bytes.
    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["image", "history"])
            .flag("--no-trunc", true)
            .option("--human", false)
            .option("--format", r#"{"Size":{{json .Size}},"CreatedBy":{{json .CreatedBy}}}"#)
            .operands([&self.image])
    }

    fn parse(&self, output: &Output) -> Result<Vec<Layer>, Error> {
        let layers: Vec<RawLayer> = json::rows(&output.stdout)?;
        let mut layers: Vec<Layer> = layers.iter().map(layer).collect();
        layers.retain(|layer| layer.size_bytes > 0);
        // Docker begins with the newest.
        layers.reverse();
        Ok(layers)
    }
}

fn layer(raw: &RawLayer) -> Layer {
    let size_bytes = raw.size.parse().unwrap_or_default();
    // What the two builders put around an instruction.
    let instruction = raw.created_by.trim_end_matches(" # buildkit");
    let instruction = instruction.strip_prefix("/bin/sh -c #(nop) ").unwrap_or(instruction);
    Layer {
        size: human_bytes(size_bytes),
        size_bytes,
        created_by: instruction.trim().chars().take(CREATED_BY_MAX).collect(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn argv_of_inspect_image() {
        let shown = |command: Invocation| command.to_string();
        assert_snapshot!(shown(Documents::one("image", "shop/app:1").invocation()), @"docker image inspect -- shop/app:1");
        assert_snapshot!(shown(History { image: "sha256:aa".into() }.invocation()), @r#"docker image history --no-trunc --human=false '--format={"Size":{{json .Size}},"CreatedBy":{{json .CreatedBy}}}' -- sha256:aa"#);
    }

    #[test]
    fn layers_come_as_in_the_dockerfile_and_without_those_that_take_no_space() {
        let stdout = r#"{"Size":"0","CreatedBy":"CMD [\"sh\"]"}
{"Size":"5000","CreatedBy":"RUN make # buildkit"}
{"Size":"3216","CreatedBy":"RUN /bin/busybox --install -s /bin # buildkit"}
{"Size":"1982256","CreatedBy":"/bin/sh -c #(nop) COPY file:7027 in /bin/busybox "}"#;
        let output = Output { stdout: stdout.to_owned(), ..Output::default() };
        let layers = History { image: String::new() }.parse(&output).unwrap();
        let told: Vec<_> = layers.iter().map(|l| (l.size_bytes, l.created_by.as_str())).collect();
        assert_eq!(
            told,
            [
                (1_982_256, "COPY file:7027 in /bin/busybox"),
                (3216, "RUN /bin/busybox --install -s /bin"),
                (5000, "RUN make"),
            ]
        );
    }

    #[test]
    fn a_check_that_is_switched_off_is_none() {
        let parse = |text| serde_json::from_str::<Healthcheck>(text).unwrap();
        assert!(check(&parse(r#"{"Test":["NONE"]}"#)).is_none());
        let shown = check(&parse(
            r#"{"Test":["CMD-SHELL","true"],"Interval":1500000000,"Timeout":0,"Retries":2}"#,
        ));
        assert_snapshot!(serde_json::to_string(&shown).unwrap(), @r#"{"test":["CMD-SHELL","true"],"interval":"1.5s","timeout":null,"start_period":null,"retries":2}"#);
    }
}
