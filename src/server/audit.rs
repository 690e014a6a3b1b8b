//! One JSON line per call in a file of the operator's choice: what was asked, what was run, what
//! came of it. Nothing secret.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::docker::Trail;
use crate::error::{Code, Error};
use crate::redact::Redactor;
use crate::tools::reply::Answer;

pub struct Audit {
    file: Mutex<File>,
    redactor: Arc<Redactor>,
}

#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, UTC.
    time: String,
    tool: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The rules that refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// The commands that change something, in their order.
    commands: Vec<String>,
    /// The operands of these commands: full IDs where something existed already.
    objects: Vec<String>,
    duration_ms: u128,
}

impl Audit {
    /// Opens or creates the file, which only its owner may read.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn open(path: &Path, redactor: Arc<Redactor>) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Self { file: Mutex::new(file), redactor })
    }

    pub(super) fn record(
        &self,
        tool: &str,
        result: &Result<Answer, Error>,
        trail: &Trail,
        duration: Duration,
    ) {
        let trail = trail.taken();
        let error = result.as_ref().err();
        let refused = error.filter(|error| error.code == Code::RefusedByPolicy);
        let redacted = |text: &String| self.redactor.text(text).text.into_owned();
        let line = Line {
            time: jiff::Timestamp::now().to_string(),
            tool,
            outcome: outcome(result),
            code: error.map(|error| error.code.id()),
            rule: refused.map(|error| error.message.as_str()),
            commands: trail.iter().map(|step| redacted(&step.command)).collect(),
            objects: trail.iter().flat_map(|step| &step.objects).map(redacted).collect(),
            duration_ms: duration.as_millis(),
        };
        let written =
            serde_json::to_vec(&line).map_err(std::io::Error::from).and_then(|mut line| {
                line.push(b'\n');
                self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
            });
        if let Err(error) = written {
            tracing::error!(tool, %error, "the audit file cannot be written");
        }
    }
}

fn outcome(result: &Result<Answer, Error>) -> &'static str {
    match result {
        Ok(Answer::Plan { .. }) => "plan",
        Ok(Answer::Structured(value)) if value["dry_run"] == true => "dry_run",
        Ok(_) => "ok",
        Err(error) if error.code == Code::RefusedByPolicy => "refused",
        Err(error) if error.code == Code::Declined => "declined",
        Err(error) if error.code == Code::Cancelled => "cancelled",
        Err(_) => "failed",
    }
}
