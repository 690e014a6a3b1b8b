//! Docker commands as plain values: how to write one, how to read what it prints. Pure.

pub mod compose;
pub mod containers;
pub mod diagnose;
pub mod disk;
pub mod documents;
pub mod effect;
pub mod events;
pub mod feed;
pub mod images;
pub mod invocation;
pub mod json;
pub mod labels;
pub mod logs;
pub mod networks;
pub mod pull;
pub mod text;
pub mod time;
pub mod values;
pub mod version;
pub mod volumes;

pub use diagnose::Program;
pub use effect::{Effect, Hazard};
pub use invocation::{Capture, Invocation, Streams};

use crate::error::Error;

/// What a finished docker process left behind, cleaned to valid UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The exit status; a process that was ended by a signal has 128 + its number.
    pub exit_code: i32,
    pub stdout: String,
    pub stderr: String,
    /// Bytes that a `Tail` capture dropped from the beginning of `stdout`.
    pub stdout_cut: u64,
    /// The same of `stderr`.
    pub stderr_cut: u64,
    /// We ended it on purpose, because enough had been seen; the exit status is then 0.
    pub stopped: bool,
}

/// One docker command: how it is written and how its output is read, side by side.
pub trait Command {
    type Reply;

    fn invocation(&self) -> Invocation;

    /// Reads the output of a run that [`Self::accepts`].
    fn parse(&self, output: &Output) -> Result<Self::Reply, Error>;

    /// Whether the output can be parsed. Exit status first, stdout afterwards: a failed `inspect`
    /// prints `[]` and exits 1.
    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0
    }
}

/// A command of which only the success matters: it changes something, and prints what it was given
/// or nothing.
#[derive(Debug)]
pub struct Act(pub Invocation);

impl Command for Act {
    type Reply = ();

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    fn parse(&self, _: &Output) -> Result<(), Error> {
        Ok(())
    }
}

/// A command of which the failure is an answer too: whoever runs it reads what it printed.
#[derive(Debug)]
pub struct Attempt(pub Invocation);

impl Command for Attempt {
    type Reply = Output;

    fn invocation(&self) -> Invocation {
        self.0.clone()
    }

    fn accepts(&self, _: &Output) -> bool {
        true
    }

    fn parse(&self, output: &Output) -> Result<Output, Error> {
        Ok(output.clone())
    }
}
