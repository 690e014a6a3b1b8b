//! What holds whatever is sent.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::policy::testing::{Machine, standard};
use crate::policy::{Access, FileKind, Located, Paths as _, Source, scan};

/// Keys that mean something, so that the tables are entered, and others.
fn key() -> impl Strategy<Value = String> {
    let known = vec![
        "services",
        "a",
        "volumes",
        "networks",
        "build",
        "deploy",
        "ports",
        "secrets",
        "type",
        "source",
        "bind",
        "device",
        "driver_opts",
        "environment",
        "file",
        "context",
        "name",
        "logging",
        "options",
        "HostConfig",
        "Mounts",
        "CapAdd",
    ];
    prop_oneof![
        3 => prop::sample::select(known).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "/",
            "bind",
            "host",
            "1-9",
            "type=local,src=",
            "size=",
            "a=b",
            "1m"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A part of a model that passes, and says much.
fn everyday() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/policy/everyday-2.40.3.json")).unwrap()
}

/// Pointers to every object in which the keys are compose's, not the project's.
fn objects(value: &Value, pointer: &str, found: &mut Vec<String>) {
    const FREE: [&str; 12] = [
        "environment",
        "labels",
        "args",
        "driver_opts",
        "options",
        "sysctls",
        "ulimits",
        "depends_on",
        "extra_hosts",
        "additional_contexts",
        "aux_addresses",
        "services",
    ];
    let last = pointer.rsplit('/').next().unwrap_or_default();
    let is_of_top = pointer.matches('/').count() == 1;
    let is_service_networks = pointer.ends_with("/networks") && pointer.contains("/services/");
    let is_free = FREE.contains(&last)
        || is_service_networks
        || (is_of_top && ["networks", "volumes", "secrets", "configs"].contains(&last));
    match value {
        Value::Object(entries) => {
            if !is_free {
                found.push(pointer.to_owned());
            }
            for (key, value) in entries.iter().filter(|(key, _)| !key.starts_with("x-")) {
                let key = key.replace('~', "~0").replace('/', "~1");
                objects(value, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                objects(item, &format!("{pointer}/{i}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn an_unknown_key_is_denied_wherever_it_stands() {
    let mut pointers = vec![];
    objects(&everyday(), "", &mut pointers);
    assert!(pointers.len() > 40, "{pointers:#?}");
    for pointer in pointers {
        let mut model = everyday();
        let object = model.pointer_mut(&pointer).unwrap().as_object_mut().unwrap();
        object.insert("surprise".to_owned(), json!(1));
        let refusal = standard().vet(&model, "shop", &Machine::ann()).unwrap_err();
        assert_eq!(refusal.rules(), ["compose.unknown_key"], "{pointer}");
    }
}

proptest! {
    #[test]
    fn no_json_is_too_strange(value in json_value()) {
        let machine = Machine::ann();
        let policy = standard();
        drop(policy.vet(&value, "shop", &machine));
        drop(policy.vet(&json!({"services": {"a": value}}), "shop", &machine));
        drop(policy.target(&value, &machine));
        drop(policy.volume(&value, &machine));
        drop(policy.network(&value, &machine));
    }

    /// In place of any value of a model that passes.
    #[test]
    fn a_service_with_an_unknown_key_never_passes(name in "[a-z_]{1,20}", value in json_value()) {
        let known = include_str!("../compose/service.rs").contains(&format!("(\"{name}\","));
        prop_assume!(!known && !value.is_null());
        let model = json!({"name": "shop", "services": {"a": {name: value}}});
        prop_assert!(standard().vet(&model, "shop", &Machine::ann()).is_err());
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        drop(scan(&text));
    }

    #[test]
    fn no_yaml_is_too_strange(text in "([a-z]{1,3}|env_file|include|extends|file|path|[&*]a|<<|!!?[a-z]+|---|[\\[\\]{}:,\\-\\?|>'\"#%]|\n| |  )*") {
        let machine = Machine::ann();
        let folder = Path::new("/home/ann/shop");
        let source = Source { name: "x".into(), text: text.clone(), path: None };
        drop(scan(&text));
        drop(standard().prescan(vec![source], folder, &[], <_>::default(), &machine));
    }

    /// A plain reference is found however it is written.
    #[test]
    fn a_reference_is_found(
        indent in 0_usize..4,
        quote in prop::sample::select(vec!["", "'", "\""]),
        shape in 0_usize..5,
    ) {
        let path = format!("{quote}/etc/passwd{quote}");
        let value = match shape {
            0 => format!(" {path}"),
            1 => format!(" [{path}]"),
            2 => format!(" [{{path: {path}, required: false}}]"),
            3 => format!("\n{}- {path}", " ".repeat(indent + 1)),
            _ => format!("\n{}- path: {path}", " ".repeat(indent + 1)),
        };
        let text = format!("a:\n {}{quote}env_file{quote}:{value}\n", " ".repeat(indent));
        let found = scan(&text).unwrap();
        prop_assert!(found.references.iter().any(|r| r.value == "/etc/passwd"), "{text}");
    }

    /// Whatever is accepted lies in a root, component by component.
    #[test]
    fn an_accepted_path_is_under_a_root(path in "(/(home|ann|shop|shop-secrets|\\.\\.|\\.|etc|good|everything|x|data)){0,7}/?") {
        let machine = Machine::ann();
        let located = machine.locate(Path::new(&path));
        let root = Path::new("/home/ann/shop");
        for access in [Access::mount(false), Access::READ_FILE] {
            if standard().judge(&located, Path::new(&path), access).is_ok() {
                let components: Vec<_> = located.path.components().take(4).collect();
                prop_assert_eq!(components, root.components().collect::<Vec<_>>());
            }
        }
    }

    /// The same through the model of a project.
    #[test]
    fn a_bind_that_passes_is_under_a_root(
        path in "(/(home|ann|shop|shop-secrets|\\.\\.|\\.|etc|good|everything|x|data|\\$\\$|\\$\\{X\\})){0,7}/?",
        read_only in any::<bool>(),
        service in "(x-)?[a-z]{1,3}",
    ) {
        let mount = json!({"type": "bind", "source": path, "target": "/x", "read_only": read_only});
        let model = json!({"name": "shop", "services": {service: {"image": "a", "volumes": [mount]}}});
        let machine = Machine::ann();
        if standard().vet(&model, "shop", &machine).is_ok() {
            prop_assert!(!path.contains("${"), "{path}");
            let source = path.replace("$$", "$");
            prop_assert!(machine.locate(Path::new(&source)).path.starts_with("/home/ann/shop"), "{path}");
        }
    }

    #[test]
    fn a_path_that_is_not_canonical_is_not_accepted(path in "/home/ann/shop(/[a-z]{1,3}){0,2}/\\.\\.(/[a-z]{1,3}){0,3}") {
        let located = Located { path: path.clone().into(), kind: FileKind::Folder };
        prop_assert!(standard().judge(&located, Path::new(&path), Access::mount(true)).is_err());
    }
}
