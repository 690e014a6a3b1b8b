//! What was begun and not finished leaves nothing behind.

use serde_json::json;

use crate::stage::Stage;
use crate::wire::{LATEST_LEGACY, Transport, Wire};

/// Like the real one it writes under a name of its own, which it leaves when it is killed.
const SAVES_FOREVER: &str = r#"
case $2 in
inspect) echo '[{"Id":"sha256:aaaaaaaaaaaaaaaa","RepoTags":["app:1"],"Size":5}]' ;;
save)
    for word; do case $word in --output=*) file=${word#--output=} ;; esac; done
    echo half >"${file%/*}/.docker_temp_1"
    echo begun >"$here/begun"
    sleep 30
    ;;
esac
"#;

#[tokio::test]
async fn a_save_that_takes_too_long_leaves_no_file() {
    let stage = Stage::script(SAVES_FOREVER);
    let mut wire = Wire::in_memory(stage.dispatcher(), LATEST_LEGACY);
    wire.initialize("2025-11-25").await;
    let arguments = json!({"image": "app:1", "path": "app.tar", "timeout_seconds": 1});
    let result = wire.call("save-image", arguments).await.to_string();
    assert!(result.contains("DKR-012"), "{result}");
    assert_eq!(stage.text("begun"), "begun\n");
    let left = std::fs::read_dir(stage.workspace()).unwrap().count();
    assert_eq!(left, 0, "{result}");
}

#[tokio::test]
async fn a_cancelled_save_leaves_no_file() {
    let stage = Stage::script(SAVES_FOREVER);
    let mut wire = Wire::in_memory(stage.dispatcher(), LATEST_LEGACY);
    wire.initialize("2025-11-25").await;
    let call = json!({"name": "save-image", "arguments": {"image": "app:1", "path": "app.tar"}});
    let id = wire.request("tools/call", call).await;
    let within = std::time::Duration::from_secs(10);
    crate::processes::eventually("it writes", within, || stage.text("begun") == "begun\n").await;
    wire.notify("notifications/cancelled", json!({"requestId": id})).await;
    let within = std::time::Duration::from_secs(1);
    crate::processes::eventually("nothing is left", within, || {
        std::fs::read_dir(stage.workspace()).unwrap().count() == 0
    })
    .await;
}

#[tokio::test]
async fn a_save_of_a_server_that_was_killed_leaves_no_file() {
    let stage = Stage::script(SAVES_FOREVER);
    let mut wire = Wire::connect(&stage, Transport::Pipes, LATEST_LEGACY).await;
    let call = json!({"name": "save-image", "arguments": {"image": "app:1", "path": "app.tar"}});
    wire.request("tools/call", call).await;
    let within = std::time::Duration::from_secs(10);
    crate::processes::eventually("it writes", within, || stage.text("begun") == "begun\n").await;
    assert!(!stage.workspace().join("app.tar").exists(), "it is there only when it is whole");
    crate::processes::signal(wire.pid(), rustix::process::Signal::KILL);
    crate::processes::eventually("nothing is left", within, || {
        std::fs::read_dir(stage.workspace()).unwrap().count() == 0
    })
    .await;
}

/// Its command never ends; to end it in the container takes a while.
const RUNS_FOREVER: &str = r#"
case $2 in
inspect) echo '[{"Id":"aaaaaaaaaaaaaaaa","Name":"/web","State":{"Status":"running"}}]' ;;
exec)
    case "$*" in
    *"/proc/"*)
        echo begun >"$here/begun"
        sleep 1
        echo ended >"$here/ended"
        echo ended
        ;;
    *) exec sleep 30 ;;
    esac
    ;;
esac
"#;

#[tokio::test]
async fn a_command_that_took_too_long_is_killed_also_when_the_call_is_cancelled_meanwhile() {
    let stage = Stage::script(RUNS_FOREVER);
    let mut wire = Wire::in_memory(stage.dispatcher(), LATEST_LEGACY);
    wire.initialize("2025-11-25").await;
    let arguments = json!({"container_name": "web", "command": "sleep 30", "timeout_seconds": 1});
    let call = json!({"name": "exec-container", "arguments": arguments});
    let id = wire.request("tools/call", call).await;
    let within = std::time::Duration::from_secs(10);
    let has = |file: &str| !stage.text(file).is_empty();
    crate::processes::eventually("it is being killed", within, || has("begun")).await;
    wire.notify("notifications/cancelled", json!({"requestId": id})).await;
    crate::processes::eventually("it was killed", within, || has("ended")).await;
}
