//! The names and numbers in docker's words.

use crate::error::Code;
use regex_lite::{Regex, RegexBuilder};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The longest value worth showing; names are far shorter.
const MAX_VALUE_CHARS: usize = 200;

/// What a message is about: `container`, `image`, `network`, `volume`, `port`, `service`, `key`,
/// `line` and `option` for the context, and `holder`, which hints name.
#[derive(Debug, Default)]
pub(super) struct Facts(BTreeMap<&'static str, String>);

/// A group's name is the fact's name. The first pattern that finds a fact decides it.
const PATTERNS: &[&str] = &[
    // Containers, and who holds what somebody else wants.
    r"no such container: (?<container>\S+)",
    r"no such container:path: (?<container>[^\s:]+):",
    r#"the container name "/?(?<container>[^"]+)" is already in use by container "(?<holder>\w+)"#,
    r#"\bcontainer "/?(?<container>[\w.-]+)""#,
    r"\bcontainer (?<container>[\w.-]+) is (?:already |not )?(?:running|paused|connected)\b",
    r"\bcontainer (?<container>[\w.-]+) is (?:unhealthy|restarting)\b",
    r"\bcontainer (?<container>[\w.-]+) (?:exited|has no healthcheck)",
    r"remove a (?:running|paused) container (?<container>\w+)",
    r"cannot (?:kill|stop|restart|update) container:? (?<container>[\w.-]+)",
    r"removal of container (?<container>[\w.-]+)",
    r"on endpoint (?<container>\S+) \(",
    r"endpoint with name (?<container>\S+) already exists",
    r"in container (?<container>[\w.-]+)$",
    r"published for (?<container>[\w.-]+)$",
    r"volume is in use - \[(?<holder>[0-9a-f]+)",
    r"container (?<holder>[0-9a-f]+) is using",
    r"stopped container (?<holder>[0-9a-f]+)",
    // Images.
    r"no such image: (?<image>\S+)",
    r"manifest for (?<image>\S+) not found",
    r"locally with the tag: (?<image>\S+)",
    r"unable to get image '(?<image>[^']+)'",
    r"image with reference (?<image>\S+) was found",
    r"pull access denied for (?<image>[^\s,]+)",
    r#"failed to resolve reference "(?<image>[^"]+)""#,
    r#"repository reference "(?<image>[^"]+)""#,
    r"unable to delete (?<image>[0-9a-f]+) ",
    // Volumes and networks.
    r"no such volume: (?<volume>\S+)",
    r"\bget (?<volume>\S+): no such volume",
    r"\bremove (?<volume>\S+): volume is in use",
    r#"external volume "(?<volume>[^"]+)""#,
    r"no such network: (?<network>\S+)",
    r"network (?<network>[\w.-]+) (?:not found|declared as external|has active|id [0-9a-f]+ has)",
    r#"external network "(?<network>[^"]+)""#,
    r"network with name (?<network>.+) already exists",
    r"(?:to the|in) network (?<network>[\w.-]+)$",
    r"create network (?<network>[\w.-]+): ",
    r"^(?<network>\w+) is a pre-defined network",
    // Ports; an address may be 0.0.0.0, :: or [::].
    r"bind for \S+:(?<port>\d+) failed",
    r"listen (?:tcp|udp)[46]? \S+:(?<port>\d+): bind",
    r"failed to bind host port (?:for )?(?:\[[^\]]*\]|[\d.]+|::):(?<port>\d+)",
    r"exposing port \w+ \S+:(?<port>\d+) ->", // Docker Desktop
    // Services, and places in compose files and Dockerfiles.
    r"no such service: (?<service>[^\s:]+)",
    r#"service "(?<service>[^"]+)""#,
    r"^validating .+?: +\(root\) additional property (?<property>.+?) is not allowed",
    r"^validating .+?: +(?<place>[\w.-]+) additional property (?<property>.+?) is not allowed",
    r"^validating .+?: +(?:(?<place>[\w.-]+) )?additional properties '(?<property>[^']+)'",
    r"^validating .+?: +(?<key>[\w-]+\.[\w.-]+) ",
    r"interpolating (?<key>\S+): ",
    r"interpolation format for (?<key>\S+)",
    r"'(?<key>\w+\[[^']+)'",
    r#"mapping key "(?<key>[^"]+)""#,
    r"^yaml: (?:unmarshal errors: )?line (?<line>\d+): ",
    r"^failed to (?:parse|read) .+?: (?:yaml: )?line (?<line>\d+): ",
    r"dockerfile parse error (?:on )?line (?<line>\d+)",
    // Options.
    r"unknown flag: (?<option>--[\w-]+)",
    r"unknown shorthand flag: '.' in (?<option>-\w+)",
    r#"for "(?:-\w, )?(?<option>--[\w-]+)" flag"#,
];

/// The facts that become context, in the order in which they are shown.
const SHOWN: [&str; 9] =
    ["container", "image", "network", "volume", "port", "service", "key", "line", "option"];

impl Facts {
    pub(super) fn of(code: Code, message: &str) -> Self {
        static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
            PATTERNS
                .iter()
                .map(|pattern| {
                    let regex = RegexBuilder::new(pattern).case_insensitive(true).build();
                    regex.expect("a pattern of this file is valid")
                })
                .collect()
        });

        // What was asked for is beside the point when docker itself is out of reach.
        if matches!(code, Code::DaemonNotAccessible | Code::PermissionDenied | Code::DockerMissing)
        {
            return Self::default();
        }
        let mut facts = BTreeMap::new();
        for regex in COMPILED.iter() {
            let Some(captures) = regex.captures(message) else { continue };
            for name in regex.capture_names().flatten() {
                if let Some(found) = captures.name(name) {
                    facts.entry(name).or_insert_with(|| shown(found.as_str()));
                }
            }
        }
        if let Some(property) = facts.remove("property") {
            let key = match facts.remove("place") {
                Some(place) => format!("{place}.{property}"),
                None => property,
            };
            facts.insert("key", key);
        }
        Self(facts)
    }

    pub(super) fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        SHOWN.into_iter().filter_map(|name| Some((name, self.0.get(name)?.as_str())))
    }

    /// A hint that names what the message names; `None` if the rule's own must do.
    pub(super) fn hint(&self, code: Code) -> Option<String> {
        match code {
            Code::NameConflict => self.0.get("holder").map(|holder| {
                format!(
                    "container {holder} has the name: choose another, or rename or remove that one"
                )
            }),
            Code::ResourceInUse => self
                .0
                .get("holder")
                .map(|holder| format!("container {holder} uses it and has to go first")),
            Code::UnsupportedVersion => self.0.get("option").map(|option| {
                format!(
                    "this version has no {option}: leave out the parameter that needs \
                     it, or update (docker-info shows the versions)"
                )
            }),
            _ => None,
        }
    }
}

/// Whole IDs become the twelve characters that docker shows elsewhere.
fn shown(value: &str) -> String {
    let id = value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit());
    value.chars().take(if id { 12 } else { MAX_VALUE_CHARS }).collect()
}
