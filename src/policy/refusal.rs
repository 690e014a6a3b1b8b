//! What a check has found, and the text that a caller gets: every violation at once, and the same
//! text each time, so that an agent learns that trying variants is pointless.

use std::fmt;
use std::path::{Path, PathBuf};

use super::allow::Allow;
use super::located::Paths;
use super::roots::Root;
use super::rule::{Rule, Switch};
use super::{Policy, places, rule};
use crate::error::{Code, Error};

/// More than these are counted, not told.
const TOLD: usize = 20;
/// More than these are not even counted: a hostile file can have a million.
const KEPT: usize = 500;

/// One thing that a rule denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the rule, for instance `mount.outside_roots`.
    pub rule: &'static str,
    /// The exact element: `bind mount /etc -> /host-etc`.
    pub subject: String,
    /// Where it stands: `services.db.volumes[0]`, or the option of docker.
    pub location: String,
    /// The compose service that it is in.
    pub service: Option<String>,
    pub why: String,
    /// One safe alternative.
    pub instead: String,
    /// What the operator can do: `starting the server with --allow gpus`.
    pub operator_switch: String,
    /// The path that `--allow-path` would have to open, and whether for reading only.
    pub(super) opens: Option<(PathBuf, bool)>,
}

/// A call that the policy does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Never empty.
    pub violations: Vec<Violation>,
}

impl Refusal {
    /// The names of the rules, each once, in the order of the violations.
    pub fn rules(&self) -> Vec<&'static str> {
        let mut rules = vec![];
        for violation in &self.violations {
            if !rules.contains(&violation.rule) {
                rules.push(violation.rule);
            }
        }
        rules
    }

    /// Whether none of it is control of this machine, or its secrets: then a person who is asked at
    /// that moment can decide as well as one who wrote settings.
    pub fn is_negotiable(&self) -> bool {
        self.violations.iter().all(Violation::is_negotiable)
    }

    /// Both together, as one answer.
    pub fn and(mut self, other: Self) -> Self {
        self.violations.extend(other.violations);
        self
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let rules = refusal.rules().join(", ");
        let mut error = Self::new(Code::RefusedByPolicy, &rules).with("rule", &rules);
        error.is_negotiable = refusal.is_negotiable();
        let count = refusal.violations.len();
        if let [violation] = &refusal.violations[..] {
            if let Some(service) = &violation.service {
                error = error.with("service", service);
            }
            if !violation.location.is_empty() {
                error = error.with("where", &violation.location);
            }
        } else {
            error = error.with("violations", count.to_string());
        }
        if let [violation] = &refusal.violations[..] {
            error.details.extend(violation.lines(false));
            if let Some(last) = error.details.last_mut() {
                last.push_str(" You cannot change this setting; ask the user.");
            }
            return error.hint(&violation.instead);
        }
        for (i, violation) in refusal.violations.iter().take(TOLD).enumerate() {
            for (j, line) in violation.lines(true).iter().enumerate() {
                let begin = if j == 0 { format!("{}. ", i + 1) } else { "   ".to_owned() };
                error.details.push(format!("{begin}{line}"));
            }
        }
        let mut switches: Vec<&str> = vec![];
        for violation in &refusal.violations {
            let switch = violation.operator_switch.as_str();
            if !switches.contains(&switch) {
                switches.push(switch);
            }
        }
        if count > TOLD {
            error.details.push(format!("{} more violations are not shown.", count - TOLD));
        }
        error.details.push(format!(
            "The user can allow it by {}. You cannot change these settings; ask the user.",
            listed(&switches)
        ));
        let mut alternatives: Vec<&str> =
            refusal.violations.iter().map(|violation| violation.instead.as_str()).collect();
        alternatives.sort_unstable();
        alternatives.dedup();
        match alternatives[..] {
            [one] => error.hint(one),
            _ => error.hint("each violation names its own alternative after \"instead\""),
        }
    }
}

impl Violation {
    fn is_negotiable(&self) -> bool {
        const HARD: [&str; 4] =
            ["compose.use_api_socket", "compose.provider", "compose.models", "compose.external"];
        if self.rule == rule::MOUNT_OUTSIDE.name || self.rule == rule::MOUNT_READ_ONLY.name {
            let is_of_people =
                |path: &Path| places::system_path(path).is_none() && !places::is_home(path);
            return self.opens.as_ref().is_some_and(|(path, _)| is_of_people(path));
        }
        [rule::PUSH.name, rule::REMOTE_BUILD.name].contains(&self.rule)
            || (self.rule.starts_with("compose.") && !HARD.contains(&self.rule))
            // The client reads and writes as the person does.
            || self.rule.starts_with("file.")
    }

    /// The lines of the text; one of several violations says its rule and place itself, and what the
    /// operator can do is told of all together.
    fn lines(&self, is_one_of_several: bool) -> Vec<String> {
        let service = self.service.as_ref().map(|service| format!("service {}: ", shown(service)));
        let subject = format!("{}{}", service.unwrap_or_default(), self.subject);
        let first = match (is_one_of_several, self.location.as_str()) {
            (false, _) => subject,
            (true, "") => format!("{subject} [{}]", self.rule),
            (true, location) => format!("{subject} [{} at {location}]", self.rule),
        };
        let mut lines =
            vec![first, format!("why: {}", self.why), format!("instead: {}", self.instead)];
        if !is_one_of_several {
            lines.push(format!("The user can allow it by {}.", self.operator_switch));
        }
        lines
    }
}

/// `starting the server with --allow a and --allow b; starting the server without --c`.
fn listed(switches: &[&str]) -> String {
    const START: &str = "starting the server with ";
    let flags: Vec<&str> =
        switches.iter().filter_map(|it| it.strip_prefix(START)).take(TOLD).collect();
    let others = switches.iter().filter(|it| !it.starts_with(START)).map(|it| (*it).to_owned());
    let together = (!flags.is_empty()).then(|| format!("{START}{}", flags.join(" and ")));
    together.into_iter().chain(others).collect::<Vec<_>>().join("; ")
}

/// Where in a document or command line something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    path: String,
    service: Option<String>,
}

impl Place {
    pub(super) fn at(path: impl Into<String>) -> Self {
        Self { path: path.into(), service: None }
    }

    pub(super) fn service(name: &str) -> Self {
        let path = format!("services.{}", plain(name));
        Self { path, service: Some(name.to_owned()) }
    }

    pub(super) fn key(&self, key: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{dot}{}", self.path, plain(key)), service: self.service.clone() }
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), service: self.service.clone() }
    }

    /// The last key or index.
    pub(super) fn last(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }
}

/// The violations of one check, as they are found.
pub(super) struct Findings<'a> {
    pub(super) policy: &'a Policy,
    pub(super) paths: &'a dyn Paths,
    violations: Vec<Violation>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(policy: &'a Policy, paths: &'a dyn Paths) -> Self {
        Self { policy, paths, violations: vec![] }
    }

    /// Records a violation, unless the operator has opened the rule.
    pub(super) fn refuse(
        &mut self,
        rule: &'static Rule,
        subject: impl fmt::Display,
        place: &Place,
    ) {
        let operator_switch = match &rule.switch {
            Switch::Allow(allow) if self.policy.allows(allow) => return,
            Switch::Allow(allow) => format!("starting the server with --allow {allow}"),
            Switch::Path => "starting the server with --allow-path PATH".to_owned(),
            Switch::By(words) => (*words).to_owned(),
        };
        self.push(Violation::of(rule, subject, place, operator_switch));
    }

    /// [`Self::refuse`] with the exception that opens this very case.
    pub(super) fn refuse_unless(
        &mut self,
        allow: &Allow,
        rule: &'static Rule,
        subject: impl fmt::Display,
        place: &Place,
    ) {
        if !self.policy.allows(allow) {
            let operator_switch = format!("starting the server with --allow {allow}");
            self.push(Violation::of(rule, subject, place, operator_switch));
        }
    }

    pub(super) fn push(&mut self, violation: Violation) {
        if self.violations.len() < KEPT && !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }

    /// # Errors
    /// When there is a violation.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if self.violations.is_empty() {
            return Ok(());
        }
        let mut violations = self.violations;
        open_folders(self.policy, &mut violations);
        Err(Refusal { violations })
    }
}

/// Whether an operator can be advised to open this folder as a whole.
fn may_be_opened(policy: &Policy, folder: &Path) -> bool {
    folder != Path::new("/") && Root::project(folder, policy.home.as_deref()).is_ok()
}

/// Where several paths lie in one folder, the operator is told of the folder.
fn open_folders(policy: &Policy, violations: &mut [Violation]) {
    let mut folders: Vec<(PathBuf, bool)> = vec![];
    for (path, read_only) in violations.iter().filter_map(|violation| violation.opens.clone()) {
        let widened = folders.iter_mut().find_map(|folder| {
            let common = common_folder(&folder.0, &path)?;
            // `/srv` is too much for what lies deep in two folders of it.
            let is_near = common.components().count() > 2 || path.parent() == Some(&common);
            let opens = common == folder.0 || (is_near && may_be_opened(policy, &common));
            opens.then_some((folder, common))
        });
        match widened {
            Some((folder, common)) => *folder = (common, folder.1 && read_only),
            None => folders.push((path, read_only)),
        }
    }
    for violation in violations {
        let Some((path, _)) = &violation.opens else { continue };
        if let Some((folder, read_only)) =
            folders.iter().find(|(folder, _)| path.starts_with(folder))
        {
            violation.operator_switch = allow_path(folder, *read_only);
        }
    }
}

/// The deepest folder that two paths lie in.
fn common_folder(a: &Path, b: &Path) -> Option<PathBuf> {
    a.ancestors().find(|folder| b.starts_with(folder)).map(Path::to_owned)
}

pub(super) fn allow_path(path: &Path, read_only: bool) -> String {
    let suffix = if read_only { ":ro" } else { "" };
    format!("starting the server with --allow-path {}{suffix}", plain(&path.to_string_lossy()))
}

impl Violation {
    pub(super) fn of(
        rule: &'static Rule,
        subject: impl fmt::Display,
        place: &Place,
        operator_switch: String,
    ) -> Self {
        let (location, service) = (place.path.clone(), place.service.clone());
        let (why, instead) = (rule.why.to_owned(), rule.instead.to_owned());
        let (rule, subject) = (rule.name, subject.to_string());
        Self { rule, subject, location, service, why, instead, operator_switch, opens: None }
    }

    /// The same where it stands: a path is judged without.
    pub(super) fn at(mut self, place: &Place) -> Self {
        self.location.clone_from(&place.path);
        self.service.clone_from(&place.service);
        self
    }
}

/// Foreign text for a message: in quotes, control characters escaped, cut after 80 characters.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// A key as it is, unless it could be mistaken for something else.
pub(super) fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-/.:@+$=".contains(c);
    if !text.is_empty() && text.len() <= 200 && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        shown(text)
    }
}
