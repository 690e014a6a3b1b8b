//! The exact values that passed through the server in this session.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{OnceLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::names::Open;
use super::values::{could_be_a_name, is_trivial};

/// Shorter values would turn up by chance.
const MIN_BYTES: usize = 8;
/// No session has so many secrets; what would be one more is found by its name or shape alone.
const MAX_VALUES: usize = 5_000;
/// The same of names, each of at most so many bytes: more would be text.
const MAX_NAMES: usize = 10_000;
const MAX_NAME: usize = 256;

#[derive(Default)]
pub(super) struct Taint {
    learned: RwLock<Learned>,
}

#[derive(Default)]
struct Learned {
    secrets: BTreeMap<String, Origin>,
    names: BTreeSet<String>,
    /// Values of variables without a secret name, paths.
    open: BTreeSet<String>,
    /// Built when it is first needed after a change.
    search: OnceLock<Option<Search>>,
}

/// Where a secret came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A document or an argument.
    Session,
    /// The server's own environment, of which a compose file could make a name.
    Own,
}

impl Taint {
    pub(super) fn learn(&self, secret: &str, origin: Origin) {
        if !is_useful(secret) || self.read(|learned| learned.secrets.contains_key(secret)) {
            return;
        }
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if learned.secrets.len() < MAX_VALUES {
            learned.secrets.insert(secret.to_owned(), origin);
            learned.search = OnceLock::new();
        }
    }

    /// A secret that is this name, or a part of it, is not searched for.
    pub(super) fn learn_name(&self, open: Open, name: &str) {
        let known = |learned: &Learned| learned.list(open).contains(name);
        if !(MIN_BYTES..=MAX_NAME).contains(&name.len()) || self.read(known) {
            return;
        }
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if learned.names.len() + learned.open.len() < MAX_NAMES {
            if learned.secrets.keys().any(|secret| name.contains(secret.trim())) {
                learned.search = OnceLock::new();
            }
            let list = match open {
                Open::Name => &mut learned.names,
                Open::Value => &mut learned.open,
            };
            list.insert(name.to_owned());
        }
    }

    /// Adds every occurrence. They may overlap, so the longest is masked whole.
    pub(super) fn find(&self, text: &str, spans: &mut Vec<Range<usize>>) {
        self.read(|learned| {
            if let Some(search) = learned.search.get_or_init(|| learned.search()) {
                search.find(text, spans);
            }
        });
    }

    fn read<T>(&self, ask: impl FnOnce(&Learned) -> T) -> T {
        ask(&self.learned.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Learned {
    const fn list(&self, open: Open) -> &BTreeSet<String> {
        match open {
            Open::Name => &self.names,
            Open::Value => &self.open,
        }
    }

    fn search(&self) -> Option<Search> {
        let searched = self.secrets.iter().filter(|(secret, origin)| {
            let secret = secret.trim();
            let is_in = |list: &BTreeSet<String>| list.iter().any(|name| name.contains(secret));
            let could_be_a_name = could_be_a_name(secret);
            let is_name = (could_be_a_name || **origin == Origin::Session) && is_in(&self.names);
            let is_open = could_be_a_name && is_in(&self.open);
            !is_name && !is_open
        });
        Search::of(searched.map(|(secret, _)| secret.as_str()))
    }
}

struct Search {
    automaton: AhoCorasick,
    /// The patterns from this one on are base64, each with how many characters before it belong
    /// to the same bytes.
    encoded_from: usize,
    encoded: Vec<usize>,
}

impl Search {
    fn of<'a>(secrets: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut plain, mut base64) = (BTreeSet::new(), BTreeMap::new());
        for secret in secrets {
            plain.extend(forms(secret).into_iter().filter(|form| is_useful(form)));
            base64.extend(encodings(secret.trim()));
        }
        if plain.is_empty() {
            return None;
        }
        let patterns: Vec<&String> = plain.iter().chain(base64.keys()).collect();
        // The faster kinds take a hundred times the memory, which a few long keys would make real.
        let bytes: usize = patterns.iter().map(|pattern| pattern.len()).sum();
        let kind =
            if bytes > 16 * 1024 { AhoCorasickKind::ContiguousNFA } else { AhoCorasickKind::DFA };
        let built =
            AhoCorasick::builder().match_kind(MatchKind::Standard).kind(Some(kind)).build(patterns);
        let automaton = built.expect("the values of a session are far from 2³¹ bytes");
        Some(Self { automaton, encoded_from: plain.len(), encoded: base64.into_values().collect() })
    }

    fn find(&self, text: &str, spans: &mut Vec<Range<usize>>) {
        for found in self.automaton.find_overlapping_iter(text) {
            let pattern = found.pattern().as_usize();
            let encoding = pattern.checked_sub(self.encoded_from);
            let before = encoding.and_then(|encoding| self.encoded.get(encoding));
            spans.push(before.map_or(found.range(), |before| {
                whole_groups(text.as_bytes(), found.range(), *before)
            }));
        }
    }
}

/// Four characters of base64 hold three bytes, so those around the ones that were looked for may
/// hold a part of the secret too; and padding would be left.
fn whole_groups(text: &[u8], found: Range<usize>, before: usize) -> Range<usize> {
    let belongs = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let from = text.get(found.start.saturating_sub(before)..found.start).unwrap_or_default();
    let start = found.start - from.iter().rev().take_while(belongs).count();
    let missing = (4 - (found.end - found.start + before) % 4) % 4;
    let rest = text.get(found.end..).unwrap_or_default();
    start..found.end + rest.iter().take(missing).take_while(belongs).count()
}

fn is_useful(secret: &str) -> bool {
    secret.len() >= MIN_BYTES && !is_trivial(secret)
}

/// As it is, without blanks around it, as JSON writes it (and as Go's JSON does), as it stands in an
/// address, and its lines, because a result may be split into lines.
fn forms(secret: &str) -> BTreeSet<String> {
    // RFC 3986 leaves these as they are; a form of HTML writes a blank as `+`.
    const OPEN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let trimmed = secret.trim();
    let mut forms = BTreeSet::from([secret.to_owned(), trimmed.to_owned()]);
    if let Ok(json) = serde_json::to_string(trimmed)
        && let Some(inside) = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'))
    {
        let go = inside.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
        forms.insert(inside.to_owned());
        forms.insert(go);
    }
    let in_address = utf8_percent_encode(trimmed, &OPEN).to_string();
    forms.insert(in_address.replace("%20", "+"));
    forms.insert(in_address);
    if trimmed.contains('\n') {
        let is_key_material = |line: &&str| line.len() >= 16 && !line.contains([' ', '-']);
        forms.extend(trimmed.lines().map(str::trim).filter(is_key_material).map(str::to_owned));
    }
    forms
}

/// How base64 writes it, alone or within something else (`user:password`): the characters that
/// depend on nothing else, for each place that it can have in a group of three bytes; with how
/// many characters of its first group stand before them.
fn encodings(secret: &str) -> impl Iterator<Item = (String, usize)> {
    const MAX_BYTES: usize = 1024;
    let secret = Some(secret).filter(|secret| is_useful(secret) && secret.len() <= MAX_BYTES);
    let places = secret.into_iter().flat_map(|secret| (0..3).map(move |before| (secret, before)));
    places.flat_map(|(secret, before)| {
        let bytes = [vec![0; before], secret.as_bytes().to_vec()].concat();
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
            .into_iter()
            .filter_map(move |text| Some((text.get(own.clone())?.to_owned(), own.start)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    const SECRET: &str = "kestrel41moth";

    fn found(taint: &Taint, text: &str) -> bool {
        let mut spans = vec![];
        taint.find(text, &mut spans);
        !spans.is_empty()
    }

    fn taint(secret: &str) -> Taint {
        let taint = Taint::default();
        taint.learn(secret, Origin::Session);
        taint
    }

    #[test]
    fn base64_of_a_known_value_is_found_wherever_it_stands_in_it() {
        let taint = taint(SECRET);
        for around in ["", "a", "ab", "abc", "user:", "{\"password\":\""] {
            let encoded = STANDARD.encode(format!("{around}{SECRET}{around}"));
            let text = format!("stored as \"{encoded}\" there");
            let mut spans = vec![];
            taint.find(&text, &mut spans);
            let [span] = spans.as_slice() else { panic!("{around}: {spans:?} in {text}") };
            let left = encoded.replace(&text[span.clone()], "");
            let left = STANDARD_NO_PAD.decode(left.trim_end_matches('=')).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&left).contains("strel"), "{around}: {left:?}");
        }
        let alone = STANDARD.encode(SECRET);
        let mut spans = vec![];
        taint.find(&alone, &mut spans);
        assert_eq!(spans, vec![0..alone.len()], "with its padding");
        assert!(!found(&taint, &STANDARD.encode("another value of the same kind")));
    }

    #[test]
    fn a_known_value_is_found_as_it_stands_in_an_address() {
        let taint = taint("kestrel 41/moth@ä");
        for text in [
            "amqp://app:kestrel%2041%2Fmoth%40%C3%A4@mq/",
            "POST /login?p=kestrel+41%2Fmoth%40%C3%A4 200",
        ] {
            assert!(found(&taint, text), "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_a_name_is_not_searched_for() {
        for order in [[0, 1], [1, 0]] {
            let taint = Taint::default();
            for step in order {
                match step {
                    0 => taint.learn("paperless", Origin::Session),
                    _ => taint.learn_name(Open::Name, "/paperless-db-1"),
                }
            }
            assert!(!found(&taint, "volume paperless_data"));
            assert!(!found(&taint, &STANDARD.encode("paperless")));
        }
        let taint = taint("paperless");
        assert!(found(&taint, "volume paperless_data"));
        taint.learn_name(Open::Name, "other-name");
        assert!(found(&taint, "volume paperless_data"));
        taint.learn_name(Open::Value, "https://paperless.example.com");
        assert!(!found(&taint, "volume paperless_data"));
    }

    #[test]
    fn a_variable_opens_only_what_could_be_a_name() {
        let taint = taint(SECRET);
        taint.learn_name(Open::Value, SECRET);
        assert!(found(&taint, SECRET));
        taint.learn_name(Open::Name, "of-kestrel41moth");
        assert!(!found(&taint, SECRET));
    }

    #[test]
    fn no_name_opens_a_secret_of_the_servers_own_environment() {
        let taint = Taint::default();
        taint.learn(SECRET, Origin::Own);
        taint.learn("paperless", Origin::Own);
        taint.learn_name(Open::Name, "of-kestrel41moth");
        taint.learn_name(Open::Name, "paperless-db-1");
        assert!(found(&taint, SECRET));
        assert!(!found(&taint, "paperless"));
    }
}
