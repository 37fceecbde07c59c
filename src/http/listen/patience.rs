//! One connection, and how long we wait for it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep},
};

use super::Limits;

/// How an HTTP/2 connection begins (RFC 9113 §3.4). HTTP/1 reserves the method, so four bytes decide.
const PREFACE: &[u8] = b"PRI ";
/// An interim answer: the request is still to come.
const CONTINUE: &[u8] = b"HTTP/1.1 100 ";

/// A connection that is cut when its peer keeps us waiting.
///
/// There are two waits. *Request*: from the first byte of a request to the first byte of its answer, however the
/// bytes trickle in between. *Idle*: everything else. Any byte of an answer ends the first and restarts the second.
#[derive(Debug)]
pub struct GuardedIo<S> {
    stream: S,
    limits: Limits,
    in_request: bool,
    /// When the present wait ends. The timer may be set to an earlier time: it looks here when it fires, so that a
    /// busy connection moves this instant twice a request and the timer hardly ever.
    deadline: Instant,
    timer: Pin<Box<Sleep>>,
    /// How many bytes of the preface have come, while the connection may still be HTTP/2.
    preface: Option<usize>,
    _slot: OwnedSemaphorePermit,
}

impl<S> GuardedIo<S> {
    pub(super) fn new(stream: S, limits: Limits, slot: OwnedSemaphorePermit) -> Self {
        let deadline = Instant::now() + limits.idle;
        let timer = Box::pin(tokio::time::sleep_until(deadline));
        Self { stream, limits, in_request: false, deadline, timer, preface: Some(0), _slot: slot }
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.deadline = deadline;
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
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
        if !self.in_request {
            self.in_request = true;
            self.wait_until(Instant::now() + self.limits.request);
        }
        Ok(())
    }

    fn sent(&mut self, bytes: &[u8]) {
        if !(self.in_request && bytes.starts_with(CONTINUE)) {
            self.in_request = false;
            self.wait_until(Instant::now() + self.limits.idle);
        }
    }

    /// Ready when the wait is over; otherwise wakes the connection's task when it may be.
    fn poll_impatience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.deadline {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(self.deadline);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if Pin::new(&mut self.stream).poll_read(cx, buf)?.is_pending() {
            return self.poll_impatience(cx).map(Err);
        }
        let received = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(if received.is_empty() { Ok(()) } else { self.received(received) })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, buf)? else {
            return self.poll_impatience(cx).map(Err);
        };
        self.sent(buf);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
