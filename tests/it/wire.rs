//! A client that speaks raw lines, so that what is on the wire can be seen exactly.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use docker_mcp_server::server::call::Dispatcher;
use docker_mcp_server::server::{Server, serve_streams};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::processes::server;
use crate::stage::Stage;

/// Long, for machines that are busy; no test waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    /// The server in this process.
    Memory,
    /// The real program, connected as most hosts do it.
    Pipes,
    /// The same as hosts written for Node do it: each stream is a socket.
    Sockets,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Era {
    /// `initialize` with this version, then a session.
    Legacy(&'static str),
    /// 2026-07-28: every request says everything.
    Modern,
}

pub(crate) const LATEST_LEGACY: Era = Era::Legacy("2025-11-25");
pub(crate) const MODERN_VERSION: &str = "2026-07-28";

/// Every way to be connected.
pub(crate) fn everywhere() -> impl Iterator<Item = (Transport, Era)> {
    [Transport::Memory, Transport::Pipes, Transport::Sockets]
        .into_iter()
        .flat_map(|transport| [LATEST_LEGACY, Era::Modern].map(|era| (transport, era)))
}

pub(crate) struct Wire {
    era: Era,
    to_server: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    from_server: mpsc::UnboundedReceiver<String>,
    /// What came while something else was waited for.
    waiting: VecDeque<Value>,
    next_id: u64,
    /// What the client says that it can do.
    capabilities: Value,
    host: Host,
}

enum Host {
    Memory { serving: JoinHandle<anyhow::Result<()>>, stop: CancellationToken },
    Process(Box<Child>),
}

impl Wire {
    /// Connects, and says nothing yet.
    pub(crate) fn open(stage: &Stage, transport: Transport, era: Era) -> Self {
        match transport {
            Transport::Memory => Self::in_memory(stage.dispatcher(), era),
            Transport::Pipes => Self::with_pipes(server(stage), era),
            Transport::Sockets => Self::with_sockets(server(stage), era),
        }
    }

    /// Connects and opens the session in the way of its era.
    pub(crate) async fn connect(stage: &Stage, transport: Transport, era: Era) -> Self {
        let mut wire = Self::open(stage, transport, era);
        wire.shake_hands().await;
        wire
    }

    pub(crate) fn in_memory(dispatcher: Dispatcher, era: Era) -> Self {
        let (input, to_server) = tokio::io::duplex(1 << 16);
        let (from_server, output) = tokio::io::duplex(1 << 16);
        let stop = CancellationToken::new();
        let server = Server::new(dispatcher);
        let serving = tokio::spawn(serve_streams(server, input, output, stop.clone()));
        Self::new(to_server, from_server, Host::Memory { serving, stop }, era)
    }

    pub(crate) fn with_pipes(mut command: Command, era: Era) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (to_server, from_server) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self::new(to_server, from_server, Host::Process(Box::new(child)), era)
    }

    pub(crate) fn with_sockets(mut command: Command, era: Era) -> Self {
        let pair = || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let theirs = theirs.into_std().unwrap();
            // A server finds its streams blocking, whatever ours are.
            theirs.set_nonblocking(false).unwrap();
            (ours, OwnedFd::from(theirs))
        };
        let ((to_server, stdin), (from_server, stdout)) = (pair(), pair());
        let child = command.stdin(stdin).stdout(stdout).spawn().unwrap();
        // It holds the other ends, which must end with the child.
        drop(command);
        Self::new(to_server, from_server, Host::Process(Box::new(child)), era)
    }

    fn new(
        to_server: impl AsyncWrite + Send + Unpin + 'static,
        from_server: impl AsyncRead + Send + Unpin + 'static,
        host: Host,
        era: Era,
    ) -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut from_server = BufReader::new(from_server).lines();
            while let Ok(Some(line)) = from_server.next_line().await {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            era,
            to_server: Some(Box::new(to_server)),
            from_server: lines,
            waiting: VecDeque::new(),
            next_id: 0,
            capabilities: json!({}),
            host,
        }
    }

    pub(crate) fn with_capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    pub(crate) async fn shake_hands(&mut self) {
        match self.era {
            Era::Legacy(version) => {
                let answer = self.initialize(version).await;
                assert_eq!(answer["result"]["protocolVersion"], version, "{answer}");
                self.notify("notifications/initialized", json!({})).await;
            }
            Era::Modern => {
                let answer = self.ask("server/discover", json!({})).await;
                let versions = answer["result"]["supportedVersions"].as_array().unwrap();
                assert!(versions.contains(&MODERN_VERSION.into()), "{answer}");
            }
        }
    }

    pub(crate) async fn initialize(&mut self, version: &str) -> Value {
        let params = json!({
            "protocolVersion": version,
            "capabilities": self.capabilities,
            "clientInfo": {"name": "wire", "version": "1"},
        });
        self.era = Era::Legacy("any");
        self.ask("initialize", params).await
    }

    // --- sending ---------------------------------------------------------------------------------

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let to_server = self.to_server.as_mut().expect("the input is open");
        to_server.write_all(bytes).await.unwrap();
        to_server.flush().await.unwrap();
    }

    async fn send_message(&mut self, message: &Value) {
        self.send(format!("{message}\n").as_bytes()).await;
    }

    /// Sends a request without waiting for its answer; gives its ID.
    pub(crate) async fn request(&mut self, method: &str, mut params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        if self.era == Era::Modern {
            let meta = params["_meta"].as_object().cloned().unwrap_or_default();
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
                "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            });
            params["_meta"].as_object_mut().unwrap().extend(meta);
        }
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send_message(&request).await;
        id
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.send_message(&message).await;
    }

    /// The answer to a request of the server.
    pub(crate) async fn reply(&mut self, id: &Value, result: Value) {
        self.send_message(&json!({"jsonrpc": "2.0", "id": id, "result": result})).await;
    }

    /// The end of the server's input.
    pub(crate) fn close(&mut self) {
        self.to_server = None;
    }

    // --- receiving -------------------------------------------------------------------------------

    /// The answer to a request, with its `result` or `error`.
    pub(crate) async fn answer(&mut self, id: u64) -> Value {
        let is_it = |message: &Value| message["id"] == id && message.get("method").is_none();
        if let Some(at) = self.waiting.iter().position(is_it) {
            return self.waiting.remove(at).unwrap();
        }
        loop {
            let message = self.receive(PATIENCE).await.expect("an answer came in time");
            if is_it(&message) {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// The next request of the server with this method.
    pub(crate) async fn question(&mut self, method: &str) -> Value {
        loop {
            let message = self.receive(PATIENCE).await.expect("a question came in time");
            if message["method"] == method && message.get("id").is_some() {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// The next message of a request that is under way; `Err` with its answer at its end.
    pub(crate) async fn next_of(&mut self, id: u64) -> Result<Value, Value> {
        let message = self.receive(PATIENCE).await.expect("a message came in time");
        let is_answer = message["id"] == id && message.get("method").is_none();
        if is_answer { Err(message) } else { Ok(message) }
    }

    /// The next message; nothing when none comes in time or the output is at its end.
    async fn receive(&mut self, within: Duration) -> Option<Value> {
        let line = tokio::time::timeout(within, self.from_server.recv()).await.ok()??;
        let message: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("standard output carries no JSON: {line:?}"));
        assert!(message.is_object(), "no message: {line}");
        Some(message)
    }

    /// Everything that has come and was not asked for.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        while let Some(message) = self.receive(Duration::from_millis(200)).await {
            self.waiting.push_back(message);
        }
        self.waiting.drain(..).collect()
    }

    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        self.answer(id).await
    }

    /// Calls a tool; gives the whole answer.
    pub(crate) async fn ask_tool(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Calls a tool; gives its result.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask_tool(tool, arguments).await;
        assert!(answer["result"].is_object(), "{tool}: {answer}");
        answer["result"].clone()
    }

    // --- the server ------------------------------------------------------------------------------

    pub(crate) fn pid(&self) -> u32 {
        match &self.host {
            Host::Process(child) => child.id().expect("nobody has waited for it"),
            Host::Memory { .. } => panic!("it has no process of its own"),
        }
    }

    /// Waits for the server's end, and fails when it takes too long. A process must end with
    /// status 0.
    pub(crate) async fn ended(&mut self, within: Duration) {
        let status = tokio::time::timeout(within, async {
            match &mut self.host {
                Host::Memory { serving, .. } => {
                    serving.await.unwrap().unwrap();
                    ExitStatus::default()
                }
                Host::Process(child) => child.wait().await.unwrap(),
            }
        });
        let status = status.await.unwrap_or_else(|_| panic!("it still runs after {within:?}"));
        assert!(status.success(), "{status}");
        // Also what it said last has to be JSON.
        while let Some(message) = self.receive(Duration::from_millis(200)).await {
            self.waiting.push_back(message);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Host::Memory { stop, .. } = &self.host {
            stop.cancel();
        }
    }
}
