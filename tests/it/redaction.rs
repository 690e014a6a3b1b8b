//! What is masked and what is not, by cases: `fixtures/redaction-cases*.json`.
//!
//! In a case `<<A36>>` stands for 36 random letters and digits, `<<H40>>` for hexadecimal digits
//! and `<<U16>>` for upper-case letters and digits: no file holds anything like a real secret.

use std::borrow::Cow;
use std::path::Path;

use docker_mcp_server::redact::{Lines, MARKER, Redactor};
use regex_lite::{Captures, Regex};
use serde::Deserialize;
use serde_json::json;

const FILES: [&str; 4] =
    ["redaction-cases", "redaction-cases-more", "redaction-cases-everyday", "redaction-cases-told"];

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Case {
    /// A variable, a label, an option.
    Kv { key: String, value: String, redact: bool },
    /// Without a secret nothing in it is masked.
    Text {
        text: String,
        secret: Option<String>,
        #[serde(default)]
        keeps: Vec<String>,
    },
}

#[test]
fn of_the_cases_none_is_missed_and_none_is_false() {
    let cases: Vec<Case> = FILES.iter().flat_map(|file| cases(file)).collect();
    let wrong: Vec<String> = cases.iter().filter_map(complaint).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_masked_stays_as_it_is() {
    let redactor = Redactor::new(true);
    for file in FILES {
        for case in cases(file) {
            let Case::Text { text, .. } = case else { continue };
            let once = redactor.text(&text).text.into_owned();
            assert_eq!(redactor.text(&once).text, once, "{text}");
        }
    }
}

#[test]
fn what_was_learned_is_hidden_in_names_too() {
    let redactor = Redactor::new(true);
    redactor.learn("kestrel41moth");
    let mut document = json!({
        "of-kestrel41moth": "x",
        "Env": ["kestrel41moth_PASSWORD=Ju9-pelican", "A=kestrel41moth"],
    });
    redactor.json(&mut document);
    let expected =
        json!({"of-[REDACTED]": "x", "Env": ["[REDACTED]_PASSWORD=[REDACTED]", "A=[REDACTED]"]});
    assert_eq!(document, expected);
}

#[test]
fn a_value_that_stands_apart_from_its_name_is_hidden_in_documents_too() {
    let redactor = Redactor::new(true);
    let mut document = json!({
        "password": {"value": "kestrel41moth", "type": "string"},
        "token": {"value": "${TOKEN}", "default": ""},
        "mode": {"value": "fast"},
    });
    redactor.json(&mut document);
    let expected = json!({
        "password": {"value": "[REDACTED]", "type": "string"},
        "token": {"value": "${TOKEN}", "default": ""},
        "mode": {"value": "fast"},
    });
    assert_eq!(document, expected);
}

#[test]
fn what_is_told_below_is_hidden_where_lines_come_one_by_one() {
    let redactor = Redactor::new(true);
    let mut stream = Lines::new(&redactor);
    let told = "Use the following password to proceed:\n\nkestrel41moth\n\nready";
    let lines: Vec<String> = told.lines().map(|line| stream.next(line).into_owned()).collect();
    assert_eq!(lines.join("\n"), told.replace("kestrel41moth", MARKER));
}

fn cases(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(file);
    let text = std::fs::read_to_string(path.with_extension("json")).unwrap();
    serde_json::from_str::<Cases>(&expanded(&text)).unwrap().cases
}

/// The same placeholder is the same text everywhere, so a case can name its secret.
fn expanded(text: &str) -> String {
    let placeholder = Regex::new("<<([AHU])([0-9]+)>>").unwrap();
    let random = |captures: &Captures<'_>| {
        let alphabet: &[u8] = match &captures[1] {
            "H" => b"0123456789abcdef",
            "U" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            _ => b"0a1B2c3D4e5F6g7H8i9JkLmNoPqRsTuVwXyZ",
        };
        let length: usize = captures[2].parse().unwrap();
        let letter =
            |i: usize| char::from(alphabet[(i * i * 7 + i * 11 + length) % alphabet.len()]);
        (0..length).map(letter).collect::<String>()
    };
    placeholder.replace_all(text, random).into_owned()
}

/// What is wrong with how a case is treated.
fn complaint(case: &Case) -> Option<String> {
    let redactor = Redactor::new(true);
    match case {
        Case::Kv { key, value, redact } => {
            // Of an address only the password.
            let is_masked = redactor.pair(key, value).text.contains(MARKER);
            (is_masked != *redact).then(|| format!("{key}={value} is masked: {is_masked}"))
        }
        Case::Text { text, secret: Some(secret), keeps } => {
            let masked: Cow<'_, str> = redactor.text(text).text;
            let lost = keeps.iter().find(|kept| !masked.contains(*kept));
            (masked.contains(secret) || lost.is_some()).then(|| format!("{text}\n  -> {masked}"))
        }
        Case::Text { text, secret: None, .. } => {
            let masked = redactor.text(text).text;
            (masked != *text).then(|| format!("false: {text}\n  -> {masked}"))
        }
    }
}
