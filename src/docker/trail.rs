//! What a call has changed, for the audit; and what of it others have made, for the plan.

use std::sync::{Arc, Mutex, PoisonError};

use crate::command::{Effect, Invocation};

/// The commands of one call that change something, in their order.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    steps: Arc<Mutex<Vec<Step>>>,
    others: Arc<Mutex<Vec<String>>>,
}

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
            self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
        }
    }

    /// All of them, which are forgotten.
    pub fn taken(&self) -> Vec<Step> {
        std::mem::take(&mut self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The call is about something that others have made.
    pub fn touch(&self, object: String) {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if !others.contains(&object) {
            others.push(object);
        }
    }

    /// What others have made of what the call is about; it is forgotten.
    pub fn touched(&self) -> Vec<String> {
        std::mem::take(&mut self.others.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
