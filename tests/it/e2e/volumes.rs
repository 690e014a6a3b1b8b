//! Volumes: made, listed, shown; and lost in no single call, whatever the tool.

use serde_json::{Value, json};

use super::session::entry;
use super::world::image;
use super::{OBEDIENT, Session, World};

#[tokio::test]
async fn a_volume_is_created_listed_shown_and_used() {
    let Some(world) = World::enter("volume") else { return };
    let mut session = world.session().await;
    let name = world.name("data");
    let dry = json!({"name": name, "dry_run": true});
    assert_eq!(session.done("create-volume", dry).await["dry_run"], true);
    assert!(!world.exists("volume", &name));

    let arguments = json!({"name": name, "labels": {"team": "a b"}});
    let created = session.done("create-volume", arguments.clone()).await;
    assert_eq!((&created["name"], &created["created"]), (&json!(name), &json!(true)), "{created}");
    assert_eq!(world.document("volume", &name)["Labels"]["team"], "a b");
    let again = session.done("create-volume", arguments).await;
    assert_eq!(again["created"], false, "{again}");
    let other = json!({"name": name, "labels": {"team": "c"}});
    session.fails("DKR-007", "create-volume", other).await;

    let user = world.name("user");
    let mount = format!("--volume={name}:/data");
    world.docker(["create", "--name", &user, &mount, &image()]);
    let listed = session.done("list-volumes", json!({"filters": {"name": name}})).await;
    assert_eq!(entry(&listed["volumes"], "name", &name)["used_by"], json!([user]), "{listed}");
    let shown = session.done("inspect-volume", json!({"name": name})).await;
    assert!(shown.to_string().contains(&user), "{shown}");

    let error = session.fails("DKR-009", "remove-volume", json!({"name": name})).await;
    assert!(error.contains(&user), "{error}");
    assert!(world.exists("volume", &name));
    session.fails("DKR-008", "inspect-volume", json!({"name": world.name("absent")})).await;
    session.fails("DKR-008", "remove-volume", json!({"name": world.name("absent")})).await;
}

/// The token of the plan to remove it.
async fn ask(session: &mut Session, name: &str) -> Value {
    let plan = session.done("remove-volume", json!({"name": name})).await;
    assert!(plan["plan"].to_string().contains(name), "{plan}");
    plan["confirm"].clone()
}

#[tokio::test]
async fn a_volume_goes_only_with_a_token_for_exactly_this_call() {
    let Some(world) = World::enter("token") else { return };
    let mut session = world.session().await;
    let [data, other] = ["data", "other"].map(|of| world.name(of));
    for volume in [&data, &other] {
        world.docker(["volume", "create", volume]);
    }
    let remove = |name: &str, token: &Value| json!({"name": name, "confirm": token});
    // Asking again and again removes nothing.
    let token = ask(&mut session, &data).await;
    ask(&mut session, &data).await;
    assert!(world.exists("volume", &data));
    // Guessed, of another volume, of another server.
    for wrong in [json!("0123456789abcdef"), json!("true"), json!("yes"), json!("")] {
        session.fails("DKR-027", "remove-volume", remove(&data, &wrong)).await;
    }
    let foreign = ask(&mut session, &other).await;
    session.fails("DKR-027", "remove-volume", remove(&data, &foreign)).await;
    session.fails("DKR-027", "remove-volume", remove(&other, &foreign)).await;
    let mut second = world.session().await;
    second.fails("DKR-027", "remove-volume", remove(&data, &token)).await;
    assert!(world.exists("volume", &data) && world.exists("volume", &other));

    // Another volume of the same name since the plan: its time of creation is another.
    let stale = ask(&mut session, &data).await;
    world.docker(["volume", "rm", &data]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    world.docker(["volume", "create", &data]);
    session.fails("DKR-027", "remove-volume", remove(&data, &stale)).await;
    session.fails("DKR-027", "remove-volume", remove(&data, &token)).await;
    assert!(world.exists("volume", &data));

    // Somebody has put something into it since the plan.
    let stale = ask(&mut session, &data).await;
    let mount = format!("--volume={data}:/data");
    world.docker(["run", "--rm", &mount, &image(), "touch", "/data/new"]);
    session.fails("DKR-027", "remove-volume", remove(&data, &stale)).await;
    assert!(world.exists("volume", &data));

    // The right one works once.
    let token = ask(&mut session, &data).await;
    let removed = session.done("remove-volume", remove(&data, &token)).await;
    assert_eq!(removed["removed"], json!([data]), "{removed}");
    assert!(!world.exists("volume", &data) && world.exists("volume", &other));
    world.docker(["volume", "create", &data]);
    session.fails("DKR-027", "remove-volume", remove(&data, &token)).await;
    assert!(world.exists("volume", &data));
}

/// Every tool that removes, with everything that it can be told except a token.
#[tokio::test]
async fn no_tool_loses_a_volume_in_one_call() {
    let Some(world) = World::enter("one-call") else { return };
    let mut session = world.session().await;
    let yaml = format!(
        "services: {{ db: {{ image: {}, command: ['sleep', '600'], stop_signal: SIGKILL, \
         volumes: ['data:/data', '/anonymous'] }} }}\nvolumes: {{ data: }}",
        image()
    );
    let deploy = json!({"project_name": world.prefix, "compose_yaml": yaml});
    session.done("deploy-compose", deploy.clone()).await;
    let (db, named) = (format!("{}-db-1", world.prefix), format!("{}_data", world.prefix));
    let loose = world.name("loose");
    world.docker(["volume", "create", &loose]);
    let anonymous = world
        .look(&db, "{{range .Mounts}}{{if eq .Destination \"/anonymous\"}}{{.Name}}{{end}}{{end}}");
    let all_there = || [&named, &loose, &anonymous].iter().all(|name| world.exists("volume", name));
    assert!(all_there());

    for tool in session.tools().await {
        let name = tool["name"].as_str().unwrap();
        if tool["annotations"]["destructiveHint"] != true {
            continue;
        }
        let parameters = tool["inputSchema"]["properties"].as_object().unwrap();
        for target in [&named, &loose, &anonymous] {
            let mut arguments = json!({});
            for parameter in parameters.keys() {
                arguments[parameter] = match parameter.as_str() {
                    "name" => json!(target),
                    "container_name" => json!(db),
                    "project_name" | "project" => json!(world.prefix),
                    "image" => json!(image()),
                    "compose_yaml" => json!(yaml),
                    "command" => json!(["true"]),
                    "what" => json!("volumes"),
                    "force" | "volumes" | "remove_volumes" | "remove_orphans"
                    | "force_recreate" => {
                        json!(true)
                    }
                    "timeout_seconds" => json!(5),
                    _ => continue,
                };
            }
            // The image of all tests, which would be gone for the others.
            if name == "remove-image" {
                continue;
            }
            let result = session.wire.call(name, arguments.clone()).await;
            assert!(all_there(), "{name} {arguments} lost a volume: {result}");
        }
        session.done("deploy-compose", deploy.clone()).await;
    }
    assert!(all_there());
}

#[tokio::test]
async fn a_protected_volume_stays_whatever_is_confirmed() {
    let Some(world) = World::enter("protected") else { return };
    let mut session = world.session().await;
    let name = world.name("data");
    let label = "--label=docker-mcp-server.protect=true";
    world.docker(["volume", "create", label, &name]);
    session.fails("DKR-014", "remove-volume", json!({"name": name})).await;
    let container = world.name("main");
    world.docker(["run", "-d", label, "--name", &container, &image(), "sh", "-c", OBEDIENT]);
    let remove = json!({"container_name": container, "force": true});
    session.fails("DKR-014", "remove-container", remove).await;
    assert!(world.exists("volume", &name) && world.exists("container", &container));
}
