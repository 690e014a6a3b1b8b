//! Which lines of a log are shown, and what has to be said about the others. Pure,
//! but for `follow.rs`.

mod account;
mod follow;
mod listen;
mod pattern;
mod wish;

pub(crate) use account::Account;
pub(crate) use follow::Follow;
pub(crate) use listen::Listener;
pub(crate) use pattern::Pattern;
pub(crate) use wish::{Choice, FOLLOW_SECONDS_MAX, TAIL_MAX, Wish, up_to};

use std::borrow::Cow;
use std::fmt::Write as _;

/// A line longer than this is cut.
const LINE_MAX: usize = 8 << 10;
/// All lines together; a client shows about 40,000 characters of an answer.
const TEXT_MAX: usize = 32_000;
/// `2026-11-22T06:00:38.257180197Z ` before each line.
const TIMESTAMP: usize = 31;

/// Between the name of who wrote a line and the line.
pub(crate) const BAR: &str = " | ";

/// What the caller wants to see.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) grep: Option<Pattern>,
    pub(crate) invert: bool,
    pub(crate) context_lines: usize,
    pub(crate) dedupe: bool,
    /// At most so many matches, the last ones; context comes on top.
    pub(crate) most: Option<usize>,
    /// Each line begins with a timestamp, which is no part of what is compared.
    pub(crate) timestamps: bool,
    /// Each line begins with the name of who wrote it and [`BAR`], before the timestamp.
    pub(crate) named: bool,
}

/// What is shown of a log, in numbers as well.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) text: String,
    /// Lines of the container that are shown, repeated ones included.
    pub(crate) shown: usize,
    pub(crate) read: usize,
    /// Lines that fit `grep`, shown or not.
    pub(crate) matched: Option<usize>,
    /// Lines that stand for themselves no more, because they repeat the one before.
    pub(crate) repeated: usize,
    /// Bytes of chosen lines that are not shown.
    pub(crate) cut: usize,
}

/// A chosen line, which stands for itself and for those after it that are the same.
struct Chosen<'a> {
    line: &'a str,
    first: usize,
    last: usize,
    times: usize,
    is_match: bool,
}

impl Selection {
    pub(crate) fn of(&self, log: &str) -> Selected {
        let lines: Vec<&str> = log.lines().collect();
        let fits = |line: &&str| {
            let grep = self.grep.as_ref();
            grep.is_none_or(|grep| grep.is_match(self.message(line)) != self.invert)
        };
        let matches: Vec<bool> = lines.iter().map(fits).collect();
        let mut chosen = self.choose(&lines, &matches);
        let repeated = chosen.iter().map(|line| line.times - 1).sum();
        self.keep_the_last(&mut chosen);
        let (text, shown, cut) = self.text(&chosen);
        Selected {
            text,
            shown,
            read: lines.len(),
            matched: self
                .grep
                .as_ref()
                .map(|_| matches.iter().filter(|is_match| **is_match).count()),
            repeated,
            cut,
        }
    }

    /// Without who wrote it and when.
    pub(crate) fn message<'a>(&self, line: &'a str) -> &'a str {
        let (_, line) = self.name_and_rest(line);
        if self.timestamps { line.get(TIMESTAMP..).unwrap_or_default() } else { line }
    }

    fn name_and_rest<'a>(&self, line: &'a str) -> (&'a str, &'a str) {
        if self.named { line.split_once(BAR).unwrap_or(("", line)) } else { ("", line) }
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        self.message(one) == self.message(other)
            && self.name_and_rest(one).0 == self.name_and_rest(other).0
    }

    /// The lines that match, with their neighbours.
    fn choose<'a>(&self, lines: &[&'a str], matches: &[bool]) -> Vec<Chosen<'a>> {
        let is_near = |at: usize| {
            let from = at.saturating_sub(self.context_lines);
            let to = (at + self.context_lines + 1).min(matches.len());
            matches.get(from..to).is_some_and(|around| around.contains(&true))
        };
        let mut chosen: Vec<Chosen<'a>> = vec![];
        for (at, (&line, &is_match)) in lines.iter().zip(matches).enumerate() {
            if !is_near(at) {
                continue;
            }
            match chosen.last_mut() {
                Some(same) if self.dedupe && self.is_same(same.line, line) => {
                    same.times += 1;
                    same.last = at;
                    same.is_match |= is_match;
                }
                _ => chosen.push(Chosen { line, first: at, last: at, times: 1, is_match }),
            }
        }
        chosen
    }

    /// The last matches, with what stands before the first of them.
    fn keep_the_last(&self, chosen: &mut Vec<Chosen<'_>>) {
        let Some(most) = self.most else { return };
        let matches = chosen.iter().rev().filter(|line| line.is_match);
        let first = matches.take(most).last().map_or(0, |line| line.first);
        chosen.retain(|line| line.last + self.context_lines >= first);
    }

    /// From the last line backwards, until there is no more room.
    fn text(&self, chosen: &[Chosen<'_>]) -> (String, usize, usize) {
        let mut pieces: Vec<Cow<'_, str>> = vec![];
        let (mut room, mut shown, mut cut) = (TEXT_MAX, 0, 0);
        let mut below: Option<&Chosen<'_>> = None;
        for line in chosen.iter().rev() {
            let (text, lost) = shown_line(line);
            if text.len() >= room {
                // One that does not fit ends it: what is shown has no holes.
                room = 0;
                cut += line.line.len() + 1;
                continue;
            }
            // As grep does it, between lines that are no neighbours.
            let is_apart = below.is_some_and(|below| below.first > line.last + 1);
            if is_apart && self.context_lines > 0 {
                pieces.push("--".into());
                room = room.saturating_sub(3);
            }
            room = room.saturating_sub(text.len() + 1);
            cut += lost;
            shown += line.times;
            below = Some(line);
            pieces.push(text);
        }
        pieces.reverse();
        (pieces.join("\n"), shown, cut)
    }
}

fn shown_line<'a>(chosen: &Chosen<'a>) -> (Cow<'a, str>, usize) {
    let (mut text, lost) = cut_line(chosen.line);
    if chosen.times > 1 {
        let _infallible = write!(text.to_mut(), " [{} times]", chosen.times);
    }
    (text, lost)
}

/// The line, and how many bytes of it are left out.
fn cut_line(line: &str) -> (Cow<'_, str>, usize) {
    if line.len() <= LINE_MAX {
        return (line.into(), 0);
    }
    let end = (0..=LINE_MAX).rev().find(|end| line.is_char_boundary(*end)).unwrap_or_default();
    let (kept, lost) = line.split_at(end);
    (format!("{kept}…[+{} bytes]", lost.len()).into(), lost.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "one\ntwo error\nthree\nfour\nfive\nfive\nfive\nsix error\nseven\n";

    fn grep(pattern: &str) -> Selection {
        Selection { grep: Some(Pattern::new("grep", pattern).unwrap()), ..Selection::default() }
    }

    #[test]
    fn without_a_wish_all_is_shown() {
        let selected = Selection::default().of(LOG);
        assert_eq!(selected.text, LOG.trim_end());
        assert_eq!((selected.shown, selected.read, selected.matched), (9, 9, None));
    }

    #[test]
    fn matches_come_with_their_neighbours_as_from_grep() {
        assert_eq!(grep("error").of(LOG).text, "two error\nsix error");
        let selected = Selection { context_lines: 1, ..grep("error") }.of(LOG);
        assert_eq!(selected.text, "one\ntwo error\nthree\n--\nfive\nsix error\nseven");
        assert_eq!((selected.shown, selected.matched), (6, Some(2)));
        let inverted = Selection { invert: true, ..grep("error|five") }.of(LOG);
        assert_eq!(inverted.text, "one\nthree\nfour\nseven");
    }

    #[test]
    fn the_last_matches_are_kept_with_what_stands_before_them() {
        let selection = Selection { context_lines: 1, most: Some(1), ..grep("error") };
        let selected = selection.of(LOG);
        assert_eq!(selected.text, "five\nsix error\nseven");
        assert_eq!(selected.matched, Some(2));
        let last = Selection { most: Some(2), ..Selection::default() }.of(LOG);
        assert_eq!(last.text, "six error\nseven");
    }

    #[test]
    fn repeated_lines_are_told_once() {
        let selected = Selection { dedupe: true, ..Selection::default() }.of(LOG);
        assert_eq!(selected.text, "one\ntwo error\nthree\nfour\nfive [3 times]\nsix error\nseven");
        assert_eq!((selected.shown, selected.repeated), (9, 2));
    }

    #[test]
    fn a_timestamp_is_no_part_of_the_line() {
        let log = "2026-11-22T06:00:38.257180197Z up\n2026-11-22T06:00:39.000000001Z up\n";
        let selection = Selection { timestamps: true, dedupe: true, ..grep("^up$") };
        assert_eq!(selection.of(log).text, "2026-11-22T06:00:38.257180197Z up [2 times]");
    }

    #[test]
    fn a_name_is_no_part_of_the_line_but_two_services_do_not_repeat_each_other() {
        let log = "web | up\nweb | up\ndb | up\n";
        let selection = Selection { named: true, dedupe: true, ..grep("^up$") };
        assert_eq!(selection.of(log).text, "web | up [2 times]\ndb | up");
    }

    #[test]
    fn long_lines_and_long_texts_are_cut_and_counted() {
        let selected = Selection::default().of(&"ä".repeat(10_000));
        assert!(selected.text.ends_with("…[+11808 bytes]"), "{}", &selected.text[8100..]);
        assert_eq!(selected.cut, 11_808);

        let log = "x".repeat(999) + "\n";
        let selected = Selection::default().of(&log.repeat(100));
        assert_eq!((selected.shown, selected.read), (32, 100));
        assert_eq!(selected.text.len() + 1 + selected.cut, 100_000);
    }
}
