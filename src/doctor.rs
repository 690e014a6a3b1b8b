//! What stands between a person and a working server, and what to do about it.

use std::fmt;

use tokio_util::sync::CancellationToken;

use crate::command::Effect;
use crate::command::version::{BuildxVersionQuery, ComposeVersionQuery, VersionQuery};
use crate::docker::Docker;
use crate::error::Error;
use crate::progress::Progress;

/// One line of the report.
struct Check {
    what: &'static str,
    result: Result<String, Error>,
    /// The server is of use without it.
    optional: bool,
}

pub struct Report(Vec<Check>);

/// Looks at the CLI, the daemon, compose and buildx, all at once.
pub async fn examine(docker: &Docker, stop: CancellationToken) -> Report {
    let docker = docker.limited(Effect::Read, stop, Progress::default());
    let (versions, compose, buildx) = tokio::join!(
        docker.run(&VersionQuery),
        docker.run(&ComposeVersionQuery),
        docker.run(&BuildxVersionQuery),
    );
    let context = versions.as_ref().ok().and_then(|versions| versions.client.context.clone());
    let client = versions.as_ref().map_err(Clone::clone).map(|versions| {
        let context = context.map(|context| format!(", context {context}")).unwrap_or_default();
        format!("{} ({}{context})", versions.client.version, docker.program())
    });
    let daemon = versions.and_then(|versions| match (versions.server, versions.problem) {
        (Some(server), _) => Ok(format!(
            "{} (API {}, {}/{})",
            server.version, server.api_version, server.os, server.arch
        )),
        (None, Some(problem)) => Err(problem),
        (None, None) => Err(Error::new(
            crate::error::Code::UnexpectedOutput,
            "docker said nothing about its daemon",
        )),
    });
    Report(vec![
        Check { what: "docker CLI", result: client, optional: false },
        Check { what: "docker daemon", result: daemon, optional: false },
        Check { what: "compose plugin", result: compose, optional: true },
        Check { what: "buildx plugin", result: buildx, optional: true },
    ])
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
