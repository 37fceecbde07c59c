//! A user: an account.

use serde::{Deserialize, Serialize};

use super::counters::{Era, Generation, Stamp};
use super::device::Cause;
use super::ids::{DeviceId, UserId};
use super::password::PasswordHash;
use super::timestamp::Timestamp;
use super::username::Username;

/// A user as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Claim `sub`.
    pub id: UserId,
    /// What the user signs in with.
    pub username: Username,
    /// What a password is checked against.
    #[serde(with = "super::password::stored")]
    pub password: PasswordHash,
    /// Every token of an earlier generation is dead.
    pub generation: Generation,
    /// When and why the generation was last bumped.
    pub bumped: Option<Bump>,
    /// Since when and why the account is disabled.
    pub disabled: Option<Disabled>,
    /// When the account was made.
    pub created: Timestamp,
    /// How many devices stand under the current generation, and in which era that was counted.
    pub live: LiveDevices,
    /// The generation that began with the last change of the password. Tokens of an earlier one may have been
    /// stolen by whoever knew the old password: they prove nothing any more.
    #[serde(default)]
    pub password_since: Generation,
    /// The records that are kept of devices.
    #[serde(default)]
    pub kept: KeptDevices,
    /// When and why devices were left behind under former counters, the oldest first: at most [`User::MOST_LEFT`].
    #[serde(default)]
    pub left: Vec<Left>,
}

/// The count of a user's live devices. It holds in one era only: an era bump ends them all without touching it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveDevices {
    /// The era it was counted in.
    pub era: Era,
    /// The count.
    pub count: u64,
}

/// The device records of a user that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDevices {
    /// How many: of live devices and of those that ended. Records of before this was counted are missing in it.
    pub count: u64,
    /// The newest of the devices whose records gave way to newer ones before their time. An unknown device up to this
    /// one may be such a device.
    pub given_way: Option<DeviceId>,
}

/// The end of the devices that stand under one value of both counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// What they stand under.
    pub stamp: Stamp,
    /// When and why they ended.
    pub bump: Bump,
}

/// The last bump of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bump {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// What an administrator gave as the reason.
    pub note: Option<String>,
}

impl Bump {
    /// The bump that ended every device of everyone when `era` began. The era tells the time.
    pub fn of_era(era: Era) -> Self {
        Self {
            at: Timestamp::from_unix(i64::try_from(era.value()).unwrap_or(i64::MAX)),
            cause: Cause::Administrator,
            note: Some("everyone was signed out".to_owned()),
        }
    }
}

/// The disabling of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// When.
    pub at: Timestamp,
    /// What the administrator gave as the reason.
    pub note: Option<String>,
}

impl User {
    /// How many ends of devices left behind are remembered.
    pub const MOST_LEFT: usize = 16;

    /// How many bytes of reasons are remembered with them: a record has to stay below the 4 KiB of the store.
    const MOST_NOTED: usize = 800;

    /// What a device must stand under to be live in `era`.
    pub fn stamp(&self, era: Era) -> Stamp {
        Stamp { era, generation: self.generation }
    }

    /// How many devices are live in `era`. One that merely ran out counts until it is swept.
    pub fn live_devices(&self, era: Era) -> u64 {
        if self.live.era == era { self.live.count } else { 0 }
    }

    /// Counts `count` live devices in `era`. Those counted in an earlier era ended with it.
    pub fn set_live_devices(&mut self, era: Era, count: u64) {
        if self.live.era < era && self.live.count > 0 {
            let stamp = self.stamp(self.live.era);
            self.leave(Left { stamp, bump: Bump::of_era(era) });
        }
        self.live = LiveDevices { era, count };
    }

    /// When and why the devices that stand under `stamp` ended, as far as it is remembered. Of more ends than are
    /// remembered the first that is known after it.
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

    /// Ends every token and device of the user. Devices are left behind unless `none_left`: when all that lives goes on.
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
            password: PasswordHash::parse("$argon2id$v=19$m=1$salt$hash").unwrap(),
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
            user.bump(Timestamp::from_unix(at), Cause::Administrator, Some("é".repeat(200)), false);
        }
        assert_eq!(user.left.len(), 2);
    }
}
