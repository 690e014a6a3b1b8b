//! `docker system df`: what takes space. The daemon walks through every layer and every volume for
//! it, which can take a minute.

use std::time::Duration;

use serde::Deserialize;

use super::{Command, Effect, Invocation, Output, json};
use crate::error::Error;

/// Everything that takes space, object by object.
#[derive(Clone, Copy, Debug)]
pub struct DiskUsage {
    pub timeout: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Usage {
    pub images: Vec<Item>,
    pub containers: Vec<Item>,
    pub volumes: Vec<Item>,
    pub build_cache: Vec<Item>,
}

/// An image, a container, a volume or a piece of the build cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// Volumes have none.
    pub id: String,
    /// Empty for an image without a name.
    pub name: String,
    /// Of a container.
    pub state: String,
    /// The name of a container's image.
    pub image: String,
    pub project: Option<String>,
    /// How many use it: containers an image or a volume; of the build cache, builds that run now.
    pub users: u64,
    /// What would be free without it: of an image the layers that no other one has, of a container
    /// what it has written itself.
    pub own_bytes: u64,
    /// With what it shares with others.
    pub bytes: u64,
}

// The last entry of each list is null, because a template cannot leave out the last comma.
const USAGE: &str = concat!(
    r#"{"Images":[{{range .Images}}{"ID":{{json .ID}},"Name":{{json .Repository}},"Tag":{{json .Tag}},"Users":{{json .Containers}},"Size":{{json .Size}},"Own":{{json .UniqueSize}}},{{end}}null],"#,
    r#""Containers":[{{range .Containers}}{"ID":{{json .ID}},"Name":{{json .Names}},"State":{{json .State}},"Image":{{json .Image}},"Size":{{json .Size}},"Project":{{json (.Label "com.docker.compose.project")}}},{{end}}null],"#,
    r#""Volumes":[{{range .Volumes}}{"Name":{{json .Name}},"Users":{{json .Links}},"Size":{{json .Size}},"Project":{{json (.Label "com.docker.compose.project")}}},{{end}}null],"#,
    r#""BuildCache":[{{range .BuildCache}}{"ID":{{json .ID}},"InUse":{{json .InUse}},"Shared":{{json .Shared}},"Size":{{json .Size}}},{{end}}null]}"#,
);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    images: Vec<Option<RawItem>>,
    containers: Vec<Option<RawItem>>,
    volumes: Vec<Option<RawItem>>,
    build_cache: Vec<Option<RawItem>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawItem {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    tag: String,
    state: String,
    image: String,
    project: String,
    users: String,
    in_use: String,
    shared: String,
    size: String,
    own: Option<String>,
}

impl Command for DiskUsage {
    type Reply = Usage;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["system", "df"])
            .flag("--verbose", true)
            .option("--format", USAGE)
            .timeout(self.timeout)
    }

    fn parse(&self, output: &Output) -> Result<Usage, Error> {
        let raw: Raw = json::document(&output.stdout)?;
        let items = |raw: Vec<Option<RawItem>>| raw.into_iter().flatten().map(Item::from).collect();
        Ok(Usage {
            images: items(raw.images),
            containers: items(raw.containers),
            volumes: items(raw.volumes),
            build_cache: items(raw.build_cache),
        })
    }
}

impl From<RawItem> for Item {
    fn from(raw: RawItem) -> Self {
        let name = match (raw.name.as_str(), raw.tag.as_str()) {
            ("<none>", _) => String::new(),
            (name, "" | "<none>") => name.to_owned(),
            (name, tag) => format!("{name}:{tag}"),
        };
        // `3B (virtual 1.99MB)` for a container.
        let size = raw.size.split(" (").next().unwrap_or_default();
        let bytes = bytes(size).unwrap_or_default();
        let own_bytes = match raw.own {
            Some(own) => self::bytes(&own).unwrap_or_default(),
            // Layers of images, which are counted there.
            None if raw.shared == "true" => 0,
            None => bytes,
        };
        Self {
            id: raw.id,
            name: if raw.state.is_empty() { name } else { own_name(&name).to_owned() },
            state: raw.state,
            image: raw.image,
            project: (!raw.project.is_empty()).then_some(raw.project),
            users: raw.users.parse().unwrap_or(u64::from(raw.in_use == "true")),
            own_bytes,
            bytes,
        }
    }
}

/// With legacy links a container has further names, like `other/alias`.
fn own_name(names: &str) -> &str {
    names.split(',').find(|name| !name.contains('/')).unwrap_or(names)
}

/// `docker system df`, in sums: how much all images take, each layer counted once.
#[derive(Clone, Copy, Debug)]
pub struct ImagesTotal {
    pub timeout: Duration,
}

impl Command for ImagesTotal {
    type Reply = Option<u64>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["system", "df"])
            .option("--format", "{{.Type}}={{.Size}}")
            .timeout(self.timeout)
    }

    fn parse(&self, output: &Output) -> Result<Option<u64>, Error> {
        let size = output.stdout.lines().find_map(|line| line.trim().strip_prefix("Images="));
        Ok(size.and_then(bytes))
    }
}

/// `1.99MB` as docker prints sizes: three digits, powers of 1000. Nothing for `N/A`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size is positive")]
pub fn bytes(text: &str) -> Option<u64> {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)];
    let value = units.iter().find_map(|(unit, factor)| {
        Some(text.strip_suffix(unit)?.trim().parse::<f64>().ok()? * factor)
    })?;
    Some(value.max(0.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_prints_them() {
        let read = ["1.99MB", "0B", "12kB", "N/A", "3.5GB"].map(bytes);
        assert_eq!(read, [Some(1_990_000), Some(0), Some(12_000), None, Some(3_500_000_000)]);
    }

    #[test]
    fn what_takes_space_is_read() {
        let stdout = r#"{"Images":[{"ID":"sha256:a","Name":"fx/app","Tag":"1.0","Users":"1","Size":"1.99MB","Own":"3B"},{"ID":"sha256:b","Name":"<none>","Tag":"<none>","Users":"0","Size":"1.99MB","Own":"0B"},null],"Containers":[{"ID":"c","Name":"other/alias,web","State":"exited","Image":"fx/app:1.0","Size":"3B (virtual 1.99MB)","Project":"shop"},null],"Volumes":[{"Name":"data","Users":"0","Size":"N/A","Project":""},null],"BuildCache":[{"ID":"d","InUse":"false","Shared":"true","Size":"98B"},{"ID":"e","InUse":"true","Shared":"false","Size":"7B"},null]}"#;
        let usage = DiskUsage { timeout: Duration::ZERO };
        let read = usage.parse(&Output { stdout: stdout.into(), ..Output::default() }).unwrap();
        let shown = |items: &[Item]| {
            let shown = items.iter().map(|item| {
                let project = item.project.as_deref().unwrap_or("-");
                format!("{}|{}|{}|{}|{project}", item.name, item.users, item.bytes, item.own_bytes)
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(&read.images), "fx/app:1.0|1|1990000|3|- |0|1990000|0|-");
        assert_eq!(shown(&read.containers), "web|0|3|3|shop");
        assert_eq!(shown(&read.volumes), "data|0|0|0|-");
        assert_eq!(shown(&read.build_cache), "|0|98|0|- |1|7|7|-");
    }
}
