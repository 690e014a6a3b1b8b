//! What clients see of the tools before they call one.

use std::collections::BTreeSet;
use std::path::Path;

use clap::ValueEnum as _;
use docker_mcp_server::progress::Progress;
use docker_mcp_server::server::{INSTRUCTIONS, definitions, instructions};
use docker_mcp_server::tools::Toolset;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;
use crate::wire::{Era, LATEST_LEGACY, Transport, Wire, everywhere};

/// The definitions as they are on the wire.
fn tools() -> Vec<Value> {
    let definitions = definitions(&Stage::empty().allowing_everything().dispatcher());
    definitions.iter().map(|definition| serde_json::to_value(definition).unwrap()).collect()
}

fn name(tool: &Value) -> &str {
    tool["name"].as_str().unwrap()
}

/// Fails with all that is wrong at once.
fn demand(problems: impl IntoIterator<Item = String>) {
    let problems: Vec<String> = problems.into_iter().collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn each_definition_is_as_it_was_accepted() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/tools");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for tool in tools() {
        let shown = serde_json::to_string_pretty(&tool).unwrap();
        settings.bind(|| insta::assert_snapshot!(name(&tool), shown));
    }
}

#[test]
fn no_definition_is_kept_of_a_tool_that_is_gone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/tools");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let kept: BTreeSet<String> = files
        .filter_map(|file| Some(file.into_string().unwrap().strip_suffix(".snap")?.to_owned()))
        .collect();
    let known: BTreeSet<String> = tools().iter().map(|tool| name(tool).to_owned()).collect();
    assert_eq!(kept.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn names_are_unique_plain_and_in_order() {
    let tools = tools();
    let names: Vec<&str> = tools.iter().map(name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "unique and in order: {names:?}");
    let plain = regex_lite::Regex::new("^[a-z][a-z0-9-]{2,40}$").unwrap();
    demand(
        names.iter().filter(|name| !plain.is_match(name)).map(|name| format!("{name}: no name")),
    );
}

#[test]
fn every_hint_is_given() {
    demand(tools().iter().flat_map(|tool| {
        let annotations = &tool["annotations"];
        let given = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
        let mut problems: Vec<String> = given
            .iter()
            .filter(|hint| !annotations[**hint].is_boolean())
            .map(|hint| format!("{}: no {hint}", name(tool)))
            .collect();
        let read_only = annotations["readOnlyHint"] == true;
        if read_only && annotations["destructiveHint"] == true {
            problems.push(format!("{}: reads and destroys", name(tool)));
        }
        if annotations["title"].as_str().is_none_or(str::is_empty) {
            problems.push(format!("{}: no title", name(tool)));
        }
        problems
    }));
}

#[test]
fn every_changing_tool_can_be_tried_dry() {
    demand(tools().iter().filter_map(|tool| {
        let changes = tool["annotations"]["readOnlyHint"] == false;
        let can = tool["inputSchema"]["properties"]["dry_run"]["type"] == "boolean";
        (changes && !can).then(|| format!("{}: no dry_run", name(tool)))
    }));
}

#[test]
fn descriptions_are_short_and_whole() {
    demand(tools().iter().filter_map(|tool| {
        let description = tool["description"].as_str().unwrap_or_default();
        let length = description.chars().count();
        let good = (20..=500).contains(&length) && description.ends_with('.');
        (!good).then(|| format!("{}: {length} characters: {description}", name(tool)))
    }));
}

#[test]
fn descriptions_name_only_tools_and_parameters_that_exist() {
    let tools = tools();
    let names: BTreeSet<&str> = tools.iter().map(name).collect();
    let verbs: BTreeSet<&str> = names.iter().filter_map(|name| name.split('-').next()).collect();
    let word = regex_lite::Regex::new(r"\b[a-z]+(-[a-z]+)+\b").unwrap();
    let texts = tools
        .iter()
        .map(|tool| (name(tool), tool["description"].as_str().unwrap()))
        .chain([("instructions", INSTRUCTIONS)]);
    demand(texts.flat_map(|(at, text)| {
        let words = word.find_iter(text).map(|found| found.as_str());
        let meant = words.filter(|word| verbs.contains(word.split('-').next().unwrap()));
        // It is a part of the usual name of a file, too.
        let unknown = meant.filter(|word| !names.contains(word) && *word != "docker-compose");
        unknown.map(|word| format!("{at}: there is no {word}")).collect::<Vec<_>>()
    }));
}

/// The texts in the sources, without those of tests.
fn texts_of(path: &Path, texts: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            texts_of(&entry.unwrap().path(), texts);
        }
        return;
    }
    let name = path.display().to_string();
    if path.extension().is_none_or(|it| it != "rs")
        || name.ends_with("tests.rs")
        || name.contains("/tests/")
    {
        return;
    }
    let source = std::fs::read_to_string(path).unwrap();
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code = source.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    let code = code.replace("'\"'", "");
    let text = regex_lite::Regex::new(r#""(?:[^"\\]|\\[\s\S])*""#).unwrap();
    texts.extend(text.find_iter(&code).map(|found| (name.clone(), found.as_str().to_owned())));
}

#[test]
fn refusals_and_hints_name_only_tools_that_exist() {
    let tools = tools();
    let names: BTreeSet<&str> = tools.iter().map(name).collect();
    let verbs: BTreeSet<&str> = names.iter().filter_map(|name| name.split('-').next()).collect();
    // `docker-…` are programs, packages, files and labels.
    let others = [
        "build-host",
        "disk-full",
        "exec-format",
        "start-failed",
        // Options of docker, and of what runs it.
        "build-context",
        "kill-after",
        "remove-orphans",
        // A prompt.
        "run-to-compose",
    ];
    let is_meant = |word: &str| {
        let verb = word.split('-').next().unwrap();
        verb != "docker" && verbs.contains(verb) && !others.contains(&word)
    };
    let is_word = |c: char| c.is_alphanumeric() || "_./-".contains(c);
    let plain = regex_lite::Regex::new("^[a-z]+(-[a-z]+)+$").unwrap();
    let mut texts = vec![];
    texts_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
    assert!(texts.iter().any(|(_, text)| text.contains("stop-container first")), "{texts:?}");
    demand(texts.iter().flat_map(|(at, text)| {
        // An option or a part of a path is another word.
        let words = text.split(|c| !is_word(c)).map(|word| word.trim_end_matches('.'));
        let meant = words.filter(|word| plain.is_match(word) && is_meant(word));
        let unknown = meant.filter(|word| !names.contains(word));
        let mut problems: Vec<String> =
            unknown.map(|word| format!("{at}: there is no {word}: {text}")).collect();
        if text.contains(" own tool") {
            problems.push(format!("{at}: a tool is meant and not named: {text}"));
        }
        problems
    }));
}

#[test]
fn only_tools_that_are_offered_are_named() {
    let all = tools();
    let all: BTreeSet<&str> = all.iter().map(name).collect();
    let word = regex_lite::Regex::new(r"\b[a-z]+(-[a-z]+)*\b").unwrap();
    let full = Stage::empty().allowing_everything();
    let sets = Toolset::value_variants().iter().map(|set| full.dispatcher_of_sets(&[*set]));
    let read_only = Stage::empty().allowing_nothing().dispatcher();
    let mut problems = vec![];
    for dispatcher in sets.chain([read_only]) {
        let definitions = definitions(&dispatcher);
        let offered: BTreeSet<&str> = definitions.iter().map(|it| it.name.as_ref()).collect();
        let described = definitions.iter().map(|it| it.description.as_deref().unwrap().to_owned());
        for text in described.chain([instructions(&dispatcher)]) {
            let named = word.find_iter(&text).map(|found| found.as_str());
            let absent = named.filter(|it| all.contains(it) && !offered.contains(it));
            // The word of everybody for it.
            let absent = absent.filter(|it| it.contains('-') || text.contains(&format!(": {it}")));
            problems.extend(absent.map(|it| format!("{it} is named: {text}")));
            if text.len() < 15 || !text.ends_with('.') {
                problems.push(format!("too little is left: {text}"));
            }
        }
    }
    demand(problems);
    assert_eq!(instructions(&full.dispatcher()), INSTRUCTIONS);
    let looking = instructions(&Stage::empty().allowing_nothing().dispatcher());
    for word in ["dry_run", "confirm"] {
        assert!(INSTRUCTIONS.contains(word) && !looking.contains(word), "{looking}");
    }
}

#[tokio::test]
async fn hints_name_only_tools_that_are_offered() {
    let missing = async |stage: Stage| {
        let arguments = json!({"image": "x:1"}).as_object().unwrap().clone();
        let (cancel, progress) = (CancellationToken::default(), Progress::default());
        let rendered = stage.dispatcher().call("inspect-image", arguments, cancel, progress).await;
        rendered.unwrap().text
    };
    let no_image = "echo 'Error response from daemon: No such image: x:1' >&2; exit 1";
    let stage = || Stage::script(no_image);
    let all = missing(stage()).await;
    assert!(all.contains("list-images shows what is here; pull-image or build-image"), "{all}");
    let read_only = missing(stage().allowing_nothing()).await;
    assert!(read_only.contains("hint: list-images shows what is here\n"), "{read_only}");
}

#[test]
fn schemas_are_plain_objects() {
    demand(tools().iter().flat_map(|tool| {
        let schema = &tool["inputSchema"];
        let mut problems = vec![];
        if schema["type"] != "object" {
            problems.push("its root is no object");
        }
        if schema["additionalProperties"] != false {
            problems.push("it allows additional properties");
        }
        if !schema["properties"].is_object() {
            problems.push("it has no properties");
        }
        for key in ["anyOf", "oneOf", "allOf", "not", "$ref", "$schema", "$defs", "definitions"] {
            if schema.get(key).is_some() {
                problems.push("its root has more than properties");
            }
        }
        if schema.to_string().contains("\"$ref\"") {
            problems.push("it has references");
        }
        problems.into_iter().map(|problem| format!("{}: {problem}", name(tool))).collect::<Vec<_>>()
    }));
}

#[test]
fn every_parameter_is_described() {
    fn walk(at: &str, schema: &Value, problems: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            let description = property["description"].as_str().unwrap_or_default();
            if description.split(' ').count() < 4 && at.matches('.').count() == 1 {
                problems.push(format!("{at}: too few words to learn from: {description}"));
            }
            if description.chars().count() > 300 || description.contains('\n') {
                problems.push(format!("{at}: more than one short sentence: {description}"));
            }
            if property.get("format").is_some() || property["type"].to_string().contains("\"null\"")
            {
                problems.push(format!("{at}: what schemars adds is not trimmed: {property}"));
            }
            let plain =
                name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
            if !plain {
                problems.push(format!("{at}: no name of a parameter"));
            }
            walk(&at, property, problems);
            walk(&format!("{at}[]"), &property["items"], problems);
        }
    }
    let mut problems = vec![];
    for tool in tools() {
        walk(name(&tool), &tool["inputSchema"], &mut problems);
    }
    demand(problems);
}

#[test]
fn what_is_required_exists() {
    demand(tools().iter().flat_map(|tool| {
        let schema = &tool["inputSchema"];
        let required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
        let missing = required.into_iter().filter_map(|parameter| {
            let exists = schema["properties"].get(parameter.as_str().unwrap()).is_some();
            (!exists).then(|| format!("{}: {parameter} is required and unknown", name(tool)))
        });
        missing.collect::<Vec<_>>()
    }));
}

#[test]
fn the_common_parameters_are_called_the_same_everywhere() {
    let names: Map<String, Value> = serde_json::from_value(json!({
        "container": "container_name", "container_id": "container_name",
        "project": "project_name", "timeout": "timeout_seconds",
        "image_name": "image", "dryrun": "dry_run", "env": "environment",
    }))
    .unwrap();
    demand(tools().iter().flat_map(|tool| {
        let properties = tool["inputSchema"]["properties"].as_object().unwrap();
        // What prune may remove is chosen as lists are filtered, and filters have a `project`.
        let is_filter = |key: &str| name(tool) == "prune" && key == "project";
        let keys = properties.keys().filter(|key| !is_filter(key));
        let wrong = keys.filter_map(|key| Some((key, names.get(key)?)));
        wrong.map(|(key, right)| format!("{}: {key} is {right}", name(tool))).collect::<Vec<_>>()
    }));
}

#[test]
fn the_instructions_are_short() {
    assert!(INSTRUCTIONS.len() <= 1500, "{} bytes", INSTRUCTIONS.len());
}

#[tokio::test]
async fn the_list_is_small_on_the_wire() {
    let stage = Stage::empty().allowing_everything();
    for era in [LATEST_LEGACY, Era::Modern] {
        let mut wire = Wire::connect(&stage, Transport::Memory, era).await;
        let size = wire.ask("tools/list", json!({})).await.to_string().len();
        assert!(size <= 64_000, "tools/list has {size} bytes");
    }
}

#[tokio::test]
async fn the_list_is_the_same_each_time() {
    let stage = Stage::empty();
    let mut lists = BTreeSet::new();
    for (transport, era) in everywhere().filter(|(transport, _)| *transport != Transport::Sockets) {
        let mut wire = Wire::connect(&stage, transport, era).await;
        for _ in 0..2 {
            let answer = wire.ask("tools/list", json!({})).await;
            lists.insert(answer["result"]["tools"].to_string());
        }
    }
    assert_eq!(lists.len(), 1, "the list depends on who asks");
}

#[tokio::test]
async fn the_core_is_small() {
    let stage = Stage::empty();
    let dispatcher = stage.dispatcher_of_sets(&[Toolset::Core]);
    let list = serde_json::to_string(&definitions(&dispatcher)).unwrap();
    assert!(list.len() <= 20_000, "{} bytes", list.len());
    assert_eq!(dispatcher.offered().count(), 22, "one of them is called otherwise");
}
