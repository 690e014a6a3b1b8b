//! Why something fails: one call that looks at everything, and says the cause first.
//!
//! `gather` asks docker, `facts` is what it said, `standing` how each container stands, `rules` why,
//! `judge` whose fault it is, `place` where that is to be changed, `look` what one question more tells,
//! and `reply` puts it in few words. Judging is pure.

mod ends;
mod errors;
mod facts;
mod finding;
mod gather;
mod judge;
mod look;
mod place;
mod reply;
mod rules;
mod standing;
mod subnets;

use schemars::JsonSchema;
use serde::Deserialize;

use super::reply::Structured;
use super::{Context, Entry, Spec, Tool, Toolset};
use crate::command::Effect;
use crate::command::values::{ContainerRef, ProjectName};
use crate::error::{Code, Error};
use facts::Facts;
use finding::Placed;
use reply::Reply;

pub(super) fn tools() -> Vec<Entry> {
    vec![Entry::of::<Diagnose>()]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Diagnose {
    /// The container, by name or ID.
    container_name: Option<ContainerRef>,
    /// Or a compose project; default: everything.
    project_name: Option<ProjectName>,
}

/// What was asked about.
#[derive(Clone, Debug)]
enum Scope {
    Container(ContainerRef),
    Project(ProjectName),
    Host,
}

impl Tool for Diagnose {
    const SPEC: Spec = Spec {
        name: "diagnose",
        title: "Diagnose",
        description: "Why a container, compose service, project or docker itself fails: keeps restarting \
                      or crashes (crash loop), exited right after start (exit code 1, 127, 137), is \
                      unhealthy, was killed (OOM, out of memory), cannot connect or answer. Troubleshoot \
                      and debug in one call: root cause, evidence, where to change it.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let scope = match (self.container_name, self.project_name) {
            (Some(_), Some(_)) => {
                let message = "give container_name or project_name, not both";
                return Err(Error::invalid("project_name", message));
            }
            (Some(container), None) => Scope::Container(container),
            (None, Some(project)) => Scope::Project(project),
            (None, None) => Scope::Host,
        };
        // That docker does not answer is the diagnosis; and it reads what health checks print.
        let context = Context { docker: context.docker.impatient().afresh(), ..context.clone() };
        match gather::gather(&context, &scope).await {
            Ok(facts) => Ok(Structured(answer(&context, &facts, &scope).await)),
            Err(error) if is_docker_itself(&error) => {
                Ok(Structured(reply::docker_is_ill(&error, &scope)))
            }
            Err(error) => Err(error),
        }
    }
}

async fn answer(context: &Context, facts: &Facts, scope: &Scope) -> Reply {
    let missing = judge::missing(facts, scope);
    let all = judge::judge(facts, &missing);
    let judgement = judge::conclude(&all, scope);
    let placed = match judgement.root {
        Some((judged, cause)) => place::place(context, facts, judged.subject, cause).await,
        None => Placed::default(),
    };
    reply::reply(facts, scope, &all, &judgement, &placed)
}

fn is_docker_itself(error: &Error) -> bool {
    matches!(
        error.code,
        Code::DaemonNotAccessible
            | Code::PermissionDenied
            | Code::DockerMissing
            | Code::UnsupportedVersion
            | Code::Timeout
    )
}
