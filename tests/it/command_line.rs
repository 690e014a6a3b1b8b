//! `docker-mcp-server call`: one call by a person or a script.

use std::process::{Output, Stdio};

use crate::processes::{program, server};
use crate::stage::Stage;

/// One volume that nobody uses.
const VOLUME: &str = r#"case "$1 $2" in
    "volume inspect") echo '[{"Name":"pg","Driver":"local","CreatedAt":"2026-11-24T12:00:00Z"}]' ;;
    "volume rm") echo "$*" > "$here/removed" ;;
    "system df") echo '[null]' ;;
esac"#;

/// On a terminal, with these keys pressed.
async fn on_a_terminal(stage: &Stage, keys: &str) -> Output {
    let call = format!(
        "{} call remove-volume '{{\"name\":\"pg\"}}'",
        env!("CARGO_BIN_EXE_docker-mcp-server")
    );
    let typed = format!("{{ sleep 1; echo {keys}; sleep 1; }} | script -qec \"$CALL\" /dev/null");
    let mut shell = program("/bin/sh");
    shell.args(["-c", &typed]).env("CALL", call).env("PATH", stage.search_path());
    shell.current_dir(stage.workspace()).output().await.unwrap()
}

#[tokio::test]
async fn without_a_terminal_a_plan_is_shown_and_what_a_script_can_do() {
    let stage = Stage::script(VOLUME);
    let call = server(&stage)
        .args(["call", "remove-volume", r#"{"name":"pg"}"#])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&call.stdout).contains(r#""plan":"#), "{call:?}");
    assert!(String::from_utf8_lossy(&call.stderr).contains("--confirm never"), "{call:?}");
    assert_eq!(stage.text("removed"), "");
}

#[tokio::test]
async fn on_a_terminal_a_person_is_asked() {
    let stage = Stage::script(VOLUME);
    let declined = on_a_terminal(&stage, "n").await;
    let text = String::from_utf8_lossy(&declined.stdout);
    assert!(text.contains("volume pg with its data") && text.contains("DKR-028"), "{text}");
    assert_eq!(stage.text("removed"), "");

    let agreed = on_a_terminal(&stage, "y").await;
    let text = String::from_utf8_lossy(&agreed.stdout);
    assert!(text.contains(r#""removed":["pg"]"#), "{text}");
    assert_eq!(stage.text("removed"), "volume rm -- pg\n");
}
