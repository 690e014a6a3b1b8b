//! Spans and points of time, as docker reads them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use super::quantities::scaled;
use super::sent::{from_text, refused};

/// A span of time: Go's text (`1m30s`, `500ms`) or a number of seconds. Not negative, at most 292
/// years (Go's `int64` of nanoseconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DockerDuration(Duration);

/// A point in time for `--since` and `--until`: so long ago (`10m`), an RFC 3339 time, a date (its
/// beginning in UTC) or seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimePoint {
    Ago(DockerDuration),
    At(Timestamp),
}

from_text!(DockerDuration, "duration", { "type": ["string", "number"] });
from_text!(TimePoint, "time", { "type": ["string", "number"] });

impl DockerDuration {
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// As an option's value: Go's text, `1h30m`, without the parts that are zero.
    pub fn argument(self) -> String {
        let seconds = self.0.as_secs();
        let nanoseconds = self.0.subsec_nanos();
        let parts = [
            (seconds / 3600, "h"),
            (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
            (u64::from(nanoseconds / 1_000_000), "ms"),
            (u64::from(nanoseconds / 1000 % 1000), "us"),
            (u64::from(nanoseconds % 1000), "ns"),
        ];
        let text: Vec<String> = parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, unit)| format!("{number}{unit}"))
            .collect();
        if text.is_empty() { "0s".to_owned() } else { text.concat() }
    }
}

impl TimePoint {
    /// As an option's value: a span that docker counts back from now, or RFC 3339 in UTC.
    pub fn argument(self) -> String {
        match self {
            Self::Ago(span) => span.argument(),
            Self::At(time) => time.to_string(),
        }
    }

    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(span) => now.checked_sub(span.duration()).unwrap_or(Timestamp::MIN),
            Self::At(time) => time,
        }
    }
}

impl FromStr for DockerDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        nanoseconds(text, Some("s")).map(|n| Self(Duration::from_nanos(n))).ok_or_else(|| {
            refused(
                "duration",
                text,
                "use seconds or a span such as \"500ms\", \"30s\" or \"1m30s\"",
            )
        })
    }
}

impl FromStr for TimePoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ago =
            || nanoseconds(text, None).map(|n| Self::Ago(DockerDuration(Duration::from_nanos(n))));
        let rule = "use a span back from now (\"10m\", \"2h30m\"), a time with its zone \
                    (\"2026-01-31T09:00:00Z\"), a date, or seconds since 1970";
        ago()
            .or_else(|| unix_time(text).or_else(|| calendar_time(text)).map(Self::At))
            .ok_or_else(|| refused("time", text, rule))
    }
}

impl fmt::Display for DockerDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.argument())
    }
}

impl fmt::Display for TimePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.argument())
    }
}

/// Go's `time.ParseDuration` without a sign; a number alone has the unit `default_unit`.
fn nanoseconds(text: &str, default_unit: Option<&str>) -> Option<u64> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text;
    let mut total: u64 = 0;
    loop {
        let (number, tail) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let (unit, tail) = tail.split_at(tail.find(is_number).unwrap_or(tail.len()));
        let unit = match unit {
            "" if number == text => default_unit?,
            unit => unit,
        };
        total = total.checked_add(scaled(number, nanoseconds_in(unit)?)?)?;
        if tail.is_empty() {
            return Some(total).filter(|total| i64::try_from(*total).is_ok());
        }
        rest = tail;
    }
}

fn nanoseconds_in(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `1700000000` or `1700000000.25`, up to the year 2554: so milliseconds are refused. So is `10`,
/// which docker takes for 1970 and a caller for ten seconds ago; before 1973 only 0 means anything.
fn unix_time(text: &str) -> Option<Timestamp> {
    const EARLIEST: u64 = 100_000_000 * 1_000_000_000;
    let nanoseconds = scaled(text, 1_000_000_000).filter(|n| *n == 0 || *n >= EARLIEST)?;
    Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()
}

fn calendar_time(text: &str) -> Option<Timestamp> {
    // Go reads years of four digits; jiff would also read `-000001`.
    if !text.get(..5)?.trim_start_matches(|c: char| c.is_ascii_digit()).eq("-") {
        return None;
    }
    if text.len() == "2026-01-31".len() {
        return format!("{text}T00:00:00Z").parse().ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn a_duration_is_seconds_or_the_text_of_go() {
        for (sent, argument, milliseconds) in [
            (json!(90), "1m30s", 90_000),
            (json!("90"), "1m30s", 90_000),
            (json!(1.5), "1s500ms", 1500),
            (json!("500ms"), "500ms", 500),
            (json!("1h"), "1h", 3_600_000),
            (json!("1h0m0.5s"), "1h500ms", 3_600_500),
            (json!("1.5h"), "1h30m", 5_400_000),
            (json!("2000µs"), "2ms", 2),
            (json!("0"), "0s", 0),
        ] {
            let span = accepted::<DockerDuration>(&sent);
            assert_eq!(
                (span.argument().as_str(), span.duration().as_millis()),
                (argument, milliseconds)
            );
        }
        assert_eq!(accepted::<DockerDuration>(&json!("1us1ns")).argument(), "1us1ns");
        assert_snapshot!(refusals::<DockerDuration>(&json!([
            "", "-1s", "+1s", "1d", "s", "1s2", "1 m", "1.2.3s", "1m-30s", "9999999h", "∞", -5, null
        ])), @r#"
        duration "" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "-1s" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "+1s" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "1d" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "s" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "1s2" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "1 m" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "1.2.3s" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "1m-30s" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "9999999h" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "∞" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration "-5" is not allowed: use seconds or a span such as "500ms", "30s" or "1m30s"
        duration must be text or a number, not null
        "#);
    }

    #[test]
    fn a_point_in_time_is_back_from_now_or_in_utc() {
        for (sent, argument) in [
            (json!("10m"), "10m"),
            (json!("2h30m"), "2h30m"),
            (json!("2026-01-31T09:00:00Z"), "2026-01-31T09:00:00Z"),
            (json!("2026-01-31T10:00:00.25+01:00"), "2026-01-31T09:00:00.25Z"),
            (json!("2026-01-31"), "2026-01-31T00:00:00Z"),
            (json!(1_700_000_000), "2023-11-14T22:13:20Z"),
            (json!(0), "1970-01-01T00:00:00Z"),
            (json!(1_700_000_000.5), "2023-11-14T22:13:20.5Z"),
            (json!("1700000000.000000001"), "2023-11-14T22:13:20.000000001Z"),
        ] {
            assert_eq!(accepted::<TimePoint>(&sent).argument(), argument);
        }
        assert_snapshot!(refusals::<TimePoint>(&json!([
            "", "yesterday", "1d", "-10m", "10", "2026-01-31T09:00:00", "2026-02-30", "2026-1-1",
            "-000001-01-01", "2026-01-31T09:00:00Z\n", -1, 1_700_000_000_000_u64, "é2026", null
        ])), @r#"
        time "" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "yesterday" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "1d" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "-10m" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "10" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "2026-01-31T09:00:00" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "2026-02-30" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "2026-1-1" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "-000001-01-01" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "2026-01-31T09:00:00Z\n" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "-1" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "1700000000000" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time "é2026" is not allowed: use a span back from now ("10m", "2h30m"), a time with its zone ("2026-01-31T09:00:00Z"), a date, or seconds since 1970
        time must be text or a number, not null
        "#);
    }

    #[test]
    fn a_span_counts_back_from_the_given_time() {
        let now: Timestamp = "2026-01-31T09:00:00Z".parse().expect("a time");
        assert_eq!(
            accepted::<TimePoint>(&json!("90m")).resolve(now).to_string(),
            "2026-01-31T07:30:00Z"
        );
        assert_eq!(
            accepted::<TimePoint>(&json!("2026-01-31")).resolve(now).to_string(),
            "2026-01-31T00:00:00Z"
        );
    }
}
