//! Sessions that began in another system, djangorestframework-simplejwt: an app goes on with the refresh token it was given
//! there, until a date.
//!
//! Each such token is exchanged for one device, once: shown again, it means that device while it lives, and nothing after its
//! end. An app may never store what an answer brings (SimpleJWT's default is not to rotate), and an answer may be lost; so the
//! old token goes on as a refresh token of its device, under the same rule as every other. What a user has ended since the
//! account was brought here stays ended, whether or not a token of it was exchanged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::ClientInfo;
use super::authenticate::TokenKind;
use super::error::AuthError;
use super::events;
use crate::model::claims::RefreshClaims;
use crate::model::counters::{Era, Generation, Sequence, Stamp};
use crate::model::external_id::ExternalId;
use crate::model::ids::DeviceId;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::Reason;
use crate::store::queries::former_sessions::FindSessionUser;
use crate::store::{Store, StoreError};
use crate::token::simplejwt::{Blacklist, SimpleJwtFault, SimpleJwtKey, SimpleJwtRefresh, is_jwt, verify};
use crate::world::reference::ReferenceClock;

/// How long it is remembered at least that the sessions under an external id have ended, which its user gave up: longer than
/// SimpleJWT's refresh tokens usually live.
const GIVEN_UP_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The settings of the exchange.
#[derive(Debug)]
pub struct FormerSessionPolicy {
    /// The key under which the other system signed.
    pub key: SimpleJwtKey,
    /// The claim with the user's id in the other system.
    pub user_claim: String,
    /// When the exchange ends.
    pub until: Timestamp,
    /// The tokens that the other system had taken back.
    pub blacklist: Blacklist,
}

/// A session of another system, named by an authentic token.
#[derive(Debug)]
pub(super) struct FormerSession {
    /// The user.
    pub(super) user: User,
    /// The device that the token is exchanged for.
    pub(super) device: DeviceId,
    /// When the token expires.
    pub(super) expires: Timestamp,
}

impl FormerSession {
    /// The token as the first refresh token of its device.
    pub(super) fn claims(&self) -> RefreshClaims {
        RefreshClaims {
            subject: self.user.id,
            device: self.device,
            stamp: Stamp { era: Era::default(), generation: Generation::default() },
            sequence: Sequence::default(),
            expires: self.expires,
        }
    }
}

/// Finds the sessions of another system.
#[derive(Debug)]
pub struct FormerSessions {
    pub(super) policy: Option<FormerSessionPolicy>,
    pub(super) store: Store,
    pub(super) clock: Arc<ReferenceClock>,
    /// Whether the log already says that signatures do not fit.
    pub(super) told: AtomicBool,
}

impl FormerSessions {
    /// The session that `token` names; `None` if it is no token of another system, or none is exchanged any more.
    pub(super) async fn find(
        &self,
        token: &str,
        client: Option<&ClientInfo>,
    ) -> Result<Option<FormerSession>, AuthError> {
        let Some(policy) = self.policy_for(token) else { return Ok(None) };
        let now = self.clock.world().now();
        let token = match verify(&policy.key, &policy.user_claim, token, now) {
            Ok(token) => token,
            Err(SimpleJwtFault::Expired(at)) if self.clock.has_jumped_past(at) => {
                let why = "it jumped ahead, and a token would have run out by that".to_owned();
                return Err(StoreError::WrongClock(why).into());
            }
            Err(SimpleJwtFault::Expired(_)) => return Err(AuthError::TokenExpired),
            Err(SimpleJwtFault::Signature) => {
                self.tell_of_key();
                return Err(AuthError::TokenInvalid);
            }
            Err(SimpleJwtFault::Malformed | SimpleJwtFault::WrongType) => {
                return Err(AuthError::TokenInvalid);
            }
        };
        if policy.blacklist.contains(&token.jti) {
            return Err(AuthError::Ended(Reason::SignedOut));
        }
        let user = self.user_of(&token).await?;
        let Some(user) = user else {
            if let Some(client) = client {
                events::record_refusal("former_user_unknown", client);
            }
            return Err(AuthError::TokenInvalid);
        };
        Ok(Some(FormerSession { user, device: token.device(), expires: token.expires }))
    }

    /// Until when it is remembered that the sessions under an external id have ended, which its user gives up now. The exchange
    /// may yet be switched on, or its last day be made a later one.
    pub(super) fn given_up_until(&self) -> Timestamp {
        let least = self.clock.world().now() + GIVEN_UP_KEPT;
        self.policy.as_ref().map_or(least, |policy| policy.until.max(least))
    }

    /// The kind of a token that the other system signed; `None` if it is none of its tokens.
    pub fn kind_of(&self, token: &str) -> Option<TokenKind> {
        let policy = self.policy_for(token)?;
        match verify(&policy.key, &policy.user_claim, token, self.clock.world().now()) {
            Ok(_) => Some(TokenKind::Refresh { expired: false }),
            Err(SimpleJwtFault::WrongType) => Some(TokenKind::Access { expired: false }),
            Err(_) => None,
        }
    }

    fn policy_for(&self, token: &str) -> Option<&FormerSessionPolicy> {
        let policy = self.policy.as_ref().filter(|_| is_jwt(token))?;
        (self.clock.world().now() < policy.until).then_some(policy)
    }

    async fn user_of(&self, token: &SimpleJwtRefresh) -> Result<Option<User>, AuthError> {
        let Ok(external_id) = ExternalId::parse(&token.user) else { return Ok(None) };
        Ok(self.store.read(FindSessionUser { external_id, device: token.device() }).await?)
    }

    fn tell_of_key(&self) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a token of SimpleJWT has a signature that was not made with simplejwt_signing_key: if every user has to sign in \
                 again, that setting is not the SIGNING_KEY (by default the SECRET_KEY) that Django signed with"
            );
        }
    }
}
