//! Secrets become `[REDACTED]` before anything leaves the server: results, errors, our own log.
//!
//! Three layers. A value with a secret *name* is masked ([`is_secret_key`]); so is what has the
//! *shape* of a secret, or a secret name before it, in any text; and so is every value that was
//! *learned* in this session, wherever it turns up. It is best effort: a secret under an innocent
//! name, without a known shape, that never passed through the server stays visible.
//!
//! Give whole texts, cleaned by [`crate::command::text::clean`] and not yet cut.

mod assignments;
mod commands;
mod extents;
mod headers;
mod judgement;
mod keys;
mod lines;
mod names;
mod programs;
mod prose;
mod scan;
mod shapes;
mod taint;
mod values;
mod vendors;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

pub use keys::is_secret_key;
pub use lines::Lines;
use taint::{Origin, Taint};
use values::is_harmless;

/// What stands for a secret. Arguments that contain it are refused ([`contains_marker`]), or a
/// caller that copies a container would set its password to this text.
pub const MARKER: &str = "[REDACTED]";

/// What the value itself is called where it stands apart from its name.
const VALUE_NAMES: [&str; 3] = ["value", "default", "plaintext"];

/// A text without its secrets, and how many there were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted<'a> {
    pub text: Cow<'a, str>,
    pub count: usize,
}

/// Masks secrets, and remembers those of this session.
///
/// It has no `Debug`: it holds secrets.
pub struct Redactor {
    enabled: bool,
    taint: Taint,
}

impl Redactor {
    /// One that is not enabled returns everything as it is; only the operator can ask for that.
    pub fn new(enabled: bool) -> Self {
        Self { enabled, taint: Taint::default() }
    }

    /// Masks this exact value from now on, wherever it occurs.
    ///
    /// Values under 8 bytes and common ones (`localhost`, `postgres`, paths) are not learned:
    /// they would turn up where they are no secret. Nor is one searched for that is a name too
    /// ([`Self::learn_names`]): it is masked where it stands beside a secret name.
    pub fn learn(&self, secret: &str) {
        if self.enabled {
            self.taint.learn(secret, Origin::Session);
        }
    }

    /// The same of the server's own environment: no object of docker's that is named after such a
    /// value makes it readable.
    pub fn learn_own(&self, secret: &str) {
        if self.enabled {
            self.taint.learn(secret, Origin::Own);
        }
    }

    /// Learns what stands beside a secret name, or has the shape of a secret, in a text that passes
    /// through: the documents of docker, of which only a part may ever be shown.
    pub fn learn_from_text(&self, text: &str) {
        if self.enabled {
            let secrets = scan::secrets(text);
            secrets.into_iter().filter_map(|span| text.get(span)).for_each(|it| self.learn(it));
        }
    }

    /// Learns what is called how, and what stands in variables that are no secrets, in JSON that
    /// docker has printed: documents and lists.
    pub fn learn_names(&self, json: &str) {
        let documents = serde_json::Deserializer::from_str(json).into_iter::<Value>();
        if self.enabled {
            documents.map_while(Result::ok).for_each(|document| self.names_of(&document));
        }
    }

    fn names_of(&self, document: &Value) {
        names::names_in(document, &mut |open, text| {
            // The password in an address is not open because the address is.
            self.taint.learn_name(open, &replace(text, scan::secrets(text)).text);
        });
    }

    /// Secrets and names of the arguments of a call, at any depth.
    pub fn learn_from(&self, value: &Value) {
        if !self.enabled {
            return;
        }
        self.names_of(value);
        // Values beside a secret name are learned as they are masked.
        self.json(&mut value.clone());
        self.learn_from_texts(value);
    }

    fn learn_from_texts(&self, value: &Value) {
        match value {
            Value::String(text) => self.learn_from_text(text),
            Value::Array(items) => items.iter().for_each(|item| self.learn_from_texts(item)),
            Value::Object(members) => members.values().for_each(|it| self.learn_from_texts(it)),
            _ => {}
        }
    }

    /// Any text: logs, errors, command lines, documents.
    pub fn text<'a>(&self, text: &'a str) -> Redacted<'a> {
        if !self.enabled {
            return unchanged(text);
        }
        self.masked(text, scan::secrets(text))
    }

    /// The text without these secrets, and without those that were learned.
    fn masked<'a>(&self, text: &'a str, mut spans: Vec<Range<usize>>) -> Redacted<'a> {
        let shapes = spans.len();
        self.taint.find(text, &mut spans);
        let was_learned = spans.len() > shapes;
        let redacted = replace(text, spans);
        if !was_learned {
            return redacted;
        }
        // A marker in the middle of something may have made it readable to the other rules.
        let again = replace(&redacted.text, scan::secrets(&redacted.text));
        let count = redacted.count + again.count;
        Redacted { text: Cow::Owned(again.text.into_owned()), count }
    }

    /// The value of a variable, a label or an option. A secret one is learned.
    pub fn pair<'a>(&self, key: &str, value: &'a str) -> Redacted<'a> {
        if self.enabled && is_secret_key(key) && !is_harmless(value) {
            self.learn(value);
            return Redacted { text: Cow::Borrowed(MARKER), count: 1 };
        }
        self.text(value)
    }

    /// Every string in a JSON document, in place; names of members too. Returns how many secrets there were.
    pub fn json(&self, value: &mut Value) -> usize {
        match value {
            Value::String(text) => self.string(None, text),
            Value::Array(items) => self.array(None, items),
            Value::Object(members) => self.object(None, members),
            _ => 0,
        }
    }

    /// `of` is the name that the object stands under.
    fn object(&self, of: Option<&str>, members: &mut serde_json::Map<String, Value>) -> usize {
        // `{"name": "TOKEN", "value": "x"}`, `{"token": {"value": "x"}}`
        let named = ["name", "Name", "key", "Key"]
            .iter()
            .find_map(|key| members.get(*key)?.as_str())
            .into_iter()
            .chain(of)
            .find(|name| is_secret_key(name))
            .map(str::to_owned);
        let mut count = 0;
        for (key, value) in members.iter_mut() {
            let key = match &named {
                Some(name) if VALUE_NAMES.iter().any(|it| key.eq_ignore_ascii_case(it)) => name,
                _ => key,
            };
            count += match value {
                Value::String(text) => self.string(Some(key), text),
                Value::Array(items) => self.array(Some(key), items),
                Value::Object(members) => self.object(Some(key), members),
                _ => self.json(value),
            };
        }
        count + self.names(members)
    }

    /// Variables and labels are named by whoever makes a container.
    fn names(&self, members: &mut serde_json::Map<String, Value>) -> usize {
        let count = members.keys().map(|name| self.text(name).count).sum();
        if count > 0 {
            *members = std::mem::take(members)
                .into_iter()
                .map(|(name, value)| (self.text(&name).text.into_owned(), value))
                .collect();
        }
        count
    }

    fn string(&self, key: Option<&str>, text: &mut String) -> usize {
        let redacted = match key {
            Some(key) => self.pair(key, text),
            None => self.text(text),
        };
        let count = redacted.count;
        if let Cow::Owned(_) | Cow::Borrowed(MARKER) = redacted.text
            && count > 0
        {
            *text = redacted.text.into_owned();
        }
        count
    }

    /// Arrays of strings are lists of variables, command lines, or lines of a text.
    fn array(&self, key: Option<&str>, items: &mut [Value]) -> usize {
        // `secrets` lists the names of docker secrets.
        let holds_secrets = key.is_some_and(|key| key != "secrets" && is_secret_key(key));
        let mut count = 0;
        if !holds_secrets {
            count += self.arguments(items);
            count += self.key_lines(items);
        }
        for item in items {
            count += match item {
                Value::String(text) if holds_secrets => self.string(key, text),
                Value::String(text) => self.argument(text),
                _ => self.json(item),
            };
        }
        count
    }

    /// `KEY=value`, of which the value is everything that follows; or any text.
    fn argument(&self, text: &mut String) -> usize {
        let assignment = text.split_once('=').filter(|(name, _)| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        });
        let Some((name, value)) = assignment.filter(|(name, _)| is_secret_key(name)) else {
            return self.string(None, text);
        };
        let redacted = self.pair(name, value);
        let count = redacted.count;
        if count > 0 {
            // The name may hold what was learned.
            let masked = format!("{name}={}", redacted.text);
            *text = self.text(&masked).text.into_owned();
        }
        count
    }

    /// `["--requirepass", "x"]` and `["mysqladmin", "-px"]`, one argument an item.
    fn arguments(&self, items: &mut [Value]) -> usize {
        if !self.enabled {
            return 0;
        }
        let texts: Vec<&str> = items.iter().map(|item| item.as_str().unwrap_or_default()).collect();
        let mut secrets: Vec<(usize, usize)> = Vec::new();
        for (index, pair) in texts.windows(2).enumerate() {
            let [flag, value] = pair else { continue };
            let is_flag = flag.starts_with('-')
                && flag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && flag.trim_start_matches('-') != "secret"
                && is_secret_key(flag);
            if is_flag && !value.starts_with('-') && !is_harmless(value) {
                secrets.push((index + 1, 0));
            }
        }
        for (index, program) in texts.iter().enumerate() {
            let name = program.rsplit('/').next().unwrap_or_default();
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                continue;
            }
            let end = texts.len().min(index + 1 + programs::MAX_ARGUMENTS);
            let arguments = texts.get(index + 1..end).unwrap_or_default();
            let found = programs::secret_arguments(name, arguments);
            secrets.extend(found.into_iter().map(|(at, from)| (index + 1 + at, from)));
        }
        secrets.sort_unstable();
        secrets.dedup_by_key(|(index, _)| *index);
        for (index, from) in &secrets {
            if let Some(Value::String(text)) = items.get_mut(*index) {
                text.truncate(*from);
                text.push_str(MARKER);
            }
        }
        secrets.len()
    }

    /// A private key that was split into lines.
    fn key_lines(&self, items: &mut [Value]) -> usize {
        let is_key = |item: &Value| {
            item.as_str().is_some_and(|line| line.contains("PRIVATE KEY") && line.contains("-----"))
        };
        if !self.enabled || !items.iter().any(is_key) || !items.iter().all(Value::is_string) {
            return 0;
        }
        let mut text = String::new();
        let mut lines: Vec<Range<usize>> = Vec::with_capacity(items.len());
        for item in items.iter() {
            let start = text.len();
            text.push_str(item.as_str().unwrap_or_default());
            lines.push(start..text.len());
            text.push('\n');
        }
        let spans = merged(scan::secrets(&text));
        let mut count = 0;
        for (item, line) in items.iter_mut().zip(lines) {
            // Only what reaches into the next item; the rest is found item by item.
            let is_inside = spans.iter().any(|span| {
                span.start <= line.start
                    && line.end <= span.end
                    && (span.start < line.start || line.end < span.end)
            });
            if is_inside && line.start < line.end && item.as_str() != Some(MARKER) {
                *item = Value::String(MARKER.to_owned());
                count += 1;
            }
        }
        count
    }
}

/// Where a document contains the marker: the path of the first such string or key.
pub fn contains_marker(value: &Value) -> Option<String> {
    fn find(value: &Value, path: &str) -> Option<String> {
        match value {
            Value::String(text) if text.contains(MARKER) => Some(path.to_owned()),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .find_map(|(index, item)| find(item, &format!("{path}[{index}]"))),
            Value::Object(members) => members.iter().find_map(|(key, member)| {
                let path = format!("{path}.{key}");
                if key.contains(MARKER) { Some(path) } else { find(member, &path) }
            }),
            _ => None,
        }
    }
    find(value, "$")
}

const fn unchanged(text: &str) -> Redacted<'_> {
    Redacted { text: Cow::Borrowed(text), count: 0 }
}

fn replace(text: &str, spans: Vec<Range<usize>>) -> Redacted<'_> {
    let spans = merged(spans);
    if spans.is_empty() {
        return unchanged(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut position = 0;
    for span in &spans {
        out.push_str(text.get(position..span.start).unwrap_or_default());
        let quote = quote_of_a_number(text, span);
        out.extend([quote, MARKER, quote]);
        position = span.end;
    }
    out.push_str(text.get(position..).unwrap_or_default());
    Redacted { text: Cow::Owned(out), count: spans.len() }
}

/// In JSON a number has no quotes, and what stands for it needs those of its name: `"pin": 12345`.
fn quote_of_a_number<'t>(text: &'t str, span: &Range<usize>) -> &'t str {
    let is_number = text.get(span.clone()).is_some_and(|secret| {
        secret.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
    });
    let before = text.get(..span.start).unwrap_or_default().trim_end_matches(' ');
    let Some(name) = before.strip_suffix(':').filter(|_| is_number) else { return "" };
    let slashes = name.trim_end_matches(['"', '\'']).len();
    let start = name.get(..slashes).unwrap_or_default().trim_end_matches('\\').len();
    name.get(start..).filter(|quote| quote.ends_with(['"', '\''])).unwrap_or_default()
}

/// Spans that overlap or touch hide one thing.
fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_unstable_by_key(|span| span.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}
