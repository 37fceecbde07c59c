//! The stream of one follower: a snapshot or the entries it missed, then new ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::error::FeedError;
use super::followers::{Follower, FollowerProgress};
use super::frames::Signed;
use super::recent::Next;
use super::{Feed, News};
use crate::model::counters::Position;
use crate::model::ids::{FollowerId, StoreId};
use crate::model::service_key::ServiceKeyRecord;

/// The time after which a keep-alive is sent if there is no other event, so that no proxy closes the idle connection.
const SILENCE: Duration = Duration::from_secs(15);

/// An event of a follower's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The first event: the ids of the stream and of the store.
    Hello {
        /// The id that the follower uses in pings.
        follower: FollowerId,
        /// The id of the store whose log this is.
        store: StoreId,
    },
    /// A frame of log entries.
    Frame(Arc<Signed>),
    /// A fence waits for the follower, which should ping at once.
    Ping,
    /// A keep-alive, after a time without another event.
    Silence,
}

/// One follower's stream. Dropping it unregisters the follower.
pub struct FollowerStream {
    feed: Arc<Feed>,
    follower: Arc<Follower>,
    progress: watch::Receiver<FollowerProgress>,
    news: watch::Receiver<News>,
    greeted: bool,
    position: StreamPosition,
    /// The last awaited position for which the follower was asked to ping.
    asked: Position,
}

/// The follower's position in the log.
#[derive(Clone, Copy, Debug)]
enum StreamPosition {
    /// No position to continue from: the follower needs a snapshot.
    Nothing,
    /// The follower has everything up to this position, as it said itself or as it was sent from the log; there may be
    /// more in the log.
    Behind(Position),
    /// The follower has everything up to this position and was level with the log: it is served from the recent frames
    /// and must keep up.
    Level(Position),
}

impl Feed {
    /// Opens a stream for a bearer of `key` that has applied everything up to `since`.
    pub fn follow(
        self: &Arc<Self>,
        key: &ServiceKeyRecord,
        since: Option<Position>,
    ) -> Result<FollowerStream, FeedError> {
        let news = self.news.subscribe();
        if news.borrow().closed {
            return Err(FeedError::Closed);
        }
        let follower = self.followers.enter(self.world.follower_id(), key, self.uptime())?;
        self.metrics.feed.followers(&follower.name).inc();
        Ok(FollowerStream {
            feed: Arc::clone(self),
            progress: follower.progress(),
            follower,
            news,
            greeted: false,
            position: since.map_or(StreamPosition::Nothing, StreamPosition::Behind),
            asked: Position::default(),
        })
    }
}

impl FollowerStream {
    /// The next event; waits until there is one. `None` when the stream ends and the follower has to reconnect.
    ///
    /// Nothing is prepared ahead of the call, so a follower that does not read costs only its position.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        if !self.greeted {
            self.greeted = true;
            return Some(StreamEvent::Hello { follower: self.follower.id, store: self.feed.store_id });
        }
        loop {
            let news = *self.news.borrow_and_update();
            if news.closed || self.progress.borrow().ended {
                return None;
            }
            match self.position {
                StreamPosition::Nothing => {
                    return self.event_of(self.feed.frames.first().await, StreamPosition::Behind);
                }
                StreamPosition::Behind(position) => {
                    // Who comes back may have heard already that a key is distrusted.
                    if let Next::Frame(frame) = self.feed.recent.after(position)
                        && self.feed.frames.is_of_now(&frame).await
                    {
                        return self.event_of(Ok(frame), StreamPosition::Level);
                    }
                    match self.feed.frames.next(position).await {
                        Ok(None) => self.move_to(position, StreamPosition::Level),
                        Err(FeedError::Resnapshot) => self.position = StreamPosition::Nothing,
                        Ok(Some(frame)) => return self.event_of(Ok(frame), StreamPosition::Behind),
                        Err(error) => return self.event_of(Err(error), StreamPosition::Behind),
                    }
                }
                StreamPosition::Level(position) => match self.feed.recent.after(position) {
                    Next::Frame(frame) => return self.event_of(Ok(frame), StreamPosition::Level),
                    Next::Gone => {
                        self.feed.metrics.feed.dropped("too_slow", 1);
                        return None;
                    }
                    Next::Nothing if self.asked < news.awaited && news.awaited <= position => {
                        self.asked = news.awaited;
                        // A follower that has said so by itself need not be asked.
                        if self.follower.applied() < news.awaited {
                            return Some(StreamEvent::Ping);
                        }
                    }
                    Next::Nothing => {
                        if self.is_silent().await {
                            return Some(StreamEvent::Silence);
                        }
                    }
                },
            }
        }
    }

    /// Waits for news; returns true if there are none for [`SILENCE`].
    async fn is_silent(&mut self) -> bool {
        tokio::select! {
            // A sender that is gone has closed the feed.
            _ = self.news.changed() => false,
            _ = self.progress.wait_for(|progress| progress.ended) => false,
            () = tokio::time::sleep(SILENCE) => true,
        }
    }

    /// The event for a frame, after which the follower is at `position`; `None` if there is no frame.
    fn event_of(
        &mut self,
        frame: Result<Arc<Signed>, FeedError>,
        position: impl FnOnce(Position) -> StreamPosition,
    ) -> Option<StreamEvent> {
        match frame {
            Ok(frame) => {
                self.move_to(frame.last, position);
                self.feed.metrics.feed.frames_sent.inc();
                Some(StreamEvent::Frame(frame))
            }
            Err(error) => {
                tracing::warn!(follower = %self.follower.id, %error, "a stream of the feed ends");
                self.feed.metrics.feed.dropped("unavailable", 1);
                None
            }
        }
    }

    fn move_to(&mut self, last: Position, position: impl FnOnce(Position) -> StreamPosition) {
        self.follower.sent(last);
        self.position = position(last);
    }
}

impl Drop for FollowerStream {
    fn drop(&mut self) {
        self.feed.followers.leave(&self.follower);
        self.feed.metrics.feed.followers(&self.follower.name).dec();
    }
}

impl std::fmt::Debug for FollowerStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowerStream")
            .field("follower", &self.follower)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
