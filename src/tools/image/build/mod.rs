//! build-image.

mod sent;
mod source;

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::images::{Image, InspectImages, full_name};
use crate::command::labels::BUILT;
use crate::command::text::{human_bytes, short_id};
use crate::command::values::{
    Bounded, Environment, HostPath, ImageRef, Labels, Platform, StageName,
};
use crate::command::version::BuildxVersionQuery;
use crate::command::{
    Attempt, Capture, Effect, Hazard, Invocation, Output, Program, Streams, diagnose,
};
use crate::error::{Code, Error};
use crate::tools::build_log::{BuildLog, Counts};
use crate::tools::protect::{judge_names, refuse_own_label};
use crate::tools::{Change, Context, Prepared, Spec, Toolset};
use source::Source;

const TIMEOUT_SECONDS: u64 = 1800;
/// What is shown of a build is kept by its log; this is for a failure before it begins.
const LAST_WORDS: Capture = Capture::Tail { max: 16 << 10 };
/// The first version with `--progress=rawjson`.
const RAW_JSON_SINCE: (u32, u32) = (0, 13);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BuildImage {
    /// Folder that is sent to the build (build context).
    context: HostPath,
    /// Names of the image, each name[:tag].
    #[serde(default)]
    tags: Vec<ImageRef>,
    /// Path of the Dockerfile in the context; default Dockerfile.
    dockerfile: Option<HostPath>,
    /// The Dockerfile as text, instead of a path.
    dockerfile_inline: Option<String>,
    /// Build arguments, values of the `ARG`s.
    #[serde(default)]
    build_args: Environment,
    /// Stage to build; default the last one.
    target: Option<StageName>,
    /// Platform such as linux/arm64.
    platform: Option<Platform>,
    /// Build every step again, without the cache.
    #[serde(default)]
    no_cache: bool,
    /// Pull newer versions of the base images first.
    #[serde(default)]
    pull: bool,
    /// Labels to set, by key.
    #[serde(default)]
    labels: Labels,
    /// Most seconds it may take; default 1800.
    timeout_seconds: Option<Bounded<1, 86_400>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    id: String,
    tags: Vec<String>,
    size: String,
    size_bytes: u64,
    platform: String,
    duration_ms: u64,
    steps: u64,
    cached_steps: u64,
    /// `12.3 s RUN cargo build`.
    slowest: Option<String>,
}

impl Change for BuildImage {
    const SPEC: Spec = Spec {
        name: "build-image",
        title: "Build image",
        description: "Build an image from a Dockerfile or a context folder (`docker build`, `docker buildx \
                      build`); a failure names the step and the line. For compose: compose-build.",
        toolset: Toolset::Images,
        effect: Effect::Change,
        idempotent: true,
        open_world: true,
    };
    type Ready = Ready;
    type Reply = Reply;

    async fn prepare(self, context: &Context) -> Result<Prepared<Ready>, Error> {
        self.check()?;
        let source = Source::find(&self, context)?;
        let builder = Builder::find(context).await?;
        let is_sent = source.is_local() && context.docker.host().is_some();
        let mut build = self.invocation(&source, builder, is_sent);
        judge_names(&context.docker, self.names(), None).await?;
        if context.docker.policy().only_ours {
            let names = self.names().collect::<Vec<_>>().join(" ");
            build = build.option("--label", format!("{BUILT}={names}"));
        }
        Ok(Prepared::new([build.clone()], Ready { tool: self, source, build, is_sent }))
    }

    async fn apply(
        Ready { tool, source, build, is_sent }: Ready,
        context: &Context,
    ) -> Result<Reply, Error> {
        // What it said is in the log, sorted, so a failure is not looked for in the streams.
        let mut build = Attempt(build);
        let (started, mut log) = (Instant::now(), BuildLog::default());
        context.docker.progress().say("sending the context");
        let sending = if is_sent { Some(source.send()?) } else { None };
        if let Some(sending) = &sending {
            build.0 = build.0.feed(sending.feed.clone());
        }
        let ended = context.docker.watch(&build, |line| {
            log.hear(line);
            log.tell(context.docker.progress());
        });
        let failed = match ended.await {
            Ok(output) if output.exit_code == 0 => None,
            // Its length is part of what the explanation may take.
            Ok(output) => Some(failure(&output, &log).command(build.0.to_string())),
            Err(error) => Some(error),
        };
        // With it goes the other end of the pipe, and nobody waits for a reader.
        drop(build);
        let not_sent = match sending {
            Some(sending) => sending.problem().await,
            None => None,
        };
        if let Some(error) = not_sent {
            return Err(error);
        }
        if let Some(error) = failed {
            return Err(explained(log.explain(error, source.dockerfile().as_ref())));
        }
        let image = tool.built(context, &log).await?;
        let Counts { steps, cached, .. } = log.counts();
        Ok(Reply {
            id: short_id(&image.id).to_owned(),
            tags: image.tags(),
            size: human_bytes(image.size),
            size_bytes: image.size,
            platform: image.platform(),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            steps,
            cached_steps: cached,
            slowest: log.slowest(),
        })
    }
}

pub(super) struct Ready {
    tool: BuildImage,
    source: Source,
    build: Invocation,
    /// The context goes to docker on standard input.
    is_sent: bool,
}

impl BuildImage {
    fn check(&self) -> Result<(), Error> {
        refuse_own_label(&self.labels)?;
        if self.dockerfile.is_some() && self.dockerfile_inline.is_some() {
            let message = "give dockerfile or dockerfile_inline, not both";
            return Err(Error::invalid("dockerfile_inline", message));
        }
        if let Some(tag) = self.tags.iter().find(|tag| tag.is_id() || tag.digest().is_some()) {
            let message = format!("{tag} is not a name to give: use repository:tag");
            return Err(Error::invalid("tags", message));
        }
        // They reach the builder through the environment of the docker client, which other users
        // of this machine cannot read.
        let mut names = self.build_args.iter().map(|(name, _)| name);
        if let Some(name) = names.find(|name| name.is_reserved()) {
            let message =
                format!("{name} would steer docker itself: give the argument another name");
            return Err(Error::invalid("build_args", message)
                .hint("docker gives builds the proxies of its own config.json"));
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.tags.iter().map(|tag| full_name(tag.as_str()))
    }

    fn invocation(&self, source: &Source, builder: Builder, is_sent: bool) -> Invocation {
        let mut build = match builder {
            Builder::RawJson | Builder::Plain => {
                let progress = if builder == Builder::RawJson { "rawjson" } else { "plain" };
                Invocation::docker(Effect::Change, ["buildx", "build"])
                    .flag("--load", true)
                    .option("--progress", progress)
            }
            // It leaves the container of a failed step unless it is told.
            Builder::Classic => {
                Invocation::docker(Effect::Change, ["image", "build"]).flag("--force-rm", true)
            }
        };
        build = build
            .each("--tag", self.names())
            .maybe("--file", if is_sent { source.file_in_archive() } else { source.file() })
            .maybe("--target", self.target.as_ref())
            .maybe("--platform", self.platform.as_ref())
            .flag("--no-cache", self.no_cache)
            .flag("--pull", self.pull);
        for (name, value) in &self.build_args {
            build = build.option("--build-arg", name).client_env(name.as_str(), value);
        }
        // No label of this call: it would make every build a new image, whatever the cache holds.
        for (key, value) in &self.labels {
            build = build.option("--label", format!("{key}={value}"));
        }
        for path in source.paths() {
            build = build.hazard(Hazard::HostPath { path, read_only: true });
        }
        if let Some(text) = self.dockerfile_inline.as_ref().filter(|_| !is_sent) {
            build = build.stdin(text.clone().into_bytes());
        }
        let seconds = self.timeout_seconds.map_or(TIMEOUT_SECONDS, |seconds| seconds.get().into());
        build
            .operands([if is_sent { "-" } else { source.context() }])
            .timeout(Duration::from_secs(seconds))
            .streams(Streams::Split { stdout: LAST_WORDS, stderr: LAST_WORDS })
    }

    /// The image, by what the builder called it, or else by its first name.
    async fn built(&self, context: &Context, log: &BuildLog) -> Result<Image, Error> {
        let name = self.names().next();
        let images: Vec<String> = log.images().map(str::to_owned).chain(name).collect();
        let query = InspectImages { images, may_vanish: true };
        let found = if query.images.is_empty() {
            None
        } else {
            context.docker.run(&query).await?.into_iter().next()
        };
        found.ok_or_else(|| {
            Error::new(Code::UnexpectedOutput, "the build succeeded, but its image is not here")
                .hint("a builder of its own (docker buildx ls) may keep it; give the image a tag")
        })
    }
}

/// What builds, which decides how it tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Builder {
    RawJson,
    Plain,
    /// The one before BuildKit, where there is no buildx.
    Classic,
}

impl Builder {
    async fn find(context: &Context) -> Result<Self, Error> {
        Self::told_by(context.docker.run(&BuildxVersionQuery).await)
    }

    fn told_by(version: Result<String, Error>) -> Result<Self, Error> {
        match version {
            Ok(version) => Ok(Self::of(&version)),
            Err(error) if error.code == Code::DockerMissing => Ok(Self::Classic),
            Err(error) => Err(error),
        }
    }

    fn of(version: &str) -> Self {
        let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version >= RAW_JSON_SINCE { Self::RawJson } else { Self::Plain }
    }
}

fn failure(output: &Output, log: &BuildLog) -> Error {
    diagnose::diagnose(Program::Docker, "buildx build", Some(output.exit_code), "", &log.words())
}

fn explained(error: Error) -> Error {
    match error.code {
        Code::Timeout => error.hint("give more timeout_seconds; what is done stays in the cache"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    use super::*;

    fn tool(arguments: Value) -> BuildImage {
        serde_json::from_value(arguments).unwrap()
    }

    fn build(arguments: Value, builder: Builder) -> Invocation {
        let tool = tool(arguments);
        let source = Source::for_tests(&tool);
        tool.invocation(&source, builder, false)
    }

    #[test]
    fn argv_of_build_image() {
        let least = json!({"context": "/shop"});
        assert_snapshot!(build(least.clone(), Builder::RawJson), @"docker buildx build --load --progress=rawjson -- /shop");
        assert_snapshot!(build(least, Builder::Classic), @"docker image build --force-rm -- /shop");
        let most = json!({
            "context": "/shop", "tags": ["shop/app:1", "shop/app"], "dockerfile": "docker/Dockerfile",
            "build_args": {"TOKEN": "hunter2"}, "target": "test",
            "platform": "linux/arm64", "no_cache": true, "pull": true, "labels": {"a": "b c"},
        });
        let build_of_all = build(most, Builder::Plain);
        assert_snapshot!(build_of_all, @"docker buildx build --load --progress=plain --tag=shop/app:1 --tag=shop/app:latest --file=/shop/docker/Dockerfile --target=test --platform=linux/arm64 --no-cache --pull --build-arg=TOKEN '--label=a=b c' -- /shop");
        assert!(!format!("{:?}", build_of_all.argv()).contains("hunter2"));
        assert_eq!(build_of_all.env()["TOKEN"].expose(), "hunter2");
        let inline = build(
            json!({"context": "/shop", "dockerfile_inline": "FROM scratch"}),
            Builder::RawJson,
        );
        assert_snapshot!(inline, @"docker buildx build --load --progress=rawjson --file=- -- /shop");
        assert_eq!(inline.stdin_bytes().unwrap().as_ref(), b"FROM scratch");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |more: Value| {
            let mut arguments = json!({"context": "/shop"});
            arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            tool(arguments).check().unwrap_err().message.clone()
        };
        assert_snapshot!(refused(json!({"dockerfile": "a", "dockerfile_inline": "b"})), @"give dockerfile or dockerfile_inline, not both");
        assert_snapshot!(refused(json!({"build_args": {"LD_PRELOAD": "/x.so"}})), @"LD_PRELOAD would steer docker itself: give the argument another name");
        assert_snapshot!(refused(json!({"tags": [format!("a@sha256:{}", "a".repeat(64))]})), @"a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa is not a name to give: use repository:tag");
        assert_snapshot!(refused(json!({"labels": {"docker-mcp-server.request": "x"}})), @"the label docker-mcp-server.request is this server's own");
    }

    #[test]
    fn the_version_of_buildx_decides_how_it_reports() {
        for (version, builder) in [
            ("0.13.1+ds1", Builder::RawJson),
            ("0.29.1", Builder::RawJson),
            ("1.0.0", Builder::RawJson),
            ("0.12.1", Builder::Plain),
            ("0.9.1-docker", Builder::Plain),
        ] {
            assert_eq!(Builder::of(version), builder, "{version}");
        }
        let without = |code| Builder::told_by(Err(Error::new(code, "x")));
        assert_eq!(without(Code::DockerMissing).unwrap(), Builder::Classic);
        assert_eq!(without(Code::Timeout).unwrap_err().code, Code::Timeout, "there may be one");
    }
}
