//! Clauses on accounts: names, passwords, disabling and deleting.

use rescind::model::counters::Sequence;
use rescind::model::device::Cause;
use rescind::model::ids::UserId;
use rescind::model::verdict::{Reason, Verdict};
use rescind::store::queries::service::ReadTotals;
use rescind::store::queries::standing::ReadStanding;
use rescind::store::queries::users::{FindUser, FindUserByName, ListUsers};
use rescind::store::steps::caller::Refusal;
use rescind::store::steps::delete_user::{DeleteUser, DeleteUserBy, UserDeleted};
use rescind::store::steps::end_device::{DeviceEnded, EndDevice, NamedBy};
use rescind::store::steps::end_devices::{DevicesEnded, EndDevices, EndDevicesBy};
use rescind::store::steps::open_device::Opened;
use rescind::store::steps::register::Registered;
use rescind::store::steps::rehash_password::RehashPassword;
use rescind::store::steps::rotate_refresh::Refreshed;
use rescind::store::steps::set_disabled::DisabledSet;
use rescind::store::steps::set_password::{PasswordSet, SetPassword, SetPasswordBy};

use crate::service::{HOME, IDLE, MINUTE, Pair, Service, by_first_keys, password, username};

pub(crate) async fn usernames_are_unique_and_freed(mut service: Service) {
    let ada = service.register("Ada").await;
    service.reopen().await;
    let again = service.registration("aDA", Some(service.new_device(HOME)));
    assert_eq!(service.store().run(again.clone()).await.unwrap(), Registered::UsernameTaken);
    assert_eq!(service.store().read(ReadTotals).await.unwrap().users, 1);
    assert_eq!(service.store().read(FindUser { id: again.id }).await.unwrap(), None);

    let deleted = delete(&service, ada.user()).await;
    assert!(matches!(deleted, UserDeleted::Deleted { signed_out: 1, .. }), "{deleted:?}");
    assert_eq!(
        service.store().read(FindUserByName { name: username("ada").key().to_owned() }).await.unwrap(),
        None
    );
    assert!(matches!(service.store().run(again.clone()).await.unwrap(), Registered::Session(_)));
    let found = service
        .store()
        .read(FindUserByName { name: username("ADA").key().to_owned() })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.id, found.username.shown()), (again.id, "aDA"));
    let without_device = service.registration("grace", None);
    let answer = service.store().run(without_device).await.unwrap();
    let Registered::User(grace) = answer else { panic!("{answer:?}") };
    assert_eq!(service.live(grace.id).await, 0);
}

async fn delete(service: &Service, user: UserId) -> UserDeleted {
    let request =
        DeleteUser { by: DeleteUserBy::Administrator(user), now: service.now(), former_until: service.now() };
    service.store().run(request).await.unwrap()
}

pub(crate) async fn deleting_frees_the_name_and_ends_everything(mut service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let laptop = service.sign_in(user).await;
    let eve = service.register("eve").await;
    let request = |verified| DeleteUser {
        by: DeleteUserBy::Caller { token: by_first_keys(phone.access), verified },
        now: service.now(),
        former_until: service.now(),
    };
    let store = service.store();
    assert_eq!(store.run(request(password(1))).await.unwrap(), UserDeleted::PasswordChanged);
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    let deleted = store.run(request(password(0))).await.unwrap();
    let generation = phone.access.stamp.generation.next();
    assert_eq!(deleted, UserDeleted::Deleted { signed_out: 2, generation });
    drop(store);
    service.reopen().await;

    for pair in [&phone, &laptop] {
        assert_eq!(service.verdict(&pair.access).await, Verdict::Ended(Reason::SignedOutEverywhere));
        let refused = Refreshed::Refused(Refusal::Ended(Reason::SignedOutEverywhere));
        assert_eq!(service.refresh(&pair.refresh, HOME).await, refused);
    }
    assert_eq!(service.verdict(&eve.access).await, Verdict::Live);
    assert_eq!(service.log().await.len(), 1);
    let totals = service.store().read(ReadTotals).await.unwrap();
    assert_eq!((totals.users, totals.live_devices), (1, 1));
    assert_eq!(service.past_devices(user).await, []);
    let opened = service.store().run(service.opening(user, &password(0))).await.unwrap();
    assert_eq!(opened, Opened::NoUser);
    assert_eq!(delete(&service, user).await, UserDeleted::NoUser);
}

pub(crate) async fn only_the_verified_hash_is_replaced(mut service: Service) {
    let phone = service.register("ada").await;
    let rehash =
        |user, verified, to| RehashPassword { user, verified: password(verified), password: password(to) };
    let store = service.store();
    assert!(!store.run(rehash(phone.user(), 1, 2)).await.unwrap());
    assert!(!store.run(rehash(service.world.user_id(), 0, 2)).await.unwrap());
    assert!(store.run(rehash(phone.user(), 0, 3)).await.unwrap());
    drop(store);
    service.reopen().await;
    let user = service.store().read(FindUser { id: phone.user() }).await.unwrap().unwrap();
    assert_eq!(user.password, Some(password(3)));
    assert_eq!(
        service.verdict(&phone.access).await,
        Verdict::Live,
        "the password is the same, nobody is ended"
    );
}

pub(crate) async fn disabling_ends_everything_and_enabling_brings_nothing_back(mut service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    service.sign_in(user).await;
    let set = async |service: &Service, disabled| match service
        .store()
        .run(service.disabling(user, disabled))
        .await
        .unwrap()
    {
        DisabledSet::Set { user, signed_out } => (user.disabled.is_some(), signed_out),
        DisabledSet::NoUser => panic!("she is there"),
    };
    assert_eq!(set(&service, true).await, (true, 2));
    service.reopen().await;
    assert_eq!(set(&service, true).await, (true, 0), "it was");
    assert_eq!(service.verdict(&phone.access).await, Verdict::Ended(Reason::UserDisabled));
    let bump = service.store().read(FindUser { id: user }).await.unwrap().unwrap().bumped.unwrap();
    assert_eq!((bump.cause, bump.note.as_deref()), (Cause::Disabled, Some("asked for")));

    for _ in 0..2 {
        assert_eq!(set(&service, false).await, (false, 0));
    }
    let bump = service.store().read(FindUser { id: user }).await.unwrap().unwrap().bumped.unwrap();
    assert_eq!(bump.cause, Cause::Disabled, "enabling ended nothing");
    assert_eq!(service.verdict(&phone.access).await, Verdict::Ended(Reason::SignedOutEverywhere));
    let refused = Refreshed::Refused(Refusal::Ended(Reason::SignedOutEverywhere));
    assert_eq!(service.refresh(&phone.refresh, HOME).await, refused);
    let again = service.sign_in(user).await;
    assert_eq!(service.verdict(&again.access).await, Verdict::Live);
    assert_eq!(service.log().await.len(), 2, "both are told to followers, once");
}

pub(crate) async fn password_change_raises_the_floor(mut service: Service) {
    let older = service.register("ada").await;
    let laptop = service.sign_in(older.user()).await;
    let phone = service.rotate(&older).await;
    service.pass(MINUTE);
    let (changed, signed_out) = change(&service, &phone, 0, 1).await;
    assert_eq!(signed_out, 1, "the laptop");
    service.reopen().await;

    let below = Refreshed::Refused(Refusal::Ended(Reason::PasswordChanged));
    for stolen in [&older, &phone] {
        assert_eq!(service.refresh(&stolen.refresh, HOME).await, below, "dead, but nobody's theft");
        assert_eq!(service.verdict(&stolen.access).await, Verdict::Ended(Reason::PasswordChanged));
        for token in
            [NamedBy::Refresh(stolen.refresh.sequence), NamedBy::Access(stolen.access.stamp.generation)]
        {
            let leaving =
                EndDevice { named_by: Some(token), ..service.ending(stolen.user(), stolen.device(), None) };
            let ended = service.store().run(leaving).await.unwrap();
            assert_eq!(ended, DeviceEnded::BelowFloor, "{token:?}");
        }
    }
    assert_eq!(service.verdict(&laptop.access).await, Verdict::Ended(Reason::SignedOutEverywhere));
    assert_eq!(service.verdict(&changed.access).await, Verdict::Live);
    let renewed = service.rotate(&changed).await;
    assert_eq!(renewed.refresh.sequence, Sequence::new(3));
    assert_eq!(service.refresh(&phone.refresh, HOME).await, below);
    assert_eq!(service.verdict(&renewed.access).await, Verdict::Live);
    let device = service
        .store()
        .read(ReadStanding { user: phone.user(), device: phone.device() })
        .await
        .unwrap()
        .device
        .unwrap();
    assert_eq!((device.authenticated, device.idle_end), (service.now(), service.now() + IDLE));
}

async fn change(service: &Service, caller: &Pair, verified: u64, to: u64) -> (Pair, u64) {
    let by = SetPasswordBy::Caller {
        token: by_first_keys(caller.access),
        verified: password(verified),
        idle: IDLE,
    };
    let request = SetPassword { by, password: password(to), now: service.now() };
    match service.store().run(request).await.unwrap() {
        PasswordSet::Changed { session, signed_out } => (Pair::minted(&session, service.now()), signed_out),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn an_administrators_password_leaves_no_device(service: Service) {
    let phone = service.register("ada").await;
    service.sign_in(phone.user()).await;
    let by = SetPasswordBy::Administrator(phone.user());
    let request = SetPassword { by, password: password(1), now: service.now() };
    let answer = service.store().run(request).await.unwrap();
    assert_eq!(answer, PasswordSet::Replaced { signed_out: 2 });
    assert_eq!(service.verdict(&phone.access).await, Verdict::Ended(Reason::SignedOutEverywhere));
    assert_eq!(service.live(phone.user()).await, 0);
}

pub(crate) async fn a_stale_password_changes_nothing(service: Service) {
    let phone = service.register("ada").await;
    let (phone, _) = change(&service, &phone, 0, 1).await;
    let by = SetPasswordBy::Caller { token: by_first_keys(phone.access), verified: password(0), idle: IDLE };
    let request = SetPassword { by, password: password(2), now: service.now() };
    let answer = service.store().run(request).await.unwrap();
    assert_eq!(answer, PasswordSet::PasswordChanged);
    let late = service.store().run(service.opening(phone.user(), &password(0))).await.unwrap();
    assert_eq!(late, Opened::PasswordChanged);
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    assert_eq!(service.log().await.len(), 1);
}

pub(crate) async fn users_are_listed_by_name(mut service: Service) {
    for name in ["mallory", "Ada", "eve", "Bob"] {
        service.register(name).await;
    }
    service.reopen().await;
    let page = async |after: Option<&str>| {
        let users =
            service.store().read(ListUsers { after: after.map(str::to_owned), limit: 3 }).await.unwrap();
        users.into_iter().map(|listed| listed.user.username.shown().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page(None).await, ["Ada", "Bob", "eve"]);
    assert_eq!(page(Some("eve")).await, ["mallory"]);
    assert_eq!(page(Some("mallory")).await, [""; 0]);
}

pub(crate) async fn who_is_not_there_is_told(service: Service) {
    let (store, now, user) = (service.store(), service.now(), service.world.user_id());
    let request = SetPassword { by: SetPasswordBy::Administrator(user), password: password(1), now };
    assert_eq!(store.run(request).await.unwrap(), PasswordSet::NoUser);
    assert_eq!(store.run(service.disabling(user, true)).await.unwrap(), DisabledSet::NoUser);
    let by = EndDevicesBy::Administrator { user, note: None };
    assert_eq!(store.run(EndDevices { by, now }).await.unwrap(), DevicesEnded::NoUser);
    assert_eq!(delete(&service, user).await, UserDeleted::NoUser);
    assert_eq!(store.read(FindUser { id: user }).await.unwrap(), None);
    let standing = store.read(ReadStanding { user, device: service.world.device_id() }).await.unwrap();
    assert_eq!((standing.user, standing.device), (None, None));
    assert_eq!(service.log().await, []);
}
