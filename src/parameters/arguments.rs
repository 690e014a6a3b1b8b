//! Arguments as clients really send them: tolerant in shape, strict in meaning.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Arguments;
use super::synonyms::nearest;
use crate::error::{Code, Error};
use crate::redact;

/// An object with more is not searched for what is wrong in it.
const MEMBERS: usize = 100;

/// Repairs the shape of arguments by the tool's own schema, and refuses what no tool may get.
///
/// Clients send numbers, booleans, arrays and objects as strings, `5.0` for `5`, and `null` for
/// what is absent (anthropics/claude-code#24597, #32524, #59227).
///
/// # Errors
/// DKR-004 for a name that the tool does not have (with the nearest one that it has), for a
/// missing one that it needs, and for values that were hidden from the caller by this server.
pub fn fit(schema: &Arguments, mut arguments: Arguments) -> Result<Arguments, Error> {
    let none = Map::new();
    let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    fit_members(known, &mut arguments, "")?;
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if !arguments.contains_key(name) {
            let about = known
                .get(name)
                .and_then(|property| property.get("description"))
                .and_then(Value::as_str);
            let about = about.map(|text| format!("; about it: {text}")).unwrap_or_default();
            return Err(Error::invalid(name, format!("the parameter `{name}` is required{about}")));
        }
    }
    for (name, value) in &arguments {
        if redact::contains_marker(value).is_some() {
            let message = format!(
                "`{name}` contains {}, which stands for a value that was hidden from you",
                redact::MARKER
            );
            return Err(Error::invalid(name, message)
                .hint("leave that value out, or ask the person for the real one"));
        }
    }
    Ok(arguments)
}

/// `path` stands before the names of members in an error, such as `filters.`.
fn fit_members(known: &Arguments, members: &mut Arguments, path: &str) -> Result<(), Error> {
    if let Some(name) = members.keys().find(|name| !known.contains_key(*name)) {
        return Err(unknown(name, known, members, path));
    }
    members.retain(|_, value| !value.is_null());
    for (name, value) in members {
        let Some(property) = known.get(name) else { continue };
        if let Some(repaired) = repair(property, value) {
            *value = repaired;
        }
        // An object without properties, such as labels, has names of the caller's own.
        let within = property.get("properties").and_then(Value::as_object);
        if property.get("type").is_some_and(|wanted| wanted == "object") && !value.is_object() {
            return Err(no_object(&format!("{path}{name}"), property, value));
        }
        if let (Some(within), Some(members)) = (within, value.as_object_mut()) {
            fit_members(within, members, &format!("{path}{name}."))?;
        }
    }
    Ok(())
}

fn no_object(name: &str, property: &Value, came: &Value) -> Error {
    let message = |right: &str| format!("`{name}` has to be {right}, and not {}", shorten(came));
    let members = property.get("properties").and_then(Value::as_object);
    if let Some((first, member)) = members.and_then(|members| members.iter().next()) {
        let value = match member.get("type").and_then(Value::as_str) {
            Some("boolean") => "true",
            Some("object") => "{…}",
            _ => "\"…\"",
        };
        let names: Vec<&str> = members.into_iter().flatten().map(|it| it.0.as_str()).collect();
        return Error::invalid(
            name,
            message(&format!("an object such as {{\"{first}\": {value}}}")),
        )
        .hint(format!("known: {}", names.join(", ")));
    }
    let about = property.get("description").and_then(Value::as_str).unwrap_or_default();
    Error::invalid(name, message("an object")).hint(format!("about it: {about}"))
}

/// Makes the parameter struct.
///
/// # Errors
/// DKR-004 that names the parameter, what came and what is allowed.
pub fn read<T: DeserializeOwned>(arguments: Arguments) -> Result<T, Error> {
    let arguments = Value::Object(arguments);
    T::deserialize(&arguments).map_err(|error| {
        let complaint = |arguments: &Value| T::deserialize(arguments).err();
        explained(&arguments, &error, &complaint)
    })
}

/// What a reader of arguments says against them.
type Complaint<'a> = &'a dyn Fn(&Value) -> Option<serde_json::Error>;

fn explained(arguments: &Value, error: &serde_json::Error, complaint: Complaint) -> Error {
    let message = error.to_string();
    let Some((name, came)) = culprit(arguments, &message, complaint) else {
        return Error::new(Code::InvalidConfiguration, message);
    };
    // The types of `command::values` say themselves what came.
    let of_serde = message.starts_with("invalid type") || message.starts_with("invalid value");
    let message = if of_serde {
        format!("`{name}` cannot be {}: {}", shorten(came), in_words(&message))
    } else {
        format!("`{name}`: {}", in_words(&message))
    };
    Error::invalid(&name, message)
}

/// The argument that an error is about, such as `limit` or `filters.label`: without it, the error
/// is another or none. (Following the path through the types as `serde_path_to_error` does costs
/// 130 kB of code.)
fn culprit<'a>(
    arguments: &'a Value,
    message: &str,
    complaint: Complaint,
) -> Option<(String, &'a Value)> {
    let mut path: Vec<&str> = vec![];
    let mut came = arguments;
    while let Some(members) = came.as_object().filter(|members| members.len() <= MEMBERS) {
        let changes = |name: &str| {
            let error = complaint(&without(arguments, &path, name));
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            // Its value or the message itself names it.
            let is_named = !path.is_empty() && message.contains(name);
            (error != message && !is_named).then_some(error)
        };
        // Where two are left, one is only missed because it was taken away.
        let suspects = members.iter().filter_map(|it| Some((it, changes(it.0)?)));
        let suspect = suspects.min_by_key(|(_, error)| error.starts_with("missing field"));
        let Some(((name, value), _)) = suspect else { break };
        path.push(name);
        came = value;
    }
    (!path.is_empty()).then(|| (path.join("."), came))
}

/// A copy that lacks one member of the object at the path.
fn without(arguments: &Value, path: &[&str], name: &str) -> Value {
    let mut copy = arguments.clone();
    let object = path.iter().try_fold(&mut copy, |value, name| value.get_mut(name));
    if let Some(members) = object.and_then(Value::as_object_mut) {
        members.shift_remove(name);
    }
    copy
}

/// Serde's words, where they name types of Rust.
fn in_words(message: &str) -> String {
    let types = [
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected u32", "expected a whole number, not negative"),
        ("expected u64", "expected a whole number, not negative"),
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected string or map", "expected text"),
        ("expected map with a single key", "expected one of the choices"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected an object"),
        (": sequence", ": a list"),
        (": map", ": an object"),
        (": floating point", ": number"),
        ("unknown variant `", "there is no choice `"),
    ];
    types.iter().fold(message.to_owned(), |message, (rust, plain)| message.replace(rust, plain))
}

fn unknown(name: &str, known: &Arguments, sent: &Arguments, path: &str) -> Error {
    let names: Vec<_> = known.keys().map(String::as_str).collect();
    let shown: String = name.chars().take(60).collect();
    let shown = format!("{path}{shown}");
    let error = Error::invalid(&shown, format!("there is no parameter `{shown}`"));
    match nearest(name, known, sent) {
        Some(nearest) => {
            error.hint(format!("did you mean `{nearest}`? known: {}", names.join(", ")))
        }
        None if names.is_empty() => error.hint("this tool takes no parameters"),
        None => error.hint(format!("known: {}", names.join(", "))),
    }
}

/// The same value in the type that the schema asks for; `None` when it is right already, or so
/// wrong that the reader's own error is the better answer.
fn repair(property: &Value, value: &Value) -> Option<Value> {
    let wanted = property.get("type")?;
    // A parameter of several types reads them itself.
    match (wanted.as_str()?, value) {
        ("integer", Value::Number(number)) if !number.is_i64() && !number.is_u64() => {
            whole(number.as_f64()?).map(Value::from)
        }
        ("integer", Value::String(text)) => text.trim().parse::<i64>().ok().map(Value::from),
        ("number", Value::String(text)) => text.trim().parse::<f64>().ok().map(Value::from),
        ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        ("array", Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(items)) => Some(Value::Array(items)),
            // A list of one, sent without its brackets.
            _ => Some(Value::Array(vec![Value::String(text.clone())])),
        },
        ("object", Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_object),
        ("string", Value::Number(number)) => Some(Value::String(number.to_string())),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn shorten(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 {
        return text;
    }
    text.chars().take(79).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn members_of_an_object_are_fitted_as_parameters_are() {
        let schema = json!({"properties": {
            "filters": {"type": "object", "properties": {
                "label": {"type": ["string", "array"]}, "dangling": {"type": "boolean"},
            }},
            "labels": {"type": "object"},
        }});
        let fit = |arguments: Value| {
            let schema = schema.as_object().unwrap();
            super::fit(schema, arguments.as_object().unwrap().clone()).map(Value::Object)
        };
        let sent = json!({"filters": {"dangling": "true", "label": null}, "labels": {"any": null}});
        let fitted = json!({"filters": {"dangling": true}, "labels": {"any": null}});
        assert_eq!(fit(sent).unwrap(), fitted);
        assert_eq!(
            fit(json!({"filters": "{\"dangling\": true}"})).unwrap()["filters"],
            json!({"dangling": true})
        );
        assert_snapshot!(fit(json!({"filters": {"labels": "a"}})).unwrap_err(), @"
        Error: DKR-004 invalid_configuration: there is no parameter `filters.labels` | Context: parameter=filters.labels
        hint: did you mean `label`? known: label, dangling
        ");
    }
}
