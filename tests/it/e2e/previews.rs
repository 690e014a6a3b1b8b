//! A preview does nothing, and tells what the call then does: for every tool that changes something.

use std::collections::BTreeMap;
use std::path::PathBuf;

use regex_lite::Regex;
use serde_json::{Value, json};

use super::recorder::Recorder;
use super::session::Session;
use super::world::image;
use super::{OBEDIENT, World};
use crate::processes::program;

/// Also without an engine: a new tool is not forgotten here.
#[tokio::test]
async fn every_changing_tool_has_an_example() {
    let mut server = program(env!("CARGO_BIN_EXE_docker-mcp-server"));
    server.env("DOCKER_MCP_ALLOW", "push");
    let tools = Session::open(server).await.tools().await;
    let changing = tools.iter().filter(|tool| tool["annotations"]["readOnlyHint"] == false);
    let names: Vec<&str> = changing.map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.len() > 25, "{names:?}");
    let examples = include_str!("previews.rs");
    let has_none = |name: &&&str| !examples.contains(&format!(".proves(\"{name}\""));
    let forgotten: Vec<_> = names.iter().filter(has_none).collect();
    assert!(forgotten.is_empty(), "no example of {forgotten:?}");
}

#[tokio::test]
async fn previews_of_containers() {
    let Some(mut stage) = Stage::enter("previews-c").await else { return };
    let (name, made) = (stage.world.run("main", OBEDIENT), stage.world.name("made"));
    let of = |name: &str| json!({"container_name": name});
    let script = json!(["sh", "-c", OBEDIENT]);
    let create = json!({"image": image(), "name": made, "command": script, "wait_seconds": 0});
    stage.proves("create-container", create).await;
    stage.proves("pause-container", of(&name)).await;
    stage.proves("unpause-container", of(&name)).await;
    stage.proves("restart-container", of(&name)).await;
    stage.proves("exec-container", json!({"container_name": name, "command": "true"})).await;
    let limits = json!({"container_name": name, "pids_limit": 50, "new_name": made.clone() + "-2"});
    stage.proves("update-container", limits).await;
    let name = made.clone() + "-2";
    stage.proves("stop-container", of(&name)).await;
    stage.proves("start-container", of(&name)).await;
    stage.proves("kill-container", of(&name)).await;
    stage.world.file("app/config.txt", "one\n");
    let copy = json!({"source": "app", "destination": format!("{name}:/srv")});
    stage.proves("copy-files", copy).await;
    // It has files of its own by now: there is a plan first.
    stage.proves("remove-container", of(&name)).await;
    let other = json!({"container_name": made, "environment": {"A": "b"}, "wait_seconds": 0});
    stage.proves("recreate-container", other).await;
    stage.proves("run-container", json!({"image": image(), "command": "true"})).await;
}

#[tokio::test]
async fn previews_of_images() {
    let Some(mut stage) = Stage::enter("previews-i").await else { return };
    let tag = format!("{}:1", stage.world.prefix);
    let (key, value) = stage.world.label.split_once('=').unwrap();
    let labels = json!({key: value});
    stage.world.file("app/Dockerfile", &format!("FROM {}\n", image()));
    let build = json!({"context": "app", "tags": [tag], "labels": labels});
    stage.proves("build-image", build).await;
    let second = format!("{}:2", stage.world.prefix);
    stage.proves("tag-image", json!({"image": tag, "tag": second})).await;
    stage.proves("save-image", json!({"image": tag, "path": "image.tar"})).await;
    stage.proves("load-image", json!({"path": "image.tar"})).await;
    stage.proves("remove-image", json!({"image": second})).await;
    // Nobody is there; what was tried is seen all the same.
    let nowhere = format!("127.0.0.1:1/{}:1", stage.world.prefix);
    stage.proves("pull-image", json!({"image": nowhere})).await;
    stage.world.docker(["tag", &tag, &nowhere]);
    stage.proves("push-image", json!({"image": nowhere})).await;
}

#[tokio::test]
async fn previews_of_networks_and_volumes() {
    let Some(mut stage) = Stage::enter("previews-n").await else { return };
    let (network, volume) = (stage.world.name("net"), stage.world.name("data"));
    let container = stage.world.make("main", &[], &["true"]);
    let pair = json!({"name": network, "container_name": container});
    let (key, value) = stage.world.label.split_once('=').unwrap();
    let labels = json!({key: value});
    stage.world.docker(["wait", &container]);
    stage.proves("create-network", json!({"name": network})).await;
    stage.proves("connect-network", pair.clone()).await;
    stage.proves("disconnect-network", pair).await;
    stage.proves("remove-network", json!({"name": network})).await;
    stage.proves("create-volume", json!({"name": volume, "labels": labels})).await;
    stage.proves("remove-volume", json!({"name": volume})).await;
    let label = stage.world.label.clone();
    stage.proves("prune", json!({"what": "containers", "label": label})).await;
}

#[tokio::test]
async fn previews_of_projects() {
    let Some(mut stage) = Stage::enter("previews-p").await else { return };
    let yaml = format!(
        "services:\n  web:\n    image: {}\n    command: [sh, -c, '{}']\n  built:\n    build: app\n    image: {}:built\n    profiles: [more]\n  far:\n    image: 127.0.0.1:1/far\n    profiles: [more]\n",
        image(),
        OBEDIENT.replace('$', "$$").replace('\'', "''"),
        stage.world.prefix,
    );
    stage.world.file("compose.yaml", &yaml);
    stage.world.file("app/Dockerfile", &format!("FROM {}\n", image()));
    let project = |more: Value| {
        let mut arguments = json!({"project_name": stage.world.prefix});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let (all, web) = (project(json!({})), project(json!({"service": "web", "command": "true"})));
    let (built, far) =
        (project(json!({"services": ["built"]})), project(json!({"services": ["far"]})));
    stage.proves("compose-build", built).await;
    stage.proves("compose-pull", far).await;
    stage.proves("deploy-compose", all.clone()).await;
    stage.proves("compose-exec", web.clone()).await;
    stage.proves("compose-run", web).await;
    stage.proves("compose-restart", all.clone()).await;
    stage.proves("compose-stop", all.clone()).await;
    stage.proves("compose-start", all.clone()).await;
    stage.proves("compose-down", all).await;
}

/// A session of which everything is seen that it runs and sends.
struct Stage {
    session: Session,
    world: World,
    audit: PathBuf,
    recorder: Option<Recorder>,
}

impl Stage {
    async fn enter(test: &str) -> Option<Self> {
        let world = World::enter(test)?;
        let (audit, recorder) = (world.beside("audit.jsonl"), Recorder::before(&world));
        let mut server = world.server();
        server.env("DOCKER_MCP_ALLOW", "push").arg("--audit-file").arg(&audit);
        if let Some(recorder) = &recorder {
            server.env("DOCKER_HOST", recorder.host());
        }
        let session = Session::open(server).await;
        Some(Self { session, world, audit, recorder })
    }

    /// Nothing is done by a preview, nor by a plan, and what they tell is what is then run, on the
    /// same objects.
    async fn proves(&mut self, tool: &str, arguments: Value) {
        let mut with = arguments.clone();
        with["dry_run"] = json!(true);
        let preview = self.session.done(tool, with).await;
        assert_eq!(preview["dry_run"], true, "{tool}: {preview}");
        assert_eq!(self.ran("dry_run"), "", "{tool}");
        let forecast = known(preview["command"].as_str().unwrap());

        let before = self.names();
        let mut answer = self.session.wire.call(tool, arguments.clone()).await;
        if let Some(token) = answer["structuredContent"].get("confirm") {
            let told = answer["structuredContent"]["plan"]["command"].as_array().unwrap();
            let told: Vec<&str> = told.iter().map(|line| line.as_str().unwrap()).collect();
            assert_eq!(known(&told.join(" && ")), forecast, "the plan of {tool}");
            let mut with = arguments;
            with["confirm"] = token.clone();
            assert_eq!(self.ran("plan"), "", "{tool}");
            answer = self.session.wire.call(tool, with).await;
        }
        let mut names = self.names();
        names.extend(before);
        let mut ran = self.ran("");
        for (id, name) in names {
            ran = ran.replace(&id, &name);
        }
        assert_eq!(known(&ran), forecast, "{tool}: {answer}");
        if let Some(told) = answer["structuredContent"]["command"].as_str() {
            assert_eq!(known(told), forecast, "what {tool} says that it has done");
        }
    }

    /// The commands of the last call that do more than read; nothing is sent where there are none.
    fn ran(&self, outcome: &str) -> String {
        let audit = std::fs::read_to_string(&self.audit).unwrap();
        let line: Value = serde_json::from_str(audit.lines().last().unwrap()).unwrap();
        assert!(outcome.is_empty() || line["outcome"] == outcome, "{line}");
        let commands = line["commands"].as_array().unwrap();
        let sent = self.recorder.as_ref().map(Recorder::changes).unwrap_or_default();
        assert!(!commands.is_empty() || sent.is_empty(), "{line} {sent:?}");
        let commands: Vec<&str> = commands.iter().map(|it| it.as_str().unwrap()).collect();
        commands.join(" && ")
    }

    /// The names of containers, networks and images by their IDs.
    fn names(&self) -> BTreeMap<String, String> {
        let lists = [
            ["container", "ls", "--all", "--no-trunc", "--format={{.ID}} {{.Names}}"].as_slice(),
            ["network", "ls", "--no-trunc", "--format={{.ID}} {{.Name}}"].as_slice(),
            ["image", "ls", "--no-trunc", "--format={{.ID}} {{.Repository}}:{{.Tag}}"].as_slice(),
        ];
        let printed = lists.map(|list| self.world.try_docker_with(list).stdout);
        let printed = String::from_utf8(printed.concat()).unwrap();
        let pairs = printed.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(id, name)| (id.to_owned(), name.to_owned())).collect()
    }
}

/// Command lines without what is another in each call, and without what a call takes away again of
/// its own: a container that was there for one command, a place for a file until it is whole.
fn known(commands: &str) -> String {
    let rules = [
        // A container that is gone by now, and the name of one that has none yet.
        ("[0-9a-f]{64}|'<id>'", "<id>"),
        ("(docker-mcp-server.request)=[0-9a-f]+", "$1"),
        (" --env=DOCKER_MCP_EXEC=[0-9a-f]+", ""),
        ("-run-[0-9a-f]{16}", "-run"),
        // The two names that recreate-container needs on the way.
        ("-(new|old)-[0-9a-f]{12}", ""),
        (r"/\.docker-mcp-[0-9a-f]+", ""),
        (" && docker container rm --force --volumes -- (<id>|[^ ]+-run)$", ""),
        // What goes into a container goes through standard input, to the folder that it is put in.
        ("(docker container cp --) [^ ]+ ([^ :]+):[^ ]+$", "$1 $2"),
    ];
    rules.into_iter().fold(commands.to_owned(), |text, (pattern, instead)| {
        Regex::new(pattern).unwrap().replace_all(&text, instead).into_owned()
    })
}
