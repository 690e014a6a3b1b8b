//! Input schemas, without what schemars adds and models pay for.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::CONSENT;

/// The definition describes some of the parameters and only names the others, which another tool
/// describes: every client pays for every word of every definition.
#[derive(Clone, Copy, Debug)]
pub struct Brief {
    pub described: &'static [&'static str],
    /// What is said of the others.
    pub others: &'static str,
}

/// The schema of a parameter struct, all that is accepted: inlined, and without titles, formats and
/// nulls.
pub fn full<T: JsonSchema>() -> Map<String, Value> {
    trimmed(generator().into_root_schema_for::<T>())
}

/// The schema as clients see it. Every client pays for it with its context, so it says each thing
/// once: the first of several accepted types, and no members of inner objects, which the
/// description of the parameter lists. (A single type is also all that some clients can pass on to
/// their models.)
pub fn advertised(full: &Map<String, Value>, brief: Option<Brief>) -> Map<String, Value> {
    let mut schema = full.clone();
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in
        properties.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut)
    {
        let first = property.get("type").and_then(|types| types.get(0)).cloned();
        if let Some(first) = first {
            property.insert("type".to_owned(), first);
        }
        if property.get("type").is_some_and(|kind| kind == "object") {
            property.remove("properties");
            property.remove("required");
        }
        if property.get("type").is_some_and(|kind| kind == "array") {
            // Some clients refuse a list of anything.
            property.entry("items").or_insert_with(|| json!({"type": "string"}));
        } else {
            property.remove("items");
        }
    }
    if let Some(brief) = brief {
        shorten(&mut schema, brief);
    }
    schema
}

/// Most of the parameters without their names, which another tool lists.
fn shorten(schema: &mut Map<String, Value>, brief: Brief) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    let is_described = |name: &str| brief.described.contains(&name) || CONSENT.contains(&name);
    properties.retain(|name, _| is_described(name));
    // A name that is none of theirs is refused with the nearest that is.
    let named = json!({"^[a-z_]+$": {"description": brief.others}});
    schema.insert("patternProperties".to_owned(), named);
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator()
}

fn trimmed(schema: Schema) -> Map<String, Value> {
    let Value::Object(mut root) = schema.to_value() else { return Map::new() };
    trim(&mut root);
    // A struct's own comment is for readers of the source.
    root.remove("description");
    root.insert("additionalProperties".to_owned(), Value::Bool(false));
    root.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    root
}

fn trim(schema: &mut Map<String, Value>) {
    schema.remove("title");
    // Go and JavaScript validators warn about number formats that they do not know.
    schema.remove("format");
    // Absent and null mean the same here, so only the real type is advertised.
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                schema.entry(key).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    // Defaults stand in the descriptions, and what a value may look like in the refusal of one that
    // does not: models read words, and pay for patterns and bounds.
    schema.remove("default");
    schema.remove("pattern");
    // Unknown members of an inner object are refused all the same.
    schema.remove("additionalProperties");
    schema.remove("minimum");
    schema.remove("maximum");
    schema.remove("patternProperties");
    schema.remove("uniqueItems");
    for (key, value) in schema.iter_mut() {
        match (key.as_str(), value) {
            // The keys below are names of parameters, not words of the schema language.
            ("properties" | "patternProperties", Value::Object(named)) => {
                named.values_mut().filter_map(Value::as_object_mut).for_each(trim);
            }
            ("enum" | "const" | "default" | "examples" | "required", _) => {}
            (_, Value::Object(inner)) => trim(inner),
            (_, Value::Array(items)) => {
                items.iter_mut().filter_map(Value::as_object_mut).for_each(trim);
            }
            _ => {}
        }
    }
}
