//! Signing keys: created at the first start, published, rotated, retired, distrusted.
//!
//! There is always one `active` and one `next` key for each purpose, so that local verifiers have the next key before
//! it is used. A retired key verifies until the last token minted with it has expired.

use std::sync::{Arc, PoisonError, RwLock};

use super::Auth;
use super::administer::AdministratorOrder;
use super::error::AuthError;
use crate::model::claims::LONGEST_ACCESS;
use crate::model::counters::KeysVersion;
use crate::model::key::{KeyRecord, KeyState, Kid, Purpose};
use crate::model::names::Names;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::queries::keys::{KeySet, ReadKeySet};
use crate::store::queries::service::{ReadCounters, ReadStoreIdentity};
use crate::store::steps::save_keys::{KeysSaved, SaveKeys};
use crate::token::keyring::{self, Keyring, Published};
use crate::token::sealing::MasterKey;

/// The current keyring, and what is needed to open the next one.
pub struct SigningKeys {
    master: MasterKey,
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
pub fn first_keys(master: &MasterKey, now: Timestamp) -> Result<Vec<KeyRecord>, AuthError> {
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
        store: &Store,
        master: MasterKey,
        names: Names,
        now: Timestamp,
    ) -> Result<Self, AuthError> {
        let keyring = keyring(store, &master, &names, now).await?;
        Ok(Self { master, names, current: RwLock::new(Arc::new(keyring)) })
    }

    /// The issuer, `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        &self.names.issuer
    }

    /// The audience, `aud` of the access tokens.
    pub fn audience(&self) -> &str {
        &self.names.audience
    }

    /// The current keyring, without asking the store.
    pub(super) fn current(&self) -> Arc<Keyring> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The current keyring, reloaded if the store's key set has another version.
    pub(super) async fn checked(&self, auth: &Auth) -> Result<Arc<Keyring>, AuthError> {
        let keyring = self.current();
        if auth.store.read(ReadCounters).await?.keys == keyring.version() {
            Ok(keyring)
        } else {
            self.reload(auth).await
        }
    }

    /// The keyring of the stored version, if that is not the version of `known`; else the token is invalid.
    pub(super) async fn newer_than(
        &self,
        known: &Keyring,
        stored: KeysVersion,
        auth: &Auth,
    ) -> Result<Arc<Keyring>, AuthError> {
        if known.version() == stored { Err(AuthError::TokenInvalid) } else { self.reload(auth).await }
    }

    /// Opens the key set as it is stored now.
    pub(super) async fn reload(&self, auth: &Auth) -> Result<Arc<Keyring>, AuthError> {
        let keyring =
            Arc::new(keyring(&auth.store, &self.master, &self.names, auth.clock.confirmed()).await?);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.version() <= keyring.version() {
            *current = Arc::clone(&keyring);
        }
        Ok(keyring)
    }
}

/// Opens the stored key set. The names are read after the keys: whoever adds a name makes a new version of the key
/// set.
async fn keyring(
    store: &Store,
    master: &MasterKey,
    names: &Names,
    now: Timestamp,
) -> Result<Keyring, AuthError> {
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

impl Auth {
    /// The issuer, `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        self.keys.issuer()
    }

    /// The audience, `aud` of the access tokens.
    pub fn audience(&self) -> &str {
        self.keys.audience()
    }

    /// Lists all keys, the oldest first, with the version of the set.
    pub async fn list_keys(&self) -> Result<KeySet, AuthError> {
        Ok(self.store.read(ReadKeySet).await?)
    }

    /// The current keyring, reloaded if the key set has changed.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, AuthError> {
        self.keys.checked(self).await
    }

    /// The access keys to publish.
    pub async fn public_keys(&self) -> Result<PublicKeySet, AuthError> {
        let (keyring, now) = (self.keyring().await?, self.world.now());
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

    /// Rotates the keys: the next ones become active, the active ones are retired, and new next ones are created.
    pub async fn rotate_keys(&self) -> Result<KeySet, AuthError> {
        self.change_keys(None, |auth, set, now, put| {
            for purpose in [Purpose::Access, Purpose::Refresh] {
                auth.advance(set, purpose, auth.retired(purpose, now), now, put)?;
            }
            Ok(())
        })
        .await
    }

    /// Retires one key; its tokens are accepted until they expire.
    pub async fn retire_key(&self, kid: &Kid) -> Result<KeySet, AuthError> {
        self.change_keys(None, |auth, set, now, put| {
            let key = find(set, kid)?;
            auth.leave(set, key, auth.retired(key.purpose, now), now, put)
        })
        .await
    }

    /// Distrusts one key; its tokens are refused from the next check on.
    pub async fn distrust_key(&self, kid: &Kid, order: AdministratorOrder) -> Result<KeySet, AuthError> {
        let keys = self
            .change_keys(Some(kid), |auth, set, now, put| {
                let key = find(set, kid)?;
                auth.leave(set, key, KeyState::Distrusted, now, put)
            })
            .await?;
        order.record("key_distrusted", kid);
        Ok(keys)
    }

    async fn change_keys(
        &self,
        distrusted: Option<&Kid>,
        change: impl Fn(&Self, &[KeyRecord], Timestamp, &mut Vec<KeyRecord>) -> Result<(), AuthError>,
    ) -> Result<KeySet, AuthError> {
        loop {
            let KeySet { version, keys } = self.store.read(ReadKeySet).await?;
            let now = self.world.now();
            let mut put = Vec::new();
            change(self, &keys, now, &mut put)?;
            let confirmed = self.clock.confirmed();
            let drop =
                keys.iter().filter(|key| forgettable(key, confirmed)).map(|key| key.kid.clone()).collect();
            let request = SaveKeys { read: version, put, drop, distrusted: distrusted.cloned(), now };
            match self.store.run(request).await? {
                KeysSaved::Stale => {}
                KeysSaved::Saved(_) => {
                    self.keys.reload(self).await?;
                    return Ok(self.store.read(ReadKeySet).await?);
                }
            }
        }
    }

    /// Moves `key` to `state`, and replaces it if it was active or next.
    fn leave(
        &self,
        set: &[KeyRecord],
        key: &KeyRecord,
        state: KeyState,
        now: Timestamp,
        put: &mut Vec<KeyRecord>,
    ) -> Result<(), AuthError> {
        match key.state {
            KeyState::Active => self.advance(set, key.purpose, state, now, put)?,
            KeyState::Next => {
                put.push(KeyRecord { state, ..key.clone() });
                put.push(keyring::make(key.purpose, KeyState::Next, &self.keys.master, now)?);
            }
            KeyState::Retired { .. } if state == KeyState::Distrusted => {
                put.push(KeyRecord { state, ..key.clone() });
            }
            KeyState::Retired { .. } | KeyState::Distrusted => {}
        }
        Ok(())
    }

    /// Activates the next key of a purpose, moves the active one to `state`, and creates a new next one.
    fn advance(
        &self,
        set: &[KeyRecord],
        purpose: Purpose,
        state: KeyState,
        now: Timestamp,
        put: &mut Vec<KeyRecord>,
    ) -> Result<(), AuthError> {
        let of_state = |wanted| set.iter().find(|key| key.purpose == purpose && key.state == wanted);
        put.extend(of_state(KeyState::Active).map(|active| KeyRecord { state, ..active.clone() }));
        put.push(match of_state(KeyState::Next) {
            Some(next) => KeyRecord { state: KeyState::Active, ..next.clone() },
            None => keyring::make(purpose, KeyState::Active, &self.keys.master, now)?,
        });
        put.push(keyring::make(purpose, KeyState::Next, &self.keys.master, now)?);
        Ok(())
    }

    fn retired(&self, purpose: Purpose, now: Timestamp) -> KeyState {
        let longest = match purpose {
            // The longest there can be: the setting may have been longer when the key's last tokens were minted.
            Purpose::Access => LONGEST_ACCESS,
            Purpose::Refresh => self.policy.device_lifetime,
        };
        // A clock that is behind must not end the tokens of before.
        KeyState::Retired { until: now.max(self.clock.latest()) + longest }
    }
}

fn find<'a>(set: &'a [KeyRecord], kid: &Kid) -> Result<&'a KeyRecord, AuthError> {
    set.iter().find(|key| key.kid == *kid).ok_or(AuthError::NotFound)
}

/// Whether a key can be dropped: it is retired and its last token has expired. A distrusted one is listed for good.
fn forgettable(key: &KeyRecord, now: Timestamp) -> bool {
    matches!(key.state, KeyState::Retired { until } if until <= now)
}
