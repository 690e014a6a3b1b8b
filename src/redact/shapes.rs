//! Secrets that show themselves, whatever they stand under: vendors' prefixes, keys, tokens,
//! and the password of a URL.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::MARKER;
use super::scan::Scanner;
use super::values::{is_masked, is_reference};
use super::vendors::{Vendor, alphanumeric, dotted, token};

/// What can stand in a URL; brackets and quotes end one that is part of a sentence.
const fn url_byte(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
}

impl Scanner<'_> {
    pub(super) fn vendor(&mut self, word: Range<usize>, vendor: &Vendor) -> bool {
        if !self.starts_with(word.start, vendor.prefix) || !self.begins_token(word.start) {
            return false;
        }
        let body_end = self.run(word.end, vendor.body);
        if body_end - word.end < vendor.min {
            return false;
        }
        // Whatever is glued to it belongs to it, but not the full stop of a sentence.
        let end = self.run(body_end, token);
        let whole = self.slice(word.start..end).trim_end_matches('.');
        self.mask(word.start..word.start + whole.len())
    }

    /// Whether a token can begin here: not inside a word, but after `\n` in quoted text and
    /// after `%3D`.
    fn begins_token(&self, at: usize) -> bool {
        let before = |distance: usize| at.checked_sub(distance).and_then(|at| self.byte(at));
        match before(1) {
            None => true,
            Some(b'n' | b'r' | b't') if before(2) == Some(b'\\') => true,
            Some(digit) if digit.is_ascii_hexdigit() && before(3) == Some(b'%') => {
                before(2).is_some_and(|byte| byte.is_ascii_hexdigit())
            }
            Some(byte) => !byte.is_ascii_alphanumeric(),
        }
    }

    /// `scheme://user:password@host`: the password; and a token that stands alone before the `@`.
    pub(super) fn url(&mut self, word: Range<usize>) {
        const MAX_USERINFO: usize = 512;
        let end = self.run_at_most(word.end, MAX_USERINFO, url_byte);
        let rest = self.slice(word.end..end);
        let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = rest.get(..authority_len).unwrap_or_default();
        let userinfo = if let Some((userinfo, _)) = authority.rsplit_once('@') {
            userinfo
        } else {
            // A password with a `/` that was not encoded; `host:8080/a@b` is none.
            let Some((_, after_colon)) = authority.split_once(':') else { return };
            let Some((first, host)) = rest.split_once('@') else { return };
            let host = host.split(['/', '?', '#']).next().unwrap_or_default();
            let more = host.rfind('@').map_or(0, |at| at + 1);
            let userinfo = rest.get(..first.len() + more).unwrap_or_default();
            let port = after_colon.bytes().all(|byte| byte.is_ascii_digit());
            if port || userinfo.contains("://") {
                return;
            }
            userinfo
        };
        let userinfo_end = word.end + userinfo.len();
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        if !password.is_empty() && password != "x-oauth-basic" {
            if !is_shown_on_purpose(password) {
                self.mask(word.end + user.len() + 1..userinfo_end);
            }
        } else if user.len() >= 20 && !is_shown_on_purpose(user) {
            self.mask(word.end..word.end + user.len());
        }
    }

    /// `user:password@tcp(host:3306)/db`, as the driver of Go writes it.
    pub(super) fn go_dsn(&mut self, word: Range<usize>) {
        let ends_name = |byte: u8| !byte.is_ascii_whitespace() && !b"\"'`".contains(&byte);
        let start = self.run_back(word.start, 256, ends_name).max(self.decided());
        let userinfo = self.slice(start..word.start);
        // A URL, or what was judged before.
        if ["://", "@tcp(", "@unix(", MARKER].iter().any(|&other| userinfo.contains(other)) {
            return;
        }
        let Some((user, password)) = userinfo.split_once(':') else { return };
        if !is_shown_on_purpose(password) {
            self.mask(start + user.len() + 1..word.start);
        }
    }

    /// Three parts of base64, or two if the second is visibly JSON (then it was cut off).
    pub(super) fn jwt(&mut self, word: Range<usize>) {
        if word.start < self.tokens_resume
            || !self.starts_with(word.start, "eyJ")
            || !self.begins_token(word.start)
        {
            return;
        }
        let end = self.run(word.start, dotted);
        self.tokens_resume = end;
        let jwt = self.slice(word.start..end).trim_end_matches('.');
        let mut parts = jwt.split('.');
        let (header, payload) = (parts.next().unwrap_or_default(), parts.next());
        let is_jwt = header.len() >= 10
            && payload.is_some_and(|payload| {
                payload.starts_with("eyJ") && payload.len() >= 10
                    || (payload.is_empty() || payload.len() >= 10)
                        && parts.next().is_some_and(|part| part.len() >= 10)
            });
        if is_jwt {
            self.mask(word.start..word.start + jwt.len());
        }
    }

    /// A private key: everything between its two lines, or what looks like it if it was cut off.
    pub(super) fn pem(&mut self, word: Range<usize>) {
        const MAX_KEY: usize = 64 * 1024;
        let Some(body) = self.pem_label_end(word.end) else { return };
        let limit = (body + MAX_KEY).min(self.text.len());
        let rest = self.text.as_bytes().get(body..limit).unwrap_or_default();
        let dashes = rest.windows(5).position(|five| five == b"-----").map(|at| body + at);
        let end = match dashes {
            Some(end) if self.starts_with(end, "-----END") => {
                self.pem_end = end;
                end
            }
            _ => self.key_lines_end(body, dashes.unwrap_or(self.text.len())),
        };
        self.mask_trimmed(body..end);
    }

    /// The last lines of a private key whose beginning was cut off.
    pub(super) fn pem_without_beginning(&mut self, word: Range<usize>) {
        const MAX_LINES: usize = 200;
        const MAX_LINE: usize = 512;
        if self.pem_label_end(word.end).is_none() || self.pem_end == word.start {
            return;
        }
        let line_start = |to: usize| self.run_back(to, MAX_LINE, |byte| byte != b'\n');
        let floor = self.decided();
        let last_line = line_start(word.start);
        if last_line < floor || self.slice(last_line..word.start).contains(MARKER) {
            return;
        }
        let mut start = last_line;
        for index in 0..MAX_LINES {
            let Some(line_end) = start.checked_sub(1).filter(|&end| end >= floor) else { break };
            let line = line_start(line_end);
            let text = self.slice(line..line_end);
            let looks_like_key = match last_word(text) {
                _ if text.contains(MARKER) => false,
                // The last line of a key may be short.
                Some(word) if index == 0 => is_base64(word),
                Some(word) => is_base64(word) && word.len() >= 40,
                None => false,
            };
            if !looks_like_key || line < floor {
                break;
            }
            start = line;
        }
        if start < last_line {
            self.mask_trimmed(start..last_line);
        }
    }

    /// Where the body begins, if `-----BEGIN ` goes on as a private key.
    fn pem_label_end(&self, label: usize) -> Option<usize> {
        let label_end = self.run(label, |byte| byte.is_ascii_uppercase() || byte == b' ');
        let is_private = self.slice(label..label_end).contains("PRIVATE KEY");
        (is_private && self.starts_with(label_end, "-----")).then_some(label_end + 5)
    }

    /// The end of the lines that look like base64. The last one may be short, and what is cut off
    /// may be followed by words: `MIIEpAIBAAKCAQEAcKj... (truncated)`.
    fn key_lines_end(&self, body: usize, limit: usize) -> usize {
        let mut end = body;
        let mut line = body;
        while line < limit {
            let line_end = self.run_at_most(line, limit - line, |byte| byte != b'\n');
            let text = self.slice(line..line_end).trim();
            let header = ["Proc-Type:", "DEK-Info:", "Comment:", "Version:"];
            match last_word(text) {
                None => {}
                Some(_) if header.iter().any(|header| text.starts_with(header)) => end = line_end,
                Some(word) if is_base64(word) && word.len() >= 40 => end = line_end,
                Some(word) => {
                    if is_base64(word) && word == text {
                        end = line_end;
                    } else if let Some(length) = key_material(self.slice(line..line_end)) {
                        end = line + length;
                    }
                    break;
                }
            }
            line = line_end + 1;
        }
        end
    }

    /// A private key in base64 as a whole, as it stands in variables and secrets.
    pub(super) fn encoded_pem(&mut self, word: Range<usize>, before: usize) {
        const MAX_KEY: usize = 64 * 1024;
        const LABEL: usize = 64;
        const LINE: usize = 60;
        let belongs = |byte: u8| token(byte) || matches!(byte, b'+' | b'/');
        let group = word.start + (4 - before) % 4;
        let label_end = self.run_at_most(group, LABEL, belongs);
        let whole_groups = label_end - label_end.saturating_sub(group) % 4;
        let label = STANDARD_NO_PAD.decode(self.slice(group..whole_groups)).unwrap_or_default();
        if !String::from_utf8_lossy(&label).contains("PRIVATE KEY") {
            return;
        }
        // `base64` breaks lines after 76 characters.
        let limit = word.start + MAX_KEY;
        let mut line = word.start;
        let mut end = line;
        loop {
            let line_end = self.run_at_most(line, limit.saturating_sub(line), belongs);
            let line_end = self.run_at_most(line_end, 2, |byte| byte == b'=');
            let is_whole = matches!(self.byte(line_end), None | Some(b'\n'));
            if line_end == line || (line > word.start && !is_whole) {
                break;
            }
            end = line_end;
            if !is_whole || line_end - line < LINE {
                break;
            }
            line = self.blanks(line_end + 1);
        }
        self.mask(word.start..end);
    }

    fn mask_trimmed(&mut self, span: Range<usize>) {
        let text = self.slice(span.clone());
        if text.contains(MARKER) {
            return;
        }
        let start = span.end - text.trim_start().len();
        let end = start + text.trim().len();
        self.mask(start..end);
    }

    /// `123456789:AA…`
    pub(super) fn telegram(&mut self, word: Range<usize>) {
        let start = self.run_back(word.start, 12, |byte| byte.is_ascii_digit());
        let end = self.run(word.end, token);
        let is_token = (8..=10).contains(&(word.start - start))
            && self.starts_with(word.start, ":AA")
            && end - word.end >= 30
            && self.begins_token(start);
        if is_token {
            self.mask(start..end);
        }
    }

    /// Three characters, a digit, `Q~` and 31 to 34 more.
    pub(super) fn azure_client_secret(&mut self, word: Range<usize>) {
        const fn body(byte: u8) -> bool {
            dotted(byte) || byte == b'~'
        }
        let start = self.run_back(word.start, 5, body);
        let end = self.run_at_most(word.end, 40, body);
        let is_secret = word.start - start == 4
            && self.starts_with(word.start, "Q~")
            && self.byte_before(word.start).is_some_and(|byte| byte.is_ascii_digit())
            && (31..=34).contains(&(end - word.end));
        if is_secret {
            self.mask(start..end);
        }
    }

    /// `xxxxxxxxxxxxxx.atlasv1.…`
    pub(super) fn terraform_cloud(&mut self, word: Range<usize>) {
        let start = self.run_back(word.start, 14, alphanumeric);
        let end = self.run(word.end, token);
        if word.start - start == 14 && end - word.end >= 40 {
            self.mask(start..end);
        }
    }

    pub(super) fn webhook(&mut self, word: Range<usize>) {
        let belongs = |byte| url_byte(byte) && !matches!(byte, b')' | b'[' | b']' | b',');
        let end = self.run(word.end, belongs);
        if end - word.end >= 20 {
            self.mask(word.end..end);
        }
    }

    /// The first start of mysqld: `A temporary password is generated for root@localhost: …`
    pub(super) fn mysql_first_password(&mut self, word: Range<usize>) {
        let account_end = self.run(word.end, |byte| !byte.is_ascii_whitespace());
        if self.byte_before(account_end) == Some(b':') {
            let start = self.blanks(account_end);
            self.mask(start..self.run(start, |byte| !byte.is_ascii_whitespace()));
        }
    }
}

/// A variable or a mask where a password would be.
fn is_shown_on_purpose(password: &str) -> bool {
    (password.starts_with(['$', '{', '<', '%']) && is_reference(password))
        || is_masked(password)
        || password.contains(MARKER)
}

/// The last word of a line, without quotes, commas and `\n` around it.
pub(super) fn last_word(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next_back()?;
    let word = word.trim_matches(['"', '\'', ',']);
    Some(word.strip_suffix("\\n").unwrap_or(word))
}

/// How far a line of a key goes that goes on as something else.
fn key_material(line: &str) -> Option<usize> {
    const MIN: usize = 16;
    let mut at = 0;
    for word in line.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')) {
        let run = word.bytes().take_while(|&byte| is_base64_byte(byte)).count();
        let has = |is: fn(&u8) -> bool| word.as_bytes().iter().take(run).any(is);
        if run >= MIN && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) {
            let rest = word.get(run..).unwrap_or_default();
            let dots = rest.len() - rest.trim_start_matches(['.', '…']).len();
            return Some(at + run + dots);
        }
        at += word.len();
    }
    None
}

pub(super) fn is_base64(word: &str) -> bool {
    // `\n` between the lines of a key that is one JSON string.
    !word.is_empty() && word.bytes().all(is_base64_byte)
}

const fn is_base64_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\\')
}
