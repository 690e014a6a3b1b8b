//! One run of docker as a value: what is run, what it may do, how its output is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::diagnose::Program;
use super::effect::{Effect, Hazard};
use super::feed::Feed;
use super::values::Environment;

/// How much of a stream is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capture {
    /// All of it, at most this many bytes; more is an error, because half a JSON is worth nothing.
    Whole { max: usize },
    /// The last bytes; what came before is counted.
    Tail { max: usize },
    /// The last bytes as well; a watcher gets each line as it is, empty and long ones too.
    Lines { max: usize },
    /// The first quarter and the last three, both of whole lines; a line between them tells how
    /// much is left out.
    Ends { max: usize },
}

/// What becomes of standard output and standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Streams {
    Split {
        stdout: Capture,
        stderr: Capture,
    },
    /// Both through one pipe, so that their order is kept; it arrives as `stdout`.
    Merged(Capture),
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Arg {
    Plain(String),
    /// How we run it and not what is run: it is left out of what is shown.
    Unshown(String),
    /// Only `shown` is ever printed.
    Secret {
        shown: String,
        value: String,
    },
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A file as it is now; another state of it is another question to whoever reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileState {
    pub path: PathBuf,
    /// Device, number, size, and when it was last changed, in nanoseconds; nothing when there is no
    /// such file.
    pub identity: Option<[i64; 4]>,
}

/// 16 MiB: `inspect` of a thousand containers is 7 MB.
const WHOLE: Capture = Capture::Whole { max: 16 << 20 };
/// The end of standard error is where docker says why.
const LAST_WORDS: Capture = Capture::Tail { max: 64 << 10 };
/// The longest line that docker reads from an environment file is 64 KiB.
const ENV_FILE_VALUE_MAX: usize = 60 << 10;

/// One run of docker. Built by the verbs below; `Display` is the command line as it may be shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Invocation {
    program: Program,
    /// Words of the subcommand (`container`, `stop`); constants.
    verb: Vec<&'static str>,
    /// Compose's own options, which stand before the verb.
    global: Vec<Arg>,
    options: Vec<Arg>,
    operands: Vec<String>,
    effect: Effect,
    hazards: Vec<Hazard>,
    env: BTreeMap<String, Secret>,
    stdin: Option<Arc<[u8]>>,
    feed: Option<Feed>,
    drain: Option<Feed>,
    streams: Streams,
    timeout: Option<Duration>,
    /// How long it is watched; see [`Self::follow`].
    follow: Option<Duration>,
    killed_means_undone: bool,
    in_background: bool,
    of_this_moment: bool,
    only_here: bool,
    reads: Option<Vec<FileState>>,
    needed_there: Vec<PathBuf>,
}

/// A client that is followed gets this much longer to start and to end.
const FOLLOW_MARGIN: Duration = Duration::from_secs(15);
/// What may take longer than this does not hold up what is quick.
const LONG: Duration = Duration::from_secs(60);
/// What runs in the background lives as long as the server.
const NO_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

impl Invocation {
    /// `docker VERB…`.
    pub fn docker<const N: usize>(effect: Effect, verb: [&'static str; N]) -> Self {
        Self {
            program: Program::Docker,
            verb: verb.to_vec(),
            global: vec![],
            options: vec![],
            operands: vec![],
            effect,
            hazards: vec![],
            env: BTreeMap::new(),
            stdin: None,
            feed: None,
            drain: None,
            streams: Streams::Split { stdout: WHOLE, stderr: LAST_WORDS },
            timeout: None,
            follow: None,
            killed_means_undone: false,
            in_background: false,
            of_this_moment: false,
            only_here: false,
            reads: None,
            needed_there: vec![],
        }
    }

    /// `docker compose … VERB`; see [`super::compose`] for the options before the verb.
    pub(super) fn compose(effect: Effect, verb: &'static str) -> Self {
        Self { program: Program::Compose, ..Self::docker(effect, [verb]) }
    }

    /// As [`Self::global`], for what says nothing to who reads the command line.
    pub(super) fn unshown_global(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.global.push(Arg::Unshown(format!("{name}={value}")));
        self
    }

    /// An option of compose itself: `--name=value` before the verb.
    pub(super) fn global(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.global.push(Arg::Plain(format!("{name}={value}")));
        self
    }

    /// `--name` when `on`.
    pub fn flag(mut self, name: &str, on: bool) -> Self {
        if on {
            self.options.push(Arg::Plain(name.to_owned()));
        }
        self
    }

    /// `--name=value`, one word, so that a value can never be taken for an option.
    pub fn option(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.options.push(Arg::Plain(format!("{name}={value}")));
        self
    }

    /// `--name=value` when there is a value.
    pub fn maybe(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.option(name, value),
            None => self,
        }
    }

    /// `--name=value` for each value.
    pub fn each(self, name: &str, values: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        values.into_iter().fold(self, |invocation, value| invocation.option(name, value))
    }

    /// `--name=key=value`, of which only the key is ever printed.
    pub fn secret(mut self, name: &str, key: &str, value: &str) -> Self {
        self.options.push(Arg::Secret {
            shown: format!("{name}={key}=***"),
            value: format!("{name}={key}={value}"),
        });
        self
    }

    /// A property that the policy must know about.
    pub fn hazard(mut self, hazard: Hazard) -> Self {
        self.hazards.push(hazard);
        self
    }

    /// The environment of a container, without a value on the command line: other users of the
    /// host can read command lines.
    ///
    /// Values go through `--env-file=/dev/stdin`, which clients 20.10 to 29 read. It cannot carry
    /// a newline, a leading blank or a line over 64 KiB, and standard input may be taken; such a
    /// value goes through the client's own environment (`--env=KEY`), unless the name would steer
    /// the client itself (`LD_PRELOAD`, `DOCKER_HOST`): then it is written out, but never shown.
    pub fn environment(mut self, environment: &Environment) -> Self {
        let mut file = String::new();
        for (key, value) in environment {
            let fits_a_line = value.len() < ENV_FILE_VALUE_MAX
                && !value.contains(['\n', '\r'])
                && !key.as_str().contains(char::is_whitespace);
            if self.stdin.is_none() && fits_a_line {
                file.push_str(key.as_str());
                file.push('=');
                file.push_str(value);
                file.push('\n');
            } else if key.is_reserved() || key.as_str().contains(['.', '-']) {
                self = self.secret("--env", key.as_str(), value);
            } else {
                self = self.option("--env", key).client_env(key.as_str(), value);
            }
        }
        if !file.is_empty() {
            self = self.option("--env-file", "/dev/stdin").stdin(file.into_bytes());
        }
        self
    }

    /// A variable of the docker client's own environment.
    pub fn client_env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.to_owned(), Secret::new(value));
        self
    }

    /// Operands; the builder writes `--` before the first one.
    pub fn operands(mut self, operands: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        self.operands.extend(operands.into_iter().map(|operand| operand.to_string()));
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Standard input from a pipe that is filled meanwhile. It can be read once, so a run of it is
    /// not to be repeated when docker may have read from it.
    pub fn feed(mut self, feed: Feed) -> Self {
        self.feed = Some(feed);
        self
    }

    /// Standard output goes there, and nothing of it is kept.
    pub fn drain(mut self, drain: Feed) -> Self {
        self.drain = Some(drain);
        self
    }

    pub fn streams(mut self, streams: Streams) -> Self {
        self.streams = streams;
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// For a command that goes on by itself (`logs --follow`): it is watched for so long and then
    /// ended, which is no failure; what it printed by then is the answer.
    pub fn follow(mut self, duration: Duration) -> Self {
        self.follow = Some(duration);
        self.timeout(duration + FOLLOW_MARGIN)
    }

    /// It belongs to no call: it takes none of their slots and runs until it is cancelled.
    pub fn in_background(mut self) -> Self {
        self.in_background = true;
        self.timeout(NO_LIMIT)
    }

    /// It asks for what changes without an event, such as a size: no earlier answer is as good.
    pub fn of_this_moment(mut self) -> Self {
        self.of_this_moment = true;
        self
    }

    /// It reads files of this machine and asks no daemon, so it is run here, as this user, whatever
    /// stands before docker.
    pub fn only_here(mut self) -> Self {
        self.only_here = true;
        self
    }

    /// It reads these files and what it is given, and asks nobody: as long as all of them stay as they
    /// are, its answer does.
    pub fn reads(mut self, files: Vec<FileState>) -> Self {
        self.reads = Some(files);
        self
    }

    /// A path of this machine that the engine, or the docker client before it, has to find where it
    /// is.
    pub fn needed_there(mut self, path: impl Into<PathBuf>) -> Self {
        self.needed_there.push(path.into());
        self
    }

    /// Ending the client also ends the work (true for a pull, which the daemon then drops).
    pub fn killed_means_undone(mut self) -> Self {
        self.killed_means_undone = true;
        self
    }

    pub fn program(&self) -> Program {
        self.program
    }

    /// The last word of the subcommand: `stop`, `up`.
    pub fn verb(&self) -> &'static str {
        self.verb.last().copied().unwrap_or_default()
    }

    /// The words of docker's own subcommand: `container`, `ls`; none for compose.
    pub fn subcommand(&self) -> &[&'static str] {
        if self.program == Program::Docker { &self.verb } else { &[] }
    }

    /// Whether its success tells that the daemon is there: some commands only read files.
    pub fn asks_the_daemon(&self) -> bool {
        let asks_none = matches!(
            (self.program, self.verb.as_slice()),
            (Program::Compose, ["config" | "version"])
                | (Program::Docker, ["context" | "buildx", ..])
        );
        !self.only_here && !asks_none
    }

    pub fn effect(&self) -> Effect {
        self.effect
    }

    pub fn hazards(&self) -> &[Hazard] {
        &self.hazards
    }

    pub fn env(&self) -> &BTreeMap<String, Secret> {
        &self.env
    }

    pub fn stdin_bytes(&self) -> Option<&Arc<[u8]>> {
        self.stdin.as_ref()
    }

    pub fn fed(&self) -> Option<&Feed> {
        self.feed.as_ref()
    }

    pub fn drained(&self) -> Option<&Feed> {
        self.drain.as_ref()
    }

    pub fn captures(&self) -> Streams {
        self.streams
    }

    /// The limit of its own, where it has one; the operator's limit for its effect applies otherwise.
    pub fn time_limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long it is watched before it is ended without a complaint.
    pub fn follow_limit(&self) -> Option<Duration> {
        self.follow
    }

    /// Whether it is followed, or may take minutes by a limit of its own.
    pub fn is_long(&self) -> bool {
        self.follow.is_some() || self.timeout.is_some_and(|limit| limit > LONG)
    }

    /// Whether it reads little and ends at once: what is kept whole is at most some megabytes. What
    /// compose makes of a file in its memory has no such limit.
    pub fn is_short(&self) -> bool {
        let is_whole = matches!(self.streams, Streams::Split { stdout: Capture::Whole { .. }, .. });
        let reads_little = self.program == Program::Docker && self.effect == Effect::Read;
        reads_little && is_whole && !self.is_long() && !self.in_background
    }

    pub fn is_in_background(&self) -> bool {
        self.in_background
    }

    pub fn is_of_this_moment(&self) -> bool {
        self.of_this_moment
    }

    pub fn reads_nothing_but_files(&self) -> bool {
        self.reads.is_some()
    }

    pub fn reads_only_here(&self) -> bool {
        self.only_here
    }

    pub fn paths_needed_there(&self) -> &[PathBuf] {
        &self.needed_there
    }

    pub fn is_undone_when_killed(&self) -> bool {
        self.killed_means_undone || self.effect == Effect::Read
    }

    /// The command line as an error tells it: without the template by which we read a listing.
    pub fn told(&self) -> String {
        let is_template =
            |arg: &Arg| matches!(arg, Arg::Plain(word) if word.starts_with("--format={"));
        let mut told = self.clone();
        told.options.retain(|arg| !is_template(arg));
        told.to_string()
    }

    /// The words after the program, secrets included. For the runner alone.
    pub fn argv(&self) -> Vec<String> {
        self.words(|arg| match arg {
            Arg::Plain(word) | Arg::Unshown(word) | Arg::Secret { value: word, .. } => {
                Some(word.clone())
            }
        })
    }

    fn words(&self, word: impl Fn(&Arg) -> Option<String>) -> Vec<String> {
        let mut words = vec![];
        if self.program == Program::Compose {
            words.push("compose".to_owned());
        }
        words.extend(self.global.iter().filter_map(&word));
        words.extend(self.verb.iter().map(|&verb| verb.to_owned()));
        words.extend(self.options.iter().filter_map(&word));
        if !self.operands.is_empty() {
            words.push("--".to_owned());
            words.extend(self.operands.iter().cloned());
        }
        words
    }
}

/// The command line to copy into a terminal; secrets are `***`.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("docker")?;
        let shown = self.words(|arg| match arg {
            Arg::Plain(word) | Arg::Secret { shown: word, .. } => Some(word.clone()),
            Arg::Unshown(_) => None,
        });
        for word in shown {
            write!(f, " {}", quote(&word))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invocation({self})")
    }
}

/// Quotes a word for a POSIX shell, only when it needs it: `shell_words` quotes every `=`.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(value: serde_json::Value) -> Environment {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn operands_come_after_a_double_dash() {
        let invocation = Invocation::docker(Effect::Destroy, ["container", "stop"])
            .option("-t", 5)
            .flag("--force", false)
            .operands(["web"]);
        assert_eq!(invocation.to_string(), "docker container stop -t=5 -- web");
    }

    #[test]
    fn no_value_of_the_environment_is_on_the_command_line() {
        let values =
            serde_json::json!({"DB_PASS": "hunter2", "MULTI": "a\nb", "LD_PRELOAD": "x\ny"});
        let invocation = Invocation::docker(Effect::Change, ["container", "create"])
            .environment(&environment(values));
        assert_eq!(
            invocation.to_string(),
            "docker container create '--env=LD_PRELOAD=***' --env=MULTI --env-file=/dev/stdin"
        );
        assert_eq!(invocation.stdin_bytes().unwrap().as_ref(), b"DB_PASS=hunter2\n");
        assert_eq!(invocation.env().keys().collect::<Vec<_>>(), ["MULTI"]);
    }

    #[test]
    fn an_error_does_not_tell_the_template_of_a_listing() {
        let invocation = Invocation::docker(Effect::Read, ["volume", "ls"])
            .option("--filter", "dangling=true")
            .option("--format", r#"{"Name":{{json .Name}}}"#);
        assert_eq!(invocation.told(), "docker volume ls --filter=dangling=true");
        let model = Invocation::compose(Effect::Read, "config").option("--format", "json");
        assert_eq!(model.told(), model.to_string());
    }

    #[test]
    fn what_is_shown_can_be_pasted_into_a_shell() {
        let words = ["it's", "a b", "--filter=label=x", "$HOME", ""];
        let shown = words.map(quote).join(" ");
        assert_eq!(shell_words::split(&shown).unwrap(), words);
    }
}
