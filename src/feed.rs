//! The revocation feed: publishes the log of revocations to followers, in order, as soon as entries are durable.
//!
//! A *follower* keeps a copy of the log of revocations, so that it can judge access tokens on its own; the texts it
//! receives are those of [`crate::token::feed`]. The feed guarantees:
//!
//! * An entry is published **only once it is durable**, and entries in the order of the log, without gaps.
//! * A frame is **signed once**, however many followers receive it, by a key that is trusted at that moment. A frame
//!   that distrusts a key is signed by another one, and no frame signed by the distrusted key is sent after it.
//! * A pong names a head that was read **after** the ping had arrived. If the store does not answer, there is no pong
//!   but the answer "unavailable".
//! * **Memory is bounded**: the number of streams, the recent frames, and for each follower only its position. A
//!   follower that does not keep up is disconnected; it reconnects and continues where it was.
//! * A follower whose service key is removed receives nothing more after a second, on any node.
//!
//! The feed knows no HTTP: it returns texts and the events of a stream.
//!
//! Modules: [`frames`] makes frames of log entries; `recent` keeps the latest of them; [`followers`] is the registry
//! of open streams; [`stream`] yields the events of one follower; [`publish`] publishes new entries; [`ping`] answers
//! pings; [`fence`] waits until all followers have applied an entry, and `calls` says when it asks them to ping;
//! [`error`] are the errors.

use std::sync::Arc;

use tokio::sync::watch;

use crate::issuer::rollback::RollbackDetector;
use crate::issuer::signing_keys::SigningKeys;
use crate::metrics::Metrics;
use crate::model::counters::Position;
use crate::model::ids::StoreId;
use crate::store::queries::service::ReadCounters;
use crate::store::{Store, StoreError};
use crate::token::feed::Frame;
use crate::world::World;

mod calls;
pub mod error;
pub mod fence;
pub mod followers;
pub mod frames;
pub mod ping;
pub mod publish;
mod recent;
pub mod stream;

use calls::Calls;
use error::FeedError;
use followers::{FollowerLimits, Followers};
use frames::Frames;
use recent::Recent;

/// The state that is broadcast to all streams.
#[derive(Clone, Copy, Debug)]
struct News {
    /// The last position that was published.
    published: Position,
    /// The newest position that a fence waits for: followers behind it are asked to ping.
    awaited: Position,
    /// Whether the feed is closed, because the service stops.
    closed: bool,
}

/// The feed of one node.
pub struct Feed {
    store: Store,
    store_id: StoreId,
    keys: Arc<SigningKeys>,
    metrics: Arc<Metrics>,
    world: World,
    frames: Frames,
    recent: Recent,
    followers: Followers,
    calls: Calls,
    news: watch::Sender<News>,
}

impl Feed {
    /// Opens the feed of the store `store_id`, which publishes what becomes durable from now on, signed by `keys`.
    pub async fn open(
        store: Store,
        store_id: StoreId,
        keys: Arc<SigningKeys>,
        rollback: Arc<RollbackDetector>,
        metrics: Arc<Metrics>,
        world: World,
        limits: FollowerLimits,
    ) -> Result<Self, StoreError> {
        let published = store.read(ReadCounters).await?.head;
        let frames = Frames::new(store.clone(), store_id, Arc::clone(&keys), rollback, world.clone());
        let news = watch::Sender::new(News { published, awaited: Position::default(), closed: false });
        let (recent, followers) = (Recent::from(published), Followers::new(limits));
        let calls = Calls::default();
        Ok(Self { store, store_id, keys, metrics, world, frames, recent, followers, calls, news })
    }

    /// The entries after `since`, or the oldest that are kept, as a frame and its text; the frame is empty if there
    /// are none.
    pub async fn page(&self, since: Option<Position>, limit: usize) -> Result<(Frame, String), FeedError> {
        let frame = match since {
            Some(since) => self.frames.continuing(since, limit).await?,
            None => self.frames.starting(limit).await?,
        };
        let text = self.frames.sign(&frame).await?;
        Ok((frame, text))
    }

    /// Closes the feed when the service stops: ends every stream and opens no other.
    pub fn close(&self) {
        self.news.send_modify(|news| news.closed = true);
    }

    /// Milliseconds of a monotonic clock, to measure the silence of a follower.
    fn uptime(&self) -> i64 {
        i64::try_from(self.world.uptime().as_millis()).unwrap_or(i64::MAX)
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("news", &*self.news.borrow()).finish_non_exhaustive()
    }
}
