//! Names with texts: environment, labels, driver options.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::names::{LabelKey, OptionName};
use super::sent::{MAX_TEXT_BYTES, pairs, scalar, shown};
use super::variable::EnvName;

/// Checked names with texts, in the order of the names. A caller sends an object of texts, numbers
/// and booleans, or a list of `NAME=VALUE`. Every name has a value: for `--env=NAME` docker would
/// copy the variable of this server. Values are text without NUL, up to 127 KiB; `Debug` shows
/// none, for they may be secrets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entries<K>(BTreeMap<K, String>);

/// Environment variables, and build arguments.
pub type Environment = Entries<EnvName>;

/// Labels to set.
pub type Labels = Entries<LabelKey>;

/// Options of a log, volume or network driver.
pub type DriverOptions = Entries<OptionName>;

/// The name side of [`Entries`].
pub trait Key: FromStr<Err = String> + Ord + AsRef<str> {
    /// What one entry is called in a refusal.
    const WHAT: &str;
    /// Whether a value is one line.
    const ONE_LINE: bool = false;
}

impl Key for EnvName {
    const WHAT: &str = "environment variable";
}

impl Key for LabelKey {
    const WHAT: &str = "label";
}

impl Key for OptionName {
    const WHAT: &str = "option";
    const ONE_LINE: bool = true;
}

impl<K: Key> Entries<K> {
    pub fn iter(&self) -> btree_map::Iter<'_, K, String> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// These, and those of `others` that have another name.
    pub fn over(mut self, others: Self) -> Self {
        for (name, value) in others.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }
}

impl<K: Key> TryFrom<Value> for Entries<K> {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut entries = BTreeMap::new();
        for (name, value) in pairs(value, K::WHAT, &['='])? {
            let name: K = name.parse()?;
            let label = || format!("{} {}", K::WHAT, shown(name.as_ref()));
            if value.is_null() {
                return Err(format!("{} is null: always give a value, \"\" for none", label()));
            }
            let value = scalar(&value)
                .map_err(|kind| format!("{} is {kind}: its value must be text", label()))?;
            if value.contains('\0') {
                return Err(format!("{} contains NUL", label()));
            }
            if K::ONE_LINE && value.contains(char::is_control) {
                return Err(format!("{} is not one line of text", label()));
            }
            if value.len() > MAX_TEXT_BYTES {
                return Err(format!("{} is longer than {MAX_TEXT_BYTES} bytes", label()));
            }
            let label = label();
            if entries.insert(name, value).is_some() {
                return Err(format!("{label} is given twice"));
            }
        }
        Ok(Self(entries))
    }
}

impl<K> Default for Entries<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Key> fmt::Debug for Entries<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = |name| (AsRef::<str>::as_ref(name), format_args!("***"));
        f.debug_map().entries(self.0.keys().map(masked)).finish()
    }
}

impl<'a, K: Key> IntoIterator for &'a Entries<K> {
    type Item = (&'a K, &'a String);
    type IntoIter = btree_map::Iter<'a, K, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'de, K: Key> Deserialize<'de> for Entries<K> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Self::try_from(Value::deserialize(source)?).map_err(serde::de::Error::custom)
    }
}

impl<K: Key> JsonSchema for Entries<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        K::WHAT.into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["object", "array"] })
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, read, refusals};
    use super::*;

    #[test]
    fn an_environment_comes_in_any_of_four_shapes_and_in_order() {
        let expected = [("A", "1"), ("B_C", "x=y\nz"), ("D.e", ""), ("F", "true")];
        for sent in [
            json!({"F": true, "D.e": "", "B_C": "x=y\nz", "A": 1}),
            json!(["F=true", "D.e=", "B_C=x=y\nz", "A=1"]),
            json!(r#"{"F": true, "D.e": "", "B_C": "x=y\nz", "A": 1}"#),
            json!(r#"["F=true", "D.e=", "B_C=x=y\nz", "A=1"]"#),
        ] {
            let environment = accepted::<Environment>(&sent);
            let pairs: Vec<_> =
                environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(pairs, expected, "{sent}");
        }
        assert!(accepted::<Environment>(&json!(null)).is_empty());
    }

    #[test]
    fn a_variable_always_has_a_name_and_a_value() {
        assert_snapshot!(refusals::<Environment>(&json!([
            {"KEY": null}, ["KEY"], ["A=1", "hunter2"], [5], {"A": ["b"]}, {"A": {"b": 1}},
            {"A=B": "c"}, {"": "x"}, ["=x"], {"A B": "c"}, {"-e": "c"},
            {"A": "b\u{0}c"}, ["A=1", "A=2"], {"A": "x".repeat(200_000)}, {"A": 1e40}, "A=1",
            "{'A': 'b'}", true
        ])), @r#"
        environment variable "KEY" is null: always give a value, "" for none
        environment variable 1 of the list has no value: write "NAME=VALUE"
        environment variable 2 of the list has no value: write "NAME=VALUE"
        environment variable 1 of the list is a number: write "NAME=VALUE"
        environment variable "A" is a list: its value must be text
        environment variable "A" is an object: its value must be text
        environment variable "A=B" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "A B" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "-e" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "A" contains NUL
        environment variable "A" is given twice
        environment variable "A" is longer than 130048 bytes
        environment variable "A" is a number too large to be exact: its value must be text
        environment variables must be an object or a list, not text
        environment variables must be an object or a list, not text
        environment variables must be an object or a list, not text
        "#);
    }

    #[test]
    fn values_are_never_printed() {
        let environment = accepted::<Environment>(&json!({"DB_PASSWORD": "hunter2", "A": "b"}));
        assert_snapshot!(format!("{environment:?}"), @r#"{"A": ***, "DB_PASSWORD": ***}"#);
        let sentence = read::<Environment>(&json!({"DB_PASSWORD": "hunter2\u{0}"})).unwrap_err();
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }

    #[test]
    fn the_labels_of_docker_cannot_be_set() {
        assert_eq!(
            accepted::<Labels>(&json!({"team": "shop", "org.opencontainers.image.title": "x"}))
                .len(),
            2
        );
        assert_snapshot!(refusals::<Labels>(&json!([
            {"com.docker.compose.project": "x"}, ["com.docker.compose.project=x"], {"a b": "c"},
            ["a"], {"a": null}, {"a": "b\u{0}"}
        ])), @r#"
        label "com.docker.compose.project" is not allowed: labels that begin with "com.docker." belong to docker
        label "com.docker.compose.project" is not allowed: labels that begin with "com.docker." belong to docker
        label "a b" is not allowed: use letters, digits, "_", ".", "/" and "-", beginning with a letter or digit
        label 1 of the list has no value: write "NAME=VALUE"
        label "a" is null: always give a value, "" for none
        label "a" contains NUL
        "#);
    }

    #[test]
    fn driver_options_are_names_with_texts() {
        assert_eq!(accepted::<DriverOptions>(&json!({"max-size": "10m", "max-file": 3})).len(), 2);
        assert_snapshot!(refusals::<DriverOptions>(&json!([{"a=b": "c"}, {"tag": "a\nb"}])), @r#"
        option "a=b" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        option "tag" is not one line of text
        "#);
    }
}
