//! The log: to standard error, and to a file when asked. Never to standard output, never a secret.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogFormat, LogLevel, Settings};
use crate::redact::Redactor;

/// Starts the log.
///
/// # Errors
/// When the log file cannot be opened, or a log was started before.
pub fn start(settings: &Settings, redactor: Arc<Redactor>) -> Result<()> {
    let file = match &settings.log_file {
        Some(path) => Some(
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .with_context(|| format!("the log file {} cannot be opened", path.display()))?,
        ),
        None => None,
    };
    let writer = Output { redactor, file: Arc::new(Mutex::new(file)) };
    let layer = fmt::layer().with_ansi(false).with_writer(writer);
    let layer = match settings.log_format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    let level = if settings.debug { Level::DEBUG } else { level(settings.log_level) };
    // At `debug` rmcp prints whole arguments and results.
    let filter = Targets::new().with_default(level).with_target("rmcp", level.min(Level::WARN));
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()?;
    // A panic must not print its payload, which can hold anything.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(at = panic.location().map(ToString::to_string), "panic");
    }));
    Ok(())
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

/// Hides secrets in each event, then writes it to standard error and to the file.
#[derive(Clone)]
struct Output {
    redactor: Arc<Redactor>,
    file: Arc<Mutex<Option<File>>>,
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Output {
    /// One event a call: `tracing` formats an event before it writes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let safe = self.redactor.text(&text);
        // Nobody can be told that the log cannot be written.
        let _ignored = io::stderr().write_all(safe.text.as_bytes());
        if let Some(file) = &mut *self.file.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ignored = file.write_all(safe.text.as_bytes());
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
