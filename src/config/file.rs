//! The operator's settings file: flags as on the command line, outside of every project.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// `docker-mcp-server/flags` in the user's configuration folder, when it is there.
pub(super) fn path() -> Option<PathBuf> {
    let home = || super::variable("HOME").map(|home| PathBuf::from(home).join(".config"));
    let folder = super::variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)?;
    let file = folder.join("docker-mcp-server/flags");
    file.canonicalize().ok()
}

/// Its words: split like a shell would, in as many lines as one likes, `#` for comments.
///
/// # Errors
/// When it cannot be read or a quote is not closed.
pub(super) fn words(file: &std::path::Path) -> Result<Vec<OsString>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let words = split(&text).with_context(|| format!("in {}", file.display()))?;
    Ok(words.into_iter().map(OsString::from).collect())
}

fn split(text: &str) -> Result<Vec<String>> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = lines.map(shell_words::split).collect::<Result<Vec<_>, _>>()?;
    Ok(words.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_stand_in_lines_between_comments() {
        let text = "# mine\n--policy read-only\n\n  --allow-path='/srv/my data:ro' --only-ours\n";
        let words = split(text).unwrap();
        assert_eq!(words, ["--policy", "read-only", "--allow-path=/srv/my data:ro", "--only-ours"]);
        assert!(split("--protect 'open").is_err());
    }
}
