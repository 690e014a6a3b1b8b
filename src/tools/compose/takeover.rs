//! A project that was deployed from another folder: what a deployment from this one would do to it.
//! Somebody else may have given another project the same name.

use std::collections::BTreeMap;
use std::path::Path;

use super::forecast::{Anew, going, planned};
use super::model::Vetted;
use super::project;
use super::settle::Expected;
use super::source::Source;
use crate::command::containers::Container;
use crate::command::labels;
use crate::docker::Docker;
use crate::error::{Code, Error};
use crate::policy::{Disk, Paths as _};
use crate::tools::confirm::Doomed;

/// What goes of a project of another folder.
pub(super) struct Takeover<'a> {
    /// From where it was deployed.
    folder: String,
    /// Made anew from the files of this folder.
    replaced: Vec<&'a Container>,
    /// Not to come back.
    pub(super) removed: Vec<&'a Container>,
}

/// The folder from which containers of a project were deployed, if it is another one.
pub(super) fn other_folder(source: &Source, before: &[Container]) -> Option<String> {
    let mut folders = before.iter().filter_map(|container| container.label(labels::PROJECT_FOLDER));
    let is_other = |folder: &&str| Disk.locate(Path::new(folder)).path != source.directory;
    folders.find(is_other).map(str::to_owned)
}

/// Nothing when all of it is from this folder, or stays as it is.
///
/// # Errors
/// As [`planned`].
pub(super) async fn takeover<'a>(
    docker: &Docker,
    source: &Source,
    vetted: &Vetted,
    expected: &BTreeMap<String, Expected>,
    before: &'a [Container],
    anew: &Anew,
) -> Result<Option<Takeover<'a>>, Error> {
    let Some(folder) = other_folder(source, before) else { return Ok(None) };
    let services = planned(docker, vetted, expected, before, &anew.recreated).await?;
    let going = going(vetted, &services, before, anew);
    let comes_back = |container: &&&Container| {
        let plan = services.iter().find(|it| it.service() == project::service(container));
        plan.is_some_and(|it| !it.removes(container))
    };
    let (replaced, removed) = going.iter().partition::<Vec<_>, _>(comes_back);
    Ok((!going.is_empty()).then_some(Takeover { folder, replaced, removed }))
}

impl Takeover<'_> {
    pub(super) fn doomed(&self, project: &str) -> Vec<Doomed> {
        let going = self.replaced.iter().chain(&self.removed);
        let doomed = going.map(|container| Doomed {
            kind: "container",
            name: container.name().to_owned(),
            id: container.id.clone(),
            project: Some(project.to_owned()),
            ..Doomed::default()
        });
        doomed.collect()
    }

    pub(super) fn notes(&self, source: &Source) -> Vec<String> {
        let names = |containers: &[&Container]| {
            containers.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ")
        };
        let Self { folder, replaced, removed } = self;
        let here = source.directory.display();
        let mut notes = vec![format!(
            "the project of this name was deployed from {folder}, and would be the one of {here} from then on; volumes stay"
        )];
        if !replaced.is_empty() {
            let names = names(replaced);
            notes.push(format!("replaced by containers of the files in {here}: {names}"));
        }
        if !removed.is_empty() {
            notes.push(format!("removed, with nothing in their place: {}", names(removed)));
        }
        notes
    }

    /// For what has no plan.
    pub(super) fn refusal(&self, source: &Source) -> Error {
        let message = self.notes(source).join("; ");
        Error::new(Code::WrongState, message).with("folder", &self.folder).hint(
            "if it is meant, deploy-compose shows a plan first; otherwise choose another project_name",
        )
    }
}
