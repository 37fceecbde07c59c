//! The metrics of the feed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// The label of a service key's name; there are as many values as the operator made service keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabel {
    service_key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// The reasons for which streams are ended: the values of the label.
const REASONS: [&str; 3] = ["too_slow", "key_removed", "unavailable"];

/// The metrics of the feed.
#[derive(Debug, Default)]
pub struct FeedMetrics {
    followers: Family<KeyLabel, Gauge>,
    behind: Family<KeyLabel, Gauge>,
    silent: Family<KeyLabel, Gauge>,
    measured: Mutex<BTreeSet<String>>,
    dropped: Family<ReasonLabel, Counter>,
    /// The number of log entries that were published.
    pub entries_published: Counter,
    /// The number of frames sent, each counted for every follower.
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

    /// The number of open streams of the service key with that name.
    pub fn followers(&self, service_key: &str) -> Gauge {
        self.followers.get_or_create_owned(&label(service_key))
    }

    /// Counts streams that were ended: `too_slow`, `key_removed`, `unavailable`.
    pub fn dropped(&self, reason: &'static str, streams: usize) {
        self.dropped.get_or_create(&ReasonLabel { reason }).inc_by(streams as u64);
    }

    /// Sets for each service key how many entries its slowest follower is behind, and the longest time in seconds for
    /// which one of its followers was silent. A key that is not listed has no followers any more.
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
