//! The feed: what has ended, told to followers in order, as soon as it is durable.
//!
//! A *follower* keeps a copy of the log of revocations, so that it can judge access tokens on its own; the texts that
//! travel are those of [`crate::token::feed`]. The feed promises that
//!
//! * an entry is published **only once it is durable**, and entries in the order of the log, without gaps;
//! * what is published is **signed once**, however many follow, by a key that is trusted at that moment. A
//!   frame that distrusts a key is signed by another one, and none of those that key signed is sent any more;
//! * a pong names a head that was read **after** the ping had arrived. A store that does not answer makes no pong:
//!   a follower is told "unavailable" rather than something old;
//! * **nobody can make it hold more**: there are so many streams, so much of the past in memory, and for each follower
//!   nothing but its place. A follower that does not keep up is dropped; it comes back and goes on where it was;
//! * a follower whose service key is removed hears nothing more after a second, on any node.
//!
//! It knows no HTTP: what it hands out are texts and the events of a stream.
//!
//! Rooms: [`frames`] makes frames of what the log says, `recent` keeps the latest of them, [`followers`] knows who listens,
//! [`stream`] is what one of them is told, [`publish`] tells everyone what is new, [`ping`] answers pings, [`fence`] waits until all have
//! applied something, [`error`] is why not.

use std::sync::Arc;

use tokio::sync::watch;

use crate::auth::Auth;
use crate::metrics::Metrics;
use crate::model::counters::Position;
use crate::model::ids::StoreId;
use crate::store::{SharedStore, StoreError};
use crate::token::feed::Frame;
use crate::world::World;

pub mod error;
pub mod fence;
pub mod followers;
pub mod frames;
pub mod ping;
pub mod publish;
mod recent;
pub mod stream;

use error::FeedError;
use fence::Calls;
use followers::{Followers, Limits};
use frames::Frames;
use recent::Recent;

/// What everyone who listens is told at once.
#[derive(Clone, Copy, Debug)]
struct News {
    /// The last position that was published.
    published: Position,
    /// Somebody waits until this position is applied everywhere.
    awaited: Position,
    /// The service stops.
    closed: bool,
}

/// The feed of one process.
pub struct Feed {
    auth: Arc<Auth>,
    world: World,
    store: StoreId,
    frames: Frames,
    recent: Recent,
    followers: Followers,
    calls: Calls,
    news: watch::Sender<News>,
}

impl Feed {
    /// The feed of the service's store, from what is durable now on.
    pub async fn open(
        auth: Arc<Auth>,
        world: World,
        store: StoreId,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let published = auth.store().clock().await?.head;
        let frames = Frames::new(Arc::clone(&auth), world.clone(), store);
        let news = watch::Sender::new(News { published, awaited: Position::default(), closed: false });
        let (recent, followers) = (Recent::from(published), Followers::new(limits));
        let calls = Calls::default();
        Ok(Self { auth, world, store, frames, recent, followers, calls, news })
    }

    /// The entries after `since`, or the oldest that are kept, as a frame and its text; none if there are none yet.
    pub async fn page(&self, since: Option<Position>, limit: usize) -> Result<(Frame, String), FeedError> {
        let frame = match since {
            Some(since) => self.frames.continuing(since, limit).await?,
            None => self.frames.starting(limit).await?,
        };
        let text = self.frames.sign(&frame).await?;
        Ok((frame, text))
    }

    /// Ends every stream and opens no other: the service stops.
    pub fn close(&self) {
        self.news.send_modify(|news| news.closed = true);
    }

    /// Milliseconds by a clock that nobody sets, to tell how long a follower has been silent.
    fn uptime(&self) -> i64 {
        i64::try_from(self.world.uptime().as_millis()).unwrap_or(i64::MAX)
    }

    fn log(&self) -> &SharedStore {
        self.auth.store()
    }

    fn metrics(&self) -> &Metrics {
        self.auth.metrics()
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("news", &*self.news.borrow()).finish_non_exhaustive()
    }
}
