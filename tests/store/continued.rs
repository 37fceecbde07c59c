//! Clauses on sessions that began in another system and go on here.

use std::sync::Arc;
use std::time::Duration;

use rescind::model::claims::RefreshClaims;
use rescind::model::counters::{Era, Sequence};
use rescind::model::external_id::ExternalId;
use rescind::model::ids::DeviceId;
use rescind::model::timestamp::Timestamp;
use rescind::model::user::User;
use rescind::model::verdict::Reason;
use rescind::store::queries::devices::FindLastSeen;
use rescind::store::queries::former_sessions::{FindFormerEnd, FindSessionUser};
use rescind::store::retention::PAST_KEPT;
use rescind::store::steps::caller::Refusal;
use rescind::store::steps::continue_session::{ContinueSession, Continued, EndSession};
use rescind::store::steps::delete_user::{DeleteUser, DeleteUserBy};
use rescind::store::steps::end_device::{DeviceEnded, EndDevice, NamedBy};
use rescind::store::steps::end_everyone::EndEveryone;
use rescind::store::steps::import_user::ImportUser;
use rescind::store::steps::open_device::{OpenDevice, Opened};
use rescind::store::steps::register::{Register, Registered};
use rescind::store::steps::rotate_refresh::Refreshed;
use rescind::store::steps::session::{NewDevice, Session};
use rescind::store::steps::update_user::UpdateUser;
use rescind::token::simplejwt::SimpleJwtRefresh;

use crate::service::{DAY, ELSEWHERE, HOME, IDLE, MINUTE, Pair, START, Service};

/// How long the other system's tokens last.
const OTHERS: Duration = Duration::from_secs(90 * 24 * 60 * 60);

async fn brought_here(service: &Service, name: &str) -> User {
    let external_id = ExternalId::parse(name).ok();
    let request = Register { external_id, password: None, ..service.registration(name, None) };
    match service.store().run(request).await.unwrap() {
        Registered::User(user) => *user,
        other => panic!("{other:?}"),
    }
}

/// The device that a token of the other system is exchanged for.
fn device(jti: &str, expires: Timestamp) -> DeviceId {
    SimpleJwtRefresh { jti: jti.to_owned(), user: "ada".to_owned(), expires }.device()
}

fn continuing(service: &Service, user: &User, id: DeviceId, rotates: bool, from: &str) -> ContinueSession {
    let device = NewDevice { id, rotates, ..service.new_device(from) };
    let open = OpenDevice { user: user.id, verified: None, device, most: service.most, now: service.now() };
    let claims = RefreshClaims {
        subject: user.id,
        device: id,
        stamp: user.stamp(Era::default()),
        sequence: Sequence::default(),
        expires: service.now() + OTHERS,
    };
    ContinueSession { open, refresh: service.rotation(&claims, from) }
}

async fn shown(service: &Service, user: &User, id: DeviceId, rotates: bool, from: &str) -> Continued {
    service.store().run(continuing(service, user, id, rotates, from)).await.unwrap()
}

fn opened(continued: Continued) -> Session {
    match continued {
        Continued::Opened(Opened::Opened { session, .. }) => *session,
        other => panic!("{other:?}"),
    }
}

fn refused(reason: Reason) -> Continued {
    Continued::Refreshed(Refreshed::Refused(Refusal::Ended(reason)))
}

fn ending(service: &Service, user: &User, id: DeviceId) -> EndSession {
    let named_by = Some(NamedBy::Refresh(Sequence::default()));
    let end = EndDevice { named_by, ..service.ending(user.id, id, None) };
    EndSession { end, device: NewDevice { id, ..service.new_device(HOME) } }
}

pub(crate) async fn a_token_of_another_system_is_exchanged_for_one_device(mut service: Service) {
    let ada = brought_here(&service, "ada").await;
    let id = device("a", service.now() + OTHERS);
    let session = opened(shown(&service, &ada, id, false, HOME).await);
    assert_eq!((session.device.id, session.device.rotates), (id, false));
    for minutes in 0..200 {
        service.pass(MINUTE * 600);
        if minutes % 50 == 0 {
            service.reopen().await;
        }
        let from = if minutes % 3 == 0 { ELSEWHERE } else { HOME };
        match shown(&service, &ada, id, false, from).await {
            Continued::Refreshed(Refreshed::Renewed(again)) => {
                assert_eq!(again.device.refresh.current, Sequence::default(), "no new token is given");
                assert_eq!(again.device.idle_end, service.now() + IDLE);
            }
            other => panic!("{other:?}"),
        }
        let again = shown(&service, &ada, id, false, from).await;
        assert!(matches!(again, Continued::Refreshed(Refreshed::Repeated(_))), "at once: {again:?}");
    }
    assert_eq!(service.live(ada.id).await, 1);
    service.pass(IDLE);
    assert_eq!(shown(&service, &ada, id, false, HOME).await, refused(Reason::Expired));
}

/// The other system's token is the first token of its device to the replay rule.
pub(crate) async fn an_exchanged_token_is_replaced_where_devices_rotate(service: Service) {
    let ada = brought_here(&service, "ada").await;
    let id = device("a", service.now() + OTHERS);
    let first = Pair::minted(&opened(shown(&service, &ada, id, true, HOME).await), service.now());
    let lost = shown(&service, &ada, id, true, HOME).await;
    let Continued::Refreshed(Refreshed::Rotated(second)) = lost else { panic!("{lost:?}") };
    service.pass(MINUTE);
    let third = service.rotate(&Pair::minted(&second, service.now())).await;
    assert_eq!(third.device(), first.device());
    let reused = shown(&service, &ada, id, true, HOME).await;
    assert!(matches!(reused, Continued::Refreshed(Refreshed::Reused { .. })), "{reused:?}");
    assert_eq!(shown(&service, &ada, id, true, HOME).await, refused(Reason::SignedOut));
}

/// An account is imported with the time of its creation in the other system, which is before this store was founded.
pub(crate) async fn a_token_of_an_imported_user_is_exchanged(service: Service) {
    let external_id = ExternalId::parse("ada").ok();
    let user = Register { external_id, ..service.registration("ada", None) };
    let (created, disabled) = (Timestamp::from_unix(START.unix() - 365 * 24 * 60 * 60), None);
    let ada = match service.store().run(ImportUser { user, created, disabled }).await.unwrap() {
        Registered::User(user) => *user,
        other => panic!("{other:?}"),
    };
    assert_eq!(ada.created, created);
    let expires = service.now() + OTHERS;
    let [exchanged, untouched] = ["exchanged", "untouched"].map(|jti| device(jti, expires));
    opened(shown(&service, &ada, exchanged, false, HOME).await);
    let ended = service.store().run(ending(&service, &ada, untouched)).await.unwrap();
    assert_eq!(ended, DeviceEnded::Ended);
    service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    let other = device("other", expires);
    assert_eq!(shown(&service, &ada, other, false, HOME).await, refused(Reason::Reset));
}

pub(crate) async fn an_exchanged_token_is_of_no_use_after_its_device_until_it_expires(mut service: Service) {
    let ada = brought_here(&service, "ada").await;
    let expires = service.now() + OTHERS;
    let [exchanged, untouched] = ["exchanged", "untouched"].map(|jti| device(jti, expires));
    opened(shown(&service, &ada, exchanged, false, HOME).await);
    for id in [exchanged, untouched] {
        let store = service.store();
        assert_eq!(store.run(ending(&service, &ada, id)).await.unwrap(), DeviceEnded::Ended);
        assert_eq!(store.run(ending(&service, &ada, id)).await.unwrap(), DeviceEnded::AlreadyEnded);
    }
    assert_eq!(service.live(ada.id).await, 0);
    // Neither time nor many sign-ins take the records away before the tokens have expired.
    for _ in 0..PAST_KEPT + 50 {
        let open = OpenDevice {
            user: ada.id,
            verified: None,
            device: service.new_device(HOME),
            most: 1,
            now: service.now(),
        };
        service.store().run(open).await.unwrap();
    }
    for _ in 0..3 {
        service.pass(DAY * 29);
        while service.store().run(service.sweeping(1000).await).await.unwrap().more {}
        service.reopen().await;
        for id in [exchanged, untouched] {
            assert_eq!(shown(&service, &ada, id, false, HOME).await, refused(Reason::SignedOut));
        }
    }
    service.pass(DAY * 4);
    while service.store().run(service.sweeping(1000).await).await.unwrap().more {}
    for id in [exchanged, untouched] {
        let seen = FindLastSeen { user: ada.id, device: id };
        assert_eq!(service.store().read(seen).await.unwrap(), None, "nothing is kept for ever");
    }
}

pub(crate) async fn a_token_is_of_no_use_to_an_account_that_was_deleted_and_came_again(mut service: Service) {
    let (ada, until) = (brought_here(&service, "ada").await, service.now() + OTHERS);
    let [first, unused] = ["first", "unused"].map(|jti| device(jti, until));
    opened(shown(&service, &ada, first, false, HOME).await);
    let delete = |user: &User, former_until| DeleteUser {
        by: DeleteUserBy::Administrator(user.id),
        now: service.now(),
        former_until,
    };
    service.store().run(delete(&ada, until)).await.unwrap();
    service.pass(MINUTE);
    service.reopen().await;
    let again = brought_here(&service, "ada").await;
    for id in [first, unused] {
        assert_eq!(shown(&service, &again, id, false, HOME).await, refused(Reason::SignedOutEverywhere));
        let ended = service.store().run(ending(&service, &again, id)).await.unwrap();
        assert_eq!(ended, DeviceEnded::AlreadyEnded);
    }
    let told = FindFormerEnd { user: again.id };
    assert_eq!(service.store().read(told).await.unwrap(), Some(Reason::SignedOutEverywhere));
    let dan = brought_here(&service, "dan").await;
    opened(shown(&service, &dan, device("dan", until), false, HOME).await);
    // On the last day it is still known, and then it is not kept.
    for (days, known) in [(89, true), (2, false)] {
        service.pass(DAY * days);
        while service.store().run(service.sweeping(1000).await).await.unwrap().more {}
        let ended = service.store().read(told).await.unwrap();
        assert_eq!(ended.is_some(), known, "{days}");
    }
}

pub(crate) async fn a_token_is_of_no_use_to_the_next_user_with_its_external_id(mut service: Service) {
    let (ada, until) = (brought_here(&service, "ada").await, service.now() + OTHERS);
    let [used, unused] = ["used", "unused"].map(|jti| device(jti, until));
    opened(shown(&service, &ada, used, false, HOME).await);
    let change = |user: &User, external_id: Option<&str>| UpdateUser {
        user: user.id,
        username: None,
        external_id: Some(external_id.map(|id| ExternalId::parse(id).unwrap())),
        password: None,
        now: service.now(),
        former_until: until,
    };
    // What stays as it is ends nothing.
    service.store().run(change(&ada, Some("ada"))).await.unwrap();
    let told = FindFormerEnd { user: ada.id };
    assert_eq!(service.store().read(told).await.unwrap(), None);
    let bob = brought_here(&service, "bob").await;
    for (user, external_id) in [(&ada, Some("other")), (&bob, None), (&bob, Some("ada"))] {
        service.store().run(change(user, external_id)).await.unwrap();
    }
    service.pass(MINUTE);
    service.reopen().await;
    for id in [used, unused] {
        assert_eq!(shown(&service, &bob, id, false, HOME).await, refused(Reason::SignedOutEverywhere));
        let ended = service.store().run(ending(&service, &bob, id)).await.unwrap();
        assert_eq!(ended, DeviceEnded::AlreadyEnded);
    }
    assert_eq!((service.live(ada.id).await, service.live(bob.id).await), (1, 0));
    for (device, user) in [(used, ada.id), (unused, bob.id)] {
        let query = FindSessionUser { external_id: ExternalId::parse("ada").unwrap(), device };
        let found = service.store().read(query).await.unwrap();
        assert_eq!(found.map(|user| user.id), Some(user), "who has continued it, else who has the id");
    }
    opened(shown(&service, &ada, unused, false, HOME).await);
    service.pass(DAY * 91);
    while service.store().run(service.sweeping(1000).await).await.unwrap().more {}
    let told = FindFormerEnd { user: bob.id };
    assert_eq!(service.store().read(told).await.unwrap(), None, "nothing is kept for ever");
}

pub(crate) async fn what_ended_everything_ended_sessions_of_another_system_too(service: Service) {
    let ada = brought_here(&service, "ada").await;
    let expires = service.now() + OTHERS;
    let [used, unused] = ["used", "unused"].map(|jti| device(jti, expires));
    let phone = Pair::minted(&opened(shown(&service, &ada, used, false, HOME).await), service.now());
    service.sign_out_all(&phone, false).await;
    for id in [used, unused] {
        assert_eq!(shown(&service, &ada, id, false, HOME).await, refused(Reason::SignedOutEverywhere));
        let ended = service.store().run(ending(&service, &ada, id)).await.unwrap();
        assert_eq!(ended, DeviceEnded::AlreadyEnded);
    }
    let bob = brought_here(&service, "bob").await;
    service.store().run(service.disabling(bob.id, true)).await.unwrap();
    assert_eq!(shown(&service, &bob, unused, false, HOME).await, refused(Reason::SignedOutEverywhere));
    let eve = brought_here(&service, "eve").await;
    service.store().run(EndEveryone { now: service.now() }).await.unwrap();
    assert_eq!(shown(&service, &eve, unused, false, HOME).await, refused(Reason::Reset));
    service.pass(MINUTE);
    let dan = brought_here(&service, "dan").await;
    opened(shown(&service, &dan, unused, false, HOME).await);
}

pub(crate) async fn of_parallel_exchanges_one_opens_the_device(service: Service) {
    let service = Arc::new(service);
    let ada = brought_here(&service, "ada").await;
    for round in 0..service.many() / 16 {
        let id = device(&round.to_string(), service.now() + OTHERS);
        let run = || {
            let (store, request) = (service.store(), continuing(&service, &ada, id, false, HOME));
            tokio::spawn(async move { store.run(request).await.unwrap() })
        };
        let all = [run(), run(), run(), run()];
        let mut new = 0;
        for one in all {
            match one.await.unwrap() {
                Continued::Opened(Opened::Opened { .. }) => new += 1,
                Continued::Refreshed(Refreshed::Renewed(_) | Refreshed::Repeated(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(new, 1, "round {round}");
    }
}
