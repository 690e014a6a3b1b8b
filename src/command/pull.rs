//! Pulling and pushing an image, and how far that is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::values::Platform;
use super::{Command, Effect, Invocation, Output};
use crate::error::Error;

/// `docker image pull`. A killed one leaves nothing behind: the daemon drops what it has so far.
#[derive(Debug)]
pub struct Pull {
    pub image: String,
    pub platform: Option<Platform>,
    pub timeout: Duration,
}

/// What a pull said.
#[derive(Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Of the manifest, or of the index where there are several platforms.
    pub digest: Option<String>,
    pub status: Status,
    /// The image was pulled, but is for another platform than asked for (26 and later say so).
    pub other_platform: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    UpToDate,
    Downloaded,
}

impl Command for Pull {
    type Reply = Pulled;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Change, ["image", "pull"])
            .maybe("--platform", self.platform.as_ref())
            .operands([&self.image])
            .timeout(self.timeout)
            .killed_means_undone()
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0 || is_for_other_platform(&output.stderr)
    }

    fn parse(&self, output: &Output) -> Result<Pulled, Error> {
        let after = |prefix| output.stdout.lines().find_map(|line| line.strip_prefix(prefix));
        let up_to_date = after("Status: Image is up to date").is_some();
        Ok(Pulled {
            digest: after("Digest: ").map(|digest| digest.trim().to_owned()),
            status: if up_to_date { Status::UpToDate } else { Status::Downloaded },
            other_platform: is_for_other_platform(&output.stderr)
                || is_for_other_platform(&output.stdout),
        })
    }
}

fn is_for_other_platform(text: &str) -> bool {
    text.contains("image with reference") && text.contains("does not match the specified platform")
}

/// `docker image push`. What was sent before it was ended stays at the registry, without a name.
#[derive(Debug)]
pub struct Push {
    pub image: String,
    pub timeout: Duration,
}

/// What a push said.
#[derive(Debug, PartialEq, Eq)]
pub struct Pushed {
    pub digest: Option<String>,
    /// Layers that were sent; the registry had the others.
    pub layers_sent: usize,
}

impl Command for Push {
    type Reply = Pushed;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Change, ["image", "push"])
            .operands([&self.image])
            .timeout(self.timeout)
    }

    /// `1: digest: sha256:a74b… size: 1159`.
    fn parse(&self, output: &Output) -> Result<Pushed, Error> {
        let digest = output.stdout.lines().find_map(|line| {
            let (_, digest) = line.split_once(": digest: ")?;
            Some(digest.split(' ').next()?.to_owned())
        });
        let sent = output.stdout.lines().filter(|line| line.ends_with(": Pushed"));
        Ok(Pushed { digest, layers_sent: sent.count() })
    }
}

/// How far the layers are.
#[derive(Debug, Default)]
pub struct Layers(BTreeMap<String, bool>);

impl Layers {
    /// Done and total after a line such as `16b4ec445c23: Pull complete`; nothing for other lines.
    pub fn read(&mut self, line: &str) -> Option<(u64, u64)> {
        let (id, status) = line.split_once(": ")?;
        if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let done = matches!(
            status.trim(),
            "Pull complete" | "Already exists" | "Pushed" | "Layer already exists"
        ) || status.starts_with("Mounted from ");
        *self.0.entry(id.to_owned()).or_default() |= done;
        let finished = self.0.values().filter(|done| **done).count();
        Some((finished as u64, self.0.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: &str = "1: Pulling from mu/layers
c54ab26536d4: Already exists
16b4ec445c23: Pulling fs layer
3c48ba62cbcf: Pulling fs layer
3c48ba62cbcf: Verifying Checksum
3c48ba62cbcf: Download complete
16b4ec445c23: Pull complete
3c48ba62cbcf: Pull complete
Digest: sha256:2e30b31595eab3b31b51e707ce7aac87391a1dfa27b8dd95db000578ad76fafd
Status: Downloaded newer image for localhost:5000/mu/layers:1
localhost:5000/mu/layers:1
";

    #[test]
    fn progress_counts_layers() {
        let mut layers = Layers::default();
        let steps: Vec<_> = FRESH.lines().filter_map(|line| layers.read(line)).collect();
        assert_eq!(steps, [(1, 1), (1, 2), (1, 3), (1, 3), (1, 3), (2, 3), (3, 3)]);
    }

    #[test]
    fn a_push_tells_its_digest_and_what_it_sent() {
        let stdout = "The push refers to repository [localhost:5000/mu/layers]
1a6a0a8c61c6: Preparing
7b6930cea16a: Preparing
11f33346ff6c: Preparing
11f33346ff6c: Mounted from ei/p
1a6a0a8c61c6: Pushed
7b6930cea16a: Layer already exists
1: digest: sha256:b2ab3c412b38686b1f95810f1c056e47b5ff5ec6485f9ea905eca0a75b19c7ad size: 1159
";
        let mut layers = Layers::default();
        let steps: Vec<_> = stdout.lines().filter_map(|line| layers.read(line)).collect();
        assert_eq!(steps.last(), Some(&(3, 3)));
        let push = Push { image: "x:1".into(), timeout: Duration::ZERO };
        let output = Output { stdout: stdout.into(), ..Output::default() };
        let pushed = push.parse(&output).unwrap();
        assert!(pushed.digest.unwrap().starts_with("sha256:b2ab"));
        assert_eq!(pushed.layers_sent, 1);
    }

    #[test]
    fn the_digest_and_what_happened_are_read() {
        let pull = Pull { image: "x".into(), platform: None, timeout: Duration::ZERO };
        let read = |stdout: &str| {
            pull.parse(&Output { stdout: stdout.to_owned(), ..Output::default() }).unwrap()
        };
        let pulled = read(FRESH);
        assert!(pulled.digest.unwrap().starts_with("sha256:2e30b3"));
        assert_eq!((pulled.status, pulled.other_platform), (Status::Downloaded, false));
        let again = "1: Pulling from a\nDigest: sha256:ab\nStatus: Image is up to date for a:1\n";
        assert_eq!(read(again).status, Status::UpToDate);
        let warned = format!(
            "{again}WARNING: image with reference a:1 was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)\na:1\n"
        );
        assert!(read(&warned).other_platform);
    }
}
