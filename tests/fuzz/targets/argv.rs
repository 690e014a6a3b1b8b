//! From the arguments of create-container to a command line: what is shown is what is run, nothing
//! becomes an option, no value of the environment is written down, and the command arrives as sent.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use docker_mcp_server::command::Invocation;
use docker_mcp_server::command::values::Environment;
use docker_mcp_server::policy::Policy;
use docker_mcp_server::tools::create_command;
use docker_mcp_server::workspace::Workspace;
use docker_mcp_server_fuzz as fuzz;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

#[rustfmt::skip]
const PARAMETERS: &[&str] = &[
    "name", "restart", "ports", "environment", "volumes", "network", "networks", "command", "entrypoint",
    "user", "working_dir", "hostname", "labels", "memory", "cpus", "resources", "healthcheck", "extra_hosts",
    "platform", "pull", "init", "read_only", "tmpfs", "shm_size", "pids_limit", "ulimits", "cap_add",
    "cap_drop", "security_opt", "privileged", "gpus", "devices", "dns", "log_driver", "log_options",
    "stop_signal", "stop_timeout_seconds",
];
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "web", "a", "b", "-", "--", "-v", "--privileged", "--volume=/:/host", "=", ":", ",", "/", ".", "..", " ", "'",
    "\"", "\\", "$", "$(id)", "`", ";", "&", "|", "<", "\n", "\r", "\t", "\0", "\u{1b}[0m", "ü", "host", "none",
    "container:", "bridge", "1", "80", "8080:80", "/data", "data:/data", "ro", "tmpfs", "type", "target", "source",
    "volume", "A", "KEY", "LD_PRELOAD", "DOCKER_HOST", "PATH", "a.b", "hunter2secret", "***", "512m", "0.5",
    "test", "CMD", "CMD-SHELL", "interval", "1s", "limits", "reservations", "memory", "cpus", "nofile", "10.0.0.1",
    "linux/amd64", "ALL", "SIGTERM", "no-new-privileges", "json-file", "max-size", "10m", "always", "1000:1000",
];

static WORKSPACE: LazyLock<Workspace> = LazyLock::new(|| {
    let folder = PathBuf::from("/nonexistent/shop");
    Workspace::new(folder, Arc::new(Policy::default()))
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(arguments) = arguments(bytes) else { return Corpus::Reject };
    if let Ok(invocation) = create_command(arguments.clone(), &WORKSPACE) {
        check(&arguments, &invocation);
    }
    Corpus::Keep
});

/// Parameters that fit more often than not: one that does not ends the call.
fn arguments(bytes: &[u8]) -> Result<Map<String, Value>> {
    let mut bytes = Unstructured::new(bytes);
    let mut arguments = Map::from_iter([("image".to_owned(), json!("nginx:1"))]);
    for _ in 0..bytes.int_in_range(1..=5)? {
        let parameter = *bytes.choose(PARAMETERS)?;
        let value = match bytes.int_in_range(0..=3)? {
            0 => fuzz::json(&mut bytes, WORDS)?,
            1 => fuzz::text(&mut bytes, WORDS)?.into(),
            2 => {
                let length = bytes.int_in_range(0..=4)?;
                let items = (0..length).map(|_| fuzz::text(&mut bytes, WORDS));
                items.collect::<Result<Vec<_>>>()?.into()
            }
            _ => {
                let length = bytes.int_in_range(0..=4)?;
                let mut entry =
                    || Ok((fuzz::text(&mut bytes, WORDS)?, fuzz::text(&mut bytes, WORDS)?.into()));
                (0..length).map(|_| entry()).collect::<Result<Map<_, _>>>()?.into()
            }
        };
        arguments.insert(parameter.to_owned(), value);
    }
    Ok(arguments)
}

fn check(arguments: &Map<String, Value>, invocation: &Invocation) {
    let argv = invocation.argv();
    assert!(argv.iter().all(|word| !word.contains('\0')), "{argv:?}");
    let dashes = argv.iter().position(|word| word == "--").expect("the image is an operand");
    let (options, operands) = (&argv[2..dashes], &argv[dashes + 1..]);
    assert_eq!(argv[..2], ["container", "create"]);
    assert!(options.iter().all(|word| word.starts_with("--") && word.len() > 2), "{options:?}");
    shown_is_run(invocation, &argv);
    operands_are_as_sent(arguments, operands, options);
    environment_arrives(arguments, invocation, options);
}

/// The same words, but for values that are secret by their name.
fn shown_is_run(invocation: &Invocation, argv: &[String]) {
    let shown = invocation.to_string();
    let words = shell_words::split(&shown).expect("a shell can read it");
    assert_eq!(words[0], "docker");
    assert_eq!(words.len(), argv.len() + 1, "{shown}");
    for (shown, run) in words[1..].iter().zip(argv) {
        let name = shown.strip_suffix("***").filter(|name| name.ends_with('='));
        let may_hide = ["--env=", "--label=", "--log-opt="].iter().any(|it| shown.starts_with(it));
        match name {
            Some(name) if may_hide => assert!(run.starts_with(name), "{shown} is {run}"),
            _ => assert_eq!(shown, run),
        }
    }
}

fn operands_are_as_sent(arguments: &Map<String, Value>, operands: &[String], options: &[String]) {
    assert_eq!(operands[0], "nginx:1");
    let words = |name: &str| match arguments.get(name) {
        None | Some(Value::Null) => Some(vec![]),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        }
        // Text is split like a shell does, which is tested elsewhere.
        Some(_) => None,
    };
    let (Some(entrypoint), Some(command)) = (words("entrypoint"), words("command")) else { return };
    let rest = entrypoint.get(1..).unwrap_or_default();
    assert_eq!(operands[1..], [rest, &command[..]].concat());
    if let Some(first) = entrypoint.first() {
        assert!(options.contains(&format!("--entrypoint={first}")), "{options:?}");
    }
}

/// In the file on standard input, in the client's own environment, or in a word that is not shown.
fn environment_arrives(
    arguments: &Map<String, Value>,
    invocation: &Invocation,
    options: &[String],
) {
    let mut arrived = BTreeMap::new();
    let file = invocation.stdin_bytes().map_or(&[][..], |bytes| bytes);
    let file = std::str::from_utf8(file).expect("it is text");
    for line in file.split_terminator('\n') {
        let (key, value) = line.split_once('=').expect("every line has a value");
        arrived.insert(key.to_owned(), value.to_owned());
    }
    for option in options.iter().filter_map(|option| option.strip_prefix("--env=")) {
        let (key, value) = match option.split_once('=') {
            Some((key, value)) => (key, value),
            None => (option, invocation.env()[option].expose()),
        };
        arrived.insert(key.to_owned(), value.to_owned());
    }
    let sent = arguments.get("environment").filter(|sent| !sent.is_null());
    let sent = sent.map(|sent| Environment::deserialize(sent).expect("it was accepted"));
    let sent: BTreeMap<String, String> =
        (sent.iter().flatten()).map(|(key, value)| (key.to_string(), value.clone())).collect();
    assert_eq!(arrived, sent);
}
