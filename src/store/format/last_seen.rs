//! The stored form of last-seen records.

use std::net::IpAddr;

use serde_json::Value;
use uuid::Uuid;

use super::FormatError;
use super::form::{OneForm, StoredForm as _, form};
use super::json::{JsonDocument, JsonRecord as _};
use crate::model::device::LastSeen;
use crate::model::ids::{DeviceId, UserId};

form! {
    /// When and from where a device was last used.
    struct StoredLastSeen of LastSeen {
        at: i64,
        address: Option<IpAddr>,
        user_agent: Option<String>,
    }
}

impl OneForm for LastSeen {
    type Form = StoredLastSeen;
}

/// Decodes a row of last-seen records: a JSON array of the user, the device and the record's document.
pub(in crate::store) fn last_seen_of_row(row: &str) -> Result<(UserId, DeviceId, LastSeen), FormatError> {
    let (user, device, seen): (Uuid, Uuid, Value) = JsonDocument::Text(row).fields()?;
    Ok((user.model()?, device.model()?, LastSeen::from_document(JsonDocument::Nested(seen))?))
}
