//! Command lines in a text: an option that carries a password without naming it.

use std::ops::Range;

use super::programs::{MAX_ARGUMENTS, Program, secret_arguments};
use super::scan::Scanner;

impl Scanner<'_> {
    /// A program's name was found: reads its arguments, up to the end of the command.
    pub(super) fn command(&mut self, word: Range<usize>, program: &Program) {
        const MAX_BYTES: usize = 2048;
        let name_end = self.run(word.end, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !self.starts_with(word.start, program.name) || !self.begins_argument(word.start) {
            return;
        }
        let mut arguments = Vec::new();
        let mut at = name_end;
        while arguments.len() < MAX_ARGUMENTS && at < word.end + MAX_BYTES {
            let start = self.run(at, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b','));
            if start == at {
                break;
            }
            // The quote before an argument is the one that ends it: `-u "bob:a b"`.
            let end = match self.byte_before(start) {
                Some(quote @ (b'"' | b'\'')) if self.byte(start) != Some(b'-') => {
                    self.run(start, |byte| byte != quote && byte != b'\n')
                }
                _ => self.run(start, |byte| {
                    !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'`')
                }),
            };
            let argument = self.slice(start..end);
            let ends_command = argument.is_empty()
                || matches!(argument, "|" | "||" | "&&" | "&" | ">" | ">>" | "<")
                || argument.ends_with(';');
            if ends_command {
                break;
            }
            arguments.push((start..end, argument.trim_end_matches(',')));
            at = end;
        }
        let name = self.slice(word.start..name_end);
        let texts: Vec<&str> = arguments.iter().map(|(_, text)| *text).collect();
        for (index, from) in secret_arguments(name, &texts) {
            if let Some((span, text)) = arguments.get(index) {
                // Other options stand between, so they are not decided by this.
                self.mask_ahead(span.start + from..span.start + text.len());
            }
        }
    }

    fn begins_argument(&self, at: usize) -> bool {
        self.byte_before(at).is_none_or(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'/' | b'(' | b'`' | b';')
        })
    }
}
