pub const MARKER: &str = "[REDACTED]";
use std::borrow::Cow;
pub fn is_secret_key(_: &str) -> bool {
    false
}
pub struct Redactor;
pub struct Redacted<'a> {
    pub text: Cow<'a, str>,
    pub count: usize,
}
impl Redactor {
    pub fn new(_: bool) -> Self {
        Self
    }
    pub fn learn(&self, _: &str) {}
    pub fn text<'a>(&self, text: &'a str) -> Redacted<'a> {
        Redacted { text: Cow::Borrowed(text), count: 0 }
    }
    pub fn json(&self, _: &mut serde_json::Value) -> usize {
        0
    }
}
pub fn contains_marker(_: &serde_json::Value) -> Option<String> {
    None
}
