//! Which lines of a log are shown, and what has to be said about the others. Pure,
//! but for `follow.rs` and `read.rs`.

mod account;
mod follow;
mod listen;
mod pattern;
mod read;
mod search;
mod wish;

pub(crate) use account::Account;
pub(crate) use follow::{Follow, Sought};
pub(crate) use listen::Listener;
pub(crate) use pattern::Pattern;
pub(crate) use read::{Reader, Reading};
use search::{Chosen, Search};
use wish::TAIL_MAX;
pub(crate) use wish::Wish;

use std::fmt::Write as _;
use std::sync::Arc;

use crate::sort;

/// A line longer than this is cut.
const LINE_MAX: usize = 8 << 10;
/// All lines together; a client shows about 40,000 characters of an answer.
const TEXT_MAX: usize = 32_000;

/// Between the name of who wrote a line and the line.
pub(crate) const BAR: &str = " | ";

/// What the caller wants to see.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) grep: Option<Pattern>,
    pub(crate) invert: bool,
    pub(crate) context_lines: usize,
    pub(crate) dedupe: bool,
    pub(crate) most: Most,
    /// Times are shown; they are no part of what is compared.
    pub(crate) timestamps: bool,
}

/// How many matches are shown; context comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Most {
    Last(usize),
    First(usize),
}

impl Default for Most {
    fn default() -> Self {
        Self::Last(usize::MAX)
    }
}

/// What is shown of a log, in numbers as well.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) text: String,
    /// Lines that are shown; repetitions of one that is shown are not among them.
    pub(crate) shown: usize,
    pub(crate) read: usize,
    /// Lines that fit `grep`, shown or not.
    pub(crate) matched: Option<usize>,
    /// Lines that are not shown, because they repeat the shown one before.
    pub(crate) repeated: usize,
    /// Matches that are wanted and not shown, because there is no room for them.
    pub(crate) no_room: usize,
    /// Bytes of shown lines that are left out.
    pub(crate) cut: usize,
    /// The reading ended with the first matches.
    pub(crate) ended: bool,
}

/// A chosen line of one of several logs.
struct Entry {
    name: Option<Arc<str>>,
    line: Chosen,
}

impl Entry {
    /// Whether it stands right after the other one in the same log.
    fn follows(&self, other: &Self) -> bool {
        self.name == other.name && self.line.first == other.line.last + 1
    }
}

impl Selection {
    /// What is shown of several logs in the order of time, each with the name of who wrote it.
    pub(crate) fn of(&self, searches: Vec<(Option<Arc<str>>, Search)>) -> Selected {
        let sum = |count: fn(&Search) -> usize| searches.iter().map(|(_, it)| count(it)).sum();
        let (read, found): (usize, usize) = (sum(|it| it.read), sum(|it| it.found));
        let matched = self.grep.as_ref().map(|_| sum(|it| it.matched));
        let ended = searches.iter().any(|(_, it)| it.ended);
        let mut entries = self.merged(searches);
        let most = match self.most {
            Most::Last(most) => most,
            Most::First(most) => {
                // What matters most stands at the end then as well.
                entries.reverse();
                most
            }
        };
        keep_the_last(&mut entries, most);
        let (selected, shown) = self.text(&entries);
        let no_room = found.min(most).saturating_sub(shown);
        Selected { read, matched, no_room, ended, ..selected }
    }

    /// One log in the order of time. What has no time of its own stays with the line before it, and
    /// what stands around a match with it.
    fn merged(&self, searches: Vec<(Option<Arc<str>>, Search)>) -> Vec<Entry> {
        let is_one = searches.len() == 1;
        let mut dated: Vec<(String, Entry)> = vec![];
        for (name, search) in searches {
            let mut key = String::new();
            let mut end = None;
            for line in search.kept {
                let is_block = self.context_lines > 0 && Some(line.first) == end;
                if let Some(time) = line.time.as_ref().filter(|_| !is_block) {
                    key.clone_from(time);
                }
                end = Some(line.last + 1);
                dated.push((key.clone(), Entry { name: name.clone(), line }));
            }
        }
        if !is_one {
            // Stable: equal times keep the order in which docker told them.
            sort::by(&mut dated, |(a, _), (b, _)| a.cmp(b));
        }
        dated.into_iter().map(|(_, entry)| entry).collect()
    }

    /// From the last entry backwards, until there is no more room; also how many of them match.
    fn text(&self, entries: &[Entry]) -> (Selected, usize) {
        let is_backwards = matches!(self.most, Most::Last(_));
        let mut pieces: Vec<String> = vec![];
        let mut selected = Selected::default();
        let mut matches = 0;
        let mut room = TEXT_MAX;
        let mut beside: Option<&Entry> = None;
        for entry in entries.iter().rev() {
            let text = self.shown(entry);
            if text.len() >= room {
                // One that does not fit ends it: what is shown has no holes.
                break;
            }
            // As grep does it, between lines that are no neighbours.
            let is_apart = beside.is_some_and(|beside| {
                let (first, second) = if is_backwards { (entry, beside) } else { (beside, entry) };
                !second.follows(first)
            });
            if is_apart && self.context_lines > 0 {
                pieces.push("--".to_owned());
                room = room.saturating_sub(3);
            }
            room = room.saturating_sub(text.len() + 1);
            selected.cut += entry.line.lost;
            selected.shown += 1;
            selected.repeated += entry.line.times - 1;
            matches += usize::from(entry.line.is_match);
            beside = Some(entry);
            pieces.push(text);
        }
        if is_backwards {
            pieces.reverse();
        }
        selected.text = pieces.join("\n");
        (selected, matches)
    }

    fn shown(&self, Entry { name, line }: &Entry) -> String {
        let mut text = String::new();
        if let Some(name) = name {
            let _infallible = write!(text, "{name}{BAR}");
        }
        if let Some(time) = line.time.as_ref().filter(|_| self.timestamps) {
            let _infallible = write!(text, "{time} ");
        }
        text.push_str(&line.text);
        if line.times > 1 {
            let _infallible = write!(text, " [{} times]", line.times);
        }
        text
    }
}

/// The last matches, with what stands around them.
fn keep_the_last(entries: &mut Vec<Entry>, most: usize) {
    let is_match = |entry: &Entry| entry.line.is_match;
    let matches = entries.iter().filter(|entry| is_match(entry)).count();
    let too_many = matches.saturating_sub(most);
    if too_many == 0 {
        return;
    }
    let mut seen = 0;
    let last_gone = entries.iter().position(|entry| {
        seen += usize::from(is_match(entry));
        seen == too_many
    });
    entries.drain(..=last_gone.unwrap_or_default());
    // What stood around those that are gone, and around none of the others.
    while let [first, second, ..] = entries.as_slice() {
        let is_near = second.follows(first) || first.follows(second);
        if is_match(first) || is_near {
            return;
        }
        entries.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "one\ntwo error\nthree\nfour\nfive\nfive\nfive\nsix error\nseven\n";

    fn grep(pattern: &str) -> Selection {
        Selection { grep: Some(Pattern::new("grep", pattern).unwrap()), ..Selection::default() }
    }

    /// Each log is a name and its lines; without a name there is one log, and no times.
    fn of(selection: Selection, logs: &[(&str, &str)]) -> Selected {
        let selection = Arc::new(selection);
        let searched = logs.iter().map(|(name, log)| {
            let mut search = Search::new(&selection);
            for line in log.lines() {
                let (time, line) = match line.split_once("Z ") {
                    Some((time, line)) => (Some(format!("{time}Z")), line),
                    None => (None, line),
                };
                if search.push(time.as_deref(), line).is_break() {
                    break;
                }
            }
            ((!name.is_empty()).then(|| Arc::from(*name)), search)
        });
        selection.of(searched.collect())
    }

    fn one(selection: Selection, log: &str) -> Selected {
        of(selection, &[("", log)])
    }

    #[test]
    fn without_a_wish_all_is_shown() {
        let selected = one(Selection::default(), LOG);
        assert_eq!(selected.text, LOG.trim_end());
        assert_eq!((selected.shown, selected.read, selected.matched), (9, 9, None));
    }

    #[test]
    fn matches_come_with_their_neighbours_as_from_grep() {
        assert_eq!(one(grep("error"), LOG).text, "two error\nsix error");
        let selected = one(Selection { context_lines: 1, ..grep("error") }, LOG);
        assert_eq!(selected.text, "one\ntwo error\nthree\n--\nfive\nsix error\nseven");
        assert_eq!((selected.shown, selected.matched), (6, Some(2)));
        let inverted = one(Selection { invert: true, ..grep("error|five") }, LOG);
        assert_eq!(inverted.text, "one\nthree\nfour\nseven");
    }

    #[test]
    fn the_last_matches_are_kept_with_what_stands_around_them() {
        let last = |most| Selection { context_lines: 1, most: Most::Last(most), ..grep("error") };
        let selected = one(last(1), LOG);
        assert_eq!(selected.text, "five\nsix error\nseven");
        assert_eq!((selected.matched, selected.read, selected.no_room), (Some(2), 9, 0));
        let two = one(Selection { most: Most::Last(2), ..Selection::default() }, LOG);
        assert_eq!(two.text, "six error\nseven");
        let none = one(last(0), LOG);
        assert_eq!((none.text.as_str(), none.shown, none.matched), ("", 0, Some(2)));
        // What stands before a match may stand after one that is gone.
        let near = one(last(1), "error 1\nerror 2\nx\nerror 3\n");
        assert_eq!(near.text, "x\nerror 3");
    }

    #[test]
    fn the_first_matches_end_the_reading() {
        let first = |most| Selection { most: Most::First(most), ..grep("error|five") };
        let selected = one(first(2), LOG);
        assert_eq!((selected.text.as_str(), selected.read), ("two error\nfive", 5));
        assert!(selected.ended);
        let selected = one(Selection { context_lines: 1, ..first(1) }, LOG);
        assert_eq!((selected.text.as_str(), selected.read), ("one\ntwo error\nthree", 3));
        let selected = one(Selection { context_lines: 1, ..first(2) }, "error 1\nerror 2\nerror 3");
        assert_eq!(selected.text, "error 1\nerror 2\nerror 3");
        let all = one(first(50), LOG);
        assert_eq!((all.shown, all.read, all.ended), (5, 9, false));
    }

    #[test]
    fn repeated_lines_are_told_once() {
        let selection = || Selection { dedupe: true, ..Selection::default() };
        let selected = one(selection(), LOG);
        assert_eq!(selected.text, "one\ntwo error\nthree\nfour\nfive [3 times]\nsix error\nseven");
        assert_eq!((selected.shown, selected.repeated, selected.read), (7, 2, 9));
        let last = one(Selection { most: Most::Last(2), ..selection() }, LOG);
        assert_eq!((last.text.as_str(), last.shown, last.repeated), ("six error\nseven", 2, 0));
    }

    #[test]
    fn a_timestamp_is_no_part_of_the_line() {
        let log = "2026-11-22T06:00:38Z up\n2026-11-22T06:00:39Z up\n";
        let selection = Selection { timestamps: true, dedupe: true, ..grep("^up$") };
        assert_eq!(one(selection, log).text, "2026-11-22T06:00:38Z up [2 times]");
    }

    const WEB: &str =
        "2026-11-22T06:00:38Z GET /\n2026-11-22T06:00:40Z panic\n2026-11-22T06:00:42Z   at main.rs";
    const DB: &str = "2026-11-22T06:00:39Z ready\n2026-11-22T06:00:41Z query";

    #[test]
    fn logs_are_merged_by_time() {
        let logs = [("web", WEB), ("db", DB)];
        insta::assert_snapshot!(of(Selection::default(), &logs).text, @r"
        web | GET /
        db | ready
        web | panic
        db | query
        web |   at main.rs
        ");
        let last = Selection { most: Most::Last(2), timestamps: true, ..Selection::default() };
        insta::assert_snapshot!(of(last, &logs).text, @r"
        db | 2026-11-22T06:00:41Z query
        web | 2026-11-22T06:00:42Z   at main.rs
        ");
        let first = Selection { most: Most::First(2), ..Selection::default() };
        assert_eq!(of(first, &logs).text, "web | GET /\ndb | ready");
        // What stands around a match stays with it.
        let around = Selection { context_lines: 1, ..grep("panic|ready") };
        insta::assert_snapshot!(of(around, &logs).text, @r"
        web | GET /
        web | panic
        web |   at main.rs
        --
        db | ready
        db | query
        ");
        let first = Selection { context_lines: 1, most: Most::First(1), ..grep("panic|ready") };
        assert_eq!(of(first, &logs).text, "web | GET /\nweb | panic\nweb |   at main.rs");
    }

    #[test]
    fn long_lines_and_long_texts_are_cut_and_counted() {
        let selected = one(Selection::default(), &"ä".repeat(10_000));
        assert!(selected.text.ends_with("…[+11808 bytes]"), "{}", &selected.text[8100..]);
        assert_eq!(selected.cut, 11_808);

        let log = "x".repeat(999) + "\n";
        let selected = one(Selection::default(), &log.repeat(100));
        assert_eq!((selected.shown, selected.read, selected.no_room), (32, 100, 68));
        let first = Selection { most: Most::First(50), ..Selection::default() };
        let selected = one(first, &(log.repeat(100) + "end"));
        assert!(selected.shown == 32 && selected.ended && selected.no_room > 0, "{selected:?}");
        let last = Selection { most: Most::Last(10), ..Selection::default() };
        assert_eq!(one(last, &log.repeat(100)).no_room, 0);
    }

    #[test]
    fn a_match_deep_in_a_line_is_shown() {
        let line = format!("{}needle{}", "ä".repeat(10_000), "b".repeat(10_000));
        let selected = one(grep("needle"), &line);
        assert!(selected.text.starts_with("[+17952 bytes]…ä"), "{}", &selected.text[..60]);
        assert!(selected.text.contains("needlebbb"));
        assert!(selected.text.ends_with("…[+3862 bytes]"), "{}", &selected.text[8000..]);
        let selected = one(grep("b$"), &line);
        assert!(selected.text.starts_with("[+21814 bytes]…bb") && selected.text.ends_with("bb"));
    }

    #[test]
    fn a_long_search_keeps_little() {
        let selection = Selection { context_lines: 3, most: Most::Last(9), ..grep("7$") };
        let selection = Arc::new(selection);
        let mut search = Search::new(&selection);
        for n in 0..50_000 {
            assert!(search.push(None, &format!("line {n}")).is_continue());
            assert!(search.kept.len() < 80, "{}", search.kept.len());
        }
        let selected = selection.of(vec![(None, search)]);
        assert_eq!((selected.read, selected.matched), (50_000, Some(5_000)));
        assert!(selected.text.starts_with("line 49914\n"), "{}", selected.text);
    }
}
