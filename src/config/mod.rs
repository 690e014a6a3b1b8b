//! What the operator decided: flags, then the settings file, then the environment, then defaults.
//! The only reader of the environment.

mod file;
mod policy;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::docker;
use crate::hook;
use crate::policy::Policy;
use crate::retry::Retry;
use crate::tools::{Toolset, confirm};

/// The MCP server through which AI agents work with Docker.
///
/// Without a command it serves the Model Context Protocol on standard input and output.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, args_override_self = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Subcommands>,
    #[command(flatten)]
    pub settings: Settings,
}

impl Cli {
    /// Reads the command line, with the flags of the settings file before its own; ends the
    /// program when they cannot be read, or when somebody asked for help.
    ///
    /// # Errors
    /// When the settings file cannot be read.
    pub fn read() -> Result<Self> {
        let mut words: Vec<OsString> = std::env::args_os().collect();
        if let Some(file) = file::path() {
            words.splice(1..1, file::words(&file)?);
        }
        Ok(Self::parse_from(words))
    }
}

#[derive(Debug, Subcommand)]
pub enum Subcommands {
    /// Run one tool and print its answer; exit status 1 when the tool failed.
    Call {
        /// The tool's name, as `tools` prints it.
        tool: String,
        /// Its arguments, a JSON object; `-` reads them from standard input.
        #[arg(default_value = "{}")]
        arguments: String,
    },
    /// Print the tool definitions as JSON.
    Tools {
        /// Print a Markdown table for people.
        #[arg(long)]
        table: bool,
    },
    /// Check the docker CLI, daemon, compose, buildx and permissions, and say what to do.
    Doctor,
    /// Judge a line of a shell before an agent runs it: a hook of Claude Code (`PreToolUse`), which
    /// asks by a JSON object on standard input.
    Hook,
    /// End docker processes when the server is gone (the server starts this itself).
    #[command(hide = true, name = docker::REAPER_ARGUMENT)]
    Reap {
        /// What ends processes of another user.
        #[arg(last = true)]
        kill: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Error,
    #[value(alias = "warning")]
    Warn,
    Info,
    Debug,
    Trace,
}

/// Every setting. The table of the README is made from these words.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// The docker command, split like a shell would: `sudo -n docker`, `ssh build docker`.
    #[arg(long, env = "DOCKER_MCP_DOCKER", default_value = "docker", global = true)]
    pub docker: String,
    /// The project folder: where relative paths begin, and what containers may mount. Default: the
    /// folder the server is started in.
    #[arg(long, env = "CLAUDE_PROJECT_DIR", global = true)]
    pub project_dir: Option<PathBuf>,
    /// The toolsets to offer, separated by commas; `core` is the 22 tools with which most is done.
    /// Default: all.
    #[arg(long, env = "DOCKER_MCP_TOOLSETS", value_delimiter = ',', global = true)]
    pub toolsets: Vec<Toolset>,
    #[command(flatten)]
    pub policy: policy::PolicySettings,
    /// When a call that removes something has to be confirmed.
    #[arg(long, env = "DOCKER_MCP_CONFIRM", default_value = "data-loss", global = true)]
    pub confirm: confirm::When,
    /// What the hook says when it cannot judge a line, because docker does not answer for instance.
    #[arg(long, env = "DOCKER_MCP_HOOK_ON_ERROR", default_value = "ask", global = true)]
    pub hook_on_error: hook::OnError,
    /// Append one JSON line per call to this file: tool, outcome, rule, commands, objects.
    #[arg(long, env = "DOCKER_MCP_AUDIT_FILE", value_name = "FILE", global = true)]
    pub audit_file: Option<PathBuf>,
    /// Serve metrics for a Prometheus server of this machine there: `127.0.0.1:9464`.
    #[arg(long, env = "DOCKER_MCP_METRICS_LISTEN", value_name = "ADDRESS", global = true)]
    pub metrics_listen: Option<SocketAddr>,
    /// Do not hide secrets in answers and logs.
    #[arg(long, env = "DOCKER_MCP_NO_REDACT", value_parser = clap::builder::FalseyValueParser::new(), global = true)]
    pub no_redact: bool,
    /// Ask docker each time, also where its events prove that nothing has changed.
    #[arg(long, env = "DOCKER_MCP_NO_CACHE", value_parser = clap::builder::FalseyValueParser::new(), global = true)]
    pub no_cache: bool,
    /// A further environment variable that docker gets, and compose files can name; may be repeated
    #[arg(
        long,
        env = "DOCKER_MCP_PASS_ENV",
        value_delimiter = ',',
        value_name = "NAME",
        global = true
    )]
    pub pass_env: Vec<String>,
    /// Seconds until a command that only reads is stopped.
    #[arg(long, env = "DOCKER_MCP_READ_TIMEOUT", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS", global = true)]
    pub read_timeout: u64,
    /// Seconds until a command that changes something is stopped, unless the tool has a limit of its own.
    #[arg(long, env = "DOCKER_MCP_CHANGE_TIMEOUT", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS", global = true)]
    pub change_timeout: u64,
    /// How often a failed command is tried at most: what only reads, and what was never sent to a
    /// daemon that was there a moment ago.
    #[arg(long, env = "DOCKER_MCP_RETRY_ATTEMPTS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10), value_name = "N", global = true)]
    pub retry_attempts: u32,
    /// Milliseconds before the second attempt; twice as long before the third.
    #[arg(long, env = "DOCKER_MCP_RETRY_DELAY_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(0..=60_000), value_name = "MS", global = true)]
    pub retry_delay_ms: u64,
    /// How many docker processes run at once; as many again may take long.
    #[arg(long, env = "DOCKER_MCP_SLOTS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64), value_name = "N", global = true)]
    pub slots: u16,
    /// How much is logged to standard error.
    #[arg(long, env = "LOG_LEVEL", default_value = "warn", ignore_case = true, global = true)]
    pub log_level: LogLevel,
    /// Log as text, or as one JSON object per line.
    #[arg(long, env = "LOG_FORMAT", default_value = "text", ignore_case = true, global = true)]
    pub log_format: LogFormat,
    /// Also append the log to this file.
    #[arg(long, env = "LOG_FILE", global = true)]
    pub log_file: Option<PathBuf>,
    /// Log everything, as `--log-level debug` does.
    #[arg(long, env = "MCP_DEBUG", value_parser = clap::builder::FalseyValueParser::new(), global = true)]
    pub debug: bool,
}

impl Settings {
    /// How docker is started.
    ///
    /// # Errors
    /// When the docker command cannot be split into words, or has none.
    pub fn docker(&self) -> Result<docker::Settings> {
        let words = shell_words::split(&self.docker)
            .with_context(|| format!("--docker {:?} cannot be split into words", self.docker))?;
        if words.is_empty() {
            bail!("--docker is empty: name a program, for instance docker");
        }
        Ok(docker::Settings {
            docker: words,
            path: search_path(),
            environment: environment(&self.pass_env),
            slots: usize::from(self.slots),
            cache: !self.no_cache,
            read_timeout: Duration::from_secs(self.read_timeout),
            change_timeout: Duration::from_secs(self.change_timeout),
            processors_suffice: docker::nobody_waits_for_a_processor,
            reaper: std::env::current_exe().ok(),
        })
    }

    pub fn retry(&self) -> Retry {
        Retry { attempts: self.retry_attempts, delay: Duration::from_millis(self.retry_delay_ms) }
    }

    /// What an agent may do in the project folder.
    ///
    /// # Errors
    /// As [`Self::project_folder`]; for an `--allow-path` that leads nowhere.
    pub fn policy(&self) -> Result<Policy> {
        self.policy.policy(&self.project_folder()?, file::path().as_deref())
    }

    /// Where the server keeps what it has to know later: the user's folder for state.
    pub fn state_folder(&self) -> Option<PathBuf> {
        let home = || variable("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        let folder = variable("XDG_STATE_HOME").map(PathBuf::from).or_else(home)?;
        Some(folder.join("docker-mcp-server"))
    }

    /// The project folder, absolute.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn project_folder(&self) -> Result<PathBuf> {
        let folder = match &self.project_dir {
            Some(folder) => folder.clone(),
            None => std::env::current_dir().context("the working folder is gone")?,
        };
        let canonical = folder.canonicalize();
        canonical.with_context(|| format!("the project folder {} cannot be used", folder.display()))
    }
}

/// Variables that a docker client needs to find its daemon, its configuration and its way through
/// proxies. Everything else stays with us: a credential in our environment must not reach a
/// container because a compose file names it.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "SSH_AUTH_SOCK",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
    "DOCKER_DEFAULT_PLATFORM",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Variables that are the same for every docker process, each with its reason.
const FORCED: &[(&str, &str)] = &[
    // No advertising in output.
    ("DOCKER_CLI_HINTS", "false"),
    // No escape codes.
    ("NO_COLOR", "1"),
    ("BUILDKIT_PROGRESS", "plain"),
    // No interactive menu under `up`.
    ("COMPOSE_MENU", "false"),
    // 2.40 fetches git and OCI includes before anything can be checked (CVE-2025-62725).
    ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "false"),
    ("COMPOSE_EXPERIMENTAL_OCI_REMOTE", "false"),
    // Buildx asks git about the context, and git runs what the `.git/config` of the context names:
    // whoever can write the project folder could run programs on the host.
    ("BUILDX_GIT_INFO", "false"),
    ("BUILDX_GIT_CHECK_DIRTY", "false"),
];

/// Where Docker Desktop, Homebrew and colima put the client; hosts like Claude Desktop start
/// servers with a PATH that has none of them.
const USUAL_FOLDERS: &[&str] =
    &["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin", "/snap/bin"];

fn environment(further: &[String]) -> Vec<(OsString, OsString)> {
    let names = PASSED.iter().copied().chain(further.iter().map(String::as_str));
    let mut environment: Vec<_> = names
        .filter(|name| *name != "PATH")
        .filter_map(|name| Some((OsString::from(name), variable(name)?)))
        // Builds would fail for a folder that is gone; without the variable they use /tmp.
        .filter(|(name, value)| name != "TMPDIR" || Path::new(value).is_dir())
        .collect();
    environment.push(("PATH".into(), search_path()));
    environment.extend(FORCED.iter().map(|(name, value)| (name.into(), value.into())));
    environment
}

fn search_path() -> OsString {
    let own = variable("PATH").unwrap_or_default();
    let home = variable("HOME").map(|home| PathBuf::from(home).join(".docker/bin"));
    let folders: Vec<PathBuf> = std::env::split_paths(&own)
        // A relative folder would run whatever lies in the project.
        .filter(|folder| folder.is_absolute())
        .chain(USUAL_FOLDERS.iter().map(PathBuf::from))
        .chain(home)
        .collect();
    std::env::join_paths(folders).unwrap_or(own)
}

/// Values of our own environment that must never leave: those of variables named like a secret, and
/// those that the operator passes on, which a compose file of the project could name.
pub fn secrets_of_the_environment(passed_on: &[String]) -> Vec<String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| crate::redact::is_secret_key(name) || passed_on.contains(name))
        .map(|(_, value)| value)
        .collect()
}

/// The user's home folder.
pub fn home() -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from)
}

/// Variables of our own environment by which compose chooses a project: a shell that is started
/// beside us has them too.
pub fn compose_variables() -> BTreeMap<String, String> {
    let names = ["COMPOSE_PROJECT_NAME", "COMPOSE_FILE"];
    let value = |name: &str| Some((name.to_owned(), variable(name)?.into_string().ok()?));
    names.into_iter().filter_map(value).collect()
}

#[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
