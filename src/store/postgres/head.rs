//! The head of the database's log, and what proves that it is the same log as before.

use tokio_postgres::SimpleQueryRow;

use super::failure::QueryFailure;
use super::loaded::parse;
use super::pool::Pool;
use super::sql;
use crate::model::counters::Position;
use crate::model::revocation::Entry;
use crate::store::{Counters, StoreError};

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
    /// The identity of the store, the timeline of the database, and when the database was started. Two reads with equal
    /// texts are of one log, unless a dump was loaded over it: a promoted standby is on another timeline, and a database
    /// whose files were restored was started again.
    pub(super) store: String,
    /// The counters: the position of the newest entry, the era and the version of the keys.
    pub(super) counters: Counters,
    /// The entries after the position that was asked for, in order; as many as one statement reads.
    pub(super) entries: Vec<Entry>,
}

impl LogHead {
    /// Reads the row of [`HEAD`](super::sql::HEAD), or the rows of [`HEAD_AND_ENTRIES`](super::sql::HEAD_AND_ENTRIES); other
    /// rows are passed over.
    pub(super) fn of(rows: &[SimpleQueryRow]) -> Result<Self, QueryFailure> {
        let (mut store, mut counters, mut entries) = (None, None, Vec::new());
        for row in rows {
            let document = row.try_get(2)?.unwrap_or_default();
            match row.try_get(0)? {
                Some("head") => {
                    counters = Some(parse(document)?);
                    store = row.try_get(4)?.map(ToOwned::to_owned);
                }
                Some("counters") => counters = Some(parse(document)?),
                Some("store") => store = Some(document.to_owned()),
                Some("entry") => entries.push(parse::<Entry>(document)?),
                _ => {}
            }
        }
        entries.sort_by_key(|entry| entry.position);
        match (store, counters) {
            (Some(store), Some(counters)) => Ok(Self { store, counters, entries }),
            _ => Err(StoreError::Corrupt("the store was never initialized".to_owned()).into()),
        }
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
