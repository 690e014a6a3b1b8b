//! Lines that leave one by one, while a secret may go over several of them.

use std::borrow::Cow;
use std::ops::Range;

use super::shapes::{is_base64, last_word};
use super::{Redactor, replace, scan};

/// Bytes that are looked back from a line: a private RSA key of 8,192 bits takes 6,400.
const WINDOW: usize = 8 << 10;
/// Characters of a line of a private key: 64 of OpenSSL, 70 of ssh-keygen.
const KEY_LINE: usize = 60;
/// Before the kind of what comes.
const KEY: &str = "-----BEGIN ";

/// Masks the secrets in each line of one stream, as those of the whole text would be.
pub struct Lines<'a> {
    redactor: &'a Redactor,
    /// From the line in which a secret may have begun that goes on; each with its end.
    before: String,
}

impl<'a> Lines<'a> {
    pub fn new(redactor: &'a Redactor) -> Self {
        Self { redactor, before: String::new() }
    }

    /// The next line, without its secrets.
    pub fn next<'t>(&mut self, line: &'t str) -> Cow<'t, str> {
        let begins_key = line.contains(KEY);
        if self.before.is_empty() {
            if begins_key || goes_on(line) {
                self.before.extend([line, "\n"]);
            }
            return self.redactor.line(line);
        }
        let from = self.before.len();
        self.before.push_str(line);
        let safe = self.redactor.tail(&self.before, from);
        if begins_key {
            self.before.drain(..from);
        } else if self.before.len() > WINDOW {
            self.before.clear();
            return Cow::Owned(safe);
        }
        self.before.push('\n');
        Cow::Owned(safe)
    }
}

/// A block of YAML, a value on the next line.
fn goes_on(line: &str) -> bool {
    line.trim_end().ends_with([':', '|', '>', '=', '\\', '"', '\'', '-', '+'])
}

impl Redactor {
    /// A line that nothing stands before.
    fn line<'t>(&self, line: &'t str) -> Cow<'t, str> {
        if !self.enabled {
            return Cow::Borrowed(line);
        }
        let spans = scan::secrets(line).into_iter().chain(key_line(line));
        self.masked(line, spans.collect()).text
    }

    /// What begins at `from`, which is seen in the light of what stands before it.
    fn tail(&self, text: &str, from: usize) -> String {
        let line = text.get(from..).unwrap_or_default();
        if !self.enabled {
            return line.to_owned();
        }
        let mut spans: Vec<Range<usize>> = scan::secrets(text)
            .into_iter()
            .filter(|span| span.end > from)
            .map(|span| span.start.saturating_sub(from)..span.end - from)
            .collect();
        spans.extend(key_line(line));
        self.text(&replace(line, spans).text).text.into_owned()
    }
}

/// A line of a private key whose beginning was not heard.
fn key_line(line: &str) -> Option<Range<usize>> {
    let long = Some(line).filter(|line| line.len() >= KEY_LINE);
    let word = last_word(long?).filter(|word| word.len() >= KEY_LINE && is_base64(word))?;
    // Not a hash, an ID, or a line of dashes.
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    let start = line.rfind(word).filter(|_| is_mixed)?;
    Some(start..start + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::MARKER;

    /// Sixty-four characters that are no key of anybody.
    fn body() -> Vec<String> {
        let line = |first: char| -> String {
            format!("{first}Aq{}", "0zZ".repeat(21)).chars().take(64).collect()
        };
        // The end of a line does not begin anything within a key.
        let last_but_one = format!("{}+", line('c').split_at(63).0);
        vec![line('a'), line('b'), last_but_one, "d0zZ==".to_owned()]
    }

    fn told(lines: &[String]) -> Vec<String> {
        let redactor = Redactor::new(true);
        let mut stream = Lines::new(&redactor);
        lines.iter().map(|line| stream.next(line).into_owned()).collect()
    }

    fn label(word: &str) -> String {
        format!("-----{word} PRIVATE KEY-----")
    }

    #[test]
    fn a_private_key_is_hidden_line_by_line() {
        let lines = [vec![label("BEGIN")], body(), vec![label("END"), "ready".to_owned()]].concat();
        let told = told(&lines);
        for line in body() {
            assert!(!told.iter().any(|told| told.contains(&line)), "{line}: {told:#?}");
        }
        assert_eq!(told.last().unwrap(), "ready");
    }

    #[test]
    fn so_is_one_whose_beginning_was_not_heard() {
        let told = told(&body()[..3]);
        assert_eq!(told, [MARKER; 3]);
        let hash = "4f".repeat(32);
        assert_eq!(super::Lines::new(&Redactor::new(true)).next(&hash), hash);
    }

    #[test]
    fn a_block_of_lines_under_a_secret_name_is_hidden() {
        let lines = ["db:", "  password: |", "    kestrel41moth", "  user: app"].map(str::to_owned);
        let told = told(&lines);
        assert!(!told.concat().contains("kestrel41moth"), "{told:#?}");
        assert_eq!(told.last().unwrap(), "  user: app");
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        let lines = ["Traceback (most recent call last):", "  File \"x.py\", line 1", "ok"];
        let lines = lines.map(str::to_owned);
        assert_eq!(told(&lines), lines);
        assert_eq!(
            Lines::new(&Redactor::new(false)).next("PASSWORD=hunter2zzz"),
            "PASSWORD=hunter2zzz"
        );
    }
}
