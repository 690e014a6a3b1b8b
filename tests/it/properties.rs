//! What has to hold whatever a caller, a container or docker says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use docker_mcp_server::command::containers::{InspectContainers, ListContainers};
use docker_mcp_server::command::diagnose::diagnose;
use docker_mcp_server::command::text::clean;
use docker_mcp_server::command::{Command as _, Effect, Invocation, Output, Program};
use docker_mcp_server::docs;
use docker_mcp_server::error::Code;
use docker_mcp_server::redact::Redactor;
use docker_mcp_server::server::render::{ANSWER_MAX, Renderer};
use docker_mcp_server::tools::reply::Answer;
use docker_mcp_server::tools::{Entry, arguments};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::stage::Stage;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static TOOLS: LazyLock<Arc<Vec<Entry>>> =
    LazyLock::new(|| Arc::new(docker_mcp_server::tools::all()));

/// Few of the cases that need processes, many of the others; the same ones in each run.
fn cases(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(20_260_728);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

// --- what callers may say ---------------------------------------------------------------------------

/// Texts that mean something to docker, to a shell or to a parser, and plain names.
fn text() -> BoxedStrategy<String> {
    let nasty = select(vec![
        "",
        " ",
        "-",
        "--",
        "-v",
        "--privileged",
        "--volume=/:/host",
        "-v=/:/host",
        "=",
        "a=b",
        "../x",
        "/",
        "/var/run/docker.sock",
        "$(id)",
        "`id`",
        "a;b",
        "a b",
        "a\tb",
        "a\nb",
        "'",
        "\"",
        "\\",
        "*",
        "{{json .}}",
        "\u{1b}[31m",
        "ü",
        "🦀",
        "\u{202e}",
        "null",
        "true",
        "0",
        "-1",
        "1e999",
        "[]",
        "{}",
        "[\"a\"]",
        "{\"a\":1}",
        "web",
        "a",
        "sha256:abc",
        "host",
        "none",
        "container:x",
        "@",
        "https://user:pw@h/x",
        "[REDACTED]",
    ]);
    prop_oneof![
        3 => nasty.prop_map(str::to_owned),
        3 => "[a-z][a-z0-9_.-]{0,12}",
        1 => any::<String>(),
    ]
    .boxed()
}

/// Any JSON.
fn json_value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Quarters are read as they were written.
        any::<i16>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}

/// A value that a schema asks for, as far as the schema says.
fn fitting(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.is_empty()) {
        return select(choices.clone()).boxed();
    }
    if let Some(choices) = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array()) {
        return union(choices.iter().map(fitting).collect());
    }
    let typed = |name: &str| match name {
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => prop_oneof![0..20_i64, any::<i64>()].prop_map(Value::from).boxed(),
        "number" => (0.0..8.0).prop_map(Value::from).boxed(),
        "array" => vec(fitting(&schema["items"]), 0..3).prop_map(Value::from).boxed(),
        "object" => members(schema),
        "null" => Just(Value::Null).boxed(),
        _ => text().prop_map(Value::from).boxed(),
    };
    match &schema["type"] {
        Value::String(name) => typed(name),
        Value::Array(names) => union(names.iter().filter_map(Value::as_str).map(typed).collect()),
        _ => json_value(),
    }
}

fn union(choices: Vec<BoxedStrategy<Value>>) -> BoxedStrategy<Value> {
    proptest::strategy::Union::new(choices).boxed()
}

fn members(schema: &Value) -> BoxedStrategy<Value> {
    let Some(properties) = schema["properties"].as_object().filter(|it| !it.is_empty()) else {
        let value = match &schema["additionalProperties"] {
            inner @ Value::Object(_) => fitting(inner),
            _ => text().prop_map(Value::from).boxed(),
        };
        let map = btree_map(text(), value, 0..3);
        return map.prop_map(|members| Value::Object(members.into_iter().collect())).boxed();
    };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    properties.iter().fold(Just(Value::Object(Map::new())).boxed(), |members, (name, property)| {
        let value = if required.contains(&name.as_str()) {
            fitting(property).prop_map(Some).boxed()
        } else {
            proptest::option::weighted(0.3, fitting(property)).boxed()
        };
        let name = name.clone();
        (members, value)
            .prop_map(move |(mut members, value)| {
                if let Some(value) = value {
                    members[&name] = value;
                }
                members
            })
            .boxed()
    })
}

/// A tool with arguments that its schema asks for.
fn call() -> impl Strategy<Value = (usize, Map<String, Value>)> {
    (0..TOOLS.len()).prop_flat_map(|tool| {
        let schema = Value::Object(TOOLS[tool].input_schema());
        members(&schema).prop_map(move |arguments| {
            let Value::Object(arguments) = arguments else { unreachable!("it is an object") };
            (tool, arguments)
        })
    })
}

// --- arguments ----------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn no_json_makes_the_reading_of_arguments_panic(
        tool in 0..TOOLS.len(),
        named in any::<prop::sample::Index>(),
        value in json_value(),
        more in btree_map(text(), json_value(), 0..2),
    ) {
        let schema = &TOOLS[tool].input_schema();
        let mut given: Map<String, Value> = more.into_iter().collect();
        let properties = schema["properties"].as_object().unwrap();
        if !properties.is_empty() {
            given.insert(properties.keys().nth(named.index(properties.len())).unwrap().clone(), value);
        }
        if let Err(error) = arguments::fit(schema, given) {
            prop_assert_eq!(error.code, Code::InvalidConfiguration);
        }
    }

    #[test]
    fn no_arguments_make_a_tool_panic((tool, given) in call()) {
        let stage = Stage::empty();
        let answer = RUNTIME.block_on(TOOLS[tool].call(given, stage.context()));
        if let Err(error) = answer {
            prop_assert_ne!(error.code, Code::Internal);
            prop_assert!(!error.message.is_empty());
        }
    }
}

// --- command lines ------------------------------------------------------------------------------------

/// Answers `inspect` like a docker that has everything, and notes what it was asked.
const NOTING: &str = r#"printf '%s\0' "$@" >> $here/asked; printf '\n\0' >> $here/asked
case "$1 $2" in
*inspect*) cat $here/inspect;;
esac"#;

/// All texts in quotes of the source: what we ourselves may put on a command line.
fn our_words() -> BTreeSet<String> {
    fn walk(folder: &Path, words: &mut BTreeSet<String>, quoted: &regex_lite::Regex) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, words, quoted);
            } else {
                let source = fs::read_to_string(&path).unwrap();
                words.extend(quoted.captures_iter(&source).map(|word| word[1].to_owned()));
            }
        }
    }
    let mut words = BTreeSet::new();
    let quoted = regex_lite::Regex::new(r#""(-{0,2}[a-z][a-z-]*)""#).unwrap();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut words, &quoted);
    words
}

fn noting_docker() -> Stage {
    let stage = Stage::script(NOTING);
    let container = json!([{
        "Id": "a001".repeat(16), "Name": "/web", "Created": "2026-11-24T09:46:04.5Z",
        "State": {"Status": "running", "Running": true},
        "Config": {"Image": "nginx", "Labels": {}},
    }]);
    fs::write(stage.path("inspect"), container.to_string()).unwrap();
    stage
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn nothing_that_a_caller_says_becomes_an_option_or_a_verb((tool, given) in call()) {
        static OURS: LazyLock<BTreeSet<String>> = LazyLock::new(our_words);
        let stage = noting_docker();
        let shown = format!("{} {}", TOOLS[tool].spec.name, Value::from(given.clone()));
        // Some tools wait for what never comes.
        let call = TOOLS[tool].call(given, stage.context());
        let _any = RUNTIME.block_on(async { tokio::time::timeout(Duration::from_millis(500), call).await });
        let asked = stage.text("asked");
        for argv in asked.split_terminator("\n\0") {
            let words = argv.split_terminator('\0');
            for word in words.take_while(|word| *word != "--") {
                let name = word.split_once('=').map_or(word, |(name, _)| name);
                prop_assert!(OURS.contains(name), "{shown} runs {argv:?}: {word:?} is not ours");
                prop_assert!(name == word || name.starts_with('-'), "{shown} runs {argv:?}");
            }
        }
    }
}

/// Any command line that can be built.
fn invocation() -> impl Strategy<Value = Invocation> {
    let option = (select(vec!["--filter", "--label", "-t", "--format"]), text());
    let flag = (select(vec!["--all", "--force"]), any::<bool>());
    (vec(option, 0..4), vec(flag, 0..2), vec(text(), 0..4)).prop_map(
        |(options, flags, operands)| {
            let verb = Invocation::docker(Effect::Destroy, ["container", "rm"]);
            let with_options =
                options.iter().fold(verb, |it, (name, value)| it.option(name, value));
            let with_flags = flags.iter().fold(with_options, |it, (name, on)| it.flag(name, *on));
            with_flags.operands(operands)
        },
    )
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn a_shown_command_line_is_the_one_that_is_run(invocation in invocation()) {
        let words = shell_words::split(&invocation.to_string()).unwrap();
        prop_assert_eq!(&words[0], "docker");
        prop_assert_eq!(&words[1..], &invocation.argv()[..]);
    }

    #[test]
    fn operands_stand_alone_behind_the_double_dash(operands in vec(text(), 1..5)) {
        let argv = Invocation::docker(Effect::Read, ["container", "inspect"])
            .flag("--size", true)
            .operands(&operands)
            .argv();
        let at = argv.iter().position(|word| word == "--").unwrap();
        prop_assert_eq!(&argv[..at], &["container", "inspect", "--size"]);
        prop_assert_eq!(&argv[at + 1..], &operands[..]);
    }

    #[test]
    fn a_secret_is_never_shown(value in "[a-zA-Z0-9'\" $]{8,40}", operands in vec(text(), 0..2)) {
        let invocation = Invocation::docker(Effect::Change, ["container", "create"])
            .secret("--env", "PASSWORD", &value)
            .client_env("TOKEN", &value)
            .stdin(value.clone().into_bytes())
            .operands(operands.iter().filter(|operand| !operand.contains(&value)));
        prop_assert!(!invocation.to_string().contains(&value));
        let debugged = format!("{invocation:?}");
        prop_assert!(!debugged.contains(&value));
        let word = format!("--env=PASSWORD={value}");
        prop_assert!(invocation.argv().contains(&word));
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn operands_arrive_byte_for_byte(operands in vec(text(), 1..5)) {
        let stage = Stage::script(r#"printf '%s\0' "$@""#);
        let operands: Vec<String> =
            operands.into_iter().map(|operand| operand.replace('\0', "")).collect();
        let inspect = Invocation::docker(Effect::Read, ["inspect"]).operands(&operands);
        let output = RUNTIME.block_on(stage.run(inspect)).unwrap();
        let words: Vec<&str> = output.stdout.split_terminator('\0').collect();
        prop_assert_eq!(&words[..2], &["inspect", "--"]);
        prop_assert_eq!(&words[2..], &operands[..]);
    }
}

// --- what docker says ---------------------------------------------------------------------------------

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_failure_has_a_code_and_one_line_of_cause(
        compose in any::<bool>(),
        verb in select(vec!["ls", "exec", "run", "up", "pull", ""]),
        exit_code in proptest::option::of(0..256_i32),
        stdout in any::<String>(),
        lines in vec(prop_oneof![text(), docker_line()], 0..6),
    ) {
        let program = if compose { Program::Compose } else { Program::Docker };
        let error = diagnose(program, verb, exit_code, &stdout, &lines.join("\n"));
        prop_assert!(!error.message.trim().is_empty(), "{lines:?}");
        prop_assert!(!error.message.contains('\n'), "{:?}", error.message);
        prop_assert!(error.message.chars().count() <= 600);
    }

    #[test]
    fn output_that_was_cut_or_mangled_is_an_error_and_no_panic(
        recording in select(recorded_outputs()),
        from in any::<prop::sample::Index>(),
        length in 0..200_usize,
        instead in text(),
    ) {
        let mut bytes = recording.into_bytes();
        let from = from.index(bytes.len());
        let to = (from + length).min(bytes.len());
        bytes.splice(from..to, instead.bytes());
        let stdout = String::from_utf8_lossy(&bytes).into_owned();
        let output = Output { stdout, ..Output::default() };
        let _any = ListContainers::default().parse(&output);
        let _any = InspectContainers::listed([]).parse(&output);
    }
}

proptest! {
    // Each looks for secrets in up to a megabyte.
    #![proptest_config(cases(40))]

    #[test]
    fn an_answer_is_bounded_and_the_same_in_both_forms(
        lists in btree_map("[a-z]{1,8}", long_value(), 1..4),
    ) {
        static RENDERER: LazyLock<Renderer> =
            LazyLock::new(|| Renderer::new(Arc::new(Redactor::new(true))));
        let value = Value::Object(lists.into_iter().collect());
        let rendered = RENDERER.render(Ok(Answer::Structured(value)));
        prop_assert!(rendered.text.len() <= ANSWER_MAX, "{} bytes", rendered.text.len());
        let from_text: Value = serde_json::from_str(&rendered.text).unwrap();
        prop_assert_eq!(Some(from_text), rendered.structured);
    }
}

// --- secrets and foreign text -------------------------------------------------------------------------

/// What rules of redaction look for, and what stands around it.
fn near_a_secret() -> BoxedStrategy<String> {
    let piece = select(vec![
        "password",
        "TOKEN",
        "api_key",
        "Authorization",
        "Bearer ",
        "=",
        ": ",
        "\"",
        "'",
        "\\\"",
        ", ",
        "\n",
        " ",
        "{",
        "}",
        "[",
        "]",
        "--",
        "://u:",
        "@",
        "mysql -p",
        "curl -u a:",
        "hunter2secret",
        "[REDACTED]",
        "true",
        "-----BEGIN PRIVATE KEY-----",
        "$apr1$",
        "is",
        "value",
        "name",
        "|",
        "&",
        "?",
        "/",
    ]);
    prop_oneof![4 => piece.prop_map(str::to_owned), 1 => text()].boxed()
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn a_learned_value_never_comes_out(
        secret in "[a-zA-Z0-9+]{8,40}",
        before in vec(near_a_secret(), 0..5),
        after in vec(near_a_secret(), 0..5),
        document in json_value(),
    ) {
        let redactor = Redactor::new(true);
        redactor.learn(&secret);
        // Common words are not learned.
        prop_assume!(!redactor.text(&secret).text.contains(&secret));
        let text = format!("{}{secret}{}", before.concat(), after.concat());
        let mut answer = json!({"log": text, "lines": [text, document], (text.clone()): document});
        prop_assert!(!redactor.text(&text).text.contains(&secret));
        redactor.json(&mut answer);
        let shown = answer.to_string();
        prop_assert!(!shown.contains(&secret), "{shown}");
    }

    #[test]
    fn what_was_masked_once_stays_as_it_is(pieces in vec(near_a_secret(), 0..12)) {
        let redactor = Redactor::new(true);
        let text = pieces.concat();
        let once = redactor.text(&text).text;
        prop_assert_eq!(&redactor.text(&once).text, &once, "{}", text);
    }

    #[test]
    fn cleaned_text_has_nothing_left_to_clean(pieces in vec(prop_oneof![text(), any::<String>()], 0..6)) {
        let text = pieces.join("\r\u{1b}[");
        let once = clean(&text).text;
        let is_left = |c: char| c.is_control() && c != '\n' && c != '\t';
        prop_assert!(!once.contains(is_left), "{:?}", once);
        prop_assert_eq!(&clean(&once).text, &once);
    }
}

fn docker_line() -> impl Strategy<Value = String> {
    let line = select(vec![
        "Error response from daemon: ",
        "docker: ",
        "Error: No such container: ",
        "error during connect: ",
        "Cannot connect to the Docker daemon at ",
        "Run 'docker run --help' for more information",
        "unknown flag: --",
        "Bind for 0.0.0.0:80 failed: port is already allocated",
        "yaml: unmarshal errors:",
        "{\"message\":\"",
    ]);
    (line, text()).prop_map(|(line, more)| format!("{line}{more}"))
}

/// What real dockers have printed as JSON.
fn recorded_outputs() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases");
    let outputs: Vec<String> = ["list-containers-states", "inspect-container-running"]
        .iter()
        .flat_map(|case| {
            ["docker-20.10", "docker-26.1", "docker-28.5"].map(|it| folder.join(case).join(it))
        })
        .filter_map(|recording| fs::read_to_string(recording.join("1.stdout")).ok())
        .collect();
    assert!(!outputs.is_empty(), "there are recordings");
    outputs
}

/// Much of something.
fn long_value() -> BoxedStrategy<Value> {
    let object = |n: usize| json!({"name": format!("container-number-{n}"), "state": "running"});
    prop_oneof![
        json_value(),
        (1..3000_usize).prop_map(move |n| (0..n).map(object).collect::<Vec<_>>().into()),
        (1..200_000_usize).prop_map(|n| Value::from("long ".repeat(n))),
        (1..4000_usize).prop_map(|n| {
            let members = (0..n).map(|n| (format!("VARIABLE_{n}"), Value::from("value")));
            Value::Object(members.collect())
        }),
        (1..300_usize).prop_map(|n| vec![Value::from("ü\"\n".repeat(200)); n].into()),
    ]
    .boxed()
}

// --- the catalogue of failures ------------------------------------------------------------------------

#[test]
fn every_code_is_documented() {
    let table = docs::errors_table();
    for code in Code::ALL {
        let row = format!("| {} | `{}` | ", code.id(), code.name());
        assert_eq!(table.matches(&row).count(), 1, "{row}");
        assert!(code.meaning().ends_with('.'), "{row}{}", code.meaning());
    }
}
