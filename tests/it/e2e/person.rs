//! A client that can show a dialog: the person decides, and the model never sees a token.

use serde_json::{Value, json};

use super::{Session, World};
use crate::wire::{Era, LATEST_LEGACY};

/// What the client does with the question.
fn replies() -> Vec<(Value, bool)> {
    vec![
        (json!({"action": "decline"}), false),
        (json!({"action": "cancel"}), false),
        (json!({"action": "accept"}), false),
        (json!({"action": "accept", "content": {"confirm": false}}), false),
        (json!({"action": "accept", "content": {"confirm": true}}), true),
    ]
}

async fn session(world: &World, era: Era) -> Session {
    Session::of(world.server(), era, json!({"elicitation": {}})).await
}

fn assert_is_the_question(params: &Value, volume: &str) {
    assert!(params["message"].as_str().unwrap().contains(volume), "{params}");
    assert_eq!(params["requestedSchema"]["required"], json!(["confirm"]), "{params}");
}

fn assert_declined(result: &Value) {
    assert_eq!(result["isError"], true, "{result}");
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Error: DKR-028 "), "{text}");
}

#[tokio::test]
async fn a_session_asks_the_person() {
    let Some(world) = World::enter("dialog") else { return };
    let mut session = session(&world, LATEST_LEGACY).await;
    for (at, (reply, agrees)) in replies().into_iter().enumerate() {
        let volume = world.name(&format!("v{at}"));
        world.docker(["volume", "create", &volume]);
        let call = json!({"name": "remove-volume", "arguments": {"name": volume}});
        let call = session.wire.request("tools/call", call).await;
        let question = session.wire.question("elicitation/create").await;
        assert_is_the_question(&question["params"], &volume);
        assert!(world.exists("volume", &volume));
        session.wire.reply(&question["id"], reply).await;
        let result = session.wire.answer(call).await["result"].clone();
        assert_eq!(world.exists("volume", &volume), !agrees, "{result}");
        if agrees {
            assert_eq!(result["structuredContent"]["removed"], json!([volume]), "{result}");
        } else {
            assert_declined(&result);
        }
    }
}

#[tokio::test]
async fn from_2026_on_the_question_is_the_first_answer() {
    let Some(world) = World::enter("rounds") else { return };
    let mut session = session(&world, Era::Modern).await;
    for (at, (reply, agrees)) in replies().into_iter().enumerate() {
        let volume = world.name(&format!("v{at}"));
        world.docker(["volume", "create", &volume]);
        let call = json!({"name": "remove-volume", "arguments": {"name": volume}});
        let first = session.wire.ask("tools/call", call.clone()).await["result"].clone();
        assert_eq!(first["resultType"], "input_required", "{first}");
        assert!(first.get("structuredContent").is_none(), "{first}");
        let question = &first["inputRequests"]["confirm"];
        assert_eq!(question["method"], "elicitation/create", "{first}");
        assert_is_the_question(&question["params"], &volume);
        let second = |state: &Value, reply: &Value| {
            let mut call = call.clone();
            call["requestState"] = state.clone();
            call["inputResponses"] = json!({"confirm": reply});
            call
        };
        let state = &first["requestState"];
        // What a model may see of it is no confirmation.
        let alone = json!({"name": volume, "confirm": state});
        session.fails("DKR-027", "remove-volume", alone).await;
        let result = session.wire.ask("tools/call", second(state, &reply)).await;
        assert_eq!(world.exists("volume", &volume), !agrees, "{result}");
        if agrees {
            let removed = &result["result"]["structuredContent"]["removed"];
            assert_eq!(*removed, json!([volume]), "{result}");
        } else {
            assert_declined(&result["result"]);
            // Too late: a no is a no.
            let yes = json!({"action": "accept", "content": {"confirm": true}});
            let again = session.wire.ask("tools/call", second(state, &yes)).await;
            assert_eq!(again["result"]["isError"], true, "{again}");
            assert!(world.exists("volume", &volume));
        }
    }
}
