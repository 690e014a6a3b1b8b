//! A caller's regular expression.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use crate::error::Error;

/// Bytes of a compiled pattern; more is an attack or a mistake.
const COMPILED_MAX: usize = 4 << 20;

/// A regular expression that is looked for in a line or in a name. Its time is linear in the text
/// whatever the pattern is.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// # Errors
    /// DKR-004 with the place of the mistake in the pattern.
    pub(crate) fn new(parameter: &str, pattern: &str) -> Result<Self, Error> {
        let regex = RegexBuilder::new(pattern).size_limit(COMPILED_MAX).build();
        regex.map(Self).map_err(|error| {
            let shown: String = pattern.chars().take(80).collect();
            // The last line says what is wrong, those before it point at the place.
            let why = error.to_string();
            let why = why.lines().next_back().unwrap_or_default();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            let message = format!("`{parameter}` is no regular expression: {shown:?}: {why}");
            Error::invalid(parameter, message)
                .hint("put \\ before . * + ? ( ) [ ] { } | ^ $ that stand for themselves")
        })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Where it is found first.
    pub(crate) fn find(&self, text: &str) -> Option<Range<usize>> {
        self.0.find(text).map(|found| found.range())
    }
}
