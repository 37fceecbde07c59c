//! Entity tags: the tag of an answer, and whether a client already has it (RFC 9110 §8.8.3 and §13.1.2).
//!
//! A 304 carries every header of the 200 that tells a cache what it may do with the answer (§15.4.5): caches keep the
//! headers of a 304 in place of those they had.

use poem::http::{HeaderMap, header};

/// The entity tag of a content, a hash of it: any two different contents have different tags.
pub(super) fn of(content: &[u8]) -> String {
    let hash = blake3::hash(content).to_hex();
    format!("\"{}\"", hash.get(..32).unwrap_or(&hash))
}

/// Whether `If-None-Match` names the current answer: by its tag, weak or strong and alone or in a list, or by `*`.
///
/// Tags are compared weakly, as §13.1.2 asks. A list may go on in another header line. What does not follow the grammar
/// ends its line: the tags before it count.
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = etag.trim_matches('"').as_bytes();
    headers.get_all(header::IF_NONE_MATCH).iter().any(|line| {
        let line = line.as_bytes().trim_ascii();
        line == b"*" || tags(line).any(|tag| tag == opaque)
    })
}

/// Lists the texts between the quotation marks of the tags in a list. A tag may contain a comma.
fn tags(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while let [b',' | b' ' | b'\t', after @ ..] = rest {
            rest = after;
        }
        let quoted = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (tag, after) = quoted.split_at_checked(end)?;
        rest = after.strip_prefix(b"\"")?;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(lines: &[&[u8]]) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_NONE_MATCH, (*line).try_into().unwrap());
        }
        is_known(&headers, "\"one\"")
    }

    #[test]
    fn a_tag_is_found_alone_in_a_list_weak_and_in_another_line() {
        for lines in [
            &[&b"\"one\""[..]][..],
            &[b"W/\"one\""],
            &[b" \"other\" ,\"one\""],
            &[b"\"other\",,W/\"one\",\"last\""],
            &[b"\"with, a comma\", \"one\""],
            &[b"\"\xe9\", \"one\""],
            &[b"\"other\"", b"\"one\""],
            &[b"*"],
            &[b" * "],
        ] {
            assert!(
                known(lines),
                "{:?}",
                lines.iter().map(|line| line.escape_ascii().to_string()).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn nothing_else_is_taken_for_the_tag() {
        for lines in [
            &[][..],
            &[&b""[..]],
            &[b"one"],
            &[b"\"one"],
            &[b"\"other\""],
            &[b"\"oneone\", \"on\""],
            &[b"\"a, \"one\""],
            &[b"w/\"one\""],
            &[b"\"other\", *"],
            &[b"nonsense, \"one\""],
        ] {
            assert!(
                !known(lines),
                "{:?}",
                lines.iter().map(|line| line.escape_ascii().to_string()).collect::<Vec<_>>()
            );
        }
    }
}
