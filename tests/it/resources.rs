//! What can be read and picked beside the tools, in both eras.

use std::time::Duration;

use docker_mcp_server::tools::Toolset;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::processes::server;
use crate::stage::Stage;
use crate::wire::{Era, LATEST_LEGACY, Wire, everywhere};

/// A docker with two containers, of which one prints a secret; without a daemon once `gone` is there.
const DOCKER: &str = r#"[ -e "$here/gone" ] && { echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1; }
row() { echo "{\"ID\":\"0123456789abcde$2\",\"Names\":\"$1\",\"Image\":\"nginx\",\"CreatedAt\":\"2025-11-20 09:15:00 +0000 UTC\",\"State\":\"running\",\"Status\":\"Up 2 hours\",\"Ports\":\"\",\"Mounts\":\"\",\"Networks\":\"bridge\",\"Project\":\"shop\",\"Service\":\"web\"}"; }
case "$1 $2" in
"version "*) echo '{"Client":{"Version":"28.5.2"},"Server":{"Version":"28.5.2","ApiVersion":"1.51","Os":"linux","Arch":"amd64"}}' ;;
"container ls") row shop-web-1 1; row other-1 2 ;;
"container inspect") case "$4" in shop-web-1|0123*) echo '[{"Id":"0123456789abcdef","Name":"/shop-web-1","State":{"Status":"running","Running":true}}]' ;; *) echo '[]'; echo "Error: No such container: $4" >&2; exit 1 ;; esac ;;
"container logs") echo "password=kestrel41moth" ;;
*) exit 1 ;;
esac"#;

/// The text of a resource.
async fn read(wire: &mut Wire, uri: &str) -> String {
    let answer = wire.ask("resources/read", json!({"uri": uri})).await;
    let contents = answer["result"]["contents"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(contents[0]["uri"], uri, "{answer}");
    contents[0]["text"].as_str().unwrap().to_owned()
}

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|it| it[key].as_str().unwrap()).collect()
}

#[tokio::test]
async fn resources_are_listed_and_read() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        let list = wire.ask("resources/list", json!({})).await;
        let uris = names(&list["result"]["resources"], "uri");
        let all = ["docker://health", "docker://overview", "docker://errors", "docker://metrics"];
        assert_eq!(uris, all, "{era:?}");
        let templates = wire.ask("resources/templates/list", json!({})).await;
        assert_eq!(
            names(&templates["result"]["resourceTemplates"], "uriTemplate"),
            [
                "docker://containers/{name}/logs",
                "docker://containers/{name}/inspect",
                "docker://projects/{name}/config"
            ]
        );
        let health: Value =
            serde_json::from_str(&read(&mut wire, "docker://health").await).unwrap();
        let expected = json!({"status": "healthy", "docker": "connected", "version": "28.5.2", "api_version": "1.51"});
        assert_eq!(health, expected);
        assert!(read(&mut wire, "docker://errors").await.contains("DKR-001"));
        let logs = read(&mut wire, "docker://containers/shop-web-1/logs").await;
        assert!(logs.contains("password=[REDACTED]"), "{logs}");
        let inspect = read(&mut wire, "docker://containers/shop%2Dweb-1/inspect").await;
        assert!(inspect.contains(r#""name":"shop-web-1""#), "{inspect}");
        let metrics = read(&mut wire, "docker://metrics").await;
        let counted = r#"docker_mcp_operations_total{operation="get-logs",status="success"} 1"#;
        assert!(metrics.contains(counted), "{metrics}");
        let modern = era == Era::Modern;
        assert_eq!(list["result"]["ttlMs"].is_u64(), modern, "{transport:?} {era:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_an_error_with_its_address() {
    let stage = Stage::script(DOCKER);
    for era in [LATEST_LEGACY, Era::Modern] {
        let mut wire = Wire::connect(&stage, crate::wire::Transport::Memory, era).await;
        for uri in [
            "docker://nothing",
            "docker://containers/absent/logs",
            "docker://containers/a%2Fb/logs",
            "docker://containers//logs",
            "file:///etc/passwd",
        ] {
            let answer = wire.ask("resources/read", json!({"uri": uri})).await;
            assert_eq!(answer["error"]["code"], -32602, "{answer}");
            assert_eq!(answer["error"]["data"]["uri"], uri, "{answer}");
        }
        let answer = wire.ask("prompts/get", json!({"name": "nothing"})).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("debug-stack"), "{answer}");
        let answer = wire.ask("prompts/get", json!({"name": "debug-stack"})).await;
        assert!(answer["error"]["message"].as_str().unwrap().contains("`project`"), "{answer}");
    }
}

#[tokio::test]
async fn health_tells_when_docker_has_gone_and_come_back() {
    let stage = Stage::script(DOCKER);
    let mut wire = Wire::connect(&stage, crate::wire::Transport::Pipes, Era::Modern).await;
    for is_gone in [false, true, false] {
        if is_gone {
            std::fs::write(stage.path("gone"), "").unwrap();
        } else {
            drop(std::fs::remove_file(stage.path("gone")));
        }
        let health: Value =
            serde_json::from_str(&read(&mut wire, "docker://health").await).unwrap();
        assert_eq!(health["status"], if is_gone { "unhealthy" } else { "healthy" });
        assert_eq!(health["docker"].as_str().unwrap().contains("DKR-001"), is_gone, "{health}");
    }
}

#[tokio::test]
async fn prompts_are_tasks_in_the_names_of_the_tools() {
    let stage = Stage::script(DOCKER);
    for (transport, era) in everywhere() {
        let mut wire = Wire::connect(&stage, transport, era).await;
        let list = wire.ask("prompts/list", json!({})).await;
        let prompts = &list["result"]["prompts"];
        assert_eq!(
            names(prompts, "name"),
            [
                "debug-container",
                "debug-stack",
                "dockerize-project",
                "run-to-compose",
                "safe-cleanup"
            ]
        );
        assert_eq!(prompts[0]["arguments"][0]["required"], true, "{prompts}");
        assert_eq!(prompts[2]["arguments"][0]["required"], false, "{prompts}");
        let arguments = json!({"name": "debug-stack", "arguments": {"project": "shop"}});
        let got = wire.ask("prompts/get", arguments).await;
        let message = &got["result"]["messages"][0];
        assert_eq!(message["role"], "user", "{got}");
        let text = message["content"]["text"].as_str().unwrap();
        assert!(text.contains(r#"diagnose {"project_name": "shop"}"#), "{text}");
        let got = wire.ask("prompts/get", json!({"name": "safe-cleanup"})).await;
        assert!(got["result"]["messages"][0]["content"]["text"].is_string(), "{got}");
    }
}

#[tokio::test]
async fn names_are_completed() {
    let stage = Stage::script(DOCKER);
    let mut wire = Wire::connect(&stage, crate::wire::Transport::Memory, LATEST_LEGACY).await;
    let mut complete = async |reference: Value, argument: &str, value: &str| {
        let params = json!({"ref": reference, "argument": {"name": argument, "value": value}});
        wire.ask("completion/complete", params).await["result"]["completion"]["values"].clone()
    };
    let prompt = |name: &str| json!({"type": "ref/prompt", "name": name});
    let template = |uri: &str| json!({"type": "ref/resource", "uri": uri});
    let both = json!(["other-1", "shop-web-1"]);
    assert_eq!(complete(prompt("debug-container"), "container", "").await, both);
    assert_eq!(
        complete(prompt("debug-container"), "container", "web").await,
        json!(["shop-web-1"])
    );
    assert_eq!(complete(prompt("debug-stack"), "project", "s").await, json!(["shop"]));
    let logs = template("docker://containers/{name}/logs");
    assert_eq!(complete(logs, "name", "sh").await, json!(["shop-web-1"]));
    let config = template("docker://projects/{name}/config");
    assert_eq!(complete(config, "name", "").await, json!(["shop"]));
    assert_eq!(complete(prompt("run-to-compose"), "commands", "x").await, json!([]));
}

#[tokio::test]
async fn only_what_can_be_done_is_listed() {
    let stage = Stage::script(DOCKER);
    let dispatcher = stage.dispatcher_of_sets(&[Toolset::Volumes]);
    let mut wire = Wire::in_memory(dispatcher, LATEST_LEGACY);
    wire.shake_hands().await;
    let list = wire.ask("resources/list", json!({})).await;
    let uris = names(&list["result"]["resources"], "uri");
    assert_eq!(uris, ["docker://health", "docker://errors", "docker://metrics"]);
    let templates = wire.ask("resources/templates/list", json!({})).await;
    assert_eq!(templates["result"]["resourceTemplates"], json!([]));
    assert_eq!(wire.ask("prompts/list", json!({})).await["result"]["prompts"], json!([]));
    let answer = wire.ask("resources/read", json!({"uri": "docker://overview"})).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

/// What is answered there to this request line and `Host`.
async fn asked(port: u16, line: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn metrics_are_served_to_this_machine_alone() {
    let stage = Stage::script(DOCKER);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = server(&stage);
    command.args(["--metrics-listen", &format!("127.0.0.1:{port}")]);
    let mut wire = Wire::with_pipes(command, LATEST_LEGACY);
    wire.shake_hands().await;
    for _ in 0..3 {
        wire.call("list-containers", json!({})).await;
    }
    let own = format!("127.0.0.1:{port}");
    let answer = asked(port, "GET /metrics", &own).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let counted = r#"docker_mcp_operations_total{operation="list-containers",status="success"} 3"#;
    assert!(answer.contains(counted), "{answer}");
    assert!(answer.contains("docker_mcp_processes_started_total 3"), "{answer}");
    assert!(answer.contains("process_resident_memory_bytes"), "{answer}");
    for (line, host, status) in [
        ("GET /metrics", "example.com", "403"),
        ("POST /metrics", own.as_str(), "405"),
        ("GET /", own.as_str(), "404"),
    ] {
        let answer = asked(port, line, host).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{line} {host}: {answer}");
    }
    drop(wire);

    // Others could reach this one.
    let mut command = server(&stage);
    command.args(["--metrics-listen", "0.0.0.0:0"]).stdin(std::process::Stdio::null());
    let ended = tokio::time::timeout(Duration::from_secs(10), command.status()).await;
    assert!(!ended.unwrap().unwrap().success());
}
