//! The registry: tools without their types, and the one course of a call.

use std::pin::Pin;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::command::{Effect, Invocation, Program};
use crate::confirm::Decision;
use crate::error::Error;
use crate::foreign_projects;
use crate::parameters::{Arguments, Brief, CONSENT, arguments, schema};
use crate::policy::{Disk, Policy};
use crate::reply::{Answer, IntoAnswer as _, Structured};
use crate::tool::{Change, Context, Foreseen, Prepared, Spec, Tool};

type Running = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

/// A tool without its type, as the server keeps it.
pub struct Entry {
    pub spec: Spec,
    /// All that is accepted, by which arguments are repaired; made when it is first asked for.
    pub full_schema: LazyLock<Map<String, Value>>,
    brief: Option<Brief>,
    /// Whether it takes the token of a plan only where the operator asks about what others have made.
    confirms_others: bool,
    pub can_work: fn(&Policy) -> bool,
    run: fn(Arguments, Context) -> Running,
    foresee: Option<fn(Arguments, Context) -> Looking>,
}

type Looking = Pin<Box<dyn Future<Output = Result<Foreseen, Error>> + Send>>;

impl Entry {
    /// A tool that only looks.
    pub fn of<T: Tool>() -> Self {
        const { assert!(matches!(T::SPEC.effect, Effect::Read), "what changes something is a Change") };
        Self {
            spec: T::SPEC,
            full_schema: LazyLock::new(schema::full::<T>),
            brief: T::BRIEF,
            can_work: T::can_work,
            run: run::<T>,
            foresee: None,
            confirms_others: false,
        }
    }

    /// A changing tool in two phases.
    pub fn change<T: Change>() -> Self {
        Self {
            spec: T::SPEC,
            full_schema: LazyLock::new(change_schema::<T>),
            brief: T::BRIEF,
            can_work: T::can_work,
            run: run_change::<T>,
            foresee: Some(foresee::<T>),
            confirms_others: !T::REMOVES,
        }
    }

    /// The schema as clients see it: shorter.
    pub fn input_schema(&self) -> Map<String, Value> {
        let mut schema = self.input_schema_for_others();
        if let (true, Some(Value::Object(properties))) =
            (self.confirms_others, schema.get_mut("properties"))
        {
            properties.shift_remove("confirm");
        }
        schema
    }

    /// The same where there can be a plan for whatever is done to what others have made.
    pub fn input_schema_for_others(&self) -> Map<String, Value> {
        schema::advertised(&self.full_schema, self.brief)
    }

    /// What a changing tool would do with these arguments; nothing is done. For a tool that only
    /// looks it is nothing.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn foresee(&self, arguments: Arguments, context: Context) -> Result<Foreseen, Error> {
        let arguments = arguments::fit(&self.full_schema, arguments)?;
        match self.foresee {
            Some(foresee) => foresee(arguments, context).await,
            None => Ok(Foreseen::default()),
        }
    }

    /// Reads the arguments and runs the tool.
    ///
    /// # Errors
    /// DKR-004 for arguments that do not fit, and whatever the tool says.
    pub async fn call(&self, arguments: Arguments, context: Context) -> Result<Answer, Error> {
        let arguments = arguments::fit(&self.full_schema, arguments)?;
        let mut answer = (self.run)(arguments, context.clone()).await?;
        if let Answer::Plan { value, asked } = &mut answer {
            foreign_projects::name_foreign_projects(&context, value, asked).await;
        }
        Ok(answer)
    }
}

fn run<T: Tool>(arguments: Arguments, context: Context) -> Running {
    Box::pin(async move {
        let tool: T = arguments::read(arguments)?;
        Ok(tool.call(&context).await?.into_answer())
    })
}

/// The schema with the parameters that are the same for all changing tools.
fn change_schema<T: Change>() -> Map<String, Value> {
    let mut schema = schema::full::<T>();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let confirm = "Token of the plan, after the person has agreed to it.";
        let confirm = json!({"type": "string", "description": confirm});
        properties.insert("confirm".to_owned(), confirm);
        let dry_run = "Only tell what would be done; default false.";
        let dry_run = json!({"type": "boolean", "description": dry_run});
        properties.insert("dry_run".to_owned(), dry_run);
    }
    schema
}

/// What the caller says of how far the call may go.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Consent {
    dry_run: bool,
    confirm: Option<String>,
}

impl Consent {
    /// Takes its parameters out of the arguments.
    fn take(arguments: &mut Arguments) -> Result<Self, Error> {
        let own = CONSENT.into_iter().filter_map(|name| arguments.shift_remove_entry(name));
        arguments::read(own.collect())
    }
}

fn run_change<T: Change>(mut arguments: Arguments, context: Context) -> Running {
    Box::pin(async move {
        let consent = Consent::take(&mut arguments)?;
        let tool: T = arguments::read(arguments)?;
        let looking = context.looking();
        let prepared = tool.prepare(&looking).await?;
        prepared.commands.iter().try_for_each(|command| context.docker.permit(command))?;
        if consent.dry_run {
            let forecast = T::forecast(&prepared.ready, &looking).await?;
            return Ok(preview(prepared, forecast));
        }
        let prepared = T::complete(prepared, &context).await?;
        let Prepared { commands, losses, asks, notes, ready } = prepared;
        if T::REMOVES || context.confirmations.asks_about_others() {
            let (name, token) = (T::SPEC.name, consent.confirm.as_deref());
            let touches = context.docker.trail().touched();
            let decision =
                context.confirmations.decide(asks, name, &commands, losses, touches, token)?;
            if let Decision::Ask(plan) = decision {
                return Ok(plan.with_notes(notes).into_answer());
            }
        }
        let done = T::apply(ready, &context).await;
        let mut answer = Structured(done.map_err(|error| shown(error, &commands))?).into_answer();
        if let (Answer::Structured(Value::Object(members)), false) =
            (&mut answer, commands.is_empty())
        {
            // A tool that was told the name of what it made has the better one.
            members.entry("command").or_insert_with(|| joined(&commands).into());
        }
        Ok(answer)
    })
}

fn foresee<T: Change>(arguments: Arguments, context: Context) -> Looking {
    Box::pin(async move {
        let tool: T = arguments::read(arguments)?;
        let looking = context.looking();
        let Prepared { commands, losses, asks, notes, .. } = tool.prepare(&looking).await?;
        let policy = context.docker.policy();
        commands.iter().try_for_each(|command| policy.check(command, &Disk))?;
        Ok(Foreseen { losses, asks, notes })
    })
}

/// The answer to `dry_run`: everything was checked, nothing was done.
fn preview<Ready>(prepared: Prepared<Ready>, forecast: Map<String, Value>) -> Answer {
    let mut preview = Map::from_iter([("dry_run".to_owned(), Value::Bool(true))]);
    let removes = prepared.losses.iter().map(|doomed| json!(doomed)).collect();
    preview.insert("removes".to_owned(), Value::Array(removes));
    preview.insert("notes".to_owned(), prepared.notes.into());
    preview.extend(forecast);
    preview.insert("command".to_owned(), joined(&prepared.commands).into());
    Structured(preview).into_answer()
}

/// The command lines as one.
fn joined(commands: &[Invocation]) -> String {
    let lines: Vec<String> = commands.iter().map(ToString::to_string).collect();
    lines.join(" && ")
}

/// An error that names the command as the caller knows it: docker gets IDs where it can.
fn shown(error: Error, commands: &[Invocation]) -> Error {
    let start = |line: &str| line.split(' ').take(3).map(str::to_owned).collect::<Vec<_>>();
    let Some(failed) = error.command.as_deref().map(start) else {
        return error.command(joined(commands));
    };
    let of_docker = commands.iter().filter(|command| command.program() == Program::Docker);
    let mut same = of_docker.map(ToString::to_string).filter(|line| start(line) == failed);
    match (same.next(), same.next()) {
        (Some(one), None) => error.command(one),
        _ => error,
    }
}
