//! The texts of the feed: frames of revocations and answers to pings, signed so that nobody between the issuer and
//! a follower can add, change or withhold anything unnoticed.
//!
//! This page is the format; a follower in any language can be written from it.
//!
//! # Envelope
//!
//! A frame and a pong are each one [PASETO] `v4.public` text, `v4.public.<payload and signature>.<footer>`:
//!
//! * signed with the issuer's active access key, one of those that `/.well-known/paserk` publishes;
//! * **implicit assertion `rescind/feed/v1`**, while an access token has none. So a frame never verifies as a
//!   token, nor a token as a frame, although the same key signs both;
//! * footer exactly `{"kid":"k4.pid.…"}`. Look the footer up by its bytes among those of the keys you trust. A
//!   text whose footer you do not know may be signed by a newer key: fetch `/.well-known/paserk` and try again;
//! * at most 65 536 characters for a frame, 2 048 for a pong; a longer text is refused before it is decoded.
//!
//! The payload is one JSON object. A claim that is missing, mistyped or repeated makes the text unusable, and so does
//! a `type` other than the one expected; claims you do not know are ignored. Every number is an integer from 0 to
//! 2^53 − 1; every time is RFC 3339, UTC, whole seconds, `Z`; every id is a lower-case hyphenated UUID.
//!
//! # Claims of both
//!
//! | claim | |
//! |---|---|
//! | `type` | `"frame"` or `"pong"` |
//! | `iss` | the issuer, as in its tokens; a text of another issuer is refused |
//! | `store` | the id of the store that the log belongs to. A restored store has a new one: forget what you hold |
//! | `time` | the issuer's clock when it signed. Frames are kept and repeated, so only a pong's tells the time |
//! | `head` | the position of the newest durable entry when it signed |
//! | `era` | the era then: a token of an earlier one is dead |
//! | `keys_version` | the version of the key set then, the `version` of `/.well-known/paserk` |
//!
//! A counter never goes back: of `era`, `keys_version` and any `generation` the greatest one seen counts.
//!
//! # Frame
//!
//! ```json
//! {"type":"frame","iss":"https://id.example","store":"019a…","time":"2026-11-22T10:20:12Z","head":42,"era":1795342000,
//!  "keys_version":1,"start":false,"after":40,"entries":[
//!   {"at":"2026-11-22T10:20:11Z","type":"device_ended","user":"019a…","device":"019a…"},
//!   {"at":"2026-11-22T10:20:12Z","type":"generation","user":"019a…","generation":2,"kept":"019a…","cause":"password_changed"}]}
//! ```
//!
//! The log has no gaps, so entries carry no position: the first one is `after` + 1, the next one `after` + 2, the last
//! one (`after` + number of entries) is the frame's `last`, at most `head`.
//!
//! A frame with `start: false` **continues**: it is for a follower that has applied everything up to `after`. If
//! you have applied more than that but not `last`, apply the rest; if you have applied `last` already, it is a repeat;
//! if you have applied less than `after`, you missed something: begin anew.
//!
//! A frame with `start: true` **begins a snapshot**: whatever came up to its `after` is no longer kept, because no
//! access token is as old. Go on from `after`, or from what you have applied if that is more, and forget nothing of the same
//! store: the frame may be an old one that somebody repeats. The frames that follow continue it; the snapshot is complete
//! when you have applied the `head` that its first frame named. Where the store is another one than before, refuse all
//! tokens until the snapshot is complete and a pong has proven it.
//!
//! | entry `type` | further claims | meaning |
//! |---|---|---|
//! | `device_ended` | `user`, `device` | tokens of that `sub` and `sid` are dead: `signed_out` |
//! | `generation` | `user`, `generation`, `kept`?, `cause`? | tokens of that `sub` with a lower `gen` are dead: `signed_out_everywhere` unless their `sid` is `kept`; see below |
//! | `era` | `era` | tokens with a lower `era` are dead: `reset` |
//! | `keys` | `keys_version`, `distrusted`? | the key set changed: fetch it. Tokens and frames of the key `distrusted` are dead from here on, whoever has verified them before |
//!
//! A device that is `kept` goes on with new tokens. Its dead tokens are `superseded`, and a refresh helps, unless the user
//! has set a new password since they were minted: then they are `password_changed`, and only newer tokens or signing in help.
//! An entry whose `cause` is `password_changed` says that its `generation` began with a new password, set on the device
//! that is `kept`. Remember the greatest such generation of a user: dead tokens of a kept device with a lower `gen` are
//! `password_changed`, the others `superseded`, whatever entries follow. Entries written by an earlier issuer say no cause.
//! A cause you do not know changes nothing. No cause is told where no device is kept: then it makes no difference.
//!
//! An entry of another type ends something you do not understand: refuse the frame, and with it all tokens. The
//! frame that distrusts a key is signed by another one; one that is not is forged.
//!
//! Entries are kept for 65 minutes from their `at`, longer than any access token lives. A follower keeps them for as long
//! after it has heard of them, on a clock that nobody sets: `at` is said by a wall clock.
//!
//! # Pong
//!
//! ```json
//! {"type":"pong","iss":"https://id.example","store":"019a…","time":"2026-11-22T10:20:12Z","head":42,"era":1795342000,
//!  "keys_version":1,"nonce":"0Yq2n1sVb0iXbKc1k2xA7w"}
//! ```
//!
//! `nonce` is the one that the ping carried, 16 to 64 characters of base64url. It must be new for every ping, from a
//! good generator: it is what makes a replayed answer worthless. The head was read after the ping had arrived.
//!
//! # How they travel
//!
//! All three operations take a service key with the scope `feed` as `Authorization: Bearer …`; what is not signed here
//! is a hint.
//!
//! * `GET /api/v1/revocations/stream` is a `text/event-stream`. It begins with a snapshot, or continues after the position
//!   in the header `Last-Event-ID`; if the log no longer reaches back to it, a snapshot comes anyway. Its events:
//!   * `hello`, the first one: `{"follower":"…","store":"…"}`, the name of this stream for pings, and whose log it is;
//!   * `frame`: the text of a frame; the event's `id` is the frame's `last`;
//!   * `ping`: somebody waits for you, ping at once;
//!   * a comment every few seconds while there is nothing to say.
//!
//!   The service may end a stream at any time: come back with `Last-Event-ID`.
//! * `POST /api/v1/revocations/ping` takes `{"nonce":"…","applied":42,"follower":"…"}` and answers `{"pong":"v4.public.…"}`.
//!   `applied` is the last position that is in force at the follower; `follower` is what `hello` said, and may be absent.
//! * `GET /api/v1/revocations?since=42&limit=256` answers one frame as `{"frame":"v4.public.…", …}` for those who rather ask
//!   than listen. Without `since` it begins a snapshot; 410 `resnapshot` means that the log no longer reaches back to `since`.
//!
//! [PASETO]: https://github.com/paseto-standard/paseto-spec

use super::MintError;
use super::footer::Footer;
use super::public_keys::PublicKeys;
use super::signing::SecretKey;
use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::ids::StoreId;
use crate::model::revocation::{Entry, Revocation};
use crate::model::timestamp::Timestamp;

mod wire;

/// The longest frame, in bytes of its text.
pub const LONGEST_FRAME: usize = 64 * 1024;

/// The longest pong, in bytes of its text.
pub const LONGEST_PONG: usize = super::LONGEST;

/// The most entries that a frame may have to be read.
pub const MOST_ENTRIES: usize = 256;

/// The most entries that the issuer puts into a frame: so many of any kind fit.
pub const MOST_SENT: usize = 224;

/// What keeps these texts and tokens apart.
const IMPLICIT_ASSERTION: &[u8] = b"rescind/feed/v1";

/// Why a text is not a frame or a pong to rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was not even decoded.
    #[error("it is too long")]
    TooLong,
    /// Its footer names no key of the set: perhaps a newer one.
    #[error("it is signed by a key that is not trusted here")]
    UnknownKey,
    /// It was altered, or is no such text at all.
    #[error("it is not authentic")]
    NotAuthentic,
    /// The signature is good but the claims are not those of the kind expected.
    #[error("it is authentic but not understood")]
    NotUnderstood,
    /// The issuer of other tokens made it.
    #[error("it is another issuer's")]
    OtherIssuer,
}

/// What the issuer says of itself in every text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Who says so.
    pub issuer: String,
    /// Of which store.
    pub store: StoreId,
    /// When it was signed, by the issuer's clock.
    pub time: Timestamp,
    /// The newest durable entry then.
    pub head: Position,
    /// The era then.
    pub era: Era,
    /// The version of the key set then.
    pub keys: KeysVersion,
}

/// A batch of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// By whom, of what, when.
    pub statement: Statement,
    /// Whether a snapshot begins here.
    pub start: bool,
    /// The position before the first entry.
    pub after: Position,
    /// The entries, in order and without a gap.
    pub entries: Vec<Entry>,
}

impl Frame {
    /// The position of the last entry, or of what it continues when there is none.
    pub fn last(&self) -> Position {
        self.entries.last().map_or(self.after, |entry| entry.position)
    }

    /// The frame that `text` is.
    ///
    /// Proves that the holder of a key of `keys` made it for followers of `issuer`. Whether it fits what the
    /// follower has applied is the follower's to see.
    pub fn verify(text: &str, keys: &PublicKeys, issuer: &str) -> Result<Self, Refused> {
        let (payload, footer) = open(text, keys, LONGEST_FRAME)?;
        let frame = wire::read_frame(&payload).ok_or(Refused::NotUnderstood)?;
        if frame.statement.issuer != issuer {
            return Err(Refused::OtherIssuer);
        }
        let forged = frame.entries.iter().any(|entry| match &entry.revocation {
            Revocation::Keys { distrusted: Some(kid), .. } => Footer::of(kid) == *footer,
            _ => false,
        });
        if forged { Err(Refused::NotAuthentic) } else { Ok(frame) }
    }

    /// Signs the frame. Fails if it is too long, or would distrust its own key.
    pub(super) fn sign(&self, key: &SecretKey, footer: &Footer) -> Result<String, MintError> {
        let own = |entry: &Entry| matches!(&entry.revocation, Revocation::Keys { distrusted: Some(kid), .. } if Footer::of(kid) == *footer);
        if self.entries.iter().any(own) {
            return Err(MintError);
        }
        seal(&wire::write_frame(self)?, key, footer, LONGEST_FRAME)
    }
}

/// What a follower puts into a ping, and finds again in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// Reads 16 to 64 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (16..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Self(text.to_owned()))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pong {
    /// By whom, of what, when; its head was read after the ping had arrived.
    pub statement: Statement,
    /// What the ping carried.
    pub nonce: Nonce,
}

impl Pong {
    /// The pong that `text` is. Whether the nonce is the one that was sent is the follower's to see.
    pub fn verify(text: &str, keys: &PublicKeys, issuer: &str) -> Result<Self, Refused> {
        let (payload, _) = open(text, keys, LONGEST_PONG)?;
        let pong = wire::read_pong(&payload).ok_or(Refused::NotUnderstood)?;
        if pong.statement.issuer == issuer { Ok(pong) } else { Err(Refused::OtherIssuer) }
    }

    /// Signs the pong.
    pub(super) fn sign(&self, key: &SecretKey, footer: &Footer) -> Result<String, MintError> {
        seal(&wire::write_pong(self)?, key, footer, LONGEST_PONG)
    }
}

/// The payload of an authentic text, and the footer it was signed with.
fn open<'k>(text: &str, keys: &'k PublicKeys, longest: usize) -> Result<(String, &'k Footer), Refused> {
    if text.len() > longest {
        return Err(Refused::TooLong);
    }
    if super::footer::part(text).is_none() {
        return Err(Refused::NotAuthentic);
    }
    let (footer, key) = keys.of(text).ok_or(Refused::UnknownKey)?;
    let payload = key.open(text, footer, IMPLICIT_ASSERTION).ok_or(Refused::NotAuthentic)?;
    Ok((payload, footer))
}

fn seal(payload: &[u8], key: &SecretKey, footer: &Footer, longest: usize) -> Result<String, MintError> {
    let text = key.sign(payload, footer, IMPLICIT_ASSERTION);
    if text.len() > longest { Err(MintError) } else { Ok(text) }
}

#[cfg(test)]
mod tests;
