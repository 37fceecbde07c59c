//! Refresh: exchanges a refresh token for a new pair of tokens.

use std::net::IpAddr;

use super::error::AuthError;
use super::issue::Issued;
use super::{Auth, ClientInfo};
use crate::log::request_id::request_id;
use crate::model::claims::RefreshClaims;
use crate::model::device::{Device, LastSeen};
use crate::model::network::Network;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Reason;
use crate::store::StoreError;
use crate::store::steps::caller::Refusal;
use crate::store::steps::rotate_refresh::{Refreshed, RotateRefresh};
use crate::store::steps::session::Session;
use crate::token::refresh;

impl Auth {
    /// Decides on a refresh token by the replay rule and mints the resulting tokens.
    pub async fn refresh(&self, token: &str, origin: &ClientInfo) -> Result<Issued, AuthError> {
        let claims = self.authentic_refresh(token).await?.ok_or(AuthError::TokenInvalid)?;
        self.rollback.check()?;
        let (presented, sequence) = ((&claims).into(), Some(claims.sequence));
        let good_until = claims.expires;
        let now = self.world.now();
        let request = RotateRefresh {
            claims,
            network: Network::of(origin.address),
            origin: Some(described(Some(origin.address), origin.user_agent.as_deref())),
            policy: self.policy.replay,
            idle: self.lasting(self.policy.device_idle),
            now,
            steady: self.clock.steady(),
        };
        let refreshed = self.store.run(request).await?;
        self.metrics.refresh(class(&refreshed));
        match refreshed {
            Refreshed::Rotated(session) | Refreshed::Repeated(session) => {
                self.renewed(*session, origin, now).await
            }
            Refreshed::Recovered(session) => {
                let (user, device) = (session.user.id, session.device.id);
                tracing::info!(event = "refresh_recovered", %user, %device, address = %origin.address, request_id = request_id(), "a used refresh token was let through: a lost answer, or a copy");
                self.renewed(*session, origin, now).await
            }
            Refreshed::Reused { device, last_seen } => {
                self.metrics.sign_out("refresh_reused");
                warn_of_reuse(&device, last_seen.as_ref(), origin);
                Err(AuthError::RefreshReused)
            }
            Refreshed::Refused(Refusal::Ended(Reason::Expired)) if self.ran_out_by_a_jump(good_until) => Err(
                StoreError::WrongClock("it jumped ahead, and a device would have run out by that".to_owned())
                    .into(),
            ),
            // To a client, a device that ran out is one that was signed out: its user signs in again.
            Refreshed::Refused(Refusal::Ended(Reason::Expired)) => Err(AuthError::Ended(Reason::SignedOut)),
            Refreshed::Refused(Refusal::Ahead) => Err(self.rollback.ahead(presented, sequence).await.into()),
            Refreshed::Refused(refusal) => {
                if refusal == Refusal::Ended(Reason::SignedOut) {
                    self.rollback.unknown_device(presented, sequence).await?;
                }
                Err(refusal.into())
            }
        }
    }

    /// The claims of an authentic refresh token of this issuer, whether or not it is still valid.
    pub(super) async fn authentic_refresh(&self, token: &str) -> Result<Option<RefreshClaims>, AuthError> {
        // Introspection and revocation are asked about access tokens too: those need no look at the store here.
        if !token.starts_with(refresh::HEADER) {
            return Ok(None);
        }
        Ok(self.keys.checked().await?.open_refresh(token).ok())
    }

    async fn renewed(
        &self,
        session: Session,
        origin: &ClientInfo,
        now: Timestamp,
    ) -> Result<Issued, AuthError> {
        self.last_seen.note(&session.user, &session.device, origin, &self.world);
        self.issue(session, now).await
    }
}

fn class(refreshed: &Refreshed) -> &'static str {
    match refreshed {
        Refreshed::Rotated(_) => "rotated",
        Refreshed::Repeated(_) => "repeated",
        Refreshed::Recovered(_) => "recovered",
        Refreshed::Reused { .. } => "reused",
        Refreshed::Refused(Refusal::Ended(_)) => "ended",
        Refreshed::Refused(Refusal::Ahead) => "ahead",
    }
}

fn described(address: Option<IpAddr>, user_agent: Option<&str>) -> String {
    let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    format!("{address} {}", user_agent.unwrap_or("-"))
}

fn warn_of_reuse(device: &Device, last_seen: Option<&LastSeen>, origin: &ClientInfo) {
    tracing::warn!(
        event = "refresh_reused",
        user = %device.user,
        device = %device.id,
        presented_by = described(Some(origin.address), origin.user_agent.as_deref()),
        last_seen_by = last_seen.map(|seen| described(seen.address, seen.user_agent.as_deref())),
        request_id = request_id(),
        "a refresh token was used again: its device is signed out"
    );
}
