//! Serialisation of an optional claim with a textual form; a present `null` is an error.

use serde::{Deserializer, Serializer};

use super::text::{self, Spelled};

#[allow(clippy::ref_option, reason = "the form serde calls it in")]
pub(super) fn serialize<S: Serializer>(
    value: &Option<impl Spelled>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => text::serialize(value, serializer),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Spelled>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    text::deserialize(deserializer).map(Some)
}
