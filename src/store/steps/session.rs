//! A session, and the device that is added when one begins.

use std::time::Duration;

use crate::model::authentication_method::AuthenticationMethod;
use crate::model::counters::{Era, KeysVersion};
use crate::model::device::{Device, DeviceKind, DeviceName, Ended, LastSeen};
use crate::model::ids::DeviceId;
use crate::model::network::Network;
use crate::model::refresh_state::RefreshState;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::Record;
use crate::store::past_devices::gone_at;
use crate::store::records::Changes;

/// Everything that the tokens of a session are minted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user: User,
    /// The device.
    pub device: Device,
    /// The era.
    pub era: Era,
    /// The version of the key set.
    pub keys: KeysVersion,
}

/// A device that a user signs in on.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// The device's id.
    pub id: DeviceId,
    /// The device's name.
    pub name: DeviceName,
    /// The device's kind.
    pub kind: DeviceKind,
    /// How the user proved who they are, if another system said so.
    pub amr: Vec<AuthenticationMethod>,
    /// Whether a refresh brings a new refresh token.
    pub rotates: bool,
    /// The network from which the user signs in.
    pub network: Network,
    /// From where the user signs in, as lists show it.
    pub seen: LastSeen,
    /// How long the device lasts without a refresh.
    pub idle: Duration,
    /// How long the device lasts in any case.
    pub lifetime: Duration,
}

impl NewDevice {
    /// Adds the device under the user's stamp. The caller writes the user.
    pub(super) fn open(&self, changes: &mut Changes, era: Era, user: &mut User, now: Timestamp) -> Device {
        let device = self.device(era, user, now);
        user.set_live_devices(era, user.live_devices(era) + 1);
        changes.counted.live_devices += 1;
        user.kept.count += 1;
        changes.device(&device);
        // The password was hashed in between: the device is seen when it comes to be.
        changes.put(Record::LastSeen(user.id, device.id, LastSeen { at: now, ..self.seen.clone() }));
        changes.put(Record::ExpiryCheck(ExpiryCheck::at(&device, device.end())));
        device
    }

    /// Adds the device as one that has ended: it never lived, and its record says that it never will. The caller writes the
    /// user.
    pub(super) fn record_as_ended(&self, changes: &mut Changes, era: Era, user: &mut User, ended: Ended) {
        let at = ended.at;
        let device = Device { ended: Some(ended), ..self.device(era, user, at) };
        user.kept.count += 1;
        changes.put(Record::LastSeen(user.id, device.id, LastSeen { at, ..self.seen.clone() }));
        changes.put(Record::ExpiryCheck(ExpiryCheck::at(&device, gone_at(at, &device))));
        changes.put(Record::EndedDevice(Box::new(device)));
    }

    /// The device under the user's stamp.
    fn device(&self, era: Era, user: &User, now: Timestamp) -> Device {
        let absolute_end = now + self.lifetime;
        Device {
            id: self.id,
            user: user.id,
            stamp: user.stamp(era),
            name: self.name.clone(),
            kind: self.kind.clone(),
            created: now,
            authenticated: now,
            idle_end: (now + self.idle).min(absolute_end),
            absolute_end,
            refresh: RefreshState::opened(self.network),
            ended: None,
            amr: self.amr.clone(),
            rotates: self.rotates,
        }
    }
}
