//! What stands between a person and a working server, and what to do about it.

use std::fmt;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::command::Effect;
use crate::command::version::{
    BuildxVersionQuery, ComposeHereQuery, ComposeVersionQuery, MachineQuery, PassedValuesQuery,
    VersionQuery,
};
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::progress::Progress;

/// A call that takes longer is felt in every answer.
const SLOW: Duration = Duration::from_secs(1);

/// One line of the report.
struct Check {
    what: &'static str,
    result: Result<String, Error>,
    /// The server is of use without it.
    optional: bool,
}

pub struct Report(Vec<Check>);

/// Looks at the CLI, the daemon, compose and buildx, all at once; and at what stands before docker.
pub async fn examine(docker: &Docker, stop: CancellationToken) -> Report {
    let docker = docker.limited(Effect::Read, stop, Progress::default());
    let first = Instant::now();
    let versions = docker.run(&VersionQuery).await;
    let first = first.elapsed();
    let (compose, buildx, machine) = tokio::join!(
        docker.run(&ComposeVersionQuery),
        docker.run(&BuildxVersionQuery),
        docker.run(&MachineQuery),
    );
    let is_reached = versions.is_ok();
    let context = versions.as_ref().ok().and_then(|versions| versions.client.context.clone());
    let client = versions.as_ref().map_err(Clone::clone).map(|versions| {
        let context = context.map(|context| format!(", context {context}")).unwrap_or_default();
        format!("{} ({}{context})", versions.client.version, docker.program())
    });
    let daemon = versions.and_then(|versions| match (versions.server, versions.problem) {
        (Some(server), _) => Ok(format!(
            "{} (API {}, {}/{}){}",
            server.version,
            server.api_version,
            server.os,
            server.arch,
            machine.map(|name| format!(" on {name}")).unwrap_or_default(),
        )),
        (None, Some(problem)) => Err(problem),
        (None, None) => {
            Err(Error::new(Code::UnexpectedOutput, "docker said nothing about its daemon"))
        }
    });
    let mut checks = vec![
        Check { what: "docker CLI", result: client, optional: false },
        Check { what: "docker daemon", result: daemon, optional: false },
        Check { what: "compose plugin", result: compose.clone(), optional: true },
        Check { what: "buildx plugin", result: buildx, optional: true },
    ];
    if is_reached {
        let speed = speed(&docker, first).await;
        checks.push(Check { what: "one call", result: speed, optional: true });
    }
    if docker.leads_away() {
        checks.extend(of_the_prefix(&docker, compose.ok()).await);
    }
    Report(checks)
}

/// How long the simplest call takes, first and repeated.
async fn speed(docker: &Docker, first: Duration) -> Result<String, Error> {
    let again = Instant::now();
    docker.run(&VersionQuery).await?;
    let again = again.elapsed();
    let told = format!("{} ms (the first one {} ms)", again.as_millis(), first.as_millis());
    if again < SLOW {
        return Ok(told);
    }
    Err(Error::new(Code::Timeout, told).hint(
        "every answer takes several calls: run this server nearer to the engine, or look at what the machine is busy with",
    ))
}

/// What is different on the two sides of `sudo` or `ssh`.
async fn of_the_prefix(docker: &Docker, there: Option<String>) -> Vec<Check> {
    let (here, user, kills, values) = tokio::join!(
        docker.run(&ComposeHereQuery),
        docker.beside(&["id", "-un"]),
        docker.beside(&["kill", "-l"]),
        docker.run(&PassedValuesQuery),
    );
    let here = here.map_err(|error| {
        error.hint("compose files are read on this machine: install the docker CLI and its compose plugin here; no daemon is needed")
    });
    let here = here.and_then(|here| match there {
        Some(there) if minor(&here) > minor(&there) => {
            let message = format!("{here}, and {there} deploys what it has read");
            Err(Error::new(Code::UnsupportedVersion, message).hint("the older one may not know what a newer one writes: bring both to the same version"))
        }
        _ => Ok(here),
    });
    let is_elsewhere = docker.host().is_some();
    let ends = match kills {
        _ if is_elsewhere => Ok("by the end of its input".to_owned()),
        Some(_) => Ok("by `kill` through the same command".to_owned()),
        None => Err(Error::new(Code::PermissionDenied, "a call that is cancelled or takes too long may go on").hint("with sudo, allow `kill` beside docker: NOPASSWD: SETENV: /usr/bin/docker, /usr/bin/kill")),
    };
    let values = values.map(|()| "arrive".to_owned()).map_err(|error| {
        error.hint("builds and secrets of compose need it; with sudo, write SETENV: into the rule: NOPASSWD: SETENV: /usr/bin/docker, /usr/bin/kill")
    });
    let user = user.or_else(|| docker.user().map(str::to_owned));
    let user = user.unwrap_or_else(|| "a user that is not known".to_owned());
    let place = docker.host().unwrap_or("this machine");
    vec![
        Check { what: "runs as", result: Ok(format!("{user}, on {place}")), optional: true },
        Check { what: "compose here", result: here, optional: true },
        Check { what: "values", result: values, optional: true },
        Check { what: "ends", result: ends, optional: true },
    ]
}

fn minor(version: &str) -> Vec<u32> {
    version.split('.').take(2).map(|part| part.parse().unwrap_or_default()).collect()
}

impl Report {
    pub fn healthy(&self) -> bool {
        self.0.iter().all(|check| check.optional || check.result.is_ok())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { what, result, optional } in &self.0 {
            match result {
                Ok(version) => writeln!(f, "ok    {what}: {version}")?,
                Err(error) => {
                    let mark = if *optional { "warn " } else { "FAIL " };
                    writeln!(f, "{mark} {what}: {}", error.message)?;
                    if let Some(hint) = error.hint.as_deref().or(error.code.hint()) {
                        writeln!(f, "      -> {hint}")?;
                    }
                }
            }
        }
        f.write_str(if self.healthy() {
            "docker-mcp-server can work."
        } else {
            "docker-mcp-server cannot work yet."
        })
    }
}
