//! Networks: made, joined, left, removed.

use serde_json::json;

use super::session::entry;
use super::{OBEDIENT, World};

#[tokio::test]
async fn a_network_is_created_joined_left_and_removed() {
    let Some(world) = World::enter("network") else { return };
    let mut session = world.session().await;
    let (network, container) = (world.name("backend"), world.run("main", OBEDIENT));
    let dry = json!({"name": network, "dry_run": true});
    assert_eq!(session.done("create-network", dry).await["dry_run"], true);
    assert!(!world.exists("network", &network));

    let arguments = json!({"name": network, "internal": true, "labels": {"team": "a b"}});
    let created = session.done("create-network", arguments.clone()).await;
    assert_eq!((&created["name"], &created["internal"]), (&json!(network), &json!(true)));
    let document = world.document("network", &network);
    assert_eq!((&document["Internal"], &document["Labels"]["team"]), (&json!(true), &json!("a b")));
    session.fails("DKR-007", "create-network", arguments).await;

    let pair = json!({"name": network, "container_name": container, "aliases": ["db"]});
    let joined = session.done("connect-network", pair.clone()).await;
    assert_eq!(joined["changed"], true, "{joined}");
    let on_it = format!("{{{{index .NetworkSettings.Networks {network:?}}}}}");
    assert_ne!(world.look(&container, &on_it), "<nil>");
    assert_eq!(session.done("connect-network", pair).await["changed"], false);

    let listed = session.done("list-networks", json!({"filters": {"name": network}})).await;
    let containers = &entry(&listed["networks"], "name", &network)["containers"];
    assert_eq!(containers, &json!([container]), "{listed}");
    let shown = session.done("inspect-network", json!({"name": network})).await;
    let member = entry(&shown["containers"], "name", &container);
    assert!(member["aliases"].to_string().contains("\"db\""), "{shown}");

    let error = session.fails("DKR-009", "remove-network", json!({"name": network})).await;
    assert!(error.contains(&container), "{error}");
    assert!(world.exists("network", &network));

    let pair = json!({"name": network, "container_name": container});
    let left = session.done("disconnect-network", pair.clone()).await;
    assert_eq!(left["changed"], true, "{left}");
    assert_eq!(world.look(&container, &on_it), "<nil>");
    assert_eq!(session.done("disconnect-network", pair).await["changed"], false);

    let removed = session.done("remove-network", json!({"name": network})).await;
    assert_eq!(removed["removed"][0]["name"], network, "{removed}");
    assert!(!world.exists("network", &network));
    session.fails("DKR-008", "remove-network", json!({"name": network})).await;
    for own in ["bridge", "host", "none"] {
        session.fails("DKR-004", "remove-network", json!({"name": own})).await;
        assert!(world.exists("network", own));
    }
}

#[tokio::test]
async fn the_network_that_holds_a_subnet_is_named() {
    let Some(world) = World::enter("pool") else { return };
    let mut session = world.session().await;
    let holder = world.name("holder");
    // Of a range that no test and no engine takes by itself.
    let part = std::process::id() % 250;
    let subnet = format!("--subnet=10.213.{part}.0/24");
    world.docker(["network", "create", "--label", &world.label, &subnet, &holder]);
    let wanted = format!("10.213.{part}.128/25");
    let arguments = json!({"name": world.name("other"), "subnet": wanted});
    let error = session.fails("DKR-009", "create-network", arguments).await;
    assert!(error.contains(&holder) && error.contains(&format!("10.213.{part}.0/24")), "{error}");

    let yaml = format!(
        "services:\n  web: {{ image: {}, command: [sleep, \"600\"] }}\nnetworks:\n  default: {{ ipam: {{ config: [{{ subnet: {wanted} }}] }} }}\n",
        super::world::image()
    );
    let arguments = json!({"project_name": world.prefix, "compose_yaml": yaml});
    let error = session.fails("DKR-009", "deploy-compose", arguments).await;
    assert!(error.contains(&holder), "{error}");
}
