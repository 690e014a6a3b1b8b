//! A docker whose objects are those of `world.json` beside it: it answers what is asked about them,
//! and changes nothing.
//!
//! `containers`, `volumes`, `images` and `networks` are documents as `inspect` prints them; `written`
//! has the lines of `container diff` by name; `project` is what `compose config` prints.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

const PROJECT: &str = "com.docker.compose.project";

pub(crate) fn answer(world: &Path, argv: &[String]) -> io::Result<ExitCode> {
    let world: Value = serde_json::from_str(&std::fs::read_to_string(world)?)?;
    let end = argv.iter().position(|word| word == "--").unwrap_or(argv.len());
    let (options, operands) = argv.split_at(end);
    let line = Line { world, options, operands: operands.get(1..).unwrap_or_default() };
    let words: Vec<&str> =
        options.iter().map(String::as_str).filter(|it| !it.starts_with('-')).collect();
    let (printed, complaint) = match words[..] {
        [kind @ ("container" | "volume" | "image" | "network"), "inspect"] => line.inspect(kind),
        [kind @ ("container" | "volume" | "image" | "network"), "ls"] => (line.list(kind), None),
        ["container", "diff"] => {
            let name = line.operands.first().map_or("", String::as_str);
            let found = line.found("container", name).cloned().unwrap_or_default();
            (text(&line.world["written"][name_of(&found)]).to_owned(), None)
        }
        ["version"] => (json!({
            "Client": {"Version": "28.5.2"},
            "Server": {"Version": "28.5.2", "ApiVersion": "1.51", "Os": "linux", "Arch": "amd64"},
        }).to_string(), None),
        ["system", "df"] => ("[null]".to_owned(), None),
        ["compose", "config"] if line.values("--hash").next().is_some() => {
            ("web x\ndb x\n".to_owned(), None)
        }
        ["compose", "config"] => (line.model()?, None),
        ["compose", "version"] => (json!({"version": "2.40.3"}).to_string(), None),
        ["compose", ..] | ["events"] | ["system", "events"] => (String::new(), None),
        _ => (String::new(), Some(format!("the world has no answer to {argv:?}"))),
    };
    io::stdout().write_all(printed.as_bytes())?;
    match complaint {
        None => Ok(ExitCode::SUCCESS),
        Some(complaint) => {
            writeln!(io::stderr(), "Error response from daemon: {complaint}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

struct Line<'a> {
    world: Value,
    options: &'a [String],
    operands: &'a [String],
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn name_of(object: &Value) -> &str {
    let tag = list(&object["RepoTags"]).first().map_or("", text);
    let name = text(&object["Name"]).trim_start_matches('/');
    if name.is_empty() { tag } else { name }
}

fn labels(object: &Value) -> &Value {
    let own = &object["Labels"];
    if own.is_object() { own } else { &object["Config"]["Labels"] }
}

impl Line<'_> {
    fn all(&self, kind: &str) -> &[Value] {
        list(&self.world[format!("{kind}s")])
    }

    fn found(&self, kind: &str, asked: &str) -> Option<&Value> {
        let full = |name: &str| name == asked || name == format!("{asked}:latest");
        self.all(kind).iter().find(|object| {
            let id = text(&object["Id"]);
            let is_id = asked.len() >= 4 && id.trim_start_matches("sha256:").starts_with(asked);
            let mut tags = list(&object["RepoTags"]).iter().map(text);
            full(name_of(object)) || tags.any(full) || is_id || id == asked
        })
    }

    fn inspect(&self, kind: &str) -> (String, Option<String>) {
        let mut missing = None;
        let mut found = vec![];
        for name in self.operands {
            match self.found(kind, name) {
                Some(object) => found.push(object.clone()),
                None => missing = Some(format!("No such {kind}: {name}")),
            }
        }
        (Value::Array(found).to_string(), missing)
    }

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|word| word == option)
    }

    fn values(&self, option: &str) -> impl Iterator<Item = &str> {
        self.options.iter().filter_map(move |word| word.strip_prefix(option)?.strip_prefix('='))
    }

    fn passes(&self, kind: &str, object: &Value) -> bool {
        let users = |volume: &str| {
            let mounts = self.all("container").iter().flat_map(|it| list(&it["Mounts"]));
            mounts.into_iter().any(|mount| text(&mount["Name"]) == volume)
        };
        let status = text(&object["State"]["Status"]);
        let is_running = matches!(status, "running" | "paused" | "restarting");
        // Whoever asks for a state means those that do not run, too.
        let is_all =
            self.has("--all") || self.values("--filter").any(|it| it.starts_with("status="));
        if kind == "container" && !is_all && !is_running {
            return false;
        }
        self.values("--filter").all(|filter| {
            let (key, value) = filter.split_once('=').unwrap_or((filter, ""));
            match key {
                "label" => match value.split_once('=') {
                    Some((key, value)) => text(&labels(object)[key]) == value,
                    None => labels(object)[value].is_string(),
                },
                "name" => name_of(object).contains(value),
                "status" => status == value,
                "volume" => list(&object["Mounts"]).iter().any(|it| text(&it["Name"]) == value),
                "ancestor" => object["Image"] == value,
                "dangling" if kind == "volume" => users(name_of(object)) != (value == "true"),
                "dangling" => list(&object["RepoTags"]).is_empty() == (value == "true"),
                _ => true,
            }
        })
    }

    fn list(&self, kind: &str) -> String {
        let chosen = self.all(kind).iter().filter(|object| self.passes(kind, object));
        chosen.flat_map(|object| self.rows(kind, object)).map(|row| row + "\n").collect()
    }

    fn rows(&self, kind: &str, object: &Value) -> Vec<String> {
        let id = text(&object["Id"]);
        let short = id.trim_start_matches("sha256:").get(..12).unwrap_or(id).to_owned();
        let name = name_of(object).to_owned();
        let template = self.values("--format").next().unwrap_or_default();
        if self.has("--quiet") {
            return vec![if kind == "volume" { name } else { short }];
        }
        if template == "{{.Names}}" || template == "{{.Name}}" {
            return vec![name];
        }
        if !template.starts_with('{') || template.starts_with("{{") {
            return vec![format!("{short}   {name}   {}", text(&object["State"]["Status"]))];
        }
        let mounts: Vec<&str> = list(&object["Mounts"])
            .iter()
            .map(|mount| {
                if mount["Name"].is_string() {
                    text(&mount["Name"])
                } else {
                    text(&mount["Source"])
                }
            })
            .collect();
        let names: Vec<String> = match list(&object["RepoTags"]) {
            [] if kind == "image" => vec!["<none>:<none>".to_owned()],
            [] => vec![name],
            tags => tags.iter().map(|tag| text(tag).to_owned()).collect(),
        };
        let row = |name: &String| {
            let (repository, tag) = name.rsplit_once(':').unwrap_or((name, ""));
            json!({
                "ID": id, "Name": name, "Names": name, "Image": text(&object["Config"]["Image"]),
                "CreatedAt": "2026-01-01 10:00:00 +0000 UTC", "State": text(&object["State"]["Status"]),
                "Status": "Up 3 minutes", "Ports": "", "Mounts": mounts.join(","), "Networks": "bridge",
                "Project": text(&labels(object)[PROJECT]), "Driver": "bridge", "Scope": "local",
                "Service": text(&labels(object)["com.docker.compose.service"]),
                "Repository": repository, "Tag": tag, "Digest": "<none>", "Internal": "false",
            })
            .to_string()
        };
        names.iter().map(row).collect()
    }

    /// The project, as the text on the standard input changes it.
    fn model(&self) -> io::Result<String> {
        let mut given = String::new();
        io::stdin().read_to_string(&mut given)?;
        let mut model = self.world["project"].clone();
        if let Some(name) = self.values("--project-name").next() {
            model["name"] = name.into();
        }
        if given.contains("privileged: true") {
            model["services"]["web"]["privileged"] = true.into();
        }
        if given.contains("docker.sock") {
            let socket = "/var/run/docker.sock";
            model["services"]["web"]["volumes"] =
                json!([{"type": "bind", "source": socket, "target": socket}]);
        }
        Ok(model.to_string())
    }
}
