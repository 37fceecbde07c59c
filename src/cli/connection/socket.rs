//! Sends one request over the administration socket.

use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use poem::http::{Method, Request, StatusCode};
use tokio::net::UnixStream;

use crate::cli::service_refusal::ServiceRefusal;

/// Sends a request on a new connection and reads the whole answer.
pub(super) async fn send(
    socket: &Path,
    method: Method,
    path: &str,
    body: String,
) -> Result<(StatusCode, Vec<u8>), ServiceRefusal> {
    let broken = |error: hyper::Error| ServiceRefusal::Unreachable(error.to_string());
    let stream =
        UnixStream::connect(socket).await.map_err(|error| ServiceRefusal::Unreachable(error.to_string()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // The connection's own error is the sender's error again.
    let driver = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(Bytes::from(body)));
    let request = request.map_err(|error| ServiceRefusal::Unreachable(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(broken)?.to_bytes();
    driver.abort();
    Ok((status, bytes.to_vec()))
}
