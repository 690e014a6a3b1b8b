//! What the docker client, the daemon and compose say about themselves.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::{Command, Effect, Invocation, Output, json};
use crate::error::{Code, Error};

/// `docker version`: cheap (one process, one request), unlike `docker info`, which starts every
/// plugin.
pub struct VersionQuery;

/// Client and daemon. The daemon's half is absent when it cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Versions {
    pub client: Client,
    pub server: Option<Server>,
    /// Why the daemon could not be reached.
    #[serde(skip)]
    pub problem: Option<Error>,
}

impl Versions {
    /// Whether the daemon has an event for every image that comes to be: before 28 a build without
    /// a name has none.
    pub fn tell_all_images(&self) -> bool {
        self.server.as_ref().and_then(|server| major(&server.version)).is_some_and(|it| it >= 28)
    }

    /// Whether `image ls` lists images without a name beside the others.
    pub fn list_all_images(&self) -> bool {
        major(&self.client.version).is_some_and(|it| it < 29)
    }
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Client {
    pub version: String,
    #[serde(default)]
    pub context: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Server {
    pub version: String,
    pub api_version: String,
    pub os: String,
    pub arch: String,
}

impl Command for VersionQuery {
    type Reply = Versions;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["version"]).option("--format", "{{json .}}")
    }

    // Without a daemon it exits 1, but the client's half is on stdout.
    fn accepts(&self, output: &Output) -> bool {
        output.stdout.trim_start().starts_with('{')
    }

    fn parse(&self, output: &Output) -> Result<Versions, Error> {
        let mut versions: Versions = json::document(&output.stdout)?;
        if versions.server.is_none() {
            versions.problem = Some(super::diagnose::diagnose(
                super::Program::Docker,
                "version",
                Some(output.exit_code),
                "",
                &output.stderr,
            ));
        }
        Ok(versions)
    }
}

/// `docker compose version`: of the one that deploys.
pub struct ComposeVersionQuery;

/// The same of the one that reads compose files, which is another one when something stands before
/// docker.
pub struct ComposeHereQuery;

impl Command for ComposeHereQuery {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        ComposeVersionQuery.invocation().only_here()
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        ComposeVersionQuery.parse(output)
    }
}

/// The name of the machine that the daemon is on.
pub struct MachineQuery;

impl Command for MachineQuery {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["system", "info"]).option("--format", "{{json .Name}}")
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        json::document(&output.stdout)
    }
}

/// Whether values of our environment reach docker, asked by one that means nothing.
pub struct PassedValuesQuery;

impl Command for PassedValuesQuery {
    type Reply = ();

    fn invocation(&self) -> Invocation {
        VersionQuery.invocation().client_env("BUILDX_GIT_INFO", "false")
    }

    fn parse(&self, _: &Output) -> Result<(), Error> {
        Ok(())
    }
}

#[derive(Deserialize)]
struct ComposeVersion {
    version: String,
}

impl Command for ComposeVersionQuery {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        Invocation::compose(Effect::Read, "version").option("--format", "json")
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        let ComposeVersion { version } = json::document(&output.stdout)?;
        Ok(version.trim_start_matches('v').to_owned())
    }
}

/// Where the compose plugin of the client is, by `docker info`; nothing when there is none that
/// works. No daemon is asked from 23 on.
pub struct ComposePluginQuery;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plugin {
    name: String,
    path: PathBuf,
    /// Why it does not work.
    #[serde(default)]
    err: Option<Value>,
}

impl Command for ComposePluginQuery {
    type Reply = Option<PathBuf>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["info"])
            .option("--format", "{{json .ClientInfo.Plugins}}")
            .only_here()
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let plugins: Option<Vec<Plugin>> = json::document(&output.stdout)?;
        let works = |plugin: &Plugin| plugin.err.is_none() && plugin.path.is_absolute();
        let compose = plugins.into_iter().flatten().find(|it| it.name == "compose" && works(it));
        Ok(compose.map(|plugin| plugin.path))
    }
}

/// `docker buildx version`.
pub struct BuildxVersionQuery;

impl Command for BuildxVersionQuery {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["buildx", "version"])
    }

    /// `github.com/docker/buildx v0.13.1 788433953af1…`
    fn parse(&self, output: &Output) -> Result<String, Error> {
        let version = output.stdout.split_whitespace().nth(1).unwrap_or(output.stdout.trim());
        Ok(version.trim_start_matches('v').to_owned())
    }
}

/// `docker context inspect`: where the daemon is looked for.
pub struct EndpointQuery;

impl Command for EndpointQuery {
    type Reply = String;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["context", "inspect"])
            .option("--format", "{{json .Endpoints.docker.Host}}")
    }

    fn parse(&self, output: &Output) -> Result<String, Error> {
        let endpoint: Option<String> = json::document(&output.stdout)?;
        endpoint
            .ok_or_else(|| Error::new(Code::UnexpectedOutput, "the docker context has no endpoint"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_known_when_the_daemon_is_down() {
        let output = Output {
            exit_code: 1,
            stdout: r#"{"Client":{"Version":"28.5.2","Context":"default"},"Server":null}"#.into(),
            stderr: "Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?".into(),
            ..Output::default()
        };
        assert!(VersionQuery.accepts(&output));
        let versions = VersionQuery.parse(&output).unwrap();
        assert_eq!(versions.client.version, "28.5.2");
        assert_eq!(versions.problem.unwrap().code, crate::error::Code::DaemonNotAccessible);
    }

    #[test]
    fn compose_versions_lose_their_v() {
        let output =
            Output { stdout: r#"{"version":"v2.40.3-desktop.1"}"#.into(), ..Output::default() };
        assert_eq!(ComposeVersionQuery.parse(&output).unwrap(), "2.40.3-desktop.1");
    }
}
