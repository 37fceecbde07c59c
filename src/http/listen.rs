//! Connections: how many, how patient, and HTTP/1 only.
//!
//! The framework's server has no limit of its own on any of these: a caller that sends its headers a byte at a time,
//! or a body that never ends, or nothing at all, would be kept for ever, and it spins when the process has no more
//! file descriptors. [`Guarded`] wraps whatever accepts connections, on TCP and on the operator's socket alike.

use std::{io, sync::Arc, time::Duration};

use poem::{
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::Semaphore,
};

pub use patience::GuardedIo;
pub use socket::{SocketError, bind_socket};

mod patience;
mod socket;

/// How long a failed accept waits: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How many bytes the kernel keeps for a peer that does not read them; it doubles the number. Left to itself it would go to
/// megabytes for each follower of the feed that has stopped.
const UNREAD: usize = 128 * 1024;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From a request's first byte to the first byte of its answer. Longer than the door's deadline, so that a slow
    /// operation is answered and only a slow caller is cut.
    pub request: Duration,
    /// Without a byte in either direction: before the first request, between requests, or while an answer is read.
    pub idle: Duration,
    /// Connections at once; the next ones wait in the kernel's queue.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: Duration::from_secs(20), idle: Duration::from_secs(75), connections: 10_000 }
    }
}

/// A kind of connection this can guard.
pub trait Connection {
    /// Sets the socket's options.
    fn prepare(&self) -> io::Result<()>;
}

impl Connection for TcpStream {
    fn prepare(&self) -> io::Result<()> {
        // Answers are small and written at once: waiting to fill a packet only delays them.
        self.set_nodelay(true)?;
        Ok(set_socket_send_buffer_size(self, UNREAD)?)
    }
}

impl Connection for UnixStream {
    fn prepare(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An acceptor whose connections are limited.
#[derive(Debug)]
pub struct Guarded<A> {
    inner: A,
    limits: Limits,
    slots: Arc<Semaphore>,
}

impl<A> Guarded<A> {
    /// Limits the connections of an acceptor.
    pub fn new(inner: A, limits: Limits) -> Self {
        Self { inner, limits, slots: Arc::new(Semaphore::new(limits.connections)) }
    }
}

impl<A: Acceptor<Io: Connection>> Acceptor for Guarded<A> {
    type Io = GuardedIo<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Self::Io, LocalAddr, RemoteAddr, Scheme)> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
        let mut pause = PAUSE.0;
        loop {
            let error = match self.inner.accept().await {
                Ok((io, local, remote, scheme)) => match io.prepare() {
                    Ok(()) => return Ok((GuardedIo::new(io, self.limits, slot), local, remote, scheme)),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if is_the_callers_doing(&error) {
                continue;
            }
            // Out of file descriptors or memory: the connection stays in the queue, so trying at once would spin.
            tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept connections");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// The caller was gone before we looked; the next one may be there already.
fn is_the_callers_doing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, InvalidInput, NotConnected,
    };
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | Interrupted | InvalidInput | NotConnected
    )
}

#[cfg(test)]
mod tests;
