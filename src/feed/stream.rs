//! What one follower is told: a snapshot or what it missed, then what is new.

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

/// After so long without a word something is said, so that nobody in between takes the connection for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// What a follower is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first word: who it is, and whose log this is.
    Hello {
        /// What it calls itself in pings.
        follower: FollowerId,
        /// The store.
        store: StoreId,
    },
    /// What has ended.
    Frame(Arc<Signed>),
    /// Somebody waits for it: ping at once.
    Ping,
    /// There is nothing to say.
    Silence,
}

/// One follower's stream. Dropping it ends it.
pub struct Stream {
    feed: Arc<Feed>,
    follower: Arc<Follower>,
    progress: watch::Receiver<Progress>,
    news: watch::Receiver<News>,
    greeted: bool,
    place: Place,
    /// The last awaited position that it was asked to ping for.
    asked: Position,
}

/// How much of the log it has been sent.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nothing that can be continued.
    Nothing,
    /// Everything up to here, by its own word or from the log.
    Behind(Position),
    /// Everything up to here, which was all there was: from now on it has to keep up.
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
    /// What the follower is told next; nothing when it has to come back. Waits until there is something.
    ///
    /// Nothing happens ahead of the call, so a follower that does not listen costs nothing but its place.
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

    /// Waits for news, or long enough.
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
