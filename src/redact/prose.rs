//! Sentences that end in a secret, and values that stand below their names.

use std::ops::Range;

use super::MARKER;
use super::assignments::{Name, Separator};
use super::scan::Scanner;
use super::values::{is_drawn, is_harmless, is_state};

/// What may stand between a secret's name and the colon before it.
#[rustfmt::skip]
const PROSE: &[&str] = &[
    "a", "account", "admin", "administrator", "as", "auto-generated", "automatically", "been",
    "below", "created", "default", "follows", "for", "generated", "has", "here", "initial", "is",
    "new", "now", "of", "random", "reset", "root", "set", "temporary", "the", "this", "to", "user",
    "value", "was", "your",
];

impl Scanner<'_> {
    /// Prose that ends in the secret: `Your password is: x`, `admin password generated: x`,
    /// `Password for the elastic user (…):` and `x` on the next line.
    pub(super) fn told(&mut self, name: &Name<'_>) -> bool {
        const MAX_PROSE: usize = 200;
        const MAX_WORDS: usize = 8;
        // The name of somebody.
        const MAX_FREE: usize = 3;
        let from = name.span.end;
        let line_end = self.run_at_most(from, MAX_PROSE, |byte| byte != b'\n');
        let ends_with_colon = self.byte(line_end) == Some(b'\n')
            && self.slice(from..line_end).trim_end().ends_with(':')
            && !self.slice(from..line_end).contains(MARKER);
        let mut at = from;
        let mut free = 0;
        let mut last = String::new();
        for _ in 0..MAX_WORDS {
            let start = self.blanks(at);
            let end = if self.byte(start) == Some(b'(') {
                let close =
                    self.run_at_most(start, MAX_PROSE, |byte| !matches!(byte, b')' | b'\n'));
                self.run_at_most(close, 8, |byte| byte != b'\n' && byte != b' ')
            } else {
                self.run_at_most(start, 64, |byte| !byte.is_ascii_whitespace())
            };
            let word = self.slice(start..end);
            let bare = word.trim_end_matches(':').to_ascii_lowercase();
            let goes_on = PROSE.contains(&bare.as_str()) || word.starts_with('(') || free > 0;
            if start == at || end == start || !goes_on && !matches!(word, "->" | "→") {
                let ends_here = start > at && matches!(last.as_str(), "is" | "was");
                return (ends_here && self.is_told(name, start, "to"))
                    || (ends_with_colon && self.is_told_below(name, line_end));
            }
            free = if matches!(bare.as_str(), "for" | "of" | "user") {
                MAX_FREE
            } else {
                free.saturating_sub(1)
            };
            if word.ends_with(':') || !goes_on {
                let value = self.blanks(end);
                return if self.byte(value) == Some(b'\n') {
                    self.is_told_below(name, value)
                } else {
                    value > end && self.is_told(name, value, &bare)
                };
            }
            last = bare;
            at = end;
        }
        ends_with_colon && self.is_told_below(name, line_end)
    }

    /// After the last word of the prose.
    fn is_told(&mut self, name: &Name<'_>, start: usize, last: &str) -> bool {
        if !self.holds_secret(name, start) {
            return false;
        }
        let value = self.quoted(start).unwrap_or_else(|| {
            let value = self.unquoted(name, Separator::Colon, start);
            let text = self.slice(value.clone()).trim_end_matches(['.', ',', ';']);
            value.start..value.start + text.len()
        });
        let text = self.slice(value.clone());
        let is_plain = matches!(last, "is" | "was" | "generated");
        let is_password = name.text.to_ascii_lowercase().contains("pass");
        let shown = match last {
            _ if is_drawn(text) => false,
            // Without a colon.
            "to" => true,
            _ if is_plain => self.is_prose(name, text, value.end) || is_state(text),
            _ => !is_password || !text.bytes().any(|byte| byte.is_ascii_digit()) || text.len() < 6,
        };
        !shown && !is_harmless(text) && self.mask(value)
    }

    fn is_told_below(&mut self, name: &Name<'_>, line_end: usize) -> bool {
        self.holds_secret(name, line_end) && self.below(name, line_end, false)
    }

    /// The value on the next line, alone; or one further down, because some leave a line free.
    pub(super) fn below(&mut self, name: &Name<'_>, line_end: usize, is_direct: bool) -> bool {
        const MAX_LINE: usize = 512;
        let own = self.line_before(name.span.start, 256);
        // `web-1  | `, as compose writes it before each line.
        let prefix = own.find("| ").and_then(|at| own.get(..at + 2)).unwrap_or_default();
        let rest = own.get(prefix.len()..).unwrap_or_default();
        let indent = rest.len() - rest.trim_start().len();
        let is_key = is_direct && rest.trim_matches(['"', '\'', ' ', '\t', '-']).is_empty();
        let mut line = line_end + 1;
        for is_next in [true, false] {
            let text_start =
                if self.starts_with(line, prefix) { line + prefix.len() } else { line };
            let start = self.blanks(text_start);
            let end = self.run_at_most(start, MAX_LINE, |byte| byte != b'\n');
            if start == end && self.byte(end) == Some(b'\n') {
                line = end + 1;
                continue;
            }
            let is_deeper = is_next && is_key && start - text_start > indent;
            if let (true, Some(value)) = (is_deeper, self.value_name(start)) {
                return self.nested(name, value);
            }
            return self.alone(start..end, is_deeper);
        }
        false
    }

    /// What stands alone on a line: below a key of YAML it is the value, below prose it may be.
    fn alone(&mut self, line: Range<usize>, is_value: bool) -> bool {
        let value = self
            .quoted(line.start)
            .unwrap_or_else(|| line.start..line.start + self.slice(line.clone()).trim_end().len());
        let text = self.slice(value.clone());
        let rest = self.slice(self.skip_quote(value.end)..line.end);
        let is_assignment =
            text.split_once('=').is_some_and(|(_, value)| !value.trim_matches('=').is_empty());
        let other = text.contains([' ', '\t']) && value.start == line.start
            || text.ends_with([':', '{', ';'])
            || text.starts_with(['-', '#', '<', '{', '[', '(', '|', '>', '*', '&', '!', '@'])
            || !rest.trim().is_empty()
            || is_assignment;
        let is_secret =
            if is_value { !is_harmless(text) && !is_state(text) } else { is_drawn(text) };
        !other && is_secret && self.mask_ahead(value)
    }
}
