use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::values::{Bounded, FilterValue};
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::error::{Code, Error};
use crate::tools::reply::Structured;
use crate::tools::{Context, Spec, Tool, Toolset};

const LIMIT: u32 = 25;
const DESCRIPTION_CHARS: usize = 120;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchImages {
    /// Words to search for, or registry/words.
    query: FilterValue,
    /// The most entries to return; default 25.
    limit: Option<Bounded<1, 100>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    images: Vec<Found>,
}

/// One repository. Everything but the name is what its owner says.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Found {
    name: String,
    description: String,
    stars: u64,
    official: bool,
}

impl Tool for SearchImages {
    const SPEC: Spec = Spec {
        name: "search-images",
        title: "Search images",
        description: "Search Docker Hub (`docker search`). Local: list-images.",
        toolset: Toolset::Images,
        effect: Effect::Read,
        idempotent: true,
        open_world: true,
    };
    type Reply = Structured<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let search = Search { query: self.query, limit: self.limit.map_or(LIMIT, Bounded::get) };
        let found = context.docker.run(&search).await;
        let images =
            found.map_err(|error| explained(error).with("query", search.query.as_str()))?;
        Ok(Structured(Reply { images }))
    }
}

fn explained(mut error: Error) -> Error {
    // Few registries but Docker Hub have it: it is no part of the protocol of today.
    if error.message.contains("status code 404") {
        error.code = Code::RegistryUnreachable;
        return error.hint("this registry cannot search: name the image and its tag, and pull it");
    }
    error
}

/// `docker search`.
struct Search {
    query: FilterValue,
    limit: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    name: String,
    description: String,
    star_count: String,
    is_official: String,
}

// Every column is text, also the number. 20.10 has all of these.
const ROW: &str = r#"{"Name":{{json .Name}},"Description":{{json .Description}},"StarCount":"{{.StarCount}}","IsOfficial":"{{.IsOfficial}}"}"#;

impl Command for Search {
    type Reply = Vec<Found>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["search"])
            .flag("--no-trunc", true)
            .option("--limit", self.limit)
            .option("--format", ROW)
            .operands([&self.query])
    }

    fn parse(&self, output: &Output) -> Result<Vec<Found>, Error> {
        let rows: Vec<Row> = json::rows(&output.stdout)?;
        let found = rows.into_iter().map(|row| Found {
            description: row.description.chars().take(DESCRIPTION_CHARS).collect(),
            stars: row.star_count.parse().unwrap_or_default(),
            official: matches!(row.is_official.as_str(), "[OK]" | "true"),
            name: row.name,
        });
        Ok(found.collect())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn search() -> Search {
        Search { query: "-web server".parse().unwrap(), limit: 5 }
    }

    #[test]
    fn argv_of_search_images() {
        assert_snapshot!(search().invocation(), @r#"docker search --no-trunc --limit=5 '--format={"Name":{{json .Name}},"Description":{{json .Description}},"StarCount":"{{.StarCount}}","IsOfficial":"{{.IsOfficial}}"}' -- '-web server'"#);
    }

    #[test]
    fn what_was_found_is_read() {
        let stdout = "{\"Name\":\"nginx\",\"Description\":\"Official build\",\"StarCount\":\"20000\",\"IsOfficial\":\"[OK]\"}\n{\"Name\":\"a/nginx\",\"Description\":\"\",\"StarCount\":\"0\",\"IsOfficial\":\"\"}\n";
        let output = Output { stdout: stdout.into(), ..Output::default() };
        let found = search().parse(&output).unwrap();
        assert_eq!(
            (found[0].name.as_str(), found[0].stars, found[0].official),
            ("nginx", 20000, true)
        );
        assert!(!found[1].official);
    }

    #[test]
    fn a_registry_without_search_is_told_apart() {
        let error = explained(Error::new(Code::DockerFailed, "Unexpected status code 404"));
        assert_snapshot!(error, @r#"
        Error: DKR-011 registry_unreachable: Unexpected status code 404
        hint: this registry cannot search: name the image and its tag, and pull it
        "#);
    }
}
