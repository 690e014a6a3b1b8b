//! Answers that docker was not asked for are never older than a change that has returned.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::World;
use super::session::Session;
use super::world::{image, variable};

/// What is read after each change; in the long form (`DOCKER_MCP_TEST_READS=10000`) more.
const READS: usize = 500;
/// An answer without a process.
const AT_ONCE: Duration = Duration::from_millis(8);

/// Which random number comes next (splitmix64): the same story each time.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

async fn state(session: &mut Session, container: &str) -> String {
    let all = json!({"all": true, "limit": 500});
    let list = session.done("list-containers", all).await;
    let rows = list["containers"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == container);
    row.map_or("absent", |row| row["state"].as_str().unwrap()).to_owned()
}

async fn has(session: &mut Session, tool: &str, list: &str, name: &str) -> bool {
    let answer = session.done(tool, json!({"filters": {"name": name}})).await;
    answer[list].as_array().unwrap().iter().any(|row| row["name"] == name)
}

#[tokio::test]
async fn no_answer_is_older_than_a_change_that_has_returned() {
    let Some(world) = World::enter("coherent") else { return };
    let reads = variable("DOCKER_MCP_TEST_READS");
    let reads = reads.map_or(READS, |it| it.to_str().unwrap().parse().unwrap());
    let mut session = world.session().await;
    session.done("docker-info", json!({})).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (web, net, data) = (world.name("web"), world.name("net"), world.name("data"));
    let mut random = 1;
    let (mut is, mut has_net, mut has_data) = ("absent", false, false);
    let (mut read, mut at_once) = (0, 0);
    while read < reads {
        let label = format!("--label={}", world.label);
        match (next(&mut random) % 6, is) {
            (0, _) => {
                let verb = if has_net { "rm" } else { "create" };
                world.docker(["network", verb, &net]);
                has_net = !has_net;
            }
            (1, _) => {
                let verb = if has_data { "rm" } else { "create" };
                world.docker(["volume", verb, &data]);
                has_data = !has_data;
            }
            (_, "absent") => {
                world.docker(["create", "--name", &web, &label, &image(), "sleep", "1000"]);
                is = "created";
            }
            (2, "running") => {
                world.docker(["pause", &web]);
                is = "paused";
            }
            (3, "running") => {
                world.docker(["kill", &web]);
                is = "exited";
            }
            (_, "paused") => {
                world.docker(["unpause", &web]);
                is = "running";
            }
            (4, _) => {
                world.docker(["rm", "--force", &web]);
                is = "absent";
            }
            (_, "running") => {
                world.docker(["restart", "--time", "0", &web]);
            }
            _ => {
                world.docker(["start", &web]);
                is = "running";
            }
        }
        for _ in 0..3 {
            let started = Instant::now();
            assert_eq!(state(&mut session, &web).await, is, "read {read}");
            at_once += usize::from(started.elapsed() < AT_ONCE);
            read += 1;
        }
        assert_eq!(has(&mut session, "list-networks", "networks", &net).await, has_net, "{read}");
        assert_eq!(has(&mut session, "list-volumes", "volumes", &data).await, has_data, "{read}");
        read += 2;
    }
    // Beside other tests no processor may be free, and then docker is asked each time.
    assert!(
        reads == READS || at_once > reads / 10,
        "{at_once} of {reads} were answered from memory"
    );
}

#[tokio::test]
async fn what_another_image_is_called_now_is_told() {
    let Some(world) = World::enter("coherent-images") else { return };
    let mut session = world.session().await;
    session.done("docker-info", json!({})).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let name = format!("{}:1", world.name("tagged"));
    for _ in 0..20 {
        for (arguments, is_there) in
            [(["tag", image().as_str(), &name].to_vec(), true), (["rmi", &name].to_vec(), false)]
        {
            match arguments.as_slice() {
                [tag, from, to] => world.docker([tag, from, to]),
                [rmi, name] => world.docker([rmi, name]),
                _ => unreachable!("there are two kinds"),
            };
            let answer: Value = session.done("list-images", json!({"limit": 500})).await;
            let tags = answer["images"].as_array().unwrap().iter();
            let found = tags.flat_map(|row| row["tags"].as_array().into_iter().flatten());
            assert_eq!(found.into_iter().any(|tag| tag == name.as_str()), is_there);
        }
    }
}
