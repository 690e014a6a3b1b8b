//! Compose models and files: nothing panics, an unknown key never passes, and neither does a path
//! outside of the project.
#![no_main]

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use docker_mcp_server::policy::{FileKind, Files, Located, Paths, Policy, Source};
use docker_mcp_server_fuzz as fuzz;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};

const SHOP: &str = "/home/ann/shop";
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "services", "volumes", "networks", "secrets", "configs", "name", "shop", "web", "db", "x-web", "x-a", "build",
    "deploy", "ports", "type", "source", "target", "bind", "volume", "device", "o", "driver_opts", "driver", "local",
    "environment", "file", "context", "dockerfile", "additional_contexts", "cache_from", "type=local,src=", "logging",
    "options", "network_mode", "pid", "ipc", "host", "privileged", "cap_add", "SYS_ADMIN", "devices", "volumes_from",
    "include", "extends", "env_file", "label_file", "path", "project_directory", "read_only", "create_host_path",
    "propagation", "/", "/etc", "/etc/passwd", "/home/ann/shop", "/data", "/link", "..", ".", "../..", "/home/ann",
    "/var/run/docker.sock", "/.ssh", "$", "$$", "${X}", "${X:-/etc}", "~", "true", "false", "none", "content", "external",
    ":", ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", ", ", "\"", "'", "|", ">", "&a ", "*a", "<<: ", "!!binary ", "---",
    "#", "?", "%YAML 1.1", "\t", "\u{feff}", "\u{85}", "\\x2f", "a",
];

/// Ann's: the project, and a link in it that leads out of it.
struct Machine;

impl Paths for Machine {
    fn locate(&self, path: &Path) -> Located {
        if !path.is_absolute() {
            return Located { path: path.to_owned(), kind: FileKind::Unknown };
        }
        let path = followed(path);
        let kind = match path.to_str() {
            Some("/" | "/etc" | "/home/ann" | "/home/ann/shop" | "/home/ann/shop/data") => {
                FileKind::Folder
            }
            Some("/etc/passwd" | "/home/ann/shop/more.yaml") => FileKind::File,
            _ => FileKind::Missing,
        };
        Located { path, kind }
    }
}

impl Files for Machine {
    fn read(&self, _: &Path) -> std::result::Result<String, String> {
        Ok("services:\n  more:\n    env_file: more.env\n".to_owned())
    }

    fn link_to_nothing(&self, _: &Path) -> Option<PathBuf> {
        None
    }
}

fn followed(path: &Path) -> PathBuf {
    let mut followed = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(followed.pop()),
            other => followed.push(other),
        }
        if followed == Path::new("/home/ann/shop/link") {
            followed = PathBuf::from("/etc");
        }
    }
    followed
}

fn is_inside(path: &str) -> bool {
    Path::new(path).is_absolute() && followed(Path::new(path)).starts_with(SHOP)
}

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let policy = Policy { home: Some("/home/ann".into()), ..Policy::default() };
    policy.with_project(Path::new(SHOP))
});

/// It passes, and says much.
static EVERYDAY: LazyLock<Value> = LazyLock::new(|| {
    let model = include_str!("../../../fixtures/policy/everyday-2.40.3.json");
    serde_json::from_str(model).expect("it is JSON")
});

fuzz_target!(|bytes: &[u8]| -> Corpus { try_all(bytes).map_or(Corpus::Reject, |()| Corpus::Keep) });

fn try_all(bytes: &[u8]) -> Result<()> {
    let mut bytes = Unstructured::new(bytes);
    if bytes.ratio(1, 3)? { file(&mut bytes) } else { model(&mut bytes) }
}

// --- the text of a file

fn file(bytes: &mut Unstructured<'_>) -> Result<()> {
    let mut text = fuzz::text(bytes, WORDS)?;
    for _ in 0..bytes.int_in_range(0..=6)? {
        text.push_str(&fuzz::text(bytes, WORDS)?);
    }
    let prescan = |text: &str| {
        let source =
            Source { name: "x".to_owned(), text: text.to_owned(), path: None };
        POLICY.prescan(vec![source], Path::new(SHOP), &[], BTreeMap::new(), &Machine)
    };
    for path in prescan(&text).map(|prescanned| prescanned.files).unwrap_or_default() {
        assert!(path.to_str().is_some_and(is_inside), "{path:?} in {text:?}");
    }
    // Whatever stands before it, unless all of it is one text.
    let is_one_text = text.contains("---")
        || text.contains("...")
        || text.trim_start().starts_with(['|', '>', '!', '&', '%', '\u{feff}']);
    if !is_one_text {
        let more = format!("{text}\nlast:\n  env_file: /etc/passwd\n");
        assert!(prescan(&more).is_err(), "{more:?}");
    }
    Ok(())
}

// --- the model

fn model(bytes: &mut Unstructured<'_>) -> Result<()> {
    let mut model = if bytes.ratio(1, 8)? { fuzz::json(bytes, WORDS)? } else { EVERYDAY.clone() };
    for _ in 0..bytes.int_in_range(0..=4)? {
        edit(bytes, &mut model)?;
    }
    if POLICY.vet(&model, "shop", &Machine).is_ok() {
        nothing_of_the_host(&model);
        let mut objects = vec![];
        objects_of_compose(&model, &mut objects);
        let pointer = bytes.choose(&objects)?;
        let key = bytes.choose(&["surprise", "X-a", "provider2", "Privileged", "x_a", ""])?;
        let object = model.pointer_mut(pointer).and_then(Value::as_object_mut);
        object.expect("it is an object").insert((*key).to_owned(), json!(1));
        let refusal = POLICY.vet(&model, "shop", &Machine).expect_err("an unknown key");
        assert_eq!(refusal.rules(), ["compose.unknown_key"], "{key:?} at {pointer}");
    }
    Ok(())
}

fn edit(bytes: &mut Unstructured<'_>, model: &mut Value) -> Result<()> {
    let mut places = vec![];
    pointers(model, "", &mut places);
    let place = model.pointer_mut(bytes.choose(&places)?).expect("it is there");
    match place {
        Value::Object(members) if bytes.ratio(2, 3)? => {
            members.insert(fuzz::text(bytes, WORDS)?, fuzz::json(bytes, WORDS)?);
        }
        Value::Array(items) if bytes.ratio(2, 3)? => items.push(fuzz::json(bytes, WORDS)?),
        other if bytes.ratio(1, 2)? => *other = fuzz::text(bytes, WORDS)?.into(),
        other => *other = fuzz::json(bytes, WORDS)?,
    }
    Ok(())
}

fn pointers(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    for (key, value) in members(value) {
        pointers(value, &format!("{pointer}/{key}"), found);
    }
}

/// The members of an object or of a list, by the words of a pointer.
fn members(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Object(members) => {
            let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
            members.iter().map(|(key, value)| (escaped(key), value)).collect()
        }
        Value::Array(items) => (0..).map(|i: usize| i.to_string()).zip(items).collect(),
        _ => vec![],
    }
}

/// Pointers to objects in which compose, not the project, gives the keys their meaning.
fn objects_of_compose(model: &Value, found: &mut Vec<String>) {
    fn push(pointer: String, value: Option<&Value>, found: &mut Vec<String>) {
        if value.is_some_and(Value::is_object) {
            found.push(pointer);
        }
    }
    push(String::new(), Some(model), found);
    for section in ["networks", "volumes", "secrets", "configs", "services"] {
        for (name, object) in members(&model[section]) {
            push(format!("/{section}/{name}"), Some(object), found);
        }
    }
    for (name, service) in members(&model["services"]) {
        for key in ["build", "deploy", "healthcheck", "logging", "blkio_config", "develop"] {
            push(format!("/services/{name}/{key}"), service.get(key), found);
        }
        for key in ["volumes", "ports", "configs", "secrets", "networks", "depends_on"] {
            for (i, item) in members(&service[key]) {
                push(format!("/services/{name}/{key}/{i}"), Some(item), found);
            }
        }
    }
}

fn nothing_of_the_host(model: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().replace("$$", "$");
    for (name, service) in members(&model["services"]) {
        for (_, volume) in
            members(&service["volumes"]).iter().filter(|(_, it)| it["type"] == "bind")
        {
            let source = text(&volume["source"]);
            let is_harmless = ["/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo"]
                .iter()
                .any(|harmless| followed(Path::new(&source)).starts_with(harmless));
            assert!(is_inside(&source) || is_harmless, "{name}: {volume}");
        }
        for key in ["network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup"] {
            let value = text(&service[key]);
            assert!(value != "host" && !value.starts_with("container:"), "{name}: {key} {value}");
        }
        for key in [
            "privileged",
            "use_api_socket",
            "devices",
            "provider",
            "gpus",
            "cgroup_parent",
            "runtime",
        ] {
            let value = &service[key];
            let is_nothing =
                ["null", "false", "\"false\"", "\"\"", "[]", "{}", "0", "0.0", "-0.0", "\"runc\""];
            assert!(is_nothing.contains(&value.to_string().as_str()), "{name}: {key} {value}");
        }
        if let Some(context) = service["build"].get("context").filter(|it| !it.is_null()) {
            assert!(is_inside(&text(context)), "{name}: {context}");
        }
        // Compose would put a variable in.
        for key in ["environment", "volumes", "command", "image", "labels"] {
            for text in fuzz::texts(&service[key]) {
                let is_of_compose = service[key].get(text).is_none();
                assert!(!is_of_compose || !text.replace("$$", "").contains('$'), "{name}: {text}");
            }
        }
    }
    for (name, volume) in members(&model["volumes"]) {
        let device = text(&volume["driver_opts"]["device"]);
        assert!(!device.starts_with('/') || is_inside(&device), "{name}: {volume}");
    }
    for section in ["secrets", "configs"] {
        for (name, content) in members(&model[section]) {
            let file = text(&content["file"]);
            let is_harmless = file.starts_with("/etc/") || file.starts_with("/usr/share/zoneinfo");
            assert!(
                content["file"].is_null() || is_inside(&file) || is_harmless,
                "{name}: {content}"
            );
        }
    }
}
