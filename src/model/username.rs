//! A user's name: what people see, and the key it is matched by.
//!
//! Two names that look or read the same must not belong to two people, and a name must not be able to rearrange
//! the line it is shown in. So a name is normalised (NFKC: full-width letters and ligatures become plain ones),
//! matched by its full default case fold, and refused when it holds anything that cannot be seen or is not
//! assigned. Look-alikes from different scripts (Latin `a`, Cyrillic `а`) stay distinct names: telling them apart
//! is the reader's font's work.

use std::fmt;

use caseless::Caseless;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{is_combining_mark, is_public_assigned};

use crate::model::ids::UserId;

/// Most characters (Unicode scalar values, after NFKC) of a name.
const MAX_CHARS: usize = 150;

/// Most bytes looked at. 150 Korean syllables typed as separate letters are 1,350 bytes; beyond this nothing
/// sensible follows, and normalising costs time.
const MAX_INPUT_BYTES: usize = 2_048;

/// A valid username.
///
/// A record keeps both texts, so that a name is found by the key it was registered under even when a later Unicode
/// version would make another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Username {
    shown: String,
    key: String,
}

/// Why a text is no username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// Nothing is left of it.
    #[error("a username has at least 1 character")]
    TooShort,
    /// More than 150 characters.
    #[error("a username has at most 150 characters")]
    TooLong,
    /// A control, invisible, bidirectional, private or unassigned character, a space other than U+0020 or at
    /// either end, or a combining mark with nothing to stand on.
    #[error("a username has only visible characters, and no space at either end")]
    InvalidCharacters,
}

impl UsernameError {
    /// The field code of the problem document.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::InvalidCharacters => "invalid_characters",
        }
    }
}

impl Username {
    /// Reads what a client sent.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        // Administrators name users by name or id: no name may be somebody's id.
        if UserId::parse(text).is_some() {
            return Err(UsernameError::InvalidCharacters);
        }
        if text.len() > MAX_INPUT_BYTES {
            return Err(UsernameError::TooLong);
        }
        let shown: String = text.nfkc().collect();
        let first = shown.chars().next().ok_or(UsernameError::TooShort)?;
        if shown.chars().count() > MAX_CHARS {
            return Err(UsernameError::TooLong);
        }
        // Judged after NFKC, which turns some marks into a space and a mark, and some spaces into U+0020.
        if shown.starts_with(' ')
            || shown.ends_with(' ')
            || is_combining_mark(first)
            || !shown.chars().all(is_visible)
        {
            return Err(UsernameError::InvalidCharacters);
        }
        let key = caseless_key(&shown);
        Ok(Self { shown, key })
    }

    /// The name as people see it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// What the name is matched and stored by: equal for names that differ in letter case only. It may be longer
    /// than 150 characters, and is never shown.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// NFKC, full default case fold, NFKC: a fixed point, so a key's key is the key itself.
pub(crate) fn caseless_key(text: &str) -> String {
    text.nfkc().default_case_fold().nfkc().collect()
}

/// Whether a normalised character can be seen, or is the plain space.
fn is_visible(c: char) -> bool {
    let blank = c.is_whitespace() && c != ' ';
    !blank && !c.is_control() && is_public_assigned(c) && !is_invisible(c)
}

/// Format characters (general category Cf), default-ignorable code points, noncharacters and the blank Braille
/// pattern: Unicode 16, `DerivedGeneralCategory.txt` and `DerivedCoreProperties.txt`.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{0600}'..='\u{0605}' | '\u{061C}' | '\u{06DD}' | '\u{070F}'
        | '\u{0890}'..='\u{0891}' | '\u{08E2}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFF}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        Username::parse(text).unwrap().key
    }

    #[test]
    fn names_that_differ_in_case_only_share_a_key() {
        for (one, other) in [
            ("Alice", "aLICE"),
            ("STRASSE", "straße"),
            ("Straẞe", "strasse"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ＡＬＩＣＥ", "alice"),
            ("ﬁona", "FIONA"),
            ("Zoe\u{308}", "zoë"),
            ("Ǆ", "ǆ"),
            ("ᾼ", "αι"),
            ("\u{1100}\u{1161}", "가"),
            // Folding İ leaves its dot before the cedilla: only normalising again puts the marks in order.
            ("İ\u{327}", "i\u{327}\u{307}"),
        ] {
            assert_eq!(key(one), key(other), "{one} and {other}");
        }
    }

    #[test]
    fn turkish_letters_keep_their_dots() {
        assert_eq!(key("İzmir"), "i\u{307}zmir");
        assert_ne!(key("İzmir"), key("izmir"));
        assert_ne!(key("ızmir"), key("izmir"));
        assert_eq!(key("IZMIR"), key("izmir"));
    }

    #[test]
    fn the_name_is_shown_normalised_in_its_own_case() {
        let name = Username::parse("Ａｌｉｃｅ van\u{A0}Ｏ").unwrap();
        assert_eq!(name.shown(), "Alice van O");
        assert_eq!(name.to_string(), "Alice van O");
    }

    #[test]
    fn length_is_counted_in_normalised_characters() {
        assert_eq!(Username::parse(""), Err(UsernameError::TooShort));
        assert!(Username::parse("x").is_ok());
        assert!(Username::parse(&"가".repeat(150)).is_ok());
        assert!(
            Username::parse(&"\u{1112}\u{1161}\u{11AB}".repeat(150)).is_ok(),
            "decomposed, as macOS types it"
        );
        assert!(Username::parse(&"😀".repeat(150)).is_ok());
        assert_eq!(Username::parse(&"a".repeat(151)), Err(UsernameError::TooLong));
        assert_eq!(Username::parse(&"ﬁ".repeat(76)), Err(UsernameError::TooLong), "two letters each");
        assert_eq!(Username::parse(&"\u{301}".repeat(1_000_000)), Err(UsernameError::TooLong));
        assert!(Username::parse(&"ß".repeat(150)).is_ok(), "only the key grows");
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for text in [
            " alice",
            "alice ",
            "\u{3000}alice",
            "a\tb",
            "a\nb",
            "a\0b",
            "a\u{7F}b",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{1680}b",
            "a\u{202E}b",
            "a\u{2066}b",
            "a\u{200F}b",
            "a\u{61C}b",
            "a\u{200B}b",
            "a\u{200D}b",
            "a\u{FEFF}b",
            "a\u{AD}b",
            "a\u{FE0F}",
            "a\u{E0041}",
            "a\u{E0100}",
            "\u{3164}",
            "\u{FFA0}",
            "\u{2800}",
            "\u{115F}",
            "a\u{34F}b",
            "a\u{180E}b",
            "\u{E000}",
            "\u{F0000}",
            "\u{10FFFD}",
            "\u{378}",
            "\u{FFFE}",
            "\u{1FFFF}",
            "\u{FDD0}",
            "\u{FFFD}",
            "\u{301}a",
            "¨a",
            " ",
            "   ",
        ] {
            assert_eq!(Username::parse(text), Err(UsernameError::InvalidCharacters), "{text:?}");
        }
    }

    #[test]
    fn ordinary_names_of_the_world_are_accepted() {
        for text in [
            "alice",
            "alice@example.org",
            "a b",
            "O'Neil",
            "Łukasz",
            "Đặng",
            "Мария",
            "محمد",
            "שרה",
            "राम",
            "山田太郎",
            "ขวัญ",
            "🦀",
        ] {
            assert!(Username::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn every_single_character_has_a_key_that_is_its_own_key() {
        for c in (0..=0x0010_FFFF).filter_map(char::from_u32) {
            let key = caseless_key(&c.to_string());
            assert_eq!(caseless_key(&key), key, "U+{:04X}", u32::from(c));
        }
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(text in "\\PC{0,12}") {
            if let Ok(name) = Username::parse(&text) {
                let again = Username::parse(name.key());
                prop_assert_eq!(again.map(|n| n.key), Ok(name.key));
            }
        }

        #[test]
        fn what_is_shown_parses_to_itself(text in any::<String>()) {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(Username::parse(name.shown()), Ok(name));
            }
        }
    }
}
