//! Separates what docker says from what else it prints: progress, usage, quoted build output.

use regex_lite::Regex;
use std::sync::LazyLock;

const MAX_TAIL_LINES: usize = 20;
const MAX_TAIL_CHARS: usize = 2_000;

/// The standard error of a failed command, sorted.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The lines in which docker itself speaks, without `docker: `; rules look only at these.
    pub(super) lines: Vec<String>,
    /// Whether progress was printed: something had been done before the failure.
    pub(super) progress: bool,
    /// Lines that were quoted from elsewhere, such as the output of a build step.
    quoted: usize,
    /// The end of all of it, usage left out.
    tail: String,
}

impl Said {
    /// The end of the text, if there is any.
    pub(super) fn tail(&self) -> Option<String> {
        (!self.tail.is_empty()).then(|| self.tail.clone())
    }

    /// The end of the text, if it holds more than the `used` lines that went into the message.
    pub(super) fn tail_beyond(&self, used: usize) -> Option<String> {
        if self.lines.len() + self.quoted > used { self.tail() } else { None }
    }
}

pub(super) fn clean(stderr: &str) -> Said {
    let text = plain(stderr);
    let text = without_usage(text.trim_end().trim_start_matches('\n'));
    if let Some(message) = compose_json_error(text) {
        let lines = message.lines().filter(|line| !line.trim().is_empty());
        let lines: Vec<_> = lines.map(|line| without_full_stop(line.trim()).to_owned()).collect();
        return Said { tail: lines.join("\n"), lines, progress: true, quoted: 0 };
    }

    let mut said = Said::default();
    let mut kept = vec![];
    let mut in_passing = None;
    let mut last_quoted = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line = line.strip_prefix("docker: ").unwrap_or(line).trim_end();
        match kind(line) {
            Kind::Machine => {
                said.progress = true;
                continue;
            }
            Kind::Progress => {
                said.progress = true;
                in_passing = progress_error(line).or(in_passing);
            }
            Kind::Notice => {}
            Kind::Echo => in_passing = in_passing.or(Some(line)),
            Kind::Quoted => {
                said.quoted += 1;
                last_quoted = Some(line);
            }
            Kind::Docker => said.lines.push(without_full_stop(line.trim()).to_owned()),
        }
        kept.push(line);
    }
    if said.lines.is_empty() {
        let cause = in_passing.or(last_quoted);
        said.lines.extend(cause.map(|line| without_full_stop(line.trim()).to_owned()));
    }
    said.tail = tail(&kept);
    said
}

/// What a line of standard error is.
#[derive(Clone, Copy)]
enum Kind {
    /// Docker's own words about the failure.
    Docker,
    /// Somebody else's words: a build step's output, a piece of a Dockerfile. No rule may look at
    /// them, but they are better than nothing.
    Quoted,
    /// A step that was begun or done.
    Progress,
    /// A warning that has nothing to do with the failure.
    Notice,
    /// A second line that only says that it failed; the cause if there is no other.
    Echo,
    /// Progress as JSON.
    Machine,
}

/// The first pattern that fits decides; a line that fits none is docker's.
static KINDS: LazyLock<Vec<(Kind, Regex)>> = LazyLock::new(|| {
    let table = [
        // Compose puts this refusal to scale into the form of a warning.
        (Kind::Docker, r#"^WARNING: The ""#),
        (Kind::Notice, r"^WARNING: |^DEPRECATED: |^Unable to find image '"),
        (Kind::Notice, r#"^time="[^"]*" level=(warning|info|debug) "#),
        (Kind::Notice, r"^ {8,}(BuildKit is currently|environment-variable)"),
        (Kind::Echo, r"^(Error: )?failed to (start containers|rename container named)\b"),
        (Kind::Echo, r#"^time="[^"]*" level=error msg="error waiting for container: context "#),
        // Docker 28 and 29 print it after a failed `network rm`.
        (Kind::Notice, r"^exit status 1$"),
        (Kind::Progress, r"^  ?(DRY-RUN MODE - +)?(Container|Network|Volume|Image|Service) "),
        (Kind::Progress, r"^  ?(Secret|Config) "),
        (Kind::Progress, r"^ \S+ (Pulling|Pulled|Building|Built|Skipped|Warning|Error)\b"),
        // The layers of a pull; `Already exists` is one of the things they say.
        (Kind::Progress, r"^ ?[0-9a-f]{12}:? |^\S+: Pulling from |^(Digest|Status): "),
        (Kind::Progress, r"^#\d+ |^-{4,}$"),
        // BuildKit's summary of the step that failed.
        (Kind::Quoted, r"^ *\d+ \||^ > \[|^\d+\.\d{3} |^\S+:\d+$"),
        // `--progress=rawjson`, which buildx 0.13 prints over many lines.
        (Kind::Machine, r#"^\{"(vertexes|statuses|logs|warnings)":"#),
        (Kind::Machine, r#"^ {2,}"(vertexes|statuses|logs|warnings)": \["#),
        (Kind::Quoted, r#"^ {2,}"|^ *[\[\]{}]+,?$"#),
        // `compose --progress=json`.
        (Kind::Machine, r#"^\{"id":"[^"]*","(parent_id|text|status)":"#),
    ];
    table.map(|(kind, pattern)| (kind, compile(pattern))).into()
});

fn kind(line: &str) -> Kind {
    KINDS.iter().find(|(_, regex)| regex.is_match(line)).map_or(Kind::Docker, |(kind, _)| *kind)
}

/// The cause in ` Container web-1  Error response from daemon: …`, for when nothing repeats it.
fn progress_error(line: &str) -> Option<&str> {
    static ERROR: LazyLock<Regex> =
        LazyLock::new(|| compile(r"^ .*?\bError (?:response from daemon: )?(.+)$"));
    Some(ERROR.captures(line)?.get(1)?.as_str())
}

/// One kind of line end, no escape sequences, no other control characters.
fn plain(text: &str) -> String {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]"));
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    ESCAPE
        .replace_all(&text, "")
        .replace('\t', " ")
        .replace(|c| c != '\n' && char::is_control(c), "")
}

/// Cuts the advice that follows a failure: `See 'docker …'` up to 27, `Run 'docker …'` from 28 on,
/// and the usage itself. A text that is nothing but usage keeps its first line.
fn without_usage(text: &str) -> &str {
    static USAGE: LazyLock<Regex> = LazyLock::new(|| {
        compile(r"\n\n(Usage:|Run 'docker|See 'docker)|\n(Run 'docker|See 'docker)")
    });
    if text.starts_with("Usage:") {
        return text.lines().next().unwrap_or_default();
    }
    USAGE.find(text).map_or(text, |usage| text.get(..usage.start()).unwrap_or(text))
}

/// Up to 27 a full stop was added to the cause when advice followed it.
fn without_full_stop(line: &str) -> &str {
    match line.strip_suffix('.') {
        Some(rest) if !rest.is_empty() && !rest.ends_with(['.', ' ']) => rest,
        _ => line,
    }
}

/// The last `{"error":true,"message":…}` that `compose --progress=json` prints (2.29 and later).
fn compose_json_error(text: &str) -> Option<String> {
    let line = text.lines().rev().find(|line| line.starts_with(r#"{"error":true"#))?;
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let message = plain(value.get("message")?.as_str()?);
    (!message.trim().is_empty()).then_some(message)
}

fn tail(lines: &[&str]) -> String {
    let last = lines.get(lines.len().saturating_sub(MAX_TAIL_LINES)..).unwrap_or_default();
    let text = last.join("\n");
    match text.char_indices().rev().nth(MAX_TAIL_CHARS - 2) {
        Some((start, _)) if start > 0 => format!("…{}", text.get(start..).unwrap_or_default()),
        _ => text,
    }
}

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this file is valid")
}
