//! One connection, and how long we wait for it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take},
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep},
};

use super::Limits;

/// How an HTTP/2 connection begins (RFC 9113 §3.4). HTTP/1 reserves the method, so four bytes decide.
const PREFACE: &[u8] = b"PRI ";
/// An interim answer: the request is still to come.
const CONTINUE: &[u8] = b"HTTP/1.1 100 ";

/// The most bytes one request may have, head and body. The framework's server would gather 400 KiB of headers for each
/// connection; the largest honest request is a body of 16 KiB and a browser's headers.
const LARGEST: u64 = 64 * 1024;

/// A connection that is cut when its peer keeps us waiting, or says too much at once.
///
/// There are two waits. *Request*: from the first byte of a request to the first byte of its answer, however the
/// bytes trickle in between. *Idle*: everything else. Any byte of an answer ends the first and restarts the second.
///
/// No more than `LARGEST` is read between one answer's first byte and the next one's. Requests sent ahead of their
/// answers stay with the kernel meanwhile: they are not read as long as there is one to answer.
#[derive(Debug)]
pub struct GuardedIo<S> {
    stream: Take<S>,
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

impl<S: AsyncRead> GuardedIo<S> {
    pub(super) fn new(stream: S, limits: Limits, slot: OwnedSemaphorePermit) -> Self {
        let deadline = Instant::now() + limits.idle;
        let timer = Box::pin(tokio::time::sleep_until(deadline));
        let stream = stream.take(LARGEST);
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
            self.stream.set_limit(LARGEST);
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
        if self.stream.limit() == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "a request is too large")));
        }
        let before = buf.filled().len();
        if Pin::new(&mut self.stream).poll_read(cx, buf)?.is_pending() {
            return self.poll_impatience(cx).map(Err);
        }
        let received = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(if received.is_empty() { Ok(()) } else { self.received(received) })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(self.stream.get_mut()).poll_write(cx, buf)? else {
            return self.poll_impatience(cx).map(Err);
        };
        self.sent(buf);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_shutdown(cx)
    }
}
