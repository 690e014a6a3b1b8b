//! Reading a child's output: drained until its end or its limit, bounded in memory, kept outside
//! the reading future so that a time-out can still report what docker had said.

use std::collections::VecDeque;

use memchr::{memchr, memchr2};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::command::Capture;

/// A line longer than this reaches a watcher in pieces.
const LINE_MAX: usize = 64 << 10;
/// The same where lines are what is wanted.
const WHOLE_LINE_MAX: usize = 1 << 20;

/// A stream that has to be kept whole is larger than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

/// What has been kept of one stream so far.
pub(super) struct Kept {
    capture: Capture,
    /// The beginning, where it is kept too.
    head: Vec<u8>,
    bytes: VecDeque<u8>,
    /// Bytes that were dropped: from the beginning for a tail, from the end for a whole.
    pub(super) cut: u64,
    line: Vec<u8>,
}

impl Kept {
    pub(super) fn new(capture: Capture) -> Self {
        Self { capture, head: vec![], bytes: VecDeque::new(), cut: 0, line: vec![] }
    }

    /// Whether a stream that had to be kept whole was larger than its limit.
    pub(super) fn overflowed(&self) -> bool {
        matches!(self.capture, Capture::Whole { .. }) && self.cut > 0
    }

    pub(super) fn limit(&self) -> usize {
        match self.capture {
            Capture::Whole { max }
            | Capture::Tail { max }
            | Capture::Lines { max }
            | Capture::Ends { max } => max,
        }
    }

    pub(super) fn into_text(self) -> String {
        let (mut head, tail) = (self.head, Vec::from(self.bytes));
        if !head.is_empty() && self.cut > 0 {
            return joined(&head, &tail, self.cut);
        }
        let bytes = if head.is_empty() {
            tail
        } else {
            head.extend_from_slice(&tail);
            head
        };
        // The usual case is not copied.
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    fn push(&mut self, chunk: &[u8]) {
        match self.capture {
            Capture::Whole { max } => {
                let room = max.saturating_sub(self.bytes.len()).min(chunk.len());
                let (kept, dropped) = chunk.split_at(room);
                self.bytes.extend(kept);
                self.cut += dropped.len() as u64;
            }
            Capture::Tail { max } | Capture::Lines { max } => self.push_last(chunk, max),
            Capture::Ends { max } => {
                let first = max / 4;
                let room = first.saturating_sub(self.head.len()).min(chunk.len());
                let (kept, rest) = chunk.split_at(room);
                self.head.extend_from_slice(kept);
                self.push_last(rest, max - first);
            }
        }
    }

    fn push_last(&mut self, chunk: &[u8], max: usize) {
        self.bytes.extend(chunk);
        let excess = self.bytes.len().saturating_sub(max);
        self.bytes.drain(..excess);
        self.cut += excess as u64;
    }

    fn lines(&mut self, chunk: &[u8], on_line: &mut impl FnMut(&str)) {
        let is_whole = self.tells_whole_lines();
        let max = if is_whole { WHOLE_LINE_MAX } else { LINE_MAX };
        let mut rest = chunk;
        loop {
            let end = if is_whole { memchr(b'\n', rest) } else { memchr2(b'\n', b'\r', rest) };
            let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
            if self.line.len() + text.len() > max {
                self.end_line(on_line);
            }
            let Some((_, after)) = after.split_first() else {
                self.line.extend_from_slice(text);
                return;
            };
            rest = after;
            if self.line.is_empty() {
                // The usual line is not copied.
                if is_whole || !text.is_empty() {
                    on_line(&String::from_utf8_lossy(text));
                }
            } else {
                self.line.extend_from_slice(text);
                self.end_line(on_line);
            }
        }
    }

    fn tells_whole_lines(&self) -> bool {
        matches!(self.capture, Capture::Lines { .. })
    }

    /// What has no end yet.
    fn end_line(&mut self, on_line: &mut impl FnMut(&str)) {
        if !self.line.is_empty() {
            on_line(&String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }
}

/// Both ends, and between them a line that counts what is not there. The halves of lines at the cut
/// are left out too, unless nothing else would be left.
fn joined(head: &[u8], tail: &[u8], cut: u64) -> String {
    let is_end = |byte: &u8| *byte == b'\n';
    let head_end = head.iter().rposition(is_end).map_or(head.len(), |at| at + 1);
    let tail_start = tail.iter().position(is_end).map_or(0, |at| at + 1) % tail.len().max(1);
    let (head, half) = head.split_at(head_end);
    let (other_half, tail) = tail.split_at(tail_start);
    let cut = cut + half.len() as u64 + other_half.len() as u64;
    let [head, tail] = [head, tail].map(String::from_utf8_lossy);
    let end = if head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{end}[{cut} bytes cut]\n{tail}")
}

/// Reads until the end of the stream, or until there is too much of it. A read error ends it too:
/// the process is gone.
pub(super) async fn drain(
    reader: Option<impl AsyncRead + Unpin>,
    kept: &mut Kept,
    mut on_line: impl FnMut(&str),
) -> Result<(), TooMuch> {
    let Some(mut reader) = reader else { return Ok(()) };
    // As much as a pipe holds.
    let mut chunk = vec![0; 64 << 10];
    while let Ok(count) = reader.read(&mut chunk).await {
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { break };
        kept.push(read);
        kept.lines(read, &mut on_line);
        if kept.overflowed() {
            return Err(TooMuch);
        }
    }
    kept.end_line(&mut on_line);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(capture: Capture, input: &[u8]) -> (String, u64, Vec<String>) {
        let mut kept = Kept::new(capture);
        let mut lines = vec![];
        let done = drain(Some(input), &mut kept, |line| lines.push(line.to_owned())).await;
        assert_eq!(done.is_err(), kept.overflowed());
        let cut = kept.cut;
        (kept.into_text(), cut, lines)
    }

    #[tokio::test]
    async fn a_tail_keeps_the_end_and_counts_the_rest() {
        let (text, cut, _) = read(Capture::Tail { max: 4 }, b"0123456789").await;
        assert_eq!((text.as_str(), cut), ("6789", 6));
    }

    #[tokio::test]
    async fn both_ends_are_kept_in_whole_lines_and_what_is_between_is_counted() {
        let (text, cut, _) = read(Capture::Ends { max: 16 }, b"a\nbbbbb\ncc\nddddddd\ne\n").await;
        assert_eq!((text.as_str(), cut), ("a\n[9 bytes cut]\nddddddd\ne\n", 5));
        let (text, cut, _) = read(Capture::Ends { max: 16 }, b"0123456789").await;
        assert_eq!((text.as_str(), cut), ("0123456789", 0));
        let (text, _, _) = read(Capture::Ends { max: 4 }, b"0123456789").await;
        assert_eq!(text, "0\n[6 bytes cut]\n789");
    }

    #[tokio::test]
    async fn a_whole_keeps_the_beginning_and_knows_that_it_overflowed() {
        let (text, cut, _) = read(Capture::Whole { max: 4 }, b"0123456789").await;
        assert_eq!((text.as_str(), cut), ("0123", 6));
    }

    #[tokio::test]
    async fn lines_come_without_their_ends_and_the_last_one_needs_none() {
        let (_, _, lines) = read(Capture::Tail { max: 99 }, b"a\r\nb\n\nc").await;
        assert_eq!(lines, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_log_is_told_line_by_line_as_it_is() {
        let (text, cut, lines) = read(Capture::Lines { max: 2 }, b"a\rb\r\n\n\nc").await;
        assert_eq!(lines, ["a\rb\r", "", "", "c"]);
        assert_eq!((text.as_str(), cut), ("\nc", 6));
        let long = "x".repeat(300_000) + "\n";
        let (_, _, lines) = read(Capture::Lines { max: 2 }, long.as_bytes()).await;
        assert_eq!(lines, [long.trim_end()]);
        let (_, _, pieces) = read(Capture::Tail { max: 2 }, long.as_bytes()).await;
        assert!(pieces.len() > 4 && pieces.concat() == long.trim_end());
    }

    #[tokio::test]
    async fn bytes_that_are_not_utf8_are_shown_as_such() {
        let (text, _, _) = read(Capture::Tail { max: 99 }, b"a\xffb").await;
        assert_eq!(text, "a\u{fffd}b");
    }
}
