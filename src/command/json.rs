//! Reading what docker prints as JSON, kindly: rows may have fields that we do not know.

use std::iter::Map;
use std::slice;

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::Value;

use crate::error::{Code, Error};

/// Reads one JSON document.
///
/// # Errors
/// DKR-016 with the place and the beginning of the text.
pub fn document<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    read(&value(text)?).map_err(|error| unreadable(&error, text))
}

fn value(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text.trim()).map_err(|error| unreadable(&error, text))
}

/// Makes one of our types of a value. All documents and arguments are read by this, so that each
/// type has one reader in the program.
///
/// # Errors
/// In serde's words, without a place.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(Reader(value))
}

/// Reads rows: a JSON array, or one JSON document a line (which of the two depends on the version
/// of compose). Lines that are not JSON at all are warnings and are skipped.
///
/// # Errors
/// DKR-016 when a row has another shape, and for the word `json`, which a 20.10 client prints for
/// `--format json`.
pub fn rows<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, Error> {
    let text = text.trim();
    if text.starts_with('[') {
        return document(text);
    }
    read(&lines(text)?).map_err(|error| unreadable(&error, text))
}

fn lines(text: &str) -> Result<Value, Error> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.starts_with('{') || *line == "json").map(value).collect()
}

type Object = serde_json::Map<String, Value>;

/// Reads as `&Value` does, but an object only from its members and a choice only from its word:
/// that a list may stand for an object would cost 100 kB of code.
struct Reader<'a>(&'a Value);

type Members<'a> =
    Map<serde_json::map::Iter<'a>, fn((&'a String, &'a Value)) -> (&'a str, Reader<'a>)>;
type Items<'a> = Map<slice::Iter<'a, Value>, fn(&'a Value) -> Reader<'a>>;

impl<'a> IntoDeserializer<'a, serde_json::Error> for Reader<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn members(object: &Object) -> MapDeserializer<'_, Members<'_>, serde_json::Error> {
    MapDeserializer::new(object.iter().map(|(name, value)| (name.as_str(), Reader(value))))
}

fn items(list: &[Value]) -> SeqDeserializer<Items<'_>, serde_json::Error> {
    SeqDeserializer::new(list.iter().map(Reader))
}

impl Reader<'_> {
    fn unexpected(&self, visitor: &dyn serde::de::Expected) -> serde_json::Error {
        let came = match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(on) => Unexpected::Bool(*on),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Unexpected::Unsigned(number),
                (None, Some(number)) => Unexpected::Signed(number),
                (None, None) => Unexpected::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        serde_json::Error::invalid_type(came, visitor)
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(on) => visitor.visit_bool(*on),
            Value::Number(number) => number.deserialize_any(visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(list) => visitor.visit_seq(items(list)),
            Value::Object(object) => visitor.visit_map(members(object)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(list) => visitor.visit_seq(items(list)),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(object) => visitor.visit_map(members(object)),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(BorrowedStrDeserializer::new(word)),
            _ => Err(self.unexpected(&"text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::String(text) => visitor.visit_borrowed_str(text),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct tuple tuple_struct identifier
    }
}

/// For a field: Go writes an empty list or map as `null`.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn unreadable(error: &serde_json::Error, text: &str) -> Error {
    let start: String = text.trim().chars().take(80).collect();
    Error::new(Code::UnexpectedOutput, format!("docker printed JSON that cannot be read: {error}"))
        .with("begins_with", start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Row {
        a: u8,
    }

    #[test]
    fn rows_are_an_array_or_lines() {
        let expected = vec![Row { a: 1 }, Row { a: 2 }];
        assert_eq!(rows::<Row>(r#"[{"a":1},{"a":2}]"#).unwrap(), expected);
        assert_eq!(rows::<Row>("{\"a\":1}\nWARNING: x\n\n{\"a\":2,\"b\":0}\n").unwrap(), expected);
        assert_eq!(rows::<Row>("").unwrap(), vec![]);
    }

    #[test]
    fn an_object_is_read_only_from_its_members() {
        let error = document::<Row>("[1]").unwrap_err().message.clone();
        assert!(error.contains("invalid type: sequence, expected struct Row"), "{error}");
    }

    #[test]
    fn half_a_document_is_an_error_and_not_an_empty_list() {
        assert_eq!(rows::<Row>("{\"a\":").unwrap_err().code, Code::UnexpectedOutput);
        assert_eq!(rows::<Row>("json\njson").unwrap_err().code, Code::UnexpectedOutput);
    }
}
