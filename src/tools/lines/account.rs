//! The line that ends a log: what is there, what is not, and how to get it.

use std::fmt::{self, Write as _};

use super::Selected;
use crate::command::containers::{Container, exit_meaning};
use crate::redact;

pub(crate) struct Account<'a> {
    pub(crate) selected: &'a Selected,
    /// Docker's words when it broke off.
    pub(crate) broke_off: Option<String>,
    /// How many lines docker was asked for, when not for all, and whether it gave as many.
    pub(crate) tail: Option<u32>,
    pub(crate) is_full: bool,
    /// The time was over before the end of the log.
    pub(crate) unread: bool,
    /// Whether it was read from or until some time.
    pub(crate) spans_time: bool,
    pub(crate) followed: Option<String>,
    /// How it stands with whoever wrote it; see [`Account::state`].
    pub(crate) states: Vec<String>,
}

impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Selected { shown, read, matched, repeated, no_room, cut, ended, .. } = *self.selected;
        let mut parts = vec![match (read, matched) {
            (0, _) if self.spans_time => "no output in that time".to_owned(),
            (0, _) if self.tail == Some(0) && self.followed.is_some() => "no new output".to_owned(),
            (0, _) if self.tail == Some(0) => "no line was read, because tail is 0".to_owned(),
            (0, _) => "no output yet".to_owned(),
            (_, Some(0)) => {
                format!("no line matches of {} read ((?i) ignores case)", count(read, "line"))
            }
            _ => format!("{} shown of {} read", count(shown, "line"), thousands(read as u64)),
        }];
        parts.extend(
            matched
                .filter(|matched| *matched > 0)
                .map(|matched| format!("{} matched", thousands(matched as u64))),
        );
        if repeated > 0 {
            parts.push(format!("{} left out", count(repeated, "repetition")));
        }
        if no_room > 0 {
            let lines = count(no_room, "line");
            parts.push(format!("no room for {lines} more: for less use grep, since or tail"));
        }
        if cut > 0 {
            parts.push(format!("{} bytes of long lines cut", thousands(cut as u64)));
        }
        let hidden = self.selected.text.matches(redact::MARKER).count();
        if hidden > 0 {
            parts.push(format!("{} hidden", count(hidden, "secret")));
        }
        if ended {
            parts.push("the reading ended there: later lines were not read".to_owned());
        }
        if self.is_full && self.followed.is_none() {
            parts.push("for older lines raise tail, or use grep or since".to_owned());
        }
        if self.unread {
            parts.push(super::read::unread());
        }
        parts.extend(self.followed.clone());
        parts.extend(self.broke_off.as_ref().map(|why| format!("docker broke off: {why}")));
        parts.extend(self.states.iter().cloned());
        write!(f, "[{}]", parts.join("; "))
    }
}

impl Account<'_> {
    /// `web is running`, `web is exited with exit code 137: ended by SIGKILL …`.
    pub(crate) fn state(container: &Container) -> String {
        let mut text = format!("{} is {}", container.name(), container.state.status);
        if let Some(code) = container.exit_code() {
            let _infallible = write!(text, " with exit code {code}");
            if let Some(meaning) = exit_meaning(code, container.state.oom_killed) {
                let _infallible = write!(text, ": {meaning}");
            }
        }
        text
    }
}

/// `1 line`, `12,345 lines`.
fn count(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number as u64), if number == 1 { "" } else { "s" })
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_account_says_what_is_missing() {
        let container: Container = serde_json::from_value(json!({
            "Name": "/web", "State": {"Status": "exited", "ExitCode": 137}
        }))
        .unwrap();
        let account = |selected: Selected, tail, is_full| {
            let account = Account {
                selected: &selected,
                broke_off: None,
                tail,
                is_full,
                unread: tail.is_none(),
                spans_time: false,
                followed: None,
                states: vec![Account::state(&container)],
            };
            account.to_string()
        };
        assert_snapshot!(account(Selected::default(), Some(100), false), @"[no output yet; web is exited with exit code 137: ended by SIGKILL (docker kill, a stop that ran into its time limit, or out of memory)]");
        assert_snapshot!(account(Selected::default(), Some(0), true), @"[no line was read, because tail is 0; for older lines raise tail, or use grep or since; web is exited with exit code 137: ended by SIGKILL (docker kill, a stop that ran into its time limit, or out of memory)]");
        let selected = Selected {
            text: "a [REDACTED]".into(),
            shown: 100,
            read: 10_000,
            matched: Some(1234),
            repeated: 3,
            no_room: 12,
            cut: 12_345,
            ended: true,
        };
        assert_snapshot!(account(selected, None, false), @"[100 lines shown of 10,000 read; 1,234 matched; 3 repetitions left out; no room for 12 lines more: for less use grep, since or tail; 12,345 bytes of long lines cut; 1 secret hidden; the reading ended there: later lines were not read; after 45 s the reading was ended before the end of the log: newer lines were not read; use since and until; web is exited with exit code 137: ended by SIGKILL (docker kill, a stop that ran into its time limit, or out of memory)]");
    }
}
