//! Messages that come before the client has chosen an era.

use rmcp::RoleServer;
use rmcp::model::{ClientRequest, GetMeta as _, JsonRpcMessage};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;

/// Drops notifications and responses that arrive before the first real request: rmcp 3.9.0 would
/// end the process on one.
pub(super) struct Early<T> {
    inner: T,
    open: bool,
}

impl<T> Early<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, open: false }
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Early<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = self.inner.receive().await?;
            if let JsonRpcMessage::Request(request) = &message {
                self.open |= match &request.request {
                    ClientRequest::InitializeRequest(_) => true,
                    // Both leave the choice open.
                    ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
                    other => other.get_meta().protocol_version().is_some(),
                };
                return Some(message);
            }
            if self.open {
                return Some(message);
            }
            tracing::debug!("dropped a message that came before the handshake");
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}
