//! A stage: a folder with a stand-in for docker in it, and servers that use it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use docker_mcp_server::command::{Attempt, Effect, Invocation, Output};
use docker_mcp_server::docker::{self, Docker, Runner, Shared};
use docker_mcp_server::error::Error;
use docker_mcp_server::policy::{Level, Policy};
use docker_mcp_server::progress::Progress;
use docker_mcp_server::redact::Redactor;
use docker_mcp_server::retry::Retry;
use docker_mcp_server::server::call::Dispatcher;
use docker_mcp_server::server::render::Renderer;
use docker_mcp_server::tools::confirm::Confirmations;
use docker_mcp_server::tools::{Context, Entry, Toolset};
use docker_mcp_server::workspace::Workspace;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Where the shell scripts that stand in for docker find their programs.
const SYSTEM_PATH: &str = "/usr/bin:/bin";

pub(crate) struct Stage {
    folder: TempDir,
    /// What is different from [`Stage::settings`]' defaults.
    adjust: Vec<fn(&mut docker::Settings)>,
    environment: Vec<(OsString, OsString)>,
    level: Level,
}

impl Stage {
    /// Docker is this shell script, in which `$here` is the folder of the stage.
    pub(crate) fn script(text: &str) -> Self {
        let stage = Self::empty();
        stage.program("docker", text);
        stage
    }

    /// Docker replays the exchanges in that folder.
    pub(crate) fn replay(exchanges: &Path) -> Self {
        let stage = Self::empty();
        stage.link("docker", env!("CARGO_BIN_EXE_fake-docker"));
        stage.link("exchanges", exchanges);
        stage
    }

    /// Docker has the objects of that file, and is asked about them alone.
    pub(crate) fn world(objects: &Path) -> Self {
        let stage = Self::empty();
        stage.link("docker", env!("CARGO_BIN_EXE_fake-docker"));
        stage.link("world.json", objects);
        stage
    }

    /// Docker is the real one, and what it does is recorded in that folder.
    pub(crate) fn record(exchanges: &Path, docker: &Path) -> Self {
        let stage = Self::replay(exchanges);
        stage.link("record", docker);
        stage
    }

    /// There is no docker.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("docker-mcp-").tempdir().unwrap();
        let level = Level::Standard;
        let stage = Self { folder, adjust: vec![], environment: vec![], level };
        std::fs::create_dir(stage.path("state")).unwrap();
        std::fs::create_dir(stage.path("workspace")).unwrap();
        stage
    }

    /// Adds a further program.
    pub(crate) fn program(&self, name: &str, text: &str) {
        std::fs::write(self.path(&format!("{name}.sh")), format!("here=${{0%/*}}\n{text}\n"))
            .unwrap();
        self.link(name, env!("CARGO_BIN_EXE_fake-docker"));
    }

    pub(crate) fn adjusted(mut self, adjust: fn(&mut docker::Settings)) -> Self {
        self.adjust.push(adjust);
        self
    }

    /// At the level without rules every tool is offered.
    pub(crate) fn allowing_everything(self) -> Self {
        Self { level: Level::Unrestricted, ..self }
    }

    /// Nothing is offered that changes something.
    pub(crate) fn allowing_nothing(self) -> Self {
        Self { level: Level::ReadOnly, ..self }
    }

    /// Docker gets these variables too.
    pub(crate) fn with_environment(self, environment: Vec<(OsString, OsString)>) -> Self {
        Self { environment, ..self }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn link(&self, name: &str, to: impl AsRef<Path>) {
        std::os::unix::fs::symlink(to, self.path(name)).unwrap();
    }

    /// The text of a file that a script has written; empty while there is none.
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The folder of the project.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.path("workspace").canonicalize().unwrap()
    }

    pub(crate) fn search_path(&self) -> OsString {
        let folders = std::env::split_paths(SYSTEM_PATH);
        std::env::join_paths([self.folder.path().to_owned()].into_iter().chain(folders)).unwrap()
    }

    pub(crate) fn settings(&self) -> docker::Settings {
        let mut settings = docker::Settings {
            docker: vec!["docker".to_owned()],
            path: self.search_path(),
            environment: [&self.environment[..], &[("PATH".into(), self.search_path())]].concat(),
            slots: 8,
            cache: true,
            // Other tests have them.
            processors_suffice: || true,
            read_timeout: Duration::from_secs(15),
            change_timeout: Duration::from_secs(60),
            reaper: None,
        };
        self.adjust.iter().for_each(|adjust| adjust(&mut settings));
        settings
    }

    /// For the folder of the project.
    fn policy(&self) -> Arc<Policy> {
        let policy = Policy { level: self.level, ..Policy::default() };
        Arc::new(policy.with_project(&self.workspace()))
    }

    pub(crate) fn docker(&self) -> Docker {
        let redactor = Arc::new(Redactor::new(true));
        let retry = Retry { attempts: 3, delay: Duration::ZERO };
        let shared = Shared::new(Runner::new(self.settings()), retry, redactor, self.policy());
        Docker::new(Arc::new(shared))
    }

    pub(crate) fn context(&self) -> Context {
        Context {
            docker: self.docker(),
            workspace: Arc::new(Workspace::new(self.workspace(), self.policy())),
            confirmations: Arc::new(Confirmations::default()),
        }
    }

    pub(crate) fn dispatcher(&self) -> Dispatcher {
        Dispatcher::new(self.context(), renderer(), &[])
    }

    /// A server of these toolsets.
    pub(crate) fn dispatcher_of_sets(&self, toolsets: &[Toolset]) -> Dispatcher {
        Dispatcher::new(self.context(), renderer(), toolsets)
    }

    /// A server of exactly these tools.
    pub(crate) fn dispatcher_of(&self, entries: impl IntoIterator<Item = Entry>) -> Dispatcher {
        Dispatcher::of(self.context(), renderer(), entries)
    }

    /// Runs one invocation.
    pub(crate) async fn run(&self, invocation: Invocation) -> Result<Output, Error> {
        self.docker().run(&Attempt(invocation)).await
    }

    /// The same, to be cancelled from outside.
    pub(crate) async fn run_until(
        &self,
        invocation: Invocation,
        cancel: CancellationToken,
    ) -> Result<Output, Error> {
        let docker = self.docker().limited(Effect::Destroy, cancel, Progress::default());
        docker.run(&Attempt(invocation)).await
    }
}

fn renderer() -> Renderer {
    Renderer::new(Arc::new(Redactor::new(true)))
}
