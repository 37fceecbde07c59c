//! Refresh tokens of djangorestframework-simplejwt, so that they can be exchanged: JWTs (RFC 7519) under HS256, signed with
//! Django's secret key. Nothing here mints one.
//!
//! The parser is strict: three parts of unpadded base64url, the one algorithm, the signature compared in constant time
//! before a claim is read, and a limit on the length before anything is decoded. A key never comes from a token.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::model::ids::DeviceId;
use crate::model::timestamp::Timestamp;

/// The longest token, in bytes. SimpleJWT's own have about 230; an app may have added claims.
const LONGEST: usize = 4096;

/// The longest `jti` and the longest id of a user, in bytes.
const LONGEST_TEXT: usize = 255;

/// Separates the hash of a `jti` from every other hash.
const PURPOSE: &str = "rescind: device of a SimpleJWT refresh token, v1";

/// The key under which SimpleJWT signed: `SIGNING_KEY`, by default Django's `SECRET_KEY`.
pub struct SimpleJwtKey(Hmac<Sha256>);

impl SimpleJwtKey {
    /// The key made of a secret text.
    pub fn new(secret: &str) -> Option<Self> {
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }
}

impl fmt::Debug for SimpleJwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimpleJwtKey(..)")
    }
}

/// An authentic refresh token of SimpleJWT that has not expired.
#[derive(Clone, PartialEq, Eq)]
pub struct SimpleJwtRefresh {
    /// The id of the token, claim `jti`.
    pub jti: String,
    /// The user's id in Django.
    pub user: String,
    /// When the token expires.
    pub expires: Timestamp,
}

impl SimpleJwtRefresh {
    /// The id of the device that the token is exchanged for: the same on every node and at every time, so that the device
    /// shows that the token was used.
    pub fn device(&self) -> DeviceId {
        let hash = blake3::derive_key(PURPOSE, self.jti.as_bytes());
        DeviceId::of_former_session(self.expires, &hash)
    }
}

impl fmt::Debug for SimpleJwtRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimpleJwtRefresh({})", self.device())
    }
}

/// Why a text is not a refresh token of SimpleJWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimpleJwtFault {
    /// The text is no JWT under HS256, or lacks a claim.
    Malformed,
    /// The signature was not made with the key.
    Signature,
    /// The token expired at this time.
    Expired(Timestamp),
    /// The token is of another type: an access token.
    WrongType,
}

/// Whether a text has the form of a JWT, and so is none of this service's own tokens.
pub fn is_jwt(text: &str) -> bool {
    text.starts_with("ey") && text.split('.').count() == 3
}

/// Verifies a refresh token at `now`. `user_claim` is the claim with the user's id.
pub fn verify(
    key: &SimpleJwtKey,
    user_claim: &str,
    text: &str,
    now: Timestamp,
) -> Result<SimpleJwtRefresh, SimpleJwtFault> {
    if text.len() > LONGEST {
        return Err(SimpleJwtFault::Malformed);
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(SimpleJwtFault::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(SimpleJwtFault::Malformed)?;
    let header = object(header)?;
    // RFC 7515 §4.1.11: an extension that has to be understood is not understood here.
    if header.get("alg") != Some(&Value::from("HS256")) || header.contains_key("crit") {
        return Err(SimpleJwtFault::Malformed);
    }
    let mut mac = key.0.clone();
    mac.update(signed.as_bytes());
    mac.verify_slice(&decoded(signature)?).map_err(|_| SimpleJwtFault::Signature)?;
    read(&object(claims)?, user_claim, now)
}

fn read(
    claims: &Map<String, Value>,
    user_claim: &str,
    now: Timestamp,
) -> Result<SimpleJwtRefresh, SimpleJwtFault> {
    let expires = claims.get("exp").and_then(Value::as_i64).ok_or(SimpleJwtFault::Malformed)?;
    let expires = Timestamp::from_unix(expires);
    if expires <= now {
        return Err(SimpleJwtFault::Expired(expires));
    }
    match claims.get("token_type").and_then(Value::as_str) {
        Some("refresh") => {}
        Some(_) => return Err(SimpleJwtFault::WrongType),
        None => return Err(SimpleJwtFault::Malformed),
    }
    let bounded = |text: &String| (1..=LONGEST_TEXT).contains(&text.len());
    let jti = claims.get("jti").and_then(Value::as_str).map(ToOwned::to_owned).filter(bounded);
    let user = match claims.get(user_claim) {
        Some(Value::String(user)) => Some(user.clone()),
        // SimpleJWT before 5.5 wrote a number as a number.
        Some(Value::Number(user)) if user.is_i64() || user.is_u64() => Some(user.to_string()),
        _ => None,
    };
    match (jti, user.filter(bounded)) {
        (Some(jti), Some(user)) => Ok(SimpleJwtRefresh { jti, user, expires }),
        _ => Err(SimpleJwtFault::Malformed),
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, SimpleJwtFault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| SimpleJwtFault::Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, SimpleJwtFault> {
    serde_json::from_slice(&decoded(part)?).map_err(|_| SimpleJwtFault::Malformed)
}

/// The ids of refresh tokens that SimpleJWT had blacklisted, as hashes of sixteen bytes each.
#[derive(Default, PartialEq, Eq)]
pub struct Blacklist(Vec<[u8; 16]>);

impl Blacklist {
    /// Reads a list of ids, one in each line; empty lines count for nothing. The error is the number of the first line that
    /// is no id.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut ids = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let id = line.trim();
            if id.len() > LONGEST_TEXT || id.contains(|c: char| c.is_whitespace() || ",;\"'".contains(c)) {
                return Err(index + 1);
            }
            if !id.is_empty() {
                ids.push(Self::hashed(id));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Self(ids))
    }

    /// Whether the token with the id `jti` was blacklisted.
    pub fn contains(&self, jti: &str) -> bool {
        self.0.binary_search(&Self::hashed(jti)).is_ok()
    }

    /// The number of ids.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn hashed(jti: &str) -> [u8; 16] {
        let hash = blake3::hash(jti.as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(hash.as_bytes().split_at(16).0);
        short
    }
}

impl fmt::Debug for Blacklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blacklist({} ids)", self.len())
    }
}

#[cfg(test)]
mod tests;
