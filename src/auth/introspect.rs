//! Token introspection for resource servers (RFC 7662), by the same decision as every other check.

use std::sync::Arc;

use super::authenticate::Authentication;
use super::error::AuthError;
use super::former_sessions::FormerSessions;
use crate::issuer::rollback::RollbackDetector;
use crate::model::authentication_method::AuthenticationMethod;
use crate::model::claims::RefreshClaims;
use crate::model::verdict::{Reason, Verdict};
use crate::store::queries::former_sessions::FindFormerEnd;
use crate::store::queries::standing::ReadStanding;
use crate::store::{Store, StoreError};
use crate::token::seen::VerifiedClaims;
use crate::world::reference::ReferenceClock;

/// The result of an introspection.
#[derive(Clone, Debug)]
pub enum Introspection {
    /// The token is not active; the reason is not revealed.
    Inactive,
    /// The token is an access token that acts for its user.
    Access {
        /// The claims of the access token.
        claims: Arc<VerifiedClaims>,
        /// The username, as displayed.
        username: String,
        /// How the user proved who they are.
        amr: Vec<AuthenticationMethod>,
    },
    /// The token is the newest refresh token of a live device.
    Refresh {
        /// The claims of the refresh token.
        claims: Box<RefreshClaims>,
        /// The username, as displayed.
        username: String,
        /// How the user proved who they are.
        amr: Vec<AuthenticationMethod>,
    },
}

/// Answers resource servers that ask about a token.
#[derive(Debug)]
pub struct Introspector {
    pub(super) authentication: Arc<Authentication>,
    pub(super) former_sessions: Arc<FormerSessions>,
    pub(super) store: Store,
    pub(super) clock: Arc<ReferenceClock>,
    pub(super) rollback: Arc<RollbackDetector>,
}

impl Introspector {
    /// Whether a token is one of another system that would be exchanged now; `false` if it is none at all.
    pub async fn acts_for_former_session(&self, token: &str) -> Result<bool, AuthError> {
        let Some(session) = self.former_sessions.find(token, None).await? else { return Ok(false) };
        self.rollback.check()?;
        let (user, device) = (session.user.id, session.device);
        let standing = self.store.read(ReadStanding { user, device }).await?;
        let Some(user) = &standing.user else { return Err(AuthError::TokenInvalid) };
        let era = standing.counters.era;
        let claims = RefreshClaims { stamp: user.stamp(era), ..session.claims() };
        let verdict = match &standing.device {
            Some(_) => standing.judge_refresh(&(&claims).into(), self.clock.world().now()),
            None if user.disabled.is_some() => Verdict::Ended(Reason::UserDisabled),
            None => {
                let ended = self.store.read(FindFormerEnd { user: user.id }).await?;
                ended.map_or(Verdict::Live, Verdict::Ended)
            }
        };
        match verdict {
            Verdict::Live if standing.is_below_floor(claims.sequence) => {
                Err(AuthError::Ended(Reason::PasswordChanged))
            }
            Verdict::Live => Ok(true),
            Verdict::Ended(Reason::Expired) => Err(AuthError::TokenExpired),
            Verdict::Ended(reason) => Err(AuthError::Ended(reason)),
            Verdict::Ahead => Err(AuthError::RolledBack),
        }
    }

    /// Introspects a token. If the store cannot answer, that is an error, never "inactive".
    pub async fn introspect(&self, token: &str) -> Result<Introspection, AuthError> {
        self.rollback.check()?;
        let now = self.clock.world().now();
        if let Some(claims) = self.authentication.authentic_refresh(token).await? {
            let standing =
                self.store.read(ReadStanding { user: claims.subject, device: claims.device }).await?;
            let good_until = claims.expires;
            let newest =
                standing.device.as_ref().is_some_and(|device| device.refresh.current == claims.sequence);
            let (presented, sequence) = ((&claims).into(), Some(claims.sequence));
            let verdict = standing.judge_refresh(&presented, now);
            let is_unknown = verdict == Verdict::Ended(Reason::SignedOut) && standing.device.is_none();
            if is_unknown {
                Box::pin(self.rollback.unknown_device(presented, sequence)).await?;
            }
            if verdict == Verdict::Live
                && standing.device.as_ref().is_some_and(|device| device.refresh.current < claims.sequence)
            {
                return Err(Box::pin(self.rollback.ahead(presented, sequence)).await.into());
            }
            let amr = standing.device.map(|device| device.amr).unwrap_or_default();
            return match (verdict, standing.user) {
                (Verdict::Live, Some(user)) if newest => {
                    let username = user.username.shown().to_owned();
                    Ok(Introspection::Refresh { claims: Box::new(claims), username, amr })
                }
                (Verdict::Ended(Reason::Expired), _) if self.clock.has_jumped_past(good_until) => {
                    Err(StoreError::WrongClock("it jumped ahead".to_owned()).into())
                }
                (Verdict::Ahead, _) => Err(Box::pin(self.rollback.ahead(presented, sequence)).await.into()),
                _ => Ok(Introspection::Inactive),
            };
        }
        match self.authentication.judged_access(token, now).await {
            Ok(Ok((claims, standing))) => {
                let username = standing.user.map(|user| user.username.shown().to_owned()).unwrap_or_default();
                let amr = standing.device.map(|device| device.amr).unwrap_or_default();
                Ok(Introspection::Access { claims, username, amr })
            }
            Ok(Err(_)) | Err(AuthError::TokenInvalid) => Ok(Introspection::Inactive),
            Err(error) => Err(error),
        }
    }
}
