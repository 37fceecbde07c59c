//! The stream of one follower: a snapshot or the entries it missed, then new ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::error::FeedError;
use super::followers::{Follower, Progress};
use super::frames::Signed;
use super::recent::Next;
use super::{Feed, News};
use crate::model::counters::Position;
use crate::model::ids::{FollowerId, StoreId};
use crate::model::service_key::ServiceKey;

/// The time after which a keep-alive is sent if there is no other event, so that no proxy closes the idle connection.
const SILENCE: Duration = Duration::from_secs(15);

/// An event of a follower's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
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
pub struct Stream {
    feed: Arc<Feed>,
    follower: Arc<Follower>,
    progress: watch::Receiver<Progress>,
    news: watch::Receiver<News>,
    greeted: bool,
    place: Place,
    /// The last awaited position for which the follower was asked to ping.
    asked: Position,
}

/// The follower's position in the log.
#[derive(Clone, Copy, Debug)]
enum Place {
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
    pub fn follow(self: &Arc<Self>, key: &ServiceKey, since: Option<Position>) -> Result<Stream, FeedError> {
        let news = self.news.subscribe();
        if news.borrow().closed {
            return Err(FeedError::Closed);
        }
        let follower = self.followers.enter(self.world.follower_id(), key, self.uptime())?;
        self.metrics().feed.followers(&follower.name).inc();
        Ok(Stream {
            feed: Arc::clone(self),
            progress: follower.progress(),
            follower,
            news,
            greeted: false,
            place: since.map_or(Place::Nothing, Place::Behind),
            asked: Position::default(),
        })
    }
}

impl Stream {
    /// The next event; waits until there is one. `None` when the stream ends and the follower has to reconnect.
    ///
    /// Nothing is prepared ahead of the call, so a follower that does not read costs only its position.
    pub async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            return Some(Event::Hello { follower: self.follower.id, store: self.feed.store });
        }
        loop {
            let news = *self.news.borrow_and_update();
            if news.closed || self.progress.borrow().ended {
                return None;
            }
            match self.place {
                Place::Nothing => return self.tell(self.feed.frames.first().await, Place::Behind),
                Place::Behind(position) => {
                    // Who comes back may have heard already that a key is distrusted.
                    if let Next::Frame(frame) = self.feed.recent.after(position)
                        && self.feed.frames.is_of_now(&frame).await
                    {
                        return self.tell(Ok(frame), Place::Level);
                    }
                    match self.feed.frames.next(position).await {
                        Ok(None) => self.move_to(position, Place::Level),
                        Err(FeedError::Resnapshot) => self.place = Place::Nothing,
                        Ok(Some(frame)) => return self.tell(Ok(frame), Place::Behind),
                        Err(error) => return self.tell(Err(error), Place::Behind),
                    }
                }
                Place::Level(position) => match self.feed.recent.after(position) {
                    Next::Frame(frame) => return self.tell(Ok(frame), Place::Level),
                    Next::Gone => {
                        self.feed.metrics().feed.dropped("too_slow", 1);
                        return None;
                    }
                    Next::Nothing if self.asked < news.awaited && news.awaited <= position => {
                        self.asked = news.awaited;
                        // A follower that has said so by itself need not be asked.
                        if self.follower.applied() < news.awaited {
                            return Some(Event::Ping);
                        }
                    }
                    Next::Nothing => {
                        if self.is_silent().await {
                            return Some(Event::Silence);
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

    fn tell(
        &mut self,
        frame: Result<Arc<Signed>, FeedError>,
        place: impl FnOnce(Position) -> Place,
    ) -> Option<Event> {
        match frame {
            Ok(frame) => {
                self.move_to(frame.last, place);
                self.feed.metrics().feed.frames_sent.inc();
                Some(Event::Frame(frame))
            }
            Err(error) => {
                tracing::warn!(follower = %self.follower.id, %error, "a stream of the feed ends");
                self.feed.metrics().feed.dropped("unavailable", 1);
                None
            }
        }
    }

    fn move_to(&mut self, position: Position, place: impl FnOnce(Position) -> Place) {
        self.follower.sent(position);
        self.place = place(position);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.feed.followers.leave(&self.follower);
        self.feed.metrics().feed.followers(&self.follower.name).dec();
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("follower", &self.follower)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
