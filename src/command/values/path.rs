//! Paths as text. Nothing here touches a disk: what a host path may reach is the policy's affair.

use std::path::Path;

use super::sent::checked_text;

checked_text! {
    /// A path on this machine, absolute or relative; at most 4096 bytes (`PATH_MAX`). It is
    /// canonicalised and judged by the policy before docker sees it.
    HostPath = "path", { "type": "string" }, host_path
}

checked_text! {
    /// An absolute path in a container, without `..`; at most 4096 bytes (`PATH_MAX`).
    ContainerPath = "container path", { "type": "string", "pattern": "^/" }, container_path
}

impl HostPath {
    pub fn as_path(&self) -> &Path {
        Path::new(self.as_str())
    }

    /// `data/.` or `.`: what is in the folder, and not the folder itself.
    pub fn is_content(&self) -> bool {
        self.as_str() == "." || self.as_str().ends_with("/.")
    }
}

impl ContainerPath {
    /// `/`, also as `//` or `/.`.
    pub fn is_root(&self) -> bool {
        self.components().next().is_none()
    }

    /// `/data/.`: what is in the folder, and not the folder itself.
    pub fn is_content(&self) -> bool {
        self.as_str().ends_with("/.")
    }

    /// Its last part; the root has none.
    pub fn file_name(&self) -> Option<&str> {
        self.components().last()
    }

    /// The parts between the slashes, without those that mean nothing.
    pub(super) fn components(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('/').filter(|part| !part.is_empty() && *part != ".")
    }
}

fn host_path(text: &str) -> Result<String, String> {
    one_line(text)?;
    match text.as_bytes() {
        // No shell reads it, so `~` would be a folder of that name.
        [b'~'] | [b'~', b'/' | b'\\', ..] => {
            Err("\"~\" is not expanded, write the whole path".to_owned())
        }
        // `-` alone means standard input or output to docker.
        [b'-', ..] => Err("begin it with \"./\" or \"/\"".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn container_path(text: &str) -> Result<String, String> {
    one_line(text)?;
    if !text.starts_with('/') {
        return Err("use an absolute path, one that begins with \"/\"".to_owned());
    }
    if text.split('/').any(|part| part == "..") {
        return Err("write it without \"..\"".to_owned());
    }
    Ok(text.to_owned())
}

fn one_line(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.len() > 4096 {
        return Err("use at most 4096 bytes".to_owned());
    }
    if text.contains(['\0', '\r', '\n']) {
        return Err("use one line of text".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn a_host_path_is_one_line_that_means_what_it_says() {
        for path in ["/srv/shop", "./data", "../x", "compose.yaml", "a b, c", "~backup", r"C:\shop"]
        {
            assert_eq!(accepted::<HostPath>(&json!(path)).as_path(), Path::new(path));
        }
        assert_snapshot!(refusals::<HostPath>(&json!([
            "", "~", "~/shop", "-", "-f", "a\u{0}b", "a\nb", "a\r", "x".repeat(4097), null
        ])), @r#"
        path "" is not allowed: it is empty
        path "~" is not allowed: "~" is not expanded, write the whole path
        path "~/shop" is not allowed: "~" is not expanded, write the whole path
        path "-" is not allowed: begin it with "./" or "/"
        path "-f" is not allowed: begin it with "./" or "/"
        path "a\0b" is not allowed: use one line of text
        path "a\nb" is not allowed: use one line of text
        path "a\r" is not allowed: use one line of text
        path "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" is not allowed: use at most 4096 bytes
        path must be text or a number, not null
        "#);
    }

    #[test]
    fn a_container_path_is_absolute() {
        assert!(!accepted::<ContainerPath>(&json!("/srv/..data")).is_root());
        for root in ["/", "//", "/./"] {
            assert!(accepted::<ContainerPath>(&json!(root)).is_root(), "{root}");
        }
        assert_snapshot!(refusals::<ContainerPath>(&json!([
            "", "app", "./app", "/srv/../etc", "/..", "/a\nb", "-w"
        ])), @r#"
        container path "" is not allowed: it is empty
        container path "app" is not allowed: use an absolute path, one that begins with "/"
        container path "./app" is not allowed: use an absolute path, one that begins with "/"
        container path "/srv/../etc" is not allowed: write it without ".."
        container path "/.." is not allowed: write it without ".."
        container path "/a\nb" is not allowed: use one line of text
        container path "-w" is not allowed: use an absolute path, one that begins with "/"
        "#);
    }
}
