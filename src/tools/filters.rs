//! Filters of list tools.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// How many entries a list has when the caller does not say.
pub const LIMIT: u32 = 50;

/// One text or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match Value::deserialize(deserializer)? {
            Value::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>(),
            // `{"label": {"a": "b"}}` is what callers mean by `a=b`.
            Value::Object(members) => {
                members.iter().map(|(key, value)| Some(format!("{key}={}", text(value)?))).collect()
            }
            single => text(&single).map(|text| vec![text]),
        };
        texts.map(Self).ok_or_else(|| {
            serde::de::Error::custom("it must be one text or a list of texts, each in one line")
        })
    }
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(on) => on.to_string(),
        _ => return None,
    };
    (!text.contains(['\0', '\n', '\r'])).then_some(text)
}

impl JsonSchema for Texts {
    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

impl Texts {
    /// `key=text` for each, as `--filter` takes it.
    pub fn filters(texts: Option<&Self>, key: &str) -> Vec<String> {
        texts.iter().flat_map(|texts| &texts.0).map(|text| format!("{key}={text}")).collect()
    }

    /// The same for a filter that docker reads as a regular expression: the text is taken
    /// literally. A broken expression would give an empty list and exit status 0.
    pub fn literal_filters(texts: Option<&Self>, key: &str) -> Vec<String> {
        texts
            .iter()
            .flat_map(|texts| &texts.0)
            .map(|text| format!("{key}={}", regex_lite::escape(text)))
            .collect()
    }
}

/// One choice or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices<T>(pub Vec<T>);

impl<T> Default for Choices<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Choices<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let choices = match Value::deserialize(deserializer)? {
            Value::Null => vec![],
            Value::Array(items) => items,
            single => vec![single],
        };
        let choices = choices.iter().map(T::deserialize).collect::<Result<_, _>>();
        choices.map(Self).map_err(serde::de::Error::custom)
    }
}

impl<T: JsonSchema> JsonSchema for Choices<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Choices{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"] })
    }
}

impl<T: Serialize> Choices<T> {
    /// `key=word` for each, as `--filter` takes it.
    pub fn filters(&self, key: &str) -> Vec<String> {
        self.0.iter().map(|choice| format!("{key}={}", word(choice))).collect()
    }
}

/// A boolean that may arrive as text, as filters do inside their object.
///
/// # Errors
/// For anything but true and false.
pub fn yes_or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Bool(on) => Ok(Some(on)),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(serde::de::Error::custom("use true or false")),
    }
}

/// The word by which a choice is known to callers and to docker alike.
pub fn word(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(Value::String(word)) => word,
        other => unreachable!("a choice is one word: {other:?}"),
    }
}

/// The first `limit` entries, and how many there were when that is not all.
pub fn limited<T>(mut entries: Vec<T>, limit: Option<u32>) -> (Vec<T>, Option<usize>) {
    let limit = limit.unwrap_or(LIMIT) as usize;
    let total = entries.len();
    entries.truncate(limit);
    (entries, (total > limit).then_some(total))
}
