//! Frames of what the log says, read from the store as they are asked for.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::error::FeedError;
use crate::auth::Auth;
use crate::model::counters::{KeysVersion, Position};
use crate::model::ids::StoreId;
use crate::store::Clock;
use crate::token::feed::{Frame, MOST_SENT, Statement};
use crate::world::World;

/// How many bytes of frames are remembered for followers that come one after the other, as after a restart.
const REMEMBERED: u64 = 16 << 20;

/// About how many frames that are.
const FRAMES_REMEMBERED: usize = 256;

/// A signed frame without its entries.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed {
    /// The position before its first entry.
    pub after: Position,
    /// The position of its last one.
    pub last: Position,
    /// The version of the keys it was signed under.
    pub keys: KeysVersion,
    /// Its text.
    pub text: String,
}

/// Makes frames.
pub(super) struct Frames {
    auth: Arc<Auth>,
    world: World,
    store: StoreId,
    /// Full frames by the version of the keys and the position they follow. Entries never change, so only the keys
    /// can make one useless.
    full: Cache<(KeysVersion, Position), Arc<Signed>, ByLength>,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<(KeysVersion, Position), Arc<Signed>> for ByLength {
    fn weight(&self, _: &(KeysVersion, Position), frame: &Arc<Signed>) -> u64 {
        frame.text.len() as u64
    }
}

impl Frames {
    pub(super) fn new(auth: Arc<Auth>, world: World, store: StoreId) -> Self {
        let full = Cache::with_weighter(FRAMES_REMEMBERED, REMEMBERED, ByLength);
        Self { auth, world, store, full }
    }

    /// What the issuer says of the store as it was at `clock`.
    pub(super) fn statement(&self, clock: Clock) -> Statement {
        Statement {
            issuer: self.auth.issuer().to_owned(),
            store: self.store,
            time: self.world.now(),
            head: clock.head,
            era: clock.era,
            keys: clock.keys,
        }
    }

    /// What is durable now. Whatever was acknowledged before the call is part of it.
    pub(super) async fn now(&self) -> Result<Clock, FeedError> {
        self.auth.ensure_not_rolled_back()?;
        let clock = self.auth.store().clock().await?;
        // The counters may run ahead of the disk; the log does not, so it answers once they are on it.
        self.auth.store().log(clock.head, 1).await?;
        Ok(clock)
    }

    /// The entries after `after`, at most `limit`; none if there are none yet.
    pub(super) async fn continuing(&self, after: Position, limit: usize) -> Result<Frame, FeedError> {
        let clock = self.auth.store().clock().await?;
        let mut entries = self.auth.store().log(after, limit).await?;
        entries.retain(|entry| entry.position <= clock.head);
        let continues = match entries.first() {
            Some(first) => first.position == after.next(),
            None => clock.head == after,
        };
        if continues {
            Ok(Frame { statement: self.statement(clock), start: false, after, entries })
        } else {
            Err(FeedError::Resnapshot)
        }
    }

    /// The oldest entries that are kept, at most `limit`: where a snapshot begins.
    pub(super) async fn starting(&self, limit: usize) -> Result<Frame, FeedError> {
        let clock = self.auth.store().clock().await?;
        let mut entries = self.auth.store().log(Position::default(), limit).await?;
        entries.retain(|entry| entry.position <= clock.head);
        let after = match entries.first() {
            Some(first) => Position::new(first.position.value().saturating_sub(1)),
            None => clock.head,
        };
        Ok(Frame { statement: self.statement(clock), start: true, after, entries })
    }

    /// Signs a frame with a key that is trusted now, which is none that one of its entries distrusts.
    pub(super) async fn sign(&self, frame: &Frame) -> Result<String, FeedError> {
        self.auth.ensure_not_rolled_back()?;
        Ok(self.auth.keyring().await?.sign_frame(frame)?)
    }

    /// The next frame of a follower that has applied everything up to `after`; none if that is everything.
    ///
    /// However many followers ask for the same stretch of the log one after the other, it is signed once: stretches
    /// end at the same positions for all of them.
    pub(super) async fn next(&self, after: Position) -> Result<Option<Arc<Signed>>, FeedError> {
        let key = (self.auth.keyring().await?.version(), after);
        if let Some(frame) = self.full.get(&key) {
            return Ok(Some(frame));
        }
        let stretch = to_the_end_of_a_stretch(after);
        let frame = self.continuing(after, stretch).await?;
        if frame.entries.is_empty() {
            return Ok(None);
        }
        let signed = self.signed(&frame).await?;
        if frame.entries.len() == stretch {
            self.full.insert(key, Arc::clone(&signed));
        }
        Ok(Some(signed))
    }

    /// The first frame of a snapshot.
    pub(super) async fn first(&self) -> Result<Arc<Signed>, FeedError> {
        let mut frame = self.starting(MOST_SENT).await?;
        frame.entries.truncate(to_the_end_of_a_stretch(frame.after));
        self.signed(&frame).await
    }

    pub(super) async fn signed(&self, frame: &Frame) -> Result<Arc<Signed>, FeedError> {
        let text = self.sign(frame).await?;
        Ok(Arc::new(Signed { after: frame.after, last: frame.last(), keys: frame.statement.keys, text }))
    }

    /// Whether the keys are still those that the frame was signed under.
    pub(super) async fn is_of_now(&self, frame: &Signed) -> bool {
        self.auth.keyring().await.is_ok_and(|keyring| keyring.version() == frame.keys)
    }
}

/// How many entries follow `after` until the next position that a frame ends at.
fn to_the_end_of_a_stretch(after: Position) -> usize {
    let most = MOST_SENT as u64;
    usize::try_from(most - after.value() % most).unwrap_or(MOST_SENT)
}
