//! A user: an account, with its generation and its count of live devices.

use super::counters::{Era, Generation, Stamp};
use super::device::Cause;
use super::external_id::ExternalId;
use super::ids::{DeviceId, UserId};
use super::password::PasswordHash;
use super::timestamp::Timestamp;
use super::username::Username;

/// A user as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's id, claim `sub`.
    pub id: UserId,
    /// The name the user signs in with.
    pub username: Username,
    /// The user's id in another system. No two users have the same.
    pub external_id: Option<ExternalId>,
    /// The hash a presented password is verified against; `None` if the user has no password and signs in through
    /// another system only.
    pub password: Option<PasswordHash>,
    /// The user's generation: access tokens minted under an earlier one are refused.
    pub generation: Generation,
    /// The time and cause of the last bump of the generation.
    pub bumped: Option<Bump>,
    /// The time and reason of disabling, while the account is disabled.
    pub disabled: Option<Disabled>,
    /// When the account was created.
    pub created: Timestamp,
    /// The count of devices live under the current generation, and the era it holds in.
    pub live: LiveDevices,
    /// The generation that began with the last password change. Tokens of an earlier one may be in the hands of a
    /// person who knew the old password, and prove nothing.
    pub password_since: Generation,
    /// The count of stored device records, and the newest one dropped before its time.
    pub kept: KeptDevices,
    /// The ends of devices under former counters, the oldest first: at most [`User::MOST_LEFT`].
    pub left: Vec<Left>,
}

/// The count of a user's live devices. It holds in one era only: a new era ends all devices without writing users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveDevices {
    /// The era in which the devices were counted.
    pub era: Era,
    /// The number of live devices.
    pub count: u64,
}

/// The device records kept of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptDevices {
    /// The number of records of live and of ended devices, without those written before this count existed.
    pub count: u64,
    /// The newest device whose record was dropped before its time, in favour of newer ones. An unknown device with an
    /// id up to this one may be such a device.
    pub given_way: Option<DeviceId>,
}

/// The end of all devices that were live under one pair of counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The era and generation the devices were live under.
    pub stamp: Stamp,
    /// The time and cause of their end.
    pub bump: Bump,
}

/// A bump of a user's generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bump {
    /// When the generation was bumped.
    pub at: Timestamp,
    /// Why the generation was bumped.
    pub cause: Cause,
    /// The reason an administrator gave.
    pub note: Option<String>,
}

impl Bump {
    /// The bump that ended every user's devices when `era` began. The time is that of the era, which is a Unix time.
    pub fn of_era(era: Era) -> Self {
        Self {
            at: Timestamp::from_unix(i64::try_from(era.value()).unwrap_or(i64::MAX)),
            cause: Cause::Administrator,
            note: Some("everyone was signed out".to_owned()),
        }
    }
}

/// The disabling of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// When the account was disabled.
    pub at: Timestamp,
    /// The reason the administrator gave.
    pub note: Option<String>,
}

impl User {
    /// The most ends of devices that are remembered per user.
    pub const MOST_LEFT: usize = 16;

    /// The most bytes of reasons remembered in the list of ends if it has more than one: a user's record must stay below
    /// 4 KiB.
    const MOST_NOTED: usize = 500;

    /// The counters a device of the user must have to be live in `era`.
    pub fn stamp(&self, era: Era) -> Stamp {
        Stamp { era, generation: self.generation }
    }

    /// The number of devices live in `era`. An expired device counts until it is swept.
    pub fn live_devices(&self, era: Era) -> u64 {
        if self.live.era == era { self.live.count } else { 0 }
    }

    /// Sets the number of devices live in `era`, and records the end of those counted in an earlier era.
    pub fn set_live_devices(&mut self, era: Era, count: u64) {
        if self.live.era < era && self.live.count > 0 {
            let stamp = self.stamp(self.live.era);
            self.leave(Left { stamp, bump: Bump::of_era(era) });
        }
        self.live = LiveDevices { era, count };
    }

    /// The time and cause of the end of the devices that were live under `stamp`. If that end is no longer remembered,
    /// the first one after it.
    pub fn left_at(&self, stamp: Stamp) -> Option<&Bump> {
        self.left.iter().find(|left| left.stamp >= stamp).map(|left| &left.bump)
    }

    fn leave(&mut self, left: Left) {
        self.left.push(left);
        let noted = |left: &[Left]| -> usize {
            left.iter().filter_map(|left| left.bump.note.as_ref()).map(String::len).sum()
        };
        while self.left.len() > Self::MOST_LEFT || self.left.len() > 1 && noted(&self.left) > Self::MOST_NOTED
        {
            self.left.remove(0);
        }
    }

    /// Starts the user's next generation, which ends every token and device of the user. The end is recorded for the
    /// devices unless `none_left`, which says that all live devices continue.
    pub fn bump(&mut self, at: Timestamp, cause: Cause, note: Option<String>, none_left: bool) {
        if !none_left {
            let stamp = self.stamp(self.live.era);
            self.leave(Left { stamp, bump: Bump { at, cause, note: note.clone() } });
        }
        self.generation = self.generation.next();
        self.bumped = Some(Bump { at, cause, note });
        self.live.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        User {
            id: UserId::from_bytes([1; 16]),
            username: Username::parse("ada").unwrap(),
            external_id: None,
            password: PasswordHash::from_stored("$argon2id$v=19$m=1$salt$hash"),
            generation: Generation::new(1),
            bumped: None,
            disabled: None,
            created: Timestamp::from_unix(1),
            live: LiveDevices { era: Era::new(7), count: 1 },
            password_since: Generation::default(),
            kept: KeptDevices::default(),
            left: Vec::new(),
        }
    }

    fn stamp(era: u64, generation: u64) -> Stamp {
        Stamp { era: Era::new(era), generation: Generation::new(generation) }
    }

    #[test]
    fn the_first_end_is_remembered_and_no_later_one_takes_its_place() {
        let mut user = user();
        user.bump(Timestamp::from_unix(10), Cause::SignedOutEverywhere, None, false);
        user.set_live_devices(Era::new(7), 1);
        user.bump(Timestamp::from_unix(20), Cause::Disabled, Some("ticket".to_owned()), false);
        user.set_live_devices(Era::new(7), 1);
        user.set_live_devices(Era::new(30), 1);
        user.bump(Timestamp::from_unix(40), Cause::PasswordChanged, None, true);
        let told =
            |era, generation| user.left_at(stamp(era, generation)).map(|bump| (bump.at.unix(), bump.cause));
        assert_eq!(told(7, 1), Some((10, Cause::SignedOutEverywhere)));
        assert_eq!(told(7, 2), Some((20, Cause::Disabled)));
        assert_eq!(told(7, 3), Some((30, Cause::Administrator)));
        assert_eq!(told(30, 3), None, "all that lived went on");
        user.set_live_devices(Era::new(50), 1);
        assert_eq!(user.left_at(stamp(30, 4)), None, "none lived when that era ended");
    }

    #[test]
    fn a_bounded_number_of_ends_and_of_reasons_is_remembered() {
        let mut user = user();
        for at in 0..100 {
            user.set_live_devices(Era::new(7), 1);
            user.bump(Timestamp::from_unix(at), Cause::Administrator, None, false);
        }
        assert_eq!(user.left.len(), User::MOST_LEFT);
        assert_eq!(user.left_at(stamp(7, 1)).unwrap().at.unix(), 84, "the first that is known after it");
        for at in 0..100 {
            user.set_live_devices(Era::new(7), 1);
            user.bump(Timestamp::from_unix(at), Cause::Administrator, Some("é".repeat(100)), false);
        }
        assert_eq!(user.left.len(), 2);
    }
}
