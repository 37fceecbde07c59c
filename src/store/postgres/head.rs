//! The head of the database's log, and what proves that it is the same log as before.

use tokio_postgres::SimpleQueryRow;

use super::failure::QueryFailure;
use super::loaded::parse;
use super::pool::Pool;
use super::sql;
use super::store_and_settings::{StoreAndSettings, uninitialized};
use crate::model::counters::Position;
use crate::model::revocation::Entry;
use crate::store::Counters;

/// Whether this database can be asked for the head of its log. One that only speaks the protocol may have no timeline to
/// tell, or refuse to tell it.
pub(super) async fn is_readable(pool: &Pool) -> bool {
    let Ok(connection) = pool.connection().await else { return true };
    let asked = connection.begin().simple_query(sql::STORE_AND_SETTINGS).await;
    connection.done();
    let refused = asked.err().and_then(|error| error.code().map(|code| code.code().to_owned()));
    let Some(code) = refused.filter(|code| ["42", "0A", "55"].iter().any(|class| code.starts_with(class)))
    else {
        return true;
    };
    tracing::warn!(code, "the database does not tell its timeline: every check reads its records");
    false
}

/// What one statement read of the log, at one moment.
pub(super) struct LogHead {
    /// Whose log it is.
    pub(super) database: StoreAndSettings,
    /// The counters: the position of the newest entry, the era and the version of the keys.
    pub(super) counters: Counters,
    /// The entries after the position that was asked for, in order; as many as one statement reads.
    pub(super) entries: Vec<Entry>,
}

impl LogHead {
    /// Reads the row of [`HEAD`](super::sql::HEAD), or the rows of [`HEAD_AND_ENTRIES`](super::sql::HEAD_AND_ENTRIES); other
    /// rows are passed over.
    pub(super) fn of(rows: &[SimpleQueryRow]) -> Result<Self, QueryFailure> {
        let (mut database, mut counters, mut entries) = (None, None, Vec::new());
        for row in rows {
            let document = row.try_get(2)?.unwrap_or_default();
            match row.try_get(0)? {
                Some("head") => {
                    counters = Some(parse(document)?);
                    database = row.try_get(4)?;
                }
                Some("counters") => counters = Some(parse(document)?),
                Some("store") => database = Some(document),
                Some("entry") => entries.push(parse::<Entry>(document)?),
                _ => {}
            }
        }
        entries.sort_by_key(|entry| entry.position);
        let database = StoreAndSettings::parse(database)?;
        Ok(Self { database, counters: counters.ok_or_else(uninitialized)?, entries })
    }

    /// Whether the entries are all there are between `applied` and the head.
    pub(super) fn continues(&self, applied: Position) -> bool {
        let mut expected = applied;
        for entry in self.entries.iter().filter(|entry| entry.position > applied) {
            expected = expected.next();
            if entry.position != expected {
                return false;
            }
        }
        expected == self.counters.head
    }
}
