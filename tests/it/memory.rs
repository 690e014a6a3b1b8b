//! What docker has answered is given again only while its events prove that nothing has changed.
//!
//! Docker is a script that counts what it is asked; its events are what a test writes into a file.

use std::io::Write as _;
use std::time::Duration;

use docker_mcp_server::command::containers::{InspectContainers, ListContainers};
use docker_mcp_server::command::images::{InspectImages, ListImages};
use docker_mcp_server::command::version::VersionQuery;
use docker_mcp_server::command::{Act, Effect, Invocation};
use docker_mcp_server::docker::Docker;
use docker_mcp_server::progress::Progress;
use docker_mcp_server::workspace::file_states;
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use crate::processes::{eventually, signal, started};
use crate::stage::Stage;

const SCRIPT: &str = r#"case "$1 $2" in
events*) echo $$ > "$here/listener"; touch "$here/feed"; exec tail -n +1 -f "$here/feed" ;;
info*) exit 0 ;;
version*) cat "$here/version" 2>/dev/null || echo '{"Client":{"Version":"26.1.5"}}' ;;
*) echo "$1 $2" >> "$here/asked" ;;
esac
case "$1 $2" in
"container ls") [ -e "$here/slow" ] && sleep 0.5; cat "$here/rows" 2>/dev/null ;;
*inspect) [ -e "$here/fails" ] && exit 1; echo '[]' ;;
esac
exit 0"#;

const UP_FOR_HOURS: &str = r#"{"ID":"a","Names":"web","Image":"i","CreatedAt":"","State":"running","Status":"Up 2 hours","Ports":"","Mounts":"","Networks":"","Project":"","Service":""}"#;

/// A server that listens, and the handle of a call that looks.
struct Scene {
    stage: Stage,
    docker: Docker,
    looking: Docker,
    until: CancellationToken,
}

impl Scene {
    /// Until answers are kept.
    async fn of(stage: Stage) -> Self {
        let docker = stage.docker();
        let until = CancellationToken::new();
        docker.may_listen(until.clone());
        docker.begin_to_listen();
        let looking = docker.limited(Effect::Read, CancellationToken::new(), Progress::default());
        let scene = Self { stage, docker, looking, until };
        for _ in 0..200 {
            let before = scene.asked("container ls");
            scene.list().await;
            scene.list().await;
            if scene.asked("container ls") < before + 2 {
                return scene;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing is kept: {}", scene.stage.text("asked"));
    }

    async fn begin() -> Self {
        let stage = Stage::script(SCRIPT);
        std::fs::write(stage.path("rows"), UP_FOR_HOURS).unwrap();
        Self::of(stage).await
    }

    async fn list(&self) {
        self.looking.run(&ListContainers::everything()).await.unwrap();
    }

    fn asked(&self, what: &str) -> usize {
        self.stage.text("asked").lines().filter(|line| *line == what).count()
    }

    /// How many processes these two questions take, one after the other.
    async fn processes(&self) -> usize {
        let before = self.asked("container ls");
        self.list().await;
        self.list().await;
        self.asked("container ls") - before
    }

    async fn happens(&self, kind: &str) {
        let count = self.docker.heard().events.len();
        let mut feed =
            std::fs::OpenOptions::new().append(true).open(self.stage.path("feed")).unwrap();
        let time = jiff::Timestamp::now().as_nanosecond();
        writeln!(feed, r#"{{"TimeNano":{time},"Type":"{kind}","Action":"x","ID":"a","Name":"a","Container":"","Project":"","ExitCode":""}}"#).unwrap();
        eventually("the event is heard", Duration::from_secs(5), || {
            self.docker.heard().events.len() > count
        })
        .await;
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.until.cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_changed_is_not_asked_for_again() {
    let scene = Scene::begin().await;
    assert_eq!(scene.processes().await, 0);
    let inspect = InspectContainers::one("web");
    for _ in 0..3 {
        scene.looking.run(&inspect).await.unwrap();
    }
    assert_eq!(scene.asked("container inspect"), 1);
    // Another question is another answer.
    scene.looking.run(&InspectContainers::one("db")).await.unwrap();
    assert_eq!(scene.asked("container inspect"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_can_switch_it_off() {
    let stage = Stage::script(SCRIPT).adjusted(|settings| settings.cache = false);
    let (docker, until) = (stage.docker(), CancellationToken::new());
    docker.may_listen(until.clone());
    docker.begin_to_listen();
    eventually("it listens", Duration::from_secs(10), || docker.heard().complete_since.is_some())
        .await;
    let looking = docker.limited(Effect::Read, CancellationToken::new(), Progress::default());
    for _ in 0..3 {
        looking.run(&ListContainers::everything()).await.unwrap();
    }
    assert_eq!(stage.text("asked").lines().count(), 3);
    // What compose reads from files as well.
    let config = Invocation::docker(Effect::Read, ["compose", "config"]).reads(vec![]);
    for _ in 0..3 {
        looking.run(&Act(config.clone())).await.unwrap();
    }
    assert_eq!(stage.text("asked").lines().count(), 6);
    until.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_forgets_what_tells_of_its_kind_and_nothing_else() {
    let scene = Scene::begin().await;
    let image = InspectImages::listed(vec!["i".to_owned()]);
    scene.looking.run(&image).await.unwrap();
    scene.happens("container").await;
    assert_eq!(scene.processes().await, 1);
    scene.looking.run(&image).await.unwrap();
    assert_eq!(scene.asked("image inspect"), 1, "no image has changed");
    // What a container is called in a list depends on images, networks and volumes too.
    for kind in ["image", "network", "volume"] {
        scene.happens(kind).await;
        assert_eq!(scene.processes().await, 1, "{kind}");
    }
    scene.looking.run(&image).await.unwrap();
    assert_eq!(scene.asked("image inspect"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_changes_something_forgets_everything() {
    let scene = Scene::begin().await;
    let stop = Act(Invocation::docker(Effect::Change, ["container", "stop"]));
    scene.docker.run(&stop).await.unwrap();
    assert_eq!(scene.processes().await, 1);
    let exec = Act(Invocation::docker(Effect::Destroy, ["container", "exec"]));
    scene.docker.run(&exec).await.unwrap();
    assert_eq!(scene.processes().await, 0, "what it may end has an event");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_change_something_asks_each_time() {
    let scene = Scene::begin().await;
    let changing =
        scene.docker.limited(Effect::Destroy, CancellationToken::new(), Progress::default());
    let before = scene.asked("container ls");
    for docker in [&changing, &scene.looking.afresh()] {
        docker.run(&ListContainers::everything()).await.unwrap();
    }
    assert_eq!(scene.asked("container ls"), before + 2);
    changing.looking().run(&ListContainers::everything()).await.unwrap();
    assert_eq!(scene.asked("container ls"), before + 2, "what it would do needs only to be known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_listener_that_hears_nothing_is_kept() {
    let scene = Scene::begin().await;
    let listener = started(&scene.stage, "listener").await;
    // One that is stopped hears nothing more, and does not say so.
    signal(listener, Signal::STOP);
    assert_eq!(scene.processes().await, 2, "it is stopped");
    signal(listener, Signal::CONT);
    eventually("it goes on", Duration::from_secs(5), || {
        std::fs::read_to_string(format!("/proc/{listener}/stat")).unwrap().contains(") S")
    })
    .await;
    assert_eq!(scene.processes().await, 0, "nothing has happened meanwhile");
    signal(listener, Signal::KILL);
    eventually("it is gone", Duration::from_secs(5), || {
        scene.docker.heard().complete_since.is_none()
    })
    .await;
    assert_eq!(scene.processes().await, 2, "it is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_questions_at_once_are_one_process() {
    let scene = Scene::begin().await;
    std::fs::write(scene.stage.path("slow"), "").unwrap();
    scene.happens("container").await;
    let before = scene.asked("container ls");
    let asking = (0..20).map(|_| scene.list());
    futures_util::future::join_all(asking).await;
    assert_eq!(scene.asked("container ls"), before + 1);
    // Whoever gives up leaves the question to the others.
    scene.happens("container").await;
    let cancel = CancellationToken::new();
    let leader = scene.docker.limited(Effect::Read, cancel.clone(), Progress::default());
    let everything = ListContainers::everything();
    let (given_up, ()) = tokio::join!(leader.run(&everything), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tokio::join!(scene.list(), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            cancel.cancel();
        });
    });
    given_up.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_it_was_asked_for_is_asked_for_again() {
    let scene = Scene::begin().await;
    std::fs::write(scene.stage.path("slow"), "").unwrap();
    scene.happens("container").await;
    let before = scene.asked("container ls");
    tokio::join!(scene.list(), scene.list(), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        scene.happens("container").await;
    });
    assert_eq!(scene.asked("container ls"), before + 2, "one asks for itself");
    scene.list().await;
    assert_eq!(scene.asked("container ls"), before + 3, "neither answer was kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_and_a_fresh_age_are_not_kept() {
    let scene = Scene::begin().await;
    std::fs::write(scene.stage.path("fails"), "").unwrap();
    for _ in 0..2 {
        scene.looking.run(&InspectContainers::one("web")).await.unwrap_err();
    }
    assert_eq!(scene.asked("container inspect"), 2);
    let seconds = UP_FOR_HOURS.replace("2 hours", "5 seconds");
    std::fs::write(scene.stage.path("rows"), seconds).unwrap();
    scene.happens("container").await;
    scene.list().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let before = scene.asked("container ls");
    scene.list().await;
    assert_eq!(scene.asked("container ls"), before + 1, "it is older than it says");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_images_is_kept_where_each_has_an_event() {
    for (version, processes) in [("27.5.1", 3), ("28.0.0", 1)] {
        let stage = Stage::script(SCRIPT);
        let versions = format!(
            r#"{{"Client":{{"Version":"28.0.0"}},"Server":{{"Version":"{version}","ApiVersion":"1.48","Os":"linux","Arch":"amd64"}}}}"#
        );
        std::fs::write(stage.path("version"), versions).unwrap();
        std::fs::write(stage.path("rows"), UP_FOR_HOURS).unwrap();
        let scene = Scene::of(stage).await;
        scene.docker.run(&VersionQuery).await.unwrap();
        scene.docker.versions().await.unwrap();
        for _ in 0..3 {
            scene.looking.run(&ListImages::default()).await.unwrap();
        }
        assert_eq!(scene.asked("image ls"), processes, "{version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_from_files_is_kept_as_long_as_they_are_the_same() {
    let stage = Stage::script(SCRIPT);
    let docker = stage.docker();
    let looking = docker.limited(Effect::Read, CancellationToken::new(), Progress::default());
    let (file, absent) = (stage.path("a.env"), stage.path("b.env"));
    let ask = async || {
        let states = file_states([file.clone(), absent.clone()]);
        let config = Invocation::docker(Effect::Read, ["compose", "config"]);
        let config = states.map_or(config.clone(), |states| config.reads(states));
        looking.run(&Act(config)).await.unwrap();
        stage.text("asked").lines().count()
    };
    std::fs::write(&file, "A=1").unwrap();
    assert_eq!([ask().await, ask().await], [1, 2], "it was changed just now");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!([ask().await, ask().await], [3, 3], "no listener is needed");
    // As large as before.
    std::fs::write(&file, "A=2").unwrap();
    assert_eq!(ask().await, 4);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!([ask().await, ask().await], [5, 5]);
    std::fs::write(&absent, "B=1").unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!([ask().await, ask().await], [6, 6]);
}
