//! What a call has changed, for the audit.

use std::sync::{Arc, Mutex, PoisonError};

use crate::command::{Effect, Invocation};

/// The commands of one call that change something, in their order.
#[derive(Clone, Debug, Default)]
pub struct Trail(Arc<Mutex<Vec<Step>>>);

#[derive(Clone, Debug)]
pub struct Step {
    /// As it may be shown.
    pub command: String,
    /// Its operands.
    pub objects: Vec<String>,
}

impl Trail {
    pub(super) fn leave(&self, invocation: &Invocation) {
        if invocation.effect() > Effect::Read {
            let objects = invocation.argv().into_iter().skip_while(|word| word != "--").skip(1);
            let step = Step { command: invocation.to_string(), objects: objects.collect() };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(step);
        }
    }

    /// All of them, which are forgotten.
    pub fn taken(&self) -> Vec<Step> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
