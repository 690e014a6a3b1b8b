//! Text without what a terminal would act on or a person could not see.

use std::borrow::Cow;

/// Text without control and invisible characters, and how many were taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned<'a> {
    pub text: Cow<'a, str>,
    /// Escape sequences and control characters. Carriage returns are line ends, not counted.
    pub escapes: usize,
    /// Zero-width, bidirectional, tag and stray variation characters.
    pub invisible: usize,
}

/// Removes what a terminal would act on and what a person could not see.
///
/// A carriage return ends a line. Lines that a progress bar leaves blank are dropped.
pub fn clean(text: &str) -> Cleaned<'_> {
    let Some(first) = next_special(text, 0) else {
        return Cleaned { text: Cow::Borrowed(text), escapes: 0, invisible: 0 };
    };
    let mut cleaner = Cleaner::with_capacity(text.len());
    let mut position = first;
    cleaner.copy(text.get(..first).unwrap_or_default());
    while let Some(rest) = text.get(position..).filter(|rest| !rest.is_empty()) {
        position += cleaner.take(rest);
        let next = next_special(text, position).unwrap_or(text.len());
        cleaner.copy(text.get(position..next).unwrap_or_default());
        position = next;
    }
    cleaner.end_pending_line(true);
    Cleaned {
        text: Cow::Owned(cleaner.out),
        escapes: cleaner.escapes,
        invisible: cleaner.invisible,
    }
}

/// What is kept so far, and what the next character may still change about it.
struct Cleaner {
    out: String,
    escapes: usize,
    invisible: usize,
    /// Where the current line starts in `out`.
    line_start: usize,
    /// A carriage return was seen; whether it ends a line depends on what follows.
    line_end_pending: bool,
}

impl Cleaner {
    fn with_capacity(bytes: usize) -> Self {
        Self {
            out: String::with_capacity(bytes),
            escapes: 0,
            invisible: 0,
            line_start: 0,
            line_end_pending: false,
        }
    }

    /// Text without anything special in it.
    fn copy(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.line_end_pending && text.starts_with('\n') {
            self.line_end_pending = false;
        }
        self.end_pending_line(false);
        if let Some(newline) = text.rfind('\n') {
            self.line_start = self.out.len() + newline + 1;
        }
        self.out.push_str(text);
    }

    fn end_pending_line(&mut self, at_the_end: bool) {
        if !std::mem::take(&mut self.line_end_pending) {
            return;
        }
        let blank = self.out.get(self.line_start..).is_none_or(|line| line.trim().is_empty());
        if blank {
            self.out.truncate(self.line_start);
        } else if !at_the_end {
            self.out.push('\n');
            self.line_start = self.out.len();
        }
    }

    /// Consumes the special thing that `rest` begins with and returns its length.
    fn take(&mut self, rest: &str) -> usize {
        let mut characters = rest.chars();
        let Some(first) = characters.next() else { return 0 };
        match first {
            '\r' => {
                self.line_end_pending = true;
                1
            }
            '\u{1b}' => {
                self.escapes += 1;
                1 + escape_sequence(characters.as_str())
            }
            '\u{9b}' => {
                self.escapes += 1;
                2 + control_sequence(characters.as_str())
            }
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => {
                self.escapes += 1;
                2 + control_string(characters.as_str())
            }
            _ if first.is_control() => {
                self.escapes += 1;
                first.len_utf8()
            }
            // One selector may follow a symbol (emoji, keycaps); more of them carry hidden data.
            '\u{fe0e}' | '\u{fe0f}' if self.ends_with_symbol() => {
                self.out.push(first);
                first.len_utf8()
            }
            _ => {
                self.invisible += 1;
                first.len_utf8()
            }
        }
    }

    fn ends_with_symbol(&self) -> bool {
        !self.line_end_pending
            && self.out.chars().next_back().is_some_and(|last| {
                matches!(last, '0'..='9' | '#' | '*')
                    || (!last.is_ascii()
                        && !last.is_alphanumeric()
                        && !last.is_whitespace()
                        && !is_invisible(last))
            })
    }
}

/// The length of an escape sequence after its ESC.
fn escape_sequence(rest: &str) -> usize {
    match rest.as_bytes().first() {
        Some(b'[') => 1 + control_sequence(rest.get(1..).unwrap_or_default()),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            1 + control_string(rest.get(1..).unwrap_or_default())
        }
        Some(0x20..=0x2f) => {
            let intermediates = count(rest, |byte| matches!(byte, 0x20..=0x2f));
            intermediates
                + usize::from(matches!(rest.as_bytes().get(intermediates), Some(0x30..=0x7e)))
        }
        Some(0x30..=0x7e) => 1,
        _ => 0,
    }
}

/// CSI: parameters, intermediates and a final byte. A broken one ends where it breaks.
fn control_sequence(rest: &str) -> usize {
    let parameters = count(rest, |byte| matches!(byte, 0x20..=0x3f));
    parameters + usize::from(matches!(rest.as_bytes().get(parameters), Some(0x40..=0x7e)))
}

/// OSC, DCS and their like: up to BEL or ST. One that never ends takes no more than its line.
fn control_string(rest: &str) -> usize {
    let stop = |c: char| matches!(c, '\u{7}' | '\u{18}' | '\u{1a}' | '\u{1b}' | '\u{9c}' | '\n');
    let Some(end) = rest.find(stop) else { return rest.len() };
    let terminator = rest.get(end..).unwrap_or_default();
    match terminator.chars().next() {
        Some('\u{7}' | '\u{18}' | '\u{1a}') => end + 1,
        Some('\u{9c}') => end + 2,
        Some('\u{1b}') if terminator.starts_with("\u{1b}\\") => end + 2,
        _ => end,
    }
}

fn count(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&byte| belongs(byte)).count()
}

/// Where the next character is that [`Cleaner::take`] must look at.
fn next_special(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut position = from;
    loop {
        let ahead = bytes.get(position..)?;
        position += ahead.iter().position(|&byte| may_begin_special(byte))?;
        let character = text.get(position..)?.chars().next()?;
        if is_special(character) {
            return Some(position);
        }
        position += character.len_utf8();
    }
}

/// Control characters, and the lead bytes of the invisible ones.
const fn may_begin_special(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0b..=0x1f | 0x7f | 0xc2 | 0xd8 | 0xe1 | 0xe2 | 0xef | 0xf3)
}

fn is_special(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t')) || is_invisible(character)
}

/// The list of github-mcp-server's `FilterInvisibleCharacters`, and all of plane 14.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        clean(text).text.into_owned()
    }

    #[test]
    fn ordinary_text_is_borrowed() {
        for text in ["", "a\tb\n", "naïve … → 日本 🚀", "[::]:80->80/tcp"] {
            let out = clean(text);
            assert!(matches!(out.text, Cow::Borrowed(_)), "{text}");
            assert_eq!((out.text.as_ref(), out.escapes, out.invisible), (text, 0, 0));
        }
    }

    #[test]
    fn escape_sequences_go_and_their_text_stays() {
        let text = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\ \u{1b}Pq#0\u{1b}\\b\u{1b}(Bc\u{1b}7d\u{9b}2Ke\u{1b}[?25l";
        let out = clean(text);
        assert_eq!(out.text, "red alink bcde");
        assert_eq!(out.escapes, 10);
    }

    #[test]
    fn a_sequence_that_never_ends_takes_no_more_than_its_line() {
        assert_eq!(cleaned("a\u{1b}]0;title\nnext"), "a\nnext");
        assert_eq!(cleaned("a\u{1b}[12\nnext"), "a\nnext");
        assert_eq!(cleaned("a\u{1b}"), "a");
        assert_eq!(cleaned("a\u{1b}é"), "aé");
    }

    #[test]
    fn control_characters_go() {
        let out = clean("a\0b\u{8}c\u{7}d\u{7f}e\u{85}f");
        assert_eq!((out.text.as_ref(), out.escapes), ("abcdef", 5));
    }

    #[test]
    fn carriage_returns_end_lines_without_flooding() {
        for (text, expected) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\rb", "a\nb"),
            ("10%\r20%\r\r\r30%\r\n", "10%\n20%\n30%\n"),
            ("a\n\rb", "a\nb"),
            ("\r\rb", "b"),
            ("a\r      \rb\n", "a\nb\n"),
            ("a\r\u{1b}[K\nb", "a\nb"),
            ("a\n\nb\r\n\r\nc", "a\n\nb\n\nc"),
            ("a\r", "a"),
        ] {
            assert_eq!(cleaned(text), expected, "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_go_and_are_counted() {
        let text = "a\u{202e}b\u{200b}c\u{2066}d\u{feff}e\u{61c}f\u{ad}g\u{180e}h\u{2062}i\u{e0041}j\u{fe0f}k";
        let out = clean(text);
        assert_eq!((out.text.as_ref(), out.invisible, out.escapes), ("abcdefghijk", 10, 0));
    }

    #[test]
    fn one_variation_selector_may_follow_a_symbol() {
        let out = clean("✔\u{fe0f} 1\u{fe0f}\u{20e3} ok ✔\u{fe0f}\u{fe0f}\u{fe01} x\u{fe0f}");
        assert_eq!(out.text, "✔\u{fe0f} 1\u{fe0f}\u{20e3} ok ✔\u{fe0f} x");
        assert_eq!(out.invisible, 3);
    }
}
