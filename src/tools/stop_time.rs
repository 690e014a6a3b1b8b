//! How long it may take until containers have stopped: the one judge of it, for every call that
//! stops some.

use std::time::Duration;

use crate::command::containers::Container;

/// What docker needs beside the programs.
const MARGIN: Duration = Duration::from_secs(25);
const OF_EACH: u64 = 5;
/// What the usual limits allow for.
const USUAL_SECONDS: u32 = 10;

/// Until these have stopped, one after the other (compose does it so when each depends on the
/// next): each in the time that the call gives it, or else in its own.
pub(super) fn stop_limit<'a>(
    containers: impl IntoIterator<Item = &'a Container>,
    given_seconds: Option<u32>,
) -> Duration {
    let running = containers.into_iter().filter(|container| container.state.running);
    let seconds = running.map(|container| {
        u64::from(given_seconds.unwrap_or_else(|| container.stop_seconds())) + OF_EACH
    });
    MARGIN + Duration::from_secs(seconds.sum())
}

/// How much longer it may take because of containers that have more time than is usual.
pub(super) fn beyond_the_usual(containers: &[Container]) -> Duration {
    let running = containers.iter().filter(|container| container.state.running);
    let more = running.map(|it| u64::from(it.stop_seconds().saturating_sub(USUAL_SECONDS)));
    Duration::from_secs(more.sum())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_has_its_own_time_unless_the_call_gives_one() {
        let container = |stop_timeout: Option<i64>, running: bool| -> Container {
            serde_json::from_value(json!({
                "State": {"Running": running}, "Config": {"StopTimeout": stop_timeout},
            }))
            .unwrap()
        };
        let containers =
            [container(Some(100), true), container(None, true), container(Some(500), false)];
        let seconds = |given| stop_limit(&containers, given).as_secs();
        assert_eq!(seconds(None), 25 + 105 + 15, "a stopped one needs no time");
        assert_eq!(seconds(Some(3)), 25 + 8 + 8);
        assert_eq!(stop_limit(&containers[1..2], None).as_secs(), 40);
        assert_eq!(beyond_the_usual(&containers).as_secs(), 90);
    }
}
