//! Visible characters: what names that people choose may contain.
//!
//! A name that cannot be seen, or that reorders the line it is shown in, misleads its readers. Usernames with such
//! characters are refused ([`username`](super::username)); device names, which operating systems send, are
//! [`cleaned`].

use unicode_joining_type::{JoiningType, get_joining_type};
use unicode_normalization::char::{canonical_combining_class, is_combining_mark, is_public_assigned};

/// ZERO WIDTH NON-JOINER: separates letters that would join. Persian names need it.
pub(super) const ZWNJ: char = '\u{200C}';
/// ZERO WIDTH JOINER: requests the joined form. Names in scripts of India need it.
pub(super) const ZWJ: char = '\u{200D}';

/// The canonical combining class of a virama, which removes the vowel of the letter before it.
const VIRAMA: u8 = 9;

/// Whether a normalised character is visible, or the plain space U+0020.
pub(super) fn is_visible(c: char) -> bool {
    let blank = c.is_whitespace() && c != ' ';
    !blank && !c.is_control() && is_public_assigned(c) && !is_invisible(c)
}

/// Whether the joiner at `index` changes the shape of its neighbours, by the rules of RFC 5892, appendices A.1 and A.2
/// (referred to by RFC 8264 §9.1). Anywhere else a joiner would make two texts that are displayed alike.
pub(super) fn is_joiner_in_place(text: &[char], index: usize) -> bool {
    let (before, rest) = text.split_at_checked(index).unwrap_or_default();
    let Some((&joiner, after)) = rest.split_first() else { return false };
    if before.last().is_some_and(|&c| canonical_combining_class(c) == VIRAMA) {
        return matches!(joiner, ZWNJ | ZWJ);
    }
    let not_transparent = |c: &&char| get_joining_type(**c) != JoiningType::Transparent;
    let joins = |c: Option<&char>, side: JoiningType| {
        c.is_some_and(|&c| {
            let joining = get_joining_type(c);
            joining == JoiningType::DualJoining || joining == side
        })
    };
    joiner == ZWNJ
        && joins(before.iter().rev().find(not_transparent), JoiningType::LeftJoining)
        && joins(after.iter().find(not_transparent), JoiningType::RightJoining)
}

/// The text in a form fit for lists, cut to `longest` characters: runs of white space become one space, and invisible
/// or reordering characters are removed. Joiners and variation selectors inside the text stay: emoji are made with
/// them. `None` if nothing visible is left.
pub(crate) fn cleaned(text: &str, longest: usize) -> Option<String> {
    let mut kept = String::new();
    for c in text.chars() {
        let within = kept.chars().next_back().is_some_and(|last| last != ' ');
        if c.is_whitespace() {
            if within {
                kept.push(' ');
            }
        } else if is_joining(c) {
            if within {
                kept.push(c);
            }
        } else if !c.is_control() && !is_invisible(c) {
            kept.push(c);
        }
    }
    let cut: String = kept.chars().take(longest).collect();
    let cut = cut.trim_end_matches(|c| c == ' ' || matches!(c, ZWNJ | ZWJ));
    cut.chars().any(has_shape).then(|| cut.to_owned())
}

/// Whether a character is visible without a neighbour.
fn has_shape(c: char) -> bool {
    is_visible(c) && c != ' ' && !is_combining_mark(c)
}

/// Whether a character is a joiner or a variation selector, which change the shape of their neighbours.
fn is_joining(c: char) -> bool {
    matches!(c, ZWNJ | ZWJ | '\u{FE0E}' | '\u{FE0F}')
}

/// Whether a character is white space or a directional format character: both get copied along with a name from a
/// page.
pub(super) fn is_padding(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Whether a character is a format character (general category Cf), a default-ignorable code point, a noncharacter or
/// the blank Braille pattern, by Unicode 16, `DerivedGeneralCategory.txt` and `DerivedCoreProperties.txt`.
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
    use super::*;

    #[test]
    fn a_joiner_stands_where_it_changes_what_is_seen() {
        let in_place = |text: &str| {
            let text: Vec<_> = text.chars().collect();
            let index = text.iter().position(|c| matches!(*c, ZWNJ | ZWJ)).unwrap();
            is_joiner_in_place(&text, index)
        };
        for good in [
            "می\u{200C}خواهم",
            // A vowel sign between the letters is transparent.
            "بِ\u{200C}ب",
            "ب\u{200C}ِب",
            "क्\u{200C}ष",
            "क्\u{200D}ष",
            "അവന്\u{200D}",
        ] {
            assert!(in_place(good), "{good:?}");
        }
        for bad in [
            "a\u{200C}b",
            "a\u{200D}b",
            "\u{200C}ب",
            "ب\u{200C}",
            "د\u{200C}ب",
            "ب\u{200D}ب",
            "👩\u{200D}💻",
            "क\u{200D}ष",
        ] {
            assert!(!in_place(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_text_is_cleaned_and_cut_and_never_invisible() {
        let cleaned = |text: &str| cleaned(text, 10);
        for (given, kept) in [
            ("  Ada’s phone ", "Ada’s phon"),
            ("\u{200E}Ada\u{200F}", "Ada"),
            ("\u{2068}Ada\u{2069}", "Ada"),
            ("gpj.\u{202E}exe", "gpj.exe"),
            ("a\0b\u{9B}c", "abc"),
            ("a \t\n\u{A0}\u{2028}b", "a b"),
            ("a\u{3164}\u{2800}\u{E0041}b", "ab"),
            ("👩\u{200D}💻", "👩\u{200D}💻"),
            ("❤\u{FE0F}", "❤\u{FE0F}"),
            ("\u{200D}a\u{200D}", "a"),
            ("123456789 1", "123456789"),
            ("123456789\u{200D}1", "123456789"),
            ("e\u{301}", "e\u{301}"),
        ] {
            assert_eq!(cleaned(given).as_deref(), Some(kept), "{given:?}");
        }
        for nothing in
            ["", " \t", "\u{200B}", "\u{3164}", "\u{2800}", "\u{301}", "\u{FE0F}", "\u{E0041}", "\0"]
        {
            assert_eq!(cleaned(nothing), None, "{nothing:?}");
        }
    }
}
