//! What the lines of a session have made: the names of its containers, remembered from one line to the
//! next. A container is the session's own when it goes by such a name and was made since.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::command::containers::{Container, InspectContainers};
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::Foreseen;

/// A session that is older is over.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// No session makes more containers with names.
const LARGEST: u64 = 256 << 10;

/// Names, and since when a container of that name is the session's own.
#[derive(Clone, Debug, Default)]
pub struct Made {
    file: Option<PathBuf>,
    names: BTreeMap<String, Timestamp>,
}

/// Of what a line would do to: what is the session's own.
pub(super) struct Own(Vec<String>);

impl Made {
    /// Of a session, as the folder for state has it.
    pub fn of_session(state: Option<&Path>, session: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if session.is_empty() || session.len() > 64 || !session.chars().all(is_plain) {
            return Self::default();
        }
        let file = state.map(|state| state.join("hook").join(session));
        let text = file.as_deref().and_then(read).unwrap_or_default();
        let entry = |line: &str| {
            let (name, since) = line.split_once('\t')?;
            Some((name.to_owned(), since.parse().ok()?))
        };
        Self { file, names: text.lines().filter_map(entry).collect() }
    }

    /// A line of the session is about to make containers of these names. What cannot be kept is
    /// forgotten: then it is somebody's.
    pub fn remember(&self, names: &[String]) {
        let Some(file) = self.file.as_ref().filter(|_| !names.is_empty()) else { return };
        if let Err(error) = append(file, names) {
            tracing::debug!(%error, "what the session makes is not remembered");
        }
    }

    /// # Errors
    /// As [`Docker::run`].
    pub(super) async fn of(
        &self,
        docker: &Docker,
        foreseen: &Foreseen,
        touched: &[String],
    ) -> Result<Own, Error> {
        let doomed = foreseen.losses.iter().filter(|doomed| doomed.kind == "container");
        let names = doomed.map(|doomed| doomed.name.as_str());
        let names = names.chain(touched.iter().filter_map(|object| container(object)));
        let mut names: Vec<String> =
            names.filter(|name| self.names.contains_key(*name)).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Ok(Own(vec![]));
        }
        let found = docker.run(&InspectContainers::listed(names)).await?;
        let own = found.iter().filter(|container| self.has_made(container));
        Ok(Own(own.map(|container| container.name().to_owned()).collect()))
    }

    fn has_made(&self, container: &Container) -> bool {
        let created: Option<Timestamp> = container.created.parse().ok();
        let since = self.names.get(container.name());
        created.zip(since).is_some_and(|(created, since)| created >= *since)
    }
}

impl Own {
    /// `container web, of project shop`
    pub(super) fn has(&self, object: &str) -> bool {
        container(object).is_some_and(|name| self.0.iter().any(|own| own == name))
    }

    /// Nobody else has files in a container of the session's own.
    pub(super) fn without(&self, mut foreseen: Foreseen) -> Foreseen {
        for doomed in &mut foreseen.losses {
            if doomed.kind == "container" && self.0.contains(&doomed.name) {
                doomed.loses_data = false;
            }
        }
        foreseen
    }
}

fn container(object: &str) -> Option<&str> {
    let name = object.strip_prefix("container ")?;
    Some(name.split(',').next().unwrap_or(name))
}

fn read(file: &Path) -> Option<String> {
    let metadata = file.symlink_metadata().ok()?;
    (metadata.is_file() && metadata.len() <= LARGEST).then(|| std::fs::read_to_string(file).ok())?
}

fn append(file: &Path, names: &[String]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
        if !file.exists() {
            forget_old(folder)?;
        }
    }
    let now = Timestamp::now();
    let lines: String = names.iter().map(|name| format!("{name}\t{now}\n")).collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(lines.as_bytes())
}

fn forget_old(folder: &Path) -> std::io::Result<()> {
    let before = SystemTime::now() - KEPT;
    for entry in std::fs::read_dir(folder)?.flatten() {
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        if changed.is_ok_and(|changed| changed < before) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::confirm::Doomed;

    #[test]
    fn a_session_remembers_its_own_and_no_other() {
        let state = tempfile::tempdir().unwrap();
        let made = |session: &str| Made::of_session(Some(state.path()), session);
        made("one").remember(&["web".to_owned()]);
        made("one").remember(&["db".to_owned()]);
        let one = made("one");
        let created = |name: &str, created: &str| Container {
            name: format!("/{name}"),
            created: created.to_owned(),
            ..Container::default()
        };
        assert!(one.has_made(&created("web", "2999-01-01T00:00:00Z")));
        assert!(one.has_made(&created("db", "2999-01-01T00:00:00Z")));
        assert!(!one.has_made(&created("web", "2020-01-01T00:00:00Z")), "it was there before");
        assert!(!one.has_made(&created("other", "2999-01-01T00:00:00Z")));
        assert!(!made("two").has_made(&created("web", "2999-01-01T00:00:00Z")));
        assert!(made("../one").names.is_empty());
        made("").remember(&["x".to_owned()]);
        assert_eq!(std::fs::read_dir(state.path().join("hook")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_its_own_is_not_missed() {
        let own = Own(vec!["web".to_owned()]);
        assert!(own.has("container web, of project shop") && own.has("container web"));
        assert!(!own.has("container webb") && !own.has("volume web"));
        let doomed = |name: &str| Doomed {
            kind: "container",
            name: name.to_owned(),
            loses_data: true,
            ..Doomed::default()
        };
        let losses = vec![doomed("web"), doomed("db")];
        let left = own.without(Foreseen { losses, ..Foreseen::default() });
        let lost: Vec<bool> = left.losses.iter().map(|doomed| doomed.loses_data).collect();
        assert_eq!(lost, [false, true]);
    }
}
