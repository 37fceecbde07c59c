//! Service keys: credentials of resource servers and administrators' tools. The text is shown once, only a hash is
//! stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::administer::Administration;
use super::administrator::AdministratorOrder;
use super::authenticate::Authentication;
use super::error::{AuthError, FieldFault};
use super::{ClientInfo, events};
use crate::model::ids::{self, ServiceKeyId};
use crate::model::service_key::{Scope, ServiceKeyRecord};
use crate::model::visible;
use crate::store::queries::keys::{FindServiceKey, ListServiceKeys};
use crate::store::steps::service_keys::{AddServiceKey, RemoveServiceKey};

/// The prefix of a key's text, by which secret scanners recognise it.
const PREFIX: &str = "rescind_sk_";

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

/// A new service key with its text, which is shown only once.
pub struct NewServiceKey {
    /// The key as stored.
    pub key: ServiceKeyRecord,
    /// The text of the key, the credential.
    pub text: Zeroizing<String>,
}

impl Administration {
    /// Creates a service key.
    pub async fn add_service_key(
        &self,
        name: &str,
        scopes: &[Scope],
        order: AdministratorOrder,
    ) -> Result<NewServiceKey, AuthError> {
        let name = name.trim();
        if visible::cleaned(name, LONGEST_NAME).is_none() {
            return Err(AuthError::Field("name", FieldFault::TooShort));
        }
        // Commands name keys by id.
        if ids::reads_as_id(name) {
            return Err(AuthError::Field("name", FieldFault::Reserved));
        }
        if name.chars().count() > LONGEST_NAME {
            return Err(AuthError::Field("name", FieldFault::TooLong));
        }
        if name.chars().any(char::is_control) {
            return Err(AuthError::Field("name", FieldFault::InvalidCharacters));
        }
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(AuthError::Field("scopes", FieldFault::TooShort));
        }
        let secret = Zeroizing::new(self.world.random::<32>());
        let id = self.world.service_key_id();
        let text = Zeroizing::new(format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret.as_slice())));
        let digest = *blake3::hash(secret.as_slice()).as_bytes();
        let key = ServiceKeyRecord { id, name: name.to_owned(), scopes, digest, created: self.world.now() };
        self.store.run(AddServiceKey { key: key.clone() }).await?;
        order.note("service_key_added", &id);
        Ok(NewServiceKey { key, text })
    }

    /// Lists all service keys, the oldest first.
    pub async fn list_service_keys(&self) -> Result<Vec<ServiceKeyRecord>, AuthError> {
        Ok(self.store.read(ListServiceKeys).await?)
    }

    /// Removes a service key; its bearer is refused from now on.
    pub async fn remove_service_key(
        &self,
        id: ServiceKeyId,
        order: AdministratorOrder,
    ) -> Result<(), AuthError> {
        if !self.store.run(RemoveServiceKey { id }).await? {
            return Err(AuthError::NotFound);
        }
        order.note("service_key_removed", &id);
        Ok(())
    }
}

impl Authentication {
    /// Authenticates the bearer of a service key and checks its scope.
    pub async fn service_key(
        &self,
        text: &str,
        scope: Scope,
        client: &ClientInfo,
    ) -> Result<ServiceKeyRecord, AuthError> {
        let found = self.find_service_key(text, scope).await;
        if matches!(found, Err(AuthError::TokenInvalid | AuthError::Forbidden(_))) {
            events::record_refusal("service_key_refused", client);
        }
        found
    }

    async fn find_service_key(&self, text: &str, scope: Scope) -> Result<ServiceKeyRecord, AuthError> {
        let (id, secret) = parse(text).ok_or(AuthError::TokenInvalid)?;
        let digest = blake3::hash(secret.as_slice());
        let key = self.store.read(FindServiceKey { id }).await?.ok_or(AuthError::TokenInvalid)?;
        if !bool::from(digest.as_bytes().ct_eq(&key.digest)) {
            return Err(AuthError::TokenInvalid);
        }
        if !key.scopes.contains(&scope) {
            return Err(AuthError::Forbidden(format!(
                "The service key lacks the scope `{0}`; `rescind service-key add NAME --scope {0}` makes one that has it.",
                scope.as_str()
            )));
        }
        Ok(key)
    }
}

fn parse(text: &str) -> Option<(ServiceKeyId, Zeroizing<[u8; 32]>)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let mut bytes = Zeroizing::new([0; 32]);
    if secret.len() != 43 || URL_SAFE_NO_PAD.decode_slice(secret, bytes.as_mut_slice()).ok()? != 32 {
        return None;
    }
    // A secret has one spelling, unlike an id on its own.
    let parsed = ServiceKeyId::parse(id)?;
    (parsed.to_string() == id).then_some((parsed, bytes))
}

impl std::fmt::Debug for NewServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewServiceKey").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_one_spelling_only() {
        let id = "0197a5a0-0000-7000-8000-000000000001";
        let secret = URL_SAFE_NO_PAD.encode([7; 32]);
        let good = format!("{PREFIX}{id}_{secret}");
        assert_eq!(parse(&good).unwrap().1.as_slice(), [7; 32]);
        for other in [
            format!("{PREFIX}{id}_{secret}="),
            format!("{PREFIX}{id}_{}", &secret[1..]),
            format!("{PREFIX}{}_{secret}", id.to_uppercase()),
            format!("{id}_{secret}"),
            String::new(),
        ] {
            assert!(parse(&other).is_none(), "{other}");
        }
    }
}
