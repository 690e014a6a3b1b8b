//! Every tool on a real engine, through the real program.
//!
//! They run when `DOCKER_E2E` is set, as `tests/run` does it; then `DOCKER_MCP_TEST_IMAGE` names a
//! local image with busybox in it, which is never changed. Each test gives all that it makes a
//! name of its own, so that tests run side by side, also those of others on the same engine, and
//! what they leave is found and removed, whatever happens in between.
//!
//! States are asked of the plain docker client, never only of our own answers.

mod bad_input;
mod compose;
mod compose_down;
mod compose_fails;
mod create;
mod create_fails;
mod images;
mod life_cycle;
mod logs;
mod networks;
mod processes;
mod recorder;
mod registry;
mod session;
mod system;
mod volumes;
mod world;

use session::Session;
use world::World;

/// A main program that ends at once when it is asked to; a shell as process 1 would not.
const OBEDIENT: &str = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done";

/// A free port of this machine; somebody else may take it before it is used, but hardly does.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
