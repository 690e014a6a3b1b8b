//! Whose objects a plan would remove: those of another project than the one in our folder are told
//! as such.

use std::path::Path;

use serde_json::{Map, Value};

use crate::command::labels;
use crate::command::{Command, Effect, Invocation, Output};
use crate::confirm::Asked;
use crate::error::Error;
use crate::tool::Context;

/// Adds the folders of foreign projects to a plan and to the question about it. Not to know them is
/// no reason to fail.
pub async fn name_foreign_projects(context: &Context, plan: &mut Value, asked: &mut Asked) {
    let removes = plan.pointer("/plan/removes").and_then(Value::as_array).into_iter().flatten();
    let mut projects: Vec<String> =
        removes.filter_map(|object| object["project"].as_str()).map(str::to_owned).collect();
    projects.sort();
    projects.dedup();
    let mut foreign = Map::new();
    for project in projects {
        let folders = context.docker.run(&Folders(&project)).await.unwrap_or_default();
        let is_foreign =
            |folder: &&String| !Path::new(folder).starts_with(&context.workspace.folder);
        if let Some(folder) = folders.iter().find(is_foreign) {
            let own = context.workspace.folder.display();
            asked.question.push_str(&format!(
                "\nProject {project} belongs to {folder}, not to this one in {own}."
            ));
            foreign.insert(project, Value::from(folder.as_str()));
        }
    }
    if let (Value::Object(plan), false) = (plan, foreign.is_empty()) {
        plan.insert("of_another_folder".to_owned(), Value::Object(foreign));
    }
}

/// `docker container ls`: the folders from which a project was deployed.
struct Folders<'a>(&'a str);

impl Command for Folders<'_> {
    type Reply = Vec<String>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "ls"])
            .flag("--all", true)
            .option("--filter", labels::of_project(self.0))
            .option("--format", r#"{{.Label "com.docker.compose.project.working_dir"}}"#)
    }

    fn parse(&self, output: &Output) -> Result<Vec<String>, Error> {
        let mut folders: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
        folders.retain(|folder| !folder.is_empty());
        folders.sort();
        folders.dedup();
        Ok(folders)
    }
}
