//! Bad input of every kind is refused in words, before anything has happened.

use serde_json::{Map, Value, json};

use super::recorder::Recorder;
use super::world::image;
use super::{OBEDIENT, Session, World};

/// Never a name of anything, whatever the parameter. Each would do harm if it reached a command
/// line or a path.
fn awkward() -> Vec<String> {
    let mut values: Vec<String> = [
        "-x",
        "--privileged",
        "--help",
        "a\0b",
        "../volumes/x",
        "../../etc",
        "a\nb",
        " ",
        "a;touch marker",
        "$(touch marker)",
        "`touch marker`",
        "--volume=/:/host",
    ]
    .map(str::to_owned)
    .into();
    values.push("x".repeat(200) + "/../y z");
    values
}

struct Watched {
    world: World,
    recorder: Option<Recorder>,
    session: Session,
    marker: String,
}

impl Watched {
    async fn enter(test: &str) -> Option<Self> {
        let world = World::enter(test)?;
        let marker = world.file("kept/marker.txt", "as it was\n").display().to_string();
        let recorder = Recorder::before(&world);
        let mut server = world.server();
        if let Some(recorder) = &recorder {
            server.env("DOCKER_HOST", recorder.host());
        }
        let session = Session::open(server).await;
        Some(Self { world, recorder, session, marker })
    }

    /// The complaint about a call that is refused and has changed nothing.
    async fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let text = self.session.fails("DKR-004", tool, arguments.clone()).await;
        self.unchanged(&format!("{tool} {arguments}"));
        text
    }

    fn unchanged(&self, after: &str) {
        let changes = self.recorder.as_ref().map(Recorder::changes).unwrap_or_default();
        assert!(changes.is_empty(), "{after}: {changes:?}");
        let folder: Vec<_> = std::fs::read_dir(self.world.workspace())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(folder, ["kept"], "{after}");
        assert_eq!(std::fs::read_to_string(&self.marker).unwrap(), "as it was\n", "{after}");
    }
}

#[tokio::test]
async fn what_is_sent_through_the_recorder_is_seen() {
    let Some(mut watched) = Watched::enter("recorder").await else { return };
    let name = watched.world.name("main");
    let create = json!({"image": image(), "name": name, "command": ["sh", "-c", OBEDIENT]});
    watched.session.done("create-container", create).await;
    let Some(recorder) = &watched.recorder else { return };
    let changes = recorder.changes();
    assert!(changes.iter().any(|change| change.contains("/containers/create")), "{changes:?}");
    assert!(changes.iter().any(|change| change.contains("/start")), "{changes:?}");
    watched.session.done("list-containers", json!({"all": true})).await;
    watched.session.done("list-all-resources", json!({})).await;
    watched.session.done("docker-info", json!({})).await;
    watched.unchanged("reads");
}

#[tokio::test]
async fn no_tool_takes_an_awkward_value_for_what_it_requires() {
    let Some(mut watched) = Watched::enter("awkward-values").await else { return };
    for tool in watched.session.tools().await {
        let name = tool["name"].as_str().unwrap();
        let schema = &tool["inputSchema"];
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for parameter in required.iter().map(|parameter| parameter.as_str().unwrap()) {
            // What may be any text, or a path of the host, has tests of its own.
            if [
                "command",
                "query",
                "context",
                "path",
                "source",
                "destination",
                "until",
                "kind",
                "what",
            ]
            .contains(&parameter)
            {
                continue;
            }
            for value in awkward() {
                let mut arguments = Map::new();
                for other in &required {
                    let other = other.as_str().unwrap();
                    let valid = match other {
                        "kind" => "volume",
                        "until" => "running",
                        "what" => "containers",
                        _ => "valid",
                    };
                    arguments.insert(other.to_owned(), json!(valid));
                }
                if name == "deploy-compose" {
                    arguments.insert("compose_yaml".into(), json!("services: {a: {image: x}}"));
                }
                if name == "find-users" {
                    arguments.insert("kind".into(), json!("image"));
                }
                arguments.insert(parameter.to_owned(), json!(value));
                let complaint = watched.refused(name, Value::Object(arguments)).await;
                assert!(
                    complaint.lines().next().unwrap().contains(parameter),
                    "{name} does not name {parameter}: {complaint}"
                );
            }
        }
    }
}

#[tokio::test]
async fn no_tool_takes_a_parameter_that_it_does_not_know() {
    let Some(mut watched) = Watched::enter("unknown").await else { return };
    for tool in watched.session.tools().await {
        let name = tool["name"].as_str().unwrap();
        let mut arguments = Map::new();
        for required in tool["inputSchema"]["required"].as_array().into_iter().flatten() {
            arguments.insert(required.as_str().unwrap().to_owned(), json!("valid"));
        }
        arguments.insert("frobnicate".into(), json!(true));
        let complaint = watched.refused(name, Value::Object(arguments)).await;
        assert!(complaint.contains("frobnicate"), "{name}: {complaint}");
    }
    let misspelt = json!({"container_nam": "web"});
    let complaint = watched.refused("stop-container", misspelt).await;
    assert!(complaint.contains("container_name"), "the nearest name is told: {complaint}");
}

#[tokio::test]
async fn create_container_refuses_each_wrong_value_by_its_name() {
    let Some(mut watched) = Watched::enter("bad-create").await else { return };
    let long = "x".repeat(200);
    let cases = [
        ("image", json!("-x")),
        ("image", json!("")),
        ("image", json!("UPPER CASE")),
        ("name", json!("-x")),
        ("name", json!("a/b")),
        ("name", json!("a b")),
        ("name", json!(long)),
        ("ports", json!({"80": 70000})),
        ("ports", json!({"80": -1})),
        ("ports", json!({"0": 8080})),
        ("ports", json!({"70000": 8080})),
        ("ports", json!({"80": "999.1.1.1:80"})),
        ("ports", json!({"http": 80})),
        ("environment", json!({"": "x"})),
        ("environment", json!({"A=B": "x"})),
        ("environment", json!({"A": "x\0y"})),
        ("volumes", json!(["../volumes/x"])),
        ("volumes", json!(["data,readonly:/data"])),
        ("volumes", json!(["data:/data,readonly=false"])),
        ("volumes", json!(["data:/da\0ta"])),
        ("volumes", json!(["-x:/data"])),
        ("volumes", json!(["data:relative"])),
        ("volumes", json!(["data:/data:rw:ro:z"])),
        ("volumes", json!([""])),
        ("network", json!("-x")),
        ("networks", json!(["a b"])),
        ("restart", json!("sometimes")),
        ("restart", json!("on-failure:many")),
        ("restart", json!("on-failure:-1")),
        ("command", json!(["a\0b"])),
        ("entrypoint", json!("--x\0")),
        ("user", json!("-x")),
        ("working_dir", json!("relative")),
        ("hostname", json!("-x")),
        ("hostname", json!("a b")),
        ("labels", json!({"": "x"})),
        ("labels", json!({"a=b": "x"})),
        ("memory", json!("much")),
        ("memory", json!(-1)),
        ("memory", json!("1")),
        ("cpus", json!(0)),
        ("cpus", json!(-2)),
        ("cpus", json!("many")),
        ("pids_limit", json!(0)),
        ("shm_size", json!("-1m")),
        ("healthcheck", json!({"test": ""})),
        ("healthcheck", json!({"test": "x", "interval": "soon"})),
        ("healthcheck", json!({"tset": "x"})),
        ("extra_hosts", json!({"db": "not an address"})),
        ("platform", json!("--x")),
        ("tmpfs", json!(["relative"])),
        ("ulimits", json!({"nofile": "many"})),
        ("ulimits", json!({"nofile": "20:10"})),
        ("cap_add", json!(["-x"])),
        ("security_opt", json!(["--x"])),
        ("devices", json!(["-x"])),
        ("dns", json!(["example.invalid"])),
        ("log_driver", json!("-x")),
        ("stop_signal", json!("NOSUCH")),
        ("stop_timeout_seconds", json!(-1)),
        ("wait_seconds", json!(3600)),
        ("pull", json!("sometimes")),
        ("start", json!("perhaps")),
        ("ports", json!("eighty")),
        ("volumes", json!({"a": 1})),
    ];
    let name = watched.world.name("main");
    let mut wrong = vec![];
    for (parameter, value) in cases {
        let mut arguments = json!({"image": image(), "name": name});
        arguments[parameter] = value;
        let result = watched.session.wire.call("create-container", arguments.clone()).await;
        watched.unchanged(&arguments.to_string());
        let text = result["content"][0]["text"].as_str().unwrap();
        let first = text.lines().next().unwrap();
        let is_plain =
            !["expected struct", "u16", "u32", "untagged"].iter().any(|w| text.contains(w));
        if !(first.starts_with("Error: DKR-004 ") && first.contains(parameter) && is_plain) {
            wrong.push(format!("{arguments}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing = watched.refused("create-container", json!({})).await;
    assert!(missing.contains("image"), "{missing}");
}

#[tokio::test]
async fn the_other_tools_refuse_wrong_values_too() {
    let Some(mut watched) = Watched::enter("bad-others").await else { return };
    let name = watched.world.name("absent");
    for (tool, parameter, value) in [
        ("get-logs", "tail", json!(-1)),
        ("get-logs", "tail", json!(1_000_000)),
        ("get-logs", "since", json!("yesterday evening")),
        ("get-logs", "since", json!("--x")),
        ("get-logs", "grep", json!("a(b")),
        ("get-logs", "stream", json!("stdin")),
        ("get-logs", "follow_seconds", json!(3600)),
        ("stop-container", "timeout_seconds", json!(-1)),
        ("stop-container", "timeout_seconds", json!("long")),
        ("kill-container", "signal", json!("-9")),
        ("kill-container", "signal", json!("KILL; touch marker")),
        ("inspect-container", "include", json!(["everything"])),
        ("remove-container", "force", json!("certainly")),
    ] {
        let mut arguments = json!({"container_name": name});
        arguments[parameter] = value;
        let complaint = watched.refused(tool, arguments.clone()).await;
        assert!(complaint.contains(parameter), "{tool} {arguments}: {complaint}");
    }
    for (arguments, parameter) in [
        (json!({"filters": {"status": "sleeping"}}), "status"),
        (json!({"filters": {"colour": "red"}}), "colour"),
        (json!({"filters": {"label": "a\0b"}}), "label"),
        (json!({"limit": -1}), "limit"),
    ] {
        let complaint = watched.refused("list-containers", arguments).await;
        assert!(complaint.contains(parameter), "{complaint}");
    }
}
