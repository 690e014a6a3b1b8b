//! The Model Context Protocol as clients see it: in both eras, in memory and over the real
//! program's pipes and sockets.

use std::time::Duration;

use docker_mcp_server::command::{Attempt, Effect, Invocation};
use docker_mcp_server::docker::Line;
use docker_mcp_server::error::Error;
use docker_mcp_server::tools::reply::Structured;
use docker_mcp_server::tools::{Context, Entry, Spec, Tool, Toolset};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::processes::{gone, started};
use crate::stage::Stage;
use crate::wire::{Era, LATEST_LEGACY, MODERN_VERSION, Transport, Wire, everywhere};

/// A docker with one container.
const DOCKER: &str = r#"case "$2" in
ls) echo '{"ID":"0123456789abcdef","Names":"web","Image":"nginx","CreatedAt":"2025-11-20 09:15:00 +0000 UTC","State":"running","Status":"Up 2 hours","Ports":"","Mounts":"","Networks":"bridge","Project":"","Service":""}';;
*) echo "Error response from daemon: No such container: $4" >&2; exit 1;;
esac"#;

/// Hangs in `inspect`, answers `ls`.
const HANGING_INSPECT: &str = r"case $2 in
inspect) trap '' TERM; sleep 1000 & echo $! > $here/child; echo $$ > $here/pid; while :; do sleep 1000; done;;
esac";

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const UNSUPPORTED_VERSION: i64 = -32022;

/// The text of a result, which is its only block.
fn text(result: &Value) -> &str {
    let content = result["content"].as_array().unwrap();
    assert_eq!(content.len(), 1, "{result}");
    assert_eq!(content[0]["type"], "text");
    content[0]["text"].as_str().unwrap()
}

/// The text of a failed call.
fn error_text(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    text(result)
}

#[tokio::test]
async fn tools_are_listed_and_called() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        let list = wire.ask("tools/list", json!({})).await;
        let names: Vec<_> =
            list["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
        assert!(names.contains(&&json!("list-containers")), "{names:?}");
        assert_eq!(list["result"].get("nextCursor"), None);

        let result = wire.call("list-containers", json!({})).await;
        assert_eq!(result["structuredContent"]["containers"][0]["name"], "web", "{result}");
        assert_ne!(result["isError"], true);

        let modern = era == Era::Modern;
        assert_eq!(result.get("resultType"), modern.then(|| "complete".into()).as_ref());
        assert_eq!(list["result"]["ttlMs"].is_u64(), modern, "{transport:?} {era:?}");
        assert_eq!(list["result"]["cacheScope"].is_string(), modern);
        assert_eq!(wire.rest().await, Vec::<Value>::new(), "nobody asked for more");
    }
}

#[tokio::test]
async fn every_version_of_the_protocol_is_spoken() {
    let stage = Stage::script(DOCKER);
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let era = Era::Legacy(version);
        let mut wire = Wire::connect(&stage, Transport::Memory, era).await;
        let result = wire.call("list-containers", json!({})).await;
        assert_eq!(result["structuredContent"]["containers"][0]["name"], "web", "{version}");
    }
    // A version that nobody knows is answered with one that we know, not with an error.
    for version in ["1999-01-01", "2099-01-01", MODERN_VERSION] {
        let mut wire = Wire::open(&stage, Transport::Memory, LATEST_LEGACY);
        let answer = wire.initialize(version).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
    }
}

#[tokio::test]
async fn the_server_introduces_itself() {
    let stage = Stage::script(DOCKER);
    let mut legacy = Wire::open(&stage, Transport::Pipes, LATEST_LEGACY);
    let legacy = legacy.initialize("2025-11-25").await["result"].clone();
    let mut modern = Wire::open(&stage, Transport::Pipes, Era::Modern);
    let modern = modern.ask("server/discover", json!({})).await["result"].clone();

    let info = &legacy["serverInfo"];
    assert_eq!(info["name"], "docker-mcp-server");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(modern["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], info["name"]);
    // Only what works: lists that never change need no notifications.
    let capabilities = json!({"tools": {}, "resources": {}, "prompts": {}, "completions": {}});
    assert_eq!(legacy["capabilities"], capabilities);
    assert_eq!(modern["capabilities"], legacy["capabilities"]);
    assert_eq!(modern["instructions"], legacy["instructions"]);
}

#[tokio::test]
async fn a_modern_request_has_to_say_its_version() {
    let stage = Stage::script(DOCKER);
    let mut wire = Wire::connect(&stage, Transport::Memory, Era::Modern).await;
    let meta = |version| {
        json!({"_meta": {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        }})
    };
    let answer = wire.ask("tools/list", meta("2099-01-01")).await;
    assert_eq!(answer["error"]["code"], UNSUPPORTED_VERSION, "{answer}");
    assert!(answer["error"]["data"]["supported"].is_array(), "{answer}");
    wire.send(b"{\"jsonrpc\":\"2.0\",\"id\":99,\"method\":\"tools/list\",\"params\":{}}\n").await;
    assert_eq!(wire.answer(99).await["error"]["code"], INVALID_PARAMS);
    // And the connection goes on.
    assert!(wire.ask("tools/list", json!({})).await["result"]["tools"].is_array());
}

// --- wrong calls ------------------------------------------------------------------------------------

#[tokio::test]
async fn only_an_unknown_tool_or_a_malformed_call_is_an_error_of_the_protocol() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        let answer = wire.ask_tool("list-container", json!({})).await;
        assert_eq!(answer["error"]["code"], INVALID_PARAMS, "{answer}");
        let message = "unknown tool: list-container; did you mean list-containers?";
        assert_eq!(answer["error"]["message"], message);

        for params in [
            json!({"name": "list-containers", "arguments": ["all"]}),
            json!({"name": "list-containers", "arguments": "all"}),
            json!({"name": "list-containers", "arguments": 1}),
            json!({"name": 7, "arguments": {}}),
            json!({"arguments": {}}),
            json!({}),
        ] {
            let answer = wire.ask("tools/call", params.clone()).await;
            assert_eq!(answer["error"]["code"], INVALID_PARAMS, "{params} {answer}");
            assert!(answer["error"]["message"].as_str().unwrap().contains("arguments"), "{answer}");
        }
        let answer = wire.ask("tools/fetch", json!({})).await;
        assert_eq!(answer["error"]["code"], METHOD_NOT_FOUND, "{answer}");

        let without = wire.ask("tools/call", json!({"name": "list-containers"})).await;
        assert!(without["result"]["structuredContent"].is_object(), "{without}");
        let null = json!({"name": "list-containers", "arguments": null});
        assert!(wire.ask("tools/call", null).await["result"]["structuredContent"].is_object());
    }
}

#[tokio::test]
async fn wrong_arguments_are_answered_in_words() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        let mut shown = vec![];
        for (tool, arguments) in [
            ("list-containers", json!({"filter": {}})),
            ("list-containers", json!({"quite_another": 1})),
            ("list-containers", json!({"all": "maybe"})),
            ("list-containers", json!({"limit": -1})),
            ("list-containers", json!({"limit": [1]})),
            ("list-containers", json!({"filters": {"status": "runing"}})),
            ("list-containers", json!({"filters": {"statuss": "running"}})),
            ("inspect-container", json!({})),
            ("inspect-container", json!({"container_name": null})),
            ("inspect-container", json!({"container_name": "--privileged"})),
            ("inspect-container", json!({"container_name": {"name": "web"}})),
            ("stop-container", json!({"container_name": "web", "timeout_seconds": 99_999_999})),
        ] {
            let result = wire.call(tool, arguments.clone()).await;
            let text = error_text(&result);
            assert!(text.starts_with("Error: DKR-004 invalid_configuration: "), "{text}");
            assert_eq!(result.get("structuredContent"), None);
            shown.push(format!("{tool} {arguments}\n{text}"));
        }
        insta::allow_duplicates! { insta::assert_snapshot!("wrong_arguments", shown.join("\n\n")) }
    }
}

#[tokio::test]
async fn arguments_of_another_shape_are_understood() {
    let stage = Stage::script("echo \"$@\" >> $here/argv");
    let mut wire = Wire::connect(&stage, Transport::Memory, Era::Modern).await;
    for arguments in [
        json!({"all": true, "limit": 5, "filters": {"label": "web"}}),
        json!({"all": "true", "limit": "5", "filters": "{\"label\": \"web\"}"}),
        json!({"all": true, "limit": 5.0, "filters": {"label": ["web"]}}),
        json!({"all": "True", "limit": null, "filters": {"label": ["web"], "name": null}}),
    ] {
        let result = wire.call("list-containers", arguments.clone()).await;
        assert_ne!(result["isError"], true, "{arguments} {result}");
    }
    let argv = stage.text("argv");
    let mut lines: Vec<&str> = argv.lines().collect();
    assert!(lines[0].contains("--all") && lines[0].contains("--filter=label=web"), "{argv}");
    lines.dedup();
    assert_eq!(lines.len(), 1, "{argv}");
}

#[tokio::test]
async fn an_answer_is_the_same_as_text_and_as_a_value() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        let result = wire.call("list-containers", json!({})).await;
        let from_text: Value = serde_json::from_str(text(&result)).unwrap();
        assert_eq!(from_text, result["structuredContent"]);

        let failed = wire.call("inspect-container", json!({"container_name": "nosuch"})).await;
        assert_eq!(failed.get("structuredContent"), None, "{failed}");
        let expected = "Error: DKR-002 container_not_found: No such container: nosuch";
        assert!(error_text(&failed).starts_with(expected), "{failed}");
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Panics {}

impl Tool for Panics {
    const SPEC: Spec = Spec {
        name: "panic",
        title: "Panic",
        description: "Panics.",
        toolset: Toolset::System,
        effect: Effect::Read,
        idempotent: true,
        open_world: false,
    };
    type Reply = Structured<Value>;

    async fn call(self, _: &Context) -> Result<Self::Reply, Error> {
        panic!("a secret detail");
    }
}

#[tokio::test]
async fn a_panic_becomes_an_answer() {
    let stage = Stage::script(DOCKER);
    for era in [LATEST_LEGACY, Era::Modern] {
        let entries = [Entry::of::<Panics>()].into_iter().chain(docker_mcp_server::tools::all());
        let mut wire = Wire::in_memory(stage.dispatcher_of(entries), era);
        if era != Era::Modern {
            wire.initialize("2025-11-25").await;
        }
        let result = wire.call("panic", json!({})).await;
        assert!(
            error_text(&result).starts_with("Error: DKR-019 internal: panic failed"),
            "{result}"
        );
        assert!(!result.to_string().contains("secret detail"), "{result}");
        let next = wire.call("list-containers", json!({})).await;
        assert_eq!(next["structuredContent"]["containers"][0]["name"], "web");
    }
}

// --- the handshake --------------------------------------------------------------------------------

#[tokio::test]
async fn what_comes_before_the_handshake_does_no_harm() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::open(&stage, transport, LATEST_LEGACY);
        wire.notify("notifications/initialized", json!({})).await;
        wire.notify("notifications/cancelled", json!({"requestId": 0})).await;
        wire.notify("notifications/unheard-of", json!({})).await;
        wire.send(b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n").await;
        let early = wire.ask("tools/list", json!({})).await;
        assert_eq!(early["error"]["code"], INVALID_PARAMS, "{early}");
        assert_eq!(wire.ask("ping", json!({})).await["result"], json!({}));
        wire.notify("notifications/initialized", json!({})).await;
        let opened = match era {
            Era::Legacy(version) => wire.initialize(version).await,
            Era::Modern => {
                let meta = json!({"_meta": {
                    "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
                    "io.modelcontextprotocol/clientCapabilities": {},
                }});
                wire.ask("tools/list", meta).await
            }
        };
        assert!(opened["result"].is_object(), "{opened}");
    }
}

#[tokio::test]
async fn a_client_may_initialize_after_it_discovered() {
    let stage = Stage::script(DOCKER);
    for transport in [Transport::Memory, Transport::Pipes, Transport::Sockets] {
        // A probe that was given up, then a session on the same process (claude-code#96183).
        let mut wire = Wire::connect(&stage, transport, Era::Modern).await;
        let answer = wire.initialize("2025-11-25").await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
        wire.notify("notifications/initialized", json!({})).await;
        let result = wire.call("list-containers", json!({})).await;
        assert_eq!(result["structuredContent"]["containers"][0]["name"], "web");
    }
}

#[tokio::test]
async fn a_ping_is_answered_in_a_session() {
    let stage = Stage::script(HANGING_INSPECT);
    let mut wire = Wire::connect(&stage, Transport::Pipes, LATEST_LEGACY).await;
    wire.request(
        "tools/call",
        json!({"name": "inspect-container", "arguments": {"container_name": "web"}}),
    )
    .await;
    started(&stage, "pid").await;
    assert_eq!(wire.ask("ping", json!({})).await["result"], json!({}));

    let mut wire = Wire::connect(&stage, Transport::Memory, Era::Modern).await;
    wire.call("list-containers", json!({})).await;
    assert_eq!(wire.ask("ping", json!({})).await["error"]["code"], METHOD_NOT_FOUND);
}

#[tokio::test]
async fn the_handshake_needs_no_docker() {
    let hanging = Stage::script("sleep 1000");
    let missing = Stage::empty();
    for stage in [hanging, missing] {
        for (transport, era) in everywhere() {
            let begun = std::time::Instant::now();
            let mut wire = Wire::connect(&stage, transport, era).await;
            assert!(wire.ask("tools/list", json!({})).await["result"]["tools"].is_array());
            assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        }
    }
}

// --- bad input ----------------------------------------------------------------------------------------

#[tokio::test]
async fn bad_lines_do_no_harm() {
    let stage = Stage::script(DOCKER);
    let call = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{{"name":"list-containers","arguments":{arguments}}}}}"#
        )
    };
    let deep = "[".repeat(100_000);
    let bad: [(&str, Vec<u8>); 17] = [
        ("no JSON", b"hello".to_vec()),
        ("half a JSON", br#"{"jsonrpc":"2.0","id":1,"meth"#.to_vec()),
        ("an empty line", b"".to_vec()),
        ("blanks", b" \t\r".to_vec()),
        ("no UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}".to_vec()),
        ("NUL", b"\0\0\0".to_vec()),
        ("a batch", br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#.to_vec()),
        ("an empty batch", b"[]".to_vec()),
        ("a number", b"42".to_vec()),
        ("null as ID", br#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#.to_vec()),
        ("an object as ID", br#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#.to_vec()),
        ("another JSON-RPC", br#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#.to_vec()),
        ("a method of no text", br#"{"jsonrpc":"2.0","id":1,"method":7}"#.to_vec()),
        ("an answer to nothing", br#"{"jsonrpc":"2.0","id":12345,"result":{}}"#.to_vec()),
        (
            "a bad cancellation",
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}"#.to_vec(),
        ),
        ("a deep nest", call(&deep).into_bytes()),
        ("8 MB", call(&format!(r#"{{"x":"{}"}}"#, "y".repeat(8_000_000))).into_bytes()),
    ];
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        for (what, mut line) in bad.clone() {
            line.push(b'\n');
            wire.send(&line).await;
            let next = wire.ask("tools/list", json!({})).await;
            assert!(next["result"]["tools"].is_array(), "after {what}: {next}");
        }
        for message in wire.rest().await {
            // Silence or an error; a call that can be read is answered.
            let harmless = message.get("error").is_some() || message["id"] == "big";
            assert!(harmless, "{message}");
        }
    }
}

/// Each as a client would have it that waits for an answer, with the ID that can be read in it.
fn unreadable() -> Vec<(&'static str, Vec<u8>, Value)> {
    let call = |id: &str, arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"list-containers","arguments":{arguments}}}}}"#
        )
        .into_bytes()
    };
    // As the SDK for TypeScript writes it: the ID stands last.
    let id_last = |arguments: &str| {
        format!(
            r#"{{"method":"tools/call","params":{{"name":"list-containers","arguments":{arguments}}},"jsonrpc":"2.0","id":"last"}}"#
        )
        .into_bytes()
    };
    let nested = |levels: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let long = format!(r#"{{"x":"{}"}}"#, "y".repeat(17 << 20));
    vec![
        ("half a surrogate pair", call("501", r#"{"name_filter":"\ud83d"}"#), json!(501)),
        ("the other half", call(r#""a""#, r#"{"name_filter":"\ude00 x"}"#), json!("a")),
        ("half a pair in a key", id_last(r#"{"\ud83d":1}"#), json!("last")),
        ("half a pair as ID", call(r#""\ud83d""#, "{}"), Value::Null),
        ("200 levels", call("502", &nested(200)), json!(502)),
        ("100,000 levels", id_last(&nested(100_000)), json!("last")),
        ("levels without end", call("503", &"[".repeat(1000)), json!(503)),
        ("a number too large", call("504", r#"{"limit":1e400}"#), json!(504)),
        ("an ID too large", call("1e400", "{}"), Value::Null),
        ("an ID with a fraction", call("1.5", "{}"), Value::Null),
        ("null as ID", call("null", "{}"), Value::Null),
        ("an object as ID", call("{}", "{}"), Value::Null),
        ("no JSON", b"hello".to_vec(), Value::Null),
        ("half a JSON", br#"{"jsonrpc":"2.0","id":505,"meth"#.to_vec(), json!(505)),
        ("a comma too many", call("506", r#"{"limit":1,}"#), json!(506)),
        ("no UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":507,\"method\":\"\xff\"}".to_vec(), json!(507)),
        ("a control character", call("508", "{\"name_filter\":\"a\tb\"}"), json!(508)),
        ("NUL", b"\0".to_vec(), Value::Null),
        ("a batch", br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#.to_vec(), Value::Null),
        ("a number", b"42".to_vec(), Value::Null),
        ("another JSON-RPC", br#"{"jsonrpc":"1.0","id":509,"method":"ping"}"#.to_vec(), json!(509)),
        ("a method of no text", br#"{"jsonrpc":"2.0","id":510,"method":7}"#.to_vec(), json!(510)),
        ("17 MiB", call("511", &long), json!(511)),
        ("17 MiB, and the ID behind them", id_last(&long), json!("last")),
    ]
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_answered() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        for (what, mut line, id) in unreadable() {
            line.push(b'\n');
            wire.send(&line).await;
            let answer = wire.next_of(u64::MAX).await.unwrap();
            assert_eq!(answer["id"], id, "{what}: {answer}");
            let code = answer["error"]["code"].as_i64();
            assert!(matches!(code, Some(-32700 | -32600)), "{what}: {answer}");
        }
        assert!(wire.ask("tools/list", json!({})).await["result"]["tools"].is_array());
        assert_eq!(wire.rest().await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_notification_that_cannot_be_read_is_logged_and_not_answered() {
    let stage = Stage::script(DOCKER);
    let mut server = crate::processes::server(&stage);
    server.stderr(std::fs::File::create(stage.path("log")).unwrap());
    let mut wire = Wire::with_pipes(server, LATEST_LEGACY);
    wire.shake_hands().await;
    let notice = br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"\ud83d"}}"#;
    wire.send(&[&notice[..], b"\n"].concat()).await;
    assert!(wire.ask("tools/list", json!({})).await["result"]["tools"].is_array());
    assert_eq!(wire.rest().await, Vec::<Value>::new());
    let log = stage.text("log");
    assert!(log.contains("a line of the client cannot be read"), "{log}");
}

#[tokio::test]
async fn a_line_without_end_does_not_fill_the_memory_and_is_survived() {
    let stage = Stage::script(DOCKER);
    let mut wire = Wire::connect(&stage, Transport::Pipes, LATEST_LEGACY).await;
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..20 {
        wire.send(&chunk).await;
    }
    wire.send(b"\n").await;
    assert!(wire.ask("tools/list", json!({})).await["result"]["tools"].is_array());
}

#[tokio::test]
async fn the_last_line_needs_no_newline() {
    let stage = Stage::script(DOCKER);
    for transport in [Transport::Memory, Transport::Pipes, Transport::Sockets] {
        let mut wire = Wire::connect(&stage, transport, LATEST_LEGACY).await;
        wire.send(br#"{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":"list-containers"}}"#).await;
        wire.close();
        assert!(wire.answer(77).await["result"]["structuredContent"].is_object(), "{transport:?}");
        wire.ended(Duration::from_secs(3)).await;
    }
}

// --- many calls, long calls ---------------------------------------------------------------------------

#[tokio::test]
async fn fifty_calls_at_once_are_all_answered() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        let mut ids = vec![];
        for n in 0..50 {
            let (tool, arguments) = match n % 5 {
                0 => ("inspect-container", json!({"container_name": "x"})),
                _ => ("list-containers", json!({"limit": n})),
            };
            ids.push(
                wire.request("tools/call", json!({"name": tool, "arguments": arguments})).await,
            );
        }
        for (n, id) in ids.into_iter().enumerate() {
            let failed = wire.answer(id).await["result"]["isError"] == true;
            assert_eq!(failed, n % 5 == 0, "{n}");
        }
        assert_eq!(wire.rest().await, Vec::<Value>::new());
        if transport != Transport::Memory {
            let open = std::fs::read_dir(format!("/proc/{}/fd", wire.pid())).unwrap().count();
            assert!(open < 32, "{open} descriptors are open after all is done");
        }
    }
}

#[tokio::test]
async fn one_call_too_many_is_told_at_once_and_the_others_are_answered() {
    let stage = Stage::script("while [ ! -e $here/go ]; do sleep 0.05; done");
    let mut wire = Wire::connect(&stage, Transport::Memory, LATEST_LEGACY).await;
    let mut ids = vec![];
    for _ in 0..260 {
        ids.push(wire.request("tools/call", json!({"name": "list-containers"})).await);
    }
    for _ in 0..4 {
        let told = wire.next_of(u64::MAX).await.unwrap();
        assert!(error_text(&told["result"]).starts_with("Error: DKR-029 busy: "), "{told}");
        ids.retain(|id| told["id"] != *id);
    }
    std::fs::write(stage.path("go"), "").unwrap();
    for id in ids {
        let answer = wire.answer(id).await;
        assert!(answer["result"]["structuredContent"].is_object(), "{answer}");
    }
}

#[tokio::test]
async fn with_few_descriptors_calls_wait_for_each_other() {
    let stage = Stage::script("sleep 0.05");
    let mut wire = Wire::connect(&stage, Transport::Pipes, LATEST_LEGACY).await;
    let pid = i32::try_from(wire.pid()).ok().and_then(rustix::process::Pid::from_raw);
    let few = rustix::process::Rlimit { current: Some(32), maximum: Some(32) };
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, few).unwrap();
    let mut ids = vec![];
    for _ in 0..40 {
        ids.push(wire.request("tools/call", json!({"name": "list-containers"})).await);
    }
    for id in ids {
        let answer = wire.answer(id).await;
        assert!(answer["result"]["structuredContent"].is_object(), "{answer}");
    }
}

#[tokio::test]
async fn without_its_plugin_compose_is_said_to_be_missing() {
    let stage = Stage::script("echo 'unknown flag: --ansi' >&2; exit 125");
    let mut wire = Wire::connect(&stage, Transport::Memory, LATEST_LEGACY).await;
    let file = json!({"compose_yaml": "services:\n  web:\n    image: nginx\n"});
    let told = wire.call("compose-config", file).await;
    let expected = "Error: DKR-015 docker_missing: the compose plugin is missing";
    assert!(error_text(&told).starts_with(expected), "{told}");
}

#[tokio::test]
async fn a_cancelled_call_is_not_answered_and_leaves_nothing_behind() {
    for (transport, era) in everywhere() {
        let stage = Stage::script(HANGING_INSPECT);
        let mut wire = Wire::connect(&stage, transport, era).await;
        let arguments = json!({"container_name": "web"});
        let call = json!({"name": "inspect-container", "arguments": arguments, "_meta": {"progressToken": "t"}});
        let id = wire.request("tools/call", call).await;
        let pids = [started(&stage, "child").await, started(&stage, "pid").await];
        let notice = json!({"requestId": id, "reason": "the person changed their mind"});
        wire.notify("notifications/cancelled", notice).await;
        gone(Duration::from_secs(2), &pids).await;
        wire.call("list-containers", json!({})).await;
        assert_eq!(wire.rest().await, Vec::<Value>::new(), "{transport:?} {era:?}");
    }
}

#[tokio::test]
async fn a_cancellation_of_another_call_changes_nothing() {
    let stage = Stage::script("sleep 0.2");
    let mut wire = Wire::connect(&stage, Transport::Memory, Era::Modern).await;
    let id = wire.request("tools/call", json!({"name": "list-containers"})).await;
    wire.notify("notifications/cancelled", json!({"requestId": 999})).await;
    wire.notify("notifications/cancelled", json!({"requestId": id.to_string()})).await;
    wire.notify("notifications/cancelled", json!({})).await;
    assert!(wire.answer(id).await["result"]["structuredContent"].is_object());
    // Too late.
    wire.notify("notifications/cancelled", json!({"requestId": id})).await;
    wire.call("list-containers", json!({})).await;
}

/// Tells every line of a pull as progress.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pulls {}

impl Tool for Pulls {
    const SPEC: Spec = Spec {
        name: "pull",
        title: "Pull",
        description: "Pulls.",
        toolset: Toolset::Images,
        effect: Effect::Read,
        idempotent: true,
        open_world: true,
    };
    type Reply = Structured<Value>;

    async fn call(self, context: &Context) -> Result<Self::Reply, Error> {
        let docker = &context.docker;
        let pull = Attempt(Invocation::docker(Effect::Read, ["image", "pull"]));
        let mut done = 0;
        docker
            .watch(&pull, |line| {
                let (Line::Stdout(line) | Line::Stderr(line)) = line;
                done += 1;
                docker.progress().step(done, 4, line);
            })
            .await?;
        Ok(Structured(json!({"pulled": true})))
    }
}

#[tokio::test]
async fn progress_is_told_to_who_asks_for_it() {
    let stage = Stage::script("for layer in 1 2 3 4; do echo layer $layer; sleep 0.25; done");
    for era in [LATEST_LEGACY, Era::Modern] {
        let mut wire = Wire::in_memory(stage.dispatcher_of([Entry::of::<Pulls>()]), era);
        if era != Era::Modern {
            wire.initialize("2025-11-25").await;
        }
        let silent = wire.request("tools/call", json!({"name": "pull"})).await;
        let told = wire
            .request("tools/call", json!({"name": "pull", "_meta": {"progressToken": "token-1"}}))
            .await;
        for id in [told, silent] {
            assert_eq!(
                wire.answer(id).await["result"]["structuredContent"],
                json!({"pulled": true})
            );
        }
        let messages = wire.rest().await;
        assert!(messages.len() >= 2, "{messages:?}");
        let mut last = 0.0;
        for message in &messages {
            assert_eq!(message["method"], "notifications/progress");
            let params = &message["params"];
            assert_eq!(params["progressToken"], "token-1");
            assert_eq!(params["total"], 4.0);
            assert!(params["message"].as_str().unwrap().starts_with("layer "), "{message}");
            let progress = params["progress"].as_f64().unwrap();
            assert!(progress > last, "{messages:?}");
            last = progress;
        }
    }
}

#[tokio::test]
async fn a_silent_call_repeats_what_it_said_last_without_its_secrets() {
    let stage = Stage::script("echo layer DB_PASSWORD=hunter2hunter2; sleep 3.2");
    for era in [LATEST_LEGACY, Era::Modern] {
        let mut wire = Wire::in_memory(stage.dispatcher_of([Entry::of::<Pulls>()]), era);
        if era != Era::Modern {
            wire.initialize("2025-11-25").await;
        }
        wire.ask("tools/call", json!({"name": "pull", "_meta": {"progressToken": "t"}})).await;
        let messages = wire.rest().await;
        assert!(messages.len() >= 3, "one a second: {messages:?}");
        assert!(!format!("{messages:?}").contains("hunter2"), "{messages:?}");
        let last = messages.last().unwrap()["params"]["message"].as_str().unwrap();
        assert!(last.starts_with("layer DB_PASSWORD=") && last.ends_with(" s)"), "{last}");
    }
}
