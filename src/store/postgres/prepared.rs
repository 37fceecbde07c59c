//! The statements that every connection prepares, and whether sessions of the database keep them.
//!
//! A pooler that gives each transaction another session loses what was prepared. The database says so, by not knowing a
//! name or by knowing it already on a new connection; from then on this process sends every statement as it is.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::sql_query::SqlQuery;
use super::statement::{Plan, SqlStatement};
use super::{sql, sql_write};

/// The statements that are sent often.
const PREPARED: [&SqlStatement; 15] = [
    &sql::HEAD,
    &sql::HEAD_AND_ENTRIES,
    &sql::HEAD_AND_STANDINGS,
    &sql::STANDINGS,
    &sql::SEEN_STANDINGS,
    &sql::COUNTERS_AND_USER,
    &sql::COUNTERS_AND_USER_NAMED,
    &sql::LOCK_USER,
    &sql::LOCK_USERS,
    &sql::LOCK_VERSION,
    &sql::NEW_USERS,
    &sql_write::PUT_CHECKS,
    &sql_write::REMOVE_CHECKS,
    &sql_write::APPEND,
    &sql_write::COUNT,
];

/// What the database plans by while it plans a statement with [`Plan::ByIndex`]: for the transaction that the message is, or
/// that it goes on with. A plan that reads a whole table because it is small would be kept while the table grows, until the
/// database next analyzes the table. A table that is read without a condition, as the one row of the counters, then seems so
/// dear that the database would compile the plan, which takes 100 ms.
const BY_INDEX: &str =
    "set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off; set local jit = off";

/// Whether sessions of the database keep what was prepared on them: unknown to be otherwise until one has not.
#[derive(Debug, Default)]
pub(super) struct PreparedStatements {
    lost: AtomicBool,
}

impl PreparedStatements {
    /// Prepares the statements on a new connection. Answers whether they can be executed there.
    pub(super) async fn prepare(&self, client: &Client) -> bool {
        if self.lost() {
            return false;
        }
        let prepared = client.batch_execute(&message(PREPARED.map(SqlStatement::prepare))).await;
        if let Err(error) = &prepared
            && error.code() == Some(&SqlState::DUPLICATE_PSTATEMENT)
        {
            self.note_lost();
        }
        prepared.is_ok()
    }

    /// Whether statements have to be sent as they are.
    pub(super) fn lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Notes an error of a message with executions. Answers whether it says that a session does not know a statement: sent
    /// again, the statements then are sent as they are.
    pub(super) fn note(&self, error: &Error) -> bool {
        let is_unknown = is_unknown(error);
        if is_unknown {
            self.note_lost();
        }
        is_unknown
    }

    fn note_lost(&self) {
        if !self.lost.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "a session of the database does not know a prepared statement, or can no longer execute it, as behind a pooler in transaction mode: from now on every statement is planned each time it is sent"
            );
        }
    }
}

/// The message that runs these statements where they are prepared.
pub(super) fn executions(queries: &[&SqlQuery]) -> String {
    let mut statements = queries.iter().filter_map(|query| query.statement());
    let by_index = statements.any(|statement| statement.plan == Plan::ByIndex);
    let first = by_index.then(|| BY_INDEX.to_owned());
    message(first.into_iter().chain(queries.iter().map(|query| query.execution())))
}

/// The message that runs these statements where none is prepared.
pub(super) fn plain(queries: &[&SqlQuery]) -> String {
    message(queries.iter().map(|query| query.plain()))
}

fn message(statements: impl IntoIterator<Item = String>) -> String {
    statements.into_iter().collect::<Vec<_>>().join("; ")
}

/// Whether the session does not know the statement, or can no longer execute it as it was prepared.
fn is_unknown(error: &Error) -> bool {
    let unusable = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::FEATURE_NOT_SUPPORTED];
    error.code().is_some_and(|code| unusable.contains(code))
}
