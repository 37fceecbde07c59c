//! Last-seen records of devices: collected with the requests, written together a little later.
//!
//! A device is written at most once a minute; a crash may lose the latest records.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::ClientInfo;
use crate::model::device::{Device, LastSeen};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::steps::note_seen::NoteSeen;
use crate::store::{Store, StoreError};
use crate::world::World;

/// The shortest time between two writes for one device.
const EVERY: Duration = Duration::from_secs(60);

/// The number of devices whose last write is remembered; a forgotten one is written once more.
const REMEMBERED: usize = 65_536;

/// The most records waiting to be written; further ones are dropped.
const MOST_WAITING: usize = 65_536;

/// The records waiting to be written, and the devices noted recently.
pub struct LastSeenNotes {
    store: Store,
    world: World,
    /// The uptime at which each device was last noted.
    noted: Cache<DeviceId, Duration>,
    waiting: Mutex<HashMap<DeviceId, (UserId, LastSeen)>>,
}

impl LastSeenNotes {
    /// Notes that are written to `store`; none wait yet.
    pub fn new(store: Store, world: World) -> Self {
        Self { store, world, noted: Cache::new(REMEMBERED), waiting: Mutex::default() }
    }

    /// Notes that `device` was used by `client`, unless it was noted within the last minute.
    pub(super) fn note(&self, user: &User, device: &Device, client: &ClientInfo) {
        let (now, uptime) = (self.world.now(), self.world.uptime());
        let is_noted = match self.noted.get(&device.id) {
            Some(noted) => uptime < noted + EVERY,
            None => device.created <= now && now < device.created + EVERY,
        };
        if is_noted {
            return;
        }
        self.noted.insert(device.id, uptime);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.insert(device.id, (user.id, seen(client, now)));
        }
    }

    /// Writes the waiting records; returns how many.
    pub async fn write(&self) -> Result<usize, StoreError> {
        let mut notes = self.take();
        let count = notes.len();
        while !notes.is_empty() {
            let rest = notes.split_off(notes.len().min(500));
            self.store.run(NoteSeen { seen: notes }).await?;
            notes = rest;
        }
        Ok(count)
    }

    fn take(&self) -> Vec<(UserId, DeviceId, LastSeen)> {
        let taken = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        taken.into_iter().map(|(device, (user, seen))| (user, device, seen)).collect()
    }
}

/// The last-seen record of a use by `client` at `now`.
pub(super) fn seen(client: &ClientInfo, now: Timestamp) -> LastSeen {
    LastSeen { at: now, address: Some(client.address), user_agent: client.user_agent.clone() }
}

impl std::fmt::Debug for LastSeenNotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastSeenNotes").finish_non_exhaustive()
    }
}
