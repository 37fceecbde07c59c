//! A password hash: what a user's record holds instead of the password.

use std::fmt;

use subtle::ConstantTimeEq;

/// The most bytes of a stored hash; one made by this service has about 100.
const MAX_BYTES: usize = 512;

/// A password hash as a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`).
///
/// It has neither `Display` nor `Serialize`, because a leaked hash allows offline guessing. Only the stored form of a
/// user takes its text out.
#[derive(Clone)]
pub struct PasswordHash(String);

/// The text is not a PHC string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a password hash in PHC form")]
pub struct PasswordHashError;

impl PasswordHash {
    /// Parses the shape of a PHC string. Which algorithm and parameters are accepted is decided where the hash is
    /// verified.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let printable = text.bytes().all(|b| b.is_ascii_graphic());
        if printable && text.len() <= MAX_BYTES && text.starts_with('$') && text.matches('$').count() >= 3 {
            Ok(Self(text.to_owned()))
        } else {
            Err(PasswordHashError)
        }
    }

    /// The hash as a PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
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
mod tests {
    use super::*;

    const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaA";

    #[test]
    fn the_text_is_kept_and_debug_hides_it() {
        let hash = PasswordHash::parse(PHC).unwrap();
        assert_eq!(format!("{hash:?}"), "PasswordHash(..)");
        assert_eq!(hash.as_str(), PHC);
    }

    #[test]
    fn damage_is_an_error_that_quotes_nothing() {
        for text in ["", "hunter2", "$argon2id", "$a$b$\n", "$a$b$é", &format!("$a$b${}", "x".repeat(512))] {
            assert_eq!(PasswordHash::parse(text), Err(PasswordHashError), "{text}");
        }
        let error = PasswordHash::parse("hunter2").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn equality_compares_the_whole_text() {
        let other = PHC.replace("aGFz", "bGFz");
        assert_ne!(PasswordHash::parse(PHC), PasswordHash::parse(&other));
        assert_eq!(PasswordHash::parse(PHC), PasswordHash::parse(PHC));
    }
}
