use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::text::human_memory;
use crate::command::version::{EndpointQuery, VersionQuery};
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::error::Error;
use crate::policy::{Policy, Root};
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DockerInfo {}

#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    healthy: bool,
    /// Why not, in the form of an error.
    problem: Option<String>,
    docker: String,
    context: Option<String>,
    endpoint: Option<String>,
    client_version: Option<String>,
    server_version: Option<String>,
    api_version: Option<String>,
    compose_version: Option<String>,
    buildx_version: Option<String>,
    os: Option<String>,
    arch: Option<String>,
    system: Option<String>,
    cpus: Option<u64>,
    memory: Option<String>,
    memory_bytes: Option<u64>,
    storage: Option<String>,
    rootless: Option<bool>,
    /// What works here beside docker itself; nothing while docker does not.
    capabilities: Vec<&'static str>,
    project_folder: String,
    policy: Allowed,
    warnings: Vec<String>,
}

/// What the operator allows.
#[derive(Debug, Default, Serialize)]
struct Allowed {
    level: &'static str,
    /// Folders that containers may mount and tools may read.
    folders: Vec<String>,
    /// Why the project folder is not among them.
    no_project_folder: Option<String>,
    exceptions: Vec<String>,
    protected: Vec<String>,
    only_ours: Option<bool>,
}

impl Allowed {
    fn by(policy: &Policy) -> Self {
        let folder = |root: &Root| {
            let suffix = if root.read_only { ":ro" } else { "" };
            format!("{}{suffix}", root.path.display())
        };
        Self {
            level: policy.level.name(),
            folders: policy.roots.iter().map(folder).collect(),
            no_project_folder: policy.no_project.clone(),
            exceptions: policy.allowed.iter().map(ToString::to_string).collect(),
            protected: policy.protect.iter().map(ToString::to_string).collect(),
            only_ours: policy.only_ours.then_some(true),
        }
    }
}

impl Tool for DockerInfo {
    const SPEC: Spec = Spec {
        name: "docker-info",
        title: "State of docker",
        description: "Whether docker is running and works (`docker info`, `docker version`): is the daemon \
                      reachable, versions, resources of the host, what the operator allows.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let (versions, info, endpoint) = tokio::join!(
            docker.run(&VersionQuery),
            docker.run(&InfoQuery),
            docker.run(&EndpointQuery)
        );
        let mut reply = Reply {
            docker: docker.program(),
            endpoint: endpoint.ok(),
            project_folder: context.workspace.folder.display().to_string(),
            policy: Allowed::by(docker.policy()),
            ..Reply::default()
        };
        match info {
            Ok(info) => reply.describe(info),
            Err(error) => reply.problem = Some(error.to_string()),
        }
        match versions {
            Ok(versions) => {
                reply.client_version = Some(versions.client.version);
                reply.context = versions.client.context;
                reply.healthy = versions.server.is_some();
                if let Some(server) = versions.server {
                    reply.server_version = Some(server.version);
                    reply.api_version = Some(server.api_version);
                    reply.os = Some(server.os);
                    reply.arch = Some(server.arch);
                }
                if let Some(problem) = versions.problem {
                    reply.problem = Some(problem.to_string());
                }
            }
            Err(error) => reply.problem = Some(error.to_string()),
        }
        if reply.healthy {
            reply.capabilities = reply.what_works();
        }
        Ok(Structured(reply))
    }
}

impl Reply {
    fn what_works(&self) -> Vec<&'static str> {
        let mut capabilities = vec![];
        capabilities.extend(self.compose_version.is_some().then_some("compose"));
        capabilities.push(match self.buildx_version {
            Some(_) => "buildx",
            None => "classic builder only",
        });
        capabilities
    }

    fn describe(&mut self, info: Info) {
        self.compose_version = info.plugin("compose");
        self.buildx_version = info.plugin("buildx");
        if self.compose_version.is_none() {
            self.warnings
                .push("the compose plugin is missing: the compose tools cannot work".to_owned());
        }
        self.system = info.operating_system.filter(|system| !system.is_empty());
        self.cpus = info.ncpu.filter(|cpus| *cpus > 0);
        self.memory_bytes = info.mem_total.filter(|bytes| *bytes > 0);
        self.memory = self.memory_bytes.map(human_memory);
        self.storage = info.driver.filter(|driver| !driver.is_empty());
        let rootless =
            info.security_options.iter().flatten().any(|option| option.contains("rootless"));
        self.rootless = rootless.then_some(true);
        self.warnings.extend(info.warnings.into_iter().flatten());
    }
}

/// `docker info`: starts every plugin once (50–85 ms), and knows them without a daemon.
struct InfoQuery;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    #[serde(rename = "NCPU")]
    ncpu: Option<u64>,
    mem_total: Option<u64>,
    driver: Option<String>,
    operating_system: Option<String>,
    security_options: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    #[serde(rename = "ClientInfo")]
    client: Option<Client>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Client {
    plugins: Option<Vec<Plugin>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Plugin {
    name: String,
    version: String,
    /// Why it cannot be used.
    err: Option<serde_json::Value>,
}

impl Info {
    fn plugin(&self, name: &str) -> Option<String> {
        let mut plugins = self.client.iter().filter_map(|client| client.plugins.as_ref()).flatten();
        let plugin = plugins.find(|plugin| plugin.name == name && plugin.err.is_none())?;
        Some(plugin.version.trim_start_matches('v').to_owned())
    }
}

impl Command for InfoQuery {
    type Reply = Info;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["info"]).option("--format", "{{json .}}")
    }

    // Without a daemon it exits 1 from 28 on, and 0 before; the client's half is there in both.
    fn accepts(&self, output: &Output) -> bool {
        output.stdout.trim_start().starts_with('{')
    }

    fn parse(&self, output: &Output) -> Result<Info, Error> {
        json::document(&output.stdout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_follows_from_the_plugins() {
        let works = |plugins: &str| {
            let info =
                format!(r#"{{"MemTotal":4000000000,"ClientInfo":{{"Plugins":[{plugins}]}}}}"#);
            let output = Output { stdout: info, ..Output::default() };
            let mut reply = Reply::default();
            reply.describe(InfoQuery.parse(&output).unwrap());
            assert_eq!(
                (reply.memory.as_deref(), reply.memory_bytes),
                (Some("3.7 GiB"), Some(4_000_000_000))
            );
            reply.what_works()
        };
        let compose = r#"{"Name":"compose","Version":"v2.26.1"}"#;
        assert_eq!(works(compose), ["compose", "classic builder only"]);
        let buildx = r#"{"Name":"buildx","Version":"v0.13.1"}"#;
        assert_eq!(works(&format!("{compose},{buildx}")), ["compose", "buildx"]);
        let broken = r#"{"Name":"buildx","Version":"v0.13.1","Err":"exec format error"}"#;
        assert_eq!(works(broken), ["classic builder only"]);
    }
}
