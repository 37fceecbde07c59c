//! What is remembered of an external id that its user gave up, by deletion or for another one: that the sessions which the other
//! system gave out tokens for have ended. Else such a token could be exchanged for a session of the next user with that id.
//!
//! It is remembered as a device that has ended, of nobody, under ids that are made from the external id; so it is stored, copied
//! and swept like any other. The external id itself is not in it. Its note is the id of the user who gave up the external id and
//! stayed: a session that was continued before goes on as that user's.

use crate::model::counters::{Era, Generation, Stamp};
use crate::model::device::{Cause, Device, DeviceKind, DeviceName, Ended};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, UserId};
use crate::model::refresh_state::RefreshState;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::Record;
use crate::store::past_devices::gone_at;
use crate::store::records::{Changes, Records};

/// Separates the hash of an external id from every other hash.
const PURPOSE: &str = "rescind: deleted account of another system, v1";

/// Nobody is live under it.
const NO_STAMP: Stamp = Stamp { era: Era::new(0), generation: Generation::new(0) };

/// The most users of whom it is found out that they gave up one external id.
const MOST_USERS: usize = 16;

/// Remembers until `until` that the other system's sessions under an external id ended at `now`, which `stayed` gave up, or
/// a user who was deleted.
pub(super) fn remember(
    changes: &mut Changes,
    external_id: &ExternalId,
    stayed: Option<UserId>,
    now: Timestamp,
    until: Timestamp,
) {
    let hash = hash(external_id);
    // Two users may give up one external id in the same second.
    let of_device = stayed.map_or(hash, |user| blake3::keyed_hash(&hash, user.as_bytes()).into());
    let device = Device {
        id: DeviceId::of_former_session(until, &of_device),
        user: UserId::of_former_account(&hash),
        stamp: NO_STAMP,
        name: DeviceName::unknown(),
        kind: DeviceKind::other(),
        created: now,
        authenticated: now,
        idle_end: now,
        absolute_end: now,
        refresh: RefreshState::default(),
        ended: Some(Ended {
            at: now,
            cause: Cause::SignedOutEverywhere,
            note: stayed.map(|user| user.to_string()),
        }),
        amr: Vec::new(),
        rotates: false,
    };
    changes.put(Record::ExpiryCheck(ExpiryCheck::at(&device, gone_at(now, &device))));
    changes.put(Record::EndedDevice(Box::new(device)));
}

/// Whether the other system's sessions of a user who gave up this external id have ended.
pub(super) fn has_ended(records: &dyn Records, external_id: &ExternalId) -> Result<bool, StoreError> {
    let user = UserId::of_former_account(&hash(external_id));
    Ok(!records.past_devices(user, NO_STAMP, 1)?.is_empty())
}

/// The users who gave up this external id and stayed.
pub(super) fn former_users(
    records: &dyn Records,
    external_id: &ExternalId,
) -> Result<Vec<UserId>, StoreError> {
    let user = UserId::of_former_account(&hash(external_id));
    let remembered = records.past_devices(user, NO_STAMP, MOST_USERS)?;
    Ok(remembered.iter().filter_map(|device| UserId::parse(device.ended.as_ref()?.note.as_ref()?)).collect())
}

fn hash(external_id: &ExternalId) -> [u8; 32] {
    blake3::derive_key(PURPOSE, external_id.as_str().as_bytes())
}
