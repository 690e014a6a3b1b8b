//! Prompts: what a person picks from a menu (in Claude Code `/mcp__docker__debug-container`) and the
//! model then gets as a task, in the names of the tools that are offered.

use rmcp::model::{ErrorData, GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Map;
use serde_json::Value;

use super::call::{Dispatcher, Names};
use super::offered;

/// One prompt; `{}` in its text stands for the argument.
struct Task {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    argument: Option<Argument>,
    text: &'static str,
    /// Without this tool it cannot be done.
    tool: &'static str,
}

struct Argument {
    name: &'static str,
    description: &'static str,
    /// What is meant when it is not given.
    default: Option<&'static str>,
    names: Option<Names>,
}

const TASKS: [Task; 5] = [
    Task {
        name: "debug-container",
        title: "Debug a container",
        description: "Find out why a container fails, and what to change.",
        argument: Some(Argument {
            name: "container",
            description: "The container, by name or ID.",
            default: None,
            names: Some(Names::Containers),
        }),
        text: "Find out what is wrong with the docker container `{}`. Begin with diagnose {\"container_name\": \"{}\"}: it names the cause, the evidence and the next call. When that is not enough: get-logs with grep for the first error, then inspect-container. Tell me the cause and the place to change it in two or three sentences, and propose the smallest change; change nothing before I agree.",
        tool: "diagnose",
    },
    Task {
        name: "debug-stack",
        title: "Debug a compose project",
        description: "Find the service that makes a compose project fail, and what to change.",
        argument: Some(Argument {
            name: "project",
            description: "The compose project, by name.",
            default: None,
            names: Some(Names::Projects),
        }),
        text: "Find out what is wrong with the compose project `{}`. Begin with diagnose {\"project_name\": \"{}\"}: it names the service that is the cause, not those that only wait for it. Then, as far as needed: compose-ps for the state of each service; compose-logs with grep for the first error. Tell me the cause with the file and the line to change; change nothing before I agree.",
        tool: "diagnose",
    },
    Task {
        name: "dockerize-project",
        title: "Run this project in Docker",
        description: "Write a Dockerfile and a compose file for the project, and try them.",
        argument: Some(Argument {
            name: "folder",
            description: "The folder of the project; default: the one that is open.",
            default: Some("."),
            names: None,
        }),
        text: "Make the project in the folder `{}` run in Docker. Look at how it is built and started; write a Dockerfile (small base image with a fixed version, dependencies before sources, a user that is not root, a health check), a .dockerignore, and a compose.yaml with the services that it needs (volumes for data, secrets from .env, which is not committed). Then check it with compose-config; deploy it with deploy-compose (build: true, wait: true); and show me what compose-ps says. Use ports on 127.0.0.1 that are free.",
        tool: "deploy-compose",
    },
    Task {
        name: "run-to-compose",
        title: "docker run to compose",
        description: "Turn docker run command lines into a compose file.",
        argument: Some(Argument {
            name: "commands",
            description: "The docker run command lines, one after the other.",
            default: None,
            names: None,
        }),
        text: "Turn these docker command lines into one compose file:\n\n{}\n\nKeep image, name, ports, volumes, environment, restart policy, limits and networks; put secrets into .env and name them by ${…}; a container that names another one depends on it. Check the file with compose-config, which changes nothing. Show me the file and what it does differently; deploy nothing before I agree.",
        tool: "compose-config",
    },
    Task {
        name: "safe-cleanup",
        title: "Free disk space safely",
        description: "Find what takes disk space and remove only what can be had again.",
        argument: None,
        text: "Free disk space that Docker takes, without losing data. Begin with disk-usage: it tells what is safe to remove and what is not. For each kind that is worth it call prune with dry_run: true, and show me what would go and how large it is. Remove only what I agree to; never volumes that somebody may still want.",
        tool: "disk-usage",
    },
];

impl Task {
    fn told(&self) -> Prompt {
        let argument = self.argument.as_ref().map(|it| {
            let is_required = it.default.is_none();
            let told = PromptArgument::new(it.name).with_description(it.description);
            vec![told.with_required(is_required)]
        });
        Prompt::new(self.name, Some(self.description), argument).with_title(self.title)
    }
}

fn known(dispatcher: &Dispatcher) -> impl Iterator<Item = &'static Task> {
    TASKS.iter().filter(|task| dispatcher.offers(task.tool))
}

/// Those of which the tool is offered.
pub(super) fn list(dispatcher: &Dispatcher) -> Vec<Prompt> {
    known(dispatcher).map(Task::told).collect()
}

/// What the argument of a prompt stands for, where its values are known.
pub(super) fn names_in(prompt: &str, argument: &str) -> Option<Names> {
    let task = TASKS.iter().find(|task| task.name == prompt)?;
    task.argument.as_ref().filter(|it| it.name == argument)?.names
}

/// # Errors
/// -32602 for one that is not there, and for an argument that is missing.
pub(super) fn get(
    dispatcher: &Dispatcher,
    name: &str,
    arguments: &Map<String, Value>,
) -> Result<GetPromptResult, ErrorData> {
    let Some(task) = known(dispatcher).find(|task| task.name == name) else {
        let names: Vec<_> = known(dispatcher).map(|task| task.name).collect();
        let message = format!("there is no prompt {name:?}; prompts: {}", names.join(", "));
        return Err(ErrorData::invalid_params(message, None));
    };
    let text = offered::without(task.text, &dispatcher.absent());
    let text = match &task.argument {
        None => text,
        Some(argument) => {
            let given = arguments.get(argument.name).and_then(Value::as_str).map(str::trim);
            let value = given.filter(|value| !value.is_empty()).or(argument.default);
            let Some(value) = value else {
                let message = format!(
                    "the argument `{}` is missing: {}",
                    argument.name, argument.description
                );
                return Err(ErrorData::invalid_params(message, None));
            };
            text.replace("{}", value)
        }
    };
    let text = dispatcher.renderer().whole(&text);
    let messages = vec![PromptMessage::new_text(Role::User, text)];
    Ok(GetPromptResult::new(messages).with_description(task.description))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_says_where_its_argument_goes() {
        for task in &TASKS {
            assert_eq!(task.text.contains("{}"), task.argument.is_some(), "{}", task.name);
        }
    }
}
