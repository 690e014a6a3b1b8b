//! Standard input and output without threads that block, whatever the host connected us with.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

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

/// Output that is given up when nobody reads it and the server is to end: a write that waits would
/// keep the program for ever.
pub(super) struct Abandoned<W> {
    inner: W,
    given_up: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_given_up: bool,
}

impl<W> Abandoned<W> {
    pub(super) fn when(given_up: impl Future<Output = ()> + Send + 'static, inner: W) -> Self {
        Self { inner, given_up: Box::pin(given_up), is_given_up: false }
    }

    /// What the stream says, unless it says nothing and is given up.
    fn or_given_up<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            return poll;
        }
        self.is_given_up = self.is_given_up || self.given_up.as_mut().poll(context).is_ready();
        if self.is_given_up { Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) } else { poll }
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Abandoned<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.or_given_up(context, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(context);
        self.or_given_up(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_shutdown(context);
        self.or_given_up(context, poll)
    }
}
