//! The gate of compose: a resolved model (`docker compose config --format json`) against an allow
//! list of keys.
//!
//! On the text of a compose file nothing can be decided: `!!binary` tags, merges, `extends` and
//! `${…}` hide what compose will see. On the resolved model everything is literal and every path
//! absolute. A key that is not in the tables is denied at any level: that keeps out `provider`
//! (runs a program of the host), `use_api_socket` and whatever the next version invents.

mod checks;
mod resources;
mod service;
#[cfg(test)]
mod tests;

pub use resources::CONTAINERS_MAX;

use std::borrow::Cow;

use serde_json::Value;

use super::located::Paths;
use super::refusal::{Findings, Place, Refusal, plain};
use super::rule::{self, Rule};
use super::{Policy, rights};

impl Policy {
    /// Whether the project may be deployed. Deploy exactly the bytes that were parsed to `model`.
    ///
    /// What the model does not show is asked for separately: volumes and networks that exist
    /// already ([`Policy::volume`], [`Policy::network`]).
    ///
    /// # Errors
    /// Every rule that it breaks, each with its place in the model.
    pub fn vet(&self, model: &Value, project: &str, paths: &dyn Paths) -> Result<(), Refusal> {
        if self.has_no_rules() {
            return Ok(());
        }
        let mut vetting = Vetting { findings: Findings::new(self, paths), model, project };
        if !model.is_object() {
            vetting.unexpected(model, &Place::default());
        }
        let mut variables = vec![];
        find_variables(model, &Place::default(), &mut variables);
        for place in variables {
            vetting.findings.refuse(&rule::VARIABLE, place.last().to_owned(), &place);
        }
        resources::PROJECT.walk(&mut vetting, model, &Place::default());
        vetting.findings.finish()
    }
}

/// A single `$` means that the model is not what `compose config` prints (which writes `$$`), or
/// that compose would put in another value when it reads the model again.
fn find_variables(value: &Value, place: &Place, found: &mut Vec<Place>) {
    match value {
        Value::String(text) if text.contains('$') && text.replace("$$", "").contains('$') => {
            found.push(place.clone());
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                find_variables(item, &place.index(i), found);
            }
        }
        Value::Object(entries) => {
            // Also below `x-…`: a service may be called so.
            for (key, value) in entries {
                find_variables(value, &place.key(key), found);
            }
        }
        _ => {}
    }
}

/// One vetting under way.
struct Vetting<'a> {
    findings: Findings<'a>,
    model: &'a Value,
    project: &'a str,
}

type Check = fn(&mut Vetting<'_>, &Value, &Place);
type Field = (&'static str, Shape);

/// What a value may look like. Null is nothing, and so always right.
enum Shape {
    /// Text, a number or a boolean.
    Scalar,
    /// A scalar or a list of scalars.
    Words,
    /// Free names with scalars or lists of them, or a list of `name=value`.
    Pairs,
    /// [`Shape::Pairs`] whose keys are labels.
    Labels,
    /// A list.
    Each(&'static Self),
    /// An object with free names.
    Named(&'static Self),
    /// An object with these keys, and `x-…`, which compose ignores.
    Object(&'static [Field]),
    /// A scalar, or this.
    ScalarOr(&'static Self),
    /// Only what means nothing (false, empty), unless the operator has opened the rule.
    Deny(&'static Rule),
    /// Its own function looks at all of it.
    Check(Check),
    /// Both.
    With(&'static Self, Check),
}

impl Shape {
    fn walk(&self, vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
        match (self, value) {
            (_, Value::Null) => {}
            (Self::Scalar, value) if is_scalar(value) => {}
            (Self::Words | Self::Pairs | Self::Labels, value) if is_words(value) => {
                if matches!(self, Self::Labels) {
                    for word in words(value) {
                        let key = word.split('=').next().unwrap_or_default();
                        rights::label(&mut vetting.findings, key, place);
                    }
                }
            }
            (Self::Pairs | Self::Labels, Value::Object(pairs)) => {
                for (key, value) in pairs {
                    if matches!(self, Self::Labels) {
                        rights::label(&mut vetting.findings, key, &place.key(key));
                    }
                    Self::Words.walk(vetting, value, &place.key(key));
                }
            }
            (Self::Each(shape), Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    shape.walk(vetting, item, &place.index(i));
                }
            }
            (Self::Named(shape), Value::Object(entries)) => {
                for (name, value) in entries {
                    shape.walk(vetting, value, &place.key(name));
                }
            }
            (Self::Object(fields), Value::Object(entries)) => {
                for (key, value) in entries {
                    match fields.iter().find(|(name, _)| name == key) {
                        Some((_, shape)) => shape.walk(vetting, value, &place.key(key)),
                        None if key.starts_with("x-") => {}
                        None => vetting.unknown_key(key, &place.key(key)),
                    }
                }
            }
            (Self::ScalarOr(shape), value) => {
                if !is_scalar(value) {
                    shape.walk(vetting, value, place);
                }
            }
            (Self::Deny(rule), value) => vetting.deny(rule, value, place),
            (Self::Check(check), value) => check(vetting, value, place),
            (Self::With(shape, check), value) => {
                shape.walk(vetting, value, place);
                check(vetting, value, place);
            }
            (_, value) => vetting.unexpected(value, place),
        }
    }
}

impl Vetting<'_> {
    fn unknown_key(&mut self, key: &str, place: &Place) {
        self.findings.refuse(&rule::UNKNOWN_KEY, format!("key {}", plain(key)), place);
    }

    fn unexpected(&mut self, value: &Value, place: &Place) {
        let subject = format!("{} is {}", place.last(), kind(value));
        self.findings.refuse(&rule::SHAPE, subject, place);
    }

    fn deny(&mut self, rule: &'static Rule, value: &Value, place: &Place) {
        let is_nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Bool(true) => false,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty() || text == "false",
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
        };
        if !is_nothing {
            self.findings.refuse(rule, place.last().to_owned(), place);
        }
    }

    /// Names that the project defines at its top level.
    fn defines(&self, section: &str, name: &str) -> bool {
        self.model.get(section).and_then(|section| section.get(name)).is_some()
    }
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))
}

fn is_words(value: &Value) -> bool {
    is_scalar(value) || value.as_array().is_some_and(|items| items.iter().all(is_scalar))
}

/// The texts of a scalar or of a list of scalars.
fn words(value: &Value) -> Vec<Cow<'_, str>> {
    match value {
        Value::Array(items) => items.iter().filter_map(word).collect(),
        other => word(other).into_iter().collect(),
    }
}

/// A scalar as docker will see it: the model writes `$` as `$$`.
fn word(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if text.contains("$$") => Some(Cow::Owned(text.replace("$$", "$"))),
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Owned(flag.to_string())),
        _ => None,
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
