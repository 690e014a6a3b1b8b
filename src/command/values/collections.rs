//! Maps from a caller: environment, labels, driver options, limits, extra hosts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::LazyLock;

use regex_lite::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::names::{EnvName, LabelKey, OptionName};
use super::sent::{MAX_TEXT_BYTES, Sent, ascii, from_json, kind, refused, scalar, shown};

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

/// `--ulimit`, by name: 1024, `"1024:2048"` or `{soft, hard}`; -1 is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ulimits(BTreeMap<String, (i64, i64)>);

/// `--add-host`: names for addresses in the container's `/etc/hosts`. `host-gateway` is the
/// address of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExtraHosts(BTreeMap<String, String>);

from_json!(Ulimits, { "type": ["object", "array"] });
from_json!(ExtraHosts, { "type": ["object", "array"] });

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

impl Ulimits {
    /// Values of `--ulimit`: `nofile=1024:2048`.
    pub fn arguments(&self) -> Vec<String> {
        self.0.iter().map(|(name, (soft, hard))| format!("{name}={soft}:{hard}")).collect()
    }
}

impl ExtraHosts {
    /// Values of `--add-host`: `db:10.0.0.5`. Docker splits at the first colon, so an IPv6 address
    /// needs no brackets (which clients before 25.0 refuse).
    pub fn arguments(&self) -> Vec<String> {
        self.0.iter().map(|(host, address)| format!("{host}:{address}")).collect()
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

impl TryFrom<Value> for Ulimits {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut limits = BTreeMap::new();
        for (name, value) in pairs(value, "ulimit", &['='])? {
            if !ULIMITS.contains(&name.as_str()) {
                let rule = format!("use one of {}", ULIMITS.join(", "));
                return Err(refused("ulimit", &name, &rule));
            }
            let limit = soft_and_hard(&value).ok_or_else(|| {
                let rule = "use 1024, \"1024:2048\" or {\"soft\": 1024, \"hard\": 2048}, \
                            soft not above hard, -1 for unlimited";
                refused(&format!("ulimit {name}"), &plain(&value), rule)
            })?;
            if limits.insert(name.clone(), limit).is_some() {
                return Err(format!("ulimit {name} is given twice"));
            }
        }
        Ok(Self(limits))
    }
}

impl TryFrom<Value> for ExtraHosts {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        // Less than RFC 1123: names of services may have `_`.
        static NAME: LazyLock<Regex> = LazyLock::new(|| ascii(r"^\w([\w.-]{0,251}\w)?$"));
        let mut hosts = BTreeMap::new();
        for (host, address) in pairs(value, "extra host", &['=', ':'])? {
            if !NAME.is_match(&host) {
                return Err(refused("extra host", &host, "use letters, digits, \"-\" and \".\""));
            }
            let sent = plain(&address);
            let bare = sent.strip_prefix('[').and_then(|s| s.strip_suffix(']')).unwrap_or(&sent);
            let address = match bare.parse::<IpAddr>() {
                Ok(address) => address.to_string(),
                Err(_) if sent == "host-gateway" => sent,
                Err(_) => {
                    let rule = "use an IP address or \"host-gateway\"";
                    return Err(refused(&format!("address of {host}"), &sent, rule));
                }
            };
            if hosts.insert(host.clone(), address).is_some() {
                return Err(format!("extra host {host} is given twice"));
            }
        }
        Ok(Self(hosts))
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

/// docker/go-units, `ulimit.go`.
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// The entries of an object, or of a list of texts that are split at the first separator. An
/// entry without one is shown by its place only: it may be a secret.
fn pairs(value: Value, what: &str, separators: &[char]) -> Result<Vec<(String, Value)>, String> {
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

fn soft_and_hard(value: &Value) -> Option<(i64, i64)> {
    let (soft, hard) = match value {
        Value::Object(fields) if fields.len() == 2 => {
            (scalar(fields.get("soft")?).ok()?, scalar(fields.get("hard")?).ok()?)
        }
        other => {
            let text = scalar(other).ok()?;
            match text.split_once(':') {
                Some((soft, hard)) => (soft.to_owned(), hard.to_owned()),
                None => (text.clone(), text),
            }
        }
    };
    let limit = |text: &str| match text.parse::<i64>() {
        Ok(number) if number >= -1 && !text.starts_with('+') => Some(number),
        _ => None,
    };
    let (soft, hard) = (limit(&soft)?, limit(&hard)?);
    (hard == -1 || (soft != -1 && soft <= hard)).then_some((soft, hard))
}

/// What was sent, for a refusal and as the text to read.
fn plain(value: &Value) -> String {
    scalar(value).unwrap_or_else(|_| value.to_string())
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

    #[test]
    fn limits_are_one_number_or_two() {
        let limits = json!({"nofile": 1024, "nproc": "64:128", "memlock": {"soft": -1, "hard": "-1"}, "core": "0:-1"});
        assert_eq!(
            accepted::<Ulimits>(&limits).arguments(),
            ["core=0:-1", "memlock=-1:-1", "nofile=1024:1024", "nproc=64:128"]
        );
        assert_eq!(accepted::<Ulimits>(&json!(["nofile=1:2"])).arguments(), ["nofile=1:2"]);
        assert_snapshot!(refusals::<Ulimits>(&json!([
            {"files": 1}, {"nofile": "2:1"}, {"nofile": "-1:5"}, {"nofile": -2}, {"nofile": "+5"},
            {"nofile": "1:2:3"}, {"nofile": ""}, {"nofile": null},
            {"nofile": {"soft": 1}}, {"nofile": {"soft": 1, "max": 2}}, ["nofile"],
            ["nofile=1", "nofile=2"], "nofile=1"
        ])), @r#"
        ulimit "files" is not allowed: use one of core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack
        ulimit nofile "2:1" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit nofile "-1:5" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit nofile "-2" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit nofile "+5" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit nofile "1:2:3" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit nofile "" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit nofile "null" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit nofile "{\"soft\":1}" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit nofile "{\"soft\":1,\"max\":2}" is not allowed: use 1024, "1024:2048" or {"soft": 1024, "hard": 2048}, soft not above hard, -1 for unlimited
        ulimit 1 of the list has no value: write "NAME=VALUE"
        ulimit nofile is given twice
        ulimits must be an object or a list, not text
        "#);
    }

    #[test]
    fn extra_hosts_are_addresses_or_the_gateway() {
        let hosts = json!({"db": "10.0.0.5", "host.docker.internal": "host-gateway", "six": "[::1]", "my_api": "::2"});
        assert_eq!(
            accepted::<ExtraHosts>(&hosts).arguments(),
            ["db:10.0.0.5", "host.docker.internal:host-gateway", "my_api:::2", "six:::1"]
        );
        assert_eq!(
            accepted::<ExtraHosts>(&json!(["a:::1", "b=1.2.3.4"])).arguments(),
            ["a:::1", "b:1.2.3.4"]
        );
        assert_snapshot!(refusals::<ExtraHosts>(&json!([
            {"db": "db.internal"}, {"db": null}, {"a b": "1.2.3.4"}, {"": "1.2.3.4"},
            {"a:b": "1.2.3.4"}, ["db"], ["a:1.2.3.4", "a:1.2.3.5"], {"db": "1.2.3.4\n5.6.7.8 x"}
        ])), @r#"
        address of db "db.internal" is not allowed: use an IP address or "host-gateway"
        address of db "null" is not allowed: use an IP address or "host-gateway"
        extra host "a b" is not allowed: use letters, digits, "-" and "."
        extra host "" is not allowed: use letters, digits, "-" and "."
        extra host "a:b" is not allowed: use letters, digits, "-" and "."
        extra host 1 of the list has no value: write "NAME=VALUE"
        extra host a is given twice
        address of db "1.2.3.4\n5.6.7.8 x" is not allowed: use an IP address or "host-gateway"
        "#);
    }
}
