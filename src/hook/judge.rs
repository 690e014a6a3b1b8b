//! What is said to a line: nothing, a question to the person, or no.

use std::collections::BTreeMap;

use super::grammar::{self, Client, Spoken, Unspoken};
use super::lines::{self, Hidden, Task};
use super::listed::{Listed, listed};
use super::made::Made;
use super::places;
use super::shell::{Call, Reading, Standing};
use super::{Answer, Decision, detours};
use crate::command::{Effect, Invocation};
use crate::error::{Code, Error};
use crate::policy::Disk;
use crate::tools::foresight::{Deed, foresee};
use crate::tools::{Context, Foreseen};
use crate::workspace::Workspace;

/// What a judgement needs beside the line.
pub struct Bench {
    pub context: Context,
    /// The last word of the operator's docker command, by which it is known in a line.
    pub own: String,
    /// Variables of the environment that compose obeys.
    pub variables: BTreeMap<String, String>,
    /// What lines of the same session have made.
    pub made: Made,
}

/// The names of containers that these calls make.
pub fn makes(cases: &[Case]) -> Vec<String> {
    let is_new = |case: &&Case| {
        matches!(case.spoken.command, "container run" | "container create") && !case.call.elsewhere
    };
    let name = |case: &Case| case.spoken.values("name").last()?.value().map(str::to_owned);
    cases.iter().filter(is_new).filter_map(name).collect()
}

/// One call of docker, as far as it has to be judged.
pub struct Case {
    call: Call,
    spoken: Spoken,
}

/// The calls of a line that could do something, and what is to be asked about without a look.
pub(super) fn sift(reading: &Reading, line: &str, own: &str) -> (Vec<Case>, Vec<String>) {
    let (mut cases, mut alarms) = (vec![], vec![]);
    for call in &reading.calls {
        let Some(first) = call.words.first() else { continue };
        let Some(client) = grammar::client(first, own) else {
            alarms.extend(detours::of(call));
            continue;
        };
        match grammar::read(client, &call.words) {
            Ok(spoken) => {
                if lines::effect(spoken.command) > Effect::Read && !spoken.has("dry-run") {
                    cases.push(Case { call: call.clone(), spoken });
                }
            }
            Err(Unspoken::Hidden) if detours::is_dangerous(line) => {
                alarms.push("which command of docker it runs is not known before".to_owned());
            }
            Err(_) => {}
        }
    }
    if reading.unread && detours::is_dangerous(line) {
        alarms.push("a part of the line cannot be read, and docker is named in it".to_owned());
    }
    (cases, alarms)
}

/// Judges the calls.
///
/// # Errors
/// Whatever docker says of a look at it.
pub async fn judge(
    bench: &Bench,
    cases: &[Case],
    alarms: Vec<String>,
) -> Result<Option<Answer>, Error> {
    let mut verdict = Verdict { asks: alarms, ..Verdict::default() };
    for case in cases {
        verdict.of_case(bench, case).await?;
    }
    Ok(verdict.answer())
}

#[derive(Default)]
struct Verdict {
    denials: Vec<String>,
    asks: Vec<String>,
    tools: Vec<&'static str>,
    /// What came before in the line may have removed containers.
    removes: bool,
}

impl Verdict {
    async fn of_case(&mut self, bench: &Bench, case: &Case) -> Result<(), Error> {
        let Case { call, spoken } = case;
        let compose = places::project(spoken, call, &bench.variables);
        let Some(task) = lines::task(spoken, call, &compose) else { return Ok(()) };
        let before = (self.denials.len(), self.asks.len());
        let removes = lines::removes_containers(spoken.command);
        for invocation in &task.invocations {
            self.by_policy(bench, invocation);
        }
        self.asks.extend(task.alarms.iter().cloned());
        let is_other = spoken.client == Client::Other || call.elsewhere || leads_away(call, spoken);
        if is_other {
            if lines::effect(spoken.command) == Effect::Destroy {
                let what = spoken.command;
                self.asks.push(format!(
                    "`{what}` on another engine, whose containers and volumes are not seen from here"
                ));
            }
        } else {
            self.by_state(bench, call, &task).await?;
        }
        if (self.denials.len(), self.asks.len()) != before && !task.tool.is_empty() {
            self.tools.push(task.tool);
        }
        self.removes |= removes;
        Ok(())
    }

    fn by_policy(&mut self, bench: &Bench, invocation: &Invocation) {
        if let Err(refusal) = bench.context.docker.policy().check(invocation, &Disk) {
            self.refused(Error::from(refusal));
        }
    }

    async fn by_state(&mut self, bench: &Bench, call: &Call, task: &Task) -> Result<(), Error> {
        let context = placed(&bench.context, task);
        for deed in &task.deeds {
            self.by_deed(&context, deed, task, &bench.made).await?;
        }
        for hidden in &task.hidden {
            self.by_hidden(bench, call, hidden, task).await?;
        }
        Ok(())
    }

    async fn by_deed(
        &mut self,
        context: &Context,
        deed: &Deed,
        task: &Task,
        made: &Made,
    ) -> Result<(), Error> {
        let deed = &self.in_its_place(deed);
        let foreseen = foresee(context, deed).await;
        let touched = context.docker.trail().touched();
        match foreseen {
            Ok(foreseen) => {
                let own = made.of(&context.docker, &foreseen, &touched).await?;
                self.would(context, &own.without(foreseen));
                let others: Vec<String> =
                    touched.into_iter().filter(|object| !own.has(object)).collect();
                self.touches(context, &others);
            }
            Err(error) => match error.code {
                Code::RefusedByPolicy => self.refused(error),
                Code::DaemonNotAccessible
                | Code::DockerMissing
                | Code::PermissionDenied
                | Code::Timeout
                | Code::Cancelled
                | Code::Internal => return Err(error),
                // What docker refuses itself does nothing. A compose file that cannot be resolved
                // here may be resolved there.
                _ if is_deployment(deed) && task.has_file && is_about_the_file(&error) => {
                    self.asks.push(format!(
                        "what the compose file would do cannot be checked: {}",
                        error.message
                    ));
                }
                Code::WrongState if is_deployment(deed) => self.asks.push(error.message.clone()),
                _ => {}
            },
        }
        Ok(())
    }

    /// The deed with what is known of what comes before it.
    fn in_its_place(&self, deed: &Deed) -> Deed {
        match deed {
            Deed::RemoveVolumes { names, .. } => {
                Deed::RemoveVolumes { names: names.clone(), users_may_go: self.removes }
            }
            other => other.clone(),
        }
    }

    async fn by_hidden(
        &mut self,
        bench: &Bench,
        call: &Call,
        hidden: &Hidden,
        task: &Task,
    ) -> Result<(), Error> {
        let standing = Standing { folder: call.folder.clone(), home: None };
        let found = match &hidden.word.output {
            Some(commands) => {
                listed(&bench.context.docker, commands, &standing, &bench.own).await?
            }
            None => Listed::Unknown,
        };
        match found {
            Listed::Names(names) if names.is_empty() => {}
            Listed::Names(names) => {
                let deed = named(&hidden.deed, names);
                self.by_deed(&bench.context, &deed, task, &bench.made).await?;
            }
            Listed::Unknown if hidden.destroys && bench.context.confirmations.asks_about_data() => {
                self.asks
                    .push(format!("what `{}` stands for is not known before", hidden.word.text));
            }
            Listed::New | Listed::Unknown => {}
        }
        Ok(())
    }

    /// What would be lost, if the person is to be asked about it.
    fn would(&mut self, context: &Context, foreseen: &Foreseen) {
        if !context.confirmations.asks_about(foreseen.asks, &foreseen.losses) {
            return;
        }
        let mut told = String::from("this would remove for good:");
        for doomed in &foreseen.losses {
            told.push_str("\n- ");
            told.push_str(&doomed.told());
        }
        for note in &foreseen.notes {
            told.push_str(&format!("\n({note})"));
        }
        self.asks.push(told);
    }

    fn touches(&mut self, context: &Context, others: &[String]) {
        if context.confirmations.asks_about_others() && !others.is_empty() {
            self.asks.push(format!("others have made this:\n- {}", others.join("\n- ")));
        }
    }

    fn refused(&mut self, error: Error) {
        let is_question = error.is_negotiable;
        // The reason without the complaint about a setting that only we have.
        let mut error = error;
        error.command = None;
        let told = error.to_string();
        let told = told.strip_prefix("Error: ").unwrap_or(&told).to_owned();
        if is_question {
            self.asks.push(told);
        } else {
            self.denials.push(told);
        }
    }

    fn answer(self) -> Option<Answer> {
        let Self { denials, asks, mut tools, .. } = self;
        let (decision, mut reasons) = match (&denials[..], &asks[..]) {
            ([], []) => return None,
            ([], _) => (Decision::Ask, asks),
            _ => (Decision::Deny, denials),
        };
        let mut seen = vec![];
        reasons.retain(|reason| {
            let is_new = !seen.contains(reason);
            seen.push(reason.clone());
            is_new
        });
        let mut reason = reasons.join("\n");
        tools.dedup();
        if !tools.is_empty() {
            let tools = tools.join(", ");
            reason.push_str(&match decision {
                Decision::Deny => {
                    format!("\n{tools} of docker-mcp-server does this within the rules.")
                }
                Decision::Ask => format!("\n{tools} of docker-mcp-server does this with a plan."),
            });
        }
        Some(Answer { decision, reason })
    }
}

/// Whether it goes to another daemon than the one that is looked at.
fn leads_away(call: &Call, spoken: &Spoken) -> bool {
    let has = |name: &'static str| spoken.global(name).next().is_some();
    // `docker -c` is a context, `docker compose -c` too.
    has("host")
        || has("context")
        || ["DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST"]
            .iter()
            .any(|name| call.variables.contains_key(*name))
}

/// Compose reads its files in a folder of its own.
fn placed(context: &Context, task: &Task) -> Context {
    let Some(folder) = task.folder.as_ref().and_then(|folder| folder.canonicalize().ok()) else {
        return context.clone();
    };
    if folder == context.workspace.folder {
        return context.clone();
    }
    let workspace = Workspace { folder, ..(*context.workspace).clone() };
    Context { workspace: workspace.into(), ..context.clone() }
}

fn is_deployment(deed: &Deed) -> bool {
    matches!(deed, Deed::Tool { name: "deploy-compose" | "compose-run", .. })
}

fn is_about_the_file(error: &Error) -> bool {
    matches!(error.code, Code::InvalidConfiguration | Code::DockerFailed | Code::UnexpectedOutput)
}

/// The deed with the names that are known by now.
fn named(deed: &Deed, all: Vec<String>) -> Deed {
    let mut deed = deed.clone();
    match &mut deed {
        Deed::RemoveContainers { names, .. }
        | Deed::EndContainers { names }
        | Deed::StartContainers { names }
        | Deed::ChangeContainers { names }
        | Deed::RemoveVolumes { names, .. }
        | Deed::RemoveImages { names, .. }
        | Deed::RemoveNetworks { names } => *names = all,
        _ => {}
    }
    deed
}
