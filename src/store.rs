//! The contract of a store: what it keeps, which steps it takes, and what must hold when it answers.
//!
//! # Contract
//!
//! Every writing method of [`Store`] is one **step**: atomic, isolated, and re-checking inside itself whatever the
//! caller's decision read (era, generation, device, password, disabled). An engine must see to it that
//!
//! * **acknowledged is durable**: a step's future resolves only when everything it wrote *and everything it read* is
//!   on stable storage, also when it wrote nothing ("already ended", "same successor", "reused");
//! * **acknowledged is effective**: a read that starts after a step resolved sees it;
//! * **generation and era only grow**, and so does the log, without gaps, in the order of commits;
//! * **a sign-out costs the same for one device as for ten thousand**;
//! * **a failure says so**: what cannot be read is an error, never absence; a step that fails has done nothing, or
//!   its outcome is unknown and it is never acknowledged.
//!
//! A store knows no clock, draws nothing at random and holds no plaintext secret: time, ids and sealed keys come in
//! as arguments.
//!
//! What a step decides is written once, in [`steps`], over whatever an engine reads ([`records::Records`]) into
//! whatever it is to write ([`records::Changes`]); an engine reads, writes and makes durable. [`engine`]
//! is what an engine has to be able to do. [`memory`] is the reference, `sled` the embedded one, `postgres` the
//! shared one. [`archive`] is a store as a whole, and [`copy`] takes it from one engine to another.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::claims::{Presented, RefreshClaims};
use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::device::{Device, DeviceName, LastSeen};
use crate::model::ids::{DeviceId, ServiceKeyId, StoreId, UserId};
use crate::model::key::KeyRecord;
use crate::model::names::Names;
use crate::model::revocation::{Entry, Revocation};
use crate::model::service_key::ServiceKey;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::{self, DeviceState, UserState, Verdict};

pub mod archive;
pub mod copy;
pub mod engine;
pub mod log_age;
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod priority;
pub mod records;
#[cfg(feature = "sled")]
pub mod sled;
pub mod steps;

use priority::Priority;
use records::Counted;
use steps::{account, device, keys, password, session, sign_out};

/// Why a store did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot answer now; whether a step was taken is unknown. Try again.
    #[error("the store cannot answer: {0}")]
    Unavailable(String),
    /// The database it lies in does not answer; whether a step was taken is unknown. In words of ours, which hold no
    /// path, name or password: whoever watches the process may be told.
    #[error("the database cannot answer: {0}")]
    Away(String),
    /// The disk has not answered for a while; whether it ever will is unknown. In words of ours: whoever watches the
    /// process may be told.
    #[error("the disk does not answer: {0}")]
    Stalled(String),
    /// Free space is too little for a step of its [`Priority`]; checks go on.
    #[error("the store is full: {0}")]
    Full(String),
    /// What is stored cannot be read.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The wall clock of this node is more than a minute from the database's: nothing is decided by it. In words of
    /// ours, as above.
    #[error("the clock is wrong: {0}")]
    WrongClock(String),
}

/// What a store knows of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreTime {
    /// The database's own clock says so now, in milliseconds since the Unix epoch.
    Database(i64),
    /// There is no clock but this node's; the newest moment that was on record when the store was opened, if any.
    Recorded(Option<Timestamp>),
}

/// What a store was founded as. Only a restore changes its id, and only other settings add to its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founding {
    /// Its id.
    pub store: StoreId,
    /// `iss` of its tokens when the settings name none.
    pub issuer: String,
    /// `aud` of its tokens when the settings name none.
    pub audience: String,
    /// When.
    pub at: Timestamp,
    /// Other names that tokens were given since, by the settings, the present ones last. Empty as long as they are the
    /// names above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Names>,
}

impl Founding {
    /// The names that tokens are given now.
    pub fn present(&self) -> Names {
        self.names.last().cloned().unwrap_or_else(|| self.first())
    }

    /// Every pair of names that a token of this store may carry.
    pub fn all_names(&self) -> Vec<Names> {
        std::iter::once(self.first()).chain(self.names.iter().cloned()).collect()
    }

    fn first(&self) -> Names {
        Names { issuer: self.issuer.clone(), audience: self.audience.clone() }
    }
}

/// The service-wide counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The era.
    pub era: Era,
    /// The version of the key set.
    pub keys: KeysVersion,
    /// The position of the newest entry of the log.
    pub head: Position,
}

impl Clock {
    /// The counters once `revocation` is the newest entry of the log.
    #[must_use]
    pub fn with(self, revocation: &Revocation) -> Self {
        let head = self.head.next();
        match revocation {
            Revocation::Era(era) => Self { era: *era, head, ..self },
            Revocation::Keys { version, .. } => Self { keys: *version, head, ..self },
            Revocation::Device { .. } | Revocation::Generation { .. } => Self { head, ..self },
        }
    }
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Accounts.
    pub users: u64,
    /// Live devices of all users; one that merely ran out counts until it is swept.
    pub live_devices: u64,
}

impl Totals {
    /// The totals with `counted` on top; a new era leaves no device alive.
    #[must_use]
    pub fn with(self, counted: Counted, new_era: bool) -> Self {
        let live = if new_era { 0 } else { self.live_devices };
        Self {
            users: self.users.saturating_add_signed(counted.users),
            live_devices: live.saturating_add_signed(counted.live_devices),
        }
    }
}

/// What a check needs to know, read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The service-wide counters.
    pub clock: Clock,
    /// The user, if there is one.
    pub user: Option<User>,
    /// The device under the user's current stamp, else its ended record, if either is kept.
    pub device: Option<Device>,
}

impl Standing {
    /// The one decision on `presented`.
    pub fn judge(&self, presented: &Presented, now: Timestamp) -> Verdict {
        let (user, device) = self.states();
        verdict::judge(presented, self.clock.era, user, device, now)
    }

    /// The one decision on a refresh token.
    pub fn judge_refresh(&self, presented: &Presented, now: Timestamp) -> Verdict {
        let (user, device) = self.states();
        verdict::judge_refresh(presented, self.clock.era, user, device, now)
    }

    /// Whether a refresh token still proves that its holder was signed in as this user: whatever has become of its
    /// device, it is not from before the last change of the password.
    pub fn proves_user(&self, claims: &RefreshClaims) -> bool {
        let after_change = |user: &User| claims.stamp.generation >= user.password_since;
        let after_floor = |device: &Device| claims.sequence >= device.refresh.floor;
        self.user.as_ref().is_some_and(after_change) && self.device.as_ref().is_none_or(after_floor)
    }

    fn states(&self) -> (Option<UserState>, Option<DeviceState>) {
        (self.user.as_ref().map(UserState::from), self.device.as_ref().map(DeviceState::from))
    }
}

/// A device as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The device.
    pub device: Device,
    /// When and from where it was last heard of.
    pub last_seen: Option<LastSeen>,
}

/// A user as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The user.
    pub user: User,
    /// How many devices are live; one that merely ran out counts until it is swept.
    pub live_devices: u64,
}

/// A place in the list of ended devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndedPlace {
    /// When the device ended.
    pub at: Timestamp,
    /// Which it is.
    pub device: DeviceId,
}

impl EndedPlace {
    /// The place of `device`, if it ended.
    pub fn of(device: &Device) -> Option<Self> {
        device.ended.as_ref().map(|ended| Self { at: ended.at, device: device.id })
    }
}

/// The key set and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// The version.
    pub version: KeysVersion,
    /// The keys, the oldest first.
    pub keys: Vec<KeyRecord>,
}

/// A store. See the module for its contract.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What it was founded as; none before [`Store::found`].
    async fn founding(&self) -> Result<Option<Founding>, StoreError>;
    /// The service-wide counters.
    async fn clock(&self) -> Result<Clock, StoreError>;
    /// Whether it reads and writes: an error says why not. Writes nothing.
    async fn ready(&self) -> Result<(), StoreError> {
        self.clock().await.map(drop)
    }
    /// How much there is.
    async fn totals(&self) -> Result<Totals, StoreError>;
    /// What a check needs, read after the call began.
    async fn standing(&self, user: UserId, device: DeviceId) -> Result<Standing, StoreError>;
    /// A user.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// The user of a username's key.
    async fn user_named(&self, key: &str) -> Result<Option<User>, StoreError>;
    /// Users in order of their usernames' keys, after `after`.
    async fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ListedUser>, StoreError>;
    /// The devices that stand under the user's current stamp, in order of sign-in, after `after`; those that ran out
    /// and are not swept yet included.
    async fn devices(
        &self,
        user: UserId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError>;
    /// The user's ended devices that are still kept, the one that ended last first, at most `limit` of those that come
    /// after `after`.
    async fn ended_devices(
        &self,
        user: UserId,
        after: Option<EndedPlace>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError>;
    /// When and from where a device was last heard of.
    async fn last_seen(&self, user: UserId, device: DeviceId) -> Result<Option<LastSeen>, StoreError>;
    /// The key set.
    async fn keys(&self) -> Result<KeySet, StoreError>;
    /// A service key.
    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<ServiceKey>, StoreError>;
    /// Every service key, the oldest first.
    async fn service_keys(&self) -> Result<Vec<ServiceKey>, StoreError>;
    /// Durable entries of the log after `after`, in order, at most `limit`.
    async fn log(&self, after: Position, limit: usize) -> Result<Vec<Entry>, StoreError>;
    /// Waits until the log has, or soon will have, durable entries after `past`.
    async fn log_grew(&self, past: Position) -> Result<(), StoreError>;
    /// The highest priority of which steps are refused now for want of free space, and all below it with it; none when
    /// there is enough, or when that is not for this process to watch.
    async fn stopped(&self) -> Result<Option<Priority>, StoreError>;

    /// Founds the store, or says what it was founded as before.
    async fn found(&self, request: keys::Found) -> Result<keys::Founded, StoreError>;
    /// Makes a store that was put back from a copy another one, in which nothing of the old one's is good.
    async fn restored(&self, request: keys::Restore) -> Result<keys::Restored, StoreError>;
    /// Notes the names that tokens are given from now on. Tokens with the names before stay good; other nodes learn of it
    /// by a new version of the key set.
    async fn use_names(&self, names: Names, now: Timestamp) -> Result<(), StoreError>;
    /// Adds a user, with a first device when one is given.
    async fn register(&self, request: account::Register) -> Result<account::Registered, StoreError>;
    /// Signs a user in on a new device.
    async fn open_device(&self, request: session::OpenDevice) -> Result<session::Opened, StoreError>;
    /// Decides on a refresh token and advances its device.
    async fn rotate_refresh(&self, request: session::RotateRefresh)
    -> Result<session::Refreshed, StoreError>;
    /// Ends one device.
    async fn end_device(&self, request: sign_out::EndDevice) -> Result<sign_out::DeviceEnded, StoreError>;
    /// Ends every device of a user, or all but the caller's.
    async fn end_devices(&self, request: sign_out::EndDevices) -> Result<sign_out::DevicesEnded, StoreError>;
    /// Ends every device of everyone.
    async fn end_everyone(&self, now: Timestamp) -> Result<Era, StoreError>;
    /// Sets a password; a changed one ends the other devices.
    async fn set_password(&self, request: password::SetPassword)
    -> Result<password::PasswordSet, StoreError>;
    /// Replaces a hash by one of the same password with other parameters; false if the password changed meanwhile.
    async fn rehash_password(&self, request: password::Rehash) -> Result<bool, StoreError>;
    /// Disables or enables a user.
    async fn set_disabled(&self, request: account::SetDisabled) -> Result<account::DisabledSet, StoreError>;
    /// Deletes a user and ends all there was of it.
    async fn delete_user(&self, request: account::DeleteUser) -> Result<account::UserDeleted, StoreError>;
    /// Renames a device.
    async fn rename_device(
        &self,
        caller: Presented,
        device: DeviceId,
        name: DeviceName,
        now: Timestamp,
    ) -> Result<device::Renamed, StoreError>;
    /// Notes when devices were last heard of; those that are gone are passed over.
    async fn note_seen(&self, seen: Vec<(UserId, DeviceId, LastSeen)>) -> Result<(), StoreError>;
    /// Changes the key set, if it is still of the version the caller read.
    async fn save_keys(&self, request: keys::SaveKeys) -> Result<keys::KeysSaved, StoreError>;
    /// Adds a service key.
    async fn add_service_key(&self, key: ServiceKey) -> Result<(), StoreError>;
    /// Removes a service key; false if there is none.
    async fn remove_service_key(&self, id: ServiceKeyId) -> Result<bool, StoreError>;
    /// Ends devices that ran out and drops what is kept no longer.
    async fn sweep(&self, request: steps::sweep::Sweep) -> Result<steps::sweep::Swept, StoreError>;
    /// Whether the store is marked as rolled back.
    async fn rolled_back(&self) -> Result<bool, StoreError>;
    /// Marks the store as rolled back if an authentic token proves that it is.
    async fn report_rollback(
        &self,
        request: steps::rollback::ReportRollback,
    ) -> Result<steps::rollback::RollbackReported, StoreError>;
    /// What the store knows of the time, to tell a wrong clock by. Answered whatever the clock here says.
    async fn time(&self) -> Result<StoreTime, StoreError>;
}

/// A store shared by everything that uses it.
pub type SharedStore = Arc<dyn Store>;
