//! Clauses on devices: opening, rotation of refresh tokens, counting and naming.

use std::collections::BTreeSet;

use rescind::model::claims::Presented;
use rescind::model::counters::Sequence;
use rescind::model::device::{Cause, DeviceName, LastSeen};
use rescind::model::revocation::Revocation;
use rescind::model::verdict::{Reason, Verdict};
use rescind::store::queries::devices::{FindLastSeen, ListDevices};
use rescind::store::queries::service::ReadTotals;
use rescind::store::queries::standing::ReadStanding;
use rescind::store::steps::caller::Refusal;
use rescind::store::steps::end_device::DeviceEnded;
use rescind::store::steps::end_everyone::EndEveryone;
use rescind::store::steps::note_seen::NoteSeen;
use rescind::store::steps::open_device::{OpenDevice, Opened};
use rescind::store::steps::rename_device::{RenameDevice, Renamed};
use rescind::store::steps::rotate_refresh::Refreshed;
use tokio::task::JoinSet;

use crate::service::{DAY, ELSEWHERE, HOME, IDLE, MINUTE, Pair, Service, by_first_keys, password};

const AT_ONCE: usize = 32;

pub(crate) async fn refresh_rotates_once(mut service: Service) {
    let phone = service.register("ada").await;
    for round in 1..=8 {
        service.pass(MINUTE);
        let held = Pair::minted(&session_of(&service, &phone).await, service.now());
        let mut presenting = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (store, request) = (service.store(), service.rotation(&held.refresh, HOME));
            presenting.spawn(async move { store.run(request).await.unwrap() });
        }
        let mut rotated = 0;
        let mut successors = BTreeSet::new();
        for answer in presenting.join_all().await {
            let (Refreshed::Rotated(session) | Refreshed::Repeated(session)) = &answer else {
                panic!("{answer:?}");
            };
            rotated += usize::from(matches!(answer, Refreshed::Rotated(_)));
            successors.insert(session.device.refresh.current);
        }
        assert_eq!((rotated, successors), (1, BTreeSet::from([Sequence::new(round)])));
        service.reopen().await;
        assert_eq!(session_of(&service, &phone).await.device.refresh.current, Sequence::new(round));
    }
}

async fn session_of(service: &Service, pair: &Pair) -> rescind::store::steps::session::Session {
    let standing =
        service.store().read(ReadStanding { user: pair.user(), device: pair.device() }).await.unwrap();
    rescind::store::steps::session::Session {
        user: standing.user.unwrap(),
        device: standing.device.unwrap(),
        era: standing.counters.era,
        keys: standing.counters.keys,
    }
}

/// Each of a client's parallel requests refreshes with the token that is stored when it is sent.
pub(crate) async fn a_device_advances_once_a_minute_from_one_network(mut service: Service) {
    let phone = service.register("ada").await;
    let second = service.rotate(&phone).await;
    let before = session_of(&service, &phone).await;
    for (passed, held) in [(0, &second), (1, &phone), (29, &second), (29, &second)] {
        service.pass(MINUTE / 60 * passed);
        service.reopen().await;
        let answer = service.refresh(&held.refresh, HOME).await;
        let Refreshed::Repeated(session) = answer else { panic!("{answer:?}") };
        assert_eq!(*session, before, "the same token, and nothing written");
    }
    if let Some((written, _)) = service.cost_of(service.refresh(&second.refresh, HOME)).await {
        assert_eq!(written, 0);
    }
    let answer = service.refresh(&second.refresh, "2001:db8::7").await;
    assert!(matches!(answer, Refreshed::Rotated(_)), "who moved on is not held up: {answer:?}");
    let answer = service.refresh(&second.refresh, HOME).await;
    assert!(matches!(answer, Refreshed::Recovered(_)), "one network is remembered, the last one: {answer:?}");
}

/// The answer of a recovery may be lost as well, while the phone changes its network.
pub(crate) async fn a_recovery_opens_the_window_again(mut service: Service) {
    let phone = service.register("ada").await;
    let renewed = service.rotate(&phone).await;
    for (passed, from, recovers) in [
        (MINUTE, HOME, true),
        (MINUTE / 2, ELSEWHERE, false),
        (MINUTE / 3, "2001:db8::7", false),
        (MINUTE, ELSEWHERE, true),
        (MINUTE / 2, HOME, false),
    ] {
        service.pass(passed);
        service.reopen().await;
        let answer = service.refresh(&phone.refresh, from).await;
        let ((Refreshed::Recovered(session), true) | (Refreshed::Repeated(session), false)) =
            (&answer, recovers)
        else {
            panic!("{from}: {answer:?}")
        };
        assert_eq!(session.device.refresh.current, renewed.refresh.sequence);
    }
}

pub(crate) async fn a_reused_token_ends_its_device(mut service: Service) {
    let phone = service.register("ada").await;
    let laptop = service.sign_in(phone.user()).await;
    let seen = service.seen(HOME);
    let second = service.rotate(&phone).await;
    service.pass(MINUTE);
    let third = service.rotate(&second).await;
    let answer = service.refresh(&phone.refresh, ELSEWHERE).await;
    let Refreshed::Reused { device, last_seen } = answer else { panic!("{answer:?}") };
    assert_eq!((device.id, last_seen), (phone.device(), Some(seen)));

    service.reopen().await;
    assert_eq!(service.verdict(&third.access).await, Verdict::Ended(Reason::SignedOut));
    let signed_out = Refreshed::Refused(Refusal::Ended(Reason::SignedOut));
    assert_eq!(service.refresh(&third.refresh, HOME).await, signed_out);
    assert_eq!(service.refresh(&phone.refresh, ELSEWHERE).await, signed_out, "never reused twice");
    assert_eq!(service.verdict(&laptop.access).await, Verdict::Live, "that device only");
    assert_eq!((service.log().await.len(), service.live(phone.user()).await), (1, 1));
    let ended = service.past_devices(phone.user()).await.remove(0).device.ended.unwrap();
    assert_eq!(ended.cause, Cause::RefreshReused);
    assert_eq!(ended.note.as_deref(), Some("198.51.100.9 okhttp/4.12"));
}

/// Tokens that are ahead of the store prove that it lost acknowledged writes; they end nothing.
pub(crate) async fn what_rolled_back_is_ahead(service: Service) {
    let phone = service.register("ada").await;
    let mut refresh = phone.refresh.clone();
    refresh.sequence = refresh.sequence.next();
    assert_eq!(service.refresh(&refresh, HOME).await, Refreshed::Refused(Refusal::Ahead));
    let mut ahead = phone.access;
    ahead.stamp.generation = ahead.stamp.generation.next();
    refuses_to_decide(&service, &ahead).await;
    let mut ahead = phone.access;
    ahead.stamp.era = ahead.stamp.era.next();
    refuses_to_decide(&service, &ahead).await;
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    assert_eq!(service.log().await, []);
}

async fn refuses_to_decide(service: &Service, access: &Presented) {
    assert_eq!(service.verdict(access).await, Verdict::Ahead);
    let request = service.ending(access.user, access.device, Some(*access));
    let answer = service.store().run(request).await.unwrap();
    assert_eq!(answer, DeviceEnded::Refused(Refusal::Ahead));
}

/// The count rises by one at a sign-in, falls by one at an end, an eviction or a sweep, and is 0 or 1 after a bump.
pub(crate) async fn live_count_follows_the_rule(mut service: Service) {
    service.most = 4;
    let phone = service.register("ada").await;
    let user = phone.user();
    service.register("grace").await;
    let counts = async |service: &Service| {
        (service.live(user).await, service.store().read(ReadTotals).await.unwrap().live_devices)
    };
    assert_eq!(counts(&service).await, (1, 2));
    let laptop = service.sign_in(user).await;
    assert_eq!(counts(&service).await, (2, 3));
    service.sign_out(&laptop).await;
    service.sign_out(&laptop).await;
    assert_eq!(counts(&service).await, (1, 2));
    for _ in 0..6 {
        service.sign_in(user).await;
    }
    assert_eq!(counts(&service).await, (4, 5), "the fifth makes one give way");
    service.reopen().await;
    let caller = service.sign_in(user).await;
    let (signed_out, kept) = service.sign_out_all(&caller, true).await;
    assert_eq!((signed_out, counts(&service).await), (3, (1, 2)));
    let (signed_out, _) = service.sign_out_all(&Pair { access: kept.unwrap(), ..caller }, false).await;
    assert_eq!((signed_out, counts(&service).await), (1, (0, 1)));
    service.sign_in(user).await;
    service.pass(IDLE);
    assert_eq!(counts(&service).await, (1, 2), "what merely ran out counts until the sweep");
    service.sweep().await;
    assert_eq!(counts(&service).await, (0, 0));
    service.sign_in(user).await;
    service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    assert_eq!(counts(&service).await, (0, 0));
    service.sign_in(user).await;
    assert_eq!(counts(&service).await, (1, 1));
    assert_eq!(service.store().read(ReadTotals).await.unwrap().users, 2);
}

pub(crate) async fn least_recently_seen_gives_way(mut service: Service) {
    service.most = 3;
    let first = service.register("ada").await;
    let user = first.user();
    service.pass(MINUTE);
    let second = service.sign_in(user).await;
    service.pass(MINUTE);
    let third = service.sign_in(user).await;
    service.pass(MINUTE);
    let heard = vec![(user, first.device(), service.seen(ELSEWHERE))];
    service.store().run(NoteSeen { seen: heard }).await.unwrap();
    service.reopen().await;

    let answer = service.store().run(service.opening(user, &password(0))).await.unwrap();
    let Opened::Opened { session, evicted } = answer else { panic!("{answer:?}") };
    assert_eq!(evicted, [second.device()]);
    assert_eq!(service.device_ids(user).await, [first.device(), third.device(), session.device.id]);
    assert_eq!(service.verdict(&second.access).await, Verdict::Ended(Reason::SignedOut));
    let ended = service.past_devices(user).await.remove(0).device;
    assert_eq!((ended.id, ended.ended.unwrap().cause), (second.device(), Cause::Evicted));
    assert_eq!(service.log().await.len(), 1, "giving way is a revocation");

    service.most = 1;
    let answer = service.store().run(service.opening(user, &password(0))).await.unwrap();
    let Opened::Opened { evicted, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(evicted, [third.device(), first.device(), session.device.id], "a lowered limit holds at once");
    assert_eq!(service.live(user).await, 1);
}

pub(crate) async fn a_device_seen_by_a_clock_that_was_ahead_gives_way_like_one_seen_now(
    mut service: Service,
) {
    service.most = 2;
    let ahead = service.register("ada").await;
    let user = ahead.user();
    let heard = LastSeen { at: service.now() + DAY, ..service.seen(HOME) };
    service.store().run(NoteSeen { seen: vec![(user, ahead.device(), heard)] }).await.unwrap();
    let seen_before = service.sign_in(user).await;
    service.pass(MINUTE);
    for expected in [seen_before.device(), ahead.device()] {
        let answer = service.store().run(service.opening(user, &password(0))).await.unwrap();
        let Opened::Opened { evicted, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(evicted, [expected]);
    }
}

pub(crate) async fn what_ran_out_gives_way_first(mut service: Service) {
    service.most = 2;
    let ran_out = service.register("ada").await;
    let user = ran_out.user();
    service.pass(IDLE - MINUTE);
    let lives = service.sign_in(user).await;
    service.pass(MINUTE);
    let heard = vec![(user, ran_out.device(), service.seen(HOME))];
    service.store().run(NoteSeen { seen: heard }).await.unwrap();
    let answer = service.store().run(service.opening(user, &password(0))).await.unwrap();
    let Opened::Opened { evicted, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(evicted, [], "nobody gave way");
    assert_eq!(service.verdict(&lives.access).await, Verdict::Live);
    let ended = service.past_devices(user).await.remove(0).device;
    assert_eq!((ended.id, ended.ended.unwrap().cause), (ran_out.device(), Cause::Expired));
    assert_eq!(service.live(user).await, 2);
    let log: Vec<_> = service.log().await.into_iter().map(|entry| entry.revocation).collect();
    let told = Revocation::Device { user, device: ran_out.device() };
    assert_eq!(log, [told], "by a clock that may be wrong, so its access tokens may live on elsewhere");
}

pub(crate) async fn last_seen_is_a_record_of_its_own(mut service: Service) {
    let phone = service.register("ada").await;
    let gone = service.sign_in(phone.user()).await;
    service.sign_out(&gone).await;
    let before = session_of(&service, &phone).await;
    service.pass(MINUTE);
    let seen = service.seen(ELSEWHERE);
    let stranger = service.world.user_id();
    let heard = [(phone.user(), phone.device()), (gone.user(), gone.device()), (stranger, phone.device())];
    let heard = heard.into_iter().map(|(user, device)| (user, device, seen.clone())).collect();
    service.store().run(NoteSeen { seen: heard }).await.unwrap();
    service.reopen().await;
    let store = service.store();
    assert_eq!(
        store.read(FindLastSeen { user: phone.user(), device: phone.device() }).await.unwrap(),
        Some(seen.clone())
    );
    assert_ne!(
        store.read(FindLastSeen { user: gone.user(), device: gone.device() }).await.unwrap(),
        Some(seen)
    );
    assert_eq!(store.read(FindLastSeen { user: stranger, device: phone.device() }).await.unwrap(), None);
    assert_eq!(session_of(&service, &phone).await, before, "the device is not touched");
}

pub(crate) async fn devices_are_renamed_by_their_user(mut service: Service) {
    let phone = service.register("ada").await;
    let laptop = service.sign_in(phone.user()).await;
    let eve = service.register("eve").await;
    let name = || DeviceName::parse("Kitchen tablet").unwrap();
    let rename = async |service: &Service, caller: &Pair, of: &Pair| {
        service
            .store()
            .run(RenameDevice {
                caller: by_first_keys(caller.access),
                device: of.device(),
                name: name(),
                now: service.now(),
            })
            .await
            .unwrap()
    };
    let answer = rename(&service, &phone, &laptop).await;
    let Renamed::Renamed(device) = answer else { panic!("{answer:?}") };
    assert_eq!((device.id, device.name), (laptop.device(), name()));
    assert_eq!(rename(&service, &eve, &laptop).await, Renamed::NoDevice);
    service.sign_out(&laptop).await;
    assert_eq!(rename(&service, &phone, &laptop).await, Renamed::NoDevice);
    rename(&service, &phone, &phone).await;
    service.reopen().await;
    assert_eq!(session_of(&service, &phone).await.device.name, name());
}

pub(crate) async fn devices_are_listed_in_pages(service: Service) {
    let phone = service.register("ada").await;
    let user = phone.user();
    let mut opened = vec![phone.device()];
    for _ in 0..6 {
        service.pass(MINUTE);
        opened.push(service.sign_in(user).await.device());
    }
    service.register("grace").await;
    let mut after = None;
    let mut read = Vec::new();
    loop {
        let page = service.store().read(ListDevices { user, after, limit: 3 }).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.device.id);
        read.extend(page.iter().map(|listed| listed.device.id));
    }
    assert_eq!(read, opened, "in order of sign-in");
    assert_eq!(
        service
            .store()
            .read(ListDevices { user: service.world.user_id(), after: None, limit: 3 })
            .await
            .unwrap(),
        []
    );
}

pub(crate) async fn another_systems_word_opens_a_device(service: Service) {
    let phone = service.register("ada").await;
    let vouched = OpenDevice { verified: None, ..service.opening(phone.user(), &password(0)) };
    let answer = service.store().run(vouched.clone()).await.unwrap();
    assert!(matches!(answer, Opened::Opened { .. }), "{answer:?}");
    let unknown = OpenDevice { user: service.world.user_id(), ..vouched.clone() };
    assert_eq!(service.store().run(unknown).await.unwrap(), Opened::NoUser);
    service.store().run(service.disabling(phone.user(), true)).await.unwrap();
    assert_eq!(service.store().run(vouched).await.unwrap(), Opened::Disabled);
}
