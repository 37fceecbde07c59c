//! Values as literals of SQL.
//!
//! A literal is a quoted text and its type. The quoted text has no character but those of [`is_plain`], whatever the value
//! is: a name stands in it in base64. So no value can end its literal, and how a session reads backslashes does not matter.
//! What the database's log may not have is no literal: see [`bound_query`](super::bound_query).

use std::fmt::{self, Display};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::model::ids::{DeviceId, UserId};

/// A literal of SQL.
pub(super) struct Literal(String);

/// An integer as the database stores it, `bigint`. Larger numbers are capped; ours count from zero and stay far below.
#[derive(Clone, Copy)]
pub(super) struct Number(i64);

impl Literal {
    fn quoted(text: &str, of: &str) -> Self {
        debug_assert!(text.chars().all(is_plain), "a literal would have to be escaped");
        Self(format!("'{text}'::{of}"))
    }

    fn array<T: Display>(items: impl IntoIterator<Item = T>, of: &str) -> Self {
        let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
        Self::quoted(&format!("{{{}}}", items.join(",")), of)
    }

    pub(super) fn number(number: impl Into<Number>) -> Self {
        Self::quoted(&number.into().0.to_string(), "bigint")
    }

    pub(super) fn numbers(numbers: impl IntoIterator<Item = Number>) -> Self {
        Self::array(numbers.into_iter().map(Number::value), "bigint[]")
    }

    pub(super) fn uuid(id: [u8; 16]) -> Self {
        Self::quoted(&Uuid::from_bytes(id).simple().to_string(), "uuid")
    }

    pub(super) fn users(ids: impl IntoIterator<Item = UserId>) -> Self {
        Self::uuids(ids.into_iter().map(|id| *id.as_bytes()))
    }

    pub(super) fn devices(ids: impl IntoIterator<Item = DeviceId>) -> Self {
        Self::uuids(ids.into_iter().map(|id| *id.as_bytes()))
    }

    fn uuids(ids: impl Iterator<Item = [u8; 16]>) -> Self {
        Self::array(ids.map(|id| Uuid::from_bytes(id).simple()), "uuid[]")
    }

    pub(super) fn text(text: &str) -> Self {
        let Self(bytes) = Self::quoted(&STANDARD.encode(text), "text");
        Self(format!("convert_from(decode({bytes}, 'base64'), 'UTF8')"))
    }

    /// A JSON array of names.
    pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::json(&serde_json::Value::from_iter(names).to_string())
    }

    /// A JSON array of the documents of revocations, which hold ids and numbers.
    pub(super) fn revocations(documents: &[String]) -> Self {
        Self::json(&format!("[{}]", documents.join(",")))
    }

    fn json(json: &str) -> Self {
        let Self(text) = Self::text(json);
        Self(format!("{text}::json"))
    }
}

/// Whether a character means nothing but itself within quotes.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "{},-+/=".contains(character)
}

impl Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Number {
    pub(super) fn value(self) -> i64 {
        self.0
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_numbers_are_quoted_with_their_types() {
        let ids = [UserId::from_bytes([1; 16]), UserId::from_bytes([0xab; 16])];
        let two = "'{01010101010101010101010101010101,abababababababababababababababab}'::uuid[]";
        assert_eq!(Literal::users(ids).to_string(), two);
        assert_eq!(Literal::users([]).to_string(), "'{}'::uuid[]");
        assert_eq!(Literal::number(-1_i64).to_string(), "'-1'::bigint");
        assert_eq!(
            Literal::numbers([7_u64.into(), u64::MAX.into()]).to_string(),
            "'{7,9223372036854775807}'::bigint[]"
        );
    }

    #[test]
    fn no_text_ends_its_literal() {
        for hostile in ["'; drop table rescind.users; --", r"\", "\\'", "$1", "\0", "é\u{2028}😀", "''"] {
            let revocations = Literal::revocations(&[hostile.to_owned()]);
            for literal in [Literal::text(hostile), Literal::names([hostile]), revocations] {
                let literal = literal.to_string();
                let between: Vec<_> = literal.split('\'').collect();
                assert_eq!(between.len(), 7, "{literal}");
                assert!(between[1].chars().all(is_plain) && !literal.contains(['\\', '$']), "{literal}");
            }
        }
    }
}
