//! What could go, and what stays although nothing uses it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Prune;
use crate::command::{labels, time};
use crate::error::Error;
use crate::tools::confirm::Doomed;

/// One object that could go.
pub(super) struct Candidate {
    pub(super) doomed: Doomed,
    /// What `rm` gets: its ID; of an image with several tags, all of them.
    pub(super) operands: Vec<String>,
}

impl Candidate {
    /// The operands as a person knows them: an ID says nothing.
    pub(super) fn shown(&self) -> Vec<String> {
        if self.operands == [self.doomed.id.as_str()] {
            return vec![self.doomed.name.clone()];
        }
        self.operands.clone()
    }

    /// By what it is found again: its ID; a volume has only its name.
    pub(super) fn key(&self) -> &str {
        if self.doomed.kind == "volume" { &self.doomed.name } else { &self.doomed.id }
    }

    /// Docker's words about it.
    pub(super) fn complaint(&self, error: Option<&Error>) -> String {
        let Some(error) = error else { return "docker left it without a word".to_owned() };
        let id = self.key().trim_start_matches("sha256:");
        let short = id.get(..12).unwrap_or(id);
        let said = error.stderr.as_deref().unwrap_or_default();
        let about_it = |line: &&str| line.contains(short) || line.contains(&self.doomed.name);
        let line = said.lines().find(about_it).unwrap_or(&error.message);
        line.trim().trim_start_matches("Error response from daemon: ").to_owned()
    }
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    /// What stays, and why.
    pub(super) notes: Vec<String>,
}

impl Prune {
    pub(super) fn wants(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|it| it == value),
            None => labels.contains_key(wanted),
        };
        let project = self.project.as_ref().map(|project| format!("{}={project}", labels::PROJECT));
        project.iter().all(has) && self.label.iter().flat_map(|label| &label.0).all(has)
    }

    /// `--filter` values of a listing; none without a choice.
    pub(super) fn label_filters(&self) -> Vec<String> {
        let project = self.project.iter().map(|project| labels::of_project(project.as_str()));
        let labels = self.label.iter().flat_map(|label| &label.0);
        project.chain(labels.map(|label| format!("label={label}"))).collect()
    }

    pub(super) fn is_old(&self, times: &[&str]) -> bool {
        self.unused_for.is_none_or(|span| is_past(span.duration(), times))
    }
}

/// Whether the newest of these times is so long ago. A time that cannot be read proves nothing.
pub(in crate::tools::system) fn is_past(span: Duration, times: &[&str]) -> bool {
    let before = Timestamp::now().checked_sub(span).unwrap_or(Timestamp::MIN);
    let times = times.iter().filter(|time| !time.starts_with("0001-"));
    let newest = times.filter_map(|text| time::parse(text)).max();
    newest.is_some_and(|newest| newest <= before)
}

impl Found {
    /// Counts what stays for one reason, with its names as long as they are few.
    pub(super) fn keep(&mut self, names: &[String], what: &str, why: &str) {
        match names {
            [] => {}
            names if names.len() <= 5 => {
                self.notes.push(format!("kept {}: {why}", names.join(", ")));
            }
            names => self.notes.push(format!("kept {} {what}: {why}", names.len())),
        }
    }

    pub(super) fn keep_used(&mut self, names: &[String]) {
        let why = if names.len() == 1 { "a container uses it" } else { "containers use them" };
        self.keep(names, "used ones", why);
    }

    pub(super) fn keep_protected(&mut self, names: &[String]) {
        self.keep(names, "protected ones", "the person has protected them");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish(arguments: serde_json::Value) -> Prune {
        serde_json::from_value(arguments).unwrap()
    }

    #[test]
    fn labels_and_project_choose() {
        let labels: BTreeMap<String, String> =
            [(labels::PROJECT, "shop"), ("tier", "a=b"), ("keep", "")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into();
        let wants = |more: serde_json::Value| {
            let mut arguments = json!({"what": "volumes"});
            arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            wish(arguments).wants(&labels)
        };
        assert!(wants(json!({})) && wants(json!({"project": "shop"})));
        assert!(wants(json!({"label": "tier=a=b"})) && wants(json!({"label": ["keep", "tier"]})));
        assert!(!wants(json!({"project": "sho"})) && !wants(json!({"label": "tier=a"})));
        assert!(!wants(json!({"label": "absent"})));
        assert!(!wants(json!({"label": "tier", "project": "other"})));
        assert!(!wish(json!({"what": "volumes", "label": []})).is_chosen());
    }

    #[test]
    fn what_is_in_use_is_named_as_long_as_it_is_little() {
        let kept = |count: usize| {
            let mut found = Found::default();
            found.keep_used(&(1..=count).map(|n| format!("v{n}")).collect::<Vec<_>>());
            found.notes.join("; ")
        };
        assert_eq!(kept(0), "");
        assert_eq!(kept(1), "kept v1: a container uses it");
        assert_eq!(kept(2), "kept v1, v2: containers use them");
        assert_eq!(kept(300), "kept 300 used ones: containers use them");
    }

    #[test]
    fn only_what_is_known_to_be_old_is_old() {
        let old = wish(json!({"what": "containers", "unused_for": "1h"}));
        let now = Timestamp::now().to_string();
        assert!(old.is_old(&["2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]));
        assert!(!old.is_old(&["2020-01-01T00:00:00Z", &now]));
        assert!(!old.is_old(&["soon"]) && !old.is_old(&[]));
        assert!(wish(json!({"what": "containers"})).is_old(&[&now]));
    }

    #[test]
    fn a_complaint_is_the_line_about_the_object() {
        let mut error = Error::new(crate::error::Code::ResourceInUse, "one aaaaaaaaaaaa is used");
        error.stderr = Some("Error response from daemon: one aaaaaaaaaaaa is used\nError response from daemon: two bbbbbbbbbbbb is used".into());
        let doomed = Doomed {
            kind: "image",
            id: format!("sha256:{}", "b".repeat(64)),
            name: "x:1".into(),
            ..Doomed::default()
        };
        let candidate = Candidate { doomed, operands: vec![] };
        assert_eq!(candidate.complaint(Some(&error)), "two bbbbbbbbbbbb is used");
    }
}
