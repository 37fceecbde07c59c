//! The footer of tokens: only the id of the key, compared as text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::key::Kid;

/// The footer of tokens made with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// The JSON text, `{"kid":"…"}`.
    pub(super) json: String,
    /// The JSON text in base64url without padding: the last part of the token.
    pub(super) encoded: String,
}

impl Footer {
    pub(super) fn of(kid: &Kid) -> Self {
        let json = format!("{{\"kid\":\"{kid}\"}}");
        let encoded = URL_SAFE_NO_PAD.encode(&json);
        Self { json, encoded }
    }
}

/// The key id in an encoded footer, whether the key is known or not.
pub(super) fn kid(encoded: &str) -> Option<Kid> {
    let json = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let kid = str::from_utf8(&json).ok()?.strip_prefix("{\"kid\":\"")?.strip_suffix("\"}")?;
    Kid::parse(kid)
}

/// The encoded footer of `token`, if it has exactly four parts.
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
