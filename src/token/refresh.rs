//! Refresh tokens: PASETO `v4.local`, readable by the issuer only.

use pasetors::Local;
use pasetors::keys::SymmetricKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{LocalToken, V4};
use serde::{Deserialize, Serialize};

use super::footer::Footer;
use super::{MintError, NotAuthentic};
use crate::model::claims::RefreshClaims;
use crate::model::counters::{Era, Generation, Sequence, Stamp};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;

/// The start of every refresh token.
pub const HEADER: &str = "v4.local.";

/// The implicit assertion, which sets refresh tokens apart from everything else encrypted with the same key.
const PURPOSE: &[u8] = b"rescind/refresh/v1";

#[derive(Serialize, Deserialize)]
struct RefreshWire {
    sub: String,
    sid: String,
    r#gen: u64,
    era: u64,
    seq: u64,
    exp: String,
}

pub(super) fn mint(
    claims: &RefreshClaims,
    key: &SymmetricKey<V4>,
    footer: &Footer,
) -> Result<String, MintError> {
    let wire = RefreshWire {
        sub: claims.subject.to_string(),
        sid: claims.device.to_string(),
        r#gen: claims.stamp.generation.value(),
        era: claims.stamp.era.value(),
        seq: claims.sequence.value(),
        exp: claims.expires.rfc3339(),
    };
    let message = serde_json::to_vec(&wire).map_err(|_| MintError)?;
    LocalToken::encrypt(key, &message, Some(footer.json.as_bytes()), Some(PURPOSE)).map_err(|_| MintError)
}

pub(super) fn open(
    token: &str,
    key: &SymmetricKey<V4>,
    footer: &Footer,
) -> Result<RefreshClaims, NotAuthentic> {
    let untrusted = UntrustedToken::<Local, V4>::try_from(token).map_err(|_| NotAuthentic)?;
    let trusted = LocalToken::decrypt(key, &untrusted, Some(footer.json.as_bytes()), Some(PURPOSE))
        .map_err(|_| NotAuthentic)?;
    read(trusted.payload()).ok_or(NotAuthentic)
}

fn read(payload: &str) -> Option<RefreshClaims> {
    let wire: RefreshWire = serde_json::from_str(payload).ok()?;
    Some(RefreshClaims {
        subject: UserId::parse(&wire.sub)?,
        device: DeviceId::parse(&wire.sid)?,
        stamp: Stamp { era: Era::new(wire.era), generation: Generation::new(wire.r#gen) },
        sequence: Sequence::new(wire.seq),
        expires: Timestamp::parse(&wire.exp)?,
    })
}
