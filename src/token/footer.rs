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
    fn only_a_token_of_four_parts_has_a_footer() {
        assert_eq!(part("v4.public.a.b"), Some("b"));
        assert_eq!(part("v4.public.a."), Some(""));
        assert_eq!(part("v4.public.a"), None);
        assert_eq!(part("v4.public.a.b.c"), None);
    }
}
