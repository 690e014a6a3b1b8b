//! What went wrong, in the one form that clients see.
//!
//! A [`Code`] is data: its number, its name, whether the same call may be tried again, and the
//! sentence for the reference table. The README table is made from it.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// The catalogue of failures. Numbers are part of the API and are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    DaemonNotAccessible,
    ContainerNotFound,
    ImageNotFound,
    InvalidConfiguration,
    PermissionDenied,
    PortInUse,
    NameConflict,
    ResourceNotFound,
    ResourceInUse,
    WrongState,
    RegistryUnreachable,
    Timeout,
    Cancelled,
    RefusedByPolicy,
    DockerMissing,
    UnexpectedOutput,
    NoSpace,
    DockerFailed,
    Internal,
    UnsupportedVersion,
    BuildFailed,
    Unhealthy,
    CommandFailed,
    ResourcesExhausted,
    RegistryDenied,
    RateLimited,
    ConfirmationInvalid,
    Declined,
    Busy,
    ClientKilled,
}

/// How much a repetition of the same call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The answer will be the same, or something may have happened already.
    Never,
    /// A passing fault: harmless to repeat for a call that only reads (or pulls).
    Reads,
    /// The request never reached the daemon, so any call may be repeated.
    NothingWasSent,
}

impl Code {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 30] = [
        Self::DaemonNotAccessible,
        Self::ContainerNotFound,
        Self::ImageNotFound,
        Self::InvalidConfiguration,
        Self::PermissionDenied,
        Self::PortInUse,
        Self::NameConflict,
        Self::ResourceNotFound,
        Self::ResourceInUse,
        Self::WrongState,
        Self::RegistryUnreachable,
        Self::Timeout,
        Self::Cancelled,
        Self::RefusedByPolicy,
        Self::DockerMissing,
        Self::UnexpectedOutput,
        Self::NoSpace,
        Self::DockerFailed,
        Self::Internal,
        Self::UnsupportedVersion,
        Self::BuildFailed,
        Self::Unhealthy,
        Self::CommandFailed,
        Self::ResourcesExhausted,
        Self::RegistryDenied,
        Self::RateLimited,
        Self::ConfirmationInvalid,
        Self::Declined,
        Self::Busy,
        Self::ClientKilled,
    ];

    /// `DKR-006`.
    pub const fn id(self) -> &'static str {
        self.row().0
    }

    /// `port_in_use`.
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// One sentence for the reference table: when a caller sees this code.
    pub const fn meaning(self) -> &'static str {
        self.row().2
    }

    /// What a caller can do, where one sentence fits all cases.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::DaemonNotAccessible => Some(
                "start Docker (Docker Desktop, colima, or `systemctl start docker`), or check DOCKER_HOST and the docker context; docker-info tells more",
            ),
            Self::PermissionDenied => Some(
                "this user may not use the docker socket: the person can join the `docker` group (which is as good as root), use rootless docker, or start this server with --docker \"sudo -n docker\"",
            ),
            Self::DockerMissing => Some(
                "install the docker CLI and its compose plugin, or name it with --docker; docker-info tells what was found",
            ),
            Self::NoSpace => Some(
                "free disk space: disk-usage tells what takes it and what could go; nothing is removed unasked",
            ),
            Self::RegistryDenied => Some(
                "check the name; if the repository is private the person must run `docker login` in a terminal (credentials never pass through this server)",
            ),
            Self::RateLimited => Some(
                "the registry limits pulls: wait, or the person runs `docker login` for a higher limit",
            ),
            Self::ConfirmationInvalid => {
                Some("call again without `confirm` to get a new plan, and show it to the person")
            }
            Self::Declined => Some("do not try it again unasked: ask the person what they want"),
            Self::Busy => Some(
                "other calls are still running: try again when they have ended, with fewer at once",
            ),
            Self::Internal => {
                Some("this is a bug of docker-mcp-server; the server is still running")
            }
            _ => None,
        }
    }

    /// Whether the same call may be tried again.
    pub const fn repeat(self) -> Repeat {
        match self {
            Self::DaemonNotAccessible => Repeat::NothingWasSent,
            Self::RegistryUnreachable => Repeat::Reads,
            _ => Repeat::Never,
        }
    }

    const fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::DaemonNotAccessible => (
                "DKR-001",
                "daemon_not_accessible",
                "The docker client could not reach the daemon (not running, wrong DOCKER_HOST or context, connection lost).",
            ),
            Self::ContainerNotFound => {
                ("DKR-002", "container_not_found", "No container has that name or ID.")
            }
            Self::ImageNotFound => (
                "DKR-003",
                "image_not_found",
                "No image has that name here, or the registry does not know it.",
            ),
            Self::InvalidConfiguration => (
                "DKR-004",
                "invalid_configuration",
                "An argument, a compose file or a combination of options is wrong; the message names it.",
            ),
            Self::PermissionDenied => (
                "DKR-005",
                "permission_denied",
                "The user that runs this server may not talk to the docker daemon.",
            ),
            Self::PortInUse => {
                ("DKR-006", "port_in_use", "The host port is held by something else.")
            }
            Self::NameConflict => {
                ("DKR-007", "name_conflict", "Something of that name exists already.")
            }
            Self::ResourceNotFound => (
                "DKR-008",
                "resource_not_found",
                "No volume, network, context, file or other object has that name.",
            ),
            Self::ResourceInUse => (
                "DKR-009",
                "resource_in_use",
                "The object is used by another one, which has to go first.",
            ),
            Self::WrongState => (
                "DKR-010",
                "wrong_state",
                "The object is in a state in which this cannot be done (not running, paused, being removed).",
            ),
            Self::RegistryUnreachable => (
                "DKR-011",
                "registry_unreachable",
                "The registry could not be reached or answered nonsense (DNS, TLS, 5xx).",
            ),
            Self::Timeout => (
                "DKR-012",
                "timeout",
                "The time limit ran out; the message says what may have happened by then.",
            ),
            Self::Cancelled => {
                ("DKR-013", "cancelled", "The client cancelled the call or the server is stopping.")
            }
            Self::RefusedByPolicy => (
                "DKR-014",
                "refused_by_policy",
                "The operator's policy does not allow it; the message names the rule and the operator's switch.",
            ),
            Self::DockerMissing => (
                "DKR-015",
                "docker_missing",
                "The docker CLI, or the compose or buildx plugin that the call needs, is missing or broken.",
            ),
            Self::UnexpectedOutput => (
                "DKR-016",
                "unexpected_output",
                "Docker printed something that could not be read, or more than the limit.",
            ),
            Self::NoSpace => ("DKR-017", "no_space", "A disk is full."),
            Self::DockerFailed => (
                "DKR-018",
                "docker_failed",
                "Docker failed with a text that has no code of its own; the text is shown.",
            ),
            Self::Internal => ("DKR-019", "internal", "A bug in this server."),
            Self::UnsupportedVersion => (
                "DKR-020",
                "unsupported_version",
                "This version of docker or compose cannot do it; the message names the option.",
            ),
            Self::BuildFailed => ("DKR-021", "build_failed", "A step of an image build failed."),
            Self::Unhealthy => (
                "DKR-022",
                "unhealthy",
                "A container did not become healthy, or a dependency failed.",
            ),
            Self::CommandFailed => (
                "DKR-023",
                "command_failed",
                "The command in the container could not be started, or ended badly.",
            ),
            Self::ResourcesExhausted => (
                "DKR-024",
                "resources_exhausted",
                "The host ran out of something other than disk (memory, address pools, open files).",
            ),
            Self::RegistryDenied => (
                "DKR-025",
                "registry_denied",
                "The registry refused access: no login, wrong login, or a private or absent repository.",
            ),
            Self::RateLimited => ("DKR-026", "rate_limited", "The registry limits requests."),
            Self::ConfirmationInvalid => (
                "DKR-027",
                "confirmation_invalid",
                "The `confirm` token is unknown, used, too old, for another call, or the world has changed since the plan.",
            ),
            Self::Declined => (
                "DKR-028",
                "declined",
                "The person was asked to agree to a loss of data, and did not.",
            ),
            Self::Busy => (
                "DKR-029",
                "busy",
                "Too many calls run at once, or too much of what runs takes long; this one was not begun.",
            ),
            Self::ClientKilled => (
                "DKR-030",
                "client_killed",
                "A signal that this server did not send ended the docker client; what it had begun may go on.",
            ),
        }
    }
}

/// One failure. `Display` is the text that a client gets. Behind a pointer, because nearly every
/// function passes one on, and the code that moves it would be repeated in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Report>);

/// What an [`Error`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub code: Code,
    /// One line of cause: docker's own words where docker spoke.
    pub message: String,
    /// What the failure is about, as `key=value` pairs in order.
    pub context: Vec<(&'static str, String)>,
    /// Further lines of cause, where one line cannot hold it (every violation of a policy).
    pub details: Vec<String>,
    /// What to do next; the code's own hint when absent.
    pub hint: Option<String>,
    /// The command line that failed, as it may be shown (secrets masked).
    pub command: Option<String>,
    /// The end of docker's standard error, when it says more than `message`.
    pub stderr: Option<String>,
    /// Whether the same call may be tried again; the code's own answer unless a text says less.
    pub repeat: Repeat,
    /// Of a refusal: whether a person who is asked at that moment may say yes.
    pub is_negotiable: bool,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Report {
            code,
            message: message.into(),
            context: vec![],
            details: vec![],
            hint: None,
            command: None,
            stderr: None,
            repeat: code.repeat(),
            is_negotiable: false,
        }))
    }

    /// DKR-004 for one parameter: names it, says what came and what would be right.
    pub fn invalid(parameter: &str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidConfiguration, message).with("parameter", parameter)
    }

    /// Whether a change may have been made although this came back: the answer was lost, or late.
    pub fn may_have_been_done(&self) -> bool {
        matches!(self.code, Code::DaemonNotAccessible | Code::Timeout | Code::ClientKilled)
    }

    /// Whether docker took the request and its answer never came.
    pub fn answer_was_lost(&self) -> bool {
        match self.code {
            Code::DaemonNotAccessible => self.repeat != Repeat::NothingWasSent,
            code => code == Code::ClientKilled,
        }
    }

    /// Adds one `key=value` to the context; an equal key is replaced.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.context.retain(|(k, _)| *k != key);
        self.context.push((key, value.into()));
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
}

impl Deref for Error {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Report {
        &mut self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error: {} {}: {}", self.code.id(), self.code.name(), self.message)?;
        for (i, (key, value)) in self.context.iter().enumerate() {
            write!(f, "{}{key}={value}", if i == 0 { " | Context: " } else { "; " })?;
        }
        for line in &self.details {
            write!(f, "\n  {line}")?;
        }
        if let Some(hint) = self.hint.as_deref().or(self.code.hint()) {
            write!(f, "\nhint: {hint}")?;
        }
        if let Some(command) = &self.command {
            write!(f, "\ncommand: {command}")?;
        }
        if let Some(stderr) = &self.stderr {
            write!(f, "\nstderr:")?;
            // A program in a container wrote it: no line of its may pass for one of the above.
            for line in stderr.lines() {
                write!(f, "\n  {line}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_in_order_and_without_gaps() {
        for (i, code) in Code::ALL.iter().enumerate() {
            assert_eq!(code.id(), format!("DKR-{:03}", i + 1));
        }
    }

    #[test]
    fn an_error_reads_cause_first_then_context_hint_and_command() {
        let error = Error::new(
            Code::PortInUse,
            "Bind for 127.0.0.1:18999 failed: port is already allocated",
        )
        .with("container", "web")
        .with("port", "18999")
        .hint("choose another host port")
        .command("docker container start -- web");
        insta::assert_snapshot!(error, @r"
        Error: DKR-006 port_in_use: Bind for 127.0.0.1:18999 failed: port is already allocated | Context: container=web; port=18999
        hint: choose another host port
        command: docker container start -- web
        ");
    }
}
