//! All that was seen, as plain values: what the rules judge.

use jiff::{SignedDuration, Timestamp};

use crate::command::containers::{Container, Endpoint, Row};
use crate::command::images;
use crate::command::labels;
use crate::command::text::{cut_line, human_memory};
use crate::tools::compose::outlook::{Outlook, depends_on, service};
use crate::tools::joined::Lost;
use crate::tools::ports::Listening;

/// Networks on which docker resolves no names of containers.
pub(super) const NAMELESS: [&str; 3] = ["bridge", "host", "none"];
/// Longer lines of a log are cut.
const LINE_BYTES: usize = 240;

#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) now: Timestamp,
    /// The containers that are judged: the one that was asked for, and those around it.
    pub(super) subjects: Vec<Subject>,
    /// Every container there is.
    pub(super) rows: Vec<Row>,
    pub(super) images: Vec<images::Row>,
    /// Of the project's files.
    pub(super) outlook: Option<Outlook>,
    /// Who listens on a port of this machine that no container holds.
    pub(super) programs: Vec<(u16, Vec<String>)>,
    /// A free port for one that a start has failed for.
    pub(super) free_ports: Vec<(u16, Option<u16>)>,
    /// What networks there are and which addresses they have, when the project asks for some.
    pub(super) subnets: Vec<(String, String)>,
    /// The processor of docker's machine: `amd64`.
    pub(super) architecture: Option<String>,
}

/// One container with all that is known of it.
#[derive(Debug, Default)]
pub(super) struct Subject {
    pub(super) container: Container,
    /// Its last lines since its last start, or of its last runs when it keeps restarting; nothing
    /// when they were not read.
    pub(super) log: Vec<Line>,
    /// What docker was told to do to it just before it ended: `stop`.
    pub(super) told: Option<String>,
    /// The exit code before its last restart, of one that runs again.
    pub(super) last_exit: Option<i32>,
    /// The kernel killed one of its processes for want of memory, in a run before this one too.
    pub(super) out_of_memory: bool,
    /// Folders and files of the host that it mounts and that are not there.
    pub(super) missing_sources: Vec<String>,
    /// Empty folders of the host that it mounts under the name of a file, with where it does.
    pub(super) empty_folders: Vec<(String, String)>,
    /// The processor its image was made for.
    pub(super) architecture: Option<String>,
    /// What to say of files that it mounts and that were written since its start.
    pub(super) changed_files: Vec<String>,
    /// What to say of volumes that hide what its image has.
    pub(super) covering_volumes: Vec<String>,
    /// What listens in it, where that can be seen from here.
    pub(super) listening: Option<Vec<Listening>>,
    /// It uses the network of another container, and has lost it.
    pub(super) lost_network: Option<Lost>,
}

/// A line of a log, and the form in which it is searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) lower: String,
}

impl Line {
    pub(super) fn new(text: &str) -> Self {
        let text = cut_line(text.trim_end(), LINE_BYTES).into_owned();
        Self { lower: text.to_lowercase(), text }
    }

    /// The lines that say something.
    pub(super) fn all(text: &str) -> Vec<Self> {
        text.lines().filter(|line| !line.trim().is_empty()).map(Self::new).collect()
    }

    pub(super) fn has(&self, needles: &[&str]) -> bool {
        needles.iter().any(|needle| self.lower.contains(needle))
    }
}

impl Facts {
    /// The container that a name means for `of`: a service of its project, a container, an alias;
    /// and for one of no project, any service.
    pub(super) fn peer(&self, of: &Subject, name: &str) -> Option<&Row> {
        let own = of.container.name();
        let others = || self.rows.iter().filter(|row| row.name != own);
        let is_service = |row: &&Row| row.service.as_deref() == Some(name);
        let in_project =
            others().find(|row| row.project.as_deref() == of.project() && is_service(row));
        let known = match of.project() {
            Some(_) => in_project,
            None => None,
        };
        let by_alias = || {
            let subject = self.subjects.iter().find(|subject| {
                let endpoints = subject.container.network_settings.networks.values();
                endpoints.into_iter().any(|it| it.aliases.iter().any(|alias| alias == name))
            })?;
            others().find(|row| row.name == subject.name())
        };
        let anywhere = || others().find(is_service).filter(|_| of.project().is_none());
        known.or_else(|| others().find(|row| row.name == name)).or_else(by_alias).or_else(anywhere)
    }

    /// Whether two containers have to do with each other.
    pub(super) fn are_near(of: &Subject, row: &Row) -> bool {
        let own = of.networks();
        let shared = |network: &String| {
            !NAMELESS.contains(&network.as_str()) && own.contains(&network.as_str())
        };
        row.project.is_some() && row.project.as_deref() == of.project()
            || row.networks.iter().any(shared)
    }

    /// The container that has this address now.
    pub(super) fn by_address(&self, address: &str) -> Option<&Subject> {
        let has = |endpoint: &Endpoint| {
            endpoint.ip_address == address || endpoint.global_ipv6_address == address
        };
        let networks =
            |subject: &Subject| subject.container.network_settings.networks.values().any(has);
        self.subjects.iter().find(|subject| !address.is_empty() && networks(subject))
    }
}

impl Subject {
    pub(super) fn name(&self) -> &str {
        self.container.name()
    }

    pub(super) fn project(&self) -> Option<&str> {
        self.container.label(labels::PROJECT)
    }

    pub(super) fn service(&self) -> Option<&str> {
        Some(service(&self.container)).filter(|service| !service.is_empty())
    }

    /// As a person would call it: the service, or the container.
    pub(super) fn called(&self) -> &str {
        self.service().unwrap_or(self.name())
    }

    pub(super) fn depends_on(&self) -> Vec<String> {
        depends_on(&self.container)
    }

    pub(super) fn status(&self) -> &str {
        self.container.state.status.as_str()
    }

    /// What docker said when it could not start it.
    pub(super) fn start_error(&self) -> Option<&str> {
        let error = self.container.state.error.as_str();
        (self.status() != "running" && !error.is_empty()).then_some(error)
    }

    /// With which it ended the last time, as far as that is known.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match self.status() {
            "running" => self.last_exit,
            // Docker says of one that restarts that it is running, too.
            _ => Some(self.container.state.exit_code),
        }
    }

    /// The names of its networks.
    pub(super) fn networks(&self) -> Vec<&str> {
        let networks = &self.container.network_settings.networks;
        networks.keys().map(String::as_str).collect()
    }

    pub(super) fn started(&self) -> Option<Timestamp> {
        self.container.started()
    }

    pub(super) fn finished(&self) -> Option<Timestamp> {
        self.container.finished()
    }

    /// How long it has run since its last start.
    pub(super) fn uptime(&self, now: Timestamp) -> Option<SignedDuration> {
        let started = self.started().filter(|_| self.container.state.running)?;
        Some(now.duration_since(started).max(SignedDuration::ZERO))
    }

    /// How long it ran the last time.
    pub(super) fn last_run(&self) -> Option<SignedDuration> {
        let run = self.finished()?.duration_since(self.started()?);
        (!run.is_negative()).then_some(run)
    }

    pub(super) fn memory_limit(&self) -> Option<String> {
        let limit = u64::try_from(self.container.host_config.memory).ok()?;
        (limit > 0).then(|| human_memory(limit))
    }

    /// The published TCP ports of a running one: the port in the container, and that of the host.
    pub(super) fn published(&self) -> Vec<(u16, u16)> {
        let ports = self.container.network_settings.ports.iter();
        let published = ports.filter_map(|(port, bindings)| {
            let inner = port.strip_suffix("/tcp")?.parse().ok()?;
            let host = bindings.iter().flatten().find_map(|it| it.host_port.parse().ok())?;
            Some((inner, host))
        });
        published.collect()
    }

    /// The published ports that nobody outside of it would find anybody at; nothing where that
    /// cannot be seen.
    pub(super) fn unheard(&self) -> Vec<(u16, u16)> {
        let Some(listening) = &self.listening else { return vec![] };
        let is_heard = |port: u16| listening.iter().any(|it| it.port == port && !it.is_local);
        self.published().into_iter().filter(|(inner, _)| !is_heard(*inner)).collect()
    }

    /// The ports that something in it listens on for others.
    pub(super) fn open_ports(&self) -> Vec<u16> {
        let open = self.listening.iter().flatten().filter(|it| !it.is_local);
        let mut ports: Vec<u16> = open.map(|it| it.port).collect();
        ports.dedup();
        ports
    }

    /// The command that its health check runs.
    pub(super) fn check(&self) -> String {
        let check = self.container.config.healthcheck.as_ref();
        let test = check.and_then(|check| check.get("Test")?.as_array());
        let words: Vec<&str> =
            test.into_iter().flatten().filter_map(|word| word.as_str()).collect();
        words.get(1..).unwrap_or_default().join(" ")
    }

    pub(super) fn runs_again_by_itself(&self) -> bool {
        matches!(
            self.container.host_config.restart_policy.name.as_str(),
            "always" | "unless-stopped"
        )
    }

    /// The program it runs, with its arguments.
    pub(super) fn command(&self) -> String {
        let words = [self.container.path.as_str()].into_iter();
        let words: Vec<&str> =
            words.chain(self.container.args.iter().map(String::as_str)).collect();
        cut_line(&words.join(" "), 80).into_owned()
    }
}

/// `3 s`, `12 min`, `5 h`, `3 days`.
pub(super) fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..1 => "less than a second".to_owned(),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
