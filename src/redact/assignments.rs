//! Names with values in running text: `KEY=value`, `key: value`, `"key": "value"`, `--key value`,
//! headers, XML, SQL. The name decides whether there is a secret, the value where it ends.

use std::ops::Range;

use super::MARKER;
use super::keys::is_secret_key;
use super::scan::{MAX_SHOWN, Scanner};
use super::values::{could_be_a_name, is_drawn, is_word};
use super::vendors::token;

/// A name found in the text.
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
    /// Without dashes before and dots after it.
    pub(super) span: Range<usize>,
    /// `--name` or `-name`.
    pub(super) is_flag: bool,
    /// The byte before it, dashes included.
    pub(super) before: Option<u8>,
}

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    Equals,
    Colon,
    /// `--name value`, `ENV name value`.
    Blank,
}

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
        if let Some(default) = self.default_of_variable(&name) {
            return is_secret_key(name.text) && self.judge_quoted(default);
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
            Some(b' ' | b'\t' | b'"' | b'\'' | b'\\' | b',') => {
                self.after_blank(&name) || self.redis_auth(&name) || self.told(&name)
            }
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
    pub(super) fn holds_secret(&self, name: &Name<'_>, value_at: usize) -> bool {
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

    /// `${DB_PASSWORD:-x}`: what stands for a variable that is not set; often nothing, or another.
    fn default_of_variable(&self, name: &Name<'_>) -> Option<Range<usize>> {
        let is_variable = name.before == Some(b'{')
            && self.byte_before(name.span.start - 1) == Some(b'$')
            && self.byte(name.span.end) == Some(b':');
        let value = is_variable.then_some(name.span.end + 2)?;
        let is_spelled_out = matches!(self.byte(value - 1), Some(b'-' | b'=' | b'+'))
            && self.byte(value) != Some(b'$');
        let end = self.run_at_most(value, MAX_SHOWN, |byte| !matches!(byte, b'}' | b'\n'));
        Some(if is_spelled_out { value..end } else { value..value })
    }

    /// What follows the name, if it is a separator, and where the value begins.
    pub(super) fn separator(&self, name: &Name<'_>) -> Option<(Separator, usize)> {
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
                    || self.byte(value_at) == Some(b'\n')
                    || self.is_in_braces(name);
                (!in_path && is_pair).then_some((Separator::Colon, value_at))
            }
            0xef if self.starts_with(at, "：") => {
                Some((Separator::Colon, self.blanks(at + "：".len())))
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
            if self.byte(value_at) == Some(b'\n') {
                return self.below(name, value_at, true);
            }
            if let Some(value) = self.value_within(value_at) {
                return self.nested(name, value);
            }
            if let Some(block) = self.yaml_block(name, value_at) {
                return !self.starts_with(block.start, MARKER) && self.mask(block);
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

    /// `--password x`, `"--requirepass", "x"`, `ENV TOKEN x`, `password 'x'`, netrc.
    fn after_blank(&mut self, name: &Name<'_>) -> bool {
        let quote_end = self.skip_quote(name.span.end);
        let comma = self.blanks(quote_end);
        let comma_end = if self.byte(comma) == Some(b',') { comma + 1 } else { comma };
        let value_at = self.blanks(comma_end);
        if value_at == quote_end || !is_secret_key(name.text) {
            return false;
        }
        if comma_end > comma && quote_end > name.span.end && !name.is_flag {
            return self.pair(name, value_at);
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

    /// `('DB_PASSWORD', 'x')`, `setenv("DB_PASSWORD", "x")`; not a list of names.
    fn pair(&mut self, name: &Name<'_>, value_at: usize) -> bool {
        let Some(value) = self.quoted(value_at) else { return false };
        let opening = self.byte_before(name.span.start).filter(|byte| matches!(byte, b'"' | b'\''));
        let before = self.line_before(name.span.start, 64).trim_end_matches(['"', '\'', '\\']);
        if opening.is_none() || !before.trim_end().ends_with(['(', '[', '{']) {
            return false;
        }
        let text = self.slice(value.clone());
        let after = self.blanks(self.skip_quote(value.end));
        let is_alone = matches!(self.byte(after), Some(b')' | b']' | b'}'));
        let is_constant = !name.text.bytes().any(|byte| byte.is_ascii_lowercase());
        let is_prose = text.contains(' ') && text.split(' ').all(is_word);
        let could_be = is_alone && (is_constant || !could_be_a_name(text));
        (could_be || is_drawn(text)) && !is_prose && self.judge_quoted(value)
    }

    /// `AUTH x`, `"auth" "default" "x"`: the command of redis, and `AUTH PLAIN x` of mail.
    fn redis_auth(&mut self, name: &Name<'_>) -> bool {
        let start = self.skip_quote(name.span.end);
        let is_quoted = start > name.span.end;
        if name.text != "AUTH" && !(is_quoted && name.text == "auth") {
            return false;
        }
        let mut at = start;
        for _ in 0..2 {
            let word = self.skip_quote(self.blanks(at));
            let end = self.run_at_most(word, MAX_SHOWN, |byte| {
                !byte.is_ascii_whitespace() && !b"\"'\\".contains(&byte)
            });
            let text = self.slice(word..end);
            let is_assignment = text.trim_end_matches('=').contains('=');
            if word == at || text.is_empty() || is_assignment || text.contains(MARKER) {
                return false;
            }
            // `CRAM-MD5`
            let is_method = !text.bytes().any(|byte| byte.is_ascii_lowercase());
            if is_drawn(text) && !is_method {
                return self.mask(word..end);
            }
            at = self.skip_quote(end);
        }
        false
    }

    /// `{"value": "x"}` at this place, with other members before it.
    fn value_within(&self, at: usize) -> Option<usize> {
        const MAX_BEFORE: usize = 256;
        if self.byte(at) != Some(b'{') {
            return None;
        }
        let end = self.run_at_most(at, MAX_BEFORE, |byte| byte != b'}');
        let mut member = at + 1;
        while member < end {
            let start = self.skip_quote(self.run(member, |byte| byte.is_ascii_whitespace()));
            if let Some(value) = self.value_name(start).filter(|&value| value < end) {
                return Some(value);
            }
            member = self.run_at_most(member, MAX_BEFORE, |byte| byte != b',' && byte != b'}') + 1;
        }
        None
    }

    /// Where the value begins, if `value:` stands here.
    pub(super) fn value_name(&self, at: usize) -> Option<usize> {
        let name = ["value", "Value", "default", "plaintext"]
            .into_iter()
            .find(|name| self.starts_with(at, name))?;
        let colon = self.blanks(self.skip_quote(at + name.len()));
        (self.byte(colon) == Some(b':')).then(|| self.blanks(colon + 1))
    }

    pub(super) fn nested(&mut self, name: &Name<'_>, at: usize) -> bool {
        if let Some(value) = self.quoted(at) {
            return self.judge_quoted(value);
        }
        let is_other = self.is_structure(at) || self.byte(at) == Some(b'\n');
        let value = self.unquoted(name, Separator::Colon, at);
        !is_other && self.judge(name, Separator::Colon, value)
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
}
