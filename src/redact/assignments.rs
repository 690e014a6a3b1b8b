//! Names with values in running text: `KEY=value`, `key: value`, `"key": "value"`, `--key value`,
//! headers, XML, SQL. The name decides whether there is a secret, the value where it ends.

use std::ops::Range;

use super::MARKER;
use super::keys::is_secret_key;
use super::scan::Scanner;
use super::shapes::token;
use super::values::{
    is_harmless, is_sentence, is_small_number, is_state, is_word, starts_sentence,
};

/// A name found in the text.
struct Name<'t> {
    text: &'t str,
    /// Without dashes before and dots after it.
    span: Range<usize>,
    /// `--name` or `-name`.
    is_flag: bool,
    /// The byte before it, dashes included.
    before: Option<u8>,
}

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    Equals,
    Colon,
    /// `--name value`, `ENV name value`.
    Blank,
}

/// Values that are shown are read again by other rules, so they are short.
const MAX_SHOWN: usize = 1024;

impl<'t> Scanner<'t> {
    /// A word of a name was found. Says whether something was masked.
    pub(super) fn key(&mut self, word: Range<usize>) -> bool {
        if word.start < self.keys_resume {
            return false;
        }
        let name = self.name_around(word);
        if let Some(masked) = self.header(&name) {
            return masked;
        }
        if let Some((separator, value_at)) = self.separator(&name) {
            return self.assigned(&name, separator, value_at);
        }
        if let Some(value_at) = self.named_value(&name) {
            return is_secret_key(name.text) && self.assigned(&name, Separator::Colon, value_at);
        }
        match self.byte(name.span.end) {
            Some(b'>') if name.before == Some(b'<') && is_secret_key(name.text) => {
                self.element(name.span.end + 1)
            }
            Some(b' ' | b'\t' | b'"' | b'\'' | b'\\' | b',') => self.after_blank(&name),
            _ => false,
        }
    }

    /// `IDENTIFIED BY 'x'`, `IDENTIFIED WITH caching_sha2_password BY 'x'`
    pub(super) fn sql_password(&mut self, word: Range<usize>) {
        let mut at = word.end;
        if self.slice(word).to_ascii_lowercase().ends_with("with ") {
            let plugin_end = self.run_at_most(at, 64, |byte| byte != b' ' && byte != b'\n');
            let by = self.blanks(plugin_end);
            if !self.slice(by..(by + 3).min(self.text.len())).eq_ignore_ascii_case("by ") {
                return;
            }
            at = by + 3;
        }
        let start = self.blanks(at);
        if matches!(self.byte(start), Some(b'\'' | b'"'))
            && let Some(value) = self.quoted(start)
        {
            self.judge_quoted(value);
        }
    }

    fn name_around(&mut self, word: Range<usize>) -> Name<'t> {
        let belongs = |byte: u8| token(byte) || byte == b'.';
        let floor = self.keys_resume.max(self.decided()).min(word.start);
        let mut start = self.run_back(word.start, word.start - floor, belongs);
        let end = self.run(word.end, belongs);
        self.keys_resume = end;
        // The `n` of a line end in quoted text.
        if self.byte_before(start) == Some(b'\\')
            && matches!(self.byte(start), Some(b'n' | b'r' | b't'))
            && start < word.start
        {
            start += 1;
        }
        let before = self.byte_before(start);
        let is_flag = self.byte(start) == Some(b'-');
        let dashes = self.slice(start..end);
        let text = dashes.trim_start_matches(['-', '.']);
        let span_start = end - text.len();
        let text = text.trim_end_matches(['-', '.']);
        Name { text, span: span_start..span_start + text.len(), is_flag, before }
    }

    /// Whether this name holds a secret, given where it stands.
    fn holds_secret(&self, name: &Name<'_>, value_at: usize) -> bool {
        let in_query = matches!(name.before, Some(b'?' | b'&'));
        let lower = name.text.to_ascii_lowercase();
        match lower.as_str() {
            "sig" | "signature" => in_query,
            "x-amz-signature" | "x-goog-signature" => true,
            // `AIza…` and its like, but not `?key=name`.
            "key" if in_query => self.run(value_at, token) - value_at >= 20,
            // `API key: …`
            "key" => {
                let line = self.line_before(name.span.start, 24).to_ascii_lowercase();
                let before = line.split_ascii_whitespace().next_back();
                line.ends_with(' ')
                    && matches!(before, Some("api" | "access" | "secret" | "private" | "master"))
            }
            _ => is_secret_key(name.text),
        }
    }

    /// `Authorization: Bearer …` and `Cookie: …`, of which the value may contain blanks.
    fn header(&mut self, name: &Name<'_>) -> Option<bool> {
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
        let first_end = self.run(start, |byte| {
            !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'\\')
        });
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
            if self.starts_with(credentials, MARKER) {
                return Some(false);
            }
            // `missing Authorization: Bearer header`
            let word_end = self.run(credentials, |byte| !byte.is_ascii_whitespace());
            let word = self.slice(credentials..word_end);
            if word.len() < 16 && is_word(word) {
                return Some(false);
            }
            let credentials = credentials..self.header_end(name, at, is_list);
            let text = self.slice(credentials.clone());
            return Some(!is_harmless(text) && self.mask(credentials));
        }
        let is_token = first.len() >= 8
            && first.bytes().any(|byte| byte.is_ascii_digit())
            && !is_harmless(first);
        Some(is_token && self.mask(start..first_end))
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

    /// What follows the name, if it is a separator, and where the value begins.
    fn separator(&self, name: &Name<'_>) -> Option<(Separator, usize)> {
        let mut quote_end = self.skip_quote(name.span.end);
        let is_quoted = quote_end > name.span.end;
        if is_quoted && self.byte(quote_end) == self.byte_before(quote_end) {
            quote_end += 1;
        }
        let closed = if self.byte(quote_end) == Some(b']') { quote_end + 1 } else { quote_end };
        let mut at = self.blanks(closed);
        let has_blank_before = at > closed;
        // `:=`, `?=`, `+=`, `==`
        let operator = matches!(self.byte(at), Some(b':' | b'?' | b'+' | b'='))
            && self.byte(at + 1) == Some(b'=');
        if operator {
            at += 1;
        }
        match self.byte(at)? {
            b'=' => {
                let is_comparison = operator && self.byte(at - 1) == Some(b'=');
                let arrow = usize::from(self.byte(at + 1) == Some(b'>'));
                let value_at = self.blanks(at + 1 + arrow);
                let has_blank_after = value_at > at + 1 + arrow;
                let is_empty =
                    has_blank_after && !has_blank_before && self.begins_assignment(value_at, false);
                let is_quoted_value = self.quote_at(value_at).is_some();
                (!is_empty && (!is_comparison || is_quoted_value))
                    .then_some((Separator::Equals, value_at))
            }
            b':' => {
                let value_at = self.blanks(at + 1);
                // `/etc/passwd: Permission denied` is about a file, `img/auth:1.2` an image.
                let in_path = matches!(name.before, Some(b'/' | b'@' | b':')) && !is_quoted;
                let is_pair = value_at > at + 1
                    || is_quoted
                    || self.quote_at(value_at).is_some()
                    || self.is_in_braces(name);
                (!in_path && is_pair).then_some((Separator::Colon, value_at))
            }
            _ => None,
        }
    }

    /// `map[password:x user:y]`, `{Password:x User:y}`: no blank after the colon.
    fn is_in_braces(&self, name: &Name<'_>) -> bool {
        const MAX_LOOK_BACK: usize = 512;
        let line = self.line_before(name.span.start, MAX_LOOK_BACK);
        match name.before {
            Some(b'{') => true,
            Some(b'[') => line.ends_with("map["),
            Some(b' ') => {
                line.contains("map[")
                    || line.rsplit_once('{').is_some_and(|(_, inside)| {
                        inside.split_once(':').is_some_and(|(first, value)| {
                            first.bytes().all(token) && !value.starts_with([' ', '"'])
                        })
                    })
            }
            Some(b',') => line.contains('{'),
            _ => false,
        }
    }

    fn assigned(&mut self, name: &Name<'_>, separator: Separator, value_at: usize) -> bool {
        // The quotes of `password=` are around the name.
        if self.enclosing_quote(name).is_some_and(|quote| self.quote_at(value_at) == Some(quote)) {
            return false;
        }
        // `b'x'` and `r"x"`
        let prefix = usize::from(
            matches!(self.byte(value_at), Some(b'b' | b'r' | b'u' | b'f'))
                && matches!(self.byte(value_at + 1), Some(b'"' | b'\'')),
        );
        if !self.holds_secret(name, value_at) {
            return false;
        }
        if let Some(value) = self.quoted(value_at + prefix) {
            return self.judge_quoted(value);
        }
        if separator == Separator::Colon {
            if let Some(block) = self.yaml_block(name, value_at) {
                return self.judge_quoted(block);
            }
            if self.is_structure(value_at) {
                return false;
            }
        }
        let is_comment = self.byte(value_at) == Some(b'#')
            && self.byte_before(value_at) == Some(b' ')
            && self.byte(value_at + 1) == Some(b' ');
        if is_comment {
            return false;
        }
        let value = self.unquoted(name, separator, value_at);
        self.judge(name, separator, value)
    }

    fn judge_quoted(&mut self, value: Range<usize>) -> bool {
        let text = self.slice(value.clone());
        let shown = is_harmless(text) || is_state(text) || is_sentence(text);
        !shown && self.mask(value)
    }

    /// Masks the value, unless it says something about the secret instead of being it.
    fn judge(&mut self, name: &Name<'_>, separator: Separator, value: Range<usize>) -> bool {
        let text = self.slice(value.clone());
        if is_harmless(text) || is_state(text) {
            return false;
        }
        let shown = match separator {
            Separator::Equals => {
                let is_measure = is_small_number(text)
                    && (name.text.eq_ignore_ascii_case("pass")
                        || !text.bytes().all(|byte| byte.is_ascii_digit()));
                let has_blank = self.byte_before(value.start) == Some(b' ');
                is_measure || (has_blank && self.is_code(text, value.end))
            }
            Separator::Colon => self.is_prose(name, text, value.end),
            Separator::Blank => {
                text.starts_with(['-', '[', '<', '(', '=', ':', '|', '&'])
                    || starts_sentence(text)
                    || is_flag_type(text)
                    || is_metavariable(name.text, text)
            }
        };
        !shown && self.mask(value)
    }

    /// Whether `name: text` is a sentence and not a setting.
    fn is_prose(&self, name: &Name<'_>, text: &str, end: usize) -> bool {
        let is_link = text.len() <= MAX_SHOWN
            && (text.starts_with("http://") || text.starts_with("https://"))
            && !text.contains('@');
        if is_link || is_small_number(text) {
            return true;
        }
        // `--- PASS: TestStart (0.00s)`, `token: Option<Token>`
        let is_type = is_type_path(text) || is_generic_type(text);
        if name.text == "PASS" || is_type || self.names_something_missing(name, text) {
            return true;
        }
        let goes_on = self.more_words_follow(end);
        if is_word(text) { goes_on || starts_sentence(text) } else { goes_on && text.len() < 6 }
    }

    /// `key = call(…`, `key = new Foo`, `key = [`: a program that was printed.
    fn is_code(&self, text: &str, end: usize) -> bool {
        let (function, arguments) = text.split_once('(').unwrap_or((text, ""));
        let is_call = function.len() < text.len()
            && function.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && function.bytes().all(|byte| token(byte) || b".:".contains(&byte))
            && !arguments.contains(['"', '\'']);
        let is_operator =
            matches!(text, "new" | "await" | "async" | "function" | "lambda" | "func");
        is_call
            || (is_operator && self.more_words_follow(end))
            || matches!(text, "[" | "{" | "(" | "[]" | "{}" | "[{")
    }

    /// A list or a map in braces, an anchor, an alias, a tag; not a password that begins so.
    fn is_structure(&self, at: usize) -> bool {
        const MAX_WORD: usize = 64;
        let word_end = self.run_at_most(at + 1, MAX_WORD, |byte| token(byte) || byte == b'.');
        let is_empty = word_end == at + 1;
        let next = self.byte(word_end);
        let ends = matches!(next, None | Some(b' ' | b'\t' | b'\n' | b',' | b'"' | b'\''));
        match self.byte(at) {
            Some(b'[') => {
                !self.starts_with(at, MARKER) && (ends || matches!(next, Some(b']' | b'[')))
            }
            Some(b'{') => ends || matches!(next, Some(b':')) || (is_empty && next == Some(b'}')),
            Some(b'*' | b'&' | b'!' | b'(') => {
                let word = self.slice(at + 1..word_end);
                (ends || next == Some(b')')) && (is_empty || is_word(word))
            }
            _ => false,
        }
    }

    /// `Unexpected token: foo`, `no such secret: db_password`
    fn names_something_missing(&self, name: &Name<'_>, text: &str) -> bool {
        const BEFORE: [&str; 7] =
            ["unexpected", "unknown", "illegal", "unrecognized", "such", "undefined", "duplicate"];
        let is_name = text.len() < 32
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|byte| token(byte) || byte == b'.');
        let line = self.line_before(name.span.start, 24).to_ascii_lowercase();
        let before = line.split_ascii_whitespace().next_back();
        is_name && line.ends_with(' ') && before.is_some_and(|before| BEFORE.contains(&before))
    }

    fn more_words_follow(&self, end: usize) -> bool {
        let next = self.blanks(end);
        next > end
            && self.byte(next).is_some_and(|byte| {
                !matches!(byte, b'\n' | b'#' | b',' | b';' | b')' | b']' | b'}')
                    && !self.begins_assignment(next, false)
            })
    }

    /// `--password x`, `"--requirepass", "x"`, `ENV TOKEN x`, `password 'x'`, netrc.
    fn after_blank(&mut self, name: &Name<'_>) -> bool {
        let quote_end = self.skip_quote(name.span.end);
        let comma = self.blanks(quote_end);
        let comma_end = if self.byte(comma) == Some(b',') { comma + 1 } else { comma };
        let value_at = self.blanks(comma_end);
        if value_at == quote_end || !is_secret_key(name.text) {
            return false;
        }
        let takes_value = if comma_end > comma {
            name.is_flag && quote_end > name.span.end
        } else {
            name.is_flag || self.is_directive(name)
        };
        let is_sql = comma_end == comma
            && matches!(name.text, "PASSWORD" | "password" | "PASSWD")
            && self.byte(value_at) == Some(b'\'');
        if !takes_value && !is_sql {
            return false;
        }
        if name.text == "secret" && self.names_docker_secret(value_at) {
            return false;
        }
        match self.quoted(value_at) {
            Some(value) if is_sql || !self.slice(value.clone()).starts_with('-') => {
                self.judge_quoted(value)
            }
            Some(_) => false,
            None => {
                let value = self.unquoted(name, Separator::Blank, value_at);
                self.judge(name, Separator::Blank, value)
            }
        }
    }

    /// Files in which a blank separates the name from the value.
    fn is_directive(&self, name: &Name<'_>) -> bool {
        let line = self.line_before(name.span.start, 256);
        let first = line.split_ascii_whitespace().next_back();
        let has_blank = line.ends_with([' ', '\t']);
        let is_netrc = line.contains("machine ") && line.contains("login ");
        let is_redis = matches!(name.text, "requirepass" | "masterauth") && line.trim().is_empty();
        // `aws configure set aws_secret_access_key x`, `CONFIG SET requirepass x`
        let is_config_command = first.is_some_and(|first| first.eq_ignore_ascii_case("set"))
            && line.to_ascii_lowercase().contains("config");
        has_blank && (matches!(first, Some("ENV")) || is_netrc || is_config_command) || is_redis
    }

    /// `--secret id=npm,src=.npmrc` of a build, `--secret db_password` of a service.
    fn names_docker_secret(&self, value_at: usize) -> bool {
        let end = self.run(value_at, |byte| !byte.is_ascii_whitespace());
        let value = self.slice(value_at..end);
        ["id=", "type=", "source=", "src=", "target="].iter().any(|part| value.contains(part))
            || value.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'))
    }

    /// `<password>x</password>`
    fn element(&mut self, start: usize) -> bool {
        let end = self.run(start, |byte| !matches!(byte, b'<' | b'\n'));
        if !self.starts_with(end, "</") {
            return false;
        }
        self.judge_quoted(start..end)
    }

    /// `{"name": "TOKEN", "value": "x"}`, `- name: TOKEN` and `value: x` on the next line.
    fn named_value(&self, name: &Name<'_>) -> Option<usize> {
        let quote_end = self.skip_quote(name.span.end);
        let gap = self.run(quote_end, |byte| matches!(byte, b' ' | b'\t' | b',' | b'\n'));
        let word = self.skip_quote(gap);
        let is_value = ["value", "Value", "VALUE"].iter().any(|&text| self.starts_with(word, text));
        if gap == quote_end || !is_value {
            return None;
        }
        let before = self.line_before(name.span.start, 24).trim_end_matches(['"', '\'', '\\']);
        let before = before.trim_end().trim_end_matches([':', '=']).trim_end();
        let before = before.trim_end_matches(['"', '\'', '\\']).to_ascii_lowercase();
        if !before.ends_with("name") && !before.ends_with("key") {
            return None;
        }
        let separator = self.blanks(self.skip_quote(word + "value".len()));
        matches!(self.byte(separator), Some(b':' | b'=')).then(|| self.blanks(separator + 1))
    }

    /// The lines below `name: |` that are indented further than it.
    fn yaml_block(&self, name: &Name<'_>, indicator: usize) -> Option<Range<usize>> {
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

    /// How many backslashes stand before a quote here, and the quote.
    fn quote_at(&self, at: usize) -> Option<(u8, usize)> {
        let quote = self.run(at, |byte| byte == b'\\');
        let byte = self.byte(quote).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
        Some((byte, quote - at))
    }

    fn skip_quote(&self, at: usize) -> usize {
        self.quote_at(at).map_or(at, |(_, backslashes)| at + backslashes + 1)
    }

    /// A quoted value; one that is not closed goes to the end of the line.
    fn quoted(&self, at: usize) -> Option<Range<usize>> {
        let (quote, backslashes) = self.quote_at(at)?;
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

    /// Where the quote is (without its backslashes) that closes this one, and whether it exists.
    fn closing_quote(&self, start: usize, quote: u8, backslashes: usize) -> (usize, bool) {
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
    fn enclosing_quote(&self, name: &Name<'_>) -> Option<(u8, usize)> {
        let quote = name.before.filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
        let quote_at = name.span.start.checked_sub(1)?;
        // Dashes may stand between: `"--password=x"`.
        let quote_at = self.run_back(quote_at + 1, 4, |byte| byte == b'-').checked_sub(1)?;
        let slashes = quote_at - self.run_back(quote_at, 8, |byte| byte == b'\\');
        (self.skip_quote(name.span.end) == name.span.end).then_some((quote, slashes))
    }

    fn unquoted(&self, name: &Name<'_>, separator: Separator, start: usize) -> Range<usize> {
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
                next = self.run(word + 1, |byte| !matches!(byte, b' ' | b'\t')).min(close);
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
                at += MARKER.len();
                continue;
            }
            if self.quote_at(at).is_some_and(|(_, backslashes)| backslashes > 0) {
                return at;
            }
            let Some(byte) = self.byte(at) else { return at };
            let next = self.byte(at + 1);
            let is_over = match byte {
                b' ' | b'\t' | b'\n' | b'`' => true,
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

    fn value_ends_before(&self, at: usize, colon_too: bool) -> bool {
        match self.byte(at) {
            None | Some(b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'`' | b'\\') => true,
            Some(_) => self.begins_assignment(at, colon_too),
        }
    }

    /// `name=` (or `name:`), with dashes, at this place.
    fn begins_assignment(&self, at: usize, colon_too: bool) -> bool {
        const MAX_NAME: usize = 64;
        let end = self.run(at, |byte| token(byte) || byte == b'.');
        end > at
            && end - at <= MAX_NAME
            && (self.byte(end) == Some(b'=') || (colon_too && self.byte(end) == Some(b':')))
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

/// `proc_macro2::TokenStream`
fn is_type_path(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.contains("::") && text.trim_end_matches([',', ';', ')']).split("::").all(is_name)
}

/// `Option<ProgressToken>`
fn is_generic_type(text: &str) -> bool {
    let text = text.trim_end_matches([',', ';', ')']);
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.ends_with('>')
        && text
            .split_once('<')
            .is_some_and(|(outer, _)| outer.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// What help texts write after a flag.
fn is_flag_type(text: &str) -> bool {
    const TYPES: [&str; 8] =
        ["string", "strings", "stringArray", "list", "value", "bytes", "int", "file"];
    TYPES.contains(&text)
}

/// `--token TOKEN`, `--api-key KEY]`
fn is_metavariable(name: &str, text: &str) -> bool {
    let text = text.trim_end_matches([']', ')', '.', ',']);
    let ends_with_it = name.len() >= text.len()
        && name.get(name.len() - text.len()..).is_some_and(|end| end.eq_ignore_ascii_case(text));
    !text.is_empty() && ends_with_it && text.bytes().all(|byte| byte.is_ascii_uppercase())
}
