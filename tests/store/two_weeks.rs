//! Two weeks of clients and thieves under the replay rule, and under the previous one, in which the newest token
//! always advanced and a network of each address family was remembered.
//!
//! Time is simulated to the millisecond; the current rule is the store's own step.

use std::collections::BTreeMap;
use std::time::Duration;

use rescind::model::claims::RefreshClaims;
use rescind::model::counters::Sequence;
use rescind::store::steps::rotate_refresh::{Refreshed, RotateRefresh};

use crate::backend::MemoryBackend;
use crate::service::{START, Service};

mod clients;
mod thieves;

/// A time since the start, or a duration, in milliseconds.
type Millis = u64;

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;
const TWO_WEEKS: Millis = 14 * DAY;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Earlier,
    Todays,
}

/// The devices under one of the rules.
struct Trials {
    service: Service,
    begun: u64,
}

impl Trials {
    async fn begin() -> Self {
        Self { service: Service::found(MemoryBackend::fresh()).await, begun: 0 }
    }

    /// Signs in a new device.
    async fn device(&mut self, rule: Rule) -> Device<'_> {
        self.begun += 1;
        let claims = self.service.register(&format!("user {}", self.begun)).await.refresh;
        Device { service: &self.service, rule, claims, earlier: Earlier::default() }
    }
}

struct Device<'a> {
    service: &'a Service,
    rule: Rule,
    claims: RefreshClaims,
    earlier: Earlier,
}

impl Device<'_> {
    /// Refreshes with the token number `presented`; the number of the answer's token, or `None` if refused.
    async fn refresh(&mut self, presented: u64, from: &'static str, at: Millis) -> Option<u64> {
        if self.rule == Rule::Earlier {
            return self.earlier.refresh(presented, from, at);
        }
        let claims = RefreshClaims { sequence: Sequence::new(presented), ..self.claims.clone() };
        let now = START + Duration::from_secs(at / SECOND);
        let request = RotateRefresh { now, latest: now, steady: now, ..self.service.rotation(&claims, from) };
        match self.service.store().run(request).await.unwrap() {
            Refreshed::Rotated(session)
            | Refreshed::Renewed(session)
            | Refreshed::Repeated(session)
            | Refreshed::Recovered(session) => Some(session.device.refresh.current.value()),
            Refreshed::Reused { .. } | Refreshed::Refused(_) => None,
        }
    }
}

/// A device under the previous rule.
#[derive(Default)]
struct Earlier {
    current: u64,
    /// When the device last advanced or recovered.
    opened: Option<Millis>,
    /// The last IPv4 network and the last IPv6 network.
    networks: BTreeMap<bool, &'static str>,
    recovered: bool,
    recoveries: Vec<Millis>,
    ended: bool,
}

impl Earlier {
    fn refresh(&mut self, presented: u64, from: &'static str, at: Millis) -> Option<u64> {
        // Records are of whole seconds.
        let at = at / SECOND * SECOND;
        let family = from.contains(':');
        if self.ended {
            return None;
        }
        if presented == self.current {
            self.current += 1;
            self.opened = Some(at);
            self.networks.insert(family, from);
            self.recovered = false;
            return Some(self.current);
        }
        if presented + 1 == self.current {
            let open = self.opened.is_some_and(|opened| at < opened + MINUTE);
            if open && (self.networks.get(&family) == Some(&from) || self.recovered) {
                return Some(self.current);
            }
            self.recoveries.retain(|granted| at < granted + DAY);
            if self.recoveries.len() < 5 {
                self.recoveries.push(at);
                self.opened = Some(at);
                self.recovered = true;
                return Some(self.current);
            }
        }
        self.ended = true;
        None
    }
}

/// Random numbers that are the same in every run and under either rule (`SplitMix64`).
struct Chance(u64);

impl Chance {
    /// A random number of `from..to`.
    fn draw(&mut self, from: u64, to: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        from + (mixed ^ (mixed >> 31)) % (to - from)
    }
}
