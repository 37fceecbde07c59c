//! Access tokens: PASETO `v4.public`, verifiable by anyone with the issuer's public keys.

use serde::{Deserialize, Serialize};

use super::footer::Footer;
use super::signing::{PublicKey, SecretKey};
use super::{MintError, NotAuthentic};
use crate::model::claims::AccessClaims;
use crate::model::counters::{Era, Generation, Stamp};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;

/// The claims in their JSON form. The parser refuses a missing, mistyped or repeated claim and ignores an unknown one,
/// so that claims can be added later.
#[derive(Serialize, Deserialize)]
struct AccessWire<'a> {
    #[serde(borrow)]
    iss: std::borrow::Cow<'a, str>,
    sub: String,
    #[serde(borrow)]
    aud: std::borrow::Cow<'a, str>,
    iat: String,
    exp: String,
    sid: String,
    r#gen: u64,
    era: u64,
    auth_time: String,
}

/// The implicit assertion is empty, so that every PASETO library verifies these tokens.
const IMPLICIT_ASSERTION: &[u8] = b"";

pub(super) fn mint(claims: &AccessClaims, key: &SecretKey, footer: &Footer) -> Result<String, MintError> {
    let wire = AccessWire {
        iss: claims.issuer.as_str().into(),
        sub: claims.subject.to_string(),
        aud: claims.audience.as_str().into(),
        iat: claims.issued.rfc3339(),
        exp: claims.expires.rfc3339(),
        sid: claims.device.to_string(),
        r#gen: claims.stamp.generation.value(),
        era: claims.stamp.era.value(),
        auth_time: claims.authenticated.rfc3339(),
    };
    let message = serde_json::to_vec(&wire).map_err(|_| MintError)?;
    Ok(key.sign(&message, footer, IMPLICIT_ASSERTION))
}

/// Verifies the signature and decodes the claims; the caller compares issuer and audience.
pub(super) fn verify(token: &str, key: &PublicKey, footer: &Footer) -> Result<AccessClaims, NotAuthentic> {
    let payload = key.open(token, footer, IMPLICIT_ASSERTION).ok_or(NotAuthentic)?;
    read(&payload).ok_or(NotAuthentic)
}

fn read(payload: &str) -> Option<AccessClaims> {
    let wire: AccessWire<'_> = serde_json::from_str(payload).ok()?;
    Some(AccessClaims {
        issuer: wire.iss.into_owned(),
        subject: UserId::parse(&wire.sub)?,
        audience: wire.aud.into_owned(),
        issued: Timestamp::parse(&wire.iat)?,
        expires: Timestamp::parse(&wire.exp)?,
        device: DeviceId::parse(&wire.sid)?,
        stamp: Stamp { era: Era::new(wire.era), generation: Generation::new(wire.r#gen) },
        authenticated: Timestamp::parse(&wire.auth_time)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"iss":"i","sub":"0197a5a0-0000-7000-8000-000000000001","aud":"a","iat":"2026-11-22T10:00:00Z","exp":"2026-11-22T10:15:00Z","sid":"0197a5a0-0000-7000-8000-000000000002","gen":1,"era":2,"auth_time":"2026-11-22T10:00:00Z"}"#;

    #[test]
    fn a_claim_we_do_not_know_is_ignored() {
        assert!(read(GOOD).is_some());
        assert!(read(&GOOD.replacen('{', r#"{"scope":["x"],"#, 1)).is_some());
    }

    #[test]
    fn a_missing_mistyped_or_repeated_claim_is_refused() {
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(GOOD).unwrap();
        for name in fields.keys() {
            let mut missing = fields.clone();
            missing.remove(name);
            assert!(read(&serde_json::to_string(&missing).unwrap()).is_none(), "{name} missing");
            let mut mistyped = fields.clone();
            mistyped.insert(name.clone(), serde_json::Value::Null);
            assert!(read(&serde_json::to_string(&mistyped).unwrap()).is_none(), "{name} null");
            let value = &fields[name];
            let repeated = GOOD.replacen('{', &format!("{{\"{name}\":{value},"), 1);
            assert!(read(&repeated).is_none(), "{name} twice");
        }
        assert!(read(&GOOD.replace("\"gen\":1", "\"gen\":-1")).is_none());
        assert!(read(&GOOD.replace("\"gen\":1", "\"gen\":1.0")).is_none());
        assert!(read(&GOOD.replace("10:15:00Z", "10:15:00.000Z")).is_none());
    }
}
