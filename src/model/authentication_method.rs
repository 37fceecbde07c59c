//! How a user proved who they are: the values of the claim `amr`.

/// A way in which a user proved who they are, by the names of RFC 8176: `pwd`, `otp`, `hwk`, `mfa`; or a name of the
/// system that signed the user in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationMethod(String);

/// The reason why a text does not name an authentication method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationMethodError {
    /// The name is empty.
    #[error("the name of an authentication method has at least 1 character")]
    TooShort,
    /// The name has more than 32 characters.
    #[error("the name of an authentication method has at most 32 characters")]
    TooLong,
    /// The name has a character that is not allowed.
    #[error("the name of an authentication method has only letters, digits, `-`, `_`, `.` and `:`")]
    InvalidCharacters,
}

impl AuthenticationMethod {
    /// The longest name, in characters.
    pub const LONGEST: usize = 32;

    /// The most methods of one sign-in.
    pub const MOST: usize = 8;

    /// Parses the name of an authentication method: 1 to 32 of `A`–`Z`, `a`–`z`, `0`–`9`, `-`, `_`, `.`, `:`.
    pub fn parse(text: &str) -> Result<Self, AuthenticationMethodError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        if text.is_empty() {
            Err(AuthenticationMethodError::TooShort)
        } else if text.len() > Self::LONGEST {
            Err(AuthenticationMethodError::TooLong)
        } else if text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AuthenticationMethodError::InvalidCharacters)
        }
    }

    /// The method in a stored record, unchanged: it was parsed when it was given.
    #[cfg(feature = "server")]
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The name of the method.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_rfc_8176_and_those_of_other_systems_are_taken() {
        for name in ["face", "fpt", "geo", "hwk", "mfa", "otp", "pwd", "sms", "wia", "urn:x.y", "Passkey_2-a"]
        {
            assert_eq!(AuthenticationMethod::parse(name).unwrap().as_str(), name);
        }
        assert!(AuthenticationMethod::parse(&"x".repeat(32)).is_ok());
    }

    #[test]
    fn an_empty_a_long_and_any_other_text_are_refused() {
        assert_eq!(AuthenticationMethod::parse(""), Err(AuthenticationMethodError::TooShort));
        let long = "x".repeat(33);
        assert_eq!(AuthenticationMethod::parse(&long), Err(AuthenticationMethodError::TooLong));
        for name in ["p d", "pwd\n", "é", "<b>", "\"", "a,b"] {
            let refused = AuthenticationMethod::parse(name);
            assert_eq!(refused, Err(AuthenticationMethodError::InvalidCharacters), "{name:?}");
        }
    }
}
