//! What a client hears while a long call is under way, and when it hears it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Session;

/// Every second, says the promise; the rest is for a busy machine.
const LONGEST_SILENCE: Duration = Duration::from_millis(1250);

pub(super) struct Told {
    at: Instant,
    progress: f64,
    pub(super) message: String,
}

/// A call that tells how far it is.
pub(super) struct Call {
    id: u64,
    started: Instant,
    pub(super) told: Vec<Told>,
}

impl Call {
    pub(super) async fn begin(session: &mut Session, tool: &str, arguments: Value) -> Self {
        let call = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}});
        let id = session.wire.request("tools/call", call).await;
        Self { id, started: Instant::now(), told: vec![] }
    }

    /// Listens until a message is the one that was waited for.
    ///
    /// # Panics
    /// When the call ends before.
    pub(super) async fn until(&mut self, session: &mut Session, is_it: impl Fn(&str) -> bool) {
        loop {
            let message = session.wire.next_of(self.id).await.unwrap_or_else(|answer| {
                let told: Vec<_> = self.told.iter().map(|told| &told.message).collect();
                panic!("it has ended: {answer}; told: {told:#?}")
            });
            assert_eq!(message["method"], "notifications/progress", "{message}");
            let params = &message["params"];
            let message = params["message"].as_str().unwrap().to_owned();
            let progress = params["progress"].as_f64().unwrap();
            self.told.push(Told { at: Instant::now(), progress, message });
            if is_it(&self.told.last().unwrap().message) {
                return;
            }
        }
    }

    /// Listens for so long.
    pub(super) async fn during(&mut self, session: &mut Session, duration: Duration) {
        let until = Instant::now() + duration;
        while Instant::now() < until {
            self.until(session, |_| true).await;
        }
    }

    /// Something was told every second, and it never went back.
    pub(super) fn was_lively(&self) {
        let mut last = (self.started, 0.0);
        for told in &self.told {
            let silence = told.at - last.0;
            assert!(silence <= LONGEST_SILENCE, "{silence:?} before {:?}", told.message);
            assert!(told.progress > last.1, "{:?} goes back", told.message);
            last = (told.at, told.progress);
        }
    }

    pub(super) async fn cancel(&self, session: &mut Session) {
        let why = json!({"requestId": self.id, "reason": "the person changed their mind"});
        session.wire.notify("notifications/cancelled", why).await;
    }
}
