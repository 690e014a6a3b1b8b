//! What a path in a container is, also in one that does not run.

use std::ops::ControlFlow;

use crate::command::containers::{Container, header_of};
use crate::command::values::ContainerPath;
use crate::command::{Command, Invocation, Output};
use crate::error::Error;
use crate::tools::Context;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
}

/// A link to a folder is one, as it is to docker.
///
/// # Errors
/// As [`crate::docker::Docker::run`].
pub(super) async fn find(
    context: &Context,
    container: &Container,
    path: &ContainerPath,
) -> Result<Option<Kind>, Error> {
    let place = format!("{}:{path}", container.id);
    // The first bytes say all; a large file is not read to its end.
    let look = |place: String| async move {
        context.docker.watch(&Look(place), |_| ControlFlow::Break(())).await
    };
    let found = look(place.clone()).await?;
    if found != Some(Kind::Link) {
        return Ok(found);
    }
    let behind = look(format!("{}/.", place.trim_end_matches('/'))).await;
    Ok(Some(if matches!(behind, Ok(Some(Kind::Folder))) { Kind::Folder } else { Kind::Link }))
}

/// `docker container cp … -`, which prints an archive; its first block names the kind.
struct Look(String);

/// Where the kind stands in it.
const KIND: usize = 156;

impl Command for Look {
    type Reply = Option<Kind>;

    fn invocation(&self) -> Invocation {
        header_of(&self.0)
    }

    fn accepts(&self, output: &Output) -> bool {
        let said = output.stderr.to_lowercase();
        // 20.10 says `No such container:path`.
        output.exit_code == 0
            || said.contains("could not find the file")
            || said.contains("no such container:path")
    }

    fn parse(&self, output: &Output) -> Result<Option<Kind>, Error> {
        // A name that is no text shifts the bytes behind it, and only makes a file of a folder.
        let kind = output.stdout.as_bytes().get(KIND);
        Ok(match kind {
            None => None,
            Some(b'5') => Some(Kind::Folder),
            Some(b'2') => Some(Kind::Link),
            Some(_) => Some(Kind::File),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_tells_the_kind() {
        let look = Look("abc:/etc".into());
        assert_eq!(look.invocation().to_string(), "docker container cp -- abc:/etc -");
        let output = |kind: &str| Output {
            stdout: format!("etc/{}{kind}{}", "\0".repeat(KIND - 4), "\0".repeat(355)),
            ..Output::default()
        };
        assert_eq!(look.parse(&output("5")).unwrap(), Some(Kind::Folder));
        assert_eq!(look.parse(&output("0")).unwrap(), Some(Kind::File));
        assert_eq!(look.parse(&output("2")).unwrap(), Some(Kind::Link));
        let missing = Output {
            exit_code: 1,
            stderr: "Error response from daemon: Could not find the file /x in container abc"
                .into(),
            ..Output::default()
        };
        assert!(look.accepts(&missing));
        assert_eq!(look.parse(&missing).unwrap(), None);
    }
}
