//! How a verifier is set up, and what can be wrong with that.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::event::{Event, Listener};
use super::follow::Follow;
use super::follower::Follower;
use super::keys::KeyHolder;
use super::link::{Link, ServiceKey, Trouble};
use super::rejection::Doubt;
use super::state::{Now, State};
use super::{Task, Verifier, View, WhenStale};
use crate::model::counters::Era;
use crate::world::World;

/// How often freshness is proven, unless `max_staleness` asks for more.
const PING_EVERY: Duration = Duration::from_secs(2);

/// The shortest `max_staleness`: below it an ordinary pause would refuse everybody.
const SHORTEST_STALENESS: Duration = Duration::from_secs(1);

/// What a verifier needs to know. Begin with [`Verifier::builder`].
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
    patience: Duration,
    listener: Listener,
}

/// Why a verifier did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No audience was named. Without one, tokens meant for another service would be accepted here.
    #[error("no audience: name the one that the issuer's tokens for this service carry")]
    NoAudience,
    /// No service key was given.
    #[error("no service key: make one with `rescind service-key add NAME --scope feed`")]
    NoServiceKey,
    /// A `max_staleness` under one second.
    #[error("max_staleness is too short: {} s is the least", SHORTEST_STALENESS.as_secs())]
    TooStrict,
    /// Somebody else answers there.
    #[error(
        "the issuer there calls itself {found:?}, not {expected:?}: if that is right, say it with `issuer`"
    )]
    OtherIssuer {
        /// Who was expected.
        expected: String,
        /// Who answered.
        found: String,
    },
    /// What the issuer answers is not signed with its published keys.
    #[error("the issuer's answers are not authentic: something alters them on their way")]
    NotAuthentic,
    /// The issuer could not be asked.
    #[error("{0}")]
    Issuer(#[from] Trouble),
    /// The issuer answers, but freshness could not be proven in time.
    #[error("freshness was not proven within {} s: {}", .waited.as_secs(), super::Rejection::Stale(*.doubt))]
    NotFresh {
        /// How long was waited.
        waited: Duration,
        /// What is missing.
        doubt: Doubt,
    },
}

impl ConnectError {
    /// Whether trying again may help without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Issuer(trouble) => trouble.may_pass(),
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
            patience: Duration::from_secs(10),
            listener: Listener::default(),
        }
    }

    /// The `iss` that tokens must carry, if it is not the url.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    /// The `aud` that tokens must carry.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// The credential the feed is read with: a service key with scope `feed`, and `introspect` too when it is to
    /// [ask](WhenStale::Introspect).
    #[must_use]
    pub fn service_key(mut self, key: ServiceKey) -> Self {
        self.service_key = Some(key);
        self
    }

    /// How old the last proof of freshness may be; 10 s unless said otherwise.
    #[must_use]
    pub fn max_staleness(mut self, max_staleness: Duration) -> Self {
        self.max_staleness = max_staleness;
        self
    }

    /// What to do past it: refuse, unless said otherwise.
    #[must_use]
    pub fn when_stale(mut self, when_stale: WhenStale) -> Self {
        self.when_stale = when_stale;
        self
    }

    /// How many ended users and devices of the last 65 minutes are held at most; a million unless said otherwise, at
    /// about 100 bytes each when they come. Past it everything is refused.
    #[must_use]
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// How many tokens are remembered whose signature was checked; 16,384 unless said otherwise, at about 1 KiB each
    /// when they come. It costs speed, never safety, when there are more.
    #[must_use]
    pub fn remembered_tokens(mut self, tokens: usize) -> Self {
        self.remembered_tokens = tokens;
        self
    }

    /// How long [`connect`](Self::connect) waits for the first proof; 10 s unless said otherwise.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Calls `listener` with everything that happens, on the verifier's task: it must not block.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listener = Listener::new(listener);
        self
    }

    /// Reads all that has ended lately and proves that it is fresh; then the verifier is ready. From then on it
    /// stays connected by itself, on a task of the runtime this is called in, until its last clone is dropped.
    pub async fn connect(self) -> Result<Verifier, ConnectError> {
        let world = World::real();
        let audience =
            self.audience.filter(|audience| !audience.is_empty()).ok_or(ConnectError::NoAudience)?;
        let key = self.service_key.ok_or(ConnectError::NoServiceKey)?;
        if self.max_staleness < SHORTEST_STALENESS {
            return Err(ConnectError::TooStrict);
        }
        let link = Link::to(&self.url, &key)?;
        let holder = KeyHolder::new(self.remembered_tokens);
        let view = Arc::new(View {
            issuer: self.issuer.unwrap_or(self.url),
            audience,
            max_staleness: self.max_staleness,
            max_entries: self.max_entries,
            listener: self.listener,
            keys: ArcSwap::from_pointee(holder.none()),
            state: ArcSwap::from_pointee(State::of(None, Era::default())),
            fresh: watch::Sender::new(false),
            world: world.clone(),
        });
        let mut follower = Follower::new(Arc::clone(&view), holder);

        let published = link.keys().await?;
        if link.is_exposed() {
            view.listener.tell(&Event::Unencrypted(link.base().to_owned()));
        }
        if published.issuer != view.issuer {
            let (expected, found) = (view.issuer.clone(), published.issuer.clone());
            return Err(ConnectError::OtherIssuer { expected, found });
        }
        follower.publish(&published);
        let asked = follower.ask().ok_or(ConnectError::NotAuthentic)?;
        follower.pong(&link.ping(&asked, None).await?);
        if !follower.knows_store() {
            return Err(ConnectError::NotAuthentic);
        }
        let events = link.stream(None).await?;

        let ping_every = PING_EVERY.min(self.max_staleness / 4);
        let follow = Follow::new(follower, link.clone(), world, view.listener.clone(), events, ping_every);
        let task = Arc::new(Task(tokio::spawn(follow.run())));
        let mut fresh = view.fresh.subscribe();
        let proven = tokio::time::timeout(self.patience, fresh.wait_for(|fresh| *fresh)).await;
        if !matches!(proven, Ok(Ok(_))) {
            let doubt = view.state.load().doubt(Now::of(&view.world), view.max_staleness);
            return Err(ConnectError::NotFresh {
                waited: self.patience,
                doubt: doubt.unwrap_or(Doubt::Unproven),
            });
        }
        Ok(Verifier { view, link, when_stale: self.when_stale, _task: task })
    }
}
