//! Listing volumes, and looking at them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::disk::bytes;
use super::json::or_default;
use super::{Command, Effect, Invocation, Output, json, labels, time};
use crate::error::Error;
use crate::sort;

/// On a volume that a container got without naming one, since 23.0.
const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

/// `docker volume ls`: names only. Everything else is exact in [`InspectVolumes`].
#[derive(Clone, Debug, Default)]
pub struct ListVolumes {
    /// `--filter` values (`dangling=true`).
    pub filters: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRow {
    name: String,
}

impl Command for ListVolumes {
    type Reply = Vec<String>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["volume", "ls"])
            .each("--filter", &self.filters)
            .option("--format", r#"{"Name":{{json .Name}}}"#)
    }

    /// Sorted.
    fn parse(&self, output: &Output) -> Result<Vec<String>, Error> {
        let rows: Vec<RawRow> = json::rows(&output.stdout)?;
        let mut names: Vec<String> = rows.into_iter().map(|row| row.name).collect();
        names.sort();
        Ok(names)
    }
}

/// `docker volume inspect`.
#[derive(Clone, Debug)]
pub struct InspectVolumes {
    pub volumes: Vec<String>,
    /// One that vanished since it was listed is left out instead of failing the call.
    pub may_vanish: bool,
}

impl InspectVolumes {
    pub fn one(volume: &str) -> Self {
        Self { volumes: vec![volume.to_owned()], may_vanish: false }
    }

    /// By names from a listing.
    pub fn listed(names: Vec<String>) -> Self {
        Self { volumes: names, may_vanish: true }
    }
}

impl Command for InspectVolumes {
    type Reply = Vec<Volume>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["volume", "inspect"]).operands(&self.volumes)
    }

    fn accepts(&self, output: &Output) -> bool {
        output.exit_code == 0
            || (self.may_vanish && output.stderr.to_lowercase().contains("no such volume"))
    }

    fn parse(&self, output: &Output) -> Result<Vec<Volume>, Error> {
        json::document(&output.stdout)
    }
}

/// A volume as the daemon describes it. It has no ID: name and time of creation together are one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Volume {
    pub name: String,
    pub driver: String,
    pub mountpoint: String,
    pub created_at: String,
    pub scope: String,
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// Options of the driver.
    #[serde(deserialize_with = "or_default")]
    pub options: BTreeMap<String, String>,
}

impl Volume {
    /// The compose project that it belongs to.
    pub fn project(&self) -> Option<&str> {
        self.labels.get(labels::PROJECT).map(String::as_str)
    }

    /// Whether docker made its name up: since 23.0 a label says so.
    pub fn is_anonymous(&self) -> bool {
        is_random(&self.name) || self.labels.contains_key(ANONYMOUS_LABEL)
    }

    /// RFC 3339, UTC.
    pub fn created(&self) -> String {
        time::from_docker(&self.created_at)
    }
}

/// Docker names a volume that nobody named with 64 hexadecimal digits.
pub fn is_random(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The sizes of all volumes by `docker system df`, which walks every file of every volume and
/// every layer: only when somebody asks.
#[derive(Clone, Debug)]
pub struct VolumeSizes {
    pub timeout: Duration,
}

impl VolumeSizes {
    /// Where the answer is worth something without them: volumes of many files take longer.
    pub const IN_PASSING: Self = Self { timeout: Duration::from_secs(5) };
}

// The last entry is null, because a template cannot leave out the last comma. Lines would need a
// `\n`, which the client turns into a line end before it reads the template.
const SIZES: &str =
    r#"[{{range .Volumes}}{"Name":{{json .Name}},"Size":{{json .Size}}},{{end}}null]"#;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSize {
    name: String,
    size: String,
}

impl Command for VolumeSizes {
    /// Bytes by name, as docker rounds them. A driver that cannot tell has none.
    type Reply = BTreeMap<String, u64>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["system", "df"])
            .flag("--verbose", true)
            .option("--format", SIZES)
            .timeout(self.timeout)
    }

    fn parse(&self, output: &Output) -> Result<Self::Reply, Error> {
        let rows: Vec<Option<RawSize>> = json::document(&output.stdout)?;
        let rows = rows.into_iter().flatten();
        Ok(sort::map(rows.filter_map(|row| Some((row.name, bytes(&row.size)?)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &str) -> Output {
        Output { stdout: stdout.to_owned(), ..Output::default() }
    }

    #[test]
    fn volumes_are_read_from_old_and_new_daemons() {
        let stdout = r#"[
            {"CreatedAt":"2026-11-22T06:00:53Z","Driver":"local","Labels":null,"Mountpoint":"/v","Name":"a","Options":null,"Scope":"local"},
            {"Driver":"local","Labels":{"com.docker.compose.project":"shop"},"Name":"b","Options":{"type":"tmpfs"}}
        ]"#;
        let volumes = InspectVolumes::one("a").parse(&output(stdout)).unwrap();
        assert_eq!(volumes[0].created(), "2026-11-22T06:00:53Z");
        assert_eq!(volumes[0].project(), None);
        assert_eq!((volumes[1].project(), volumes[1].created().as_str()), (Some("shop"), ""));
        assert_eq!(volumes[1].options["type"], "tmpfs");
    }

    #[test]
    fn one_that_vanished_is_left_out_of_a_listing() {
        for stderr in ["Error: No such volume: b", "get b: no such volume"] {
            let gone = Output { exit_code: 1, stderr: stderr.to_owned(), ..output("[]") };
            assert!(InspectVolumes::listed(vec![]).accepts(&gone));
            assert!(!InspectVolumes::one("b").accepts(&gone));
        }
    }

    #[test]
    fn sizes_are_told_where_they_are_known() {
        let sizes = VolumeSizes { timeout: Duration::from_secs(1) };
        let stdout = r#"[{"Name":"a","Size":"100kB"},{"Name":"nfs","Size":"N/A"},null]"#;
        let read = sizes.parse(&output(stdout)).unwrap();
        assert_eq!(read.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 100_000)]);
        assert!(sizes.parse(&output("[null]")).unwrap().is_empty());
    }
}
