//! A project that was deployed from another folder: what a deployment from this one would do to it.
//! Somebody else may have given another project the same name.

use std::path::Path;

use super::forecast::Prospect;
use super::source::Source;
use crate::command::containers::Container;
use crate::command::labels;
use crate::error::{Code, Error};
use crate::policy::{Disk, Paths as _};

/// The folder from which a project was deployed that would be another one's from then on. None when
/// all of it is from this folder, or stays as it is.
pub(super) fn takeover(
    source: &Source,
    before: &[Container],
    prospect: &Prospect<'_>,
) -> Option<String> {
    prospect.going().next()?;
    let mut folders = before.iter().filter_map(|container| container.label(labels::PROJECT_FOLDER));
    let is_other = |folder: &&str| Disk.locate(Path::new(folder)).path != source.directory;
    folders.find(is_other).map(str::to_owned)
}

pub(super) fn note(source: &Source, folder: &str) -> String {
    format!(
        "the project of this name was deployed from {folder}, and would be the one of {} from then on; volumes stay",
        source.directory.display()
    )
}

/// For what has no plan.
pub(super) fn refusal(source: &Source, folder: &str, prospect: &Prospect<'_>) -> Error {
    let message = [vec![note(source, folder)], prospect.notes()].concat().join("; ");
    Error::new(Code::WrongState, message).with("folder", folder).hint(
        "if it is meant, deploy-compose shows a plan first; otherwise choose another project_name",
    )
}
