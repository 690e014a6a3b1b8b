//! Secrets: nothing panics, what is masked stays masked, and what was learned never comes out.
#![no_main]

use docker_mcp_server::redact::{MARKER, Redactor};
use docker_mcp_server_fuzz as fuzz;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "password", "PASSWORD", "secret", "token", "api_key", "key", "Authorization", "Cookie", "Bearer ", "Basic ",
    "authorization", "value", "name", "Env", "Cmd", "MONKEY", "--password", "--token", "-p", "-u", "mysql ", "curl ",
    "redis-cli ", "=", ": ", ":", " ", "\n", "\"", "'", "\\", "\\\"", ",", ", ", ";", "&", "?", "#", "|", "{", "}", "[",
    "]", "(", ")", "<", ">", "</", "://", "@", "@tcp(", "user:", "/", "postgres://u:", "eyJhbGciOi.eyJzdWIiOi.abc",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "ghp_0123456789abcdefghijABCDEFGHIJ012345", "AKIA",
    "0123456789ABCDEF", "hunter2secret", "kestrel41moth", "hunter2", "[REDACTED]", "REDACTED", "[", "is", "must be",
    "true", "${X}", "/run/secrets/x", "identified by ", "name: ", "|\n  ", "ENV ", "12345678:AA", "Q~", "ü",
    "is: ", "generated: ", "for the user (x):\n", "AUTH ", "${", "$(", "{{", "}}", "%s", "'\\''", "\u{a0}", "default",
    "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t",
];

fuzz_target!(|bytes: &[u8]| -> Corpus { try_all(bytes).map_or(Corpus::Reject, |()| Corpus::Keep) });

fn try_all(bytes: &[u8]) -> Result<()> {
    let mut bytes = Unstructured::new(bytes);
    let learned = fuzz::text(&mut bytes, WORDS)?;
    let before = fuzz::text(&mut bytes, WORDS)?;
    let after = fuzz::text(&mut bytes, WORDS)?;
    let value = fuzz::json(&mut bytes, WORDS)?;
    masked_stays_masked(&format!("{before}{learned}{after}"));
    learned_stays_inside(&learned, &before, &after, &value);
    what_stands_beside_a_secret_name_is_learned(&learned, &before, &value);
    Ok(())
}

fn masked_stays_masked(text: &str) {
    let redactor = Redactor::new(true);
    let once = redactor.text(text).text;
    let twice = redactor.text(&once).text;
    assert_eq!(once, twice, "from {text:?}");
}

fn learned_stays_inside(learned: &str, before: &str, after: &str, value: &Value) {
    let redactor = Redactor::new(true);
    redactor.learn(learned);
    if !is_looked_for(&redactor, learned) {
        return;
    }
    let text = format!("{before}{learned}{after} {learned}");
    let masked = redactor.text(&text).text;
    assert!(!masked.contains(learned), "{learned:?} in {masked:?}");
    assert_eq!(redactor.text(&masked).text, masked, "from {text:?}");
    let mut document =
        json!({"log": text, "list": [text, value], "more": {learned: value, before: text}});
    redactor.json(&mut document);
    let found = fuzz::texts(&document).into_iter().find(|text| text.contains(learned));
    assert_eq!(found, None, "{learned:?}");
}

fn what_stands_beside_a_secret_name_is_learned(secret: &str, before: &str, value: &Value) {
    let redactor = Redactor::new(true);
    redactor.learn_from(
        &json!({"environment": {"DB_PASSWORD": secret}, "other": value, "text": before}),
    );
    if is_looked_for(&redactor, secret) {
        let masked = redactor.text(&format!("{before} {secret}")).text.into_owned();
        assert!(!masked.contains(secret), "{secret:?} in {masked:?}");
    }
}

/// Short and common values are not; and one that overlaps with the marker may appear in what is
/// made of marker and rest.
fn is_looked_for(redactor: &Redactor, secret: &str) -> bool {
    let overlaps = |secret: &str| {
        (1..=MARKER.len()).any(|length| {
            secret.starts_with(&MARKER[MARKER.len() - length..])
                || secret.ends_with(&MARKER[..length])
        }) || secret.contains(MARKER)
    };
    // A text that no rule but the learned value could find.
    let text = format!("\n\n{secret}\n\n");
    !overlaps(secret)
        && !secret.is_empty()
        && !redactor.text(&text).text.contains(secret)
        && Redactor::new(true).text(&text).text.contains(secret)
}
