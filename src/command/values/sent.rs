//! From a caller's JSON to a value: the shapes that are tolerated, the sentence of a refusal, and
//! the macros that give every type here the same way in.

use regex_lite::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// One argument of a process may have 128 KiB on Linux (`MAX_ARG_STRLEN`); the rest is for the
/// option's name. Longer text would fail with `E2BIG`, which names nothing.
pub(super) const MAX_TEXT_BYTES: usize = 127 * 1024;

/// `container name "-f" is not allowed: use letters …`
pub(super) fn refused(what: &str, value: &str, rule: &str) -> String {
    format!("{what} {} is not allowed: {rule}", shown(value))
}

/// The value in quotes, control characters escaped, cut after 80 characters.
pub(super) fn shown(value: &str) -> String {
    let mut short: String = value.chars().take(80).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// The kind of a JSON value, as a person would say it.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Text, or a number or boolean written as text. An error is the end of a sentence.
pub(super) fn scalar(value: &Value) -> Result<String, String> {
    // Above 2^53 a JSON number that is no integer type has lost digits on its way to us.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number)
            if number.is_f64() && number.as_f64().is_none_or(|n| n.abs() > EXACT) =>
        {
            Err("a number too large to be exact".to_owned())
        }
        Value::Number(number) => Ok(number.to_string()),
        other => Err(kind(other).to_owned()),
    }
}

/// What a collection was sent as.
pub(super) enum Sent {
    Object(Map<String, Value>),
    List(Vec<Value>),
    Text(String),
}

impl Sent {
    /// Text that holds a JSON list or object counts as that list or object; null as nothing.
    pub(super) fn of(value: Value) -> Self {
        match value {
            Value::Null => Self::List(vec![]),
            Value::Object(fields) => Self::Object(fields),
            Value::Array(items) => Self::List(items),
            Value::Bool(flag) => Self::Text(flag.to_string()),
            Value::Number(number) => Self::Text(number.to_string()),
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
                match serde_json::from_str(&text) {
                    Ok(Value::Object(fields)) => Self::Object(fields),
                    Ok(Value::Array(items)) => Self::List(items),
                    _ => Self::Text(text),
                }
            }
            Value::String(text) => Self::Text(text),
        }
    }
}

/// The entries of an object, or of a list of texts that are split at the first separator. An
/// entry without one is shown by its place only: it may be a secret.
pub(super) fn pairs(
    value: Value,
    what: &str,
    separators: &[char],
) -> Result<Vec<(String, Value)>, String> {
    let items = match Sent::of(value) {
        Sent::Object(fields) => return Ok(fields.into_iter().collect()),
        Sent::List(items) => items,
        Sent::Text(_) => return Err(format!("{what}s must be an object or a list, not text")),
    };
    let separator = separators.first().unwrap_or(&'=');
    let pair = |(i, item): (usize, Value)| match item {
        Value::String(text) => {
            let Some((name, value)) = text.split_once(separators) else {
                return Err(format!(
                    "{what} {} of the list has no value: write \"NAME{separator}VALUE\"",
                    i + 1
                ));
            };
            Ok((name.to_owned(), value.into()))
        }
        other => Err(format!(
            "{what} {} of the list is {}: write \"NAME{separator}VALUE\"",
            i + 1,
            kind(&other)
        )),
    };
    items.into_iter().enumerate().map(pair).collect()
}

/// What was sent, for a refusal and as the text to read.
pub(super) fn plain(value: &Value) -> String {
    scalar(value).unwrap_or_else(|_| value.to_string())
}

/// A pattern that serves here and in the JSON schema: `\w` is ASCII, as in JavaScript.
pub(super) fn ascii(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).build().expect("the pattern is a constant")
}

/// `text` when it follows the pattern, or what to do about it.
pub(super) fn matched(
    pattern: &Regex,
    max_characters: usize,
    rule: &str,
    text: &str,
) -> Result<String, String> {
    if text.chars().nth(max_characters).is_some() {
        return Err(format!("use at most {max_characters} characters"));
    }
    if pattern.is_match(text) {
        return Ok(text.to_owned());
    }
    if pattern.is_match(text.trim()) {
        return Err("remove the blanks around it".to_owned());
    }
    Err(rule.to_owned())
}

/// `Deserialize` through `TryFrom<Value>`, and a schema that is written in place (no `$ref`).
macro_rules! from_json {
    ($name:ident, $schema:tt) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                Self::try_from(serde_json::Value::deserialize(source)?)
                    .map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

/// For a type with `FromStr`: text, numbers and booleans from JSON go through it.
macro_rules! from_text {
    ($name:ident, $what:expr, $schema:tt) => {
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl TryFrom<serde_json::Value> for $name {
            type Error = String;

            fn try_from(value: serde_json::Value) -> Result<Self, String> {
                $crate::command::values::sent::scalar(&value)
                    .map_err(|kind| format!("{} must be text or a number, not {kind}", $what))?
                    .parse()
            }
        }

        $crate::command::values::sent::from_json!($name, $schema);
    };
}

/// A newtype of text: what it is called in a refusal, then either the longest length, the pattern
/// and the rule in words, or a function that gives the checked text or the rule.
macro_rules! checked_text {
    (
        $(#[$doc:meta])*
        $name:ident = $what:literal, $max:literal, $pattern:literal, $rule:expr
        $(, and $check:expr)?
    ) => {
        $crate::command::values::sent::checked_text! {
            $(#[$doc])*
            $name = $what, { "type": "string", "pattern": $pattern }, |text| {
                static PATTERN: std::sync::LazyLock<regex_lite::Regex> =
                    std::sync::LazyLock::new(|| $crate::command::values::sent::ascii($pattern));
                $(
                    let check: fn(&str) -> Result<(), String> = $check;
                    check(text)?;
                )?
                $crate::command::values::sent::matched(&PATTERN, $max, $rule, text)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident = $what:literal, $schema:tt, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<String, String> = $check;
                check(text)
                    .map(Self)
                    .map_err(|rule| $crate::command::values::sent::refused($what, text, &rule))
            }
        }

        $crate::command::values::sent::from_text!($name, $what, $schema);
    };
}

pub(super) use {checked_text, from_json, from_text};

#[cfg(test)]
pub(super) mod testing {
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    /// The value that a parameter of type `T` gets.
    pub(in super::super) fn read<T: DeserializeOwned>(sent: &Value) -> Result<T, String> {
        serde_json::from_value(sent.clone()).map_err(|error| error.to_string())
    }

    #[track_caller]
    pub(in super::super) fn accepted<T: DeserializeOwned>(sent: &Value) -> T {
        read(sent).unwrap_or_else(|sentence| panic!("{sent}: {sentence}"))
    }

    /// One sentence a line, in the order of the list.
    #[track_caller]
    pub(in super::super) fn refusals<T: DeserializeOwned>(sent: &Value) -> String {
        let list = sent.as_array().expect("a list of wrong values");
        let sentence = |value| match read::<T>(value) {
            Ok(_) => panic!("{value} was accepted"),
            Err(sentence) => sentence,
        };
        list.iter().map(sentence).collect::<Vec<_>>().join("\n")
    }
}
