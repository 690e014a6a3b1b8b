//! A session with the real program, and what can be expected of its answers.

use serde_json::{Value, json};

use crate::wire::{Era, LATEST_LEGACY, Wire};

pub(super) struct Session {
    pub(super) wire: Wire,
}

impl Session {
    pub(super) async fn open(server: tokio::process::Command) -> Self {
        Self::of(server, LATEST_LEGACY, json!({})).await
    }

    /// A session of a client with these capabilities.
    pub(super) async fn of(server: tokio::process::Command, era: Era, capabilities: Value) -> Self {
        let mut wire = Wire::with_pipes(server, era).with_capabilities(capabilities);
        wire.shake_hands().await;
        Self { wire }
    }

    /// The definitions of all tools.
    pub(super) async fn tools(&mut self) -> Vec<Value> {
        let answer = self.wire.ask("tools/list", json!({})).await;
        answer["result"]["tools"].as_array().unwrap().clone()
    }

    /// The structured value of a call that succeeds.
    pub(super) async fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.wire.call(tool, arguments.clone()).await;
        assert_ne!(result["isError"], true, "{tool} {arguments}: {}", text(&result));
        let value = result["structuredContent"].clone();
        assert!(value.is_object(), "{tool} {arguments}: {result}");
        value
    }

    /// The text of a call that succeeds with nothing but text.
    pub(super) async fn text(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.wire.call(tool, arguments.clone()).await;
        assert_ne!(result["isError"], true, "{tool} {arguments}: {}", text(&result));
        assert!(result.get("structuredContent").is_none(), "{result}");
        text(&result)
    }

    /// [`Self::text`] without the lines that stand around what containers have printed.
    pub(super) async fn unfenced(&mut self, tool: &str, arguments: Value) -> String {
        let text = self.text(tool, arguments).await;
        let is_fence =
            |line: &&str| line.starts_with("--- output ") || line.starts_with("--- end of output ");
        text.lines().filter(|line| !is_fence(line)).collect::<Vec<_>>().join("\n")
    }

    /// The text of a call that fails with this code.
    pub(super) async fn fails(&mut self, code: &str, tool: &str, arguments: Value) -> String {
        let result = self.wire.call(tool, arguments.clone()).await;
        let text = text(&result);
        assert_eq!(result["isError"], true, "{tool} {arguments} succeeded: {text}");
        assert!(result.get("structuredContent").is_none(), "{result}");
        assert!(text.starts_with(&format!("Error: {code} ")), "{tool} {arguments}: {text}");
        text
    }
}

fn text(result: &Value) -> String {
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

/// The entry of a list whose field has this value.
pub(super) fn entry<'a>(list: &'a Value, field: &str, value: &str) -> &'a Value {
    let entries = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let found = entries.iter().find(|entry| entry[field] == value);
    found.unwrap_or_else(|| panic!("no entry with {field} = {value}: {list}"))
}
