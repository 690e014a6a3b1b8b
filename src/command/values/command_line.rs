//! A program and its arguments.

use std::str::FromStr;

use serde_json::Value;

use super::sent::{MAX_TEXT_BYTES, Sent, from_json, refused, scalar};

/// A command for a container: at least one word, none with NUL, each up to 127 KiB. Text is split
/// the way a POSIX shell splits it, but no shell ever runs it: `$HOME` is plain text, and text with
/// a bare `|` or `>` is refused. In a list every word is plain text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommandLine(Vec<String>);

/// What stands alone in text that was written for a shell.
const OPERATORS: [&str; 8] = ["|", "||", "&&", ";", ">", ">>", "<", "2>&1"];

from_json!(CommandLine, { "type": ["array", "string"], "items": { "type": "string" } });

impl CommandLine {
    /// Never empty; the first word is the program (or what the entrypoint makes of it).
    pub fn words(&self) -> &[String] {
        &self.0
    }

    fn checked(words: Vec<String>) -> Result<Self, String> {
        if words.first().is_none_or(String::is_empty) {
            return Err(
                "the command is empty: give a program, for example [\"ls\", \"-l\"]".to_owned()
            );
        }
        for (i, word) in words.iter().enumerate() {
            if word.contains('\0') {
                return Err(format!("word {} of the command contains NUL", i + 1));
            }
            if word.len() > MAX_TEXT_BYTES {
                return Err(format!(
                    "word {} of the command is longer than {MAX_TEXT_BYTES} bytes: \
                     pass it on stdin or in a file",
                    i + 1
                ));
            }
        }
        Ok(Self(words))
    }
}

impl FromStr for CommandLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = shell_words::split(text).map_err(|_| {
            refused("command", text, "a quote is not closed; an array of words needs no quotes")
        })?;
        // Within quotes, or after a backslash, it is meant as a word.
        let is_bare = |word: &str| text.split_whitespace().any(|bare| bare == word);
        let operator =
            words.iter().find(|word| OPERATORS.contains(&word.as_str()) && is_bare(word));
        if let Some(operator) = operator {
            let rule = format!(
                "no shell reads it, so \"{operator}\" would be one of the program's words; use [\"sh\", \"-c\", \"…\"] for a shell"
            );
            return Err(refused("command", text, &rule));
        }
        Self::checked(words)
    }
}

impl TryFrom<Value> for CommandLine {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let words = match Sent::of(value) {
            Sent::Text(text) => return text.parse(),
            Sent::Object(_) => {
                return Err("command must be a list or text, not an object".to_owned());
            }
            Sent::List(words) => words,
        };
        let word = |(i, word): (usize, &Value)| {
            scalar(word).map_err(|kind| format!("word {} of the command is {kind}", i + 1))
        };
        Self::checked(words.iter().enumerate().map(word).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn words_come_from_a_list_or_from_text_split_as_a_shell_splits() {
        for (sent, words) in [
            (json!(["ls", "-l"]), vec!["ls", "-l"]),
            (json!("ls -l"), vec!["ls", "-l"]),
            (json!("echo 'a b' \"c\\\"d\" e\\ f ''"), vec!["echo", "a b", "c\"d", "e f", ""]),
            (json!("echo $HOME a|b"), vec!["echo", "$HOME", "a|b"]),
            (json!(["echo", "|", "wc"]), vec!["echo", "|", "wc"]),
            (json!("grep '|' x"), vec!["grep", "|", "x"]),
            (json!("find / -exec ls {} \\;"), vec!["find", "/", "-exec", "ls", "{}", ";"]),
            (json!("sh -c 'a | b && c'"), vec!["sh", "-c", "a | b && c"]),
            (json!(["sleep", 5, true]), vec!["sleep", "5", "true"]),
            (json!("[\"sh\", \"-c\", \"a && b\"]"), vec!["sh", "-c", "a && b"]),
            (json!("[ -f /x ]"), vec!["[", "-f", "/x", "]"]),
            (json!(["--help"]), vec!["--help"]),
            (json!(["printf", "a\nb"]), vec!["printf", "a\nb"]),
        ] {
            assert_eq!(accepted::<CommandLine>(&sent).words(), words);
        }
    }

    #[test]
    fn a_command_without_a_program_is_refused() {
        assert_snapshot!(refusals::<CommandLine>(&json!([
            "", "  ", [], "[]", [""], "''", null, {"cmd": "ls"}, ["ls", ["-l"]], ["ls", null],
            "echo 'a", ["a\u{0}b"], ["a", "x".repeat(200_000)]
        ])), @r#"
        the command is empty: give a program, for example ["ls", "-l"]
        the command is empty: give a program, for example ["ls", "-l"]
        the command is empty: give a program, for example ["ls", "-l"]
        the command is empty: give a program, for example ["ls", "-l"]
        the command is empty: give a program, for example ["ls", "-l"]
        the command is empty: give a program, for example ["ls", "-l"]
        the command is empty: give a program, for example ["ls", "-l"]
        command must be a list or text, not an object
        word 2 of the command is a list
        word 2 of the command is null
        command "echo 'a" is not allowed: a quote is not closed; an array of words needs no quotes
        word 1 of the command contains NUL
        word 2 of the command is longer than 130048 bytes: pass it on stdin or in a file
        "#);
    }

    #[test]
    fn text_for_a_shell_is_refused() {
        for operator in OPERATORS {
            let sentence = refusals::<CommandLine>(&json!([format!("ls /x {operator} y")]));
            assert!(sentence.contains(r#"["sh", "-c", "…"]"#), "{sentence}");
        }
        assert_snapshot!(refusals::<CommandLine>(&json!(["ls | wc"])), @r#"command "ls | wc" is not allowed: no shell reads it, so "|" would be one of the program's words; use ["sh", "-c", "…"] for a shell"#);
    }

    #[test]
    fn the_schema_allows_both_shapes() {
        assert_snapshot!(Value::from(schemars::schema_for!(CommandLine)), @r#"{"type":["array","string"],"items":{"type":"string"},"title":"CommandLine","$schema":"https://json-schema.org/draft/2020-12/schema"}"#);
    }
}
