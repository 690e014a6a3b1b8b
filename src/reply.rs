//! The forms an answer can take.

use serde::Serialize;
use serde_json::Value;

use crate::confirm::Asked;

/// What a tool gives back: a structured value that is the whole answer, or text alone. Never a
/// richer text beside a structured value: clients show the model only one of the two.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Structured(Value),
    Text(Text),
    /// Nothing was done: the person has to be asked. A client that shows no dialog gets `value`.
    Plan {
        value: Value,
        asked: Asked,
    },
}

pub trait IntoAnswer: Send {
    fn into_answer(self) -> Answer;
}

/// A reply that is a JSON object.
#[derive(Debug)]
pub struct Structured<T>(pub T);

impl<T: Serialize + Send> IntoAnswer for Structured<T> {
    fn into_answer(self) -> Answer {
        Answer::Structured(value(self.0))
    }
}

fn value(reply: impl Serialize) -> Value {
    told(serde_json::to_value(reply))
}

fn told(reply: serde_json::Result<Value>) -> Value {
    let mut value = reply.expect("replies have string keys and no failing serializer");
    lean(&mut value, true);
    value
}

/// A reply whose list is an answer even when it is empty and something else is told beside it.
#[derive(Debug)]
pub struct Listing<T> {
    pub list: &'static str,
    pub reply: T,
}

impl<T: Serialize + Send> IntoAnswer for Listing<T> {
    fn into_answer(self) -> Answer {
        let mut answer = Structured(self.reply).into_answer();
        if let Answer::Structured(Value::Object(members)) = &mut answer {
            members.entry(self.list).or_insert_with(|| Value::Array(vec![]));
        }
        answer
    }
}

/// Text, for output that JSON would only inflate (logs).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What containers have printed. It is shown between boundaries that they cannot know.
    pub output: String,
    /// Our own words about it.
    pub account: String,
}

impl IntoAnswer for Text {
    fn into_answer(self) -> Answer {
        Answer::Text(self)
    }
}

impl IntoAnswer for crate::confirm::Plan {
    fn into_answer(self) -> Answer {
        Answer::Plan { asked: self.asked(), value: value(self) }
    }
}

/// What a program has printed is the answer proper, also when it is nothing.
const OUTPUT: [&str; 2] = ["stdout", "stderr"];

/// Variables and their like, in replies and in documents of docker: one that is empty is there.
const PAIRS: [&str; 6] = ["annotations", "args", "driver_opts", "environment", "labels", "options"];

/// Takes out what says nothing: nulls, empty texts, empty lists and maps. When nothing would be
/// left, the first list stays: an empty list is an answer too.
fn lean(value: &mut Value, top: bool) {
    match value {
        Value::Object(members) => {
            let is_pairs = |name: &str| PAIRS.iter().any(|pairs| pairs.eq_ignore_ascii_case(name));
            members
                .iter_mut()
                .filter(|(name, member)| !(is_pairs(name) && member.is_object()))
                .for_each(|(_, member)| lean(member, false));
            let answer =
                members.iter().find(|(_, member)| member.is_array()).map(|(name, _)| name.clone());
            members.retain(|name, member| match member {
                Value::Null => false,
                Value::String(text) => !text.is_empty() || (top && OUTPUT.contains(&name.as_str())),
                Value::Array(items) => !items.is_empty(),
                Value::Object(members) => !members.is_empty(),
                Value::Bool(_) | Value::Number(_) => true,
            });
            if let (true, true, Some(name)) = (top, members.is_empty(), answer) {
                members.insert(name, Value::Array(vec![]));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| lean(item, false)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_lean_but_an_empty_list_is_still_an_answer() {
        let answer = |reply| match Structured(reply).into_answer() {
            Answer::Structured(value) => value,
            _ => unreachable!("it is structured"),
        };
        assert_eq!(answer(json!({"containers": [], "total": null})), json!({"containers": []}));
        assert_eq!(
            answer(json!({"name": "web", "ports": [], "x": {"a": "", "ok": false}})),
            json!({"name": "web", "x": {"ok": false}})
        );
        let pairs = json!({"environment": {"A": "", "B": null}, "raw": {"Labels": {"x": ""}}});
        assert_eq!(answer(pairs.clone()), pairs, "an empty variable is there, and empty");
        let silent = json!({"exit_code": 0, "stdout": "", "stderr": "", "notes": []});
        assert_eq!(answer(silent), json!({"exit_code": 0, "stdout": "", "stderr": ""}));
        let none = Listing { list: "images", reply: json!({"images": [], "total": 1}) };
        let Answer::Structured(none) = none.into_answer() else { unreachable!("it is structured") };
        assert_eq!(none, json!({"images": [], "total": 1}));
    }
}
