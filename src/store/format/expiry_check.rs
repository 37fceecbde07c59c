//! The stored form of expiry checks, which is read only: all of a check is in columns, or in its key.

use uuid::Uuid;

use super::FormatError;
use super::form::{StoredForm as _, StoredStamp, form};
use super::json::{self, JsonDocument, JsonRecord};
use crate::store::expiry_check::ExpiryCheck;

form! {
    /// The columns of an expiry check.
    struct ExpiryCheckDocument of ExpiryCheck {
        at: i64,
        user: Uuid,
        stamp: StoredStamp,
        device: Uuid,
    }
}

impl JsonRecord for ExpiryCheck {
    fn to_json(&self) -> Result<String, FormatError> {
        json::encode(1, &ExpiryCheckDocument::of(self))
    }

    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        document.in_version_1::<ExpiryCheckDocument>()?.model()
    }
}
