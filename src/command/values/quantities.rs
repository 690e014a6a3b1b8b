//! Sizes, counts and other amounts.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::sent::{from_text, refused, scalar};

/// A size in bytes, more than zero and less than 2^63 (docker's `int64`). As docker reads it:
/// `512m`, `1.5g`, `64MB` and `1GiB` are all multiples of 1024, a number alone counts bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(u64);

/// A memory limit: a [`ByteSize`] of 6 MiB or more, the least that the daemon accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Memory(ByteSize);

/// A number of processors, 0.01 to 1024 with at most 9 decimals (docker counts billionths; below
/// 0.01 the kernel's quota of 1 ms in 100 ms ends).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cpus {
    billionths: u64,
}

/// A whole number from `MIN` to `MAX`; the unit is in the name of the parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bounded<const MIN: u32, const MAX: u32>(u32);

/// What docker does when the container's process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestartPolicy {
    No,
    Always,
    UnlessStopped,
    /// Restarted after a failure, at most so many times.
    OnFailure(Option<u32>),
}

from_text!(ByteSize, "size", { "type": ["string", "integer"] });
from_text!(Memory, "memory", { "type": ["string", "integer"] });
from_text!(Cpus, "cpus", { "type": ["number", "string"] });
from_text!(RestartPolicy, "restart policy", {
    "type": "string", "pattern": r"^(no|always|unless-stopped|on-failure(:\d+)?)$"
});

impl ByteSize {
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// As an option's value: bytes, as a plain integer.
    pub fn argument(self) -> String {
        self.0.to_string()
    }
}

impl Memory {
    const MIN_BYTES: u64 = 6 * 1024 * 1024;

    pub const fn bytes(self) -> u64 {
        self.0.bytes()
    }

    /// As an option's value: bytes, as a plain integer.
    pub fn argument(self) -> String {
        self.0.argument()
    }
}

impl Cpus {
    const ONE: u64 = 1_000_000_000;

    pub const fn billionths(self) -> u64 {
        self.billionths
    }

    /// As an option's value: decimals, never an exponent.
    pub fn argument(self) -> String {
        let (whole, rest) = (self.billionths / Self::ONE, self.billionths % Self::ONE);
        if rest == 0 {
            return whole.to_string();
        }
        format!("{whole}.{rest:09}").trim_end_matches('0').to_owned()
    }
}

impl<const MIN: u32, const MAX: u32> Bounded<MIN, MAX> {
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl RestartPolicy {
    /// As the value of `--restart`.
    pub fn argument(self) -> String {
        match self {
            Self::No => "no".to_owned(),
            Self::Always => "always".to_owned(),
            Self::UnlessStopped => "unless-stopped".to_owned(),
            Self::OnFailure(None) => "on-failure".to_owned(),
            Self::OnFailure(Some(times)) => format!("on-failure:{times}"),
        }
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match bytes(text) {
            Some(0) => Err(refused("size", text, "use more than zero")),
            Some(bytes) => Ok(Self(bytes)),
            None => Err(refused("size", text, SIZE)),
        }
    }
}

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match bytes(text) {
            Some(bytes) if bytes >= Self::MIN_BYTES => Ok(Self(ByteSize(bytes))),
            Some(bytes) => {
                let rule = format!("that is {bytes} bytes, and docker asks for \"6m\" at least");
                Err(refused("memory", text, &rule))
            }
            None => Err(refused("memory", text, SIZE)),
        }
    }
}

impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        scaled(text, Self::ONE)
            .filter(|billionths| (Self::ONE / 100..=1024 * Self::ONE).contains(billionths))
            .map(|billionths| Self { billionths })
            .ok_or_else(|| {
                refused(
                    "cpus",
                    text,
                    "use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5",
                )
            })
    }
}

impl<const MIN: u32, const MAX: u32> FromStr for Bounded<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        whole(text)
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| refused("number", text, &format!("use {MIN} to {MAX}")))
    }
}

impl FromStr for RestartPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let policy = match text {
            // `no` is a boolean in YAML, and arrives as one.
            "no" | "false" => Some(Self::No),
            "always" => Some(Self::Always),
            "unless-stopped" => Some(Self::UnlessStopped),
            "on-failure" => Some(Self::OnFailure(None)),
            other => other
                .strip_prefix("on-failure:")
                .and_then(whole)
                .map(|times| Self::OnFailure(Some(times))),
        };
        policy.ok_or_else(|| {
            let rule = "use \"no\", \"always\", \"unless-stopped\", \"on-failure\" or \
                        \"on-failure:5\"";
            refused("restart policy", text, rule)
        })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.argument())
    }
}

impl<const MIN: u32, const MAX: u32> fmt::Display for Bounded<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.argument())
    }
}

impl<const MIN: u32, const MAX: u32> TryFrom<String> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let sent = scalar(&Value::deserialize(source)?)
            .map_err(|kind| format!("use a whole number from {MIN} to {MAX}, not {kind}"));
        // Some clients know only floating point: 5.0.
        sent.and_then(|text| text.strip_suffix(".0").unwrap_or(&text).parse())
            .map_err(serde::de::Error::custom)
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Bounded<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("From{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

const SIZE: &str = "use bytes or a number with a unit, for example 67108864, \"64m\" or \"1.5g\"";

/// Kubernetes' `Mi` counts as well; more than `i64::MAX` does not.
fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let power = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "ki" | "kib" => 1,
        "m" | "mb" | "mi" | "mib" => 2,
        "g" | "gb" | "gi" | "gib" => 3,
        "t" | "tb" | "ti" | "tib" => 4,
        "p" | "pb" | "pi" | "pib" => 5,
        _ => return None,
    };
    scaled(number, 1024_u64.pow(power)).filter(|bytes| i64::try_from(*bytes).is_ok())
}

/// Digits only: no sign, no blanks.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// A decimal number of `unit`s, rounded down: digits, and at most 9 of them behind the point.
pub(super) fn scaled(decimal: &str, unit: u64) -> Option<u64> {
    const BILLION: u128 = 1_000_000_000;
    let (digits, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if digits.len() + fraction.len() == 0 || fraction.len() > 9 {
        return None;
    }
    if !is_number(digits) || !is_number(fraction) {
        return None;
    }
    let units: u128 = format!("0{digits}").parse().ok()?;
    let billionths: u128 = format!("{fraction:0<9}").parse().ok()?;
    let total = units
        .checked_mul(u128::from(unit))?
        .checked_add(billionths * u128::from(unit) / BILLION)?;
    u64::try_from(total).ok()
}
