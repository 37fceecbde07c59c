//! Clauses on users of another system: their ids there, and users without a password.

use std::sync::Arc;

use rescind::model::authentication_method::AuthenticationMethod;
use rescind::model::external_id::ExternalId;
use rescind::model::ids::UserId;
use rescind::model::user::User;
use rescind::model::verdict::Verdict;
use rescind::store::StoreError;
use rescind::store::postgres::{OpenMode, Options, Postgres};
use rescind::store::queries::service::ReadTotals;
use rescind::store::queries::standing::ReadStanding;
use rescind::store::queries::users::{FindUser, FindUserByExternalId, FindUserByName, ListUsers};
use rescind::store::steps::delete_user::{DeleteUser, DeleteUserBy};
use rescind::store::steps::dry_run::DryRun;
use rescind::store::steps::open_device::{OpenDevice, Opened};
use rescind::store::steps::register::{Register, Registered};
use rescind::store::steps::update_user::{UpdateUser, UserUpdated};

use crate::backend::PostgresBackend;
use crate::service::{HOME, Service, password, username};

/// Needs two engines on one database: the one of the service, and one that checks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_in_postgresql_that_is_not_as_in_its_record_is_found() {
    let Some(backend) = PostgresBackend::fresh().await else { return };
    let url = backend.url().to_owned();
    let service = Service::found(backend).await;
    create(&service, "ada", "42").await;
    service.register("grace").await;
    let engine = Postgres::connect(&url, Options::default(), OpenMode::Existing).await.unwrap();
    engine.check_indexes().await.unwrap();
    let (administrator, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for (column, value, name) in [
        ("external_id", "'43'", "ada"),
        ("external_id", "null", "ada"),
        ("external_id", "'44'", "grace"),
        ("name", "'eve'", "ada"),
    ] {
        let was = "create table before as select * from rescind.users";
        let change = format!("update rescind.users set {column} = {value} where name = '{name}'");
        administrator.batch_execute(&format!("{was}; {change}")).await.unwrap();
        let found = engine.check_indexes().await;
        let what = format!("the column {column} of rescind.users is not as in the record, rows: 1");
        assert_eq!(found, Err(StoreError::Corrupt(what)), "{value}");
        let back =
            "delete from rescind.users; insert into rescind.users select * from before; drop table before";
        administrator.batch_execute(back).await.unwrap();
        engine.check_indexes().await.unwrap();
    }
}

fn external_id(text: &str) -> ExternalId {
    ExternalId::parse(text).unwrap()
}

fn creation(service: &Service, name: &str, id: &str) -> Register {
    Register { external_id: Some(external_id(id)), password: None, ..service.registration(name, None) }
}

async fn create(service: &Service, name: &str, id: &str) -> User {
    match service.store().run(creation(service, name, id)).await.unwrap() {
        Registered::User(user) => *user,
        other => panic!("{other:?}"),
    }
}

async fn found(service: &Service, id: &str) -> Option<UserId> {
    let query = FindUserByExternalId { external_id: external_id(id) };
    service.store().read(query).await.unwrap().map(|user| user.id)
}

pub(crate) async fn external_ids_are_unique_and_freed(mut service: Service) {
    let ada = create(&service, "ada", "42").await;
    create(&service, "grace", "Ab").await;
    service.reopen().await;
    assert_eq!(found(&service, "42").await, Some(ada.id));
    assert_eq!(found(&service, "aB").await, None, "case counts");
    let answer = service.store().run(creation(&service, "eve", "42")).await.unwrap();
    assert_eq!(answer, Registered::ExternalIdTaken);
    let answer = service.store().run(creation(&service, "ada", "43")).await.unwrap();
    assert_eq!(answer, Registered::UsernameTaken);
    let answer = service.store().run(creation(&service, "ada", "Ab")).await.unwrap();
    assert_eq!(answer, Registered::UsernameTaken, "the name and the id of two users");
    assert_eq!(service.store().read(ReadTotals).await.unwrap().users, 2);
    assert_eq!(found(&service, "43").await, None);

    let request = DeleteUser {
        by: DeleteUserBy::Administrator(ada.id),
        now: service.now(),
        former_until: service.now(),
    };
    service.store().run(request).await.unwrap();
    service.reopen().await;
    assert_eq!(found(&service, "42").await, None);
    let eve = create(&service, "eve", "42").await;
    assert_eq!(found(&service, "42").await, Some(eve.id));
}

pub(crate) async fn a_repeated_creation_changes_nothing(service: Service) {
    let ada = create(&service, "Ada", "42").await;
    let repeated = Register { password: Some(password(1)), ..creation(&service, "aDA", "42") };
    let answer = service.store().run(repeated).await.unwrap();
    assert_eq!(answer, Registered::Exists(Box::new(ada.clone())));
    assert_eq!(service.store().read(ReadTotals).await.unwrap().users, 1);
    assert_eq!(service.store().read(FindUser { id: ada.id }).await.unwrap(), Some(ada));
}

pub(crate) async fn a_dry_run_says_what_a_step_would_come_to_and_changes_nothing(service: Service) {
    let would =
        async |name: &str, id: &str| service.store().run(DryRun(creation(&service, name, id))).await.unwrap();
    assert!(matches!(would("ada", "42").await, Registered::User(_)));
    assert_eq!(service.store().read(ReadTotals).await.unwrap().users, 0);
    assert_eq!(found(&service, "42").await, None);
    let ada = create(&service, "ada", "42").await;
    assert_eq!(would("ada", "42").await, Registered::Exists(Box::new(ada)));
    assert_eq!(would("ada", "43").await, Registered::UsernameTaken);
    assert_eq!(would("eve", "42").await, Registered::ExternalIdTaken);
    assert_eq!(service.store().read(ReadTotals).await.unwrap().users, 1);
}

/// Many pairs of creations that have the external id in common, and half of them the name too.
pub(crate) async fn of_two_creations_with_one_external_id_one_wins(service: Service) {
    let service = Arc::new(service);
    for round in 0..service.many() / 16 {
        let same_name = round % 2 == 0;
        let (one, other) =
            (format!("one {round}"), format!("{} {round}", if same_name { "one" } else { "other" }));
        let id = format!("id-{round}");
        let run = |name: &str| {
            let (store, request) = (service.store(), creation(&service, name, &id));
            tokio::spawn(async move { store.run(request).await.unwrap() })
        };
        let (one, other) = (run(&one), run(&other));
        let answers = [one.await.unwrap(), other.await.unwrap()];
        let won = answers.iter().find_map(|answer| match answer {
            Registered::User(user) => Some(user.clone()),
            _ => None,
        });
        let won = won.unwrap_or_else(|| panic!("nobody won: {answers:?}"));
        let lost = if same_name { Registered::Exists(won.clone()) } else { Registered::ExternalIdTaken };
        assert!(answers.contains(&lost), "{answers:?}");
        assert_eq!(found(&service, &id).await, Some(won.id));
    }
}

pub(crate) async fn a_device_says_how_the_user_was_proven(mut service: Service) {
    let ada = create(&service, "ada", "42").await;
    assert_eq!(ada.password, None);
    let wrong = service.opening(ada.id, &password(0));
    assert_eq!(service.store().run(wrong.clone()).await.unwrap(), Opened::PasswordChanged, "there is none");
    let mut device = service.new_device(HOME);
    device.amr = ["pwd", "otp"].map(|name| AuthenticationMethod::parse(name).unwrap()).to_vec();
    device.rotates = false;
    let vouched = OpenDevice { verified: None, device: device.clone(), ..wrong };
    let answer = service.store().run(vouched).await.unwrap();
    let Opened::Opened { session, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(session.device.amr, device.amr);
    service.reopen().await;
    let standing = service.store().read(ReadStanding { user: ada.id, device: device.id }).await.unwrap();
    let stored = standing.device.unwrap();
    assert_eq!((stored.amr, stored.rotates), (device.amr, false));
}

fn change(service: &Service, user: UserId) -> UpdateUser {
    UpdateUser {
        user,
        username: None,
        external_id: None,
        password: None,
        now: service.now(),
        former_until: service.now(),
    }
}

async fn updated(service: &Service, request: UpdateUser) -> (User, u64) {
    match service.store().run(request).await.unwrap() {
        UserUpdated::Updated { user, signed_out, .. } => (*user, signed_out),
        other => panic!("{other:?}"),
    }
}

async fn named(service: &Service, name: &str) -> Option<UserId> {
    let query = FindUserByName { name: username(name).key().to_owned() };
    service.store().read(query).await.unwrap().map(|user| user.id)
}

pub(crate) async fn a_rename_moves_the_indexes_and_ends_nothing(mut service: Service) {
    let phone = service.register("Ada").await;
    let user = phone.user();
    let rename = UpdateUser {
        username: Some(username("Grace")),
        external_id: Some(Some(external_id("42"))),
        ..change(&service, user)
    };
    let (grace, signed_out) = updated(&service, rename).await;
    assert_eq!((grace.id, grace.username.shown(), signed_out), (user, "Grace", 0));
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    service.reopen().await;
    assert_eq!((named(&service, "ada").await, named(&service, "grace").await), (None, Some(user)));
    let moved = UpdateUser { external_id: Some(Some(external_id("43"))), ..change(&service, user) };
    updated(&service, moved).await;
    assert_eq!((found(&service, "42").await, found(&service, "43").await), (None, Some(user)));
    // The former name and id are free, the present ones are not.
    create(&service, "ada", "42").await;
    for (name, id, refused) in [
        (Some("ADA"), None, UserUpdated::UsernameTaken),
        (None, Some("42"), UserUpdated::ExternalIdTaken),
        (Some("eve"), Some("42"), UserUpdated::ExternalIdTaken),
    ] {
        let request = UpdateUser {
            username: name.map(username),
            external_id: id.map(|id| Some(external_id(id))),
            ..change(&service, user)
        };
        assert_eq!(service.store().run(request).await.unwrap(), refused);
    }
    assert_eq!(named(&service, "eve").await, None, "all of it or nothing");
    let other_case = UpdateUser { username: Some(username("GRACE")), ..change(&service, user) };
    assert_eq!(updated(&service, other_case).await.0.username.shown(), "GRACE");
    assert_eq!(named(&service, "grace").await, Some(user));
    updated(&service, UpdateUser { external_id: Some(None), ..change(&service, user) }).await;
    service.reopen().await;
    assert_eq!(found(&service, "43").await, None);
    let names = service.store().read(ListUsers { after: None, limit: 9 }).await.unwrap();
    let names: Vec<_> = names.iter().map(|listed| listed.user.username.shown().to_owned()).collect();
    assert_eq!(names, ["ada", "GRACE"]);
    let nobody = change(&service, service.world.user_id());
    assert_eq!(service.store().run(nobody).await.unwrap(), UserUpdated::NoUser);
}

pub(crate) async fn another_password_hash_ends_all_devices_and_a_first_one_none(service: Service) {
    let phone = service.register("ada").await;
    let set = |user, to| UpdateUser { password: Some(password(to)), ..change(&service, user) };
    assert_eq!(updated(&service, set(phone.user(), 0)).await.1, 0, "the same hash");
    assert_eq!(service.verdict(&phone.access).await, Verdict::Live);
    assert_eq!(updated(&service, set(phone.user(), 1)).await.1, 1);
    assert_ne!(service.verdict(&phone.access).await, Verdict::Live);

    let grace = create(&service, "grace", "42").await;
    let opening = OpenDevice { verified: None, ..service.opening(grace.id, &password(0)) };
    let answer = service.store().run(opening).await.unwrap();
    assert!(matches!(answer, Opened::Opened { .. }), "{answer:?}");
    assert_eq!(updated(&service, set(grace.id, 0)).await.1, 0);
    assert_eq!(service.live(grace.id).await, 1);
    let answer = service.store().run(service.opening(grace.id, &password(0))).await.unwrap();
    assert!(matches!(answer, Opened::Opened { .. }), "{answer:?}");
}
