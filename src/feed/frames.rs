//! Frames of log entries, read from the store on demand.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::error::FeedError;
use crate::issuer::rollback::RollbackDetector;
use crate::issuer::signing_keys::SigningKeys;
use crate::model::counters::{KeysVersion, Position};
use crate::model::ids::StoreId;
use crate::store::queries::log::ReadLog;
use crate::store::queries::service::ReadCounters;
use crate::store::{Counters, Store};
use crate::token::feed::{Frame, MOST_SENT, Statement};
use crate::world::World;

/// The most bytes of frames in the cache, which serves followers that reconnect one after the other, as after a
/// restart.
const REMEMBERED: u64 = 16 << 20;

/// The number of frames that this size allows, roughly.
const FRAMES_REMEMBERED: usize = 256;

/// A signed frame without its decoded entries.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed {
    /// The position before the first entry.
    pub after: Position,
    /// The position of the last entry.
    pub last: Position,
    /// The version of the key set when the frame was signed.
    pub keys: KeysVersion,
    /// The signed text, at most [`LONGEST_FRAME`](crate::token::feed::LONGEST_FRAME) bytes.
    pub text: String,
}

/// The source of frames: reads entries from the store, signs them and caches full frames.
pub(super) struct Frames {
    store: Store,
    store_id: StoreId,
    keys: Arc<SigningKeys>,
    rollback: Arc<RollbackDetector>,
    world: World,
    /// Full frames by the version of the key set and the position they follow. Entries never change, so only a new
    /// version of the key set makes one useless.
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
    pub(super) fn new(
        store: Store,
        store_id: StoreId,
        keys: Arc<SigningKeys>,
        rollback: Arc<RollbackDetector>,
        world: World,
    ) -> Self {
        let full = Cache::with_weighter(FRAMES_REMEMBERED, REMEMBERED, ByLength);
        Self { store, store_id, keys, rollback, world, full }
    }

    /// The issuer's statement for these counters of the store.
    pub(super) fn statement(&self, counters: Counters) -> Statement {
        Statement {
            issuer: self.keys.names().issuer.clone(),
            store: self.store_id,
            time: self.world.now(),
            head: counters.head,
            era: counters.era,
            keys: counters.keys,
        }
    }

    /// The counters as they are durable now. Everything acknowledged before the call is included.
    pub(super) async fn now(&self) -> Result<Counters, FeedError> {
        self.rollback.check()?;
        let counters = self.store.read(ReadCounters).await?;
        // The counters may run ahead of the disk; the log does not, so it answers once they are on it.
        self.store.read(ReadLog { after: counters.head, limit: 1 }).await?;
        Ok(counters)
    }

    /// A frame with the entries after `after`, at most `limit`; empty if there are none yet. [`FeedError::Resnapshot`]
    /// if the log does not continue from there.
    pub(super) async fn continuing(&self, after: Position, limit: usize) -> Result<Frame, FeedError> {
        let counters = self.store.read(ReadCounters).await?;
        let mut entries = self.store.read(ReadLog { after, limit }).await?;
        entries.retain(|entry| entry.position <= counters.head);
        let continues = match entries.first() {
            Some(first) => first.position == after.next(),
            None => counters.head == after,
        };
        if continues {
            Ok(Frame { statement: self.statement(counters), start: false, after, entries })
        } else {
            Err(FeedError::Resnapshot)
        }
    }

    /// A frame that begins a snapshot: the oldest entries that are kept, at most `limit`.
    pub(super) async fn starting(&self, limit: usize) -> Result<Frame, FeedError> {
        let counters = self.store.read(ReadCounters).await?;
        let mut entries = self.store.read(ReadLog { after: Position::default(), limit }).await?;
        entries.retain(|entry| entry.position <= counters.head);
        let after = match entries.first() {
            Some(first) => Position::new(first.position.value().saturating_sub(1)),
            None => counters.head,
        };
        Ok(Frame { statement: self.statement(counters), start: true, after, entries })
    }

    /// Signs a frame with the active key of the current key set, which no entry in the log distrusts.
    pub(super) async fn sign(&self, frame: &Frame) -> Result<String, FeedError> {
        self.rollback.check()?;
        Ok(self.keys.checked().await?.sign_frame(frame)?)
    }

    /// The next frame for a follower that has applied everything up to `after`; `None` if it is up to date.
    ///
    /// Frames end at the same positions for all followers, so each is signed once, however many followers ask for it
    /// one after the other.
    pub(super) async fn next(&self, after: Position) -> Result<Option<Arc<Signed>>, FeedError> {
        let key = (self.keys.checked().await?.version(), after);
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

    /// Whether the key set is still the one that the frame was signed under.
    pub(super) async fn is_of_now(&self, frame: &Signed) -> bool {
        self.keys.checked().await.is_ok_and(|keyring| keyring.version() == frame.keys)
    }
}

/// The number of entries after `after` up to the next position at which frames end.
fn to_the_end_of_a_stretch(after: Position) -> usize {
    let most = MOST_SENT as u64;
    usize::try_from(most - after.value() % most).unwrap_or(MOST_SENT)
}
