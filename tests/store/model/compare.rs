//! The state in which the store, the reference and the model must agree between two operations.

use std::collections::BTreeMap;
use std::time::Duration;

use rescind::model::claims::Presented;
use rescind::model::counters::{Era, Position};
use rescind::model::revocation::{Entry, Revocation};
use rescind::model::verdict::{Bumped, Reason, Verdict, judge_followed};
use rescind::store::queries::devices::{ListDevices, ListEndedDevices};
use rescind::store::queries::log::ReadLog;
use rescind::store::queries::service::{ReadCounters, ReadTotals};
use rescind::store::queries::users::FindUser;

use super::drive::Drive;
use super::naive::Line;
use super::outcome::Outcome;
use crate::service::ACCESS;

const KEPT: i64 = 28 * 24 * 60 * 60;

/// How long entries of the log are kept.
const LOG_KEPT: Duration = Duration::from_secs(65 * 60);

impl Drive {
    /// Panics where the three disagree.
    pub(super) async fn compare(&self) {
        self.compare_tokens().await;
        self.compare_log().await;
        let (store, mut users, mut live) = (self.service.store(), 0, 0);
        for user in 0..self.users.len() {
            if self.naive.users[user].deleted {
                assert_eq!(store.read(FindUser { id: self.users[user] }).await.unwrap(), None);
            } else {
                users += 1;
                live += self.naive.alive(user).count() as u64;
                self.compare_user(user).await;
            }
        }
        let totals = store.read(ReadTotals).await.unwrap();
        assert_eq!((totals.users, totals.live_devices), (users, live));
        assert_eq!(totals, self.twin.read(ReadTotals).await.unwrap());
        assert_eq!(store.read(ReadCounters).await.unwrap(), self.twin.read(ReadCounters).await.unwrap());
    }

    /// Compares whether every access token ever issued is valid.
    async fn compare_tokens(&self) {
        let log = self
            .service
            .store()
            .read(ReadLog { after: Position::default(), limit: usize::MAX })
            .await
            .unwrap();
        for (device, pairs) in self.pairs.iter().enumerate() {
            for (token, pair) in pairs.iter().enumerate() {
                let said = match self.service.verdict(&pair.access).await {
                    Verdict::Live => None,
                    Verdict::Ended(reason) => Some(Outcome::Refused(reason)),
                    Verdict::Ahead => Some(Outcome::Ahead),
                };
                self.compare_follower(&log, &pair.access, said.as_ref());
                match (self.naive.judge(device, token), said) {
                    (Ok(()), None) => {}
                    (Err(expected), Some(said)) if expected.is(&said) => {}
                    (expected, said) => {
                        panic!("token {token} of device {device}: expected {expected:?}, was told {said:?}")
                    }
                }
            }
        }
    }

    /// Compares the reason that a follower of the log gives, as long as the log has every entry that ended the token.
    fn compare_follower(&self, log: &[Entry], presented: &Presented, said: Option<&Outcome>) {
        // None is older than the token, which lives for a quarter of an hour.
        if presented.expires + LOG_KEPT - ACCESS <= self.service.now() {
            return;
        }
        let (mut era, mut bumped, mut ended) = (Era::default(), None, false);
        for entry in log {
            match &entry.revocation {
                Revocation::Device { device, .. } => ended |= *device == presented.device,
                Revocation::Generation { user, generation, extent } if *user == presented.user => {
                    bumped = Some(Bumped::heard(bumped, *generation, *extent));
                }
                Revocation::Era(new) => era = *new,
                _ => {}
            }
        }
        let followed = match judge_followed(presented, era, bumped, ended, self.service.now()) {
            Verdict::Live => None,
            Verdict::Ended(reason) => Some(Outcome::Refused(reason)),
            Verdict::Ahead => Some(Outcome::Ahead),
        };
        match (&followed, said) {
            // A device that ran out is not told to followers: its tokens expire no later.
            (Some(Outcome::Refused(Reason::Expired)), Some(Outcome::Refused(Reason::SignedOut))) => {}
            _ => assert_eq!(followed.as_ref(), said, "{presented:?}"),
        }
    }

    async fn compare_log(&self) {
        let entries = self
            .service
            .store()
            .read(ReadLog { after: Position::default(), limit: usize::MAX })
            .await
            .unwrap();
        let lines: BTreeMap<_, _> = entries
            .iter()
            .map(|entry| {
                let line = match &entry.revocation {
                    Revocation::Device { device, .. } => {
                        let at = self.pairs.iter().position(|pairs| pairs[0].device() == *device);
                        Line::Device(at.unwrap())
                    }
                    Revocation::Generation { user, generation, .. } => {
                        let at = self.users.iter().position(|id| id == user);
                        Line::Generation(at.unwrap(), generation.value())
                    }
                    Revocation::Era(era) => Line::Era(era.value()),
                    other => panic!("no operation of the model writes {other:?}"),
                };
                (entry.position.value(), (entry.at.unix(), line))
            })
            .collect();
        assert_eq!(lines, self.naive.log);
        assert_eq!(
            entries,
            self.twin.read(ReadLog { after: Position::default(), limit: usize::MAX }).await.unwrap()
        );
        let counters = self.service.store().read(ReadCounters).await.unwrap();
        assert_eq!((counters.era.value(), counters.head.value()), (self.naive.era, self.naive.head));
    }

    async fn compare_user(&self, user: usize) {
        let (store, id) = (self.service.store(), self.users[user]);
        let found = store.read(FindUser { id }).await.unwrap().unwrap();
        let alive: Vec<usize> = self.naive.alive(user).collect();
        let era = store.read(ReadCounters).await.unwrap().era;
        assert_eq!(found.live_devices(era), alive.len() as u64);
        assert_eq!(found.generation.value(), self.naive.users[user].bumps + 1);
        assert_eq!(Some(found), self.twin.read(FindUser { id }).await.unwrap());

        let listed = store.read(ListDevices { user: id, after: None, limit: usize::MAX }).await.unwrap();
        assert_eq!(
            listed,
            self.twin.read(ListDevices { user: id, after: None, limit: usize::MAX }).await.unwrap()
        );
        assert!(listed.is_sorted_by_key(|listed| listed.device.id));
        assert_eq!(listed.len(), alive.len());
        for at in alive {
            let sid = self.pairs[at][0].device();
            let device = &listed.iter().find(|listed| listed.device.id == sid).unwrap().device;
            let expected = &self.naive.devices[at];
            assert_eq!(device.refresh.current.value(), expected.sequence);
            assert_eq!(device.idle_end.unix(), expected.idle_end);
            assert_eq!(device.absolute_end.unix(), expected.absolute_end);
        }
        self.compare_ended(user).await;
    }

    async fn compare_ended(&self, user: usize) {
        let (now, id) = (self.naive.now, self.users[user]);
        let mut listed = self
            .service
            .store()
            .read(ListEndedDevices { user: id, after: None, limit: usize::MAX })
            .await
            .unwrap();
        let mut twins =
            self.twin.read(ListEndedDevices { user: id, after: None, limit: usize::MAX }).await.unwrap();
        listed.sort_by_key(|listed| listed.device.id);
        twins.sort_by_key(|listed| listed.device.id);
        assert_eq!(listed, twins);
        let mut known = 0;
        for (at, device) in self.naive.devices.iter().enumerate().filter(|(_, device)| device.user == user) {
            let sid = self.pairs[at][0].device();
            let record = listed.iter().find(|listed| listed.device.id == sid);
            let Some(end) = &device.end else {
                assert!(record.is_none(), "device {at} lives and is listed as ended");
                continue;
            };
            let Some(record) = record else {
                // One that ran out unnoticed before the bump is kept from when it ran out.
                let since = if end.left_behind { end.at.min(self.naive.last_end(at)) } else { end.at };
                assert!(since + KEPT <= now, "the record of device {at} went too early");
                continue;
            };
            known += 1;
            let told = record.device.ended.as_ref().unwrap();
            // The time of an era's bump is told by the era, which runs ahead when there are two in one second.
            let latest = now.max(i64::try_from(self.naive.era).unwrap());
            assert!(told.at.unix() <= latest, "device {at} ends in the future");
            if self.swept {
                let kept_until = if end.left_behind { self.naive.last_end(at).max(end.at) } else { end.at };
                assert!(now < kept_until + KEPT, "the record of device {at} is kept for ever");
            }
            // As many ends as are remembered; of eras that followed each other while nothing was written the last.
            if self.naive.users[user].bumps <= 16 {
                assert_eq!(told.cause, end.cause, "device {at} was ended by something else first");
            }
            if !end.left_behind {
                assert_eq!((told.at.unix(), told.cause), (end.at, end.cause), "device {at}");
            }
        }
        assert_eq!(known, listed.len(), "a device that never was");
    }
}
