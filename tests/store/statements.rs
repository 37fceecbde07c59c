//! Statements on PostgreSQL: how values stand in them, and how they are planned.

use std::time::Duration;

use rescind::model::device::DeviceName;
use rescind::model::external_id::ExternalId;
use rescind::store::queries::devices::ListDevices;
use rescind::store::queries::users::FindUserByExternalId;
use rescind::store::steps::note_seen::NoteSeen;
use rescind::store::steps::register::{Register, Registered};
use rescind::store::steps::rename_device::{RenameDevice, Renamed};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use crate::backend::PostgresBackend;
use crate::service::{HOME, Service, by_first_keys};

const HOSTILE: [&str; 4] =
    [r"O'Hara's \ phone", r"\'; drop table rescind.users; --", "$1 $2 “é”", r#"{"a":["\\"]}"#];

/// The number of rows that the tables have after they have grown.
const MANY: i64 = 20_000;

/// A service on PostgreSQL, and a connection of a database administrator.
async fn administrated(before: &str) -> Option<(Service, Client)> {
    let backend = PostgresBackend::fresh().await?;
    let (administrator, connection) = tokio_postgres::connect(backend.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    administrator.batch_execute(before).await.unwrap();
    let mut service = Service::found(backend).await;
    // With new connections.
    service.reopen().await;
    Some((service, administrator))
}

#[tokio::test]
async fn what_users_write_is_stored_as_they_wrote_it_however_sessions_read_backslashes() {
    for conforming in ["on", "off"] {
        let set = format!(
            "do $$ begin execute format('alter database %I set standard_conforming_strings = {conforming}', current_database()); end $$"
        );
        let Some((service, _)) = administrated(&set).await else { return };
        let pair = service.register("ada").await;
        for (number, hostile) in HOSTILE.iter().enumerate() {
            let external_id = ExternalId::parse(&hostile.replace(' ', "")).unwrap();
            let registered = service.registration(&format!("user {number}"), None);
            let (id, external_id) = (registered.id, Some(external_id));
            let registered = Register { external_id: external_id.clone(), ..registered };
            assert!(matches!(service.store().run(registered).await.unwrap(), Registered::User(_)));
            let found = FindUserByExternalId { external_id: external_id.unwrap() };
            assert_eq!(service.store().read(found).await.unwrap().map(|user| user.id), Some(id));
            let name = DeviceName::parse(hostile).unwrap();
            let (caller, device, now) = (by_first_keys(pair.access), pair.device(), service.now());
            let renamed = service.store().run(RenameDevice { caller, device, name, now }).await.unwrap();
            assert!(matches!(renamed, Renamed::Renamed(_)), "{renamed:?}");
            let listed = ListDevices { user: pair.user(), after: None, limit: 2 };
            let listed = service.store().read(listed).await.unwrap();
            assert_eq!(listed[0].device.name.as_str(), *hostile);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_were_planned_while_the_tables_were_small_find_rows_by_an_index_when_they_are_large()
{
    const TABLES: [&str; 5] = ["users", "devices", "last_seen", "looks", "log"];
    let never = TABLES.map(|table| format!("alter table rescind.{table} set (autovacuum_enabled = off)"));
    let Some((service, administrator)) = administrated(&never.join("; ")).await else { return };
    for number in 0..60 {
        service.register(&format!("user {number}")).await;
    }
    administrator.batch_execute("analyze").await.unwrap();
    use_everything(&service, "early").await;
    grow(&administrator).await;
    let before = read_in_sequence(&administrator).await;
    use_everything(&service, "late").await;
    // A session tells its counts with the first transaction that ends a second later.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    use_everything(&service, "later").await;
    let (rows, by_index) = read_in_sequence(&administrator).await;
    assert!(by_index > before.1, "the database has not counted yet");
    assert!(rows - before.0 < MANY, "{} rows read in sequence", rows - before.0);
}

/// Does what a service does most, alone and in groups.
async fn use_everything(service: &Service, name: &str) {
    let pair = service.register(name).await;
    for _ in 0..8 {
        let other = service.sign_in(pair.user()).await;
        let other = service.rotate(&other).await;
        service.verdict(&other.access).await;
        let seen = vec![(other.user(), other.device(), service.seen(HOME))];
        service.store().run(NoteSeen { seen }).await.unwrap();
        service.sign_out(&other).await;
    }
    let mut several = Vec::new();
    for number in 0..4 {
        several.push(service.register(&format!("{name} {number}")).await);
    }
    let leave = |pair| {
        let (store, step) = (service.store(), service.everywhere(pair, false));
        async move { store.run(step).await.unwrap() }
    };
    several.iter().map(leave).collect::<JoinSet<_>>().join_all().await;
}

/// Adds rows to every table that grows.
async fn grow(administrator: &Client) {
    let rows = format!("generate_series(1, {MANY}) as n");
    let grown = format!(
        "insert into rescind.users (id, name, doc) select gen_random_uuid(), 'more ' || n, '{{}}' from {rows};
         insert into rescind.devices (user_id, id, era, generation, ended, doc)
             select gen_random_uuid(), gen_random_uuid(), 0, 0, false, '{{}}' from {rows};
         insert into rescind.last_seen (user_id, id, doc) select gen_random_uuid(), gen_random_uuid(), '{{}}' from {rows};
         insert into rescind.looks (at, user_id, era, generation, device_id)
             select 4000000000, gen_random_uuid(), 0, 0, gen_random_uuid() from {rows}"
    );
    administrator.batch_execute(&grown).await.unwrap();
}

/// How many rows were read in the sequence of their tables, and how often an index was used, as the database has counted.
async fn read_in_sequence(administrator: &Client) -> (i64, i64) {
    let asked = "select sum(seq_tup_read)::bigint, sum(idx_scan)::bigint from pg_stat_user_tables
        where schemaname = 'rescind' and relname in ('users', 'devices', 'last_seen', 'looks', 'log')";
    let row = administrator.query_one(asked, &[]).await.unwrap();
    (row.get(0), row.get(1))
}
