//! A container in the network of another one loses it when that one is started again or replaced.

use serde_json::json;

use super::diagnose::diagnose;
use super::{OBEDIENT, World};

#[tokio::test]
async fn who_loses_the_network_of_another_one_is_named_with_the_way_out() {
    let Some(world) = World::enter("stranded") else { return };
    let mut session = world.session().await;
    let tools = session.tools().await;
    let vpn = world.run("vpn", OBEDIENT);
    let network = format!("--network=container:{vpn}");
    let torrent = world.make("torrent", &[&network], &["sh", "-c", OBEDIENT]);
    let (on_vpn, on_torrent) = (json!({"container_name": vpn}), json!({"container_name": torrent}));
    let lists_torrent = |answer: &serde_json::Value| {
        assert!(
            [&answer["warnings"], &answer["notes"]]
                .iter()
                .any(|it| it.to_string().contains(&torrent)),
            "{answer}"
        );
    };

    let dry = json!({"container_name": vpn, "dry_run": true});
    lists_torrent(&session.done("restart-container", dry.clone()).await);
    lists_torrent(&session.done("recreate-container", dry).await);
    let answer = diagnose(&mut session, &tools, on_torrent.clone()).await;
    assert_eq!(answer["verdict"], "healthy", "{answer}");

    lists_torrent(&session.done("restart-container", on_vpn.clone()).await);
    let answer = diagnose(&mut session, &tools, on_torrent.clone()).await;
    assert_eq!(
        (&answer["verdict"], &answer["root"]["cause"]),
        (&json!("failing"), &json!("stranded-network")),
        "{answer}"
    );
    assert!(answer["root"]["why"].as_str().unwrap().contains(&vpn), "{answer}");
    assert!(answer["next"].to_string().contains("restart-container"), "{answer}");
    let restarted = session.done("restart-container", on_torrent.clone()).await;
    assert!(restarted.get("warnings").is_none(), "{restarted}");
    let answer = diagnose(&mut session, &tools, on_torrent.clone()).await;
    assert_eq!(answer["verdict"], "healthy", "{answer}");

    lists_torrent(&session.done("stop-container", on_vpn.clone()).await);
    let error = session.fails("DKR-010", "restart-container", on_torrent.clone()).await;
    assert!(error.contains("start-container") && error.contains(&vpn), "{error}");
    assert_eq!(world.state(&torrent), "running", "it was not stopped for nothing");
    let answer = diagnose(&mut session, &tools, on_torrent.clone()).await;
    assert_eq!(answer["root"]["container"], json!(vpn), "{answer}");
    session.done("start-container", on_vpn).await;

    let replace = json!({"container_name": vpn, "environment": {"Z": "1"}, "wait_seconds": 0});
    lists_torrent(&session.done("recreate-container", replace).await);
    let answer = diagnose(&mut session, &tools, on_torrent.clone()).await;
    assert_eq!(answer["root"]["cause"], "stranded-network", "{answer}");
    assert!(answer["root"]["why"].as_str().unwrap().contains("gone"), "{answer}");
    // It runs already, and is told what it has not.
    let started = session.done("start-container", on_torrent.clone()).await;
    assert_eq!(started["changed"], false, "{started}");
    assert!(started["warnings"].to_string().contains("gone"), "{started}");
    for tool in ["restart-container", "recreate-container"] {
        let error = session.fails("DKR-010", tool, on_torrent.clone()).await;
        assert!(error.contains("recreate-container") && error.contains("network"), "{error}");
        assert_eq!(world.state(&torrent), "running");
    }
    let own = json!({"container_name": torrent, "network": "bridge", "wait_seconds": 0});
    session.done("recreate-container", own).await;
    let answer = diagnose(&mut session, &tools, on_torrent).await;
    assert_eq!(answer["verdict"], "healthy", "{answer}");

    let guest = world.make("guest", &[&network], &["sh", "-c", OBEDIENT]);
    let stopped = world.make("stopped", &[&network], &["true"]);
    world.docker(["wait", &stopped]);
    let remove = json!({"container_name": vpn, "force": true});
    let dry = json!({"container_name": vpn, "force": true, "dry_run": true});
    for answer in [
        session.done("remove-container", dry).await["notes"].to_string(),
        session.done("remove-container", remove).await["warnings"].to_string(),
    ] {
        assert!(answer.contains(&guest) && answer.contains(&stopped), "{answer}");
    }
}

#[tokio::test]
async fn a_service_is_deployed_into_the_network_of_the_one_that_there_is_now() {
    let Some(world) = World::enter("stranded-stack") else { return };
    let mut session = world.session().await;
    let image = super::world::image();
    let yaml = format!(
        r#"
services:
  vpn: {{ image: {image}, command: [sleep, "600"], stop_signal: SIGKILL }}
  torrent: {{ image: {image}, command: [sleep, "600"], stop_signal: SIGKILL, network_mode: "service:vpn" }}
"#
    );
    world.file("compose.yaml", &yaml);
    let project = json!({"project_name": world.prefix});
    let deploy = json!({"project_name": world.prefix, "compose_file": "compose.yaml"});
    session.done("deploy-compose", deploy.clone()).await;
    let torrent = format!("{}-torrent-1", world.prefix);
    let only_vpn = json!({"project_name": world.prefix, "services": ["vpn"]});
    // Compose restarts those who use its network with it.
    let restarted = session.done("compose-restart", only_vpn).await;
    assert!(restarted.get("warnings").is_none(), "{restarted}");
    let vpn = json!({"container_name": format!("{}-vpn-1", world.prefix), "timeout_seconds": 0});
    let restarted = session.done("restart-container", vpn).await;
    assert!(restarted["warnings"].to_string().contains(&torrent), "{restarted}");
    let answer = session.done("diagnose", project.clone()).await;
    assert_eq!(answer["root"]["cause"], "stranded-network", "{answer}");

    world.docker(["rm", "--force", &format!("{}-vpn-1", world.prefix)]);
    let error = session.fails("DKR-010", "compose-restart", project.clone()).await;
    assert!(error.contains("deploy-compose") && error.contains(&torrent), "{error}");
    let answer = session.done("diagnose", json!({"container_name": torrent})).await;
    assert_eq!(answer["root"]["cause"], "stranded-network", "{answer}");
    let up = session.done("deploy-compose", deploy).await;
    assert_eq!(up["ok"], true, "{up}");
    let answer = session.done("diagnose", project.clone()).await;
    assert_eq!(answer["verdict"], "healthy", "{answer}");

    // Those of the project go with it; somebody else's stays behind.
    let network = format!("--network=container:{}-vpn-1", world.prefix);
    let guest = world.make("guest", &[&network], &["sh", "-c", OBEDIENT]);
    let dry = json!({"project_name": world.prefix, "dry_run": true});
    let told = session.done("compose-down", dry).await["notes"].to_string();
    assert!(told.contains(&format!("{guest} uses the network")), "{told}");
    assert!(!told.contains(&format!("{torrent} uses")), "{told}");
    let down = session.done("compose-down", project).await;
    assert!(down["warnings"].to_string().contains(&guest), "{down}");
}
