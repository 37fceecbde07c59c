//! Administration of the signing keys. Every change is logged.

use super::administer::Administration;
use super::administrator::AdministratorOrder;
use super::error::AuthError;
use crate::model::key::Kid;
use crate::store::queries::keys::KeySet;

impl Administration {
    /// Lists all keys, the oldest first, with the version of the set.
    pub async fn list_keys(&self) -> Result<KeySet, AuthError> {
        Ok(self.keys.list().await?)
    }

    /// Rotates the keys: the next ones become active, the active ones are retired, and new next ones are created.
    pub async fn rotate_keys(&self, order: AdministratorOrder) -> Result<KeySet, AuthError> {
        let keys = self.keys.rotate().await?;
        order.note("keys_rotated", &keys.version.value());
        Ok(keys)
    }

    /// Retires one key; its tokens are accepted until they expire.
    pub async fn retire_key(&self, kid: &Kid, order: AdministratorOrder) -> Result<KeySet, AuthError> {
        let keys = self.keys.retire(kid).await?.ok_or(AuthError::NotFound)?;
        order.note("key_retired", kid);
        Ok(keys)
    }

    /// Distrusts one key; its tokens are refused from the next check on.
    pub async fn distrust_key(&self, kid: &Kid, order: AdministratorOrder) -> Result<KeySet, AuthError> {
        let keys = self.keys.distrust(kid).await?.ok_or(AuthError::NotFound)?;
        order.record("key_distrusted", kid);
        Ok(keys)
    }
}
