//! What an engine has to be able to do, and the store that comes of it: every step over any engine.

use std::future::Future;

use async_trait::async_trait;
use tokio::sync::watch;

use super::priority::Priority;
use super::records::{Changes, Records};
use super::steps::{self, Step, account, device, keys, password, rollback, session, sign_out, sweep};
use super::{
    Clock, EndedPlace, Founding, KeySet, Listed, ListedUser, Standing, Store, StoreError, StoreTime, Totals,
};
use crate::model::claims::Presented;
use crate::model::counters::{Era, Position};
use crate::model::device::{Device, DeviceName, LastSeen};
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::names::Names;
use crate::model::revocation::Entry;
use crate::model::service_key::ServiceKey;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;

/// What a step or a read is about, known before it begins.
///
/// An engine whose steps run side by side holds this still, so that nobody changes it before the step has ended, and
/// reads it in one go. One whose steps run one after the other need not look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Nothing in particular.
    Anything,
    /// A username's key.
    Username(String),
    /// A user and all that is of it.
    User(UserId),
    /// The same, and one device above all.
    Device(UserId, DeviceId),
    /// A page of a user's live devices, to be read: after one, at most so many.
    Devices(UserId, Option<DeviceId>, usize),
    /// Notes on devices. They decide nothing, so nothing is held still.
    Notes(Vec<(UserId, DeviceId)>),
    /// The counters.
    Clock,
    /// What is due to be looked at: at most so many, at that time.
    Due(Timestamp, usize),
}

/// What an engine can do: read, and take a step.
///
/// Both are pure functions of what is stored, and may be run again: when what they read was not at hand, or changed
/// under their hands.
pub trait Engine: Send + Sync + 'static {
    /// Reads what is there now, which may run ahead of what is durable.
    fn read<T: Send + 'static>(
        &self,
        about: About,
        read: impl Fn(&dyn Records) -> Result<T, StoreError> + Send + Sync + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Takes a step, alone; resolves once all it wrote and all it read is durable.
    fn step<T: Send + 'static>(
        &self,
        about: About,
        step: impl Fn(&dyn Records) -> Step<T> + Send + Sync + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// What the store knows of the time.
    fn time(&self) -> impl Future<Output = Result<StoreTime, StoreError>> + Send;

    /// Whether steps are carried out: an error says why not. Answers at once.
    ///
    /// # Errors
    /// [`StoreError::Stalled`] while the disk does not answer.
    fn working(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// See [`Store::stopped`]. An engine that does not watch its free space says none.
    fn stopped(&self) -> Result<Option<Priority>, StoreError> {
        Ok(None)
    }

    /// Marked as changed after something may have been written, by this process or another one: a hint, late by at
    /// most a tenth of a second.
    fn written(&self) -> watch::Receiver<()>;
}

/// A [`Store`] over an [`Engine`].
#[derive(Debug)]
pub struct Over<E>(pub E);

#[async_trait]
impl<E: Engine> Store for Over<E> {
    async fn founding(&self) -> Result<Option<Founding>, StoreError> {
        self.0.read(About::Anything, |records| records.founding()).await
    }

    async fn clock(&self) -> Result<Clock, StoreError> {
        self.0.read(About::Anything, |records| records.clock()).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.0.working()?;
        self.clock().await.map(drop)
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.0.read(About::Anything, |records| records.totals()).await
    }

    async fn standing(&self, user: UserId, device: DeviceId) -> Result<Standing, StoreError> {
        let about = About::Device(user, device);
        self.0.read(about, move |records| steps::standing(records, user, device)).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.0.read(About::User(id), move |records| records.user(id)).await
    }

    async fn user_named(&self, key: &str) -> Result<Option<User>, StoreError> {
        let key = key.to_owned();
        let about = About::Username(key.clone());
        let read = move |records: &dyn Records| match records.user_named(&key)? {
            Some(id) => records.user(id),
            None => Ok(None),
        };
        self.0.read(about, read).await
    }

    async fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ListedUser>, StoreError> {
        let after = after.map(str::to_owned);
        let read = move |records: &dyn Records| {
            let users = records.users(after.as_deref(), limit)?;
            let era = records.clock()?.era;
            let listed = |user: User| ListedUser { live_devices: user.live_devices(era), user };
            Ok(users.into_iter().map(listed).collect())
        };
        self.0.read(About::Anything, read).await
    }

    async fn devices(
        &self,
        user: UserId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let read = move |records: &dyn Records| {
            let Some(found) = records.user(user)? else { return Ok(Vec::new()) };
            let stamp = found.stamp(records.clock()?.era);
            let devices = records.devices(user, stamp, after, limit)?.into_iter();
            devices.map(|device| listed(records, device)).collect()
        };
        self.0.read(About::Devices(user, after, limit), read).await
    }

    async fn ended_devices(
        &self,
        user: UserId,
        after: Option<EndedPlace>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let read = move |records: &dyn Records| {
            let Some(found) = records.user(user)? else { return Ok(Vec::new()) };
            let era = records.clock()?.era;
            let past = records.past_devices(user, found.stamp(era), usize::MAX)?.into_iter();
            let past = past.map(|device| with_end(device, &found, era));
            // By their ends: no index is in that order, for a bump touches no device.
            let mut past: Vec<_> =
                past.filter_map(|device| Some((EndedPlace::of(&device)?, device))).collect();
            past.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
            let page =
                past.into_iter().filter(|(place, _)| after.is_none_or(|after| *place < after)).take(limit);
            page.map(|(_, device)| listed(records, device)).collect()
        };
        self.0.read(About::User(user), read).await
    }

    async fn last_seen(&self, user: UserId, device: DeviceId) -> Result<Option<LastSeen>, StoreError> {
        self.0.read(About::Anything, move |records| records.last_seen(user, device)).await
    }

    async fn keys(&self) -> Result<KeySet, StoreError> {
        // A key set read while it changes would carry the wrong version, so it is read as a step.
        let step = |records: &dyn Records| {
            Ok((Changes::none(), KeySet { version: records.clock()?.keys, keys: records.keys()? }))
        };
        self.0.step(About::Clock, step).await
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<ServiceKey>, StoreError> {
        self.0.read(About::Anything, move |records| records.service_key(id)).await
    }

    async fn service_keys(&self) -> Result<Vec<ServiceKey>, StoreError> {
        self.0.read(About::Anything, |records| records.service_keys()).await
    }

    async fn log(&self, after: Position, limit: usize) -> Result<Vec<Entry>, StoreError> {
        // As a step, so that nothing is told before it is durable.
        let step = move |records: &dyn Records| Ok((Changes::none(), records.log(after, limit)?));
        self.0.step(About::Anything, step).await
    }

    async fn log_grew(&self, past: Position) -> Result<(), StoreError> {
        let mut written = self.0.written();
        while self.clock().await?.head <= past {
            if written.changed().await.is_err() {
                return Err(StoreError::Unavailable("nothing is written any more".to_owned()));
            }
        }
        Ok(())
    }

    async fn stopped(&self) -> Result<Option<Priority>, StoreError> {
        self.0.stopped()
    }

    async fn found(&self, request: keys::Found) -> Result<keys::Founded, StoreError> {
        self.0.step(About::Clock, move |records| keys::found(records, &request)).await
    }

    async fn restored(&self, request: keys::Restore) -> Result<keys::Restored, StoreError> {
        self.0.step(About::Clock, move |records| keys::restored(records, &request)).await
    }

    async fn use_names(&self, names: Names, now: Timestamp) -> Result<(), StoreError> {
        self.0.step(About::Clock, move |records| keys::use_names(records, &names, now)).await
    }

    async fn register(&self, request: account::Register) -> Result<account::Registered, StoreError> {
        let about = About::Username(request.username.key().to_owned());
        self.0.step(about, move |records| account::register(records, &request)).await
    }

    async fn open_device(&self, request: session::OpenDevice) -> Result<session::Opened, StoreError> {
        let about = About::User(request.user);
        self.0.step(about, move |records| session::open_device(records, &request)).await
    }

    async fn rotate_refresh(
        &self,
        request: session::RotateRefresh,
    ) -> Result<session::Refreshed, StoreError> {
        let about = About::Device(request.claims.subject, request.claims.device);
        self.0.step(about, move |records| session::rotate_refresh(records, &request)).await
    }

    async fn end_device(&self, request: sign_out::EndDevice) -> Result<sign_out::DeviceEnded, StoreError> {
        let about = About::Device(request.user, request.device);
        self.0.step(about, move |records| sign_out::end_device(records, &request)).await
    }

    async fn end_devices(&self, request: sign_out::EndDevices) -> Result<sign_out::DevicesEnded, StoreError> {
        let about = match &request.by {
            sign_out::By::Caller { presented, .. } => About::Device(presented.user, presented.device),
            sign_out::By::Administrator { user, .. } => About::User(*user),
        };
        self.0.step(about, move |records| sign_out::end_devices(records, &request)).await
    }

    async fn end_everyone(&self, now: Timestamp) -> Result<Era, StoreError> {
        self.0.step(About::Clock, move |records| sign_out::end_everyone(records, now)).await
    }

    async fn set_password(
        &self,
        request: password::SetPassword,
    ) -> Result<password::PasswordSet, StoreError> {
        let about = match &request.by {
            password::By::Caller { presented, .. } => About::Device(presented.user, presented.device),
            password::By::Administrator(user) => About::User(*user),
        };
        self.0.step(about, move |records| password::set_password(records, &request)).await
    }

    async fn rehash_password(&self, request: password::Rehash) -> Result<bool, StoreError> {
        let about = About::User(request.user);
        self.0.step(about, move |records| password::rehash(records, &request)).await
    }

    async fn set_disabled(&self, request: account::SetDisabled) -> Result<account::DisabledSet, StoreError> {
        let about = About::User(request.user);
        self.0.step(about, move |records| account::set_disabled(records, &request)).await
    }

    async fn delete_user(&self, request: account::DeleteUser) -> Result<account::UserDeleted, StoreError> {
        let about = match &request.caller {
            Some((presented, _)) => About::Device(presented.user, presented.device),
            None => About::User(request.user),
        };
        self.0.step(about, move |records| account::delete_user(records, &request)).await
    }

    async fn rename_device(
        &self,
        caller: Presented,
        device: DeviceId,
        name: DeviceName,
        now: Timestamp,
    ) -> Result<device::Renamed, StoreError> {
        let about = About::Device(caller.user, caller.device);
        self.0.step(about, move |records| device::rename(records, &caller, device, &name, now)).await
    }

    async fn note_seen(&self, seen: Vec<(UserId, DeviceId, LastSeen)>) -> Result<(), StoreError> {
        let about = About::Notes(seen.iter().map(|(user, device, _)| (*user, *device)).collect());
        self.0.step(about, move |records| device::note_seen(records, &seen)).await
    }

    async fn save_keys(&self, request: keys::SaveKeys) -> Result<keys::KeysSaved, StoreError> {
        self.0.step(About::Clock, move |records| keys::save_keys(records, &request)).await
    }

    async fn add_service_key(&self, key: ServiceKey) -> Result<(), StoreError> {
        self.0.step(About::Anything, move |_| keys::add_service_key(&key)).await
    }

    async fn remove_service_key(&self, id: ServiceKeyId) -> Result<bool, StoreError> {
        self.0.step(About::Anything, move |records| keys::remove_service_key(records, id)).await
    }

    async fn sweep(&self, request: sweep::Sweep) -> Result<sweep::Swept, StoreError> {
        let about = About::Due(request.now, request.limit);
        self.0.step(about, move |records| sweep::sweep(records, request)).await
    }

    async fn rolled_back(&self) -> Result<bool, StoreError> {
        self.0.read(About::Anything, |records| records.rolled_back()).await
    }

    async fn report_rollback(
        &self,
        request: rollback::ReportRollback,
    ) -> Result<rollback::RollbackReported, StoreError> {
        let about = About::Device(request.presented.user, request.presented.device);
        self.0.step(about, move |records| rollback::report(records, &request)).await
    }

    async fn time(&self) -> Result<StoreTime, StoreError> {
        self.0.time().await
    }
}

fn listed(records: &dyn Records, device: Device) -> Result<Listed, StoreError> {
    let last_seen = records.last_seen(device.user, device.id)?;
    Ok(Listed { device, last_seen })
}

/// A device that a bump left behind has no end of its own: it ended with the bump.
fn with_end(mut device: Device, user: &User, era: Era) -> Device {
    if device.ended.is_none() {
        device.ended = Some(sweep::left_behind(user, era, &device));
    }
    device
}
