//! A small story on real containers, told over a real MCP session: `./start.sh demo`.
//!
//! It speaks the protocol line by line, so that what is shown is what a client sends and gets.
#![expect(clippy::print_stdout, reason = "it is for people")]
#![expect(clippy::indexing_slicing, reason = "a JSON value has null for what is not there")]

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

/// What a step must come to; anything else ends the demo with exit status 1.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Success,
    Error,
}

struct Session {
    server: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    next_id: u64,
}

impl Session {
    #[expect(clippy::disallowed_methods, reason = "a client starts its server")]
    fn open(server: &str) -> Result<Self> {
        let mut server = Command::new(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{server} cannot be started"))?;
        let input = server.stdin.take().context("no standard input")?;
        let output = BufReader::new(server.stdout.take().context("no standard output")?).lines();
        let mut session = Self { server, input, output, next_id: 1 };
        let answer = session.request(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": { "name": "demo", "version": "1" },
            }),
        )?;
        println!("connected to {}", answer["serverInfo"]);
        session.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(session)
    }

    fn call(&mut self, why: &str, tool: &str, arguments: &Value, expect: Expect) -> Result<Value> {
        println!("\n# {why}\n> {tool} {arguments}");
        let answer =
            self.request("tools/call", &json!({ "name": tool, "arguments": arguments }))?;
        let text = answer["content"][0]["text"].as_str().unwrap_or_default();
        println!("{}", text.trim_end());
        let failed = answer["isError"] == true;
        ensure!(failed == (expect == Expect::Error), "{tool} did not come out as it should");
        Ok(answer["structuredContent"].clone())
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<Value> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        for line in self.output.by_ref() {
            let message: Value = serde_json::from_str(&line?)?;
            if message["id"] == id {
                ensure!(message["error"].is_null(), "{method}: {}", message["error"]);
                return Ok(message["result"].clone());
            }
        }
        bail!("the server ended before it answered {method}")
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        writeln!(self.input, "{message}").context("the server does not read")
    }

    fn close(mut self) -> Result<()> {
        drop(self.input);
        ensure!(self.server.wait()?.success(), "the server did not end well");
        Ok(())
    }
}

fn main() -> Result<()> {
    let server = std::env::args().nth(1).context("usage: demo PATH-OF-THE-SERVER")?;
    #[expect(clippy::disallowed_methods, reason = "the settings of a demo")]
    let image = std::env::var("DEMO_IMAGE").unwrap_or_else(|_| "busybox:1.37".to_owned());
    let mut session = Session::open(&server)?;
    let told = story(&mut session, &image);
    // Whatever happened, nothing is left behind.
    for (tool, arguments) in [
        ("compose-down", json!({ "project_name": "mcp-demo" })),
        ("remove-container", json!({ "container_name": "mcp-demo-hello", "force": true })),
    ] {
        let _gone_already =
            session.request("tools/call", &json!({ "name": tool, "arguments": arguments }));
    }
    told?;
    session.close()?;
    println!("\nThe demo ran to its end.");
    Ok(())
}

fn story(session: &mut Session, image: &str) -> Result<()> {
    use Expect::{Error, Success};
    session.call("Is docker well?", "docker-info", &json!({}), Success)?;
    session.call(
        "Run a container",
        "create-container",
        &json!({
            "image": image,
            "name": "mcp-demo-hello",
            "command": ["sh", "-c", "echo hello from the container; sleep 600"],
            "environment": { "GREETING": "hello", "DB_PASSWORD": "only-for-the-demo" },
            "memory": "64m",
        }),
        Success,
    )?;
    session.call("What is running?", "list-containers", &json!({}), Success)?;
    session.call(
        "What did it say?",
        "get-logs",
        &json!({ "container_name": "mcp-demo-hello" }),
        Success,
    )?;
    session.call(
        "Secrets stay where they are",
        "inspect-container",
        &json!({ "container_name": "mcp-demo-hello", "include": ["env"] }),
        Success,
    )?;
    session.call(
        "Deploy a stack of two services",
        "deploy-compose",
        &stack(image, "sleep 600"),
        Success,
    )?;
    let answer = session.call(
        "Deploy it again, with a service that dies",
        "deploy-compose",
        &stack(image, "echo 'fatal: no database at db:5432' >&2; exit 3"),
        Success,
    )?;
    ensure!(answer["ok"] == false, "a dead service is not ok");
    session.call(
        "A name that is taken",
        "create-container",
        &json!({ "image": image, "name": "mcp-demo-hello", "command": "sleep 1" }),
        Error,
    )?;
    session.call("What needs attention?", "list-all-resources", &json!({}), Success)?;
    session.call(
        "Take the stack down",
        "compose-down",
        &json!({ "project_name": "mcp-demo" }),
        Success,
    )?;
    session.call(
        "Remove the container",
        "remove-container",
        &json!({ "container_name": "mcp-demo-hello", "force": true }),
        Success,
    )?;
    session.call(
        "All gone",
        "list-containers",
        &json!({ "all": true, "filters": { "name": "mcp-demo" } }),
        Success,
    )?;
    Ok(())
}

fn stack(image: &str, worker: &str) -> Value {
    let yaml = format!(
        "services:\n  web:\n    image: {image}\n    command: httpd -f -p 80\n    ports: ['127.0.0.1::80']\n    stop_grace_period: 1s\n  worker:\n    image: {image}\n    command: [\"sh\", \"-c\", {}]\n    stop_grace_period: 1s\n",
        json!(worker)
    );
    json!({ "project_name": "mcp-demo", "compose_yaml": yaml })
}
