//! A password hash: what a user's record holds instead of the password.

use std::fmt;

use subtle::ConstantTimeEq;

/// The most bytes of a stored hash; one made by this service has about 100.
const MAX_BYTES: usize = 512;

/// A password hash as a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`).
///
/// It has neither `Display` nor `Serialize`, because a leaked hash allows offline guessing. A record that must store
/// it opts in with [`stored`].
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

/// Serialisation for `#[serde(with = "…::stored")]` on a field of a stored record, the only place where a hash is
/// serialised.
pub mod stored {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::PasswordHash;

    /// Serialises the hash as its PHC string.
    pub fn serialize<S: Serializer>(hash: &PasswordHash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hash.0)
    }

    /// Deserialises a PHC string; the error does not quote it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PasswordHash, D::Error> {
        let text = String::deserialize(deserializer)?;
        PasswordHash::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaA";

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Record {
        #[serde(with = "stored")]
        password: PasswordHash,
    }

    #[test]
    fn a_record_keeps_it_and_debug_hides_it() {
        let record = Record { password: PasswordHash::parse(PHC).unwrap() };
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(json, format!("{{\"password\":\"{PHC}\"}}"));
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
        assert_eq!(format!("{record:?}"), "Record { password: PasswordHash(..) }");
        assert_eq!(record.password.as_str(), PHC);
    }

    #[test]
    fn damage_is_an_error_that_quotes_nothing() {
        for text in ["", "hunter2", "$argon2id", "$a$b$\n", "$a$b$é", &format!("$a$b${}", "x".repeat(512))] {
            assert_eq!(PasswordHash::parse(text), Err(PasswordHashError), "{text}");
        }
        let error = serde_json::from_str::<Record>(r#"{"password":"hunter2"}"#).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn equality_compares_the_whole_text() {
        let other = PHC.replace("aGFz", "bGFz");
        assert_ne!(PasswordHash::parse(PHC), PasswordHash::parse(&other));
        assert_eq!(PasswordHash::parse(PHC), PasswordHash::parse(PHC));
    }
}
