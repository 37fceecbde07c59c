//! Authentication of the caller: from an access token to a signed-in user, by the one decision.

use std::sync::Arc;

use super::ClientInfo;
use super::error::AuthError;
use super::last_seen::LastSeenNotes;
use crate::issuer::rollback::RollbackDetector;
use crate::issuer::signing_keys::SigningKeys;
use crate::model::claims::{Presented, RefreshClaims};
use crate::model::counters::KeysVersion;
use crate::model::device::{Device, LastSeen};
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::{Reason, Verdict};
use crate::store::queries::Query;
use crate::store::queries::standing::{CheckSeenStanding, CheckStanding, ReadStanding};
use crate::store::steps::Step;
use crate::store::steps::caller::{AskedFor, CallerToken, Refusal};
use crate::store::{Standing, Store};
use crate::token::keyring::Keyring;
use crate::token::refresh;
use crate::token::seen::VerifiedClaims;
use crate::world::World;

/// Finds out who calls: a signed-in user by an access token, or a server by its service key.
#[derive(Debug)]
pub struct Authentication {
    pub(super) store: Store,
    pub(super) world: World,
    pub(super) keys: Arc<SigningKeys>,
    pub(super) rollback: Arc<RollbackDetector>,
    pub(super) last_seen: Arc<LastSeenNotes>,
}

/// The bearer credential of a request (RFC 6750).
#[derive(Clone, PartialEq, Eq)]
pub enum Bearer {
    /// The request has no credential.
    Missing,
    /// The request has something that is not a bearer credential.
    Malformed,
    /// Text that may be a token.
    Token(String),
}

impl Bearer {
    /// The text that may be a token.
    fn token(&self) -> Result<&str, AuthError> {
        match self {
            Self::Missing => Err(AuthError::TokenMissing),
            Self::Malformed => Err(AuthError::TokenInvalid),
            Self::Token(token) => Ok(token),
        }
    }
}

/// The kind of an authentic token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token.
    Access {
        /// Whether the token's own time is over.
        expired: bool,
    },
    /// A refresh token.
    Refresh {
        /// Whether the token's own time is over.
        expired: bool,
    },
}

/// A signed-in user on one device.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The claims of the caller's token.
    pub claims: Arc<VerifiedClaims>,
    /// The user as stored.
    pub user: User,
    /// The device as stored.
    pub device: Device,
}

impl Authentication {
    /// Authenticates the bearer of an access token.
    pub async fn authenticate(&self, bearer: &Bearer, client: &ClientInfo) -> Result<Caller, AuthError> {
        // From the records: a step goes on with what they say.
        let read = |presented: Presented| ReadStanding { user: presented.user, device: presented.device };
        let (claims, standing) = self.judged(bearer.token()?, self.world.now(), read).await??;
        self.caller(claims, standing, client)
    }

    /// Authenticates the bearer of an access token, and tells when and from where the device was last seen before.
    pub(super) async fn authenticate_seen(
        &self,
        bearer: &Bearer,
        client: &ClientInfo,
    ) -> Result<(Caller, Option<LastSeen>), AuthError> {
        let now = self.world.now();
        let read = |presented| CheckSeenStanding { presented, now };
        let (claims, seen) = self.judged(bearer.token()?, now, read).await??;
        Ok((self.caller(claims, seen.standing, client)?, seen.last_seen))
    }

    /// Runs a step of the bearer of an access token, who is judged within it: whatever ended the token first wins, also
    /// a change of the key set. Returns what the token says and what became of the step; a refusal is an error.
    pub(super) async fn run_as<S: Step<Outcome: AskedFor>>(
        &self,
        bearer: &Bearer,
        step: impl Fn(CallerToken) -> S,
    ) -> Result<(Arc<VerifiedClaims>, S::Outcome), AuthError> {
        let token = bearer.token()?;
        self.rollback.check()?;
        let mut keyring = self.keys.current();
        loop {
            let claims = self.authentic(token, &mut keyring).await?;
            if claims.is_from_the_future(self.world.now()) {
                return Err(AuthError::TokenExpired);
            }
            let presented = (&**claims).into();
            let outcome = self.store.run(step(CallerToken { presented, keys: keyring.version() })).await?;
            match outcome.refusal() {
                None => return Ok((claims, outcome)),
                Some(Refusal::OtherKeys) => keyring = self.keys.reload().await?,
                Some(Refusal::Ahead) => return Err(self.rollback.ahead(presented, None).await.into()),
                Some(Refusal::Ended(reason)) => {
                    if reason == Reason::SignedOut {
                        self.rollback.unknown_device(presented, None).await?;
                    }
                    return Err(reason.into());
                }
            }
        }
    }

    /// Runs a step of the holder of a refresh token, who is judged within it. Returns what the token says and what became of
    /// the step, which may be a refusal, but never [`Refusal::OtherKeys`].
    pub(super) async fn run_by_refresh<S: Step<Outcome: AskedFor>>(
        &self,
        token: &str,
        step: impl Fn(RefreshClaims, KeysVersion) -> S,
    ) -> Result<(RefreshClaims, S::Outcome), AuthError> {
        // What cannot be a refresh token needs no look at the store.
        if !token.starts_with(refresh::HEADER) {
            return Err(AuthError::TokenInvalid);
        }
        self.rollback.check()?;
        let mut keyring = self.keys.current();
        loop {
            let Ok(claims) = keyring.open_refresh(token) else {
                keyring = self.keys.newer_than(&keyring).await?.ok_or(AuthError::TokenInvalid)?;
                continue;
            };
            let outcome = self.store.run(step(claims.clone(), keyring.version())).await?;
            if outcome.refusal() != Some(Refusal::OtherKeys) {
                return Ok((claims, outcome));
            }
            keyring = self.keys.reload().await?;
        }
    }

    fn caller(
        &self,
        claims: Arc<VerifiedClaims>,
        standing: Standing,
        client: &ClientInfo,
    ) -> Result<Caller, AuthError> {
        let (Some(user), Some(device)) = (standing.user, standing.device) else {
            return Err(AuthError::TokenInvalid);
        };
        self.last_seen.note(&user, &device, client);
        Ok(Caller { claims, user, device })
    }

    /// The claims of an authentic access token with the stored state of its user and device, or the reason why it ended
    /// by the one decision.
    pub(super) async fn judged_access(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Result<(Arc<VerifiedClaims>, Standing), Reason>, AuthError> {
        self.judged(token, now, |presented| CheckStanding { presented, now }).await
    }

    /// The claims of an authentic access token with what `read` reads of its user and device, or the reason why it ended by
    /// the one decision.
    ///
    /// What is rare is awaited in a box: it would make the future of every check many times as large.
    async fn judged<Q: Query<Answer: AsRef<Standing>>>(
        &self,
        token: &str,
        now: Timestamp,
        read: impl Fn(Presented) -> Q,
    ) -> Result<Result<(Arc<VerifiedClaims>, Q::Answer), Reason>, AuthError> {
        self.rollback.check()?;
        let mut keyring = self.keys.current();
        loop {
            let claims = self.authentic(token, &mut keyring).await?;
            let presented = (&**claims).into();
            let answer = self.store.read(read(presented)).await?;
            let standing = answer.as_ref();
            if standing.counters.keys != keyring.version() {
                // The key set changed: what the old keyring vouched for no longer counts.
                keyring = Box::pin(self.keys.reload()).await?;
                continue;
            }
            return Ok(match standing.judge(&presented, now) {
                // It may be another node's clock that is wrong, or this one's: a refresh helps where the token is good.
                Verdict::Live if claims.is_from_the_future(now) => Err(Reason::Expired),
                Verdict::Live => Ok((claims, answer)),
                Verdict::Ended(reason) => {
                    if reason == Reason::SignedOut && standing.device.is_none() {
                        Box::pin(self.rollback.unknown_device(presented, None)).await?;
                    }
                    Err(reason)
                }
                Verdict::Ahead => return Err(Box::pin(self.rollback.ahead(presented, None)).await.into()),
            });
        }
    }

    /// The claims of a token that is authentic by `keyring`, or by the stored key set if that is newer.
    async fn authentic(
        &self,
        token: &str,
        keyring: &mut Arc<Keyring>,
    ) -> Result<Arc<VerifiedClaims>, AuthError> {
        loop {
            if let Ok(claims) = keyring.trusted().verify(token) {
                return Ok(claims);
            }
            *keyring = Box::pin(self.keys.newer_than(keyring)).await?.ok_or(AuthError::TokenInvalid)?;
        }
    }

    /// The kind of a token of this issuer, whether or not it is still valid; `None` if it is not authentic.
    pub async fn kind_of(&self, token: &str) -> Result<Option<TokenKind>, AuthError> {
        let now = self.world.now();
        if let Some(claims) = self.authentic_refresh(token).await? {
            return Ok(Some(TokenKind::Refresh { expired: claims.expires <= now }));
        }
        let access = self.authentic_access(token).await?;
        Ok(access.map(|claims| TokenKind::Access { expired: claims.expires <= now }))
    }

    /// The claims of an authentic access token of this issuer, whether or not it is still valid.
    pub(super) async fn authentic_access(
        &self,
        token: &str,
    ) -> Result<Option<Arc<VerifiedClaims>>, AuthError> {
        let keyring = self.keys.checked().await?;
        Ok(keyring.trusted().verify(token).ok())
    }

    /// The claims of an authentic refresh token of this issuer, whether or not it is still valid.
    pub(super) async fn authentic_refresh(&self, token: &str) -> Result<Option<RefreshClaims>, AuthError> {
        // Introspection and revocation are asked about access tokens too: those need no look at the store here.
        if !token.starts_with(refresh::HEADER) {
            return Ok(None);
        }
        Ok(Box::pin(self.keys.checked()).await?.open_refresh(token).ok())
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::Malformed => "Malformed",
            Self::Token(_) => "Token(..)",
        })
    }
}
