//! Parameters in two structs: what a tool has of its own, and what it shares with others.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Both are read from the same arguments, and neither minds the names of the other:
/// [`super::arguments::fit`] has refused those that neither knows. (`serde(flatten)` would not tell
/// which argument is wrong, and cannot refuse unknown ones.)
#[derive(Debug)]
pub struct With<Own, Shared> {
    pub own: Own,
    pub shared: Shared,
    /// The names that were given.
    pub named: Vec<String>,
}

impl<'de, Own: DeserializeOwned, Shared: DeserializeOwned> Deserialize<'de> for With<Own, Shared> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let arguments = Value::deserialize(deserializer)?;
        let named = arguments.as_object().into_iter().flatten();
        let named = named.map(|(name, _)| name.clone()).collect();
        match (Own::deserialize(&arguments), Shared::deserialize(&arguments)) {
            (Ok(own), Ok(shared)) => Ok(Self { own, shared, named }),
            // As one struct would have it: a wrong value comes before one that is missing.
            (Err(missing), Err(error)) if missing.to_string().starts_with("missing field") => {
                Err(D::Error::custom(error))
            }
            (Err(error), _) | (_, Err(error)) => Err(D::Error::custom(error)),
        }
    }
}

impl<Own: JsonSchema, Shared: JsonSchema> JsonSchema for With<Own, Shared> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}With{}", Own::schema_name(), Shared::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Own::json_schema(generator);
        let mut shared = Shared::json_schema(generator);
        let members = schema.ensure_object();
        for (key, value) in std::mem::take(shared.ensure_object()) {
            match (members.get_mut(&key), value) {
                (Some(Value::Object(own)), Value::Object(more)) => own.extend(more),
                (Some(Value::Array(own)), Value::Array(more)) => own.extend(more),
                (Some(_), _) => {}
                (None, value) => {
                    members.insert(key, value);
                }
            }
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Own {
        /// One.
        one: u8,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Shared {
        /// Two.
        two: u8,
        /// Three.
        three: Option<u8>,
    }

    #[test]
    fn both_halves_are_read_and_advertised_as_one() {
        let both: With<Own, Shared> = serde_json::from_value(json!({"one": 1, "two": 2})).unwrap();
        assert_eq!((both.own.one, both.shared.two, both.shared.three), (1, 2, None));
        assert_eq!(both.named, ["one", "two"]);
        let schema = super::super::schema::full::<With<Own, Shared>>();
        let names: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["one", "two", "three"]);
        assert_eq!(schema["required"], json!(["one", "two"]));
    }
    #[test]
    fn the_wrong_half_is_blamed() {
        let culprit = |arguments: Value| {
            let arguments = arguments.as_object().unwrap().clone();
            let error = super::super::arguments::read::<With<Own, Shared>>(arguments).unwrap_err();
            error.context.first().unwrap().1.clone()
        };
        assert_eq!(culprit(json!({"one": 1, "two": 2, "three": "x"})), "three");
        assert_eq!(culprit(json!({"one": "x", "two": 2})), "one");
        assert_eq!(culprit(json!({"one": 1, "two": "x"})), "two");
    }
}
