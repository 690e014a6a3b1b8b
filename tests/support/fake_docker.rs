//! A stand-in for docker. Docker clients get a cleared environment, so what it shall do is told by
//! the files beside the link through which it is started (a *stage*, made by `tests/it/stage.rs`):
//!
//! * `docker.sh`: it becomes that shell script;
//! * `world.json`: it answers about the objects in it (`world.rs`);
//! * `record`, a link to a real docker: it runs that one and writes the exchange to `exchanges/`;
//! * else it replays `exchanges/`.
//!
//! An exchange is `N.argv` with what came back: `N.stdout`, `N.stderr`, `N.exit`, and `N.stdin` for
//! what it was given; see `fixtures/cases/README.md`.

#[expect(clippy::indexing_slicing, reason = "what a JSON value does not have is null")]
mod world;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

/// The exit status when nothing fits: docker itself never has it.
const NO_RECORDING: u8 = 99;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let started_as = started_as(&words.next().unwrap_or_default());
    let stage = started_as.parent().unwrap_or(Path::new("."));
    let script = started_as.with_extension("sh");
    if script.exists() {
        // By way of the shell, because a script that another thread's child still has open for
        // writing cannot be executed (ETXTBSY).
        let error = command("/bin/sh").arg(script).args(words).exec();
        return failed(&format!("the script cannot be run: {error}"));
    }
    let argv: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let result = if stage.join("world.json").exists() {
        world::answer(&stage.join("world.json"), &argv)
    } else if stage.join("record").exists() {
        record(stage, &argv)
    } else {
        replay(stage, &argv)
    };
    result.unwrap_or_else(|error| failed(&error.to_string()))
}

/// The link through which this program was started. Who finds programs on the path (`env`, a shell)
/// tells only their name.
#[expect(clippy::disallowed_methods, reason = "it is no part of the server")]
fn started_as(name: &OsStr) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|it| it.exists());
    match found {
        Some(found) if !name.as_encoded_bytes().contains(&b'/') => found,
        _ => PathBuf::from(name),
    }
}

#[expect(clippy::disallowed_methods, reason = "it stands in for docker, outside of the server")]
fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

fn failed(message: &str) -> ExitCode {
    let _nobody_listens = writeln!(io::stderr(), "fake docker: {message}");
    ExitCode::from(NO_RECORDING)
}

fn everything_given() -> io::Result<Vec<u8>> {
    let mut given = vec![];
    io::stdin().read_to_end(&mut given)?;
    Ok(given)
}

// --- replay -------------------------------------------------------------------------------------

/// One run of docker as it was recorded.
struct Exchange {
    /// The path of its files without their extension.
    files: PathBuf,
    number: u32,
    argv: Vec<String>,
    stdin: String,
}

/// What placeholders stand for: `{workspace}` is told by the stage, `{request}` is whatever came
/// where it stood first.
type Variables = BTreeMap<&'static str, String>;
/// Verbs that change nothing.
const READS: [&str; 16] = [
    "config", "df", "diff", "events", "history", "images", "info", "inspect", "logs", "ls", "port",
    "ps", "search", "stats", "top", "version",
];

const PLACEHOLDERS: [&str; 2] = ["workspace", "request"];

fn replay(stage: &Path, argv: &[String]) -> io::Result<ExitCode> {
    let given = String::from_utf8_lossy(&everything_given()?).into_owned();
    let state = stage.join("state");
    let known = variables(stage);
    // Each request has a value of its own.
    let fixed = known.iter().filter(|(name, _)| **name != "request");
    let fixed: Variables = fixed.map(|(name, value)| (*name, value.clone())).collect();
    let exchanges = exchanges(&stage.join("exchanges"))?;
    let fitting: Vec<(&Exchange, Variables)> = exchanges
        .iter()
        .filter_map(|exchange| Some((exchange, exchange.fits(argv, &given, &fixed)?)))
        .collect();
    let chosen = choose(&fitting, &exchanges, &state);
    let Some((exchange, variables)) = chosen else {
        let message = unknown(argv, &given, &exchanges);
        fs::write(state.join(format!("unknown.{}", std::process::id())), &message)?;
        return Ok(failed(&message));
    };
    if let Some(request) = variables.get("request") {
        fs::write(state.join("request"), request)?;
    }
    exchange.play(&known.into_iter().chain(variables.clone()).collect())
}

type Fitting<'a> = (&'a Exchange, Variables);

/// Each exchange once and in order. A read that comes more often than it was recorded is answered
/// as the last time, as long as nothing is changed: tools poll, and how often depends on time.
fn choose<'f, 'e>(
    fitting: &'f [Fitting<'e>],
    exchanges: &[Exchange],
    state: &Path,
) -> Option<&'f Fitting<'e>> {
    let changes = || exchanges.iter().filter(|exchange| exchange.changes());
    let last_change = changes().filter(|it| it.is_used(state)).map(|it| it.number).max();
    let next_change = changes().filter(|it| !it.is_used(state)).map(|it| it.number).min();
    let is_now = |(exchange, _): &&Fitting<'_>| {
        exchange.changes()
            || (last_change.is_none_or(|number| exchange.number > number)
                && next_change.is_none_or(|number| exchange.number < number))
    };
    let mut now = fitting.iter().filter(is_now);
    now.clone()
        .find(|(exchange, _)| exchange.take(state))
        .or_else(|| now.next_back())
        .or_else(|| fitting.iter().find(|(exchange, _)| exchange.take(state)))
        .or_else(|| fitting.last())
}

fn variables(stage: &Path) -> Variables {
    let told = PLACEHOLDERS.into_iter().filter_map(|name| {
        let value = fs::read_to_string(stage.join("state").join(name)).ok()?;
        Some((name, value))
    });
    told.collect()
}

fn exchanges(folder: &Path) -> io::Result<Vec<Exchange>> {
    let mut exchanges = vec![];
    for number in 1.. {
        let files = folder.join(number.to_string());
        let Ok(argv) = fs::read_to_string(files.with_extension("argv")) else { break };
        let stdin = optional(&files.with_extension("stdin"))?;
        exchanges.push(Exchange {
            argv: argv.lines().map(read_word).collect(),
            stdin: String::from_utf8_lossy(&stdin).into_owned(),
            files,
            number,
        });
    }
    Ok(exchanges)
}

fn optional(file: &Path) -> io::Result<Vec<u8>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        other => other,
    }
}

impl Exchange {
    fn fits(&self, argv: &[String], given: &str, variables: &Variables) -> Option<Variables> {
        let mut variables = variables.clone();
        let same = self.argv.len() == argv.len()
            && self.argv.iter().zip(argv).all(|(word, came)| fits(word, came, &mut variables))
            && fits(&self.stdin, given, &mut variables);
        same.then_some(variables)
    }

    /// Whether docker was told to do something, and not only asked.
    fn changes(&self) -> bool {
        let before_operands = self.argv.iter().take_while(|word| *word != "--");
        let verb = before_operands.filter(|word| !word.starts_with('-')).last();
        !verb.is_some_and(|verb| READS.contains(&verb.as_str()))
    }

    fn is_used(&self, state: &Path) -> bool {
        self.marker(state).exists()
    }

    fn marker(&self, state: &Path) -> PathBuf {
        state.join(format!("{}.used", self.number))
    }

    /// Marks it as used; false when it was used before, by whichever process.
    fn take(&self, state: &Path) -> bool {
        File::options().write(true).create_new(true).open(self.marker(state)).is_ok()
    }

    fn play(&self, variables: &Variables) -> io::Result<ExitCode> {
        let output = |extension: &str| -> io::Result<Vec<u8>> {
            let recorded = optional(&self.files.with_extension(extension))?;
            // Bytes that are no text have no placeholders either.
            Ok(match String::from_utf8(recorded) {
                Ok(text) => fill_in(&text, variables).into_bytes(),
                Err(bytes) => bytes.into_bytes(),
            })
        };
        io::stderr().write_all(&output("stderr")?)?;
        io::stdout().write_all(&output("stdout")?)?;
        io::stdout().flush()?;
        let exit = optional(&self.files.with_extension("exit"))?;
        match String::from_utf8_lossy(&exit).trim() {
            "" => Ok(ExitCode::SUCCESS),
            // It was ended from outside when it was recorded.
            "hang" => loop {
                std::thread::park();
            },
            code => {
                Ok(code.parse::<u8>().map_or_else(|_| failed("N.exit is no number"), Into::into))
            }
        }
    }
}

/// Whether a recorded text is the one that came (`{now}` is any time); learns what `{request}` stands for.
fn fits(recorded: &str, came: &str, variables: &mut Variables) -> bool {
    let recorded = fill_in(recorded, variables);
    if let Some(before) = recorded.strip_suffix("{now}") {
        return came.starts_with(before);
    }
    let Some((before, after)) = recorded.split_once("{request}") else {
        return recorded == came;
    };
    let request = came.strip_prefix(before).and_then(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        rest.get(..end.unwrap_or(rest.len())).filter(|request| !request.is_empty())
    });
    let Some(request) = request else { return false };
    variables.insert("request", request.to_owned());
    // Its other places must have the same.
    came == format!("{before}{request}{}", fill_in(after, variables))
}

fn fill_in(text: &str, variables: &Variables) -> String {
    variables
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Says what came and what comes nearest, in words that can be compared line by line.
fn unknown(argv: &[String], given: &str, exchanges: &[Exchange]) -> String {
    let likeness = |exchange: &&Exchange| {
        let same = exchange.argv.iter().filter(|word| argv.contains(word)).count();
        (same, std::cmp::Reverse(exchange.argv.len().abs_diff(argv.len())))
    };
    let mut message = vec!["there is no recording of".to_owned()];
    message.extend(shown(argv, given));
    match exchanges.iter().max_by_key(likeness) {
        None => message.push("  (there are no recordings at all)".to_owned()),
        Some(nearest) => {
            message.push(format!("  the nearest is {}.argv:", nearest.number));
            message.extend(shown(&nearest.argv, &nearest.stdin));
        }
    }
    message.join("\n")
}

fn shown(argv: &[String], stdin: &str) -> Vec<String> {
    let words = argv.iter().map(|word| format!("    {}", write_word(word)));
    let input = (!stdin.is_empty()).then(|| format!("  with standard input {stdin:?}"));
    words.chain(input).collect()
}

// --- record -------------------------------------------------------------------------------------

fn record(stage: &Path, argv: &[String]) -> io::Result<ExitCode> {
    let given = everything_given()?;
    let files = new_exchange(&stage.join("exchanges"), argv)?;
    if !given.is_empty() {
        fs::write(files.with_extension("stdin"), &given)?;
    }
    // What remains when we are ended together with docker.
    fs::write(files.with_extension("exit"), "hang\n")?;
    let mut docker = command(stage.join("record").canonicalize()?)
        .args(argv)
        .stdin(if given.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    copy_streams(&mut docker, &given, &files)?;
    let status = docker.wait()?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
    if code == 0 {
        fs::remove_file(files.with_extension("exit"))?;
    } else {
        fs::write(files.with_extension("exit"), format!("{code}\n"))?;
    }
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Takes the next free number.
fn new_exchange(folder: &Path, argv: &[String]) -> io::Result<PathBuf> {
    let words: String = argv.iter().map(|word| write_word(word) + "\n").collect();
    for number in 1.. {
        let files = folder.join(number.to_string());
        let file = File::options().write(true).create_new(true).open(files.with_extension("argv"));
        match file {
            Ok(mut file) => {
                file.write_all(words.as_bytes())?;
                return Ok(files);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the numbers do not end")
}

fn copy_streams(docker: &mut Child, given: &[u8], files: &Path) -> io::Result<()> {
    let (stdin, stdout, stderr) = (docker.stdin.take(), docker.stdout.take(), docker.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(given)));
        let errors = scope.spawn(|| copy(stderr, io::stderr(), &files.with_extension("stderr")));
        copy(stdout, io::stdout(), &files.with_extension("stdout"))?;
        errors.join().expect("copying does not panic")
    })
}

/// Passes on what comes as it comes; a stream without output leaves no file.
fn copy(from: Option<impl Read>, mut to: impl Write, file: &Path) -> io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut chunk = vec![0; 16 << 10];
    let mut copy = None;
    loop {
        let count = from.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        let copy = match &mut copy {
            Some(copy) => copy,
            none => none.insert(File::create(file)?),
        };
        copy.write_all(bytes)?;
        to.write_all(bytes)?;
        to.flush()?;
    }
}

// --- words of N.argv ----------------------------------------------------------------------------

/// A word on a line of its own; as a JSON string when it could be misread.
fn write_word(word: &str) -> String {
    let plain = !word.is_empty()
        && word.trim() == word
        && !word.starts_with('"')
        && !word.chars().any(char::is_control);
    if plain { word.to_owned() } else { serde_json::Value::from(word).to_string() }
}

fn read_word(line: &str) -> String {
    serde_json::from_str(line)
        .ok()
        .filter(|_| line.starts_with('"'))
        .unwrap_or_else(|| line.to_owned())
}
