//! The tables and their migrations: each version is a file, run once, in order.

use tokio_postgres::{Client, Error};

/// The migrations from version n - 1 to version n, the first one first. A released one is never changed.
const VERSIONS: [&str; 4] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
];

/// The version of the tables that this build works with.
pub(super) const VERSION: i32 = 4;

/// Takes the lock that lets nodes which start together migrate one after the other.
const LOCK: &str = "select pg_advisory_xact_lock(7310868735422395236)";

const FOUND_VERSION: &str = "select coalesce(max(version), 0) from rescind.version";

/// The version of the database's tables; 0 if there are none.
pub(super) async fn version(client: &Client) -> Result<i32, Error> {
    if client.query_typed_one("select to_regclass('rescind.version') is not null", &[]).await?.try_get(0)? {
        client.query_typed_one(FOUND_VERSION, &[]).await?.try_get(0)
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
    transaction.batch_execute(LOCK).await?;
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
    transaction.commit().await?;
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_step() {
        assert_eq!(usize::try_from(VERSION).unwrap(), VERSIONS.len());
    }
}
