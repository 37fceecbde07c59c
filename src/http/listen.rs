//! The server loop: connections accepted, limited, served as HTTP/1.1 and closed. The API, the operator's socket, the metrics
//! and the guard all listen through it.
//!
//! It promises that no peer holds more than its share: the number of connections is limited, for all and for each
//! address (`slots`); every wait for a peer ends (`timeouts`); a request's head and the unread rest of an answer are
//! bounded in memory. A request with an invalid head reaches the [`HttpService`] as a [`RequestFault`], never as a request.
//!
//! It knows neither the application nor its framework. Modules:
//!
//! * `server` — what is served, and `limits` within which
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

use tokio::sync::watch;
use tokio::time::timeout;

use super::client::TrustedProxies;
use accept::{Acceptor, SocketStream};
use connection::Phase;
use slots::{Admitted, ConnectionSlots, Full};

pub use accept::BoundListener;
pub use fault::RequestFault;
pub use limits::ConnectionLimits;
pub use progress::Endless;
pub use server::{HttpService, Server};
pub use socket::{SocketError, bind_socket};

mod accept;
mod connection;
mod fault;
mod limits;
mod progress;
mod server;
mod slots;
mod socket;
mod timeouts;

impl<S: HttpService> Server<S> {
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
