//! How far a long call is: the newest message wins, whoever listens reads at its own pace.

use tokio::sync::watch;

/// The sending side. Without a listener it costs nothing and does nothing.
#[derive(Clone, Default)]
pub struct Progress {
    sender: Option<watch::Sender<Step>>,
}

/// One state of a long call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    pub message: String,
    /// Done and total, where both are known.
    pub done: Option<(u64, u64)>,
}

impl Progress {
    pub fn channel() -> (Self, watch::Receiver<Step>) {
        let (sender, receiver) = watch::channel(Step::default());
        (Self { sender: Some(sender) }, receiver)
    }

    /// Whether somebody listens; a message that is dear to make need not be made otherwise.
    pub fn is_heard(&self) -> bool {
        self.sender.is_some()
    }

    pub fn say(&self, message: impl Into<String>) {
        self.send(Step { message: message.into(), done: None });
    }

    pub fn step(&self, done: u64, total: u64, message: impl Into<String>) {
        self.send(Step { message: message.into(), done: Some((done, total)) });
    }

    fn send(&self, step: Step) {
        if let Some(sender) = &self.sender {
            sender.send_replace(step);
        }
    }
}
