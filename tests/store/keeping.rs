//! Clauses on durability across a reopening, and on how long records are kept.

use rescind::model::claims::Presented;
use rescind::model::counters::Position;
use rescind::model::device::Cause;
use rescind::model::verdict::{Reason, Verdict};
use rescind::store::queries::devices::FindLastSeen;
use rescind::store::queries::log::ReadLog;
use rescind::store::queries::service::{IsRolledBack, ReadCounters, ReadTotals};
use rescind::store::queries::standing::ReadStanding;
use rescind::store::queries::users::FindUser;
use rescind::store::retention::PAST_KEPT;
use rescind::store::steps::end_everyone::EndEveryone;
use rescind::store::steps::report_rollback::{KNOWN_FOR, ReportRollback, RollbackReported};
use rescind::store::steps::sweep::Swept;
use tokio::task::JoinSet;

use crate::service::{DAY, HOME, HOUR, IDLE, LIFETIME, MINUTE, Pair, Service};

/// Every acknowledged step holds after the process was killed.
pub(crate) async fn acknowledged_is_durable(mut service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    service.reopen().await;
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    let laptop = service.sign_in(user).await;
    service.reopen().await;
    assert_eq!(service.verdict(&laptop.access).await, Verdict::Live);
    let renewed = service.rotate(&laptop).await;
    service.reopen().await;
    service.pass(MINUTE);
    let renewed = service.rotate(&renewed).await;
    service.sign_out(&laptop).await;
    service.reopen().await;
    assert_eq!(service.verdict(&renewed.access).await, Verdict::Ended(Reason::SignedOut));
    service.sign_out_all(&phone, false).await;
    service.reopen().await;
    assert_eq!(service.verdict(&phone.access).await, Verdict::Ended(Reason::SignedOutEverywhere));
    let again = service.sign_in(user).await;
    let era = service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    service.reopen().await;
    assert_eq!(service.verdict(&again.access).await, Verdict::Ended(Reason::Reset));
    assert_eq!(service.store().read(ReadCounters).await.unwrap().era, era);
    assert_eq!(service.log().await.len(), 3);
    let totals = service.store().read(ReadTotals).await.unwrap();
    assert_eq!((totals.users, totals.live_devices), (1, 0));
}

pub(crate) async fn log_has_no_gaps_and_is_ordered(mut service: Service) {
    let mut steps = JoinSet::new();
    for name in ["ada", "bob", "eve", "dan"] {
        let phone = service.register(name).await;
        for _ in 0..8 {
            let laptop = service.sign_in(phone.user()).await;
            let (store, request) = (service.store(), service.ending(laptop.user(), laptop.device(), None));
            steps.spawn(async move { store.run(request).await.map(drop).unwrap() });
        }
        let (store, request) = (service.store(), service.everywhere(&phone, true));
        steps.spawn(async move { store.run(request).await.map(drop).unwrap() });
    }
    let (store, now) = (service.store(), service.now());
    steps.spawn(async move {
        store.run(EndEveryone { now }).await.unwrap();
    });
    drop(steps.join_all().await);
    service.reopen().await;

    let head = service.store().read(ReadCounters).await.unwrap().head;
    let positions: Vec<u64> = service.log().await.iter().map(|entry| entry.position.value()).collect();
    assert_eq!(positions, (1..=head.value()).collect::<Vec<_>>());
    assert!(positions.len() >= 5);
    let mut read: Vec<u64> = Vec::new();
    loop {
        let after = Position::new(read.last().copied().unwrap_or(0));
        let page = service.store().read(ReadLog { after, limit: 4 }).await.unwrap();
        assert!(page.len() <= 4);
        let Some(first) = page.first() else { break };
        assert!(first.position > after);
        read.extend(page.iter().map(|entry| entry.position.value()));
    }
    assert_eq!(read, positions, "in pages as in one");
}

pub(crate) async fn log_is_kept_65_minutes(mut service: Service) {
    let phone = service.register("ada").await;
    service.sign_out(&phone).await;
    service.pass(MINUTE);
    service.sign_out_all(&service.sign_in(phone.user()).await, false).await;
    service.pass(HOUR + MINUTE * 4 - MINUTE / 60);
    service.sweep().await;
    assert_eq!(service.log().await.len(), 2, "65 minutes are not over");
    service.pass(MINUTE / 60);
    assert_eq!(service.sweep().await.entries, 1);
    service.reopen().await;
    assert_eq!(service.log().await.iter().map(|entry| entry.position.value()).collect::<Vec<_>>(), [2]);
    service.pass(DAY);
    service.sweep().await;
    assert_eq!(service.log().await, []);
    service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    assert_eq!(service.log().await[0].position, Position::new(3), "positions are never given twice");
}

pub(crate) async fn ended_is_kept_28_days_then_swept(mut service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    service.pass(HOUR);
    service.sign_out(&phone).await;
    service.pass(DAY * 28 - MINUTE);
    service.reopen().await;
    assert_eq!(service.sweep().await.forgotten, 0);
    assert_eq!(service.past_devices(user).await.len(), 1);
    service.pass(MINUTE);
    assert_eq!(service.sweep().await.forgotten, 1);
    service.reopen().await;
    assert_eq!(service.past_devices(user).await, []);
    assert_eq!(service.store().read(FindLastSeen { user, device: phone.device() }).await.unwrap(), None);
    service.pass(IDLE * 2);
    assert_eq!(service.sweep().await, Swept::default(), "nothing is left to look at");
}

pub(crate) async fn left_behind_is_kept_28_days_then_swept(mut service: Service) {
    let phone = service.register("ada").await;
    let eve = service.register("eve").await;
    let user = phone.user();
    let laptop = service.sign_in(user).await;
    service.pass(IDLE - DAY);
    let phone = service.rotate(&phone).await;
    service.sign_out_all(&phone, true).await;
    service.pass(DAY * 28 - MINUTE);
    assert_eq!(service.sweep().await.expired, 1, "eve’s device");
    let past = service.past_devices(user).await;
    assert_eq!(past.iter().map(|listed| listed.device.id).collect::<Vec<_>>(), [laptop.device()]);
    service.pass(MINUTE * 2);
    assert_eq!(service.sweep().await.forgotten, 1);
    service.reopen().await;
    assert_eq!(service.past_devices(user).await, []);
    assert_eq!(service.store().read(FindLastSeen { user, device: laptop.device() }).await.unwrap(), None);
    assert_eq!(service.live(user).await, 1);

    service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    service.pass(LIFETIME);
    service.sweep().await;
    assert_eq!(service.past_devices(user).await, []);
    assert_eq!(service.past_devices(eve.user()).await, []);
    assert_eq!(service.sweep().await, Swept::default());
}

/// A user who signs out everywhere every week keeps no more records than one who does so once.
pub(crate) async fn bumps_keep_nothing_longer(service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let mut caller = phone;
    for _ in 0..30 {
        service.sign_out_all(&caller, false).await;
        service.pass(DAY * 7);
        service.sweep().await;
        caller = service.sign_in(user).await;
    }
    let kept = service.past_devices(user).await;
    assert!(kept.len() <= 10, "{} records are kept", kept.len());
    let oldest = kept.iter().map(|listed| listed.device.end()).min().unwrap();
    assert!(service.now() < oldest + DAY * 28);
}

pub(crate) async fn expired_devices_are_ended_by_the_sweep(mut service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let laptop = service.sign_in(user).await;
    service.pass(IDLE - MINUTE);
    assert_eq!(service.sweep().await, Swept::default());
    let renewed = service.rotate(&phone).await;
    service.pass(MINUTE);
    assert_eq!(service.verdict(&laptop.access).await, Verdict::Ended(Reason::Expired));
    service.reopen().await;
    assert_eq!(service.sweep().await.expired, 1);
    assert_eq!(service.device_ids(user).await, [phone.device()], "the refreshed one lives on");
    assert_eq!(service.live(user).await, 1);
    assert_eq!(service.log().await, [], "running out is no revocation: every token said when");
    let ended = service.past_devices(user).await.remove(0).device;
    let (id, ended) = (ended.id, ended.ended.unwrap());
    assert_eq!((id, ended.cause, ended.at), (laptop.device(), Cause::Expired, service.now()));

    let mut last = renewed;
    for _ in 0..5 {
        service.pass(IDLE - DAY);
        service.sweep().await;
        last = service.rotate(&last).await;
    }
    service.pass(IDLE - DAY);
    assert_eq!(service.sweep().await.expired, 1, "no refresh moves the absolute end");
    assert_eq!(service.live(user).await, 0);
}

/// A service that was off for a year catches up in one sweep, even if everything is due in the same second.
pub(crate) async fn expired_long_ago_is_forgotten_at_last(service: Service) {
    let phone = service.register("ada").await;
    let mut shorter = service.rotation(&phone.refresh, crate::service::HOME);
    shorter.idle = DAY * 2;
    service.store().run(shorter).await.unwrap();
    service.pass(DAY * 365);
    service.sweep().await;
    service.sweep().await;
    assert_eq!(service.past_devices(phone.user()).await, []);
    assert_eq!(service.live(phone.user()).await, 0);
}

pub(crate) async fn a_sweep_goes_in_small_batches(service: Service) {
    let phone = service.register("ada").await;
    let mut last: Pair = phone.clone();
    for _ in 0..9 {
        last = service.sign_in(phone.user()).await;
    }
    service.sign_out(&last).await;
    service.pass(IDLE);
    let mut expired = 0;
    for batch in 0.. {
        let swept = service.store().run(service.sweeping(4).await).await.unwrap();
        assert!(swept.expired <= 4 && swept.forgotten <= 4 && swept.entries <= 4, "{swept:?}");
        expired += swept.expired;
        if !swept.more {
            assert!(batch >= 2);
            break;
        }
    }
    assert_eq!(expired, 9);
}

/// However often a user signs in and out, the oldest records are dropped, at the same cost each time.
pub(crate) async fn signing_in_and_out_keeps_so_many_records(mut service: Service) {
    let most = usize::try_from(PAST_KEPT).unwrap();
    let phone = service.register("ada").await;
    let user = phone.user();
    let (mut rounds, mut costs) = (Vec::new(), Vec::new());
    for round in 0..most * 2 {
        let round_trip = async {
            let laptop = service.sign_in(user).await;
            service.sign_out(&laptop).await;
            rounds.push(laptop.device());
        };
        let cost = service.cost_of(round_trip).await;
        costs.extend(cost.filter(|_| round > most + 2).map(|(cost, ())| cost));
        service.pass(MINUTE / 60);
    }
    // Every second sign-in has two records to drop.
    assert!(costs.iter().all(|cost| *cost <= 24), "{costs:?}");
    service.reopen().await;
    let kept = service.past_devices(user).await;
    assert!((most..=most + 2).contains(&kept.len()), "{}", kept.len());
    let kept: Vec<_> = kept.iter().map(|listed| listed.device.id).collect();
    assert!(kept.contains(rounds.last().unwrap()) && !kept.contains(&rounds[0]), "the oldest gave way");
    assert_eq!(service.store().read(FindLastSeen { user, device: rounds[0] }).await.unwrap(), None);
    assert_eq!(service.device_ids(user).await, [phone.device()], "no live one did");
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    let found = service.store().read(FindUser { id: user }).await.unwrap().unwrap();
    assert!(found.kept.given_way.is_some_and(|given| given >= rounds[0] && given < kept[0]));
    service.pass(DAY * 28);
    let mut looked = 0;
    loop {
        let swept = service.sweep().await;
        looked += swept.forgotten;
        if !swept.more {
            break;
        }
    }
    assert_eq!(looked, kept.len(), "nothing is left of the others, not even a note to look at them");
    assert_eq!(service.store().read(FindUser { id: user }).await.unwrap().unwrap().kept.count, 1);
}

/// The tokens of a device whose record gave way are of one that the store does not know any more: that is no rollback. Those
/// of a younger one, of which it has never heard, are.
pub(crate) async fn a_record_that_gave_way_proves_no_rollback(service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let mut gone = Vec::new();
    for _ in 0..PAST_KEPT + 4 {
        let laptop = service.sign_in(user).await;
        service.sign_out(&laptop).await;
        gone.push(laptop.access);
        service.pass(MINUTE / 60);
    }
    let newest = service.store().read(FindUser { id: user }).await.unwrap().unwrap().kept.given_way.unwrap();
    let unheard_of = Presented { device: service.new_device(HOME).id, ..gone[0] };
    let report_with = async |presented: Presented, sequence| {
        let request = ReportRollback { presented, sequence, now: Some(service.now()) };
        service.store().run(request).await.unwrap()
    };
    let report = async |presented: Presented| report_with(presented, None).await;
    let gave_way: Vec<_> = gone.iter().filter(|presented| presented.device <= newest).collect();
    assert!(gave_way.len() >= 2 && gave_way.len() < gone.len(), "{}", gave_way.len());
    for presented in gave_way {
        assert_eq!(
            service.store().read(ReadStanding { user, device: presented.device }).await.unwrap().device,
            None
        );
        assert_eq!(report(*presented).await, RollbackReported::Refuted);
    }
    let of_nobody = Presented { user: service.world.user_id(), ..unheard_of };
    assert_eq!(report(of_nobody).await, RollbackReported::Refuted, "who may have been deleted");
    let current = Some(phone.refresh.sequence);
    assert_eq!(report_with(phone.access, current).await, RollbackReported::OnRecord);
    assert!(!service.store().read(IsRolledBack).await.unwrap());
    let young =
        |age| ReportRollback { presented: unheard_of, sequence: None, now: Some(service.now() + age) };
    assert!(young(KNOWN_FOR - MINUTE).must_have_a_record());
    assert!(!young(KNOWN_FOR).must_have_a_record(), "its record may have been swept");
    assert_eq!(report(unheard_of).await, RollbackReported::Proven);
    assert!(service.store().read(IsRolledBack).await.unwrap());
}

/// The limit on records also holds for devices that one sign-out left behind without writing any.
pub(crate) async fn signing_out_everywhere_keeps_so_many_records(mut service: Service) {
    let most = usize::try_from(PAST_KEPT).unwrap();
    let mut phone = service.register("ada").await;
    let user = phone.user();
    for _ in 0..10 {
        for _ in 0..most / 4 {
            phone = service.sign_in(user).await;
        }
        service.sign_out_all(&phone, false).await;
        service.pass(MINUTE);
    }
    phone = service.sign_in(user).await;
    service.reopen().await;
    let kept = service.past_devices(user).await;
    assert!((most..=most + most / 4 + 2).contains(&kept.len()), "{}", kept.len());
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    for _ in 0..most / 4 {
        service.sign_in(user).await;
    }
    let kept = service.past_devices(user).await;
    assert!(kept.len() <= most + 2, "{}", kept.len());
    service.pass(IDLE);
    while service.sweep().await.more {}
    assert_eq!(service.past_devices(user).await.len(), most / 4 + 1, "those of today");
}
