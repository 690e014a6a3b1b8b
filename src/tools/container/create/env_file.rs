//! Environment files, read the way docker reads them.

use serde_json::{Map, Value};

use crate::command::values::{EnvName, Environment};

/// More would drown what matters.
const WARNINGS: usize = 5;

/// `KEY=VALUE` lines and comments. Values are literal: quotes stay, nothing is replaced. A line
/// without `=` would make docker copy a variable of this server, so it is left out.
///
/// # Errors
/// A sentence that names the line, never its value.
pub(super) fn parse(text: &str) -> Result<(Environment, Vec<String>), String> {
    let mut variables = Map::new();
    let mut warnings = vec![];
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = number + 1;
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            warnings.push(format!("line {number} has no value and was left out"));
            continue;
        };
        if name.starts_with("export ") {
            return Err(format!("line {number}: write it without \"export\""));
        }
        let name: EnvName = name.parse().map_err(|problem| format!("line {number}: {problem}"))?;
        if is_quoted(value) {
            warnings.push(format!("line {number}: the quotes are part of the value of {name}"));
        } else if value.contains("${") {
            warnings.push(format!("line {number}: ${{…}} in {name} is not replaced"));
        }
        // The last one counts, as for docker.
        variables.insert(name.to_string(), Value::from(value));
    }
    let more = warnings.len().saturating_sub(WARNINGS);
    warnings.truncate(WARNINGS);
    if more > 0 {
        warnings.push(format!("{more} more lines like these"));
    }
    Ok((Environment::try_from(Value::Object(variables))?, warnings))
}

fn is_quoted(value: &str) -> bool {
    let inside = |quote| value.strip_prefix(quote).is_some_and(|rest| rest.ends_with(quote));
    inside('"') || inside('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_docker_reads_them() {
        let text = "\u{feff}# comment\nA=1\r\n  B=two words \n\nURL=a=b\nA=3\nEMPTY=\nBARE\nQ=\"x\"\nR=${A}\n";
        let (environment, warnings) = parse(text).unwrap();
        let pairs: Vec<_> = environment.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(pairs, ["A=3", "B=two words ", "EMPTY=", "Q=\"x\"", "R=${A}", "URL=a=b"]);
        assert_eq!(
            warnings,
            [
                "line 8 has no value and was left out",
                "line 9: the quotes are part of the value of Q",
                "line 10: ${…} in R is not replaced"
            ]
        );
    }

    #[test]
    fn a_mistake_names_the_line_and_no_value() {
        let problem = parse("A=1\nMY KEY=hunter2").unwrap_err();
        assert!(problem.starts_with("line 2: ") && !problem.contains("hunter2"), "{problem}");
        assert_eq!(parse("export A=1").unwrap_err(), "line 1: write it without \"export\"");
    }
}
