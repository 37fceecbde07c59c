//! Refresh: exchanges a refresh token for a new pair of tokens, and the refresh token of another system for the first one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::authenticate::Authentication;
use super::error::AuthError;
use super::former_sessions::{FormerSession, FormerSessions};
use super::issue::{Issued, TokenMint};
use super::last_seen::LastSeenNotes;
use super::login::{DeviceWish, SignIn};
use super::{ClientInfo, events};
use crate::issuer::rollback::RollbackDetector;
use crate::log::request_id::request_id;
use crate::metrics::Metrics;
use crate::model::claims::RefreshClaims;
use crate::model::device::{Device, LastSeen};
use crate::model::network::Network;
use crate::model::replay::ReplayPolicy;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Reason;
use crate::store::queries::standing::ReadStanding;
use crate::store::steps::caller::Refusal;
use crate::store::steps::continue_session::{ContinueSession, Continued};
use crate::store::steps::open_device::{OpenDevice, Opened};
use crate::store::steps::rotate_refresh::{Refreshed, RotateRefresh};
use crate::store::steps::session::{NewDevice, Session};
use crate::store::{Store, StoreError};
use crate::world::reference::ReferenceClock;

/// The exchange of refresh tokens.
#[derive(Debug)]
pub struct Refresh {
    pub(super) authentication: Arc<Authentication>,
    pub(super) former_sessions: Arc<FormerSessions>,
    pub(super) sign_in: Arc<SignIn>,
    pub(super) store: Store,
    pub(super) clock: Arc<ReferenceClock>,
    pub(super) rollback: Arc<RollbackDetector>,
    pub(super) mint: Arc<TokenMint>,
    pub(super) last_seen: Arc<LastSeenNotes>,
    /// The refresh-token replay rule.
    pub(super) replay: ReplayPolicy,
    /// The time after which a device expires without a refresh.
    pub(super) device_idle: Duration,
    /// The most live devices of a user.
    pub(super) most: u64,
    pub(super) metrics: Arc<Metrics>,
}

impl Refresh {
    /// Decides on a refresh token by the replay rule and mints the resulting tokens. The refresh token of another system
    /// opens the device `wish`, if it was not exchanged before.
    pub async fn refresh(
        &self,
        token: &str,
        wish: DeviceWish,
        client: &ClientInfo,
    ) -> Result<Issued, AuthError> {
        if let Some(session) = self.former_sessions.find(token, Some(client)).await? {
            return self.continue_session(&session, wish, client).await;
        }
        let now = self.clock.world().now();
        let step = |claims, keys| RotateRefresh { keys: Some(keys), ..self.request(claims, client, now) };
        let (claims, refreshed) = self.authentication.run_by_refresh(token, step).await?;
        self.answered(refreshed, &claims, client, now).await
    }

    /// Continues a session of another system.
    async fn continue_session(
        &self,
        session: &FormerSession,
        wish: DeviceWish,
        client: &ClientInfo,
    ) -> Result<Issued, AuthError> {
        self.rollback.check()?;
        let now = self.clock.world().now();
        let (user, claims) = (session.user.id, session.claims());
        let standing = self.store.read(ReadStanding { user, device: session.device }).await?;
        let is_new = standing.device.is_none();
        if is_new {
            self.sign_in.limits.signed_in(user, client.address, self.clock.world().uptime())?;
        }
        let device = NewDevice { id: session.device, ..self.sign_in.new_device(wish, client, now) };
        let open = OpenDevice { user, verified: None, device, most: self.most, now };
        let refresh = self.request(claims.clone(), client, now);
        let continued = self.store.run(ContinueSession { open, refresh }).await;
        if is_new && !matches!(continued, Ok(Continued::Opened(Opened::Opened { .. }))) {
            self.sign_in.limits.not_signed_in(user, client.address);
        }
        match continued? {
            Continued::Refreshed(refreshed) => self.answered(refreshed, &claims, client, now).await,
            Continued::Opened(opened) => {
                let issued = self.sign_in.opened(user, opened, now).await;
                let issued = issued.map_err(|error| match error {
                    AuthError::WrongCredentials => AuthError::TokenInvalid,
                    error => error,
                })?;
                self.metrics.refresh("exchanged");
                events::record("session_continued", Some(user), Some(issued.device.id), client);
                Ok(issued)
            }
        }
    }

    fn request(&self, claims: RefreshClaims, client: &ClientInfo, now: Timestamp) -> RotateRefresh {
        RotateRefresh {
            claims,
            keys: None,
            network: Network::of(client.address),
            origin: Some(described(Some(client.address), client.user_agent.as_deref())),
            policy: self.replay,
            idle: self.clock.lasting(self.device_idle),
            now,
            latest: self.clock.latest(),
            steady: self.clock.steady(),
        }
    }

    async fn answered(
        &self,
        refreshed: Refreshed,
        claims: &RefreshClaims,
        client: &ClientInfo,
        now: Timestamp,
    ) -> Result<Issued, AuthError> {
        let (presented, sequence) = (claims.into(), Some(claims.sequence));
        let good_until = claims.expires;
        self.metrics.refresh(class(&refreshed));
        match refreshed {
            Refreshed::Rotated(session) | Refreshed::Renewed(session) | Refreshed::Repeated(session) => {
                self.renewed(*session, client, now).await
            }
            Refreshed::Recovered(session) => {
                let (user, device) = (session.user.id, session.device.id);
                tracing::info!(event = "refresh_recovered", %user, %device, address = %client.address, request_id = request_id(), "a used refresh token was let through: a lost answer, or a copy");
                self.renewed(*session, client, now).await
            }
            Refreshed::Reused { device, last_seen } => {
                self.metrics.sign_out("refresh_reused");
                warn_of_reuse(&device, last_seen.as_ref(), client);
                Err(AuthError::RefreshReused)
            }
            Refreshed::Refused(Refusal::Ended(Reason::Expired)) if self.clock.has_jumped_past(good_until) => {
                Err(StoreError::WrongClock(
                    "it jumped ahead, and a device would have run out by that".to_owned(),
                )
                .into())
            }
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

    async fn renewed(
        &self,
        session: Session,
        client: &ClientInfo,
        now: Timestamp,
    ) -> Result<Issued, AuthError> {
        self.last_seen.note(&session.user, &session.device, client);
        self.mint.session(session, now).await
    }
}

fn class(refreshed: &Refreshed) -> &'static str {
    match refreshed {
        Refreshed::Rotated(_) => "rotated",
        Refreshed::Renewed(_) => "renewed",
        Refreshed::Repeated(_) => "repeated",
        Refreshed::Recovered(_) => "recovered",
        Refreshed::Reused { .. } => "reused",
        Refreshed::Refused(Refusal::Ended(_) | Refusal::OtherKeys) => "ended",
        Refreshed::Refused(Refusal::Ahead) => "ahead",
    }
}

fn described(address: Option<IpAddr>, user_agent: Option<&str>) -> String {
    let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    format!("{address} {}", user_agent.unwrap_or("-"))
}

fn warn_of_reuse(device: &Device, last_seen: Option<&LastSeen>, client: &ClientInfo) {
    tracing::warn!(
        event = "refresh_reused",
        user = %device.user,
        device = %device.id,
        presented_by = described(Some(client.address), client.user_agent.as_deref()),
        last_seen_by = last_seen.map(|seen| described(seen.address, seen.user_agent.as_deref())),
        request_id = request_id(),
        "a refresh token was used again: its device is signed out"
    );
}
