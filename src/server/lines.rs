//! The lines of the client as messages; what cannot be read as one is answered with an error.
//!
//! rmcp leaves a line without an answer that is no JSON for serde: one with half of a surrogate pair
//! (what `JSON.stringify` makes of a cut emoji), one that is nested deeply, one that is too long.
//! The client then waits for ever for what it has asked.

use rmcp::RoleServer;
use rmcp::model::{ErrorCode, ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader, Empty};

/// Longer lines are not kept.
const LINE_MAX: usize = 16 << 20;
/// Longer keys and IDs are none of ours.
const TOKEN_MAX: usize = 1 << 10;

pub(super) struct Lines<R, W: AsyncWrite> {
    input: BufReader<R>,
    line: Line,
    /// What is done when the input ends.
    at_end: Option<Box<dyn FnOnce() + Send>>,
    output: AsyncRwTransport<RoleServer, Empty, W>,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(super) fn new(input: R, output: W, at_end: impl FnOnce() + Send + 'static) -> Self {
        Self {
            input: BufReader::new(input),
            line: Line::default(),
            at_end: Some(Box::new(at_end)),
            output: AsyncRwTransport::new_server(tokio::io::empty(), output),
        }
    }

    /// What the line says that has ended.
    fn message(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let line = std::mem::take(&mut self.line);
        let (why, outline) = match line.read() {
            Ok(message) => return message,
            Err(unreadable) => *unreadable,
        };
        let id = outline.id();
        tracing::warn!(id = ?id, why = %why.message, "a line of the client cannot be read");
        if outline.is_answer() {
            // Whoever waits for it hears that it came.
            return Some(JsonRpcMessage::error(why, id));
        }
        if !outline.is_notification() {
            // Not waited for: a client that does not read its answers is still heard.
            tokio::spawn(self.output.send(TxJsonRpcMessage::<RoleServer>::error(why, id)));
        }
        None
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = std::io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.output.send(message)
    }

    /// It can be dropped at any time: nothing is taken from the input that is not kept in the line.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let (taken, is_end) = match self.input.fill_buf().await {
                Ok(read) if !read.is_empty() => {
                    let end = read.iter().position(|byte| *byte == b'\n');
                    let part = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
                    self.line.push(part);
                    (part.len() + usize::from(end.is_some()), end.is_some())
                }
                ended => {
                    if let Err(error) = ended {
                        tracing::warn!(%error, "the input cannot be read");
                    }
                    if let Some(at_end) = self.at_end.take() {
                        at_end();
                    }
                    // The last line may lack its end.
                    return self.message();
                }
            };
            self.input.consume(taken);
            if is_end && let Some(message) = self.message() {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.output.close().await
    }
}

/// What has come of a line so far.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    /// Of a line that is too long only this is kept.
    outline: Option<Outline>,
}

impl Line {
    fn push(&mut self, part: &[u8]) {
        if self.outline.is_none() && self.bytes.len() + part.len() > LINE_MAX {
            let mut outline = Outline::default();
            outline.read(&std::mem::take(&mut self.bytes));
            self.outline = Some(outline);
        }
        match &mut self.outline {
            Some(outline) => outline.read(part),
            None => self.bytes.extend_from_slice(part),
        }
    }

    /// Its message, if it has one; else why it cannot be read, and what can be seen of it.
    fn read(self) -> Result<Option<RxJsonRpcMessage<RoleServer>>, Box<(ErrorData, Outline)>> {
        if let Some(outline) = self.outline {
            let why = format!("the line is longer than {LINE_MAX} bytes");
            let why = ErrorData::new(ErrorCode::INVALID_REQUEST, why, None);
            return Err(Box::new((why, outline)));
        }
        let line = self.bytes.trim_ascii();
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        if line.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(line).map(Some).map_err(|error| {
            let mut outline = Outline::default();
            outline.read(line);
            let why = if error.is_data() {
                let why = "the line is no message of JSON-RPC 2.0 with an ID that is a text or a whole number";
                ErrorData::new(ErrorCode::INVALID_REQUEST, why, None)
            } else {
                let why = format!("the line cannot be read as JSON: {error}");
                ErrorData::new(ErrorCode::PARSE_ERROR, why, None)
            };
            Box::new((why, outline))
        })
    }
}

/// What stands on the outermost level of a message: enough to answer one that cannot be read. It is
/// looked for byte by byte, whatever stands within, and however long the line is.
#[derive(Debug, Default)]
struct Outline {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// The text, number or word of the outermost level that is being read.
    token: Vec<u8>,
    key: Vec<u8>,
    id: Option<Vec<u8>>,
    has_method: bool,
    has_answer: bool,
    is_whole: bool,
}

impl Outline {
    fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.in_text {
                self.in_text = byte != b'"' || self.is_escaped;
                self.is_escaped = byte == b'\\' && !self.is_escaped;
                self.keep(byte);
                continue;
            }
            match byte {
                b'"' => {
                    self.in_text = true;
                    self.keep(byte);
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    if self.depth == 1 {
                        self.end_member();
                        self.is_whole = true;
                    }
                    self.depth = self.depth.saturating_sub(1);
                }
                b':' if self.depth == 1 => self.key = std::mem::take(&mut self.token),
                b',' if self.depth == 1 => self.end_member(),
                byte if !byte.is_ascii_whitespace() => self.keep(byte),
                _ => {}
            }
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < TOKEN_MAX {
            self.token.push(byte);
        }
    }

    fn end_member(&mut self) {
        let (key, value) = (std::mem::take(&mut self.key), std::mem::take(&mut self.token));
        match key.as_slice() {
            b"\"id\"" => self.id = Some(value),
            b"\"method\"" => self.has_method = true,
            b"\"result\"" | b"\"error\"" => self.has_answer = true,
            _ => {}
        }
    }

    fn id(&self) -> Option<RequestId> {
        serde_json::from_slice(self.id.as_deref()?).ok()
    }

    fn is_answer(&self) -> bool {
        self.has_answer && !self.has_method && self.id.is_some()
    }

    /// Nobody waits for an answer to one.
    fn is_notification(&self) -> bool {
        self.is_whole && self.has_method && self.id.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(line: &str) -> Outline {
        let mut outline = Outline::default();
        // In pieces, as it comes.
        line.as_bytes().chunks(3).for_each(|part| outline.read(part));
        outline
    }

    #[test]
    fn the_id_is_found_whatever_stands_around_it() {
        let deep = "[".repeat(100_000);
        for (line, expected) in [
            (r#"{"id":7,"method":"x","params":{"id":8,"a":"\ud83d"}}"#, Some(RequestId::Number(7))),
            (
                r#"{"method":"x","params":{"id":8},"jsonrpc":"2.0","id":"a\"},{b"}"#,
                Some(RequestId::String("a\"},{b".into())),
            ),
            (r#"{"params":["}",{"a":"\\"}], "id" : -1 , "method":"#, Some(RequestId::Number(-1))),
            (&format!(r#"{{"id":7,"params":{deep}"#), Some(RequestId::Number(7))),
            (r#"{"id":1e400,"method":"x"}"#, None),
            (r#"{"id":"\ud83d","method":"x"}"#, None),
            (r#"{"id":{"id":1},"method":"x"}"#, None),
            (r#"[{"id":7,"method":"x"}]"#, None),
            (r#"{"params":"id:7"#, None),
            ("hello", None),
            ("}}}]],:::", None),
        ] {
            assert_eq!(outline(line).id(), expected, "{}", line.get(..50).unwrap_or(line));
        }
    }

    #[test]
    fn requests_answers_and_notifications_are_told_apart() {
        let kind = |line: &str| (outline(line).is_answer(), outline(line).is_notification());
        assert_eq!(kind(r#"{"id":7,"method":"x","params":{"result":1}}"#), (false, false));
        assert_eq!(kind(r#"{"id":7,"result":{"method":1}}"#), (true, false));
        assert_eq!(kind(r#"{"error":{},"id":7}"#), (true, false));
        assert_eq!(kind(r#"{"method":"x","params":{"id":1}}"#), (false, true));
        // Its ID may come later.
        assert_eq!(kind(r#"{"method":"x","params":{"id":1}"#), (false, false));
    }

    #[test]
    fn a_line_that_is_too_long_is_not_kept_and_its_id_is_found() {
        let mut line = Line::default();
        line.push(br#"{"method":"x","params":""#);
        for _ in 0..20 {
            line.push(&vec![b'x'; 1 << 20]);
        }
        line.push(br#"","id":9}"#);
        assert!(line.bytes.capacity() == 0);
        let (why, outline) = *line.read().unwrap_err();
        assert_eq!(why.message, "the line is longer than 16777216 bytes");
        assert_eq!(outline.id(), Some(RequestId::Number(9)));
    }
}
