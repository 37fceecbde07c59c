//! The credential of a request: the token in `Authorization` (RFC 6750) or in a cookie.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue};

/// The credential that a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'r> {
    /// The request has no credential.
    Missing,
    /// The request has two credentials, or one that cannot be a token: which one counts would be a guess.
    Malformed,
    /// Text that may be a token.
    Token(&'r str),
}

impl<'r> Credential<'r> {
    /// Finds the bearer token in `Authorization`; without that header, in the cookie named `cookie`.
    pub fn of(headers: &'r HeaderMap, cookie: Option<&str>) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().and_then(bearer).map_or(Self::Malformed, Self::Token),
            (Some(_), Some(_)) => Self::Malformed,
            (None, _) => cookie.map_or(Self::Missing, |name| Self::in_cookie(headers, name)),
        }
    }

    fn in_cookie(headers: &'r HeaderMap, name: &str) -> Self {
        // As bytes: whoever sets another cookie may write it in any encoding, and that is no matter of ours.
        let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';')).filter_map(pair);
        let mut values = pairs.filter(|(given, _)| *given == name.as_bytes()).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) | (Some(b""), None) => Self::Missing,
            (Some(value), None) => str::from_utf8(value).map_or(Self::Malformed, Self::Token),
            (Some(_), Some(_)) => Self::Malformed,
        }
    }
}

/// Splits a cookie into name and value.
fn pair(cookie: &[u8]) -> Option<(&[u8], &[u8])> {
    let cookie = cookie.trim_ascii();
    let (name, value) = cookie.split_at_checked(cookie.iter().position(|byte| *byte == b'=')?)?;
    Some((name.trim_ascii_end(), value.get(1..)?.trim_ascii_start()))
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn found(lines: &[(HeaderName, &str)], cookie: Option<&str>) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        format!("{:?}", Credential::of(&headers, cookie))
    }

    #[test]
    fn the_bearer_token_is_found_and_nothing_else_is_taken_for_one() {
        let found = |value: &str| found(&[(AUTHORIZATION, value)], None);
        assert_eq!(found("Bearer abc"), "Token(\"abc\")");
        assert_eq!(found("bEaReR   abc "), "Token(\"abc\")");
        for other in ["Bearer", "Bearer ", "Bearer a b", "Basic YWJj", "abc", ""] {
            assert_eq!(found(other), "Malformed", "{other}");
        }
    }

    #[test]
    fn a_cookie_counts_only_where_it_is_named_and_alone() {
        let cookies = |value: &str, name| found(&[(COOKIE, value)], name);
        assert_eq!(cookies("session=abc", None), "Missing");
        assert_eq!(cookies("a=b; session=abc;c=d", Some("session")), "Token(\"abc\")");
        assert_eq!(cookies("xsession=abc", Some("session")), "Missing");
        assert_eq!(cookies("session=", Some("session")), "Missing");
        assert_eq!(cookies("session=abc; session=def", Some("session")), "Malformed");
        let two = [(COOKIE, "session=abc"), (COOKIE, "session=abc")];
        assert_eq!(found(&two, Some("session")), "Malformed");
    }

    #[test]
    fn what_other_cookies_say_is_no_matter_of_ours() {
        let of = |lines: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
            }
            format!("{:?}", Credential::of(&headers, Some("session")))
        };
        for line in [
            &b"name=Ren\xe9; session=abc"[..],
            b"session=abc; name=Ren\xc3\xa9",
            b"\xff=\xff;session=abc;\xff",
            b";;=;=x; session = abc ;a",
            b"SESSION=no; session=abc; xsession=no",
        ] {
            assert_eq!(of(&[line]), "Token(\"abc\")", "{}", line.escape_ascii());
        }
        assert_eq!(of(&[b"name=Ren\xe9", b"session=abc"]), "Token(\"abc\")");
        assert_eq!(of(&[b"session=\xe9"]), "Malformed", "no token has such a byte");
        assert_eq!(of(&[b"session=abc", b"name=\xe9; session=def"]), "Malformed");
    }

    #[test]
    fn the_header_counts_before_the_cookie_and_two_headers_are_none() {
        let both = [(AUTHORIZATION, "Bearer abc"), (COOKIE, "session=def")];
        assert_eq!(found(&both, Some("session")), "Token(\"abc\")");
        let two = [(AUTHORIZATION, "Bearer abc"), (AUTHORIZATION, "Bearer abc")];
        assert_eq!(found(&two, Some("session")), "Malformed");
    }
}
