//! The footer of our tokens: the key's id and nothing else, compared as text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::key::Kid;

/// The footer of tokens made with one key, as it stands in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// `{"kid":"…"}`.
    pub(super) json: String,
    /// The same in base64url without padding: the last part of the token.
    pub(super) encoded: String,
}

impl Footer {
    pub(super) fn of(kid: &Kid) -> Self {
        let json = format!("{{\"kid\":\"{kid}\"}}");
        let encoded = URL_SAFE_NO_PAD.encode(&json);
        Self { json, encoded }
    }
}

/// The key that an encoded footer names, known or not.
pub(super) fn kid(encoded: &str) -> Option<Kid> {
    let json = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let kid = str::from_utf8(&json).ok()?.strip_prefix("{\"kid\":\"")?.strip_suffix("\"}")?;
    Kid::parse(kid)
}

/// The footer part of `token`, if `token` has exactly four parts; undecoded, since known footers are compared with it.
pub(super) fn part(token: &str) -> Option<&str> {
    let mut parts = token.split('.');
    let footer = parts.nth(3)?;
    parts.next().is_none().then_some(footer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_names_the_key_it_was_made_of_and_nothing_else_does() {
        let named = Kid::parse("k4.pid.yh4-bJYjOYAG6CWy0zsfPmpKylxS7uAWrxqVmBN2KAiJ").unwrap();
        assert_eq!(kid(&Footer::of(&named).encoded), Some(named));
        let others = ["", "{}", "{\"kid\":\"\"}", "{\"kid\":\"k4.pid.short\"}", "k4.pid.yh4"];
        for other in others.map(|json| URL_SAFE_NO_PAD.encode(json)) {
            assert_eq!(kid(&other), None, "{other}");
        }
        assert_eq!(kid("no base64"), None);
    }

    #[test]
    fn only_a_token_of_four_parts_has_a_footer() {
        assert_eq!(part("v4.public.a.b"), Some("b"));
        assert_eq!(part("v4.public.a."), Some(""));
        assert_eq!(part("v4.public.a"), None);
        assert_eq!(part("v4.public.a.b.c"), None);
    }
}
