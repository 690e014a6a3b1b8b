//! What runs: healthy, or failing all the same.

use std::time::Duration;

use super::{Case, Group, Score, World, all, case};
use crate::e2e::free_port;

const WELL: &[Group] = &[Group {
    name: "well",
    files: &[(
        "compose.yaml",
        r#"
services:
  served: { image: IMAGE, command: [httpd, -f, -p, "80"], ports: ["127.0.0.1:<port>:80"] }
  checked: { image: IMAGE, command: [sleep, "600"], healthcheck: { test: "true", interval: 1s } }
  inside: { image: IMAGE, command: [httpd, -f, -p, "80"] }
  job: { image: IMAGE, command: [sh, -c, "echo 12 rows written, 0 errors"] }
  chatty: { image: IMAGE, command: [sh, -c, "echo 'no error: connected to db:5432, permission granted'; sleep 600"] }
  recovered: { image: IMAGE, command: [sh, -c, "for i in 1 2 3 4 5 6 7 8; do echo \"ERROR: db:5432: connection refused, retry $$i\"; done; echo 'listening on :80'; sleep 600"] }
  speaks: { image: IMAGE, command: [sh, -c, "for i in 1 2 3 4 5 6; do echo 'INFO error budget is 99 %, no timeouts'; done; sleep 600"] }
  notfound: { image: IMAGE, command: [sh, -c, "for i in 1 2 3 4 5 6; do echo '1.2.3.4 - - [x] \"GET /favicon.ico HTTP/1.1\" 404 12'; done; sleep 600"] }
  hardened: { image: IMAGE, command: [sleep, "600"], read_only: true, user: "1000", mem_limit: 32m }
  keeps: { image: IMAGE, command: [sleep, "600"], restart: always, init: true }
  mixed: { image: IMAGE, command: [sh, -c, "for i in 1 2 3 4 5 6; do echo 'GET / HTTP/1.1\" 200 5'; done; echo 'ERROR: one bad request'; for i in 1 2 3 4 5 6; do echo 'GET / HTTP/1.1\" 200 5'; done; sleep 600"] }
  warns: { image: IMAGE, command: [sh, -c, "for i in 1 2 3 4 5 6; do echo 'WARN cache is cold, this is slow'; done; sleep 600"] }
  silent: { image: IMAGE, command: [sleep, "600"] }
  json: { image: IMAGE, command: [sh, -c, "for i in 1 2 3 4 5 6; do echo '{\"level\":\"info\",\"error\":null,\"msg\":\"tick\"}'; done; sleep 600"] }
  data: { image: IMAGE, command: [sh, -c, "echo x > /data/x && sleep 600"], volumes: ["data:/data"] }
  both: { image: IMAGE, command: [httpd, -f, -p, "80"], healthcheck: { test: "wget -q -O- http://127.0.0.1/etc/hostname || true", interval: 1s } }
volumes: { data: {} }
"#,
    )],
    cases: &[
        well("served"),
        well("checked"),
        well("inside"),
        well("job"),
        well("chatty"),
        well("recovered"),
        well("speaks"),
        well("notfound"),
        well("hardened"),
        well("keeps"),
        well("mixed"),
        well("warns"),
        well("silent"),
        well("json"),
        well("data"),
        well("both"),
    ],
}];

const fn well(service: &'static str) -> Case {
    case(service, &["healthy"]).place("")
}

const FAILING: &[Group] = &[Group {
    name: "runs",
    files: &[
        (
            "compose.yaml",
            r#"
services:
  errors: { image: IMAGE, command: [sh, -c, "while :; do echo 'ERROR: no such table jobs'; sleep 0.3; done"] }  #@errors
  json: { image: IMAGE, command: [sh, -c, "while :; do echo '{\"level\":\"error\",\"msg\":\"queue mails is gone\"}'; sleep 0.3; done"] }  #@json
  logfmt: { image: IMAGE, command: [sh, -c, "while :; do echo 'ts=1 level=error msg=\"cannot write index\"'; sleep 0.3; done"] }  #@logfmt
  proxy: { image: IMAGE, command: [sh, -c, "while :; do echo '1.2.3.4 - - [x] \"GET /api HTTP/1.1\" 502 157'; sleep 0.3; done"] }
  deaf:
    image: IMAGE
    command: [sleep, "600"]
    ports:
      - 127.0.0.1::80  #@deaf
  otherport:
    image: IMAGE
    command: [httpd, -f, -p, "8000"]
    ports:
      - 127.0.0.1::80  #@otherport
  loopback:
    image: IMAGE
    command: [httpd, -f, -p, "127.0.0.1:80"]  #@loopback
    ports: ["127.0.0.1::80"]
  retry:
    image: IMAGE
    environment:
      TARGET: http://server:8081/  #@retry
    command: [sh, -c, "while :; do wget -q -O- $$TARGET || echo \"ERROR: $$TARGET: connection refused\"; sleep 0.4; done"]
  server: { image: IMAGE, command: [httpd, -f, -p, "80"] }
  unknown:
    image: IMAGE
    env_file: [names.env]
    command: [sh, -c, "while :; do echo \"ERROR getaddrinfo ENOTFOUND $$QUEUE_HOST\"; sleep 0.4; done"]
  auth:
    image: IMAGE
    environment:
      DB_USER: app
      DB_PASSWORD: wrong-one-4711  #@auth
    command: [sh, -c, "while :; do echo 'FATAL: password authentication failed for user \"app\"'; sleep 0.4; done"]
  content: { image: IMAGE, command: [sh, -c, "while :; do echo 'ERROR: index is broken'; sleep 0.3; done"], healthcheck: { test: "true", interval: 1s } }  #@content
  writes:
    image: IMAGE
    command: [sh, -c, "while :; do echo \"ERROR: OOM command not allowed when used memory > 'maxmemory'.\"; sleep 0.3; done"]
  redis:
    image: IMAGE
    command: [sh, -c, "sleep 600", redis-server, /etc/redis.conf]
    volumes: ["./redis.conf:/etc/redis.conf:ro"]
"#,
        ),
        ("names.env", "# hosts\nQUEUE_HOST=sever  #@unknown\n"),
        ("redis.conf", "port 6379\nmaxmemory 6mb  #@writes\n"),
    ],
    cases: &[
        case("errors", &["errors-in-log"]).words(&["no such table jobs", "×"]),
        case("json", &["errors-in-log"]).words(&["queue mails is gone"]),
        case("logfmt", &["errors-in-log"]).words(&["cannot write index"]),
        case("proxy", &["answers-5xx"]).words(&["502"]),
        case("deaf", &["port-not-listened"]).words(&["no port"]),
        case("otherport", &["port-not-listened"]).words(&["8000"]),
        case("loopback", &["listens-on-loopback"]).words(&["0.0.0.0:80"]),
        case("retry", &["dependency-refuses"]).words(&["server:80"]),
        case("unknown", &["name-unknown"]).words(&["server"]),
        case("auth", &["authentication"]),
        case("content", &["errors-in-log"]).words(&["index is broken"]),
        case("writes", &["server-limit"]).root("redis").words(&["maxmemory 6mb"]),
    ],
}];

#[tokio::test]
async fn what_is_well_is_called_healthy() {
    let Some(world) = World::enter("dxc-well") else { return };
    let score: Score = all(&world, WELL, free_port(), Duration::from_secs(12)).await;
    score.demand("healthy");
}

#[tokio::test]
async fn what_runs_and_fails_is_not_called_healthy() {
    let Some(world) = World::enter("dxc-runs") else { return };
    let score: Score = all(&world, FAILING, free_port(), Duration::from_secs(12)).await;
    score.demand("running but failing");
}
