//! From facts to a verdict: how each container stands and why, and which of them is the root.

use serde::Serialize;

use super::Scope;
use super::facts::{Facts, Subject};
use super::finding::{Cause, Site, call};
use super::rules::{self, View};
use super::standing::{Kind, Standing, standing};
use super::subnets::{free_beside, overlap};
use crate::command::containers::Container;
use crate::command::images::image_of;
use crate::command::labels;
use crate::tools::compose::outlook::{Outlook, Wanted, is_one_off};
use crate::tools::ports;

/// So many failed checks in a row are no slow start any more.
const CHECKS_OF_A_FAILURE: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Healthy,
    Starting,
    Stopped,
    Warning,
    Failing,
}

/// One container, judged.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) subject: &'a Subject,
    pub(super) standing: Standing,
    pub(super) cause: Option<Cause>,
    pub(super) warnings: Vec<Cause>,
}

impl Judged<'_> {
    fn is_bad(&self) -> bool {
        let health = self.subject.container.state.health.as_ref();
        let never_healthy = health.is_some_and(|it| it.failing_streak >= CHECKS_OF_A_FAILURE);
        self.standing.kind.is_bad()
            || (self.standing.kind == Kind::Starting && never_healthy)
            || self.warnings.iter().any(|warning| warning.fails)
    }
}

/// What is said in the end.
#[derive(Debug)]
pub(super) struct Judgement<'a> {
    pub(super) verdict: Verdict,
    pub(super) root: Option<(&'a Judged<'a>, &'a Cause)>,
    /// The others that are worth a line, the worst first.
    pub(super) others: Vec<&'a Judged<'a>>,
}

pub(super) fn judge<'a>(facts: &'a Facts, missing: &'a [Subject]) -> Vec<Judged<'a>> {
    let mut all: Vec<Judged<'a>> = facts
        .subjects
        .iter()
        .map(|subject| {
            let standing = standing(facts, subject);
            let view = View { facts, subject, standing: &standing };
            let (cause, warnings) = (rules::cause(&view), rules::warnings(&view));
            Judged { subject, standing, cause, warnings }
        })
        .collect();
    all.extend(missing.iter().map(|subject| absent(facts, subject)));
    all
}

/// Services of the files that have no container.
pub(super) fn missing(facts: &Facts, scope: &Scope) -> Vec<Subject> {
    let (Scope::Project(project), Some(outlook)) = (scope, &facts.outlook) else { return vec![] };
    let exists = |wanted: &&Wanted| {
        facts.subjects.iter().any(|subject| {
            subject.service() == Some(&wanted.service) && !is_one_off(&subject.container)
        })
    };
    let absent = outlook.services.iter().filter(|wanted| !exists(wanted)).map(|wanted| {
        let mut container = Container::default();
        let labels = &mut container.config.labels;
        labels.insert(labels::PROJECT.to_owned(), project.to_string());
        labels.insert(labels::SERVICE.to_owned(), wanted.service.clone());
        let needs = wanted.depends_on.iter().map(|name| format!("{name}:service_started:false"));
        labels.insert(labels::DEPENDS_ON.to_owned(), needs.collect::<Vec<_>>().join(","));
        container.config.image.clone_from(&wanted.image);
        Subject { container, ..Subject::default() }
    });
    absent.collect()
}

fn absent<'a>(facts: &'a Facts, subject: &'a Subject) -> Judged<'a> {
    let project = subject.project().unwrap_or_default();
    let service = subject.service().unwrap_or_default();
    let image = subject.container.config.image.as_str();
    let outlook = facts.outlook.as_ref();
    let files = outlook.map(|outlook| outlook.files.as_str()).unwrap_or_default();
    let wanted = outlook.and_then(|it| it.services.iter().find(|it| it.service == service));
    let builds = wanted.is_some_and(|wanted| wanted.builds);
    // The files are found again without being named.
    let deploy = || call("deploy-compose", &[("project_name", project)]);
    let here = image_of(&facts.images, image).is_some();
    let unset = outlook.and_then(|it| it.missing.get(service)).map(|missing| {
        Cause::new(
            "variable-unset",
            format!("compose has nothing to put into it: {missing}"),
            "write the variable into .env, or give it in `environment` of deploy-compose",
        )
        .evidence(format!("{files}: {missing}"))
        .at(rules::secret(missing))
        .next(deploy())
    });
    if let Some(cause) = unset.or_else(|| taken(facts, service, project)) {
        let standing = Standing { kind: Kind::Missing, text: "does not exist".to_owned() };
        return Judged { subject, standing, cause: Some(cause), warnings: vec![] };
    }
    let cause = if here {
        Cause::new(
            "not-created",
            "it is in the file and has no container: it was never deployed, or what it needs failed first",
            "deploy the project",
        )
        .next(deploy())
        .vague()
    } else if builds {
        Cause::new(
            "image-missing",
            format!("its image {image} is not built: it was never built, or the build failed"),
            "build it; a failed build tells its step",
        )
        .next(call("compose-build", &[("project_name", project)]))
    } else {
        Cause::new(
            "image-missing",
            format!("its image {image} is not on this host: the name is wrong, the registry was not reached or refused it, or nobody pulled it"),
            "pull it: the answer tells which of these it is",
        )
        .next(call("pull-image", &[("image", image)]))
        .next(deploy())
    };
    let cause = cause.evidence(format!("{files}: service {service}, image {image}"));
    let cause = if here { cause } else { cause.evidence(format!("no local image {image}")) };
    let cause = match outlook.map(|outlook| outlook.unset.as_slice()) {
        Some(unset @ [_, ..]) => cause.evidence(format!("without a value: {}", unset.join(", "))),
        _ => cause,
    };
    let standing = Standing { kind: Kind::Missing, text: "does not exist".to_owned() };
    Judged { subject, standing, cause: Some(rules::sited(cause)), warnings: vec![] }
}

/// What a deployment would find taken: a range of addresses, or a port of this machine.
fn taken(facts: &Facts, service: &str, project: &str) -> Option<Cause> {
    let outlook = facts.outlook.as_ref()?;
    let port = || port_taken(facts, outlook, service, project);
    let Some((wish, holder, held)) = outlook.subnets.iter().find_map(|wish| {
        let others = facts.subnets.iter().filter(|(network, _)| *network != wish.network);
        let mut clashes = others.filter(|(_, subnet)| overlap(subnet, &wish.range));
        let (network, subnet) = clashes.next()?;
        Some((wish, network, subnet))
    }) else {
        return port();
    };
    let known: Vec<&str> = facts.subnets.iter().map(|(_, subnet)| subnet.as_str()).collect();
    let free = free_beside(&wish.range, &known);
    let fix = match &free {
        Some(free) => format!("use another range, for example {free}, which is free"),
        None => "use another range".to_owned(),
    };
    let path = ["networks", wish.key.as_str(), "ipam", "config", "0", "subnet"];
    let cause = Cause::new(
        "subnet-overlap",
        format!(
            "its network {} asks for {}, which overlaps with {held} of network {holder}",
            wish.key, wish.range
        ),
        fix,
    )
    .at([Site::Top(path.map(str::to_owned).to_vec())])
    .evidence(format!("network {holder} has {held}"));
    let cause = match free {
        Some(free) => cause.to(free),
        None => cause,
    };
    let also = facts.outlook.iter().flat_map(|it| &it.services);
    let also = also.filter_map(|it| port_taken(facts, outlook, &it.service, project));
    let cause = also.fold(cause, |cause, port| {
        let further = port.sites.iter().find_map(|site| match site {
            Site::Port(port) => Some(*port),
            _ => None,
        });
        let free = facts.free_ports.iter().find(|(taken, _)| Some(*taken) == further);
        let free = free.and_then(|(_, free)| *free);
        let free = free.map(|free| format!("; {free} is free")).unwrap_or_default();
        let cause = cause.evidence(format!("after that: {}{free}", port.why));
        Cause { further_port: further, ..cause }
    });
    Some(cause.next(call("deploy-compose", &[("project_name", project)])))
}

fn port_taken(facts: &Facts, outlook: &Outlook, service: &str, project: &str) -> Option<Cause> {
    let own = outlook.ports.iter().filter(|(name, _)| name == service).map(|(_, port)| *port);
    let is_taken = |port: &u16| facts.free_ports.iter().any(|(taken, _)| taken == port);
    let port = own.into_iter().find(is_taken)?;
    let holder = ports::holder(&facts.rows, port, "tcp");
    // A container of its own would make room for the new one.
    if holder.is_some_and(|row| row.project.as_deref() == Some(project)) {
        return None;
    }
    let programs = facts.programs.iter().find(|(taken, _)| *taken == port);
    let programs = programs.map(|(_, programs)| programs.as_slice()).unwrap_or_default();
    let free =
        facts.free_ports.iter().find(|(taken, _)| *taken == port).and_then(|(_, free)| *free);
    let who = match (holder, programs) {
        (Some(row), _) => ports::described(row),
        (None, programs) => format!("a program outside of docker: {}", programs.join(", ")),
    };
    let cause = Cause::new(
        "port-taken",
        format!("port {port} of the host, which {service} asks for, is held by {who}"),
        ports::advice(port, free, holder, programs, Some(project)),
    )
    .at([Site::Port(port)]);
    Some(cause.next(call("deploy-compose", &[("project_name", project)])))
}

/// Which of them is the cause of the others, and what that means for what was asked.
pub(super) fn conclude<'a>(all: &'a [Judged<'a>], scope: &Scope) -> Judgement<'a> {
    let asked: Vec<usize> = match scope {
        Scope::Container(_) => (0..all.len().min(1)).collect(),
        Scope::Project(_) | Scope::Host => (0..all.len()).collect(),
    };
    let troubled = |at: &&usize| all.get(**at).is_some_and(Judged::is_bad);
    let bad: Vec<usize> = asked.iter().filter(troubled).copied().collect();
    let of_kind = |kind: Kind| {
        asked
            .iter()
            .copied()
            .filter(move |at| all.get(*at).is_some_and(|it| it.standing.kind == kind))
    };
    let warned = |is_drift: bool| -> Vec<usize> {
        let has_one = |it: &Judged<'_>| it.warnings.iter().any(|it| it.is_drift() == is_drift);
        asked.iter().copied().filter(|at| all.get(*at).is_some_and(has_one)).collect()
    };
    let (warned, drifted) = (warned(false), warned(true));
    let starting: Vec<usize> = of_kind(Kind::Starting).collect();
    let stopped: Vec<usize> = of_kind(Kind::Stopped).collect();
    let whole_host = matches!(scope, Scope::Host);

    let (verdict, from): (Verdict, Vec<usize>) = if !bad.is_empty() {
        (Verdict::Failing, bad)
    } else if let (false, false) = (stopped.is_empty(), whole_host) {
        let all_stopped = asked.iter().all(|at| {
            all.get(*at).is_some_and(|it| matches!(it.standing.kind, Kind::Stopped | Kind::Done))
        });
        (if all_stopped { Verdict::Stopped } else { Verdict::Warning }, stopped)
    } else if !warned.is_empty() {
        (Verdict::Warning, warned)
    } else if !starting.is_empty() {
        (Verdict::Starting, starting)
    } else if !drifted.is_empty() {
        (Verdict::Warning, drifted)
    } else {
        (Verdict::Healthy, vec![])
    };
    let roots: Vec<usize> = from.iter().map(|at| root_of(all, *at)).collect();
    let victims = |at: usize| roots.iter().filter(|root| **root == at).count();
    // The first by name of those that are to blame for the most.
    let best = roots.iter().filter_map(|at| Some((all.get(*at)?, victims(*at))));
    let best = best.min_by(|(a, a_victims), (b, b_victims)| {
        b_victims
            .cmp(a_victims)
            .then(b.standing.kind.cmp(&a.standing.kind))
            .then_with(|| a.subject.called().cmp(b.subject.called()))
    });
    let best = best.map(|(judged, _)| judged);
    // What was asked for is well enough, and yet the one that it waits for is not.
    let was_asked = |judged: &Judged<'_>| {
        from.iter().filter_map(|at| all.get(*at)).any(|it| std::ptr::eq(it, judged))
    };
    let failing_root =
        best.is_some_and(|it| it.is_bad() || (it.standing.kind == Kind::Done && !was_asked(it)));
    let verdict = match verdict {
        Verdict::Warning | Verdict::Starting | Verdict::Stopped if failing_root => Verdict::Failing,
        verdict => verdict,
    };
    let root = best.and_then(|judged| {
        let cause = judged.cause.as_ref().or(judged.warnings.first())?;
        Some((judged, cause))
    });
    Judgement { verdict, root, others: others(all, best, &asked) }
}

fn others<'a>(
    all: &'a [Judged<'a>],
    root: Option<&'a Judged<'a>>,
    asked: &[usize],
) -> Vec<&'a Judged<'a>> {
    let is_root = |judged: &Judged<'_>| root.is_some_and(|root| std::ptr::eq(root, judged));
    let of = |kind: Kind| {
        let asked = asked.iter().filter_map(|at| all.get(*at));
        asked.filter(move |judged| judged.standing.kind == kind && !is_root(judged)).filter(
            move |judged| judged.is_bad() || kind == Kind::Stopped || !judged.warnings.is_empty(),
        )
    };
    Kind::WORST_FIRST.into_iter().flat_map(of).collect()
}

/// Follows the blame to its end.
fn root_of(all: &[Judged<'_>], from: usize) -> usize {
    let mut at = from;
    // No chain is longer than the list, unless it is a circle.
    for _ in 0..all.len() {
        match blames(all, at) {
            Some(next) if next != at && next != from => at = next,
            _ => break,
        }
    }
    at
}

/// The container that is the cause of this one's trouble.
fn blames(all: &[Judged<'_>], at: usize) -> Option<usize> {
    let judged = all.get(at)?;
    let is_well = |at: &usize| {
        let works = |it: &Judged<'_>| it.warnings.iter().all(Cause::is_drift);
        all.get(*at).is_none_or(|it| it.standing.kind.serves() && works(it))
    };
    let named = |name: &str| all.iter().position(|it| it.subject.name() == name);
    let cause = judged.cause.as_ref().or(judged.warnings.first());
    let blamed = cause.and_then(|cause| cause.blames.as_deref()).and_then(named);
    if let Some(blamed) = blamed.filter(|at| !is_well(at)) {
        return Some(blamed);
    }
    let knows_little = cause.is_none_or(|cause| cause.vague || cause.id == "not-started");
    let project = judged.subject.project()?;
    let needs = judged.subject.depends_on();
    let bad = |service: &String| {
        all.iter().position(|it| {
            let kind = it.standing.kind;
            it.subject.project() == Some(project)
                && it.subject.service() == Some(service)
                && (it.is_bad() || matches!(kind, Kind::Stopped | Kind::Starting))
        })
    };
    if knows_little { needs.iter().find_map(bad) } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::diagnose::facts::Line;

    fn subject(service: &str, log: &str) -> Subject {
        let container = serde_json::from_value(json!({
            "Id": service, "Name": format!("/shop-{service}-1"),
            "State": {"Status": "running", "Running": true, "StartedAt": "2026-11-24T12:00:00Z"},
            "Config": {"Labels": {
                "com.docker.compose.project": "shop", "com.docker.compose.service": service,
            }},
        }));
        Subject { container: container.unwrap(), log: Line::all(log), ..Subject::default() }
    }

    #[test]
    fn a_changed_definition_is_only_the_root_where_nothing_fails() {
        let root = |subjects: Vec<Subject>, drifted: &str| {
            let text = "its definition in compose.yaml has changed: deploy again".to_owned();
            let drift = [(drifted.to_owned(), text)].into();
            let facts = Facts {
                subjects,
                outlook: Some(Outlook { drift, ..Outlook::default() }),
                ..Facts::default()
            };
            let all = judge(&facts, &[]);
            let judgement = conclude(&all, &Scope::Project("shop".parse().unwrap()));
            let (judged, cause) = judgement.root.unwrap();
            format!("{} {}", judged.subject.called(), cause.id)
        };
        let complaint = "Temporary failure in name resolution\n".repeat(16);
        assert_eq!(root(vec![subject("api", ""), subject("web", "")], "api"), "api drift");
        let complains = || vec![subject("api", ""), subject("web", &complaint)];
        assert_eq!(root(complains(), "api"), "web name-resolution");
        assert_eq!(root(complains(), "web"), "web name-resolution");
        // Another one that it needs is not to blame because its definition has changed.
        let mut failed = subject("web", "dial tcp: lookup api: connection refused");
        failed.container.state.status = "exited".to_owned();
        failed.container.state.exit_code = 1;
        assert!(root(vec![subject("api", ""), failed], "api").starts_with("web "));
    }
}
