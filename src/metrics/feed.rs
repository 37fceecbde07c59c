//! The figures of the feed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// There are as many of these as somebody made service keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabel {
    service_key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Why streams are ended.
const REASONS: [&str; 3] = ["too_slow", "key_removed", "unavailable"];

/// The figures of the feed.
#[derive(Debug, Default)]
pub struct FeedMetrics {
    followers: Family<KeyLabel, Gauge>,
    behind: Family<KeyLabel, Gauge>,
    silent: Family<KeyLabel, Gauge>,
    measured: Mutex<BTreeSet<String>>,
    dropped: Family<ReasonLabel, Counter>,
    /// Entries of the log that were published.
    pub entries_published: Counter,
    /// Frames sent, to each follower.
    pub frames_sent: Counter,
}

impl FeedMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        for reason in REASONS {
            self.dropped.get_or_create(&ReasonLabel { reason }).inc_by(0);
        }
        registry.register("feed_followers", "Open streams by service key", self.followers.clone());
        registry.register(
            "feed_follower_behind_entries",
            "Entries that a service key's slowest follower has not applied yet",
            self.behind.clone(),
        );
        registry.register_with_unit(
            "feed_follower_silent",
            "Time since a service key's most silent follower pinged",
            Unit::Seconds,
            self.silent.clone(),
        );
        registry.register("feed_dropped", "Streams that were ended, by reason", self.dropped.clone());
        registry.register("feed_entries_published", "Entries published", self.entries_published.clone());
        registry.register("feed_frames_sent", "Frames sent, to each follower", self.frames_sent.clone());
    }

    /// The open streams of the service key of that name.
    pub fn followers(&self, service_key: &str) -> Gauge {
        self.followers.get_or_create_owned(&label(service_key))
    }

    /// Streams were ended: `too_slow`, `key_removed`, `unavailable`.
    pub fn dropped(&self, reason: &'static str, streams: usize) {
        self.dropped.get_or_create(&ReasonLabel { reason }).inc_by(streams as u64);
    }

    /// How many entries the slowest follower of each service key is behind, and for how many seconds the most silent one
    /// has not been heard of. A key that is not named has no followers any more.
    pub fn lag(&self, worst: &BTreeMap<String, (u64, i64)>) {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in measured.iter().filter(|name| !worst.contains_key(*name)) {
            for family in [&self.behind, &self.silent] {
                family.remove(&label(gone));
            }
        }
        for (name, (behind, silent)) in worst {
            self.behind.get_or_create(&label(name)).set(i64::try_from(*behind).unwrap_or(i64::MAX));
            self.silent.get_or_create(&label(name)).set(*silent);
        }
        *measured = worst.keys().cloned().collect();
    }
}

fn label(service_key: &str) -> KeyLabel {
    KeyLabel { service_key: service_key.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn a_service_key_without_followers_has_no_lag() {
        let metrics = Metrics::new();
        metrics.feed.followers("shop").inc();
        metrics.feed.lag(&[("shop".to_owned(), (3, 2))].into());
        metrics.feed.dropped("too_slow", 1);
        metrics.feed.entries_published.inc_by(5);
        metrics.feed.frames_sent.inc();
        let text = metrics.encode();
        for line in [
            r#"rescind_feed_followers{service_key="shop"} 1"#,
            r#"rescind_feed_follower_behind_entries{service_key="shop"} 3"#,
            r#"rescind_feed_follower_silent_seconds{service_key="shop"} 2"#,
            r#"rescind_feed_dropped_total{reason="too_slow"} 1"#,
            "rescind_feed_entries_published_total 5",
            "rescind_feed_frames_sent_total 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        metrics.feed.lag(&[].into());
        let text = metrics.encode();
        assert!(!text.contains("entries{") && !text.contains("silent_seconds{"), "{text}");
    }
}
