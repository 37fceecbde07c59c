//! When and why a device ended that has no end of its own: a bump of the user's generation or of the era writes no device,
//! it leaves all of them behind.

use crate::model::counters::Era;
use crate::model::device::{Device, Ended};
use crate::model::timestamp::Timestamp;
use crate::model::user::{Bump, User};
use crate::store::retention::ENDED_KEPT;

/// When the record of a device that ended at `ended` is dropped. The record is kept from no earlier than the device's
/// creation, so that whoever presents its tokens finds it, even if the clock was behind when the device ended; and while
/// the token of another system that was exchanged for the device could be presented again.
pub(super) fn gone_at(ended: Timestamp, device: &Device) -> Timestamp {
    let gone = ended.max(device.created) + ENDED_KEPT;
    device.id.kept_until().map_or(gone, |needed| gone.max(needed))
}

/// When the device ended that a bump left behind: see [`left_behind`].
pub(super) fn left_behind_at(user: &User, era: Era, device: &Device) -> Timestamp {
    left_behind(user, era, device).at
}

/// The end of a device that a bump left behind: the first bump that reached it, as far as that is remembered. Never after
/// the device would have run out, or a user who signs out everywhere every week would keep its records for ever.
pub(super) fn left_behind(user: &User, era: Era, device: &Device) -> Ended {
    let bump = match (user.left_at(device.stamp), &user.bumped) {
        (Some(first), _) => first.clone(),
        // Left by an era in which nothing was counted yet, or by a version that remembered the last bump only.
        (None, Some(last)) if user.generation != device.stamp.generation => last.clone(),
        _ => Bump::of_era(era),
    };
    // Not before the device was there: an era is a time only if the clock was right.
    Ended { at: bump.at.min(device.end()).max(device.created), cause: bump.cause, note: bump.note }
}
