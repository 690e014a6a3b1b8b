//! Docker's times as RFC 3339 in UTC, whole seconds.

use jiff::Timestamp;

/// Reads what `ls` prints (`2026-11-22 06:00:30 +0000 UTC`, in the client's zone) and what
/// `inspect` prints (RFC 3339 with nanoseconds). A text that is neither stays as it is; the zero
/// time of Go becomes nothing. A part of a second is left out, as `ls` does it: rounded up, a time
/// would be after what happened at it.
pub fn from_docker(text: &str) -> String {
    if text.starts_with("0001-01-01") {
        return String::new();
    }
    parse(text)
        .and_then(|time| Timestamp::from_second(time.as_second()).ok())
        .map_or_else(|| text.to_owned(), |time| time.to_string())
}

pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        // The name of the zone says nothing that the offset does not.
        let (without_zone, _) = text.rsplit_once(' ')?;
        Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", without_zone).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::from_docker;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(from_docker("2026-11-22 06:00:30 +0000 UTC"), "2026-11-22T06:00:30Z");
        assert_eq!(from_docker("2026-11-22 06:00:30 +0100 CET"), "2026-11-22T05:00:30Z");
        assert_eq!(from_docker("2026-11-22T06:00:38.257180197Z"), "2026-11-22T06:00:38Z");
        assert_eq!(from_docker("2026-11-22T06:00:38.257180197+02:00"), "2026-11-22T04:00:38Z");
        assert_eq!(from_docker("2026-11-22T06:00:38.999999999Z"), "2026-11-22T06:00:38Z");
        assert_eq!(from_docker("0001-01-01T00:00:00Z"), "");
        assert_eq!(from_docker("soon"), "soon");
    }
}
