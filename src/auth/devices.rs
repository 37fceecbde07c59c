//! The caller's devices: listing, renaming, ending.

use std::sync::Arc;

use super::authenticate::{Authentication, Bearer, Caller};
use super::error::AuthError;
use super::{ClientInfo, events};
use crate::metrics::Metrics;
use crate::model::device::{Cause, DeviceName};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::store::queries::devices::{EndedPosition, FindLastSeen, ListDevices, ListEndedDevices, Listed};
use crate::store::queries::standing::ReadSeenStanding;
use crate::store::steps::end_device::{DeviceEnded, EndDevice};
use crate::store::steps::rename_device::{RenameDevice, Renamed};
use crate::store::{SeenStanding, Store};
use crate::world::World;

/// One page of a list of devices.
#[derive(Clone, Debug)]
pub struct DevicePage<Position = DeviceId> {
    /// The devices of the page; live ones in order of sign-in.
    pub devices: Vec<Listed>,
    /// The position after which the next page starts, if there may be more.
    pub next: Option<Position>,
}

/// The devices of users.
#[derive(Debug)]
pub struct UserDevices {
    pub(super) authentication: Arc<Authentication>,
    pub(super) store: Store,
    pub(super) world: World,
    pub(super) metrics: Arc<Metrics>,
}

impl UserDevices {
    /// Lists the caller's live devices after `after`, at most `limit`.
    pub async fn list(
        &self,
        bearer: &Bearer,
        after: Option<DeviceId>,
        limit: usize,
        client: &ClientInfo,
    ) -> Result<(Caller, DevicePage), AuthError> {
        let caller = self.authentication.authenticate(bearer, client).await?;
        let page = self.list_of(caller.user.id, after, limit).await?;
        Ok((caller, page))
    }

    /// Lists the live devices of a user after `after`, at most `limit`.
    pub async fn list_of(
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

    /// Lists a user's ended devices that are still kept, the latest end first.
    pub async fn ended_of(
        &self,
        user: UserId,
        after: Option<EndedPosition>,
        limit: usize,
    ) -> Result<DevicePage<EndedPosition>, AuthError> {
        let devices = self.store.read(ListEndedDevices { user, after, limit }).await?;
        let last = devices.last().filter(|_| devices.len() >= limit);
        let next = last.and_then(|listed| EndedPosition::of(&listed.device));
        Ok(DevicePage { devices, next })
    }

    /// One live device of the caller's user.
    pub async fn find(
        &self,
        bearer: &Bearer,
        device: DeviceId,
        client: &ClientInfo,
    ) -> Result<(Caller, Listed), AuthError> {
        let caller = self.authentication.authenticate(bearer, client).await?;
        let read = ReadSeenStanding { user: caller.user.id, device };
        let SeenStanding { standing, last_seen } = self.store.read(read).await?;
        let listed = standing.device.map(|device| Listed { device, last_seen });
        let now = self.world.now();
        let listed = listed.filter(|listed| lives(listed, now)).ok_or(AuthError::NotFound)?;
        Ok((caller, listed))
    }

    /// Renames a live device of the caller's user.
    pub async fn rename(
        &self,
        bearer: &Bearer,
        device: DeviceId,
        name: DeviceName,
        client: &ClientInfo,
    ) -> Result<(Caller, Listed), AuthError> {
        let caller = self.authentication.authenticate(bearer, client).await?;
        let now = self.world.now();
        let step = |caller| RenameDevice { caller, device, name: name.clone(), now };
        let (_, renamed) = self.authentication.run_as(bearer, step).await?;
        match renamed {
            Renamed::Renamed(renamed) => {
                let last_seen = self.store.read(FindLastSeen { user: caller.user.id, device }).await?;
                Ok((caller, Listed { device: *renamed, last_seen }))
            }
            Renamed::NoDevice => Err(AuthError::NotFound),
            Renamed::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Ends a device of the caller's user. Returns 1, or 0 if it had ended before.
    pub async fn end(
        &self,
        bearer: &Bearer,
        device: DeviceId,
        client: &ClientInfo,
    ) -> Result<u64, AuthError> {
        let user = self.authentication.authenticate(bearer, client).await?.user.id;
        let now = self.world.now();
        let step = |caller| EndDevice {
            user,
            device,
            caller: Some(caller),
            named_by: None,
            cause: Cause::SignedOut,
            note: None,
            now,
        };
        let (_, ended) = self.authentication.run_as(bearer, step).await?;
        let ended = device_ended(ended, &self.metrics)?;
        if ended > 0 {
            events::record("device_signed_out", Some(user), Some(device), client);
        }
        Ok(ended)
    }
}

/// Counts a sign-out by the list of devices. Returns 1, or 0 if the device had ended before.
pub(super) fn device_ended(outcome: DeviceEnded, metrics: &Metrics) -> Result<u64, AuthError> {
    match outcome {
        DeviceEnded::Ended => {
            metrics.sign_out("device");
            Ok(1)
        }
        DeviceEnded::AlreadyEnded | DeviceEnded::BelowFloor => Ok(0),
        DeviceEnded::NoDevice => Err(AuthError::NotFound),
        DeviceEnded::Refused(refusal) => Err(refusal.into()),
    }
}

fn lives(listed: &Listed, now: Timestamp) -> bool {
    listed.device.ended.is_none() && now < listed.device.end()
}
