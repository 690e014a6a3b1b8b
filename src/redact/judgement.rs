//! Whether the value after a secret name is the secret, or says something about it.

use std::ops::Range;

use super::MARKER;
use super::assignments::{Name, Separator};
use super::scan::{MAX_SHOWN, Scanner};
use super::values::{
    is_harmless, is_sentence, is_small_number, is_state, is_word, starts_sentence,
};
use super::vendors::token;

impl Scanner<'_> {
    pub(super) fn judge_quoted(&mut self, value: Range<usize>) -> bool {
        let text = self.slice(value.clone());
        let shown = is_harmless(text) || is_state(text) || is_sentence(text);
        !shown && self.mask(value)
    }

    /// Masks the value, unless it says something about the secret instead of being it.
    pub(super) fn judge(
        &mut self,
        name: &Name<'_>,
        separator: Separator,
        value: Range<usize>,
    ) -> bool {
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
    pub(super) fn is_prose(&self, name: &Name<'_>, text: &str, end: usize) -> bool {
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
    pub(super) fn is_structure(&self, at: usize) -> bool {
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
