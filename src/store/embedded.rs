//! A store within this process: the steps over an engine that can read and write.

use std::future::Future;

use async_trait::async_trait;

use super::records::Records;
use super::steps::{self, Step, account, device, keys, password, session, sign_out, sweep};
use super::{Clock, Founding, KeySet, Listed, Standing, Store, StoreError, Totals};
use crate::model::claims::Presented;
use crate::model::counters::{Era, Position};
use crate::model::device::{Cause, Device, DeviceName, Ended, LastSeen};
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::revocation::Entry;
use crate::model::service_key::ServiceKey;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;

/// What an engine can do: read, and take a step.
pub trait Engine: Send + Sync + 'static {
    /// Reads what is there now, which may run ahead of what is durable.
    fn read<T>(&self, read: impl FnOnce(&dyn Records) -> Result<T, StoreError>) -> Result<T, StoreError>;

    /// Takes a step, alone; resolves once all it wrote and all it read is durable.
    fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&dyn Records) -> Step<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;
}

/// A [`Store`] over an [`Engine`].
#[derive(Debug)]
pub struct Embedded<E>(pub E);

#[async_trait]
impl<E: Engine> Store for Embedded<E> {
    async fn founding(&self) -> Result<Option<Founding>, StoreError> {
        self.0.read(|records| records.founding())
    }

    async fn clock(&self) -> Result<Clock, StoreError> {
        self.0.read(|records| records.clock())
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.0.read(|records| records.totals())
    }

    async fn standing(&self, user: UserId, device: DeviceId) -> Result<Standing, StoreError> {
        self.0.read(|records| steps::standing(records, user, device))
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.0.read(|records| records.user(id))
    }

    async fn user_named(&self, key: &str) -> Result<Option<User>, StoreError> {
        self.0.read(|records| match records.user_named(key)? {
            Some(id) => records.user(id),
            None => Ok(None),
        })
    }

    async fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, StoreError> {
        self.0.read(|records| records.users(after, limit))
    }

    async fn devices(
        &self,
        user: UserId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.0.read(|records| {
            let Some(found) = records.user(user)? else { return Ok(Vec::new()) };
            let stamp = found.stamp(records.clock()?.era);
            records
                .devices(user, stamp, after, limit)?
                .into_iter()
                .map(|device| listed(records, device))
                .collect()
        })
    }

    async fn ended_devices(&self, user: UserId, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.0.read(|records| {
            let Some(found) = records.user(user)? else { return Ok(Vec::new()) };
            let era = records.clock()?.era;
            let past = records.past_devices(user, found.stamp(era), limit)?.into_iter();
            past.map(|device| listed(records, with_end(device, &found, era))).collect()
        })
    }

    async fn last_seen(&self, user: UserId, device: DeviceId) -> Result<Option<LastSeen>, StoreError> {
        self.0.read(|records| records.last_seen(user, device))
    }

    async fn keys(&self) -> Result<KeySet, StoreError> {
        // A key set read while it changes would carry the wrong version, so it is read as a step.
        self.0
            .step(|records| {
                Ok((
                    super::records::Changes::none(),
                    KeySet { version: records.clock()?.keys, keys: records.keys()? },
                ))
            })
            .await
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<ServiceKey>, StoreError> {
        self.0.read(|records| records.service_key(id))
    }

    async fn service_keys(&self) -> Result<Vec<ServiceKey>, StoreError> {
        self.0.read(|records| records.service_keys())
    }

    async fn log(&self, after: Position, limit: usize) -> Result<Vec<Entry>, StoreError> {
        // As a step, so that nothing is told before it is durable.
        self.0.step(move |records| Ok((super::records::Changes::none(), records.log(after, limit)?))).await
    }

    async fn found(&self, request: keys::Found) -> Result<keys::Founded, StoreError> {
        self.0.step(|records| keys::found(records, request)).await
    }

    async fn register(&self, request: account::Register) -> Result<account::Registered, StoreError> {
        self.0.step(|records| account::register(records, request)).await
    }

    async fn open_device(&self, request: session::OpenDevice) -> Result<session::Opened, StoreError> {
        self.0.step(|records| session::open_device(records, request)).await
    }

    async fn rotate_refresh(
        &self,
        request: session::RotateRefresh,
    ) -> Result<session::Refreshed, StoreError> {
        self.0.step(|records| session::rotate_refresh(records, request)).await
    }

    async fn end_device(&self, request: sign_out::EndDevice) -> Result<sign_out::DeviceEnded, StoreError> {
        self.0.step(|records| sign_out::end_device(records, request)).await
    }

    async fn end_devices(&self, request: sign_out::EndDevices) -> Result<sign_out::DevicesEnded, StoreError> {
        self.0.step(|records| sign_out::end_devices(records, request)).await
    }

    async fn end_everyone(&self, now: Timestamp) -> Result<Era, StoreError> {
        self.0.step(move |records| sign_out::end_everyone(records, now)).await
    }

    async fn set_password(
        &self,
        request: password::SetPassword,
    ) -> Result<password::PasswordSet, StoreError> {
        self.0.step(|records| password::set_password(records, request)).await
    }

    async fn rehash_password(&self, request: password::Rehash) -> Result<bool, StoreError> {
        self.0.step(|records| password::rehash(records, request)).await
    }

    async fn set_disabled(&self, request: account::SetDisabled) -> Result<account::DisabledSet, StoreError> {
        self.0.step(|records| account::set_disabled(records, request)).await
    }

    async fn delete_user(&self, request: account::DeleteUser) -> Result<account::UserDeleted, StoreError> {
        self.0.step(move |records| account::delete_user(records, &request)).await
    }

    async fn rename_device(
        &self,
        caller: Presented,
        device: DeviceId,
        name: DeviceName,
        now: Timestamp,
    ) -> Result<device::Renamed, StoreError> {
        self.0.step(move |records| device::rename(records, &caller, device, name, now)).await
    }

    async fn note_seen(&self, seen: Vec<(UserId, DeviceId, LastSeen)>) -> Result<(), StoreError> {
        self.0.step(|records| device::note_seen(records, seen)).await
    }

    async fn save_keys(&self, request: keys::SaveKeys) -> Result<keys::KeysSaved, StoreError> {
        self.0.step(|records| keys::save_keys(records, request)).await
    }

    async fn add_service_key(&self, key: ServiceKey) -> Result<(), StoreError> {
        self.0.step(|_| keys::add_service_key(key)).await
    }

    async fn remove_service_key(&self, id: ServiceKeyId) -> Result<bool, StoreError> {
        self.0.step(move |records| keys::remove_service_key(records, id)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<sweep::Swept, StoreError> {
        self.0.step(move |records| sweep::sweep(records, now, limit)).await
    }
}

fn listed(records: &dyn Records, device: Device) -> Result<Listed, StoreError> {
    let last_seen = records.last_seen(device.user, device.id)?;
    Ok(Listed { device, last_seen })
}

/// A device that a bump left behind has no end of its own: it ended with the bump.
fn with_end(mut device: Device, user: &User, era: Era) -> Device {
    if device.ended.is_none() {
        let at = sweep::left_behind_at(user, era, &device);
        device.ended = Some(match &user.bumped {
            Some(bump) if user.generation != device.stamp.generation => {
                Ended { at, cause: bump.cause, note: bump.note.clone() }
            }
            _ => Ended { at, cause: Cause::Administrator, note: Some("everyone was signed out".to_owned()) },
        });
    }
    device
}
