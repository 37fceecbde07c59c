//! Signing keys and service keys.

use super::Query;
use crate::model::counters::KeysVersion;
use crate::model::ids::ServiceKeyId;
use crate::model::key::KeyRecord;
use crate::model::service_key::ServiceKeyRecord;
use crate::store::StoreError;
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;

/// Reads the signing keys and the version of the set.
#[derive(Clone, Copy, Debug)]
pub struct ReadKeySet;

/// The signing keys and the version of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// The version.
    pub version: KeysVersion,
    /// The keys, the oldest first.
    pub keys: Vec<KeyRecord>,
}

impl Query for ReadKeySet {
    type Answer = KeySet;

    /// A key set read while it changes would carry the wrong version.
    const DURABLE: bool = true;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Counters
    }

    fn run(&self, records: &dyn Records) -> Result<KeySet, StoreError> {
        Ok(KeySet { version: records.counters()?.keys, keys: records.keys()? })
    }
}

/// Finds a service key by id.
#[derive(Clone, Copy, Debug)]
pub struct FindServiceKey {
    /// The service key's id.
    pub id: ServiceKeyId,
}

impl Query for FindServiceKey {
    type Answer = Option<ServiceKeyRecord>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Option<ServiceKeyRecord>, StoreError> {
        records.service_key(self.id)
    }
}

/// Lists every service key, the oldest first.
#[derive(Clone, Copy, Debug)]
pub struct ListServiceKeys;

impl Query for ListServiceKeys {
    type Answer = Vec<ServiceKeyRecord>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Vec<ServiceKeyRecord>, StoreError> {
        records.service_keys()
    }
}
