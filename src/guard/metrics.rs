//! The guard's metrics for Prometheus: freshness, number of entries, and answers by code.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::answer::codes;
use crate::verifier::Verifier;

/// The value of the label `code` for accepted tokens.
const ACCEPTED: &str = "ok";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GuardVerdict {
    code: &'static str,
}

/// The metrics of one guard.
#[derive(Debug)]
pub struct GuardMetrics {
    registry: Registry,
    lag: Gauge<f64, AtomicU64>,
    fresh: Gauge,
    entries: Gauge,
    accepted: Counter,
    /// One counter per code, so that counting is an atomic addition without a search for labels.
    refused: Vec<(&'static str, Counter)>,
}

impl GuardMetrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("rescind_guard");
        let verdicts: Family<GuardVerdict, Counter> = Family::default();
        let counter = |code| verdicts.get_or_create_owned(&GuardVerdict { code });
        let (accepted, refused) = (counter(ACCEPTED), codes().map(|code| (code, counter(code))).collect());
        let (lag, fresh, entries) = (Gauge::default(), Gauge::default(), Gauge::default());
        let about_lag = "Age of the moment up to which every sign-out is known; -1 before there is one";
        registry.register_with_unit("lag", about_lag, Unit::Seconds, lag.clone());
        registry.register(
            "fresh",
            "1 while freshness is proven and tokens are accepted, else 0",
            fresh.clone(),
        );
        registry.register("entries", "Ended users and devices that are held", entries.clone());
        registry.register("verdicts", "Answers by code; ok is a yes", verdicts);
        Self { registry, lag, fresh, entries, accepted, refused }
    }

    pub(super) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(super) fn refused(&self, code: &str) {
        if let Some((_, counter)) = self.refused.iter().find(|(known, _)| *known == code) {
            counter.inc();
        }
    }

    /// The metrics as text, with the verifier's current state.
    pub(super) fn encode(&self, verifier: Option<&Verifier>) -> String {
        let lag = verifier.and_then(Verifier::lag);
        self.lag.set(lag.map_or(-1.0, |lag| lag.as_secs_f64()));
        self.fresh.set(verifier.is_some_and(|verifier| verifier.doubt().is_none()).into());
        let entries = verifier.map_or(0, Verifier::entries);
        self.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_begins_at_zero() {
        let text = GuardMetrics::new().encode(None);
        for code in codes().chain([ACCEPTED]) {
            let line = format!("rescind_guard_verdicts_total{{code=\"{code}\"}} 0\n");
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }
}
