//! What frames and pongs say, without their JSON form and without signatures.

use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::ids::StoreId;
use crate::model::revocation::Entry;
use crate::model::timestamp::Timestamp;

/// The most entries that a frame may have to be accepted.
pub const MOST_ENTRIES: usize = 256;

/// The issuer's statement about itself and its store in every text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The issuer, claim `iss`.
    pub issuer: String,
    /// The id of the store the log belongs to.
    pub store: StoreId,
    /// When the text was signed, by the issuer's clock.
    pub time: Timestamp,
    /// The position of the newest durable entry at that time.
    pub head: Position,
    /// The era at that time.
    pub era: Era,
    /// The version of the key set at that time.
    pub keys: KeysVersion,
}

/// A batch of consecutive entries of the revocation log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The statement of the issuer.
    pub statement: Statement,
    /// Whether a snapshot begins with this frame.
    pub start: bool,
    /// The position before the first entry.
    pub after: Position,
    /// The entries, in order and without a gap.
    pub entries: Vec<Entry>,
}

impl Frame {
    /// The position of the last entry, or `after` if there is none.
    pub fn last(&self) -> Position {
        self.entries.last().map_or(self.after, |entry| entry.position)
    }
}

/// A follower's random value in a ping, which the answer repeats.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// Parses 16 to 64 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (16..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Self(text.to_owned()))
    }

    /// The nonce as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pong {
    /// The issuer's statement; its head was read after the ping had arrived.
    pub statement: Statement,
    /// The nonce of the ping.
    pub nonce: Nonce,
}
