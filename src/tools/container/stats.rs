use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lifecycle::inspect;
use crate::command::values::ContainerRef;
use crate::command::{Command, Effect, Invocation, Output, json};
use crate::error::{Code, Error};
use crate::sort;
use crate::tools::filters::limited;
use crate::tools::reply::Listing;
use crate::tools::{Context, Spec, Tool, Toolset};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContainerStats {
    /// The container, by name or ID; default all that run.
    container_name: Option<ContainerRef>,
}

#[derive(Debug, Serialize)]
pub(super) struct Reply {
    stats: Vec<Usage>,
    /// When there are more than are shown.
    total: Option<usize>,
}

/// What docker prints in four digits, in bytes.
#[derive(Debug, PartialEq, Serialize)]
struct Usage {
    name: String,
    cpu_percent: Option<f64>,
    memory_bytes: Option<u64>,
    memory_limit_bytes: Option<u64>,
    memory_percent: Option<f64>,
    net_rx: Option<u64>,
    net_tx: Option<u64>,
    block_read: Option<u64>,
    block_write: Option<u64>,
    pids: Option<u64>,
}

impl Tool for ContainerStats {
    const SPEC: Spec = Spec {
        name: "container-stats",
        title: "Resource usage",
        description: "CPU, memory, network and disk use of running containers now (`docker stats`, `docker \
                      top`): which container uses most memory or CPU; takes 2 s. Limits: \
                      inspect-container.",
        toolset: Toolset::Containers,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Listing<Reply>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let container = match &self.container_name {
            Some(container) => Some(inspect(context, container).await?),
            None => None,
        };
        if let Some(container) = &container
            && !container.state.running
        {
            let (name, state) = (container.name(), container.state.status.as_str());
            let message = format!("container {name} uses nothing: it is {state}");
            return Err(Error::new(Code::WrongState, message)
                .with("container", name)
                .hint("start-container starts it; without container_name all that run are told"));
        }
        let query = Stats { container: container.map(|container| container.id) };
        let (stats, total) = limited(context.docker.run(&query).await?, None);
        Ok(Listing { list: "stats", reply: Reply { stats, total } })
    }
}

/// `docker container stats`, which waits for the second sample.
struct Stats {
    container: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    cpu: String,
    memory: String,
    memory_percent: String,
    network: String,
    blocks: String,
    pids: String,
}

const ROW: &str = r#"{"name":{{json .Name}},"cpu":{{json .CPUPerc}},"memory":{{json .MemUsage}},"memory_percent":{{json .MemPerc}},"network":{{json .NetIO}},"blocks":{{json .BlockIO}},"pids":{{json .PIDs}}}"#;

impl Command for Stats {
    type Reply = Vec<Usage>;

    fn invocation(&self) -> Invocation {
        Invocation::docker(Effect::Read, ["container", "stats"])
            .flag("--no-stream", true)
            .option("--format", ROW)
            .operands(&self.container)
    }

    fn parse(&self, output: &Output) -> Result<Vec<Usage>, Error> {
        let rows: Vec<Row> = json::rows(&output.stdout)?;
        // One that ended in between has dashes everywhere.
        let mut stats: Vec<Usage> = rows.iter().filter(|row| row.name != "--").map(usage).collect();
        sort::by(&mut stats, |a, b| {
            let cpu = |usage: &Usage| usage.cpu_percent.unwrap_or(-1.0);
            cpu(b).total_cmp(&cpu(a)).then_with(|| a.name.cmp(&b.name))
        });
        Ok(stats)
    }
}

fn usage(row: &Row) -> Usage {
    let (memory_bytes, memory_limit_bytes) = two(&row.memory);
    let (net_rx, net_tx) = two(&row.network);
    let (block_read, block_write) = two(&row.blocks);
    Usage {
        name: row.name.clone(),
        cpu_percent: percent(&row.cpu),
        memory_bytes,
        memory_limit_bytes,
        memory_percent: percent(&row.memory_percent),
        net_rx,
        net_tx,
        block_read,
        block_write,
        pids: row.pids.parse().ok(),
    }
}

fn percent(text: &str) -> Option<f64> {
    text.trim_end_matches('%').parse().ok()
}

/// `384KiB / 23.54GiB`.
fn two(text: &str) -> (Option<u64>, Option<u64>) {
    let (first, second) = text.split_once('/').unwrap_or((text, ""));
    (bytes(first), bytes(second))
}

/// `4.46kB`, `23.54GiB`: units of 1000 and of 1024.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rounded size, not negative, below 2^63"
)]
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(char::is_alphabetic)?);
    let (prefix, base) = match unit.strip_suffix("iB") {
        Some(prefix) => (prefix, 1024.0),
        None => (unit.strip_suffix('B')?, 1000.0_f64),
    };
    let power = match prefix {
        "" => 0,
        "k" | "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    (number >= 0.0).then(|| (number * base.powi(power)).round() as u64)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn argv_of_container_stats() {
        let argv = |container: Option<&str>| {
            let stats = Stats { container: container.map(str::to_owned) };
            stats.invocation().to_string().replace(ROW, "ROW")
        };
        assert_snapshot!(argv(None), @"docker container stats --no-stream '--format=ROW'");
        assert_snapshot!(argv(Some("web")), @"docker container stats --no-stream '--format=ROW' -- web");
    }

    #[test]
    fn sizes_become_bytes() {
        assert_eq!(bytes("384KiB"), Some(393_216));
        assert_eq!(bytes(" 23.54GiB"), Some(25_275_882_537));
        assert_eq!(bytes("4.46kB "), Some(4460));
        assert_eq!(bytes("0B"), Some(0));
        assert_eq!(bytes("--"), None);
        assert_eq!(bytes("-1.5kB"), None);
    }

    #[test]
    fn the_busiest_come_first_and_one_that_is_gone_is_left_out() {
        let row = |name: &str, cpu: &str| {
            format!(
                r#"{{"name":"{name}","cpu":"{cpu}","memory":"524KiB / 64MiB","memory_percent":"0.80%","network":"606B / 1.2kB","blocks":"0B / 0B","pids":"1"}}"#
            )
        };
        let stdout = [row("a", "0.10%"), row("--", "--"), row("b", "210.5%")].join("\n");
        let output = Output { stdout, ..Output::default() };
        let stats = Stats { container: None }.parse(&output).unwrap();
        let names: Vec<_> = stats.iter().map(|usage| usage.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        let b = stats.first().unwrap();
        assert_eq!((b.cpu_percent, b.memory_percent, b.pids), (Some(210.5), Some(0.8), Some(1)));
        assert_eq!((b.memory_bytes, b.memory_limit_bytes), (Some(536_576), Some(67_108_864)));
        assert_eq!((b.net_rx, b.net_tx), (Some(606), Some(1200)));
    }
}
