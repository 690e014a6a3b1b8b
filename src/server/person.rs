//! Asking the person in a dialog, where the client can: the model then never sees the token that
//! stands for their yes.

use std::collections::BTreeMap;

use rmcp::RoleServer;
use rmcp::model::{
    ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, InputRequest, InputRequiredResult, InputResponses, ProtocolVersion,
    ServerRequest,
};
use rmcp::service::RequestContext;

use crate::confirm::Asked;

/// The name of the question, and of the box to tick in it.
const QUESTION: &str = "confirm";

/// Whether the client of this request shows forms to a person. An empty capability means forms, as
/// it did before 2025-11-25.
pub(super) fn can_be_asked(context: &RequestContext<RoleServer>) -> bool {
    let capabilities = context.client_capabilities();
    let elicitation = capabilities.and_then(|capabilities| capabilities.elicitation);
    elicitation.is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none())
}

/// From 2026-07-28 on a server sends no requests: it answers with what it needs, and the client
/// calls again.
pub(super) fn calls_again(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// Asks, and waits for the answer. Anything but a clear yes is a no.
pub(super) async fn agrees(context: &RequestContext<RoleServer>, asked: &Asked) -> bool {
    let request = ServerRequest::ElicitRequest(question(asked));
    let answer = tokio::select! {
        answer = context.peer.send_request(request) => answer,
        () = context.ct.cancelled() => return false,
    };
    matches!(answer, Ok(ClientResult::ElicitResult(result)) if is_yes(&result))
}

/// The question as the answer to the first call. The state cannot be guessed and is bound to the call
/// and its objects on our side.
pub(super) fn first_answer(asked: &Asked, state: String) -> InputRequiredResult {
    let request = InputRequest::Elicitation(question(asked));
    let requests = BTreeMap::from([(QUESTION.to_owned(), request)]);
    InputRequiredResult::new(Some(requests), Some(state))
}

/// Whether the answers that come with the second call hold a yes.
pub(super) fn has_agreed(answers: Option<&InputResponses>) -> bool {
    let answer = answers.and_then(|answers| answers.get(QUESTION));
    let result = answer.map(|answer| serde_json::from_value(answer.clone()));
    matches!(result, Some(Ok(result)) if is_yes(&result))
}

fn question(asked: &Asked) -> ElicitRequest {
    // A box to tick: some clients accept an empty form for the person.
    let schema = ElicitationSchema::builder().required_bool(QUESTION).build();
    ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: asked.question.clone(),
        requested_schema: schema.expect("the one property is required and exists"),
    })
}

fn is_yes(result: &ElicitResult) -> bool {
    let ticked = result.content.as_ref().is_some_and(|content| content[QUESTION] == true);
    result.action == ElicitationAction::Accept && ticked
}
