//! How devices end: one by itself, or all of a user by a bump of the generation.

use crate::model::counters::Era;
use crate::model::device::{Cause, Device, Ended};
use crate::model::revocation::{BumpExtent, Revocation};
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::{Record, RecordKey};
use crate::store::past_devices::gone_at;
use crate::store::records::Changes;

/// Ends one device of `user` that stands under its current stamp. The caller writes the user.
pub(super) fn end(changes: &mut Changes, era: Era, user: &mut User, mut device: Device, ended: Ended) {
    let (at, cause) = (ended.at, ended.cause);
    user.set_live_devices(era, user.live_devices(era).saturating_sub(1));
    changes.counted.live_devices -= 1;
    device.ended = Some(ended);
    changes.remove(RecordKey::Device(device.user, device.stamp, device.id));
    // The note of when it would have run out. That of a device that refreshed since stands elsewhere, and finds nothing.
    changes.remove(RecordKey::ExpiryCheck(ExpiryCheck::at(&device, device.end())));
    changes.put(Record::ExpiryCheck(ExpiryCheck::at(&device, gone_at(at, &device))));
    if cause != Cause::Expired {
        changes.log(at, Revocation::Device { user: device.user, device: device.id });
    }
    changes.put(Record::EndedDevice(Box::new(device)));
}

/// Bumps the user's generation: every device of the user ends, at the same cost for one as for ten thousand. Returns how
/// many there were. The caller writes the user, and the device `kept` with [`restamp`].
pub(super) fn bump(
    changes: &mut Changes,
    era: Era,
    user: &mut User,
    kept: Option<&Device>,
    at: Timestamp,
    cause: Cause,
    note: Option<String>,
) -> u64 {
    let live = user.live_devices(era);
    user.set_live_devices(era, live);
    user.bump(at, cause, note, live <= u64::from(kept.is_some()));
    changes.counted.live_devices -= i64::try_from(live).unwrap_or(i64::MAX);
    let extent = match kept.map(|device| device.id) {
        Some(kept) if cause == Cause::PasswordChanged => BumpExtent::PasswordChanged { kept },
        Some(kept) => BumpExtent::Others { kept },
        // Also of a later bump, as by a new password: followers know the last one only.
        None if user.disabled.is_some() => BumpExtent::Disabled,
        None => BumpExtent::All,
    };
    changes.log(at, Revocation::Generation { user: user.id, generation: user.generation, extent });
    live
}

/// Enables a disabled user under another generation, so that followers hear of it: no device of the user is live, and a
/// token of the generation in between cannot exist. The caller writes the user, whose last bump stays the one that ended
/// the devices.
pub(super) fn enable(changes: &mut Changes, user: &mut User, at: Timestamp) {
    user.disabled = None;
    user.generation = user.generation.next();
    let extent = BumpExtent::All;
    changes.log(at, Revocation::Generation { user: user.id, generation: user.generation, extent });
}

/// Puts `device` under the user's new stamp; the only one that a bump left alive. The caller writes the user.
pub(super) fn restamp(changes: &mut Changes, era: Era, user: &mut User, device: &mut Device) {
    changes.remove(RecordKey::Device(device.user, device.stamp, device.id));
    device.stamp = user.stamp(era);
    user.set_live_devices(era, 1);
    changes.counted.live_devices += 1;
    changes.device(device);
    changes.put(Record::ExpiryCheck(ExpiryCheck::at(device, device.end())));
}
