//! Changes of the key set: keys are rotated, retired and distrusted, and each change makes a new version of the set.

use super::fault::IssuerFault;
use super::signing_keys::SigningKeys;
use crate::model::claims::LONGEST_ACCESS;
use crate::model::device::LONGEST_DEVICE;
use crate::model::key::{KeyRecord, KeyState, Kid, Purpose};
use crate::model::timestamp::Timestamp;
use crate::store::queries::keys::{KeySet, ReadKeySet};
use crate::store::steps::save_keys::{KeysSaved, SaveKeys};
use crate::token::MintError;
use crate::token::keyring;

/// The move of a key out of the state it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Withdrawal {
    /// The key signs nothing any more; its tokens are accepted until they expire.
    Retire,
    /// The key's tokens are refused.
    Distrust,
}

impl SigningKeys {
    /// Rotates the keys: the next ones become active, the active ones are retired, and new next ones are created.
    pub async fn rotate(&self) -> Result<KeySet, IssuerFault> {
        loop {
            let set = self.list().await?;
            let now = self.clock.world().now();
            let mut put = Vec::new();
            for purpose in [Purpose::Access, Purpose::Refresh] {
                self.advance(&set.keys, purpose, self.retired(purpose, now), now, &mut put)?;
            }
            if let Some(saved) = self.save(&set, put, None, now).await? {
                return Ok(saved);
            }
        }
    }

    /// Retires one key; its tokens are accepted until they expire. `None` if there is no such key.
    pub async fn retire(&self, kid: &Kid) -> Result<Option<KeySet>, IssuerFault> {
        self.withdraw(kid, Withdrawal::Retire).await
    }

    /// Distrusts one key; its tokens are refused from the next check on. `None` if there is no such key.
    pub async fn distrust(&self, kid: &Kid) -> Result<Option<KeySet>, IssuerFault> {
        self.withdraw(kid, Withdrawal::Distrust).await
    }

    async fn withdraw(&self, kid: &Kid, how: Withdrawal) -> Result<Option<KeySet>, IssuerFault> {
        loop {
            let set = self.list().await?;
            let now = self.clock.world().now();
            let Some(key) = set.keys.iter().find(|key| key.kid == *kid) else { return Ok(None) };
            let (state, distrusted) = match how {
                Withdrawal::Retire => (self.retired(key.purpose, now), None),
                Withdrawal::Distrust => (KeyState::Distrusted, Some(kid)),
            };
            let mut put = Vec::new();
            self.leave(&set.keys, key, state, now, &mut put)?;
            if let Some(saved) = self.save(&set, put, distrusted, now).await? {
                return Ok(Some(saved));
            }
        }
    }

    /// Saves the records `put` over the key set `read`, without those that are no longer needed, and opens the result.
    /// `None` if the stored key set has changed since it was read.
    async fn save(
        &self,
        read: &KeySet,
        put: Vec<KeyRecord>,
        distrusted: Option<&Kid>,
        now: Timestamp,
    ) -> Result<Option<KeySet>, IssuerFault> {
        let confirmed = self.clock.confirmed();
        let drop =
            read.keys.iter().filter(|key| forgettable(key, confirmed)).map(|key| key.kid.clone()).collect();
        let request = SaveKeys { read: read.version, put, drop, distrusted: distrusted.cloned(), now };
        match self.store.run(request).await? {
            KeysSaved::Stale => Ok(None),
            KeysSaved::Saved(_) => {
                self.reload().await?;
                Ok(Some(self.store.read(ReadKeySet).await?))
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
    ) -> Result<(), MintError> {
        match key.state {
            KeyState::Active => self.advance(set, key.purpose, state, now, put)?,
            KeyState::Next => {
                put.push(KeyRecord { state, ..key.clone() });
                put.push(keyring::make(key.purpose, KeyState::Next, &self.master, now)?);
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
    ) -> Result<(), MintError> {
        let of_state = |wanted| set.iter().find(|key| key.purpose == purpose && key.state == wanted);
        put.extend(of_state(KeyState::Active).map(|active| KeyRecord { state, ..active.clone() }));
        put.push(match of_state(KeyState::Next) {
            Some(next) => KeyRecord { state: KeyState::Active, ..next.clone() },
            None => keyring::make(purpose, KeyState::Active, &self.master, now)?,
        });
        put.push(keyring::make(purpose, KeyState::Next, &self.master, now)?);
        Ok(())
    }

    fn retired(&self, purpose: Purpose, now: Timestamp) -> KeyState {
        // The longest that the settings allow: they may have said more than now when a token of the key was minted, or when
        // the device of such a token signed in, which keeps the end it got then.
        let longest = match purpose {
            Purpose::Access => LONGEST_ACCESS,
            Purpose::Refresh => LONGEST_DEVICE,
        };
        // A clock that is behind must not end the tokens of before.
        KeyState::Retired { until: now.max(self.clock.latest()) + longest }
    }
}

/// Whether a key can be dropped: it is retired and its last token has expired. A distrusted one is listed for good.
fn forgettable(key: &KeyRecord, now: Timestamp) -> bool {
    matches!(key.state, KeyState::Retired { until } if until <= now)
}
