//! What is broken on purpose.

use std::time::Duration;

use serde_json::json;

use super::{Group, Score, Stage, World, all, case};
use crate::e2e::OBEDIENT;
use crate::e2e::world::image;

const GROUPS: &[Group] = &[
    Group {
        name: "sizes",
        files: &[
            (
                "compose.yaml",
                r#"
x-small: &small
  mem_limit: 16m  #@merged
services:
  dotenv:
    image: IMAGE
    command: [sh, -c, "x=a; while :; do x=$$x$$x; done"]
    restart: always
    mem_limit: ${DOTENV_MEMORY:-192m}
  direct:
    image: IMAGE
    command: [sh, -c, "x=a; while :; do x=$$x$$x; done"]
    restart: always
    mem_limit: 16m  #@direct
  override:
    image: IMAGE
    command: [sh, -c, "x=a; while :; do x=$$x$$x; done"]
    restart: always
  merged:
    <<: *small
    image: IMAGE
    restart: always
    command: [sh, -c, "echo loading 90 MB of data; x=a; while :; do x=$$x$$x; done"]
  heap:
    image: IMAGE
    mem_limit: 48m  #@heap
    command: [sh, -c, "echo 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'; exit 134"]
  full:
    image: IMAGE
    command: [sh, -c, "dd if=/dev/zero of=/t/x bs=1M count=1"]
    tmpfs:
      - /t:size=64k  #@full
  files:
    image: IMAGE
    ulimits:
      nofile: 64  #@files
    command: [sh, -c, "echo 'accept: Too many open files'; exit 1"]
"#,
            ),
            (
                "compose.override.yaml",
                "services:\n  override:\n    deploy:\n      resources:\n        limits:\n          memory: 16m  #@override\n",
            ),
            (".env", "# sizes\nDOTENV_MEMORY=16m  #@dotenv\n"),
        ],
        cases: &[
            case("dotenv", &["out-of-memory"]).words(&["192m", "DOTENV_MEMORY", "deploy-compose"]),
            case("direct", &["out-of-memory"]).words(&["32m"]),
            case("override", &["out-of-memory"]),
            case("merged", &["out-of-memory"]).words(&["112m", "90 MB"]),
            case("heap", &["memory-inside"]),
            case("full", &["disk-full"]),
            case("files", &["limits"]),
        ],
    },
    Group {
        name: "values",
        files: &[
            (
                "compose.yaml",
                r#"
services:
  absent:
    image: IMAGE
    environment:  #@absent
      OTHER: "1"
    command: [sh, -c, "echo 'fatal: DATABASE_URL must be set' >&2; exit 1"]
  filed:
    image: IMAGE
    env_file: [app.env]
    command: [sh, -c, ": $${API_TOKEN:?API_TOKEN is required}"]
  passed:
    image: IMAGE
    environment:
      - SECRET_KEY=${SECRET_KEY}
    command: [sh, -c, ": $${SECRET_KEY:?SECRET_KEY is required}"]
  typo:
    image: IMAGE
    environment:
      DB_HOST: postgers  #@typo
    command: [sh, -c, "echo \"could not translate host name \\\"$$DB_HOST\\\" to address: Name or service not known\"; exit 1"]
  typofile:
    image: IMAGE
    env_file: app.env
    command: [sh, -c, "echo \"Error: getaddrinfo ENOTFOUND $$CACHE_HOST\"; exit 1"]
  typoconf:
    image: IMAGE
    volumes: ["./proxy.conf:/etc/proxy.conf:ro"]
    command: [sh, -c, "echo '[emerg] host not found in upstream \"postgrs:80\" in /etc/proxy.conf:2'; exit 1"]
  outside:
    image: IMAGE
    environment:
      PARTNER: https://api.partner.invalid/v1  #@outside
    command: [sh, -c, "echo 'curl: (6) Could not resolve host: api.partner.invalid'; exit 6"]
  postgres: { image: IMAGE, command: [httpd, -f, -p, "5432"] }
  wrongport:
    image: IMAGE
    environment:
      URL: http://postgres:5433/  #@wrongport
    command: [sh, -c, "sleep 10; wget -O- $$URL"]
  localhost:
    image: IMAGE
    environment:
      URL: http://localhost:5432/  #@localhost
    command: [sh, -c, "wget -O- $$URL"]
  loopback:
    image: IMAGE
    command: [httpd, -f, -p, "127.0.0.1:7000"]  #@behind
  behind:
    image: IMAGE
    command: [sh, -c, "sleep 8; wget -O- http://loopback:7000/"]
  secret:
    image: IMAGE
    environment:
      POSTGRES_PASSWORD: none-of-yours-1  #@secret
    command: [sh, -c, "echo 'FATAL:  password authentication failed for user \"app\"'; exit 2"]
  license:
    image: IMAGE
    env_file: [app.env]
    command: [sh, -c, "echo 'ERROR license expired on 2026-01-31'; exit 1"]
  certificate:
    image: IMAGE
    volumes: ["./site.crt:/etc/tls/site.crt:ro"]
    command: [sh, -c, "echo 'x509: certificate has expired or is not yet valid: /etc/tls/site.crt'; exit 1"]
  dead:
    image: IMAGE
    environment:
      DEAD_NAME: ""  #@victim
    command: [sh, -c, ": $${DEAD_NAME:?DEAD_NAME is not set}"]
  victim:
    image: IMAGE
    depends_on: [dead]
    command: [sh, -c, "sleep 1; nc dead 5432"]
"#,
            ),
            (
                "app.env",
                "#@>filed\nAPI_TOKEN=\nCACHE_HOST=postgre  #@typofile\nLICENSE_KEY=abc-old  #@license\n",
            ),
            (".env", "#@>passed\nSECRET_KEY=\n"),
            ("proxy.conf", "upstream app {\n  server postgrs:80;  #@typoconf\n}\n"),
            ("site.crt", "-----BEGIN CERTIFICATE-----\n"),
        ],
        cases: &[
            case("absent", &["variable-missing"]).words(&["DATABASE_URL"]),
            case("filed", &["variable-missing"]).words(&["give API_TOKEN a value", "empty"]),
            case("passed", &["variable-missing"]).words(&["SECRET_KEY"]),
            case("typo", &["name-unknown"]).words(&["postgres in place of postgers"]),
            case("typofile", &["name-unknown"]).words(&["postgres"]),
            case("typoconf", &["name-unknown"])
                .words(&["postgres in place of postgrs", "restart-container"]),
            case("outside", &["name-resolution"]),
            case("wrongport", &["dependency-refuses"]).words(&["postgres:5432"]),
            case("localhost", &["refused-by-itself"]).words(&["5432"]),
            case("behind", &["listens-on-loopback"]).root("loopback"),
            case("secret", &["authentication"]),
            case("license", &["license-expired"]),
            case("certificate", &["certificate-expired"]).place("values/site.crt"),
            case("victim", &["variable-missing"]).root("dead").words(&["DEAD_NAME"]),
        ],
    },
    Group {
        name: "starts",
        files: &[
            (
                "compose.yaml",
                r#"
services:
  nocommand:
    image: IMAGE
    command: [no-such-program, --x]  #@nocommand
  noentry:
    image: IMAGE
    entrypoint: /app/start.sh  #@noentry
  notexec:
    image: IMAGE
    volumes: ["./plain.sh:/app/plain.sh:ro"]
    command: [/app/plain.sh]
  crlf:
    image: IMAGE
    volumes: ["./crlf.sh:/app/crlf.sh:ro"]
    command: [/app/crlf.sh]
  interpreter:
    image: IMAGE
    volumes: ["./main.py:/app/main.py:ro"]
    command: [/app/main.py]
  calls:
    image: IMAGE
    volumes: ["./run.sh:/app/run.sh:ro"]
    command: [sh, /app/run.sh]
  nouser:
    image: IMAGE
    user: nobody-here  #@nouser
    command: [sleep, "60"]
  porttaken:
    image: IMAGE
    command: [httpd, -f, -p, "80"]
    ports:
      - "127.0.0.1:${WEB_PORT}:80"
  portdirect:
    image: IMAGE
    command: [httpd, -f, -p, "80"]
    ports:
      - target: 80
        host_ip: 127.0.0.1
        published: "<port>"  #@portdirect
  filefolder:
    image: IMAGE
    command: [sleep, "60"]
    volumes:
      - ./plain.sh:/etc  #@filefolder
  empty:
    image: IMAGE
    command: [cat, /etc/app/config.yml]
    volumes:
      - ./config.yml:/etc/app/config.yml  #@empty
  ends:
    image: IMAGE
    restart: always
    command: [echo, all done]  #@ends
  twice:
    image: IMAGE
    command: [sh, -c, "httpd -f -p 80 & sleep 1; exec httpd -f -p 80"]  #@twice
  version:
    image: IMAGE  #@version
    command: [sh, -c, "echo 'FATAL: database files are incompatible with server'; exit 1"]
"#,
            ),
            (".env", "WEB_PORT=<port>  #@porttaken\n"),
            ("plain.sh", "#!/bin/sh\necho hi\n"),
            ("crlf.sh", "#!/bin/sh\r\necho hi\r\n"),
            ("main.py", "#!/usr/bin/python3\nprint(1)\n"),
            ("run.sh", "set -e\necho go\nmigrate-database --all  #@calls\n"),
        ],
        cases: &[
            case("nocommand", &["command-not-found"]).words(&["no-such-program"]),
            case("noentry", &["command-not-found"]).words(&["/app/start.sh"]),
            case("notexec", &["not-executable"]).place("starts/plain.sh"),
            case("crlf", &["script-line-ends"]).place("starts/crlf.sh").words(&["CRLF"]),
            case("interpreter", &["script-line-ends"]).place("starts/main.py").words(&["python3"]),
            case("calls", &["command-not-found"]).words(&["migrate-database"]),
            case("nouser", &["user-unknown"]),
            case("porttaken", &["port-taken"]).words(&["WEB_PORT", "holder"]),
            case("portdirect", &["port-taken"]).words(&["holder"]),
            case("filefolder", &["mount-kind"]),
            case("empty", &["mount-kind"]).words(&["empty folder"]),
            case("ends", &["ends-at-once"]),
            case("twice", &["port-in-use-inside"]),
            case("version", &["data-version"]),
        ],
    },
    Group {
        name: "checks",
        files: &[
            (
                "compose.yaml",
                r#"
services:
  nocurl:
    image: IMAGE
    command: [sleep, "600"]
    healthcheck:
      test: curl -f http://localhost/  #@nocurl
      interval: 1s
      retries: 2
  slow:
    image: IMAGE
    command: [sleep, "600"]
    healthcheck:
      test: sleep 30
      interval: 1s
      timeout: 1s  #@slow
      retries: 2
  wrong:
    image: IMAGE
    command: [httpd, -f, -p, "80"]
    healthcheck:
      test: wget -q -O- http://127.0.0.1:8080/  #@wrong
      interval: 1s
      retries: 2
  renamed:
    image: IMAGE
    environment:
      DATA_DIR: /data  #@renamed
    command: [sh, /app/server.sh]
    volumes: ["./server.sh:/app/server.sh:ro"]
    healthcheck: { test: "echo 'HTTP 503: unable to open database file'; exit 1", interval: 1s, retries: 2 }
  readonly:
    image: IMAGE
    read_only: true  #@readonly
    command: [sh, -c, "echo x > /state"]
  romount:
    image: IMAGE
    command: [sh, -c, "echo x > /data/x"]
    volumes:
      - ./data:/data:ro  #@romount
  owner:
    image: IMAGE
    user: "1000"  #@owner
    command: [sh, -c, "echo x > /data/x"]
    volumes: ["owned:/data"]
  owned:
    image: IMAGE
    command: [sh, -c, "chown 999:998 /data; chmod 700 /data; touch /data/.keep"]
    volumes: ["owned:/data"]
  denied:
    image: IMAGE
    user: "1000"  #@denied
    command: [sh, -c, "sleep 1; echo x > /etc/state"]
  lowport:
    image: IMAGE
    user: "1000"  #@lowport
    command: [sh, -c, "echo 'listen tcp :80: bind: permission denied'; exit 1"]
  trace:
    image: IMAGE
    volumes: ["./app:/app:ro"]
    command: [sh, -c, "echo 'Traceback (most recent call last):'; echo '  File \"/app/main.py\", line 3, in <module>'; echo 'ValueError: bad port'; exit 1"]
  node:
    image: IMAGE
    volumes: ["./app:/app:ro"]
    command: [sh, -c, "echo 'TypeError: x is not a function'; echo '    at run (/app/index.js:2:5)'; exit 1"]
  script:
    image: IMAGE
    restart: always
    volumes: ["./app/job.sh:/app/job.sh:ro"]
    command: [sh, /app/job.sh]
  parse:
    image: IMAGE
    volumes: ["./app.conf:/etc/app/app.conf:ro"]
    command: [sh, -c, "echo 'configuration error: unknown directive \"sevrer\" in /etc/app/app.conf:2'; exit 1"]
  module:
    image: IMAGE
    working_dir: /srv/web
    volumes:
      - ./app:/srv/web  #@module
    command: [sh, -c, "echo \"Error: Cannot find module 'express'\"; exit 1"]
  plain:
    image: IMAGE
    restart: always
    command: [sh, -c, "echo loading; echo 'cannot parse line 7'; exit 3"]  #@plain
  crash:
    image: IMAGE
    command: [sh, -c, "sh -c 'kill -SEGV $$$$'; exit 139"]  #@crash
volumes: { owned: {} }
"#,
            ),
            ("data/.keep", ""),
            ("server.sh", ": ${CATALOG_STORE:=/var/lib/catalog.db}\necho serving\nsleep 600\n"),
            ("app/main.py", "import os\n\nPORT = int('bad')  #@trace\n"),
            ("app/index.js", "function run(x) {\n  x()  #@node\n}\n"),
            ("app/job.sh", "echo one\necho two\n: ${JOB:?no job given}  #@script\n"),
            ("app.conf", "listen 80\nsevrer 1  #@parse\n"),
        ],
        cases: &[
            case("nocurl", &["probe-missing"]).words(&["curl"]),
            case("slow", &["probe-timeout"]),
            case("wrong", &["unhealthy"]).words(&["refused"]),
            case("renamed", &["unhealthy", "store-missing"])
                .words(&["CATALOG_STORE", "does not read DATA_DIR"]),
            case("readonly", &["read-only"]),
            case("romount", &["read-only"]),
            case("owner", &["volume-permission"]).words(&["999:998", "700"]),
            case("denied", &["permission"]),
            case("lowport", &["privileged-port"]),
            case("trace", &["application-failed"]).words(&["ValueError: bad port"]),
            case("node", &["application-failed"]),
            case("script", &["application-failed", "variable-missing"]),
            case("parse", &["configuration"]),
            case("module", &["module-missing"]).words(&["express"]),
            case("plain", &["application-failed"]).words(&["cannot parse line 7"]),
            case("crash", &["crashed"]),
        ],
    },
    Group {
        name: "servers",
        files: &[
            (
                "compose.yaml",
                r#"
services:
  cache:
    image: IMAGE
    command: [sh, -c, "sleep 600", redis-server, /etc/redis/redis.conf]
    volumes: ["./cache/redis.conf:/etc/redis/redis.conf:ro"]
  writer:
    image: IMAGE
    command: [sh, -c, "echo \"redis.exceptions.ResponseError: OOM command not allowed when used memory > 'maxmemory'.\"; exit 1"]
  db:
    image: IMAGE
    command: [sh, -c, "sleep 600", postgres, -c, max_connections=10]  #@reader
  reader:
    image: IMAGE
    command: [sh, -c, "echo 'FATAL: sorry, too many clients already'; exit 1"]
  nginx:
    image: IMAGE
    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]
    command: [sh, -c, "echo 'serving'; sleep 600"]
  uploader:
    image: IMAGE
    command: [sh, -c, "echo 'upload to nginx failed: 413 Request Entity Too Large'; exit 1"]
  front:
    image: IMAGE
    command: [sh, -c, "echo \"nc: bad address 'hidden'\"; exit 1"]
    networks: [front]  #@front
  hidden:
    image: IMAGE
    command: [sleep, "600"]
    networks: [back]
networks: { front: {}, back: {} }
"#,
            ),
            ("cache/redis.conf", "port 6379\nsave \"\"\nmaxmemory 6mb  #@writer\n"),
            ("nginx.conf", "http {\n  client_max_body_size 1m;  #@uploader\n}\n"),
        ],
        cases: &[
            case("writer", &["server-limit"])
                .root("cache")
                .words(&["maxmemory 6mb", "allkeys-lru"]),
            case("reader", &["server-limit"]).root("db").words(&["max_connections"]),
            case("uploader", &["server-limit"]).root("nginx"),
            case("front", &["other-network"]).words(&["servers_back"]),
        ],
    },
    Group {
        name: "built",
        files: &[
            (
                "compose.yaml",
                r#"
services:
  arm: { build: ./arm }
  stale:
    build: ./stale
    command: [sleep, "600"]
  hidden:
    build: ./hidden
    command: [sleep, "600"]
    volumes:
      - pages:/app/pages  #@hidden
  baked: { build: ./baked }
volumes: { pages: {} }
"#,
            ),
            (
                "arm/Dockerfile",
                "FROM IMAGE\nRUN printf '\\177ELF\\002\\001\\001\\0\\0\\0\\0\\0\\0\\0\\0\\0\\002\\0\\267\\0\\001\\0\\0\\0' > /arm && chmod +x /arm\nCMD [\"/arm\"]\n",
            ),
            ("stale/Dockerfile", "FROM IMAGE\nCOPY app.sh /app/\n"),
            ("stale/app.sh", "echo one\n"),
            ("hidden/Dockerfile", "FROM IMAGE\nCOPY pages/ /app/pages/\n"),
            ("hidden/pages/index.html", "one\n"),
            (
                "baked/Dockerfile",
                "FROM IMAGE\nCOPY app.sh /app/\n#@>baked\nCMD [\"/app/missing.sh\"]\n",
            ),
            ("baked/app.sh", "echo one\n"),
        ],
        cases: &[
            case("arm", &["exec-format"]),
            case("stale", &["sources-newer"]).words(&["stale/app.sh", "\\\"build\\\":true"]),
            case("hidden", &["sources-newer", "volume-covers"])
                .words(&["pages", "\\\"build\\\":true"]),
            case("baked", &["command-not-found"]),
        ],
    },
];

#[tokio::test]
async fn what_is_broken_is_told_with_its_cause_and_its_place() {
    let Some(world) = World::enter("dxc") else { return };
    let (port, _) = world.taken_port();
    let folder = world.workspace().join("built");
    let later = std::thread::spawn(move || {
        // After the builds, which take a moment.
        std::thread::sleep(Duration::from_secs(20));
        for file in ["stale/app.sh", "hidden/pages/index.html"] {
            std::fs::write(folder.join(file), "two\n").unwrap();
        }
    });
    let score: Score = all(&world, GROUPS, port, Duration::from_secs(12)).await;
    later.join().unwrap();
    score.demand("broken");
}

/// Stacks that are asked about as a whole: one service is to blame for all.
const STACKS: &[Group] = &[
    Group {
        name: "full",
        files: &[
            (
                "compose.yaml",
                r#"
services:
  web: { image: IMAGE, command: [sh, -c, "sleep 3; nc api 8000"], depends_on: [api] }
  api:
    image: IMAGE
    restart: always
    command: [sh, -c, "echo \"redis.exceptions.ResponseError: OOM command not allowed when used memory > 'maxmemory'.\"; exit 1"]
  cache:
    image: IMAGE
    command: [sh, -c, "sleep 600", redis-server, /etc/redis/redis.conf]
    volumes: ["./redis.conf:/etc/redis/redis.conf:ro"]
"#,
            ),
            ("redis.conf", "port 6379\nmaxmemory 6mb  #@cache\n"),
        ],
        cases: &[case("cache", &["server-limit"]).words(&["maxmemory", "api"])],
    },
    Group {
        name: "deaf",
        files: &[(
            "compose.yaml",
            r#"
services:
  web: { image: IMAGE, command: [sleep, "600"], depends_on: [api] }
  api:
    image: IMAGE
    command: [httpd, -f, -p, "8080"]
    ports: ["127.0.0.1::80"]  #@api
"#,
        )],
        cases: &[case("api", &["port-not-listened"]).words(&["8080"])],
    },
    Group {
        name: "starved",
        files: &[
            (
                "compose.yaml",
                "services:\n  web: { image: IMAGE, command: [sh, -c, 'sleep 3; nc api 80'], depends_on: [api] }\n  api:\n    image: IMAGE\n    restart: always\n    env_file: [api.env]\n    command: [sh, -c, ': $${STORE:?STORE is not set}']\n",
            ),
            ("api.env", "#@>api\nSTORE=\n"),
        ],
        cases: &[case("api", &["variable-missing"]).words(&["give STORE a value"])],
    },
];

#[tokio::test]
async fn the_one_that_is_to_blame_for_a_whole_stack_is_told_with_its_place() {
    let Some(world) = World::enter("dxc-stack") else { return };
    let stages: Vec<Stage<'_>> =
        STACKS.iter().map(|group| Stage::write(&world, group, 1)).collect();
    for stage in &stages {
        stage.up();
    }
    tokio::time::sleep(Duration::from_secs(14)).await;
    let mut session = world.session().await;
    let mut score = Score::default();
    for stage in &stages {
        let answer = score.ask(&mut session, json!({"project_name": stage.project})).await;
        for case in stage.group.cases {
            let (root, marked) = (stage.container(case.service), stage.marked(case.service));
            score.judge(stage.group.name, &answer, case, &root, marked.as_deref());
        }
    }
    score.demand("stacks");
}

/// A container that no file defines.
#[tokio::test]
async fn what_no_file_defines_is_told_with_its_option() {
    let Some(world) = World::enter("dxc-plain") else { return };
    let (port, _) = world.taken_port();
    let publish = format!("--publish=127.0.0.1:{port}:80");
    let script =
        |of: &str, options: &[&str], script: &str| world.make(of, options, &["sh", "-c", script]);
    let cases = [
        (world.make("port", &[&publish], &["sleep", "60"]), "port-taken", "--publish"),
        (world.make("user", &["--user=nobody-here"], &["sleep", "60"]), "user-unknown", "--user"),
        (world.make("command", &[], &["no-such-program"]), "command-not-found", "the command"),
        (
            script("name", &[], "echo 'API_KEY must be set'; exit 1"),
            "variable-missing",
            "--env=API_KEY",
        ),
        (script("rofs", &["--read-only"], "echo x > /state"), "read-only", "--read-only"),
        (
            script(
                "check",
                &["--health-cmd=curl localhost", "--health-interval=1s", "--health-retries=1"],
                OBEDIENT,
            ),
            "probe-missing",
            "--health-cmd",
        ),
    ];
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut session = world.session().await;
    let mut score = Score::default();
    for (container, cause, option) in &cases {
        let answer = score.ask(&mut session, json!({"container_name": container})).await;
        let expected: &'static [&'static str] = Box::leak(Box::new([*cause]));
        let place = format!("{option} of container {container}");
        score.judge(container, &answer, &case("", expected), container, Some(&place));
    }
    score.demand("plain containers");
}

/// Projects that never came up: nothing of them is there but their files.
const NEVER_UP: &[Group] = &[
    Group {
        name: "subnet",
        files: &[
            (
                "compose.yaml",
                "name: PROJECT\nservices:\n  web:\n    image: IMAGE\n    networks: { front: { ipv4_address: 10.213.77.20 } }\n    command: [sleep, '600']\nnetworks:\n  front:\n    ipam:\n      config:\n        - subnet: 10.213.77.0/24  #@web\n",
            ),
            ("proxy.conf", "proxy_pass http://10.213.77.20:80;\n"),
        ],
        cases: &[case("web", &["subnet-overlap"]).words(&["10.213.78.0/24", "subnet/proxy.conf:1"])],
    },
    Group {
        name: "both",
        files: &[
            (
                "compose.yaml",
                "name: PROJECT\nservices:\n  app: { image: IMAGE, networks: [front], command: [sleep, '600'] }\n  web:\n    image: IMAGE\n    ports: ['127.0.0.1:${WEB_PORT}:80']\n    networks: [front]\n    command: [httpd, -f, -p, '80']\nnetworks:\n  front: { ipam: { config: [ { subnet: 10.213.77.128/25 } ] } }  #@app\n",
            ),
            (".env", "WEB_PORT=<port>\n"),
        ],
        cases: &[case("app", &["subnet-overlap"]).words(&["after that: port", "both/.env:1"])],
    },
    Group {
        name: "secret",
        files: &[(
            "compose.yaml",
            "name: PROJECT\nservices:\n  web: { image: IMAGE, command: [sleep, '600'], secrets: [token] }\nsecrets:\n  token:\n    environment: DEPLOY_TOKEN_OF_NOBODY  #@web\n",
        )],
        cases: &[case("web", &["variable-unset"]).words(&["DEPLOY_TOKEN_OF_NOBODY"])],
    },
    Group {
        name: "taken",
        files: &[
            (
                "compose.yaml",
                "name: PROJECT\nservices:\n  web:\n    image: IMAGE\n    ports: ['127.0.0.1:${WEB_PORT}:80']\n    environment: { URL: '${PUBLIC_URL}' }\n    command: [httpd, -f, -p, '80']\n",
            ),
            (".env", "WEB_PORT=<port>  #@web\nPUBLIC_URL=http://127.0.0.1:<port>\n"),
        ],
        cases: &[case("web", &["port-taken"]).words(&["taken/.env:2", "holder"])],
    },
    Group {
        name: "absent",
        files: &[(
            "compose.yaml",
            "name: PROJECT\nservices:\n  web:\n    image: no-such-image-of-anybody:7  #@web\n",
        )],
        cases: &[case("web", &["image-missing"]).words(&["pull-image"])],
    },
    Group {
        name: "unset",
        files: &[(
            "compose.yaml",
            "name: PROJECT\nservices:\n  web:\n    image: IMAGE-${TAG}  #@web\n",
        )],
        cases: &[case("web", &["image-missing"]).words(&["TAG"])],
    },
];

#[tokio::test]
async fn a_project_that_never_came_up_is_told_with_what_is_in_its_way() {
    let Some(world) = World::enter("dxc-never") else { return };
    let (port, _) = world.taken_port();
    let (label, network) = (format!("--label={}", world.label), world.name("net"));
    world.docker(["network", "create", &label, "--subnet=10.213.77.0/24", &network]);
    let mut session = world.session().await;
    let mut score = Score::default();
    for group in NEVER_UP {
        let stage = Stage::write(&world, group, port);
        let answer = score.ask(&mut session, json!({"project_name": stage.project})).await;
        for case in group.cases {
            let marked = stage.marked(case.service);
            score.judge(group.name, &answer, case, "", marked.as_deref());
        }
    }
    score.demand("never up");
    assert!(world.exists("image", &image()));
}
