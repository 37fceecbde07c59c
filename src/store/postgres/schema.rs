//! The tables and their migrations: each version is a file, run once, in order.
//!
//! A version without a change to the tables has a file with a comment: what records hold has changed.
//!
//! The version is also read with the counters, whose document a node refuses if the version is newer than its own. So a
//! node that was there before a migration does nothing after it: it could lose what it does not know.

use tokio_postgres::{Client, Error};

/// The migrations from version n - 1 to version n, the first one first. A released one is never changed.
const VERSIONS: [&str; 5] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
];

/// The version of the tables that this build works with.
pub(super) const VERSION: i32 = 5;

/// Begins a transaction that does not wait long for a lock that somebody else holds.
pub(super) const BEGIN: &str = "begin; set local lock_timeout = '10s'";

/// Takes the lock that lets nodes which start together migrate one after the other.
const LOCK: &str = "select pg_advisory_xact_lock(7310868735422395236)";

const FOUND_VERSION: &str = "select coalesce(max(version), 0) from rescind.version";

/// The version of the database's tables; 0 if there are none.
pub(super) async fn version(client: &Client) -> Result<i32, Error> {
    if client.query_typed_one("select to_regclass('rescind.version') is not null", &[]).await?.try_get(0)? {
        client.batch_execute(BEGIN).await?;
        let found = client.query_typed_one(FOUND_VERSION, &[]).await?.try_get(0);
        client.batch_execute("commit").await?;
        found
    } else {
        Ok(0)
    }
}

/// Migrates the tables to [`VERSION`], safely if several nodes do so at once; newer tables are left alone. Returns the
/// version that they have then.
pub(super) async fn migrate(client: &mut Client) -> Result<i32, Error> {
    let found = version(client).await?;
    if found >= VERSION {
        return Ok(found);
    }
    let transaction = client.transaction().await?;
    // Another node's migration is waited for, however long it takes; a lock of anybody else's is not.
    transaction.batch_execute(LOCK).await?;
    transaction.batch_execute("set local lock_timeout = '10s'").await?;
    transaction
        .batch_execute(
            "create schema if not exists rescind;
             create table if not exists rescind.version (version integer primary key, at timestamptz not null default now())",
        )
        .await?;
    let row = transaction.query_typed_one(FOUND_VERSION, &[]).await?;
    let mut at: i32 = row.try_get(0)?;
    for step in VERSIONS.iter().skip(usize::try_from(at).unwrap_or(usize::MAX)) {
        transaction.batch_execute(step).await?;
        at += 1;
        transaction.batch_execute(&format!("insert into rescind.version (version) values ({at})")).await?;
    }
    transaction.batch_execute(&format!("update rescind.service set tables = {at}")).await?;
    transaction.commit().await?;
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::super::sql;
    use super::*;

    #[test]
    fn every_version_has_its_step() {
        assert_eq!(usize::try_from(VERSION).unwrap(), VERSIONS.len());
    }

    #[test]
    fn the_counters_are_refused_from_the_next_version_on() {
        assert!(sql::COUNTERS.contains(&format!("tables > {VERSION} ")), "{}", sql::COUNTERS);
    }

    /// What nodes of this version of the tables write, as a digest of the fixtures of all records.
    const WRITTEN: (i32, &str) = (5, "d11b5b6b70b4810d12ab53bce7a6a9def9f5b357fefefc4fb65854bb4f6f5d1f");

    #[test]
    fn records_take_no_other_form_within_one_version() {
        let fixtures = include_str!("../format/fixtures/postgres.txt");
        assert_eq!(
            (VERSION, blake3::hash(fixtures.as_bytes()).to_hex().as_str()),
            WRITTEN,
            "a node that does not know a new field loses it: add a version, which older nodes refuse"
        );
    }
}
