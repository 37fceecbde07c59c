//! The caller's devices: listing, renaming, ending.

use super::authenticate::{Bearer, Caller};
use super::error::AuthError;
use super::{Auth, ClientInfo, events};
use crate::model::device::{Cause, DeviceName};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::store::queries::devices::{FindLastSeen, ListDevices, Listed};
use crate::store::queries::standing::ReadStanding;
use crate::store::steps::end_device::{DeviceEnded, EndDevice};
use crate::store::steps::rename_device::{RenameDevice, Renamed};

/// One page of a list of devices.
#[derive(Clone, Debug)]
pub struct DevicePage<Position = DeviceId> {
    /// The devices of the page; live ones in order of sign-in.
    pub devices: Vec<Listed>,
    /// The position after which the next page starts, if there may be more.
    pub next: Option<Position>,
}

impl Auth {
    /// Lists the caller's live devices after `after`, at most `limit`.
    pub async fn devices(
        &self,
        bearer: &Bearer,
        after: Option<DeviceId>,
        limit: usize,
        origin: &ClientInfo,
    ) -> Result<(Caller, DevicePage), AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        let page = self.device_page(caller.user.id, after, limit).await?;
        Ok((caller, page))
    }

    pub(super) async fn device_page(
        &self,
        user: UserId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<DevicePage, AuthError> {
        let now = self.world.now();
        let mut devices = self.store.read(ListDevices { user, after, limit }).await?;
        let next = if devices.len() < limit { None } else { devices.last().map(|listed| listed.device.id) };
        devices.retain(|listed| lives(listed, now));
        Ok(DevicePage { devices, next })
    }

    /// One live device of the caller's user.
    pub async fn device(
        &self,
        bearer: &Bearer,
        device: DeviceId,
        origin: &ClientInfo,
    ) -> Result<(Caller, Listed), AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        let standing = self.store.read(ReadStanding { user: caller.user.id, device }).await?;
        let last_seen = self.store.read(FindLastSeen { user: caller.user.id, device }).await?;
        let listed = standing.device.map(|device| Listed { device, last_seen });
        let now = self.world.now();
        let listed = listed.filter(|listed| lives(listed, now)).ok_or(AuthError::NotFound)?;
        Ok((caller, listed))
    }

    /// Renames a live device of the caller's user.
    pub async fn rename_device(
        &self,
        bearer: &Bearer,
        device: DeviceId,
        name: DeviceName,
        origin: &ClientInfo,
    ) -> Result<(Caller, Listed), AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        let request = RenameDevice { caller: caller.presented(), device, name, now: self.world.now() };
        match self.store.run(request).await? {
            Renamed::Renamed(renamed) => {
                let last_seen = self.store.read(FindLastSeen { user: caller.user.id, device }).await?;
                Ok((caller, Listed { device: *renamed, last_seen }))
            }
            Renamed::NoDevice => Err(AuthError::NotFound),
            Renamed::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Ends a device of the caller's user. Returns 1, or 0 if it had ended before.
    pub async fn end_device(
        &self,
        bearer: &Bearer,
        device: DeviceId,
        origin: &ClientInfo,
    ) -> Result<u64, AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        let request = EndDevice {
            user: caller.user.id,
            device,
            caller: Some(caller.presented()),
            named_by: None,
            cause: Cause::SignedOut,
            note: None,
            now: self.world.now(),
        };
        let ended = self.device_ended(self.store.run(request).await?)?;
        if ended > 0 {
            events::record("device_signed_out", Some(caller.user.id), Some(device), origin);
        }
        Ok(ended)
    }

    pub(super) fn device_ended(&self, outcome: DeviceEnded) -> Result<u64, AuthError> {
        match outcome {
            DeviceEnded::Ended => {
                self.metrics.sign_out("device");
                Ok(1)
            }
            DeviceEnded::AlreadyEnded | DeviceEnded::BelowFloor => Ok(0),
            DeviceEnded::NoDevice => Err(AuthError::NotFound),
            DeviceEnded::Refused(refusal) => Err(refusal.into()),
        }
    }
}

fn lives(listed: &Listed, now: Timestamp) -> bool {
    listed.device.ended.is_none() && now < listed.device.end()
}
