//! Where a value ends: with its quote, with its block, or where the text plainly goes on.

use std::ops::Range;

use super::MARKER;
use super::assignments::{Name, Separator};
use super::scan::Scanner;
use super::values::bracketed;
use super::vendors::token;

impl Scanner<'_> {
    /// How many backslashes stand before a quote here, and the quote.
    pub(super) fn quote_at(&self, at: usize) -> Option<(u8, usize)> {
        let quote = self.run(at, |byte| byte == b'\\');
        let byte = self.byte(quote).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
        Some((byte, quote - at))
    }

    pub(super) fn skip_quote(&self, at: usize) -> usize {
        self.quote_at(at).map_or(at, |(_, backslashes)| at + backslashes + 1)
    }

    /// A quoted value; one that is not closed goes to the end of the line.
    pub(super) fn quoted(&self, at: usize) -> Option<Range<usize>> {
        let (quote, backslashes) = self.quote_at(at)?;
        if let Some(value) = self.quoted_for_shell(at) {
            return Some(value);
        }
        let mut start = at + backslashes + 1;
        // `"""x"""` of Python and `""x""` of CSV.
        if self.byte(start) == Some(quote) {
            match self.byte(start + 1) {
                Some(next) if next == quote => start += 2,
                Some(next) if next.is_ascii_alphanumeric() => start += 1,
                _ => {}
            }
        }
        let (end, _) = self.closing_quote(start, quote, backslashes);
        Some(start..end)
    }

    /// A quote within the single quotes of a shell: `'password '\''x'\'''`.
    fn quoted_for_shell(&self, at: usize) -> Option<Range<usize>> {
        const MAX_VALUE: usize = 1024;
        let quote = [r"'\''", r#"'"'"'"#].into_iter().find(|quote| self.starts_with(at, quote))?;
        let start = at + quote.len();
        let end = self.run_at_most(start, MAX_VALUE, |byte| byte != b'\n' && byte != b'\'');
        self.starts_with(end, quote).then_some(start..end)
    }

    /// Where the quote is (without its backslashes) that closes this one, and whether it exists.
    pub(super) fn closing_quote(
        &self,
        start: usize,
        quote: u8,
        backslashes: usize,
    ) -> (usize, bool) {
        let mut at = start;
        loop {
            let stop = self.run(at, |byte| byte != quote && byte != b'\n' && byte != b'\\');
            let found = self.run(stop, |byte| byte == b'\\');
            let slashes = found - stop;
            match self.byte(found) {
                Some(byte) if byte == quote => {
                    let closes =
                        slashes == backslashes || (backslashes == 0 && slashes.is_multiple_of(2));
                    if closes {
                        return (found - backslashes, true);
                    }
                    at = found + 1;
                }
                None | Some(b'\n') => return (found, false),
                Some(_) => at = found.max(stop + 1),
            }
        }
    }

    /// The quote right before the name, when it opens a string that holds more than the name.
    pub(super) fn enclosing_quote(&self, name: &Name<'_>) -> Option<(u8, usize)> {
        let quote = name.before.filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
        let quote_at = name.span.start.checked_sub(1)?;
        // Dashes may stand between: `"--password=x"`.
        let quote_at = self.run_back(quote_at + 1, 4, |byte| byte == b'-').checked_sub(1)?;
        let slashes = quote_at - self.run_back(quote_at, 8, |byte| byte == b'\\');
        (self.skip_quote(name.span.end) == name.span.end).then_some((quote, slashes))
    }

    pub(super) fn unquoted(
        &self,
        name: &Name<'_>,
        separator: Separator,
        start: usize,
    ) -> Range<usize> {
        let mut end = self.unquoted_end(name, start);
        if separator == Separator::Equals
            && let Some((quote, backslashes)) = self.enclosing_quote(name)
        {
            // `"PASSWORD=a, b"` goes on to its quote, `"password=a user=b"` does not.
            let (close, is_closed) = self.closing_quote(start, quote, backslashes);
            if is_closed {
                end = end.min(close);
            }
            let mut next = end;
            while is_closed && next < close {
                let word = self.blanks(next);
                if word > next && self.begins_assignment(word, false) {
                    break;
                }
                let max = close.saturating_sub(word);
                next = self.run_at_most(word, max, |byte| !matches!(byte, b' ' | b'\t')).min(close);
                end = next;
            }
        }
        start..end
    }

    /// The end of a value without quotes. Punctuation belongs to it, unless the value is
    /// plainly over: `a,b` is one value, `a, b` and `a,user=b` are not.
    fn unquoted_end(&self, name: &Name<'_>, start: usize) -> usize {
        let in_query = matches!(name.before, Some(b'?' | b'&'));
        let mut at = start;
        loop {
            if self.starts_with(at, MARKER) {
                // What stands after it was judged when it was made.
                return if at == start { at + MARKER.len() } else { at };
            }
            let Some(byte) = self.byte(at) else { return at };
            if let Some(reference_end) = self.reference_end(at) {
                at = reference_end;
                continue;
            }
            if byte == b'\\' {
                let last = self.run(at, |byte| byte == b'\\') - 1;
                if matches!(self.byte(last + 1), Some(b'"' | b'\'' | b'`')) {
                    return at;
                }
                at = last;
            }
            let next = self.byte(at + 1);
            let is_over = match byte {
                b' ' | b'\t' | b'\n' | b'`' => true,
                0xc2 | 0xe2 | 0xe3 => self.wide_blank(at) > 0,
                // `it's` and `Some("x")` go on.
                b'"' | b'\'' => {
                    !next.is_some_and(|byte| byte.is_ascii_alphanumeric())
                        && (at == start || self.byte_before(at) != Some(b'('))
                }
                b'&' | b'#' if in_query => true,
                b',' | b';' | b'&' => at > start && self.value_ends_before(at + 1, byte == b','),
                b')' | b']' | b'}' => {
                    at > start && next.is_none_or(|byte| b" \t\n,;)]}\"'`\\.".contains(&byte))
                }
                b'<' => next == Some(b'/'),
                b'\\' => matches!(next, Some(b'n' | b'r')) && self.value_ends_before(at + 2, true),
                _ => false,
            };
            if is_over {
                return at;
            }
            at += 1;
        }
    }

    /// Where a reference in brackets ends, blanks and brackets within it included: `${X}`,
    /// `{{ x }}`, `$(cat x)`, `<your password>`.
    fn reference_end(&self, at: usize) -> Option<usize> {
        const MAX_REFERENCE: usize = 256;
        if !matches!(self.byte(at), Some(b'$' | b'{' | b'#' | b'%' | b'<')) {
            return None;
        }
        let end = self.run_at_most(at, MAX_REFERENCE, |byte| byte != b'\n');
        let end = (at..=end).rev().find(|&end| self.text.is_char_boundary(end))?;
        bracketed(self.slice(at..end)).map(|length| at + length)
    }

    fn value_ends_before(&self, at: usize, colon_too: bool) -> bool {
        match self.byte(at) {
            None | Some(b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'`' | b'\\') => true,
            Some(_) => self.begins_assignment(at, colon_too),
        }
    }

    /// `name=` (or `name:`), with dashes, at this place.
    pub(super) fn begins_assignment(&self, at: usize, colon_too: bool) -> bool {
        const MAX_NAME: usize = 64;
        let end = self.run(at, |byte| token(byte) || byte == b'.');
        end > at
            && end - at <= MAX_NAME
            && (self.byte(end) == Some(b'=') || (colon_too && self.byte(end) == Some(b':')))
    }

    /// The lines below `name: |` that are indented further than it.
    pub(super) fn yaml_block(&self, name: &Name<'_>, indicator: usize) -> Option<Range<usize>> {
        let indicator_end = self.run(indicator, |byte| matches!(byte, b'|' | b'>' | b'-' | b'+'));
        let first_line = self.blanks(indicator_end);
        if !matches!(self.byte(indicator), Some(b'|' | b'>'))
            || self.byte(first_line) != Some(b'\n')
        {
            return None;
        }
        let line_start = self.run_back(name.span.start, name.span.start, |byte| byte != b'\n');
        let indent = self.blanks(line_start) - line_start;
        let start = self.run(first_line, |byte| matches!(byte, b' ' | b'\t' | b'\n'));
        let mut line = first_line + 1;
        let mut end = start;
        while line < self.text.len() {
            let text_start = self.blanks(line);
            let line_end = self.line_end(text_start);
            if text_start < line_end {
                if text_start - line <= indent {
                    break;
                }
                end = line_end;
            }
            line = line_end + 1;
        }
        Some(start..end)
    }
}
