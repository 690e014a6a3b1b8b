//! Limits, names, files and usage of containers that are there.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use super::world::image;
use super::{OBEDIENT, World};
use crate::e2e::session::entry;

#[tokio::test]
async fn limits_and_the_name_change_while_it_runs() {
    let Some(world) = World::enter("update") else { return };
    let mut session = world.session().await;
    let (name, other) = (world.name("main"), world.run("other", OBEDIENT));
    let label = format!("--label={}", world.label);
    let image = image();
    world.docker([
        "run",
        "--detach",
        "--name",
        &name,
        &label,
        "--memory=32m",
        &image,
        "sh",
        "-c",
        OBEDIENT,
    ]);
    let pid = world.look(&name, "{{.State.Pid}}");

    let taken = json!({"container_name": name, "memory": "64m", "new_name": other});
    session.fails("DKR-007", "update-container", taken).await;
    assert_eq!(world.look(&name, "{{.HostConfig.Memory}}"), (32 << 20).to_string());

    let new_name = world.name("renamed");
    let change = json!({
        "container_name": name, "memory": "128m", "cpus": 0.5, "pids_limit": 77,
        "restart": "on-failure:3", "new_name": new_name,
    });
    let mut dry = change.clone();
    dry["dry_run"] = json!(true);
    let told = session.done("update-container", dry).await;
    assert!(world.exists("container", &name), "{told}");
    let told = session.done("update-container", change).await;
    assert_eq!(told["name"], new_name, "{told}");
    assert_eq!(told["changed"]["memory_bytes"], json!([32 << 20, 128 << 20]), "{told}");
    assert_eq!(told["changed"]["restart"], json!(["no", "on-failure:3"]), "{told}");
    let host = &world.document("container", &new_name)["HostConfig"];
    assert_eq!(host["Memory"], 128 << 20, "{host}");
    assert_eq!(
        (&host["NanoCpus"], &host["PidsLimit"]),
        (&json!(500_000_000), &json!(77)),
        "{host}"
    );
    assert_eq!(world.look(&new_name, "{{.State.Pid}}"), pid, "it went on running");
    session.fails("DKR-004", "update-container", json!({"container_name": new_name})).await;
}

#[tokio::test]
async fn usage_is_told_in_bytes() {
    let Some(world) = World::enter("stats") else { return };
    let mut session = world.session().await;
    let busy = world.run("busy", "while :; do :; done");
    let idle = world.run("idle", OBEDIENT);
    world.docker(["update", "--cpus=0.2", &busy]);
    let told = session.done("container-stats", json!({})).await;
    let names: Vec<&str> =
        told["stats"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    let place = |name: &str| names.iter().position(|other| *other == name);
    if told.get("total").is_none() {
        assert!(place(&busy).unwrap() < place(&idle).unwrap(), "{told}");
        assert!(
            entry(&told["stats"], "name", &busy)["cpu_percent"].as_f64().unwrap() > 1.0,
            "{told}"
        );
    }
    let told = session.done("container-stats", json!({"container_name": idle})).await;
    let usage = entry(&told["stats"], "name", &idle);
    assert!(usage["memory_bytes"].as_u64().unwrap() > 10_000, "{told}");
    assert!(usage["pids"].as_u64().unwrap() >= 1, "{told}");
    world.docker(["stop", &idle]);
    let told = session.fails("DKR-010", "container-stats", json!({"container_name": idle})).await;
    assert!(told.contains("it is exited"), "{told}");
}

#[tokio::test]
async fn files_go_in_and_come_out_and_what_they_replace_is_told() {
    let Some(world) = World::enter("copy") else { return };
    let mut session = world.session().await;
    let name = world.run("main", OBEDIENT);
    world.file("app/config.txt", "one\n");
    world.file("app/sub/more.txt", "two\n");
    let call =
        |source: &str, destination: &str| json!({"source": source, "destination": destination});

    let into = call("app", &format!("{name}:/srv"));
    let mut dry = into.clone();
    dry["dry_run"] = json!(true);
    let told = session.done("copy-files", dry).await;
    assert!(told["command"].as_str().unwrap().ends_with(&format!("{name}:/srv")), "{told}");
    assert_eq!(told["destination"], format!("{name}:/srv"), "{told}");
    let told = session.done("copy-files", into.clone()).await;
    assert_eq!((&told["files"], &told["bytes"]), (&json!(2), &json!(8)), "{told}");
    assert!(told.get("overwritten").is_none(), "{told}");
    assert_eq!(world.docker(["exec", &name, "cat", "/srv/sub/more.txt"]), "two");
    // Once more: now it is there, and goes into it.
    let told = session.done("copy-files", into.clone()).await;
    assert_eq!(told["destination"], format!("{name}:/srv/app"), "{told}");
    let told = session.done("copy-files", into).await;
    assert!(told["notes"].to_string().contains("was there"), "{told}");
    let one = call("app/config.txt", &format!("{name}:/srv/config.txt"));
    let told = session.done("copy-files", one).await;
    assert_eq!(told["overwritten"], json!(["/srv/config.txt"]), "{told}");

    // Out of one that does not run.
    world.docker(["exec", &name, "sh", "-c", "echo changed > /srv/config.txt"]);
    world.docker(["stop", &name]);
    let told = session.done("copy-files", call(&format!("{name}:/srv"), ".")).await;
    assert_eq!(told["destination"], world.workspace().join("srv").display().to_string(), "{told}");
    assert_eq!(fs::read_to_string(world.workspace().join("srv/config.txt")).unwrap(), "changed\n");
    let back = call(&format!("{name}:/srv/config.txt"), "app");
    let replaced = world.workspace().join("app/config.txt");
    let confirmed = |token: &serde_json::Value| {
        let mut again = back.clone();
        again["confirm"] = token.clone();
        again
    };
    let plan = session.done("copy-files", back.clone()).await;
    let lost = &plan["plan"]["removes"];
    assert_eq!(lost[0]["kind"], "file", "{plan}");
    assert_eq!(lost[0]["name"], replaced.display().to_string(), "{plan}");
    // Somebody writes to it meanwhile: the plan was for another file.
    world.file("app/config.txt", "uno\n");
    session.fails("DKR-027", "copy-files", confirmed(&plan["confirm"])).await;
    assert_eq!(fs::read_to_string(&replaced).unwrap(), "uno\n");
    let plan = session.done("copy-files", back.clone()).await;
    let told = session.done("copy-files", confirmed(&plan["confirm"])).await;
    assert_eq!(told["overwritten"], json!([replaced.display().to_string()]), "{told}");
    assert_eq!(fs::read_to_string(&replaced).unwrap(), "changed\n");
    // Nothing is lost where the same is there.
    let told = session.done("copy-files", back.clone()).await;
    assert!(told.get("overwritten").is_none(), "{told}");
    let entries = fs::read_dir(world.workspace()).unwrap().count();
    assert_eq!(entries, 2, "app and srv, and no folder that was only needed on the way");

    let missing = call(&format!("{name}:/no/such"), ".");
    session.fails("DKR-008", "copy-files", missing).await;
    session.fails("DKR-008", "copy-files", call("no-such", &format!("{name}:/srv"))).await;
    session.fails("DKR-004", "copy-files", call("a", "b")).await;
}

#[tokio::test]
async fn what_this_machine_would_run_does_not_come_out_of_a_container() {
    let Some(world) = World::enter("copy-runs") else { return };
    let mut session = world.session().await;
    let script = "mkdir -p /app/.git/hooks /app/.vscode; cd /app; for f in .git/hooks/pre-commit .vscode/tasks.json .envrc main.py; do echo x > $f; done; chmod 6755 main.py";
    let name = world.run("main", &format!("{script}; {OBEDIENT}"));
    world.wait_for_file(&name, "/app/main.py").await;
    fs::create_dir_all(world.workspace().join(".git/hooks")).unwrap();
    let call =
        |path: &str, to: &str| json!({"source": format!("{name}:{path}"), "destination": to});
    for to in [".git/hooks/pre-commit", ".git/hooks", ".mcp.json", ".envrc"] {
        let said = session.fails("DKR-014", "copy-files", call("/app/main.py", to)).await;
        assert!(said.contains("file.runs_by_itself"), "{to}: {said}");
    }
    let save = json!({"image": image(), "path": ".git/hooks/post-merge"});
    session.fails("DKR-014", "save-image", save).await;
    assert_eq!(fs::read_dir(world.workspace().join(".git/hooks")).unwrap().count(), 0);

    // What is in the folder goes into the folder, as `docker cp` has it; a preview tells where.
    fs::create_dir(world.workspace().join("out")).unwrap();
    let content = call("/app/.", "out");
    let mut dry = content.clone();
    dry["dry_run"] = json!(true);
    let dry = session.done("copy-files", dry).await;
    let told = session.done("copy-files", content).await;
    let out = world.workspace().join("out");
    assert_eq!(told["destination"], out.display().to_string(), "{told}");
    assert_eq!(dry["destination"], told["destination"], "{dry}");
    assert!(told["notes"].to_string().contains(".vscode"), "{told}");
    let came: Vec<_> = fs::read_dir(&out).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(came, ["main.py"], "{told}");
    assert_eq!(fs::metadata(out.join("main.py")).unwrap().mode() & 0o7777, 0o755);

    // The other way round.
    let into = json!({"source": "out/.", "destination": format!("{name}:/app/.")});
    let mut dry = into.clone();
    dry["dry_run"] = json!(true);
    let dry = session.done("copy-files", dry).await;
    let told = session.done("copy-files", into).await;
    assert_eq!(dry["destination"], told["destination"], "{dry} {told}");
    assert_eq!(world.docker(["exec", &name, "ls", "/app"]), "main.py");
}
