//! Clauses on sign-outs: of one device, of all of a user's, of every user's.

use rescind::model::claims::Presented;
use rescind::model::counters::{Generation, Position};
use rescind::model::device::{Cause, DeviceName};
use rescind::model::revocation::{BumpExtent, Entry, Revocation};
use rescind::model::verdict::{Reason, Verdict};
use rescind::store::queries::devices::ListEndedDevices;
use rescind::store::queries::log::ReadLog;
use rescind::store::queries::service::ReadCounters;
use rescind::store::queries::users::FindUser;
use rescind::store::steps::caller::Refusal;
use rescind::store::steps::delete_user::{DeleteUser, DeleteUserBy, UserDeleted};
use rescind::store::steps::end_device::{DeviceEnded, EndDevice};
use rescind::store::steps::end_devices::{DevicesEnded, EndDevices, EndDevicesBy};
use rescind::store::steps::end_everyone::EndEveryone;
use rescind::store::steps::open_device::Opened;
use rescind::store::steps::rename_device::{RenameDevice, Renamed};
use rescind::store::steps::rotate_refresh::Refreshed;
use rescind::store::steps::save_keys::SaveKeys;
use rescind::store::steps::set_disabled::DisabledSet;
use rescind::store::steps::set_password::{PasswordSet, SetPassword, SetPasswordBy};
use tokio::task::JoinSet;

use crate::service::{DAY, HOME, IDLE, KEYS, MINUTE, Pair, Service, by_first_keys, password};

const EVERYWHERE: Verdict = Verdict::Ended(Reason::SignedOutEverywhere);

pub(crate) async fn a_sign_out_is_logged_in_the_same_step(service: Service) {
    let phone = service.register("ada").await;
    let laptop = service.sign_in(phone.user()).await;
    assert_eq!(service.log().await, [], "a sign-in ends nothing");

    assert_eq!(service.sign_out(&laptop).await, DeviceEnded::Ended);
    let device = Revocation::Device { user: laptop.user(), device: laptop.device() };
    assert_eq!(service.log().await.last().map(|entry| entry.revocation.clone()), Some(device));
    assert_eq!(service.store().read(ReadCounters).await.unwrap().head, Position::new(1));

    service.sign_out_all(&phone, false).await;
    let generation = service.store().read(FindUser { id: phone.user() }).await.unwrap().unwrap().generation;
    let bump = Revocation::Generation { user: phone.user(), generation, extent: BumpExtent::All };
    assert_eq!(service.log().await.last().map(|entry| entry.revocation.clone()), Some(bump));

    let era = service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    let last = service.log().await.pop().unwrap();
    assert_eq!(
        (last.revocation, last.position, last.at),
        (Revocation::Era(era), Position::new(3), service.now())
    );
}

pub(crate) async fn a_bump_is_logged_with_the_device_that_goes_on(mut service: Service) {
    let phone = service.register("ada").await;
    service.sign_in(phone.user()).await;
    let (_, access) = service.sign_out_all(&phone, true).await;
    let by =
        SetPasswordBy::Caller { token: by_first_keys(access.unwrap()), verified: password(0), idle: IDLE };
    let request = SetPassword { by, password: password(1), now: service.now() };
    assert!(matches!(service.store().run(request).await.unwrap(), PasswordSet::Changed { .. }));
    let by = SetPasswordBy::Administrator(phone.user());
    let request = SetPassword { by, password: password(2), now: service.now() };
    assert_eq!(service.store().run(request).await.unwrap(), PasswordSet::Replaced { signed_out: 1 });

    service.reopen().await;
    let log = service.log().await;
    let kept = phone.device();
    assert_eq!(
        extents(&log),
        [BumpExtent::Others { kept }, BumpExtent::PasswordChanged { kept }, BumpExtent::All],
        "a new password is told with who goes on"
    );
}

fn extents(log: &[Entry]) -> Vec<BumpExtent> {
    let extent = |entry: &Entry| match entry.revocation {
        Revocation::Generation { extent, .. } => extent,
        ref other => panic!("{other:?}"),
    };
    log.iter().map(extent).collect()
}

pub(crate) async fn a_bump_is_logged_as_of_a_disabled_account_until_it_is_enabled(mut service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let set = async |service: &Service, disabled, generation| {
        let said = service.store().run(service.disabling(user, disabled)).await.unwrap();
        let DisabledSet::Set { user, .. } = said else { panic!("{said:?}") };
        assert_eq!(user.generation, Generation::new(generation));
    };
    set(&service, true, 2).await;
    set(&service, true, 2).await;
    let by = SetPasswordBy::Administrator(user);
    let request = SetPassword { by, password: password(1), now: service.now() };
    assert_eq!(service.store().run(request).await.unwrap(), PasswordSet::Replaced { signed_out: 0 });
    set(&service, false, 4).await;
    set(&service, false, 4).await;
    set(&service, true, 5).await;
    let by = DeleteUserBy::Administrator(user);
    service.store().run(DeleteUser { by, now: service.now(), former_until: service.now() }).await.unwrap();

    service.reopen().await;
    let (all, disabled) = (BumpExtent::All, BumpExtent::Disabled);
    assert_eq!(extents(&service.log().await), [disabled, disabled, all, disabled, all]);
}

pub(crate) async fn who_waits_for_the_log_is_told(service: Service) {
    let (phone, store) = (service.register("ada").await, service.store());
    for head in [0, 1].map(Position::new) {
        let waiting = tokio::spawn({
            let store = service.store();
            async move {
                store.log_grew(head).await.unwrap();
                store.read(ReadLog { after: head, limit: 1 }).await.unwrap()
            }
        });
        let laptop = service.sign_in(phone.user()).await;
        service.sign_out(&laptop).await;
        let told = waiting.await.unwrap();
        assert_eq!(told.first().map(|entry| entry.position), Some(head.next()));
        store.log_grew(head).await.unwrap();
    }
}

pub(crate) async fn already_ended_is_told(service: Service) {
    let phone = service.register("ada").await;
    assert_eq!(service.sign_out(&phone).await, DeviceEnded::Ended);
    let head = service.store().read(ReadCounters).await.unwrap().head;
    assert_eq!(service.sign_out(&phone).await, DeviceEnded::AlreadyEnded);
    assert_eq!(service.live(phone.user()).await, 0);

    let laptop = service.sign_in(phone.user()).await;
    let strangers = service.register("eve").await;
    let request = service.ending(phone.user(), strangers.device(), Some(laptop.access));
    assert_eq!(service.store().run(request).await.unwrap(), DeviceEnded::NoDevice);
    assert_eq!(service.verdict(&strangers.access).await, Verdict::Live);
    let unknown = service.ending(service.world.user_id(), laptop.device(), None);
    assert_eq!(service.store().run(unknown).await.unwrap(), DeviceEnded::AlreadyEnded);
    assert_eq!(
        service.store().read(ReadCounters).await.unwrap().head,
        head,
        "nothing of this is a revocation"
    );
}

pub(crate) async fn generation_only_grows(mut service: Service) {
    let mut phone = service.register("ada").await;
    let user = phone.user();
    let mut last = phone.access.stamp.generation;
    for _ in 0..3 {
        let laptop = service.sign_in(user).await;
        let (signed_out, kept) = service.sign_out_all(&laptop, true).await;
        assert_eq!(signed_out, 1);
        phone = Pair { access: kept.unwrap(), ..laptop };
        service.reopen().await;
        let now = service.store().read(FindUser { id: user }).await.unwrap().unwrap().generation;
        assert_eq!((now, phone.access.stamp.generation), (last.next(), last.next()));
        last = now;
    }
    for disabled in [true, true, false, false] {
        service.store().run(service.disabling(user, disabled)).await.unwrap();
    }
    let found = service.store().read(FindUser { id: user }).await.unwrap().unwrap();
    assert_eq!(
        found.generation,
        last.next().next(),
        "disabling is one bump and enabling another, however often"
    );
}

pub(crate) async fn era_never_repeats(mut service: Service) {
    let phone = service.register("ada").await;
    let mut last = service.store().read(ReadCounters).await.unwrap().era;
    for back in [0, 3_600, 0, 86_400] {
        service.counters.set(service.now() - std::time::Duration::from_secs(back));
        let era = service.store().run(EndEveryone { now: service.now() }).await.unwrap();
        assert!(era > last, "{era:?} after {last:?}");
        service.reopen().await;
        assert_eq!(service.store().read(ReadCounters).await.unwrap().era, era);
        last = era;
    }
    service.pass(DAY * 30);
    let era = service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    assert_eq!(i64::try_from(era.value()).unwrap(), service.now().unix(), "at least the Unix time");
    assert_eq!(service.verdict(&phone.access).await, Verdict::Ended(Reason::Reset));
}

pub(crate) async fn bump_is_constant_cost(mut service: Service) {
    service.most = u64::MAX;
    let mut costs = Vec::new();
    for (name, devices) in [("ada", 1), ("grace", service.many())] {
        let phone = service.register(name).await;
        fill(&service, &phone, devices).await;
        let Some((others, (_, kept))) = service.cost_of(service.sign_out_all(&phone, true)).await else {
            return;
        };
        let phone = Pair { access: kept.unwrap(), ..phone };
        fill(&service, &phone, devices).await;
        let (all, (signed_out, _)) = service.cost_of(service.sign_out_all(&phone, false)).await.unwrap();
        assert_eq!(signed_out, devices);
        fill(&service, &phone, devices).await;
        let (everyone, _) =
            service.cost_of(service.store().run(EndEveryone { now: service.now() })).await.unwrap();
        costs.push([others, all, everyone]);
    }
    assert_eq!(costs[0], costs[1], "writes for one device, and for many");
    assert!(costs[0].iter().all(|cost| *cost <= 12), "{costs:?}");
}

/// Signs the user in until the given number of devices is live.
async fn fill(service: &Service, caller: &Pair, devices: u64) {
    let mut opening = JoinSet::new();
    for _ in service.live(caller.user()).await..devices {
        let (store, request) = (service.store(), service.opening(caller.user(), &password(0)));
        opening.spawn(async move { store.run(request).await.unwrap() });
        if opening.len() == 256 {
            opening.join_next().await;
        }
    }
    opening.join_all().await;
}

/// The caller is signed out between a request's authentication and its step, which honours the sign-out.
pub(crate) async fn revocation_wins_races(service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let laptop = service.sign_in(user).await;
    let login = service.opening(user, &password(0));
    let refresh = service.rotation(&laptop.refresh, HOME);
    assert_eq!(service.verdict(&laptop.access).await, Verdict::Live);

    let change = EndDevicesBy::Administrator { user, note: Some("lost phone".to_owned()) };
    let ended = service.store().run(EndDevices { by: change, now: service.now() }).await.unwrap();
    assert!(matches!(ended, DevicesEnded::Ended { signed_out: 2, kept: None, .. }), "{ended:?}");
    let refused = Refusal::Ended(Reason::SignedOutEverywhere);
    every_step_refuses(&service, &laptop.access, refused).await;
    assert_eq!(service.store().run(refresh).await.unwrap(), Refreshed::Refused(refused));

    let by = SetPasswordBy::Administrator(user);
    let change = SetPassword { by, password: password(1), now: service.now() };
    assert_eq!(service.store().run(change).await.unwrap(), PasswordSet::Replaced { signed_out: 0 });
    assert_eq!(service.store().run(login.clone()).await.unwrap(), Opened::PasswordChanged);
    service.store().run(service.disabling(user, true)).await.unwrap();
    assert_eq!(service.store().run(login).await.unwrap(), Opened::Disabled);
    every_step_refuses(&service, &laptop.access, Refusal::Ended(Reason::UserDisabled)).await;

    let eve = service.register("eve").await;
    service.sign_out(&eve).await;
    every_step_refuses(&service, &eve.access, Refusal::Ended(Reason::SignedOut)).await;
    let dan = service.register("dan").await;
    service.pass(MINUTE * 15);
    every_step_refuses(&service, &dan.access, Refusal::Ended(Reason::Expired)).await;
    service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    every_step_refuses(&service, &dan.access, Refusal::Ended(Reason::Reset)).await;

    let zoe = service.register("zoe").await;
    let new_version =
        SaveKeys { read: KEYS, put: vec![], drop: vec![], distrusted: None, now: service.now() };
    service.store().run(new_version).await.unwrap();
    every_step_refuses(&service, &zoe.access, Refusal::OtherKeys).await;
    assert_eq!(service.refresh(&zoe.refresh, HOME).await, Refreshed::Refused(Refusal::OtherKeys));
}

async fn every_step_refuses(service: &Service, caller: &Presented, refusal: Refusal) {
    let (store, now, user) = (service.store(), service.now(), caller.user);
    let before = (store.read(FindUser { id: user }).await.unwrap(), store.read(ReadCounters).await.unwrap());

    let request = EndDevice { now, ..service.ending(user, caller.device, Some(*caller)) };
    assert_eq!(store.run(request).await.unwrap(), DeviceEnded::Refused(refusal));
    for keep in [false, true] {
        let request = EndDevices { by: EndDevicesBy::Caller { token: by_first_keys(*caller), keep }, now };
        assert_eq!(store.run(request).await.unwrap(), DevicesEnded::Refused(refusal));
    }
    let by = SetPasswordBy::Caller { token: by_first_keys(*caller), verified: password(0), idle: IDLE };
    let request = SetPassword { by, password: password(9), now };
    assert_eq!(store.run(request).await.unwrap(), PasswordSet::Refused(refusal));
    let by = DeleteUserBy::Caller { token: by_first_keys(*caller), verified: password(0) };
    let request = DeleteUser { by, now, former_until: service.now() };
    assert_eq!(store.run(request).await.unwrap(), UserDeleted::Refused(refusal));
    let name = DeviceName::parse("mine now").unwrap();
    let renamed = store
        .run(RenameDevice { caller: by_first_keys(*caller), device: caller.device, name, now })
        .await
        .unwrap();
    assert_eq!(renamed, Renamed::Refused(refusal));

    assert_eq!(
        (store.read(FindUser { id: user }).await.unwrap(), store.read(ReadCounters).await.unwrap()),
        before
    );
}

pub(crate) async fn restamped_device_keeps_its_refresh_token(mut service: Service) {
    let phone = service.register("ada").await;
    let laptop = service.sign_in(phone.user()).await;
    let (signed_out, access) = service.sign_out_all(&phone, true).await;
    assert_eq!(signed_out, 1);
    service.reopen().await;

    assert_eq!(service.verdict(&access.unwrap()).await, Verdict::Live);
    assert_eq!(service.verdict(&phone.access).await, Verdict::Ended(Reason::Superseded));
    assert_eq!(service.verdict(&laptop.access).await, EVERYWHERE);
    let refused = Refreshed::Refused(Refusal::Ended(Reason::SignedOutEverywhere));
    assert_eq!(service.refresh(&laptop.refresh, HOME).await, refused);
    let renewed = service.rotate(&phone).await;
    assert_eq!(service.verdict(&renewed.access).await, Verdict::Live);
    assert_eq!(service.device_ids(phone.user()).await, [phone.device()]);
}

pub(crate) async fn ended_devices_say_when_and_why(service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let laptop = service.sign_in(user).await;
    service.pass(MINUTE);
    let mut request = service.ending(user, laptop.device(), Some(phone.access));
    (request.cause, request.note) = (Cause::Administrator, Some("lost".to_owned()));
    let lost_at = service.now();
    service.store().run(request).await.unwrap();
    service.pass(MINUTE);
    service.sign_out_all(&phone, false).await;
    let everywhere_at = service.now();
    let tablet = service.sign_in(user).await;
    service.pass(MINUTE);
    service.store().run(EndEveryone { now: service.now() }).await.unwrap();

    let ended = service.past_devices(user).await;
    let end_of = |pair: &Pair| {
        let listed = ended.iter().find(|listed| listed.device.id == pair.device()).unwrap();
        assert!(listed.last_seen.is_some());
        let ended = listed.device.ended.clone().unwrap();
        (ended.at, ended.cause, ended.note)
    };
    assert_eq!(end_of(&laptop), (lost_at, Cause::Administrator, Some("lost".to_owned())));
    assert_eq!(end_of(&phone), (everywhere_at, Cause::SignedOutEverywhere, None));
    let (at, cause, _) = end_of(&tablet);
    assert_eq!((at, cause), (service.now(), Cause::Administrator));
    assert_eq!(ended.len(), 3);
    assert_eq!(
        service.store().read(ListEndedDevices { user, after: None, limit: 1 }).await.unwrap().len(),
        1
    );
}

pub(crate) async fn signing_in_again_works_at_once(service: Service) {
    let phone = service.register("ada").await;
    service.sign_out_all(&phone, false).await;
    assert_eq!(service.verdict(&phone.access).await, EVERYWHERE);
    let again = service.sign_in(phone.user()).await;
    assert_eq!(service.verdict(&again.access).await, Verdict::Live);
    service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    let again = service.sign_in(phone.user()).await;
    assert_eq!(service.verdict(&again.access).await, Verdict::Live);
    assert_eq!(service.live(phone.user()).await, 1);
}
