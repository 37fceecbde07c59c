//! The keys of one version of the key set, decoded and ready for use.
//!
//! A keyring never changes: a new version of the key set is a new keyring with an empty cache of verified signatures,
//! so that no signature of a distrusted key stays cached.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use pasetors::keys::{AsymmetricKeyPair, AsymmetricPublicKey, Generate, SymmetricKey};
use pasetors::paserk::{FormatAsPaserk, Id};
use pasetors::version4::V4;

use super::feed::{Frame, Pong};
use super::footer::{self, Footer};
use super::public_keys::PublicKeys;
use super::sealing::{MasterKey, SealError};
use super::seen::{SeenTokens, VerifiedClaims};
use super::signing::{PublicKey, SecretKey};
use super::{LONGEST, MintError, NotAuthentic, access, refresh};
use crate::model::claims::{AccessClaims, RefreshClaims};
use crate::model::counters::KeysVersion;
use crate::model::key::{KeyRecord, KeyState, Kid, Purpose};
use crate::model::names::Names;
use crate::model::timestamp::Timestamp;

/// The most verified tokens in the cache of a keyring: about 1 KiB each.
const REMEMBERED_TOKENS: usize = 16_384;

/// The public keys whose access tokens are accepted, with the issuer and audience the tokens must have.
#[derive(Debug)]
pub struct TrustedKeys {
    /// Every pair of names that tokens of these keys may carry; the first is that of new tokens.
    names: Vec<Names>,
    keys: PublicKeys,
    seen: SeenTokens,
}

impl TrustedKeys {
    /// A set without keys; tokens must name `issuer` and `audience`.
    pub fn none(issuer: String, audience: String) -> Self {
        let names = vec![Names { issuer, audience }];
        Self { names, keys: PublicKeys::none(), seen: SeenTokens::of(REMEMBERED_TOKENS) }
    }

    /// Every pair of names that tokens may carry; the first is that of new tokens.
    pub fn names(&self) -> &[Names] {
        &self.names
    }

    /// Adds a trusted key.
    fn trust(&mut self, kid: &Kid, key: PublicKey) {
        self.keys.insert(kid, key);
    }

    /// Verifies an access token: signed by a trusted key, of an accepted issuer and audience. Time and revocation are
    /// not checked.
    pub fn verify(&self, token: &str) -> Result<Arc<VerifiedClaims>, NotAuthentic> {
        if let Some(verified) = self.seen.recall(token) {
            return Ok(verified);
        }
        let claims = self.keys.authentic(token)?;
        if !self.names.iter().any(|names| names.are_of(&claims)) {
            return Err(NotAuthentic);
        }
        let verified = Arc::new(VerifiedClaims::new(token, claims));
        self.seen.remember(&verified);
        Ok(verified)
    }
}

/// An access key as published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The record of the key.
    pub record: KeyRecord,
    /// The public key: 32 bytes of Ed25519.
    pub public: [u8; 32],
}

/// The keys with which the issuer makes and reads tokens.
pub struct Keyring {
    version: KeysVersion,
    published: Vec<Published>,
    trusted: TrustedKeys,
    signing: (Footer, SecretKey),
    /// The keys of refresh tokens by encoded footer; `encrypting` names the active one.
    refresh: HashMap<String, (Footer, SymmetricKey<V4>)>,
    encrypting: String,
}

/// The reason why a key set is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// A key does not open under this master key.
    #[error("key {0} was sealed under another master key, or altered")]
    Sealed(Kid),
    /// A key opens but does not match its record.
    #[error("key {0} is not what its record says")]
    Altered(Kid),
    /// There is no active key for tokens of a purpose.
    #[error("no active key for {} tokens", .0.as_str())]
    NoActive(Purpose),
}

impl Keyring {
    /// Opens the key set `records` of `version`, with the keys that are trusted at `now`.
    pub fn open(
        version: KeysVersion,
        records: &[KeyRecord],
        master: &MasterKey,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        let mut trusted = TrustedKeys::none(issuer.to_owned(), audience.to_owned());
        let (mut signing, mut encrypting, mut refresh) = (None, None, HashMap::new());
        let mut published = Vec::new();
        for record in records {
            if record.purpose == Purpose::Access {
                published.push(Published { record: record.clone(), public: public_bytes(record, master)? });
            }
            if !record.state.is_trusted(now) {
                continue;
            }
            let kid = &record.kid;
            let secret =
                master.open(kid, &record.sealed).map_err(|SealError| KeyringError::Sealed(kid.clone()))?;
            let footer = Footer::of(kid);
            let active = record.state == KeyState::Active;
            let altered = || KeyringError::Altered(kid.clone());
            match record.purpose {
                Purpose::Access => {
                    let secret = SecretKey::from_bytes(&secret).ok_or_else(altered)?;
                    let public = secret.public();
                    let named = AsymmetricPublicKey::<V4>::from(public.as_bytes()).map_err(|_| altered())?;
                    if kid_of(&Id::from(&named)).as_ref() != Some(kid) {
                        return Err(altered());
                    }
                    trusted.trust(kid, public);
                    if active {
                        signing = Some((footer, secret));
                    }
                }
                Purpose::Refresh => {
                    let key = SymmetricKey::from(&secret).map_err(|_| altered())?;
                    if kid_of(&Id::from(&key)).as_ref() != Some(kid) {
                        return Err(altered());
                    }
                    if active {
                        encrypting = Some(footer.encoded.clone());
                    }
                    refresh.insert(footer.encoded.clone(), (footer, key));
                }
            }
        }
        Ok(Self {
            version,
            published,
            trusted,
            signing: signing.ok_or(KeyringError::NoActive(Purpose::Access))?,
            encrypting: encrypting.ok_or(KeyringError::NoActive(Purpose::Refresh))?,
            refresh,
        })
    }

    /// Accepts access tokens that carry one of these pairs of names as well.
    #[must_use]
    pub fn accepting(mut self, others: Vec<Names>) -> Self {
        for other in others {
            if !self.trusted.names.contains(&other) {
                self.trusted.names.push(other);
            }
        }
        self
    }

    /// The version of the key set.
    pub fn version(&self) -> KeysVersion {
        self.version
    }

    /// Every access key of the set, in any state.
    pub fn published(&self) -> &[Published] {
        &self.published
    }

    /// The keys that access tokens are verified with.
    pub fn trusted(&self) -> &TrustedKeys {
        &self.trusted
    }

    /// Signs an access token.
    pub fn mint_access(&self, claims: &AccessClaims) -> Result<String, MintError> {
        access::mint(claims, &self.signing.1, &self.signing.0)
    }

    /// Signs a frame of the feed. Fails if its text is too long.
    pub fn sign_frame(&self, frame: &Frame) -> Result<String, MintError> {
        frame.sign(&self.signing.1, &self.signing.0)
    }

    /// Signs the answer to a ping.
    pub fn sign_pong(&self, pong: &Pong) -> Result<String, MintError> {
        pong.sign(&self.signing.1, &self.signing.0)
    }

    /// Encrypts a refresh token.
    pub fn mint_refresh(&self, claims: &RefreshClaims) -> Result<String, MintError> {
        let (footer, key) = self.refresh.get(&self.encrypting).ok_or(MintError)?;
        refresh::mint(claims, key, footer)
    }

    /// The claims of a refresh token encrypted with a key of this ring. Time and revocation are not checked.
    pub fn open_refresh(&self, token: &str) -> Result<RefreshClaims, NotAuthentic> {
        if token.len() > LONGEST {
            return Err(NotAuthentic);
        }
        let (footer, key) = self.refresh.get(footer::part(token).ok_or(NotAuthentic)?).ok_or(NotAuthentic)?;
        refresh::open(token, key, footer)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Generates a new key for `purpose`, sealed under the master key.
pub fn make(
    purpose: Purpose,
    state: KeyState,
    master: &MasterKey,
    now: Timestamp,
) -> Result<KeyRecord, MintError> {
    let (kid, sealed) = match purpose {
        Purpose::Access => {
            let pair = AsymmetricKeyPair::<V4>::generate().map_err(|_| MintError)?;
            let kid = kid_of(&Id::from(&pair.public)).ok_or(MintError)?;
            let sealed = master.seal(&kid, pair.secret.as_bytes()).map_err(|SealError| MintError)?;
            (kid, sealed)
        }
        Purpose::Refresh => {
            let key = SymmetricKey::<V4>::generate().map_err(|_| MintError)?;
            let kid = kid_of(&Id::from(&key)).ok_or(MintError)?;
            let sealed = master.seal(&kid, key.as_bytes()).map_err(|SealError| MintError)?;
            (kid, sealed)
        }
    };
    Ok(KeyRecord { kid, purpose, state, created: now, sealed })
}

/// The public half of an access key, as 32 bytes.
fn public_bytes(record: &KeyRecord, master: &MasterKey) -> Result<[u8; 32], KeyringError> {
    let secret = master
        .open(&record.kid, &record.sealed)
        .map_err(|SealError| KeyringError::Sealed(record.kid.clone()))?;
    secret
        .get(32..)
        .and_then(|public| public.try_into().ok())
        .ok_or_else(|| KeyringError::Altered(record.kid.clone()))
}

fn kid_of(id: &Id) -> Option<Kid> {
    let mut text = String::new();
    id.fmt(&mut text).ok()?;
    Some(Kid::new(text))
}
