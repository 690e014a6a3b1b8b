//! By which a container is known that this process has made itself.

use std::sync::OnceLock;

use super::confirm::token;
use crate::command::containers::Container;
use crate::command::labels;
use crate::error::Error;

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
    let request = container.label(labels::REQUEST).unwrap_or_default();
    SESSION.get().is_some_and(|session| request.starts_with(session))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
