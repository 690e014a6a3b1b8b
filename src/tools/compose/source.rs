//! Where the model of a project comes from: text in the call, or files of the project folder.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::defaults::{Settings, passed_over, usual_files};
use super::remembered::{self, Record};
use crate::command::containers::Container;
use crate::command::labels;
use crate::command::values::{Environment, HostPath, ProjectName};
use crate::error::Error;
use crate::policy::{self, Disk, Files as _, Paths as _};
use crate::tools::Context;
use crate::workspace::Workspace;

/// No compose file that a person wrote is larger.
const MAX_BYTES: usize = 256 << 10;

/// The text of a compose file. A JSON object is good too: every JSON text is YAML.
#[derive(Clone, Debug)]
pub(super) struct ComposeText(String);

/// One path or several, of which the later ones override the earlier ones.
#[derive(Clone, Debug)]
pub(super) struct ComposeFiles(Vec<HostPath>);

impl<'de> Deserialize<'de> for ComposeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            object @ Value::Object(_) => object.to_string(),
            _ => return Err(de::Error::custom("it must be the text of a compose file")),
        };
        match text.trim() {
            "" => Err(de::Error::custom("the compose file is empty")),
            _ if text.len() > MAX_BYTES => {
                Err(de::Error::custom(format!("it is larger than {MAX_BYTES} bytes")))
            }
            _ if text.contains('\0') => Err(de::Error::custom("it contains NUL")),
            path if is_path(path) => Err(de::Error::custom(format!(
                "{path:?} is a path, not the text of a compose file: send it as `compose_file`"
            ))),
            _ => Ok(Self(text)),
        }
    }
}

/// One word that ends like a file.
fn is_path(text: &str) -> bool {
    let extension = Path::new(text).extension().and_then(|extension| extension.to_str());
    !text.contains([' ', '\n', '{', ':']) && matches!(extension, Some("yml" | "yaml" | "json"))
}

impl JsonSchema for ComposeText {
    fn schema_name() -> Cow<'static, str> {
        "ComposeText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "object"] })
    }
}

impl<'de> Deserialize<'de> for ComposeFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = match Value::deserialize(deserializer)? {
            Value::String(text) if text.starts_with('[') => {
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            }
            other => other,
        };
        let items = match sent {
            Value::Array(items) => items,
            // As in COMPOSE_FILE, and in the label that compose gives to containers.
            Value::String(text) => text.split([':', ',']).map(|it| it.trim().into()).collect(),
            single => vec![single],
        };
        if items.is_empty() {
            return Err(de::Error::custom("the list of files is empty"));
        }
        let files = items.into_iter().map(HostPath::try_from).collect::<Result<_, _>>();
        files.map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for ComposeFiles {
    fn schema_name() -> Cow<'static, str> {
        "ComposeFiles".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

/// A compose file, or several, as read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// What relative paths in it are relative to, and where `.env` is looked for.
    pub(super) directory: PathBuf,
    pub(super) from: From,
    /// The folder in which compose's own choice of files was looked up. Nothing when somebody has
    /// named them.
    pub(super) found_in: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    Text(String),
    /// The one file, whose text was read.
    File(PathBuf, String),
    /// Files that override each other: only compose can merge them, by their paths.
    Files(Vec<PathBuf>),
}

impl Source {
    /// What the caller gives, or else what compose takes in the project folder.
    ///
    /// # Errors
    /// DKR-004 when both or neither are there, and for a file that cannot be read.
    pub(super) async fn read(
        context: &Context,
        text: Option<&ComposeText>,
        files: Option<&ComposeFiles>,
    ) -> Result<Self, Error> {
        let workspace = &context.workspace;
        match (text, files) {
            (None, None) => Self::usual(context, &workspace.folder).await?.ok_or_else(neither),
            _ => Self::given(workspace, text, files),
        }
    }

    /// The given source; or the one of the project as it runs; or what compose takes in the project
    /// folder.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) async fn read_or_find(
        context: &Context,
        text: Option<&ComposeText>,
        files: Option<&ComposeFiles>,
        project: &ProjectName,
        containers: &[Container],
    ) -> Result<Self, Error> {
        if text.is_some() || files.is_some() {
            return Self::given(&context.workspace, text, files);
        }
        match Self::of_project(context, project, containers).await? {
            // Whoever has deployed the usual file alone may have had no other then.
            Some(source) if source.is_the_usual_file() => {
                Ok(Self::usual(context, &source.directory).await?.unwrap_or(source))
            }
            Some(source) => Ok(source),
            None => match elsewhere(&context.workspace, containers) {
                Some(error) => Err(error),
                None => Self::read(context, None, None).await,
            },
        }
    }

    fn given(
        workspace: &Workspace,
        text: Option<&ComposeText>,
        files: Option<&ComposeFiles>,
    ) -> Result<Self, Error> {
        match (text, files) {
            (Some(_), Some(_)) => {
                Err(Error::invalid("compose_file", "give compose_yaml or compose_file, not both"))
            }
            (None, None) => Err(neither()),
            (Some(ComposeText(text)), None) => Ok(Self {
                directory: workspace.folder.clone(),
                from: From::Text(text.clone()),
                found_in: None,
            }),
            (None, Some(ComposeFiles(files))) => {
                let (paths, from) = read_files(workspace, files)?;
                let first = paths.first().and_then(|path| path.parent());
                let directory = first.unwrap_or(&workspace.folder).to_owned();
                Ok(Self { directory, from, found_in: None })
            }
        }
    }

    /// What `docker compose` takes in this folder when it is told nothing: the files of
    /// `COMPOSE_FILE`, or the usual one with the one that overrides it.
    ///
    /// # Errors
    /// DKR-014 for what may not be read, DKR-004 for what cannot be.
    pub(super) async fn usual(context: &Context, folder: &Path) -> Result<Option<Self>, Error> {
        let mut source = Self {
            directory: folder.to_owned(),
            from: From::Files(vec![]),
            found_in: Some(folder.to_owned()),
        };
        let settings = Settings::of(&context.docker, folder, &source.dot_env()).await?;
        let named = settings.files.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
        let names = if named.is_empty() { usual_files(folder) } else { named };
        // Relative paths begin where the first one lies.
        let Some(first) = names.first().and_then(|path| path.parent()) else { return Ok(None) };
        source.directory = Disk.locate(first).path;
        let files = names.iter().map(|name| name.to_string_lossy().parse::<HostPath>());
        let files = files.collect::<Result<Vec<_>, _>>();
        let files = files.map_err(|problem| Error::invalid("compose_file", problem))?;
        (_, source.from) = read_files(&context.workspace, &files)?;
        Ok(Some(source))
    }

    fn is_the_usual_file(&self) -> bool {
        let usual = usual_files(&self.directory);
        matches!((&self.from, usual.first()), (From::File(path, _), Some(usual)) if path == usual)
    }

    /// The `.env` files that compose reads for it, of which the later ones override the earlier
    /// ones: that of the folder that it was started in stands above that of the first file's folder
    /// (seen on 2.26 and 2.40).
    pub(super) fn dot_env(&self) -> Vec<PathBuf> {
        let further = self.found_in.as_ref().filter(|folder| **folder != self.directory);
        let folders = [Some(&self.directory), further].into_iter().flatten();
        folders.map(|folder| folder.join(".env")).filter(|file| file.is_file()).collect()
    }

    /// The same when compose does not find all of them by itself.
    pub(super) fn further_dot_env(&self) -> Vec<PathBuf> {
        let has_further = self.found_in.as_ref().is_some_and(|folder| *folder != self.directory);
        if has_further { self.dot_env() } else { vec![] }
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        match &self.from {
            From::Text(_) => &[],
            From::File(path, _) => std::slice::from_ref(path),
            From::Files(paths) => paths,
        }
    }

    /// Its files for an answer, by their names in the project folder.
    pub(super) fn files(&self, workspace: &Workspace) -> Vec<String> {
        let paths = self.paths().iter();
        let inside = paths.map(|path| path.strip_prefix(&workspace.folder).unwrap_or(path));
        inside.map(|path| path.display().to_string()).collect()
    }

    /// Files with usual names that lie beside it and are no part of it.
    pub(super) fn left_out(&self) -> Vec<String> {
        let name = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
        if let Some(folder) = &self.found_in {
            let taken =
                self.paths().iter().map(|path| name(path)).collect::<Vec<_>>().join(" and ");
            let others = passed_over(folder).into_iter().filter(|it| !self.paths().contains(it));
            return others
                .map(|other| format!("{} is not used: compose takes {taken}", name(&other)))
                .collect();
        }
        match (self.paths(), usual_files(&self.directory).as_slice()) {
            ([file], [usual, other]) if file == usual => vec![format!(
                "{} is not part of it, as with `docker compose --file={}`; without compose_file both are taken",
                name(other),
                name(file)
            )],
            _ => vec![],
        }
    }

    /// What it was deployed from: the files that its containers name, or what is remembered of a
    /// deployment by us; else the usual file in its folder. Nothing that is outside of the project
    /// folder. A project that is down is known by the folder we are in.
    ///
    /// # Errors
    /// DKR-014 when the folder that its containers name may not be read: every relative path of the
    /// files would begin there.
    pub(super) async fn of_project(
        context: &Context,
        project: &ProjectName,
        containers: &[Container],
    ) -> Result<Option<Self>, Error> {
        let workspace = &context.workspace;
        let Some(folder) = folder_of(workspace, containers)? else { return Ok(None) };
        let named = named_files(containers);
        if !named.is_empty() {
            return Ok(Self::of_files(workspace, folder, named));
        }
        let recalled = Self::recalled(context, project, &folder).await;
        if recalled.is_some() || containers.is_empty() {
            return Ok(recalled);
        }
        Ok(Self::usual(context, &folder).await.ok().flatten())
    }

    /// What these containers were deployed from for certain: the files that they name, or what is
    /// remembered of a deployment by us. A file that only has the usual name may be another one.
    pub(super) async fn of_deployment(
        context: &Context,
        project: &ProjectName,
        containers: &[Container],
    ) -> Option<Self> {
        let folder = folder_of(&context.workspace, containers).ok()??;
        match named_files(containers) {
            named if named.is_empty() => Self::recalled(context, project, &folder).await,
            named => Self::of_files(&context.workspace, folder, named),
        }
    }

    async fn recalled(context: &Context, project: &ProjectName, folder: &Path) -> Option<Self> {
        let record = remembered::recall(&context.workspace, project, folder)?;
        // Compose's choice may be another one now.
        match &record.found_in {
            Some(folder) => Self::usual(context, folder).await.ok().flatten(),
            None => Self::of_record(&context.workspace, record),
        }
    }

    /// Files are read again.
    fn of_record(workspace: &Workspace, record: Record) -> Option<Self> {
        let Record { directory, text, files, found_in, .. } = record;
        let from = match (text, files.as_slice()) {
            (Some(text), _) => From::Text(text),
            (None, [file]) => {
                let path = file.to_str()?.parse::<HostPath>().ok()?;
                let (path, text) = workspace.read_compose_file("compose_file", &path).ok()?;
                From::File(path, text)
            }
            (None, _) => From::Files(files),
        };
        Some(Self { directory, from, found_in })
    }

    /// What is to be remembered of a deployment with these variables.
    pub(super) fn record(&self, environment: &Environment) -> Record {
        let text = match &self.from {
            From::Text(text) => Some(text.clone()),
            From::File(..) | From::Files(_) => None,
        };
        Record {
            directory: self.directory.clone(),
            text,
            files: self.paths().to_vec(),
            given: Some(environment.iter().map(|(name, _)| name.to_string()).collect()),
            found_in: self.found_in.clone(),
        }
    }

    fn of_files(workspace: &Workspace, folder: PathBuf, files: Vec<PathBuf>) -> Option<Self> {
        if !files.iter().all(|file| file.starts_with(&workspace.folder)) {
            return None;
        }
        let from = match files.as_slice() {
            [file] => {
                let path = file.to_str()?.parse::<HostPath>().ok()?;
                let (path, text) = workspace.read_compose_file("compose_file", &path).ok()?;
                From::File(path, text)
            }
            _ => From::Files(files),
        };
        Some(Self { directory: folder, from, found_in: None })
    }

    /// Its texts, for the look at what they refer to before compose reads it.
    ///
    /// # Errors
    /// DKR-004 for a file that cannot be read.
    pub(super) fn texts(&self) -> Result<Vec<policy::Source>, Error> {
        let of_file = |path: &PathBuf, text: String| policy::Source {
            name: path.display().to_string(),
            text,
            path: Some(path.clone()),
        };
        match &self.from {
            From::Text(text) => {
                Ok(vec![policy::Source { name: self.name(), text: text.clone(), path: None }])
            }
            From::File(path, text) => Ok(vec![of_file(path, text.clone())]),
            From::Files(paths) => paths
                .iter()
                .map(|path| match Disk.read(path) {
                    Ok(text) => Ok(of_file(path, text)),
                    Err(problem) => {
                        let message = format!("{}: {problem}", path.display());
                        Err(Error::invalid("compose_file", message))
                    }
                })
                .collect(),
        }
    }

    /// What to call it in a message.
    pub(super) fn name(&self) -> String {
        match &self.from {
            From::Text(_) => "compose_yaml".to_owned(),
            From::File(path, _) => path.display().to_string(),
            From::Files(paths) => {
                paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// Where a project is: in the folder that its containers name; one without containers in ours.
fn folder_of(workspace: &Workspace, containers: &[Container]) -> Result<Option<PathBuf>, Error> {
    let folder = containers.iter().find_map(|container| container.label(labels::PROJECT_FOLDER));
    match (containers, folder) {
        ([], _) => Ok(Some(workspace.folder.clone())),
        (_, Some(folder)) if Path::new(folder).is_absolute() => {
            judged_folder(workspace, Path::new(folder)).map(Some)
        }
        _ => Ok(None),
    }
}

/// The files that containers name; what was deployed from standard input names none.
fn named_files(containers: &[Container]) -> Vec<PathBuf> {
    let files = containers.iter().find_map(|container| container.label(labels::PROJECT_FILES));
    let files = files.unwrap_or_default().split(',').map(Path::new);
    files.filter(|file| file.is_absolute()).map(Path::to_owned).collect()
}

/// The folder that a label names, which may be the word of anybody: labels of an image are labels of
/// its containers. Canonical, so that no link leads elsewhere later.
fn judged_folder(workspace: &Workspace, folder: &Path) -> Result<PathBuf, Error> {
    let located = Disk.locate(folder).path;
    // Our own folder is not always one that may be read as a whole: it may be somebody's home.
    if located != workspace.folder {
        workspace.policy.file(&located, true, "project folder", &Disk)?;
    }
    Ok(located)
}

/// A project whose files are not in our folder, where another one's may be.
fn elsewhere(workspace: &Workspace, containers: &[Container]) -> Option<Error> {
    let label = |key| containers.iter().find_map(|container| container.label(key));
    let folder = label(labels::PROJECT_FOLDER)?;
    let is_ours = Path::new(folder).starts_with(&workspace.folder);
    let from =
        label(labels::PROJECT_FILES).filter(|files| files.starts_with('/')).unwrap_or(folder);
    let error = Error::invalid("compose_file", "give compose_yaml or compose_file");
    (!is_ours).then(|| {
        error.hint(format!(
            "the project was deployed from {from}, which is outside of the project folder {}; the text of its file can be sent as compose_yaml",
            workspace.folder.display()
        ))
    })
}

/// One file with its text; several by their paths, each judged.
fn read_files(workspace: &Workspace, files: &[HostPath]) -> Result<(Vec<PathBuf>, From), Error> {
    let mut read = files
        .iter()
        .map(|file| workspace.read_compose_file("compose_file", file))
        .collect::<Result<Vec<_>, _>>()?;
    let paths: Vec<PathBuf> = read.iter().map(|(path, _)| path.clone()).collect();
    let from = match (read.pop(), read.is_empty()) {
        (Some((path, text)), true) => From::File(path, text),
        _ => From::Files(paths.clone()),
    };
    Ok((paths, from))
}

fn neither() -> Error {
    Error::invalid("compose_file", "give compose_yaml or compose_file")
        .hint("the project folder has no compose file; compose_file is a path that begins there, compose_yaml is the text of a compose file")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn files(sent: Value) -> Vec<String> {
        let ComposeFiles(files) = serde_json::from_value(sent).unwrap();
        files.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_are_one_path_or_several() {
        assert_eq!(files(json!("a.yml")), ["a.yml"]);
        assert_eq!(files(json!(["a.yml", "b.yml"])), ["a.yml", "b.yml"]);
        assert_eq!(files(json!(r#"["a.yml","b.yml"]"#)), ["a.yml", "b.yml"]);
        assert_eq!(files(json!("a.yml:sub/b.yml")), ["a.yml", "sub/b.yml"]);
        assert_eq!(files(json!("a.yml, b.yml")), ["a.yml", "b.yml"]);
        assert_eq!(files(json!(["a:b.yml"])), ["a:b.yml"]);
        for wrong in [json!([]), json!("-"), json!(["-"]), json!({}), json!("~/a.yml")] {
            assert!(serde_json::from_value::<ComposeFiles>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn text_is_yaml_or_an_object_but_not_a_path() {
        let text = |sent| serde_json::from_value::<ComposeText>(sent).map(|ComposeText(text)| text);
        assert_eq!(text(json!("services: {}")).unwrap(), "services: {}");
        assert_eq!(text(json!({"services": {}})).unwrap(), r#"{"services":{}}"#);
        for wrong in [json!(""), json!(" \n"), json!("./compose.yaml"), json!(["x"]), json!("a\0b")]
        {
            assert!(text(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_project_of_another_folder_is_not_told_to_take_the_file_of_this_one() {
        let workspace = Workspace::new("/srv/shop".into(), Arc::default());
        let container = |folder: &str| -> Container {
            serde_json::from_value(json!({"Config": {"Labels": {
                "com.docker.compose.project.working_dir": folder,
                "com.docker.compose.project.config_files": format!("{folder}/mine.yml"),
            }}}))
            .unwrap()
        };
        let hint = elsewhere(&workspace, &[container("/home/her")]).unwrap().hint.clone().unwrap();
        assert!(hint.contains("/home/her/mine.yml"), "{hint}");
        assert_eq!(elsewhere(&workspace, &[container("/srv/shop/sub")]), None);
        assert_eq!(elsewhere(&workspace, &[]), None);
    }

    #[test]
    fn the_files_that_containers_name_are_what_was_deployed() {
        let container = |files: &str| -> Container {
            serde_json::from_value(json!({"Config": {"Labels": {
                "com.docker.compose.project.config_files": files,
            }}}))
            .unwrap()
        };
        let files = named_files(&[container("/srv/a.yaml,/srv/b.yaml")]);
        assert_eq!(files, [Path::new("/srv/a.yaml"), Path::new("/srv/b.yaml")]);
        assert!(named_files(&[container("-")]).is_empty());
    }

    #[test]
    fn exactly_one_source_is_given() {
        let workspace = Workspace::new("/nowhere".into(), Arc::default());
        let text: ComposeText = serde_json::from_value(json!("services: {}")).unwrap();
        let files: ComposeFiles = serde_json::from_value(json!("a.yml")).unwrap();
        assert!(Source::given(&workspace, None, None).is_err());
        assert!(Source::given(&workspace, Some(&text), Some(&files)).is_err());
        let source = Source::given(&workspace, Some(&text), None).unwrap();
        assert_eq!(source.directory, Path::new("/nowhere"));
    }

    #[test]
    fn a_file_that_was_named_alone_tells_of_the_one_that_overrides_it() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other] = ["compose.yaml", "compose.override.yaml"].map(|name| {
            let path = folder.path().join(name);
            std::fs::write(&path, "services: {}").unwrap();
            path
        });
        let source = |from, found_in| Source { directory: folder.path().into(), from, found_in };
        let alone = source(From::File(file.clone(), String::new()), None).left_out();
        assert!(alone.concat().starts_with("compose.override.yaml is not part of it"), "{alone:?}");
        let both = From::Files(vec![file, other]);
        assert!(source(both.clone(), None).left_out().is_empty());
        assert!(source(both, Some(folder.path().into())).left_out().is_empty());
    }
}
