//! Words that name only tools that are offered: an operator may offer a few of them.

use std::collections::BTreeSet;

/// What separates two sentences, and two clauses that stand for themselves.
const SENTENCES: &str = ". ";
const CLAUSES: &str = "; ";

/// The text without the clauses that name a tool of `absent`; the first sentence says what the text
/// is about, and stays.
pub(super) fn without(text: &str, absent: &BTreeSet<&str>) -> String {
    let paragraph = |paragraph: &str| -> Option<String> {
        let sentences = paragraph.trim_end_matches('.').split(SENTENCES);
        let kept: Vec<String> = sentences.filter_map(|text| sentence(text, absent)).collect();
        (!kept.is_empty()).then(|| format!("{}.", kept.join(SENTENCES)))
    };
    let (first, rest) = text.split_once(SENTENCES).unwrap_or((text, ""));
    let rest: Vec<String> = rest.split('\n').filter_map(paragraph).collect();
    if rest.is_empty() {
        return format!("{}.", first.trim_end_matches('.'));
    }
    format!("{first}{SENTENCES}{}", rest.join("\n"))
}

/// The clauses of a text that name no tool of `absent`, if there are any.
pub(super) fn clauses(text: &str, absent: &BTreeSet<&str>) -> Option<String> {
    let is_offered = |clause: &&str| {
        let mut words = clause.split(|c: char| !c.is_ascii_lowercase() && c != '-');
        !words.any(|word| absent.contains(word))
    };
    let kept: Vec<&str> = text.split(CLAUSES).filter(is_offered).collect();
    (!kept.is_empty()).then(|| kept.join(CLAUSES))
}

fn sentence(text: &str, absent: &BTreeSet<&str>) -> Option<String> {
    let kept = clauses(text, absent)?;
    let first = kept.chars().next()?;
    if text.starts_with(&kept) {
        return Some(kept);
    }
    Some(format!("{}{}", first.to_uppercase(), kept.split_at(first.len_utf8()).1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_about_what_is_not_there_are_left_out() {
        let text = "List containers. One: inspect-container; a project: compose-ps. volumes go too; then: prune.\nWhat is there: list-all-resources; is docker well: docker-info.";
        let without = |absent: &[&str]| without(text, &absent.iter().copied().collect());
        assert_eq!(without(&[]), text);
        assert_eq!(
            without(&["compose-ps", "list-all-resources"]),
            "List containers. One: inspect-container. volumes go too; then: prune.\nIs docker well: docker-info."
        );
        let all = ["inspect-container", "compose-ps", "prune", "docker-info", "list-all-resources"];
        assert_eq!(without(&all), "List containers. volumes go too.");
    }
}
