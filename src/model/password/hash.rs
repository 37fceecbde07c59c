//! A password hash: what a user's record holds instead of the password.

use std::fmt;

use subtle::ConstantTimeEq;

use super::encoding::{HashEncoding, PasswordHashError};

/// The most bytes of a stored hash; one made by this service has about 100.
const MAX_BYTES: usize = 512;

/// A password hash: a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`), as this service makes them, or the
/// encoding of another of Django's hashers (`pbkdf2_sha256$…`).
///
/// It has neither `Display` nor `Serialize`, because a leaked hash allows offline guessing. Only the stored form of a
/// user, and an export that the operator asks for, take its text out.
#[derive(Clone)]
pub struct PasswordHash(String);

/// Whether hashes that are too fast to protect a password are accepted, such as MD5 in any form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakHashes {
    /// They are refused by name.
    Refuse,
    /// They are accepted. The first sign-in replaces them.
    Accept,
}

impl PasswordHash {
    /// Parses a hash from outside: one of Django's encodings, or an Argon2 hash in PHC form. Weak ones are refused.
    ///
    /// Every parameter has a limit, so that what is accepted here can be verified with bounded work.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        Self::imported(text, WeakHashes::Refuse)
    }

    /// Parses a hash from outside as [`PasswordHash::parse`] does, and accepts weak ones if `weak` says so.
    pub fn imported(text: &str, weak: WeakHashes) -> Result<Self, PasswordHashError> {
        let bare = match text.len() {
            32 if is_hex(text) => Some(format!("md5$${text}")),
            _ => None,
        };
        let text = bare.as_deref().unwrap_or(text);
        if text.len() > MAX_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
            // Text before a later byte that is not allowed may still be any text, so no name is taken from it.
            return Err(PasswordHashError::Unknown("unnamed".to_owned()));
        }
        match HashEncoding::read(text)? {
            HashEncoding::Weak { .. } if weak == WeakHashes::Refuse => {
                Err(PasswordHashError::Weak(Self(text.to_owned()).algorithm()))
            }
            // Django's form is this service's with a word in front.
            HashEncoding::Argon2(phc) => Ok(Self(phc.to_owned())),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// Reads a stored hash back. Only its shape is checked: which parameters are accepted is decided where the hash is
    /// verified, so that a record stays readable when limits change.
    pub fn from_stored(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|b| b.is_ascii_graphic());
        let shaped = match text.split_once('$') {
            Some(("", rest)) => rest.matches('$').count() >= 2,
            Some((algorithm, _)) => HashEncoding::ALGORITHMS.contains(&algorithm),
            None => false,
        };
        (printable && shaped && text.len() <= MAX_BYTES).then(|| Self(text.to_owned()))
    }

    /// The hash as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash as Django writes it.
    pub fn django(&self) -> String {
        if self.0.starts_with('$') { format!("argon2{}", self.0) } else { self.0.clone() }
    }

    /// The name that Django gives the algorithm: `argon2`, `pbkdf2_sha256`, `unsalted_md5`.
    pub fn algorithm(&self) -> &'static str {
        let (algorithm, rest) = self.0.split_once('$').unwrap_or_default();
        match (algorithm, rest.starts_with('$')) {
            ("md5", true) => "unsalted_md5",
            ("sha1", true) => "unsalted_sha1",
            _ => HashEncoding::ALGORITHMS.into_iter().find(|known| *known == algorithm).unwrap_or("argon2"),
        }
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl PartialEq for PasswordHash {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for PasswordHash {}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests;
