//! The signing keys of the service: the current keyring, its reload when the stored key set changes, and what of it is
//! published.
//!
//! There is always one `active` and one `next` key for each purpose, so that local verifiers have the next key before
//! it is used. A retired key verifies as long as a token minted with it may be accepted: an access token until it expires, a
//! refresh token as long as its device may last.

use std::sync::{Arc, PoisonError, RwLock};

use super::fault::IssuerFault;
use crate::model::counters::KeysVersion;
use crate::model::key::{KeyRecord, KeyState, Kid, Purpose};
use crate::model::names::Names;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::queries::keys::{KeySet, ReadKeySet};
use crate::store::queries::service::{ReadCounters, ReadStoreIdentity};
use crate::token::keyring::{self, Keyring, Published};
use crate::token::sealing::MasterKey;
use crate::world::reference::ReferenceClock;

/// The current keyring, and what is needed to open the next one.
pub struct SigningKeys {
    pub(super) store: Store,
    pub(super) clock: Arc<ReferenceClock>,
    pub(super) master: MasterKey,
    names: Names,
    current: RwLock<Arc<Keyring>>,
}

/// The access keys in the form in which they are published, with the names in their tokens.
#[derive(Clone, Debug)]
pub struct PublicKeySet {
    /// Every pair of names that a valid token may carry; the first is that of new tokens.
    pub names: Vec<Names>,
    /// The version of the key set.
    pub version: KeysVersion,
    /// The keys whose tokens are accepted.
    pub trusted: Vec<Published>,
    /// The ids of the distrusted keys. The keys themselves are left out, so that a reader that accepts every published
    /// key is safe.
    pub distrusted: Vec<Kid>,
}

/// Creates the first keys of a new store.
pub fn first_keys(master: &MasterKey, now: Timestamp) -> Result<Vec<KeyRecord>, IssuerFault> {
    let mut keys = Vec::new();
    for purpose in [Purpose::Access, Purpose::Refresh] {
        for state in [KeyState::Active, KeyState::Next] {
            keys.push(keyring::make(purpose, state, master, now)?);
        }
    }
    Ok(keys)
}

impl SigningKeys {
    /// Opens the store's key set. New tokens carry `names`; tokens with names that were in use before are accepted,
    /// too.
    pub async fn open(
        store: Store,
        clock: Arc<ReferenceClock>,
        master: MasterKey,
        names: Names,
    ) -> Result<Self, IssuerFault> {
        let keyring = keyring(&store, &master, &names, clock.confirmed()).await?;
        let current = RwLock::new(Arc::new(keyring));
        Ok(Self { store, clock, master, names, current })
    }

    /// The issuer and the audience that new tokens carry.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The current keyring, without asking the store.
    pub fn current(&self) -> Arc<Keyring> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The current keyring, reloaded if the store's key set has another version.
    pub async fn checked(&self) -> Result<Arc<Keyring>, IssuerFault> {
        self.of_version(self.store.read(ReadCounters).await?.keys).await
    }

    /// The current keyring, reloaded if the key set that was read from the store has another version.
    pub async fn of_version(&self, stored: KeysVersion) -> Result<Arc<Keyring>, IssuerFault> {
        let keyring = self.current();
        if keyring.version() == stored { Ok(keyring) } else { Box::pin(self.reload()).await }
    }

    /// The keyring of the stored version; `None` if that is the version of `known`.
    pub async fn newer_than(&self, known: &Keyring) -> Result<Option<Arc<Keyring>>, IssuerFault> {
        let stored = self.store.read(ReadCounters).await?.keys;
        if known.version() == stored { Ok(None) } else { self.reload().await.map(Some) }
    }

    /// Opens the key set as it is stored now.
    pub async fn reload(&self) -> Result<Arc<Keyring>, IssuerFault> {
        let keyring = keyring(&self.store, &self.master, &self.names, self.clock.confirmed()).await?;
        let keyring = Arc::new(keyring);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.version() <= keyring.version() {
            *current = Arc::clone(&keyring);
        }
        Ok(keyring)
    }

    /// Lists all keys, the oldest first, with the version of the set.
    pub async fn list(&self) -> Result<KeySet, IssuerFault> {
        Ok(self.store.read(ReadKeySet).await?)
    }

    /// The access keys to publish.
    pub async fn public(&self) -> Result<PublicKeySet, IssuerFault> {
        let (keyring, now) = (self.checked().await?, self.clock.world().now());
        let (version, names) = (keyring.version(), keyring.trusted().names().to_vec());
        let mut set = PublicKeySet { names, version, trusted: Vec::new(), distrusted: Vec::new() };
        for key in keyring.published() {
            if key.record.state.is_trusted(now) {
                set.trusted.push(key.clone());
            } else if key.record.state == KeyState::Distrusted {
                set.distrusted.push(key.record.kid.clone());
            }
        }
        Ok(set)
    }
}

/// Opens the stored key set. The names are read after the keys: whoever adds a name makes a new version of the key
/// set.
async fn keyring(
    store: &Store,
    master: &MasterKey,
    names: &Names,
    now: Timestamp,
) -> Result<Keyring, IssuerFault> {
    let KeySet { version, keys } = store.read(ReadKeySet).await?;
    let others = store.read(ReadStoreIdentity).await?.map_or_else(Vec::new, |identity| identity.all_names());
    let keyring = Keyring::open(version, &keys, master, &names.issuer, &names.audience, now)?;
    Ok(keyring.accepting(others))
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys").field("current", &self.current()).finish_non_exhaustive()
    }
}
