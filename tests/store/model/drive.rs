//! Runs one operation on the store, on the reference in memory and on the model.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use rescind::model::ids::UserId;
use rescind::store::Store;
use rescind::store::memory::Memory;
use rescind::store::queries::service::{ReadCounters, ReadStoreIdentity};
use rescind::store::steps::Step;
use rescind::store::steps::delete_user::{DeleteUser, DeleteUserBy, UserDeleted};
use rescind::store::steps::end_device::DeviceEnded;
use rescind::store::steps::end_devices::{DevicesEnded, EndDevices, EndDevicesBy};
use rescind::store::steps::end_everyone::EndEveryone;
use rescind::store::steps::initialize::Initialize;
use rescind::store::steps::note_seen::NoteSeen;
use rescind::store::steps::open_device::Opened;
use rescind::store::steps::register::Registered;
use rescind::store::steps::rotate_refresh::Refreshed;
use rescind::store::steps::session::Session;
use rescind::store::steps::set_disabled::DisabledSet;
use rescind::store::steps::set_password::{PasswordSet, SetPassword, SetPasswordBy};
use rescind::store::steps::sweep::Swept;

use super::naive::Naive;
use super::operation::{Operation, Pick};
use super::outcome::Outcome;
use crate::service::{HOME, IDLE, Pair, Service, by_first_keys, password};

/// The store, the reference and the model. Users, devices and tokens have the same indices in all of them.
pub(super) struct Drive {
    pub(super) service: Service,
    pub(super) twin: Store,
    pub(super) naive: Naive,
    pub(super) users: Vec<UserId>,
    pub(super) pairs: Vec<Vec<Pair>>,
    /// Whether the last operation was a sweep.
    pub(super) swept: bool,
}

/// The expected outcome by the model, and the outcome of the store.
type Outcomes = (Outcome, Outcome);

impl Drive {
    pub(super) async fn over(mut service: Service) -> Self {
        service.most = 3;
        let twin = Store::new(Arc::new(Memory::default()));
        let identity = service.store().read(ReadStoreIdentity).await.unwrap().unwrap();
        twin.run(Initialize { identity, keys: Vec::new() }).await.unwrap();
        let era = twin.read(ReadCounters).await.unwrap().era.value();
        let naive = Naive { now: service.now().unix(), era, most: 3, ..Naive::default() };
        Self { service, twin, naive, users: Vec::new(), pairs: Vec::new(), swept: false }
    }

    /// Runs a step on both stores and asserts that they answer the same.
    async fn both<S: Step<Outcome: PartialEq + Debug> + Clone>(&self, step: S) -> S::Outcome {
        let said = self.service.store().run(step.clone()).await.unwrap();
        let twin = self.twin.run(step).await.unwrap();
        assert_eq!(said, twin, "the store and the reference disagree");
        said
    }

    /// Runs one operation; one whose index points at nothing is skipped.
    pub(super) async fn take(&mut self, operation: &Operation) {
        self.swept = matches!(operation, Operation::Sweep);
        let Some((expected, said)) = self.outcomes(operation).await else { return };
        assert!(expected.is(&said), "{operation:?}: expected {expected:?}, was told {said:?}");
    }

    async fn outcomes(&mut self, operation: &Operation) -> Option<Outcomes> {
        match *operation {
            Operation::Register { name, signed_in } => self.register(name, signed_in).await,
            Operation::Open { user, right } => self.open(user, right).await,
            Operation::Refresh { token, network } => self.refresh(token, network).await,
            Operation::End { device, caller } => self.end(device, caller).await,
            Operation::EndAll { caller, keep } => self.end_all(caller, keep).await,
            Operation::EndAllOf { user } => self.end_all_of(user).await,
            Operation::ChangePassword { caller, right } => self.change_password(caller, right).await,
            Operation::ReplacePassword { user } => self.replace_password(user).await,
            Operation::SetDisabled { user, disabled } => self.set_disabled(user, disabled).await,
            Operation::Delete { user } => self.delete(user).await,
            Operation::DeleteMe { caller, right } => self.delete_me(caller, right).await,
            Operation::Everyone => {
                self.both(EndEveryone { now: self.service.now() }).await;
                Some((self.naive.everyone(), Outcome::Done))
            }
            Operation::Heard { device } => {
                let device = self.device(device)?;
                let pair = &self.pairs[device][0];
                let heard = vec![(pair.user(), pair.device(), self.service.seen(HOME))];
                self.both(NoteSeen { seen: heard }).await;
                self.naive.heard(device);
                None
            }
            Operation::Pass { seconds } => {
                self.service.pass(Duration::from_secs(seconds));
                self.naive.now = self.service.now().unix();
                None
            }
            Operation::Sweep => {
                // Devices that ran out long ago are ended by one batch and forgotten by the next.
                let request = self.service.sweeping(64).await;
                while self.both(request).await != Swept::default() {}
                self.naive.sweep();
                None
            }
            Operation::Reopen => {
                self.service.reopen().await;
                None
            }
        }
    }

    async fn register(&mut self, name: u8, signed_in: bool) -> Option<Outcomes> {
        let device = signed_in.then(|| self.service.new_device(HOME));
        let id = device.as_ref().map(|device| device.id);
        let request = self.service.registration(&format!("user {name}"), device);
        let said = match self.both(request).await {
            Registered::UsernameTaken => Outcome::UsernameTaken,
            Registered::User(user) => {
                self.users.push(user.id);
                Outcome::Done
            }
            Registered::Session(session) => {
                self.users.push(session.user.id);
                self.opened(&session, &[])
            }
            other => panic!("{other:?}"),
        };
        Some((self.naive.register(name, id), said))
    }

    async fn open(&mut self, user: usize, right: bool) -> Option<Outcomes> {
        let user = self.user(user)?;
        let verified = self.naive.users[user].password + u64::from(!right);
        let request = self.service.opening(self.users[user], &password(verified));
        let id = request.device.id;
        let said = match self.both(request).await {
            Opened::Opened { session, evicted } => self.opened(&session, &evicted),
            Opened::NoUser => Outcome::NoUser,
            Opened::Disabled => Outcome::Disabled,
            Opened::PasswordChanged => Outcome::PasswordChanged,
        };
        Some((self.naive.open(user, verified, id), said))
    }

    async fn refresh(&mut self, token: Pick, network: &'static str) -> Option<Outcomes> {
        let (device, token) = self.token(token)?;
        let request = self.service.rotation(&self.pairs[device][token].refresh, network);
        let said = match self.both(request).await {
            Refreshed::Rotated(session) | Refreshed::Renewed(session) => {
                Outcome::Rotated(self.keep(device, &session))
            }
            Refreshed::Repeated(session) => Outcome::Repeated(self.keep(device, &session)),
            Refreshed::Recovered(session) => Outcome::Recovered(self.keep(device, &session)),
            Refreshed::Reused { .. } => Outcome::Reused,
            Refreshed::Refused(refusal) => refusal.into(),
        };
        Some((self.naive.refresh(device, token, network), said))
    }

    async fn end(&mut self, device: usize, caller: Option<usize>) -> Option<Outcomes> {
        let device = self.device(device)?;
        let of_user = |caller: &usize| self.naive.devices[*caller].user == self.naive.devices[device].user;
        let caller = caller.and_then(|caller| self.device(caller)).filter(of_user);
        let caller = caller.map(|caller| (caller, self.pairs[caller].len() - 1));
        let target = &self.pairs[device][0];
        let presented = caller.map(|(device, token)| self.pairs[device][token].access);
        let request = self.service.ending(target.user(), target.device(), presented);
        let said = match self.both(request).await {
            DeviceEnded::Ended => Outcome::Done,
            DeviceEnded::AlreadyEnded | DeviceEnded::BelowFloor | DeviceEnded::NoDevice => Outcome::NotLive,
            DeviceEnded::Refused(refusal) => refusal.into(),
        };
        Some((self.naive.end_one(device, caller), said))
    }

    async fn end_all(&mut self, caller: Pick, keep: bool) -> Option<Outcomes> {
        let (device, token) = self.token(caller)?;
        let pair = self.pairs[device][token].clone();
        let said = match self.both(self.service.everywhere(&pair, keep)).await {
            DevicesEnded::Ended { signed_out, user, kept } => {
                if let Some(kept) = kept {
                    let mut pair = pair;
                    pair.access.stamp = user.stamp(kept.stamp.era);
                    self.pairs[device].push(pair);
                }
                Outcome::SignedOut(signed_out)
            }
            DevicesEnded::NoUser => Outcome::NoUser,
            DevicesEnded::Refused(refusal) => refusal.into(),
        };
        Some((self.naive.end_all(device, token, keep), said))
    }

    async fn end_all_of(&mut self, user: usize) -> Option<Outcomes> {
        let now = self.service.now();
        let user = self.user(user)?;
        let by = EndDevicesBy::Administrator { user: self.users[user], note: None };
        let request = EndDevices { by, now };
        let said = match self.both(request).await {
            DevicesEnded::Ended { signed_out, .. } => Outcome::SignedOut(signed_out),
            DevicesEnded::NoUser => Outcome::NoUser,
            DevicesEnded::Refused(refusal) => refusal.into(),
        };
        Some((self.naive.end_all_of(user, None), said))
    }

    async fn change_password(&mut self, caller: Pick, right: bool) -> Option<Outcomes> {
        let now = self.service.now();
        let (device, token) = self.token(caller)?;
        let known = self.naive.users[self.naive.devices[device].user].password;
        let verified = known + u64::from(!right);
        let token_of = by_first_keys(self.pairs[device][token].access);
        let by = SetPasswordBy::Caller { token: token_of, verified: password(verified), idle: IDLE };
        let request = SetPassword { by, password: password(known + 2), now };
        let said = match self.both(request).await {
            PasswordSet::Changed { session, signed_out } => {
                self.keep(device, &session);
                Outcome::SignedOut(signed_out)
            }
            other => password_set(&other),
        };
        Some((self.naive.change_password(device, token, verified, known + 2), said))
    }

    async fn replace_password(&mut self, user: usize) -> Option<Outcomes> {
        let now = self.service.now();
        let user = self.user(user)?;
        let to = self.naive.users[user].password + 2;
        let request =
            SetPassword { by: SetPasswordBy::Administrator(self.users[user]), password: password(to), now };
        let said = password_set(&self.both(request).await);
        Some((self.naive.end_all_of(user, Some(to)), said))
    }

    async fn set_disabled(&mut self, user: usize, disabled: bool) -> Option<Outcomes> {
        let user = self.user(user)?;
        let said = match self.both(self.service.disabling(self.users[user], disabled)).await {
            DisabledSet::Set { signed_out, .. } => Outcome::SignedOut(signed_out),
            DisabledSet::NoUser => Outcome::NoUser,
        };
        Some((self.naive.set_disabled(user, disabled), said))
    }

    async fn delete(&mut self, user: usize) -> Option<Outcomes> {
        let now = self.service.now();
        let user = self.user(user)?;
        let request =
            DeleteUser { by: DeleteUserBy::Administrator(self.users[user]), now, former_until: now };
        let said = user_deleted(&self.both(request).await);
        Some((self.naive.delete(user), said))
    }

    async fn delete_me(&mut self, caller: Pick, right: bool) -> Option<Outcomes> {
        let now = self.service.now();
        let (device, token) = self.token(caller)?;
        let user = self.naive.devices[device].user;
        let verified = password(self.naive.users[user].password + u64::from(!right));
        let by = DeleteUserBy::Caller { token: by_first_keys(self.pairs[device][token].access), verified };
        let request = DeleteUser { by, now, former_until: now };
        let said = user_deleted(&self.both(request).await);
        let expected = match self.naive.judge(device, token) {
            Err(refused) => refused,
            Ok(()) if !right => Outcome::PasswordChanged,
            Ok(()) => self.naive.delete(user),
        };
        Some((expected, said))
    }

    fn user(&self, index: usize) -> Option<usize> {
        index.checked_rem(self.users.len())
    }

    /// Counts from the newest device back, because the newest are mostly live.
    fn device(&self, index: usize) -> Option<usize> {
        let back = index.checked_rem(self.pairs.len())?;
        Some(self.pairs.len() - 1 - back)
    }

    fn token(&self, pick: Pick) -> Option<(usize, usize)> {
        let device = self.device(pick.device)?;
        Some((device, self.pairs[device].len().saturating_sub(1 + pick.back)))
    }

    fn opened(&mut self, session: &Session, evicted: &[rescind::model::ids::DeviceId]) -> Outcome {
        let index = |id| self.pairs.iter().position(|pairs| pairs[0].device() == id).unwrap();
        let evicted = evicted.iter().map(|id| index(*id)).collect();
        self.pairs.push(vec![Pair::minted(session, self.service.now())]);
        Outcome::Opened { evicted }
    }

    fn keep(&mut self, device: usize, session: &Session) -> u64 {
        self.pairs[device].push(Pair::minted(session, self.service.now()));
        session.device.refresh.current.value()
    }
}

fn password_set(said: &PasswordSet) -> Outcome {
    match said {
        PasswordSet::Changed { signed_out, .. } | PasswordSet::Replaced { signed_out } => {
            Outcome::SignedOut(*signed_out)
        }
        PasswordSet::NoUser => Outcome::NoUser,
        PasswordSet::PasswordChanged => Outcome::PasswordChanged,
        PasswordSet::Refused(refusal) => (*refusal).into(),
    }
}

fn user_deleted(said: &UserDeleted) -> Outcome {
    match said {
        UserDeleted::Deleted { signed_out, .. } => Outcome::SignedOut(*signed_out),
        UserDeleted::NoUser => Outcome::NoUser,
        UserDeleted::PasswordChanged => Outcome::PasswordChanged,
        UserDeleted::Refused(refusal) => (*refusal).into(),
    }
}
