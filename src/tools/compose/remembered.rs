//! From what a project was deployed: compose knows only `-`, because it got the checked model from
//! standard input. Kept in the state folder of the user, so that a project can be deployed again,
//! compared and run without its file, also by a later server.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::command::containers::Container;
use crate::command::values::ProjectName;
use crate::command::{json, labels};
use crate::workspace::Workspace;

/// One deployment, as it stands in its file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) directory: PathBuf,
    /// The text, when it came without a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<PathBuf>,
    /// Names of the variables that the caller gave, without their values. Older records have none.
    #[serde(default)]
    pub(super) given: Option<Vec<String>>,
    /// The folder in which compose has chosen the files by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) found_in: Option<PathBuf>,
}

/// What is known of the variables of a deployment by us.
#[derive(Debug)]
pub(super) struct Variables {
    /// Names of those that its caller gave a value.
    pub(super) given: Vec<String>,
}

/// Keeps the record of a project. Not to be able to is no reason to fail a deployment.
pub(super) fn remember(workspace: &Workspace, project: &ProjectName, record: &Record) {
    let Some(path) = path(workspace, project) else { return };
    if let Err(error) = write(&path, record) {
        tracing::debug!(%error, path = %path.display(), "the source of a project is not remembered");
    }
}

fn write(path: &Path, record: &Record) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        // A compose file may hold secrets.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // Whole or not at all: another server may read it now.
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    fs::rename(new, path)
}

/// The files that a project of this folder was deployed from by us, as far as there were any.
pub(super) fn files(workspace: &Workspace, project: &ProjectName, directory: &Path) -> Vec<String> {
    let record = recall(workspace, project, directory);
    let files = record.map(|record| record.files).unwrap_or_default();
    files.iter().map(|file| file.display().to_string()).collect()
}

/// Of the deployment that these containers are from, if it was ours.
pub(super) fn variables(
    workspace: &Workspace,
    project: &ProjectName,
    containers: &[Container],
) -> Option<Variables> {
    let label = |key| containers.iter().find_map(|container| container.label(key));
    // A file that compose was given by its path was deployed by somebody else.
    let is_ours = |it: &Container| it.label(labels::PROJECT_FILES).is_none_or(|it| it == "-");
    let directory = label(labels::PROJECT_FOLDER).filter(|_| containers.iter().all(is_ours))?;
    let given = recall(workspace, project, Path::new(directory))?.given?;
    Some(Variables { given })
}

/// The record of a project that was deployed in this folder.
pub(super) fn recall(
    workspace: &Workspace,
    project: &ProjectName,
    directory: &Path,
) -> Option<Record> {
    let text = fs::read_to_string(path(workspace, project)?).ok()?;
    let record: Record = json::document(&text).ok()?;
    // Another project of this name, from another folder.
    (record.directory == directory).then_some(record)
}

fn path(workspace: &Workspace, project: &ProjectName) -> Option<PathBuf> {
    Some(workspace.state.as_ref()?.join("projects").join(format!("{project}.json")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_was_deployed_is_known_again_in_its_own_folder() {
        let folder = std::env::temp_dir().join(format!("remembered-{}", std::process::id()));
        let mut workspace = Workspace::new("/srv/shop".into(), Arc::default());
        workspace.state = Some(folder.clone());
        let project = "shop".parse().unwrap();
        let record = Record {
            directory: "/srv/shop".into(),
            text: Some("services: {}".into()),
            files: vec![],
            given: Some(vec![]),
            found_in: None,
        };
        assert_eq!(recall(&workspace, &project, Path::new("/srv/shop")), None);
        remember(&workspace, &project, &record);
        assert_eq!(recall(&workspace, &project, Path::new("/srv/shop")), Some(record));
        assert_eq!(recall(&workspace, &project, Path::new("/srv/other")), None);
        let path = path(&workspace, &project).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }
}
