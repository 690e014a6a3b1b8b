//! Tables of the README, made from the code so that they cannot be wrong.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use serde_json::Value;

use crate::error::Code;
use crate::policy::KNOWN_EXCEPTIONS;

/// A row per tool.
pub fn tools_table() -> String {
    let mut table = String::from(
        "| tool | parameters (required in bold) | what it does |\n| --- | --- | --- |\n",
    );
    for entry in crate::tools::all() {
        let schema = entry.input_schema();
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        let parameters: Vec<String> = properties
            .into_iter()
            .flat_map(|properties| properties.keys())
            .map(|name| {
                if required.contains(&name.as_str()) { format!("**{name}**") } else { name.clone() }
            })
            .collect();
        let _infallible = writeln!(
            table,
            "| `{}` | {} | {} |",
            entry.spec.name,
            parameters.join(", "),
            entry.spec.description
        );
    }
    table
}

/// A row per code.
pub fn errors_table() -> String {
    let mut table = String::from("| code | name | when |\n| --- | --- | --- |\n");
    for code in Code::ALL {
        let _infallible =
            writeln!(table, "| {} | `{}` | {} |", code.id(), code.name(), code.meaning());
    }
    table
}

/// A row per exception.
pub fn exceptions_table() -> String {
    let mut table = String::from("| `--allow` | what it opens |\n| --- | --- |\n");
    for (name, _, what) in &KNOWN_EXCEPTIONS {
        let _infallible = writeln!(table, "| `{name}` | {what} |");
    }
    table.push_str("| `cap:NAME` | one Linux capability, `cap:ALL` every one |\n");
    table
}

/// A row per setting.
pub fn settings_table() -> String {
    let mut table = String::from(
        "| flag | environment | default | what it does |\n| --- | --- | --- | --- |\n",
    );
    let command = crate::config::Cli::command();
    for argument in command.get_arguments().filter(|argument| argument.get_env().is_some()) {
        let words = |word: &std::ffi::OsStr| format!("`{}`", word.to_string_lossy());
        let defaults: Vec<String> = argument
            .get_default_values()
            .iter()
            .map(|default| words(default))
            .filter(|default| default != "`false`")
            .collect();
        let choices = argument.get_possible_values();
        let is_a_switch = choices.iter().any(|choice| choice.get_name() == "true");
        let choices: Vec<String> = choices
            .iter()
            .filter(|_| !is_a_switch)
            .map(|choice| format!("`{}`", choice.get_name()))
            .collect();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let choices =
            if choices.is_empty() { String::new() } else { format!(" ({})", choices.join(", ")) };
        let _infallible = writeln!(
            table,
            "| `--{}` | {} | {} | {help}{choices} |",
            argument.get_long().unwrap_or_default(),
            argument.get_env().map(words).unwrap_or_default(),
            defaults.join(", "),
        );
    }
    table
}
