//! The stream of a connection, with its timeouts.
//!
//! There are four waits, one at a time (their limits are [`ConnectionLimits`]):
//!
//! | wait | begins | ends |
//! |---|---|---|
//! | idle | with the connection, or with the end of an answer | with the first byte of a request |
//! | head | with the first byte of a request | when its head was read |
//! | request | with the first byte of a request | with the first byte of its answer |
//! | response | with the first byte of an answer | when all of it is written |
//!
//! Bytes that trickle in do not extend a wait. An answer without an end is timed only while bytes of it wait for the
//! peer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::time::{Instant, Sleep};

use super::accept::SocketStream;
use super::limits::ConnectionLimits;
use super::progress::{ExchangeStage, ResponseProgress};

/// The first bytes of an HTTP/2 connection (RFC 9113 §3.4). HTTP/1 reserves the method, so four bytes decide.
const PREFACE: &[u8] = b"PRI ";

/// The most bytes of one request, head and body. The largest expected requests are a body of 16 KiB with a browser's
/// headers, and on the administration socket an import of 32 users.
const LARGEST: u64 = 64 * 1024;

/// The stream of a connection that is cut when its peer exceeds a timeout or sends too much at once.
///
/// No more than `LARGEST` is read between the ends of two answers. Requests sent ahead of their answers stay in the
/// kernel meanwhile: they are not read as long as an earlier one is unanswered.
///
/// A stream dropped before [`end_orderly`](Self::end_orderly) or its shutdown resets the connection.
#[derive(Debug)]
pub(super) struct TimeoutStream {
    stream: Take<SocketStream>,
    limits: ConnectionLimits,
    progress: Arc<ResponseProgress>,
    wait: PeerWait,
    /// When the current wait began.
    began: Instant,
    /// Fires no later than the current wait ends, and is then set to that end: so a busy connection, which begins two
    /// waits a request, hardly ever sets the timer.
    timer: Pin<Box<Sleep>>,
    /// How many bytes of the preface have been received; `None` once the connection cannot be HTTP/2.
    preface: Option<usize>,
    /// Whether hyper's own answer to a head that it cannot read was withheld, for the application's answer.
    is_unreadable: bool,
    ended_orderly: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerWait {
    Idle,
    /// The wait for the head or the whole of a request, depending on the stage.
    Request,
    Response,
    /// No timed wait: an endless answer has nothing to send.
    Nothing,
}

impl TimeoutStream {
    pub(super) fn new(
        stream: SocketStream,
        limits: ConnectionLimits,
        progress: Arc<ResponseProgress>,
    ) -> Self {
        let began = Instant::now();
        Self {
            stream: stream.take(LARGEST),
            limits,
            progress,
            wait: PeerWait::Idle,
            began,
            timer: Box::pin(tokio::time::sleep_until(began + limits.idle)),
            preface: Some(0),
            is_unreadable: false,
            ended_orderly: false,
        }
    }

    /// Whether the head of a request could not be read. No byte of an answer was written then.
    pub(super) fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// The socket of the connection, for a last answer outside the stream.
    pub(super) fn socket(&mut self) -> &mut SocketStream {
        self.stream.get_mut()
    }

    /// Marks the connection as complete, so that its close is no reset.
    pub(super) fn end_orderly(&mut self) {
        self.ended_orderly = true;
    }

    fn begin(&mut self, wait: PeerWait) {
        self.wait = wait;
        self.began = Instant::now();
        if let Some(deadline) = self.deadline()
            && deadline < self.timer.deadline()
        {
            self.timer.as_mut().reset(deadline);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let limit = match self.wait {
            PeerWait::Idle => self.limits.idle,
            PeerWait::Request if self.progress.stage() == ExchangeStage::Reading => {
                self.limits.head.min(self.limits.request)
            }
            PeerWait::Request => self.limits.request,
            PeerWait::Response => self.limits.response,
            PeerWait::Nothing => return None,
        };
        Some(self.began + limit)
    }

    /// Ready with an error when the current wait is over; otherwise registers the task to be woken.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            match self.deadline() {
                Some(deadline) if deadline <= now => return Poll::Ready(io::ErrorKind::TimedOut.into()),
                Some(deadline) => self.timer.as_mut().reset(deadline),
                None => self.timer.as_mut().reset(now + self.limits.idle),
            }
        }
    }

    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(seen) = self.preface {
            let rest = PREFACE.iter().skip(seen);
            let alike = rest.zip(bytes).take_while(|(expected, given)| expected == given).count();
            if seen + alike == PREFACE.len() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "HTTP/2 is not spoken here"));
            }
            self.preface = (alike == bytes.len()).then_some(seen + alike);
        }
        if self.wait == PeerWait::Idle {
            self.begin(PeerWait::Request);
        }
        Ok(())
    }

    /// Whether the bytes to be written are hyper's own answer to a head that it cannot read, which is withheld.
    /// Before a head was read there is nothing else to answer.
    fn holds_back(&mut self) -> bool {
        if self.progress.stage() == ExchangeStage::Reading && self.wait != PeerWait::Response {
            self.is_unreadable = true;
        }
        self.is_unreadable
    }

    fn wrote(&mut self) {
        match self.progress.stage() {
            // `100 Continue`: the request is still to come.
            ExchangeStage::Answering => {}
            _ if self.wait == PeerWait::Response => {}
            _ => self.begin(PeerWait::Response),
        }
    }

    /// Moves to the next wait once every byte is written.
    fn flushed(&mut self) {
        match self.progress.stage() {
            ExchangeStage::Sent => {
                self.progress.end();
                self.stream.set_limit(LARGEST);
                self.begin(PeerWait::Idle);
            }
            ExchangeStage::Streaming => self.wait = PeerWait::Nothing,
            // The next request was read before its predecessor's answer was written.
            ExchangeStage::Answering if self.wait == PeerWait::Response => {
                self.stream.set_limit(LARGEST);
                self.begin(PeerWait::Request);
            }
            _ => {}
        }
    }

    fn poll_write_by(
        &mut self,
        cx: &mut Context<'_>,
        length: usize,
        write: impl FnOnce(Pin<&mut SocketStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.holds_back() {
            return Poll::Ready(Ok(length));
        }
        let written = write(Pin::new(self.stream.get_mut()), cx)?;
        self.wrote();
        match written {
            Poll::Ready(written) => Poll::Ready(Ok(written)),
            Poll::Pending => self.poll_timeout(cx).map(Err),
        }
    }
}

impl AsyncRead for TimeoutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stream.limit() == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a request is too large")));
        }
        let before = buf.filled().len();
        if Pin::new(&mut self.stream).poll_read(cx, buf)?.is_pending() {
            return self.poll_timeout(cx).map(Err);
        }
        let received = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(if received.is_empty() { Ok(()) } else { self.received(received) })
    }
}

impl AsyncWrite for TimeoutStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_by(cx, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        self.poll_write_by(cx, length, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    // Otherwise each body would be copied whole into the connection's own buffer before it is written.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(self.stream.get_mut()).poll_flush(cx))?;
        self.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_unreadable {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(self.stream.get_mut()).poll_shutdown(cx))?;
        self.ended_orderly = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for TimeoutStream {
    fn drop(&mut self) {
        if !self.ended_orderly {
            self.stream.get_ref().reset_on_close();
        }
    }
}
