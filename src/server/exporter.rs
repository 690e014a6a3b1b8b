//! Metrics over HTTP for a Prometheus server on this machine.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Opens the port.
///
/// # Errors
/// For an address that others could reach, and what the system says of the port.
pub async fn open(address: SocketAddr) -> Result<TcpListener> {
    if !address.ip().is_loopback() {
        bail!("--metrics-listen {address}: only an address of this machine (127.0.0.1, [::1])");
    }
    let opened = TcpListener::bind(address).await;
    opened.with_context(|| format!("--metrics-listen {address}"))
}

/// Answers `GET /metrics` until then.
pub async fn serve(listener: TcpListener, metrics: Metrics, until: CancellationToken) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    loop {
        let accepted = tokio::select! {
            () = until.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // One that is gone already, or no more descriptors: the next one may come through.
        let Ok((stream, _)) = accepted else { continue };
        let (metrics, until) = (metrics.clone(), until.clone());
        tokio::spawn(async move {
            let service = service_fn(async |request| {
                Ok::<_, Infallible>(answer(&request, port, || metrics.text()))
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = until.cancelled() => {}
                served = serving => drop(served),
            }
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    port: u16,
    text: impl Fn() -> String,
) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        _ if !is_of_this_machine(request.headers().get(HOST), port) => {
            (StatusCode::FORBIDDEN, "this name is not of this machine\n".to_owned())
        }
        (&Method::GET, "/metrics") => (StatusCode::OK, text()),
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "GET only\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "GET /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A page in a browser can have its own name lead to this machine, and then read what it answers.
fn is_of_this_machine(host: Option<&HeaderValue>, port: u16) -> bool {
    let Some(host) = host.and_then(|host| host.to_str().ok()) else { return false };
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .filter_map(|name| host.strip_prefix(name))
        .any(|rest| rest.is_empty() || rest.strip_prefix(':') == Some(&port.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let is =
            |host: &'static str| is_of_this_machine(Some(&HeaderValue::from_static(host)), 9464);
        for host in ["127.0.0.1:9464", "localhost:9464", "[::1]:9464", "localhost"] {
            assert!(is(host), "{host}");
        }
        for host in
            ["example.com:9464", "localhost.example.com", "127.0.0.1:80", "127.0.0.1.nip:9464", ""]
        {
            assert!(!is(host), "{host}");
        }
        assert!(!is_of_this_machine(None, 9464));
    }
}
