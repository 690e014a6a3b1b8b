//! What stands in front of a shell: a line that an agent is about to run is judged by what it does to
//! docker, with docker's present state, by the same rules and plans as a call of a tool.
//!
//! Claude Code asks by a JSON object on standard input (`PreToolUse` of its hooks). The answer is
//! nothing, a question to the person (`ask`), or no (`deny`), with the reason.

mod detours;
mod erasing;
pub mod grammar;
mod judge;
mod lines;
mod listed;
mod made;
mod path;
mod places;
mod programs;
mod scope;
pub mod shell;
pub mod word;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use judge::{Bench, Case, judge, makes};
pub use made::Made;
use shell::Standing;

/// What the reader of a line may need of the stack: brackets can be nested thousandfold.
const STACK: usize = 256 << 20;

/// What is said when something goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnError {
    /// The person is asked.
    #[default]
    Ask,
    /// It runs.
    Allow,
    /// It does not run.
    Deny,
}

/// The question of a host, as far as we read it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Question {
    hook_event_name: String,
    tool_name: String,
    tool_input: Value,
    cwd: Option<PathBuf>,
    session_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    Ask,
    Deny,
}

/// An answer with a reason, which the person or the model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub decision: Decision,
    pub reason: String,
}

impl Question {
    /// The question in a text; nothing for what is none of ours.
    pub fn read(text: &str) -> Option<Self> {
        let question: Self = serde_json::from_str(text).ok()?;
        let is_ours = matches!(&*question.hook_event_name, "PreToolUse" | "");
        (is_ours && question.tool_name == "Bash").then_some(question)
    }

    /// The line that is to be run.
    pub fn line(&self) -> &str {
        self.tool_input.get("command").and_then(Value::as_str).unwrap_or_default()
    }

    /// Of the agent that runs it; empty where the host says nothing.
    pub fn session(&self) -> &str {
        &self.session_id
    }

    /// Where it is to be run.
    pub fn folder(&self) -> Option<PathBuf> {
        self.cwd.clone().filter(|folder| folder.is_absolute())
    }
}

impl Answer {
    /// As the host reads it.
    pub fn json(&self) -> String {
        json!({"hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": self.decision,
            "permissionDecisionReason": self.reason,
        }})
        .to_string()
    }

    /// What is said when no judgement was come to.
    pub fn on_error(what: OnError, problem: &str) -> Option<Self> {
        let decision = match what {
            OnError::Ask => Decision::Ask,
            OnError::Allow => return None,
            OnError::Deny => Decision::Deny,
        };
        let reason = format!("docker-mcp-server could not judge this line: {problem}");
        Some(Self { decision, reason })
    }
}

/// The calls of a line that have to be judged, and what is asked about anyway. Nothing of docker or
/// of the disk is looked at. `own` is the last word of the operator's docker command.
pub fn sift(line: &str, standing: Standing, own: &str) -> (Vec<Case>, Vec<String>) {
    let text = line.to_owned();
    // On a stack of its own, which it cannot overflow.
    let reader = std::thread::Builder::new().stack_size(STACK);
    let reading = reader.spawn(move || shell::read(&text, &standing));
    let reading = reading.ok().and_then(|reader| reader.join().ok());
    let reading = reading.unwrap_or(shell::Reading { calls: vec![], unread: true });
    judge::sift(&reading, line, own)
}
