//! Finds the secrets of a text in one pass: an automaton stops at words and prefixes that may
//! begin or name one, and the rule for that word looks around it.
//!
//! Every rule is bounded: what it reads without masking is short, and what it masks is not read
//! again. So the time is linear in the text, whatever the text is.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::MARKER;
use super::programs::{PROGRAMS, Program};
use super::vendors::{VENDORS, Vendor, WEBHOOKS};

/// Values that are shown are read again by other rules, so they are short.
pub(super) const MAX_SHOWN: usize = 1024;

/// Where the secrets of `text` are: in bytes, on character boundaries, in no particular order.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut scanner = Scanner {
        text,
        spans: Vec::new(),
        last_masked: 0..0,
        keys_resume: 0,
        tokens_resume: 0,
        pem_end: 0,
    };
    for found in TRIGGERS.automaton.find_iter(text) {
        let word = found.start()..found.end();
        if scanner.last_masked.contains(&word.start) {
            continue;
        }
        if let Some(rule) = TRIGGERS.rules.get(found.pattern().as_usize()) {
            scanner.apply(*rule, word);
        }
    }
    scanner.spans
}

/// The text, what was found in it, and how far each kind of rule has read.
pub(super) struct Scanner<'t> {
    pub(super) text: &'t str,
    spans: Vec<Range<usize>>,
    /// Nothing in here is looked at again.
    last_masked: Range<usize>,
    /// Before this every name was judged.
    pub(super) keys_resume: usize,
    /// Before this every JWT was judged.
    pub(super) tokens_resume: usize,
    /// The `-----END` line of the last key that had a beginning.
    pub(super) pem_end: usize,
}

impl<'t> Scanner<'t> {
    fn apply(&mut self, rule: Rule, word: Range<usize>) {
        match rule {
            // `SSHPASS=…` and `github_pat_key=…` are names as well.
            Rule::Program(program) if !self.key(word.clone()) => self.command(word, program),
            Rule::Vendor(vendor) if self.vendor(word.clone(), vendor) => {}
            Rule::Key | Rule::Program(_) | Rule::Vendor(_) => {
                self.key(word);
            }
            Rule::Url => self.url(word),
            Rule::GoDsn => self.go_dsn(word),
            Rule::Jwt => self.jwt(word),
            Rule::Pem => self.pem(word),
            Rule::PemEnd => self.pem_without_beginning(word),
            Rule::EncodedPem { before } => self.encoded_pem(word, before),
            Rule::Telegram => self.telegram(word),
            Rule::AzureClientSecret => self.azure_client_secret(word),
            Rule::TerraformCloud => self.terraform_cloud(word),
            Rule::Webhook => self.webhook(word),
            Rule::MysqlFirstPassword => self.mysql_first_password(word),
            Rule::SqlPassword => self.sql_password(word),
        }
    }

    /// Masks this part, unless there is nothing in it, or a marker already.
    pub(super) fn mask(&mut self, span: Range<usize>) -> bool {
        let is_masked = self.mask_ahead(span.clone());
        if is_masked && span.end > self.last_masked.end {
            self.last_masked = span;
        }
        is_masked
    }

    /// Masks a part that comes later: what is before it is still to be judged.
    pub(super) fn mask_ahead(&mut self, span: Range<usize>) -> bool {
        let secret = self.slice(span.clone());
        let is_secret = !secret.is_empty() && secret != MARKER;
        if is_secret {
            self.spans.push(span);
        }
        is_secret
    }

    /// Nothing before this is part of a name or a value that was not decided yet.
    pub(super) const fn decided(&self) -> usize {
        self.last_masked.end
    }

    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    pub(super) fn byte_before(&self, at: usize) -> Option<u8> {
        self.byte(at.checked_sub(1)?)
    }

    pub(super) fn slice(&self, span: Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }

    pub(super) fn starts_with(&self, at: usize, prefix: &str) -> bool {
        self.text.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(prefix.as_bytes()))
    }

    /// The end of a run of such bytes.
    pub(super) fn run(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        from + rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len())
    }

    /// The end of a run of at most `max` such bytes.
    pub(super) fn run_at_most(
        &self,
        from: usize,
        max: usize,
        belongs: impl Fn(u8) -> bool,
    ) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        from + rest.iter().take(max).take_while(|&&byte| belongs(byte)).count()
    }

    /// The end of the blanks here, those that break no line among them.
    pub(super) fn blanks(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            at = self.run(at, |byte| matches!(byte, b' ' | b'\t'));
            match self.wide_blank(at) {
                0 => return at,
                length => at += length,
            }
        }
    }

    /// How long the blank of more than one byte is that stands here, if one does.
    pub(super) fn wide_blank(&self, at: usize) -> usize {
        const WIDE: [&str; 5] = ["\u{a0}", "\u{2007}", "\u{2009}", "\u{202f}", "\u{3000}"];
        if !matches!(self.byte(at), Some(0xc2 | 0xe2 | 0xe3)) {
            return 0;
        }
        WIDE.iter().find(|blank| self.starts_with(at, blank)).map_or(0, |blank| blank.len())
    }

    /// The start of a run of at most `max` such bytes that ends at `to`.
    pub(super) fn run_back(&self, to: usize, max: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let before = self.text.as_bytes().get(to.saturating_sub(max)..to).unwrap_or_default();
        to - before.iter().rev().position(|&byte| !belongs(byte)).unwrap_or(before.len())
    }

    /// At most `max` bytes of the same line before `at`.
    pub(super) fn line_before(&self, at: usize, max: usize) -> &'t str {
        let mut start = self.run_back(at, max, |byte| byte != b'\n');
        while !self.text.is_char_boundary(start) {
            start += 1;
        }
        self.slice(start..at)
    }

    pub(super) fn line_end(&self, from: usize) -> usize {
        self.run(from, |byte| byte != b'\n')
    }
}

/// What to do where a word was found.
#[derive(Clone, Copy)]
enum Rule {
    Key,
    Program(&'static Program),
    Vendor(&'static Vendor),
    Url,
    GoDsn,
    Jwt,
    Pem,
    PemEnd,
    /// `-----BEGIN` in base64, of which so many characters of a group of four stand before it.
    EncodedPem {
        before: usize,
    },
    Telegram,
    AzureClientSecret,
    TerraformCloud,
    Webhook,
    MysqlFirstPassword,
    SqlPassword,
}

struct Triggers {
    automaton: AhoCorasick,
    /// One for each pattern of the automaton.
    rules: Vec<Rule>,
}

/// Every name that `is_secret_key` accepts contains one of these.
#[rustfmt::skip]
pub(super) const KEY_WORDS: &[&str] = &[
    "pass", "pw", "secret", "token", "key", "cred", "jwt", "bearer", "salt", "auth", "cookie",
    "psk", "sas", "pat", "sig",
];

static TRIGGERS: LazyLock<Triggers> = LazyLock::new(|| {
    let shapes = [
        ("://", Rule::Url),
        ("@tcp(", Rule::GoDsn),
        ("@unix(", Rule::GoDsn),
        ("eyj", Rule::Jwt),
        ("-----begin ", Rule::Pem),
        ("-----end ", Rule::PemEnd),
        ("ls0tls1crudjti", Rule::EncodedPem { before: 0 }),
        ("0tls0tqkvhsu4", Rule::EncodedPem { before: 2 }),
        ("tls0tlujfr0lo", Rule::EncodedPem { before: 3 }),
        (":aa", Rule::Telegram),
        ("q~", Rule::AzureClientSecret),
        (".atlasv1.", Rule::TerraformCloud),
        ("password is generated for ", Rule::MysqlFirstPassword),
        ("identified by ", Rule::SqlPassword),
        ("identified with ", Rule::SqlPassword),
    ];
    let rules = (KEY_WORDS.iter().map(|&word| (word, Rule::Key)))
        .chain(shapes)
        .chain(WEBHOOKS.iter().map(|&text| (text, Rule::Webhook)))
        .chain(VENDORS.iter().map(|vendor| (vendor.prefix, Rule::Vendor(vendor))))
        .chain(PROGRAMS.iter().map(|program| (program.name, Rule::Program(program))));
    let (texts, rules): (Vec<_>, Vec<_>) = rules.unzip();
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(texts)
        .expect("a few hundred short literals make a small automaton");
    Triggers { automaton, rules }
});
