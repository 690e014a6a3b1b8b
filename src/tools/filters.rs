//! Filters of list tools.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::lines::Pattern;
use crate::error::Error;

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
}

/// Names that are wanted. Docker reads them for containers and networks as regular expressions that
/// fit a part of the name, for volumes as plain text and for images as patterns of paths; it gives
/// an empty list for a broken one. Here they mean the same everywhere: what they mean for containers.
#[derive(Debug)]
pub struct Names(Option<Vec<Pattern>>);

impl Names {
    /// # Errors
    /// DKR-004 for a text that is no regular expression.
    pub fn new(parameter: &str, texts: Option<&Texts>) -> Result<Self, Error> {
        Self::read(texts, |text| Pattern::new(parameter, text))
    }

    /// Of images: `*` and `?` may also stand for what there is between two slashes, as docker has it,
    /// where nothing else in the text says that it is a regular expression.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_images(parameter: &str, texts: Option<&Texts>) -> Result<Self, Error> {
        Self::read(texts, |text| Pattern::new(parameter, &glob(text).unwrap_or(text.to_owned())))
    }

    fn read(
        texts: Option<&Texts>,
        pattern: impl Fn(&String) -> Result<Pattern, Error>,
    ) -> Result<Self, Error> {
        let patterns = texts.map(|texts| texts.0.iter().map(pattern).collect());
        patterns.transpose().map(Self)
    }

    /// Whether it is wanted: every name is where none was given.
    pub fn want(&self, name: &str) -> bool {
        let Self(patterns) = self;
        patterns.as_ref().is_none_or(|patterns| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_match(name))
        })
    }
}

/// `shop/*:1` as a regular expression, when it is no expression itself.
fn glob(text: &str) -> Option<String> {
    let is_expression = text.contains(['^', '$', '|', '(', '+', '\\', '{', '['])
        || [".*", ".?"].iter().any(|any| text.contains(any));
    if is_expression || !text.contains(['*', '?']) {
        return None;
    }
    let part = |c: char| match c {
        '*' => "[^/]*".to_owned(),
        '?' => "[^/]".to_owned(),
        plain => regex::escape(plain.encode_utf8(&mut [0; 4])),
    };
    let name: String = text.chars().map(part).collect();
    Some(format!("^{name}(:[^/]*)?(@.*)?$"))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(value: Value) -> Texts {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_name_is_a_regular_expression_that_fits_a_part_of_it() {
        let want = |wanted: Value, name: &str| {
            Names::new("name", Some(&texts(wanted))).unwrap().want(name)
        };
        for (wanted, name, expected) in [
            (json!("^web$"), "web", true),
            (json!("^web$"), "web-1", false),
            (json!("^web-"), "web-1", true),
            (json!("[0-9]"), "web-1", true),
            (json!("eb"), "web", true),
            (json!("Web"), "web", false),
            (json!("(?i)Web"), "web", true),
            (json!(["^a", "^w"]), "web", true),
            (json!([]), "web", true),
        ] {
            assert_eq!(want(wanted.clone(), name), expected, "{wanted} {name}");
        }
        assert!(Names::new("name", None).unwrap().want("web"));
    }

    #[test]
    fn a_broken_expression_is_no_empty_list() {
        let error = Names::new("name", Some(&texts(json!(["a", "web[1"])))).unwrap_err();
        insta::assert_snapshot!(error, @r#"
        Error: DKR-004 invalid_configuration: `name` is no regular expression: "web[1": unclosed character class | Context: parameter=name
        hint: put \ before . * + ? ( ) [ ] { } | ^ $ that stand for themselves
        "#);
    }

    #[test]
    fn images_are_also_found_by_a_pattern_of_their_path() {
        let want = |wanted: &str, name: &str| {
            Names::of_images("reference", Some(&texts(json!(wanted)))).unwrap().want(name)
        };
        for (wanted, name, expected) in [
            ("nginx", "nginx:1.27", true),
            ("nginx", "shop/nginx-extra:1", true),
            ("ngin*", "nginx:1.27", true),
            ("ngin*", "shop/nginx:1", false),
            ("shop/*:1", "shop/app:1", true),
            ("shop/*:1", "shop/app:12", false),
            ("nginx:1.2?", "nginx:1.27", true),
            ("nginx:1.2?", "nginx:1.2", false),
            ("*/app", "shop/app@sha256:0a", true),
            ("^shop/", "shop/app:1", true),
            ("^shop/", "my-shop/app:1", false),
            ("app:.*$", "shop/app:1", true),
            ("nginx:1.[0-9]", "nginx:1.2", true),
        ] {
            assert_eq!(want(wanted, name), expected, "{wanted} {name}");
        }
    }
}
