//! Races, many of each: whichever step comes first, nothing older survives.

use std::sync::Arc;

use rescind::model::verdict::Verdict;
use rescind::store::queries::standing::ReadStanding;
use rescind::store::steps::end_devices::DevicesEnded;
use rescind::store::steps::open_device::Opened;
use rescind::store::steps::rotate_refresh::Refreshed;
use rescind::store::steps::set_password::{PasswordSet, SetPassword, SetPasswordBy};

use crate::service::{HOME, IDLE, Pair, Service, by_first_keys, password};

/// The number of users that race at once, for a store that commits in groups.
const LANES: u64 = 16;

/// Runs both futures at once; which one starts first alternates.
async fn race<A: Send + 'static, B: Send + 'static>(
    round: u64,
    one: impl Future<Output = A> + Send + 'static,
    other: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    let (one, other) = if round.is_multiple_of(2) {
        let one = tokio::spawn(one);
        (one, tokio::spawn(other))
    } else {
        let other = tokio::spawn(other);
        (tokio::spawn(one), other)
    };
    (one.await.unwrap(), other.await.unwrap())
}

/// Runs every lane's rounds. Each lane returns how often the older side came first; both orders must have happened.
async fn all_lanes<F: Future<Output = u64> + Send + 'static>(
    service: Service,
    lane: impl Fn(Arc<Service>, Pair) -> F,
) {
    let (rounds, service) = (service.many(), Arc::new(service));
    let mut lanes = tokio::task::JoinSet::new();
    for n in 0..LANES {
        let caller = service.register(&format!("user {n}")).await;
        lanes.spawn(lane(Arc::clone(&service), caller));
    }
    let won: u64 = lanes.join_all().await.iter().sum();
    assert!(won > 0 && won < rounds, "no race: one side won {won} times of {rounds}");
}

pub(crate) async fn a_login_never_survives_a_password_change(service: Service) {
    all_lanes(service, async |service: Arc<Service>, mut caller: Pair| {
        let user = caller.user();
        let mut logins = 0;
        for round in 0..service.many() / LANES {
            let login = service.opening(user, &password(round));
            let change = SetPassword {
                by: SetPasswordBy::Caller {
                    token: by_first_keys(caller.access),
                    verified: password(round),
                    idle: IDLE,
                },
                password: password(round + 1),
                now: service.now(),
            };
            let (store, again) = (service.store(), service.store());
            let (opened, changed) = race(round, async move { store.run(login).await.unwrap() }, async move {
                again.run(change).await.unwrap()
            })
            .await;
            let PasswordSet::Changed { session, signed_out } = changed else { panic!("{changed:?}") };
            caller = Pair::minted(&session, service.now());
            match opened {
                Opened::Opened { session, .. } => {
                    logins += 1;
                    let older = Pair::minted(&session, service.now());
                    assert_ne!(service.verdict(&older.access).await, Verdict::Live, "round {round}");
                    assert_eq!(signed_out, 1);
                }
                Opened::PasswordChanged => assert_eq!(signed_out, 0),
                other => panic!("{other:?}"),
            }
            assert_eq!(service.device_ids(user).await, [caller.device()], "round {round}");
            assert_eq!(service.live(user).await, 1);
        }
        logins
    })
    .await;
}

pub(crate) async fn a_refresh_never_survives_a_logout_all(service: Service) {
    all_lanes(service, async |service: Arc<Service>, phone: Pair| {
        let user = phone.user();
        let mut rotations = 0;
        for round in 0..service.many() / LANES {
            let held = service.sign_in(user).await;
            let (rotation, everywhere) =
                (service.rotation(&held.refresh, HOME), service.everywhere(&held, false));
            let (store, again) = (service.store(), service.store());
            let (refreshed, ended) =
                race(round, async move { store.run(rotation).await.unwrap() }, async move {
                    again.run(everywhere).await.unwrap()
                })
                .await;
            assert!(matches!(ended, DevicesEnded::Ended { .. }), "{ended:?}");
            let mut older = vec![held];
            match refreshed {
                Refreshed::Rotated(session) => {
                    rotations += 1;
                    older.push(Pair::minted(&session, service.now()));
                }
                Refreshed::Refused(_) => {}
                other => panic!("{other:?}"),
            }
            for pair in older {
                let standing =
                    service.store().read(ReadStanding { user, device: pair.device() }).await.unwrap();
                let refresh = standing.judge_refresh(&(&pair.refresh).into(), service.now());
                assert_ne!(refresh, Verdict::Live, "round {round}");
                assert_ne!(standing.judge(&pair.access, service.now()), Verdict::Live, "round {round}");
            }
            assert_eq!((service.live(user).await, service.device_ids(user).await), (0, vec![]));
        }
        rotations
    })
    .await;
}
