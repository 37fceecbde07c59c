//! The signed texts of the feed: frames of revocations and answers to pings (pongs). The signature keeps everyone
//! between the issuer and a follower from adding, changing or withholding an entry unnoticed.
//!
//! This page specifies the format; a follower in any language can be written from it.
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
//! | `iss` | the issuer, one of the `names` at `/.well-known/paserk`; a text of another issuer is refused unless the names, fetched again, contain it |
//! | `store` | the id of the store that the log belongs to. A restored store has a new one: forget what you hold |
//! | `time` | the issuer's clock when the text was signed. Frames are kept and repeated; only a pong's is current |
//! | `head` | the position of the newest durable entry at that time |
//! | `era` | the era at that time: a token of an earlier one is no longer valid |
//! | `keys_version` | the version of the key set at that time, the `version` of `/.well-known/paserk` |
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
//! A frame with `start: false` **continues**: it is for a follower that has applied everything up to `after`. If you
//! have applied more than that but not `last`, apply the rest; if you have applied `last` already, it is a repeat; if
//! you have applied less than `after`, entries are missing: begin with a snapshot.
//!
//! A frame with `start: true` **begins a snapshot**: entries up to its `after` are no longer kept, because no access
//! token is as old. Continue from `after`, or from what you have applied if that is more, and discard nothing of the
//! same store: the frame may be an old one that somebody repeats. The frames that follow continue it; the snapshot is
//! complete when you have applied the `head` that its first frame named. If the store is not the one before, refuse
//! all tokens until the snapshot is complete and a pong has proven that.
//!
//! | entry `type` | further claims | meaning |
//! |---|---|---|
//! | `device_ended` | `user`, `device` | tokens of that `sub` and `sid` are dead: `signed_out` |
//! | `generation` | `user`, `generation`, `kept`?, `cause`? | tokens of that `sub` with a lower `gen` are dead: `signed_out_everywhere` unless their `sid` is `kept` or the `cause` is `disabled`; see below |
//! | `era` | `era` | tokens with a lower `era` are dead: `reset` |
//! | `keys` | `keys_version`, `distrusted`? | the key set changed: fetch it. Tokens and frames of the key `distrusted` are dead from here on, whoever has verified them before |
//!
//! A `kept` device continues with new tokens. Its earlier tokens are `superseded`, and a refresh helps, unless the
//! user has set a new password since they were minted: then they are `password_changed`, and only newer tokens or a
//! sign-in help. An entry with `cause` `password_changed` says that its `generation` began with a new password, set on
//! the `kept` device. Remember the greatest such generation of a user: earlier tokens of a kept device with a lower
//! `gen` are `password_changed`, the others `superseded`, whatever entries follow. This cause is never without `kept`,
//! where it would make no difference.
//!
//! An entry with `cause` `disabled`, which is never with `kept`, says that the account is disabled: tokens with a lower
//! `gen` are `user_disabled`. It holds until the user's next `generation` entry: one is written when the account is
//! enabled, without this cause, and makes all earlier tokens `signed_out_everywhere`. No token is issued in between, so
//! one with an equal or greater `gen` proves that the account was enabled.
//!
//! Entries written by an earlier issuer have no `cause`. One that is unknown, or does not fit `kept`, changes nothing.
//!
//! An entry of another type ends something unknown: refuse the frame, and with it all tokens. The frame that distrusts
//! a key is signed by another key; one that is not is forged.
//!
//! Entries are kept for 65 minutes from their `at`, longer than any access token lives. A follower keeps them for as
//! long after their receipt, by a monotonic clock, because `at` comes from a wall clock.
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
//! # Transport
//!
//! All three operations require a service key with the scope `feed` as `Authorization: Bearer …`; whatever is not
//! signed is a hint only.
//!
//! * `GET /api/v1/revocations/stream` is a `text/event-stream`. It begins with a snapshot, or continues after the position
//!   in the header `Last-Event-ID`; if the log no longer reaches back to it, a snapshot comes anyway. Its events:
//!   * `hello`, the first one: `{"follower":"…","store":"…"}`, the ids of this stream (for pings) and of the store;
//!   * `frame`: the text of a frame; the event's `id` is the frame's `last`;
//!   * `ping`: the issuer waits for this follower's confirmation: ping at once;
//!   * a comment after every 15 seconds without an event.
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
use crate::model::revocation::{Entry, Revocation};

mod claims;
mod wire;

pub use claims::{Frame, MOST_ENTRIES, Nonce, Pong, Statement};

/// The longest frame, in bytes of its text.
pub const LONGEST_FRAME: usize = 64 * 1024;

/// The longest pong, in bytes of its text.
pub const LONGEST_PONG: usize = super::LONGEST;

/// The most entries that the issuer puts into a frame: this many fit, whatever their kinds.
pub const MOST_SENT: usize = 224;

/// The implicit assertion that keeps these texts and tokens apart.
const IMPLICIT_ASSERTION: &[u8] = b"rescind/feed/v1";

/// The reason why a text is not an acceptable frame or pong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedRefusal {
    /// The text is longer than allowed and was not decoded.
    #[error("the text is too long")]
    TooLong,
    /// The footer names a key that is not in the set, perhaps a newer one.
    #[error("the text is signed by a key that is not trusted here")]
    UnknownKey,
    /// The signature or the format is wrong.
    #[error("the text is not authentic")]
    NotAuthentic,
    /// The signature is good but the claims are not those of the expected kind.
    #[error("the text is authentic, but its claims are not those expected")]
    NotUnderstood,
    /// The text was made by the issuer of this name, another one than expected.
    #[error("the text is from another issuer, {0:?}")]
    OtherIssuer(String),
}

impl Frame {
    /// Verifies the text of a frame.
    ///
    /// Proves that the holder of a key of `keys` made it for an issuer that `is_issuer` accepts. The follower has to check
    /// that the frame continues what it has applied.
    pub fn verify(
        text: &str,
        keys: &PublicKeys,
        is_issuer: impl FnOnce(&str) -> bool,
    ) -> Result<Self, FeedRefusal> {
        let (payload, footer) = open(text, keys, LONGEST_FRAME)?;
        let frame = wire::read_frame(&payload).ok_or(FeedRefusal::NotUnderstood)?;
        if !is_issuer(&frame.statement.issuer) {
            return Err(FeedRefusal::OtherIssuer(frame.statement.issuer));
        }
        let forged = frame.entries.iter().any(|entry| match &entry.revocation {
            Revocation::Keys { distrusted: Some(kid), .. } => Footer::of(kid) == *footer,
            _ => false,
        });
        if forged { Err(FeedRefusal::NotAuthentic) } else { Ok(frame) }
    }

    /// Signs the frame. Fails if the text is too long, or if an entry distrusts the signing key.
    pub(super) fn sign(&self, key: &SecretKey, footer: &Footer) -> Result<String, MintError> {
        let own = |entry: &Entry| matches!(&entry.revocation, Revocation::Keys { distrusted: Some(kid), .. } if Footer::of(kid) == *footer);
        if self.entries.iter().any(own) {
            return Err(MintError);
        }
        seal(&wire::write_frame(self)?, key, footer, LONGEST_FRAME)
    }
}

impl Pong {
    /// Verifies the text of a pong. The follower has to check that the nonce is the one it sent.
    pub fn verify(
        text: &str,
        keys: &PublicKeys,
        is_issuer: impl FnOnce(&str) -> bool,
    ) -> Result<Self, FeedRefusal> {
        let (payload, _) = open(text, keys, LONGEST_PONG)?;
        let pong = wire::read_pong(&payload).ok_or(FeedRefusal::NotUnderstood)?;
        if is_issuer(&pong.statement.issuer) {
            Ok(pong)
        } else {
            Err(FeedRefusal::OtherIssuer(pong.statement.issuer))
        }
    }

    /// Signs the pong with the active key.
    pub(super) fn sign(&self, key: &SecretKey, footer: &Footer) -> Result<String, MintError> {
        seal(&wire::write_pong(self)?, key, footer, LONGEST_PONG)
    }
}

/// The payload of an authentic text, and the footer of the key that signed it.
fn open<'k>(text: &str, keys: &'k PublicKeys, longest: usize) -> Result<(String, &'k Footer), FeedRefusal> {
    if text.len() > longest {
        return Err(FeedRefusal::TooLong);
    }
    if super::footer::part(text).is_none() {
        return Err(FeedRefusal::NotAuthentic);
    }
    let (footer, key) = keys.of(text).ok_or(FeedRefusal::UnknownKey)?;
    let payload = key.open(text, footer, IMPLICIT_ASSERTION).ok_or(FeedRefusal::NotAuthentic)?;
    Ok((payload, footer))
}

fn seal(payload: &[u8], key: &SecretKey, footer: &Footer, longest: usize) -> Result<String, MintError> {
    let text = key.sign(payload, footer, IMPLICIT_ASSERTION);
    if text.len() > longest { Err(MintError) } else { Ok(text) }
}

#[cfg(test)]
mod tests;
