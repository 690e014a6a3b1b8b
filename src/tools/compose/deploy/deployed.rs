//! What a deployment came to: services with their states, and the one that is the cause.

use std::time::Instant;

use serde::Serialize;

use super::DeployCompose;
use crate::command::containers::Container;
use crate::error::Error;
use crate::tools::compose::failure::{Failure, blame, is_ours_to_pass_on};
use crate::tools::compose::removal;
use crate::tools::compose::report::{self, Before, Report};
use crate::tools::compose::settle::{self, Stand};
use crate::tools::compose::up::{Ascent, Ended, Settled, Up};
use crate::tools::joined;
use crate::tools::ports::with_holder;

#[derive(Debug, Default, Serialize)]
pub(in crate::tools::compose) struct Deployed {
    project: String,
    ok: bool,
    timed_out: Option<bool>,
    /// The service that is the cause.
    root: Option<String>,
    error: Option<Failure>,
    services: Vec<Report>,
    pub(super) warnings: Vec<String>,
    /// The compose files that it was read from.
    pub(super) files: Vec<String>,
}

impl DeployCompose {
    pub(super) async fn ascend(
        &self,
        mut ascent: Ascent<'_>,
        up: &Up,
        before: &[Container],
        orphans: &[String],
        mut notes: Vec<String>,
        look_at_mounts: impl AsyncFnOnce(&[Container]) -> Vec<String>,
    ) -> Result<Deployed, Error> {
        let started = Instant::now();
        let (ended, containers_since) = ascent.run_up(up).await;
        let (settled, error) = match ended {
            Ended::Well(warnings) => {
                notes.extend(
                    warnings.into_iter().filter(|warning| !warning.starts_with("Found orphan")),
                );
                let settled = if self.wait {
                    ascent.settle(containers_since.unwrap_or(started)).await?
                } else {
                    let (containers, stands) = ascent.look().await?;
                    Settled { containers, stands, timed_out: false }
                };
                (settled, None)
            }
            Ended::TimedOut => {
                let (containers, stands) = ascent.look().await?;
                notes.extend(removal::not_removed(
                    "the time was over",
                    &containers,
                    &ascent.expected,
                    orphans,
                ));
                (Settled { containers, stands, timed_out: true }, None)
            }
            Ended::Failed(error) => {
                let Ok((containers, mut stands)) = ascent.look().await else { return Err(error) };
                let is_nothing_to_tell = containers.is_empty() && before.is_empty();
                if is_ours_to_pass_on(&error) || is_nothing_to_tell {
                    return Err(error);
                }
                let why = "`up` failed";
                notes.extend(removal::not_removed(why, &containers, &ascent.expected, orphans));
                let error = with_holder(ascent.docker, error, Some(ascent.project.as_str())).await;
                blame(&error, &ascent.expected, &containers, &mut stands);
                (Settled { containers, stands, timed_out: false }, Some(error))
            }
        };
        let Settled { containers, stands, timed_out } = settled;
        let was = Before { containers: before, stops: false };
        let mut services = report::reports(&ascent.expected, &stands, &containers, &was, timed_out);
        notes.extend(removal::notes(before, &containers, &ascent.expected));
        notes.extend(look_at_mounts(&containers).await);
        let owners: Vec<&Container> = before.iter().collect();
        notes.extend(joined::left_behind(ascent.docker, &owners).await);
        report::add_logs(ascent.docker, &mut services, &containers, &was).await;
        let bad = |stand: &Stand| match stand {
            Stand::Ready => false,
            Stand::Pending(_) => self.wait,
            _ => true,
        };
        notes.sort();
        notes.dedup();
        let ok = error.is_none() && !timed_out && !stands.values().any(bad);
        let root = settle::root(&ascent.expected, &stands).filter(|_| !ok);
        Ok(Deployed {
            project: self.project_name.to_string(),
            ok,
            timed_out: timed_out.then_some(true),
            root: root.map(str::to_owned),
            error: error.map(Failure::from),
            services,
            warnings: notes,
            files: vec![],
        })
    }
}
