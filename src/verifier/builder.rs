//! Configuration of a verifier, and its errors.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::event::{Event, EventListener};
use super::issuer_error::IssuerError;
use super::keys::KeyHolder;
use super::link::{Link, ServiceKey};
use super::names::AcceptedNames;
use super::rejection::Doubt;
use super::replica::Replica;
use super::replica_task::ReplicaTask;
use super::state::{Now, ReplicaState};
use super::{ReplicaView, Task, Verifier, WhenStale};
use crate::model::counters::Era;
use crate::model::names::Names;
use crate::world::World;

/// The interval of pings, unless `max_staleness` requires a shorter one.
const PING_EVERY: Duration = Duration::from_secs(2);

/// The shortest `max_staleness`: below it an ordinary pause would refuse everybody.
const SHORTEST_STALENESS: Duration = Duration::from_secs(1);

/// The configuration of a verifier. Created by [`Verifier::builder`].
#[derive(Debug)]
pub struct Builder {
    url: String,
    issuer: Option<String>,
    audience: Option<String>,
    service_key: Option<ServiceKey>,
    max_staleness: Duration,
    when_stale: WhenStale,
    max_entries: usize,
    remembered_tokens: usize,
    timeout: Duration,
    listener: EventListener,
}

/// The reason why a verifier did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No audience was set. Without one, tokens meant for another service would be accepted.
    #[error("no audience: name the one that the issuer's tokens for this service carry")]
    NoAudience,
    /// No service key was set.
    #[error("no service key: make one with `rescind service-key add NAME --scope feed`")]
    NoServiceKey,
    /// The `max_staleness` is under one second.
    #[error("max_staleness is too short: {} s is the least", SHORTEST_STALENESS.as_secs())]
    TooStrict,
    /// Another issuer answers at the address.
    #[error("the issuer at this address is {found:?}, not {expected:?}: if that is right, set `issuer`")]
    OtherIssuer {
        /// The issuer that was expected.
        expected: String,
        /// The issuer that answered.
        found: String,
    },
    /// The issuer's answers are not signed with its published keys.
    #[error("the issuer's answers are not authentic: something alters them on their way")]
    NotAuthentic,
    /// A request to the issuer failed.
    #[error("{0}")]
    Issuer(#[from] IssuerError),
    /// The issuer answers, but freshness could not be proven in time.
    #[error("freshness was not proven within {} s: {}", .waited.as_secs(), super::Rejection::Stale(*.doubt))]
    NotFresh {
        /// How long [`Builder::connect`] waited.
        waited: Duration,
        /// Why freshness is not proven.
        doubt: Doubt,
    },
}

impl ConnectError {
    /// Whether the error may be temporary, so that trying again may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Issuer(error) => error.may_pass(),
            Self::NotFresh { .. } => true,
            _ => false,
        }
    }
}

impl Builder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            issuer: None,
            audience: None,
            service_key: None,
            max_staleness: Duration::from_secs(10),
            when_stale: WhenStale::Refuse,
            max_entries: 1_000_000,
            remembered_tokens: 16_384,
            timeout: Duration::from_secs(10),
            listener: EventListener::default(),
        }
    }

    /// Sets the `iss` of the issuer's tokens, if it is not the url. Together with the audience it identifies the expected service;
    /// see [Whose tokens are accepted](super#whose-tokens-are-accepted).
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    /// Sets the `aud` of the issuer's tokens. Required.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// Sets the service key that reads the feed: with scope `feed`, and `introspect` too for
    /// [`WhenStale::Introspect`]. Required.
    #[must_use]
    pub fn service_key(mut self, key: ServiceKey) -> Self {
        self.service_key = Some(key);
        self
    }

    /// Sets the greatest age of the last proof of freshness; default 10 s.
    #[must_use]
    pub fn max_staleness(mut self, max_staleness: Duration) -> Self {
        self.max_staleness = max_staleness;
        self
    }

    /// Sets the behaviour past `max_staleness`; default [`WhenStale::Refuse`].
    #[must_use]
    pub fn when_stale(mut self, when_stale: WhenStale) -> Self {
        self.when_stale = when_stale;
        self
    }

    /// Sets the most ended users and devices of the last 65 minutes in memory, about 100 bytes each; default
    /// 1,000,000. Above it every token is refused as stale.
    #[must_use]
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// Sets the most tokens whose verified signature is cached, about 1 KiB each; default 16,384. A smaller cache
    /// costs speed, never safety.
    #[must_use]
    pub fn remembered_tokens(mut self, tokens: usize) -> Self {
        self.remembered_tokens = tokens;
        self
    }

    /// Sets how long [`connect`](Self::connect) waits for the first proof; default 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets a listener for all events. It is called on the verifier's task and must not block.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listener = EventListener::new(listener);
        self
    }

    /// Reads the recent revocations and proves that they are fresh; then the verifier is ready. From then on it stays
    /// connected by itself, on a task of the current Tokio runtime, until its last clone is dropped.
    pub async fn connect(self) -> Result<Verifier, ConnectError> {
        let world = World::real();
        let audience =
            self.audience.filter(|audience| !audience.is_empty()).ok_or(ConnectError::NoAudience)?;
        let key = self.service_key.ok_or(ConnectError::NoServiceKey)?;
        if self.max_staleness < SHORTEST_STALENESS {
            return Err(ConnectError::TooStrict);
        }
        let link = Link::to(&self.url, &key)?;
        let expected = Names { issuer: self.issuer.unwrap_or(self.url), audience };
        let holder = KeyHolder::new(self.remembered_tokens, expected.clone());
        let view = Arc::new(ReplicaView {
            expected,
            max_staleness: self.max_staleness,
            max_entries: self.max_entries,
            listener: self.listener,
            keys: ArcSwap::from_pointee(holder.none()),
            state: ArcSwap::from_pointee(ReplicaState::of(None, Era::default())),
            fresh: watch::Sender::new(false),
            world: world.clone(),
        });
        let mut replica = Replica::new(Arc::clone(&view), holder);

        let published = link.keys().await?;
        if link.is_exposed() {
            view.listener.notify(&Event::Unencrypted(link.base().to_owned()));
        }
        if AcceptedNames::of(&view.expected, &published).is_none() {
            let (expected, found) = (view.expected.issuer.clone(), published.issuer);
            return Err(ConnectError::OtherIssuer { expected, found });
        }
        replica.publish(&published);
        let asked = replica.ask().ok_or(ConnectError::NotAuthentic)?;
        replica.pong(&link.ping(&asked, None).await?);
        if !replica.knows_store() {
            return Err(ConnectError::NotAuthentic);
        }
        let events = link.stream(None).await?;

        let ping_every = PING_EVERY.min(self.max_staleness / 4);
        let task = ReplicaTask::new(replica, link.clone(), world, view.listener.clone(), events, ping_every);
        let task = Arc::new(Task(tokio::spawn(task.run())));
        let mut fresh = view.fresh.subscribe();
        let proven = tokio::time::timeout(self.timeout, fresh.wait_for(|fresh| *fresh)).await;
        if !matches!(proven, Ok(Ok(_))) {
            let doubt = view.state.load().doubt(Now::of(&view.world), view.max_staleness);
            return Err(ConnectError::NotFresh {
                waited: self.timeout,
                doubt: doubt.unwrap_or(Doubt::Unproven),
            });
        }
        Ok(Verifier { view, link, when_stale: self.when_stale, _task: task })
    }
}
