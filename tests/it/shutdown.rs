//! How the real program ends, and that nothing is left of it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::processes::{gone, server, signal, started};
use crate::stage::Stage;
use crate::wire::{Era, LATEST_LEGACY, Transport, Wire, everywhere};

/// Claude Code kills half a second after it asked; what is asserted is generous for busy machines.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A docker that hangs, and is as hard to end as can be.
const STUBBORN: &str = r"trap '' TERM HUP INT
sleep 1000 & echo $! > $here/child
echo $$ > $here/pid
while :; do sleep 1000; done";

async fn with_a_call_in_flight(stage: &Stage, transport: Transport, era: Era) -> (Wire, [u32; 2]) {
    let mut wire = Wire::connect(stage, transport, era).await;
    wire.request("tools/call", json!({"name": "list-containers", "arguments": {}})).await;
    let pids = [started(stage, "child").await, started(stage, "pid").await];
    (wire, pids)
}

#[tokio::test]
async fn the_end_of_input_ends_the_program_and_what_it_runs() {
    for (transport, era) in everywhere() {
        let stage = Stage::script(STUBBORN);
        let (mut wire, pids) = with_a_call_in_flight(&stage, transport, era).await;
        let begun = Instant::now();
        wire.close();
        // Half a second of it is for last answers.
        wire.ended(AT_ONCE).await;
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        gone(AT_ONCE, &pids).await;
    }
}

#[tokio::test]
async fn a_call_that_is_nearly_done_is_answered_after_the_end_of_input() {
    let stage = Stage::script("sleep 0.1");
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        let id = wire.request("tools/call", json!({"name": "list-containers"})).await;
        wire.close();
        assert!(wire.answer(id).await["result"]["structuredContent"].is_object());
        wire.ended(AT_ONCE).await;
    }
}

#[tokio::test]
async fn the_end_of_input_before_or_after_the_handshake_is_a_good_end() {
    let stage = Stage::script(STUBBORN);
    for (transport, era) in everywhere() {
        let mut wire = Wire::open(&stage, transport, era);
        wire.close();
        wire.ended(AT_ONCE).await;

        let mut wire = Wire::connect(&stage, transport, era).await;
        wire.close();
        wire.ended(AT_ONCE).await;
    }
}

#[tokio::test]
async fn a_signal_ends_the_program_and_what_it_runs() {
    for (transport, era) in everywhere().filter(|(transport, _)| *transport != Transport::Memory) {
        for sent in [Signal::INT, Signal::TERM, Signal::HUP] {
            let stage = Stage::script(STUBBORN);
            let (mut wire, pids) = with_a_call_in_flight(&stage, transport, era).await;
            let begun = Instant::now();
            signal(wire.pid(), sent);
            wire.ended(AT_ONCE).await;
            gone(AT_ONCE, &pids).await;
            assert!(begun.elapsed() < AT_ONCE, "{sent:?} {transport:?} {:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn a_signal_ends_an_idle_program() {
    let stage = Stage::script(STUBBORN);
    for transport in [Transport::Pipes, Transport::Sockets] {
        for sent in [Signal::INT, Signal::TERM, Signal::HUP] {
            // Before a handshake …
            let mut wire = Wire::open(&stage, transport, LATEST_LEGACY);
            wire.ask("ping", json!({})).await;
            signal(wire.pid(), sent);
            wire.ended(AT_ONCE).await;
            // … and after one.
            let mut wire = Wire::connect(&stage, transport, LATEST_LEGACY).await;
            signal(wire.pid(), sent);
            wire.ended(AT_ONCE).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_does_not_keep_the_program() {
    let stage = Stage::script("echo");
    let mut child = server(&stage).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    // It may be gone before all is written.
    let _broken = tokio::io::AsyncWriteExt::write_all(&mut stdin, &ping.repeat(3)).await;
    drop(stdin);
    tokio::time::timeout(AT_ONCE, child.wait()).await.expect("it ended").unwrap();
}

#[tokio::test]
async fn answers_that_nobody_reads_do_not_keep_the_program() {
    let stage = Stage::script("echo");
    for by_signal in [true, false] {
        let mut child =
            server(&stage).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "deaf", "version": "1"},
        }});
        let mut lines = format!("{hello}\n");
        lines += "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
        for id in 1..=60 {
            lines += &format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/list\"}}\n");
        }
        tokio::io::AsyncWriteExt::write_all(&mut stdin, lines.as_bytes()).await.unwrap();
        // Until the pipe is full.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let stdin = by_signal.then_some(stdin);
        if by_signal {
            signal(child.id().unwrap(), Signal::TERM);
        }
        let ended = tokio::time::timeout(2 * AT_ONCE, child.wait()).await;
        assert!(ended.expect("it ended").unwrap().success());
        drop(stdin);
    }
}

#[tokio::test]
async fn a_single_call_from_the_command_line_is_ended_by_a_signal() {
    let stage = Stage::script(STUBBORN);
    let mut child =
        server(&stage).args(["call", "list-containers"]).stdin(Stdio::null()).spawn().unwrap();
    let pids = [started(&stage, "child").await, started(&stage, "pid").await];
    signal(child.id().unwrap(), Signal::INT);
    let status = tokio::time::timeout(AT_ONCE, child.wait()).await.expect("it ended").unwrap();
    assert_eq!(status.code(), Some(1));
    gone(AT_ONCE, &pids).await;
}
