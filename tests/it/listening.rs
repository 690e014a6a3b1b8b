//! The client that listens to the daemon's events beside all calls.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::processes::eventually;
use crate::stage::Stage;

/// Tells one event, one second later than the last time, and breaks off as with a daemon that ends.
const BREAKS_OFF: &str = r#"case "$1" in events) ;; *) exit 0 ;; esac
echo "$*" >> "$here/argv"
n=$(wc -l < "$here/argv")
echo "{\"TimeNano\":$((1800000000 + n))000000000,\"Type\":\"container\",\"Action\":\"die\",\"ID\":\"a$n\",\"Name\":\"web\",\"Container\":\"\",\"Project\":\"\",\"ExitCode\":\"1\"}"
echo "unexpected EOF" >&2
exit 1"#;

#[tokio::test]
async fn a_listener_that_breaks_off_goes_on_where_it_was() {
    let stage = Stage::script(BREAKS_OFF);
    let docker = stage.docker();
    let until = CancellationToken::new();
    docker.may_listen(until.clone());
    docker.begin_to_listen();
    docker.begin_to_listen();
    eventually("it has heard two events", Duration::from_secs(20), || {
        docker.heard().events.len() == 2
    })
    .await;
    let asked = stage.text("argv");
    assert_eq!(asked.lines().count(), 2, "one client at a time: {asked}");
    let again = asked.lines().nth(1).unwrap();
    assert!(again.contains("--since=2027-01-15T08:00:01Z"), "from its last event on: {again}");
    // Between two clients nobody can say that nothing was missed.
    assert_eq!(docker.heard().complete_since, None);
    until.cancel();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(stage.text("argv"), asked, "it is over");
}

#[tokio::test]
async fn after_a_break_nothing_from_before_counts_as_complete() {
    let stage = Stage::script(
        r#"case "$1" in events) ;; *) exit 0 ;; esac
echo x >> "$here/argv"
if [ "$(wc -l < "$here/argv")" = 1 ]; then echo "unexpected EOF" >&2; exit 1; fi
exec sleep 1000"#,
    );
    let docker = stage.docker();
    let until = CancellationToken::new();
    docker.may_listen(until.clone());
    docker.begin_to_listen();
    eventually("the first client is gone", Duration::from_secs(20), || stage.text("argv") == "x\n")
        .await;
    let broken_at = jiff::Timestamp::now();
    eventually("the second one listens", Duration::from_secs(20), || {
        docker.heard().complete_since.is_some_and(|since| since > broken_at)
    })
    .await;
    until.cancel();
}

#[tokio::test]
async fn nobody_listens_unless_it_is_allowed() {
    let stage = Stage::script(BREAKS_OFF);
    let docker = stage.docker();
    docker.begin_to_listen();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(stage.text("argv"), "");
}
