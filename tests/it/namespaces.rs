//! Containers that share namespaces one after the other are looked at, up to a limit.

use docker_mcp_server::progress::Progress;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;

/// The container `cN` uses the network of the next one, and the last one has its own.
const CHAIN: &str = r#"for last; do :; done
case "$*" in
    *"exec"*) echo done ;;
    *inspect*)
        n=${last#c}
        mode=bridge
        [ "$n" -lt "$(cat "$here/length")" ] && mode="container:c$((n + 1))"
        echo "[{\"Id\":\"c$n\",\"Name\":\"/c$n\",\"State\":{\"Status\":\"running\",\"Running\":true},\"HostConfig\":{\"NetworkMode\":\"$mode\"}}]" ;;
esac"#;

async fn entered(length: usize) -> String {
    let stage = Stage::script(CHAIN);
    std::fs::write(stage.path("length"), length.to_string()).unwrap();
    let serde_json::Value::Object(arguments) = json!({"container_name": "c1", "command": "true"})
    else {
        unreachable!("it is an object")
    };
    let cancel = CancellationToken::new();
    let dispatcher = stage.dispatcher();
    dispatcher.call("exec-container", arguments, cancel, Progress::default()).await.unwrap().text
}

#[tokio::test]
async fn eight_in_a_row_are_looked_at_and_more_are_refused_by_a_rule() {
    for length in [1, 8] {
        let text = entered(length).await;
        assert!(!text.contains("DKR-014"), "{length}: {text}");
    }
    let refused = entered(9).await;
    assert!(
        refused.contains("DKR-014") && refused.contains("rule=target.host_powerful"),
        "{refused}"
    );
    assert!(refused.contains("more than 8 containers") && refused.contains("hint: "), "{refused}");
}
