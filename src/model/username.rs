//! A username: its displayed form, and the key it is matched by.
//!
//! Two names that look or read the same must not belong to two people, and a name must not reorder the line it is
//! shown in. So a name is normalised (NFKC: full-width letters and ligatures become plain ones), matched by its full
//! default case fold, and refused if it holds invisible or unassigned characters. Look-alikes from different scripts
//! (Latin `a`, Cyrillic `а`) stay distinct names: the font of the reader tells them apart.
//!
//! Administrators name users by id or name, in paths: so a new name must not parse as an id or be changed by software
//! that handles paths. Accounts created before such a rule keep their names and are found by them.

use std::fmt;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::ids;
use super::visible::{ZWJ, ZWNJ, is_joiner_in_place, is_padding, is_visible};

/// The most characters (Unicode scalar values, after NFKC) of a name.
const MAX_CHARS: usize = 150;

/// The most bytes of input. 150 Korean syllables typed as separate letters are 1,350 bytes; longer input is refused
/// before the costly normalisation.
const MAX_INPUT_BYTES: usize = 2_048;

/// A valid username.
///
/// A record keeps both forms, so that a name is found by the key it was registered under even if a later Unicode
/// version would fold it differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    shown: String,
    key: String,
}

/// The reason why a text is not a valid username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// The text is empty after normalisation.
    #[error("a username has at least 1 character")]
    TooShort,
    /// The name has more than 150 characters.
    #[error("a username has at most 150 characters")]
    TooLong,
    /// The name has a control, invisible, bidirectional, private or unassigned character, a space other than U+0020 or
    /// at either end, a combining mark at the start, or a slash or backslash.
    #[error("a username has only visible characters, no slash, and no space at either end")]
    InvalidCharacters,
    /// The name parses as an id, with or without the prefix `id:` or `name:` that administrators use, begins with their
    /// prefix `external_id:`, or is `.` or `..`, which have a meaning in paths.
    #[error("a username is not a UUID, `.` or `..`, and does not begin with `external_id:`")]
    Reserved,
}

impl Username {
    /// Parses the name of a new account.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        let name = Self::normalised(text)?;
        // Judged after NFKC, which turns some marks into a space and a mark, some spaces into U+0020, and full-width
        // letters, digits and slashes into plain ones.
        let chars: Vec<char> = name.shown.chars().collect();
        let may_stand = |(index, &c): (usize, &char)| {
            if matches!(c, ZWNJ | ZWJ) { is_joiner_in_place(&chars, index) } else { is_visible(c) }
        };
        if name.shown.starts_with(' ')
            || name.shown.ends_with(' ')
            || chars.first().copied().is_some_and(is_combining_mark)
            || !chars.iter().enumerate().all(may_stand)
            || name.shown.contains(['/', '\\'])
        {
            return Err(UsernameError::InvalidCharacters);
        }
        let bare =
            name.key.strip_prefix("id:").or_else(|| name.key.strip_prefix("name:")).unwrap_or(&name.key);
        if ids::reads_as_id(bare)
            || name.key.starts_with("external_id:")
            || matches!(name.key.as_str(), "." | "..")
        {
            return Err(UsernameError::Reserved);
        }
        Ok(name)
    }

    /// Parses a name for the lookup of an account, from a sign-in or an administrator. White space and directional
    /// characters around it are dropped; only length and control characters are checked, because an account may be
    /// older than a rule for new names.
    pub fn presented(text: &str) -> Result<Self, UsernameError> {
        let name = Self::normalised(text.trim_matches(is_padding))?;
        if name.shown.chars().any(char::is_control) {
            Err(UsernameError::InvalidCharacters)
        } else {
            Ok(name)
        }
    }

    /// The name in a stored record, unchanged: in its displayed form, and with the key it was registered under.
    pub fn from_stored(shown: String, key: String) -> Self {
        Self { shown, key }
    }

    fn normalised(text: &str) -> Result<Self, UsernameError> {
        if text.len() > MAX_INPUT_BYTES {
            return Err(UsernameError::TooLong);
        }
        let shown: String = text.nfkc().collect();
        if shown.chars().count() > MAX_CHARS {
            return Err(UsernameError::TooLong);
        }
        let key = caseless_key(&shown);
        if key.is_empty() {
            return Err(if shown.is_empty() {
                UsernameError::TooShort
            } else {
                UsernameError::InvalidCharacters
            });
        }
        Ok(Self { shown, key })
    }

    /// The name in its displayed form.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The key the name is matched and stored by: equal for names that differ only in letter case or joiners. It may
    /// be longer than 150 characters, and is never shown.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The matching key of a text: NFKC, full default case fold, NFKC, which is a fixed point. Joiners are removed,
/// because people often leave them out: names that differ only in joiners are the same.
pub(crate) fn caseless_key(text: &str) -> String {
    let joined = text.chars().filter(|c| !matches!(*c, ZWNJ | ZWJ));
    joined.nfkc().default_case_fold().nfkc().collect()
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
            // The joiners of RFC 5892, where they change what is seen.
            "نامه\u{200C}ای",
            "अक्\u{200D}षय",
            "a.b",
            "...",
            "50%",
            "DOMAIN+ada#1?",
        ] {
            assert!(Username::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn joiners_do_not_make_another_name() {
        assert_eq!(key("نامه\u{200C}ای"), key("نامهای"));
        assert_eq!(Username::parse("نامه\u{200C}ای").unwrap().shown(), "نامه\u{200C}ای");
    }

    #[test]
    fn no_new_name_reads_as_an_id_however_it_is_spelt() {
        let id = "019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20";
        let full_width: String = id
            .chars()
            .map(|c| match c {
                '-' => '－',
                c => char::from_u32(u32::from(c) + 0xFEE0).unwrap(),
            })
            .collect();
        let digits = |zero: char| -> String {
            let digit = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(u32::from(zero) + digit));
            id.chars().map(|c| digit(c).unwrap_or(c)).collect()
        };
        for name in [
            id.to_owned(),
            id.to_uppercase(),
            full_width,
            digits('\u{1D7CE}'),
            digits('\u{1D7F6}'),
            id.replace('-', ""),
            id.replace('-', "\u{FE63}"),
            id.replace('0', "\u{2070}"),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            "00000000-0000-0000-0000-000000000000".to_owned(),
            format!("id:{id}"),
            format!("Name:{id}"),
            "external_id:42".to_owned(),
            "External_ID:".to_owned(),
        ] {
            assert_eq!(Username::parse(&name), Err(UsernameError::Reserved), "{name}");
            assert!(Username::presented(&name).is_ok(), "{name}");
        }
        assert!(Username::parse(&id[1..]).is_ok());
    }

    #[test]
    fn no_new_name_is_taken_apart_by_a_path() {
        for name in [".", "..", "\u{FF0E}", "\u{2024}\u{2024}", "\u{2025}"] {
            assert_eq!(Username::parse(name), Err(UsernameError::Reserved), "{name}");
        }
        for name in ["a/b", "/", "..\\", "a\\b", "\u{FF0F}", "\u{FF3C}", "\u{FE68}", "\u{2105}"] {
            assert_eq!(Username::parse(name), Err(UsernameError::InvalidCharacters), "{name}");
        }
    }

    #[test]
    fn what_surrounds_a_presented_name_is_dropped() {
        for typed in
            ["ada ", " Ada", "\tada\n", "\u{200E}ada\u{200F}", "\u{FEFF}ada\u{A0}", "\u{2068}ADA\u{2069}"]
        {
            assert_eq!(Username::presented(typed).unwrap().key(), "ada", "{typed:?}");
        }
        assert_eq!(Username::presented(" \u{200B}"), Err(UsernameError::TooShort));
        assert_eq!(Username::presented("a\0"), Err(UsernameError::InvalidCharacters));
        assert_eq!(Username::presented(&"a".repeat(151)), Err(UsernameError::TooLong));
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
