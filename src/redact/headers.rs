//! `Authorization`, `Cookie` and `Bearer`: values that contain blanks.

use super::MARKER;
use super::assignments::Name;
use super::scan::{MAX_SHOWN, Scanner};
use super::values::{is_harmless, is_word};
use super::vendors::token;

impl Scanner<'_> {
    /// `Authorization: Bearer …` and `Cookie: …`, of which the value may contain blanks.
    pub(super) fn header(&mut self, name: &Name<'_>) -> Option<bool> {
        let lower = name.text.to_ascii_lowercase();
        let is_authorization = lower.ends_with("authorization");
        let is_cookie = matches!(lower.as_str(), "cookie" | "set-cookie");
        if lower == "bearer" {
            return self.bearer(name).then_some(true);
        }
        if !is_authorization && !is_cookie {
            return None;
        }
        let (_, mut at) = self.separator(name)?;
        // Go prints headers as `map[Authorization:[Bearer x]]`.
        let is_list = self.byte(at) == Some(b'[') && !self.starts_with(at, MARKER);
        at += usize::from(is_list);
        let start = self.skip_quote(at);
        let belongs =
            |byte: u8| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'\\');
        let first_end = self.run_at_most(start, MAX_SHOWN, belongs);
        let first = self.slice(start..first_end);
        if first.starts_with(MARKER) {
            return Some(false);
        }
        if is_cookie {
            return first
                .contains('=')
                .then(|| self.mask(start..self.header_end(name, at, is_list)));
        }
        if is_scheme(first) {
            let credentials = self.blanks(first_end);
            let word = self.slice(credentials..self.run(credentials, belongs));
            // `missing Authorization: Bearer header`
            let is_prose = word.len() < 16 && is_word(word);
            let shown = is_prose || is_harmless(word);
            return Some(!shown && self.mask(credentials..self.header_end(name, at, is_list)));
        }
        let has_digit = first.bytes().any(|byte| byte.is_ascii_digit());
        let is_token = first.len() == MAX_SHOWN || (first.len() >= 8 && has_digit);
        let shown = !is_token || is_harmless(first);
        Some(!shown && self.mask(start..self.run(first_end, belongs)))
    }

    /// The end of a header's value: its quote, the quote before its name, or the line.
    fn header_end(&self, name: &Name<'_>, value_at: usize, is_list: bool) -> usize {
        let quote = self
            .quote_at(value_at)
            .map(|(quote, backslashes)| (quote, backslashes, value_at + backslashes + 1));
        let enclosing = || {
            let (quote, backslashes) = self.enclosing_quote(name)?;
            Some((quote, backslashes, value_at))
        };
        let end = match quote.or_else(enclosing) {
            Some((quote, backslashes, start)) => self.closing_quote(start, quote, backslashes).0,
            None => self.run(value_at, |byte| {
                !(matches!(byte, b'\n' | b'"' | b'\'' | b'\\') || (is_list && byte == b']'))
            }),
        };
        value_at + self.slice(value_at..end).trim_end().len()
    }

    /// `Bearer x`, outside of a header; prose about bearer tokens has no digits.
    fn bearer(&mut self, name: &Name<'_>) -> bool {
        let start = self.blanks(name.span.end);
        let end = self.run(start, |byte| token(byte) || b".~+/=".contains(&byte));
        let credentials = self.slice(start..end).trim_end_matches('.');
        let is_token = start > name.span.end
            && credentials.len() >= 8
            && credentials.bytes().any(|byte| byte.is_ascii_digit());
        is_token && self.mask(start..start + credentials.len())
    }
}

fn is_scheme(word: &str) -> bool {
    const SCHEMES: [&str; 12] = [
        "bearer",
        "basic",
        "token",
        "digest",
        "negotiate",
        "apikey",
        "api-key",
        "bot",
        "jwt",
        "ntlm",
        "aws4-hmac-sha256",
        "sharedkey",
    ];
    SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(word))
}
