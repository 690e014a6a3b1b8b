//! Lines of a shell as the hook reads them: whatever is in them, they are read to an end, and a line
//! that another shell is given says what it says itself.
#![no_main]

use docker_mcp_server::hook::grammar;
use docker_mcp_server::hook::shell::{self, Call, Standing};
use docker_mcp_server_fuzz as fuzz;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "docker ", "docker-compose ", "compose ", "rm ", "volume rm ", "run ", "-f ", "-v ", "--volumes ", "-v /:/h ",
    "--privileged ", "x ", "$X ", "$(docker ps -q) ", "`docker ps` ", "| ", "&& ", "|| ", "; ", "& ", "\n", "( ", ") ",
    "{ ", "} ", "'", "\"", "\\", "$", "$'\\x", "<<E\n", "\nE\n", "<<< ", "< ", "> ", "if ", "then ", "fi ", "for x in ",
    "do ", "done ", "while ", "case x in ", "esac ", "f() ", "f ", "sh -c ", "bash <<'E'\n", "eval ", "xargs ", "sudo ",
    "env ", "X=", "export ", "cd /tmp ", "set -- ", "alias d=", "trap ", "read x ", "[[ ", "]] ", "((", "))", "${X:-",
    "}", "~", "*", "{a,b}", "#", "!", "time ", "\u{0}", "ü",
];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(line) = line(bytes) else { return Corpus::Reject };
    let plain = calls(&line);
    let quoted = calls(&format!("sh -c -- '{}'", line.replace('\'', r"'\''")));
    // A shell of its own forgets nothing that it is given, and adds only itself.
    if let (Some(plain), Some(quoted)) = (plain, quoted) {
        assert_eq!(plain, quoted, "{line:?}");
    }
    Corpus::Keep
});

fn line(bytes: &[u8]) -> Result<String> {
    let mut bytes = Unstructured::new(bytes);
    let mut line = String::new();
    for _ in 0..bytes.int_in_range(1..=6)? {
        line.push_str(&fuzz::text(&mut bytes, WORDS)?);
    }
    Ok(line)
}

/// The calls of docker; nothing where a part of the line could not be read.
fn calls(line: &str) -> Option<Vec<String>> {
    let reading = shell::read(line, &Standing::default());
    let told = |call: &Call| {
        let client = grammar::client(call.words.first()?, "docker")?;
        let spoken = grammar::read(client, &call.words).ok()?;
        Some(format!("{} {:?} {:?}", spoken.command, spoken.flags, spoken.operands))
    };
    let calls = reading.calls.iter().filter_map(told).collect();
    (!reading.unread).then_some(calls)
}
