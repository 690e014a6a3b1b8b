//! One call from its request to its answer: find, limit, run on a task of its own, render.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::audit::Audit;
use super::offered;
use super::render::{Rendered, Renderer};
use crate::command::Effect;
use crate::command::containers::ListContainers;
use crate::docker::Trail;
use crate::error::{Code, Error};
use crate::metrics::Status;
use crate::progress::Progress;
use crate::sort;
use crate::tools::confirm::Confirmations;
use crate::tools::reply::Answer;
use crate::tools::{Context, Entry, Toolset};

/// What a name in a template or in a prompt stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Containers,
    Projects,
}

/// A cancelled call may take this long to clean up before its task is dropped, which kills what it
/// still runs: longer than docker waits before it kills a container that is to stop.
const CLEAN_UP: Duration = Duration::from_secs(20);

/// So many calls may be under way. The last of them waits until all others had their turn, for about
/// a quarter of a minute; whoever comes then is told at once that it is too much.
const CALLS: usize = 256;

/// The tools that are offered, and what they work with.
#[derive(Clone)]
pub struct Dispatcher {
    entries: Arc<BTreeMap<&'static str, Entry>>,
    context: Context,
    renderer: Renderer,
    audit: Option<Arc<Audit>>,
    under_way: Arc<Semaphore>,
}

/// There is no such tool: the one failure that is an error of the protocol.
#[derive(Debug)]
pub struct UnknownTool(pub String);

impl Dispatcher {
    /// Offers the given toolsets, or all when none is given.
    pub fn new(context: Context, renderer: Renderer, toolsets: &[Toolset]) -> Self {
        let offered = crate::tools::all().into_iter().filter(|entry| {
            toolsets.is_empty() || toolsets.iter().any(|set| set.includes(&entry.spec))
        });
        Self::of(context, renderer, offered)
    }

    /// Offers exactly these tools.
    pub fn of(
        context: Context,
        renderer: Renderer,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Self {
        let entries = sort::map(entries.into_iter().map(|entry| (entry.spec.name, entry)));
        let under_way = Arc::new(Semaphore::new(CALLS));
        let renderer = renderer.counted_in(context.docker.metrics());
        Self { entries: Arc::new(entries), context, renderer, audit: None, under_way }
    }

    /// Every call leaves a line there.
    pub fn audited(self, audit: Audit) -> Self {
        Self { audit: Some(Arc::new(audit)), ..self }
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Those that can work, in the order of their names.
    pub fn offered(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| (entry.can_work)(self.context.docker.policy()))
    }

    /// The tools that there are, and that this server does not offer.
    pub(super) fn offers(&self, tool: &str) -> bool {
        self.offered().any(|entry| entry.spec.name == tool)
    }

    pub(super) fn absent(&self) -> BTreeSet<&'static str> {
        let offered: BTreeSet<_> = self.offered().map(|entry| entry.spec.name).collect();
        let all = crate::tools::all();
        all.iter().map(|entry| entry.spec.name).filter(|name| !offered.contains(name)).collect()
    }

    /// Runs one tool. Whatever happens in it, a panic included, becomes an answer.
    ///
    /// # Errors
    /// Only for a tool that does not exist.
    pub async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        cancel: CancellationToken,
        progress: Progress,
    ) -> Result<Rendered, UnknownTool> {
        let Some(tool) = self.entries.get(name).map(|entry| entry.spec.name) else {
            return Err(self.unknown(name));
        };
        let started = Instant::now();
        let Ok(_until_it_is_answered) = self.under_way.try_acquire() else {
            let message = format!("{CALLS} calls are under way; this one was not begun");
            let busy = Error::new(Code::Busy, message);
            return Ok(self.finish(tool, Err(busy), &Trail::default(), started));
        };
        self.context.docker.begin_to_listen();
        let effect = self.entries.get(tool).map_or(Effect::Read, |entry| entry.spec.effect);
        // Not to be listed is no refusal: a client can call what it has never seen.
        if let Err(refusal) = self.context.docker.policy().effect(tool, effect) {
            return Ok(self.finish(tool, Err(refusal.into()), &Trail::default(), started));
        }
        let sent = Value::Object(arguments);
        self.context.docker.redactor().learn_from(&sent);
        let Value::Object(arguments) = sent else { unreachable!("it was made of an object") };
        let docker = self.context.docker.limited(effect, cancel.clone(), progress);
        let trail = docker.trail().clone();
        let context = Context { docker, ..self.context.clone() };
        let entries = Arc::clone(&self.entries);
        let mut task = tokio::spawn(async move {
            let entry = entries.get(tool).expect("it was found a moment ago");
            entry.call(arguments, context).await
        });
        let given_up = async {
            cancel.cancelled().await;
            tokio::time::sleep(CLEAN_UP).await;
        };
        let result = tokio::select! {
            joined = &mut task => joined.unwrap_or_else(|_| Err(panicked(tool))),
            () = given_up => {
                task.abort();
                Err(Error::new(Code::Cancelled, "the call was cancelled"))
            }
        };
        Ok(self.finish(tool, result, &trail, started))
    }

    /// What containers or projects are called; nothing when docker does not answer.
    pub(super) async fn names(&self, names: Names, cancel: CancellationToken) -> Vec<String> {
        let docker = self.context.docker.limited(Effect::Read, cancel, Progress::default());
        let rows = docker.impatient().run(&ListContainers::everything()).await.unwrap_or_default();
        let named = rows.into_iter().filter_map(|row| match names {
            Names::Containers => Some(row.name),
            Names::Projects => row.project,
        });
        let named: BTreeSet<String> = named.map(|name| self.renderer.line(&name)).collect();
        named.into_iter().collect()
    }

    /// What remains to be done with the answer to any call.
    fn finish(
        &self,
        tool: &str,
        result: Result<Answer, Error>,
        trail: &Trail,
        started: Instant,
    ) -> Rendered {
        let duration = started.elapsed();
        let milliseconds = duration.as_millis();
        match &result {
            Ok(_) => tracing::info!(tool, milliseconds, "call answered"),
            Err(error) => tracing::info!(tool, milliseconds, code = error.code.id(), "call failed"),
        }
        if let Some(audit) = &self.audit {
            audit.record(tool, &result, trail, duration);
        }
        let metrics = self.context.docker.metrics();
        let status = if result.is_ok() { Status::Success } else { Status::Error };
        metrics.called(tool, status, duration);
        // The form is one: what fails without a context of its own names the tool.
        let rendered = self.renderer.render(result.map_err(|mut error| {
            error.hint = self.hint(&error);
            if error.context.is_empty() { error.with("tool", tool) } else { error }
        }));
        metrics.answered(rendered.text.len());
        rendered
    }

    /// What to do next, as far as it can be done with what is offered.
    fn hint(&self, error: &Error) -> Option<String> {
        let absent = self.absent();
        let can_be_done = |hint: &str| offered::clauses(hint, &absent);
        let own = error.hint.as_deref().and_then(can_be_done);
        own.or_else(|| error.code.hint().and_then(can_be_done))
    }

    /// The answer to a call whose plan the person did not agree to.
    pub fn declined(&self, tool: &str, token: &str) -> Rendered {
        self.context.confirmations.forget(token);
        let error = Error::new(Code::Declined, "the person did not agree; nothing was done");
        self.finish(tool, Err(error), &Trail::default(), Instant::now())
    }

    pub(super) fn confirmations(&self) -> &Confirmations {
        &self.context.confirmations
    }

    pub(super) fn renderer(&self) -> Renderer {
        self.renderer.clone()
    }

    fn unknown(&self, name: &str) -> UnknownTool {
        let nearest = self
            .entries
            .keys()
            .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let name: String = name.chars().take(100).collect();
        UnknownTool(match nearest {
            Some((_, nearest)) => format!("unknown tool: {name}; did you mean {nearest}?"),
            None => format!("unknown tool: {name}"),
        })
    }
}

fn panicked(tool: &str) -> Error {
    Error::new(Code::Internal, format!("{tool} failed inside the server"))
}
