//! One connection, from its first byte to its close.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Collected};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::accept::SocketStream;
use super::fault::{LARGEST_HEAD, RequestFault};
use super::progress::{Endless, ExchangeStage, ResponseProgress, Watched};
use super::server::{HttpService, Server};
use super::slots::{Admitted, ConnectionSlot};
use super::timeouts::TimeoutStream;

/// The longest end of a connection: writing its last answer and reading what the peer still sends. A close with unread
/// bytes is a reset, which can take back an answer (RFC 9112 §9.6).
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The most bytes that are read and dropped at the end of a connection.
const MOST_DRAINED: u64 = 1024 * 1024;

/// hyper's buffer limit in bytes, for a request and for the parts of an answer.
const BUFFER: usize = 64 * 1024;

/// The phase of a server, which its connections follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connections serve request after request.
    Serving,
    /// Connections finish the requests that have begun, and take no others.
    Finishing,
    /// Connections end at once.
    Over,
}

/// Serves a connection until it ends or is closed for another one.
pub(super) async fn serve<S: HttpService>(
    stream: SocketStream,
    peer: Option<SocketAddr>,
    admitted: Admitted,
    server: Arc<Server<S>>,
    mut phases: watch::Receiver<Phase>,
) {
    let Admitted { slot, give_way } = admitted;
    let progress = ResponseProgress::new();
    let stream = TimeoutStream::new(stream, server.limits, Arc::clone(&progress));
    let exchange = Arc::new(Exchange { server, slot, peer, progress });
    let answer = service_fn(|request: Request<Incoming>| {
        let exchange = Arc::clone(&exchange);
        // Set at once: every byte written from now on belongs to this request.
        exchange.progress.set(ExchangeStage::Answering);
        exchange.slot.record_request();
        async move { Ok::<_, Infallible>(exchange.answer(request).await) }
    });
    let mut connection = http1::Builder::new()
        // The stream has deadlines of its own.
        .header_read_timeout(None)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answer);
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = cut(give_way) => return,
        () = reached(&mut phases, Phase::Finishing) => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                ended = &mut connection => ended,
                () = reached(&mut phases, Phase::Over) => return,
            }
        }
    };
    let http1::Parts { io, read_buf, .. } = connection.into_parts();
    let mut stream = io.into_inner();
    match ended {
        Err(error) if stream.is_unreadable() => {
            let fault = RequestFault::of_unreadable(&error, &read_buf);
            let said = async {
                stream.socket().write_all(&exchange.last_answer(fault).await).await?;
                stream.socket().shutdown().await?;
                drain(stream.socket()).await
            };
            if let Ok(Ok(())) = timeout(CLOSE_TIMEOUT, said).await {
                stream.end_orderly();
            }
        }
        Ok(()) if stream.socket().has_unread() => {
            let _ = timeout(CLOSE_TIMEOUT, drain(stream.socket())).await;
        }
        // Any other end needs no last answer.
        _ => {}
    }
}

/// Resolves when the connection is to be closed for another one.
async fn cut(give_way: oneshot::Receiver<()>) {
    if give_way.await.is_err() {
        // The connection has sent a request and stays.
        std::future::pending::<()>().await;
    }
}

async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    // A sender that is gone has nothing more to serve.
    let _ = phases.wait_for(|now| *now == phase || *now == Phase::Over).await;
}

/// Reads and drops up to [`MOST_DRAINED`] bytes, so that the close that follows is not a reset.
async fn drain(stream: &mut SocketStream) -> io::Result<()> {
    tokio::io::copy(&mut stream.take(MOST_DRAINED), &mut tokio::io::sink()).await.map(drop)
}

/// The connection's side of a [`HttpService`]: answers its requests and records their progress.
struct Exchange<S> {
    server: Arc<Server<S>>,
    slot: ConnectionSlot,
    peer: Option<SocketAddr>,
    progress: Arc<ResponseProgress>,
}

impl<S: HttpService> Exchange<S> {
    async fn answer(&self, request: Request<Incoming>) -> Response<Watched<S::Body>> {
        let service = &self.server.service;
        let (head, body) = request.into_parts();
        let fault = RequestFault::of(&head, self.server.limits.target)
            .or_else(|| self.admit_client(&head.headers).err());
        let response = match fault {
            None => service.answer(Request::from_parts(head, body), self.peer).await,
            Some(fault) => {
                let mut response = service.refuse(fault, Some(head), self.peer).await;
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
        };
        let endless = response.extensions().get::<Endless>().is_some();
        self.progress.set(if endless { ExchangeStage::Streaming } else { ExchangeStage::Sending });
        response.map(|body| Watched::new(body, Arc::clone(&self.progress)))
    }

    /// Counts a proxy's request against the limit of the client that the proxy names.
    fn admit_client(&self, headers: &hyper::HeaderMap) -> Result<(), RequestFault> {
        let proxies = &self.server.proxies;
        let Some(peer) = self.peer.map(|peer| peer.ip().to_canonical()).filter(|peer| proxies.trusts(*peer))
        else {
            return Ok(());
        };
        let client = proxies.client_address(peer, headers);
        // A request of the proxy itself counts for no client.
        if proxies.trusts(client) {
            return Ok(());
        }
        let slot = self.slot.slots().admit_client(client).map_err(|_| RequestFault::TooManyAtOnce)?;
        self.progress.keep_client(Some(slot));
        Ok(())
    }

    /// The answer to a head that cannot be read, as the bytes to write.
    async fn last_answer(&self, fault: RequestFault) -> Vec<u8> {
        let (head, body) = self.server.service.refuse(fault, None, self.peer).await.into_parts();
        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
        let mut text = format!("HTTP/1.1 {}\r\n", head.status);
        let headers =
            head.headers.iter().filter(|(name, _)| **name != CONTENT_LENGTH && **name != CONNECTION);
        for (name, value) in headers {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
        }
        let _ = write!(text, "content-length: {}\r\nconnection: close\r\n\r\n", body.len());
        [text.as_bytes(), &body].concat()
    }
}
