//! Where a file is: on this machine or in a container.

use std::fmt;
use std::str::FromStr;

use super::sent::from_text;
use super::{ContainerPath, ContainerRef, HostPath};

/// `container:/path` or a path on this machine. A path with a colon of its own begins with `./` or
/// `/`, as docker has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Container(ContainerRef, ContainerPath),
    Host(HostPath),
}

from_text!(Place, "place", { "type": "string" });

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((container, path)) if !container.starts_with(['.', '/', '~']) => {
                Ok(Self::Container(container.parse()?, path.parse()?))
            }
            _ => text.parse().map(Self::Host),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(container, path) => write!(f, "{container}:{path}"),
            Self::Host(path) => write!(f, "{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn a_container_stands_before_the_first_colon() {
        let is_inside =
            |text: &str| matches!(accepted::<Place>(&json!(text)), Place::Container(..));
        assert!(is_inside("web:/etc/hosts") && is_inside("web:/a:b"));
        assert!(!is_inside("./a:b") && !is_inside("/srv/a:b") && !is_inside("notes.txt"));
        assert_eq!(accepted::<Place>(&json!("web:/x")).to_string(), "web:/x");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let wrong = json!(["", "web:", "web:x", "we/b:/x", "web:/a/../b", "-", "~/x"]);
        assert_snapshot!(refusals::<Place>(&wrong), @r#"
        path "" is not allowed: it is empty
        container path "" is not allowed: it is empty
        container path "x" is not allowed: use an absolute path, one that begins with "/"
        container name "we/b" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container path "/a/../b" is not allowed: write it without ".."
        path "-" is not allowed: begin it with "./" or "/"
        path "~/x" is not allowed: "~" is not expanded, write the whole path
        "#);
    }
}
