//! Foreign text made fit to show: no escape sequences, no invisible characters, no surprises.
//!
//! Containers print whatever they like, and a model reads it. [`clean`] comes before redaction,
//! because an invisible character inside a token would hide it; [`head`] and [`tail`] come after,
//! because a cut may halve one.

mod clean;

use std::borrow::Cow;

pub use clean::{Cleaned, clean};

/// The longest beginning of at most `max_bytes` that does not cut a character.
pub fn head(text: &str, max_bytes: usize) -> &str {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The longest end of at most `max_bytes` that does not cut a character.
///
/// It begins at the start of a line if that costs no more than a quarter of it.
pub fn tail(text: &str, max_bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(max_bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let end = text.get(start..).unwrap_or_default();
    let before = text.get(..start).unwrap_or_default();
    let starts_a_line = before.is_empty() || before.ends_with('\n');
    if starts_a_line {
        return end;
    }
    match end.split_once('\n') {
        Some((halved, whole_lines)) if halved.len() < max_bytes / 4 && !whole_lines.is_empty() => {
            whole_lines
        }
        _ => end,
    }
}

/// One line with at most `max_bytes` of its text, then `…[+N bytes]` for what was left out.
pub fn cut_line(line: &str, max_bytes: usize) -> Cow<'_, str> {
    if line.len() <= max_bytes {
        return Cow::Borrowed(line);
    }
    let kept = head(line, max_bytes);
    Cow::Owned(format!("{kept}…[+{} bytes]", line.len() - kept.len()))
}

/// `1.5 GB`: powers of a thousand and one decimal, as docker counts what lies on disks.
pub fn human_bytes(bytes: u64) -> String {
    in_units(bytes, 1000, ["kB", "MB", "GB", "TB", "PB", "EB"])
}

/// `48 MiB`: powers of 1024 and one decimal, as docker counts memory, limits of it included (`48m`).
pub fn human_memory(bytes: u64) -> String {
    in_units(bytes, 1024, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

fn in_units(bytes: u64, step: u64, units: [&str; 6]) -> String {
    if bytes < step {
        return format!("{bytes} B");
    }
    let step = u128::from(step);
    let mut divisor = step;
    let mut shown = String::new();
    for unit in units {
        let tenths = (u128::from(bytes) * 10 + divisor / 2) / divisor;
        shown = match (tenths / 10, tenths % 10) {
            (whole, 0) => format!("{whole} {unit}"),
            (whole, tenth) => format!("{whole}.{tenth} {unit}"),
        };
        // 999,960 bytes round to `1000 kB`, which is `1 MB`.
        if tenths < step * 10 {
            break;
        }
        divisor *= step;
    }
    shown
}

/// The first 12 digits, without `sha256:`.
pub fn short_id(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_keep_characters_whole() {
        assert_eq!(head("añb", 2), "a");
        assert_eq!(head("añb", 3), "añ");
        assert_eq!(head("ab", 9), "ab");
        assert_eq!(tail("añb", 2), "b");
        assert_eq!(tail("añb", 3), "ñb");
        assert_eq!(tail("ab", 0), "");
    }

    #[test]
    fn a_tail_begins_at_a_near_line() {
        let text = "first line\nsecond line\nthird line and a bit more of it\n";
        assert_eq!(tail(text, 36), "third line and a bit more of it\n");
        assert_eq!(tail(text, 32), "third line and a bit more of it\n");
        assert_eq!(tail(text, 10), "ore of it\n");
    }

    #[test]
    fn a_cut_line_says_how_much_is_missing() {
        assert_eq!(cut_line("short", 5), "short");
        assert_eq!(cut_line("añbcd", 2), "a…[+5 bytes]");
    }

    #[test]
    fn sizes_read_as_docker_prints_them() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1_234, "1.2 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1 MB"),
            (1_500_000_000, "1.5 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(human_bytes(bytes), expected);
        }
    }

    #[test]
    fn memory_reads_as_it_was_asked_for() {
        for (bytes, expected) in [
            (1023, "1023 B"),
            (48 << 20, "48 MiB"),
            (3 << 29, "1.5 GiB"),
            ((1 << 30) - 1, "1 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(human_memory(bytes), expected);
        }
    }
}
