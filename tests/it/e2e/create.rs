//! What create-container is told really reaches the container.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::world::{Way, image};
use super::{OBEDIENT, World};
use crate::processes::eventually;

#[tokio::test]
async fn limits_reach_the_container_in_both_ways_of_writing_them() {
    let Some(world) = World::enter("limits") else { return };
    let mut session = world.session().await;

    let plain = world.name("plain");
    let created = json!({
        "image": image(), "name": plain, "memory": "64m", "cpus": 0.5, "pids_limit": 50,
        "shm_size": "32m", "ulimits": {"nofile": "1024:2048"}, "start": false,
    });
    session.done("create-container", created).await;
    let host = &world.document("container", &plain)["HostConfig"];
    assert_eq!(host["Memory"], 64 << 20, "{host}");
    assert_eq!(host["NanoCpus"], 500_000_000, "{host}");
    assert_eq!(host["PidsLimit"], 50, "{host}");
    assert_eq!(host["ShmSize"], 32 << 20, "{host}");
    let nofile = json!([{"Name": "nofile", "Soft": 1024, "Hard": 2048}]);
    assert_eq!(host["Ulimits"], nofile, "{host}");

    let nested = world.name("nested");
    let created = json!({
        "image": image(), "name": nested, "start": false,
        "resources": {"limits": {"cpus": "0.25", "memory": "128m"}, "reservations": {"memory": "64m"}},
    });
    session.done("create-container", created).await;
    let host = &world.document("container", &nested)["HostConfig"];
    assert_eq!(host["Memory"], 128 << 20, "{host}");
    assert_eq!(host["NanoCpus"], 250_000_000, "{host}");
    assert_eq!(host["MemoryReservation"], 64 << 20, "{host}");

    let shown = session.done("inspect-container", json!({"container_name": nested})).await;
    assert!(shown["limits"].is_object(), "{shown}");
}

#[tokio::test]
async fn a_health_check_works_and_is_told() {
    let Some(world) = World::enter("health") else { return };
    let mut session = world.session().await;
    let name = world.name("main");
    let created = json!({
        "image": image(), "name": name, "wait_seconds": 0,
        "command": ["sh", "-c", format!("sleep 1; touch /ok; {OBEDIENT}")],
        "healthcheck": {"test": ["CMD", "test", "-f", "/ok"], "interval": "1s", "retries": 5},
    });
    let created = session.done("create-container", created).await;
    assert_eq!(created["health"], "starting", "{created}");
    let config = &world.document("container", &name)["Config"]["Healthcheck"];
    assert_eq!(config["Interval"], 1_000_000_000, "{config}");
    assert_eq!(config["Retries"], 5, "{config}");
    eventually("it is healthy", Duration::from_secs(15), || {
        world.look(&name, "{{.State.Health.Status}}") == "healthy"
    })
    .await;
    let shown = session.done("inspect-container", json!({"container_name": name})).await;
    assert_eq!(shown["health"], "healthy", "{shown}");
    let healthy = json!({"filters": {"health": "healthy", "name": world.prefix}});
    let listed = session.done("list-containers", healthy).await;
    assert_eq!(listed["containers"][0]["name"], name, "{listed}");
}

#[tokio::test]
async fn a_container_joins_two_networks_and_is_known_there() {
    let Some(world) = World::enter("two-networks") else { return };
    let mut session = world.session().await;
    let [front, back] = ["front", "back"].map(|of| world.name(of));
    for network in [&front, &back] {
        world.docker(["network", "create", network]);
    }
    let name = world.name("main");
    let created = json!({
        "image": image(), "name": name, "network": front, "networks": [back],
        "command": ["sh", "-c", OBEDIENT],
    });
    let created = session.done("create-container", created).await;
    assert_eq!(created["state"], "running", "{created}");
    let networks = &world.document("container", &name)["NetworkSettings"]["Networks"];
    for network in [&front, &back] {
        assert!(!networks[network]["IPAddress"].as_str().unwrap().is_empty(), "{networks}");
    }
    // From inside, by its name.
    let said = world.docker(["run", "--rm", "--network", &back, &image(), "nslookup", &name]);
    assert!(said.contains(networks[&back]["IPAddress"].as_str().unwrap()), "{said}");
}

#[tokio::test]
async fn values_of_the_environment_arrive_exactly_and_are_never_on_a_command_line() {
    let Some(world) = World::enter("values") else { return };
    let mut session = world.session().await;
    let canary = format!("canary{}{}", "Zq9", std::process::id());
    let values = [
        ("PLAIN", canary.clone()),
        ("LINES", format!("{canary}\nsecond\n\nlast\n")),
        ("QUOTES", format!("'{canary}' \"double\" `tick` \\ back")),
        ("UNICODE", format!("{canary} grüße 🐳 \u{202e}")),
        ("DOLLAR", format!("{canary} $HOME ${{HOME}} $$ $(id) %s")),
        ("BLANKS", format!("  {canary}\t ")),
        ("EQUALS", format!("a=b={canary}==")),
        ("HASH", format!("{canary} # no comment")),
        ("EMPTY", String::new()),
        ("LD_PRELOAD", format!("/nowhere/{canary}.so")),
        ("PATH", format!("/bin:/{canary}")),
        ("DOCKER_HOST", format!("tcp://{canary}.invalid:1")),
        ("HTTP_PROXY", format!("http://{canary}.invalid:1")),
        ("HOME", format!("/{canary}")),
    ];
    let environment: serde_json::Map<_, _> =
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    let name = world.name("main");

    let eye = Eye::on(&canary);
    let created = json!({
        "image": image(), "name": name, "environment": environment, "wait_seconds": 0,
        "command": ["/bin/sleep", "30"], "stop_signal": "SIGKILL",
    });
    let created = session.done("create-container", created).await;
    let seen = eye.close();
    assert!(seen.is_empty(), "on a command line: {seen:?}");
    assert!(!created.to_string().contains(&canary), "the answer tells no values: {created}");

    let document = world.document("container", &name);
    let arrived: Vec<&str> =
        document["Config"]["Env"].as_array().unwrap().iter().filter_map(|v| v.as_str()).collect();
    for (key, value) in &values {
        let pair = format!("{key}={value}");
        assert!(arrived.contains(&pair.as_str()), "{pair:?} is not in {arrived:?}");
    }
    assert_eq!(arrived.len(), values.len(), "{arrived:?}");
}

/// Looks at the command lines of all processes, all the time.
struct Eye {
    closed: Arc<AtomicBool>,
    looking: std::thread::JoinHandle<(Vec<String>, usize)>,
}

impl Eye {
    fn on(canary: &str) -> Self {
        let closed = Arc::new(AtomicBool::new(false));
        let (stop, canary) = (Arc::clone(&closed), canary.to_owned());
        let looking = std::thread::spawn(move || {
            let (mut seen, mut looks) = (vec![], 0);
            while !stop.load(Ordering::Relaxed) {
                looks += 1;
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
                    let line = String::from_utf8_lossy(&line);
                    if line.contains(&canary) {
                        seen.push(line.replace('\0', " "));
                    }
                }
            }
            (seen, looks)
        });
        Self { closed, looking }
    }

    fn close(self) -> Vec<String> {
        self.closed.store(true, Ordering::Relaxed);
        let (seen, looks) = self.looking.join().unwrap();
        assert!(looks > 3, "it could look {looks} times only");
        seen
    }
}

#[tokio::test]
async fn files_and_volumes_are_mounted_as_they_were_written() {
    let reason = "bind mounts of this machine are refused";
    let Some(world) = World::enter_without("mounts", &[Way::Ssh], reason) else { return };
    let mut session = world.session().await;
    world.file("src/hello.txt", "from the host\n");
    world.file("settings.env", "# comment\nFROM_FILE=yes\nBOTH=file\n");
    let (name, data) = (world.name("main"), world.name("data"));
    let script = "cat /app/hello.txt; echo $FROM_FILE $BOTH; touch /app/x; touch /data/x; \
                  id -u; pwd; cat /etc/hostname; grep db /etc/hosts; exec sleep 30";
    let created = json!({
        "image": image(), "name": name, "volumes": ["./src:/app:ro", format!("{data}:/data")],
        "env_file": "settings.env", "environment": {"BOTH": "call"}, "user": "1234",
        "working_dir": "/tmp", "hostname": "ship", "extra_hosts": {"db": "10.0.0.5"},
        "tmpfs": ["/tmp"], "labels": {"team": "a b"}, "cap_drop": ["ALL"], "init": true,
        "security_opt": ["no-new-privileges"], "command": ["sh", "-c", script],
    });
    let created = session.done("create-container", created).await;
    assert_eq!(created["state"], "running", "{created}");
    let output = world.try_docker(["logs", &name]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        said.lines().map(str::trim).collect::<Vec<_>>(),
        ["from the host", "yes call", "1234", "/tmp", "ship", "10.0.0.5\tdb"],
    );
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(complaints.contains("/app/x: Read-only file system"), "{complaints}");
    assert_eq!(world.look(&name, "{{index .Config.Labels \"team\"}}"), "a b");
    assert_eq!(world.look(&name, "{{.HostConfig.Init}} {{.HostConfig.CapDrop}}"), "true [ALL]");
}
