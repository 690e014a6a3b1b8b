//! Docker's own documents, whole.

use serde_json::Value;

use super::{Command, Effect, Invocation, Output, json};
use crate::error::{Code, Error};

/// `docker KIND inspect`.
#[derive(Clone, Debug)]
pub struct Documents {
    /// `container`, `image`, `network`, `volume`.
    pub kind: &'static str,
    pub names: Vec<String>,
    /// Also measure a container, which reads all of its files.
    pub size: bool,
    /// Those that do not exist are left out instead of failing the call.
    pub may_be_missing: bool,
}

impl Documents {
    pub fn one(kind: &'static str, name: impl Into<String>) -> Self {
        Self { kind, names: vec![name.into()], size: false, may_be_missing: false }
    }

    /// Of those that exist.
    pub fn existing(kind: &'static str, names: Vec<String>) -> Self {
        Self { kind, names, size: false, may_be_missing: true }
    }

    /// The one document that was asked for.
    ///
    /// # Errors
    /// DKR-016 when there is none.
    pub fn single(mut documents: Vec<Value>) -> Result<Value, Error> {
        documents
            .pop()
            .ok_or_else(|| Error::new(Code::UnexpectedOutput, "inspect printed an empty list"))
    }
}

impl Command for Documents {
    type Reply = Vec<Value>;

    fn invocation(&self) -> Invocation {
        let inspect = Invocation::docker(Effect::Read, [self.kind, "inspect"])
            .flag("--size", self.size)
            .operands(&self.names);
        if self.size { inspect.of_this_moment() } else { inspect }
    }

    /// A failed `inspect` prints what it did find, if only `[]`.
    fn accepts(&self, output: &Output) -> bool {
        let stderr = output.stderr.to_lowercase();
        // `No such network: x` on 20.10, `network x not found` later.
        let is_missing = stderr.contains("no such ") || stderr.contains("not found");
        output.exit_code == 0 || (self.may_be_missing && is_missing)
    }

    fn parse(&self, output: &Output) -> Result<Vec<Value>, Error> {
        json::document(&output.stdout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_may_be_left_out() {
        let query = Documents::existing("volume", vec!["a".into(), "b".into()]);
        assert_eq!(query.invocation().to_string(), "docker volume inspect -- a b");
        let output = Output {
            exit_code: 1,
            stdout: r#"[{"Name":"a"}]"#.into(),
            stderr: "Error response from daemon: get b: no such volume".into(),
            ..Output::default()
        };
        assert!(query.accepts(&output));
        assert!(!Documents::one("volume", "b").accepts(&output));
        assert_eq!(Documents::single(query.parse(&output).unwrap()).unwrap()["Name"], "a");
        assert!(Documents::single(vec![]).is_err());
    }
}
