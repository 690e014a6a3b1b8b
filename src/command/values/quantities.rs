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

from_text!(ByteSize, "size", { "type": ["string", "integer"] });
from_text!(Memory, "memory", { "type": ["string", "integer"] });
from_text!(Cpus, "cpus", { "type": ["number", "string"] });
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
        whole(text).filter(|number| (MIN..=MAX).contains(number)).map(Self).ok_or_else(|| {
            refused("number", text, &format!("use a whole number from {MIN} to {MAX}"))
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

impl<const MIN: u32, const MAX: u32> TryFrom<String> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let sent = scalar(&Value::deserialize(source)?).map_err(|kind| {
            format!("{kind} is not allowed: use a whole number from {MIN} to {MAX}")
        });
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
pub(super) fn whole<T: FromStr>(text: &str) -> Option<T> {
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn a_size_is_read_as_docker_reads_it() {
        for (sent, bytes) in [
            (json!(1), 1),
            (json!(536_870_912), 536_870_912),
            (json!(1024.0), 1024),
            (json!("512"), 512),
            (json!("512b"), 512),
            (json!("1k"), 1024),
            (json!("512m"), 512 << 20),
            (json!("64MB"), 64 << 20),
            (json!("64 MiB"), 64 << 20),
            (json!("512Mi"), 512 << 20),
            (json!("1GiB"), 1 << 30),
            (json!("1.5g"), 3 << 29),
            (json!(".5K"), 512),
            (json!("2T"), 2 << 40),
            (json!("1p"), 1 << 50),
            (json!("9223372036854775807"), i64::MAX as u64),
        ] {
            let size = accepted::<ByteSize>(&sent);
            assert_eq!((size.bytes(), size.argument()), (bytes, bytes.to_string()), "{sent}");
        }
        assert_snapshot!(refusals::<ByteSize>(&json!([
            "", "0", 0, "0.1", -1, "-1m", "+1m", "NaN", "inf", "1e3", "12x", "m", "1.2.3", "1 m m",
            "9223372036854775808", "99999999p", 1e300, "٣m", true, null
        ])), @r#"
        size "" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "0" is not allowed: use more than zero
        size "0" is not allowed: use more than zero
        size "0.1" is not allowed: use more than zero
        size "-1" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "-1m" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "+1m" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "NaN" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "inf" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "1e3" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "12x" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "m" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "1.2.3" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "1 m m" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "9223372036854775808" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "99999999p" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size must be text or a number, not a number too large to be exact
        size "٣m" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size "true" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        size must be text or a number, not null
        "#);
    }

    #[test]
    fn memory_below_the_minimum_of_docker_is_refused() {
        assert_eq!(accepted::<Memory>(&json!("6m")).argument(), "6291456");
        assert_snapshot!(refusals::<Memory>(&json!(["5.9m", 512, "0", "lots"])), @r#"
        memory "5.9m" is not allowed: that is 6186598 bytes, and docker asks for "6m" at least
        memory "512" is not allowed: that is 512 bytes, and docker asks for "6m" at least
        memory "0" is not allowed: that is 0 bytes, and docker asks for "6m" at least
        memory "lots" is not allowed: use bytes or a number with a unit, for example 67108864, "64m" or "1.5g"
        "#);
    }

    #[test]
    fn processors_are_written_without_an_exponent() {
        for (sent, argument) in [
            (json!(2), "2"),
            (json!(0.5), "0.5"),
            (json!("1.50"), "1.5"),
            (json!("0.010"), "0.01"),
            (json!(1.123_456_789), "1.123456789"),
            (json!("1024"), "1024"),
        ] {
            assert_eq!(accepted::<Cpus>(&sent).argument(), argument);
        }
        assert_snapshot!(refusals::<Cpus>(&json!([
            0, "0.009", 1e-7, "-1", "1025", "1.1234567891", "500m", "NaN", "1e1", ""
        ])), @r#"
        cpus "0" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "0.009" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "1e-7" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "-1" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "1025" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "1.1234567891" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "500m" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "NaN" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "1e1" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        cpus "" is not allowed: use a number from 0.01 to 1024 with at most 9 decimals, for example 1.5
        "#);
    }

    #[test]
    fn a_bounded_number_names_its_bounds() {
        type Seconds = Bounded<1, 600>;
        for sent in [json!(60), json!("60"), json!(60.0)] {
            assert_eq!(accepted::<Seconds>(&sent).get(), 60);
        }
        assert_snapshot!(refusals::<Seconds>(&json!([
            0, 601, -1, "+5", "5s", 1.5, "", true, null, [5], 99_999_999_999_u64
        ])), @r#"
        number "0" is not allowed: use a whole number from 1 to 600
        number "601" is not allowed: use a whole number from 1 to 600
        number "-1" is not allowed: use a whole number from 1 to 600
        number "+5" is not allowed: use a whole number from 1 to 600
        number "5s" is not allowed: use a whole number from 1 to 600
        number "1.5" is not allowed: use a whole number from 1 to 600
        number "" is not allowed: use a whole number from 1 to 600
        number "true" is not allowed: use a whole number from 1 to 600
        null is not allowed: use a whole number from 1 to 600
        a list is not allowed: use a whole number from 1 to 600
        number "99999999999" is not allowed: use a whole number from 1 to 600
        "#);
        assert_snapshot!(serde_json::Value::from(schemars::schema_for!(Seconds)), @r#"{"type":"integer","minimum":1,"maximum":600,"title":"From1To600","$schema":"https://json-schema.org/draft/2020-12/schema"}"#);
    }
}
