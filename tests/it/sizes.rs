//! Answers stay small on a host where there is much of everything: 300 containers, long names,
//! many labels, health logs.

use docker_mcp_server::progress::Progress;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;

/// What a client may read at once; clients cut what is longer.
const EVER: usize = 40_000;

/// A docker that answers from files named after the first two words.
fn stage(files: &[(&str, String)]) -> Stage {
    let stage = Stage::script(
        r#"case "$*" in
            *dangling=true*) exit 0 ;;
            "volume ls --quiet"*) cat "$here/volume-names" ;;
            "network ls --quiet"*) cat "$here/network-names" ;;
            *) cat "$here/$1-$2" ;;
        esac"#,
    );
    for (name, text) in files {
        std::fs::write(stage.path(name), text).unwrap();
    }
    stage
}

async fn answer(stage: &Stage, tool: &str, arguments: Value) -> (usize, Value) {
    let Value::Object(arguments) = arguments else { unreachable!("arguments are an object") };
    answer_to(stage, tool, arguments).await
}

async fn answer_to(stage: &Stage, tool: &str, arguments: Map<String, Value>) -> (usize, Value) {
    let cancel = CancellationToken::new();
    let called = stage.dispatcher().call(tool, arguments, cancel, Progress::default()).await;
    let rendered = called.unwrap_or_else(|_| panic!("there is no {tool}"));
    assert!(!rendered.is_error, "{tool}: {}", rendered.text);
    let value = rendered.structured.unwrap_or_else(|| panic!("{tool}: {}", rendered.text));
    (rendered.text.len(), value)
}

fn lines(rows: impl Iterator<Item = Value>) -> String {
    rows.map(|row| format!("{row}\n")).collect()
}

/// A row of `container ls`, every third of it unhealthy or dead.
fn row(n: usize, project: &str, service: &str) -> Value {
    let (state, status) = match n % 3 {
        0 => ("running", "Up 26 hours (healthy)"),
        1 => ("running", "Up 26 hours (unhealthy)"),
        _ => ("exited", "Exited (137) 26 hours ago"),
    };
    let ports = if n.is_multiple_of(2) { "" } else { "127.0.0.1:18080->8080/tcp" };
    json!({
        "ID": format!("{n:064x}"), "Names": format!("{project}-{service}-{n}"),
        "Image": format!("{project}-{service}"), "CreatedAt": "2026-11-22 06:00:30 +0000 UTC",
        "State": state, "Status": status, "Ports": ports, "Mounts": format!("{project}_data"),
        "Networks": format!("{project}_default"), "Project": project, "Service": service,
    })
}

const LONG_PROJECT: &str = "the-shop-of-the-customer-with-the-long-name";
const LONG_SERVICE: &str = "worker-for-the-nightly-reports";

/// A container as `inspect` tells it, with much of everything.
fn document(n: usize, project: &str, service: &str) -> Value {
    let labels: Map<String, Value> = (0..60)
        .map(|n| (format!("org.example.label-number-{n}"), "a value of some length".into()))
        .chain([
            ("com.docker.compose.project".to_owned(), project.into()),
            ("com.docker.compose.service".to_owned(), service.into()),
        ])
        .collect();
    let probe = json!({
        "Start": "2026-11-22T06:00:30Z", "End": "2026-11-22T06:00:31Z", "ExitCode": 1,
        "Output": "curl: (7) failed to connect ".repeat(140),
    });
    let variables: Vec<String> = (0..20).map(|n| format!("SHOP_SETTING_{n}=some value")).collect();
    json!({
        "Id": format!("{n:064x}"), "Name": format!("/{project}-{service}-{n}"),
        "Image": format!("sha256:{}", "ab".repeat(32)), "Created": "2026-11-22T06:00:30.5Z",
        "Path": "node", "Args": ["server.js", "--port", "8080"], "RestartCount": 7,
        "State": {
            "Status": "running", "Running": true, "Pid": 4711, "StartedAt": "2026-11-22T06:00:30Z",
            "Health": {"Status": "unhealthy", "FailingStreak": 12, "Log": vec![probe; 5]},
        },
        "Config": {
            "Image": format!("{project}-{service}"), "Env": variables, "Labels": labels,
            "Cmd": ["node", "server.js", "--port", "8080"], "WorkingDir": "/app", "User": "node",
        },
        "HostConfig": {"Memory": 536_870_912, "NanoCpus": 1_500_000_000, "RestartPolicy": {"Name": "always"}},
        "Mounts": [
            {"Type": "volume", "Name": format!("{project}_data"), "Destination": "/data", "RW": true},
            {"Type": "bind", "Source": "/home/me/shop", "Destination": "/app", "RW": false},
        ],
        "NetworkSettings": {
            "Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]},
            "Networks": {format!("{project}_default"): {"IPAddress": "172.20.0.7"}},
        },
    })
}

fn image(n: usize) -> Value {
    json!({
        "Id": format!("sha256:{n:064x}"), "Created": "2026-11-22T06:00:30.5Z", "Size": 123_456_789,
        "RepoTags": [format!("registry.example.com/{LONG_PROJECT}/{LONG_SERVICE}:{n}")],
        "RepoDigests": [format!("registry.example.com/{LONG_PROJECT}/{LONG_SERVICE}@sha256:{n:064x}")],
    })
}

fn image_row(n: usize) -> Value {
    json!({
        "ID": format!("sha256:{n:064x}"), "Size": "123MB", "CreatedAt": "2026-11-22 06:00:30 +0000 UTC",
        "Repository": format!("registry.example.com/{LONG_PROJECT}/{LONG_SERVICE}"),
        "Tag": n.to_string(), "Digest": format!("sha256:{n:064x}"),
    })
}

#[tokio::test]
async fn a_list_of_thirty_containers_takes_four_kilobytes() {
    let rows = (0..30).map(|n| row(n, "shop", ["web", "db", "worker"][n % 3]));
    let stage = stage(&[("container-ls", lines(rows))]);
    let (size, answer) = answer(&stage, "list-containers", json!({"all": true})).await;
    assert!(size <= 4000, "{size} bytes: {answer}");
    let rows = answer["containers"].as_array().unwrap();
    assert_eq!(rows.len(), 30);
    assert!(rows.iter().all(|row| row["name"].is_string() && row["status"].is_string()));
    assert!(answer["left_out"].as_str().unwrap().contains("health"), "{answer}");
}

#[tokio::test]
async fn a_few_containers_are_told_whole() {
    let stage = stage(&[("container-ls", lines((0..10).map(|n| row(n, "shop", "web"))))]);
    let (size, answer) = answer(&stage, "list-containers", json!({"all": true})).await;
    assert!(size <= 4000, "{size} bytes: {answer}");
    assert_eq!(answer["left_out"], Value::Null);
    for field in ["id", "name", "image", "state", "status", "project", "service", "created"] {
        assert!(answer["containers"][2][field].is_string(), "{field}: {answer}");
    }
    assert_eq!(answer["containers"][2]["exit_code"], 137, "{answer}");
}

#[tokio::test]
async fn lists_of_three_hundred_are_cut_and_say_so() {
    let names = (0..300).map(|n| json!({"Name": format!("{LONG_PROJECT}_volume-{n}")}));
    let volumes: Vec<Value> = (0..50)
        .map(|n| {
            json!({"Name": format!("{LONG_PROJECT}_volume-{n}"), "Driver": "local",
                "CreatedAt": "2026-11-22T06:00:30Z", "Labels": {"com.docker.compose.project": LONG_PROJECT}})
        })
        .collect();
    // All of them use one image and one volume.
    let rows = (0..300).map(|n| {
        let mut row = row(n, LONG_PROJECT, LONG_SERVICE);
        row["Image"] = format!("registry.example.com/{LONG_PROJECT}/{LONG_SERVICE}:1").into();
        row["Mounts"] = format!("{LONG_PROJECT}_volume-1").into();
        row
    });
    let images: Vec<Value> = (0..50).map(image).collect();
    let stage = stage(&[
        ("container-ls", lines(rows)),
        ("image-ls", lines((0..300).map(image_row))),
        ("image-inspect", json!(images).to_string()),
        ("volume-ls", lines(names)),
        ("volume-inspect", json!(volumes).to_string()),
    ]);
    for (tool, list, most) in [
        ("list-containers", "containers", 14_000),
        ("list-images", "images", 20_000),
        ("list-volumes", "volumes", 14_000),
    ] {
        let (size, answer) = answer(&stage, tool, json!({})).await;
        assert!(size <= most, "{tool}: {size} bytes");
        assert_eq!((answer[list].as_array().unwrap().len(), &answer["total"]), (50, &json!(300)));
        assert_eq!(answer["cut"], Value::Null, "{tool} is cut by its own limit alone");
    }
    let all = json!({"limit": 1000});
    let (size, answer) = answer(&stage, "list-containers", all).await;
    assert!(size <= EVER, "{size} bytes");
    assert!(answer["cut"].as_str().unwrap().contains("more containers"), "{}", answer["cut"]);
}

#[tokio::test]
async fn the_overview_takes_one_and_a_half_kilobytes() {
    let names =
        |of: &str| (0..300).map(|n| format!("{LONG_PROJECT}_{of}-{n}\n")).collect::<String>();
    let rows = (0..300).map(|n| match n % 5 {
        0 => {
            let mut loose = row(n, LONG_PROJECT, LONG_SERVICE);
            loose["Project"] = "".into();
            loose
        }
        _ => row(n, &format!("{LONG_PROJECT}-{}", n / 10), LONG_SERVICE),
    });
    let stage = stage(&[
        ("container-ls", lines(rows)),
        ("container-inspect", "[]".to_owned()),
        ("image-ls", lines((0..300).map(image_row))),
        ("volume-names", names("volume")),
        ("network-names", names("network")),
    ]);
    let (size, answer) = answer(&stage, "list-all-resources", json!({})).await;
    assert!(size <= 1500, "{size} bytes: {answer}");
    assert_eq!((&answer["volumes"], &answer["networks"]), (&json!(300), &json!(300)));
    assert_eq!(answer["images"]["count"], 300, "{answer}");
    assert_eq!(answer["containers"]["running"], 200, "{answer}");
}

#[tokio::test]
async fn a_container_takes_two_kilobytes_whatever_it_has() {
    let stage = stage(&[(
        "container-inspect",
        json!([document(1, LONG_PROJECT, LONG_SERVICE)]).to_string(),
    )]);
    let inspect = |include: Value| json!({"container_name": "web", "include": include});
    let (size, standard) = answer(&stage, "inspect-container", inspect(json!([]))).await;
    assert!(size <= 2000, "{size} bytes: {standard}");
    assert_eq!(standard["health"], "unhealthy", "{standard}");
    let (size, asked) =
        answer(&stage, "inspect-container", inspect(json!(["labels", "health_log"]))).await;
    assert!(size <= 12_000, "{size} bytes");
    assert_eq!(asked["health_log"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_project_of_three_hundred_containers_is_still_an_answer() {
    let rows = (0..300).map(|n| row(n, LONG_PROJECT, LONG_SERVICE));
    let documents: Vec<Value> = (0..100).map(|n| document(n, LONG_PROJECT, LONG_SERVICE)).collect();
    let stage = stage(&[
        ("container-ls", lines(rows)),
        ("container-inspect", json!(documents).to_string()),
        ("image-inspect", String::new()),
    ]);
    let by_name = json!({"project_name": LONG_PROJECT});
    let (size, answer) = answer(&stage, "compose-ps", by_name).await;
    assert!(size <= EVER, "{size} bytes");
    assert!(answer["cut"].as_str().unwrap().contains("more services"), "{}", answer["cut"]);
}
