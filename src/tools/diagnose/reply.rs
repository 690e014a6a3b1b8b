//! The answer, in at most two kilobytes.

use serde::Serialize;

use super::Scope;
use super::facts::Facts;
use super::finding::{call, on};
use super::judge::{Judged, Judgement, Verdict, conclude, judge, missing};
use crate::command::text::{cut_line, head};
use crate::error::Error;
use crate::tools::compose::outlook::is_one_off;

/// The whole answer. What redaction puts in may be longer than what it takes out.
const MAX_BYTES: usize = 1900;
const WHY_BYTES: usize = 320;
const LINE_BYTES: usize = 220;
const EVIDENCE: usize = 7;
const ALSO: usize = 6;
const NEXT: usize = 4;

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
}

pub(super) fn reply(facts: &Facts, scope: &Scope) -> Reply {
    let missing = missing(facts, scope);
    let all = judge(facts, &missing);
    let judgement = conclude(&all, scope);
    let mut reply = match judgement.root {
        Some(_) => with_root(facts, scope, &judgement),
        None => without_root(facts, scope, &all, judgement.verdict),
    };
    let others = judgement.others.iter().map(|judged| in_a_line(judged));
    reply.also = others.clone().take(ALSO).collect();
    let count = judgement.others.len();
    reply.more = (count > ALSO).then(|| count - ALSO);
    reply.fit();
    reply
}

fn with_root(facts: &Facts, scope: &Scope, judgement: &Judgement<'_>) -> Reply {
    let mut reply = Reply::empty(judgement.verdict, about(facts, scope));
    let Some((judged, cause)) = judgement.root else { return reply };
    let subject = judged.subject;
    reply.root = Some(Root {
        container: subject.name().to_owned(),
        service: subject.service().map(str::to_owned),
        project: subject.project().map(str::to_owned),
        cause: cause.id,
        why: format!("{}: {}", judged.standing.text, cause.why),
        fix: cause.fix.clone(),
    });
    reply.evidence.clone_from(&cause.evidence);
    reply.next.clone_from(&cause.next);
    if matches!(scope, Scope::Host) {
        reply.next.insert(0, on("diagnose", subject.name()));
    }
    reply
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
        let note = if subject.status() == "running" && subject.container.health().is_none() {
            " (only that it runs is known)"
        } else if is_one_off(&subject.container) {
            " (a one-off job)"
        } else {
            ""
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
    }
    reply
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
    use crate::tools::diagnose::facts::{Line, Subject};
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
            let Answer::Structured(answer) = Structured(reply(&facts, &scope)).into_answer() else {
                unreachable!("it is structured")
            };
            assert!(answer.to_string().len() <= 2000, "{answer}");
            assert!(answer["more"].as_u64().unwrap() > 290, "{answer}");
            assert_eq!(answer["verdict"], "failing", "{answer}");
        }
    }
}
