//! What can be read beside the tools: the health of docker, what was counted, the errors, and what
//! some tools answer, under addresses that stay.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::call::{Dispatcher, Names};
use crate::command::Effect;
use crate::command::version::VersionQuery;
use crate::docs;
use crate::progress::Progress;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// One that is always there.
struct Fixed {
    uri: &'static str,
    title: &'static str,
    description: &'static str,
    mime_type: &'static str,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    Health,
    Metrics,
    Errors,
    /// What this tool answers.
    Tool(&'static str),
}

const FIXED: [Fixed; 4] = [
    Fixed {
        uri: "docker://health",
        title: "Health",
        description: "Whether docker can be reached now, its version, or why it cannot.",
        mime_type: JSON,
        content: Content::Health,
    },
    Fixed {
        uri: "docker://overview",
        title: "Overview",
        description: "The whole host in short: projects, containers, images, volumes and problems.",
        mime_type: JSON,
        content: Content::Tool("list-all-resources"),
    },
    Fixed {
        uri: "docker://errors",
        title: "Error codes",
        description: "Every error code of this server, when it comes and what helps.",
        mime_type: "text/markdown",
        content: Content::Errors,
    },
    Fixed {
        uri: "docker://metrics",
        title: "Metrics",
        description: "Calls, durations, docker processes and cache hits in the text of Prometheus.",
        mime_type: "text/plain; version=0.0.4",
        content: Content::Metrics,
    },
];

/// What a tool answers for a name.
struct Template {
    before: &'static str,
    after: &'static str,
    title: &'static str,
    description: &'static str,
    mime_type: &'static str,
    tool: &'static str,
    argument: &'static str,
}

impl Template {
    fn uri(&self) -> String {
        format!("{}{{name}}{}", self.before, self.after)
    }

    /// The name in an address of this form.
    fn name<'u>(&self, uri: &'u str) -> Option<Cow<'u, str>> {
        let name = uri.strip_prefix(self.before)?.strip_suffix(self.after)?;
        let name = percent_decode_str(name).decode_utf8().ok()?;
        (!name.is_empty() && !name.contains('/')).then_some(name)
    }
}

const TEMPLATES: [Template; 3] = [
    Template {
        before: "docker://containers/",
        after: "/logs",
        title: "Log of a container",
        description: "The last 100 lines that a container has printed.",
        mime_type: TEXT,
        tool: "get-logs",
        argument: "container_name",
    },
    Template {
        before: "docker://containers/",
        after: "/inspect",
        title: "Container",
        description: "State, settings, ports, mounts and limits of a container.",
        mime_type: JSON,
        tool: "inspect-container",
        argument: "container_name",
    },
    Template {
        before: "docker://projects/",
        after: "/config",
        title: "Compose project",
        description: "The resolved compose file of a project.",
        mime_type: JSON,
        tool: "compose-config",
        argument: "project_name",
    },
];

/// What the name in this template stands for.
pub(super) fn names_in(template: &str) -> Option<Names> {
    let template = TEMPLATES.iter().find(|it| it.uri() == template)?;
    Some(match template.argument {
        "project_name" => Names::Projects,
        _ => Names::Containers,
    })
}

/// Those of which the tool is offered.
pub(super) fn list(dispatcher: &Dispatcher) -> Vec<Resource> {
    let is_there = |it: &&Fixed| match it.content {
        Content::Tool(tool) => dispatcher.offers(tool),
        Content::Health | Content::Metrics | Content::Errors => true,
    };
    let listed = |it: &Fixed| {
        let name = it.uri.trim_start_matches("docker://");
        Resource::new(it.uri, name)
            .with_title(it.title)
            .with_description(it.description)
            .with_mime_type(it.mime_type)
    };
    FIXED.iter().filter(is_there).map(listed).collect()
}

/// Those of which the tool is offered.
pub(super) fn templates(dispatcher: &Dispatcher) -> Vec<ResourceTemplate> {
    let listed = |it: &Template| {
        ResourceTemplate::new(it.uri(), it.tool)
            .with_title(it.title)
            .with_description(it.description)
            .with_mime_type(it.mime_type)
    };
    TEMPLATES.iter().filter(|it| dispatcher.offers(it.tool)).map(listed).collect()
}

/// # Errors
/// -32602 with the address for one that is not there, or of which the tool fails.
pub(super) async fn read(
    dispatcher: &Dispatcher,
    uri: &str,
    cancel: CancellationToken,
) -> Result<ReadResourceResult, ErrorData> {
    let (text, mime_type) = if let Some(fixed) = FIXED.iter().find(|it| it.uri == uri) {
        let text = match fixed.content {
            Content::Health => dispatcher.renderer().value(health(dispatcher, cancel).await),
            Content::Metrics => dispatcher.context().docker.metrics().text(),
            Content::Errors => docs::errors_table(),
            Content::Tool(tool) => answer(dispatcher, tool, Map::new(), uri, cancel).await?,
        };
        (text, fixed.mime_type)
    } else {
        let found = TEMPLATES.iter().find_map(|it| Some((it, it.name(uri)?)));
        let (template, name) = found.ok_or_else(|| absent(uri, "there is no such resource"))?;
        let arguments = Map::from_iter([(template.argument.to_owned(), name.into())]);
        (answer(dispatcher, template.tool, arguments, uri, cancel).await?, template.mime_type)
    };
    let contents = ResourceContents::text(text, uri).with_mime_type(mime_type);
    Ok(ReadResourceResult::new(vec![contents]))
}

async fn answer(
    dispatcher: &Dispatcher,
    tool: &str,
    arguments: Map<String, Value>,
    uri: &str,
    cancel: CancellationToken,
) -> Result<String, ErrorData> {
    let answer = dispatcher.call(tool, arguments, cancel, Progress::default()).await;
    match answer {
        Ok(answer) if !answer.is_error => Ok(answer.text),
        Ok(answer) => Err(absent(uri, &answer.text)),
        Err(_) => Err(absent(uri, "there is no such resource")),
    }
}

fn absent(uri: &str, why: &str) -> ErrorData {
    ErrorData::invalid_params(format!("{uri}: {why}"), Some(json!({"uri": uri})))
}

/// Asked each time, and once: that docker does not answer is the answer.
async fn health(dispatcher: &Dispatcher, cancel: CancellationToken) -> Value {
    let docker = dispatcher.context().docker.limited(Effect::Read, cancel, Progress::default());
    let asked = docker.impatient().afresh().run(&VersionQuery).await;
    let (server, problem) = match asked {
        Ok(versions) => (versions.server, versions.problem),
        Err(error) => (None, Some(error)),
    };
    match server {
        Some(server) => json!({
            "status": "healthy",
            "docker": "connected",
            "version": server.version,
            "api_version": server.api_version,
        }),
        None => json!({
            "status": "unhealthy",
            "docker": problem.map_or_else(
                || "the daemon does not answer".to_owned(),
                |error| format!("{} {}", error.code.id(), error.message),
            ),
        }),
    }
}
