//! Schedules of honest and hostile clients: the guarantees of the replay rule, over days.

use std::time::Duration;

use rescind::model::verdict::{Reason, Verdict};
use rescind::store::queries::service::ReadTotals;
use rescind::store::steps::caller::Refusal;
use rescind::store::steps::rotate_refresh::Refreshed;

use crate::service::{DAY, ELSEWHERE, HOME, HOUR, MINUTE, Pair, Service};

/// The networks of an honest phone.
const NETWORKS: [&str; 3] = [HOME, "203.0.113.80", "2001:db8:7::80"];
const RECOVERIES: usize = 5;

/// A random number below `bound`, the same in every run.
fn draw(service: &Service, bound: u64) -> u64 {
    u64::from_le_bytes(service.world.random()) % bound
}

/// A random number of minutes.
fn minutes(service: &Service, from: u64, to: u64) -> Duration {
    MINUTE * u32::try_from(from + draw(service, to - from)).unwrap()
}

/// Presents the holder's refresh token and keeps the answer; false if the device was signed out.
async fn present(service: &Service, holder: &mut Pair, from: &str) -> bool {
    match service.refresh(&holder.refresh, from).await {
        Refreshed::Rotated(session)
        | Refreshed::Renewed(session)
        | Refreshed::Repeated(session)
        | Refreshed::Recovered(session) => {
            *holder = Pair::minted(&session, service.now());
            true
        }
        Refreshed::Reused { .. } | Refreshed::Refused(Refusal::Ended(_)) => false,
        other @ Refreshed::Refused(Refusal::Ahead | Refusal::OtherKeys) => panic!("{other:?}"),
    }
}

/// Lost answers, parallel tabs, crashes between commit and answer, changing networks; never more than five recoveries
/// within 24 hours.
pub(crate) async fn honest_devices_stay_signed_in(mut service: Service) {
    let mut phone = service.register("ada").await;
    let mut recovered = Vec::new();
    let mut kinds = [0_u32; 3];
    for _ in 0..600 {
        service.pass(minutes(&service, 2, 90));
        let network = NETWORKS[usize::try_from(draw(&service, 3)).unwrap()];
        let answer = service.refresh(&phone.refresh, network).await;
        let Refreshed::Rotated(session) = answer else { panic!("{answer:?}") };
        let successor = session.device.refresh.current;
        let mut losses = [0, 0, 0, 0, 1, 1, 2, 3][usize::try_from(draw(&service, 8)).unwrap()];
        while losses > 0 {
            losses -= 1;
            if draw(&service, 8) == 0 {
                service.reopen().await;
            }
            recovered.retain(|at| service.now() < *at + DAY);
            let far = recovered.len() < RECOVERIES && draw(&service, 2) == 0;
            let retried_from =
                if far { NETWORKS[usize::try_from(draw(&service, 3)).unwrap()] } else { network };
            service.pass(if far { minutes(&service, 1, 30) } else { MINUTE / 60 });
            let session = match service.refresh(&phone.refresh, retried_from).await {
                Refreshed::Repeated(session) => session,
                Refreshed::Recovered(session) => {
                    recovered.push(service.now());
                    assert!(far, "a retry at once from the same network costs nothing");
                    session
                }
                other => panic!("an honest device was signed out: {other:?}"),
            };
            assert_eq!(session.device.refresh.current, successor, "always the same successor");
            kinds[usize::from(far)] += 1;
        }
        if draw(&service, 4) == 0 {
            let tab = service.refresh(&phone.refresh, network).await;
            assert!(matches!(tab, Refreshed::Repeated(_)), "{tab:?}");
            kinds[2] += 1;
        }
        phone = Pair::minted(&session, service.now());
    }
    assert!(kinds.iter().all(|times| *times >= 50), "a schedule that tests nothing: {kinds:?}");
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    assert_eq!(service.log().await, []);

    service.pass(DAY);
    for lost in 1..=RECOVERIES + 1 {
        let held = phone.refresh.clone();
        assert!(present(&service, &mut phone, HOME).await);
        service.pass(MINUTE);
        let answer = service.refresh(&held, HOME).await;
        assert_eq!(matches!(answer, Refreshed::Reused { .. }), lost > RECOVERIES, "{lost}: {answer:?}");
    }
}

/// Lets an owner, and a thief with a copy of the owner's token, refresh whenever their access tokens expire. Returns
/// how long the theft stayed unnoticed.
async fn until_noticed(service: &Service, name: &str, thief_from: &str) -> Duration {
    let mut owner = service.register(name).await;
    for _ in 0..3 {
        service.pass(minutes(service, 15, 20));
        assert!(present(service, &mut owner, HOME).await);
    }
    let (mut thief, stolen_at) = (owner.clone(), service.now());
    let mut next = [minutes(service, 1, 20), minutes(service, 1, 20)];
    loop {
        let first = usize::from(next[1] < next[0]);
        service.pass(next[first]);
        next[1 - first] -= next[first];
        next[first] = minutes(service, 15, 20);
        let (holder, from) = if first == 0 { (&mut owner, HOME) } else { (&mut thief, thief_from) };
        if !present(service, holder, from).await {
            break;
        }
        assert!(service.now() < stolen_at + DAY, "a thief went unnoticed for a day");
    }
    let noticed = stolen_at.until(service.now());
    for holder in [&mut owner, &mut thief] {
        assert_eq!(service.verdict(&holder.access).await, Verdict::Ended(Reason::SignedOut));
        assert!(!present(service, holder, HOME).await);
    }
    noticed
}

async fn is_noticed(mut service: Service, thief_from: &str) {
    let mut times = Vec::new();
    for n in 0..40 {
        times.push(until_noticed(&service, &format!("user {n}"), thief_from).await);
    }
    times.sort();
    assert!(times[20] <= HOUR * 2, "half of the thefts took longer than {:?}", times[20]);
    service.reopen().await;
    assert_eq!(service.store().read(ReadTotals).await.unwrap().live_devices, 0);

    // An older token than the previous one is reuse wherever it is presented, and at once.
    let first = service.register("ada").await;
    let mut owner = first.clone();
    for _ in 0..2 {
        service.pass(MINUTE);
        assert!(present(&service, &mut owner, HOME).await);
    }
    let answer = service.refresh(&first.refresh, thief_from).await;
    assert!(matches!(answer, Refreshed::Reused { .. }), "{answer:?}");
    assert_eq!(service.verdict(&owner.access).await, Verdict::Ended(Reason::SignedOut));
}

pub(crate) async fn a_thief_elsewhere_is_noticed(service: Service) {
    is_noticed(service, ELSEWHERE).await;
}

/// The thief refreshes out of step with the owner. One who follows the owner within seconds, every time, on the same
/// network, is detected by no rule that forgives a lost answer.
pub(crate) async fn a_thief_on_the_same_network_is_noticed(service: Service) {
    let mut owner = service.register("in step").await;
    let mut thief = owner.clone();
    for _ in 0..20 {
        service.pass(HOUR);
        assert!(present(&service, &mut owner, HOME).await);
        service.pass(MINUTE / 6);
        assert!(present(&service, &mut thief, HOME).await);
    }
    service.sign_out(&owner).await;
    is_noticed(service, HOME).await;
}

pub(crate) async fn strict_forgives_nothing(mut service: Service) {
    service.policy.strict = true;
    for (name, from) in [("ada", HOME), ("bob", ELSEWHERE)] {
        let phone = service.register(name).await;
        let renewed = service.rotate(&phone).await;
        let answer = service.refresh(&phone.refresh, from).await;
        assert!(matches!(answer, Refreshed::Reused { .. }), "{answer:?}");
        service.reopen().await;
        assert_eq!(service.verdict(&renewed.access).await, Verdict::Ended(Reason::SignedOut));
    }
    let mut honest = service.register("eve").await;
    for _ in 0..20 {
        service.pass(HOUR);
        honest = service.rotate(&honest).await;
    }
}
