//! The check of the columns by which users are found against their records. That each value is there once, and that each
//! index has it, is the database's own promise.

use super::pool::Pool;
use super::retry::with_retries;
use crate::store::StoreError;

const COUNT: &str = "select count(*) filter (where name is distinct from doc->'username'->>'key'),
     count(*) filter (where external_id is distinct from doc->>'external_id') from rescind.users";

/// Reads all users.
///
/// # Errors
///
/// [`StoreError::Corrupt`] if a user is found by a name or an external id that is not in the record, or not by one that is;
/// otherwise as for every read.
pub(super) async fn check(pool: &Pool) -> Result<(), StoreError> {
    let counted = with_retries(async || {
        let connection = pool.connection().await?;
        let row = connection.begin().query_typed_one(COUNT, &[]).await?;
        connection.done();
        Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?))
    });
    let corrupt = |what: &str, users: i64| {
        let what = format!("the column {what} of rescind.users is not as in the record, rows: {users}");
        Err(StoreError::Corrupt(what))
    };
    match counted.await? {
        (0, 0) => Ok(()),
        (0, users) => corrupt("external_id", users),
        (users, _) => corrupt("name", users),
    }
}
