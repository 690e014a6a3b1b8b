//! One call from its request to its answer: find, limit, run on a task of its own, render.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::render::{Rendered, Renderer};
use crate::command::Effect;
use crate::error::{Code, Error};
use crate::progress::Progress;
use crate::tools::{Context, Entry, Toolset};

/// A cancelled call may take this long to clean up before its task is dropped, which kills what it
/// still runs.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// The tools that are offered, and what they work with.
#[derive(Clone)]
pub struct Dispatcher {
    entries: Arc<BTreeMap<&'static str, Entry>>,
    context: Context,
    renderer: Renderer,
}

/// There is no such tool: the one failure that is an error of the protocol.
#[derive(Debug)]
pub struct UnknownTool(pub String);

impl Dispatcher {
    /// Offers the given toolsets, or all when none is given.
    pub fn new(context: Context, renderer: Renderer, toolsets: &[Toolset]) -> Self {
        let offered = crate::tools::all()
            .into_iter()
            .filter(|entry| toolsets.is_empty() || toolsets.contains(&entry.spec.toolset));
        Self::of(context, renderer, offered)
    }

    /// Offers exactly these tools.
    pub fn of(
        context: Context,
        renderer: Renderer,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.spec.name, entry)).collect();
        Self { entries: Arc::new(entries), context, renderer }
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Those that can work, in the order of their names.
    pub fn offered(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| (entry.can_work)(self.context.docker.policy()))
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
        let effect = self.entries.get(tool).map_or(Effect::Read, |entry| entry.spec.effect);
        // Not to be listed is no refusal: a client can call what it has never seen.
        if let Err(refusal) = self.context.docker.policy().effect(tool, effect) {
            return Ok(self.renderer.render(Err(refusal.into())));
        }
        let docker = self.context.docker.limited(effect, cancel.clone(), progress);
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
        let milliseconds = started.elapsed().as_millis();
        match &result {
            Ok(_) => tracing::info!(tool, milliseconds, "call answered"),
            Err(error) => tracing::info!(tool, milliseconds, code = error.code.id(), "call failed"),
        }
        Ok(self.renderer.render(result))
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
