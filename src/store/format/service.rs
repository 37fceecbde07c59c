//! The stored forms of the store identity, the counters and the totals.

use uuid::Uuid;

use super::FormatError;
use super::binary::{self, BinaryRecord};
use super::form::{OneForm, StoredForm as _, StoredNames, form};
use super::json::{self, JsonDocument, JsonRecord};
use crate::model::names::Names;
use crate::store::{Counters, StoreIdentity, Totals};

form! {
    /// The store identity. Without other names, none are written in either encoding: as in stores from before there
    /// were any.
    struct StoredIdentity of StoreIdentity {
        store: Uuid,
        issuer: String,
        audience: String,
        at: i64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<StoredNames>,
    }
}

form! {
    /// The binary form of a store identity without other names.
    struct StoredFirstIdentity of StoreIdentity under { names: Vec<Names> } {
        store: Uuid,
        issuer: String,
        audience: String,
        at: i64,
    }
}

impl BinaryRecord for StoreIdentity {
    type Key = ();

    fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        if self.names.is_empty() {
            binary::encode(1, &StoredFirstIdentity::of_record(self))
        } else {
            binary::encode(1, &StoredIdentity::of(self))
        }
    }

    fn from_bytes(bytes: &[u8], (): ()) -> Result<Self, FormatError> {
        let (1, encoded) = binary::versioned(bytes)? else { return Err(FormatError::Newer) };
        match binary::fields::<StoredIdentity>(encoded) {
            Ok(form) => form.model(),
            Err(_) => binary::fields::<StoredFirstIdentity>(encoded)?.under(Vec::new()),
        }
    }
}

impl JsonRecord for StoreIdentity {
    fn to_json(&self) -> Result<String, FormatError> {
        json::encode(1, &StoredIdentity::of(self))
    }

    fn from_document(document: JsonDocument<'_>) -> Result<Self, FormatError> {
        document.in_version_1::<StoredIdentity>()?.model()
    }
}

form! {
    /// The counters.
    struct StoredCounters of Counters {
        era: u64,
        keys: u64,
        head: u64,
    }
}

impl OneForm for Counters {
    type Form = StoredCounters;
}

form! {
    /// The totals.
    struct StoredTotals of Totals {
        users: u64,
        live_devices: u64,
    }
}

impl OneForm for Totals {
    type Form = StoredTotals;
}
