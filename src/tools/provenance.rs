//! By which it is known who has made something: this process, somebody in the same project folder, or
//! others.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use super::confirm::token;
use crate::command::containers::Container;
use crate::command::labels;
use crate::error::Error;
use crate::policy::{Disk, Paths as _, Policy};

static SESSION: OnceLock<String> = OnceLock::new();

/// A value for the label [`labels::REQUEST`] that is this request's alone and tells its session.
///
/// # Errors
/// As [`token`].
pub(super) fn request() -> Result<String, Error> {
    let (session, request) = (token()?, token()?);
    Ok(format!("{}{request}", SESSION.get_or_init(|| session)))
}

/// Whether it was made for a request of this session, so that nobody else has files in it.
pub(super) fn is_of_this_session(container: &Container) -> bool {
    is_own(&container.config.labels)
}

fn is_own(labels: &BTreeMap<String, String>) -> bool {
    let request = labels.get(labels::REQUEST).map_or("", String::as_str);
    SESSION.get().is_some_and(|session| request.starts_with(session))
}

/// Whether others have made it: neither this session, nor compose in a folder of the operator's. An
/// agent beside this one has a session of its own.
pub(super) fn is_of_others(labels: &BTreeMap<String, String>, policy: &Policy) -> bool {
    let folder =
        labels.get(labels::PROJECT_FOLDER).map(|folder| Disk.locate(Path::new(folder)).path);
    let is_in_a_root =
        |folder: &Path| policy.roots.iter().any(|root| folder.starts_with(&root.path));
    !is_own(labels) && !folder.is_some_and(|folder| is_in_a_root(&folder))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_here_has_made_is_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let policy = Policy::default().with_project(&root);
        assert_eq!(policy.roots.len(), 1);
        let of_others = |key: &str, value: &str| {
            is_of_others(&BTreeMap::from([(key.to_owned(), value.to_owned())]), &policy)
        };
        let own = request().unwrap();
        assert!(!of_others(labels::REQUEST, &own));
        assert!(of_others(labels::REQUEST, "0123456789abcdef0123456789abcdef"));
        assert!(!of_others(labels::PROJECT_FOLDER, &root.to_string_lossy()));
        assert!(!of_others(labels::PROJECT_FOLDER, &root.join("sub").to_string_lossy()));
        assert!(of_others(labels::PROJECT_FOLDER, "/srv/another"));
        assert!(of_others("any", "label"));
    }

    #[test]
    fn a_container_tells_the_session_that_made_it() {
        let made = |request: &str| {
            let labels = json!({"Config": {"Labels": {labels::REQUEST: request}}});
            is_of_this_session(&serde_json::from_value(labels).unwrap())
        };
        let (one, two) = (request().unwrap(), request().unwrap());
        assert_ne!(one, two);
        assert!(made(&one) && made(&two));
        assert!(!made("0123456789abcdef0123456789abcdef") && !made(""));
    }
}
