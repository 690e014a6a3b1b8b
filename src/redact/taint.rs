//! The exact values that passed through the server in this session.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{OnceLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::values::is_trivial;

/// Shorter values would turn up by chance.
const MIN_BYTES: usize = 8;
/// No session has so many secrets; what would be one more is found by its name or shape alone.
const MAX_VALUES: usize = 5_000;

#[derive(Default)]
pub(super) struct Taint {
    learned: RwLock<Learned>,
}

#[derive(Default)]
struct Learned {
    values: BTreeSet<String>,
    /// Built when it is first needed after a change.
    automaton: OnceLock<Option<AhoCorasick>>,
}

impl Taint {
    pub(super) fn learn(&self, secret: &str) {
        let forms: Vec<String> = forms(secret).into_iter().filter(|form| is_useful(form)).collect();
        let known = |learned: &Learned| forms.iter().all(|form| learned.values.contains(form));
        if known(&self.learned.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if learned.values.len() >= MAX_VALUES {
            return;
        }
        learned.values.extend(forms);
        learned.automaton = OnceLock::new();
    }

    /// Adds every occurrence. They may overlap, so the longest is masked whole.
    pub(super) fn find(&self, text: &str, spans: &mut Vec<Range<usize>>) {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        let automaton = learned.automaton.get_or_init(|| automaton(&learned.values));
        if let Some(automaton) = automaton {
            spans.extend(automaton.find_overlapping_iter(text).map(|found| found.range()));
        }
    }
}

fn automaton(values: &BTreeSet<String>) -> Option<AhoCorasick> {
    if values.is_empty() {
        return None;
    }
    // The faster kinds take a hundred times the memory, which a few long keys would make real.
    let bytes: usize = values.iter().map(String::len).sum();
    let kind = (bytes > 16 * 1024).then_some(AhoCorasickKind::ContiguousNFA);
    let built = AhoCorasick::builder().match_kind(MatchKind::Standard).kind(kind).build(values);
    Some(built.expect("the values of a session are far from 2³¹ bytes"))
}

fn is_useful(secret: &str) -> bool {
    secret.len() >= MIN_BYTES && !is_trivial(secret)
}

/// As it is, without blanks around it, as JSON writes it (and as Go's JSON does), and its lines,
/// because a result may be split into lines.
fn forms(secret: &str) -> BTreeSet<String> {
    let trimmed = secret.trim();
    let mut forms = BTreeSet::from([secret.to_owned(), trimmed.to_owned()]);
    if let Ok(json) = serde_json::to_string(trimmed)
        && let Some(inside) = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'))
    {
        let go = inside.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
        forms.insert(inside.to_owned());
        forms.insert(go);
    }
    if trimmed.contains('\n') {
        let is_key_material = |line: &&str| line.len() >= 16 && !line.contains([' ', '-']);
        forms.extend(trimmed.lines().map(str::trim).filter(is_key_material).map(str::to_owned));
    }
    forms
}
