//! Lists of fields as docker takes them: `type=bind,source=/x,readonly`.
//!
//! Docker reads such a list as a line of CSV and takes every key as it stands, but for its case: a
//! key with a blank before it is another key. What two readers could read in two ways is refused.

use std::collections::BTreeMap;

/// The fields, by keys in lower case; one without `=` has an empty value. Nothing for quotes, control
/// characters, blanks around a key or a value, and a key that comes twice.
pub(super) fn read(text: &str) -> Option<BTreeMap<String, &str>> {
    if text.contains('"') || text.contains(char::is_control) {
        return None;
    }
    let mut fields = BTreeMap::new();
    for field in text.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        let is_clear =
            !key.is_empty() && !key.contains(char::is_whitespace) && value.trim() == value;
        if !is_clear || fields.insert(key.to_ascii_lowercase(), value).is_some() {
            return None;
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        let fields = read("Type=bind,src=/a b=c,readonly").unwrap();
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(fields, [("readonly", ""), ("src", "/a b=c"), ("type", "bind")]);
        for unclear in [
            "type=local,src=/a, src=/b",
            "type=local, src=/b",
            "type=local,src=/a,src=/b",
            "type=local,src=/a,SRC=/b",
            "type=local,src =/b",
            "type=local,src= /b",
            "type=local,src=/b ",
            "type=local,\tsrc=/b",
            "type=local,src=/a\nsrc=/b",
            "type=local,\"src=/b\"",
            "type=local,,src=/b",
            "type=local,=/b",
            "",
        ] {
            assert_eq!(read(unclear), None, "{unclear:?}");
        }
    }
}
