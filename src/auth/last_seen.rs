//! When devices were last heard of: noted beside the requests, written a little later in one go.
//!
//! A device is written at most once a minute; a note that is lost in a crash was only a note.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use super::{Auth, Origin};
use crate::model::device::{Device, LastSeen};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::StoreError;
use crate::world::World;

/// A device is written at most so often.
const EVERY: Duration = Duration::from_secs(60);

/// How many devices are remembered as written lately; a forgotten one is written once more.
const REMEMBERED: usize = 65_536;

/// How many notes may wait to be written; further ones are dropped.
const MOST_WAITING: usize = 65_536;

/// Notes that wait, and the devices that need none.
pub(super) struct LastSeenNotes {
    /// At which uptime each was noted.
    noted: Cache<DeviceId, Duration>,
    waiting: Mutex<HashMap<DeviceId, (UserId, LastSeen)>>,
}

impl Default for LastSeenNotes {
    fn default() -> Self {
        Self { noted: Cache::new(REMEMBERED), waiting: Mutex::default() }
    }
}

impl LastSeenNotes {
    /// Notes that `device` was heard of from `origin`, unless that was noted within the minute.
    pub(super) fn note(&self, user: &User, device: &Device, origin: &Origin, world: &World) {
        let (now, uptime) = (world.now(), world.uptime());
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
            waiting.insert(device.id, (user.id, seen(origin, now)));
        }
    }

    fn take(&self) -> Vec<(UserId, DeviceId, LastSeen)> {
        let taken = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        taken.into_iter().map(|(device, (user, seen))| (user, device, seen)).collect()
    }
}

/// The record of being heard of from `origin`.
pub(super) fn seen(origin: &Origin, now: Timestamp) -> LastSeen {
    LastSeen { at: now, address: Some(origin.address), user_agent: origin.user_agent.clone() }
}

impl Auth {
    /// Writes the notes that wait, and says how many these were.
    pub async fn write_last_seen(&self) -> Result<usize, StoreError> {
        let mut notes = self.last_seen.take();
        let count = notes.len();
        while !notes.is_empty() {
            let rest = notes.split_off(notes.len().min(500));
            self.store.note_seen(notes).await?;
            notes = rest;
        }
        Ok(count)
    }
}
