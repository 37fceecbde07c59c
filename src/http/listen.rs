//! The server loop: connections accepted, limited, served as HTTP/1.1 and closed. The API, the operator's socket, the metrics
//! and the guard all listen through it.
//!
//! It promises that no peer holds more than its share: the number of connections is limited, for all and for each
//! address (`slots`); every wait for a peer ends (`timeouts`); a request's head and the unread rest of an answer are
//! bounded in memory. A request with an invalid head reaches the [`HttpService`] as a [`RequestFault`], never as a request.
//!
//! It knows neither the application nor its framework. Modules:
//!
//! * `accept` — sockets, and what happens when no connection can be accepted
//! * `slots` — how many connections there may be, and which one is closed for another
//! * `connection` — one connection, from its first byte to its close
//! * `timeouts` — the stream of a connection, and its timeouts
//! * `progress` — the stage of the exchange on a connection
//! * `fault` — invalid heads of requests
//! * `socket` — the operator's socket

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use tokio::sync::watch;
use tokio::time::timeout;

use super::client::TrustedProxies;
use accept::{Acceptor, SocketStream};
use fault::LONGEST_TARGET;
use slots::{Admitted, ConnectionSlots, Full};

pub use accept::BoundListener;
pub use fault::RequestFault;
pub use progress::Endless;
pub use socket::{SocketError, bind_socket};

mod accept;
mod connection;
mod fault;
mod progress;
mod slots;
mod socket;
mod timeouts;

/// The limits of connections: sizes, times and numbers.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The longest request target in bytes, without scheme and host.
    pub target: usize,
    /// The longest time from a request's first byte to the end of its head.
    pub head: Duration,
    /// The longest time from a request's first byte to the first byte of its answer. Longer than the application's
    /// own deadline, so that a slow operation is answered and only a slow peer is cut.
    pub request: Duration,
    /// The longest time from the first byte of an answer to its last; for an [`Endless`] one, from a byte that has to
    /// wait for its peer until no byte waits.
    pub response: Duration,
    /// The longest time without a byte of a request: before the first request, and between two.
    pub idle: Duration,
    /// The most connections at once. Further ones wait in the kernel's queue, unless one that has sent no request is
    /// closed for them.
    pub connections: usize,
    /// The most connections at once of one IPv4 address or /64 network of IPv6 addresses. Never more than half of all.
    pub per_address: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::for_requests(Duration::from_secs(10))
    }
}

impl ConnectionLimits {
    /// The default limits where a request may take `time` to arrive, and again to be answered.
    pub fn for_requests(time: Duration) -> Self {
        Self {
            target: LONGEST_TARGET,
            head: time,
            request: time * 2,
            response: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            connections: 10_000,
            per_address: 2_000,
        }
    }
}

/// An application that answers the requests of a listener.
pub trait HttpService: Send + Sync + 'static {
    /// The body of the application's answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Unpin
        + Send
        + 'static;

    /// Answers a request whose head is valid. `peer` is `None` on a Unix socket.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers a request that is refused for its head, which is given if it could be read. The connection is closed
    /// afterwards.
    fn refuse(
        &self,
        fault: RequestFault,
        head: Option<Parts>,
        peer: Option<SocketAddr>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// A service and the limits of its connections.
#[derive(Debug)]
pub struct Server<S> {
    service: S,
    limits: ConnectionLimits,
    proxies: TrustedProxies,
}

/// The phase of a server, which its connections follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Connections serve request after request.
    Serving,
    /// Connections finish the requests that have begun, and take no others.
    Finishing,
    /// Connections end at once.
    Over,
}

impl<S: HttpService> Server<S> {
    /// A server without trusted proxies in front.
    pub fn new(service: S, limits: ConnectionLimits) -> Self {
        Self { service, limits, proxies: TrustedProxies::default() }
    }

    /// Counts requests through these proxies by the clients they name, instead of the proxies' connections.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// Serves until `stop` resolves, then finishes within `grace` the requests that have begun, and closes every
    /// connection.
    pub async fn run(self, listener: BoundListener, stop: impl Future<Output = ()>, grace: Duration) {
        let slots = ConnectionSlots::new(self.limits.connections, self.limits.per_address);
        let server = Arc::new(self);
        let (phase, phases) = watch::channel(Phase::Serving);
        let mut acceptor = Acceptor::new(listener);
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&mut acceptor, &slots, &server.proxies) => accepted,
                () = &mut stop => break,
            };
            let Accepted { stream, peer, admitted } = accepted;
            let (server, phases) = (Arc::clone(&server), phases.clone());
            let spare = acceptor.spare();
            tokio::spawn(async move {
                connection::serve(stream, peer, admitted, server, phases).await;
                // Before another listener takes the descriptor that has just become free.
                spare.refill();
            });
        }
        // The kernel refuses connections from now on.
        drop(acceptor);
        let _ = phase.send(Phase::Finishing);
        if timeout(grace, slots.empty()).await.is_err() {
            let _ = phase.send(Phase::Over);
            slots.empty().await;
        }
    }
}

/// A connection that was admitted.
struct Accepted {
    stream: SocketStream,
    peer: Option<SocketAddr>,
    admitted: Admitted,
}

/// Accepts and admits the next connection, waiting until there is room. A connection of an address that has reached
/// its limit is reset.
async fn accept(acceptor: &mut Acceptor, slots: &Arc<ConnectionSlots>, proxies: &TrustedProxies) -> Accepted {
    loop {
        let (stream, peer) = acceptor.next(slots).await;
        let address = peer.map(|peer| peer.ip().to_canonical());
        let counted = address.filter(|address| !proxies.trusts(*address));
        loop {
            match slots.admit(counted) {
                Ok(admitted) => return Accepted { stream, peer, admitted },
                // The connection that could have been closed has sent a request since.
                Err(Full::OfAll) => slots.room().await,
                Err(Full::OfAddress) => {
                    stream.reset();
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
