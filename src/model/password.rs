//! Passwords: which ones may be chosen, and a type that does not leak them.
//!
//! The rules are those of NIST SP 800-63B and OWASP ASVS 2.1: length counts, composition does not, and the commonest
//! passwords are refused. A [`Password`] is wiped with its last copy, its `Debug` is `Password(..)`, and it has
//! neither `Display` nor `Serialize`.
//!
//! The text is prepared as RFC 8265's `OpaqueString`: every space becomes U+0020 and the whole NFC, so that the same
//! keys pressed on two systems give the same bytes. Letter case and compatibility forms are kept: they carry entropy.
//!
//! Modules: `hash` the stored password hash, [`encoding`] its forms in Django, `common` the list of refused passwords.

use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::username::{Username, caseless_key};

mod common;
pub mod encoding;
mod hash;

pub use encoding::PasswordHashError;
pub use hash::{PasswordHash, WeakHashes};

/// The fewest characters (Unicode scalar values, after preparation) of a chosen password.
const MIN_CHARS: usize = 8;

/// The most bytes of UTF-8 of a password, as the client sent it.
const MAX_BYTES: usize = 256;

/// A password in plain text. Copies share one allocation, which is wiped with the last of them.
#[derive(Clone)]
pub struct Password {
    prepared: Arc<Zeroizing<String>>,
    /// The text as the client sent it, where it was changed by the preparation.
    presented: Option<Arc<Zeroizing<String>>>,
}

/// The presented text is over 256 bytes and cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password has at most 256 bytes")]
pub struct PasswordTooLong;

/// The reason why a password may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// The password has fewer than 8 characters.
    #[error("a password has at least 8 characters")]
    TooShort,
    /// The password has more than 256 bytes.
    #[error("a password has at most 256 bytes")]
    TooLong,
    /// The password is in the list of the commonest ones.
    #[error("this password is among the commonest ones")]
    TooCommon,
    /// The password is the username, in any letter case.
    #[error("a password is not the username")]
    SameAsUsername,
}

impl Password {
    /// A password presented for verification. Only its size is checked: a weak or short one is simply wrong, and a
    /// different answer would reveal the rules the right one follows.
    pub fn presented(text: &str) -> Result<Self, PasswordTooLong> {
        if text.len() > MAX_BYTES { Err(PasswordTooLong) } else { Ok(Self::prepared(text)) }
    }

    /// A password chosen at registration or password change by the user named `username`.
    pub fn chosen(text: &str, username: &Username) -> Result<Self, WeakPassword> {
        let password = Self::presented(text).map_err(|PasswordTooLong| WeakPassword::TooLong)?;
        let folded = Zeroizing::new(caseless_key(&password.prepared));
        if password.prepared.chars().count() < MIN_CHARS {
            Err(WeakPassword::TooShort)
        } else if *folded == username.key() {
            Err(WeakPassword::SameAsUsername)
        } else if common::contains(&folded) {
            Err(WeakPassword::TooCommon)
        } else {
            Ok(password)
        }
    }

    /// The bytes to hash.
    pub(crate) fn expose(&self) -> &[u8] {
        self.prepared.as_bytes()
    }

    /// The bytes that another system hashed, which did not prepare the text.
    pub(crate) fn expose_presented(&self) -> &[u8] {
        self.presented.as_ref().unwrap_or(&self.prepared).as_bytes()
    }

    fn prepared(text: &str) -> Self {
        // NFC is at most three times as long; growing would leave unwiped copies behind.
        let mut prepared = Zeroizing::new(String::with_capacity(3 * text.len()));
        prepared.extend(text.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc());
        let presented = (*prepared != text).then(|| Arc::new(Zeroizing::new(text.to_owned())));
        Self { prepared: Arc::new(prepared), presented }
    }
}

/// Whether a character has the general category Zs (space separator) and is not U+0020.
fn is_space(c: char) -> bool {
    matches!(c, '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}')
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chosen(text: &str) -> Result<Password, WeakPassword> {
        Password::chosen(text, &Username::parse("Mireille Straße").unwrap())
    }

    #[test]
    fn eight_characters_of_any_kind_are_enough() {
        for text in
            ["xk vw qz", "correct horse", "ëëëëëëëë", "山田山田太郎太郎", "        x", "🦀🐚🦑🐙🦐🐡🐠🐟"]
        {
            assert!(chosen(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn length_is_characters_below_and_bytes_above() {
        assert_eq!(chosen("").unwrap_err(), WeakPassword::TooShort);
        assert_eq!(chosen("xkvwqzj").unwrap_err(), WeakPassword::TooShort);
        assert_eq!(chosen("山田太郎").unwrap_err(), WeakPassword::TooShort, "12 bytes, 4 characters");
        assert_eq!(chosen(&"e\u{301}".repeat(7)).unwrap_err(), WeakPassword::TooShort, "composed: 7");
        assert!(chosen(&"zq".repeat(128)).is_ok());
        assert_eq!(chosen(&"z".repeat(257)).unwrap_err(), WeakPassword::TooLong);
    }

    #[test]
    fn the_commonest_and_the_own_name_are_refused_in_any_case() {
        for text in ["password", "PassWord123", "QWERTYUIOP", "12345678", "iloveyou", "Ｐａｓｓｗｏｒｄ"]
        {
            assert_eq!(chosen(text).unwrap_err(), WeakPassword::TooCommon, "{text}");
        }
        assert_eq!(chosen("MIREILLE STRASSE").unwrap_err(), WeakPassword::SameAsUsername);
    }

    #[test]
    fn a_presented_password_is_only_capped() {
        assert!(Password::presented("").is_ok());
        assert!(Password::presented("password").is_ok());
        assert!(Password::presented(&"z".repeat(256)).is_ok());
        assert_eq!(Password::presented(&"z".repeat(257)).unwrap_err(), PasswordTooLong);
    }

    #[test]
    fn the_same_keys_on_two_systems_give_the_same_bytes() {
        let one = Password::presented("Zoe\u{308} se\u{A0}ve").unwrap();
        let other = chosen("Zoë se ve").unwrap();
        assert_eq!(one.expose(), other.expose());
        assert_ne!(one.expose(), chosen("zoë se ve").unwrap().expose(), "case counts");
        assert_eq!(one.expose_presented(), "Zoe\u{308} se\u{A0}ve".as_bytes());
        assert_eq!(other.expose_presented(), other.expose());
        assert_ne!(chosen("ﬁnisterre").unwrap().expose(), chosen("finisterre").unwrap().expose());
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", chosen("correct horse").unwrap()), "Password(..)");
    }

    proptest! {
        #[test]
        fn preparing_never_outgrows_its_allocation(text in any::<String>()) {
            if let Ok(password) = Password::presented(&text) {
                prop_assert!(password.expose().len() <= 3 * text.len());
            }
        }
    }
}
