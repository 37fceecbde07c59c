//! Sockets: accepted, prepared and reset.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_socket_send_buffer_size};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::slots::ConnectionSlots;

/// The pause after a failed accept: the first one, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The kernel's send buffer for a TCP connection in bytes; the kernel doubles the number. Its own default would grow
/// to megabytes for each follower of the feed that has stopped reading.
const SEND_BUFFER: usize = 128 * 1024;

/// A listening socket.
#[derive(Debug)]
pub enum BoundListener {
    /// Listens on TCP.
    Tcp(TcpListener),
    /// Listens on a Unix socket.
    Unix(UnixListener),
}

impl BoundListener {
    async fn accept(&self) -> io::Result<(SocketStream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are small and written at once: waiting to fill a packet only delays them.
                stream.set_nodelay(true)?;
                set_socket_send_buffer_size(&stream, SEND_BUFFER)?;
                Ok((SocketStream::Tcp(stream), Some(peer)))
            }
            Self::Unix(listener) => Ok((SocketStream::Unix(listener.accept().await?.0), None)),
        }
    }
}

/// Accepts connections and outlives every failure to.
pub(super) struct Acceptor {
    listener: BoundListener,
    pause: Duration,
    spare: Arc<Spare>,
}

impl Acceptor {
    pub(super) fn new(listener: BoundListener) -> Self {
        Self { listener, pause: PAUSE.0, spare: Arc::new(Spare(Mutex::new(spare()))) }
    }

    /// The spare descriptor, to be refilled when a connection has ended.
    pub(super) fn spare(&self) -> Arc<Spare> {
        Arc::clone(&self.spare)
    }

    /// Accepts the next connection as soon as there is room for it. Cancelling the wait loses no connection.
    pub(super) async fn next(&mut self, slots: &ConnectionSlots) -> (SocketStream, Option<SocketAddr>) {
        loop {
            slots.room().await;
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.pause = PAUSE.0;
                    self.spare.refill();
                    return accepted;
                }
                Err(error) if is_the_peers_doing(&error) => {}
                Err(error) if is_out_of_files(&error) && self.spare.give_up() => {}
                Err(error) if is_out_of_files(&error) && slots.give_way() => {
                    // The closed connection's descriptor is free once its task has run.
                    tokio::time::sleep(PAUSE.0).await;
                }
                Err(error) => {
                    // The connection stays in the queue, so trying at once would spin.
                    tracing::warn!(%error, pause_ms = self.pause.as_millis(), "cannot accept connections");
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(PAUSE.1);
                }
            }
        }
    }
}

/// A spare file descriptor, closed to accept a connection when no other is left. So a listener still has one
/// connection at a time when the process has reached its limit of open files: the operator can always ask what is
/// wrong.
#[derive(Debug)]
pub(super) struct Spare(Mutex<Option<File>>);

impl Spare {
    /// Closes the spare descriptor. Returns whether there was one.
    fn give_up(&self) -> bool {
        self.file().take().is_some()
    }

    /// Opens the spare descriptor again, if it was given up and a file descriptor is free.
    pub(super) fn refill(&self) {
        let mut file = self.file();
        if file.is_none() {
            *file = spare();
        }
    }

    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_out_of_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error())).contains(&error.raw_os_error())
}

/// Whether a failed accept concerns only the peer's connection, which was gone before it was accepted.
fn is_the_peers_doing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, InvalidInput, NotConnected,
    };
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | Interrupted | InvalidInput | NotConnected
    )
}

/// A connection's socket.
#[derive(Debug)]
pub(super) enum SocketStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl SocketStream {
    /// Makes the next close of a TCP connection a reset: the kernel drops the connection and its unsent bytes, where
    /// it would otherwise go on offering them to the peer.
    pub(super) fn reset_on_close(&self) {
        if let Self::Tcp(stream) = self {
            // A socket that takes no options any more is gone already.
            let _ = set_socket_linger(stream, Some(Duration::ZERO));
        }
    }

    /// Resets the connection at once.
    pub(super) fn reset(self) {
        self.reset_on_close();
    }

    /// Whether bytes of the peer wait to be read; it may read one of them.
    pub(super) fn has_unread(&self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Tcp(stream) => stream.try_read(&mut byte),
            Self::Unix(stream) => stream.try_read(&mut byte),
        };
        read.is_ok_and(|count| count > 0)
    }
}

macro_rules! on_either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            SocketStream::Tcp($stream) => $call,
            SocketStream::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for SocketStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_either!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for SocketStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        on_either!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_either!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_vanished_is_no_reason_to_pause() {
        assert!(is_the_peers_doing(&io::ErrorKind::ConnectionAborted.into()));
        assert!(!is_the_peers_doing(&io::ErrorKind::OutOfMemory.into()));
        assert!(is_out_of_files(&io::Error::from_raw_os_error(Errno::MFILE.raw_os_error())));
        assert!(!is_out_of_files(&io::ErrorKind::ConnectionAborted.into()));
    }
}
