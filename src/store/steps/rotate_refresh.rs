//! Decides on a refresh token and advances its device.

use std::time::Duration;

use super::Step;
use super::caller::{self, AskedFor, Refusal};
use super::ending::end;
use super::session::Session;
use crate::model::claims::RefreshClaims;
use crate::model::counters::KeysVersion;
use crate::model::device::{Cause, Device, Ended, LastSeen};
use crate::model::network::Network;
use crate::model::replay::{Replay, ReplayPolicy};
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Reason;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::Record;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, Standing, StoreError};

/// Decides on a refresh token and advances its device.
#[derive(Clone, Debug)]
pub struct RotateRefresh {
    /// What the token says.
    pub claims: RefreshClaims,
    /// The version of the key set by which the token is authentic; `None` for a token of another system.
    pub keys: Option<KeysVersion>,
    /// The network from which the token is presented.
    pub network: Network,
    /// The address and the user agent that present the token, for the record of a reuse.
    pub origin: Option<String>,
    /// The rule on tokens that were used before.
    pub policy: ReplayPolicy,
    /// How long the device then lasts without another refresh.
    pub idle: Duration,
    /// The present time.
    pub now: Timestamp,
    /// The present time by the clock that is furthest ahead of all: a device that signed in later than that did so under a
    /// wrong clock.
    pub latest: Timestamp,
    /// The present time by a clock that nobody sets while the process runs: the windows of the rule are measured by it.
    pub steady: Timestamp,
}

/// What became of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The device advanced.
    Rotated(Box<Session>),
    /// The device does not rotate: the same token again, and the device stays on.
    Renewed(Box<Session>),
    /// A lost answer or a parallel request: the newest token again.
    Repeated(Box<Session>),
    /// The same successor, counted against the device.
    Recovered(Box<Session>),
    /// The token was used before: its device is ended now.
    Reused {
        /// The device, as it was.
        device: Box<Device>,
        /// From where its owner was last heard of.
        last_seen: Option<LastSeen>,
    },
    /// The device is not live, for this reason; or the store rolled back.
    Refused(Refusal),
}

impl AskedFor for Refreshed {
    fn refusal(&self) -> Option<Refusal> {
        if let Self::Refused(refusal) = self { Some(*refusal) } else { None }
    }
}

impl Step for RotateRefresh {
    type Outcome = Refreshed;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.claims.subject, self.claims.device)
    }

    /// That of a refresh that goes on; one that finds a reuse takes something back.
    fn priority(&self) -> Priority {
        Priority::Refreshing
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Refreshed, StoreError> {
        let (now, presented) = (self.now, (&self.claims).into());
        let standing = Standing::read(records, self.claims.subject, self.claims.device)?;
        if self.keys.is_some_and(|keys| keys != standing.counters.keys) {
            return Ok(Refreshed::Refused(Refusal::OtherKeys));
        }
        let verdict = standing.judge_refresh(&presented, now);
        let (counters, mut user, mut device) = match caller::accept(verdict, standing) {
            Ok(caller) => caller,
            Err(refusal) => return Ok(Refreshed::Refused(refusal)),
        };
        let Counters { era, keys, .. } = counters;
        let session = |user, device| Box::new(Session { user, device, era, keys });
        Ok(
            match device.refresh.classify(
                self.claims.sequence,
                self.network,
                device.rotates,
                &self.policy,
                self.steady,
            ) {
                Replay::Ahead => Refreshed::Refused(Refusal::Ahead),
                Replay::BelowFloor => Refreshed::Refused(Refusal::Ended(Reason::PasswordChanged)),
                Replay::Rotate => {
                    device.refresh.rotate(self.network, self.steady);
                    self.stay(changes, &mut device);
                    Refreshed::Rotated(session(user, device))
                }
                Replay::Renew => {
                    device.refresh.renew(self.network, self.steady);
                    self.stay(changes, &mut device);
                    Refreshed::Renewed(session(user, device))
                }
                Replay::Repeat => Refreshed::Repeated(session(user, device)),
                Replay::Recover => {
                    device.refresh.recover(self.steady);
                    changes.device(&device);
                    Refreshed::Recovered(session(user, device))
                }
                Replay::Reuse => {
                    changes.priority = Priority::Ending;
                    let last_seen = records.last_seen(user.id, device.id)?;
                    let ended = Ended { at: now, cause: Cause::RefreshReused, note: self.origin.clone() };
                    end(changes, era, &mut user, device.clone(), ended);
                    changes.user(&user);
                    Refreshed::Reused { device: Box::new(device), last_seen }
                }
            },
        )
    }
}

impl RotateRefresh {
    /// Moves the idle end of the device, and writes the device.
    fn stay(&self, changes: &mut Changes, device: &mut Device) {
        let looked_at = device.end();
        device.correct(self.latest);
        device.stay(self.now, self.idle);
        if device.end() < looked_at {
            changes.put(Record::ExpiryCheck(ExpiryCheck::at(device, device.end())));
        }
        changes.device(device);
    }
}
