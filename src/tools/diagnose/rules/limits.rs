//! What a server refuses because one of its own settings is reached: the fault is there, not in the
//! client whose log tells it.

use super::View;
use crate::tools::diagnose::facts::{Facts, Subject};
use crate::tools::diagnose::finding::{Cause, Site, logs};

/// A setting of a server, and how its clients tell that it is reached.
struct Setting {
    words: &'static [&'static str],
    /// Words of images and commands of such servers.
    servers: &'static [&'static str],
    directive: &'static str,
    why: &'static str,
    fix: &'static str,
}

pub(super) const WORDS: &[&str] = &[
    "oom command not allowed",
    "max number of clients reached",
    "misconf redis is configured to save",
    "can't write against a read only replica",
    "too many clients already",
    "remaining connection slots are reserved",
    "too many connections",
    "max_allowed_packet",
    "out of memory storing object",
    "413 request entity too large",
    "client intended to send too large body",
    "request entity too large",
    "flood stage disk watermark",
    "read-only-allow-delete",
    "maximum number of connections reached",
];

const SETTINGS: &[Setting] = &[
    Setting {
        words: &["oom command not allowed"],
        servers: &["redis", "valkey", "keydb"],
        directive: "maxmemory",
        why: "takes no more writes: its maxmemory is used up",
        fix: "raise maxmemory, or let it drop old keys (maxmemory-policy allkeys-lru)",
    },
    Setting {
        words: &["max number of clients reached"],
        servers: &["redis", "valkey", "keydb"],
        directive: "maxclients",
        why: "takes no more connections: its maxclients is reached",
        fix: "raise maxclients, or let the clients close or pool their connections",
    },
    Setting {
        words: &["misconf redis is configured to save"],
        servers: &["redis", "valkey", "keydb"],
        directive: "dir",
        why: "takes no writes, because it cannot save its data",
        fix: "give it a folder that it may write to and that has space, or switch saving off",
    },
    Setting {
        words: &["can't write against a read only replica"],
        servers: &["redis", "valkey", "keydb"],
        directive: "replicaof",
        why: "takes no writes: it is a replica",
        fix: "write to the primary, or take replicaof out",
    },
    Setting {
        words: &["too many clients already", "remaining connection slots are reserved"],
        servers: &["postgres", "postgis", "timescale"],
        directive: "max_connections",
        why: "takes no more connections: its max_connections is reached",
        fix: "raise max_connections, or let the clients pool their connections",
    },
    Setting {
        words: &["too many connections", "maximum number of connections reached"],
        servers: &["mysql", "mariadb", "percona"],
        directive: "max_connections",
        why: "takes no more connections: its max_connections is reached",
        fix: "raise max_connections, or let the clients pool their connections",
    },
    Setting {
        words: &["max_allowed_packet"],
        servers: &["mysql", "mariadb", "percona"],
        directive: "max_allowed_packet",
        why: "refuses a statement: it is larger than max_allowed_packet",
        fix: "raise max_allowed_packet, or send less at once",
    },
    Setting {
        words: &["out of memory storing object"],
        servers: &["memcached"],
        directive: "m",
        why: "stores nothing more: its memory (-m) is used up",
        fix: "raise -m",
    },
    Setting {
        words: &[
            "413 request entity too large",
            "client intended to send too large body",
            "request entity too large",
        ],
        servers: &["nginx", "openresty", "proxy", "gateway"],
        directive: "client_max_body_size",
        why: "refuses a request: its body is larger than client_max_body_size",
        fix: "raise client_max_body_size (without one it is 1m)",
    },
    Setting {
        words: &["flood stage disk watermark", "read-only-allow-delete"],
        servers: &["elasticsearch", "opensearch"],
        directive: "cluster.routing.allocation.disk.watermark.flood_stage",
        why: "takes no writes: its disk is nearly full",
        fix: "free disk space, and then take the block from the index",
    },
];

/// Lines before the complaint that may name the server.
const CONTEXT: usize = 3;

pub(super) fn server(view: &View<'_>, at: usize) -> Option<Cause> {
    let subject = view.subject;
    let line = subject.log.get(at)?;
    let matches = |setting: &&Setting| line.has(setting.words);
    let around = || subject.log.iter().skip(at.saturating_sub(CONTEXT)).take(CONTEXT + 1);
    let settings: Vec<&Setting> = SETTINGS.iter().filter(matches).collect();
    // Of two kinds of servers that say the same, the one that is here.
    let found = settings.iter().find_map(|setting| {
        let is_it = |it: &&Subject| is_server(it, setting.servers);
        if is_called(subject, setting.servers) {
            return Some((*setting, subject));
        }
        let near = view.facts.subjects.iter().filter(|it| is_near(view.facts, subject, it));
        let servers: Vec<&Subject> = near.filter(is_it).collect();
        let named = |it: &&&Subject| around().any(|line| line.text.contains(it.called()));
        let server = servers.iter().find(named).or(servers.first()).copied();
        server.map(|server| (*setting, server))
    });
    let Some((setting, server)) = found else {
        let setting = settings.first()?;
        let why = format!("a server that it uses {}", setting.why);
        return Some(Cause::new("server-limit", why, setting.fix).vague());
    };
    let cause =
        Cause::new("server-limit", format!("{} {}", server.called(), setting.why), setting.fix);
    let cause = cause.at([Site::Directive(setting.directive), Site::Key("command")]);
    let own = std::ptr::eq(server, subject);
    let cause = if own { cause } else { cause.in_peer(server.name()) };
    Some(cause.next(logs(server.name())))
}

/// By its image, its program or its own name.
fn is_called(subject: &Subject, words: &[&str]) -> bool {
    let container = &subject.container;
    let texts = [container.config.image.as_str(), container.path.as_str(), subject.called()];
    texts.into_iter().any(|text| words.iter().any(|word| text.contains(word)))
}

/// The same, or by a word of its command that is not a script.
fn is_server(subject: &Subject, words: &[&str]) -> bool {
    let arguments = subject.container.args.iter().filter(|it| !it.contains(char::is_whitespace));
    let mut arguments = arguments.map(String::as_str);
    is_called(subject, words) || arguments.any(|text| words.iter().any(|word| text.contains(word)))
}

fn is_near(facts: &Facts, of: &Subject, other: &Subject) -> bool {
    !std::ptr::eq(of, other)
        && facts.rows.iter().any(|row| row.name == other.name() && Facts::are_near(of, row))
}
