//! One transaction: the step's working set is locked and read, the step decides, and what it writes is committed.
//!
//! Statements that need no answer of one another are sent together: a step takes two round trips, one before it has
//! decided and one after.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::join;
use tokio::sync::watch;

use super::change_notifier::ChangeNotifier;
use super::connection::Connection;
use super::failure::{QueryFailure, TOO_LONG};
use super::load::{self, LoadStatement};
use super::loaded::Loaded;
use super::pool::Pool;
use super::retry::with_retries;
use super::sql_query::SqlQuery;
use super::standing_cache::SharedCache;
use super::write::{self, WriteStatements};
use crate::model::counters::Era;
use crate::model::ids::UserId;
use crate::store::StoreError;
use crate::store::erased::ErasedStep;
use crate::store::format::{Record, RecordKey};
use crate::store::records::{Change, Changes, Records};
use crate::store::working_set::WorkingSet;

/// The most times that a step may request further records; more than any step needs, so beyond it the step does not
/// end.
const ROUNDS: usize = 512;

/// What transactions are made of: connections, and how each begins.
pub(super) struct Transactions {
    pub(super) pool: Arc<Pool>,
    cache: Arc<SharedCache>,
    notifier: ChangeNotifier,
    begin: SqlQuery,
}

impl Transactions {
    /// Transactions over connections of `pool` that take at most `budget` each.
    pub(super) fn new(
        pool: Arc<Pool>,
        cache: Arc<SharedCache>,
        notifier: ChangeNotifier,
        budget: Duration,
    ) -> Self {
        let milliseconds = budget.as_millis().max(1);
        // A lock is waited for half as long as all of it may take, and held by a node that says nothing more no longer than
        // that.
        let begin = format!(
            "begin isolation level read committed; set local client_min_messages = warning; set local statement_timeout = {milliseconds}; set local lock_timeout = {}; set local idle_in_transaction_session_timeout = {milliseconds}",
            milliseconds.div_ceil(2)
        );
        Self { pool, cache, notifier, begin: SqlQuery::new(begin) }
    }

    /// A channel that is marked as changed after something may have been written.
    pub(super) fn written(&self) -> watch::Receiver<()> {
        self.notifier.subscribe()
    }

    /// The statement that begins a transaction.
    pub(super) fn begin(&self) -> &SqlQuery {
        &self.begin
    }

    /// Does a step in a transaction of its own, again while others are in the way. Answers with the number of statements
    /// that wrote something.
    pub(super) async fn alone(&self, step: &dyn ErasedStep) -> Result<usize, StoreError> {
        let working_set = step.working_set();
        with_retries(|| self.once(&working_set, step)).await
    }

    async fn once(&self, working_set: &WorkingSet, step: &dyn ErasedStep) -> Result<usize, QueryFailure> {
        let connection = self.pool.connection().await?;
        connection.drive(self.take(&connection, working_set, step)).await
    }

    /// Does a step in one transaction over this connection.
    async fn take(
        &self,
        connection: &Connection,
        working_set: &WorkingSet,
        step: &dyn ErasedStep,
    ) -> Result<usize, QueryFailure> {
        let mut loaded = lock_and_read(self, connection, working_set).await?;
        let decided = complete(connection, &mut loaded, |records| decide(step, records)).await?;
        let changes = match decided {
            Ok(changes) => changes,
            Err(error) => {
                connection.begin().batch_execute("rollback").await?;
                connection.done();
                return Err(error.into());
            }
        };
        let era = loaded.counters().map_or(Era::default(), |counters| counters.era);
        match self.commit(connection, changes, era).await? {
            Ok(statements) => Ok(statements),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes `changes`, decided under `era`, commits, and tells the other nodes. Answers with the number of statements
    /// that wrote something. The inner error says that the outcome is unknown, the outer one that nothing was written. The
    /// connection can be reused unless the outcome is unknown.
    pub(super) async fn commit(
        &self,
        connection: &Connection,
        changes: Changes,
        era: Era,
    ) -> Result<Result<usize, StoreError>, QueryFailure> {
        let logged = !changes.log.is_empty();
        let users = users_of(&changes);
        let writes = write::statements(changes, era)?;
        // Before, for a commit that nobody waits for any more; and after it, since a read may have come in between.
        self.cache.lock().change(users.iter().copied());
        let committed = commit(connection, &writes).await;
        self.cache.lock().change(users);
        match committed {
            Ok(()) => {
                if logged {
                    self.notifier.notify();
                }
                Ok(Ok(writes.len()))
            }
            Err(NotCommitted::Known(failure)) => Err(failure),
            Err(NotCommitted::Unknown(why)) => Ok(Err(unknown(&why))),
        }
    }
}

/// The users whose records are written or removed.
fn users_of(changes: &Changes) -> HashSet<UserId> {
    let user = |change: &Change| match change {
        Change::Put(Record::User(user)) => Some(user.id),
        Change::Put(Record::Device(device) | Record::EndedDevice(device)) => Some(device.user),
        Change::Put(Record::LastSeen(user, ..))
        | Change::Remove(
            RecordKey::User { id: user, .. }
            | RecordKey::Device(user, ..)
            | RecordKey::EndedDevice(user, _)
            | RecordKey::LastSeen(user, _),
        ) => Some(*user),
        _ => None,
    };
    changes.records.iter().filter_map(user).collect()
}

/// The error of a step whose outcome is unknown.
pub(super) fn unknown(why: &str) -> StoreError {
    StoreError::Unavailable(format!("{why}; whether the step was taken is unknown"))
}

/// The error of a step that took longer than it may.
pub(super) fn too_slow() -> StoreError {
    unknown(TOO_LONG)
}

/// Begins a transaction, locks the step's working set, and reads it.
async fn lock_and_read(
    transactions: &Transactions,
    connection: &Connection,
    working_set: &WorkingSet,
) -> Result<Loaded, QueryFailure> {
    let (lock, load) = (load::lock_query(working_set), load::preload(working_set));
    let begin = Some(transactions.begin());
    let queries: Vec<_> =
        begin.into_iter().chain(&lock).chain(load.as_ref().map(LoadStatement::query)).collect();
    let rows = connection.run(&queries).await?;
    if let WorkingSet::User(_) | WorkingSet::Device(..) = working_set
        && load::locked_users(&rows)?.is_empty()
        && let Some(lock) = load::lock_query(&WorkingSet::Unknown)
    {
        // A user who is gone has no row to hold; that there is none has to be durable all the same.
        connection.run(&[&lock]).await?;
    }
    let mut loaded = Loaded::default();
    if let Some(load) = load {
        load.fill(&rows, &mut loaded)?;
    }
    if let WorkingSet::Due(now, limit) = working_set {
        load::due(*now, *limit, load::locked_users(&rows)?).run(connection, &mut loaded).await?;
        let devices: Vec<_> =
            loaded.due(*now, *limit)?.iter().map(|check| (check.user, check.device)).collect();
        load::of_devices(&devices).run(connection, &mut loaded).await?;
    }
    Ok(loaded)
}

/// What a step decides, unless the counters say that the tables are of a newer version. They are read for every step,
/// also if it does not ask for them.
pub(super) fn decide(step: &dyn ErasedStep, records: &dyn Records) -> Result<Changes, StoreError> {
    match records.counters() {
        Err(newer @ StoreError::Newer(_)) => Err(newer),
        _ => step.decide(records),
    }
}

/// Runs `work` on the records read so far and reads what it lacks, until it lacks nothing.
pub(super) async fn complete<T>(
    connection: &Connection,
    loaded: &mut Loaded,
    work: impl Fn(&dyn Records) -> T,
) -> Result<T, QueryFailure> {
    for _ in 0..ROUNDS {
        let outcome = work(loaded);
        let Some(missed) = loaded.missed() else { return Ok(outcome) };
        load::missed(missed).run(connection, loaded).await?;
    }
    Err(QueryFailure::Final(StoreError::Unavailable("a step asks for more and more".to_owned())))
}

/// The reason why a transaction cannot be acknowledged.
enum NotCommitted {
    /// The transaction was rolled back.
    Known(QueryFailure),
    /// Whether the transaction was committed is unknown.
    Unknown(String),
}

/// Writes and commits. The connection can be reused unless the outcome is unknown.
async fn commit(connection: &Connection, writes: &WriteStatements) -> Result<(), NotCommitted> {
    let (written, committed) = join!(connection.write(writes), connection.commit());
    let outcome = judge(written.err(), committed);
    if !matches!(outcome, Err(NotCommitted::Unknown(_))) {
        connection.done();
    }
    outcome
}

/// The outcome of a transaction whose first failed statement has the error `refused`.
fn judge(
    refused: Option<QueryFailure>,
    committed: Result<bool, tokio_postgres::Error>,
) -> Result<(), NotCommitted> {
    match (refused, committed.map_err(QueryFailure::from)) {
        (None, Ok(true)) => Ok(()),
        (None, Ok(false)) => {
            Err(NotCommitted::Unknown("the database did not wait for its standby".to_owned()))
        }
        // A connection that broke may have broken after the commit.
        (Some(QueryFailure::Lost(why)), _) | (None, Err(QueryFailure::Lost(why))) => {
            Err(NotCommitted::Unknown(why))
        }
        // A statement that was refused turned the commit into a rollback.
        (Some(failure), _) | (None, Err(failure @ QueryFailure::Conflict)) => {
            Err(NotCommitted::Known(failure))
        }
        (None, Err(QueryFailure::Final(error))) => Err(NotCommitted::Unknown(error.to_string())),
    }
}
