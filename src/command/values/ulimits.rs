//! Limits of the kernel for a process.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sent::{from_json, pairs, plain, refused, scalar};

/// `--ulimit`, by name: 1024, `"1024:2048"` or `{soft, hard}`; -1 is unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ulimits(BTreeMap<String, (i64, i64)>);

from_json!(Ulimits, { "type": ["object", "array"] });
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

impl Ulimits {
    /// Values of `--ulimit`: `nofile=1024:2048`.
    pub fn arguments(&self) -> Vec<String> {
        self.0.iter().map(|(name, (soft, hard))| format!("{name}={soft}:{hard}")).collect()
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

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
}
