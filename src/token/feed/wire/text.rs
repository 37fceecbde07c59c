//! Serialisation of a claim with a textual form.

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

use crate::model::ids::{DeviceId, StoreId, UserId};
use crate::model::key::Kid;
use crate::model::timestamp::Timestamp;
use crate::token::feed::claims::Nonce;

pub(super) fn serialize<S: Serializer>(value: &impl Spelled, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.spell())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Spelled>(deserializer: D) -> Result<T, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    T::read(text).ok_or_else(|| D::Error::custom("misspelled"))
}

/// A value with exactly one textual form.
pub(super) trait Spelled: Sized {
    fn spell(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

macro_rules! spelled {
    ($($value:ty => $spell:expr;)*) => {
        $(impl Spelled for $value {
            fn spell(&self) -> String {
                $spell(self)
            }

            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        })*
    };
}

spelled! {
    StoreId => StoreId::to_string;
    UserId => UserId::to_string;
    DeviceId => DeviceId::to_string;
    Kid => Kid::to_string;
    Timestamp => |time: &Timestamp| time.rfc3339();
    Nonce => |nonce: &Nonce| nonce.as_str().to_owned();
}
