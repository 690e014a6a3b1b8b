//! Standard input and output without threads that block, whatever the host connected us with.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

type Input = Box<dyn AsyncRead + Send + Unpin>;
type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Hosts written for Node connect servers with socket pairs, for which rmcp falls back to threads
/// that block in `read`: then SIGTERM does not end the process. Sockets are read asynchronously
/// here; pipes are left to rmcp.
pub(super) fn open() -> (Input, Output) {
    if let (Some(input), Some(output)) = (socket(io::stdin()), socket(io::stdout())) {
        return (Box::new(input), Box::new(output));
    }
    let (input, output) = rmcp::transport::stdio_pipes();
    (Box::new(input), Box::new(output))
}

fn socket(descriptor: impl AsFd) -> Option<tokio::net::UnixStream> {
    let owned: OwnedFd = descriptor.as_fd().try_clone_to_owned().ok()?;
    let file = std::fs::File::from(owned);
    if !file.metadata().ok()?.file_type().is_socket() {
        return None;
    }
    let stream = std::os::unix::net::UnixStream::from(OwnedFd::from(file));
    stream.set_nonblocking(true).ok()?;
    tokio::net::UnixStream::from_std(stream).ok()
}

/// Tells when input ends, and ends a last line that lacks its newline, which rmcp would drop.
pub(super) struct EofGuard<R> {
    inner: R,
    at_end: Option<Box<dyn FnOnce() + Send>>,
    last: u8,
}

impl<R> EofGuard<R> {
    pub(super) fn new(inner: R, at_end: impl FnOnce() + Send + 'static) -> Self {
        Self { inner, at_end: Some(Box::new(at_end)), last: b'\n' }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for EofGuard<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let poll = Pin::new(&mut self.inner).poll_read(context, buffer);
        let read = buffer.filled().get(before..).unwrap_or_default();
        let ended = match &poll {
            Poll::Ready(Ok(())) => read.is_empty() && room > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if let Some(&byte) = read.last() {
            self.last = byte;
        }
        if ended && let Some(at_end) = self.at_end.take() {
            at_end();
            if self.last != b'\n' && matches!(poll, Poll::Ready(Ok(()))) {
                self.last = b'\n';
                buffer.put_slice(b"\n");
            }
        }
        poll
    }
}
