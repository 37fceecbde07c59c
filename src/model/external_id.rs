//! An external id: the id that a user has in another system.

use std::fmt;

use super::visible::is_visible;

/// The id of a user in another system, which signs users in or manages accounts: its primary key, or claim `sub`.
///
/// It is kept as given and compared byte by byte: another system may tell `a` and `A` apart, and nobody types it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(String);

/// The reason why a text is not an external id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalIdError {
    /// The text is empty.
    #[error("an external id has at least 1 character")]
    TooShort,
    /// The text has more than 255 bytes.
    #[error("an external id has at most 255 bytes of UTF-8")]
    TooLong,
    /// The text has a space, or a control, invisible, bidirectional, private or unassigned character.
    #[error("an external id has only visible characters and no spaces")]
    InvalidCharacters,
}

impl ExternalId {
    /// The most bytes of UTF-8: 255 characters of ASCII, as many as `OpenID` Connect allows for `sub`. A user's record has
    /// to stay below 4 KiB.
    pub const LONGEST: usize = 255;

    /// Parses an external id.
    pub fn parse(text: &str) -> Result<Self, ExternalIdError> {
        if text.is_empty() {
            Err(ExternalIdError::TooShort)
        } else if text.len() > Self::LONGEST {
            Err(ExternalIdError::TooLong)
        } else if text.chars().all(|c| is_visible(c) && c != ' ') {
            Ok(Self(text.to_owned()))
        } else {
            Err(ExternalIdError::InvalidCharacters)
        }
    }

    /// The external id in a stored record, unchanged: it was parsed when it was given.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The external id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_is_kept_as_it_is_given() {
        for text in
            ["42", "a", "A", "auth0|5f7c8ec7c33c6c004bbafe82", "ＡDA", "ß", "https://id.example/u/7", "."]
        {
            assert_eq!(ExternalId::parse(text).unwrap().as_str(), text);
        }
        assert_ne!(ExternalId::parse("a"), ExternalId::parse("A"));
        assert_ne!(ExternalId::parse("e\u{301}"), ExternalId::parse("é"));
    }

    #[test]
    fn an_empty_a_long_and_an_invisible_one_are_refused() {
        assert_eq!(ExternalId::parse(""), Err(ExternalIdError::TooShort));
        assert!(ExternalId::parse(&"x".repeat(255)).is_ok());
        assert_eq!(ExternalId::parse(&"x".repeat(256)), Err(ExternalIdError::TooLong));
        assert!(ExternalId::parse(&"山".repeat(85)).is_ok());
        assert_eq!(ExternalId::parse(&"山".repeat(86)), Err(ExternalIdError::TooLong));
        for text in [" ", "4 2", " 42", "42\n", "4\0", "4\u{200B}2", "\u{202E}42", "4\u{A0}2", "\u{E000}"] {
            assert_eq!(ExternalId::parse(text), Err(ExternalIdError::InvalidCharacters), "{text:?}");
        }
    }
}
