//! The commonest passwords of at least 8 characters, refused for new ones.
//!
//! From `@zxcvbn-ts/language-common` 4.1.3 (MIT) and Django 5.2.19 (3-clause BSD); `common.NOTICE` beside this
//! file says how the list was made and holds both licences. The text stays in the executable's read-only pages and
//! is searched where it lies: no start-up cost, no heap.

use std::cmp::Ordering;

/// The list: sorted by byte, in lower case, each line ended by a line feed.
const LINES: &str = include_str!("common.txt");

/// Whether the list holds this case-folded password.
pub(super) fn contains(folded: &str) -> bool {
    let mut rest = LINES;
    while !rest.is_empty() {
        // A byte in the middle lies in some line; the list is ASCII, so every byte is a character boundary.
        let (low, high) = rest.split_at(rest.len() / 2);
        let start = low.rfind('\n').map_or(0, |before| before + 1);
        let end = low.len() + high.find('\n').unwrap_or(high.len());
        match rest.get(start..end).unwrap_or_default().cmp(folded) {
            Ordering::Equal => return true,
            Ordering::Less => rest = rest.get(end + 1..).unwrap_or_default(),
            Ordering::Greater => rest = rest.get(..start).unwrap_or_default(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_folded_and_worth_having() {
        let lines: Vec<_> = LINES.lines().collect();
        assert!(lines.len() > 20_000, "{}", lines.len());
        assert!(lines.is_sorted_by(|a, b| a < b), "sorted, nothing twice");
        assert!(LINES.ends_with('\n'));
        for line in lines {
            assert!(line.len() >= 8 && line.is_ascii(), "{line}");
            assert_eq!(line, line.to_ascii_lowercase());
        }
    }

    #[test]
    fn every_line_is_found_and_nothing_near_it() {
        for line in LINES.lines() {
            assert!(contains(line), "{line}");
            assert!(!contains(&format!("{line}\u{7F}")) && !contains(&format!("\u{1}{line}")), "{line}");
        }
        assert!(
            !contains("") && !contains("\n") && !contains("zzzzzzzzzzzzzzzzzzzzzz") && !contains("ÿÿÿÿÿÿÿÿ")
        );
        let (first, rest) = LINES.split_once('\n').unwrap();
        let (second, _) = rest.split_once('\n').unwrap();
        assert!(!contains(&format!("{first}\n{second}")), "two lines are not one password");
    }
}
