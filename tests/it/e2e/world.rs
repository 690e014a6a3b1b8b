//! A private corner of a real engine, which is empty again afterwards.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::session::Session;
use super::{OBEDIENT, free_port};
use crate::processes::program;

/// What the server and the plain client need to find the engine.
const PASSED: &[&str] =
    &["PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", DOCKER];
/// The docker command of the servers, when it is not plain docker: `tests/remote` sets it.
const DOCKER: &str = "DOCKER_MCP_DOCKER";
/// What the plain client is then, as this user.
const CLIENT: &str = "DOCKER_MCP_TEST_CLIENT";

/// What is between a server and the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    Sudo,
    Ssh,
    Context,
}

impl Way {
    /// As `tests/remote` has set it up.
    pub(super) fn of_this_run() -> Self {
        let way = variable("DOCKER_MCP_TEST_PREFIX").unwrap_or_default();
        match way.to_str().unwrap() {
            "" => Self::Direct,
            "sudo" => Self::Sudo,
            "ssh" => Self::Ssh,
            "context" => Self::Context,
            other => panic!("there is no way {other}"),
        }
    }
}

pub(super) struct World {
    /// What the names of all its objects begin with.
    pub(super) prefix: String,
    folder: TempDir,
    /// Images are known by this label too; those without a name could not be found otherwise.
    pub(super) label: String,
}

impl World {
    /// Nothing when there is no engine to test on, which it says.
    ///
    /// # Panics
    /// Under `CI=true` it is a failure that there is none.
    pub(super) fn enter(test: &str) -> Option<Self> {
        if variable("DOCKER_E2E").is_none() {
            assert!(
                variable("CI").is_none_or(|ci| ci != "true"),
                "in CI the tests of real engines have to run: set DOCKER_E2E=1 (tests/run does)"
            );
            say("skipped: DOCKER_E2E is not set; tests/run provides an engine and sets it");
            return None;
        }
        let prefix = format!("e2e-{test}-{}", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap();
        let label = format!("e2e={prefix}");
        let world = Self { prefix, folder, label };
        std::fs::create_dir(world.workspace()).unwrap();
        Some(world)
    }

    /// As [`Self::enter`], for what makes no sense when something stands between us and the engine.
    pub(super) fn enter_without(test: &str, ways: &[Way], reason: &str) -> Option<Self> {
        let way = Way::of_this_run();
        if ways.contains(&way) {
            say(&format!("skipped through {way:?}: {reason}"));
            return None;
        }
        Self::enter(test)
    }

    /// The name of one of its objects.
    pub(super) fn name(&self, of: &str) -> String {
        format!("{}-{of}", self.prefix)
    }

    /// The project folder of its servers.
    pub(super) fn workspace(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("workspace")
    }

    /// A place beside the project folder.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the project folder.
    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.workspace().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    // --- our server ------------------------------------------------------------------------------

    pub(super) fn server(&self) -> tokio::process::Command {
        let mut command = program(env!("CARGO_BIN_EXE_docker-mcp-server"));
        command.envs(PASSED.iter().filter_map(|name| Some((*name, variable(name)?))));
        // Not the settings file of whoever runs the tests.
        command.env("XDG_CONFIG_HOME", self.folder.path());
        command.env("XDG_STATE_HOME", self.folder.path());
        command.current_dir(self.workspace()).stderr(std::process::Stdio::null());
        command
    }

    pub(super) async fn session(&self) -> Session {
        Session::open(self.server()).await
    }

    // --- the plain client ------------------------------------------------------------------------

    /// Runs the plain client; gives what it printed.
    pub(super) fn docker<const N: usize>(&self, arguments: [&str; N]) -> String {
        let output = self.try_docker(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[expect(clippy::unused_self, reason = "only who has entered has an engine")]
    pub(super) fn try_docker<const N: usize>(&self, arguments: [&str; N]) -> Output {
        docker(&arguments)
    }

    /// A container made by the plain client, with these options; it need not start.
    pub(super) fn make(&self, of: &str, options: &[&str], command: &[&str]) -> String {
        let name = self.name(of);
        let label = format!("--label={}", self.label);
        let image = image();
        let first = ["run", "--detach", "--name", &name, &label];
        let has_image = options.last().is_some_and(|last| !last.starts_with('-'));
        let image: &[&str] = if has_image { &[] } else { &[&image] };
        docker(&[&first[..], options, image, command].concat());
        name
    }

    /// The same for words that are put together.
    #[expect(clippy::unused_self, reason = "only who has entered has an engine")]
    pub(super) fn try_docker_with(&self, arguments: &[&str]) -> Output {
        docker(arguments)
    }

    /// One field of a container, as the plain client tells it.
    pub(super) fn look(&self, container: &str, template: &str) -> String {
        let format = format!("--format={template}");
        self.docker(["container", "inspect", &format, container])
    }

    pub(super) fn state(&self, container: &str) -> String {
        self.look(container, "{{.State.Status}}")
    }

    pub(super) fn exists(&self, kind: &str, name: &str) -> bool {
        self.try_docker([kind, "inspect", name]).status.success()
    }

    /// Docker's whole document about an object.
    pub(super) fn document(&self, kind: &str, name: &str) -> Value {
        let printed = self.docker([kind, "inspect", name]);
        let mut documents: Vec<Value> = serde_json::from_str(&printed).unwrap();
        documents.pop().unwrap()
    }

    /// A container made by the plain client, which runs this shell script.
    pub(super) fn run(&self, of: &str, script: &str) -> String {
        self.make(of, &[], &["sh", "-c", script])
    }

    /// Until the container has this file.
    pub(super) async fn wait_for_file(&self, container: &str, path: &str) {
        for _ in 0..200 {
            if self.try_docker(["exec", container, "test", "-e", path]).status.success() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{container} has no {path}");
    }

    /// A port of this machine, and the container that holds it.
    pub(super) fn taken_port(&self) -> (u16, String) {
        let port = free_port();
        let publish = format!("--publish=127.0.0.1:{port}:80");
        (port, self.make("holder", &[&publish], &["sh", "-c", OBEDIENT]))
    }

    /// Whether the ports that the engine publishes are this machine's. An engine in a network
    /// namespace of its own publishes them there, and reaches no server of ours on loopback.
    pub(super) async fn shares_our_network(&self) -> bool {
        let Some(socket) = socket() else { return false };
        let Ok(stream) = tokio::net::UnixStream::connect(socket).await else { return false };
        let engine = stream.peer_cred().ok().and_then(|peer| peer.pid());
        let network = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
        let ours = network("self");
        let shares = engine.and_then(|pid| network(&pid.to_string())) == ours && ours.is_some();
        if !shares {
            say("in part: the engine is in another network, its ports cannot be reached");
        }
        shares
    }

    // --- the end ---------------------------------------------------------------------------------

    /// Everything that it has made and is still there, as the words of `docker … rm`.
    pub(super) fn left(&self) -> Vec<[String; 3]> {
        let label = format!("--filter=label={}", self.label);
        let lists: [(&str, &[&str]); 4] = [
            ("container", &["container", "ls", "--all", "--format={{.Names}}"]),
            ("network", &["network", "ls", "--format={{.Name}}"]),
            ("volume", &["volume", "ls", "--format={{.Name}}"]),
            ("image", &["image", "ls", "--format={{.Repository}}:{{.Tag}}"]),
        ];
        let mut left = vec![];
        for (kind, list) in lists {
            let force = if kind == "network" { "--" } else { "--force" };
            let mut names: Vec<String> =
                printed(list).into_iter().filter(|name| self.is_ours(name)).collect();
            if kind == "image" {
                names.extend(printed(&["image", "ls", "--quiet", "--no-trunc", &label]));
            }
            left.extend(names.into_iter().map(|name| [kind.to_owned(), force.to_owned(), name]));
        }
        left
    }

    /// `prefix`, `prefix-web-1`, `prefix_data`, `127.0.0.1:5000/prefix:1`.
    fn is_ours(&self, name: &str) -> bool {
        let name = name.rsplit('/').next().unwrap_or(name);
        let rest = name.strip_prefix(&self.prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', ':', '.']))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What a killed server has begun may come only now.
        for _ in 0..3 {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            for [kind, force, name] in left {
                let mut arguments = vec![kind.as_str(), "rm", force.as_str()];
                if kind == "container" {
                    arguments.push("--volumes");
                }
                docker(&[&arguments[..], &[name.as_str()]].concat());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let left = self.left();
        // A panic on top of another would end all tests.
        assert!(left.is_empty() || std::thread::panicking(), "left behind: {left:?}");
    }
}

/// Shown for a test that passes with `--nocapture`, as cargo does it.
#[expect(clippy::print_stderr, reason = "nothing that is not tested is passed over in silence")]
pub(super) fn say(text: &str) {
    eprintln!("{text}");
}

/// A local image with busybox in it.
pub(super) fn image() -> String {
    let image = variable("DOCKER_MCP_TEST_IMAGE").expect("DOCKER_MCP_TEST_IMAGE names an image");
    image.into_string().unwrap()
}

/// The engine's socket, when it is a file.
pub(super) fn socket() -> Option<PathBuf> {
    let host = variable("DOCKER_HOST").map_or_else(
        || "unix:///var/run/docker.sock".to_owned(),
        |host| host.to_string_lossy().into_owned(),
    );
    host.strip_prefix("unix://").map(|path| Path::new(path).to_owned())
}

/// The version of the engine: `(26, 1)`.
pub(super) fn engine_version() -> (u32, u32) {
    let printed = printed(&["version", "--format={{.Server.Version}}"]);
    let mut numbers = printed[0].split('.').map(|number| number.parse().unwrap_or_default());
    (numbers.next().unwrap(), numbers.next().unwrap_or_default())
}

fn printed(arguments: &[&str]) -> Vec<String> {
    let output = docker(arguments);
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn docker(arguments: &[&str]) -> Output {
    let client = variable(CLIENT).map_or_else(|| "docker".into(), |it| it.into_string().unwrap());
    let mut words = client.split(' ');
    #[expect(clippy::disallowed_methods, reason = "the plain client, to compare with")]
    let mut client = std::process::Command::new(words.next().unwrap());
    client.args(words).args(arguments).output().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "what tests/run has set for these tests")]
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
