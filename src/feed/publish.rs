//! Publishing new log entries to all followers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::Feed;
use super::error::FeedError;
use crate::model::counters::{KeysVersion, Position};
use crate::model::service_key::Scope;
use crate::store::StoreError;
use crate::store::queries::keys::FindServiceKey;
use crate::token::feed::MOST_SENT;

/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(100);

/// The time after which a store that does not answer counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The interval at which the followers' service keys are checked.
const CHECK_KEYS_EVERY: Duration = Duration::from_millis(500);

impl Feed {
    /// Publishes new entries and checks followers until dropped. Failures are retried.
    pub async fn run(self: Arc<Self>) -> Infallible {
        tokio::join!(self.publish_new_entries(), self.check_followers()).0
    }

    async fn publish_new_entries(&self) -> Infallible {
        let mut failing = false;
        let mut signed_under = None;
        loop {
            let outcome = match timeout(PATIENCE, self.publish(&mut signed_under)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(StoreError::Unavailable("it takes too long".to_owned()).into()),
            };
            match &outcome {
                Err(error) if !failing => tracing::warn!(%error, "the feed cannot publish"),
                Ok(()) if failing => tracing::warn!("the feed publishes again"),
                _ => {}
            }
            failing = outcome.is_err();
            let published = self.news.borrow().published;
            if failing || self.store.log_grew(published).await.is_err() {
                sleep(PAUSE).await;
            }
        }
    }

    /// Publishes all entries that are not yet published.
    async fn publish(&self, signed_under: &mut Option<KeysVersion>) -> Result<(), FeedError> {
        loop {
            let published = self.news.borrow().published;
            let frame = match self.frames.continuing(published, MOST_SENT).await {
                // It was asleep for longer than entries are kept, so everyone has to begin anew.
                Err(FeedError::Resnapshot) => {
                    self.forget(self.frames.now().await?.head);
                    continue;
                }
                frame => frame?,
            };
            // A key that is no longer trusted may have signed what is kept.
            if signed_under.replace(frame.statement.keys).is_some_and(|before| before != frame.statement.keys)
            {
                self.recent.forget(published);
            }
            if frame.entries.is_empty() {
                return Ok(());
            }
            let signed = self.frames.signed(&frame).await?;
            self.recent.push(signed);
            self.news.send_modify(|news| news.published = frame.last());
            self.metrics.feed.entries_published.inc_by(frame.entries.len() as u64);
        }
    }

    fn forget(&self, head: Position) {
        self.recent.forget(head);
        self.news.send_modify(|news| news.published = head);
    }

    async fn check_followers(&self) -> Infallible {
        let mut ticks = interval(CHECK_KEYS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.end_those_without_key().await;
            self.measure();
        }
    }

    /// Ends the streams of service keys that were removed or lost the scope `feed`, here or at another node.
    async fn end_those_without_key(&self) {
        let keys: BTreeMap<_, _> =
            self.followers.all().into_iter().map(|follower| (follower.key, follower)).collect();
        for (id, follower) in keys {
            match self.store.read(FindServiceKey { id }).await {
                Ok(Some(key)) if key.scopes.contains(&Scope::Feed) => {}
                Ok(_) => {
                    let ended = self.followers.end(id);
                    self.metrics.feed.dropped("key_removed", ended);
                    tracing::info!(
                        service_key = follower.name,
                        ended,
                        "a removed service key's streams were ended"
                    );
                }
                // They hear nothing new meanwhile either.
                Err(error) => {
                    tracing::debug!(%error, "a service key was not looked up");
                }
            }
        }
    }

    /// Reports for each service key the lag and the silence of its slowest follower.
    fn measure(&self) {
        let (head, now) = (self.news.borrow().published.value(), self.uptime());
        let mut worst: BTreeMap<String, (u64, i64)> = BTreeMap::new();
        for follower in self.followers.all() {
            let behind = head.saturating_sub(follower.applied().value());
            let silent = now.saturating_sub(follower.heard());
            let (most, longest) = worst.entry(follower.name.clone()).or_default();
            (*most, *longest) = ((*most).max(behind), (*longest).max(silent));
        }
        self.metrics.feed.lag(&worst);
    }
}
