//! Bytes of the fuzzer as what callers, containers and docker send.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde_json::{Map, Value};

/// Deeper documents say nothing new.
const MAX_DEPTH: usize = 6;

/// Text from these words and from raw bytes, so that grammars are entered and left.
pub fn text(bytes: &mut Unstructured<'_>, words: &[&str]) -> Result<String> {
    let mut text = String::new();
    for _ in 0..bytes.int_in_range(0..=6)? {
        match bytes.int_in_range(0..=3)? {
            0 => text.push(bytes.arbitrary()?),
            1 => text.push_str(bytes.arbitrary::<&str>()?),
            _ => text.push_str(bytes.choose(words)?),
        }
    }
    Ok(text)
}

/// Any JSON, with keys and texts from these words among others.
pub fn json(bytes: &mut Unstructured<'_>, words: &[&str]) -> Result<Value> {
    nested(bytes, words, MAX_DEPTH)
}

fn nested(bytes: &mut Unstructured<'_>, words: &[&str], depth: usize) -> Result<Value> {
    let deepest = if depth == 0 { 5 } else { 9 };
    Ok(match bytes.int_in_range(0..=deepest)? {
        0 => Value::Null,
        1 => bytes.arbitrary::<bool>()?.into(),
        2 => bytes.arbitrary::<i64>()?.into(),
        3 => bytes.arbitrary::<f64>()?.into(),
        4 => bytes.int_in_range(0..=100_000)?.into(),
        5 | 6 => text(bytes, words)?.into(),
        7 => {
            let length = bytes.int_in_range(0..=4)?;
            (0..length).map(|_| nested(bytes, words, depth - 1)).collect::<Result<Vec<_>>>()?.into()
        }
        // A list or an object as text, which many parameters take.
        8 if depth == MAX_DEPTH => nested(bytes, words, depth - 1)?.to_string().into(),
        _ => {
            let length = bytes.int_in_range(0..=4)?;
            let mut members = Map::new();
            for _ in 0..length {
                members.insert(text(bytes, words)?, nested(bytes, words, depth - 1)?);
            }
            members.into()
        }
    })
}

/// Every text in a document: keys and values.
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| [vec![key.as_str()], texts(value)].concat())
            .collect(),
        _ => vec![],
    }
}
