//! The stage of the exchange of request and answer on a connection. Set by the exchange and the answer's body; read
//! by the stream.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

use super::slots::ClientSlot;

/// Marks an answer without an end (a stream of events), in the extensions of its response. It may last as long as the
/// peer reads it.
#[derive(Clone, Copy, Debug)]
pub struct Endless;

/// The stage of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ExchangeStage {
    /// The head of a request is awaited.
    Reading,
    /// The head was read, and the application makes the answer.
    Answering,
    /// An answer is being written.
    Sending,
    /// An answer without an end is being written.
    Streaming,
    /// The answer's body is complete, but not all of it is written.
    Sent,
}

/// The progress of one connection.
#[derive(Debug)]
pub(super) struct ResponseProgress {
    stage: AtomicU8,
    /// The share of the client for whom a proxy's current request counts.
    client: Mutex<Option<ClientSlot>>,
}

impl ResponseProgress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { stage: AtomicU8::new(ExchangeStage::Reading as u8), client: Mutex::default() })
    }

    // One task does all of it, so the memory ordering does not matter.
    pub(super) fn stage(&self) -> ExchangeStage {
        const STAGES: [ExchangeStage; 5] = [
            ExchangeStage::Reading,
            ExchangeStage::Answering,
            ExchangeStage::Sending,
            ExchangeStage::Streaming,
            ExchangeStage::Sent,
        ];
        let stage = self.stage.load(Ordering::Relaxed);
        STAGES.into_iter().find(|known| *known as u8 == stage).unwrap_or(ExchangeStage::Reading)
    }

    pub(super) fn set(&self, stage: ExchangeStage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Keeps the share of a client until the end of the exchange.
    pub(super) fn keep_client(&self, slot: Option<ClientSlot>) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = slot;
    }

    /// Records the end of an exchange: its answer is written.
    pub(super) fn end(&self) {
        self.set(ExchangeStage::Reading);
        self.keep_client(None);
    }
}

/// An answer's body that records its end in the connection's progress.
#[derive(Debug)]
pub(super) struct Watched<B> {
    body: B,
    progress: Arc<ResponseProgress>,
}

impl<B> Watched<B> {
    pub(super) fn new(body: B, progress: Arc<ResponseProgress>) -> Self {
        Self { body, progress }
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        // The connection drops a body as soon as it has taken the last of it.
        self.progress.set(ExchangeStage::Sent);
    }
}
