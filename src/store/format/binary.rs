//! The binary encoding: a version byte, then the fields in order (postcard), without names or padding.
//!
//! The version is that of the record's own form, so that a later release can read what an earlier one wrote.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FormatError;
use super::form::{OneForm, StoredForm as _};

/// A record with a binary encoding.
pub(in crate::store) trait BinaryRecord: Sized {
    /// What the record's key holds of it, and its bytes do not.
    type Key;

    /// Encodes the record in its newest version.
    fn to_bytes(&self) -> Result<Vec<u8>, FormatError>;

    /// Decodes a record of any version.
    fn from_bytes(bytes: &[u8], key: Self::Key) -> Result<Self, FormatError>;
}

impl<R: OneForm> BinaryRecord for R {
    type Key = ();

    fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        encode(1, &R::Form::of(self))
    }

    fn from_bytes(bytes: &[u8], (): ()) -> Result<Self, FormatError> {
        match versioned(bytes)? {
            (1, encoded) => fields::<R::Form>(encoded)?.model(),
            _ => Err(FormatError::Newer),
        }
    }
}

/// Encodes `form`, which is that of `version`.
pub(in crate::store) fn encode(version: u8, form: &impl Serialize) -> Result<Vec<u8>, FormatError> {
    postcard::to_extend(form, vec![version]).map_err(|_| FormatError::Unwritable)
}

/// The version of a record, and its encoded fields.
pub(super) fn versioned(bytes: &[u8]) -> Result<(u8, &[u8]), FormatError> {
    bytes.split_first().map(|(version, encoded)| (*version, encoded)).ok_or(FormatError::Unreadable)
}

/// Decodes exactly the fields of `F`.
pub(super) fn fields<F: DeserializeOwned>(encoded: &[u8]) -> Result<F, FormatError> {
    match postcard::take_from_bytes(encoded) {
        Ok((form, [])) => Ok(form),
        _ => Err(FormatError::Unreadable),
    }
}
