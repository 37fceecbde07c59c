//! A rolled-back store. Only an authentic token proves it, and from the first proof on no check succeeds until an
//! operator confirms that the store was restored; no honest token is a proof.

use rescind::issuer::signing_keys::first_keys;
use rescind::model::claims::{AccessClaims, Presented};
use rescind::model::counters::{Era, Generation};
use rescind::model::ids::DeviceId;
use rescind::store::StoreError;
use rescind::store::steps::restore::Restore;
use rescind::world::World;
use serde_json::json;

use crate::actors::{Device, PASSWORD};
use crate::answer::Answer;
use crate::service::{Mint, Service};
use crate::store::Mood;

const DAY: u64 = 24 * 3600;

/// The tokens that prove a rollback: ones that the store cannot have minted, each with where it is presented.
#[derive(Clone, Copy, Debug)]
enum Proof {
    LaterGeneration,
    LaterEra,
    LaterSequence,
    LaterEraOfRefresh,
    UnknownDevice,
    UnknownDeviceOfRefresh,
    UnknownDeviceSignsOut,
    IntrospectedGeneration,
    IntrospectedSequence,
    IntrospectedDevice,
    RevokedDevice,
}

const PROOFS: [Proof; 11] = [
    Proof::LaterGeneration,
    Proof::LaterEra,
    Proof::LaterSequence,
    Proof::LaterEraOfRefresh,
    Proof::UnknownDevice,
    Proof::UnknownDeviceOfRefresh,
    Proof::UnknownDeviceSignsOut,
    Proof::IntrospectedGeneration,
    Proof::IntrospectedSequence,
    Proof::IntrospectedDevice,
    Proof::RevokedDevice,
];

/// The id of a device made now, which the store does not know.
fn unheard_of(service: &Service) -> DeviceId {
    World::manual(service.now(), 99).0.device_id()
}

impl Proof {
    async fn present(self, service: &Service, phone: &Device<'_>) -> Answer {
        let (mint, server) = (service.mint().await, service.resource_server().await);
        let device = unheard_of(service);
        let generation =
            |mint: &Mint| mint.access(&phone.access, |it| it.stamp.generation = Generation::new(2));
        let sequence = |mint: &Mint| mint.refresh(&phone.refresh, |it| it.sequence = it.sequence.next());
        let access_of_device = |mint: &Mint| mint.access(&phone.access, |it| it.device = device);
        let refresh_of_device = |mint: &Mint| mint.refresh(&phone.refresh, |it| it.device = device);
        let me = async |token: String| service.anonymous().get("/api/v1/auth/me").bearer(&token).send().await;
        match self {
            Self::LaterGeneration => me(generation(&mint)).await,
            Self::LaterEra => {
                me(mint.access(&phone.access, |it| it.stamp.era = Era::new(4_000_000_000))).await
            }
            Self::LaterSequence => phone.someone.refresh(&sequence(&mint)).await,
            Self::LaterEraOfRefresh => {
                let later = mint.refresh(&phone.refresh, |it| it.stamp.era = Era::new(4_000_000_000));
                phone.someone.refresh(&later).await
            }
            Self::UnknownDevice => me(access_of_device(&mint)).await,
            Self::UnknownDeviceOfRefresh => phone.someone.refresh(&refresh_of_device(&mint)).await,
            Self::UnknownDeviceSignsOut => phone.someone.logout(&refresh_of_device(&mint)).await,
            Self::IntrospectedGeneration => server.introspect(&generation(&mint)).await,
            Self::IntrospectedSequence => server.introspect(&sequence(&mint)).await,
            Self::IntrospectedDevice => server.introspect(&access_of_device(&mint)).await,
            Self::RevokedDevice => server.revoke(&access_of_device(&mint)).await,
        }
    }
}

fn is_marked(service: &Service) -> bool {
    service.figures().lines().any(|line| line == "rescind_store_rolled_back 1")
}

/// Confirms the restoration, as `rescind store restored` does.
async fn restore(service: &Service) {
    let world = World::manual(service.now(), 3).0;
    let keys = first_keys(&service.master_key(), service.now()).unwrap();
    let (store, now) = (world.store_id(), service.now());
    let request = Restore { store, names: None, keys, keep_service_keys: false, now };
    service.store.run(request).await.unwrap();
}

/// Asserts that no check succeeds, nobody is signed out, and readiness names the cause.
async fn assert_answers_nothing(service: &Service, phone: &Device<'_>) {
    let server = service.resource_server().await;
    for answer in [
        service.anonymous().get("/api/v1/auth/me").bearer(&phone.access).send().await,
        service.anonymous().refresh(&phone.refresh).await,
        server.introspect(&phone.access).await,
        server.introspect(&phone.refresh).await,
        service.anonymous().login("ada", PASSWORD).await,
        service.anonymous().register("eve", PASSWORD).await,
        service.anonymous().post("/api/v1/auth/logout-all").bearer(&phone.access).send().await,
        service.follower().await.get("/api/v1/revocations").send().await,
    ] {
        answer.refused("unavailable");
    }
    let ready = service.anonymous().get("/readyz").send().await.refused("unavailable");
    assert!(ready.json["detail"].as_str().unwrap().contains("rescind store restored"), "{}", ready.text);
    service.anonymous().get("/livez").send().await.ok();
}

#[tokio::test]
async fn the_first_proof_ends_every_check_until_the_store_is_restored() {
    for proof in PROOFS {
        let service = Service::start().await;
        let phone = service.phone("ada").await;
        let before = service.store.contents().await;
        assert!(!is_marked(&service));
        proof.present(&service, &phone).await.refused("unavailable");
        assert!(is_marked(&service), "{proof:?}");
        let alarm = r#"store_alarms_total{kind="rolled_back"} 1"#;
        assert!(service.figures().contains(alarm), "{}", service.figures());
        assert_answers_nothing(&service, &phone).await;
        assert_eq!(service.store.contents().await, before, "{proof:?} ends nothing");

        // Another node, or the same after a restart.
        let again = service.again(|_| {}).await;
        assert!(is_marked(&again), "{proof:?}");
        assert_answers_nothing(&again, &phone).await;
        restore(&again).await;
        for service in [&service, &again] {
            service.rollback.look().await.unwrap();
            assert!(!is_marked(service));
            service.anonymous().get("/readyz").send().await.ok();
            service
                .anonymous()
                .get("/api/v1/auth/me")
                .bearer(&phone.access)
                .send()
                .await
                .refused("token_invalid");
        }
        again.laptop("ada").await.works().await;
    }
}

#[tokio::test]
async fn a_node_hears_from_the_store_what_another_one_was_shown() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let other = service.again(|_| {}).await;
    Proof::LaterSequence.present(&service, &phone).await.refused("unavailable");
    assert!(!is_marked(&other));
    other.rollback.look().await.unwrap();
    assert_answers_nothing(&other, &phone).await;
}

#[tokio::test]
async fn a_proof_that_finds_no_room_counts_here_until_it_is_written_down() {
    let service = Service::start().await;
    let (phone, mint) = (service.phone("ada").await, service.mint().await);
    service.store.feel(Mood::ReadOnly(StoreError::Full("3 MiB".to_owned())));
    let later = mint.access(&phone.access, |it| it.stamp.generation = Generation::new(2));
    service.anonymous().get("/api/v1/auth/me").bearer(&later).send().await.refused("unavailable");
    assert!(service.rollback.look().await.is_err());
    service.anonymous().get("/api/v1/auth/me").bearer(&phone.access).send().await.refused("unavailable");
    service.store.feel(Mood::Well);
    service.rollback.look().await.unwrap();
    assert!(is_marked(&service.again(|_| {}).await));
}

#[tokio::test]
async fn a_proof_while_the_mark_is_read_is_not_forgotten() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let (read, answer) = service.store.hold_next_answer();
    let (looked, ()) = tokio::join!(service.rollback.look(), async {
        read.await.unwrap();
        Proof::LaterSequence.present(&service, &phone).await.refused("unavailable");
        answer.send(()).unwrap();
    });
    looked.unwrap();
    assert!(is_marked(&service));
    assert_answers_nothing(&service, &phone).await;
}

/// The first proof is one no more when it is written, since the store was restored meanwhile; the second one is.
#[tokio::test]
async fn a_proof_that_finds_no_room_while_another_is_written_is_not_forgotten() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let mint = service.mint().await;
    let presented = |change: fn(&mut AccessClaims)| {
        let mut presented = None;
        mint.access(&phone.access, |claims| {
            change(claims);
            presented = Some(Presented::from(&*claims));
        });
        presented.unwrap()
    };
    let first = presented(|claims| claims.stamp.generation = Generation::new(2));
    let second = presented(|claims| claims.stamp.era = Era::new(4_000_000_000));
    let full = || Mood::ReadOnly(StoreError::Full("3 MiB".to_owned()));
    service.store.feel(full());
    service.rollback.ahead(first, None).await;
    service.store.feel(Mood::Well);
    restore(&service).await;
    let (written, outcome) = service.store.hold_next_outcome();
    let (looked, ()) = tokio::join!(service.rollback.look(), async {
        written.await.unwrap();
        service.store.feel(full());
        service.rollback.ahead(second, None).await;
        outcome.send(()).unwrap();
    });
    looked.unwrap();
    assert!(is_marked(&service));
    service.store.feel(Mood::Well);
    service.rollback.look().await.unwrap();
    assert!(is_marked(&service.again(|_| {}).await));
}

/// The device of the bearer token is signed out where the refresh token is from before a password change.
#[tokio::test]
async fn an_unknown_device_of_the_bearer_beside_an_old_refresh_token_is_a_proof() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let old = phone.refresh.clone();
    phone.take(&phone.change_password(PASSWORD, "another horse battery").await.ok()["session"]);
    let device = unheard_of(&service);
    let bearer = service.mint().await.access(&phone.access, |claims| claims.device = device);
    let ask = service.anonymous().post("/api/v1/auth/logout").bearer(&bearer);
    ask.json(&json!({ "refresh": old })).send().await.refused("unavailable");
    assert!(is_marked(&service));
}

/// A node that asked a primary which another one has replaced takes a newer device for one that ended.
#[tokio::test]
async fn a_device_that_is_on_record_after_all_was_refused_by_another_state() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let mut presented = None;
    service.mint().await.access(&phone.access, |claims| presented = Some(Presented::from(&*claims)));
    let presented = presented.unwrap();
    let fault = service.rollback.unknown_device(presented, None).await.unwrap_err();
    assert_eq!(fault.to_string(), StoreError::Away("it answers from two states".to_owned()).to_string());
    phone.logout().await.ok();
    assert_eq!(service.rollback.unknown_device(presented, None).await, Ok(()));
    assert!(!is_marked(&service));
}

/// No token that a client can hold honestly, however old or odd, stops the service.
#[tokio::test]
async fn no_honest_token_is_a_proof() {
    let service = Service::start().await;
    let (mint, server) = (service.mint().await, service.resource_server().await);
    let ada = service.phone("ada").await;
    let mut held = vec![ada.clone()];
    // Of a user who was deleted, and whose name somebody has again.
    let gone = service.phone("gone").await;
    held.push(gone.clone());
    gone.post("/api/v1/auth/delete-account").json(&json!({ "password": PASSWORD })).send().await.ok();
    held.push(service.phone("gone").await);
    // Of devices that ended in each way.
    let (signed_out, behind) = (service.laptop("ada").await, service.laptop("ada").await);
    signed_out.logout().await.ok();
    held.extend([signed_out, behind.clone()]);
    let mut kept = service.laptop("ada").await;
    kept.logout_others().await.ok();
    held.push(kept.clone());
    kept.renew().await;
    held.push(kept.clone());
    let changed = kept.change_password(PASSWORD, "another horse battery").await;
    held.push(kept);
    changed.ok();
    // Of devices whose records were swept, and one that never came back.
    for days in [27, 2, 3, 40] {
        for device in &held {
            for _ in 0..2 {
                let _ = device.me().await;
                let _ = device.present_refresh().await;
                let _ = server.introspect(&device.refresh).await;
                let _ = server.introspect(&device.access).await;
                let _ = server.revoke(&device.access).await;
                let _ = device.logout().await;
            }
        }
        assert!(!is_marked(&service), "before {days} days");
        service.pass(days * DAY);
        service.look_and_sweep().await;
    }
    // A device whose id was made when the clock was a year ahead, and one that names no time.
    let far = World::manual(service.now() + std::time::Duration::from_secs(365 * DAY), 5).0.device_id();
    let bob = service.phone("bob").await;
    for device in [far, DeviceId::from_bytes([7; 16])] {
        let token = mint.access(&bob.access, |claims| claims.device = device);
        service.anonymous().get("/api/v1/auth/me").bearer(&token).send().await.refused("signed_out");
    }
    assert!(!is_marked(&service));
}

/// With a wrong clock, an old device may look young.
#[tokio::test]
async fn a_clock_in_doubt_makes_no_device_young() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    phone.logout().await.ok();
    service.pass(29 * DAY);
    service.look_and_sweep().await;
    service.clock.set(service.now() - std::time::Duration::from_secs(20 * DAY));
    phone.present_refresh().await.refused("signed_out");
    service.store.has_on_record(service.now() + std::time::Duration::from_secs(20 * DAY));
    let again = service.again(|_| {}).await;
    again.anonymous().refresh(&phone.refresh).await.refused("signed_out");
    assert!(!is_marked(&service) && !is_marked(&again));
}
