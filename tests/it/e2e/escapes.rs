//! Ways from a container to the host, each tried for real: refused at `standard`, with nothing left
//! behind; and what projects need every day, which works untouched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::world::image;
use super::{OBEDIENT, Session, World, free_port};

/// Settings of create-container that give power over the host, with the rule that refuses them.
fn powers(outside: &str) -> Vec<(&'static str, Value)> {
    let volume = |source: &str| json!({"volumes": [format!("{source}:/h")]});
    vec![
        ("mount.outside_roots", volume("/")),
        ("mount.outside_roots", volume("/./")),
        ("mount.outside_roots", volume("/tmp/..")),
        ("mount.outside_roots", json!({"volumes": ["/etc:/h:ro"]})),
        ("mount.outside_roots", volume(outside)),
        ("mount.outside_roots", volume("./link")),
        ("mount.outside_roots", json!({"volumes": [format!("{outside}:/h:ro")]})),
        ("mount.outside_roots", volume("/proc")),
        ("mount.outside_roots", volume("/sys")),
        ("mount.outside_roots", volume("/dev")),
        ("mount.credentials", volume("./.ssh")),
        ("container.privileged", json!({"privileged": true})),
        ("container.capability", json!({"cap_add": ["SYS_ADMIN"]})),
        ("container.capability", json!({"cap_add": ["ALL"]})),
        ("container.capability", json!({"cap_add": ["CAP_SYS_MODULE"]})),
        ("container.host_network", json!({"network": "host"})),
        ("container.other_container", json!({"network": "container:web"})),
        ("container.security_option", json!({"security_opt": ["seccomp=unconfined"]})),
        ("container.security_option", json!({"security_opt": ["apparmor=unconfined"]})),
        ("container.security_option", json!({"security_opt": ["label=disable"]})),
        ("container.device", json!({"devices": ["/dev/null"]})),
        ("container.gpus", json!({"gpus": "all"})),
        ("container.log_driver", json!({"log_driver": "syslog"})),
    ]
}

/// The same in a compose file: what the service `web` says, and what stands beside `services`.
const MODELS: &[(&str, &str, &str)] = &[
    ("mount.outside_roots", "volumes: [/:/h]", ""),
    ("mount.outside_roots", "volumes: [OUTSIDE:/h]", ""),
    ("mount.outside_roots", "volumes: [./link:/h]", ""),
    ("mount.docker_socket", "volumes: [/var/run/docker.sock:/s:ro]", ""),
    ("container.privileged", "privileged: true", ""),
    ("container.capability", "cap_add: [SYS_ADMIN]", ""),
    ("container.host_network", "network_mode: host", ""),
    ("container.host_pid", "pid: host", ""),
    ("container.host_ipc", "ipc: host", ""),
    ("container.host_uts", "uts: host", ""),
    ("container.host_userns", "userns_mode: host", ""),
    ("container.host_cgroup", "cgroup_parent: /", ""),
    ("container.security_option", "security_opt: [seccomp=unconfined]", ""),
    ("container.device", "devices: [/dev/null:/dev/x]", ""),
    ("container.device", "device_cgroup_rules: ['b *:* rwm']", ""),
    ("container.runtime", "runtime: crun", ""),
    ("container.volumes_from", "volumes_from: ['container:web']", ""),
    ("container.log_driver", "logging: {driver: syslog}", ""),
    ("container.sysctl", "sysctls: {kernel.core_pattern: '|/x'}", ""),
    (
        "driver.option",
        "volumes: [vol:/h]",
        "volumes: {vol: {driver_opts: {type: ext4, device: /dev/vda}}}",
    ),
    (
        "mount.outside_roots",
        "volumes: [vol:/h]",
        "volumes: {vol: {driver_opts: {type: none, o: bind, device: /}}}",
    ),
    ("driver.plugin", "volumes: [vol:/h]", "volumes: {vol: {driver: evil}}"),
    ("driver.plugin", "networks: [n]", "networks: {n: {driver: macvlan}}"),
    ("container.host_network", "networks: [n]", "networks: {n: {name: host, external: true}}"),
    ("file.outside_roots", "env_file: OUTSIDE/secret.env", ""),
    ("mount.outside_roots", "secrets: [s]", "secrets: {s: {file: OUTSIDE/secret.env}}"),
    ("mount.outside_roots", "configs: [c]", "configs: {c: {file: OUTSIDE/secret.env}}"),
    ("file.outside_roots", "build: {context: OUTSIDE}", ""),
    ("build.remote", "build: {context: 'https://example.com/x.git'}", ""),
    ("build.host", "build: {context: ., network: host}", ""),
    ("compose.remote_file", "restart: 'no'", "include: ['https://example.com/x.git']"),
];

#[tokio::test]
async fn power_over_the_host_is_refused_and_leaves_nothing() {
    let Some(world) = World::enter("escapes") else { return };
    let outside = world.beside("outside");
    fs::create_dir(&outside).unwrap();
    let outside = outside.canonicalize().unwrap();
    fs::write(outside.join("secret.env"), "MARKER=seen-by-the-container\n").unwrap();
    fs::create_dir(world.workspace().join(".ssh")).unwrap();
    world.file("Dockerfile", "FROM scratch\n");
    std::os::unix::fs::symlink(&outside, world.workspace().join("link")).unwrap();
    let outside = outside.to_str().unwrap();
    let mut session = world.session().await;
    for (rule, mut arguments) in powers(outside) {
        for dry_run in [true, false] {
            arguments["image"] = image().into();
            arguments["name"] = world.name("escape").into();
            arguments["command"] = json!(["cat", "/h/secret.env"]);
            arguments["dry_run"] = dry_run.into();
            let said = session.fails("DKR-014", "create-container", arguments.clone()).await;
            assert!(said.contains(rule), "{rule}: {said}");
            assert!(said.contains("The user can allow it by"), "{said}");
        }
    }
    for (rule, service, beside) in MODELS {
        let yaml = format!(
            "services:\n  web:\n    image: {}\n    command: [cat, /h/secret.env]\n    {}\n{}\n",
            image(),
            service,
            beside
        );
        let project = world.name("model");
        let arguments =
            json!({"project_name": project, "compose_yaml": yaml.replace("OUTSIDE", outside)});
        let said = session.fails("DKR-014", "deploy-compose", arguments.clone()).await;
        assert!(said.contains(rule), "{rule}: {said}");
        assert!(!said.contains("seen-by-the-container"), "{said}");
        let checked = json!({"compose_yaml": arguments["compose_yaml"]});
        let checked = session.done("compose-config", checked).await;
        assert_eq!(checked["valid"], false, "{rule}: {checked}");
        assert!(checked["problems"].to_string().contains(rule), "{rule}: {checked}");
        session
            .fails("DKR-014", "compose-run", {
                let mut run = arguments;
                run["service"] = "web".into();
                run
            })
            .await;
    }
    let bind = json!({"type": "none", "o": "bind", "device": "/"});
    let volume = json!({"name": world.name("disguise"), "driver_opts": bind});
    session.fails("DKR-014", "create-volume", volume).await;
    let network = json!({"name": world.name("lan"), "driver": "macvlan"});
    session.fails("DKR-014", "create-network", network).await;
    assert_eq!(world.left(), Vec::<[String; 3]>::new());

    // The way is real: without rules the same call reads the file.
    let mut server = world.server();
    server.args(["--policy", "unrestricted"]);
    let mut session = Session::open(server).await;
    let name = world.name("control");
    let arguments = json!({
        "image": image(), "name": name, "volumes": [format!("{outside}:/h:ro")],
        "command": ["cat", "/h/secret.env"], "wait_seconds": 2,
    });
    session.done("create-container", arguments).await;
    let printed = session.text("get-logs", json!({"container_name": name})).await;
    assert!(printed.contains("seen-by-the-container"), "{printed}");
}

/// A volume of the host's own folder, made by somebody else, is still that folder.
#[tokio::test]
async fn a_folder_in_the_guise_of_a_volume_is_refused() {
    let Some(world) = World::enter("guise") else { return };
    let volume = world.name("vol");
    let options = ["--opt=type=none", "--opt=o=bind", "--opt=device=/etc"];
    world.docker(["volume", "create", options[0], options[1], options[2], &volume]);
    let mut session = world.session().await;
    let name = world.name("main");
    let arguments = json!({"image": image(), "name": name, "volumes": [format!("{volume}:/h")]});
    session.fails("DKR-014", "create-container", arguments).await;
    let yaml = format!(
        "services: {{web: {{image: '{}', volumes: ['vol:/h']}}}}\nvolumes: {{vol: {{name: {volume}, external: true}}}}",
        image()
    );
    let arguments = json!({"project_name": world.name("p"), "compose_yaml": yaml});
    session.fails("DKR-014", "deploy-compose", arguments).await;
}

#[tokio::test]
async fn a_container_that_controls_the_host_is_not_entered() {
    let Some(world) = World::enter("target") else { return };
    let project = world.name("p");
    // Docker 20.10 cannot start a privileged one where a capability that it knows is not to be had.
    let options = [
        "--pid=host",
        &format!("--label=com.docker.compose.project={project}"),
        "--label=com.docker.compose.service=web",
        "--label=com.docker.compose.oneoff=False",
        "--label=com.docker.compose.container-number=1",
        "--label=com.docker.compose.config-hash=1",
    ];
    let name = world.make("main", &options, &["sh", "-c", OBEDIENT]);
    let mut session = world.session().await;
    let arguments = json!({"project_name": project, "service": "web", "command": ["id"]});
    let said = session.fails("DKR-014", "compose-exec", arguments).await;
    assert!(said.contains("target.host_powerful"), "{said}");
    // To look at it and to stop it is harmless.
    session.text("get-logs", json!({"container_name": name})).await;
    session.done("stop-container", json!({"container_name": name})).await;
}

#[tokio::test]
async fn what_projects_need_every_day_works_untouched() {
    let Some(world) = World::enter("everyday") else { return };
    world.file("src/data.txt", "from the project\n");
    world.file("app.env", "GREETING=hello\n");
    let mut session = world.session().await;
    let script = format!(
        "cat /app/data.txt; echo $GREETING; grep gateway.test /etc/hosts; touch /app/made /data/made && {OBEDIENT}"
    );
    let name = world.name("main");
    let arguments = json!({
        "image": image(), "name": name, "command": ["sh", "-c", script],
        "volumes": ["./src:/app", format!("{}:/data", world.name("data"))],
        "ports": {"80": free_port()}, "env_file": "app.env",
        "extra_hosts": {"gateway.test": "host-gateway"},
    });
    let created = session.done("create-container", arguments).await;
    assert_eq!(created["state"], "running", "{created}");
    let printed = session.text("get-logs", json!({"container_name": name})).await;
    for expected in ["from the project", "hello", "gateway.test"] {
        assert!(printed.contains(expected), "{expected}: {printed}");
    }
    assert!(world.workspace().join("src/made").exists());

    let yaml = format!(
        "services:\n  web:\n    image: {}\n    command: [sh, -c, \"{}\"]\n    volumes: [./src:/app, data:/data]\n    ports: ['127.0.0.1:{}:80']\n    env_file: app.env\n    extra_hosts: ['gateway.test:host-gateway']\nvolumes: {{data: }}\n",
        image(),
        script.replace('$', "$$"),
        free_port()
    );
    world.file("compose.yaml", &yaml);
    let project = world.name("p");
    let arguments = json!({"project_name": project, "compose_file": "compose.yaml"});
    let deployed = session.done("deploy-compose", arguments).await;
    assert_eq!(deployed["ok"], true, "{deployed}");
    let printed = session.text("compose-logs", json!({"project_name": project})).await;
    for expected in ["from the project", "hello", "gateway.test"] {
        assert!(printed.contains(expected), "{expected}: {printed}");
    }
}

#[tokio::test]
async fn who_may_only_look_is_offered_nothing_else() {
    let Some(world) = World::enter("look") else { return };
    let mut server = world.server();
    server.env("DOCKER_MCP_POLICY", "read-only");
    let mut session = Session::open(server).await;
    let tools = session.tools().await;
    assert!(tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true), "{tools:?}");
    assert!(tools.len() > 10, "{}", tools.len());
    let name = world.name("main");
    let arguments = json!({"image": image(), "name": name, "dry_run": true});
    let said = session.fails("DKR-014", "create-container", arguments).await;
    assert!(said.contains("level.read_only"), "{said}");
    let info = session.done("docker-info", json!({})).await;
    assert_eq!(info["policy"]["level"], "read-only", "{info}");
}

#[tokio::test]
async fn the_operators_words_about_objects_hold() {
    let Some(world) = World::enter("words") else { return };
    let (pg, other) = (world.name("pgdata"), world.name("other"));
    for volume in [&pg, &other] {
        world.docker(["volume", "create", volume]);
    }
    let foreign = world.run("foreign", OBEDIENT);
    let audit = world.beside("audit.jsonl");
    let mut server = world.server();
    let protect = format!("--protect={}-pg*", world.prefix);
    server.args([&protect, "--only-ours", "--confirm=never"]).arg("--audit-file").arg(&audit);
    let mut session = Session::open(server).await;
    let said = session.fails("DKR-014", "remove-volume", json!({"name": pg})).await;
    assert!(said.contains("object.protected"), "{said}");
    let said = session.fails("DKR-014", "remove-volume", json!({"name": other})).await;
    assert!(said.contains("object.not_ours"), "{said}");
    for tool in ["stop-container", "kill-container", "restart-container", "remove-container"] {
        let arguments = json!({"container_name": foreign});
        let said = session.fails("DKR-014", tool, arguments).await;
        assert!(said.contains("object.not_ours"), "{tool}: {said}");
    }
    assert_eq!(world.state(&foreign), "running");
    let own = world.name("own");
    let arguments = json!({
        "image": image(), "name": own, "command": ["sh", "-c", OBEDIENT],
        "environment": {"API_TOKEN": "tok-4711-0815-none"},
    });
    session.done("create-container", arguments).await;
    session.done("remove-container", json!({"container_name": own, "force": true})).await;

    let text = fs::read_to_string(&audit).unwrap();
    assert!(!text.contains("tok-4711"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary: Vec<_> = lines
        .iter()
        .map(|line| (&line["tool"], &line["outcome"]))
        .map(|(a, b)| format!("{a} {b}"))
        .collect();
    assert_eq!(summary.len(), 8, "{text}");
    assert_eq!(summary[0], r#""remove-volume" "refused""#);
    assert_eq!(lines[0]["rule"], "object.protected");
    assert_eq!(summary[6], r#""create-container" "ok""#);
    let removed = &lines[7];
    assert_eq!(removed["objects"][0].as_str().unwrap().len(), 64, "{removed}");
    assert!(removed["commands"][0].as_str().unwrap().starts_with("docker container rm"));
    assert_eq!(fs::metadata(&audit).unwrap().permissions().mode() & 0o777, 0o600);
}
