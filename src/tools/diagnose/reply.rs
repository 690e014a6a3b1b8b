//! The answer, in at most two kilobytes.

use serde::Serialize;

use super::Scope;
use super::facts::{Facts, Subject};
use super::finding::{Cause, Placed, call, logs, on};
use super::judge::{Judged, Judgement, Verdict};
use crate::command::text::{cut_line, head};
use crate::error::Error;
use crate::tools::compose::outlook::is_one_off;

/// The whole answer. What redaction puts in may be longer than what it takes out.
const MAX_BYTES: usize = 1900;
const WHY_BYTES: usize = 320;
const LINE_BYTES: usize = 220;
const EVIDENCE: usize = 7;
const ALSO: usize = 6;
const NEXT: usize = 3;

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    verdict: Verdict,
    /// What was looked at.
    about: String,
    root: Option<Root>,
    evidence: Vec<String>,
    /// What else is not well, mostly because of the root.
    also: Vec<String>,
    more: Option<usize>,
    /// Calls of this server, as they would be sent.
    next: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Root {
    container: String,
    service: Option<String>,
    project: Option<String>,
    cause: &'static str,
    why: String,
    fix: String,
    /// `compose.yaml:14 (services.api.mem_limit)`
    #[serde(rename = "where")]
    place: Option<String>,
}

pub(super) fn reply(
    facts: &Facts,
    scope: &Scope,
    all: &[Judged<'_>],
    judgement: &Judgement<'_>,
    placed: &Placed,
) -> Reply {
    let mut reply = match judgement.root {
        Some(_) => with_root(facts, scope, judgement, placed),
        None => without_root(facts, scope, all, judgement.verdict),
    };
    let others = judgement.others.iter().map(|judged| in_a_line(judged));
    reply.also = others.clone().take(ALSO).collect();
    let count = judgement.others.len();
    reply.more = (count > ALSO).then(|| count - ALSO);
    reply.fit();
    reply
}

fn with_root(facts: &Facts, scope: &Scope, judgement: &Judgement<'_>, placed: &Placed) -> Reply {
    let mut reply = Reply::empty(judgement.verdict, about(facts, scope));
    let Some((judged, cause)) = judgement.root else { return reply };
    let peer = cause.peer.as_deref();
    let peer = peer.and_then(|name| facts.subjects.iter().find(|it| it.name() == name));
    let subject = peer.unwrap_or(judged.subject);
    let whose =
        if peer.is_some() { format!("{}: ", judged.subject.called()) } else { String::new() };
    reply.root = Some(Root {
        container: subject.name().to_owned(),
        service: subject.service().map(str::to_owned),
        project: subject.project().map(str::to_owned),
        cause: cause.id,
        why: format!("{whose}{}: {}", judged.standing.text, cause.why),
        fix: match &placed.fix {
            Some(fix) => fix.clone(),
            None => cause.fix.clone(),
        },
        place: placed.place.clone(),
    });
    reply.evidence.clone_from(&cause.evidence);
    reply.evidence.extend(placed.evidence.iter().cloned());
    reply.next.extend(placed.next.iter().filter(|_| !is_enough(cause)).cloned());
    let undone =
        ["update-container ", "recreate-container ", "connect-network ", "inspect-container "];
    let stays =
        |call: &&String| !placed.is_deployed || !undone.iter().any(|it| call.starts_with(it));
    for call in cause.next.iter().filter(stays) {
        let tool = call.split(' ').next();
        let deploy = placed.deploy.as_ref().filter(|_| tool == Some("deploy-compose"));
        let call = deploy.unwrap_or(call);
        let is_there = |known: &String| {
            known == call || (tool == Some("deploy-compose") && known.split(' ').next() == tool)
        };
        if !reply.next.iter().any(is_there) {
            reply.next.push(call.clone());
        }
    }
    at_least_logs(&mut reply, subject);
    if matches!(scope, Scope::Host) {
        reply.next.insert(0, on("diagnose", subject.name()));
    }
    reply
}

/// When nothing else is recommended of what is deployed from files that are not here.
fn at_least_logs(reply: &mut Reply, subject: &Subject) {
    if reply.next.is_empty() && !subject.name().is_empty() {
        reply.next.push(logs(subject.name()));
    }
}

/// Whether what the cause itself recommends comes first: nothing is to be changed in a file.
fn is_enough(cause: &Cause) -> bool {
    matches!(
        cause.id,
        "paused"
            | "stopped"
            | "not-started"
            | "dependency-late"
            | "file-changed"
            | "image-missing"
            | "ended-with-docker"
            | "stranded-network"
    )
}

/// Nothing is wrong; then how well it is should be said honestly.
fn without_root(facts: &Facts, scope: &Scope, all: &[Judged<'_>], verdict: Verdict) -> Reply {
    let mut reply = Reply::empty(verdict, about(facts, scope));
    let asked = match scope {
        Scope::Container(_) => all.get(..1).unwrap_or(all),
        Scope::Project(_) => all,
        Scope::Host => &[],
    };
    for judged in asked {
        let subject = judged.subject;
        let said = &judged.standing.text;
        let restarts = match subject.container.restart_count {
            0 => String::new(),
            count => format!(", restarted {count} times before"),
        };
        let note = if subject.status() == "running" {
            known(subject)
        } else if is_one_off(&subject.container) {
            " (a one-off job)".to_owned()
        } else {
            String::new()
        };
        reply.evidence.push(format!("{}: {said}{restarts}{note}", subject.called()));
        if verdict == Verdict::Starting {
            reply.next = vec![on("diagnose", subject.name())];
        }
    }
    if let Scope::Host = scope {
        let running = facts.rows.iter().filter(|row| row.state == "running").count();
        let healthy = facts.rows.iter().filter(|row| row.health.as_deref() == Some("healthy"));
        reply.evidence.push(format!(
            "{running} of {} containers run, {} of them with a health check that is content",
            facts.rows.len(),
            healthy.count()
        ));
        let read = facts.subjects.iter().filter(|it| !it.log.is_empty()).count();
        let heard = facts.subjects.iter().filter(|it| it.listening.is_some()).count();
        reply.evidence.push(format!(
            "looked into: the ports of {heard} and the last log lines of {read} of them"
        ));
    }
    reply
}

/// What is known of one that runs beside that, and what is not.
fn known(subject: &Subject) -> String {
    let mut known = vec![];
    let published = subject.published();
    let ports: Vec<String> = published.iter().map(|(inner, _)| inner.to_string()).collect();
    match (&subject.listening, published.is_empty()) {
        (Some(_), false) if subject.unheard().is_empty() => {
            known.push(format!("it listens on {} as published", ports.join(", ")));
        }
        (None, false) => known.push("whether it listens is not seen from here".to_owned()),
        (_, _) => {}
    }
    if !subject.log.is_empty() {
        known.push("its last log lines are not mostly errors".to_owned());
    }
    if known.is_empty() && subject.container.health().is_none() {
        return " (only that it runs is known)".to_owned();
    }
    if known.is_empty() { String::new() } else { format!(" ({})", known.join("; ")) }
}

/// `api: exited with 1 after 2 s: it cannot find db …`.
fn in_a_line(judged: &Judged<'_>) -> String {
    let subject = judged.subject;
    let name = if subject.name().is_empty() { subject.called() } else { subject.name() };
    let why = judged.cause.as_ref().or(judged.warnings.first());
    let why = why.map(|cause| format!(": {}", cause.why)).unwrap_or_default();
    cut_line(&format!("{name}: {}{why}", judged.standing.text), 160).into_owned()
}

fn about(facts: &Facts, scope: &Scope) -> String {
    match scope {
        Scope::Container(name) => {
            let name = facts.subjects.first().map_or(name.as_str(), |subject| subject.name());
            format!("container {name}")
        }
        Scope::Project(project) => format!("project {project}"),
        Scope::Host => "host".to_owned(),
    }
}

/// Docker does not work at all.
pub(super) fn docker_is_ill(error: &Error, scope: &Scope) -> Reply {
    let mut reply = Reply::empty(Verdict::Failing, about(&Facts::default(), scope));
    let hint = error.hint.clone().or_else(|| error.code.hint().map(str::to_owned));
    reply.root = Some(Root {
        container: String::new(),
        service: None,
        project: None,
        place: None,
        cause: error.code.name(),
        why: format!("docker itself does not work ({}): {}", error.code.id(), error.message),
        fix: hint.unwrap_or_default(),
    });
    reply.next.push(call("docker-info", &[]));
    reply.fit();
    reply
}

impl Reply {
    fn empty(verdict: Verdict, about: String) -> Self {
        Self {
            verdict,
            about,
            root: None,
            evidence: vec![],
            also: vec![],
            more: None,
            next: vec![],
        }
    }

    /// Cuts what is long, then leaves out what matters least.
    fn fit(&mut self) {
        if let Some(root) = &mut self.root {
            root.why = cut(&root.why, WHY_BYTES);
            root.fix = cut(&root.fix, WHY_BYTES);
            root.place = root.place.as_ref().map(|place| cut(place, LINE_BYTES));
        }
        let left_out = self.evidence.len().saturating_sub(EVIDENCE);
        self.evidence.truncate(EVIDENCE);
        if left_out > 0 {
            self.evidence.push(format!("… and {left_out} more"));
        }
        for line in &mut self.evidence {
            *line = cut(line, LINE_BYTES);
        }
        self.next.dedup();
        self.next.truncate(NEXT);
        while self.bytes() > MAX_BYTES && self.also.len() > 1 {
            self.also.pop();
            *self.more.get_or_insert(0) += 1;
        }
        while self.bytes() > MAX_BYTES && self.evidence.len() > 1 {
            self.evidence.pop();
        }
        while self.bytes() > MAX_BYTES && self.next.len() > 1 {
            self.next.pop();
        }
    }

    fn bytes(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.len())
    }
}

fn cut(text: &str, max_bytes: usize) -> String {
    let kept = head(text, max_bytes);
    if kept.len() == text.len() { text.to_owned() } else { format!("{kept}…") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::diagnose::facts::Line;
    use crate::tools::diagnose::judge::{conclude, judge};
    use crate::tools::reply::{Answer, IntoAnswer as _, Structured};

    #[test]
    fn the_answer_is_small_whatever_there_is() {
        let subject = |number: usize| {
            let name = format!("{number}-{}", "long-name".repeat(13));
            let container = serde_json::from_value(json!({
                "Id": name, "Name": format!("/{name}"), "Path": "x".repeat(500),
                "State": {"Status": "exited", "ExitCode": 1},
                "Config": {"Labels": {"com.docker.compose.project": "p".repeat(120), "com.docker.compose.service": name}},
            }));
            let log = "\"quoted\" and \\ and more ".repeat(40).repeat(3);
            let log = vec![Line::new(&log); 30];
            Subject { container: container.unwrap(), log, ..Subject::default() }
        };
        let facts = Facts { subjects: (0..300).map(subject).collect(), ..Facts::default() };
        let project = Scope::Project("p".repeat(120).parse().unwrap());
        for scope in [project, Scope::Host] {
            let all = judge(&facts, &[]);
            let judgement = conclude(&all, &scope);
            let placed = Placed { place: Some("x".repeat(300)), ..Placed::default() };
            let reply = reply(&facts, &scope, &all, &judgement, &placed);
            let Answer::Structured(answer) = Structured(reply).into_answer() else {
                unreachable!("it is structured")
            };
            assert!(answer.to_string().len() <= 2000, "{answer}");
            assert!(answer["more"].as_u64().unwrap() > 290, "{answer}");
            assert_eq!(answer["verdict"], "failing", "{answer}");
        }
    }
}
