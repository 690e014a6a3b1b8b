//! Reading what docker prints as JSON, kindly: rows may have fields that we do not know.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::{Code, Error};

/// Reads one JSON document.
///
/// # Errors
/// DKR-016 with the place and the beginning of the text.
pub fn document<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text.trim()).map_err(|error| unreadable(&error, text))
}

/// Makes one of our types of a part of a document that was read.
///
/// # Errors
/// DKR-016 in serde's words.
pub fn part<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    T::deserialize(value).map_err(|error| unreadable(&error, &value.to_string()))
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
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.starts_with('{') || *line == "json").map(document).collect()
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
    fn half_a_document_is_an_error_and_not_an_empty_list() {
        assert_eq!(rows::<Row>("{\"a\":").unwrap_err().code, Code::UnexpectedOutput);
        assert_eq!(rows::<Row>("json\njson").unwrap_err().code, Code::UnexpectedOutput);
    }
}
