//! What is said of wrong arguments: in words of JSON, whatever the value and the parameter.

use std::time::Duration;

use docker_mcp_server::error::Code;
use serde_json::{Map, Value, json};

use crate::stage::Stage;

#[tokio::test]
async fn a_wrong_value_is_told_without_words_of_rust() {
    let stage = Stage::empty();
    let words = [
        "struct", "enum", "tuple", "sequence", "map", "u8", "u16", "u32", "u64", "i32", "i64",
        "f64", "bool", "Option", "Vec", "newtype", "untagged", "elements",
    ];
    let values = [
        json!([]),
        json!([1]),
        json!([[]]),
        json!([{}]),
        json!({}),
        json!({"frobnicate": 1}),
        json!("a b"),
        json!(""),
        json!(-1),
        json!(1.5),
        json!(1e12),
        json!(true),
    ];
    let (mut refused, mut found) = (0, vec![]);
    for entry in docker_mcp_server::tools::all() {
        for (parameter, members) in parameters(&entry.full_schema) {
            for value in &values {
                let value = members.map_or_else(|| value.clone(), |name| json!({name: value}));
                let mut given = others(&entry.full_schema);
                given.insert(parameter.clone(), value.clone());
                let call = entry.call(given, stage.context());
                let Ok(Err(error)) = tokio::time::timeout(Duration::from_millis(300), call).await
                else {
                    continue;
                };
                if error.code != Code::InvalidConfiguration {
                    continue;
                }
                refused += 1;
                let told = error.to_string().replace(&value.to_string(), "");
                let of_rust = told
                    .split(|letter: char| !letter.is_ascii_alphanumeric())
                    .find(|word| words.contains(word))
                    .or_else(|| told.contains("unknown variant").then_some("variant"));
                let name = entry.spec.name;
                if let Some(word) = of_rust {
                    found.push(format!("{name} {parameter} {value}: {word}: {told}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(refused > 1000, "only {refused} were refused");
}

/// The parameters of a tool, and again with each member of those that are objects.
fn parameters(schema: &Map<String, Value>) -> Vec<(String, Option<&str>)> {
    let mut all = vec![];
    for (name, property) in schema["properties"].as_object().unwrap() {
        all.push((name.clone(), None));
        let members = property.get("properties").and_then(Value::as_object);
        let members = members.into_iter().flat_map(Map::keys);
        all.extend(members.map(|member| (name.clone(), Some(member.as_str()))));
    }
    all
}

/// Right values of what is required.
fn others(schema: &Map<String, Value>) -> Map<String, Value> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let right = |name: &str| match schema["properties"][name].get("enum") {
        Some(choices) => choices[0].clone(),
        None => json!("valid"),
    };
    required.filter_map(Value::as_str).map(|name| (name.to_owned(), right(name))).collect()
}
