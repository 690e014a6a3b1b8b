//! Whether a failed docker command is tried again, and after how long. Pure.

use std::time::Duration;

use crate::command::{Effect, Invocation};
use crate::error::{Error, Repeat};

/// Linear back-off: after attempt `n` the next one starts `n` × `delay` later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts at most, the first one included.
    pub attempts: u32,
    pub delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 3, delay: Duration::from_secs(1) }
    }
}

impl Retry {
    /// How long to wait before the next attempt; `None` to give up.
    ///
    /// A change is repeated only when nothing was sent: the daemon may have done it although the
    /// answer was lost, and then a second attempt would create a second container. A daemon that
    /// cannot be reached is waited for only where it `was_there` a moment ago: it may be starting
    /// again, and else it is simply not running.
    pub fn pause(
        self,
        invocation: &Invocation,
        attempt: u32,
        error: &Error,
        was_there: bool,
    ) -> Option<Duration> {
        // It begins again by itself, from where it was.
        if invocation.is_in_background() {
            return None;
        }
        let harmless = match error.repeat {
            Repeat::Never => false,
            Repeat::Reads => {
                invocation.effect() == Effect::Read || invocation.is_undone_when_killed()
            }
            Repeat::NothingWasSent => was_there,
        };
        (harmless && attempt < self.attempts).then(|| self.delay * attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn pause(effect: Effect, attempt: u32, code: Code) -> Option<u64> {
        let invocation = Invocation::docker(effect, ["x"]);
        let error = Error::new(code, "x");
        Retry::default().pause(&invocation, attempt, &error, true).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_read_is_tried_three_times_with_growing_pauses() {
        let pauses = [1, 2, 3].map(|n| pause(Effect::Read, n, Code::RegistryUnreachable));
        assert_eq!(pauses, [Some(1), Some(2), None]);
    }

    #[test]
    fn a_change_is_repeated_only_when_nothing_was_sent() {
        assert_eq!(pause(Effect::Change, 1, Code::RegistryUnreachable), None);
        assert_eq!(pause(Effect::Change, 1, Code::DaemonNotAccessible), Some(1));
    }

    #[test]
    fn a_daemon_that_was_not_there_is_not_waited_for() {
        let invocation = Invocation::docker(Effect::Read, ["x"]);
        let pause = |code| {
            let error = Error::new(code, "x");
            Retry::default().pause(&invocation, 1, &error, false)
        };
        assert_eq!(pause(Code::DaemonNotAccessible), None);
        assert!(pause(Code::RegistryUnreachable).is_some());
    }

    #[test]
    fn what_will_fail_again_is_not_repeated() {
        for code in [Code::ContainerNotFound, Code::PortInUse, Code::Timeout, Code::Cancelled] {
            assert_eq!(pause(Effect::Read, 1, code), None);
        }
    }
}
