//! Plan and confirm: a call that would lose data first says exactly what would be lost.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::command::Invocation;
use crate::command::labels;
use crate::command::text::human_bytes;
use crate::error::{Code, Error};

/// How long a plan may be confirmed.
const LIFETIME: Duration = Duration::from_secs(600);
/// Plans that are kept at once; the oldest goes first.
const MOST: usize = 100;

/// When a plan has to be confirmed. The operator's choice; no call can change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    /// Never ask.
    Never,
    /// Ask when data would be lost.
    #[default]
    DataLoss,
    /// Ask for every removal.
    Always,
    /// Ask when data would be lost, and before anything is done to what others have made: neither
    /// this session nor compose in the project folder.
    Others,
}

/// What of a call the person is asked about, where the operator has nothing else in mind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    /// About what loses data.
    #[default]
    ForData,
    /// About everything: a call that chooses its objects itself has to be seen, even where no data
    /// is lost.
    Always,
}

/// One object that the call would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Doomed {
    /// `volume`, `container`, `image`, `network`, `file`.
    pub kind: &'static str,
    pub name: String,
    /// The full ID. A volume has none; of a file what would not be the same of another one.
    pub id: String,
    /// Of a volume: a new one of the same name is another.
    pub created: String,
    pub project: Option<String>,
    pub size: Option<String>,
    pub size_bytes: Option<u64>,
    pub used_by: Vec<String>,
    /// Whether data would be gone with it.
    pub loses_data: bool,
    /// What a container has written itself, in half a sentence.
    pub holds: String,
    /// When a volume that nothing uses was last mounted or let go, as far as the daemon remembers.
    pub last_used: String,
}

impl Doomed {
    /// With its size, where that is known.
    pub fn of_size(self, bytes: Option<u64>) -> Self {
        Self { size: bytes.map(human_bytes), size_bytes: bytes, ..self }
    }

    pub fn bytes(&self) -> u64 {
        self.size_bytes.unwrap_or_default()
    }

    /// One line about it, for a person.
    pub fn told(&self) -> String {
        let Self { kind, name, project, size, used_by, loses_data, holds, .. } = self;
        let mut told = format!("{kind} {}", one_line(name));
        if *loses_data {
            told.push_str(" with its data");
        }
        if let Some(size) = size {
            let _infallible = write!(told, ", {size}");
        }
        if let Some(project) = project {
            let _infallible = write!(told, ", of project {}", one_line(project));
        }
        if !holds.is_empty() {
            let _infallible = write!(told, ", {}", one_line(holds));
        }
        if !used_by.is_empty() {
            let _infallible = write!(told, ", used by {}", one_line(&used_by.join(", ")));
        }
        told
    }
}

/// What a call would do, to be shown to the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    #[expect(clippy::struct_field_names, reason = "it is the name in the tool contract")]
    plan: Body,
    confirm: String,
    expires_in_seconds: u64,
    next: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Body {
    removes: Vec<Doomed>,
    /// What others have made of what the call is about.
    touches: Vec<String>,
    command: Vec<String>,
    /// What stays, and why.
    notes: Vec<String>,
}

impl Plan {
    pub fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.plan.notes = notes;
        self
    }
}

/// What the person is asked, and the token that stands for their yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub question: String,
    pub token: String,
}

impl Plan {
    /// The same for a dialog with the person.
    pub fn asked(&self) -> Asked {
        let mut question = String::new();
        if !self.plan.removes.is_empty() {
            question.push_str("An agent asks to remove for good:\n");
        }
        for object in &self.plan.removes {
            let _infallible = writeln!(question, "- {}", object.told());
        }
        if !self.plan.touches.is_empty() {
            let also = if self.plan.removes.is_empty() { "An agent asks" } else { "It asks" };
            let _infallible = writeln!(question, "{also} to change what others have made:");
        }
        for object in &self.plan.touches {
            let _infallible = writeln!(question, "- {}", one_line(object));
        }
        for note in &self.plan.notes {
            let _infallible = writeln!(question, "({})", one_line(note));
        }
        let _infallible = write!(question, "Command: {}", self.plan.command.join(" && "));
        Asked { question, token: self.confirm.clone() }
    }
}

/// Names and labels are foreign text: a line of theirs must not pass for one of ours.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// What to do with a call that may lose data.
#[derive(Debug)]
pub enum Decision {
    Go,
    Ask(Plan),
}

/// The plans that wait for their confirmation.
#[derive(Default)]
pub struct Confirmations {
    when: When,
    waiting: Mutex<HashMap<String, Waiting>>,
}

struct Waiting {
    bound_to: Bond,
    since: Instant,
    /// What stands for the token at a client that calls again with the person's answer.
    state: Option<String>,
}

impl Confirmations {
    pub fn new(when: When) -> Self {
        Self { when, waiting: Mutex::default() }
    }

    /// Lets a call go, or asks for a confirmation of exactly this call on exactly these objects. A
    /// call that removes nothing is never asked about.
    ///
    /// # Errors
    /// DKR-027 for a token that is unknown, used, expired, or was given for something else.
    pub fn decide(
        &self,
        asks: Asks,
        tool: &str,
        commands: &[Invocation],
        doomed: Vec<Doomed>,
        touches: Vec<String>,
        token: Option<&str>,
    ) -> Result<Decision, Error> {
        let touches = if self.asks_about_others() { touches } else { vec![] };
        let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
        let bound_to = Bond::of(tool, &commands, &doomed, &touches);
        if let Some(token) = token {
            return self.redeem(token, &bound_to).map(|()| Decision::Go);
        }
        if !self.asks_about(asks, &doomed) && touches.is_empty() {
            return Ok(Decision::Go);
        }
        Ok(Decision::Ask(Plan {
            confirm: self.promise(bound_to)?,
            plan: Body { removes: doomed, touches, command: commands, notes: vec![] },
            expires_in_seconds: LIFETIME.as_secs(),
            next: "nothing was done yet: show this plan to the person, and only after their yes repeat the same call with this `confirm`",
        }))
    }

    /// Whether the removal of these objects needs the person's word.
    pub fn asks_about(&self, asks: Asks, doomed: &[Doomed]) -> bool {
        match (self.when, asks) {
            (When::Never, _) => false,
            (When::DataLoss | When::Others, Asks::ForData) => {
                doomed.iter().any(|object| object.loses_data)
            }
            (When::DataLoss | When::Others, Asks::Always) | (When::Always, _) => !doomed.is_empty(),
        }
    }

    /// Whether whatever is done to what others have made needs the person's word.
    pub fn asks_about_others(&self) -> bool {
        self.when == When::Others
    }

    /// Whether a loss of data needs the person's word at all.
    pub fn asks_about_data(&self) -> bool {
        self.when != When::Never
    }

    /// A state to give to the client that asks the person: it leads back to the token, and is none.
    ///
    /// # Errors
    /// DKR-019 when the system gives no random numbers.
    pub fn entrust(&self, token: &str) -> Result<String, Error> {
        let state = self::token()?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = waiting.get_mut(token) {
            plan.state = Some(state.clone());
        }
        Ok(state)
    }

    /// The token that was entrusted with this state; empty, which confirms nothing, when there is none.
    pub fn recall(&self, state: &str) -> String {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.iter().find(|(_, plan)| plan.state.as_deref() == Some(state));
        found.map(|(token, _)| token.clone()).unwrap_or_default()
    }

    /// Nobody has said yes: the plan cannot be confirmed any more.
    pub fn forget(&self, token: &str) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    fn promise(&self, bound_to: Bond) -> Result<String, Error> {
        let token = token()?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, plan| plan.since.elapsed() < LIFETIME);
        if waiting.len() >= MOST {
            let oldest =
                waiting.iter().min_by_key(|(_, plan)| plan.since).map(|(token, _)| token.clone());
            oldest.and_then(|token| waiting.remove(&token));
        }
        waiting.insert(token.clone(), Waiting { bound_to, since: Instant::now(), state: None });
        Ok(token)
    }

    fn redeem(&self, token: &str, bound_to: &Bond) -> Result<(), Error> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Single use: it is gone whatever comes out.
        let problem = match waiting.remove(token) {
            None => "the `confirm` token is unknown or was used before",
            Some(plan) if plan.since.elapsed() >= LIFETIME => {
                "the `confirm` token is older than 10 minutes"
            }
            Some(plan) if !plan.bound_to.holds(bound_to) => {
                "the `confirm` token was given for another call, or the world has changed since the plan"
            }
            Some(_) => return Ok(()),
        };
        Err(Error::new(Code::ConfirmationInvalid, problem))
    }
}

/// Everything a plan is bound to: tool, command lines, objects and who uses them.
struct Bond {
    text: String,
    /// Of volumes that nothing uses, where they could be measured.
    sizes: Vec<Option<u64>>,
}

impl Bond {
    /// What is in use grows meanwhile, so its size and what it holds are only told.
    fn of(tool: &str, commands: &[String], doomed: &[Doomed], touches: &[String]) -> Self {
        let told =
            |object: &Doomed| Doomed { holds: String::new(), ..object.clone().of_size(None) };
        let objects: Vec<_> = doomed.iter().map(told).collect();
        let unused = doomed.iter().filter(|it| it.kind == "volume" && it.used_by.is_empty());
        Self {
            text: format!("{tool}\n{:?}\n{objects:?}\n{touches:?}", without_requests(commands)),
            sizes: unused.map(|volume| volume.size_bytes).collect(),
        }
    }

    /// Measuring a size can fail the second time.
    fn holds(&self, now: &Self) -> bool {
        let is_same = |(then, now): (&Option<u64>, &Option<u64>)| {
            then.is_none() || now.is_none() || then == now
        };
        self.text == now.text && self.sizes.iter().zip(&now.sizes).all(is_same)
    }
}

/// The label by which a new object is found again is another one in each call.
fn without_requests(commands: &[String]) -> Vec<String> {
    let label = format!("{}=", labels::REQUEST);
    let bare = |command: &String| {
        let mut parts = command.split(&label);
        let first = parts.next().unwrap_or_default().to_owned();
        let is_digit = |c: char| c.is_ascii_hexdigit();
        parts.fold(first, |all, part| all + &label + part.trim_start_matches(is_digit))
    };
    commands.iter().map(bare).collect()
}

/// A random name of 16 digits that nobody can guess.
///
/// # Errors
/// DKR-019 when the system gives no random numbers.
pub fn token() -> Result<String, Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Code::Internal, format!("no random numbers: {error}")))?;
    Ok(bytes.iter().fold(String::new(), |mut token, byte| {
        let _infallible = write!(token, "{byte:02x}");
        token
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Effect;

    const ASKS: Asks = Asks::ForData;

    fn volume(used_by: &[&str]) -> Vec<Doomed> {
        let used_by = used_by.iter().map(ToString::to_string).collect();
        vec![Doomed {
            kind: "volume",
            name: "pg".into(),
            loses_data: true,
            used_by,
            ..Doomed::default()
        }]
    }

    fn commands() -> Vec<Invocation> {
        vec![Invocation::docker(Effect::Destroy, ["volume", "rm"]).operands(["pg"])]
    }

    fn plan(confirmations: &Confirmations, doomed: Vec<Doomed>) -> String {
        match confirmations
            .decide(ASKS, "remove-volume", &commands(), doomed, vec![], None)
            .unwrap()
        {
            Decision::Ask(plan) => plan.confirm,
            Decision::Go => unreachable!("data would be lost"),
        }
    }

    #[test]
    fn a_plan_can_be_confirmed_once() {
        let confirmations = Confirmations::default();
        let token = plan(&confirmations, volume(&[]));
        let confirm = || {
            confirmations.decide(
                ASKS,
                "remove-volume",
                &commands(),
                volume(&[]),
                vec![],
                Some(&token),
            )
        };
        assert!(matches!(confirm(), Ok(Decision::Go)));
        assert_eq!(confirm().unwrap_err().code, Code::ConfirmationInvalid);
    }

    #[test]
    fn a_plan_is_void_when_the_world_has_changed_or_the_call_is_another() {
        let confirmations = Confirmations::default();
        let token = plan(&confirmations, volume(&[]));
        let changed = confirmations.decide(
            ASKS,
            "remove-volume",
            &commands(),
            volume(&["db"]),
            vec![],
            Some(&token),
        );
        assert_eq!(changed.unwrap_err().code, Code::ConfirmationInvalid);

        let token = plan(&confirmations, volume(&[]));
        let other_tool =
            confirmations.decide(ASKS, "prune", &commands(), volume(&[]), vec![], Some(&token));
        assert_eq!(other_tool.unwrap_err().code, Code::ConfirmationInvalid);
    }

    #[test]
    fn a_plan_is_not_void_because_a_size_could_not_be_measured_again() {
        let confirmations = Confirmations::default();
        let mut measured = volume(&[]);
        for object in &mut measured {
            *object = object.clone().of_size(Some(2_000_000_000));
        }
        let token = plan(&confirmations, measured);
        let confirmed = confirmations.decide(
            ASKS,
            "remove-volume",
            &commands(),
            volume(&[]),
            vec![],
            Some(&token),
        );
        assert!(matches!(confirmed, Ok(Decision::Go)));
    }

    #[test]
    fn a_plan_is_void_when_an_unused_volume_has_changed_its_size_or_was_used_since() {
        let confirmations = Confirmations::default();
        let of = |bytes: u64, last_used: &str, used_by: &[&str]| -> Vec<Doomed> {
            let used =
                |it: Doomed| Doomed { last_used: last_used.into(), ..it.of_size(Some(bytes)) };
            volume(used_by).into_iter().map(used).collect()
        };
        let confirmed = |then: Vec<Doomed>, now: Vec<Doomed>| {
            let token = plan(&confirmations, then);
            confirmations
                .decide(ASKS, "remove-volume", &commands(), now, vec![], Some(&token))
                .is_ok()
        };
        assert!(confirmed(of(5, "1", &[]), of(5, "1", &[])));
        assert!(!confirmed(of(5, "1", &[]), of(6, "1", &[])));
        assert!(!confirmed(of(5, "1", &[]), of(5, "2", &[])));
        assert!(confirmed(of(5, "", &["db"]), of(6, "", &["db"])), "it grows all the time");
    }

    #[test]
    fn the_label_of_a_request_makes_no_other_call() {
        let commands = |request: &str, more: &str| {
            vec![format!(
                "docker container create --label=docker-mcp-server.request={request} -- a{more}"
            )]
        };
        let bare = |request: &str, more: &str| without_requests(&commands(request, more));
        assert_eq!(bare("0a", ""), bare("1b", ""));
        assert_ne!(bare("0a", ""), bare("1b", " b"));
    }

    #[test]
    fn a_volume_shows_when_it_was_created_and_a_newer_one_is_another() {
        let confirmations = Confirmations::default();
        let created = |created: &str| {
            let mut volumes = volume(&[]);
            for volume in &mut volumes {
                created.clone_into(&mut volume.created);
            }
            volumes
        };
        let shown = serde_json::to_value(created("2026-11-24T12:00:00Z")).unwrap();
        assert_eq!(
            (&shown[0]["created"], &shown[0]["id"]),
            (&"2026-11-24T12:00:00Z".into(), &"".into())
        );
        let token = plan(&confirmations, created("2026-11-24T12:00:00Z"));
        let newer = created("2026-11-24T12:00:01Z");
        let confirmed =
            confirmations.decide(ASKS, "remove-volume", &commands(), newer, vec![], Some(&token));
        assert_eq!(confirmed.unwrap_err().code, Code::ConfirmationInvalid);
    }

    #[test]
    fn what_loses_nothing_needs_no_plan() {
        let decision = Confirmations::default().decide(
            ASKS,
            "remove-container",
            &commands(),
            vec![],
            vec![],
            None,
        );
        assert!(matches!(decision, Ok(Decision::Go)));
    }

    #[test]
    fn what_chooses_its_objects_itself_is_seen_first_unless_the_operator_never_asks() {
        let harmless = Doomed { kind: "network", ..Doomed::default() };
        let decide = |when| {
            let doomed = vec![harmless.clone()];
            Confirmations::new(when).decide(
                Asks::Always,
                "prune",
                &commands(),
                doomed,
                vec![],
                None,
            )
        };
        assert!(matches!(decide(When::DataLoss), Ok(Decision::Ask(_))));
        assert!(matches!(decide(When::Always), Ok(Decision::Ask(_))));
        assert!(matches!(decide(When::Never), Ok(Decision::Go)));
    }

    #[test]
    fn the_operator_can_ask_for_everything_or_for_nothing() {
        let harmless = || vec![Doomed { kind: "network", ..Doomed::default() }];
        let decide = |when, doomed| {
            Confirmations::new(when).decide(ASKS, "x", &commands(), doomed, vec![], None)
        };
        assert!(matches!(decide(When::Always, harmless()), Ok(Decision::Ask(_))));
        assert!(matches!(decide(When::Always, vec![]), Ok(Decision::Go)), "nothing is removed");
        assert!(matches!(decide(When::DataLoss, harmless()), Ok(Decision::Go)));
        assert!(matches!(decide(When::Never, volume(&[])), Ok(Decision::Go)));
    }

    #[test]
    fn what_others_have_made_is_seen_first_where_the_operator_wants_that() {
        let web = || vec!["container web".to_owned()];
        let decide = |touches: Vec<String>, token: Option<&str>, own: &Confirmations| {
            own.decide(ASKS, "stop-container", &commands(), vec![], touches, token)
        };
        let usual = Confirmations::default();
        assert!(matches!(decide(web(), None, &usual), Ok(Decision::Go)));
        let asks = Confirmations::new(When::Others);
        assert!(matches!(decide(vec![], None, &asks), Ok(Decision::Go)));
        let Ok(Decision::Ask(plan)) = decide(web(), None, &asks) else {
            unreachable!("it is asked")
        };
        let asked = plan.asked();
        assert!(asked.question.starts_with(
            "An agent asks to change what others have made:\n- container web\nCommand: "
        ));
        let other = decide(vec!["container db".to_owned()], Some(&asked.token), &asks);
        assert_eq!(other.unwrap_err().code, Code::ConfirmationInvalid);
        let Ok(Decision::Ask(plan)) = decide(web(), None, &asks) else {
            unreachable!("it is asked")
        };
        let token = plan.asked().token;
        assert!(matches!(decide(web(), Some(&token), &asks), Ok(Decision::Go)));
    }
}
