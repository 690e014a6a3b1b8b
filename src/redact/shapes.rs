//! Secrets that show themselves, whatever they stand under: vendors' prefixes, keys, tokens,
//! and the password of a URL.

use std::ops::Range;

use super::MARKER;
use super::scan::Scanner;
use super::values::{is_masked, is_reference};

/// A prefix that only one vendor's secrets have.
pub(super) struct Vendor {
    pub(super) prefix: &'static str,
    /// Which bytes follow it,
    body: fn(u8) -> bool,
    /// and how many at least.
    min: usize,
}

const fn vendor(prefix: &'static str, body: fn(u8) -> bool, min: usize) -> Vendor {
    Vendor { prefix, body, min }
}

/// Webhook addresses are secrets from here on.
pub(super) const WEBHOOKS: &[&str] = &[
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "webhook.office.com/webhookb2/",
    "outlook.office.com/webhook/",
    "chat.googleapis.com/v1/spaces/",
    "hooks.zapier.com/hooks/catch/",
];

pub(super) const VENDORS: &[Vendor] = &[
    // Clouds
    vendor("AKIA", upper, 16),
    vendor("ASIA", upper, 16),
    vendor("ABIA", upper, 16),
    vendor("ACCA", upper, 16),
    vendor("AIza", token, 35),
    vendor("ya29.", dotted, 20),
    vendor("GOCSPX-", token, 20),
    vendor("1//0", token, 40),
    vendor("LTAI", alphanumeric, 20),
    vendor("AKID", alphanumeric, 32),
    vendor("dop_v1_", hex, 64),
    vendor("doo_v1_", hex, 64),
    vendor("dor_v1_", hex, 64),
    vendor("tskey-", token, 20),
    vendor("HRKU-", token, 36),
    vendor("pscale_tkn_", dotted, 32),
    vendor("pscale_oauth_", dotted, 32),
    vendor("pscale_pw_", dotted, 32),
    vendor("sbp_", hex, 40),
    vendor("sb_secret_", token, 20),
    vendor("fm2_", base64, 40),
    vendor("fo1_", token, 40),
    vendor("nfp_", alphanumeric, 36),
    vendor("rnd_", alphanumeric, 28),
    vendor("pul-", hex, 40),
    // Code, packages and builds
    vendor("ghp_", alphanumeric, 30),
    vendor("gho_", alphanumeric, 30),
    vendor("ghu_", alphanumeric, 30),
    vendor("ghs_", alphanumeric, 30),
    vendor("ghr_", alphanumeric, 30),
    vendor("github_pat_", token, 22),
    vendor("glpat-", dotted, 20),
    vendor("gldt-", token, 20),
    vendor("glrt-", dotted, 20),
    vendor("glcbt-", dotted, 20),
    vendor("glptt-", token, 40),
    vendor("glft-", token, 20),
    vendor("glimt-", token, 20),
    vendor("glagent-", token, 40),
    vendor("gloas-", token, 40),
    vendor("glsoat-", token, 20),
    vendor("glffct-", token, 20),
    vendor("GR1348941", token, 20),
    vendor("ATATT3", base64, 50),
    vendor("ATCTT3", base64, 50),
    vendor("ATBB", alphanumeric, 32),
    vendor("dckr_pat_", token, 20),
    vendor("dckr_oat_", token, 20),
    vendor("npm_", alphanumeric, 36),
    vendor("pypi-AgE", token, 40),
    vendor("rubygems_", hex, 48),
    vendor("oy2", lower, 43),
    vendor("CLOJARS_", alphanumeric, 60),
    vendor("AKCp", alphanumeric, 69),
    vendor("cmVmd", alphanumeric, 59),
    vendor("CCIPAT_", token, 40),
    vendor("CCIPRJ_", token, 40),
    vendor("bkua_", hex, 40),
    vendor("sqp_", hex, 40),
    vendor("squ_", hex, 40),
    vendor("sqa_", hex, 40),
    vendor("sgp_", token, 40),
    vendor("dapi", hex, 32),
    vendor("pnu_", alphanumeric, 36),
    vendor("PMAK-", token, 40),
    vendor("figd_", token, 38),
    vendor("lin_api_", alphanumeric, 40),
    vendor("lin_oauth_", alphanumeric, 32),
    vendor("ntn_", alphanumeric, 40),
    vendor("shpat_", hex, 32),
    vendor("shpca_", hex, 32),
    vendor("shppa_", hex, 32),
    vendor("shpss_", hex, 32),
    // Secret stores, orchestrators, keys
    vendor("hvs.", token, 20),
    vendor("hvb.", token, 20),
    vendor("hvr.", token, 20),
    vendor("dp.pt.", alphanumeric, 40),
    vendor("dp.st.", dotted, 40),
    vendor("dp.ct.", alphanumeric, 40),
    vendor("dp.sa.", alphanumeric, 40),
    vendor("ops_eyJ", base64, 100),
    vendor("SWMTKN-", token, 40),
    vendor("SWMKEY-", base64, 30),
    vendor("K10", k3s, 66),
    vendor("AGE-SECRET-KEY-1", upper, 40),
    // Messages and mail
    vendor("xoxa-", token, 10),
    vendor("xoxb-", token, 10),
    vendor("xoxc-", token, 10),
    vendor("xoxd-", base64_or_percent, 10),
    vendor("xoxe-", token, 10),
    vendor("xoxe.xox", dotted, 10),
    vendor("xoxo-", token, 10),
    vendor("xoxp-", token, 10),
    vendor("xoxr-", token, 10),
    vendor("xoxs-", token, 10),
    vendor("xapp-", token, 20),
    vendor("SG.", dotted, 40),
    vendor("xkeysib-", token, 60),
    vendor("xsmtpsib-", token, 60),
    vendor("key-", hex, 32),
    // Payment
    vendor("sk_live_", alphanumeric, 10),
    vendor("sk_test_", alphanumeric, 10),
    vendor("rk_live_", alphanumeric, 10),
    vendor("rk_test_", alphanumeric, 10),
    vendor("whsec_", base64, 24),
    vendor("sq0atp-", token, 20),
    vendor("sq0csp-", token, 40),
    vendor("shippo_live_", hex, 40),
    vendor("EZAK", alphanumeric, 54),
    vendor("FLWSECK-", token, 32),
    // Models
    vendor("sk-ant-", token, 20),
    vendor("sk-proj-", token, 20),
    vendor("sk-svcacct-", token, 20),
    vendor("sk-admin-", token, 20),
    vendor("sk-or-v1-", hex, 40),
    vendor("sk-lf-", token, 30),
    vendor("sk-", alphanumeric, 20),
    vendor("sk_", hex, 40),
    vendor("hf_", alphanumeric, 30),
    vendor("api_org_", alphanumeric, 30),
    vendor("r8_", alphanumeric, 30),
    vendor("gsk_", alphanumeric, 40),
    vendor("xai-", alphanumeric, 60),
    vendor("pplx-", alphanumeric, 40),
    vendor("nvapi-", token, 50),
    vendor("tvly-", token, 20),
    vendor("csk-", alphanumeric, 40),
    vendor("tgp_v1_", token, 30),
    vendor("lsv2_pt_", token, 30),
    vendor("lsv2_sk_", token, 30),
    // Watching
    vendor("NRAK-", upper, 27),
    vendor("NRII-", token, 32),
    vendor("glc_", base64, 32),
    vendor("glsa_", token, 32),
    vendor("sntrys_", base64, 40),
    vendor("sntryu_", hex, 40),
    vendor("dt0c01.", dotted, 60),
    vendor("dt0s16.", dotted, 60),
];

const fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

const fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

pub(super) const fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

const fn dotted(byte: u8) -> bool {
    token(byte) || byte == b'.'
}

const fn base64(byte: u8) -> bool {
    token(byte) || matches!(byte, b'+' | b'/' | b'=')
}

const fn base64_or_percent(byte: u8) -> bool {
    base64(byte) || byte == b'%'
}

const fn k3s(byte: u8) -> bool {
    token(byte) || byte == b':'
}

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

    /// The end of the lines that look like base64. The last one may be short.
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
                    }
                    break;
                }
            }
            line = line_end + 1;
        }
        end
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
        let end = self.run(word.end, body);
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
        let end = self.run(word.end, |byte| url_byte(byte) && !matches!(byte, b')' | b']' | b','));
        if end - word.end >= 20 && !self.slice(word.end..end).contains("[REDACTED") {
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
fn last_word(line: &str) -> Option<&str> {
    let word = line.split_whitespace().next_back()?;
    let word = word.trim_matches(['"', '\'', ',']);
    Some(word.strip_suffix("\\n").unwrap_or(word))
}

fn is_base64(word: &str) -> bool {
    // `\n` between the lines of a key that is one JSON string.
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\\'))
}
