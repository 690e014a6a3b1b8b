//! Answers that clients do not cut: what is too large is shortened here, and says so.

use serde_json::Value;

use crate::command::text;

/// Room for the note about what was left out.
const NOTE: usize = 400;
/// A list of so few holds texts that are too long, rather than too many entries.
const FEW: usize = 8;
/// Bytes of a text and entries of a list or map that stay, from generous to next to nothing.
const ROUNDS: [(usize, usize); 9] = [
    (10_000, 1000),
    (5000, 500),
    (2000, 200),
    (1000, 100),
    (500, 50),
    (200, 20),
    (100, 10),
    (60, 3),
    (60, 1),
];

/// Shortens an answer until its JSON has at most `max` bytes; `cut` tells what is missing.
pub(super) fn bound(value: &mut Value, max: usize) -> String {
    let whole = value.to_string();
    if whole.len() <= max {
        return whole;
    }
    let room = max.saturating_sub(NOTE);
    let mut cut = shorten_lists(value, room);
    if value.to_string().len() > room {
        *value = shrunk(value, room);
        cut.push("the rest of long texts and lists".to_owned());
    }
    if let Some(members) = value.as_object_mut() {
        let missing = cut.join(", ");
        // Names of members are ours and short; this is for whoever breaks that.
        let note =
            format!("{}: ask for less, with a filter or a limit", text::tail(&missing, NOTE / 2));
        members.insert("cut".to_owned(), note.into());
    }
    value.to_string()
}

/// Cuts the list that is the largest part of the answer, as long as that helps.
fn shorten_lists(value: &mut Value, room: usize) -> Vec<String> {
    let mut cut: Vec<(String, usize)> = vec![];
    loop {
        let size = value.to_string().len();
        let Some(members) = value.as_object_mut().filter(|_| size > room) else { break };
        let largest = members.iter_mut().max_by_key(|(_, member)| member.to_string().len());
        let Some((name, Value::Array(items))) = largest else { break };
        if items.len() <= FEW {
            break;
        }
        let keep = (items.len() * room / size).min(items.len() - 1).max(FEW);
        let removed = items.len() - keep;
        items.truncate(keep);
        match cut.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count += removed,
            None => cut.push((name.clone(), removed)),
        }
    }
    cut.into_iter().map(|(name, count)| format!("{count} more {name}")).collect()
}

/// The same with shorter texts, lists and maps. Each round begins with the original, so that the
/// numbers in the texts are right.
fn shrunk(value: &Value, room: usize) -> Value {
    for (bytes, entries) in ROUNDS {
        let mut smaller = value.clone();
        shrink(&mut smaller, bytes, entries);
        if smaller.to_string().len() <= room {
            return smaller;
        }
    }
    // Nothing of use can be left of it.
    Value::Object(serde_json::Map::new())
}

fn shrink(value: &mut Value, bytes: usize, entries: usize) {
    match value {
        Value::String(long) if long.len() > bytes => {
            let kept = text::tail(long, bytes);
            *long = format!("[{} bytes cut] {kept}", long.len() - kept.len());
        }
        Value::Array(items) => {
            items.truncate(entries);
            for item in items {
                shrink(item, bytes, entries);
            }
        }
        Value::Object(members) => {
            let surplus: Vec<String> = members.keys().skip(entries).cloned().collect();
            for name in surplus {
                members.remove(&name);
            }
            for member in members.values_mut() {
                shrink(member, bytes, entries);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_largest_list_is_cut_and_the_others_stay() {
        let many: Vec<_> = (0..500).map(|n| json!({"name": format!("image-{n}")})).collect();
        let mut value = json!({"total": 500, "images": many, "volumes": ["a", "b"]});
        let text = bound(&mut value, 4000);
        assert!(text.len() <= 4000, "{}", text.len());
        assert_eq!((&value["total"], &value["volumes"]), (&json!(500), &json!(["a", "b"])));
        let kept = value["images"].as_array().unwrap().len();
        let note = format!("{} more images: ask for less, with a filter or a limit", 500 - kept);
        assert_eq!(value["cut"], note);
    }

    #[test]
    fn of_long_texts_the_ends_stay() {
        let log = format!("{}the end", "line\n".repeat(2000));
        let mut value = json!({"services": [{"service": "a", "log": log}, {"service": "b"}]});
        bound(&mut value, 4000);
        assert_eq!(value["services"][1]["service"], "b");
        let log = value["services"][0]["log"].as_str().unwrap();
        assert!(log.contains(" bytes cut] ") && log.ends_with("the end"), "{log}");
        assert!(value["cut"].as_str().unwrap().starts_with("the rest of long texts"));
    }

    #[test]
    fn maps_of_many_are_cut_too() {
        let variables = (0..3000).map(|n| (format!("VARIABLE_{n}"), json!("value")));
        let mut value = json!({"name": "web", "environment": Value::Object(variables.collect())});
        let text = bound(&mut value, 4000);
        assert!(text.len() <= 4000, "{}", text.len());
        assert_eq!(
            (&value["name"], &value["environment"]["VARIABLE_0"]),
            (&json!("web"), &json!("value"))
        );
    }
}
