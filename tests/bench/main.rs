//! `cargo bench --bench bench`: how fast text is cleaned and redacted, in MB/s of one core.

use std::hint::black_box;
use std::time::{Duration, Instant};

use docker_mcp_server::command::text::clean;
use docker_mcp_server::redact::{MARKER, Redactor};

const SIZE: usize = 50_000_000;

/// Nothing of interest.
const QUIET: &[&str] = &[
    "2026-01-01T10:00:00.123456789Z INFO  worker-3 processed batch 8812 in 34ms (17 rows)",
    "172.18.0.1 - - [01/Jan/2026:10:00:00 +0000] \"GET /api/v1/items?page=2&size=50 HTTP/1.1\" 200 5123 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
    "time=\"2026-01-01T10:00:00Z\" level=info msg=\"request done\" method=GET path=/healthz status=200 duration=1.2ms",
    "{\"level\":\"info\",\"ts\":1767261600.1,\"caller\":\"http/server.go:210\",\"msg\":\"served\",\"path\":\"/api/orders\",\"status\":200,\"bytes\":812}",
    "2026-01-01 10:00:00.000 UTC [71] LOG:  checkpoint complete: wrote 41 buffers (0.3%); sync=0.002 s, total=4.1 s",
    "    at com.example.shop.OrderService.place(OrderService.java:114) ~[app.jar:1.4.2]",
    "1:M 01 Jan 2026 10:00:00.000 * Background saving terminated with success",
    "#12 [build 4/7] RUN npm ci --no-audit --prefer-offline",
    "npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory.",
];

/// Names with values, addresses, words that look like secrets.
const WITH_NAMES: &[&str] = &[
    "DEBUG cache key=user:1812:profile hit=true ttl=300 size=2048",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 pulled from registry-1.docker.io/library/redis",
    "WARN authentication token refreshed for session 81-22, next refresh in 3600 s",
    "connecting to postgres://app@db:5432/shop?sslmode=disable (attempt 1 of 5)",
    "Über die Brücke läuft der Prozess weiter … → fertig ✓",
];

const WITH_SECRETS: &[&str] = &[
    "env: [POSTGRES_PASSWORD=kestrel41moth, POSTGRES_DB=shop]",
    "dial error: amqp://svc:kestrel41moth@mq:5672/prod refused",
    "{\"user\":\"bob\",\"password\":\"kestrel41moth\",\"remember\":true}",
    "> Authorization: Bearer 0a1b2c3d4e5f60718293a4b5c6d7e8f9",
];

/// Text that makes careless rules read the same bytes again and again.
const UNITS: &[&str] = &[
    "password=",
    "secret: ",
    "{secret:",
    "token ",
    "--token [",
    "key='a ",
    "\"key_x=/",
    "://a:b/",
    "a:b@tcp(",
    "eyJ-",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----\n",
    "mysql -p ",
    "cookie: ",
    "authorization: ",
    "path=",
    "secret: |\n",
    "<password>",
    "pass,",
    "AKIA",
    "sk-",
    "\\\"pw\\\":\\\\\\\"",
    "password=\"must ",
    "api key",
    "name: key\nvalue",
    "curl -u ",
    "password=x[REDACTED]",
    "authorization=",
    "authorization: basic a",
    "Q~",
    "\\",
    "key_=\\",
    "hooks.slack.com/services/",
    "--secret ",
    "identified with ",
    "x.password ",
    "password is: ",
    "(\"pw\",'",
    "AUTH ",
    "pw:\n",
    "pw (x",
    "${pw:-",
    "{{",
    "key:{",
    "LS0tLS1CRUdJTi",
    "\u{1b}]0;",
    "\r",
    "\u{200b}",
];

fn main() {
    // `cargo test --all-targets` runs this too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let log = log(SIZE);
    let redactor = Redactor::new(true);
    report("clean", log.len(), time(|| clean(&log).text.len()));
    report("redact", log.len(), time(|| redactor.text(&log).count));
    let quiet = QUIET.join("\n").repeat(SIZE / 1000);
    report("redact, no names or secrets", quiet.len(), time(|| redactor.text(&quiet).count));
    let names = WITH_SECRETS.join("\n").repeat(SIZE / 250);
    report("redact, a secret in every line", names.len(), time(|| redactor.text(&names).count));
    for secret in 0..50 {
        redactor.learn(&format!("learned-value-{secret}"));
    }
    report("redact, 50 values learned", log.len(), time(|| redactor.text(&log).count));
    slowest(&redactor);
}

/// Every pair of unpleasant pieces, repeated.
fn slowest(redactor: &Redactor) {
    let mut repetitions = Vec::new();
    for first in UNITS {
        for second in UNITS {
            for (between, end) in [("", ""), (" ", ""), ("", MARKER), (" ", MARKER)] {
                let unit = format!("{first}{between}{second}");
                let text = unit.repeat(100_000 / unit.len()) + end;
                let spent = time(|| redactor.text(&clean(&text).text).count);
                repetitions.push((spent, unit, text.len()));
            }
        }
    }
    repetitions.sort();
    for (spent, unit, bytes) in repetitions.iter().rev().take(5) {
        report(&format!("slow repetition, {unit:?}"), *bytes, *spent);
    }
}

fn log(size: usize) -> String {
    let mut text = String::with_capacity(size + 200);
    let mut number = 0_usize;
    while text.len() < size {
        // One line in a hundred holds a secret, thirty hold names.
        let lines = match number % 100 {
            99 => WITH_SECRETS,
            0..30 => WITH_NAMES,
            _ => QUIET,
        };
        text.push_str(lines.iter().cycle().nth(number % 97).unwrap_or(&""));
        text.push('\n');
        number += 1;
    }
    text
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
#[expect(clippy::print_stdout, reason = "a benchmark has no other output")]
fn report(what: &str, bytes: usize, spent: Duration) {
    let speed = bytes as f64 / 1e6 / spent.as_secs_f64();
    println!("{what}: {speed:.1} MB/s ({bytes} bytes in {spent:.1?})");
}
