//! Every tool on a real engine, through the real program.
//!
//! They run when `DOCKER_E2E` is set, as `tests/run` does it; then `DOCKER_MCP_TEST_IMAGE` names a
//! local image with busybox in it, which is never changed. Each test gives all that it makes a
//! name of its own, so that tests run side by side, also those of others on the same engine, and
//! what they leave is found and removed, whatever happens in between.
//!
//! States are asked of the plain docker client, never only of our own answers.

mod bad_input;
mod builds;
mod change;
mod coherent;
mod compose;
mod compose_down;
mod compose_drift;
mod compose_fails;
mod compose_files;
mod compose_life;
mod compose_tools;
mod create;
mod create_fails;
mod detours;
mod diagnose;
mod diagnose_corpus;
mod diagnose_stacks;
mod escapes;
mod events;
mod exec;
mod holes;
mod images;
mod life_cycle;
mod lists;
mod logs;
mod losses;
mod networks;
mod person;
mod previews;
mod processes;
mod progress;
mod prune;
mod pushes;
mod recorder;
mod recreate;
mod registry;
mod run;
mod secrets;
mod session;
mod shell;
mod stranded;
mod system;
mod through;
mod volumes;
mod wait;
mod world;

use session::Session;
use world::World;

/// A main program that ends at once when it is asked to; a shell as process 1 would not.
const OBEDIENT: &str = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done";

/// A free port of this machine; somebody else may take it before it is used, but hardly does.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Also without an engine: a tool is not forgotten here.
#[tokio::test]
async fn every_tool_is_called_in_one_of_these_tests() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/e2e");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file());
    let tests: String = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let server = crate::processes::program(env!("CARGO_BIN_EXE_docker-mcp-server"));
    let tools = Session::open(server).await.tools().await;
    let names = tools.iter().map(|tool| tool["name"].as_str().unwrap());
    let forgotten: Vec<_> = names.filter(|name| !tests.contains(&format!("\"{name}\""))).collect();
    assert!(forgotten.is_empty(), "not called on a real engine: {forgotten:?}");
}
