//! The stored forms of the keys of tokens and of service keys.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FormatError;
use super::form::{OneForm, StoredForm, form, variants};
use crate::model::key::{KeyRecord, KeyState, Purpose};
use crate::model::service_key::{Scope, ServiceKeyRecord};
use crate::model::timestamp::Timestamp;

form! {
    /// A key of tokens, sealed.
    struct StoredKey of KeyRecord {
        kid: String,
        purpose: StoredPurpose,
        state: StoredKeyState,
        created: i64,
        sealed: String,
    }
}

impl OneForm for KeyRecord {
    type Form = StoredKey;
}

variants! {
    /// The purpose of a key.
    enum StoredPurpose of Purpose {
        Access,
        Refresh,
    }
}

/// The state of a key.
#[derive(Serialize, Deserialize)]
pub(super) enum StoredKeyState {
    Next,
    Active,
    Retired { until: i64 },
    Distrusted,
}

impl StoredForm<KeyState> for StoredKeyState {
    fn of(state: &KeyState) -> Self {
        match state {
            KeyState::Next => Self::Next,
            KeyState::Active => Self::Active,
            KeyState::Retired { until } => Self::Retired { until: until.unix() },
            KeyState::Distrusted => Self::Distrusted,
        }
    }

    fn model(self) -> Result<KeyState, FormatError> {
        Ok(match self {
            Self::Next => KeyState::Next,
            Self::Active => KeyState::Active,
            Self::Retired { until } => KeyState::Retired { until: Timestamp::from_unix(until) },
            Self::Distrusted => KeyState::Distrusted,
        })
    }
}

form! {
    /// A service key.
    struct StoredServiceKey of ServiceKeyRecord {
        id: Uuid,
        name: String,
        scopes: Vec<StoredScope>,
        digest: [u8; 32],
        created: i64,
    }
}

impl OneForm for ServiceKeyRecord {
    type Form = StoredServiceKey;
}

variants! {
    /// A permission of a service key.
    enum StoredScope of Scope {
        Introspect,
        Feed,
        Sessions,
        Admin,
    }
}
